"""Ready workflows to start from: JSON files beside this module, fitted to the DocType they are installed for.

A file is written for one DocType, yet names several fields where one might be missing (`dates_from`, `reached_by`,
`owners_from`). What a DocType does not have falls back to something that always works, and every such step is told.
"""

import json
from pathlib import Path

import frappe
from frappe import _

from milestone_automation.engine.people.rights import MANAGER_ROLE
from milestone_automation.engine.rules.vocabulary import KeyDateRule, OwnerKind, ReachRule
from milestone_automation.engine.tracking import trackable
from milestone_automation.engine.workflows import (
	people_validation,
	row_fields,
	stage_validation,
	task_validation,
	validation,
)

FOLDER = Path(__file__).parent / "ready_made"


def names() -> list[str]:
	"""Return the names of the ready workflows: those of their files."""
	return sorted(file.stem for file in FOLDER.glob("*.json"))


def read(name: str) -> dict:
	"""Return a ready workflow as its file says it.

	Raises:
		frappe.DoesNotExistError: names those there are.
	"""
	if name not in names():
		frappe.throw(
			_("There is no ready workflow {0}. Choose one of: {1}.").format(name, ", ".join(names())),
			frappe.DoesNotExistError,
		)
	return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def offer() -> list[dict]:
	"""Return what the desk offers: name, title, description, number of stages and tasks, and the DocTypes of this
	site each is meant for (it can be installed for others)."""
	return [_offer_of(name) for name in names()]


def _offer_of(name: str) -> dict:
	ready = read(name)
	return {
		"name": name,
		"title": _(ready["title"]),
		"description": _(ready["description"]),
		"stages": len(ready["stages"]),
		"tasks": len(ready["tasks"]),
		"document_types": _document_types_here(ready),
	}


def install(name: str, document_type: str | None = None) -> str:
	"""Make a Milestone Workflow of a ready one, disabled: somebody looks it over and enables it.

	Args:
		name: of the ready workflow.
		document_type: for which documents; by default the first it is meant for that this site has.

	Returns:
		str: name of the workflow.

	Raises:
		frappe.ValidationError: the DocType cannot have plans, or the site has none of those it is meant for.
		frappe.PermissionError: the user may not create workflows.
	"""
	workflow, _notes = prepare(name, document_type)
	return workflow.insert().name


def prepare(name: str, document_type: str | None = None):
	"""Fit a ready workflow to a DocType without writing anything.

	Args:
		name, document_type: as `install`.

	Returns:
		tuple: the Milestone Workflow document, not inserted; and the list of notes, sentences on what fell back to
		something else because the DocType or the site does not have it.
	"""
	ready = read(name)
	document_type = document_type or _first_document_type(ready)
	trackable.check_doctype(document_type)
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
	there = _document_types_here(ready)
	if not there:
		frappe.throw(
			_("This site has none of {0}. Choose the document type the workflow {1} is to be for.").format(
				", ".join(ready["document_types"]), ready["title"]
			)
		)
	return there[0]


def _document_types_here(ready: dict) -> list[str]:
	return [doctype for doctype in ready["document_types"] if frappe.db.exists("DocType", doctype)]


def _free_name(title: str) -> str:
	"""Return the title, with a number if a workflow is called so already."""
	name, number = title, 1
	while frappe.db.exists("Milestone Workflow", name):
		number += 1
		name = f"{title} {number}"
	return name


# Fitting


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
	"""Add one stage, fitted to the DocType; return the notes."""
	stage = dict(stage)
	dates_from, reached_by, owners_from = (
		stage.pop(key, []) for key in ("dates_from", "reached_by", "owners_from")
	)
	row = workflow.append("stages", {"stage_name": _(stage.pop("stage_name")), **stage})
	row_fields.fill_choices(row)
	faults = [
		_fit_date(row, dates_from, workflow.document_type),
		_fit_reach(row, reached_by, workflow.document_type),
	]
	_fit_owner(row, owners_from, workflow.document_type)
	return [f"{validation.stage_label(row)}: {fault}" for fault in faults if fault]


def _fit_date(row, fieldnames: list[str], doctype: str) -> str | None:
	"""Count a key date from the first of some date fields the DocType has; without any it is set by hand."""
	if row.key_date_rule != KeyDateRule.DOCUMENT_DATE_FIELD:
		return None
	for fieldname in fieldnames:
		row.date_field = fieldname
		if not list(stage_validation.date_problems(row, row.idx - 1, doctype)):
			return None
	row.update({"key_date_rule": KeyDateRule.SET_MANUALLY.value, "date_field": None, "offset_days": 0})
	return _("{0} has no date field {1}, so its key date is set by hand.").format(_(doctype), _or(fieldnames))


def _fit_reach(row, choices: list[list[str]], doctype: str) -> str | None:
	"""Have a stage reached by the first of some values a field can have; without any it is confirmed."""
	for fieldname, value in choices:
		row.update(
			{"reach_rule": ReachRule.FIELD_VALUE.value, "track_field": fieldname, "track_value": value}
		)
		if not list(stage_validation.reach_problems(row, doctype)):
			return None
	row.update({"reach_rule": ReachRule.CONFIRMATION.value, "track_field": None, "track_value": None})
	if not choices:
		return None
	wanted = _or([f"{fieldname} = {value}" for fieldname, value in choices])
	return _("{0} has no {1}, so its owner confirms it.").format(_(doctype), wanted)


def _fit_owner(row, fieldnames: list[str], doctype: str) -> None:
	"""Let the first of some user fields the DocType has name the owner; without any, who made the document."""
	for fieldname in fieldnames:
		if not people_validation.user_field_problem(fieldname, doctype):
			row.update({"owner_kind": OwnerKind.USER_FIELD.value, "owner_field": fieldname})
			return


def _add_task(workflow, task: dict) -> list[str]:
	"""Add one task; who cannot be found by this DocType is nobody. Return the notes."""
	row = workflow.append("tasks", {**task, "stage": _(task["stage"]), "title": _(task["title"])})
	problem = task_validation.assignee_problem(row, workflow, people_validation.read_known(workflow))
	if not problem:
		return []
	row.assignee_kind = None
	return [_("{0}: {1} It has no assignee for now.").format(validation.task_label(row), problem)]


def _or(words: list[str]) -> str:
	return _(" or ").join(words)
