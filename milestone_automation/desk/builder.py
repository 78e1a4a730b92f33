"""Checks and previews for the builder of workflows."""

import frappe

from milestone_automation.desk import panel
from milestone_automation.engine.people import rights
from milestone_automation.engine.tracking import protected, trackable
from milestone_automation.engine.workflows import authors, validation


def check_workflow(workflow: dict) -> dict:
	"""Return the problems of a workflow in the builder, saved or not; writes nothing.

	Args:
		workflow: the Milestone Workflow document of the form, with its rows.

	Returns:
		dict: `general`, a list of sentences; `stages` and `tasks`, a list of sentences for each row, in order.

	Raises:
		frappe.PermissionError: the user is not a manager.
	"""
	rights.check_manager()
	draft = _draft(workflow)
	rights.check_reads_doctype(draft.document_type)
	answer = {"general": [], "stages": [[] for _row in draft.stages], "tasks": [[] for _row in draft.tasks]}
	reason = trackable.why_not(draft.document_type) or protected.why(draft.document_type)
	if reason:
		return answer | {"general": [reason]}
	validation.tidy(draft)
	for problem in dict.fromkeys(validation.problems(draft)):
		place, sentence = _place(problem, draft, answer)
		place.append(sentence)
	return answer


def _place(problem: str, draft, answer: dict) -> tuple[list, str]:
	"""Return the list for a problem, and the problem without the name of its row."""
	rows = [("stages", row, validation.stage_label(row)) for row in draft.stages]
	rows += [("tasks", row, validation.task_label(row)) for row in draft.tasks]
	for table, row, label in rows:
		if problem.startswith(f"{label}: "):
			return answer[table][row.idx - 1], problem[len(label) + 2 :]
	return answer["general"], problem


def preview_draft(workflow: dict, name: str) -> dict:
	"""Return the plan that a workflow in the builder would give a document; writes nothing.

	Args:
		workflow: the Milestone Workflow document of the form, with its rows.
		name: name of a document of its DocType.

	Returns:
		dict: as `api.preview_workflow`.

	Raises:
		frappe.PermissionError: the user is not a manager, or may not read the document.
	"""
	rights.check_manager()
	draft = _draft(workflow)
	doc = rights.readable_document(draft.document_type, name)
	validation.tidy(draft)
	validation.check_texts(draft)
	return panel.preview(draft, doc)


def _draft(workflow: dict):
	"""Return the document that the form sent, with numbered rows; nothing is stored."""
	draft = frappe.new_doc("Milestone Workflow")
	draft.update({key: value for key, value in workflow.items() if key not in ("stages", "tasks")})
	for table in ("stages", "tasks"):
		draft.set(table, [])
		for idx, row in enumerate(workflow.get(table) or [], 1):
			draft.append(table, row | {"idx": idx})
	if draft.name and frappe.db.exists("Milestone Workflow", draft.name):
		# What is stored already somebody else may have written, with other rights.
		draft._doc_before_save = frappe.get_doc("Milestone Workflow", draft.name)
	authors.stamp(draft)
	return draft
