"""Cancelling a plan, with its document or by a user, and deleting it with its document."""

import frappe

from milestone_automation.engine.progress import tasks
from milestone_automation.engine.rules.vocabulary import PlanEvent, PlanStatus
from milestone_automation.engine.store import plan_log, plan_rows
from milestone_automation.engine.store.changing import changing

# docstatus in the snapshot of a plan cancelled with its document.
CANCELLED_DOCUMENT = "2"


def cancelled_reason() -> str:
	"""Return the reason that is stored with tasks cancelled with their document."""
	return "The document was cancelled."


def cancel(plan: plan_rows.Plan, reason: str, reason_of_tasks: str | None = None) -> None:
	"""Cancel a plan and its open tasks; reached stages and closed tasks stay.

	Args:
		plan: loaded with its lock.
		reason: stored in the log of the plan.
		reason_of_tasks: stored with its open tasks; by default `cancelled_reason`, with which an amendment reopens them.
	"""
	if plan.status == PlanStatus.CANCELLED:
		return
	with changing(plan, count_tasks=False) as plan:
		tasks.cancel_all(plan.name, reason_of_tasks or cancelled_reason())
		plan.forget_tasks()
		plan.set_plan(status=PlanStatus.CANCELLED.value, next_check=None, next_date=None)
		for stage in plan.stages:
			plan.set_stage(stage, open_required=0)
		plan_log.write(plan, PlanEvent.PLAN_CANCELLED, reason=reason)


def cancel_by_hand(plan: plan_rows.Plan, reason: str) -> None:
	"""Cancel a plan for a user; the reason is stored with the plan and its tasks.

	Args:
		plan: loaded with its lock.
		reason: why.
	"""
	cancel(plan, reason, reason)


def delete_for(doctype: str, name) -> None:
	"""Delete the plans of a deleted document with everything that belongs to them. Its milestones stay.

	Args:
		doctype, name: the document.
	"""
	filters = {"reference_type": doctype, "reference_name": str(name)}
	for plan in frappe.get_all("Milestone Plan", filters=filters, pluck="name"):
		flags = {"force": True, "ignore_permissions": True}  # a plan is deleted with its document
		frappe.delete_doc("Milestone Plan", plan, **flags)


def delete_parts(plan: str) -> None:
	"""Delete what belongs to a plan: tasks with their to-dos, date changes, messages and log.

	Args:
		plan: name of the plan.
	"""
	tasks = frappe.get_all("Milestone Task", filters={"plan": plan}, pluck="name")
	if tasks:
		frappe.db.delete("ToDo", {"reference_type": "Milestone Task", "reference_name": ("in", tasks)})
		frappe.db.delete("Milestone Task Assignee", {"parent": ("in", tasks)})
	for doctype in ("Milestone Task", "Milestone Date Change", "Milestone Message", "Milestone Plan Log"):
		frappe.db.delete(doctype, {"plan": plan})
