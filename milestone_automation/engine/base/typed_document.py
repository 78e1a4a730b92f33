"""Documents whose values are checked for their type before anything else of them is looked at."""

import datetime
import math
from decimal import Decimal

import frappe
from frappe import _
from frappe.model import default_fields
from frappe.model.base_document import BaseDocument
from frappe.utils import cint, escape_html, flt

from milestone_automation.engine.base import parsing
from milestone_automation.engine.base.field_types import DECIMAL_TYPES, WHOLE_TYPES
from milestone_automation.engine.base.plain_text import PlainTextDocument
from milestone_automation.engine.base.values import DATE_PARSERS

SCALARS = (str, int, float, Decimal, datetime.date, datetime.time, datetime.timedelta, type(None))
# Of a column of whole numbers.
MAX_INTEGER = 2**31 - 1


class TypedDocument(PlainTextDocument):
	"""A document that REST, import or a form may fill with anything; what does not fit a field is refused with its name.

	Frappe itself finds out when it writes the row, after our own rules have read the values.
	"""

	def insert(self, *args, **kwargs):
		"""Insert the document after a check of its values.

		Raises:
			frappe.ValidationError: as `check_values`, besides Frappe's own.
		"""
		check_values(self)
		return super().insert(*args, **kwargs)

	def save(self, *args, **kwargs):
		"""Save the document after a check of its values.

		Raises:
			frappe.ValidationError: as `check_values`, besides Frappe's own.
		"""
		check_values(self)
		return super().save(*args, **kwargs)

	def extend(self, key, value):
		"""Append rows to a table, as each way of filling a document does.

		Args:
			key: fieldname of the table.
			value: the rows.

		Raises:
			frappe.ValidationError: names the field; one of them is no row.
		"""
		try:
			rows = list(value)
		except TypeError:
			rows = [value]
		if not all(row is None or isinstance(row, dict | BaseDocument) for row in rows):
			_refuse(_(self.meta.get_label(key)))
		return super().extend(key, rows)


def check_values(doc) -> None:
	"""Refuse values that do not fit their fields, also in rows.

	Args:
		doc: the document.

	Raises:
		frappe.ValidationError: names the field.
	"""
	_check_default_fields(doc)
	for field in doc.meta.fields:
		value = _stripped(doc, field)
		if field.fieldtype in frappe.model.table_fields:
			for row in value or []:
				check_values(row)
		elif value is not None and value != "" and not _fits(value, field.fieldtype):
			_refuse(_(field.label or field.fieldname))


def _check_default_fields(doc) -> None:
	for fieldname in default_fields:
		if not isinstance(doc.get(fieldname), SCALARS) or not parsing.is_storable(doc.get(fieldname)):
			_refuse(_(fieldname))
	if not _is_docstatus(doc.get("docstatus")):
		_refuse(_("Document Status"))


def _is_docstatus(value) -> bool:
	"""Tell whether Frappe can read a document status; newer ones read it as a number in the first steps of a save."""
	try:
		return int(value or 0) in (0, 1, 2)
	except (ValueError, TypeError, OverflowError):
		return False


def _stripped(doc, field):
	"""Return the value of a field; a choice without spaces around it, as Frappe makes it after our rules have read it."""
	value = doc.get(field.fieldname)
	if field.fieldtype == "Select" and isinstance(value, str) and value != value.strip():
		doc.set(field.fieldname, value.strip())
	return doc.get(field.fieldname)


def _fits(value, fieldtype: str) -> bool:
	if not isinstance(value, SCALARS) or not parsing.is_storable(value):
		return False
	try:
		if fieldtype in WHOLE_TYPES:
			return abs(cint(value)) <= MAX_INTEGER
		if fieldtype in DECIMAL_TYPES:
			return math.isfinite(flt(value))
		return fieldtype not in DATE_PARSERS or DATE_PARSERS[fieldtype](value) is not None
	except (ValueError, TypeError, OverflowError, frappe.ValidationError):
		frappe.clear_last_message()
		return False


def _refuse(label: str) -> None:
	frappe.throw(
		_("{0} has a value that does not fit the field. Enter another one.").format(escape_html(label)),
		title=_("Invalid Value"),
	)
