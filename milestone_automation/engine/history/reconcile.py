"""Changes made behind Frappe's back: found once a night, recorded as found later.

`frappe.db.set_value`, SQL and bulk inserts change a field without any document event. Each tracked field costs one
query, which compares the column with the last recorded milestone of every document; what looks different is then
compared by type, and only what truly is gets its document loaded and a milestone written.

When it happened nobody knows. If the document's `modified` is later than the last milestone, that is the best there
is, and its `modified_by` with it; otherwise the milestone gets the time of finding and the name of the finder.
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


class Found(NamedTuple):
	"""A document whose field differs from what was recorded last.

	Attributes:
		name: the document.
		value: the field's value now, as the database gives it.
		recorded: the value of the last milestone, None without one.
		recorded_on: its time, None without one.
	"""

	name: str
	value: object
	modified: datetime
	modified_by: str
	recorded: str | None
	recorded_on: datetime | None


def run_nightly() -> None:
	"""Scheduler job: reconcile everything."""
	run()


def run(doctype: str | None = None, commit: Callable[[], None] | None = None) -> dict[str, int]:
	"""Find and record what changed unseen. A fault in one field is logged, and the others go on.

	Args:
		doctype: only this DocType; None takes all with an enabled tracker.
		commit: called after each field; None leaves the transaction to the caller.

	Returns:
		dict: tracker name to the number of milestones recorded.
	"""
	recorded: dict[str, int] = {}
	for name, concerns in registry.all_rules().items():
		tracker = concerns.tracker
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
	"""Record the unseen changes of one field; returns how many. One query to find them."""
	# All are read before the first is written: what is written must not be found again.
	found = list(find_changes(doctype, tracker, field))
	title = fault_title(tracker.name, field.fieldname)
	return sum(guard.run_guarded(title, _record, doctype, tracker, field, change) or 0 for change in found)


def fault_title(tracker: str, fieldname: str) -> str:
	"""Return the title of the error log for a field that could not be reconciled."""
	return f"Milestone Tracker {tracker}: {fieldname} could not be reconciled"


def find_changes(doctype: str, tracker: registry.Tracker, field: registry.TrackedField) -> Iterator[Found]:
	"""Yield the documents whose field is not what was recorded last, whatever the tracker's condition. One query."""
	for row in _query(doctype, tracker.name, field.fieldname).run():
		found = Found(
			str(row[0]), row[1], get_datetime(row[2]), row[3], row[4], row[5] and get_datetime(row[5])
		)
		if _differs(found, field):
			yield found


def _differs(found: Found, field: registry.TrackedField) -> bool:
	now = values.as_text(found.value, field.fieldtype)
	if found.recorded is None:
		return is_first_value(found.value, field)
	return now != found.recorded and not values.is_same(found.recorded, now, field.fieldtype)


def _query(doctype: str, tracker: str, fieldname: str):
	"""Build the one query: documents, each beside its last milestone, where the two texts differ.

	Documents without a milestone count only when they are younger than the tracker: with older ones nobody has ever
	looked. Dates and numbers may differ as texts and yet be the same; that is sorted out afterwards.
	"""
	document = frappe.qb.DocType(doctype)
	own = frappe.qb.DocType("Milestone Tracker")
	last = _last_milestones(doctype, fieldname)
	column = document[fieldname]
	since = frappe.qb.from_(own).select(own.modified).where(own.name == tracker)
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
	"""Cast to text: names may be numbers. MariaDB and SQLite compare without, and with their index only without."""
	return Cast(column, "varchar") if frappe.db.db_type == "postgres" else column


def _exact(column):
	"""Cast so that two texts differ whenever a byte does: MariaDB takes "open" and "Open" for one."""
	if frappe.db.db_type == "mariadb":
		return Cast(Cast(column, "char"), "binary")
	return Cast(column, "varchar" if frappe.db.db_type == "postgres" else "text")


def _record(doctype: str, tracker: registry.Tracker, field: registry.TrackedField, found: Found) -> int:
	if tracker.condition and not conditions.holds(tracker.condition, frappe.get_doc(doctype, found.name)):
		return 0
	now = now_datetime()
	modified_since = found.recorded_on is None or found.modified > found.recorded_on
	reached_on = min(found.modified, now) if modified_since else now
	milestones.insert_milestone(
		reference_type=doctype,
		reference_name=found.name,
		track_field=field.fieldname,
		from_value=found.recorded or "",
		value=values.as_text(found.value, field.fieldtype),
		milestone_tracker=tracker.name,
		reached_on=reached_on,
		reached_by=found.modified_by if modified_since else frappe.session.user,
		time_in_previous=clock.seconds_between(found.recorded_on, reached_on),
		source=MilestoneSource.RECONCILE.value,
	)
	return 1
