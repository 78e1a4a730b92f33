"""When a plan's messages are due: pure rules over rows of a plan, no site needed.

`scheduled` lists every message the plan's present state leads to, each with the days on which it may go out. What is
due today and the day on which to look again both follow from that one list, so they cannot disagree.

The rules:

- *Prompt*: from a stage's key date on, once its required tasks are done. In strict order only the first open stage
  is asked for, else every stage whose day has come.
- *Held*: from the key date on while required tasks hold the stage: to each assignee, for each task, once; its owner
  is told who. No prompt goes out then. A stage held again after its prompt starts a new round of messages.
- *Reminders*: so many days after the prompt (to its recipients) or, while the stage is held, after the assignees were
  told (to them), then every so many days, at most so many times. They count from the day the last one really went
  out: after three days without scheduler one goes out, not three.
- *Escalation*: so many days after the key date, once, whatever keeps the stage open; a stage held again later is not
  escalated a second time.
- *Warning*: the warning lead before the key date, while required tasks are open, once.
- *Task Due*: the task lead before a task's due date, until that date. *Task Overdue*: from the day after, once. Where
  a task holds a stage whose key date has come, the Held message says it all and these two are left out.
- *No Next Date*: at once, when a stage is reached and the first open one after it has no key date.

Only gate mode Block holds a prompt back: with Warn and Off a stage can be reached over open tasks.
On days off (where the site wants them quiet) nothing goes out; it goes on the next working day. What announces a date
(Task Due, Warning) goes on the working day before instead, so that it never comes too late.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from milestone_automation.engine.rules.vocabulary import (
	GateMode,
	MessageKind,
	PlanStatus,
	StageStatus,
	TaskStatus,
	Vocabulary,
)
from milestone_automation.engine.rules.working_days import WorkCalendar

# A moved or reopened stage is prompted and reminded anew.
FRESH_STAMPS = {
	"prompted_on": None,
	"reminders_sent": 0,
	"last_reminder_on": None,
	"held_told_on": None,
	"escalated_on": None,
	"warned_on": None,
	"date_asked_on": None,
}
# A task with another due date is reminded anew.
FRESH_TASK_STAMPS = {"due_reminder_on": None, "overdue_reminder_on": None}

ROUND_STAMPS = ("prompted_on", "held_told_on", "escalated_on", "warned_on", "date_asked_on")
# What a stage forgets that was prompted for and is held again.
NEW_ROUND = {"prompted_on": None, "held_told_on": None, "reminders_sent": 0, "last_reminder_on": None}
AT_ONCE = date.min


class Audience(Vocabulary):
	"""Whom a message goes to."""

	STAGE = "stage"  # the stage's owner and whom else it notifies
	ASSIGNEES = "assignees"  # those of the task who are not done
	ESCALATION = "escalation"  # the users of the plan's escalation role


@dataclass(frozen=True)
class Rules:
	"""What the site says about messages.

	Attributes:
		send: whether any go out at all.
		warning_lead_days: calendar days before a key date to warn, where the stage does not say.
		task_lead_days: calendar days before a task's due date to remind.
		escalate_after_days: days after a key date to escalate, where the plan does not say; 0 for never.
		warn_owner: whether warnings go out.
		quiet: the working days, where days off are to be quiet.
	"""

	send: bool = True
	warning_lead_days: int = 3
	task_lead_days: int = 1
	escalate_after_days: int = 3
	warn_owner: bool = True
	quiet: WorkCalendar | None = None


@dataclass(frozen=True)
class MessagePlan:
	"""One message the state of a plan leads to.

	Attributes:
		kind, audience: what it is and whom it goes to.
		stage: row name of the stage.
		task: name of the task it is about, if about one.
		first_day, last_day: the days on which it may go out, in the recipient's time; no end without `last_day`.
		occurrence: 0, or which reminder this is.
		edition: tells this message from the same one for another date or after the stage was opened again.
		is_stamped: the rows say that it went out to everybody.
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
		"""Return whether it may go out on this day."""
		return self.first_day <= day and (self.last_day is None or day <= self.last_day)

	def key(self, recipient: str) -> str:
		"""Return what this message to this recipient (user or address) is known by: the same for ever."""
		about = self.task or self.stage
		return "|".join((self.kind.value, about, self.edition, str(self.occurrence), recipient.lower()))


