"""What is added up and stored with a plan: open required tasks, health, current stage, next date."""

from collections import defaultdict

import frappe
from frappe.utils import cint, getdate, nowdate

from milestone_automation.engine.rules import health, vocabulary
from milestone_automation.engine.rules.vocabulary import GateMode, PlanStatus, StageStatus
from milestone_automation.engine.store import plan_rows

# Columns of a plan that `add_up` and the sweep work out from its stages and the day.
SUMS = ("health", "current_stage", "next_date", "next_check")


def summarize_new(plan_doc) -> None:
	"""Fill in health, sums and next check of a plan that is not saved yet."""
	lead = cint(frappe.db.get_single_value("Milestone Settings", "warning_lead_days", cache=True))
	today = getdate(nowdate())
	for stage in plan_doc.stages:
		stage.health = stage_health(stage, plan_doc.stages, plan_doc.strict_order, today, lead, 0).value
	plan_doc.update(summary_of(plan_doc.stages))
	plan_doc.next_check = today


def add_up(plan: plan_rows.Plan, count_tasks: bool) -> None:
	"""Work out the sums of a plan that is being changed; writes nothing.

	Args:
		plan: locked, with its changes.
		count_tasks: count the open tasks, and judge each stage's health by them.
	"""
	if count_tasks:
		_judge_stages(plan, count_open_tasks(plan))
	if plan.status != PlanStatus.CANCELLED:
		plan.set_plan(**summary_of(plan.stages))
		# The sweep finds the day after that: only it knows who is left to be told, and the working days.
		plan.set_plan(next_check=getdate(nowdate()) if plan.status == PlanStatus.ACTIVE else None)


def count_open_tasks(plan: plan_rows.Plan) -> dict[str, list]:
	"""Count the open required tasks of each stage, so that the gate sees them; writes nothing.

	Returns:
		dict: the open tasks by row name of their stage; none where the plan is cancelled.
	"""
	tasks = defaultdict(list)
	for task in plan.open_tasks() if plan.status != PlanStatus.CANCELLED else ():
		tasks[task.plan_stage].append(task)
	for stage in plan.stages:
		plan.set_stage(stage, open_required=sum(1 for task in tasks[stage.name] if task.required))
	return tasks


def _judge_stages(plan: plan_rows.Plan, tasks: dict[str, list]) -> None:
	today = getdate(nowdate())
	lead = cint(frappe.db.get_single_value("Milestone Settings", "warning_lead_days", cache=True))
	for stage in plan.stages:
		overdue = sum(1 for task in tasks[stage.name] if task.due_date and getdate(task.due_date) < today)
		verdict = stage_health(stage, plan.stages, plan.strict_order, today, lead, overdue)
		plan.set_stage(stage, health=verdict.value)


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
