"""When messages are due: the pure rules, day by day."""

from datetime import date, timedelta

import pytest

from milestone_automation.engine.rules import schedule
from milestone_automation.engine.rules.schedule import Rules
from milestone_automation.engine.rules.working_days import WorkCalendar

pytestmark = pytest.mark.no_site

KEY_DATE = date(2030, 6, 12)  # a Wednesday
PLAN = {"status": "Active", "earlier_tasks_block": 0, "escalation_role": "Boss", "escalate_after_days": 0}
RULES = Rules()


def stage(name="s1", **values) -> dict:
	return {"name": name, "idx": 1, "status": "Open", "key_date": KEY_DATE, "stage_name": name} | values


def task(name="t1", plan_stage="s1", **values) -> dict:
	row = {"name": name, "plan_stage": plan_stage, "status": "Open", "required": 1, "due_date": KEY_DATE}
	return row | values


def messages_due(day: date, stages, tasks=(), rules=RULES, **plan) -> list[schedule.MessagePlan]:
	return [
		message for message in schedule.scheduled(PLAN | plan, stages, tasks, rules) if message.is_due(day)
	]


def due(days: int, stages, tasks=(), rules=RULES, **plan) -> list[str]:
	"""Kinds of the messages due so many days after the key date."""
	day = KEY_DATE + timedelta(days=days)
	return [message.kind.value for message in messages_due(day, stages, tasks, rules, **plan)]


def check(stages, tasks=(), today=KEY_DATE, rules=RULES, **plan) -> date | None:
	return schedule.next_check(PLAN | plan, stages, tasks, rules, today)


def test_a_prompt_is_due_from_the_key_date_on():
	assert due(-1, [stage()]) == []
	assert due(0, [stage()]) == ["Prompt"]
	assert due(2, [stage()]) == ["Prompt"]
	assert due(3, [stage()]) == ["Prompt", "Escalation"]


def test_a_reached_stage_a_stage_without_date_and_a_plan_that_ended_say_nothing():
	assert due(5, [stage(status="Reached")]) == []
	assert due(5, [stage(key_date=None)]) == []
	assert due(5, [stage()], status="Cancelled") == []
	assert due(5, [stage()], rules=Rules(send=False)) == []


@pytest.mark.parametrize(
	("gate_mode", "expected"),
	[("Block", ["Blocked", "Blocked (Owner)"]), ("Warn", ["Prompt"]), ("Off", ["Prompt"])],
)
def test_only_gate_mode_block_stops_a_prompt(gate_mode, expected):
	assert due(0, [stage(gate_mode=gate_mode)], [task(due_date=None)]) == expected


def test_optional_and_closed_tasks_block_nothing():
	tasks = [task(required=0, due_date=None), task("t2", status="Waived"), task("t3", status="Completed")]
	assert due(0, [stage()], tasks) == ["Prompt"]


def test_a_warning_goes_out_in_the_lead_while_required_tasks_are_open():
	open_task = [task(due_date=None)]
	assert [due(days, [stage()], open_task) for days in (-4, -3, -1)] == [[], ["Warning"], ["Warning"]]
	assert due(-3, [stage()], [task(status="Completed")]) == []
	assert due(-5, [stage(warning_lead_days=5)], open_task) == ["Warning"]
	assert due(-3, [stage()], open_task, rules=Rules(warn_owner=False)) == []


def test_blocked_replaces_the_messages_of_the_task_from_the_key_date_on():
	early = [task(due_date=KEY_DATE - timedelta(days=3))]
	no_warning = Rules(warn_owner=False)
	found = [due(days, [stage()], early, rules=no_warning) for days in (-5, -4, -3, -2, -1, 0, 1)]
	blocked = ["Blocked", "Blocked (Owner)"]
	assert found == [[], ["Task Due"], ["Task Due"], ["Task Overdue"], ["Task Overdue"], blocked, blocked]


def test_an_optional_task_is_reminded_of_and_overdue_on_its_own():
	optional = [task(required=0)]
	done = stage(prompted_on="2030-06-12 07:00:00", status="Reached")
	assert [due(days, [done], optional) for days in (-2, -1, 0, 1)] == [
		[],
		["Task Due"],
		["Task Due"],
		["Task Overdue"],
	]


@pytest.mark.parametrize(
	("after", "every", "at_most", "expected"),
	[
		(0, 0, 0, []),
		(2, 0, 0, [2]),
		(2, 0, 5, [2]),
		(2, 3, 3, [2, 5, 11]),
		(1, 1, 2, [1, 2]),
		(1, 1, 0, [1, 2, 4, 8, 16, 24, 32]),
		(1, 7, 0, [1, 8, 22]),
	],
)
def test_reminders_come_after_n_days_and_then_more_and_more_rarely_at_most_n_times(
	after, every, at_most, expected
):
	row = stage(
		remind_after_days=after, remind_every_days=every, remind_at_most=at_most, prompted_on=KEY_DATE
	)
	found = []
	for days in range(36):
		if "Reminder" in due(days, [row]):
			found.append(days)
			row |= {"reminders_sent": len(found), "last_reminder_on": KEY_DATE + timedelta(days=days)}
	assert found == expected


