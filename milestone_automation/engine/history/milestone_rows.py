"""Inserts many milestones with few statements and without document events, for history only.

The milestones of a document are ordered by `reached_on, idx, creation`: a log may contain several changes of the same
instant, and `idx` keeps their order.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import frappe

from milestone_automation.engine.base import bulk, plain_text
from milestone_automation.engine.base.values import cut
from milestone_automation.engine.rules.vocabulary import MilestoneSource
from milestone_automation.engine.tracking import closed_days, milestones

# SQLite allows 32,766 values in a statement; more than some hundred rows are not faster.
ROWS_PER_STATEMENT = 500


@dataclass(slots=True)
class MilestoneRow:
	"""One milestone to write.

	Attributes:
		reference_name: name of the document.
		from_value, value: texts as in `values.as_text`; empty for no value.
		reached_on: naive, in the site's time zone.
		reached_by: user, or the resource of a log.
		time_in_previous: seconds in the previous value; None if unknown.
		position: order among milestones of the same instant.
		import_key: unique key of the origin; may be missing.
	"""

	reference_name: str
	from_value: str
	value: str
	reached_on: datetime
	reached_by: str
	time_in_previous: int | None
	position: int = 0
	import_key: str | None = None


class Writer:
	"""Inserts milestones of one field of one DocType."""

	def __init__(self, reference_type: str, track_field: str, tracker: str, source: MilestoneSource):
		"""Set what all rows have in common.

		Args:
			reference_type: DocType of the documents.
			track_field: field name.
			tracker: name of the Milestone Tracker.
			source: what records the milestones.
		"""
		self.reference_type = reference_type
		self.track_field = track_field
		self.tracker = tracker
		self.source = source.value
		self.users: dict[str, str] = {}

	def insert(self, rows: Iterable[MilestoneRow]) -> int:
		"""Insert rows and return their number; no document events run, and the caller commits.

		Args:
			rows: in any order; read as they are written, so they may be an iterator. Nothing refuses an `import_key`
				that is stored already: the caller leaves those out.
		"""
		count = 0
		first, last = datetime.max, datetime.min
		for chunk in in_chunks(rows, ROWS_PER_STATEMENT):
			values: list = []
			for row in chunk:
				values.extend(self._values(row))
				first, last = min(first, row.reached_on), max(last, row.reached_on)
			frappe.db.sql(milestones.insert_statement(frappe.db.db_type, len(chunk)), values)
			count += len(chunk)
		if count:
			closed_days.note_between(self.reference_type, self.track_field, first, last)
		return count

	def _values(self, row: MilestoneRow) -> tuple:
		"""Return the values of a row in the order of `milestones.COLUMNS`."""
		user = self._user(row.reached_by)
		return (
			bulk.new_name(),
			row.reached_on,
			row.reached_on,
			user,
			user,
			0,
			row.position,
			self.reference_type,
			plain_text.clean(row.reference_name),
			self.track_field,
			row.value,
			self.tracker,
			row.from_value,
			row.from_value,
			None,
			row.reached_on,
			cut(plain_text.clean(row.reached_by)),
			row.time_in_previous,
			0 if row.value else 1,
			0,
			self.source,
			0,
			0,
			None,
			row.import_key,
		)

	def _user(self, reached_by: str) -> str:
		"""Return the owner of the row, whom the timeline shows; a resource of a log may not be a user of this site."""
		if reached_by not in self.users:
			is_known = reached_by and frappe.db.exists("User", reached_by)
			self.users[reached_by] = reached_by if is_known else "Administrator"
		return self.users[reached_by]


def in_chunks(items: Iterable, size: int) -> Iterator[list]:
	"""Yield the items of an iterable in lists of at most `size` items.

	Args:
		items: read as they are needed.
		size: 1 or more; the last list may be shorter, none is empty.
	"""
	items = iter(items)
	while chunk := list(islice(items, size)):
		yield chunk
