"""What holds for all calendars, plans and moves: invariants, and the arithmetic against counting day by day.

The day-by-day versions below are slow and plain on purpose; they are the definition.
"""

from datetime import date, datetime, time, timedelta

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from milestone_automation.engine.rules.dates import (
	DatesOutOfOrder,
	ShiftAnswerNeeded,
	StageRule,
	first_out_of_order,
	move_stage,
	plan_dates,
)
from milestone_automation.engine.rules.health import plan_health, stage_health
from milestone_automation.engine.rules.task_dates import (
	PlannedTask,
	move_tasks,
	reopened_due_date,
	task_due_date,
)
from milestone_automation.engine.rules.vocabulary import (
	Health,
	KeyDateRule,
	ShiftMode,
	StageStatus,
	TaskStatus,
)
from milestone_automation.engine.rules.working_days import (
	WorkCalendar,
	from_holiday_list,
	working_seconds_between,
)

ONE_DAY = timedelta(days=1)
MIDDLE = date(2026, 6, 15)

days = st.dates(MIDDLE - timedelta(days=60), MIDDLE + timedelta(days=60))
moments = st.datetimes(datetime(2026, 5, 20), datetime(2026, 7, 10))
modes = st.sampled_from(ShiftMode)
calendars = st.builds(
	WorkCalendar,
	weekly_off=st.frozensets(st.integers(0, 6), max_size=6),
	holidays=st.frozensets(days, max_size=25),
	extra_working_days=st.frozensets(days, max_size=10),
)
stage_rules = st.builds(
	StageRule,
	name=st.just("Stage"),
	rule=st.sampled_from(KeyDateRule),
	offset_days=st.integers(-20, 40),
	working_days=st.booleans(),
	date_value=st.none() | days,
)
planned_tasks = st.builds(
	PlannedTask,
	key=st.uuids().map(str),
	due_date=st.none() | days,
	status=st.sampled_from(TaskStatus),
	due_days_before=st.integers(0, 30),
	working_days=st.booleans(),
	set_manually=st.booleans(),
)


def holds_for(*strategies):
	"""``given``, but how long an example takes is no matter: a busy machine is no fault of the rules."""
	patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
	return lambda test: patient(given(*strategies)(test))


@st.composite
def plans(draw, holes: bool = True, reached_first: bool = True):
	"""Draw (dates, reached) of a plan in order with an open stage; reached ones come first unless told otherwise."""
	dates = sorted(draw(st.lists(days, min_size=1, max_size=6)))
	last = len(dates) - 1
	if reached_first:
		done = draw(st.integers(0, last))
		reached = [index < done for index in range(len(dates))]
	else:
		still_open = draw(st.integers(0, last))
		reached = [index != still_open and draw(st.booleans()) for index in range(len(dates))]
	if holes:
		dates = [draw(st.sampled_from([day, day, None])) for day in dates]
	return dates, reached


@st.composite
def moves(draw, **kind):
	"""Draw (dates, reached, index, new date) where the stage is open and the new date not refused."""
	dates, reached = draw(plans(**kind))
	index = draw(st.sampled_from([i for i, is_reached in enumerate(reached) if not is_reached]))
	earliest = max(filter(None, dates[:index]), default=MIDDLE - timedelta(days=90))
	return dates, reached, index, draw(st.dates(earliest, MIDDLE + timedelta(days=120)))


def is_worked(calendar: WorkCalendar, day: date) -> bool:
	"""The definition of a working day."""
	if day in calendar.holidays:
		return False
	return day.weekday() not in calendar.weekly_off or day in calendar.extra_working_days


def count_day_by_day(calendar: WorkCalendar, day: date, number: int) -> date:
	"""The definition of ``add_working_days``: walk, and count the working days stepped on."""
	step = ONE_DAY if number > 0 else -ONE_DAY
	left = abs(number)
	while left:
		day += step
		left -= is_worked(calendar, day)
	return day


def roll_day_by_day(calendar: WorkCalendar, day: date, step: timedelta) -> date:
	"""The definition of the next or the previous working day."""
	while not is_worked(calendar, day):
		day += step
	return day


# Calendar arithmetic


@holds_for(calendars, days)
def test_a_working_day_is_what_the_definition_says(calendar, day):
	assert calendar.is_working_day(day) is is_worked(calendar, day)


@holds_for(calendars, days, st.integers(-60, 60))
def test_adding_working_days_is_counting_day_by_day(calendar, day, number):
	assert calendar.add_working_days(day, number) == count_day_by_day(calendar, day, number)