def rules_from(settings, quiet: WorkCalendar | None = None) -> Rules:
	"""Return the rules a Milestone Settings document describes; what it leaves open is as in a new site.

	Args:
		settings: anything with `get`; a `Rules` is returned as it is.
		quiet: working days of the document, looked at only where the settings want days off quiet.
	"""
	if isinstance(settings, Rules):
		return settings
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
	"""Return a setting, the default where it was never saved; an empty number is 0."""
	value = settings.get(name)
	return default if value is None else int(value or 0)


def due_messages(plan, stages: Sequence, tasks: Iterable, settings, day: date) -> list[MessagePlan]:
	"""Return what should have gone out by this day, in the order of stages; who has got it is not looked at.

	Args:
		plan, stages, tasks: rows of Milestone Plan, Milestone Plan Stage (in order) and Milestone Task.
		settings: `Rules`, or Milestone Settings.
		day: the day to judge by.
	"""
	return [found for found in scheduled(plan, stages, tasks, rules_from(settings)) if found.is_due(day)]


def next_check(plan, stages: Sequence, open_tasks: Iterable, settings, today: date) -> date | None:
	"""Return the first day from today on with something to do for a plan: a message, or a turn of its health.

	Args:
		plan, stages: as above.
		open_tasks: its tasks; those not open are passed over.
		settings: as above.
		today: never is an earlier day returned.

	Returns: None for a plan that is not active, and for one nothing will ever happen to by itself.
	"""
	if plan.get("status") != PlanStatus.ACTIVE:
		return None
	rules, tasks = rules_from(settings), _open(open_tasks)
	if rules.send and _has_unfinished(plan, stages, tasks):
		return today
	waiting = [found for found in scheduled(plan, stages, tasks, rules) if not found.is_stamped]
	days = [_rolled(max(found.first_day, today), rules) for found in waiting if not _is_over(found, today)]
	days += [day for day in _turns_of_health(stages, tasks, rules) if day > today]
	return min(days, default=None)


def _has_unfinished(plan, stages, tasks) -> bool:
	"""Return whether something is left that no stamp tells of: recipients to come, a stage held again."""
	waiting = any(stage.get("recipients_waiting") for stage in stages)
	return waiting or bool(held_again(stages, tasks, bool(plan.get("strict_order"))))


def scheduled(plan, stages: Sequence, tasks: Iterable, rules: Rules) -> list[MessagePlan]:
	"""Return every message the present state of a plan leads to, whenever that is."""
	if not rules.send or plan.get("status") != PlanStatus.ACTIVE:
		return []
	tasks = _open(tasks)
	found = []
	for stage in stages:
		if _is_open(stage):
			found += _of_stage(plan, stages, stage, tasks, rules)
	found += [message for task in tasks for message in _of_task(stages, task, rules)]
	return found


def held_again(stages: Sequence, tasks: Iterable, strict_order: bool) -> list:
	"""Return the stages that were prompted for and are held now: their round of messages starts anew."""
	tasks = _open(tasks)
	return [
		stage
		for stage in stages
		if _is_open(stage) and stage.get("prompted_on") and holding(stages, stage, tasks, strict_order)
	]


def holding(stages: Sequence, stage, tasks: Iterable, strict_order: bool) -> list:
	"""Return the open required tasks that hold a stage back; in strict order those of earlier open stages too.

	Empty for a stage whose gate only warns or is off.
	"""
	if (stage.get("gate_mode") or GateMode.BLOCK) != GateMode.BLOCK:
		return []
	return required_open(stages, stage, tasks, strict_order)


