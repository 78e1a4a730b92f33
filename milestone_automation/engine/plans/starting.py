"""Starting a plan: checks, and inserting the plan with its stages and tasks."""

import json

import frappe
from frappe import _
from frappe.utils import cint, getdate

from milestone_automation.engine.base import bulk, compat, guard, save_state, stored_rows
from milestone_automation.engine.base.save_state import Mark, mark, marked, take_mark
from milestone_automation.engine.people import criterion_texts
from milestone_automation.engine.plans import plan_builder, restoring
from milestone_automation.engine.progress import tasks
from milestone_automation.engine.rules import criteria
from milestone_automation.engine.rules.vocabulary import PlanEvent, PlanStatus, StageStatus
from milestone_automation.engine.store import (
	exit_criteria,
	plan_log,
	plan_rows,
	snapshots,
	sums,
	sweep_requests,
	watched,
)
from milestone_automation.engine.tracking import protected
from milestone_automation.engine.workflows import matching


def start(doc, workflow: str | None = None, by_hand: bool = False) -> str:
	"""Start the plan of a document.

	Args:
		doc: the document.
		workflow: name of the workflow; the one that matches by default.
		by_hand: whether a user asks for it; a cancelled plan is then replaced.

	Returns:
		str: name of the plan; of the existing one if the document has a plan already.

	Raises:
		frappe.ValidationError: no workflow matches, the workflow is disabled or for another DocType, or the document is
			cancelled.
		ConflictError: somebody else is starting its plan.
	"""
	watched.forget_loaded(doc.doctype, doc.name)
	plan_of_document = plan_rows.load(doc.doctype, doc.name, lock=True)
	if plan_of_document and not (by_hand and plan_of_document.status == PlanStatus.CANCELLED):
		return plan_of_document.name
	workflow = workflow or matching.find(doc)
	check_can_start(doc, workflow)
	return _insert(doc, workflow, replaced=plan_of_document)


def start_next(doc, plan: str, workflow: str) -> str | None:
	"""Start the plan that follows on a completed one. That one keeps its rows, but stands for the document no longer.

	Args:
		doc: the document.
		plan: name of the completed plan.
		workflow: name of the workflow of the new plan.

	Returns:
		str | None: name of the new plan; None if the document has another plan than this one already.

	Raises:
		frappe.ValidationError: the plan is not completed, the workflow is the same, disabled or for another DocType, or the
			document is cancelled.
		ConflictError: somebody else is changing the plan.
	"""
	watched.forget_loaded(doc.doctype, doc.name)
	plan_of_document = plan_rows.load(doc.doctype, doc.name, lock=True)
	if not plan_of_document or plan_of_document.name != plan:
		return None
	if plan_of_document.status != PlanStatus.COMPLETED:
		frappe.throw(
			_("The plan of {0} {1} is not completed, so the next one cannot start.").format(
				_(doc.doctype), doc.name
			)
		)
	check_can_follow(doc, plan_of_document.workflow, workflow)
	watched.release(plan, doc.doctype, doc.name)
	return _insert(doc, workflow)


def check_can_follow(doc, workflow_before: str | None, workflow: str) -> None:
	"""Refuse a workflow whose plan cannot follow on a completed one.

	Args:
		doc: the document.
		workflow_before: name of the workflow of the completed plan.
		workflow: name of the workflow of the next one.

	Raises:
		frappe.ValidationError: the workflow is the same, or as `check_can_start`.
	"""
	if workflow_before == workflow:
		frappe.throw(_("The next plan is of another workflow than {0}. Choose one.").format(workflow))
	check_can_start(doc, workflow)


def release_cancelled_plan(doctype: str, name) -> bool:
	"""Release the key of a document's cancelled plan, so that the document can get another plan.

	Args:
		doctype, name: the document.

	Returns:
		bool: False if the document has a plan that is not cancelled.
	"""
	filters = {"plan_key": plan_rows.plan_key(doctype, name)}
	plan = frappe.db.get_value("Milestone Plan", filters, ["name", "status"], as_dict=True)
	if not plan:
		return True
	if plan.status != PlanStatus.CANCELLED:
		return False
	watched.release(plan.name, doctype, name)
	return True


