"""Calendars, key dates and due dates by example. June 2026 begins on a Monday."""

from datetime import date, datetime

import pytest

from milestone_automation.engine.rules.dates import (
	DateMove,
	DatesOutOfOrder,
	MoveResult,
	ReachedInFuture,
	ShiftAnswerNeeded,
	StageAlreadyReached,
	StageRule,
	counting_days,
	first_out_of_order,
	move_stage,
	plan_dates,
	put_in_order,
	validate_reached_on,
)
from milestone_automation.engine.rules.network import Network
from milestone_automation.engine.rules.task_dates import (
	PlannedTask,
	TaskAfterStage,
	TaskMove,
	check_task_date,
	move_tasks,
	task_due_date,
)
from milestone_automation.engine.rules.vocabulary import KeyDateRule, ShiftMode, TaskStatus
from milestone_automation.engine.rules.working_days import (
	NoWorkingDay,
	OutOfCalendar,
	WorkCalendar,
	from_holiday_list,
	working_seconds_between,
)

EVERY_DAY = WorkCalendar()
WEEKENDS_OFF = WorkCalendar(weekly_off=frozenset({5, 6}))
OPEN = (False,) * 9


def june(day: int) -> date:
	"""Return a day of June 2026; the 1st, 8th, 15th and 22nd are Mondays."""
	return date(2026, 6, day)


class TestSkippedStages:
	"""The first stage was skipped: the second, planned for the 10th, was reached on the 5th. The third was pulled ahead."""

	DATES = (june(20), june(10), june(8))
	REACHED = (False, True, False)

	def counting(self):
		return counting_days((None, june(5), None), self.REACHED, Network.chain(3))

	def test_a_skipped_stage_counts_by_the_first_one_reached_after_it(self):
		assert self.counting() == [june(5), june(5), None]

	def test_its_date_pushes_nothing(self):
		assert put_in_order(self.DATES, self.REACHED, self.counting()) == list(self.DATES)

	def test_moving_it_pushes_nothing(self):
		keep = (ShiftMode.KEEP_ORDER, EVERY_DAY)
		moved = move_stage(self.DATES, self.REACHED, 0, june(25), *keep, reached_on=self.counting())
		assert moved.dates == [june(25), june(10), june(8)]

	def test_a_reached_stage_without_a_day_counts_by_its_key_date(self):
		reached = (True, False)
		days = counting_days((None, None), reached, Network.chain(2))
		assert days == [None, None]
		assert put_in_order((june(9), june(8)), reached, days) == [june(9), june(9)]

	def test_a_skipped_stage_of_another_branch_does_not_count_as_skipped(self):
		side_by_side = Network([(), (), (0, 1)])
		assert counting_days((None, june(5), None), self.REACHED, side_by_side) == [None, june(5), None]


