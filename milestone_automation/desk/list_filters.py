"""Filters of a list as the Desk sends them, parsed: known operators, fields that the user may read, typed values."""

from typing import NamedTuple

import frappe
from frappe import _
from frappe.model import child_table_fields, default_fields, no_value_fields, table_fields
from frappe.utils import escape_html
from frappe.utils.data import get_timespan_date_range
from pypika.functions import Cast

from milestone_automation.engine.base import parsing
from milestone_automation.engine.base.field_types import NUMBER_TYPES, TIME_TYPES
from milestone_automation.engine.people import field_rights

OPERATORS = ("=", "!=", ">", "<", ">=", "<=", "like", "not like", "in", "not in", "is", "between", "timespan")
LISTS = ("in", "not in")
PATTERNS = ("like", "not like")
MOST_FILTERS = 50
ORDERED = (">", "<", ">=", "<=")
# Columns that Frappe adds to the tables of documents, and what it adds to those of rows.
OWN_COLUMNS = tuple(name for name in default_fields if name != "doctype")
KEPT_COLUMNS = ("_user_tags", "_comments", "_assign", "_liked_by")


class Column(NamedTuple):
	"""A column to filter by, with its field type."""

	doctype: str
	fieldname: str
	fieldtype: str


class ListFilter(NamedTuple):
	"""A filter whose value has the type of its column; None stands for no value."""

	column: Column
	operator: str
	value: object


def parse(value, doctype: str) -> list[ListFilter]:
	"""Return the filters of a list.

	Args:
		value: a list of rows, [field, operator, value] or with the DocType before; or {field: value}; or their JSON.
		doctype: of the list.

	Raises:
		frappe.ValidationError: says which filter cannot be used and why.
	"""
	rows = parsing.as_json(value) if value else []
	if isinstance(rows, dict):
		rows = [[name, *(one if isinstance(one, list) else ["=", one])] for name, one in rows.items()]
	if not isinstance(rows, list) or len(rows) > MOST_FILTERS:
		raise ValueError
	return [_parse_row(row, doctype) for row in rows]


def expected(argument: str) -> str:
	"""Return the sentence for filters that are none.

	Args:
		argument: the name they were sent by.
	"""
	return _("{0} must be a JSON list of filters, each as [field, operator, value].").format(argument)


def _parse_row(row, doctype: str) -> ListFilter:
	if not isinstance(row, list) or not 3 <= len(row) <= 5:
		raise ValueError
	of, fieldname, operator, value = row[:4] if len(row) > 3 else [doctype, *row]
	column = column_of(of, fieldname, doctype)
	operator = operator.strip().lower() if isinstance(operator, str) else ""
	if operator not in OPERATORS:
		frappe.throw(
			_("{0} is not an operator of filters. Use one of: {1}.").format(
				escape_html(operator), ", ".join(escape_html(allowed) for allowed in OPERATORS)
			)
		)
	try:
		return ListFilter(column, *_parse_value(column, operator, value))
	except (ValueError, TypeError, OverflowError):
		frappe.throw(
			_("The filter on {0} compares it with a value that does not fit the field.").format(
				column.fieldname
			)
		)


def column_of(of, fieldname, doctype: str) -> Column:
	"""Return a column that the session user may ask for.

	Args:
		of: the DocType, or one of its tables, as somebody has sent it.
		fieldname: as somebody has sent it.
		doctype: of the list.

	Raises:
		frappe.ValidationError: there is none, or the user may not read it.
	"""
	tables = {doctype, *(field.options for field in frappe.get_meta(doctype).get_table_fields())}
	is_known = of in tables and isinstance(fieldname, str)
	if is_known and fieldname in _standard_columns(of):
		return Column(of, fieldname, STANDARD_TYPES.get(fieldname, "Data"))
	field = frappe.get_meta(of).get_field(fieldname) if is_known else None
	if (
		not field
		or field.fieldtype in (*no_value_fields, *table_fields)
		or fieldname in field_rights.hidden(of, doctype if of != doctype else None)
	):
		frappe.throw(
			_("{0} has no field {1} to filter by.").format(_(doctype), escape_html(str(fieldname)[:140]))
		)
	return Column(of, fieldname, field.fieldtype)


def _standard_columns(doctype: str) -> tuple[str, ...]:
	return OWN_COLUMNS + (child_table_fields if frappe.get_meta(doctype).istable else KEPT_COLUMNS)


STANDARD_TYPES = {"creation": "Datetime", "modified": "Datetime", "docstatus": "Int", "idx": "Int"}


