"""Which DocTypes and fields can be tracked, for trackers and workflows."""

import frappe
import frappe.cache_manager
from frappe import _
from frappe.model import display_fieldtypes, log_types, no_value_fields, table_fields
from frappe.utils import escape_html

from milestone_automation.engine.base import compat

# Secret values, and values that are not readable.
UNTRACKABLE_TYPES = frozenset({*no_value_fields, *display_fieldtypes, *table_fields, "Password", "Signature"})
# Standard columns that can be tracked.
STANDARD_FIELDS = {"docstatus": "Document Status", "owner": "Created By"}
APP_MODULE = "Milestone Automation"


def check_doctype(doctype: str) -> None:
	"""Refuse a DocType whose documents cannot be tracked.

	Args:
		doctype: whatever somebody chose; empty for nothing.

	Raises:
		frappe.ValidationError: says why, and what to choose instead.
	"""
	if not doctype or not frappe.db.exists("DocType", doctype):
		frappe.throw(
			_("DocType {0} does not exist. Choose the DocType of the documents to track.").format(doctype),
			title=_("Cannot Be Tracked"),
		)
	reason = why_not(doctype)
	if reason:
		frappe.throw(reason, title=_("Cannot Be Tracked"))


def why_not(doctype: str) -> str | None:
	"""Return why documents of a DocType cannot be tracked, as a sentence, or None.

	Args:
		doctype: an existing DocType.

	Raises:
		frappe.DoesNotExistError: there is none.
	"""
	meta = frappe.get_meta(doctype)
	if meta.istable:
		return _(
			"{0} is a child table: its rows are saved with their parent. Track a field of the parent."
		).format(_(doctype))
	if meta.issingle:
		return _("{0} is a Single DocType. Choose a DocType with documents.").format(_(doctype))
	if meta.get("is_virtual"):
		return _("{0} is a virtual DocType without a table. Choose another DocType.").format(_(doctype))
	if doctype == "Milestone" or meta.module == APP_MODULE:
		return _("{0} belongs to Milestone Automation and cannot be tracked.").format(_(doctype))
	if doctype in log_types:
		return _("{0} is a log: its documents are written once. Choose the DocType the log is about.").format(
			_(doctype)
		)
	return None


def check_field(doctype: str, fieldname: str | None) -> None:
	"""Refuse a field that does not exist or has no value to record.

	Args:
		doctype: an existing DocType.
		fieldname: whatever somebody chose; None or empty for nothing.

	Raises:
		frappe.ValidationError: names the field and says what to do.
	"""
	reason = why_not_field(doctype, fieldname)
	if reason:
		exists = fieldname and frappe.get_meta(doctype).get_field(fieldname)
		frappe.throw(reason, title=_("Cannot Be Tracked") if exists else _("Unknown Field"))


def why_not_field(doctype: str, fieldname: str | None) -> str | None:
	"""Return why a field of a DocType cannot be tracked, as a sentence, or None.

	Args:
		doctype: an existing DocType.
		fieldname: a field, or one of `STANDARD_FIELDS`; None or empty counts as unknown.
	"""
	if fieldname in STANDARD_FIELDS:
		return None
	field = frappe.get_meta(doctype).get_field(fieldname) if fieldname else None
	if not field:
		return _("{0} has no field {1}. Choose one of its fields.").format(
			_(doctype), escape_html(fieldname) if fieldname else "''"
		)
	if field.fieldtype in UNTRACKABLE_TYPES or field.get("is_virtual"):
		return _(
			"The field {0} of {1} cannot be tracked: it is of type {2} and has no stored value to compare."
		).format(fieldname, _(doctype), _(field.fieldtype))
	return None


def trackable_fields(doctype: str, hidden: set[str] = frozenset()) -> list[dict]:
	"""Return the fields that can be tracked, for the desk.

	Args:
		doctype: DocType of the documents.
		hidden: names of fields to leave out.

	Returns:
		list[dict]: value (field name), label, fieldtype and options, ordered by label.
	"""
	offered = [
		{
			"value": field.fieldname,
			"label": _(field.label or field.fieldname),
			"fieldtype": field.fieldtype,
			"options": field.options,
		}
		for field in frappe.get_meta(doctype).fields
		if field.fieldtype not in UNTRACKABLE_TYPES
		and not field.get("is_virtual")
		and field.fieldname not in hidden
	]
	standard = [
		{"value": name, "label": _(label), "fieldtype": "Int" if name == "docstatus" else "Link"}
		for name, label in STANDARD_FIELDS.items()
	]
	return sorted(offered, key=lambda field: field["label"].lower()) + standard


def clear_core_map(doctype: str) -> None:
	"""Clear core's map of trackers for a DocType, now and at the end of the transaction.

	Args:
		doctype: DocType of the tracked documents.
	"""

	def clear():
		frappe.cache_manager.clear_doctype_map("Milestone Tracker", doctype)

	clear()
	compat.after_transaction(clear)
