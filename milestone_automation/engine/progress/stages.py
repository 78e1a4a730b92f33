"""Confirming a stage, marking it reached, and undoing it."""

import frappe
from frappe import _
from frappe.utils import cint, getdate, now_datetime, nowdate

from milestone_automation.engine.base import clock
from milestone_automation.engine.progress import (
	automatic_dates,
	criterion_waivers,
	gate,
	next_steps,
	proposals,
)
from milestone_automation.engine.rules import dates, order, schedule
from milestone_automation.engine.rules.vocabulary import Health, PlanEvent, ReachRule, StageStatus
from milestone_automation.engine.store import forecasts, plan_log, plan_rows, step_outbox, watched
from milestone_automation.engine.store.changing import changing
from milestone_automation.engine.tracking import milestones

# Milestones of confirmed stages have this in place of a field name.
CONFIRMED_FIELD = "milestone_stage"


# Reaching


def confirm(plan: str, stage: str, reached_on=None, by: str | None = None) -> None:
	"""Confirm that a stage is reached, as the session user or somebody from outside.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage.
		reached_on: date or ISO text, not in the future; today by default.
		by: e-mail address of its owner from outside, where there is no account; by default the session user.

	Raises:
		GateError: required tasks are open, exit criteria not met, or an earlier stage comes first.
		frappe.DoesNotExistError: there is no such plan or stage.
		frappe.ValidationError: it is reached already, the date is in the future, or a field's value must reach it.
		ConflictError: somebody else is changing the plan.
	"""
	with changing(plan) as plan:
		plan.check_is_active()
		row = plan.stage(stage)
		day = _check_can_confirm(plan, row, reached_on)
		gate.check_stage(plan, row)
		milestone = milestones.insert_one(
			reference_type=plan.reference_type,
			reference_name=plan.reference_name,
			track_field=CONFIRMED_FIELD,
			value=row.stage_name[:140],
			reached_on=now_datetime(),
			source="Confirmation",
			reached_by=by or frappe.session.user,
		)
		mark_reached(plan, row, day, milestone=milestone, by=by)
		if not cint(plan.earlier_tasks_block):
			# Only then does the health of a stage depend on the tasks of earlier ones.
			plan.trust_counts()
		plan_log.write(plan, PlanEvent.MILESTONE_REACHED, stage=row, done_by=by)


def check_is_open(row) -> None:
	"""Refuse a stage that is reached.

	Args:
		row: of the stage, with `status`, `stage_name` and `reached_on`.

	Raises:
		frappe.ValidationError: it is reached; says when.
	"""
	if row.status == StageStatus.REACHED:
		frappe.throw(
			_("{0} was already reached on {1}. Undo it first to change the date.").format(
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
			_("{0} cannot be reached on {1}. Date cannot be in the future.").format(
				row.stage_name, frappe.format(reached_on, "Date")
			)
		)
	return day


def waits_for_value(plan: plan_rows.Plan, stage) -> bool:
	"""Tell whether a stage is reached by a value that the document does not have yet, so that nobody can confirm it.

	A stage whose value the document has, or has passed, can be confirmed: setting the value would move it back. So can a
	skipped one.

	Args:
		plan: the plan.
		stage: row of the stage.
	"""
	if stage.reach_rule != ReachRule.FIELD_VALUE or stage in order.skipped(plan.stages):
		return False
	doc = plan.reference_doc()
	later = (row for row in plan.stages if row.idx > stage.idx and row.track_field == stage.track_field)
	has_passed = any(
		row.reach_rule == ReachRule.FIELD_VALUE
		and (row.status == StageStatus.REACHED or watched.holds_value(row, doc))
		for row in later
	)
	return not has_passed and not watched.holds_value(stage, doc)


def mark_reached(
	plan: plan_rows.Plan, stage, reached_on, milestone=None, value_before=None, by: str | None = None
) -> None:
	"""Mark a stage of a plan as reached, date the next stage, and note its next steps.

	Args:
		plan: locked, being changed.
		stage: row of the stage.
		reached_on: date on which it was reached.
		milestone: name of the recorded Milestone.
		value_before: value of the field before, as text.
		by: as in `confirm`.
	"""
	plan.set_stage(
		stage,
		status=StageStatus.REACHED.value,
		health="Done",
		reached_on=reached_on,
		reached_by_user=None if by else frappe.session.user,
		confirmed_by_outside=(stage.outside_owner_name or by) if by else None,
		reached_at=now_datetime(),
		milestone=milestone,
		value_before=value_before,
		open_criteria=0,
		later_moved=0,
		**forecasts.NOTHING,
	)
	proposals.withdraw(plan, stage, _("The milestone was reached."), by)
	_mark_skipped(plan)
	automatic_dates.date_following_stage(plan, stage, reached_on)
	step_outbox.note_reached(plan, stage)


def _mark_skipped(plan) -> None:
	"""Give skipped stages their health, and those that no longer are one until the next sweep works it out."""
	skipped = {row.name for row in order.skipped(plan.stages)}
	for row in plan.stages:
		if row.name in skipped:
			plan.set_stage(row, health=Health.SKIPPED.value)
		elif row.health == Health.SKIPPED and row.status != StageStatus.REACHED:
			plan.set_stage(row, health=(Health.ON_HOLD if plan.on_hold_since else Health.ON_TRACK).value)


# Undoing


def undo(plan: str, stage: str, reason: str) -> None:
	"""Reopen a reached stage; its milestone stays, marked as undone.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage.
		reason: why; required.

	Raises:
		frappe.DoesNotExistError: there is no such plan or stage.
		frappe.ValidationError: there is no reason, the plan is cancelled, or the stage is not reached.
		ConflictError: somebody else is changing the plan, or one of the stage's next steps runs at this moment.
	"""
	reason = plan_log.check_reason(reason)
	with changing(plan) as plan:
		plan.check_is_active()
		row = plan.stage(stage)
		if row.status != StageStatus.REACHED:
			frappe.throw(_("{0} is not reached, so there is nothing to undo.").format(row.stage_name))
		mark_open(plan, row, reason)


def mark_open(plan: plan_rows.Plan, stage, reason: str) -> None:
	"""Reopen a reached stage of a plan, mark its milestone as undone, and log it.

	Its key date did not move while it was reached, so it catches up with the document and earlier stages.

	Args:
		plan: locked, being changed.
		stage: row of the stage.
		reason: why, for the log.

	Raises:
		ConflictError: one of its next steps runs at this moment.
	"""
	was_reached_on = stage.reached_on
	next_steps.note_undone(plan, stage)
	if stage.milestone:
		milestones.mark_undone(stage.milestone)
	plan.set_stage(
		stage,
		status=StageStatus.OPEN.value,
		health=(Health.ON_HOLD if plan.on_hold_since else Health.ON_TRACK).value,
		reached_on=None,
		reached_by_user=None,
		confirmed_by_outside=None,
		reached_at=None,
		milestone=None,
		value_before=None,
		reached_without_tasks_on=None,
		later_moved=0,
		**schedule.FRESH_STAMPS,
	)
	_mark_skipped(plan)
	criterion_waivers.count_open(plan)
	plan_log.write(
		plan,
		PlanEvent.MILESTONE_UNDONE,
		stage=stage,
		reason=reason,
		details=_("It was reached on {0}.").format(frappe.format(was_reached_on, "Date")),
	)
	automatic_dates.catch_up_date(plan, stage, reason)
	automatic_dates.undate_following_stage(plan, stage, reason)
