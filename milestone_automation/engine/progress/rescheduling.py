"""Moving key dates, with the open tasks and later stages that move along."""

from typing import NoReturn

import frappe
from frappe import _
from frappe.utils import cint, getdate, now_datetime

from milestone_automation.engine.base import bulk, clock
from milestone_automation.engine.people import todos
from milestone_automation.engine.rules import dates, schedule
from milestone_automation.engine.rules.vocabulary import (
	DateChangeSource,
	KeyDateRule,
	ShiftMode,
	StageStatus,
	TaskStatus,
)
from milestone_automation.engine.rules.working_days import OutOfCalendar
from milestone_automation.engine.store import plan_log, plan_rows
from milestone_automation.engine.store.changing import changing


def date_following_stage(plan, stage, reached_on) -> None:
	"""Date the stage after a reached one if it counts from that stage and has no date yet.

	Args:
		plan: locked, being changed.
		stage: the reached stage.
		reached_on: date on which it was reached, from which the next stage counts.
	"""
	following = next((row for row in plan.stages if row.idx > stage.idx), None)
	if not following or following.key_date or following.status == StageStatus.REACHED:
		return
	if following.key_date_rule != KeyDateRule.AFTER_PREVIOUS_MILESTONE:
		return
	calendar = plan_rows.calendar_of(plan)
	day = calendar.add_days(reached_on, cint(following.offset_days), bool(following.working_days))
	new_date = max([day, *_earlier_dates(plan, following)])
	source = DateChangeSource.PREVIOUS_MILESTONE
	move(plan, following, new_date, "", source, answer=ShiftMode.KEEP_ORDER)


def catch_up_date(plan, stage, reason: str) -> None:
	"""Move the key date of a reopened stage to where the document and earlier stages moved while it was reached.

	Args:
		plan: locked, being changed.
		stage: the reopened stage.
		reason: stored with the date change.
	"""
	key_date = stage.key_date and getdate(stage.key_date)
	new_date, source = key_date, DateChangeSource.PREVIOUS_MILESTONE
	if stage.document_date_moved:
		new_date, source = document_date(plan, stage), DateChangeSource.DOCUMENT_FIELD
		plan.set_stage(stage, document_date_moved=0)
	if new_date:
		new_date = max([new_date, *_earlier_dates(plan, stage)])
	if new_date != key_date:
		move(plan, stage, new_date, reason, source, answer=ShiftMode.KEEP_ORDER)


def _earlier_dates(plan, stage) -> list:
	return [getdate(row.key_date) for row in plan.stages if row.idx < stage.idx and row.key_date]


def document_date(plan, stage):
	"""Return the key date that a stage's rule gives for the document as it is now; None without a date."""
	rule = stage_rule(stage, plan.reference_doc())
	return dates.plan_dates([rule], getdate(plan.created_from), plan_rows.calendar_of(plan))[0]


def reschedule(
	plan: str, stage: str, new_date, reason: str, source="Form", answer: str | None = None
) -> None:
	"""Move a stage's key date, its open tasks by their rule, and later stages as the plan says.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage.
		new_date: the new key date, as date or ISO text; None removes the date.
		reason: why; required.
		source: a DateChangeSource.
		answer: "Shift Too" or "Keep Order", for a plan that asks.

	Raises:
		frappe.ValidationError: the stage is reached, the date is before an earlier stage, or an answer is missing.
	"""
	reason = plan_log.check_reason(reason)
	if answer and answer not in list(ShiftMode):
		_ask_for_later_stages()
	with changing(plan) as plan:
		plan.check_is_active()
		day = clock.parse_day(new_date) if new_date else None
		move(plan, plan.stage(stage), day, reason, DateChangeSource(source), answer, by_hand=True)


def move(plan, stage, new_date, reason, source: DateChangeSource, answer=None, by_hand=False) -> None:
	"""Move the key date of a stage, with its tasks and the later stages that move along.

	Args:
		plan: locked, being changed.
		stage: row of the stage.
		new_date: the new key date; None removes the date.
		reason: stored with each date change.
		source: what moves the date.
		answer: "Shift Too" or "Keep Order", for a plan that asks.
		by_hand: whether a user set the date.

	Raises:
		frappe.ValidationError: the stage is reached, the date is before an earlier stage, or an answer is missing.
	"""
	mode = ShiftMode(answer or plan.later_stages or ShiftMode.SHIFT_TOO)
	if mode is ShiftMode.ASK and source is DateChangeSource.DOCUMENT_FIELD:
		mode = ShiftMode.KEEP_ORDER
	old_dates = [getdate(row.key_date) if row.key_date else None for row in plan.stages]
	index = plan.stages.index(stage)
	new_dates = _moved_dates(plan, old_dates, index, new_date, mode)
	if by_hand:
		plan.set_stage(stage, date_by_hand=1)
	if bool(old_dates[index]) != bool(new_date):
		new_dates = _date_following_stages(plan, index, new_dates)
	pairs = zip(plan.stages, old_dates, new_dates, strict=True)
	change_dates(plan, {row.name: new for row, old, new in pairs if old != new}, reason, source)


