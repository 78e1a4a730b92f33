"""The documents of plans, tasks and milestones as they are stored: values for people from outside, who have no right to them."""

from collections.abc import Iterable

import frappe
from frappe.utils import cstr

from milestone_automation.engine.base import stored_rows
from milestone_automation.engine.people import rights

Key = tuple[str, str]
Documents = dict[Key, frappe._dict]


def key_of(row) -> Key:
	"""Return DocType and name of the document that a row is about."""
	return row.get("reference_type"), cstr(row.get("reference_name"))


def read(rows: Iterable, fieldnames: Iterable[str] | None = None) -> Documents:
	"""Return documents by DocType and name, without the rows of their tables. One query for each DocType.

	Args:
		rows: with `reference_type` and `reference_name`; documents and DocTypes that are gone are left out.
		fieldnames: which fields are asked for; a DocType without one of them leaves it out. All by default.
	"""
	names_of: dict[str, set[str]] = {}
	for doctype, name in {key_of(row) for row in rows}:
		names_of.setdefault(doctype, set()).add(name)
	wanted_fields = None if fieldnames is None else tuple(fieldnames)
	documents = {}
	for doctype, names in names_of.items():
		if rights.stored_meta(doctype):
			columns = stored_rows.columns_of(doctype, wanted_fields)
			row_by_name = stored_rows.read_many(doctype, sorted(names), columns)
			documents |= {
				(doctype, name): frappe._dict(values, doctype=doctype) for name, values in row_by_name.items()
			}
	return documents
