"""Importing a ready workflow in the desk."""

import frappe

from milestone_automation.engine.people import rights
from milestone_automation.engine.workflows import ready


def get_ready_workflows() -> list:
	"""Return the ready workflows to choose from.

	Returns:
		list[dict]: as `ready.offer`.

	Raises:
		frappe.PermissionError: the caller may not create workflows.
	"""
	_check_may_create()
	return ready.offer()


def install_ready_workflow(name: str, document_type: str | None = None) -> dict:
	"""Create a disabled Milestone Workflow from a ready one.

	Args:
		name: name of the ready workflow.
		document_type: DocType of its documents; by default the first it is meant for that this site has.

	Returns:
		dict: workflow (its name), notes (sentences about what is different because the DocType lacks something).

	Raises:
		frappe.PermissionError: the caller may not create workflows.
		frappe.ValidationError: documents of the DocType cannot have plans.
	"""
	_check_may_create()
	workflow, notes = ready.prepare(name, document_type)
	workflow.insert()
	return {"workflow": workflow.name, "notes": notes}


def _check_may_create() -> None:
	if not frappe.has_permission("Milestone Workflow", "create"):
		rights.refuse_to_others()