def check_can_start(doc, workflow: str | None) -> None:
	"""Refuse to start a plan that the document or the workflow does not allow.

	Args:
		doc: the document.
		workflow: name of the workflow; None if no workflow matches.

	Raises:
		frappe.ValidationError: says what to do.
	"""
	if not workflow:
		frappe.throw(
			_("No enabled Milestone Workflow matches {0} {1}. Enable one, or choose one manually.").format(
				_(doc.doctype), doc.name
			)
		)
	template = matching.template(workflow)
	check_is_for(template, doc)
	if not template.enabled:
		frappe.throw(_("The workflow {0} is not enabled. Enable it first.").format(workflow))
	if not template.stages:
		frappe.throw(_("The workflow {0} has no milestones. Add the first one.").format(workflow))
	reason = protected.why(doc.doctype)
	if reason:
		frappe.throw(reason, title=_("Cannot Be Planned"))
	if cint(doc.docstatus) == 2:
		frappe.throw(_("{0} {1} is cancelled and cannot have a plan.").format(_(doc.doctype), doc.name))


def check_is_for(workflow, doc) -> None:
	"""Refuse a workflow that is for another DocType.

	Args:
		workflow: the Milestone Workflow document.
		doc: the document.

	Raises:
		frappe.ValidationError: it is for another one; names both DocTypes.
	"""
	if workflow.document_type != doc.doctype:
		frappe.throw(
			_("The workflow {0} is for {1}, not for {2}.").format(
				workflow.name, _(workflow.document_type), _(doc.doctype)
			)
		)


def _insert(doc, workflow: str, replaced=None) -> str:
	save_point = f"milestone_{frappe.generate_hash(length=10)}"
	is_first = not guard.has_transaction()
	frappe.db.savepoint(save_point)
	plan = frappe.get_doc(
		{
			"doctype": "Milestone Plan",
			"reference_type": doc.doctype,
			"reference_name": doc.name,
			"workflow": workflow,
		}
	)
	mark(plan, Mark.REFERENCE_DOC, doc)
	mark(plan, Mark.REPLACED, replaced)
	plan.flags.ignore_links = True  # all links come from the workflow, which was just read
	try:
		plan.insert(ignore_permissions=True)  # a plan is started for everybody who may save the document
	except Exception as error:
		if not _is_taken(error):
			raise
		# Somebody else was faster, so the document has their plan.
		frappe.db.rollback(save_point=save_point)
		plan_of_document = plan_rows.load(doc.doctype, doc.name, lock=True)
		if not plan_of_document:
			# On PostgreSQL their plan is not visible in this transaction.
			guard.raise_conflict(error)
		return plan_of_document.name
	if not is_first:
		frappe.db.release_savepoint(save_point)
	return plan.name


def _is_taken(error: Exception) -> bool:
	"""Tell whether a plan was refused because the document has one. Frappe does not translate SQLite's error."""
	if isinstance(error, (frappe.UniqueValidationError, frappe.DuplicateEntryError)):
		return True
	return type(error).__name__ == "IntegrityError" and "plan_key" in str(error)


def fill_from_workflow(plan_doc) -> None:
	"""Fill in a new plan from its workflow.

	Args:
		plan_doc: Milestone Plan document, before it is inserted.

	Raises:
		frappe.DoesNotExistError: there is no such workflow or document.
	"""
	doc = marked(plan_doc, Mark.REFERENCE_DOC) or frappe.get_doc(
		plan_doc.reference_type, plan_doc.reference_name
	)
	workflow = matching.template(plan_doc.workflow)
	draft = plan_builder.build(workflow, doc)
	tasks = [task for stage in draft.stages for task in stage["tasks"]]
	snapshot = snapshots.take(doc, watched.watched_fields(draft.stages, tasks, draft.plan))
	plan_doc.update(
		{
			**draft.plan,
			"workflow_version": draft.version,
			"title": f"{doc.name}: {workflow.name}"[:140],
			"plan_key": plan_rows.plan_key(doc.doctype, doc.name),
			"snapshot": json.dumps(snapshot),
			"status": PlanStatus.ACTIVE.value,
			"document_created_on": doc.get("creation"),
			"quiet_before": getdate() if compat.is_muted() else None,
		}
	)
	plan_builder.take_from_history(draft.stages, doc)
	replaced = marked(plan_doc, Mark.REPLACED)
	if replaced and replaced.workflow == workflow.name:
		restoring.take_over(draft.stages, replaced)
	plan_builder.settle_dates(draft, workflow, doc)
	if plan_doc.quiet_before:
		_ask_for_no_date(draft.stages)
	plan_doc.set("stages", [])
	for stage in draft.stages:
		required = sum(1 for task in stage["tasks"] if task["required"] and not task.get("closed_on"))
		plan_doc.append("stages", {**stage, "open_required": required})
	_count_criteria(plan_doc)
	mark(plan_doc, Mark.DRAFT, draft)
	sums.summarize_new(plan_doc)


