"""What has changed of a document: its stored row now, against the value last recorded of each tracked field.

The document in memory is not asked: it may be stale, a copy, finer than its column, or on its way to another value.
One query reads both. Only where nothing can have been recorded yet - the document is older than its tracker, or the
tracker's condition did not hold - does the row as Frappe read it before the save tell what the value was.
"""

import functools
from datetime import datetime
from typing import NamedTuple

import frappe
from frappe.query_builder import Order
from frappe.utils import get_datetime
from pypika.terms import Parameter

from milestone_automation.engine.base import compat, guard, indexes, save_state, stored_rows, values
from milestone_automation.engine.base.field_types import NUMBER_TYPES
from milestone_automation.engine.tracking import milestones, registry

# Of the last milestone of a field, in this order.
MILESTONE_COLUMNS = ("name", "value", "value_hash", "reached_on", "idx", "undone")
# What MariaDB says where somebody has dropped the index by which it is found.
NO_SUCH_INDEX = 1176


class Recorded(NamedTuple):
	"""The last milestone of a field: the value it had, and since when."""

	name: str
	value: str
	value_hash: str | None
	reached_on: datetime | None
	position: int
	undone: int = 0

	def counted(self, value: str) -> tuple[str, datetime | None]:
		"""Return which value counts as the one before the next milestone, and since when: not one that was undone.

		Args:
			value: what the field has had since this milestone, as text.
		"""
		return milestones.counted_before(self.name) if self.undone else (value, self.reached_on)


class Stored(NamedTuple):
	"""A document's row and, by field name, what was recorded of it last."""

	row: dict
	recorded: dict[str, Recorded]


class Missed(NamedTuple):
	"""A value a document had before a save, of which there is no milestone."""

	value: object
	modified: datetime
	modified_by: str


class Change(NamedTuple):
	"""A tracked field whose stored value is not the one recorded last.

	Attributes:
		field: the field.
		from_value: the value it had, as text.
		value: the stored value.
		last: the last milestone; None without one.
		missed: a value in between, which was written without hooks; mostly None.
	"""

	field: registry.TrackedField
	from_value: str
	value: object
	last: Recorded | None
	missed: Missed | None = None


def find(doc, tracker: registry.Tracker) -> tuple[dict, list[Change]]:
	"""Return a document's stored row, and what of it is not recorded yet. One query; two where somebody else wrote.

	Args:
		doc: the document, after it was written.
		tracker: what to compare.
	"""
	state, key = save_state.transaction(), save_state.key_of(doc)
	before = state.rows_before.get(key) or doc.get_doc_before_save()
	recorded_here = state.milestones.get(key, {})
	stored = _read_stored(doc, tracker, before, recorded_here)
	if stored is None:
		return {}, []
	if doc.flags.in_insert:
		if not stored_rows.is_inserted(doc, stored.row.get("creation")):
			return stored.row, []
		stored = _of_new_document(doc, stored, recorded_here)
	changes = (_change(doc, field, stored, before, tracker, recorded_here) for field in tracker.stored_fields)
	return stored.row, [change for change in changes if change]


def _read_stored(doc, tracker: registry.Tracker, before, recorded_here: dict) -> Stored | None:
	"""Read what is stored and recorded; as it is committed now, where this transaction sees older tables."""
	state, key = save_state.transaction(), save_state.key_of(doc)
	is_outdated = key in state.outdated
	columns = tracker.columns_of_new if doc.flags.in_insert else tracker.columns
	fieldnames = tuple(field.fieldname for field in tracker.stored_fields)
	stored = _read(doc.doctype, doc.name, columns, fieldnames, lock=is_outdated)
	if not stored or not before or is_outdated:
		return stored
	if not _may_be_outdated(doc, stored, before, tracker, recorded_here):
		return stored
	state.outdated.add(key)
	return _read(doc.doctype, doc.name, columns, fieldnames, lock=True) or stored


