"""Reaching a stage, undoing it, moving its key date."""

from datetime import date, timedelta

import frappe
from frappe import _
from frappe.utils import cint, getdate, now_datetime, nowdate

from milestone_automation.engine import (
	assignments,
	bulk,
	calendars,
	dates,
	gate,
	plan_builder,
	plan_log,
	plans,
	recipients,
	recording,
	sweep,
)
from milestone_automation.engine.vocabulary import (
	DateChangeSource,
	KeyDateRule,
	ReachRule,
	ShiftMode,
	StageStatus,
	TaskStatus,
)

# Milestones of confirmed stages name this instead of a field of the document.
CONFIRMED_FIELD = "milestone_stage"
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
# Days people give; beyond them a plan's dates could not be counted.
FIRST_YEAR, LAST_YEAR = 1900, 2999
# A task with another due date is reminded anew.
FRESH_TASK_STAMPS = {"due_reminder_on": None, "overdue_reminder_on": None}


# Reaching


def confirm(plan: str, stage: str, reached_on=None) -> None:
	"""Confirm that a stage is reached, in the name of the session user.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage.
		reached_on: the day it was; today by default. Not a day to come, see `latest_today`.

	Raises:
		GateError: required tasks are open.
		frappe.ValidationError: it is reached already, the day is to come, a field's value must reach it.
	"""
	plan = plans.load_by_name(plan, lock=True)
	plan.check_is_active()
	row = plan.stage(stage)
	day = _check_can_confirm(plan, row, reached_on)
	gate.check_stage(plan, row)
	milestone = recording.insert_milestone(
		reference_type=plan.reference_type,
		reference_name=plan.reference_name,
		track_field=CONFIRMED_FIELD,
		value=row.stage_name[:140],
		reached_on=now_datetime(),
		source="Confirmation",
	)
	mark_reached(plan, row, day, milestone=milestone)
	plan_log.write(plan, "Stage Reached", stage=row)
	plans.summarize(plan)
	plan.write()
	plans.refresh(plan)
	sweep.request(plan.name)


def check_is_open(row) -> None:
	"""Raise a ValidationError if a stage is reached."""
	if row.status == StageStatus.REACHED:
		frappe.throw(
			_("{0} was reached on {1} already. Undo it first to give it another date.").format(
				row.stage_name, frappe.format(row.reached_on, "Date")
			)
		)


def _check_can_confirm(plan, row, reached_on):
	check_is_open(row)
	if waits_for_value(plan, row):
		label = plan.reference_doc().meta.get_label(row.track_field)
		frappe.throw(
			_("{0} is reached when {1} becomes {2}. Change the document instead of confirming.").format(
				row.stage_name, _(label), row.track_value
			)
		)
	day = given_day(reached_on) if reached_on else getdate(nowdate())
	try:
		dates.validate_reached_on(day, latest_today())
	except dates.ReachedInFuture:
		frappe.throw(
			_("{0} cannot be reached on {1}: that day is to come. Give today or a day before.").format(
				row.stage_name, frappe.format(reached_on, "Date")
			)
		)
	return day


def waits_for_value(plan: plans.Plan, stage) -> bool:
	"""Tell whether only a new value of the document reaches a stage, so that nobody can confirm it.

	Not so where the document has the value already, or went past it: giving it an earlier value would take it back.
	"""
	if stage.reach_rule != ReachRule.FIELD_VALUE:
		return False
	doc = plan.reference_doc()
	later = (row for row in plan.stages if row.idx > stage.idx and row.track_field == stage.track_field)
	went_past = any(
		row.reach_rule == ReachRule.FIELD_VALUE
		and (row.status == StageStatus.REACHED or plan_builder.holds_value(row, doc))
		for row in later
	)
	return not went_past and not plan_builder.holds_value(stage, doc)


def own_today(user: str | None = None) -> date:
	"""Return the day it is where a user is (the session user by default)."""
	user = user or frappe.session.user
	# Frappe's own two accounts have a time zone that nobody chose.
	has_own = user not in ("Administrator", "Guest")
	zone = frappe.db.get_value("User", user, "time_zone") if has_own else None
	return recipients.message_day(now_datetime(), zone, timedelta())


def latest_today() -> date:
	"""Return the last day that is not to come: today on the site, or for a user who is ahead of it."""
	return max(getdate(nowdate()), own_today())


def given_day(day) -> date:
	"""Return a day as somebody gave it.

	Raises:
		frappe.ValidationError: it is no date, or too far away to count from.
	"""
	try:
		found = getdate(day)
	except (ValueError, OverflowError):
		found = None
	if not found or not FIRST_YEAR <= found.year <= LAST_YEAR:
		frappe.throw(
			_("This date cannot be used. Give one between the years {0} and {1}.").format(
				FIRST_YEAR, LAST_YEAR
			)
		)
	return found