@holds_for(calendars, days)
def test_rolling_is_walking_day_by_day(calendar, day):
	assert calendar.next_working_day(day) == roll_day_by_day(calendar, day, ONE_DAY)
	assert calendar.previous_working_day(day) == roll_day_by_day(calendar, day, -ONE_DAY)


@holds_for(calendars, days, days)
def test_working_days_between_is_counting_day_by_day(calendar, start, end):
	walked = [
		date.fromordinal(o) for o in range(min(start, end).toordinal(), max(start, end).toordinal() + 1)
	]
	if end < start:
		assert calendar.working_days_between(start, end) == -sum(is_worked(calendar, d) for d in walked[:-1])
	else:
		assert calendar.working_days_between(start, end) == sum(is_worked(calendar, d) for d in walked[1:])


@holds_for(calendars, st.dates(date(1900, 1, 1), date(2200, 1, 1)), st.integers(-10_000, 10_000))
def test_working_days_between_undoes_adding_them_however_far(calendar, day, number):
	assert calendar.working_days_between(day, calendar.add_working_days(day, number)) == number


@holds_for(calendars, days, st.integers(-60, 60))
def test_there_and_back_from_a_working_day_is_that_day(calendar, day, number):
	day = calendar.next_working_day(day)
	assert calendar.add_working_days(calendar.add_working_days(day, number), -number) == day


@holds_for(calendars, days, days, st.integers(-60, 60))
def test_adding_working_days_never_lets_one_day_overtake_another(calendar, first, second, number):
	first, second = sorted((first, second))
	assert calendar.add_working_days(first, number) <= calendar.add_working_days(second, number)


@holds_for(calendars, moments, moments)
def test_working_seconds_are_the_seconds_of_each_working_day(calendar, start, end):
	first, last = sorted((start, end))
	total = timedelta()
	for ordinal in range(first.toordinal(), last.toordinal() + 1):
		midnight = datetime.combine(date.fromordinal(ordinal), time.min)
		if is_worked(calendar, midnight.date()):
			total += min(last, midnight + ONE_DAY) - max(first, midnight)
	seconds = int(total.total_seconds())
	assert working_seconds_between(start, end, calendar) == (seconds if start <= end else -seconds)


@holds_for(days, days, st.lists(st.tuples(days, st.booleans()), max_size=60).map(tuple))
def test_within_its_dates_a_holiday_list_is_taken_literally(from_date, to_date, listed):
	from_date, to_date = sorted((from_date, to_date))
	calendar = from_holiday_list(from_date, to_date, listed)
	for ordinal in range(from_date.toordinal(), to_date.toordinal() + 1):
		day = date.fromordinal(ordinal)
		assert calendar.is_working_day(day) is (day not in {off for off, _ in listed})


# Planning


@holds_for(st.lists(stage_rules, max_size=6), days, calendars)
def test_planned_dates_are_what_each_rule_says(stages, created_on, calendar):
	planned = plan_dates(stages, created_on, calendar)
	for index, stage in enumerate(stages):
		counted_from = {
			"Document Date Field": stage.date_value,
			"After Previous Milestone": planned[index - 1] if index else None,
			"After Creation": created_on,
			"Set Manually": None,
		}[stage.rule.value]
		if counted_from is None:
			assert planned[index] is None
		elif stage.working_days:
			assert planned[index] == count_day_by_day(calendar, counted_from, stage.offset_days)
		else:
			assert planned[index] == counted_from + timedelta(days=stage.offset_days)


@holds_for(st.lists(stage_rules, max_size=6), days, calendars)
def test_planning_again_over_standing_dates_changes_nothing(stages, created_on, calendar):
	planned = plan_dates(stages, created_on, calendar)
	assert plan_dates(stages, created_on, calendar, fixed_dates=planned) == planned


@holds_for(st.lists(days, max_size=6), st.data())
def test_a_plan_is_in_order_if_no_open_stage_lies_before_any_earlier_one(dates, data):
	dates = [data.draw(st.sampled_from([day, None])) for day in dates]
	reached = data.draw(st.lists(st.booleans(), min_size=len(dates), max_size=len(dates)))
	faults = {
		later
		for later, day in enumerate(dates)
		for earlier in dates[:later]
		if day and earlier and day < earlier and not reached[later]
	}
	found = first_out_of_order(dates, reached)
	assert (found[0] if found else None) == min(faults, default=None)


# Tasks


@holds_for(days, st.integers(0, 40), st.booleans(), calendars)
def test_a_task_is_never_due_after_its_stage(stage_date, days_before, working_days, calendar):
	assert task_due_date(stage_date, days_before, working_days, calendar) <= stage_date


