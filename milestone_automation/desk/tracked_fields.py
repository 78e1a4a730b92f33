"""The fields whose milestones a report can count."""

import frappe
from frappe import _

from milestone_automation.engine.people import field_rights
from milestone_automation.engine.progress.stages import CONFIRMED_FIELD
from milestone_automation.engine.tracking import registry


def tracked_fields(doctype: str) -> list[dict]:
	"""Return the recorded fields of a DocType that the session user may read, and the confirmed milestones of its plans.

	Args:
		doctype: its name.

	Returns:
		list[dict]: value (field name) and label.
	"""
	rules = registry.for_doctype(doctype)
	if not rules:
		return []
	meta, hidden = frappe.get_meta(doctype), field_rights.hidden(doctype)
	fields = [
		{"value": field.fieldname, "label": _(meta.get_label(field.fieldname))}
		for field in registry.tracked_fields(doctype)
		if field.fieldname not in hidden
	]
	if rules.has_workflow:
		fields.append({"value": CONFIRMED_FIELD, "label": _("Confirmed Milestones")})
	return fields
