"""Frappe filters applied to one document in memory: the same result on every version, and without a query.

Frappe's own `evaluate_filters` compares without the field type, and early versions know fewer operators.
"""

import json
from collections.abc import Iterator
from typing import NamedTuple

import frappe
from frappe import _
from frappe.model import default_fields, no_value_fields, table_fields
from frappe.utils import cstr, escape_html, flt

from milestone_automation.engine.base.field_types import NUMBER_TYPES
from milestone_automation.engine.base.values import DATE_PARSERS
from milestone_automation.engine.tracking.registry import field_type

LIST_OPERATORS = frozenset({"in", "not in"})


class Filter(NamedTuple):
	"""One filter: field, operator in lower case, and the value to compare with."""

	fieldname: str
	operator: str
	value: object


def parse(text: str | list | dict | None) -> list[Filter]:
	"""Parse filters.

	Args:
		text: a list of [field, operator, value] or [DocType, field, operator, value], or an object {field: value} or
			{field: [operator, value]}; as JSON or parsed.

	Raises:
		ValueError: the filters have none of these forms.
	"""
	return [filter_ for _doctype, filter_ in _read(text)]


def _read(text) -> list[tuple[str | None, Filter]]:
	filters = json.loads(text) if isinstance(text, str) and text.strip() else text or []
	if isinstance(filters, dict):
		pairs = ((name, value) for name, value in filters.items())
		filters = [[name, *value] if _is_pair(value) else [name, "=", value] for name, value in pairs]
	if not isinstance(filters, list):
		raise ValueError("not a list")
	return [_read_one(row) for row in filters]


def _is_pair(value) -> bool:
	return isinstance(value, list) and len(value) == 2 and cstr(value[0]).lower() in OPERATORS


def _read_one(row) -> tuple[str | None, Filter]:
	if not isinstance(row, list) or not 3 <= len(row) <= 5:
		raise ValueError("not a filter")
	doctype, (fieldname, operator, value) = (None, row) if len(row) == 3 else (row[0], row[1:4])
	return doctype, Filter(cstr(fieldname), cstr(operator).strip().lower(), value)


def problems(text: str | None, doctype: str) -> Iterator[str]:
	"""Yield the problems of filters on a DocType, as sentences that say what to do.

	Args:
		text: filters, as in `parse`; an operator that cannot be applied to one document is a problem, too.
		doctype: DocType of the documents.
	"""
	try:
		rows = _read(text)
	except ValueError:
		yield _(
			'The filters must be a JSON list of [field, operator, value]. Example: [["status", "=", "Open"]].'
		)
		return
	for filter_doctype, filter_ in rows:
		yield from _problems_of_one(filter_doctype, filter_, doctype)


def _problems_of_one(filter_doctype, filter_: Filter, doctype: str) -> Iterator[str]:
	if filter_doctype and filter_doctype != doctype:
		yield _("The filters use a field of {0}. Only fields of {1} itself can be used.").format(
			escape_html(cstr(filter_doctype)), _(doctype)
		)
	elif not _is_filterable(doctype, filter_.fieldname):
		yield _(
			"The filters use {0}, but {1} has no such field. Use the field's name, not its label."
		).format(escape_html(filter_.fieldname), _(doctype))
	elif filter_.operator not in OPERATORS:
		yield _(
			"The filter on {0} uses {1}, which cannot be applied to one document. Use one of: {2}."
		).format(filter_.fieldname, escape_html(filter_.operator), ", ".join(OPERATORS))
	elif not _is_evaluable(doctype, filter_):
		yield _("The filter on {0} compares it with {1}, which does not fit the field.").format(
			filter_.fieldname, escape_html(cstr(filter_.value))
		)


def _is_filterable(doctype: str, fieldname: str) -> bool:
	if fieldname in default_fields:
		return True
	field = frappe.get_meta(doctype).get_field(fieldname)
	return bool(field) and field.fieldtype not in (*no_value_fields, *table_fields)


def _is_evaluable(doctype: str, filter_: Filter) -> bool:
	try:
		_filter_value(filter_, field_type(doctype, filter_.fieldname))
	except Exception:
		return False
	return True


def match(text: str | None, doc) -> bool:
	"""Tell whether a document matches all filters; without filters it does.

	Args:
		text: filters, as in `parse`.
		doc: the document.

	Raises:
		ValueError: the filters cannot be parsed.
	"""
	return all(_matches(filter_, doc) for filter_ in parse(text))


def _matches(filter_: Filter, doc) -> bool:
	fieldtype = field_type(doc.doctype, filter_.fieldname)
	value = _cast(doc.get(filter_.fieldname), fieldtype)
	return OPERATORS[filter_.operator](value, _filter_value(filter_, fieldtype))


def _filter_value(filter_: Filter, fieldtype: str):
	"""Return the value of a filter in the type of its field."""
	value = filter_.value
	if filter_.operator in LIST_OPERATORS:
		parts = value.split(",") if isinstance(value, str) else value
		return [_cast(part.strip() if isinstance(part, str) else part, fieldtype) for part in parts]
	if filter_.operator == "between":
		start, end = value
		return _cast(start, fieldtype), _cast(end, fieldtype)
	if filter_.operator == "is":
		return {"set": True, "not set": False}[cstr(value).strip().lower()]
	return cstr(value) if filter_.operator in ("like", "not like") else _cast(value, fieldtype)


def _cast(value, fieldtype: str):
	"""Return a value in the type of its field; "" for no value (0 for numbers), as the database compares it."""
	if fieldtype in NUMBER_TYPES:
		return flt(value)
	if value is None or value == "":
		return ""
	return DATE_PARSERS.get(fieldtype, cstr)(value)


def _is_like(value, pattern: str) -> bool:
	"""Compare like a list view: `%` stands for any text, case is ignored; without `%` the text may be anywhere."""
	text, pattern = cstr(value).lower(), pattern.lower()
	parts = pattern.split("%") if "%" in pattern else ["", pattern, ""]
	if not text.startswith(parts[0]) or not text.endswith(parts[-1]):
		return False
	position = len(parts[0])
	for part in parts[1:-1]:
		index = text.find(part, position)
		if index < 0:
			return False
		position = index + len(part)
	return position <= len(text) - len(parts[-1])


def _ordered(compare):
	"""Wrap a comparison so that an empty value is neither before nor after any other."""
	return lambda value, other: value != "" and other != "" and compare(value, other)


OPERATORS = {
	"=": lambda value, other: value == other,
	"!=": lambda value, other: value != other,
	">": _ordered(lambda value, other: value > other),
	"<": _ordered(lambda value, other: value < other),
	">=": _ordered(lambda value, other: value >= other),
	"<=": _ordered(lambda value, other: value <= other),
	"in": lambda value, other: value in other,
	"not in": lambda value, other: value not in other,
	"like": _is_like,
	"not like": lambda value, other: not _is_like(value, other),
	"is": lambda value, other: bool(value) is other,
	"between": lambda value, other: value != "" and other[0] <= value <= other[1],
}