def mark_reached(plan: plans.Plan, stage, reached_on, milestone=None, value_before=None) -> None:
	"""Mark a stage reached on a loaded plan; the caller writes it. Stages that count from it get their date."""
	plan.set_stage(
		stage,
		status=StageStatus.REACHED.value,
		health="Done",
		reached_on=reached_on,
		reached_by_user=frappe.session.user,
		reached_at=now_datetime(),
		milestone=milestone,
		value_before=value_before,
	)
	_date_next(plan, stage, reached_on)
	run_next_actions(plan, stage)


def _date_next(plan, stage, reached_on) -> None:
	"""The stage after, if it counts from this one and has no date yet, counts from the day this one was reached."""
	following = next((row for row in plan.stages if row.idx > stage.idx), None)
	if not following or following.key_date or following.status == StageStatus.REACHED:
		return
	if following.key_date_rule != KeyDateRule.AFTER_PREVIOUS_STAGE:
		return
	calendar = plans.calendar_of(plan)
	day = calendar.add_days(reached_on, cint(following.offset_days), bool(following.working_days))
	earlier = [getdate(row.key_date) for row in plan.stages if row.idx < following.idx and row.key_date]
	move(
		plan,
		following,
		max([day, *earlier]),
		"",
		DateChangeSource.PREVIOUS_STAGE,
		answer=ShiftMode.KEEP_ORDER,
	)


def run_next_actions(plan, stage) -> None:
	"""Queue what reaching this stage starts, if anything."""
	if stage.next_actions:
		from milestone_automation.engine import next_steps

		next_steps.run(plan, stage)


# Undoing


def undo(plan: str, stage: str, reason: str) -> None:
	"""Open a reached stage again; that it had been reached stays on record.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage.
		reason: why; required.
	"""
	reason = check_reason(reason)
	plan = plans.load_by_name(plan, lock=True)
	plan.check_is_active()
	row = plan.stage(stage)
	if row.status != StageStatus.REACHED:
		frappe.throw(_("{0} is not reached, so there is nothing to undo.").format(row.stage_name))
	mark_open(plan, row, reason)
	plans.summarize(plan)
	plan.write()
	plans.refresh(plan)
	sweep.request(plan.name)


def mark_open(plan: plans.Plan, stage, reason: str) -> None:
	"""Open a reached stage on a loaded plan, mark its milestone undone and log it; the caller writes the plan.

	Reached stages do not move, so its key date catches up with what the document and earlier stages did meanwhile.
	"""
	was_reached_on = stage.reached_on
	if stage.milestone:
		frappe.db.set_value("Milestone", stage.milestone, "undone", 1, update_modified=False)
	plan.set_stage(
		stage,
		status=StageStatus.OPEN.value,
		health="On Track",
		reached_on=None,
		reached_by_user=None,
		reached_at=None,
		milestone=None,
		value_before=None,
		**FRESH_STAMPS,
	)
	plan_log.write(
		plan,
		"Stage Undone",
		stage=stage,
		reason=reason,
		details=_("It had been reached on {0}.").format(frappe.format(was_reached_on, "Date")),
	)
	_catch_up_date(plan, stage, reason)


def _catch_up_date(plan, stage, reason) -> None:
	key_date = stage.key_date and getdate(stage.key_date)
	new_date, source = key_date, DateChangeSource.PREVIOUS_STAGE
	if stage.document_date_moved:
		new_date, source = document_date(plan, stage), DateChangeSource.DOCUMENT_FIELD
		plan.set_stage(stage, document_date_moved=0)
	earlier = [getdate(row.key_date) for row in plan.stages if row.idx < stage.idx and row.key_date]
	if new_date and earlier:
		new_date = max(new_date, *earlier)
	if new_date != key_date:
		move(plan, stage, new_date, reason, source, answer=ShiftMode.KEEP_ORDER)


def document_date(plan, stage):
	"""Return the key date a stage's rule gives with the document as it is; None without a date."""
	rule = plan_builder.stage_rule(stage, plan.reference_doc())
	return dates.plan_dates([rule], getdate(plan.created_from), plans.calendar_of(plan))[0]


def check_reason(reason: str | None) -> str:
	"""Return a reason, stripped; refuse an empty one."""
	if not reason or not str(reason).strip():
		frappe.throw(_("Give a reason: it is kept on record."), frappe.MandatoryError)
	return str(reason).strip()


# Dates


def reschedule(
	plan: str, stage: str, new_date, reason: str, source="Form", answer: str | None = None
) -> None:
	"""Move a stage's key date, its open tasks by their rule, and later stages as the plan says.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage.
		new_date: the new key date; None takes the date away.
		reason: why; required.
		source: a DateChangeSource.
		answer: "Shift Too" or "Keep Order", for a plan that asks.

	Raises:
		frappe.ValidationError: the stage is reached, the date lies before an earlier stage, an answer is missing.
	"""
	reason = check_reason(reason)
	plan = plans.load_by_name(plan, lock=True)
	plan.check_is_active()
	row = plan.stage(stage)
	move(
		plan,
		row,
		given_day(new_date) if new_date else None,
		reason,
		DateChangeSource(source),
		answer,
		by_hand=True,
	)
	plans.refresh(plan)
	sweep.request(plan.name)


