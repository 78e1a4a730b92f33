"""Finds changes without document events once a night and records them.

`frappe.db.set_value`, SQL and bulk inserts change a field without any document event. One query for each tracked field
compares the column with the last milestone of every document; values that differ are then compared by type.

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

from milestone_automation.engine.base import clock, guard, values
from milestone_automation.engine.rules.vocabulary import MilestoneSource
from milestone_automation.engine.tracking import conditions, milestones, registry
from milestone_automation.engine.tracking.recorder import is_first_value


class UnseenChange(NamedTuple):
	"""A document whose field differs from its last milestone.

	Attributes:
		name: name of the document.
		value: value of the field as stored.
		modified, modified_by: of the document.
		recorded: value of the last milestone; None without one.
		recorded_on: time of the last milestone; None without one.
	"""

	name: str
	value: object
	modified: datetime
	modified_by: str
	recorded: str | None
	recorded_on: datetime | None


def run_nightly() -> None:
	"""Scheduler job: reconcile all tracked DocTypes."""
	run()


def run(doctype: str | None = None, commit: Callable[[], None] | None = None) -> dict[str, int]:
	"""Find and record unseen changes. An error in one field is logged, and the others go on.

	Args:
		doctype: only this DocType; all with an enabled tracker by default.
		commit: called after each field; None leaves the transaction to the caller.

	Returns:
		dict: number of recorded milestones by name of the tracker.
	"""
	recorded: dict[str, int] = {}
	for name, rules in registry.all_rules().items():
		tracker = rules.tracker
		if not tracker or tracker.disabled or (doctype and name != doctype):
			continue
		recorded[tracker.name] = 0
		for field in tracker.fields:
			title = fault_title(tracker.name, field.fieldname)
			recorded[tracker.name] += guard.run_guarded(title, reconcile_field, name, tracker, field) or 0
			if commit:
				commit()
	return recorded


def reconcile_field(doctype: str, tracker: registry.Tracker, field: registry.TrackedField) -> int:
	"""Record the unseen changes of one field and return their number. They are found with one query."""
	# All are read before the first is written, so that none is found again.
	changes = list(find_changes(doctype, tracker, field))
	title = fault_title(tracker.name, field.fieldname)
	return sum(guard.run_guarded(title, _record, doctype, tracker, field, change) or 0 for change in changes)


def fault_title(tracker: str, fieldname: str) -> str:
	"""Return the title of an Error Log about a field that could not be reconciled."""
	return f"Milestone Tracker {tracker}: {fieldname} could not be reconciled"


def find_changes(
	doctype: str, tracker: registry.Tracker, field: registry.TrackedField
) -> Iterator[UnseenChange]:
	"""Yield the documents whose field differs from their last milestone; the condition is not checked. One query."""
	for row in _query(doctype, tracker.name, field.fieldname).run():
		change = UnseenChange(
			str(row[0]), row[1], get_datetime(row[2]), row[3], row[4], row[5] and get_datetime(row[5])
		)
		if _differs(change, field):
			yield change


def _differs(change: UnseenChange, field: registry.TrackedField) -> bool:
	value = values.as_text(change.value, field.fieldtype)
	if change.recorded is None:
		return is_first_value(change.value, field)
	return value != change.recorded and not values.is_same(change.recorded, value, field.fieldtype)


def _query(doctype: str, tracker: str, fieldname: str):
	"""Build the query for documents with their last milestone, where the two texts differ.

	Documents without a milestone count only if they are newer than the tracker. Dates and numbers that differ as texts
	only are sorted out afterwards.
	"""
	document = frappe.qb.DocType(doctype)
	tracker_table = frappe.qb.DocType("Milestone Tracker")
	last = _last_milestones(doctype, fieldname)
	column = document[fieldname]
	since = frappe.qb.from_(tracker_table).select(tracker_table.modified)
	since = since.where(tracker_table.name == tracker)
	unseen = last.reference_name.isnull() & column.isnotnull() & (document.creation > since)
	differs = (column.isnull() & (last.value != "")) | (_exact(column) != _exact(last.value))
	return (
		frappe.qb.from_(document)
		.left_join(last)
		.on(_as_text(document.name) == last.reference_name)
		.select(document.name, column, document.modified, document.modified_by, last.value, last.reached_on)
		.where(unseen | differs)
	)


def _last_milestones(doctype: str, fieldname: str):
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
		.select(milestone.reference_name, milestone.value, milestone.reached_on, place.as_("place"))
		.where(milestone.reference_type == doctype)
		.where(milestone.track_field == fieldname)
		.where(milestone.reference_deleted == 0)
	).as_("ranked")
	return (
		frappe.qb.from_(ranked)
		.select(ranked.reference_name, ranked.value, ranked.reached_on)
		.where(ranked.place == 1)
		.as_("last_milestone")
	)


def _as_text(column):
	"""Cast a name, which may be a number, to text. MariaDB and SQLite need no cast, which would keep them from the index."""
	return Cast(column, "varchar") if frappe.db.db_type == "postgres" else column


def _exact(column):
	"""Cast so that texts are compared byte by byte: for MariaDB "open" and "Open" are the same."""
	if frappe.db.db_type == "mariadb":
		return Cast(Cast(column, "char"), "binary")
	return Cast(column, "varchar" if frappe.db.db_type == "postgres" else "text")


def _record(
	doctype: str, tracker: registry.Tracker, field: registry.TrackedField, change: UnseenChange
) -> int:
	if tracker.condition and not conditions.holds(tracker.condition, frappe.get_doc(doctype, change.name)):
		return 0
	now = now_datetime()
	modified_since = change.recorded_on is None or change.modified > change.recorded_on
	reached_on = min(change.modified, now) if modified_since else now
	milestones.insert_milestone(
		reference_type=doctype,
		reference_name=change.name,
		track_field=field.fieldname,
		from_value=change.recorded or "",
		value=values.as_text(change.value, field.fieldtype),
		milestone_tracker=tracker.name,
		reached_on=reached_on,
		reached_by=change.modified_by if modified_since else frappe.session.user,
		time_in_previous=clock.seconds_between(change.recorded_on, reached_on),
		source=MilestoneSource.RECONCILE.value,
	)
	return 1