def _parse_value(column: Column, operator: str, value) -> tuple[str, object]:
	"""Return operator and value with the value in the field's type."""
	if operator == "timespan":
		return "between", _timespan(value)
	if operator == "between":
		return "between", [_cast(column, one) for one in _pair(value)]
	if operator in LISTS:
		parts = value.split(",") if isinstance(value, str) else value
		return operator, [_cast(column, part) for part in parts]
	if operator == "is":
		return operator, parsing.as_choice(str(value).strip().lower(), ("set", "not set")) == "set"
	if operator in PATTERNS:
		return operator, parsing.as_text(value, parsing.NAME_LENGTH)
	if operator in ORDERED and _is_nothing(value):
		raise ValueError
	return operator, _cast(column, value)


def _pair(value) -> tuple:
	first, last = value
	if _is_nothing(first) or _is_nothing(last):
		raise ValueError
	return first, last


def _is_nothing(value) -> bool:
	return value is None or value == ""


def _timespan(value) -> list:
	days = get_timespan_date_range(parsing.as_text(value, parsing.NAME_LENGTH).lower())
	if not days:
		raise ValueError
	return [parsing.as_date(day) for day in days]


def _cast(column: Column, value):
	stored_value = parsing.as_stored(value, column.fieldtype)
	return (
		parsing.as_text(stored_value, parsing.TEXT_LENGTH) if isinstance(stored_value, str) else stored_value
	)


def as_rows(filters: list[ListFilter]) -> list[list]:
	"""Return parsed filters as Frappe's own lists take them.

	Args:
		filters: as `parse` returns them.
	"""
	return [[*one.column[:2], *_for_frappe(one.operator, one.value)] for one in filters]


def _for_frappe(operator: str, value) -> tuple[str, object]:
	if operator == "is":
		return operator, "set" if value else "not set"
	if value is None:
		return "is", "not set" if operator == "=" else "set"
	return operator, value


# Into SQL


def apply(query, doctype: str, filters: list[ListFilter]):
	"""Return a query with filters added; every value is bound.

	Args:
		query: of the query builder, on the table of the DocType.
		doctype: of the list.
		filters: as `parse` returns them.
	"""
	main = frappe.qb.DocType(doctype)
	for column, operator, value in filters:
		table = frappe.qb.DocType(column.doctype)
		criterion = CRITERIA[operator](table[column.fieldname], value, column.fieldtype)
		if column.doctype != doctype:
			rows = frappe.qb.from_(table).select(table.parent).where(table.parenttype == doctype)
			criterion = main.name.isin(rows.where(criterion))
		query = query.where(criterion)
	return query


def _is_empty(field, fieldtype: str):
	"""A number that is 0 is no value, as in Frappe's own lists."""
	if fieldtype in NUMBER_TYPES:
		return field.isnull() | (field == 0)
	return field.isnull() if fieldtype in TIME_TYPES else field.isnull() | (field == "")


def _equals(field, value, fieldtype: str):
	return _is_empty(field, fieldtype) if value is None else field == value


def _is_like(field, pattern: str, fieldtype: str):
	text = Cast(field, "varchar" if frappe.db.db_type == "postgres" else "char")
	return text.ilike(pattern) if frappe.db.db_type == "postgres" else text.like(pattern)


def _is_in(field, values: list, fieldtype: str):
	present_values = [value for value in values if value is not None]
	condition = field.isin(present_values or [None])
	return condition | _is_empty(field, fieldtype) if None in values else condition


def _is_between(field, values: list, fieldtype: str):
	return field[values[0] : values[1]]


def _not(criterion):
	"""What is not so, or has no value: it differs from every value, and is in no list."""
	return lambda field, value, fieldtype: field.isnull() | criterion(field, value, fieldtype).negate()


CRITERIA = {
	"=": _equals,
	"!=": lambda field, value, fieldtype: (
		_is_empty(field, fieldtype).negate() if value is None else field.isnull() | (field != value)
	),
	">": lambda field, value, fieldtype: field > value,
	"<": lambda field, value, fieldtype: field < value,
	">=": lambda field, value, fieldtype: field >= value,
	"<=": lambda field, value, fieldtype: field <= value,
	"like": _is_like,
	"not like": _not(_is_like),
	"in": _is_in,
	"not in": _not(_is_in),
	"between": _is_between,
	"is": lambda field, is_set, fieldtype: (
		_is_empty(field, fieldtype).negate() if is_set else _is_empty(field, fieldtype)
	),
}
