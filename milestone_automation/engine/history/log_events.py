"""What reading an event log takes and gives: the format, its limits, the events and the rows that are none."""

import codecs
import datetime
from dataclasses import dataclass
from typing import NamedTuple

import frappe
from frappe import _

from milestone_automation.engine.rules.vocabulary import Vocabulary

# Bytes that are read at once.
CHUNK_SIZE = 64 * 1024
# That of UTF-32 begins with that of UTF-16, so it is looked for first.
BOMS = {
	codecs.BOM_UTF8: "utf-8-sig",
	codecs.BOM_UTF32_LE: "utf-32",
	codecs.BOM_UTF32_BE: "utf-32",
	codecs.BOM_UTF16_LE: "utf-16",
	codecs.BOM_UTF16_BE: "utf-16",
}
# Names of attributes and columns that only an object-centric log has begin so.
OCEL_PREFIX = "ocel:"

# Usual column names, compared without case; the first match counts. The first name is that of XES and pm4py.
CASE_COLUMNS = ("case:concept:name", "case_id", "case id", "caseid", "case", "case_concept_name")
ACTIVITY_COLUMNS = ("concept:name", "activity", "event", "value", "status")
TIMESTAMP_COLUMNS = ("time:timestamp", "timestamp", "completetime", "complete timestamp", "datetime", "date")
RESOURCE_COLUMNS = ("org:resource", "resource", "user")


class EventLogError(frappe.ValidationError):
	"""The file cannot be read as an event log. The message says what to do."""


@dataclass(frozen=True)
class Limits:
	"""How much a file may ask of the machine; a file that asks for more is refused. `import-log --help` names them.

	Attributes:
		unpacked: megabytes of the file, unpacked.
		value: characters of one value; with XES, bytes of one tag with its attributes.
		line: characters of one line of CSV.
		depth: XML elements inside each other.
		events_per_case: events of one case.
		values: different values of the activity.
	"""

	unpacked: int = 2000
	value: int = 100_000
	line: int = 1_000_000
	depth: int = 100
	events_per_case: int = 100_000
	values: int = 100_000


@dataclass(frozen=True)
class LogFormat:
	"""How to read a log.

	Attributes:
		case_key: trace attribute (XES) or column (CSV) with the case id; the usual names by default.
		activity_key: event attribute or column with the value; the usual names by default.
		timestamp_key: event attribute or column with the time; the usual names by default.
		resource_key: event attribute or column with the person, may be missing; the usual names by default.
		timestamp_format: strptime format of the times; ISO 8601 by default.
		time_zone: IANA name of the time zone for times without one; the site's by default.
		site_zone: time zone of `Event.moment`.
		delimiter: delimiter of CSV columns; named by a `sep=` line or found in the header by default.
		encoding: encoding of CSV files; by the byte order mark or UTF-8 by default. XES files name theirs.
		limits: how much the file may ask of the machine.
	"""

	case_key: str | None = None
	activity_key: str | None = None
	timestamp_key: str | None = None
	resource_key: str | None = None
	timestamp_format: str | None = None
	time_zone: str | None = None
	site_zone: datetime.tzinfo = datetime.timezone.utc
	delimiter: str | None = None
	encoding: str | None = None
	limits: Limits = Limits()


class Place(NamedTuple):
	"""Position of an event in its file, for messages."""

	line: int
	case: str = ""
	position: int = 0

	def __str__(self) -> str:
		if self.case and self.position:
			return _("line {0}, case {1}, event {2}").format(self.line, self.case[:40], self.position)
		if self.case:
			return _("line {0}, case {1}").format(self.line, self.case[:40])
		return _("line {0}").format(self.line)


class ClockChange(Vocabulary):
	"""Why a local time is not one moment."""

	TWICE = "there were two of it, as summer time ended"
	NEVER = "there was none, as summer time began"


@dataclass(frozen=True)
class Event:
	"""One readable event.

	Attributes:
		case: case id as in the file.
		value: the activity.
		moment: time, naive, in the site's time zone.
		instant: time in microseconds since 1970 UTC; keeps the order of events when summer time ends.
		resource: the person; empty if the file names none.
		place: position in the file, for messages.
		from_value: the value before, if this app exported the log; None in every other log.
		seconds_in_previous: how long that value stood, if this app exported the log; None if unknown.
		clock_change: what the change of the clocks makes of a time without a zone; None for all other times.
	"""

	case: str
	value: str
	moment: datetime.datetime
	instant: int
	resource: str
	place: Place
	from_value: str | None = None
	seconds_in_previous: int | None = None
	clock_change: ClockChange | None = None


@dataclass(frozen=True)
class BadRow:
	"""One event that cannot be used: its position and the reason."""

	place: Place
	reason: str


def object_centric(name: str) -> str:
	"""Return the sentence for an object-centric log.

	Args:
		name: name of the file.
	"""
	return _(
		"{0} is an object-centric event log (OCEL): an event can belong to many objects, and milestones need one case"
		" for each event. Flatten it to one object type, and import that as XES or CSV."
	).format(name)


def too_many_events(case: str, limits: Limits) -> str:
	"""Return the sentence for a case with more events than allowed.

	Args:
		case: its id, of which the sentence shows the beginning; may be empty.
		limits: with the number that is allowed.

	Returns:
		str: translated, for an `EventLogError`.
	"""
	return _("The case {0} has more than {1} events. Allow more with --max-events-per-case.").format(
		case[:40] or "?", limits.events_per_case
	)
