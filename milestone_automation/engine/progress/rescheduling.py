"""Moving a key date: the dates of the stages that move are written and recorded, and their open tasks with them."""

import frappe
from frappe import _
from frappe.utils import cint, getdate, now_datetime

from milestone_automation.engine.base import bulk, clock
from milestone_automation.engine.people import todos
from milestone_automation.engine.progress import moving_along, stage_dates
from milestone_automation.engine.rules import dates, order, schedule
from milestone_automation.engine.rules.vocabulary import (
	DateChangeSource,
	DateChangeStatus,
	ShiftMode,
	StageStatus,
)
from milestone_automation.engine.rules.working_days import OutOfCalendar, WorkCalendar
from milestone_automation.engine.store import plan_log, plan_rows
from milestone_automation.engine.store.changing import changing


def reschedule(
	plan: str,
	stage: str,
	new_date,
	reason: str,
	source="Form",
	answer: str | None = None,
	keep_anchored: bool = False,
) -> None:
	"""Move a stage's key date, its open tasks by their rule, and later stages as the plan says.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage.
		new_date: the new key date, as date or ISO text; None removes the date.
		reason: why; required.
		source: a DateChangeSource.
		answer: "Shift Too" or "Keep Order", for a plan that asks.
		keep_anchored: with "Shift Too", whether stages that are dated by a field of the document stay on that date.

	Raises:
		frappe.ValidationError: the plan is cancelled, the reason is missing, or as in `move`.
		frappe.DoesNotExistError: there is no such plan or stage.
	"""
	reason = plan_log.check_reason(reason)
	if answer and answer not in list(ShiftMode):
		moving_along.ask_for_later_stages()
	with changing(plan) as plan:
		plan.check_is_active()
		day = clock.parse_day(new_date) if new_date else None
		move(plan, plan.stage(stage), day, reason, DateChangeSource(source), answer, True, keep_anchored)


def move(
	plan,
	stage,
	new_date,
	reason,
	source: DateChangeSource,
	answer=None,
	by_hand=False,
	keep_anchored=False,
	moves_all=False,
) -> None:
	"""Move the key date of a stage, with its tasks and the later stages that move along.

	Args:
		plan: locked, being changed.
		stage: row of the stage.
		new_date: the new key date; None removes the date.
		reason: stored with each date change.
		source: what moves the date.
		answer: "Shift Too" or "Keep Order", for a plan that asks.
		by_hand: whether a user set the date.
		keep_anchored: as in `reschedule`.
		moves_all: whether all upcoming stages count as later ones, also those of other branches.

	Raises:
		frappe.ValidationError: the stage is reached, the date is before an earlier stage, or an answer is missing.
		moving_along.TooFar: the stage, or a later one that moves along, would be outside the calendar.
	"""
	_move(plan, stage, new_date, reason, source, answer, by_hand, keep_anchored, moves_all)
	make_good(plan)


def _move(
	plan, stage, new_date, reason, source, answer=None, by_hand=False, keep_anchored=False, moves_all=False
) -> None:
	old_dates = stage_dates.key_dates(plan)
	new_dates = moving_along.planned_dates(plan, stage, new_date, source, answer, keep_anchored, moves_all)
	if by_hand:
		plan.set_stage(stage, date_by_hand=1, document_date_moved=0)
	if keep_anchored or source is DateChangeSource.DOCUMENT_FIELD:
		note_making_room(plan, [stage], old_dates, new_dates)
	moved_dates = {
		row.name: new for row, old, new in stage_dates.old_and_new(plan, old_dates, new_dates) if old != new
	}
	change_dates(plan, moved_dates, reason, source)


def make_good(plan) -> None:
	"""Let open stages whose document gives another date follow it, as far as earlier stages allow now.

	Args:
		plan: locked, being changed.
	"""
	for stage in plan.stages:
		if not stage.document_date_moved:
			continue
		wanted_date, new_date = moving_along.waited_for(plan, stage, stage_dates.key_dates(plan))
		if not new_date:
			continue
		plan.set_stage(stage, document_date_moved=int(new_date != wanted_date))
		reason = _("Earlier milestones allow the date of {0} now.").format(
			stage_dates.date_label(plan, stage)
		)
		_move(plan, stage, new_date, reason, DateChangeSource.DOCUMENT_FIELD, ShiftMode.KEEP_ORDER)


