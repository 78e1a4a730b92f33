"""Calls of the desk to import a ready workflow."""

import frappe
from frappe import _

from milestone_automation.engine.workflows import ready


def get_ready_workflows() -> list:
	"""Return the ready workflows to choose from.

	Returns:
		list[dict]: name, title, description, stages and tasks (how many), document_types (those of this site it is
		meant for; it can be installed for any other).

	Raises:
		frappe.PermissionError: the caller may not create workflows.
	"""
	_check_may_create()
	return ready.offer()


def install_ready_workflow(name: str, document_type: str | None = None) -> dict:
	"""Make a Milestone Workflow of a ready one, disabled.

	Args:
		name: of the ready workflow.
		document_type: for which documents; the first it is meant for by default.

	Returns:
		dict: workflow (its name), notes (what was done differently because the DocType lacks it).

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
		frappe.throw(
			_("Only a System Manager or Milestone Manager may make workflows. Ask one of them."),
			frappe.PermissionError,
		)
