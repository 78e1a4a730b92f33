"""A document nobody has: on it conditions and messages are tried when they are written."""

import datetime

import frappe
from frappe.model import default_fields, no_value_fields, table_fields
from frappe.utils import getdate, now_datetime

from milestone_automation.engine.base.field_types import NUMBER_TYPES

TEXT = "x"
# Of standard columns that hold no text.
STANDARD = {"docstatus": 0, "idx": 1}


def document(doctype: str) -> frappe._dict:
	"""Return values of every field of a DocType, each of its type, with one row in each table.

	Args:
		doctype: a DocType or child table; a table whose own DocType is gone has no rows.

	Raises:
		frappe.DoesNotExistError: there is no such DocType.
	"""
	values = dict.fromkeys(default_fields, TEXT) | STANDARD
	values |= {"doctype": doctype, "creation": now_datetime(), "modified": now_datetime()}
	for field in frappe.get_meta(doctype).fields:
		if field.fieldtype in table_fields:
			values[field.fieldname] = [document(field.options)] if _is_there(field.options) else []
		elif field.fieldtype not in no_value_fields:
			values[field.fieldname] = _value(field)
	return frappe._dict(values)


def _is_there(doctype: str) -> bool:
	return bool(frappe.db.exists("DocType", doctype, cache=True))


def _value(field):
	if field.fieldtype in NUMBER_TYPES:
		return 1
	maker = MAKERS.get(field.fieldtype)
	if maker:
		return maker()
	options = (field.options or "").split("\n") if field.fieldtype == "Select" else []
	return next((option for option in options if option), TEXT)


MAKERS = {
	"Date": getdate,
	"Datetime": now_datetime,
	"Time": lambda: datetime.timedelta(hours=12),
}
