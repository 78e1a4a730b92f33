"""Milestones as rows: writing them, and what happens to them when their document is renamed or deleted."""

import functools
from collections.abc import Iterable
from datetime import datetime

import frappe
from frappe.query_builder import Order
from frappe.query_builder.functions import Coalesce, Max, Min
from frappe.utils import get_datetime, now
from pypika.terms import Parameter

from milestone_automation.engine.base import bulk, clock, guard, save_state
from milestone_automation.engine.base.values import as_text, is_same
from milestone_automation.engine.tracking import closed_days, listeners
from milestone_automation.engine.tracking.registry import TrackedField

# Zeros are written too: on SQLite, a column that the app added to core's table has no default.
COLUMNS = (
	"name",
	"creation",
	"modified",
	"owner",
	"modified_by",
	"docstatus",
	"idx",
	"reference_type",
	"reference_name",
	"track_field",
	"value",
	"milestone_tracker",
	"from_value",
	"value_before",
	"value_hash",
	"reached_on",
	"reached_by",
	"time_in_previous",
	"cleared",
	"passing",
	"source",
	"undone",
	"reference_deleted",
	"merged_from",
	"import_key",
)
# Events of a Milestone that is inserted, in order; before and after its row is written.
EVENTS_BEFORE = ("before_insert", "before_validate", "validate", "before_save")
EVENTS_AFTER = ("after_insert", "on_update", "on_change")


# Writing


def insert(rows: list[dict]) -> list[str]:
	"""Insert milestones: in one statement where nobody listens to new ones, else each as a document with its events.

	Who inserts one of a day that is over notes it in `closed_days`, as `insert_one` does.

	Args:
		rows: field values; `name` from `new_name` or made here, `source` Save, `reached_by` the session user by default.

	Returns:
		list[str]: the names.
	"""
	rows = [_complete(row) for row in rows]
	events = listeners.events_heard()
	if events:
		for row in rows:
			_insert_document(row, events)
	elif rows:
		write(rows)
	return [row["name"] for row in rows]


def insert_one(**row) -> str:
	"""Insert one milestone, of any time, and return its name.

	Args:
		row: as for `insert`.
	"""
	# First, so that none is written whose note could not be.
	closed_days.note(row["reference_type"], [(row["track_field"], row["reached_on"])])
	(name,) = insert([row])
	return name


def new_name() -> str:
	"""Return a name for a milestone to be inserted."""
	return bulk.new_name()


def _complete(row: dict) -> dict:
	return {
		"name": row.get("name") or new_name(),
		"source": "Save",
		"reached_by": frappe.session.user,
		"cleared": 0 if row.get("value") else 1,
		**row,
	}


def write(rows: list[dict]) -> None:
	"""Write complete rows past the document layer, in one statement.

	Args:
		rows: values by column; `creation` and `owner` are now and the session user by default.
	"""
	stamp, user = rows[0].get("creation") or now(), frappe.session.user
	standard = {"creation": stamp, "modified": stamp, "owner": user, "modified_by": user, "idx": 0}
	is_new = not any(UNTOUCHED.keys() & row.keys() for row in rows)
	standard |= {} if is_new else UNTOUCHED
	columns = GIVEN if is_new else COLUMNS
	complete = [standard | row for row in rows]
	values = [row.get(column) for row in complete for column in columns]
	frappe.db.sql(insert_statement(frappe.db.db_type, len(rows), is_new), values)


# What a milestone has until something happens to it.
UNTOUCHED = {
	"docstatus": 0,
	"passing": 0,
	"undone": 0,
	"reference_deleted": 0,
	"merged_from": None,
	"import_key": None,
}
GIVEN = tuple(column for column in COLUMNS if column not in UNTOUCHED)


