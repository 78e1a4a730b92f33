"""What exit criteria say to people, and the links of other documents they go by."""

from collections.abc import Iterable

from frappe import _
from frappe.model import no_value_fields, table_fields

from milestone_automation.engine.people import field_rights, readable, rights
from milestone_automation.engine.rules.criteria import Criterion, CriterionKind, CriterionState, Verdict

# What nobody is kept from reading: for texts that are stored once and shown to all readers of a plan.
ANYBODY = "Guest"


def describe(criterion: Criterion, doctype: str, user: str | None = None) -> str:
	"""Return what a criterion asks for, in the language of the moment.

	Neither a document nor a value is named, no field that the reader may not read, and no other document type unless the
	reader may read all of its documents. A label is its author's own word to everybody.

	Args:
		criterion: the criterion.
		doctype: DocType of the plan's document.
		user: who reads it; the session user by default.
	"""
	if criterion.label:
		return criterion.label
	if criterion.kind is CriterionKind.FIELD_SET:
		return _describe_field(criterion.field, doctype, user)
	if criterion.kind is CriterionKind.DOCUMENT:
		return _describe_document(criterion.doctype, user)
	return {
		CriterionKind.CONDITION: _("The document meets a condition"),
		CriterionKind.FILE: _("A file is attached"),
		CriterionKind.COMMENT: _("A comment was given"),
	}[criterion.kind]


def _describe_field(fieldname: str, doctype: str, user: str | None) -> str:
	meta = rights.stored_meta(doctype)
	if meta and fieldname in field_rights.hidden(doctype, user=user):
		return _("A field that not everybody may read is set")
	field = meta and meta.get_field(fieldname)
	return _("{0} is set").format(_(field.label) if field and field.label else fieldname)


def _describe_document(doctype: str, user: str | None) -> str:
	meta = rights.stored_meta(doctype)
	if meta and not reads_all(doctype, user):
		return _("A document that not everybody may read exists")
	is_submitted = meta and meta.is_submittable
	text = _("{0} exists and is submitted") if is_submitted else _("{0} exists")
	return text.format(_(doctype))


def reads_all(doctype: str, user: str | None = None) -> bool:
	"""Tell whether a user may read all documents of a DocType: only then nothing said of them is news about others'.

	Args:
		doctype: of the other documents.
		user: the session user by default.
	"""
	user = rights.user_or_session(user)
	return rights.sees_everything(user) or readable.condition(doctype, user) == ""


def describe_all(verdicts: Iterable[Verdict], doctype: str, user: str | None = None) -> list[str]:
	"""Return what some criteria ask for, see `describe`.

	Args:
		verdicts: how the criteria stand.
		doctype, user: as in `describe`.
	"""
	return [describe(verdict.criterion, doctype, user) for verdict in verdicts]


def describe_unmet(verdict: Verdict, doctype: str) -> str:
	"""Return what a criterion that is not met asks of the session user, see `describe`; one that is broken says so.

	Args:
		verdict: of a criterion that is open or broken.
		doctype: as in `describe`.
	"""
	text = describe(verdict.criterion, doctype)
	if verdict.state is CriterionState.BROKEN:
		text += " " + _("(cannot be checked: what it asks for no longer exists)")
	return text


def link_of(doctype: str, link_field: str):
	"""Return the table with a link of a DocType, and the field itself; None where there is no such link.

	Args:
		doctype: DocType of the other documents.
		link_field: fieldname, or "table.field" for a field of their rows.
	"""
	meta = rights.stored_meta(doctype)
	table, _dot, fieldname = link_field.rpartition(".")
	if meta and table:
		rows = meta.get_field(table)
		meta = rights.stored_meta(rows.options) if rows and rows.fieldtype in table_fields else None
	field = meta and meta.get_field(fieldname)
	is_link = field and field.fieldtype in ("Link", "Dynamic Link")
	return (meta.name, field) if is_link else None


def leads_to(field, doctype: str) -> bool:
	"""Tell whether a Link or Dynamic Link can name documents of a DocType.

	Args:
		field: of a meta.
		doctype: DocType of the documents.
	"""
	return field.fieldtype == "Dynamic Link" or field.options == doctype


def can_be_set(field) -> bool:
	"""Tell whether a field holds a value or rows that a criterion may ask for: no layout, nothing worked out each time.

	Args:
		field: of a meta.
	"""
	holds = field.fieldtype not in no_value_fields or field.fieldtype in table_fields
	return holds and not field.get("is_virtual")
