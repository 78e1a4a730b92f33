"""A write that is refused after it was made is taken back: the document's row, its rows in tables, its milestones.

So the document keeps its stored values also where whoever called swallows the error and commits. What the caller did
before stays. Where it is a hook of the document's own save that swallows it, that save stays, without the refused write.
"""

import json
import weakref
from functools import partial

import frappe
from frappe import _
from frappe.utils import get_datetime

from milestone_automation.engine.base import compat, guard, save_state, stored_rows
from milestone_automation.engine.store import plan_rows, watched


def begin_save(doc) -> None:
	"""Note it before a save writes, and what this transaction has recorded of the document until then.

	Args:
		doc: the document.
	"""
	state, key = save_state.transaction(), save_state.key_of(doc)
	state.redo.pop(key, None)
	_forget_db_set(doc)
	begun = [save for save in _saves_of(doc) if save.doc() is not doc]
	state.saves[key] = [*begun, save_state.Save(weakref.ref(doc), _recorded_until_now(doc))]


def check_is_latest(doc) -> None:
	"""Refuse a save, as Frappe does, of a document that somebody else has saved since Frappe compared the two.

	SQLite locks no row between that look and the write: the values of whoever was faster would be written over.

	Args:
		doc: the document, before it is written; its plan is locked.

	Raises:
		frappe.TimestampMismatchError: its row was written meanwhile.
	"""
	before = doc.get_doc_before_save()
	row = before and stored_rows.read(doc.doctype, doc.name, ("modified",))
	if row and get_datetime(row["modified"]) != get_datetime(before.modified):
		frappe.throw(
			_(
				"{0} {1} was changed by somebody else at the same moment. Please refresh it and try again."
			).format(_(doc.doctype), doc.name),
			exc=frappe.TimestampMismatchError,
		)


def has_begun(doc) -> bool:
	"""Tell whether the save that writes a document was noted before it wrote.

	Args:
		doc: the document.
	"""
	return any(save.doc() is doc for save in _saves_of(doc))


def _saves_of(doc) -> list[save_state.Save]:
	"""Return the saves of copies of a document that are under way, one inside the other, outermost first."""
	saves = save_state.transaction().saves.get(save_state.key_of(doc), ())
	return [save for save in saves if save.doc() is not None]


def _recorded_until_now(doc) -> dict[str, int]:
	recorded = save_state.transaction().milestones.get(save_state.key_of(doc), {})
	return {fieldname: len(recorded_here.names) for fieldname, recorded_here in recorded.items()}


def end(doc) -> None:
	"""Forget what was noted of a document that was written; of a `db_set` inside its own save only that.

	Args:
		doc: the document.
	"""
	if not save_state.is_remembering():
		return
	state, key = save_state.transaction(), save_state.key_of(doc)
	if key not in state.db_sets_in_save:
		state.saves[key] = [save for save in _saves_of(doc) if save.doc() is not doc]
	_forget_db_set(doc)


def _forget_db_set(doc) -> None:
	state, key = save_state.transaction(), save_state.key_of(doc)
	state.rows_before.pop(key, None)
	state.db_sets_in_save.discard(key)


def begin_db_set(doc, plan: plan_rows.Plan | None) -> None:
	"""Note it before a `db_set`, with the whole row as it is stored. One query.

	What the save of another document has written by SQL just before - ERPNext's percentages - is part of the write.

	Args:
		doc: the document; its row may not be there yet.
		plan: its plan, which knows the values from before; None without one.
	"""
	state, key = save_state.transaction(), save_state.key_of(doc)
	_forget_db_set(doc)
	if compat.is_saving(doc.doctype, doc.name):
		state.db_sets_in_save.add(key)
	else:
		state.redo.pop(key, None)
	state.milestones_before_db_set[key] = _recorded_until_now(doc)
	columns = stored_rows.columns_of(doc.doctype)
	# MariaDB shows a transaction what it saw first; what others have committed since, a lock shows.
	row = stored_rows.read(doc.doctype, doc.name, columns, lock=frappe.db.db_type == "mariadb")
	if row:
		row.update(_before_sql(doc, plan, row) if plan else {})
		state.rows_before[key] = row


def _before_sql(doc, plan: plan_rows.Plan, row: dict) -> dict:
	"""Return the values from before SQL of the save under way, the document's own or another one, changed them."""
	state, key = save_state.transaction(), save_state.key_of(doc)
	known_values = watched.known_values(plan, doc.doctype, row, without=state.milestones.get(key, ()))
	if not known_values:
		return {}
	own = _own_save(doc)
	if own is doc:
		return {}  # in memory it has what the `db_set` wants already; a refusal takes its whole save back
	if own:
		changed = watched.value_changes(known_values, doc.doctype, own, row)
		return watched.column_values(own, [name for name in known_values if name in changed])
	return known_values if _is_written_by_another_save(doc, row) else {}


def _own_save(doc):
	"""Return the document whose save a write is part of: itself or another copy; None where it is not being saved."""
	if not compat.is_saving(doc.doctype, doc.name):
		return None
	return next((save.doc() for save in _saves_of(doc)), None)


