"""Finds changes without document events, every night or for chosen trackers every hour, and records them.

`frappe.db.set_value`, `db_update`, SQL and bulk inserts change a field without any document event. One query for each
tracked field compares the column with the last milestone of every document; values that differ are then compared by
type. The hourly check looks only at documents modified since the last one.

The time of such a change is unknown. If `modified` is later than the last milestone, the milestone takes it and
`modified_by`; otherwise the current time and user.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple

import frappe
from frappe.query_builder import Order
from frappe.utils import get_datetime, now_datetime
from pypika.analytics import RowNumber
from pypika.functions import Cast

from milestone_automation.engine.base import clock, guard, stored_rows, values
from milestone_automation.engine.rules.vocabulary import MilestoneSource
from milestone_automation.engine.tracking import conditions, milestones, registry, stored_changes
from milestone_automation.engine.tracking.stored_changes import Recorded, is_first_value, is_recorded

# Documents looked at in one query of the hourly check.
BATCH = 500

# Called with (DocType, names of documents) for each that got a milestone, before the commit.
Follow = Callable[[str, list[str]], None]


class UnseenChange(NamedTuple):
	"""A document whose field differs from its last milestone.

	Attributes:
		name: name of the document.
		value: value of the field as stored.
		modified, modified_by: of the document.
		last: the last milestone; None without one.
	"""

	name: str
	value: object
	modified: datetime
	modified_by: str
	last: Recorded | None


def run(
	doctype: str | None = None,
	commit: Callable[[], None] | None = None,
	follow: Follow | None = None,
	show: Callable[[int, int], None] | None = None,
) -> dict[str, int]:
	"""Find and record unseen changes. An error in one field is logged, and the others go on.

	Args:
		doctype: only this DocType; all with an enabled tracker by default.
		commit: called after each document, which is then a transaction of its own; None leaves it to the caller.
		follow: called with what was recorded.
		show: called with (done, total) number of trackers after each.

	Returns:
		dict: number of recorded milestones by name of the tracker.
	"""
	recorded: dict[str, int] = {}
	trackers = {
		name: rules.tracker
		for name, rules in registry.all_rules().items()
		if rules.tracker and not rules.tracker.disabled and doctype in (None, name)
	}
	for name, tracker in trackers.items():
		recorded[tracker.name] = _reconcile(name, tracker, None, commit, follow)
		guard.run_guarded(f"Milestones of deleted documents of {name}", mark_gone, name)
		if commit:
			commit()
		if show:
			show(len(recorded), len(trackers))
	return recorded


def mark_gone(doctype: str) -> int:
	"""Mark the milestones of documents that were deleted without events; return the number of those documents.

	Whose milestones all come from an event log may never have been a document here, and is left alone.

	Args:
		doctype: of the documents; may be gone itself, with all of them.
	"""
	names = deleted_documents(doctype)
	for start in range(0, len(names), BATCH):
		milestones.mark_deleted_many(doctype, names[start : start + BATCH])
	return len(names)


def deleted_documents(doctype: str) -> list[str]:
	"""Return the names of documents that are gone and have milestones that do not say so. One query.

	Args:
		doctype: as for `mark_gone`.
	"""
	milestone = frappe.qb.DocType("Milestone")
	query = frappe.qb.from_(milestone).select(milestone.reference_name).distinct()
	query = query.where(milestone.reference_type == doctype).where(milestone.reference_deleted == 0)
	query = query.where(milestone.import_key.isnull())
	if frappe.db.exists("DocType", doctype, cache=True):
		document = frappe.qb.DocType(doctype)
		is_its = _as_text(document.name) == milestone.reference_name
		query = query.left_join(document).on(is_its).where(document.name.isnull())
	return query.run(pluck=True)


def run_for(doctype: str, names: list[str], commit=None, follow: Follow | None = None) -> int:
	"""Find and record unseen changes of some documents; return the number of milestones recorded.

	Args:
		doctype: of the documents; nothing happens without an enabled tracker.
		names: of the documents.
		commit, follow: as for `run`; commit is called after each batch.
	"""
	rules = registry.for_doctype(doctype)
	if not rules or not rules.tracker or rules.tracker.disabled:
		return 0
	batches = (names[start : start + BATCH] for start in range(0, len(names), BATCH))
	return sum(_reconcile(doctype, rules.tracker, batch, commit, follow) for batch in batches)


def modified_since(doctype: str, moment: datetime) -> list[str]:
	"""Return the names of the documents modified since a moment, oldest change first. One query, served by an index.

	Args:
		doctype: of the documents.
		moment: naive, in the site's time zone; included.
	"""
	document = frappe.qb.DocType(doctype)
	query = frappe.qb.from_(document).select(document.name)
	return query.where(document.modified >= moment).orderby(document.modified).run(pluck=True)


def _reconcile(doctype: str, tracker: registry.Tracker, names, commit, follow) -> int:
	recorded = 0
	for field in tracker.fields:
		title = fault_title(tracker.name, field.fieldname)
		# All are read before the first is written, so that none is found again.
		changes = guard.run_alone(title, commit, _unseen, doctype, tracker, field, names) or []
		for change in changes:
			recorded += bool(
				guard.run_alone(title, commit, _record_and_follow, doctype, tracker, field, change, follow)
			)
	return recorded


def _unseen(
	doctype: str, tracker: registry.Tracker, field: registry.TrackedField, names
) -> list[UnseenChange]:
	return list(find_changes(doctype, tracker, field, names))


def _record_and_follow(
	doctype: str, tracker: registry.Tracker, field: registry.TrackedField, change: UnseenChange, follow
) -> bool:
	"""Record one change and let its plan follow, both or neither: what was recorded is not found a second time."""
	if not _record(doctype, tracker, field, change):
		return False
	if follow:
		follow(doctype, [change.name])
	return True


def fault_title(tracker: str, fieldname: str) -> str:
	"""Return the title of an Error Log about a field that could not be reconciled.

	Args:
		tracker: name of the Milestone Tracker.
		fieldname: the tracked field.
	"""
	return f"Milestone Tracker {tracker}: {fieldname} could not be reconciled"


def find_changes(
	doctype: str, tracker: registry.Tracker, field: registry.TrackedField, names: list[str] | None = None
) -> Iterator[UnseenChange]:
	"""Yield the documents whose field differs from their last milestone. One query.

	The tracker's condition is not checked. A document without a milestone counts only if it is newer than the tracker.

	Args:
		doctype: of the documents.
		tracker: of this DocType; only its name is used.
		field: one of its fields that has a column.
		names: only these documents; None for all.
	"""
	for row in _query(doctype, tracker.name, field.fieldname, names).run():
		name, value, modified, modified_by, *last = row
		if last[0]:
			*texts, reached_on, position, undone = last
			last = Recorded(*texts, reached_on and get_datetime(reached_on), position or 0, undone or 0)
		last = last if last[0] else None
		change = UnseenChange(str(name), value, get_datetime(modified), modified_by, last)
		if _differs(change, field):
			yield change


def _differs(change: UnseenChange, field: registry.TrackedField) -> bool:
	if change.last is None:
		return is_first_value(change.value, field)
	return not is_recorded(change.last, change.value, field)


def _query(doctype: str, tracker: str, fieldname: str, names: list[str] | None):
	"""Build the query for documents with their last milestone, where the two texts differ.

	Documents without a milestone count only if they are newer than the tracker. Dates and numbers that differ as texts
	only are sorted out afterwards.
	"""
	document = frappe.qb.DocType(doctype)
	tracker_table = frappe.qb.DocType("Milestone Tracker")
	last = _last_milestones(doctype, fieldname, names)
	column = document[fieldname]
	since = frappe.qb.from_(tracker_table).select(tracker_table.modified)
	since = since.where(tracker_table.name == tracker)
	unseen = last.reference_name.isnull() & column.isnotnull() & (document.creation > since)
	differs = (column.isnull() & (last.value != "")) | (_exact(column) != _exact(last.value))
	query = (
		frappe.qb.from_(document)
		.left_join(last)
		.on(_as_text(document.name) == last.reference_name)
		.select(document.name, column, document.modified, document.modified_by)
		.select(last.milestone, last.value, last.value_hash, last.reached_on, last.position, last.undone)
		.where(unseen | differs)
	)
	return query.where(document.name.isin(names)) if names is not None else query


def _last_milestones(doctype: str, fieldname: str, names: list[str] | None):
	milestone = frappe.qb.DocType("Milestone")
	place = (
		RowNumber()
		.over(milestone.reference_name)
		.orderby(milestone.reached_on, order=Order.desc)
		.orderby(milestone.idx, order=Order.desc)
		.orderby(milestone.creation, order=Order.desc)
	)
	ranked = (
		frappe.qb.from_(milestone)
		.select(milestone.reference_name, milestone.name.as_("milestone"), milestone.value)
		.select(milestone.value_hash, milestone.reached_on, milestone.idx.as_("position"), milestone.undone)
		.select(place.as_("place"))
		.where(milestone.reference_type == doctype)
		.where(milestone.track_field == fieldname)
		.where(milestone.reference_deleted == 0)
		.where(milestone.merged_from.isnull())
	)
	if names is not None:
		ranked = ranked.where(milestone.reference_name.isin([str(name) for name in names]))
	ranked = ranked.as_("ranked")
	return frappe.qb.from_(ranked).select(ranked.star).where(ranked.place == 1).as_("last_milestone")


def _as_text(column):
	"""Cast a name, which may be a number, to text. MariaDB and SQLite need no cast, which would keep them from the index."""
	return Cast(column, "varchar") if frappe.db.db_type == "postgres" else column


def _exact(column):
	"""Cast so that texts are compared byte by byte: for MariaDB "open" and "Open" are the same."""
	if frappe.db.db_type == "mariadb":
		return Cast(Cast(column, "char"), "binary")
	return Cast(column, "varchar" if frappe.db.db_type == "postgres" else "text")


def _as_committed(doctype: str, field: registry.TrackedField, change: UnseenChange) -> UnseenChange | None:
	"""Return a change as it is now: since it was found somebody may have saved, and so recorded it."""
	columns = (field.fieldname, "modified", "modified_by")
	stored_state = stored_changes.read_locked(doctype, change.name, columns, field.fieldname)
	if not stored_state:
		return None
	row = stored_state.row
	return UnseenChange(
		change.name,
		row[field.fieldname],
		get_datetime(row["modified"]),
		row["modified_by"],
		stored_state.recorded.get(field.fieldname),
	)


def _reached(change: UnseenChange) -> tuple:
	"""Return when a change was made, its place among those of that moment, and by whom; as far as the document tells."""
	now, since = now_datetime(), change.last and change.last.reached_on
	if since is None or change.modified > since:
		moment, reached_by = min(change.modified, now), change.modified_by
	else:
		moment, reached_by = max(now, since), frappe.session.user
	return moment, change.last.position + 1 if moment == since else 0, reached_by


def _record(
	doctype: str, tracker: registry.Tracker, field: registry.TrackedField, change: UnseenChange
) -> bool:
	change = _as_committed(doctype, field, change)
	if not change or not _differs(change, field):
		return False
	if tracker.condition and not conditions.holds(
		tracker.condition, stored_rows.locked_document(doctype, change.name)
	):
		return False
	reached_on, position, reached_by = _reached(change)
	from_value = (change.last and change.last.value) or ""
	value_before, counted_since = change.last.counted(from_value) if change.last else (from_value, None)
	milestones.insert_one(
		reference_type=doctype,
		reference_name=change.name,
		track_field=field.fieldname,
		from_value=from_value,
		value_before=value_before,
		value=values.as_text(change.value, field.fieldtype),
		value_hash=values.fingerprint(change.value, field.fieldtype),
		milestone_tracker=tracker.name,
		reached_on=reached_on,
		idx=position,
		reached_by=reached_by,
		time_in_previous=clock.seconds_between(counted_since, reached_on),
		source=MilestoneSource.RECONCILE.value,
	)
	return True
