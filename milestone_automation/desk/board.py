"""The board: running plans of a workflow by their next milestone."""

import frappe
from frappe.utils import (
	nowdate,
)

from milestone_automation.desk import my_work
from milestone_automation.engine.people import rights
from milestone_automation.engine.rules.vocabulary import PlanStatus


def board(workflow: str) -> dict:
	"""Return the running plans of a workflow by milestone, as columns of a board; only those the user may see.

	Args:
		workflow: name of a Milestone Workflow.

	Returns:
		dict: `stages`, the milestones in order; `plans`, each with current_stage, health, next_date and its document.
	"""
	rights.check_desk_user()
	plans = frappe.get_list(
		"Milestone Plan",
		filters={"workflow": workflow, "status": PlanStatus.ACTIVE.value},
		fields=["name", "reference_type", "reference_name", "current_stage", "health", "next_date"],
		order_by="next_date asc",
		limit=my_work.MAX_ROWS,
	)
	# Users who may see no plan do not see the names of the milestones either.
	stages = plans and frappe.get_all(
		"Milestone Workflow Stage",
		filters={"parent": workflow, "parenttype": "Milestone Workflow"},
		order_by="idx",
		pluck="stage_name",
	)
	stage_names = dict.fromkeys([*stages, *(plan.current_stage for plan in plans if plan.current_stage)])
	return {"stages": list(stage_names), "plans": plans, "today": nowdate()}


def workflows_with_plans() -> list[str]:
	"""Return the names of the workflows with a running plan that the user may see."""
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