class TestWorkCalendar:
	def test_friday_plus_one_working_day_is_monday(self):
		assert WEEKENDS_OFF.add_working_days(june(5), 1) == june(8)

	def test_monday_minus_one_working_day_is_friday(self):
		assert WEEKENDS_OFF.add_working_days(june(8), -1) == june(5)

	def test_from_a_sunday_the_first_working_day_after_is_monday_and_before_is_friday(self):
		assert WEEKENDS_OFF.add_working_days(june(7), 1) == june(8)
		assert WEEKENDS_OFF.add_working_days(june(7), -1) == june(5)

	def test_no_working_days_from_a_sunday_is_that_sunday(self):
		assert WEEKENDS_OFF.add_working_days(june(7), 0) == june(7)

	def test_a_holiday_is_skipped_both_ways(self):
		calendar = WorkCalendar(frozenset({5, 6}), frozenset({june(8)}))
		assert calendar.add_working_days(june(5), 1) == june(9)
		assert calendar.add_working_days(june(9), -1) == june(5)

	def test_a_holiday_on_a_weekend_is_not_counted_twice(self):
		calendar = WorkCalendar(frozenset({5, 6}), frozenset({june(7)}))
		assert calendar.working_days_between(june(1), june(15)) == 10

	def test_an_extra_working_saturday_counts_unless_it_is_a_holiday(self):
		saturday, next_saturday = june(6), june(13)
		calendar = WorkCalendar(
			frozenset({5, 6}), frozenset({next_saturday}), frozenset({saturday, next_saturday})
		)
		assert calendar.add_working_days(june(5), 1) == saturday
		assert not calendar.is_working_day(next_saturday)
		assert calendar.working_days_between(june(5), june(15)) == 7

	def test_rolling_stays_on_a_working_day_and_leaves_a_day_off(self):
		assert WEEKENDS_OFF.next_working_day(june(5)) == june(5)
		assert WEEKENDS_OFF.previous_working_day(june(5)) == june(5)
		assert WEEKENDS_OFF.next_working_day(june(6)) == june(8)
		assert WEEKENDS_OFF.previous_working_day(june(7)) == june(5)

	@pytest.mark.parametrize(
		("start", "end", "expected"),
		[(5, 5, 0), (5, 6, 0), (5, 8, 1), (6, 8, 1), (8, 5, -1), (7, 5, -1), (8, 7, 0), (1, 15, 10)],
	)
	def test_working_days_between_two_days(self, start, end, expected):
		assert WEEKENDS_OFF.working_days_between(june(start), june(end)) == expected

	def test_ten_thousand_working_days_are_forty_years_less_a_bit(self):
		assert WEEKENDS_OFF.add_working_days(june(1), 10_000) == date(2064, 9, 29)
		assert WEEKENDS_OFF.add_working_days(date(2064, 9, 29), -10_000) == june(1)

	def test_a_year_of_holidays_in_a_row_is_passed_over(self):
		year = frozenset(date.fromordinal(june(1).toordinal() + days) for days in range(365))
		calendar = WorkCalendar(frozenset({5, 6}), year)
		assert calendar.next_working_day(june(1)) == date(2027, 6, 1)

	def test_a_datetime_counts_as_its_day(self):
		calendar = WorkCalendar(holidays=frozenset({june(8)}))
		assert not calendar.is_working_day(datetime(2026, 6, 8, 15))
		assert type(calendar.add_working_days(datetime(2026, 6, 8, 15), 0)) is date

	def test_seven_days_off_are_refused(self):
		with pytest.raises(NoWorkingDay, match="All seven days of the week are off"):
			WorkCalendar(frozenset(range(7)))

	def test_a_weekday_that_is_none_is_refused(self):
		with pytest.raises(ValueError, match=r"0 \(Monday\) to 6 \(Sunday\), not \[7\]"):
			WorkCalendar(frozenset({7}))

	@pytest.mark.parametrize(
		"count",
		[
			lambda: WEEKENDS_OFF.add_working_days(june(1), 10_000_000),
			lambda: WEEKENDS_OFF.add_working_days(june(1), -10_000_000),
			lambda: EVERY_DAY.add_days(june(1), 10_000_000),
			lambda: EVERY_DAY.add_days(june(1), -10_000_000),
			lambda: WorkCalendar(holidays=frozenset({date.max})).next_working_day(date.max),
			lambda: WorkCalendar(holidays=frozenset({date.min})).previous_working_day(date.min),
		],
	)
	def test_counting_out_of_the_calendar_is_refused(self, count):
		with pytest.raises(OutOfCalendar, match="outside the calendar"):
			count()

	def test_the_first_and_the_last_day_of_the_calendar_are_days_like_others(self):
		assert EVERY_DAY.previous_working_day(date.min) == date.min
		assert EVERY_DAY.next_working_day(date.max) == date.max
		assert EVERY_DAY.working_days_between(date.min, date.max) == (date.max - date.min).days


class TestWorkingSeconds:
	@pytest.mark.parametrize(
		("start", "end", "hours"),
		[
			(datetime(2026, 6, 1, 9), datetime(2026, 6, 1, 17), 8),
			(datetime(2026, 6, 5, 18), datetime(2026, 6, 8, 6), 12),
			(datetime(2026, 6, 6, 10), datetime(2026, 6, 7, 20), 0),
			(datetime(2026, 6, 6, 10), datetime(2026, 6, 8, 1), 1),
			(datetime(2026, 6, 1), datetime(2026, 6, 8), 5 * 24),
			(datetime(2026, 6, 8, 6), datetime(2026, 6, 5, 18), -12),
		],
	)
	def test_whole_days_off_are_not_counted(self, start, end, hours):
		assert working_seconds_between(start, end, WEEKENDS_OFF) == hours * 3600

	def test_without_days_off_it_is_the_time_that_passed(self):
		start, end = datetime(2026, 2, 27, 23, 59, 58, 700_000), datetime(2026, 3, 2, 0, 0, 1)
		assert working_seconds_between(start, end, EVERY_DAY) == int((end - start).total_seconds())