def _of_new_document(doc, stored: Stored, recorded_here: dict) -> Stored:
	"""Return what is stored of a new document; what another one of its name has left is marked as of a deleted one."""
	recorded = {
		fieldname: last
		for fieldname, last in stored.recorded.items()
		if _is_recorded_here(recorded_here, fieldname, last)
	}
	if len(recorded) < len(stored.recorded):
		milestones.mark_deleted(doc.doctype, doc.name, before=get_datetime(doc.creation))
	return Stored(stored.row, recorded)


def read_locked(doctype: str, name: str, columns: tuple[str, ...], fieldname: str) -> Stored | None:
	"""Return a document's row and the last milestone of one field as they are committed now, locked.

	Args:
		doctype, name: of the document.
		columns: of its table.
		fieldname: the field.

	Returns:
		None where the document is gone.

	Raises:
		ConflictError: somebody else has changed it, or is doing so.
	"""
	name = stored_rows.name_in_column(doctype, name)
	with guard.translate_conflicts():
		# PostgreSQL locks no row that may be missing; there a row that could be locked has no milestones since.
		is_mariadb = frappe.db.db_type == "mariadb"
		if not is_mariadb and not stored_rows.read(doctype, name, ("name",), lock=True):
			return None
		return _read(doctype, name, columns, (fieldname,), lock=is_mariadb)


def _is_recorded_here(recorded_here: dict, fieldname: str, last: Recorded) -> bool:
	"""Tell whether a milestone is one of those that this transaction has recorded of its document, by field."""
	of_field = recorded_here.get(fieldname)
	return bool(of_field) and last.name in of_field.names


def _change(doc, field, stored: Stored, before, tracker, recorded_here: dict) -> Change | None:
	value, last = stored.row[field.fieldname], stored.recorded.get(field.fieldname)
	if last:
		if is_recorded(last, value, field):
			return None
		is_known = _is_recorded_here(recorded_here, field.fieldname, last)
		missed = None if is_known else _missed(doc, field, value, before, last)
		return Change(field, last.value or "", value, last, missed)
	return _first_change(doc, field, value, before, tracker)


def _first_change(doc, field, value, before, tracker) -> Change | None:
	"""Return the change of a field that has no milestone yet."""
	if doc.flags.in_insert or not before or not _may_be_unrecorded(doc, tracker):
		if not is_first_value(value, field):
			return None
		had_zero = field.fieldtype in NUMBER_TYPES and not _is_set_from_the_start(field)
		first = "0" if had_zero and not doc.flags.in_insert else ""
		return Change(field, first, value, None, _missed(doc, field, value, before, None))
	old = before.get(field.fieldname)
	if values.is_same(old, value, field.fieldtype):
		return None
	return Change(field, values.as_text(old, field.fieldtype), value, None)


def _missed(doc, field, value, before, last: Recorded | None) -> Missed | None:
	"""Return the value a save found in the row, if it is neither the one recorded last nor the one the row has now."""
	if not before or before is not doc.get_doc_before_save() or not compat.is_saving(doc.doctype, doc.name):
		return None  # for a `db_set` Frappe keeps the state before the last save
	old = before.get(field.fieldname)
	was_seen = is_recorded(last, old, field) if last else not is_first_value(old, field)
	if was_seen or values.is_same(old, value, field.fieldtype) or _may_be_replaced(before, last):
		return None
	return Missed(old, get_datetime(before.modified), before.modified_by)


def _may_be_replaced(before, last: Recorded | None) -> bool:
	"""Tell whether somebody may have recorded a change between this save's first look at the row and its own write.

	SQLite locks no rows, and Frappe begins its first transaction there with the first write. Then the last milestone is
	later than the row was.
	"""
	if frappe.db.db_type != "sqlite" or not last or not last.reached_on:
		return False
	return get_datetime(before.modified) <= last.reached_on


