"""Days that are over: their times are added up once in a *Milestone Roll Up*, and every later change of them is noted.

A note is a row of the same DocType without numbers, written in the transaction that changes a milestone of these days.
For whoever sees the change it takes the sums of these days out of use until they are added up anew. Notes are only ever
inserted, so no save waits for another one or for the sums. Who adds up deletes the notes that the sums heed.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from frappe.utils import get_datetime, getdate, now_datetime

from milestone_automation.engine.base import bulk

DOCTYPE = "Milestone Roll Up"
# So long after its end a day is added up. A change is noted from half that time on, so that a transaction may run for the
# other half between the two.
CLOSED_AFTER = timedelta(days=1)
NOTED_AFTER = CLOSED_AFTER / 2


def end(now: datetime) -> date:
	"""Return the first day that is not closed yet.

	Args:
		now: naive, in the site's time zone.
	"""
	return (now - CLOSED_AFTER).date()


def note(reference_type: str, changes: Iterable[tuple[str, datetime | str | None]]) -> None:
	"""Note that milestones were added, changed or removed. One statement; none where their days are not over.

	Args:
		reference_type: DocType of their documents.
		changes: tracked field of each milestone and when it was reached, naive, in the site's time zone. One without a
			time is in no sum.
	"""
	limit = now_datetime() - NOTED_AFTER
	moments = [(field, get_datetime(moment)) for field, moment in changes if moment]
	days = {(field, moment.date()) for field, moment in moments if moment < limit}
	_insert(reference_type, [(field, day, day) for field, day in sorted(days)])


def note_between(reference_type: str, track_field: str, first: datetime, last: datetime) -> None:
	"""Note that milestones of a time were added or changed. One statement; none where its days are not over.

	Args:
		reference_type: DocType of their documents.
		track_field: the tracked field.
		first, last: when the first and the last of them were reached, naive, in the site's time zone.
	"""
	if get_datetime(first) < now_datetime() - NOTED_AFTER:
		_insert(reference_type, [(track_field, getdate(first), getdate(last))])


def _insert(reference_type: str, days: list[tuple[str, date, date]]) -> None:
	rows = [
		{"reference_type": reference_type, "track_field": field, "first_day": first, "last_day": last}
		for field, first, last in days
	]
	bulk.insert_rows(DOCTYPE, rows)
