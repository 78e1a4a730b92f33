"""The board: running plans of a workflow by their next milestone."""

import frappe
from frappe import _
from frappe.utils import get_fullname, nowdate

from milestone_automation.desk import my_work
from milestone_automation.engine.people import readable, rights
from milestone_automation.engine.rules.vocabulary import PlanStatus, StageStatus

SHOWN = ("name", "reference_type", "reference_name", "current_stage", "health", "next_date")


def board(workflow: str) -> dict:
	"""Return the running plans of a workflow by milestone, as columns of a board; only those the user may see.

	Args:
		workflow: name of a Milestone Workflow.

	Returns:
		dict: `stages`, the milestones in order; `plans`, each with current_stage, its owner by name, health, next_date,
			forecast_date and its document.

	Raises:
		frappe.PermissionError: the user does not work in the desk.
	"""
	rights.check_desk_user()
	plan = frappe.qb.DocType("Milestone Plan")
	plans = (
		readable.rows("Milestone Plan")
		.select(*(plan[name] for name in SHOWN))
		.where(plan.workflow == workflow)
		.where(plan.status == PlanStatus.ACTIVE.value)
		.orderby(plan.next_date)
		.limit(my_work.MAX_ROWS)
		.run(as_dict=True)
	)
	open_stages = _open_stages([plan.name for plan in plans])
	for plan in plans:
		stage = open_stages.get((plan.name, plan.current_stage), {})
		plan.forecast_date = stage.get("forecast_date")
		plan.owner_name = _owner_name(stage)
	# Users who may see no plan do not see the names of the milestones either.
	stages = stage_names(workflow) if plans else []
	columns = dict.fromkeys([*stages, *(plan.current_stage for plan in plans if plan.current_stage)])
	return {"stages": list(columns), "plans": plans, "today": nowdate()}


def _open_stages(plans: list[str]) -> dict:
	"""Return the open stages of some plans, by name of the plan and name of the stage. One query."""
	stage = frappe.qb.DocType("Milestone Plan Stage")
	query = frappe.qb.from_(stage).select(
		stage.parent,
		stage.stage_name,
		stage.forecast_date,
		stage.stage_owner,
		stage.owner_role,
		stage.outside_owner_name,
	)
	query = query.where(stage.parent.isin(plans)).where(stage.status != StageStatus.REACHED.value)
	return {(row.parent, row.stage_name): row for row in query.run(as_dict=True)} if plans else {}


def _owner_name(stage: dict) -> str:
	if stage.get("stage_owner"):
		return get_fullname(stage["stage_owner"])
	return stage.get("outside_owner_name") or _(stage.get("owner_role") or "")


def stage_names(workflow: str) -> list[str]:
	"""Return the names of a workflow's milestones, in order.

	Args:
		workflow: name of the Milestone Workflow; no right is asked.
	"""
	stage = frappe.qb.DocType("Milestone Workflow Stage")
	query = frappe.qb.from_(stage).select(stage.stage_name).where(stage.parent == workflow)
	return query.where(stage.parenttype == "Milestone Workflow").orderby(stage.idx).run(pluck=True)


def workflows_with_plans() -> list[str]:
	"""Return the names of the workflows with a running plan that the user may see.

	Raises:
		frappe.PermissionError: the user does not work in the desk.
	"""
	rights.check_desk_user()
	return sorted(
		frappe.get_list(
			"Milestone Plan",
			filters={"status": PlanStatus.ACTIVE.value},
			pluck="workflow",
			distinct=True,
			order_by="workflow",
			limit=0,
		)
	)
