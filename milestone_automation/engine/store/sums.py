"""What is added up and stored with a plan: open required tasks, health, current stage, next date."""

import frappe
from frappe.utils import cint, getdate, nowdate

from milestone_automation.engine.rules import health, vocabulary
from milestone_automation.engine.rules.vocabulary import GateMode, PlanStatus, StageStatus, TaskStatus
from milestone_automation.engine.store import plan_rows

# Columns of a plan that `refresh` and the sweep work out from its stages and the day.
SUMS = ("health", "current_stage", "next_date", "next_check")


def summarize_new(plan_doc) -> None:
	lead = cint(frappe.db.get_single_value("Milestone Settings", "warning_lead_days", cache=True))
	today = getdate(nowdate())
	for stage in plan_doc.stages:
		stage.health = stage_health(stage, plan_doc.stages, plan_doc.strict_order, today, lead, 0).value
	plan_doc.update(summary_of(plan_doc.stages))
	plan_doc.next_check = today


def refresh(plan: str | plan_rows.Plan) -> plan_rows.Plan:
	"""Bring a plan's sums up to date after its tasks, stages or dates changed, or a day has passed.

	Args:
		plan: name, or a plan loaded with its lock and not yet written.

	Returns:
		Plan: as it stands now.
	"""
	plan = plan_rows.load_by_name(plan, lock=True) if isinstance(plan, str) else plan
	tasks = plan_rows.task_rows(plan.name, lock=True)
	today = getdate(nowdate())
	lead = cint(frappe.db.get_single_value("Milestone Settings", "warning_lead_days", cache=True))
	open_tasks = [task for task in tasks if task.status == TaskStatus.OPEN]
	if plan.status == PlanStatus.CANCELLED:
		open_tasks = []
	for stage in plan.stages:
		own = [task for task in open_tasks if task.plan_stage == stage.name]
		plan.set_stage(stage, open_required=sum(1 for task in own if task.required))
	for stage in plan.stages:
		overdue = sum(
			1 for t in open_tasks if t.plan_stage == stage.name and t.due_date and getdate(t.due_date) < today
		)
		found = stage_health(stage, plan.stages, plan.strict_order, today, lead, overdue)
		plan.set_stage(stage, health=found.value)
	if plan.status != PlanStatus.CANCELLED:
		plan.set_plan(**summary_of(plan.stages))
		# The sweep finds the day after that: only it knows who is left to be told, and the working days.
		plan.set_plan(next_check=today if plan.status == PlanStatus.ACTIVE else None)
	has_changed = any(plan.stage_changes.values()) or plan.plan_changes
	plan.write()
	if has_changed:
		tell_desk(plan)
	return plan


def summarize(plan: plan_rows.Plan) -> None:
	"""Work out health, current stage and next date of a plan whose stages changed; writes nothing."""
	plan.set_plan(**summary_of(plan.stages), next_check=getdate(nowdate()))


def summary_of(stages) -> dict:
	"""Return health, current_stage, next_date and status of a plan from its stages."""
	open_stages = [stage for stage in stages if stage.status != StageStatus.REACHED]
	dated = [getdate(stage.key_date) for stage in open_stages if stage.key_date]
	return {
		"health": health.plan_health([stage.health or "On Track" for stage in stages]).value,
		"current_stage": open_stages[0].stage_name if open_stages else "",
		"next_date": min(dated) if dated else None,
		"status": PlanStatus.ACTIVE.value if open_stages else PlanStatus.COMPLETED.value,
	}


def stage_health(stage, stages, strict_order, today, default_lead: int, overdue: int) -> vocabulary.Health:
	"""Return the health of one stage of a plan, by the rules of `engine/health.py`.

	Args:
		stage: its row, with open_required up to date.
		stages: all rows; in strict order open tasks of earlier open stages hold this one too.
		strict_order: whether the plan keeps strict order.
		today: the day to judge by.
		default_lead: warning lead in days, where the stage has none of its own.
		overdue: number of the stage's open tasks that are past their due date.
	"""
	# Where open tasks hold nothing (Warn, Off), the stage is late or not, but never blocked.
	is_gate = (stage.gate_mode or GateMode.BLOCK) == GateMode.BLOCK
	held_by = cint(stage.open_required) if is_gate else 0
	if strict_order and is_gate:
		held_by += sum(
			cint(earlier.open_required)
			for earlier in stages
			if earlier.idx < stage.idx and earlier.status != StageStatus.REACHED
		)
	return health.stage_health(
		stage.status,
		getdate(stage.key_date) if stage.key_date else None,
		today,
		held_by,
		cint(stage.warning_lead_days) or default_lead,
		overdue_open_tasks=overdue,
	)


def tell_desk(plan) -> None:
	"""Tell open forms of the document that its plan changed, once the change is committed."""
	frappe.publish_realtime(
		"milestone_plan_changed",
		{"doctype": plan.reference_type, "name": plan.reference_name},
		doctype=plan.reference_type,
		docname=plan.reference_name,
		after_commit=True,
	)