def note_making_room(plan, moving: list, old_dates: list, new_dates: list) -> None:
	"""Note on stages that the document dates that they made room for others; they go back when they can.

	Args:
		plan: locked, being changed.
		moving: the stages that are moved on purpose.
		old_dates, new_dates: key dates of all stages before and after.
	"""
	names = moving_along.making_room(plan, {stage.name for stage in moving}, old_dates, new_dates)
	for row in plan.stages:
		if row.name in names:
			plan.set_stage(row, document_date_moved=1)


def change_dates(plan: plan_rows.Plan, new_dates: dict, reason: str, source: DateChangeSource) -> None:
	"""Set key dates of a plan, move its open tasks by their rule, and record every date change.

	Args:
		plan: locked, being changed.
		new_dates: new key date by row name of the stage.
		reason: stored with each date change.
		source: what moved the dates.
	"""
	rows, moved_stages = [], []
	stamp = now_datetime()  # one for all: what was moved together can be found together
	for stage in plan.stages:
		if stage.name not in new_dates:
			continue
		old, new = stage.key_date and getdate(stage.key_date), new_dates[stage.name]
		if old == new:
			continue
		plan.set_stage(stage, key_date=new, **schedule.FRESH_STAMPS)
		moved_stages.append((stage, old, new))
		rows.append(date_change(plan, stage, old, new, reason, source) | {"changed_on": stamp})
	bulk.insert_rows("Milestone Date Change", rows)
	_move_tasks(plan, moved_stages)
	_note_later_moved(plan, moved_stages)


def _move_tasks(plan, moved_stages: list[tuple]) -> None:
	if not moved_stages:
		return
	changes = {
		move_.key: {"due_date": move_.new, **schedule.FRESH_TASK_STAMPS}
		for move_ in moving_along.task_moves(plan, moved_stages)
	}
	bulk.update_rows("Milestone Task", changes)
	for task in plan.open_tasks():
		task.update(changes.get(task.name, {}))
	todos.update_open(changes)


def date_change(plan, stage, old, new, reason: str, source: DateChangeSource) -> dict:
	"""Return the values of a Milestone Date Change in effect, by the session user.

	Args:
		plan, stage: rows.
		old, new: key dates.
		reason, source: why it moves, and what moves it.
	"""
	return {
		"status": DateChangeStatus.ACCEPTED.value,
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
	}


# Stages that were reached early or late


def _note_later_moved(plan, moved_stages: list[tuple]) -> None:
	"""Note that later stages have moved since one was reached early or late: nobody is offered to move them again."""
	network = plan.network()
	has_moved = {stage.name for stage, *_dates in moved_stages}
	for position, reached in enumerate(plan.stages):
		later = [plan.stages[i] for i in network.all_after(position)] if _is_off(reached) else []
		is_last = not any(row.status == StageStatus.REACHED for row in later)
		if is_last and any(row.name in has_moved for row in later):
			plan.set_stage(reached, later_moved=1)


def _is_off(stage) -> bool:
	"""Tell whether a stage was reached on another day than its key date."""
	is_dated = stage.status == StageStatus.REACHED and stage.key_date and stage.reached_on
	return bool(is_dated) and getdate(stage.key_date) != getdate(stage.reached_on)


def date_with_actual(plan, stage):
	"""Return the date of the next open stage, moved as far as the stage before it was reached early or late.

	Args:
		plan: the plan.
		stage: any of its stages.

	Returns:
		tuple: the reached stage and the new date; None for other stages, after a stage that was reached on its key date,
		and where later stages have moved since.
	"""
	reached = _last_before(plan, stage)
	if not reached or not stage.key_date or not _is_off(reached) or cint(reached.later_moved):
		return None
	planned, actual, day = getdate(reached.key_date), getdate(reached.reached_on), getdate(stage.key_date)
	# The days off of a document take a query.
	calendar = plan_rows.calendar_of(plan) if stage.working_days else WorkCalendar()
	try:
		new_date = dates.moved_along(day, planned, actual, calendar, bool(stage.working_days))
	except OutOfCalendar:
		return None
	new_date = max(new_date, actual)
	return (reached, new_date) if new_date != day else None


def _last_before(plan, stage):
	"""Return the stage that was reached last of those an upcoming one directly comes after, once all of them are."""
	if not any(row is stage for row in order.next_ones(plan.stages)):
		return None
	before = [plan.stages[i] for i in plan.network().direct[plan.stages.index(stage)]]
	if not before or any(row.status != StageStatus.REACHED or not row.reached_on for row in before):
		return None
	return max(before, key=lambda row: (getdate(row.reached_on), row.idx))
