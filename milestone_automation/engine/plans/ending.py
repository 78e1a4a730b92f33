"""Cancelling a plan, with its document or by a user, and deleting it with its document."""

import frappe
from frappe import _
from frappe.model.docstatus import DocStatus
from frappe.utils import now_datetime

from milestone_automation.engine.base import guard, save_state
from milestone_automation.engine.progress import proposals, tasks
from milestone_automation.engine.rules.vocabulary import PlanEvent, PlanStatus
from milestone_automation.engine.store import forecasts, plan_log, plan_rows, watched
from milestone_automation.engine.store.changing import changing

# DocTypes whose rows belong to a plan.
PARTS = (
	"Milestone Task",
	"Milestone Date Change",
	"Milestone Message",
	"Milestone Plan Log",
	"Milestone Next Step",
)
# docstatus in the snapshot of a plan cancelled with its document.
CANCELLED_DOCUMENT = "2"


def cancelled_reason() -> str:
	"""Return the reason that is stored with tasks cancelled with their document."""
	return "The document was cancelled."


def cancel(plan: plan_rows.Plan, reason: str, reason_of_tasks: str | None = None) -> None:
	"""Cancel a plan with its open tasks and proposed dates; reached stages and closed tasks stay.

	Args:
		plan: loaded with its lock.
		reason: stored in the log of the plan.
		reason_of_tasks: stored with its open tasks; by default `cancelled_reason`, with which an amendment reopens them.
	"""
	if plan.status == PlanStatus.CANCELLED:
		return
	with changing(plan, count_tasks=False) as plan:
		stamp = now_datetime()  # by which `restoring` knows the tasks that were cancelled with the plan
		tasks.cancel_all(plan.name, reason_of_tasks or cancelled_reason(), stamp)
		plan.forget_tasks()
		plan.set_plan(status=PlanStatus.CANCELLED.value, next_check=None, next_date=None)
		proposals.end_all(plan, stamp)
		for stage in plan.stages:
			plan.set_stage(stage, open_required=0, open_criteria=0, **forecasts.NOTHING)
		plan_log.write(plan, PlanEvent.PLAN_CANCELLED, reason=reason, done_on=stamp)


def end_without_document(plan: plan_rows.Plan) -> None:
	"""End the plan of a document that was deleted without its events, so that another one may take its name.

	Args:
		plan: loaded with its lock.
	"""
	reason = _("{0} {1} was deleted.").format(_(plan.reference_type), plan.reference_name)
	cancel(plan, reason, reason)
	watched.release(plan.name, plan.reference_type, plan.reference_name)


def cancel_by_hand(plan: plan_rows.Plan, reason: str) -> None:
	"""Cancel a plan for a user; the reason is stored with the plan and its tasks.

	Args:
		plan: loaded with its lock.
		reason: why.
	"""
	cancel(plan, reason, reason)


def let_go(doctype: str, name) -> None:
	"""Keep the plans of a document from being in the way of its deletion, which other links may still refuse.

	Frappe minds no link of a cancelled row, so that is what they are until the document is gone, or the transaction ends.

	Args:
		doctype, name: the document.
	"""
	if frappe.db.exists("Milestone Plan", {"reference_type": doctype, "reference_name": str(name)}):
		_set_docstatus(doctype, name, DocStatus.cancelled())
		what = f"Milestone plan of {doctype} {name}: the deletion was refused"
		key = _key_of_deletion(doctype, name)
		save_state.before_commit(key, guard.run_guarded, what, keep, doctype, name)


def keep(doctype: str, name) -> None:
	"""Undo `let_go`: the document was not deleted, or its plans could not be; the nightly check ends such plans.

	Args:
		doctype, name: the document.
	"""
	_set_docstatus(doctype, name, DocStatus.draft())


def _key_of_deletion(doctype: str, name) -> tuple[str, str, str]:
	return "keep after a refused deletion", doctype, str(name)


def _set_docstatus(doctype: str, name, docstatus: int) -> None:
	for part in ("Milestone Plan", *PARTS):
		table = frappe.qb.DocType(part)
		is_about = (table.reference_type == doctype) & (table.reference_name == str(name))
		frappe.qb.update(table).set(table.docstatus, int(docstatus)).where(is_about).run()


def delete_for(doctype: str, name) -> None:
	"""Delete the plans of a deleted document with everything that belongs to them. Its milestones stay.

	Args:
		doctype, name: the document.
	"""
	filters = {"reference_type": doctype, "reference_name": str(name)}
	for plan in frappe.get_all("Milestone Plan", filters=filters, pluck="name"):
		flags = {"force": True, "ignore_permissions": True}  # a plan is deleted with its document
		frappe.delete_doc("Milestone Plan", plan, **flags)
	save_state.withdraw(_key_of_deletion(doctype, name))


def delete_parts(plan: str) -> None:
	"""Delete what belongs to a plan: tasks with their to-dos, date changes, messages, log and baselines.

	Args:
		plan: name of the plan.
	"""
	tasks = frappe.get_all("Milestone Task", filters={"plan": plan}, pluck="name")
	if tasks:
		_delete_attached(tasks)
		frappe.db.delete("ToDo", {"reference_type": "Milestone Task", "reference_name": ("in", tasks)})
		frappe.db.delete("Milestone Task Assignee", {"parent": ("in", tasks)})
	for doctype in (*PARTS, "Milestone Baseline"):
		frappe.db.delete(doctype, {"plan": plan})


# What Frappe attaches to a document, and the two fields that say to which one.
ATTACHED = {
	"Comment": ("reference_doctype", "reference_name"),
	"Version": ("ref_doctype", "docname"),
	"DocShare": ("share_doctype", "share_name"),
	"Document Follow": ("ref_doctype", "ref_docname"),
	"Tag Link": ("document_type", "document_name"),
}


def _delete_attached(tasks: list[str]) -> None:
	"""Delete comments, files and the like of deleted tasks; `frappe.delete_doc` does it for a single one."""
	filters = {"attached_to_doctype": "Milestone Task", "attached_to_name": ("in", tasks)}
	for file in frappe.get_all("File", filters=filters, pluck="name"):
		flags = {
			"force": True,
			"ignore_permissions": True,
		}  # a file goes with its task, whoever has uploaded it
		frappe.delete_doc("File", file, **flags)
	# Last: deleting a file leaves a comment.
	for doctype, (type_field, name_field) in ATTACHED.items():
		frappe.db.delete(doctype, {type_field: "Milestone Task", name_field: ("in", tasks)})