class TestHolidayList:
	FIRST, LAST = date(2026, 1, 1), date(2026, 12, 31)

	def weekly(self, *weekdays: int) -> tuple[tuple[date, bool], ...]:
		"""Return a year's days off of these weekdays, as a Holiday List lists them."""
		days = map(date.fromordinal, range(self.FIRST.toordinal(), self.LAST.toordinal() + 1))
		return tuple((day, True) for day in days if day.weekday() in weekdays)

	def test_listed_days_are_off_and_all_others_are_worked(self):
		calendar = from_holiday_list(self.FIRST, self.LAST, (*self.weekly(6), (june(10), False)))
		assert not calendar.is_working_day(june(7))
		assert not calendar.is_working_day(june(10))
		assert calendar.is_working_day(june(6))

	def test_the_weekly_day_off_goes_on_after_the_list_ends(self):
		calendar = from_holiday_list(self.FIRST, self.LAST, self.weekly(5, 6))
		assert not calendar.is_working_day(date(2027, 1, 2))
		assert calendar.is_working_day(date(2027, 1, 4))
		assert not calendar.is_working_day(date(2025, 12, 28))

	def test_a_weekly_day_off_taken_out_of_the_list_is_worked(self):
		days = tuple((day, weekly) for day, weekly in self.weekly(5, 6) if day != june(13))
		calendar = from_holiday_list(self.FIRST, self.LAST, days)
		assert calendar.is_working_day(june(13))
		assert not calendar.is_working_day(june(20))

	def test_one_single_listed_friday_is_no_weekly_day_off(self):
		calendar = from_holiday_list(june(1), june(7), ((june(5), False),))
		assert calendar.weekly_off == frozenset()

	def test_two_saturdays_a_month_do_not_make_saturday_a_weekly_day_off(self):
		saturdays = tuple((day, weekly) for day, weekly in self.weekly(5) if (day.day - 1) // 7 in (1, 3))
		calendar = from_holiday_list(self.FIRST, self.LAST, saturdays)
		assert calendar.is_working_day(june(6))
		assert not calendar.is_working_day(june(13))
		assert calendar.is_working_day(date(2027, 1, 9))

	def test_a_list_that_closes_every_day_ends_with_its_last_date(self):
		calendar = from_holiday_list(self.FIRST, self.LAST, self.weekly(*range(7)))
		assert calendar.next_working_day(june(1)) == date(2027, 1, 1)

	def test_a_day_listed_twice_counts_once(self):
		calendar = from_holiday_list(june(1), june(28), ((june(7), True), (june(7), True), (june(14), True)))
		assert calendar.weekly_off == frozenset()


class TestPlanDates:
	def test_each_rule_counts_from_its_own_day(self):
		stages = [
			StageRule("Ordered", KeyDateRule.AFTER_CREATION, 1),
			StageRule("Produced", KeyDateRule.AFTER_PREVIOUS_MILESTONE, 10),
			StageRule("Shipped", KeyDateRule.DOCUMENT_DATE_FIELD, -2, date_value=june(22)),
			StageRule("Accepted", KeyDateRule.SET_MANUALLY, 5),
		]
		assert plan_dates(stages, june(1), EVERY_DAY) == [june(2), june(12), june(20), None]

	def test_working_days_skip_weekends_and_calendar_days_do_not(self):
		rules = [
			StageRule("A", "After Creation", 5, working_days=True),
			StageRule("B", "After Creation", 5),
		]
		assert plan_dates(rules, june(1), WEEKENDS_OFF) == [june(8), june(6)]

	def test_an_offset_of_zero_is_the_documents_own_date_even_on_a_sunday(self):
		stages = [StageRule("A", "Document Date Field", 0, working_days=True, date_value=june(7))]
		assert plan_dates(stages, june(1), WEEKENDS_OFF) == [june(7)]

	def test_after_a_stage_without_date_there_is_no_date_and_none_after_the_start(self):
		stages = [
			StageRule("First", KeyDateRule.AFTER_PREVIOUS_MILESTONE, 3),
			StageRule("Empty field", KeyDateRule.DOCUMENT_DATE_FIELD, 3),
			StageRule("After it", KeyDateRule.AFTER_PREVIOUS_MILESTONE, 3),
		]
		assert plan_dates(stages, june(1), EVERY_DAY) == [None, None, None]

	def test_standing_dates_are_kept_and_holes_filled_from_them(self):
		stages = [
			StageRule("By hand", KeyDateRule.SET_MANUALLY),
			StageRule("After it", KeyDateRule.AFTER_PREVIOUS_MILESTONE, 3),
			StageRule("Moved before", KeyDateRule.AFTER_PREVIOUS_MILESTONE, 3),
		]
		planned = plan_dates(stages, june(1), EVERY_DAY, fixed_dates=[june(10), None, june(25)])
		assert planned == [june(10), june(13), june(25)]

	def test_a_datetime_field_gives_a_date(self):
		stages = [StageRule("A", KeyDateRule.DOCUMENT_DATE_FIELD, 1, date_value=datetime(2026, 6, 1, 23, 30))]
		assert plan_dates(stages, june(1), EVERY_DAY) == [june(2)]

	def test_an_unknown_rule_is_refused(self):
		with pytest.raises(ValueError, match="'After Lunch' is not a valid KeyDateRule"):
			plan_dates([StageRule("A", "After Lunch")], june(1), EVERY_DAY)

	def test_rules_may_lead_out_of_order_and_the_check_names_both_stages(self):
		stages = [
			StageRule("Produced", KeyDateRule.AFTER_CREATION, 20),
			StageRule("Shipped", KeyDateRule.DOCUMENT_DATE_FIELD, date_value=june(9)),
		]
		dates = plan_dates(stages, june(1), EVERY_DAY)
		assert dates == [june(21), june(9)]
		assert first_out_of_order(dates) == (1, 0)


class TestOrder:
	def test_the_same_day_is_in_order_and_missing_dates_are_passed_over(self):
		assert first_out_of_order([june(1), None, june(1), june(2), None]) is None
		assert first_out_of_order([]) is None

	def test_a_date_is_compared_across_a_missing_one(self):
		assert first_out_of_order([june(5), None, june(4)]) == (2, 0)

	def test_the_latest_earlier_stage_is_named(self):
		assert first_out_of_order([june(1), june(9), june(3)]) == (2, 1)

	def test_a_reached_stage_is_never_at_fault_but_holds_those_after_it(self):
		assert first_out_of_order([june(9), june(3)], reached=[False, True]) is None
		assert first_out_of_order([june(9), june(3)], reached=[True, False]) == (1, 0)

	def test_the_error_carries_names_and_dates(self):
		with pytest.raises(DatesOutOfOrder) as refusal:
			move_stage(
				[june(1), june(9), june(12)],
				[],
				2,
				june(3),
				ShiftMode.KEEP_ORDER,
				EVERY_DAY,
				names=["A", "B", "C"],
			)
		assert str(refusal.value) == "C on 2026-06-03 is before B on 2026-06-09"
		fault = refusal.value
		assert (fault.index, fault.stage, fault.stage_date) == (2, "C", june(3))
		assert (fault.previous_index, fault.previous_stage, fault.previous_date) == (1, "B", june(9))


class TestTaskDueDate:
	@pytest.mark.parametrize(
		("stage_day", "days_before", "working_days", "due_day"),
		[
			(12, 0, False, 12),
			(12, 3, False, 9),
			(8, 1, False, 7),  # a Sunday: calendar days are taken as they come
			(8, 0, True, 8),
			(8, 1, True, 5),
			(7, 0, True, 5),  # stage on a Sunday: its day rolls earlier, never later
			(7, 1, True, 5),
			(7, 2, True, 4),
			(12, 5, True, 5),
		],
	)
	def test_a_task_is_due_so_many_days_before_its_stage(self, stage_day, days_before, working_days, due_day):
		assert task_due_date(june(stage_day), days_before, working_days, WEEKENDS_OFF) == june(due_day)

	def test_a_holiday_before_the_stage_makes_the_task_due_earlier(self):
		calendar = WorkCalendar(frozenset({5, 6}), frozenset({june(5)}))
		assert task_due_date(june(8), 1, True, calendar) == june(4)

	def test_a_stage_without_date_gives_none(self):
		assert task_due_date(None, 2, True, WEEKENDS_OFF) is None

	def test_days_after_the_stage_are_refused(self):
		with pytest.raises(ValueError, match="0 or more days before its stage, not -1"):
			task_due_date(june(8), -1, False, EVERY_DAY)

	def test_a_task_after_its_stage_is_refused_on_its_day_or_before_is_not(self):
		check_task_date(june(8), june(8))
		check_task_date(june(8), None)
		check_task_date(None, june(8))
		with pytest.raises(TaskAfterStage, match="Due on 2026-06-09, after its stage on 2026-06-08"):
			check_task_date(june(9), june(8))


class TestMoveStage:
	DATES = (june(2), june(5), june(12), june(19))

	def move(self, index, new_date, mode, reached=OPEN, dates=None, **more) -> list[date | None]:
		"""Return the dates after a move, from the dates of this class and weekends off."""
		dates = self.DATES if dates is None else dates
		return move_stage(dates, reached, index, new_date, mode, WEEKENDS_OFF, **more).dates

	def test_shift_too_moves_all_later_stages_by_the_same_days_and_no_earlier_one(self):
		moved = move_stage(self.DATES, OPEN, 1, june(8), ShiftMode.SHIFT_TOO, WEEKENDS_OFF)
		assert moved == MoveResult(
			[june(2), june(8), june(15), june(22)],
			[
				DateMove(1, june(5), june(8)),
				DateMove(2, june(12), june(15)),
				DateMove(3, june(19), june(22)),
			],
		)

	def test_shift_too_moves_later_stages_back_as_well(self):
		assert self.move(1, june(4), "Shift Too") == [june(2), june(4), june(11), june(18)]

	def test_in_working_days_a_shift_keeps_working_days(self):
		moved = self.move(1, june(9), "Shift Too", working_days=True)
		assert moved == [june(2), june(9), june(16), june(23)]
		assert self.move(1, june(5), "Shift Too", dates=moved, working_days=True) == list(self.DATES)
		on_wednesday = self.move(0, june(3), "Shift Too", working_days=True)
		assert on_wednesday == [june(3), june(8), june(15), june(22)]

	def test_one_date_on_a_day_off_counts_the_whole_shift_in_calendar_days(self):
		dates = (june(2), june(5), june(14), june(19))
		moved = self.move(1, june(9), "Shift Too", dates=dates, working_days=True)
		assert moved == [june(2), june(9), june(18), june(23)]

	def test_keep_order_pushes_only_what_would_be_overtaken(self):
		assert self.move(1, june(10), "Keep Order") == [june(2), june(10), june(12), june(19)]
		assert self.move(1, june(15), "Keep Order") == [june(2), june(15), june(15), june(19)]
		assert self.move(1, june(30), "Keep Order") == [june(2), june(30), june(30), june(30)]

	def test_keep_order_leaves_later_stages_when_a_date_comes_forward(self):
		assert self.move(1, june(3), "Keep Order") == [june(2), june(3), june(12), june(19)]

	def test_ask_tells_what_either_answer_would_do(self):
		with pytest.raises(ShiftAnswerNeeded) as question:
			self.move(1, june(15), "Ask")
		assert {mode: choice.dates for mode, choice in question.value.choices.items()} == {
			ShiftMode.SHIFT_TOO: [june(2), june(15), june(22), june(29)],
			ShiftMode.KEEP_ORDER: [june(2), june(15), june(15), june(19)],
		}

	def test_ask_does_not_ask_where_there_is_nothing_to_choose(self):
		assert self.move(3, june(25), "Ask") == [june(2), june(5), june(12), june(25)]
		later_reached = (False, False, True, True)
		assert self.move(1, june(8), "Ask", reached=later_reached) == [june(2), june(8), june(12), june(19)]

	@pytest.mark.parametrize("reached", [OPEN, (True, False, False, False)])
	@pytest.mark.parametrize("mode", ["Shift Too", "Keep Order", "Ask"])
	def test_a_date_before_the_stage_before_is_refused_reached_or_not(self, reached, mode):
		with pytest.raises(DatesOutOfOrder) as refusal:
			self.move(1, june(1), mode, reached=reached, names=["Ordered", "Made"])
		assert str(refusal.value) == "Made on 2026-06-01 is before Ordered on 2026-06-02"

	def test_a_date_before_an_earlier_stage_is_refused_across_one_without_date(self):
		with pytest.raises(DatesOutOfOrder, match="Stage 3 on 2026-06-01 is before Stage 1 on 2026-06-02"):
			self.move(2, june(1), "Shift Too", dates=(june(2), None, june(12)))

	@pytest.mark.parametrize(("days", "named"), [((9, 9, 12), "Stage 2"), ((9, 3, 12), "Stage 1")])
	def test_the_refusal_names_the_latest_earlier_stage_and_of_two_on_one_day_the_nearer(self, days, named):
		dates, reached = [june(day) for day in days], (False, True, False)
		with pytest.raises(DatesOutOfOrder, match=f"Stage 3 on 2026-06-08 is before {named} on 2026-06-09"):
			self.move(2, june(8), "Keep Order", dates=dates, reached=reached)

	def test_the_day_of_the_stage_before_is_allowed(self):
		assert self.move(1, june(2), "Keep Order")[1] == june(2)

	def test_a_reached_stage_is_not_moved_by_hand_nor_along(self):
		reached = (False, False, True, False)
		assert self.move(1, june(8), "Shift Too", reached=reached) == [june(2), june(8), june(12), june(22)]
		with pytest.raises(StageAlreadyReached, match="Made is reached; its key date cannot be moved"):
			self.move(0, june(8), "Shift Too", reached=(True,), names=["Made"])

	def test_a_stage_is_not_shifted_before_one_reached_ahead_of_its_turn(self):
		dates, reached = (june(10), june(12), june(13)), (False, True, False)
		assert self.move(0, june(5), "Shift Too", dates=dates, reached=reached) == [
			june(5),
			june(12),
			june(12),
		]

	def test_a_first_date_pushes_later_stages_only_to_keep_order(self):
		dates = (june(2), None, june(12), None, june(19))
		assert self.move(1, june(15), "Shift Too", dates=dates) == [
			june(2),
			june(15),
			june(15),
			None,
			june(19),
		]

	def test_a_date_taken_away_moves_nothing_else(self):
		moved = move_stage(self.DATES, OPEN, 1, None, ShiftMode.SHIFT_TOO, WEEKENDS_OFF)
		assert moved.dates == [june(2), None, june(12), june(19)]
		assert moved.changed == [DateMove(1, june(5), None)]

	def test_the_same_date_again_changes_nothing(self):
		assert move_stage(self.DATES, OPEN, 1, june(5), "Ask", WEEKENDS_OFF).changed == []


class TestMoveTasks:
	FRIDAY, NEXT_FRIDAY = june(12), june(19)

	def moved(self, *tasks: PlannedTask, old=FRIDAY, new=NEXT_FRIDAY) -> list[TaskMove]:
		"""Return which tasks move with their stage, by default from one Friday to the next."""
		return move_tasks(tasks, old, new, WEEKENDS_OFF)

	def test_open_tasks_follow_by_the_same_rule(self):
		calendar_task = PlannedTask("a", june(9), due_days_before=3)
		working_task = PlannedTask("b", june(5), due_days_before=5, working_days=True)
		assert self.moved(calendar_task, working_task, new=june(15)) == [
			TaskMove("a", june(9), june(12)),
			TaskMove("b", june(5), june(8)),
		]

	@pytest.mark.parametrize("status", ["Completed", "Cancelled", "Waived"])
	@pytest.mark.parametrize("set_manually", [False, True])
	def test_tasks_no_longer_open_stay(self, status, set_manually):
		assert self.moved(PlannedTask("a", june(9), TaskStatus(status), 3, set_manually=set_manually)) == []

	def test_a_date_set_manually_keeps_its_distance(self):
		assert self.moved(PlannedTask("a", june(4), due_days_before=3, set_manually=True)) == [
			TaskMove("a", june(4), june(11))
		]

	def test_a_date_set_manually_is_never_after_the_stage(self):
		late, undated = (
			PlannedTask("a", june(14), set_manually=True),
			PlannedTask("b", None, set_manually=True),
		)
		assert self.moved(late, undated, new=june(15)) == [TaskMove("a", june(14), june(15))]
		assert self.moved(late, old=None, new=june(10)) == [TaskMove("a", june(14), june(10))]

	def test_a_stage_that_loses_its_date_leaves_only_dates_set_manually(self):
		by_rule = PlannedTask("a", june(9), due_days_before=3)
		by_hand = PlannedTask("b", june(9), set_manually=True)
		assert self.moved(by_rule, by_hand, new=None) == [TaskMove("a", june(9), None)]

	def test_a_stage_that_gets_its_first_date_dates_its_tasks(self):
		assert self.moved(PlannedTask("a", None, due_days_before=3), old=None) == [
			TaskMove("a", None, june(16))
		]

	def test_unmoved_tasks_are_not_named(self):
		assert self.moved(PlannedTask("a", june(19))) == []


class TestReachedOn:
	def test_today_and_earlier_are_allowed(self):
		validate_reached_on(june(10), june(10))
		validate_reached_on(june(1), june(10))

	def test_tomorrow_is_refused(self):
		with pytest.raises(ReachedInFuture, match="2026-06-11 is after today, 2026-06-10") as refusal:
			validate_reached_on(june(11), june(10))
		assert (refusal.value.reached_on, refusal.value.today) == (june(11), june(10))
