"""A document's row as it is stored now, whatever the document in memory says."""

import functools

import frappe
from frappe.utils import get_datetime
from pypika.terms import Parameter

from milestone_automation.engine.base import guard, locks


def columns_of(doctype: str, fieldnames=None) -> tuple[str, ...]:
	"""Return the fields that a DocType keeps in a column of its table, each once, in order.

	Frappe counts virtual fields among the valid columns, and they have none.

	Args:
		doctype: of a document with a table of its own, or of rows.
		fieldnames: those asked for; all by default.
	"""
	meta = frappe.get_meta(doctype)
	valid = meta.get_valid_columns()
	if fieldnames is not None:
		column_names = set(valid)
		valid = (name for name in fieldnames if name in column_names)
	return tuple(name for name in dict.fromkeys(valid) if not _is_virtual(meta, name))


def _is_virtual(meta, fieldname: str) -> bool:
	field = meta.get_field(fieldname)
	return bool(field and field.get("is_virtual"))


def read(doctype: str, name, columns: tuple[str, ...], lock: bool = False) -> dict | None:
	"""Return the stored values of some columns of a document; None where there is no such row. One query.

	Args:
		doctype: of a document with a table of its own.
		name: as the document has it: a number for names that are counted.
		columns: of its table.
		lock: read what is committed now, and hold the row until the transaction ends.
	"""
	lock = lock and not locks.is_only_writer()
	rows = frappe.db.sql(_query(frappe.db.db_type, doctype, columns, lock), {"name": name})
	return dict(zip(columns, rows[0], strict=True)) if rows else None


def is_inserted(doc, created_on) -> bool:
	"""Tell whether the insert under way has written a row: with `ignore_if_duplicate` Frappe goes on where one is there.

	Args:
		doc: the document that Frappe inserts.
		created_on: `creation` of the row that has its name; None where it was not read.
	"""
	return not created_on or get_datetime(created_on) >= get_datetime(doc.creation)


def read_many(doctype: str, names: list[str], columns: tuple[str, ...]) -> dict[str, dict]:
	"""Return the stored values of some columns of several documents, by name as text. One query; none for no names.

	Args:
		doctype: of documents with a table of their own.
		names: as text or as the documents have them; those of no row are left out.
		columns: of the table.
	"""
	if not names:
		return {}
	row = frappe.qb.DocType(doctype)
	query = frappe.qb.from_(row).select(row.name, *(row[column] for column in columns))
	rows = query.where(row.name.isin(_names(doctype, names))).run()
	return {str(cells[0]): dict(zip(columns, cells[1:], strict=True)) for cells in rows}


def name_in_column(doctype: str, name):
	"""Return the name of a document as its column keeps it; None for a text where names are numbers.

	Args:
		doctype: of the document.
		name: text or number.
	"""
	names = _names(doctype, [name])
	return names[0] if names else None


def _names(doctype: str, names: list[str]) -> list:
	"""Return names as the column keeps them: PostgreSQL compares no text with a number."""
	if frappe.get_meta(doctype).autoname != "autoincrement":
		return names
	return [int(name) for name in names if str(name).isdigit()]


def locked_document(doctype: str, name):
	"""Return a document as it is committed now, with its tables, locked until the transaction ends.

	A plan is locked, and so read as it is committed now. MariaDB shows everything else as it was when the transaction
	began: a save in between, which the plan knows, would look as if it had been taken back.

	Args:
		doctype, name: of the document; the DocType may be gone.

	Returns:
		None where there is no such document.

	Raises:
		ConflictError: somebody else is changing it.
	"""
	if not frappe.db.exists("DocType", doctype, cache=True):
		return None
	with guard.translate_conflicts():
		if not read(doctype, name_in_column(doctype, name), ("name",), lock=True):
			return None
		return frappe.get_doc(doctype, name, for_update=frappe.db.db_type != "sqlite")


@functools.cache
def _query(db_type: str, doctype: str, columns: tuple[str, ...], lock: bool) -> str:
	"""Return the query's text: building it takes longer than running it."""
	row = frappe.qb.DocType(doctype)
	query = frappe.qb.from_(row).select(*(row[column] for column in columns))
	query = query.where(row.name == Parameter("%(name)s"))
	return (query.for_update() if lock else query).get_sql()