@functools.cache
def insert_statement(db_type: str, number_of_rows: int, is_new: bool = False) -> str:
	"""Return the text of an INSERT of so many milestones: building it costs more than writing them.

	Args:
		db_type: "mariadb", "postgres" or "sqlite": that of the site, by which the text is kept.
		number_of_rows: 1 or more.
		is_new: whether the text has the values of `UNTOUCHED`; to escape each of them takes longer than to write it.

	Returns:
		str: SQL with a `%s` for each value, row by row in the order of `COLUMNS`, or of `GIVEN` for new ones.
	"""
	given = Parameter("%s")
	row = [UNTOUCHED.get(column) if is_new and column in UNTOUCHED else given for column in COLUMNS]
	query = frappe.qb.into(frappe.qb.DocType("Milestone")).columns(*COLUMNS).insert(*[row] * number_of_rows)
	return query.get_sql()


def _insert_document(row: dict, events: frozenset[str]) -> None:
	"""Insert a milestone as a document, with the events that somebody hears, without what is only for people's input.

	`Document.insert` also checks rights, links and lengths, compares versions, searches for files and tells open lists
	of it; none of these checks can change the outcome for a milestone.
	"""
	doc = frappe.get_doc({"doctype": "Milestone", **row})
	doc.flags.ignore_permissions = True  # that a change is recorded is the site's rule, not the user's right
	doc.flags.notifications_executed = []
	doc.set("__islocal", True)
	doc.set_user_and_timestamp()
	_run(doc, EVENTS_BEFORE, events)
	doc.db_insert()
	doc.flags.in_insert = True
	_run(doc, EVENTS_AFTER, events)
	doc.flags.in_insert = False
	frappe.flags.currently_saving.remove((doc.doctype, doc.name))


def _run(doc, names: Iterable[str], events: frozenset[str]) -> None:
	for name in names:
		if name in events:
			doc.run_method(name)


def of_present_value(doctype: str, name, field: TrackedField, value: str, lock: bool = False) -> str | None:
	"""Return the name of the last milestone of a document's field: of this transaction, or read.

	Args:
		doctype, name: the document.
		field: the field.
		value: its present value, as text.
		lock: read what is committed now, where the transaction may see an older state.

	Returns:
		str | None: None where the last milestone is of another value: the present one was written without events.
	"""
	recorded_here = save_state.transaction().milestones.get((doctype, str(name)), {}).get(field.fieldname)
	if recorded_here and recorded_here.names and recorded_here.last_value == value:
		return recorded_here.names[-1]
	milestone = frappe.qb.DocType("Milestone")
	query = frappe.qb.from_(milestone).select(milestone.name, milestone.value)
	query = query.where(milestone.reference_type == doctype).where(milestone.reference_name == str(name))
	query = query.where(milestone.track_field == field.fieldname).where(milestone.reference_deleted == 0)
	query = query.where(milestone.merged_from.isnull()).orderby(milestone.reached_on, order=Order.desc)
	query = (
		query.orderby(milestone.idx, order=Order.desc).orderby(milestone.creation, order=Order.desc).limit(1)
	)
	rows = (query.for_update() if lock and frappe.db.db_type == "mariadb" else query).run()
	return rows[0][0] if rows and is_same(rows[0][1], value, field.fieldtype) else None


def mark_passing() -> None:
	"""Mark the milestones of this transaction whose value it has replaced itself: the document never stood in them.

	Two statements, however many there are; what a rollback to a savepoint took back no longer replaces anything.
	"""
	documents = save_state.transaction().milestones.values()
	chains = [
		recorded_here.names
		for fields in documents
		for recorded_here in fields.values()
		if len(recorded_here.names) > 1
	]
	names = [name for chain in chains for name in chain]
	existing_names = set(
		frappe.get_all("Milestone", filters={"name": ("in", names)}, pluck="name", order_by=None)
	)
	passing = [name for chain in chains for name in [name for name in chain if name in existing_names][:-1]]
	bulk.update_rows("Milestone", {name: {"passing": 1} for name in passing})


# Undone milestones


LINK_COLUMNS = (
	"name",
	"reference_type",
	"reference_name",
	"track_field",
	"value",
	"value_before",
	"from_value",
	"reached_on",
	"idx",
	"creation",
	"reference_deleted",
	"merged_from",
)


