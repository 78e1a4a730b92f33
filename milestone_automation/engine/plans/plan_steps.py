"""The next step that starts a plan. A document has one plan, so it starts that of another document."""

import frappe
from frappe import _

from milestone_automation.engine.plans import starting


def start_plan(doc, plan, stage, link_field: str, workflow: str | None = None) -> None:
	"""Start the plan of the document that a field links to, as the session user could; one that has a plan keeps it.

	Args:
		doc, plan, stage: as for every action.
		link_field: of the document.
		workflow: name of a Milestone Workflow; the one that matches by default.

	Raises:
		frappe.ValidationError: the field is empty, or no workflow matches.
		frappe.PermissionError: the session user may not write the other document.
	"""
	name, field = doc.get(link_field), doc.meta.get_field(link_field)
	if not name:
		frappe.throw(_("{0} is empty, so there is no document to start a plan for.").format(_(field.label)))
	other = frappe.get_doc(field.options, name)
	other.check_permission("write")
	starting.start(other, workflow, by_hand=True)
