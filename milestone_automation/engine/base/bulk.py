"""Insert and update many rows with few statements."""

import json
from collections import defaultdict

import frappe
from frappe.utils import now

from milestone_automation.engine.base import plain_text
from milestone_automation.engine.base.field_types import NUMBER_TYPES, TIME_TYPES

# With Frappe's ten hex digits, 400,000 rows of one table have a 7 % chance of a collision; with sixteen none.
NAME_LENGTH = 16


def insert_rows(doctype: str, rows: list[dict]) -> list[str]:
	"""Insert rows without document events, one statement for every thousand rows.

	Only for rows that the engine made and checked. Missing names, owners and time stamps are filled in.

	Args:
		doctype: DocType or child table whose names are hashes.
		rows: field values of each row; missing fields get their default.

	Returns:
		list[str]: names of the rows, in the same order.
	"""
	if not rows:
		return []
	stamp, user = now(), frappe.session.user
	standard = {
		"creation": stamp,
		"modified": stamp,
		"owner": user,
		"modified_by": user,
		"docstatus": 0,
		"idx": 0,
	}
	defaults = {**standard, **_defaults(doctype)}
	columns = list(dict.fromkeys([*standard, *(column for row in rows for column in row)]))
	columns = ["name", *(column for column in columns if column != "name")]
	meta = frappe.get_meta(doctype)
	complete = [{"name": new_name(), **plain_text.clean_values(meta, row)} for row in rows]
	values = [[row[c] if row.get(c) is not None else defaults.get(c) for c in columns] for row in complete]
	frappe.db.bulk_insert(doctype, columns, values, chunk_size=1000)
	return [row["name"] for row in complete]


def new_name() -> str:
	"""Return a name for a row that is inserted without the document layer."""
	return frappe.generate_hash(length=NAME_LENGTH)


def _defaults(doctype: str) -> dict:
	"""Return the default of each field that has one, and 0 for numbers, whose columns are NOT NULL."""
	defaults = {}
	for field in frappe.get_meta(doctype).fields:
		if field.fieldtype in NUMBER_TYPES:
			defaults[field.fieldname] = frappe.utils.cint(field.default)
		elif field.default and field.fieldtype not in TIME_TYPES:  # words such as "Today"
			defaults[field.fieldname] = field.default
	return defaults


def update_rows(doctype: str, changes: dict[str, dict]) -> None:
	"""Update rows without document events: one statement for all rows that get the same values.

	Args:
		doctype: DocType of the rows.
		changes: new field values by row name; rows without values are skipped.
	"""
	rows_by_values = defaultdict(list)
	meta = frappe.get_meta(doctype)
	for name, values in changes.items():
		if values:
			values = plain_text.clean_values(meta, values)
			rows_by_values[json.dumps(values, default=str, sort_keys=True)].append((name, values))
	table = frappe.qb.DocType(doctype)
	for rows in rows_by_values.values():
		query = frappe.qb.update(table).where(table.name.isin([name for name, _values in rows]))
		for column, value in rows[0][1].items():
			query = query.set(table[column], value)
		query.run()