def after_missed(change: Change, milestone: dict) -> Change:
	"""Return what is left of a change once the missed value has its milestone.

	Args:
		change: with a missed value.
		milestone: values of the new milestone by `MILESTONE_COLUMNS`.

	Returns:
		Change: from the missed value to the stored one.
	"""
	last = Recorded(*(milestone[column] for column in MILESTONE_COLUMNS[:-1]))
	return change._replace(from_value=milestone["value"], last=last, missed=None)


def not_before(last: Recorded | None, moment: datetime) -> tuple[datetime, int]:
	"""Return when a change is recorded, and its place among those of one moment: never before the last one.

	Clocks are set back: every autumn for an hour, or by whoever sets a server's time right.

	Args:
		last: the last milestone of the field; None without one.
		moment: when it happened by the clock, naive, in the site's time zone.

	Returns:
		tuple: time, and position from 0.
	"""
	if last and last.reached_on and last.reached_on >= moment:
		return last.reached_on, last.position + 1
	return moment, 0


def is_recorded(last: Recorded, value, field: registry.TrackedField) -> bool:
	"""Tell whether a stored value is the one that was recorded last.

	Args:
		last: the last milestone of the field.
		value: as the database or Frappe gives it.
		field: the field, whose type decides what is the same.
	"""
	if last.value_hash:
		return values.fingerprint(value, field.fieldtype) == last.value_hash
	text = values.as_text(value, field.fieldtype)
	return text == (last.value or "") or values.is_same(last.value, text, field.fieldtype)


def is_first_value(value, field: registry.TrackedField) -> bool:
	"""Tell whether a new document with this value has reached something: history and nightly check ask it too.

	Args:
		value: as the database or Frappe gives it.
		field: the field; of a Check or `docstatus` 0 is a value, too.
	"""
	if _is_set_from_the_start(field):
		return value is not None
	return not values.is_same(None, value, field.fieldtype)


def _is_set_from_the_start(field: registry.TrackedField) -> bool:
	"""Tell whether a new document has a value here, 0 too; an Int of 0 or an empty Select is none."""
	return field.fieldname == "docstatus" or field.fieldtype == "Check"


def _may_be_unrecorded(doc, tracker: registry.Tracker) -> bool:
	"""Tell whether a field without a milestone may have had a value all the same."""
	since, created = tracker.values.get("modified"), doc.get("creation")
	return bool(tracker.condition) or not created or not since or _moment(created) <= _moment(since)


def _moment(value) -> datetime:
	"""Return a time of a row; what was text once is not read again, as a save asks for the same ones several times."""
	return _moment_of_text(value) if isinstance(value, str) else get_datetime(value)


@functools.lru_cache(maxsize=1000)
def _moment_of_text(text: str) -> datetime:
	return get_datetime(text)


def wants_row_before(doc, tracker: registry.Tracker) -> bool:
	"""Tell whether before a `db_set` the row must be read: of a saved document Frappe keeps the state before that save.

	MariaDB wants it when a transaction first writes a document, see `_may_be_outdated`.

	Args:
		doc: the document, before it is written.
		tracker: of its DocType.
	"""
	if not hasattr(doc, "_original_modified"):
		return False  # Frappe reads and locks the row itself
	if _may_be_unrecorded(doc, tracker):
		return True
	return frappe.db.db_type == "mariadb" and save_state.key_of(doc) not in save_state.transaction().rows


def _may_be_outdated(doc, stored: Stored, before, tracker, recorded_here: dict) -> bool:
	"""Tell whether somebody may have recorded something that this transaction does not see.

	MariaDB shows a transaction the tables as they were at its first look, but the row it writes as it is. So the row
	as it was locked tells: its values were recorded, and by whom else if not by this transaction.
	"""
	if frappe.db.db_type != "mariadb" or doc.flags.in_insert:
		return False
	return any(
		_is_unlike(doc, field, stored, before, tracker)
		for field in tracker.stored_fields
		if field.fieldname not in stored.recorded
		or not _is_recorded_here(recorded_here, field.fieldname, stored.recorded[field.fieldname])
	)


