"""The actions a stage may start when it is reached: those of this app and of others."""

import frappe
from frappe import _
from frappe.desk.doctype.notification_log.notification_log import enqueue_create_notification
from frappe.desk.form import assign_to
from frappe.model.workflow import apply_workflow


def actions() -> dict[str, str]:
	"""Return the known actions: name and dotted path of each, those of other apps too."""
	own = {
		"Set Value": f"{__name__}.set_value",
		"Apply Workflow Action": f"{__name__}.apply_workflow_action",
		"Submit": f"{__name__}.submit",
		"Assign": f"{__name__}.assign",
		"Notify": f"{__name__}.notify",
	}
	for name, paths in (frappe.get_hooks("milestone_actions") or {}).items():
		own[name] = paths[-1] if isinstance(paths, list) else paths
	return own


def set_value(doc, plan, stage, field: str, value) -> None:
	"""Set a field of the document and save it."""
	doc.set(field, value)
	doc.save(ignore_permissions=True)  # who may write workflows decides what follows


def apply_workflow_action(doc, plan, stage, workflow_action: str) -> None:
	"""Apply an action of the document's Frappe Workflow, with the rights of whoever reached the stage."""
	apply_workflow(doc, workflow_action)


def submit(doc, plan, stage) -> None:
	"""Submit the document, with the rights of whoever reached the stage."""
	doc.submit()


def assign(doc, plan, stage, user: str, description: str = "") -> None:
	"""Assign the document to a user."""
	assign_to.add(
		{
			"assign_to": [user],
			"doctype": doc.doctype,
			"name": doc.name,
			"description": description or stage.stage_name,
		}
	)


def notify(doc, plan, stage, users: list[str], subject: str = "") -> None:
	"""Send a desk notification about the document."""
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
