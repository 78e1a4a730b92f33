"""The events of a log on disk, so that they can be read case by case with little memory.

CSV exports are mostly sorted by time, and an import with `--strict` reads the whole file before it writes the first
row. With a temporary SQLite file, each log is read only once.
"""

import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from milestone_automation.engine.history.log_events import Event

INSERT = (
	"INSERT INTO event (case_id, instant, moment, value, resource, from_value, seconds)"
	" VALUES (?, ?, ?, ?, ?, ?, ?)"
)
FLUSH_AT = 5000


class SpooledEvent(NamedTuple):
	"""An event of one case; fields as in `log_events.Event`."""

	instant: int
	moment: datetime
	value: str
	resource: str
	from_value: str | None = None
	seconds_in_previous: int | None = None


class EventSpool:
	"""Stores events in a temporary file; a context manager."""

	def __enter__(self):
		self.folder = tempfile.TemporaryDirectory(prefix="milestone-import-")
		self.database = sqlite3.connect(Path(self.folder.name) / "events.db", isolation_level=None)
		for statement in (
			"PRAGMA journal_mode = OFF",
			"PRAGMA synchronous = OFF",
			"CREATE TABLE event (number INTEGER PRIMARY KEY, case_id TEXT, instant INTEGER, moment TEXT,"
			" value TEXT, resource TEXT, from_value TEXT, seconds INTEGER)",
			"CREATE TABLE document (case_id TEXT PRIMARY KEY, name TEXT) WITHOUT ROWID",
			"BEGIN",
		):
			self.database.execute(statement)
		self.pending: list[tuple] = []
		return self

	def __exit__(self, *_error):
		self.database.close()
		self.folder.cleanup()

	def add(self, event: Event) -> None:
		"""Store one event; not after `finish`.

		Args:
			event: as `event_log.read_events` yields it; its place in the file and its change of clocks are not kept.
		"""
		self.pending.append(
			(
				event.case,
				event.instant,
				event.moment.isoformat(),
				event.value,
				event.resource,
				event.from_value,
				event.seconds_in_previous,
			)
		)
		if len(self.pending) >= FLUSH_AT:
			self._flush()

	def finish(self) -> None:
		"""Write all pending events and create the index. Call before reading."""
		self._flush()
		self.database.execute("COMMIT")
		self.database.execute("CREATE INDEX by_case ON event (case_id, instant, number)")

	def cases(self) -> Iterator[str]:
		"""Yield the ids of all cases, sorted."""
		return (
			case for (case,) in self.database.execute("SELECT DISTINCT case_id FROM event ORDER BY case_id")
		)

	def counts(self) -> tuple[int, int]:
		"""Return the numbers of cases and of events."""
		return self.database.execute("SELECT COUNT(DISTINCT case_id), COUNT(*) FROM event").fetchone()

	def values(self, most: int) -> dict[str, int]:
		"""Return how many events each value has, the most frequent first.

		Args:
			most: how many values to return at most; the rarest are left out.
		"""
		return dict(
			self.database.execute(
				"SELECT value, COUNT(*) FROM event GROUP BY value ORDER BY 2 DESC, 1 LIMIT ?", (most,)
			)
		)

	def case_with_more_events_than(self, most: int) -> str | None:
		"""Return a case with more events than that; None where there is none.

		Args:
			most: how many events a case may have.

		Returns:
			str | None: id of any such case.
		"""
		row = self.database.execute(
			"SELECT case_id FROM event GROUP BY case_id HAVING COUNT(*) > ? LIMIT 1", (most,)
		).fetchone()
		return row and row[0]

	def span(self) -> tuple[datetime | None, datetime | None]:
		"""Return the times of the first and the last event; None without events."""
		first = self.database.execute("SELECT moment FROM event ORDER BY instant LIMIT 1").fetchone()
		last = self.database.execute("SELECT moment FROM event ORDER BY instant DESC LIMIT 1").fetchone()
		return (first and datetime.fromisoformat(first[0])), (last and datetime.fromisoformat(last[0]))

	def set_documents(self, documents: list[tuple[str, str]]) -> None:
		"""Store (case id, document name) of the cases that have a document.

		Args:
			documents: each case once over all calls.

		Raises:
			sqlite3.IntegrityError: a case has a document already.
		"""
		self.database.executemany("INSERT INTO document (case_id, name) VALUES (?, ?)", documents)

	def by_case(self) -> Iterator[tuple[str, str, list[SpooledEvent]]]:
		"""Yield (case, document name, events by time) of each case that has a document.

		Events of the same instant keep the order of the file.
		"""
		rows = self.database.execute(
			"SELECT case_id, document.name, instant, moment, value, resource, from_value, seconds"
			" FROM event JOIN document USING (case_id) ORDER BY case_id, instant, number"
		)
		for (case, document), events in groupby(rows, key=itemgetter(0, 1)):
			yield (
				case,
				document,
				[SpooledEvent(e[2], datetime.fromisoformat(e[3]), *e[4:]) for e in events],
			)

	def _flush(self) -> None:
		self.database.executemany(INSERT, self.pending)
		self.pending = []
