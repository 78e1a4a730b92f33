"""Ending all running plans of a workflow, so that it can be deleted or done over."""

import frappe

from milestone_automation.engine import plans
from milestone_automation.engine.vocabulary import PlanStatus

# So many plans are cancelled while the user waits; more go to the background.
AT_ONCE = 25
# Plans of one transaction of the background job.
BATCH = 50


def running(workflow: str) -> list[str]:
	"""Return the names of a workflow's running plans, oldest first."""
	filters = {"workflow": workflow, "status": PlanStatus.ACTIVE.value}
	return frappe.get_all("Milestone Plan", filters=filters, pluck="name", order_by="creation asc")


def cancel_all(workflow: str, reason: str) -> dict:
	"""Cancel the running plans of a workflow, with their open tasks: a few at once, many in the background.

	Args:
		workflow: name of the Milestone Workflow.
		reason: kept in each plan's log.

	Returns:
		dict: `plans` (how many are concerned) and `in_background`.
	"""
	names = running(workflow)
	in_background = len(names) > AT_ONCE
	if in_background:
		frappe.enqueue(
			"milestone_automation.engine.workflow_plans.run",
			queue="long",
			enqueue_after_commit=True,
			workflow=workflow,
			reason=reason,
		)
	else:
		_cancel(names, reason)
	return {"plans": len(names), "in_background": in_background}


def run(workflow: str, reason: str) -> None:
	"""Cancel all running plans of a workflow, batch by batch. A job of the queue; killed, it can be run again."""
	names = running(workflow)
	for begin in range(0, len(names), BATCH):
		_cancel(names[begin : begin + BATCH], reason)
		frappe.db.commit()  # a batch is done: a job that is killed later goes on from here


def _cancel(names: list[str], reason: str) -> None:
	for name in names:
		plans.cancel_by_hand(plans.load_by_name(name, lock=True), reason)
