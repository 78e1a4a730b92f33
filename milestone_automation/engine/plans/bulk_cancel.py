"""Cancelling all running plans of a workflow, so that it can be deleted."""

import frappe
from frappe import _

from milestone_automation.engine.base import jobs
from milestone_automation.engine.plans import ending
from milestone_automation.engine.rules.vocabulary import PlanStatus
from milestone_automation.engine.store import plan_rows

# Up to this number plans are cancelled at once; more are cancelled by a background job.
AT_ONCE = 25
# Plans of one transaction of the background job.
BATCH = 50


def running(workflow: str) -> list[str]:
	"""Return the names of a workflow's running plans, oldest first, whatever the user may see.

	Args:
		workflow: name of the workflow.
	"""
	return frappe.get_all(
		"Milestone Plan", filters=_running_filters(workflow), pluck="name", order_by="creation asc"
	)


def check_reads_all(workflow: str) -> None:
	"""Refuse a user who may not see all running plans of a workflow.

	Args:
		workflow: name of the Milestone Workflow.

	Raises:
		frappe.PermissionError: one of them is not the user's to see; names none of them.
	"""
	names = running(workflow)
	visible = frappe.get_list("Milestone Plan", filters=_running_filters(workflow), pluck="name", limit=0)
	if set(names) - set(visible):
		frappe.throw(
			_(
				"Some plans of the workflow {0} are for documents that you may not read. Ask a System Manager."
			).format(workflow),
			frappe.PermissionError,
		)


def _running_filters(workflow: str) -> dict:
	return {"workflow": workflow, "status": PlanStatus.ACTIVE.value}


def cancel_all(workflow: str, reason: str) -> dict:
	"""Cancel the running plans of a workflow with their open tasks, at once or, if there are many, in the background.

	Args:
		workflow: name of the Milestone Workflow.
		reason: logged with each plan.

	Returns:
		dict: `plans` (number of plans) and `in_background`.

	Raises:
		QueueUnreachableError: there are many, and the queue of background jobs cannot be reached.
	"""
	names = running(workflow)
	in_background = len(names) > AT_ONCE
	if in_background:
		jobs.queue_once(
			"milestone_automation.engine.plans.bulk_cancel.run",
			f"milestone_cancel_plans::{workflow}",
			queue="long",
			workflow=workflow,
			reason=reason,
		)
	else:
		_cancel(names, reason)
	return {"plans": len(names), "in_background": in_background}


def run(workflow: str, reason: str) -> None:
	"""Background job: cancel all running plans of a workflow in batches. It can be run again after an interruption.

	Args:
		workflow: name of the Milestone Workflow.
		reason: logged with each plan.
	"""
	names = running(workflow)
	for begin in range(0, len(names), BATCH):
		_cancel(names[begin : begin + BATCH], reason)
		# A job that is killed keeps the batches it has done.
		frappe.db.commit()  # nosemgrep: frappe-manual-commit


def _cancel(names: list[str], reason: str) -> None:
	for name in names:
		ending.cancel_by_hand(plan_rows.load_by_name(name, lock=True), reason)
