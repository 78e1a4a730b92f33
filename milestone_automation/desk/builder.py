"""Checking and previewing a workflow while it is built."""

import frappe

from milestone_automation.desk import panel
from milestone_automation.engine.people import rights
from milestone_automation.engine.tracking import trackable
from milestone_automation.engine.workflows import validation


def check_workflow(workflow: dict | str) -> dict:
	"""Return what is wrong with a workflow that is being built, saved or not. Writes nothing.

	Args:
		workflow: the Milestone Workflow document with its rows, as the form has it.

	Returns:
		dict: `general`, a list of sentences; `stages` and `tasks`, a list of sentences for each row, in order.

	Raises:
		frappe.PermissionError: for anybody who may not make workflows.
	"""
	rights.check_manager()
	draft = _draft(workflow)
	answer = {"general": [], "stages": [[] for _row in draft.stages], "tasks": [[] for _row in draft.tasks]}
	reason = trackable.why_not(draft.document_type)
	if reason:
		return answer | {"general": [reason]}
	validation.tidy(draft)
	for problem in dict.fromkeys(validation.problems(draft)):
		place, sentence = _place(problem, draft, answer)
		place.append(sentence)
	return answer


def _place(problem: str, draft, answer: dict) -> tuple[list, str]:
	"""Return the list a problem belongs into, and the problem without the name of its row."""
	rows = [("stages", row, validation.stage_label(row)) for row in draft.stages]
	rows += [("tasks", row, validation.task_label(row)) for row in draft.tasks]
	for table, row, label in rows:
		if problem.startswith(f"{label}: "):
			return answer[table][row.idx - 1], problem[len(label) + 2 :]
	return answer["general"], problem


def preview_draft(workflow: dict | str, name: str | int) -> dict:
	"""Say what a workflow that is being built would make of a document. Writes nothing.

	Args:
		workflow: the Milestone Workflow document with its rows, as the form has it.
		name: a document of its DocType.

	Returns:
		dict: as `api.preview_workflow`.

	Raises:
		frappe.PermissionError: the user may not make workflows, or not read the document.
	"""
	rights.check_manager()
	draft = _draft(workflow)
	doc = frappe.get_doc(draft.document_type, name)
	doc.check_permission("read")
	validation.tidy(draft)
	return panel.preview(draft, doc)


def _draft(workflow: dict | str):
	"""Return the document a form sent, with its rows numbered; nothing of it is stored."""
	values = frappe.parse_json(workflow)
	draft = frappe.new_doc("Milestone Workflow")
	draft.update({key: values.get(key) for key in values if key not in ("doctype", "stages", "tasks")})
	for table in ("stages", "tasks"):
		draft.set(table, [])
		for row in values.get(table) or []:
			draft.append(
				table, {key: value for key, value in row.items() if not key.startswith("__")} | {"idx": None}
			)
	for table in ("stages", "tasks"):
		for idx, row in enumerate(draft.get(table), 1):
			row.idx = idx
	return draft