def move(plan, stage, new_date, reason, source: DateChangeSource, answer=None, by_hand=False) -> None:
	"""Move a key date on a loaded plan and write all that follows from it."""
	mode = ShiftMode(answer or plan.later_stages or ShiftMode.SHIFT_TOO)
	if mode is ShiftMode.ASK and source is DateChangeSource.DOCUMENT_FIELD:
		mode = ShiftMode.KEEP_ORDER
	names = [row.stage_name for row in plan.stages]
	days = [getdate(row.key_date) if row.key_date else None for row in plan.stages]
	index = plan.stages.index(stage)
	try:
		result = dates.move_stage(
			days,
			plan.is_reached(),
			index,
			new_date,
			mode,
			plans.calendar_of(plan),
			bool(stage.working_days),
			names,
		)
	except dates.StageAlreadyReached as error:
		frappe.throw(_("{0} is reached; its key date stays. Undo it first.").format(error.stage))
	except dates.DatesOutOfOrder as error:
		frappe.throw(
			_("{0} cannot be on {1}: {2} before it is on {3}. Choose that day or a later one.").format(
				error.stage,
				frappe.format(error.stage_date, "Date"),
				error.previous_stage,
				frappe.format(error.previous_date, "Date"),
			),
			title=_("Milestone Dates Stay in Order"),
		)
	except dates.ShiftAnswerNeeded:
		frappe.throw(
			_("Say what later milestones shall do: Shift Too, or Keep Order."), title=_("Later Milestones")
		)
	except calendars.OutOfCalendar:
		frappe.throw(_("{0} cannot be moved that far. Choose an earlier day.").format(stage.stage_name))
	if by_hand:
		plan.set_stage(stage, date_by_hand=1)
	moved = result.dates
	if bool(days[index]) != bool(new_date):
		moved = _let_next_follow(plan, index, moved)
	pairs = zip(plan.stages, days, moved, strict=True)
	change_dates(plan, {row.name: new for row, old, new in pairs if old != new}, reason, source)


def _let_next_follow(plan, index: int, moved: list) -> list:
	"""Give a date to those that count from the stage that got one, or take theirs with its own."""
	calendar = plans.calendar_of(plan)
	for i in range(index + 1, len(plan.stages)):
		row, before = plan.stages[i], moved[i - 1]
		counts = row.key_date_rule == KeyDateRule.AFTER_PREVIOUS_STAGE and not row.date_by_hand
		if not counts or row.status == StageStatus.REACHED or bool(moved[i]) == bool(before):
			break
		day = before and calendar.add_days(before, cint(row.offset_days), bool(row.working_days))
		if day:
			day = max([day, *filter(None, moved[:i])])
		moved = dates.move_stage(moved, plan.is_reached(), i, day, ShiftMode.KEEP_ORDER, calendar).dates
	return moved


def change_dates(plan: plans.Plan, new_dates: dict, reason: str, source: DateChangeSource) -> None:
	"""Set key dates on a loaded plan, move the open tasks by their rule, and keep every move on record.

	Args:
		plan: locked.
		new_dates: new key date by row name of the stage.
		reason: what is kept with each move.
		source: who or what moved it.
	"""
	rows = []
	moved = []
	for stage in plan.stages:
		if stage.name not in new_dates:
			continue
		old, new = stage.key_date and getdate(stage.key_date), new_dates[stage.name]
		if old == new:
			continue
		plan.set_stage(stage, key_date=new, **FRESH_STAMPS)
		moved.append((stage, old, new))
		rows.append(_date_change(plan, stage, old, new, reason, source))
	bulk.insert_rows("Milestone Date Change", rows)
	_move_tasks(plan, moved)
	plans.summarize(plan)
	plan.write()


def _date_change(plan, stage, old, new, reason, source) -> dict:
	return {
		"plan": plan.name,
		"plan_stage": stage.name,
		"stage_name": stage.stage_name,
		"reference_type": plan.reference_type,
		"reference_name": plan.reference_name,
		"old_date": old,
		"new_date": new,
		"reason": reason,
		"source": str(source),
		"changed_by": frappe.session.user,
		"changed_on": now_datetime(),
	}


def _move_tasks(plan, moved: list[tuple]) -> None:
	if not moved:
		return
	tasks = [task for task in plans.task_rows(plan.name, lock=True) if task.status == TaskStatus.OPEN]
	calendar = plans.calendar_of(plan)
	changes = {}
	for stage, old, new in moved:
		planned = [planned_task(task) for task in tasks if task.plan_stage == stage.name]
		for move_ in dates.move_tasks(planned, old, new, calendar):
			changes[move_.key] = {"due_date": move_.new, **FRESH_TASK_STAMPS}
	bulk.update_rows("Milestone Task", changes)
	assignments.follow(changes)


def planned_task(task) -> dates.PlannedTask:
	"""Return a task, given as document or row, as the rules about dates know it."""
	return dates.PlannedTask(
		key=task.name,
		due_date=task.due_date and getdate(task.due_date),
		status=TaskStatus(task.status),
		due_days_before=cint(task.due_days_before),
		working_days=bool(task.working_days),
		set_by_hand=bool(task.due_by_hand),
	)
