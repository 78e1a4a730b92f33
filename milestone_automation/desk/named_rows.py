"""Rows and fields of our DocTypes that a request names, looked at before Frappe answers it.

Many calls of Frappe take a DocType and a name. Some ask for no right to the row: they tag or like it, or count by it. Others
find a row by filters before they ask, or say that it is not there to somebody who could not see it anyway. So a row that
is not there and one that may not be seen get one answer here, whichever call is asked. And Frappe lets everybody filter and
sort by fields whose values it would not show them.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import frappe
from frappe import _

from milestone_automation.desk import core_calls
from milestone_automation.engine.base import compat, message_log, parsing
from milestone_automation.engine.people import field_rights, rights

# How calls of Frappe call a DocType, and the name of one of its documents.
ARGUMENTS = {
	"doctype": ("name", "docname", "doc_name"),
	"doc": ("name",),
	"dt": ("dn", "docs"),
	"reference_doctype": ("reference_name", "reference_docname"),
	"ref_doctype": ("ref_docname", "ref_name"),
	"document_type": ("document_name",),
	"reference_dt": ("reference_doc",),
	"reminder_doctype": ("reminder_docname",),
}
# Who has the key of a document may print it, by these calls and on a page; Frappe looks at the key.
PRINTED_BY_KEY = "frappe.utils.print_format."
PRINT_PAGE = "printview"
# Print a document as it is sent, with the rights that the row of its name has.
PRINTED_AS_SENT = "frappe.www.printview."
# Looks names up that were typed in. One that is not there is no error.
NAMES_TYPED_IN = "frappe.client.validate_link"
GET = "frappe.client.get"
# What rows are chosen, sorted and grouped by.
FILTERS = ("filters", "or_filters", "export_filters", "current_filters")
ORDERS = ("order_by", "group_by", "sort_by", "sort_field", "aggregate_on_field", "stats")
# Which columns of rows are asked for.
COLUMNS = ("fields", "fieldname")
# All our DocTypes begin with it.
WORD = "Milestone"
# It counts the rows of any DocType by any filters.
COUNTED = "goal_doctype"


class NamedRow(NamedTuple):
	"""A row that a request names: the argument, the DocType, and the name as it was sent."""

	argument: str
	doctype: str
	name: object


def check() -> None:
	"""Hook after the login of each request: refuse what names a row of ours that the user may not see.

	Raises:
		frappe.PermissionError: there is no such row, or the user may not see it.
		frappe.ValidationError: a name that is none.
	"""
	request = getattr(frappe.local, "request", None)
	if not request or not _is_frappes(request.path, frappe.form_dict.get("cmd")):
		return
	path, form = request.path, frappe.form_dict
	if argument := _looked_up(path, form):
		_hide(form, argument)
		return
	if not _may_name_ours(path, form) or not _names_ours(path, form) or rights.sees_everything():
		return
	if frappe.session.user == "Guest":
		frappe.local.flags.disable_traceback = True
	if core_calls.is_own(form.get(COUNTED)):
		core_calls.refuse()
	for row in _named(path, form):
		_check_row(row)
	for field in _fields_asked(path, form):
		_check_fields(*field)
	_check_links(path, form)
	_pick(form)


def _may_name_ours(path: str, form: dict) -> bool:
	"""Tell by one word whether it is worth to look closer; JSON may write it with escapes."""
	texts = (path, *(str(value) for value in form.values()))
	return any(WORD in text or "\\u" in text for text in texts)


def _names_ours(path: str, form: dict) -> bool:
	"""Tell whether a request names anything of ours; asked of each request, so it costs no query."""
	is_about_ours = core_calls.is_own(form.get(COUNTED)) or _list_of(path, form)
	return bool(is_about_ours) or any(_named(path, form)) or any(_fields_asked(path, form))


def _named(path: str, form: dict) -> Iterator[NamedRow]:
	"""Yield the rows that a request names; a document that is sent to be stored names itself."""
	called = _called(path, form.get("cmd"))
	if not called:
		return _in_path(path)
	return _in_document(form) if called.startswith(PRINTED_AS_SENT) else _in_form(form)


def _is_frappes(path: str, cmd) -> bool:
	"""Tell whether Frappe answers a request as a call; our own calls ask for rights themselves."""
	called = _called(path, cmd)
	if called.startswith(core_calls.APP):
		return False
	is_print_page = _is_print_page(path) and not called
	if (is_print_page or called.startswith(PRINTED_BY_KEY)) and _has_key(frappe.form_dict):
		return False
	return bool(called) or is_print_page or path.startswith("/api/")


def _is_print_page(path: str) -> bool:
	"""Tell whether an address is the page that prints a document. It is no call, but takes a DocType and a name as one."""
	return path.strip("/").removesuffix(".html") == PRINT_PAGE


def _has_key(form: dict) -> bool:
	"""Tell whether a request comes with the key of the document that it names; a wrong one opens nothing."""
	doctype, name, key = (form.get(argument) for argument in ("doctype", "name", "key"))
	if not key or not all(isinstance(one, str) for one in (doctype, name, key)):
		return False
	filters = {"reference_doctype": doctype, "reference_docname": name, "key": key}
	# Keys from before Frappe 14 are no rows.
	return bool(
		frappe.get_system_settings("allow_older_web_view_links")
		or frappe.db.exists("Document Share Key", filters)
	)


def _called(path: str, cmd) -> str:
	"""Return the name of the function that a request calls; empty for none."""
	if isinstance(cmd, str) and cmd:
		return cmd
	kind, *rest = _address(path)
	return rest[0] if kind == "method" and rest else ""


def _address(path: str) -> list[str]:
	"""Return what an address of the API names: its kind, and what follows; an empty kind for any other address."""
	parts = path.strip("/").split("/")
	if parts[0] != "api":
		return [""]
	return (parts[2:] if parts[1:2] in (["v1"], ["v2"]) else parts[1:]) or [""]


def _in_path(path: str) -> Iterator[NamedRow]:
	"""Yield the document of an address as /api/resource/Milestone Plan/abc, or of a later version of it."""
	kind, *rest = _address(path)
	if kind in ("resource", "document") and len(rest) > 1 and core_calls.is_own(rest[0]):
		name = "/".join(rest[1:]).partition("/method/")[0]
		yield NamedRow("name", rest[0], name.removesuffix("/copy") if kind == "document" else name)


def _in_form(form: dict) -> Iterator[NamedRow]:
	for argument, names in ARGUMENTS.items():
		doctype = form.get(argument)
		if not core_calls.is_own(doctype):
			continue
		for name in names:
			if form.get(name):
				yield from (NamedRow(name, doctype, one) for one in _names(name, form[name]))


def _in_document(form: dict) -> Iterator[NamedRow]:
	"""Yield what a call of printing names: by DocType and name, or as a document."""
	document = _parsed(form.get("doc"))
	if isinstance(document, dict) and core_calls.is_own(document.get("doctype")) and document.get("name"):
		yield NamedRow("doc", document["doctype"], document["name"])
	yield from _in_form(form)


def _names(argument: str, value) -> list:
	"""Return the names in an argument; some calls take a list."""
	if argument != "docs":
		return [value]
	try:
		names = parsing.as_json(value) if isinstance(value, str) else value
	except ValueError:
		return [value]
	return names if isinstance(names, list) else [names]


def _pick(form: dict) -> None:
	"""Name the first row that fits filters and that the user may see: `frappe.client.get` takes the first there is."""
	doctype, filters = form.get("doctype"), form.get("filters")
	is_asked = _called(frappe.local.request.path, form.get("cmd")) == GET and core_calls.is_own(doctype)
	if not is_asked or form.get("name") or not filters:
		return
	if frappe.get_meta(doctype).istable:
		core_calls.refuse()
	conditions = core_calls.conditions_of(doctype, filters)
	rows = frappe.get_list(doctype, conditions, pluck="name", order_by="creation", limit=1)
	form["name"] = rows[0] if rows else core_calls.refuse()


def _looked_up(path: str, form: dict) -> str | None:
	"""Return the argument whose name Frappe looks up before it asks for a right, and answers if nothing has it."""
	called = _called(path, form.get("cmd"))
	if called.startswith(NAMES_TYPED_IN):
		return "docname"
	return "name" if not called and _is_print_page(path) else None


def _hide(form: dict, argument: str) -> None:
	"""Put a name that nothing has in place of one that the user may not see."""
	doctype, name = form.get("doctype"), form.get(argument)
	if not core_calls.is_own(doctype) or not isinstance(name, str) or rights.sees_everything():
		return
	messages = message_log.count()
	if not _is_seen(doctype, name):
		form[argument] = frappe.generate_hash(length=20)
	message_log.forget_after(messages)


def _check_row(row: NamedRow) -> None:
	if not isinstance(row.name, str | int):
		frappe.throw(
			_("{0} must be a name of at most {1} characters.").format(row.argument, parsing.NAME_LENGTH),
			title=_("Invalid Value"),
		)
	messages = message_log.count()
	if not _is_seen(row.doctype, str(row.name)):
		message_log.forget_after(messages)
		rights.refuse_hidden(row.doctype, row.name)


def _is_seen(doctype: str, name: str) -> bool:
	meta = frappe.get_meta(doctype)
	if core_calls.is_new(doctype, name):
		return True
	if meta.issingle:
		return bool(frappe.has_permission(doctype, "read"))
	if not meta.istable:
		return rights.can_read_document(doctype, name)
	parent = frappe.db.get_value(doctype, name, ["parenttype", "parent"])
	return bool(parent) and core_calls.is_own(parent[0]) and _is_seen(*parent)


# Fields


def _fields_asked(path: str, form: dict) -> Iterator[tuple[str, str | None, set[str]]]:
	"""Yield a DocType, the DocType of its documents if it is a table, and words that may be names of its fields."""
	list_doctype = _list_of(path, form)
	if list_doctype:
		for argument in ORDERS:
			yield list_doctype, None, _words(str(form.get(argument) or ""))
	for argument in FILTERS:
		for row in _rows_of(_parsed(form.get(argument))):
			if len(row) > 3:
				if core_calls.is_own(row[0]):
					yield row[0], list_doctype, _words(row[1])
			elif list_doctype:
				yield list_doctype, None, _words(row[0])


def _check_links(path: str, form: dict) -> None:
	"""Refuse fields of linked rows (`plan.health`): Frappe 15 asks for no right to these, see `compat`."""
	list_doctype = _list_of(path, form)
	if not list_doctype or compat.asks_for_linked_rows():
		return
	fields = frappe.get_meta(list_doctype).get_link_fields()
	links = {field.fieldname for field in fields if core_calls.is_own(field.options)}
	linking_words = {
		word for text in _texts_asked(form) for word in re.findall(r"(\w+)`?\s*\.", text.lower())
	}
	if links & linking_words:
		core_calls.refuse()


def _texts_asked(form: dict) -> Iterator[str]:
	"""Yield the texts in which columns of rows are named. Of an object, columns are set and not read."""
	texts = (str(form.get(argument) or "") for argument in (*COLUMNS, *ORDERS))
	yield from (text for text in texts if not text.startswith("{"))
	for argument in FILTERS:
		yield from (str(row[1 if len(row) > 3 else 0]) for row in _rows_of(_parsed(form.get(argument))))


def _list_of(path: str, form: dict) -> str | None:
	"""Return the DocType of ours whose rows are asked for."""
	kind, *rest = _address(path)
	doctypes = [form.get("doctype"), *(rest[:1] if kind in ("resource", "document") else ())]
	return next((one for one in doctypes if core_calls.is_own(one)), None)


def _parsed(filters):
	"""Return filters that were sent as JSON; what Frappe could not read either is none."""
	try:
		return parsing.as_json(filters)
	except ValueError:
		return None


def _rows_of(filters) -> Iterator[list]:
	"""Yield filters as rows, in whichever of Frappe's forms they are, and however they are put together."""
	if isinstance(filters, dict):
		yield from ([name, "=", value] for name, value in filters.items())
	elif isinstance(filters, list) and len(filters) > 1 and isinstance(filters[0], str):
		yield filters
	elif isinstance(filters, list):
		for part in filters:
			yield from _rows_of(part)


def _words(text) -> set[str]:
	"""Return the words of a text, in small letters: MariaDB knows a column by any."""
	return set(re.findall(r"\w+", text.lower())) if isinstance(text, str) else set()


def _check_fields(doctype: str, parenttype: str | None, words: set[str]) -> None:
	meta = frappe.get_meta(doctype)
	hidden = field_rights.hidden(doctype, parenttype if meta.istable else None)
	# A field of a linked row is written as `plan.title`.
	linked_doctypes = [field.options for field in meta.get_link_fields() if field.fieldname in words]
	for linked in linked_doctypes:
		hidden = hidden | (field_rights.hidden(linked) if core_calls.is_own(linked) else set())
	if hidden_words := sorted(hidden & words):
		frappe.throw(
			_("{0} has no field {1} to filter by.").format(_(doctype), hidden_words[0]),
			frappe.PermissionError,
		)