def mark_undone(name: str) -> None:
	"""Mark a milestone as undone; when the transaction ends, the next one counts from the value before it.

	Args:
		name: the milestone.
	"""
	frappe.db.set_value("Milestone", name, "undone", 1, update_modified=False)
	_note(_linked({"name": name}))
	# Only then is it known which of this transaction's milestones count.
	what = "Milestones: the one after an undone one could not be linked"
	save_state.before_commit(("relink", name), guard.run_guarded, what, relink_after, name)


def relink_after(name: str) -> None:
	"""Let the milestone after an undone one say which counted value was before it, and for how long.

	Args:
		name: the undone milestone.
	"""
	undone = _linked({"name": name})
	# The milestones of confirmed stages follow no value; those of a deleted or merged document count no more.
	if not undone or undone[0].reference_deleted or undone[0].merged_from:
		return
	if undone[0].value_before is None and undone[0].from_value is None:
		return
	counted = _counted(undone[0])
	later = [row for row in counted if _place(row) > _place(undone[0])]
	if later:
		value, since = _counted_before(undone[0], counted)
		seconds = clock.seconds_between(since, later[0].reached_on)
		links = {"value_before": value, "time_in_previous": seconds}
		frappe.db.set_value("Milestone", later[0].name, links, update_modified=False)
		_note(later[:1])


def counted_before(name: str) -> tuple[str, datetime | None]:
	"""Return the last value that counts before an undone milestone, and since when; None for unknown.

	Args:
		name: the undone milestone.
	"""
	undone = _linked({"name": name})
	# One that somebody else has just recorded and undone may be newer than this transaction's view.
	return _counted_before(undone[0], _counted(undone[0])) if undone else ("", None)


def _counted_before(undone, counted: list) -> tuple[str, datetime | None]:
	earlier = [row for row in counted if _place(row) < _place(undone)]
	if earlier:
		return earlier[-1].value or "", get_datetime(earlier[-1].reached_on)
	return (undone.from_value if undone.value_before is None else undone.value_before) or "", None


def _counted(milestone) -> list:
	"""Return the milestones of the same document and field that count, oldest first."""
	reference = {name: milestone[name] for name in ("reference_type", "reference_name", "track_field")}
	flags = {"reference_deleted": 0, "undone": 0, "passing": 0, "merged_from": ("is", "not set")}
	return sorted(_linked(reference | flags), key=_place)


def _linked(filters: dict) -> list:
	return frappe.get_all("Milestone", filters=filters, fields=list(LINK_COLUMNS), order_by=None)


def _note(rows: list) -> None:
	"""Note in `closed_days` that rows of one DocType's documents have changed."""
	if rows:
		closed_days.note(rows[0].reference_type, [(row.track_field, row.reached_on) for row in rows])


def _place(row) -> tuple:
	return get_datetime(row.reached_on or row.creation), row.idx or 0, get_datetime(row.creation)


# Following the document


def rename_reference(doctype: str, old, new, merge: bool = False) -> None:
	"""Update the milestones of a renamed document.

	Args:
		doctype: DocType of the document.
		old, new: its names.
		merge: whether it was merged into another document, whose history stays apart from its own.
	"""
	milestone = frappe.qb.DocType("Milestone")
	query = frappe.qb.update(milestone).set(milestone.reference_name, str(new))
	if merge:
		query = query.set(milestone.merged_from, Coalesce(milestone.merged_from, str(old)))
	query = query.where(milestone.reference_type == doctype).where(milestone.reference_name == str(old))
	query.where(milestone.reference_deleted == 0).run()


def rename_values(
	doctype: str, fieldnames: list[str], old: str, new: str, documents: list[str] | None = None
) -> None:
	"""Let the milestones of some Link fields follow a renamed document: their value has another name now.

	Args:
		doctype: DocType of the tracked documents.
		fieldnames: its fields that link to the renamed document.
		old, new: the names.
		documents: only of these; all by default.
	"""
	milestone = frappe.qb.DocType("Milestone")
	old, new = as_text(old), as_text(new)
	for column in (milestone.value, milestone.from_value, milestone.value_before):
		query = frappe.qb.update(milestone).set(column, new).where(milestone.reference_type == doctype)
		query = query.where(milestone.track_field.isin(fieldnames)).where(column == old)
		if documents is not None:
			query = query.where(milestone.reference_name.isin(documents))
		query.run()
	_note_renamed(doctype, fieldnames, new, documents)


