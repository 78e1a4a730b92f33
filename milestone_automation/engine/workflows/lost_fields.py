"""A tracked or watched field that goes: trackers and workflows that use it say so at once, to who removes it and on record."""

from collections.abc import Iterator

import frappe
from frappe import _
from frappe.utils import get_link_to_form

from milestone_automation.engine.tracking import registry
from milestone_automation.engine.tracking.trackable import STANDARD_FIELDS

WORKFLOW_ROWS = {
	"Milestone Workflow Stage": ("track_field", "date_field", "owner_field"),
	"Milestone Workflow Task": ("assignee_field",),
}


def tell(doctype: str, going: str | None = None) -> None:
	"""Tell which trackers and enabled workflows of a DocType use fields that it no longer has.

	Each of them gets a comment, once for each field; the user gets a message.

	Args:
		doctype: the DocType, after its fields changed.
		going: a field that is just about to be removed.
	"""
	present = {
		*STANDARD_FIELDS,
		*(field.fieldname for field in frappe.get_meta(doctype, cached=False).fields),
	}
	present.discard(going)
	for user_doctype, name, fieldname in _uses(doctype):
		if fieldname and fieldname not in present:
			_say(doctype, fieldname, user_doctype, name)


def _uses(doctype: str) -> Iterator[tuple[str, str, str]]:
	"""Yield (DocType, name, field) for each use of a field by a tracker or workflow, each once."""
	rules = registry.for_doctype(doctype)
	if rules and rules.tracker:
		for field in rules.tracker.fields:
			yield "Milestone Tracker", rules.tracker.name, field.fieldname
	names = frappe.get_all("Milestone Workflow", {"document_type": doctype, "enabled": 1}, pluck="name")
	for table, columns in WORKFLOW_ROWS.items():
		rows = frappe.get_all(table, {"parent": ("in", names)}, ["parent", *columns]) if names else []
		used = {(row.parent, row[column]) for row in rows for column in columns if row[column]}
		for name, fieldname in sorted(used):
			yield "Milestone Workflow", name, fieldname


def _say(doctype: str, fieldname: str, user_doctype: str, name: str) -> None:
	text = _("The field {0} of {1} no longer exists. Choose another field.").format(fieldname, _(doctype))
	about = {"comment_type": "Comment", "reference_doctype": user_doctype, "reference_name": name}
	if frappe.db.exists("Comment", {**about, "content": text}):
		return
	comment = frappe.get_doc({"doctype": "Comment", **about, "content": text})
	comment.insert(
		ignore_permissions=True
	)  # the app says it, whatever rights the user has on trackers and workflows
	frappe.msgprint(
		f"{_(user_doctype)} {get_link_to_form(user_doctype, name)}: {text}",
		title=_("Field Is Used by Milestone Automation"),
		indicator="orange",
	)
