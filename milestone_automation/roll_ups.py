"""Scheduler: the times in each value of days that are over, added up and stored. What `engine/review` adds up is written here.

Months that are over, and the days of the running one, are added up once; then only where a note says that they have
changed. Two who add up at once wait for each other or fail, and neither stores sums that do not heed a change which the
other one has deleted the note of: the name of a row is that of its days.
"""

import hashlib
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta

import frappe
from frappe.query_builder.functions import Count, Min
from frappe.utils import add_months, get_first_day, get_last_day, getdate, now_datetime

from milestone_automation.engine.base import bulk, guard, locks
from milestone_automation.engine.review import roll_up
from milestone_automation.engine.review.scope import Scope
from milestone_automation.engine.tracking import closed_days

# Of a field with fewer milestones than these every report reads them faster than anybody could notice.
WORTH = 10_000
# Characters of the sums of some days. More are of a field with a value for almost every document, whose times say nothing.
MOST_STORED = 4_000_000
# Months that are added up at most; what is older is read when it is asked for.
MONTHS = 240

Days = tuple[date, date]


def run() -> None:
	"""Scheduler job: add up what has come to its end, or has changed, since the last night."""
	# Each range of days is a transaction of its own; a job that is killed goes on where it was.
	refresh(now_datetime(), frappe.db.commit)  # nosemgrep: frappe-manual-commit


def refresh(
	now: datetime,
	commit: Callable[[], None] | None = None,
	show: Callable[[int, int], None] | None = None,
	worth: int = WORTH,
) -> int:
	"""Add up the closed days of every field where they are not, or have changed since.

	Args:
		now: naive, in the site's time zone.
		commit: called after each range of days; None leaves the transaction to the caller, who then has not read before.
		show: called with (done, total) number of ranges of one field.
		worth: number of milestones from which on a field is added up.

	Returns:
		int: the number of ranges added up.
	"""
	counts = _milestones_by_field()
	done = 0
	for field in sorted(counts.keys() | _stored_fields()):
		wanted = _wanted(Scope(*field), closed_days.end(now)) if counts.get(field, 0) >= worth else []
		try:
			done += _refresh_field(Scope(*field), wanted, commit, show)
		except Exception:
			if not commit:
				raise
			# The next night goes on where this one was; until then the milestones themselves are read.
			fault = frappe.get_traceback()
			frappe.db.rollback()
			guard.log_fault("Roll-up of {}, {}".format(*field), fault)
	return done


def differing() -> Iterator[tuple[str, str]]:
	"""Yield DocType and field of which stored sums differ from the milestones: those were changed past this app.

	It reads every milestone of the fields that are added up.
	"""
	for reference_type, track_field in sorted(_stored_fields()):
		scope = Scope(reference_type, track_field)
		stored, changed = roll_up.stored_ranges(reference_type, track_field)
		valid = [found for found in stored if not found.is_in(changed)]
		if any(found.numbers != roll_up.added_up(scope, found.first, found.last) for found in valid):
			yield reference_type, track_field


def forget(reference_type: str, track_field: str) -> None:
	"""Delete the stored sums of a field, which are added up again in the night.

	Args:
		reference_type, track_field: the field.
	"""
	stored, _notes = roll_up.stored_ranges(reference_type, track_field)
	_delete([found.name for found in stored])


def _delete(names: list[str]) -> None:
	"""Delete rows by their names, all of which exist: MariaDB locks no more than these, and notes go on being written."""
	if names:
		frappe.db.delete(closed_days.DOCTYPE, {"name": ("in", names)})


def _milestones_by_field() -> dict[tuple[str, str], int]:
	milestone = frappe.qb.DocType("Milestone")
	query = frappe.qb.from_(milestone).select(milestone.reference_type, milestone.track_field, Count("*"))
	rows = query.groupby(milestone.reference_type, milestone.track_field).run()
	return {(doctype, field): count for doctype, field, count in rows if doctype and field}


def _stored_fields() -> set[tuple[str, str]]:
	row = frappe.qb.DocType(closed_days.DOCTYPE)
	return set(frappe.qb.from_(row).select(row.reference_type, row.track_field).distinct().run())


def _wanted(scope: Scope, end: date) -> list[Days]:
	"""Return the days that are to be added up together: each month before a day, and each day of that one's month.

	Args:
		scope: the field.
		end: the first day that is not closed.
	"""
	milestone = frappe.qb.DocType("Milestone")
	((first,),) = scope.apply(frappe.qb.from_(milestone).select(Min(milestone.reached_on)), milestone).run()
	if not first:
		return []
	running = get_first_day(end)
	month = max(get_first_day(getdate(first)), getdate(add_months(running, -MONTHS)))
	wanted = []
	while month < running:
		wanted.append((month, get_last_day(month)))
		month = getdate(add_months(month, 1))
	days = [max(running, month) + timedelta(days=number) for number in range((end - running).days)]
	return wanted + [(day, day) for day in days]


def _refresh_field(
	scope: Scope,
	wanted: list[Days],
	commit: Callable[[], None] | None,
	show: Callable[[int, int], None] | None,
) -> int:
	"""Add up the days of a field; return the number of ranges that were added up."""
	_begin(commit)
	stored, notes = roll_up.stored_ranges(scope.reference_type, scope.track_field)
	good = {(found.first, found.last) for found in stored if not found.is_in(notes)}
	missing = [days for days in wanted if days not in good]
	for number, days in enumerate(missing):
		_begin(commit)
		if not _store(scope, days):
			return number
		if show:
			show(number + 1, len(missing))
	_begin(commit)
	left = [found.name for found in stored if (found.first, found.last) not in wanted]
	# Every range that a note is about has been added up since the note was read.
	left += [found.name for found in notes]
	_delete(left)
	if commit:
		commit()
	return len(missing)


def _begin(commit: Callable[[], None] | None) -> None:
	"""Begin a transaction, and wait until nobody else adds up."""
	if commit:
		commit()
	if not locks.is_only_writer():
		# The first statement: what the transaction sees is as of now, or on PostgreSQL fails if it is not.
		frappe.db.get_value("DocType", closed_days.DOCTYPE, "name", for_update=True)


def _store(scope: Scope, days: Days) -> bool:
	"""Store the sums of some days; return whether they are few enough to be stored."""
	name = _name(scope, days)
	numbers = roll_up.added_up(scope, *days)
	if len(numbers) > MOST_STORED:
		return False
	_delete(frappe.get_all(closed_days.DOCTYPE, {"name": name}, pluck="name"))
	row = {"name": name, "first_day": days[0], "last_day": days[1], "numbers": numbers}
	of_field = {"reference_type": scope.reference_type, "track_field": scope.track_field}
	bulk.insert_rows(closed_days.DOCTYPE, [row | of_field])
	return True


def _name(scope: Scope, days: Days) -> str:
	text = "\0".join((scope.reference_type, scope.track_field, *(day.isoformat() for day in days)))
	return hashlib.sha256(text.encode()).hexdigest()[:20]