def _note_renamed(doctype: str, fieldnames: list[str], value: str, documents: list[str] | None) -> None:
	milestone = frappe.qb.DocType("Milestone")
	first, last = Min(milestone.reached_on), Max(milestone.reached_on)
	query = frappe.qb.from_(milestone).select(milestone.track_field, first, last)
	query = query.where(milestone.reference_type == doctype).where(milestone.track_field.isin(fieldnames))
	query = query.where((milestone.value == value) | (milestone.value_before == value))
	if documents is not None:
		query = query.where(milestone.reference_name.isin(documents))
	for field, first, last in query.groupby(milestone.track_field).run():
		if first:
			closed_days.note_between(doctype, field, first, last)


def mark_deleted(doctype: str, name, before: datetime | None = None) -> None:
	"""Mark the milestones of a deleted document, so that a new document of that name starts without history.

	Args:
		doctype, name: the document.
		before: when a new document of that name was created; milestones written since then are its own.
	"""
	milestone = frappe.qb.DocType("Milestone")
	query = frappe.qb.update(milestone).set(milestone.reference_deleted, 1)
	query = query.where(milestone.reference_type == doctype).where(milestone.reference_name == str(name))
	if before:
		query = query.where(milestone.creation < before)
	query.run()
	_note_deleted(doctype, [str(name)])


def mark_deleted_many(doctype: str, names: list[str]) -> None:
	"""Mark the milestones of several deleted documents. One statement.

	Args:
		doctype, names: the documents.
	"""
	milestone = frappe.qb.DocType("Milestone")
	query = frappe.qb.update(milestone).set(milestone.reference_deleted, 1)
	query = query.where(milestone.reference_type == doctype).where(milestone.reference_name.isin(names))
	query.where(milestone.reference_deleted == 0).run()
	_note_deleted(doctype, names)


def _note_deleted(doctype: str, names: list[str]) -> None:
	filters = {"reference_type": doctype, "reference_name": ("in", names), "reference_deleted": 1}
	fields = ["reference_type", "track_field", "reached_on"]
	_note(frappe.get_all("Milestone", filters=filters, fields=fields, order_by=None))


def adopt() -> None:
	"""Complete milestones that core or an older version recorded: when, by whom, after which value.

	Those that core records while the app is uninstalled have no zeros on SQLite, and would not count.
	"""
	milestone = frappe.qb.DocType("Milestone")
	_note_unknown(milestone)
	(
		frappe.qb.update(milestone)
		.set(milestone.reached_on, milestone.creation)
		.set(milestone.reached_by, milestone.owner)
		.set(milestone.cleared, Coalesce(milestone.cleared, 0))
		.set(milestone.passing, Coalesce(milestone.passing, 0))
		.set(milestone.undone, Coalesce(milestone.undone, 0))
		.set(milestone.reference_deleted, Coalesce(milestone.reference_deleted, 0))
		.where(milestone.reached_on.isnull())
		.run()
	)
	(
		frappe.qb.update(milestone)
		.set(milestone.value_before, milestone.from_value)
		.where(milestone.value_before.isnull() & milestone.from_value.isnotnull())
		.run()
	)


def _note_unknown(milestone) -> None:
	"""Note the days of the milestones that `adopt` completes."""
	moment = Coalesce(milestone.reached_on, milestone.creation)
	query = frappe.qb.from_(milestone).select(
		milestone.reference_type, milestone.track_field, Min(moment), Max(moment)
	)
	query = query.where(
		milestone.reached_on.isnull() | (milestone.value_before.isnull() & milestone.from_value.isnotnull())
	)
	for doctype, field, first, last in query.groupby(milestone.reference_type, milestone.track_field).run():
		if first:
			closed_days.note_between(doctype, field, first, last)