def required_open(stages: Sequence, stage, tasks: Iterable, strict_order: bool) -> list:
	"""Return the open required tasks of a stage, whatever its gate does."""
	names = {stage.get("name")}
	if strict_order:
		names |= {row.get("name") for row in stages if row.get("idx") < stage.get("idx") and _is_open(row)}
	return [task for task in _open(tasks) if task.get("required") and task.get("plan_stage") in names]


# Messages of a stage


def _of_stage(plan, stages, stage, tasks, rules: Rules) -> list[MessagePlan]:
	if not as_day(stage.get("key_date")):
		return _no_next_date(stages, stage)
	strict = bool(plan.get("strict_order"))
	held_by = holding(stages, stage, tasks, strict)
	found = _held(stage, held_by) if held_by else []
	if strict and stage is not next(row for row in stages if _is_open(row)):
		return found
	if not held_by:
		found = [_stage_message(MessageKind.PROMPT, stage, stamp="prompted_on")]
		found += _reminder(MessageKind.REMINDER, Audience.STAGE, stage, stage.get("prompted_on"))
	found += _escalation(plan, stage, rules)
	found += _warning(stages, stage, tasks, strict, rules)
	return found


def _stage_message(kind: MessageKind, stage, stamp: str, **values) -> MessagePlan:
	values = {"audience": Audience.STAGE, "first_day": as_day(stage.get("key_date"))} | values
	return MessagePlan(
		kind, stage=stage.get("name"), edition=_edition(stage), is_stamped=bool(stage.get(stamp)), **values
	)


def _edition(stage) -> str:
	return f"{stage.get('name')}/{round_of(stage)}"


def round_of(stage) -> int:
	"""Return the number of the stage's running round of messages, or that of the one its next message starts.

	A new date and an undone stage clear the stamps; the next message then starts a new round.
	"""
	is_running = any(stage.get(stamp) for stamp in ROUND_STAMPS)
	return max(int(stage.get("asked_round") or 0) + (0 if is_running else 1), 1)


def _held(stage, held_by) -> list[MessagePlan]:
	own = [task for task in held_by if task.get("plan_stage") == stage.get("name")]
	found = [
		_stage_message(
			MessageKind.BLOCKED, stage, "held_told_on", audience=Audience.ASSIGNEES, task=task.get("name")
		)
		for task in own
	]
	found.append(_stage_message(MessageKind.BLOCKED_OWNER, stage, "held_told_on"))
	for task in own:
		found += _reminder(
			MessageKind.BLOCKED, Audience.ASSIGNEES, stage, stage.get("held_told_on"), task.get("name")
		)
	return found


def _reminder(kind: MessageKind, audience: Audience, stage, told_on, task=None) -> list[MessagePlan]:
	"""Return the next reminder, if the stage wants one more."""
	sent = int(stage.get("reminders_sent") or 0)
	after, every = int(stage.get("remind_after_days") or 0), int(stage.get("remind_every_days") or 0)
	at_most = int(stage.get("remind_at_most") or 0) or (sent + 1 if every else 1)
	if not told_on or not after or sent >= at_most or (sent and not every):
		return []
	if sent and stage.get("last_reminder_on"):
		day = as_day(stage.get("last_reminder_on")) + timedelta(days=every)
	else:
		day = max(as_day(told_on), as_day(stage.get("key_date"))) + timedelta(days=after)
	reminder = _stage_message(
		kind, stage, "", audience=audience, task=task, first_day=day, occurrence=sent + 1
	)
	return [reminder]


def _escalation(plan, stage, rules: Rules) -> list[MessagePlan]:
	days = int(plan.get("escalate_after_days") or 0) or rules.escalate_after_days
	if not days or not plan.get("escalation_role") or _was_escalated_before(stage):
		return []
	day = as_day(stage.get("key_date")) + timedelta(days=days)
	return [
		_stage_message(
			MessageKind.ESCALATION, stage, "escalated_on", audience=Audience.ESCALATION, first_day=day
		)
	]