@holds_for(days, st.integers(0, 40), calendars)
def test_in_working_days_a_task_is_due_on_a_working_day_and_not_later_than_in_calendar_days(
	stage_date, days_before, calendar
):
	due_date = task_due_date(stage_date, days_before, True, calendar)
	assert is_worked(calendar, due_date)
	assert due_date <= task_due_date(stage_date, days_before, False, calendar)


@holds_for(days, st.integers(0, 40), calendars)
def test_in_working_days_a_task_is_due_where_counting_day_by_day_ends(stage_date, days_before, calendar):
	counted = count_day_by_day(calendar, stage_date, -days_before)
	expected = roll_day_by_day(calendar, counted, -ONE_DAY)
	assert task_due_date(stage_date, days_before, True, calendar) == expected


@holds_for(days, st.integers(0, 40), st.booleans(), calendars)
def test_one_more_day_before_is_never_later(stage_date, days_before, working_days, calendar):
	due_date = task_due_date(stage_date, days_before, working_days, calendar)
	assert task_due_date(stage_date, days_before + 1, working_days, calendar) <= due_date


@holds_for(st.lists(planned_tasks, max_size=6), st.none() | days, st.none() | days, calendars)
def test_moved_tasks_are_open_and_never_after_their_stage(tasks, old, new, calendar):
	by_key = {task.key: task for task in tasks}
	for key, was, now in move_tasks(tasks, old, new, calendar):
		assert by_key[key].status is TaskStatus.OPEN
		assert was == by_key[key].due_date != now
		assert now is None or now <= new


@holds_for(st.lists(planned_tasks, max_size=6), st.none() | days, days, calendars)
def test_after_a_move_every_open_task_lies_on_or_before_its_stage(tasks, old, new, calendar):
	moved = {key: now for key, _, now in move_tasks(tasks, old, new, calendar)}
	due_dates = [moved.get(task.key, task.due_date) for task in tasks if task.status is TaskStatus.OPEN]
	assert all(due_date is None or due_date <= new for due_date in due_dates)


@holds_for(planned_tasks, st.none() | days, calendars)
def test_a_reopened_task_is_never_after_its_stage_and_reopening_it_again_changes_nothing(
	task, stage_date, calendar
):
	due_date = reopened_due_date(task, stage_date, calendar)
	assert due_date is None or stage_date is None or due_date <= stage_date
	again = PlannedTask(**{**vars(task), "due_date": due_date})
	assert reopened_due_date(again, stage_date, calendar) == due_date


@holds_for(st.lists(planned_tasks, max_size=6), days, days, calendars)
def test_moving_a_stage_there_and_back_gives_its_tasks_their_old_dates(tasks, old, new, calendar):
	def after(tasks, source, target):
		moved = {move.key: move.new for move in move_tasks(tasks, source, target, calendar)}
		return [
			PlannedTask(**{**vars(task), "due_date": moved.get(task.key, task.due_date)}) for task in tasks
		]

	in_place = after(tasks, old, old)  # dates by hand may start after the stage; from here on they do not
	assert after(after(in_place, old, new), new, old) == in_place


@holds_for(st.lists(st.integers(0, 30), max_size=6), plans(), st.booleans(), calendars)
def test_moving_a_plans_tasks_ends_where_planning_them_afresh_does(before, plan, working_days, calendar):
	dates, _ = plan
	tasks = [
		PlannedTask(str(n), MIDDLE, TaskStatus.OPEN, days_before, working_days)
		for n, days_before in enumerate(before)
	]
	moved = {key: now for key, _, now in move_tasks(tasks, MIDDLE, dates[0], calendar)}
	planned = {
		task.key: task_due_date(dates[0], task.due_days_before, working_days, calendar) for task in tasks
	}
	assert {task.key: moved.get(task.key, MIDDLE) for task in tasks} == planned


# Moving stages


@holds_for(moves(reached_first=False), modes, st.booleans(), calendars)
def test_earlier_and_reached_stages_never_move_and_the_moved_one_lands_where_told(
	move, mode, working_days, calendar
):
	dates, reached, index, new_date = move
	try:
		moved = move_stage(dates, reached, index, new_date, mode, calendar, working_days)
	except ShiftAnswerNeeded as question:
		results = list(question.choices.values())
	else:
		results = [moved]
	for result in results:
		assert result.dates[index] == new_date
		for i, day in enumerate(dates):
			assert i == index or result.dates[i] == day or (i > index and not reached[i])
		assert result.changed == [
			(i, was, now) for i, (was, now) in enumerate(zip(dates, result.dates, strict=True)) if was != now
		]


