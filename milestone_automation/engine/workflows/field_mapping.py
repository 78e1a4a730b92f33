"""What a next step writes into fields: each with a plain value, a field of the document, or a formula.

	[{"field": "customer", "from": "customer"}, {"field": "qty", "value": 1},
	 {"field": "rate", "formula": "doc.grand_total * 30 / 100"}]

A row of a table may be made once, or for each row of a table of the document; then `from` is a field of that row, and a
formula knows it as `row`.
"""

from collections.abc import Iterator
from typing import NamedTuple

import frappe
from frappe import _
from frappe.model import no_value_fields, table_fields
from frappe.utils import cstr, escape_html

from milestone_automation.engine.people import field_rights
from milestone_automation.engine.tracking import conditions, expressions

# What a step cannot write: no value, rows of a table, a secret.
UNWRITABLE_TYPES = frozenset({*no_value_fields, *table_fields, "Password"})
SCALARS = (str, int, float, bool, type(None))
# Where a value comes from.
SOURCES = ("value", "from", "formula")
# Of every document and row.
STANDARD = ("name", "owner", "creation")
MOST_FIELDS = 100


class Place(NamedTuple):
	"""What is written, and what is read for it.

	Attributes:
		target: DocType of the document or row that gets the values.
		target_parent: DocType of the document that has this row; None for a document.
		source: DocType of the document that is read.
		source_row: DocType of its row that is read; None for none.
	"""

	target: str
	target_parent: str | None
	source: str
	source_row: str | None = None


def problems(mapping, place: Place) -> Iterator[str]:
	"""Yield what is wrong with a mapping, or what of it the session user may not do.

	Args:
		mapping: a list of objects with `field` and one of `value`, `from` and `formula`.
		place: what is written and read.
	"""
	if not _is_mapping(mapping):
		yield _("A next step that sets fields takes a list of objects such as {0}.").format(
			escape_html('{"field": "status", "value": "Approved"}')
		)
		return
	for row in mapping:
		fault = target_problem(row["field"], place.target, place.target_parent)
		if fault:
			yield fault
		else:
			yield from _source_problems(row, place)


def _is_mapping(mapping) -> bool:
	is_list = isinstance(mapping, list) and 0 < len(mapping) <= MOST_FIELDS
	return is_list and all(_is_row(row) for row in mapping)


def _is_row(row) -> bool:
	if not isinstance(row, dict) or not isinstance(row.get("field"), str):
		return False
	return len(row) == 2 and any(name in row for name in SOURCES)


def target_problem(fieldname, doctype: str, parent: str | None = None) -> str | None:
	"""Return why a next step of the session user cannot set a field, as a sentence; None if it can.

	Args:
		fieldname: as the step says it; anything but a field's name is a problem.
		doctype: DocType of the document or row that gets the value.
		parent: for a row, DocType of its document, whose permissions count.
	"""
	field = frappe.get_meta(doctype).get_field(fieldname) if isinstance(fieldname, str) else None
	if not field or field.fieldtype in UNWRITABLE_TYPES or field.get("is_virtual"):
		return _(
			"{0} has no field {1} that a next step could set. Choose a field with a plain value."
		).format(_(doctype), escape_html(cstr(fieldname)))
	if not field_rights.may_write(doctype, fieldname, parenttype=parent):
		return _("You may not change {0} of {1}, so no next step of yours can. Ask somebody who may.").format(
			fieldname, _(doctype)
		)
	return None


def source_problems(mapping: list[dict], place: Place) -> Iterator[str]:
	"""Yield what of the values of a checked mapping the session user may not read, whoever has written it.

	Args:
		mapping, place: as for `problems`.
	"""
	for row in mapping:
		yield from _source_problems(row, place)


def _source_problems(row: dict, place: Place) -> Iterator[str]:
	if "value" in row:
		if not isinstance(row["value"], SCALARS):
			yield _("A next step sets {0} to one plain value, not to a list.").format(row["field"])
	elif "from" in row:
		yield from _field_problems(row["from"], place)
	else:
		yield from _formula_problems(row["formula"], place)


def _field_problems(fieldname, place: Place) -> Iterator[str]:
	doctype = place.source_row or place.source
	field = frappe.get_meta(doctype).get_field(fieldname) if isinstance(fieldname, str) else None
	if fieldname not in STANDARD and (not field or field.fieldtype in UNWRITABLE_TYPES):
		yield _(
			"{0} has no field {1} that a next step could copy. Choose a field with a plain value."
		).format(_(doctype), escape_html(cstr(fieldname)))
	elif place.source_row:
		yield from field_rights.problems_of_reading(place.source, set(), {fieldname} - {*STANDARD})
	else:
		yield from field_rights.problems_of_reading(place.source, {fieldname}, set())


def _formula_problems(formula, place: Place) -> Iterator[str]:
	if not isinstance(formula, str) or not formula.strip():
		yield _("Enter the formula. Example: {0}").format("doc.grand_total * 30 / 100")
		return
	fault = conditions.formula_problem(formula, place.source, place.source_row)
	if fault:
		yield fault
		return
	used = conditions.fields_used(formula, place.source, has_row=bool(place.source_row))
	yield from field_rights.problems_of_reading(place.source, *used)


def values(mapping: list[dict], doc, row=None) -> dict:
	"""Return what a checked mapping makes of a document.

	Args:
		mapping: as for `problems`.
		doc: the document that is read.
		row: its row that is read; None for none.

	Raises:
		Exception: what a formula raises, `BudgetExceeded` too.
	"""
	return {one["field"]: _value(one, doc, row) for one in mapping}


def _value(rule: dict, doc, row):
	if "value" in rule:
		return rule["value"]
	if "from" in rule:
		return (doc if row is None else row).get(rule["from"])
	return expressions.evaluate(rule["formula"].strip(), doc, row)
