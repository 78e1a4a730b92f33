"""Checks and previews for the builder of workflows."""

import frappe
from frappe import _

from milestone_automation.desk import panel
from milestone_automation.engine.people import rights
from milestone_automation.engine.progress import dry_run
from milestone_automation.engine.store import plan_rows
from milestone_automation.engine.tracking import protected, trackable
from milestone_automation.engine.workflows import (
	action_registry,
	authors,
	step_actions,
	step_validation,
	validation,
)


def check_workflow(workflow: dict) -> dict:
	"""Return the problems of a workflow in the builder, saved or not; writes nothing.

	Args:
		workflow: the Milestone Workflow document of the form, with its rows.

	Returns:
		dict: `general`, a list of sentences; `stages` and `tasks`, a list of sentences for each row, in order; `steps`,
		for each stage sentences by the number of its next step from 1, and `completed`, those of the completed plan.

	Raises:
		frappe.PermissionError: the user is not a manager, or may not read documents of its DocType.
	"""
	rights.check_manager()
	draft = _draft(workflow)
	rights.check_reads_doctype(draft.document_type)
	answer = {"general": [], "stages": [[] for _row in draft.stages], "tasks": [[] for _row in draft.tasks]}
	answer |= {"steps": [{} for _row in draft.stages], "completed": {}}
	reason = trackable.why_not(draft.document_type) or protected.why(draft.document_type)
	if reason:
		return answer | {"general": [reason]}
	validation.tidy(draft)
	for problem in dict.fromkeys(validation.problems(draft)):
		place, sentence = _place(problem, draft, answer)
		place.append(sentence)
	for stage, steps in zip(answer["stages"], answer["steps"], strict=True):
		_take_steps_out(stage, steps, "")
	_take_steps_out(answer["general"], answer["completed"], validation.completion_label())
	return answer


def _take_steps_out(sentences: list[str], steps: dict, prefix: str) -> None:
	"""Move what is said of single next steps to these, by the number of the step from 1."""
	for number in range(1, step_validation.MOST_STEPS + 1):
		beginning = prefix + step_validation.label(number)
		for sentence in [one for one in sentences if one.startswith(beginning)]:
			sentences.remove(sentence)
			steps.setdefault(number, []).append(sentence[len(beginning) :])


def _place(problem: str, draft, answer: dict) -> tuple[list, str]:
	"""Return the list for a problem, and the problem without the name of its row."""
	rows = [("stages", row, validation.stage_label(row)) for row in draft.stages]
	rows += [("tasks", row, validation.task_label(row)) for row in draft.tasks]
	for table, row, label in rows:
		if problem.startswith(f"{label}: "):
			return answer[table][row.idx - 1], problem[len(label) + 2 :]
	return answer["general"], problem


def get_step_actions(doctype: str) -> dict:
	"""Return what next steps of documents can do, for the dialog of the builder.

	Args:
		doctype: of the workflow's documents.

	Returns:
		dict: `actions`, a list with `name`, `is_own` and `arguments`, each with `name`, `kind` and `is_required`; and
		`workflow_actions`, `methods` and `webhooks`, the names that the user can choose from.

	Raises:
		frappe.PermissionError: the user is not a manager, or may not read documents of the DocType.
	"""
	rights.check_manager()
	rights.check_reads_doctype(doctype)
	actions = [
		{
			"name": name,
			"is_own": name in action_registry.OWN,
			"arguments": [{"name": key, **argument._asdict()} for key, argument in action.arguments.items()],
		}
		for name, action in action_registry.actions().items()
	]
	return {"actions": actions, **step_actions.choices(doctype)}


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


def try_next_steps(workflow: dict, name: str) -> dict:
	"""Return what the next steps of a workflow in the builder would do to a document; changes nothing.

	Args:
		workflow: the Milestone Workflow document of the form, with its rows.
		name: name of a document of its DocType.

	Returns:
		dict: `stages`, for each stage the outcomes of its steps in order, and `completed`, those of the workflow's steps;
		each has `is_done` and `sentences`.

	Raises:
		frappe.PermissionError: the user is not a manager, or may not read the document.
		frappe.ValidationError: its steps cannot be read.
	"""
	rights.check_manager()
	draft = _draft(workflow)
	doc = rights.readable_document(draft.document_type, name)
	validation.tidy(draft)
	validation.check_texts(draft)
	plan = plan_rows.load(doc.doctype, doc.name) or frappe._dict(
		reference_type=doc.doctype, reference_name=doc.name, workflow=draft.name
	)
	completed = _try(draft.get(authors.COMPLETED), draft.get(authors.COMPLETED_BY), plan, draft.stages[-1:])
	stage_outcomes = [_try(row.next_actions, row.next_actions_by, plan, [row]) for row in draft.stages]
	return {"stages": stage_outcomes, "completed": completed}


def _try(text: str | None, author: str | None, plan, stages: list) -> list[dict]:
	steps = step_validation.parse(text)
	if steps is None or not all(isinstance(step, dict) for step in steps):
		frappe.throw(_("Next Steps must be a JSON list. Save them again in the workflow."))
	stage = frappe._dict(stages[0].as_dict(), name=None) if stages else frappe._dict(stage_name="")
	return [outcome._asdict() for outcome in dry_run.try_steps(steps, author, plan, stage)] if steps else []


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
