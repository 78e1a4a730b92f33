"""The fields of a document that a workflow shows to people from outside, with label and value in the reader's language.

A workflow names them, one per line; a plan has its own copy. They are told to whoever is asked from outside, so nobody
chooses a field that they may not read themselves, and what who chose them may no longer read is not shown.
"""

import datetime
from collections.abc import Iterable, Iterator

import frappe
from frappe import _
from frappe.model import table_fields
from frappe.utils import cint, cstr, escape_html, get_datetime, getdate, to_timedelta

from milestone_automation.engine.base import languages
from milestone_automation.engine.people import field_rights, plan_documents, rights
from milestone_automation.engine.rules import names
from milestone_automation.engine.workflows import custom_messages

MOST_FIELDS = 12
MOST_ROWS, MOST_COLUMNS = 10, 4
TEXT_LENGTH = 500
HTML_TYPES = frozenset({"Text Editor", "HTML Editor", "Markdown Editor"})
TEXT_TYPES = frozenset(
	{"Autocomplete", "Data", "Long Text", "Phone", "Read Only", "Small Text", "Text"} | HTML_TYPES
)
NUMBER_TYPES = frozenset({"Currency", "Duration", "Float", "Int", "Percent"})
# What people can read as text; passwords, files, signatures and code are not among them.
SHOWABLE_TYPES = frozenset(
	{"Check", "Date", "Datetime", "Dynamic Link", "Link", "Select", "Time", *table_fields}
	| TEXT_TYPES
	| NUMBER_TYPES
)
COLUMN_TYPES = SHOWABLE_TYPES - set(table_fields)
LINK_TYPES = ("Link", "Dynamic Link")

Shown = list[tuple[str, str]]


# What may be chosen


def problems(workflow) -> Iterator[str]:
	"""Yield what is wrong with the fields that a workflow shows, as sentences.

	Args:
		workflow: Milestone Workflow document with a valid DocType. Whoever saves it must be able to read each field, also
			those that somebody else has chosen: who is asked from outside may have changed since.
	"""
	doctype, chosen = workflow.document_type, names.lines(workflow.shown_fields)
	if len(chosen) > MOST_FIELDS:
		yield _("People from outside are shown at most {0} fields. Leave some out.").format(MOST_FIELDS)
	# Of a stored workflow that somebody uses, the rights of its authors count.
	is_stored = workflow.get_doc_before_save() is workflow
	hidden = set() if is_stored else field_rights.hidden(doctype)
	for fieldname in chosen:
		if problem := _problem(doctype, fieldname, hidden):
			yield problem


def _problem(doctype: str, fieldname: str, hidden: set[str]) -> str | None:
	field = frappe.get_meta(doctype).get_field(fieldname)
	if not field:
		return _("{0} has no field {1} to show to people from outside. Choose another one.").format(
			_(doctype), escape_html(fieldname)
		)
	if not _is_showable(field):
		return _(
			"The field {0} of {1} cannot be shown to people from outside: it is of type {2}. Choose another one."
		).format(fieldname, _(doctype), _(field.fieldtype))
	if fieldname in hidden:
		return _(
			"People from outside cannot be shown {0}, which you may not read. Leave it out, or ask somebody who may read it to save the workflow."
		).format(fieldname)
	return None


def _is_showable(field) -> bool:
	return field.fieldtype in SHOWABLE_TYPES and not field.get("is_virtual")


# What is shown


def of_plans(
	plans: Iterable, documents: plan_documents.Documents | None = None
) -> dict[plan_documents.Key, Shown]:
	"""Return label and value of the shown fields of each plan's document, as text in the language of the moment.

	A constant number of queries for each DocType, none where no workflow shows fields. A field that is gone, or of
	another type by now, one without a value, and one that who chose it may no longer read are left out.

	Args:
		plans: rows with `reference_type`, `reference_name`, `shown_fields` and `shown_fields_by`.
		documents: of the plans, with all fields, where they are read already.

	Returns:
		dict: lists of (label, text) by (DocType, name); only documents that have some.
	"""
	plans = [plan for plan in plans if names.lines(plan.get("shown_fields"))]
	chosen = _chosen(plans)
	documents = plan_documents.read(plans) if documents is None else documents
	documents_of: dict[str, list] = {}
	for key in chosen:
		if key in documents:
			documents_of.setdefault(key[0], []).append(documents[key])
	shown = {}
	for doctype, of_doctype in documents_of.items():
		shown |= _of_documents(doctype, of_doctype, chosen)
	return shown


def _chosen(plans: Iterable) -> dict[plan_documents.Key, list[str]]:
	"""Return the chosen fields that who chose them may still read, by DocType and document."""
	chosen: dict[plan_documents.Key, list[str]] = {}
	hidden: dict[tuple[str, str], set[str]] = {}
	for plan in plans:
		doctype = plan.get("reference_type")
		if not rights.stored_meta(doctype):
			continue
		# Where nobody is on record, what everybody reads.
		chooser = (doctype, plan.get("shown_fields_by") or "Guest")
		if chooser not in hidden:
			hidden[chooser] = field_rights.hidden(doctype, user=chooser[1])
		fieldnames = names.lines(plan.get("shown_fields"))
		chosen[plan_documents.key_of(plan)] = [one for one in fieldnames if one not in hidden[chooser]]
	return chosen


def _of_documents(
	doctype: str, documents: list, chosen: dict[plan_documents.Key, list[str]]
) -> dict[plan_documents.Key, Shown]:
	keys = [(doctype, cstr(document.name)) for document in documents]
	fields = _fields(doctype, [chosen[key] for key in keys])
	texts = _texts_of(doctype, fields.values(), documents)
	texts_by_document = {}
	for key in keys:
		filled_fields = [one for one in chosen[key] if texts.get((key[1], one))]
		if filled_fields:
			texts_by_document[key] = [
				(_label(fields[one]), texts[key[1], one][:TEXT_LENGTH]) for one in filled_fields
			]
	return texts_by_document


