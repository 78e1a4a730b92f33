"""A write that is refused after it was made is taken back: the document's row, its rows in tables, its milestones.

So the document keeps its stored values also where whoever called swallows the error and commits. What the caller did
before stays.
"""

import frappe
from frappe.utils import get_datetime

from milestone_automation.engine.base import compat, save_state, stored_rows
from milestone_automation.engine.store import plan_rows, watched


def begin(doc) -> None:
	"""Note what this transaction has recorded of a document that is about to be written.

	Args:
		doc: the document.
	"""
	state, key = save_state.transaction(), save_state.key_of(doc)
	state.rows_before.pop(key, None)
	recorded = state.milestones.get(key, {})
	state.milestones_before[key] = {
		fieldname: len(recorded_here.names) for fieldname, recorded_here in recorded.items()
	}


def end(doc) -> None:
	"""Forget what was noted of a document that was written.

	Args:
		doc: the document.
	"""
	if save_state.is_remembering():
		begin(doc)


def begin_db_set(doc, plan: plan_rows.Plan | None) -> None:
	"""Note it before a `db_set`, with the whole row as it is stored. One query.

	What the save of another document has written by SQL just before - ERPNext's percentages - is part of the write.

	Args:
		doc: the document; its row may not be there yet.
		plan: its plan, which knows the values from before; None without one.
	"""
	if not compat.is_saving(doc.doctype, doc.name):
		begin(doc)
	columns = stored_rows.columns_of(doc.doctype)
	# MariaDB shows a transaction what it saw first; what others have committed since, a lock shows.
	row = stored_rows.read(doc.doctype, doc.name, columns, lock=frappe.db.db_type == "mariadb")
	if row:
		state, key = save_state.transaction(), save_state.key_of(doc)
		known_values = plan and watched.known_values(
			plan, doc.doctype, row, without=state.milestones.get(key, ())
		)
		if known_values and _is_written_by_another_save(doc, row):
			row.update(known_values)
		state.rows_before[key] = row


def _is_written_by_another_save(doc, row: dict) -> bool:
	"""Tell whether a row was last written by the user, and since the save of another document began."""
	others = [key for key in compat.saves_under_way() if key[1] and key != save_state.key_of(doc)]
	if not others or row["modified_by"] != frappe.session.user:
		return False
	began = frappe.db.get_value(*others[0], "modified")
	return bool(began) and get_datetime(row["modified"]) >= get_datetime(began)


def values_before(doc):
	"""Return the stored values that the write under way has changed: as a row or document; None when unknown.

	Args:
		doc: the document that is being written.
	"""
	row = save_state.transaction().rows_before.get(save_state.key_of(doc))
	return row or doc.get_doc_before_save()


def take_back(doc) -> None:
	"""Give a document's stored row the values it had before the write under way.

	Args:
		doc: the document whose write was refused; in memory it keeps its new values.
	"""
	row = save_state.transaction().rows_before.pop(save_state.key_of(doc), None)
	before = doc.get_doc_before_save()
	if before and (not row or _is_inside_own_save(doc, row, before)):
		before.db_update()
		_restore_tables(before)
	elif row:
		frappe.db.set_value(doc.doctype, doc.name, _without_name(row), update_modified=False)
	elif doc.flags.in_insert:
		_delete_inserted(doc)
	_take_back_milestones(doc)
	frappe.clear_document_cache(doc.doctype, doc.name)


def _is_inside_own_save(doc, row: dict, before) -> bool:
	"""Tell whether a `db_set` is one of the document's own hooks, whose save has written the row already."""
	return (
		compat.is_saving(doc.doctype, doc.name)
		and get_datetime(row["modified"]) == get_datetime(doc.modified)
		and get_datetime(before.modified) == get_datetime(getattr(doc, "_original_modified", None))
	)


def _delete_inserted(doc) -> None:
	for field in doc.meta.get_table_fields():
		frappe.db.delete(field.options, {"parent": str(doc.name), "parenttype": doc.doctype})
	frappe.db.delete(doc.doctype, {"name": doc.name})


def _without_name(row: dict) -> dict:
	return {column: value for column, value in row.items() if column != "name"}


def _restore_tables(before) -> None:
	for field in before.meta.get_table_fields():
		rows = before.get(field.fieldname) or []
		of_table = {"parent": str(before.name), "parenttype": before.doctype, "parentfield": field.fieldname}
		frappe.db.delete(field.options, of_table)
		for row in rows:
			row.db_insert()


def _take_back_milestones(doc) -> None:
	state, key = save_state.transaction(), save_state.key_of(doc)
	before = state.milestones_before.get(key, {})
	names = []
	for fieldname, recorded_here in state.milestones.get(key, {}).items():
		names += recorded_here.names[before.get(fieldname, 0) :]
		del recorded_here.names[before.get(fieldname, 0) :]
	if names:
		frappe.db.delete("Milestone", {"name": ("in", names)})
