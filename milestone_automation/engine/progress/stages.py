"""Reaching a stage, and undoing it."""

import frappe
from frappe import _
from frappe.utils import cint, getdate, now_datetime, nowdate

from milestone_automation.engine.base import clock
from milestone_automation.engine.progress import gate, next_steps, rescheduling
from milestone_automation.engine.rules import dates, schedule
from milestone_automation.engine.rules.vocabulary import ReachRule, StageStatus
from milestone_automation.engine.store import plan_log, plan_rows, watched
from milestone_automation.engine.store.changing import changing
from milestone_automation.engine.tracking import milestones

# Milestones of confirmed stages name this instead of a field of the document.
CONFIRMED_FIELD = "milestone_stage"


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
	with changing(plan) as plan:
		plan.check_is_active()
		row = plan.stage(stage)
		day = _check_can_confirm(plan, row, reached_on)
		gate.check_stage(plan, row)
		milestone = milestones.insert_milestone(
			reference_type=plan.reference_type,
			reference_name=plan.reference_name,
			track_field=CONFIRMED_FIELD,
			value=row.stage_name[:140],
			reached_on=now_datetime(),
			source="Confirmation",
		)
		mark_reached(plan, row, day, milestone=milestone)
		if not cint(plan.strict_order):
			# Only in strict order does a stage's health depend on whether an earlier one is reached.
			plan.trust_counts()
		plan_log.write(plan, "Milestone Reached", stage=row)


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
	day = clock.parse_day(reached_on) if reached_on else getdate(nowdate())
	try:
		dates.validate_reached_on(day, clock.latest_today())
	except dates.ReachedInFuture:
		frappe.throw(
			_("{0} cannot be reached on {1}: that day is to come. Give today or a day before.").format(
				row.stage_name, frappe.format(reached_on, "Date")
			)
		)
	return day


def waits_for_value(plan: plan_rows.Plan, stage) -> bool:
	"""Tell whether only a new value of the document reaches a stage, so that nobody can confirm it.

	Not so where the document has the value already, or went past it: giving it an earlier value would take it back.
	"""
	if stage.reach_rule != ReachRule.FIELD_VALUE:
		return False
	doc = plan.reference_doc()
	later = (row for row in plan.stages if row.idx > stage.idx and row.track_field == stage.track_field)
	went_past = any(
		row.reach_rule == ReachRule.FIELD_VALUE
		and (row.status == StageStatus.REACHED or watched.holds_value(row, doc))
		for row in later
	)
	return not went_past and not watched.holds_value(stage, doc)


def mark_reached(plan: plan_rows.Plan, stage, reached_on, milestone=None, value_before=None) -> None:
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
	rescheduling.date_next(plan, stage, reached_on)
	run_next_actions(plan, stage)


def run_next_actions(plan, stage) -> None:
	"""Queue what reaching this stage starts, if anything."""
	if stage.next_actions:
		next_steps.run(plan, stage)


# Undoing


def undo(plan: str, stage: str, reason: str) -> None:
	"""Open a reached stage again; that it had been reached stays on record.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage.
		reason: why; required.
	"""
	reason = plan_log.check_reason(reason)
	with changing(plan) as plan:
		plan.check_is_active()
		row = plan.stage(stage)
		if row.status != StageStatus.REACHED:
			frappe.throw(_("{0} is not reached, so there is nothing to undo.").format(row.stage_name))
		mark_open(plan, row, reason)


def mark_open(plan: plan_rows.Plan, stage, reason: str) -> None:
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
		**schedule.FRESH_STAMPS,
	)
	plan_log.write(
		plan,
		"Milestone Undone",
		stage=stage,
		reason=reason,
		details=_("It had been reached on {0}.").format(frappe.format(was_reached_on, "Date")),
	)
	rescheduling.catch_up_date(plan, stage, reason)
