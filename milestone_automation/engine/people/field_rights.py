"""Which fields of a DocType a user may read or write: Frappe's permission levels, and its masks where it has them."""

from collections.abc import Iterator

import frappe
from frappe import _

from milestone_automation.engine.people import rights


def hidden(doctype: str, parenttype: str | None = None, user: str | None = None) -> set[str]:
	"""Return the names of the fields whose values a user may not read.

	Args:
		doctype: DocType, or a child table.
		parenttype: for a child table, the DocType whose permissions count.
		user: the session user by default.
	"""
	user = rights.user_or_session(user)
	if user == "Administrator":
		return set()
	meta = frappe.get_meta(doctype)
	# Whoever reads a document at all reads its first level; shares and ownership may be the reason.
	readable = {0, *_levels(meta, "read", parenttype, user)}
	hidden_fields = {field.fieldname for field in meta.fields if (field.permlevel or 0) not in readable}
	masked = [field for field in meta.fields if field.get("mask")]
	if masked:
		unmasked = _levels(meta, "mask", parenttype, user)
		hidden_fields |= {field.fieldname for field in masked if (field.permlevel or 0) not in unmasked}
	return hidden_fields


def hidden_of_rows(doctype: str, user: str | None = None) -> dict[str, set[str]]:
	"""Return for each table field of a DocType the columns of its rows that a user may not read.

	Args:
		doctype: DocType with the tables; its permissions count.
		user: the session user by default.

	Returns:
		dict: names of columns by name of the table field.
	"""
	tables = frappe.get_meta(doctype).get_table_fields()
	return {field.fieldname: hidden(field.options, doctype, user) for field in tables}


def problems_of_reading(doctype: str, fields: set[str], columns: set[str]) -> Iterator[str]:
	"""Yield which of some fields the session user may not read, as sentences.

	Args:
		doctype: DocType.
		fields: names of its fields.
		columns: names of columns of its tables.
	"""
	hidden_columns = set().union(*hidden_of_rows(doctype).values())
	for name in sorted((hidden(doctype) & fields) | (hidden_columns & columns)):
		yield _("It uses {0}, which you may not read. Ask somebody who may to write it.").format(name)


def may_write(doctype: str, fieldname: str, user: str | None = None, parenttype: str | None = None) -> bool:
	"""Tell whether a user's roles let them change a field of a DocType's documents; asked by permission level only.

	Args:
		doctype: DocType, or a child table.
		fieldname: of the field.
		user: the session user by default.
		parenttype: for a child table, the DocType whose permissions count.
	"""
	user = rights.user_or_session(user)
	meta = frappe.get_meta(doctype)
	level = meta.get_field(fieldname).permlevel or 0
	return user == "Administrator" or level in {0, *_levels(meta, "write", parenttype, user)}


def _levels(meta, right: str, parenttype: str | None, user: str) -> list[int]:
	return meta.get_permlevel_access(right, parenttype, user=user)
