"""Moving key dates, with the open tasks and the later stages that move along."""

import frappe
from frappe import _
from frappe.utils import cint, getdate, now_datetime

from milestone_automation.engine.base import bulk, clock
from milestone_automation.engine.people import todos
from milestone_automation.engine.rules import dates, schedule, working_days
from milestone_automation.engine.rules.vocabulary import (
	DateChangeSource,
	KeyDateRule,
	ShiftMode,
	StageStatus,
	TaskStatus,
)
from milestone_automation.engine.store import plan_log, plan_rows
from milestone_automation.engine.store.changing import changing


def date_next(plan, stage, reached_on) -> None:
	"""The stage after, if it counts from this one and has no date yet, counts from the day this one was reached."""
	following = next((row for row in plan.stages if row.idx > stage.idx), None)
	if not following or following.key_date or following.status == StageStatus.REACHED:
		return
	if following.key_date_rule != KeyDateRule.AFTER_PREVIOUS_MILESTONE:
		return
	calendar = plan_rows.calendar_of(plan)
	day = calendar.add_days(reached_on, cint(following.offset_days), bool(following.working_days))
	earlier = [getdate(row.key_date) for row in plan.stages if row.idx < following.idx and row.key_date]
	move(
		plan,
		following,
		max([day, *earlier]),
		"",
		DateChangeSource.PREVIOUS_MILESTONE,
		answer=ShiftMode.KEEP_ORDER,
	)


def catch_up_date(plan, stage, reason) -> None:
	key_date = stage.key_date and getdate(stage.key_date)
	new_date, source = key_date, DateChangeSource.PREVIOUS_MILESTONE
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
	rule = stage_rule(stage, plan.reference_doc())
	return dates.plan_dates([rule], getdate(plan.created_from), plan_rows.calendar_of(plan))[0]


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
	reason = plan_log.check_reason(reason)
	with changing(plan) as plan:
		plan.check_is_active()
		day = clock.parse_day(new_date) if new_date else None
		move(plan, plan.stage(stage), day, reason, DateChangeSource(source), answer, by_hand=True)


def move(plan, stage, new_date, reason, source: DateChangeSource, answer=None, by_hand=False) -> None:
	"""Move a key date of a plan that is being changed, with all that follows from it."""
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
			plan_rows.calendar_of(plan),
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
	except working_days.OutOfCalendar:
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
	calendar = plan_rows.calendar_of(plan)
	for i in range(index + 1, len(plan.stages)):
		row, before = plan.stages[i], moved[i - 1]
		counts = row.key_date_rule == KeyDateRule.AFTER_PREVIOUS_MILESTONE and not row.date_by_hand
		if not counts or row.status == StageStatus.REACHED or bool(moved[i]) == bool(before):
			break
		day = before and calendar.add_days(before, cint(row.offset_days), bool(row.working_days))
		if day:
			day = max([day, *filter(None, moved[:i])])
		moved = dates.move_stage(moved, plan.is_reached(), i, day, ShiftMode.KEEP_ORDER, calendar).dates
	return moved


def change_dates(plan: plan_rows.Plan, new_dates: dict, reason: str, source: DateChangeSource) -> None:
	"""Set key dates of a plan that is being changed, move its open tasks by their rule, keep every move on record.

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
	"""Return a task, given as document or row, as the rules about dates know it."""
	return dates.PlannedTask(
		key=task.name,
		due_date=task.due_date and getdate(task.due_date),
		status=TaskStatus(task.status),
		due_days_before=cint(task.due_days_before),
		working_days=bool(task.working_days),
		set_manually=bool(task.due_by_hand),
	)


# 9999-12-31 is how many systems say "no end"; nobody plans for it, and no day lies after it.
OPEN_END = 9999


def stage_rule(row, doc) -> dates.StageRule:
	"""Return a stage's date rule with the document's date in it."""
	value = doc.get(row.date_field) if row.date_field else None
	day = getdate(value) if value else None
	return dates.StageRule(
		name=row.stage_name,
		rule=KeyDateRule(row.key_date_rule),
		offset_days=row.offset_days or 0,
		working_days=bool(row.working_days),
		date_value=day if day and day.year < OPEN_END else None,
	)
