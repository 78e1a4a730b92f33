"""When a plan's messages are due: pure rules over rows of a plan, no site needed.

`scheduled` lists every message that follows from the state of a plan, each with the days on which it may be sent. The
messages of today and the next day to check come from the same list, so they always agree.

The rules:

- *Prompt*: from a stage's key date on, once its required tasks are done and its exit criteria met. Only for stages that
  no open one comes before, where earlier tasks block later stages or stages are reached in order; otherwise for every
  stage whose key date has come.
- An owner who has proposed a date is not asked, reminded or checked with until a manager has decided.
- A plan on hold sends nothing. When it is resumed, what is due then is sent.
- A skipped stage, which a reached one comes after, gets no message; its tasks keep theirs.
- *Blocked*: from the key date on, while required tasks block the stage: once to each assignee for each task of theirs,
  and to the owner with the names of the assignees. Nobody else can resolve it, so those whom the stage notifies are not
  told. No prompt is sent meanwhile. A stage that is blocked again after its prompt starts a new round of messages. Exit
  criteria that are not met block a stage just so; they have no assignees, so only the owner is told.
- *Reminder*: a number of days after the prompt, to the same people; for a blocked stage after the assignees were told,
  to the assignees, and to the owner if exit criteria block it. The next one follows after the days between two reminders,
  then after twice as many, four and eight times, up to a maximum. Days count from the last reminder that was sent: after
  three days without the scheduler one reminder is sent, not three.
- *Escalation*: a number of days after the key date, once, whether the stage is blocked or not answered. A stage that is
  blocked again later is not escalated a second time.
- *Warning*: the warning lead before the key date, while required tasks are open or exit criteria not met, once.
- *Check-In*: a number of days before the key date, until the day before it: the owner is asked whether the date still
  holds, once for each date. Who has said so within these days, or has set the date then, is not asked.
- *Task Due*: from the task lead before a task's due date until that date. *Task Overdue*: from the day after, once. Once
  the Blocked message covers a task, neither is sent.
- A task that comes after open ones gets none of these until they are closed; then those that are due.
- *No Next Date*: at once, when a stage is reached and the next open stage after it has no key date.

Only gate mode Block stops the prompt: with Warn and Off a stage can be reached while tasks are open.
If the site wants no messages on days off, they wait for the next working day. Messages that announce a date (Task Due,
Warning, Check-In) are sent on the working day before instead, so that they are never late.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from milestone_automation.engine.rules import order, task_order
from milestone_automation.engine.rules.vocabulary import (
	GateMode,
	MessageKind,
	PlanStatus,
	TaskStatus,
	Vocabulary,
)
from milestone_automation.engine.rules.working_days import WorkCalendar

# A stage with a new date or a reopened stage gets all its messages again.
FRESH_STAMPS = {
	"prompted_on": None,
	"reminders_sent": 0,
	"last_reminder_on": None,
	"held_told_on": None,
	"escalated_on": None,
	"warned_on": None,
	"check_in_sent_on": None,
	"on_track_on": None,
	"date_asked_on": None,
}
# A task with a new due date gets its reminders again.
FRESH_TASK_STAMPS = {"due_reminder_on": None, "overdue_reminder_on": None}

ROUND_STAMPS = (
	"prompted_on",
	"held_told_on",
	"escalated_on",
	"warned_on",
	"check_in_sent_on",
	"date_asked_on",
)
# Cleared on a stage that is blocked again after its prompt.
NEW_ROUND = {"prompted_on": None, "held_told_on": None, "reminders_sent": 0, "last_reminder_on": None}
AT_ONCE = date.min
# Days between two reminders grow: times 1, 2, 4, 8, and no further.
LONGEST_PAUSE = 8


class Audience(Vocabulary):
	"""Whom a message goes to."""

	STAGE = "stage"  # owner of the stage and the others it notifies
	OWNER = "owner"  # owner of the stage
	ASSIGNEES = "assignees"  # assignees of the task who have not completed it
	ESCALATION = "escalation"  # users with the escalation role of the plan


@dataclass(frozen=True)
class Rules:
	"""The site's settings for messages.

	Attributes:
		send: whether messages are sent at all.
		warning_lead_days: calendar days before a key date to warn, unless the stage has its own lead.
		task_lead_days: calendar days before a task's due date to remind, unless the stage has its own lead.
		escalate_after_days: days after a key date to escalate, unless the plan has its own number; 0 for never.
		warn_owner: whether warnings are sent.
		quiet: the working days, if no messages are sent on days off.
	"""

	send: bool = True
	warning_lead_days: int = 3
	task_lead_days: int = 1
	escalate_after_days: int = 3
	warn_owner: bool = True
	quiet: WorkCalendar | None = None


@dataclass(frozen=True)
class MessagePlan:
	"""One message that follows from the state of a plan.

	Attributes:
		kind, audience: why it is sent and to whom.
		stage: row name of the stage.
		task: name of the task, for a message about a task.
		first_day, last_day: first and last day on which it may be sent, in the recipient's time zone; `last_day` may be
			missing.
		occurrence: number of the reminder; 0 for other messages.
		edition: differs for another date and for a stage that was reopened.
		is_stamped: whether the rows say that all recipients have it.
	"""

	kind: MessageKind
	audience: Audience
	stage: str
	first_day: date
	task: str | None = None
	last_day: date | None = None
	occurrence: int = 0
	edition: str = ""
	is_stamped: bool = False

	def is_due(self, day: date) -> bool:
		"""Return whether it may be sent on this day.

		Args:
			day: the recipient's date of messages.
		"""
		return self.first_day <= day and (self.last_day is None or day <= self.last_day)

	def key(self, recipient: str) -> str:
		"""Return the key that identifies this message to one recipient, given as user or e-mail address.

		Args:
			recipient: user id or e-mail address; upper and lower case are the same.

		Returns:
			str: kind, row, edition and occurrence with the recipient, separated by "|"; may be longer than its column.
		"""
		subject = self.task or self.stage
		return "|".join((self.kind.value, subject, self.edition, str(self.occurrence), recipient.lower()))


def rules_from(settings, quiet: WorkCalendar | None = None) -> Rules:
	"""Return the rules of a Milestone Settings document, with defaults for settings that were never saved.

	Args:
		settings: document or dict.
		quiet: working days of the document; used if the settings want no messages on days off.
	"""
	standard = Rules()
	return Rules(
		send=bool(_number(settings, "messages_enabled", 1)),
		warning_lead_days=_number(settings, "warning_lead_days", standard.warning_lead_days),
		task_lead_days=_number(settings, "task_lead_days", standard.task_lead_days),
		escalate_after_days=_number(settings, "escalate_after_days", standard.escalate_after_days),
		warn_owner=bool(_number(settings, "warn_owner", 1)),
		quiet=quiet if _number(settings, "quiet_on_days_off", 0) else None,
	)


def _number(settings, name: str, default: int) -> int:
	"""Return a setting as a number; the default if it was never saved, 0 if it is empty."""
	value = settings.get(name)
	return default if value is None else int(value or 0)


def next_check(plan, stages: Sequence, open_tasks: Iterable, rules: Rules, today: date) -> date | None:
	"""Return the next day, today or later, on which a plan needs a check: for a message or a change of its health.

	Args:
		plan: row of Milestone Plan.
		stages: its rows of Milestone Plan Stage, in order.
		open_tasks: its rows of Milestone Task; closed tasks are ignored.
		rules: the site's settings for messages.
		today: today's date.

	Returns:
		date: None for a plan that is not active, is on hold, or needs no check.
	"""
	if _says_nothing(plan):
		return None
	tasks = _open(open_tasks)
	if rules.send and _is_unfinished(plan, stages, tasks):
		return today
	unsent = [message for message in scheduled(plan, stages, tasks, rules) if not message.is_stamped]
	days = [
		_rolled(max(message.first_day, today), rules) for message in unsent if not _is_over(message, today)
	]
	days += [day for day in _days_health_may_change(stages, tasks, rules) if day > today]
	if _waits_for_criteria(stages, rules, today):
		days.append(today + timedelta(days=1))
	return min(days, default=None)


def _waits_for_criteria(stages: Sequence, rules: Rules, today: date) -> bool:
	"""Return whether a stage whose date is near or past has unmet exit criteria: what meets them may come by itself."""
	return any(
		_count(stage, "open_criteria")
		and as_day(stage.get("key_date"))
		and as_day(stage.get("key_date")) - timedelta(days=warning_lead(stage, rules)) <= today
		for stage in order.upcoming(stages)
	)


def _says_nothing(plan) -> bool:
	"""Return whether a plan has ended or is on hold: no message is due, and no day changes its health."""
	return plan.get("status") != PlanStatus.ACTIVE or bool(plan.get("on_hold_since"))


def _is_unfinished(plan, stages, tasks) -> bool:
	"""Return whether the sweep has work that no stamp shows: recipients still to be told, a stage blocked again."""
	is_waiting = any(stage.get("recipients_waiting") for stage in stages)
	return is_waiting or bool(blocked_again(stages, tasks, bool(plan.get("earlier_tasks_block"))))


def scheduled(plan, stages: Sequence, tasks: Iterable, rules: Rules) -> list[MessagePlan]:
	"""Return every message that follows from the state of a plan, whatever its date.

	Args:
		plan: row of Milestone Plan.
		stages: its rows of Milestone Plan Stage, in order.
		tasks: its rows of Milestone Task; closed tasks are ignored.
		rules: the site's settings for messages.
	"""
	if not rules.send or _says_nothing(plan):
		return []
	tasks = _open(tasks)
	messages = []
	upcoming, next_ones = order.upcoming(stages), order.next_ones(stages)
	for stage in upcoming:
		is_next = any(row is stage for row in next_ones)
		messages += _messages_of_stage(plan, stages, stage, is_next, tasks, rules)
	waiting = task_order.waiting(tasks, tasks)
	for task in tasks:
		if task.get("name") not in waiting:
			messages += _messages_of_task(stages, upcoming, task, rules)
	return [message for message in messages if not _is_of_the_past(plan, message)]


def _is_of_the_past(plan, message: MessagePlan) -> bool:
	"""Tell whether a message was due before a plan that was brought in without messages began."""
	quiet_before = as_day(plan.get("quiet_before"))
	return (
		bool(quiet_before)
		and message.kind is not MessageKind.NO_NEXT_DATE
		and message.first_day < quiet_before
	)


def blocked_again(stages: Sequence, tasks: Iterable, earlier_tasks_block: bool) -> list:
	"""Return the open stages that were prompted for and are blocked now; they start a new round of messages.

	Args:
		stages: all rows of Milestone Plan Stage of the plan, in order.
		tasks: its rows of Milestone Task; closed tasks are ignored.
		earlier_tasks_block: whether tasks and exit criteria of earlier open stages block a stage, too.
	"""
	tasks = _open(tasks)
	return [
		stage
		for stage in order.upcoming(stages)
		if stage.get("prompted_on")
		and (
			blocking_tasks(stages, stage, tasks, earlier_tasks_block)
			or blocking_criteria(stages, stage, earlier_tasks_block)
		)
	]


def blocking_tasks(stages: Sequence, stage, tasks: Iterable, earlier_tasks_block: bool) -> list:
	"""Return the open required tasks that block a stage; none if its gate only warns or is off.

	Args:
		stages: all stages of the plan.
		stage: one of them.
		tasks: the tasks of the plan.
		earlier_tasks_block: whether tasks of earlier open stages block it too.
	"""
	if not _is_gate(stage):
		return []
	return open_required_tasks(stages, stage, tasks, earlier_tasks_block)


def blocking_criteria(stages: Sequence, stage, earlier_tasks_block: bool) -> int:
	"""Return how many exit criteria block a stage; 0 if its gate only warns or is off.

	Args:
		stages: all stages of the plan, in order; `open_criteria` of a row counts, as the last sweep found it.
		stage: one of them.
		earlier_tasks_block: whether criteria of earlier open stages block it too.
	"""
	return open_criteria(stages, stage, earlier_tasks_block) if _is_gate(stage) else 0


def open_criteria(stages: Sequence, stage, earlier_tasks_block: bool) -> int:
	"""Return how many required exit criteria of a stage are not met, in any gate mode.

	Args:
		stages, stage, earlier_tasks_block: as in `blocking_criteria`.
	"""
	earlier = order.earlier_open(stages, stage) if earlier_tasks_block else []
	return sum(_count(row, "open_criteria") for row in (*earlier, stage))


def _is_gate(stage) -> bool:
	return (stage.get("gate_mode") or GateMode.BLOCK) == GateMode.BLOCK


def open_required_tasks(stages: Sequence, stage, tasks: Iterable, earlier_tasks_block: bool) -> list:
	"""Return the open required tasks of a stage, in any gate mode.

	Args:
		stages, stage, tasks, earlier_tasks_block: as in `blocking_tasks`.
	"""
	names = {stage.get("name")}
	if earlier_tasks_block:
		names |= {row.get("name") for row in order.earlier_open(stages, stage)}
	return [task for task in _open(tasks) if task.get("required") and task.get("plan_stage") in names]


# Messages of a stage


def _messages_of_stage(plan, stages, stage, is_next: bool, tasks, rules: Rules) -> list[MessagePlan]:
	if not as_day(stage.get("key_date")):
		return _no_next_date(stages, stage) if is_next else []
	has_answered = bool(stage.get("awaits_decision"))  # with a date that a manager decides on
	earlier_tasks_block = bool(plan.get("earlier_tasks_block"))
	blocking = blocking_tasks(stages, stage, tasks, earlier_tasks_block)
	unmet = blocking_criteria(stages, stage, earlier_tasks_block)
	messages = [] if has_answered else _check_in(stage, rules)
	messages += _blocked(stage, blocking, tasks) if blocking or unmet else []
	waits_for_others = earlier_tasks_block or plan.get("reached_in_order")
	if waits_for_others and not is_next:
		return messages
	if not blocking and not unmet and not has_answered:
		messages.append(_stage_message(MessageKind.PROMPT, stage, stamp="prompted_on"))
		messages += _reminder(MessageKind.REMINDER, Audience.STAGE, stage, stage.get("prompted_on"))
	messages += _escalation(plan, stage, rules)
	return messages + _warning(stages, stage, tasks, earlier_tasks_block, rules)


def _check_in(stage, rules: Rules) -> list[MessagePlan]:
	first = check_in_from(stage)
	if not first or has_checked_in(stage):
		return []
	days = {
		"first_day": _earlier(first, rules),
		"last_day": as_day(stage.get("key_date")) - timedelta(days=1),
	}
	return [_stage_message(MessageKind.CHECK_IN, stage, "check_in_sent_on", audience=Audience.OWNER, **days)]


def check_in_from(stage) -> date | None:
	"""Return the first day on which the owner of a stage is asked whether its key date holds; None for never.

	Args:
		stage: row with `key_date` and `check_in_days`, the calendar days before it.
	"""
	key_date, days = as_day(stage.get("key_date")), _count(stage, "check_in_days")
	return key_date - timedelta(days=days) if key_date and days else None


def has_checked_in(stage) -> bool:
	"""Return whether the owner of a stage has said that its key date holds, since its check-in was due or sent.

	Args:
		stage: row with `on_track_on` (when they said so), `check_in_sent_on`, `key_date` and `check_in_days`.
	"""
	said, first = as_day(stage.get("on_track_on")), check_in_from(stage)
	sent = as_day(stage.get("check_in_sent_on"))
	return bool(said and first and said >= min(first, sent or first))


def _stage_message(kind: MessageKind, stage, stamp: str, **values) -> MessagePlan:
	values = {"audience": Audience.STAGE, "first_day": as_day(stage.get("key_date"))} | values
	return MessagePlan(
		kind, stage=stage.get("name"), edition=_edition(stage), is_stamped=bool(stage.get(stamp)), **values
	)


def _edition(stage) -> str:
	return f"{stage.get('name')}/{round_of(stage)}"


def round_of(stage) -> int:
	"""Return the number of a stage's round of messages: the current one, or the one that its next message starts.

	A new date or an undone stage clears the stamps; the next message then starts a new round.

	Args:
		stage: row with `asked_round` and `ROUND_STAMPS`.

	Returns:
		int: 1 or more.
	"""
	is_running = any(stage.get(stamp) for stamp in ROUND_STAMPS)
	return max(_count(stage, "asked_round") + (0 if is_running else 1), 1)


def _blocked(stage, blocking, open_tasks) -> list[MessagePlan]:
	waiting = task_order.waiting(blocking, open_tasks)
	tasks = [
		task
		for task in blocking
		if task.get("plan_stage") == stage.get("name") and task.get("name") not in waiting
	]
	messages = [
		_stage_message(
			MessageKind.BLOCKED, stage, "held_told_on", audience=Audience.ASSIGNEES, task=task.get("name")
		)
		for task in tasks
	]
	messages.append(_stage_message(MessageKind.BLOCKED_OWNER, stage, "held_told_on", audience=Audience.OWNER))
	told_on = stage.get("held_told_on")
	for task in tasks:
		messages += _reminder(MessageKind.BLOCKED, Audience.ASSIGNEES, stage, told_on, task.get("name"))
	if _count(stage, "open_criteria"):
		messages += _reminder(MessageKind.BLOCKED_OWNER, Audience.OWNER, stage, told_on)
	return messages


def _reminder(kind: MessageKind, audience: Audience, stage, told_on, task=None) -> list[MessagePlan]:
	"""Return the next reminder; none if the stage wants no further one."""
	reminders_sent = _count(stage, "reminders_sent")
	if not told_on or not _wants_reminder(stage, reminders_sent):
		return []
	if reminders_sent and stage.get("last_reminder_on"):
		day = as_day(stage.get("last_reminder_on")) + timedelta(days=_pause(stage, reminders_sent))
	else:
		first = max(as_day(told_on), as_day(stage.get("key_date")))
		day = first + timedelta(days=_count(stage, "remind_after_days"))
	reminder = _stage_message(
		kind, stage, "", audience=audience, task=task, first_day=day, occurrence=reminders_sent + 1
	)
	return [reminder]


def _pause(stage, reminders_sent: int) -> int:
	"""Return the days from the last reminder to the next: what nobody answers is asked ever more rarely."""
	return _count(stage, "remind_every_days") * min(2 ** (reminders_sent - 1), LONGEST_PAUSE)


def _wants_reminder(stage, reminders_sent: int) -> bool:
	"""Return whether a stage wants one more reminder; without a maximum, repeated ones have no end."""
	every = _count(stage, "remind_every_days")
	at_most = _count(stage, "remind_at_most") or (reminders_sent + 1 if every else 1)
	return (
		bool(_count(stage, "remind_after_days"))
		and reminders_sent < at_most
		and bool(every or not reminders_sent)
	)


def _count(row, name: str) -> int:
	return int(row.get(name) or 0)


def _escalation(plan, stage, rules: Rules) -> list[MessagePlan]:
	days = _count(plan, "escalate_after_days") or rules.escalate_after_days
	if not days or not plan.get("escalation_role") or _was_escalated_before(stage):
		return []
	day = as_day(stage.get("key_date")) + timedelta(days=days)
	return [
		_stage_message(
			MessageKind.ESCALATION, stage, "escalated_on", audience=Audience.ESCALATION, first_day=day
		)
	]


def _was_escalated_before(stage) -> bool:
	"""Return whether a stage was escalated in an earlier round, before it was blocked again."""
	escalated = as_day(stage.get("escalated_on"))
	if not escalated:
		return False
	stamps = [as_day(stage.get(stamp)) for stamp in ("prompted_on", "held_told_on") if stage.get(stamp)]
	started = min(stamps, default=date.max)
	# On the same day it may be the escalation of this round, which some recipients have not got yet.
	return escalated < started or (escalated == started and not stage.get("recipients_waiting"))


def _warning(stages, stage, tasks, earlier_tasks_block: bool, rules: Rules) -> list[MessagePlan]:
	lead = warning_lead(stage, rules)
	is_open = open_required_tasks(stages, stage, tasks, earlier_tasks_block) or open_criteria(
		stages, stage, earlier_tasks_block
	)
	if not rules.warn_owner or not lead or not is_open:
		return []
	key_date = as_day(stage.get("key_date"))
	first = _earlier(key_date - timedelta(days=lead), rules)
	last = key_date - timedelta(days=1)
	return [_stage_message(MessageKind.WARNING, stage, "warned_on", first_day=first, last_day=last)]


def warning_lead(stage, rules: Rules) -> int:
	"""Return how many calendar days before its key date a stage is warned of.

	Args:
		stage: row with `warning_lead_days`; 0 or nothing for the site's number.
		rules: the site's settings for messages.

	Returns:
		int: 0 for a stage that is not warned of.
	"""
	return _count(stage, "warning_lead_days") or rules.warning_lead_days


def _no_next_date(stages, stage) -> list[MessagePlan]:
	"""Ask the owner of a next stage for a date, once a stage before it is reached."""
	if not order.reached_before(stages, stage):
		return []
	return [_stage_message(MessageKind.NO_NEXT_DATE, stage, "date_asked_on", first_day=AT_ONCE)]


# Messages of a task


def _messages_of_task(stages, upcoming, task, rules: Rules) -> list[MessagePlan]:
	due = as_day(task.get("due_date"))
	stage = next((row for row in stages if row.get("name") == task.get("plan_stage")), None)
	if not due or not stage:
		return []
	covered_from = _covered_by_blocked_from(upcoming, stage, task)
	last_before = covered_from - timedelta(days=1) if covered_from else None
	remind_from = _earlier(due - timedelta(days=task_lead(stage, rules)), rules)
	overdue_from = due + timedelta(days=1)
	reminded, told_overdue = as_day(task.get("due_reminder_on")), as_day(task.get("overdue_reminder_on"))
	common = {"audience": Audience.ASSIGNEES, "stage": stage.get("name"), "task": task.get("name")}
	common["edition"] = due.isoformat()
	return [
		MessagePlan(
			MessageKind.TASK_DUE,
			first_day=remind_from,
			last_day=min(due, last_before) if last_before else due,
			is_stamped=bool(reminded and reminded >= remind_from),
			**common,
		),
		MessagePlan(
			MessageKind.TASK_OVERDUE,
			first_day=overdue_from,
			last_day=last_before,
			is_stamped=bool(told_overdue and told_overdue >= overdue_from),
			**common,
		),
	]


def _covered_by_blocked_from(upcoming, stage, task) -> date | None:
	"""Return the first day on which the Blocked message covers a task; None if it never does."""
	is_asked_for = any(row is stage for row in upcoming)
	is_blocking = is_asked_for and bool(blocking_tasks([stage], stage, [task], False))
	return as_day(stage.get("key_date")) if is_blocking else None


def task_lead(stage, rules: Rules) -> int:
	"""Return how many calendar days before their due date the assignees of a stage's tasks are reminded.

	Args:
		stage: row with `task_lead_days`; 0 or nothing for the site's number.
		rules: the site's settings for messages.
	"""
	return _count(stage, "task_lead_days") or rules.task_lead_days


# Days


def _days_health_may_change(stages, tasks, rules: Rules) -> list[date]:
	"""Return the days on which the health of a stage may change by itself, see `health.stage_health`."""
	days = []
	for stage in order.upcoming(stages):
		key_date = as_day(stage.get("key_date"))
		if key_date:
			warned = key_date - timedelta(days=warning_lead(stage, rules))
			days += [warned, key_date, key_date + timedelta(days=1)]
	due = [as_day(task.get("due_date")) for task in tasks]
	return days + [day + timedelta(days=1) for day in due if day]


def _is_over(message: MessagePlan, today: date) -> bool:
	return message.last_day is not None and message.last_day < max(today, message.first_day)


def _earlier(day: date, rules: Rules) -> date:
	return rules.quiet.previous_working_day(day) if rules.quiet else day


def _rolled(day: date, rules: Rules) -> date:
	return rules.quiet.next_working_day(day) if rules.quiet else day


def as_day(value) -> date | None:
	"""Return a date, a datetime or the text of either as a date; None for an empty value.

	Args:
		value: of texts the first ten characters count, YYYY-MM-DD.

	Raises:
		ValueError: a text does not begin with a date.
	"""
	if not value:
		return None
	return date.fromisoformat(str(value)[:10])


def _open(tasks: Iterable) -> list:
	return [task for task in tasks if task.get("status") == TaskStatus.OPEN]