def _is_unlike(doc, field, stored: Stored, before, tracker) -> bool:
	"""Tell whether the value before the write is not the one recorded last, and it matters."""
	old, last = before.get(field.fieldname), stored.recorded.get(field.fieldname)
	if last:
		return not is_recorded(last, old, field)
	if not is_first_value(old, field):
		return False
	return old != stored.row[field.fieldname] or not _may_be_unrecorded(doc, tracker)


def _read(
	doctype: str, name, columns: tuple[str, ...], fieldnames: tuple[str, ...], lock: bool = False
) -> Stored | None:
	parameters = {"name": name, "doctype": doctype, "document": str(name)}
	parameters.update({f"field_{index}": fieldname for index, fieldname in enumerate(fieldnames)})
	rows = _run(parameters, doctype, columns, len(fieldnames), lock)
	if not rows:
		return None
	cells, recorded = list(rows[0]), {}
	row = dict(zip(columns, cells, strict=False))
	for index, fieldname in enumerate(fieldnames):
		begin = len(columns) + index * len(MILESTONE_COLUMNS)
		milestone = cells[begin : begin + len(MILESTONE_COLUMNS)]
		if milestone[0]:
			name, value, value_hash, reached_on, position, undone = milestone
			reached_on = reached_on and get_datetime(reached_on)
			recorded[fieldname] = Recorded(name, value, value_hash, reached_on, position or 0, undone or 0)
	return Stored(row, recorded)


def _run(parameters: dict, *query) -> tuple:
	"""Run `_query`. MariaDB is told the index: to weigh it against all others takes a tenth of the query's time."""
	db_type = frappe.db.db_type
	if db_type != "mariadb":
		return frappe.db.sql(_query(db_type, *query), parameters)
	try:
		return frappe.db.sql(_query(db_type, *query, names_index=True), parameters)
	except Exception as error:
		if error.args[:1] != (NO_SUCH_INDEX,):
			raise
	return frappe.db.sql(_query(db_type, *query), parameters)


@functools.cache
def _query(
	db_type: str,
	doctype: str,
	columns: tuple[str, ...],
	number_of_fields: int,
	lock: bool,
	names_index: bool = False,
) -> str:
	"""Return the query's text: building it takes longer than running it, and it is asked on every tracked save."""
	row = frappe.qb.DocType(doctype)
	query = frappe.qb.from_(row).select(*(row[column] for column in columns))
	for number in range(number_of_fields):
		last = frappe.qb.DocType("Milestone").as_(f"last_{number}")
		query = query.left_join(last).on(last.name == _last_milestone(f"field_{number}", lock, names_index))
		query = query.select(*(last[column].as_(f"{column}_{number}") for column in MILESTONE_COLUMNS))
	query = query.where(row.name == Parameter("%(name)s"))
	return (query.for_update() if lock else query).get_sql()


def _last_milestone(field: str, lock: bool, names_index: bool):
	milestone = frappe.qb.DocType("Milestone").as_(f"of_{field}")
	query = (
		frappe.qb.from_(milestone)
		.select(milestone.name)
		.where(milestone.reference_type == Parameter("%(doctype)s"))
		.where(milestone.reference_name == Parameter("%(document)s"))
		.where(milestone.track_field == Parameter(f"%({field})s"))
		.where(milestone.reference_deleted == 0)
		.where(milestone.merged_from.isnull())
		.orderby(milestone.reached_on, order=Order.desc)
		.orderby(milestone.idx, order=Order.desc)
		.orderby(milestone.creation, order=Order.desc)
		.limit(1)
	)
	if names_index:
		query = query.force_index(indexes.name_of("Milestone", indexes.LAST_MILESTONE))
	return query.for_update() if lock else query
