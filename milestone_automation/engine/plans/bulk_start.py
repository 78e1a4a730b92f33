"""Starting plans for existing documents: a background job that can be interrupted and run again."""

import json
from collections.abc import Callable

import frappe
from frappe import _
from pypika.functions import Cast

from milestone_automation.engine.base import compat, jobs
from milestone_automation.engine.people import readable, rights
from milestone_automation.engine.plans import starting
from milestone_automation.engine.workflows import matching

# Documents of one transaction.
BATCH = 50
# Number of documents listed with each reason; all are counted.
LISTED = 100
SUMMARY_SECONDS = 7 * 24 * 3600


def enqueue(workflow) -> dict:
	"""Queue the job that starts plans of a workflow, unless it is queued already.

	Args:
		workflow: Milestone Workflow document.

	Returns:
		dict: `job` (its id) and `documents` (number of documents without a plan that the session user may read).

	Raises:
		frappe.ValidationError: the workflow is disabled.
	"""
	if not workflow.enabled:
		frappe.throw(_("The workflow {0} is not enabled. Enable it first.").format(workflow.name))
	job = f"milestone_start_plans::{workflow.name}"
	jobs.queue_once(
		"milestone_automation.engine.plans.bulk_start.run",
		job,
		queue="long",
		workflow=workflow.name,
		user=frappe.session.user,
	)
	documents = documents_without_plan(workflow.document_type, frappe.session.user)
	return {"job": job, "documents": len(documents)}


def documents_without_plan(doctype: str, user: str | None = None) -> list[str]:
	"""Return the names of a DocType's documents that have no plan, oldest first. One query.

	Args:
		doctype: of the documents.
		user: leave out what this user may not read: how many fit a condition tells what is in them. All by default.
	"""
	allowed = "" if user is None or rights.sees_everything(user) else readable.condition(doctype, user)
	if allowed is None:
		return []
	document, plan = frappe.qb.DocType(doctype), frappe.qb.DocType("Milestone Plan")
	names_with_plan = frappe.qb.from_(plan).select(plan.reference_name).where(plan.reference_type == doctype)
	# Names may be numbers, which PostgreSQL does not compare with text.
	name = Cast(document.name, "varchar") if frappe.db.db_type == "postgres" else document.name
	query = (
		frappe.qb.from_(document)
		.select(document.name)
		.where(document.docstatus < 2)
		.where(name.notin(names_with_plan))
		.orderby(document.creation)
	)
	if allowed:
		query = query.where(readable.Condition(allowed))
	return [row[0] for row in query.run()]


def run(workflow: str, user: str | None = None, show: Callable[[int, int], None] | None = None) -> dict:
	"""Background job: start the plans of documents that get this workflow and have no plan yet.

	Args:
		workflow: name of the Milestone Workflow.
		user: who asked for it and is told about the progress; only documents that they may read get a plan. All without one.
		show: called with documents looked at, and all, after each batch.

	Returns:
		dict: total, looked_at, started, skipped (number by reason), examples (documents by reason), done.
	"""
	doctype = frappe.db.get_value("Milestone Workflow", workflow, "document_type")
	names = documents_without_plan(doctype, user)
	result = {"total": len(names), "looked_at": 0, "started": 0, "skipped": {}, "examples": {}, "done": False}
	for begin in range(0, len(names), BATCH):
		for name in names[begin : begin + BATCH]:
			_start_one(doctype, name, workflow, result)
		# A job that is killed keeps the batches it has done.
		frappe.db.commit()  # nosemgrep: frappe-manual-commit
		_report(workflow, result, user)
		if show:
			show(result["looked_at"], result["total"])
	result["done"] = True
	_report(workflow, result, user)
	return result


def _start_one(doctype: str, name: str, workflow: str, result: dict) -> None:
	save_point = "milestone_bulk_start"
	frappe.db.savepoint(save_point)
	result["looked_at"] += 1
	try:
		doc = frappe.get_doc(doctype, name)
		matching_workflow = matching.find(doc)
		if matching_workflow != workflow:
			reason = (
				_("The workflow {0} takes precedence").format(matching_workflow)
				if matching_workflow
				else _("Does not match the workflow")
			)
			_skip(result, reason, name)
			return
		starting.start(doc, workflow)
		result["started"] += 1
	except Exception as error:
		frappe.db.rollback(save_point=save_point)
		frappe.clear_messages()
		_skip(result, str(error) or type(error).__name__, name)


def _skip(result: dict, reason: str, name: str) -> None:
	result["skipped"][reason] = result["skipped"].get(reason, 0) + 1
	listed = result["examples"].setdefault(reason, [])
	if len(listed) < LISTED:
		listed.append(name)


def _report(workflow: str, result: dict, user: str | None) -> None:
	compat.redis_cache().set_value(_key(workflow), json.dumps(result), expires_in_sec=SUMMARY_SECONDS)
	visible_result = _visible(workflow, result)
	frappe.publish_realtime("milestone_plans_progress", {"workflow": workflow, **visible_result}, user=user)


def summary(workflow: str) -> dict:
	"""Return the result of the last run for a workflow, or an empty dict.

	Documents that the user may not read are counted but not named.

	Args:
		workflow: name of the Milestone Workflow.
	"""
	return _visible(
		workflow, json.loads(compat.redis_cache().get_value(_key(workflow), expires=True) or "{}")
	)


def _visible(workflow: str, result: dict) -> dict:
	"""Return a summary without the names of documents the session user may not read. One query."""
	examples = result.get("examples")
	if not examples or rights.sees_everything():
		return result
	names = {name for listed in examples.values() for name in listed}
	readable = _readable(frappe.db.get_value("Milestone Workflow", workflow, "document_type"), names)
	hidden = {str(name) for name in names - readable}
	visible_result = {**result, "examples": {}, "skipped": {}}
	for reason, count in result["skipped"].items():
		listed = [name for name in examples[reason] if name in readable]
		if any(name in reason for name in hidden):
			reason = _("No plan could be started for a document you may not read")
		visible_result["skipped"][reason] = visible_result["skipped"].get(reason, 0) + count
		if listed:
			visible_result["examples"][reason] = visible_result["examples"].get(reason, []) + listed
	return visible_result


def _readable(doctype: str, names: set) -> set:
	if not frappe.has_permission(doctype, "read"):
		return set()
	filters = {"name": ("in", list(names))}
	return set(frappe.get_list(doctype, filters=filters, pluck="name", limit=0))


def _key(workflow: str) -> str:
	return f"milestone_start_plans_summary::{workflow}"