def test_reminders_missed_for_days_come_once():
	row = stage(remind_after_days=1, remind_every_days=1, remind_at_most=5, prompted_on=KEY_DATE)
	assert due(4, [row]).count("Reminder") == 1
	row |= {"reminders_sent": 1, "last_reminder_on": KEY_DATE + timedelta(days=4)}
	assert "Reminder" not in due(4, [row])
	assert "Reminder" in due(5, [row])


def test_tasks_of_an_earlier_stage_block_a_later_one_where_the_plan_says_so():
	stages = [stage(), stage("s2", idx=2)]
	tasks = [task(due_date=None)]
	assert due(0, stages, tasks) == ["Blocked", "Blocked (Owner)", "Prompt"]
	assert due(0, stages, tasks, earlier_tasks_block=1) == ["Blocked", "Blocked (Owner)", "Blocked (Owner)"]


def test_a_skipped_stage_gets_no_message_but_its_tasks_do():
	stages = [stage(), stage("s2", idx=2, status="Reached"), stage("s3", idx=3)]
	assert [message.stage for message in messages_due(KEY_DATE, stages)] == ["s3"]
	assert [(one.kind.value, one.stage) for one in messages_due(KEY_DATE, stages, [task()])] == [
		("Prompt", "s3"),
		("Task Due", "s1"),
	]
	assert check([stage(), stage("s2", idx=2, status="Reached")]) is None


def test_in_order_only_the_first_open_stage_is_asked_for():
	stages = [stage(), stage("s2", idx=2)]
	assert [one.stage for one in messages_due(KEY_DATE, stages)] == ["s1", "s2"]
	assert [one.stage for one in messages_due(KEY_DATE, stages, reached_in_order=1)] == ["s1"]


def test_the_next_stage_is_asked_for_a_date_only_once_the_one_before_is_reached():
	later = stage("s2", idx=2, key_date=None)
	assert due(0, [stage(prompted_on=KEY_DATE), later]) == ["Prompt"]
	assert due(-90, [stage(status="Reached"), later]) == ["No Next Date"]


def test_quiet_days_pull_what_announces_a_date_forward():
	quiet = Rules(quiet=WorkCalendar(frozenset({5, 6})), task_lead_days=3, warning_lead_days=3)
	stages, tasks = [stage()], [task()]
	# Three days before Wednesday is Sunday; the working day before is Friday, five days before.
	assert [due(days, stages, tasks, quiet) for days in (-6, -5)] == [[], ["Warning", "Task Due"]]


def test_a_key_tells_dates_rounds_and_reminders_apart_and_nothing_else():
	def key(**values):
		messages = messages_due(KEY_DATE + timedelta(days=9), [stage(**values)])
		return [
			message.key("Olga@Example.com")
			for message in messages
			if message.kind.value in ("Prompt", "Reminder")
		]

	assert key() == ["Prompt|s1|s1/1|0|olga@example.com"]
	assert key(asked_round=1, prompted_on=KEY_DATE) == key()
	assert key(asked_round=1) == ["Prompt|s1|s1/2|0|olga@example.com"]
	reminded = {"asked_round": 1, "prompted_on": KEY_DATE, "remind_after_days": 1}
	assert key(**reminded)[1] == "Reminder|s1|s1/1|1|olga@example.com"


# The next day to look


def test_next_check_is_the_first_day_with_a_message_or_a_turn_of_health():
	assert check([stage()], today=KEY_DATE - timedelta(days=30)) == KEY_DATE - timedelta(days=3)
	assert check([stage()], today=KEY_DATE - timedelta(days=3)) == KEY_DATE
	assert check([stage()]) == KEY_DATE
	asked = stage(prompted_on="2030-06-12 07:00:00")
	assert check([asked]) == KEY_DATE + timedelta(days=1)
	assert check([asked], today=KEY_DATE + timedelta(days=1)) == KEY_DATE + timedelta(days=3)
	escalated = asked | {"escalated_on": KEY_DATE + timedelta(days=3)}
	assert check([escalated], today=KEY_DATE + timedelta(days=3)) is None


def test_next_check_of_a_plan_that_ended_or_has_no_dates_is_none():
	assert check([stage()], status="Completed") is None
	assert check([stage(key_date=None)]) is None
	assert check([stage(status="Reached")]) is None


def test_next_check_never_lies_in_the_past_and_waits_for_working_days():
	assert check([stage()], today=KEY_DATE + timedelta(days=9)) == KEY_DATE + timedelta(days=9)
	quiet = Rules(quiet=WorkCalendar(frozenset({2})))
	asked_for = check([stage()], rules=quiet)
	assert asked_for == KEY_DATE + timedelta(days=1)


def test_whatever_is_due_and_not_stamped_makes_the_plan_due():
	"""Over every day around a busy stage: a message that is due and new is never behind the next check."""
	stages = [stage(remind_after_days=1), stage("s2", idx=2, key_date=KEY_DATE + timedelta(days=4))]
	tasks = [task(), task("t2", "s2", due_date=KEY_DATE + timedelta(days=2))]
	for days in range(-10, 20):
		today = KEY_DATE + timedelta(days=days)
		if [message for message in messages_due(today, stages, tasks) if not message.is_stamped]:
			assert check(stages, tasks, today=today) == today
