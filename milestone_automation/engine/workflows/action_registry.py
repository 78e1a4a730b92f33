"""The actions that a stage may run when it is reached, of this app and of other apps."""

import frappe
from frappe import _
from frappe.desk.doctype.notification_log.notification_log import enqueue_create_notification
from frappe.desk.form import assign_to
from frappe.model.workflow import apply_workflow


def actions() -> dict[str, str]:
	"""Return the dotted path of each action by its name; other apps add theirs with the hook `milestone_actions`."""
	paths_by_name = {
		"Set Value": f"{__name__}.set_value",
		"Apply Workflow Action": f"{__name__}.apply_workflow_action",
		"Submit": f"{__name__}.submit",
		"Assign": f"{__name__}.assign",
		"Notify": f"{__name__}.notify",
	}
	for name, paths in (frappe.get_hooks("milestone_actions") or {}).items():
		paths_by_name[name] = paths[-1] if isinstance(paths, list) else paths
	return paths_by_name


def set_value(doc, plan, stage, field: str, value) -> None:
	"""Set a field of the document and save it."""
	doc.set(field, value)
	doc.save(ignore_permissions=True)  # the step was written by somebody who may write the document


def apply_workflow_action(doc, plan, stage, workflow_action: str) -> None:
	"""Apply an action of the document's Frappe Workflow, with the rights of the user who reached the stage."""
	apply_workflow(doc, workflow_action)


def submit(doc, plan, stage) -> None:
	"""Submit the document, with the rights of the user who reached the stage."""
	doc.submit()


def assign(doc, plan, stage, user: str, description: str = "") -> None:
	"""Assign the document to a user; the milestone's name is the default description."""
	assign_to.add(
		{
			"assign_to": [user],
			"doctype": doc.doctype,
			"name": doc.name,
			"description": description or stage.stage_name,
		}
	)


def notify(doc, plan, stage, users: list[str], subject: str = "") -> None:
	"""Send a desk notification about the document to some users."""
	enqueue_create_notification(
		users,
		{
			"type": "Alert",
			"document_type": doc.doctype,
			"document_name": doc.name,
			"subject": subject or _("{0} was reached for {1}").format(stage.stage_name, doc.name),
			"from_user": frappe.session.user,
		},
	)
