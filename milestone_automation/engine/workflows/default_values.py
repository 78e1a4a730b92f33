"""The value that a field of a new document has if nobody sets it."""

import frappe
from frappe.model.workflow import get_workflow_name
from frappe.utils import cstr

from milestone_automation.engine.base import values
from milestone_automation.engine.base.field_types import NUMBER_TYPES
from milestone_automation.engine.tracking.registry import field_type


def of_field(doctype: str, fieldname: str) -> str:
	"""Return the default value of a field as plans keep it; empty where it has none, or one that is worked out.

	Args:
		doctype: the DocType.
		fieldname: one of its fields, or docstatus.
	"""
	if fieldname == "docstatus":
		return "0"
	if fieldname == _state_field(doctype):
		return cstr(_first_state(doctype))
	field = frappe.get_meta(doctype).get_field(fieldname)
	value = _of_docfield(field) if field else ""
	return values.as_text(value, field_type(doctype, fieldname)).strip()


def _of_docfield(field) -> str:
	"""Return a field's own default. Frappe gives a Select without one its first option."""
	default = cstr(field.default).strip()
	if not default and field.fieldtype == "Select":
		return cstr(field.options).split("\n")[0].strip()
	if not default and field.fieldtype in NUMBER_TYPES:
		return "0"
	return "" if default.startswith((":", "__")) or default in ("Today", "Now", "now") else default


def _state_field(doctype: str) -> str | None:
	workflow = get_workflow_name(doctype)
	return frappe.get_cached_value("Workflow", workflow, "workflow_state_field") if workflow else None


def _first_state(doctype: str) -> str | None:
	states = frappe.get_cached_doc("Workflow", get_workflow_name(doctype)).states
	return states[0].state if states else None