@holds_for(moves(reached_first=False), modes, st.booleans(), calendars)
def test_order_is_kept(move, mode, working_days, calendar):
	dates, reached, index, new_date = move
	try:
		moved = move_stage(dates, reached, index, new_date, mode, calendar, working_days)
		assert first_out_of_order(moved.dates, reached) is None
	except ShiftAnswerNeeded as question:
		assert all(first_out_of_order(choice.dates, reached) is None for choice in question.choices.values())
		assert len({tuple(choice.dates) for choice in question.choices.values()}) == 2


@holds_for(plans(), st.data(), days, modes, calendars)
def test_a_date_before_an_earlier_stage_is_refused_and_no_other(plan, data, new_date, mode, calendar):
	dates, reached = plan
	index = data.draw(st.sampled_from([i for i, is_reached in enumerate(reached) if not is_reached]))
	earlier = list(filter(None, dates[:index]))
	try:
		move_stage(dates, reached, index, new_date, mode, calendar)
	except DatesOutOfOrder as refusal:
		assert refusal.index == index
		assert refusal.previous_date == max(earlier) > new_date
	except ShiftAnswerNeeded:
		assert not earlier or max(earlier) <= new_date
	else:
		assert not earlier or max(earlier) <= new_date


@holds_for(moves(), calendars)
def test_shifting_in_calendar_days_there_and_back_is_identity(move, calendar):
	dates, reached, index, new_date = move
	assume(dates[index])
	there = move_stage(dates, reached, index, new_date, ShiftMode.SHIFT_TOO, calendar).dates
	back = move_stage(there, reached, index, dates[index], ShiftMode.SHIFT_TOO, calendar).dates
	assert back == dates


@holds_for(moves(holes=False), calendars)
def test_shifting_in_working_days_there_and_back_is_identity_and_stays_on_working_days(move, calendar):
	dates, reached, index, new_date = move
	dates = [calendar.previous_working_day(day) for day in dates]
	new_date = calendar.next_working_day(new_date)
	there = move_stage(dates, reached, index, new_date, ShiftMode.SHIFT_TOO, calendar, True).dates
	back = move_stage(there, reached, index, dates[index], ShiftMode.SHIFT_TOO, calendar, True).dates
	assert back == dates
	assert all(is_worked(calendar, day) for day in there)


@holds_for(moves(holes=False), calendars)
def test_shifting_in_working_days_via_a_day_off_and_back_is_identity(move, calendar):
	dates, reached, index, new_date = move
	dates = [calendar.previous_working_day(day) for day in dates]
	assume(calendar.weekly_off)
	while is_worked(calendar, new_date):
		new_date += ONE_DAY
	there = move_stage(dates, reached, index, new_date, ShiftMode.SHIFT_TOO, calendar, True).dates
	assert move_stage(there, reached, index, dates[index], ShiftMode.SHIFT_TOO, calendar, True).dates == dates


@holds_for(moves(), calendars)
def test_keeping_order_moves_no_date_forward_and_none_further_than_needed(move, calendar):
	dates, reached, index, new_date = move
	moved = move_stage(dates, reached, index, new_date, ShiftMode.KEEP_ORDER, calendar).dates
	for was, now in zip(dates[index + 1 :], moved[index + 1 :], strict=True):
		assert now == (was and max(was, new_date))


# Health

facts = st.fixed_dictionaries(
	{
		"key_date": st.none() | days,
		"today": days,
		"open_required_tasks": st.integers(0, 2),
		"warning_lead_days": st.integers(0, 10),
		"chance": st.none() | st.integers(0, 100),
		"at_risk_below": st.integers(0, 100),
		"overdue_open_tasks": st.integers(0, 2),
	}
)


@holds_for(facts)
def test_only_reached_is_done_and_only_a_date_that_has_come_is_blocked_or_late(facts):
	health = stage_health(StageStatus.OPEN, **facts)
	has_come = facts["key_date"] is not None and facts["key_date"] <= facts["today"]
	assert health is not Health.DONE
	assert (health is Health.BLOCKED) is (has_come and facts["open_required_tasks"] > 0)
	assert health is not Health.LATE or has_come
	assert stage_health(StageStatus.REACHED, **facts) is Health.DONE


@holds_for(facts)
def test_finishing_tasks_never_turns_a_healthy_stage_bad(facts):
	before = stage_health(StageStatus.OPEN, **facts)
	after = stage_health(StageStatus.OPEN, **facts | {"open_required_tasks": 0, "overdue_open_tasks": 0})
	assert before is not Health.ON_TRACK or after is Health.ON_TRACK


@holds_for(st.lists(st.sampled_from(Health), min_size=1, max_size=6))
def test_the_order_of_stages_does_not_matter_to_a_plans_health(stages):
	assert plan_health(stages) is plan_health(reversed(stages))
	assert plan_health(stages) in stages