def _moved_dates(plan, old_dates: list, index: int, new_date, mode: ShiftMode) -> list:
	"""Return the key dates after a move; turns refusals of the date rules into messages for the user."""
	stage = plan.stages[index]
	names = [row.stage_name for row in plan.stages]
	calendar, working_days = plan_rows.calendar_of(plan), bool(stage.working_days)
	reached = plan.reached_flags()
	try:
		return dates.move_stage(
			old_dates, reached, index, new_date, mode, calendar, working_days, names
		).dates
	except dates.StageAlreadyReached as error:
		frappe.throw(
			_("{0} is reached, so its key date cannot be changed. Undo it first.").format(error.stage)
		)
	except dates.DatesOutOfOrder as error:
		_refuse_out_of_order(error)
	except dates.ShiftAnswerNeeded:
		_ask_for_later_stages()
	except OutOfCalendar:
		frappe.throw(_("{0} cannot be moved that far. Choose an earlier day.").format(stage.stage_name))


def _ask_for_later_stages() -> NoReturn:
	frappe.throw(_("Choose what later milestones do: Shift Too or Keep Order."), title=_("Later Milestones"))


def _refuse_out_of_order(error: dates.DatesOutOfOrder) -> NoReturn:
	frappe.throw(
		_(
			"{0} cannot be on {1}: the earlier milestone {2} is on {3}. Choose that day or a later one."
		).format(
			error.stage,
			frappe.format(error.stage_date, "Date"),
			error.previous_stage,
			frappe.format(error.previous_date, "Date"),
		),
		title=_("Milestone Dates Out of Order"),
	)


def _date_following_stages(plan, index: int, key_dates: list) -> list:
	"""Give a date to the stages that count from a stage which got one, or remove theirs if it lost its date."""
	calendar = plan_rows.calendar_of(plan)
	for i in range(index + 1, len(plan.stages)):
		row, previous_date = plan.stages[i], key_dates[i - 1]
		counts = row.key_date_rule == KeyDateRule.AFTER_PREVIOUS_MILESTONE and not row.date_by_hand
		if not counts or row.status == StageStatus.REACHED or bool(key_dates[i]) == bool(previous_date):
			break
		day = previous_date and calendar.add_days(
			previous_date, cint(row.offset_days), bool(row.working_days)
		)
		if day:
			day = max([day, *(earlier for earlier in key_dates[:i] if earlier)])
		reached = plan.reached_flags()
		key_dates = dates.move_stage(key_dates, reached, i, day, ShiftMode.KEEP_ORDER, calendar).dates
	return key_dates


def change_dates(plan: plan_rows.Plan, new_dates: dict, reason: str, source: DateChangeSource) -> None:
	"""Set key dates of a plan, move its open tasks by their rule, and record every date change.

	Args:
		plan: locked, being changed.
		new_dates: new key date by row name of the stage.
		reason: stored with each date change.
		source: what moved the dates.
	"""
	rows = []
	moved = []
	for stage in plan.stages:
		if stage.name not in new_dates:
			continue
		old, new = stage.key_date and getdate(stage.key_date), new_dates[stage.name]
		if old == new:
			continue
		plan.set_stage(stage, key_date=new, **schedule.FRESH_STAMPS)
		moved.append((stage, old, new))
		rows.append(_date_change(plan, stage, old, new, reason, source))
	bulk.insert_rows("Milestone Date Change", rows)
	_move_tasks(plan, moved)


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
	tasks = plan.open_tasks()
	calendar = plan_rows.calendar_of(plan)
	changes = {}
	for stage, old, new in moved:
		planned = [planned_task(task) for task in tasks if task.plan_stage == stage.name]
		for move_ in dates.move_tasks(planned, old, new, calendar):
			changes[move_.key] = {"due_date": move_.new, **schedule.FRESH_TASK_STAMPS}
	bulk.update_rows("Milestone Task", changes)
	for task in tasks:
		task.update(changes.get(task.name, {}))
	todos.update_open(changes)


def planned_task(task) -> dates.PlannedTask:
	"""Return a task, given as document or row, for the date rules."""
	return dates.PlannedTask(
		key=task.name,
		due_date=task.due_date and getdate(task.due_date),
		status=TaskStatus(task.status),
		due_days_before=cint(task.due_days_before),
		working_days=bool(task.working_days),
		set_manually=bool(task.due_by_hand),
	)


# Many systems use 9999-12-31 for "no end"; no date can be counted from it.
OPEN_END = 9999


def stage_rule(row, doc) -> dates.StageRule:
	"""Return the date rule of a stage with the value of its date field in the document.

	Args:
		row: row of a plan or workflow stage.
		doc: the document.
	"""
	value = doc.get(row.date_field) if row.date_field else None
	day = getdate(value) if value else None
	return dates.StageRule(
		name=row.stage_name,
		rule=KeyDateRule(row.key_date_rule),
		offset_days=row.offset_days or 0,
		working_days=bool(row.working_days),
		date_value=day if day and day.year < OPEN_END else None,
	)