def _is_written_by_another_save(doc, row: dict) -> bool:
	"""Tell whether a row was last written by the user, and since the save of another document began."""
	if row["modified_by"] != frappe.session.user:
		return False
	written_on = get_datetime(row["modified"])
	return any(written_on >= get_datetime(moment) for moment in save_state.other_writes(doc))


def values_before(doc):
	"""Return the stored values that the write under way has changed: as a row or document; None when unknown.

	Args:
		doc: the document that is being written.
	"""
	row = save_state.transaction().rows_before.get(save_state.key_of(doc))
	return row or doc.get_doc_before_save()


def all_values_before(doc) -> list:
	"""Return `values_before`, and those from before the document's own save that the write is part of; none when unknown.

	Args:
		doc: the document that is being written.
	"""
	own = _own_save(doc)
	states = (values_before(doc), own and own.get_doc_before_save())
	return [state for state in states if state]


def take_back(doc) -> None:
	"""Give a document's stored row the values it had before the write under way.

	Args:
		doc: the document whose write was refused; in memory it keeps its new values, but those of a `db_set` in its save.
	"""
	state, key = save_state.transaction(), save_state.key_of(doc)
	row = state.rows_before.pop(key, None)
	state.redo.pop(key, None)
	before = doc.get_doc_before_save()
	begun = [save.recorded for save in _saves_of(doc) if save.doc() is doc]
	recorded = begun[0] if begun else _recorded_until_now(doc)
	if before and (not row or _is_inside_own_save(doc, row, before)):
		if row:
			_keep_for_own_save(doc, before, row)
		_write_back(before)
	elif row:
		_write_row(doc, row)
		recorded = state.milestones_before_db_set.get(key, {})
	elif doc.flags.in_insert:
		_delete_inserted(doc)
	state.db_sets_in_save.discard(key)
	_take_back_milestones(doc, recorded)
	frappe.clear_document_cache(doc.doctype, doc.name)


def _keep_for_own_save(doc, before, row: dict) -> None:
	"""Let a save go on without the `db_set` of one of its hooks, should that hook swallow the refusal."""
	for name in watched.value_changes(row, doc.doctype, row, doc):
		doc.set(name, row[name])
	what = f"{doc.doctype} {doc.name}: its save could not be stored again without a refused change"
	save_state.transaction().redo[save_state.key_of(doc)] = partial(
		guard.run_guarded, what, _redo, doc, before, row
	)


def _write_back(before) -> None:
	before.db_update()
	_restore_tables(before)


def _write_row(doc, values: dict) -> None:
	# PostgreSQL gives JSON back as an object, and takes it as text.
	texts = {
		column: json.dumps(value) if isinstance(value, dict | list) else value
		for column, value in values.items()
		if column != "name"
	}
	frappe.db.set_value(doc.doctype, doc.name, texts, update_modified=False)


def _redo(doc, before, saved_row: dict) -> None:
	"""Store again what a document's save has written, once a hook of it has swallowed the refusal of another write.

	Args:
		doc: the document, with the rows of its tables as they were saved.
		before: its state before the save, which was stored again meanwhile.
		saved_row: its row as the save had written it, without the refused write.
	"""
	row = stored_rows.read(doc.doctype, doc.name, tuple(saved_row))
	if not row:
		return
	untouched = watched.value_changes(saved_row, doc.doctype, before, saved_row).keys()
	untouched -= watched.value_changes(saved_row, doc.doctype, before, row).keys()
	if untouched:
		_write_row(doc, {column: saved_row[column] for column in untouched})
	_restore_tables(doc)


def _is_inside_own_save(doc, row: dict, before) -> bool:
	"""Tell whether a `db_set` is one of the document's own hooks, whose save has written the row already.

	Another copy, or SQL, may have written it since.
	"""
	return (
		compat.is_saving(doc.doctype, doc.name)
		and get_datetime(row["modified"]) >= get_datetime(doc.modified)
		and get_datetime(before.modified) == get_datetime(getattr(doc, "_original_modified", None))
	)


def _delete_inserted(doc) -> None:
	for field in _stored_tables(doc):
		frappe.db.delete(field.options, {"parent": str(doc.name), "parenttype": doc.doctype})
	frappe.db.delete(doc.doctype, {"name": doc.name})


def _restore_tables(before) -> None:
	for field in _stored_tables(before):
		rows = before.get(field.fieldname) or []
		of_table = {"parent": str(before.name), "parenttype": before.doctype, "parentfield": field.fieldname}
		frappe.db.delete(field.options, of_table)
		for row in rows:
			row.db_insert()


def _stored_tables(doc) -> list:
	"""Return the table fields of a document whose rows are stored; those of a virtual DocType are not."""
	tables = doc.meta.get_table_fields()
	return [field for field in tables if not frappe.get_meta(field.options).get("is_virtual")]


def _take_back_milestones(doc, before: dict[str, int]) -> None:
	state, key = save_state.transaction(), save_state.key_of(doc)
	names = []
	for fieldname, recorded_here in state.milestones.get(key, {}).items():
		names += recorded_here.names[before.get(fieldname, 0) :]
		del recorded_here.names[before.get(fieldname, 0) :]
		recorded_here.last_value = ""
	if names:
		frappe.db.delete("Milestone", {"name": ("in", names)})
