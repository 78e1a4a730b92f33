"""Ready workflows to start from: JSON files beside this module, adapted to the DocType they are installed for.

A file names several fields where a DocType might not have the first one (`dates_from`, `reached_by`, `owners_from`).
If the DocType has none of them, a rule that always works is used instead, and a note says so.
"""

import json
from pathlib import Path

import frappe
from frappe import _
from frappe.utils import comma_or

from milestone_automation.engine.people.rights import MANAGER_ROLE
from milestone_automation.engine.rules.vocabulary import KeyDateRule, OwnerKind, ReachRule
from milestone_automation.engine.tracking import protected, trackable
from milestone_automation.engine.workflows import (
	people_validation,
	row_fields,
	stage_validation,
	task_validation,
	validation,
)

FOLDER = Path(__file__).parent / "ready_made"


def names() -> list[str]:
	"""Return the names of the ready workflows, which are the names of their files."""
	return sorted(file.stem for file in FOLDER.glob("*.json"))


def read(name: str) -> dict:
	"""Return the content of a ready workflow's file.

	Args:
		name: of the file, without its ending; one of `names`.

	Raises:
		frappe.DoesNotExistError: there is no such file; names the existing ones.
	"""
	if name not in names():
		frappe.throw(
			_("Ready workflow {0} does not exist. Choose one of: {1}.").format(name, ", ".join(names())),
			frappe.DoesNotExistError,
		)
	return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def offer() -> list[dict]:
	"""Return the ready workflows for the desk.

	Returns:
		list[dict]: name, title, description, stages and tasks (numbers), document_types (those of this site it is meant
		for; it can be installed for others).
	"""
	return [_offer_of(name) for name in names()]


def _offer_of(name: str) -> dict:
	ready = read(name)
	return {
		"name": name,
		"title": _(ready["title"]),
		"description": _(ready["description"]),
		"stages": len(ready["stages"]),
		"tasks": len(ready["tasks"]),
		"document_types": _existing_document_types(ready),
	}


def install(name: str, document_type: str | None = None) -> str:
	"""Create a disabled Milestone Workflow from a ready one; somebody reviews and enables it.

	Args:
		name: name of the ready workflow.
		document_type: DocType of its documents; by default the first it is meant for that this site has.

	Returns:
		str: name of the workflow.

	Raises:
		frappe.DoesNotExistError: there is no such ready workflow.
		frappe.ValidationError: the DocType cannot have plans, or the site has none of those it is meant for.
		frappe.PermissionError: the user may not create workflows.
	"""
	workflow, _notes = prepare(name, document_type)
	return workflow.insert().name


def prepare(name: str, document_type: str | None = None):
	"""Adapt a ready workflow to a DocType without writing anything.

	Args:
		name, document_type: as in `install`.

	Returns:
		tuple: the new Milestone Workflow document, and a list of notes: sentences about what is different because the
		DocType or the site lacks something.

	Raises:
		frappe.DoesNotExistError: there is no such ready workflow.
		frappe.ValidationError: the DocType cannot have plans, or the site has none of those it is meant for.
	"""
	ready = read(name)
	document_type = document_type or _first_document_type(ready)
	trackable.check_doctype(document_type)
	reason = protected.why(document_type)
	if reason:
		frappe.throw(reason, title=_("Cannot Be Planned"))
	workflow = frappe.get_doc(
		{
			"doctype": "Milestone Workflow",
			"workflow_name": _free_name(_(ready["title"])),
			"document_type": document_type,
			"description": _(ready["description"]),
			"enabled": 0,
			**ready["workflow"],
		}
	)
	notes = _fit_roles(workflow)
	for stage in ready["stages"]:
		notes += _add_stage(workflow, stage)
	for task in ready["tasks"]:
		notes += _add_task(workflow, task)
	return workflow, notes


def _first_document_type(ready: dict) -> str:
	document_types = _existing_document_types(ready)
	if not document_types:
		frappe.throw(
			_(
				"This site has none of the document types {0}. Choose the document type for the workflow {1}."
			).format(", ".join(ready["document_types"]), ready["title"])
		)
	return document_types[0]


