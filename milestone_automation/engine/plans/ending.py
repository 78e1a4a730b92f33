"""Ending a plan: cancelled with its document or by hand, or deleted with it."""

import frappe

from milestone_automation.engine.progress import tasks
from milestone_automation.engine.rules.vocabulary import PlanStatus
from milestone_automation.engine.store import plan_log, plan_rows
from milestone_automation.engine.store.changing import changing

# What the snapshot of a plan says that ended with its document.
CANCELLED_DOCUMENT = "2"


def cancelled_reason() -> str:
	"""Return the reason of a plan that is cancelled with its document, as it is stored."""
	return "The document was cancelled."


def cancel(plan: plan_rows.Plan, reason: str, reason_of_tasks: str | None = None) -> None:
	"""Cancel a plan and its open tasks; what was reached and done stays on record.

	Args:
		plan: loaded with its lock.
		reason: kept in the plan's log.
		reason_of_tasks: kept in its open tasks; by default that the document was cancelled, which opens them again
			for an amendment.
	"""
	if plan.status == PlanStatus.CANCELLED:
		return
	with changing(plan, count_tasks=False) as plan:
		tasks.cancel_all(plan.name, reason_of_tasks or cancelled_reason())
		plan.forget_tasks()
		plan.set_plan(status=PlanStatus.CANCELLED.value, next_check=None, next_date=None)
		for stage in plan.stages:
			plan.set_stage(stage, open_required=0)
		plan_log.write(plan, "Plan Cancelled", reason=reason)


def cancel_by_hand(plan: plan_rows.Plan, reason: str) -> None:
	"""Cancel a plan as `cancel` does, because somebody wants it: its tasks carry that reason too."""
	cancel(plan, reason, reason)


def delete_for(doctype: str, name) -> None:
	"""Delete the plans of a deleted document, with all that hangs on them. Its milestones stay, marked."""
	filters = {"reference_type": doctype, "reference_name": str(name)}
	for plan in frappe.get_all("Milestone Plan", filters=filters, pluck="name"):
		flags = {"force": True, "ignore_permissions": True}  # it goes with its document
		frappe.delete_doc("Milestone Plan", plan, **flags)


def delete_parts(plan: str) -> None:
	"""Delete what belongs to a plan: tasks with their assignments, date changes, messages, log."""
	tasks = frappe.get_all("Milestone Task", filters={"plan": plan}, pluck="name")
	if tasks:
		frappe.db.delete("ToDo", {"reference_type": "Milestone Task", "reference_name": ("in", tasks)})
		frappe.db.delete("Milestone Task Assignee", {"parent": ("in", tasks)})
	for doctype in ("Milestone Task", "Milestone Date Change", "Milestone Message", "Milestone Plan Log"):
		frappe.db.delete(doctype, {"plan": plan})