def _was_escalated_before(stage) -> bool:
	"""Return whether a stage was escalated in an earlier round, before it was held again."""
	escalated = as_day(stage.get("escalated_on"))
	if not escalated:
		return False
	told = [as_day(stage.get(stamp)) for stamp in ("prompted_on", "held_told_on") if stage.get(stamp)]
	begun = min(told, default=date.max)
	# On one and the same day it may be the running round's own, which some recipients have yet to get.
	return escalated < begun or (escalated == begun and not stage.get("recipients_waiting"))


def _warning(stages, stage, tasks, strict: bool, rules: Rules) -> list[MessagePlan]:
	lead = warning_lead(stage, rules)
	if not rules.warn_owner or not lead or not required_open(stages, stage, tasks, strict):
		return []
	key_date = as_day(stage.get("key_date"))
	first = _earlier(key_date - timedelta(days=lead), rules)
	last = key_date - timedelta(days=1)
	return [_stage_message(MessageKind.WARNING, stage, "warned_on", first_day=first, last_day=last)]


def warning_lead(stage, rules: Rules) -> int:
	"""Return how many days before its key date a stage is warned of."""
	return int(stage.get("warning_lead_days") or 0) or rules.warning_lead_days


def _no_next_date(stages, stage) -> list[MessagePlan]:
	"""Its owner is asked for a date once an earlier stage is reached and no open one is left before it."""
	earlier = [row for row in stages if row.get("idx") < stage.get("idx")]
	if not earlier or any(_is_open(row) for row in earlier):
		return []
	return [_stage_message(MessageKind.NO_NEXT_DATE, stage, "date_asked_on", first_day=AT_ONCE)]


# Messages of a task


def _of_task(stages, task, rules: Rules) -> list[MessagePlan]:
	due = as_day(task.get("due_date"))
	stage = next((row for row in stages if row.get("name") == task.get("plan_stage")), None)
	if not due or not stage:
		return []
	covered_from = _day_held_says_it(stage, task)
	remind_from = _earlier(due - timedelta(days=task_lead(stage, rules)), rules)
	overdue_from = due + timedelta(days=1)
	told, told_overdue = as_day(task.get("due_reminder_on")), as_day(task.get("overdue_reminder_on"))
	common = {"audience": Audience.ASSIGNEES, "stage": stage.get("name"), "task": task.get("name")}
	common["edition"] = due.isoformat()
	until_due = min(due, covered_from - timedelta(days=1)) if covered_from else due
	until_held = covered_from - timedelta(days=1) if covered_from else None
	return [
		MessagePlan(
			MessageKind.TASK_DUE,
			first_day=remind_from,
			last_day=until_due,
			is_stamped=bool(told and told >= remind_from),
			**common,
		),
		MessagePlan(
			MessageKind.TASK_OVERDUE,
			first_day=overdue_from,
			last_day=until_held,
			is_stamped=bool(told_overdue and told_overdue >= overdue_from),
			**common,
		),
	]


def _day_held_says_it(stage, task) -> date | None:
	"""Return the day from which on the Held message covers this task; None if it never does."""
	is_held = _is_open(stage) and bool(holding([stage], stage, [task], False))
	return as_day(stage.get("key_date")) if is_held else None


def task_lead(stage, rules: Rules) -> int:
	"""Return how many days before its due date a task of this stage is reminded of."""
	return int(stage.get("task_lead_days") or 0) or rules.task_lead_days


# Days


def _turns_of_health(stages, tasks, rules: Rules) -> list[date]:
	"""Return the days on which the health of a stage may turn by itself: see `health.stage_health`."""
	days = []
	for stage in stages:
		key_date = as_day(stage.get("key_date"))
		if key_date and _is_open(stage):
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
	"""Return a date, a datetime or the text of either as a date; None for nothing."""
	if not value:
		return None
	return date.fromisoformat(str(value)[:10])


def _open(tasks: Iterable) -> list:
	return [task for task in tasks if task.get("status") == TaskStatus.OPEN]


def _is_open(stage) -> bool:
	return stage.get("status") != StageStatus.REACHED