def _existing_document_types(ready: dict) -> list[str]:
	return [doctype for doctype in ready["document_types"] if frappe.db.exists("DocType", doctype)]


def _free_name(title: str) -> str:
	"""Return the title, with a number if a workflow already has that name."""
	name, number = title, 1
	while frappe.db.exists("Milestone Workflow", name):
		number += 1
		name = f"{title} {number}"
	return name


# Adapting


def _fit_roles(workflow) -> list[str]:
	notes = []
	known = people_validation.read_known(workflow)
	for fieldname in ("team_role", "escalation_role"):
		problem = workflow.get(fieldname) and people_validation.role_problem(workflow.get(fieldname), known)
		if problem:
			workflow.set(fieldname, MANAGER_ROLE)
			notes.append(
				_("{0} {1} is {2} instead.").format(
					problem, _(workflow.meta.get_label(fieldname)), _(MANAGER_ROLE)
				)
			)
	if workflow.supplier_field and people_validation.supplier_field_problem(
		workflow.supplier_field, workflow.document_type
	):
		workflow.supplier_field = None
	return notes


def _add_stage(workflow, stage: dict) -> list[str]:
	"""Add one stage, adapted to the DocType, and return the notes."""
	stage = dict(stage)
	dates_from, reached_by, owners_from = (
		stage.pop(key, []) for key in ("dates_from", "reached_by", "owners_from")
	)
	row = workflow.append("stages", {"stage_name": _(stage.pop("stage_name")), **stage})
	row_fields.fill_choices(row)
	notes = [
		_fit_date(row, dates_from, workflow.document_type),
		_fit_reach(row, reached_by, workflow.document_type),
	]
	_fit_owner(row, owners_from, workflow.document_type)
	return [f"{validation.stage_label(row)}: {note}" for note in notes if note]


def _fit_date(row, fieldnames: list[str], doctype: str) -> str | None:
	"""Count the key date from the first date field that the DocType has; without any it is set manually."""
	if row.key_date_rule != KeyDateRule.DOCUMENT_DATE_FIELD:
		return None
	for fieldname in fieldnames:
		row.date_field = fieldname
		if not list(stage_validation.date_problems(row, row.idx - 1, doctype)):
			return None
	row.update({"key_date_rule": KeyDateRule.SET_MANUALLY.value, "date_field": None, "offset_days": 0})
	return _("{0} has no date field {1}, so its key date is set manually.").format(
		_(doctype), comma_or(fieldnames, add_quotes=False)
	)


def _fit_reach(row, choices: list[list[str]], doctype: str) -> str | None:
	"""Have the stage reached by the first value that its field can have; without any it is confirmed."""
	for fieldname, value in choices:
		row.update(
			{"reach_rule": ReachRule.FIELD_VALUE.value, "track_field": fieldname, "track_value": value}
		)
		if not list(stage_validation.reach_problems(row, doctype)):
			return None
	row.update({"reach_rule": ReachRule.CONFIRMATION.value, "track_field": None, "track_value": None})
	if not choices:
		return None
	conditions = comma_or([f"{fieldname} = {value}" for fieldname, value in choices], add_quotes=False)
	return _("{0} has no {1}, so its owner confirms it.").format(_(doctype), conditions)


def _fit_owner(row, fieldnames: list[str], doctype: str) -> None:
	"""Take the owner from the first user field that the DocType has; without any, the document creator."""
	for fieldname in fieldnames:
		if not people_validation.user_field_problem(fieldname, doctype):
			row.update({"owner_kind": OwnerKind.USER_FIELD.value, "owner_field": fieldname})
			return


def _add_task(workflow, task: dict) -> list[str]:
	"""Add one task, without assignee if the DocType lacks the field for it, and return the notes."""
	row = workflow.append("tasks", {**task, "stage": _(task["stage"]), "title": _(task["title"])})
	problem = task_validation.assignee_problem(row, workflow, people_validation.read_known(workflow))
	if not problem:
		return []
	row.assignee_kind = None
	return [_("{0}: {1} It has no assignee for now.").format(validation.task_label(row), problem)]