def _fields(doctype: str, chosen: Iterable[list[str]]) -> dict:
	"""Return the fields that are still there and can still be shown, by name."""
	meta = frappe.get_meta(doctype)
	fields = {name: meta.get_field(name) for fieldnames in chosen for name in fieldnames}
	return {name: field for name, field in fields.items() if field and _is_showable(field)}


def _texts_of(doctype: str, fields: Iterable, rows: list) -> dict[tuple[str, str], str]:
	"""Return the values of fields as text, by document and field."""
	tables = [field for field in fields if field.fieldtype in table_fields]
	columns = [field for field in fields if field not in tables]
	texts = _Texts()
	texts.read_titles(rows, columns)
	texts_by_field = {
		(cstr(row.name), field.fieldname): texts.of(field, row) for row in rows for field in columns
	}
	for field in tables:
		of_table = _tables(doctype, field, [cstr(row.name) for row in rows], texts)
		texts_by_field |= {(name, field.fieldname): text for name, text in of_table.items()}
	return texts_by_field


def _label(field) -> str:
	return _(field.label or field.fieldname)


def _tables(doctype: str, field, documents: list[str], texts: "_Texts") -> dict[str, str]:
	"""Return the rows of a table field as text, one line each, by document: the columns that its form lists."""
	columns = _columns(field.options)
	filters = {"parenttype": doctype, "parentfield": field.fieldname, "parent": ("in", documents)}
	rows = frappe.get_all(field.options, filters=filters, fields=["*"], order_by="parent, idx")
	texts.read_titles(rows, columns)
	lines: dict[str, list[str]] = {}
	for row in rows:
		row.doctype = field.options
		line = " · ".join(text for column in columns if (text := texts.of(column, row)))
		lines.setdefault(cstr(row.parent), []).append(line)
	return {parent: _few([line for line in of_parent if line]) for parent, of_parent in lines.items()}


def _columns(child: str) -> list:
	"""Return the columns that everybody who reads the document may read, those in its list first chosen."""
	fields = [
		field
		for field in frappe.get_meta(child).fields
		if field.fieldtype in COLUMN_TYPES
		and not (field.permlevel or field.hidden or field.get("mask") or field.get("is_virtual"))
	]
	return ([field for field in fields if field.in_list_view] or fields)[:MOST_COLUMNS]


def _few(lines: list[str]) -> str:
	shown = lines[:MOST_ROWS]
	if len(lines) > MOST_ROWS:
		shown.append(_("and {0} more").format(len(lines) - MOST_ROWS))
	return "\n".join(shown)


class _Texts:
	"""Values as text in the language of the moment, and the titles of what they link to."""

	def __init__(self):
		self.titles: dict[tuple[str, str], str] = {}

	def read_titles(self, rows: list, fields: list) -> None:
		"""Read the titles of all linked documents that show one, a query for each DocType.

		Args:
			rows: of one DocType, or of one table; with `doctype` for links whose DocType another field names.
			fields: its DocFields that will be shown; those that are no links are passed over.
		"""
		linked: dict[str, set[str]] = {}
		for field in fields:
			for row in rows if field.fieldtype in LINK_TYPES else ():
				linked.setdefault(_linked_doctype(field, row), set()).add(cstr(row.get(field.fieldname)))
		for doctype, of_doctype in linked.items():
			meta = rights.stored_meta(doctype)
			title = meta and cint(meta.get("show_title_field_in_link")) and meta.title_field
			if title:
				filters = {"name": ("in", sorted(of_doctype - {""}) or [""])}
				title_rows = frappe.get_all(doctype, filters=filters, fields=["name", title])
				self.titles |= {
					(doctype, cstr(row.name)): cstr(row[title]) for row in title_rows if row[title]
				}

	def of(self, field, row) -> str:
		"""Return the value of a field of a row as text; empty without a value, except of a Check, which is Yes or No.

		Args:
			field: its DocField.
			row: with its `doctype`; of a link the title is shown only if `read_titles` has read it.
		"""
		value = row.get(field.fieldname)
		if field.fieldtype == "Check":
			return _("Yes") if cint(value) else _("No")
		if value is None or value == "":
			return ""
		if field.fieldtype in LINK_TYPES:
			return self._linked(_linked_doctype(field, row), cstr(value))
		if field.fieldtype in NUMBER_TYPES:
			return custom_messages.as_text(cstr(frappe.format_value(value, field, row))).strip()
		if field.fieldtype in HTML_TYPES:
			return custom_messages.as_text(cstr(value)).strip()
		return WRITERS.get(field.fieldtype, cstr)(value).strip()

	def _linked(self, doctype: str, name: str) -> str:
		if title := self.titles.get((doctype, name)):
			return title
		meta = rights.stored_meta(doctype)
		return _(name) if meta and cint(meta.get("translated_doctype")) else name


def _linked_doctype(field, row) -> str:
	return cstr(row.get(field.options) if field.fieldtype == "Dynamic Link" else field.options)


def _moment(value) -> str:
	moment = get_datetime(value)
	return f"{languages.day_text(moment.date())}, {moment:%H:%M}"


def _time(value) -> str:
	return f"{datetime.datetime.min + to_timedelta(cstr(value)):%H:%M}"


def _day(value) -> str:
	return languages.day_text(getdate(value))


def _choice(value) -> str:
	return _(cstr(value))


WRITERS = {"Date": _day, "Datetime": _moment, "Time": _time, "Select": _choice}
