"""A tracked or watched field that goes: trackers and workflows that use it say so at once, to who removes it and on record."""

from collections.abc import Iterator

import frappe
from frappe import _
from frappe.model import default_fields
from frappe.utils import get_link_to_form

from milestone_automation.engine.rules import criteria, names
from milestone_automation.engine.rules.criteria import CriterionKind
from milestone_automation.engine.tracking import conditions, registry
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
	for name, fieldname in _uses_of_workflows(doctype):
		yield "Milestone Workflow", name, fieldname
	for name, fieldname in sorted(_uses_of_criteria(doctype)):
		yield "Milestone Workflow", name, fieldname


def _uses_of_workflows(doctype: str) -> Iterator[tuple[str, str]]:
	"""Yield (workflow, field) of what enabled workflows show, and of what their rows name."""
	filters = {"document_type": doctype, "enabled": 1}
	workflows = frappe.get_all("Milestone Workflow", filters, ["name", "shown_fields"])
	for row in workflows:
		yield from ((row.name, fieldname) for fieldname in names.lines(row.shown_fields))
	parents = [row.name for row in workflows]
	for table, columns in WORKFLOW_ROWS.items():
		rows = frappe.get_all(table, {"parent": ("in", parents)}, ["parent", *columns]) if parents else []
		yield from sorted({(row.parent, row[column]) for row in rows for column in columns if row[column]})


def _uses_of_criteria(doctype: str) -> set[tuple[str, str]]:
	"""Return (workflow, field) of the exit criteria that use fields of a DocType: of their own documents, or of others."""
	uses = set()
	for name, document_type, criterion in _criteria():
		if document_type == doctype and criterion.kind is not CriterionKind.DOCUMENT:
			uses |= {
				(name, fieldname)
				for fieldname in (criterion.field, *conditions.fields_of(criterion.condition))
			}
		elif criterion.doctype == doctype:
			fields = (criterion.link_field.split(".")[0], *conditions.fields_of(criterion.condition))
			uses |= {(name, fieldname) for fieldname in fields}
	return {(name, fieldname) for name, fieldname in uses if fieldname not in default_fields}


def _criteria() -> Iterator[tuple[str, str, criteria.Criterion]]:
	"""Yield workflow, DocType of its documents, and criterion of all enabled workflows with exit criteria."""
	types = dict(
		frappe.get_all("Milestone Workflow", {"enabled": 1}, ["name", "document_type"], as_list=True)
	)
	filters = {"exit_criteria": ("is", "set"), "parent": ("in", list(types))}
	rows = frappe.get_all("Milestone Workflow Stage", filters, ["parent", "exit_criteria"]) if types else ()
	for row in rows:
		for criterion in criteria.parse_or_none(row.exit_criteria) or ():
			yield row.parent, types[row.parent], criterion


def tell_of_doctype(doctype: str) -> None:
	"""Tell which enabled workflows have exit criteria that ask for documents of a DocType that was deleted.

	Each of them gets a comment, once; the user gets a message.

	Args:
		doctype: its name.
	"""
	text = _(
		"The document type {0} no longer exists, so an exit criterion cannot be met any more. Change it."
	)
	for name in sorted({name for name, _type, one in _criteria() if one.doctype == doctype}):
		_write("Milestone Workflow", name, text.format(doctype))


def _say(doctype: str, fieldname: str, user_doctype: str, name: str) -> None:
	text = _("The field {0} of {1} no longer exists. Choose another field.").format(fieldname, _(doctype))
	_write(user_doctype, name, text)


def _write(user_doctype: str, name: str, text: str) -> None:
	reference = {"comment_type": "Comment", "reference_doctype": user_doctype, "reference_name": name}
	if frappe.db.exists("Comment", {**reference, "content": text}):
		return
	comment = frappe.get_doc({"doctype": "Comment", **reference, "content": text})
	comment.insert(ignore_permissions=True)  # the app says it, whoever changed the field
	frappe.msgprint(
		f"{_(user_doctype)} {get_link_to_form(user_doctype, name)}: {text}",
		title=_("Field Is Used by Milestone Automation"),
		indicator="orange",
	)