def _count_criteria(plan_doc) -> None:
	"""Count the unmet exit criteria of the open stages; no query where there are none."""
	verdict_lists = exit_criteria.of_open_stages(plan_doc, plan_doc.stages)
	for stage, verdicts in zip(plan_doc.stages, verdict_lists, strict=True):
		stage.open_criteria = len(criteria.blocking(verdicts))


def _ask_for_no_date(stages: list[dict]) -> None:
	"""Have nobody asked for the dates of stages that follow on one reached before the plan began."""
	for stage in stages:
		if stage["status"] == StageStatus.OPEN and not stage["key_date"]:
			stage["date_asked_on"] = getdate()


def detach_rows(plan_doc) -> None:
	"""Take the stages off a new plan: Frappe would insert them one by one; `insert_rows` inserts them together.

	Args:
		plan_doc: Milestone Plan document, before it is inserted.
	"""
	mark(plan_doc, Mark.NEW_ROWS, plan_doc.stages)
	plan_doc.stages = []


def insert_rows(plan_doc) -> None:
	"""Insert the stages of a new plan with one statement.

	Args:
		plan_doc: Milestone Plan document, after it was inserted.
	"""
	rows = take_mark(plan_doc, Mark.NEW_ROWS) or []
	for idx, row in enumerate(rows, 1):
		row.update({"name": bulk.new_name(), "parent": plan_doc.name, "idx": idx})
		row.set("__islocal", None)
	fieldnames = [
		*stored_rows.columns_of("Milestone Plan Stage"),
		"parent",
		"parenttype",
		"parentfield",
	]
	inserted_fields = [
		name
		for name in dict.fromkeys(fieldnames)
		if name not in ("creation", "modified", "owner", "modified_by")
	]
	values = [{name: row.get(name) for name in inserted_fields if row.get(name) is not None} for row in rows]
	bulk.insert_rows("Milestone Plan Stage", values)
	plan_doc.stages = rows


def make_tasks(plan_doc) -> None:
	"""Insert the tasks of a new plan, log its start and request a sweep.

	Args:
		plan_doc: Milestone Plan document, after it was inserted.
	"""
	draft = marked(plan_doc, Mark.DRAFT)
	rows = []
	for stage_row, stage in zip(plan_doc.stages, draft.stages, strict=True):
		rows += [{**task, "plan_stage": stage_row.name} for task in stage["tasks"]]
	tasks.insert_tasks(plan_doc, rows)
	plan_log.write(plan_doc, PlanEvent.PLAN_STARTED, details="\n".join(draft.problems))
	_log_accepted(plan_doc)
	if compat.is_brought_in():
		save_state.transaction().plans_brought_in.add(plan_doc.name)
	sweep_requests.request(plan_doc.name)
	sums.tell_desk(plan_doc)


def _log_accepted(plan_doc) -> None:
	"""Log the stages that the document had reached before their required tasks could be created, or criteria met."""
	template = matching.template(plan_doc.workflow)
	reached = [row for row in plan_doc.stages if row.status == StageStatus.REACHED]
	verdict_lists = exit_criteria.judge(plan_doc.reference_type, plan_doc.reference_name, reached)
	for row, verdicts in zip(reached, verdict_lists, strict=True):
		lacking = [
			task.title for task in template.tasks if cint(task.required) and task.stage == row.stage_name
		]
		lacking += criterion_texts.describe_all(
			criteria.blocking(verdicts), plan_doc.reference_type, criterion_texts.ANYBODY
		)
		if lacking:
			plan_log.write(plan_doc, PlanEvent.ACCEPTED_AS_REACHED, stage=row, details=", ".join(lacking))


def start_if_matching(doc) -> None:
	"""Start the plan of a document if a workflow matches. An error is logged and does not stop the save.

	Args:
		doc: the document.
	"""
	what = f"Milestone plan of {doc.doctype} {doc.name}: start"
	workflow = guard.run_guarded(what, matching.find, doc)
	if workflow:
		guard.run_guarded(what, start, doc, workflow)
