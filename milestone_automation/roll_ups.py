"""Scheduler: the times in each value of days that are over, added up and stored. What `engine/review` adds up is written here.

Months that are over, and the days of the running one, are added up once; then only where a note says that they have
changed. On one machine only one adds up at a time. On several, each transaction that stores or deletes begins after the
one before has ended, and deletes a note only where all sums of its days are this run's own.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator
from datetime import date, datetime, timedelta

import frappe
from frappe.query_builder.functions import Count, Min
from frappe.utils import add_months, get_first_day, get_last_day, getdate, now_datetime
from frappe.utils.file_lock import LockTimeoutError
from frappe.utils.synchronization import filelock
from rq.timeouts import BaseTimeoutException

from milestone_automation.engine.base import bulk, guard
from milestone_automation.engine.review import roll_up
from milestone_automation.engine.review.scope import Scope
from milestone_automation.engine.tracking import closed_days

# Of a field with fewer milestones than these every report reads them faster than anybody could notice.
WORTH = 10_000
# Characters of the sums of some days: those of 500 steps or so. A field with more is not added up.
MOST_STORED = 200_000
LOCK = "milestone-roll-up"
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
		int: the number of ranges added up; 0 too where somebody else is at it on this machine.
	"""
	try:
		with filelock(LOCK, timeout=1):
			return _refresh(now, commit, show, worth)
	except LockTimeoutError:
		return 0


def _refresh(now: datetime, commit, show, worth: int) -> int:
	counts = _milestones_by_field()
	done = 0
	for field in sorted(counts.keys() | _stored_fields()):
		try:
			wanted = _wanted(Scope(*field), closed_days.end(now)) if counts.get(field, 0) >= worth else []
			done += _refresh_field(Scope(*field), wanted, commit, show)
		except BaseTimeoutException:
			raise
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
	"""Delete rows one by one: MariaDB may read the whole table for a list of names, and lock it against new notes."""
	for name in names:
		frappe.db.delete(closed_days.DOCTYPE, {"name": name})


def _milestones_by_field() -> dict[tuple[str, str], int]:
	milestone = frappe.qb.DocType("Milestone")
	query = frappe.qb.from_(milestone).select(milestone.reference_type, milestone.track_field, Count("*"))
	rows = query.groupby(milestone.reference_type, milestone.track_field).run()
	return {(doctype, field): count for doctype, field, count in rows if doctype and field}


def _stored_fields() -> set[tuple[str, str]]:
	row = frappe.qb.DocType(closed_days.DOCTYPE)
	rows = frappe.qb.from_(row).select(row.reference_type, row.track_field).distinct().run()
	return {(doctype, field) for doctype, field in rows if doctype and field}


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
	first_day = max(running, getdate(first))
	days = [first_day + timedelta(days=number) for number in range((end - first_day).days)]
	return wanted + [(day, day) for day in days]


def _refresh_field(
	scope: Scope,
	wanted: list[Days],
	commit: Callable[[], None] | None,
	show: Callable[[int, int], None] | None,
) -> int:
	"""Add up the days of a field; return the number of ranges that were added up."""
	_begin(commit)
	wanted_by_name = {_name(scope, days): days for days in wanted}
	stored, notes = roll_up.stored_ranges(scope.reference_type, scope.track_field)
	good = {found.name for found in stored if not found.is_in(notes)}
	# The last ones first: a field with too many values shows it in any month.
	missing = [name for name in reversed(wanted_by_name) if name not in good]
	for number, name in enumerate(missing):
		if not _store(scope, name, wanted_by_name[name], commit):
			missing, wanted_by_name = [], {}
			break
		if show:
			show(number + 1, len(missing))
	_begin(commit)
	_clear_up(scope, wanted_by_name.keys(), notes)
	if commit:
		commit()
	return len(missing)


def _clear_up(scope: Scope, wanted: Collection[str], notes: list[roll_up.Range]) -> None:
	"""Delete sums that are not wanted, and notes that were read before all sums of their days were stored.

	Not wanted are sums of a month's single days, of the DocType's former name, of somebody else who counts other days.
	"""
	stored, _later_notes = roll_up.stored_ranges(scope.reference_type, scope.track_field)
	_delete([found.name for found in stored if found.name not in wanted])
	_delete([note.name for note in notes])


def _begin(commit: Callable[[], None] | None) -> None:
	"""Begin a transaction that stores or deletes once no other such one runs; what it sees is as of then.

	SQLite has no lock for that, and is on one machine.
	"""
	if commit:
		commit()
	if frappe.db.db_type == "mariadb":
		# What locks takes no view of the tables yet.
		frappe.db.get_value("DocType", closed_days.DOCTYPE, "name", for_update=True)
	elif frappe.db.db_type == "postgres":
		# The first statement takes the view before it waits; this one takes none. It stops neither readers nor notes.
		frappe.db.sql('LOCK TABLE "tabMilestone Roll Up" IN SHARE UPDATE EXCLUSIVE MODE')


def _store(scope: Scope, name: str, days: Days, commit: Callable[[], None] | None) -> bool:
	"""Store the sums of some days; return whether they are few enough to be stored."""
	_begin(commit)
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
