"""Reads an event log (XES or CSV, plain or gzipped) as a stream, without the database.

The usual reader, pm4py, is licensed under AGPL, needs pandas and keeps the whole log in memory. XES is parsed with
expat, which gives line numbers, builds no tree, and allows to refuse a document type declaration before any of its
entities is read.
"""

import codecs
import csv
import datetime
import gzip
import io
import os
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import frappe
from dateutil.parser import isoparse
from dateutil.zoneinfo import get_zonefile_instance
from frappe import _

from milestone_automation.engine.history import csv_lines, log_marks
from milestone_automation.engine.rules.vocabulary import Vocabulary

CHUNK_SIZE = 64 * 1024
GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGIC = b"PK\x03\x04"
SQLITE_MAGIC = b"SQLite format 3\0"
# What only an object-centric log has: keys of its JSON, tables of its SQLite file, parts of its XML.
OCEL_JSON = (b'"ocel:', b'"objectTypes"', b'"eventTypes"')
OCEL_TABLES = (b"event_object", b"object_map_type", b"event_map_type")
OCEL_TAGS = frozenset({"events", "objects", "object-types", "event-types"})
OCEL_PREFIX = "ocel:"
JSON_START = re.compile(rb"\s*[{\[]\s*[\"{}\]]")
BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
WIDE_ENCODING = re.compile(r"u(?:tf)?[-_ ]?(?:16|32)", re.IGNORECASE)
# A year, an Excel day, or seconds since 1970: nothing is guessed.
NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?")
# A month or a week: on which day is not said.
NO_DAY = re.compile(r"\d{4}-\d{2}|\d{4}-?W\d{2}", re.IGNORECASE)

NULL = "\0"

# Usual column names, compared without case; the first match counts. The first name is that of XES and pm4py.
CASE_COLUMNS = ("case:concept:name", "case_id", "case id", "caseid", "case", "case_concept_name")
ACTIVITY_COLUMNS = ("concept:name", "activity", "event", "value", "status")
TIMESTAMP_COLUMNS = ("time:timestamp", "timestamp", "completetime", "complete timestamp", "datetime", "date")
RESOURCE_COLUMNS = ("org:resource", "resource", "user")

# Length of Milestone's Data columns.
MAX_CASE_LENGTH = 140
# Of longer texts only so much is kept: a milestone holds 140 characters of a value.
KEPT_LENGTH = 1000
# No time is written in more.
MAX_TIME_LENGTH = 100
# 3,000 years.
MAX_SECONDS = 10**11
MEGABYTE = 1_000_000
# A log unpacks to some 30 times its size. What unpacks to more than this many times, past the first part, is a bomb.
MOST_UNPACKED_TIMES = 100
UNPACKED_ANYWAY = 20 * MEGABYTE

Progress = Callable[[int, int], None]


class EventLogError(frappe.ValidationError):
	"""The file cannot be read as an event log. The message says what to do."""


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


def read_events(
	path: str | Path, log_format: LogFormat, progress: Progress | None = None
) -> Iterator[Event | BadRow]:
	"""Read a log event by event, in the order of the file.

	Args:
		path: the file, XES or CSV, plain or gzipped; its content decides, not its name.
		log_format: names of keys and columns, time zone and so on.
		progress: called with (bytes read, size in bytes) of the file on disk.

	Yields:
		Event | BadRow: one of them for every event of the file.

	Raises:
		EventLogError: the file is missing, empty, truncated, too large, or of another format or encoding.
	"""
	path = Path(path)
	clock = Clock(log_format)
	with _open(path, log_format.limits) as (stream, tick):
		head = stream.peek(CHUNK_SIZE)[:CHUNK_SIZE]
		_refuse_foreign_content(head, path, log_format.encoding)
		reader = _read_xes if _looks_like_xml(head) else _read_csv
		if reader is _read_csv and ".xes" in path.name.lower():
			raise EventLogError(
				_("{0} is not XML, so it is not an XES log. Export it again.").format(path.name)
			)
		yield from reader(stream, log_format, clock, path.name, lambda: tick(progress))


# ---------------------------------------------------------------------------------------------------- files


class _open:
	"""Opens a plain or gzipped file; returns a stream with `peek` and a function that reports progress.

	Errors of reading and unpacking leave the `with` block as EventLogError.
	"""

	def __init__(self, path: Path, limits: Limits):
		self.path = path
		self.limits = limits

	def __enter__(self):
		try:
			self.raw = open(self.path, "rb")
			self.size = os.fstat(self.raw.fileno()).st_size
			packed = self.raw.peek(2)[:2] == GZIP_MAGIC
		except OSError as error:
			raise EventLogError(
				_("Cannot read {0}: {1}.").format(self.path, error.strerror or error)
			) from error
		if not self.size:
			self.raw.close()
			raise EventLogError(_("{0} is empty. Export the log again.").format(self.path.name))
		source = gzip.GzipFile(fileobj=self.raw) if packed else self.raw
		self.stream = io.BufferedReader(_Measured(source, self.path.name, self.size, self.limits), CHUNK_SIZE)
		return self.stream, self._tick

	def __exit__(self, kind, error, traceback):
		self.raw.close()
		if isinstance(error, EOFError | zlib.error | gzip.BadGzipFile):
			raise EventLogError(
				_("{0} is truncated or damaged ({1}). Copy or export it again.").format(self.path.name, error)
			) from error
		if isinstance(error, UnicodeError):
			raise EventLogError(
				_("{0} has another encoding ({1}). Set the right one with --encoding.").format(
					self.path.name, error
				)
			) from error

	def _tick(self, progress: Progress | None) -> None:
		if progress:
			progress(self.raw.tell(), self.size)


class _Measured(io.RawIOBase):
	"""Passes bytes on and refuses a file that unpacks to too many."""

	def __init__(self, source, name: str, packed_size: int, limits: Limits):
		self.source = source
		self.name_for_people = name
		self.packed_size = packed_size
		self.limits = limits
		self.count = 0

	def readable(self) -> bool:
		return True

	def readinto(self, buffer) -> int:
		data = self.source.read(len(buffer))
		buffer[: len(data)] = data
		self.count += len(data)
		if self.count > self.limits.unpacked * MEGABYTE:
			raise EventLogError(
				_(
					"{0} unpacks to more than {1} MB. Allow more with --max-unpacked, or split the file."
				).format(self.name_for_people, self.limits.unpacked)
			)
		if self.count > max(UNPACKED_ANYWAY, self.packed_size * MOST_UNPACKED_TIMES):
			raise EventLogError(
				_(
					"{0} unpacks to more than {1} times its size, which no log does. Unpack it to read it all the same."
				).format(self.name_for_people, MOST_UNPACKED_TIMES)
			)
		return len(data)


def _refuse_foreign_content(head: bytes, path: Path, encoding: str | None) -> None:
	if not head.strip():
		raise EventLogError(_("{0} is empty. Export the log again.").format(path.name))
	if head.startswith(ZIP_MAGIC):
		raise EventLogError(
			_("{0} is a ZIP archive or a spreadsheet. Unpack it, or save it as CSV.").format(path.name)
		)
	if head.startswith(SQLITE_MAGIC) and _has_any(head, OCEL_TABLES):
		raise EventLogError(object_centric(path.name))
	if b"\0" in head and not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
		_refuse_null_characters(head, path.name, encoding)
	if _looks_like_json(head):
		if _has_any(head, OCEL_JSON):
			raise EventLogError(object_centric(path.name))
		raise EventLogError(_("{0} is JSON. Event logs are read as XES or CSV.").format(path.name))


def _refuse_null_characters(head: bytes, name: str, encoding: str | None) -> None:
	"""Refuse a binary file; text of two bytes a character has null characters too, and maybe no byte order mark."""
	if WIDE_ENCODING.match(encoding or ""):
		return
	beginning = head[:200]
	for offset, likely in ((1, "utf-16-le"), (0, "utf-16-be")):
		if set(beginning[offset::2]) == {0} and 0 not in beginning[1 - offset :: 2]:
			raise EventLogError(
				_(
					"{0} looks like UTF-16 without a byte order mark. Save it as UTF-8, or say --encoding {1} if it is CSV."
				).format(name, likely)
			)
	raise EventLogError(_("{0} is a binary file. Event logs are read as XES or CSV.").format(name))


def _has_any(head: bytes, names: Iterable[bytes]) -> bool:
	return any(name in head for name in names)


def object_centric(name: str) -> str:
	"""Return the sentence for an object-centric log.

	Args:
		name: name of the file.
	"""
	return _(
		"{0} is an object-centric event log (OCEL): an event can belong to many objects, and milestones need one case"
		" for each event. Flatten it to one object type, and import that as XES or CSV."
	).format(name)


def _looks_like_json(head: bytes) -> bool:
	return bool(JSON_START.match(head.removeprefix(codecs.BOM_UTF8)))


def _looks_like_xml(head: bytes) -> bool:
	for bom in BOMS:
		head = head.removeprefix(bom)
	return head.lstrip(b" \t\r\n\0").startswith(b"<")


# ---------------------------------------------------------------------------------------------------- times


class Clock:
	"""Parses the times of a log into naive times of the site and exact instants."""

	EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
	MICROSECOND = datetime.timedelta(microseconds=1)

	def __init__(self, log_format: LogFormat):
		self.site_zone = log_format.site_zone
		self.file_zone = time_zone(log_format.time_zone) if log_format.time_zone else self.site_zone
		self.format = log_format.timestamp_format

	def read(self, text: str) -> tuple[datetime.datetime, int, ClockChange | None]:
		"""Return (naive time in the site's zone, microseconds since 1970 UTC, what a change of the clocks makes of it).

		A time that there was twice is taken for the first one, and one that there was never as if the clocks had not
		changed yet.

		Args:
			text: one timestamp of the file, without spaces around: by `timestamp_format`, else ISO 8601 with its day.

		Raises:
			ValueError: it is not a time, or out of range.
		"""
		try:
			moment = self._parse(text)
			change = None
			if moment.tzinfo is None:
				moment = moment.replace(tzinfo=self.file_zone)
				change = clock_change(moment)
			local = moment.astimezone(self.site_zone).replace(tzinfo=None)
			return local, (moment - self.EPOCH) // self.MICROSECOND, change
		except OverflowError as error:
			raise ValueError(str(error)) from error

	def can_read(self, text: str) -> bool:
		"""Return whether a text is a time; of a long one only its beginning is looked at.

		Args:
			text: as for `read`.
		"""
		try:
			self.read(text[:MAX_TIME_LENGTH])
		except ValueError:
			return False
		return True

	def _parse(self, text: str) -> datetime.datetime:
		if self.format:
			return datetime.datetime.strptime(text, self.format)
		if NUMBER.fullmatch(text) or NO_DAY.fullmatch(text):
			raise ValueError(text)
		# Python 3.10 does not parse "Z" and some fractions of a second; isoparse does, but is slow.
		try:
			return datetime.datetime.fromisoformat(text)
		except ValueError:
			return isoparse(text)


def clock_change(moment: datetime.datetime) -> ClockChange | None:
	"""Return what a change of the clocks makes of a local time; None if there was just one of it.

	Args:
		moment: with its time zone, and as it was read: the first of two.
	"""
	before, after = moment.utcoffset(), moment.replace(fold=1).utcoffset()
	if before == after:
		return None
	return ClockChange.TWICE if before > after else ClockChange.NEVER


def time_zone(name: str) -> datetime.tzinfo:
	"""Return a time zone by its IANA name.

	Args:
		name: for example "Europe/Paris".

	Raises:
		EventLogError: there is no such zone.
	"""
	try:
		return ZoneInfo(name)
	except (ZoneInfoNotFoundError, ValueError, OSError):
		return _time_zone_of_dateutil(name)


def _time_zone_of_dateutil(name: str) -> datetime.tzinfo:
	"""Return a time zone from the database of python-dateutil, for machines without one of their own."""
	if zone := get_zonefile_instance().get(name):
		return zone
	raise EventLogError(_('Unknown time zone "{0}". Use a name such as Europe/Paris.').format(name))


# --------------------------------------------------------------------------------------------- one raw event


class _Marks(NamedTuple):
	"""What a log exported by this app says beyond others, see `log_marks`."""

	from_value: str | None = None
	seconds: str | None = None
	cleared: str | None = None


MARK_KEYS = (log_marks.FROM_VALUE, log_marks.SECONDS_IN_PREVIOUS, log_marks.CLEARED)


class _Row:
	"""The raw texts of one event and their position."""

	__slots__ = ("activity", "case", "marks", "place", "resource", "timestamp")

	def __init__(self, case, activity, timestamp, resource, place, marks: _Marks):
		self.case = (case or "").strip()[:KEPT_LENGTH]
		self.activity = (activity or "")[:KEPT_LENGTH]
		self.timestamp = (timestamp or "").strip()
		self.resource = (resource or "").strip()[:KEPT_LENGTH]
		self.place = place
		self.marks = marks
		if not self.is_exact:
			self.activity = self.activity.strip()

	@property
	def is_exact(self) -> bool:
		"""Whether this app exported the event."""
		return self.marks.from_value is not None

	def read(self, clock: Clock) -> Event | BadRow:
		if reason := self._problem():
			return BadRow(self.place, reason)
		try:
			moment, instant, clock_change = clock.read(self.timestamp[:MAX_TIME_LENGTH])
		except ValueError:
			return self._unreadable_time()
		try:
			return Event(
				self.case,
				self.activity,
				moment,
				instant,
				self.resource,
				self.place,
				*self._previous(),
				clock_change=clock_change,
			)
		except ValueError:
			return BadRow(
				self.place, _('"{0}" is not a number of seconds').format((self.marks.seconds or "")[:40])
			)

	def _problem(self) -> str | None:
		if not self.case:
			return _("no case id")
		if len(self.case) > MAX_CASE_LENGTH:
			return _("the case id is longer than {0} characters").format(MAX_CASE_LENGTH)
		if NULL in self.case + self.activity + self.resource:
			return _("a null character, which no database stores")
		was_cleared = self.is_exact and self.marks.cleared == log_marks.TRUE
		if not self.activity and not was_cleared:
			return _("no activity")
		return None if self.timestamp else _("no timestamp")

	def _unreadable_time(self) -> BadRow:
		if NUMBER.fullmatch(self.timestamp):
			reason = _('the timestamp "{0}" is a number; set --timestamp-format, or export times as ISO 8601')
		elif NO_DAY.fullmatch(self.timestamp):
			reason = _('the timestamp "{0}" names no day')
		else:
			reason = _('the timestamp "{0}" cannot be read')
		return BadRow(self.place, reason.format(self.timestamp[:40]))

	def _previous(self) -> tuple[str | None, int | None]:
		if not self.is_exact:
			return None, None
		seconds = int(self.marks.seconds) if self.marks.seconds else None
		if seconds is not None and not 0 <= seconds <= MAX_SECONDS:
			raise ValueError
		return self.marks.from_value[:KEPT_LENGTH], seconds


# ------------------------------------------------------------------------------------------------------ XES


def _read_xes(stream, log_format: LogFormat, clock: Clock, name: str, tick) -> Iterator[Event | BadRow]:
	parser = _XesParser(log_format, name)
	try:
		while chunk := stream.read1(CHUNK_SIZE):
			parser.feed(chunk)
			tick()
			for row in parser.take():
				yield row.read(clock)
		parser.close()
	except (expat.ExpatError, LookupError) as error:
		# LookupError: an encoding that Python does not know.
		raise EventLogError(
			_("{0} is not valid XML: {1}. Copy or export it again.").format(name, str(error))
		) from error
	for row in parser.take():
		yield row.read(clock)


class _XesParser:
	"""Collects the events of the traces parsed so far. Nested attributes are ignored."""

	def __init__(self, log_format: LogFormat, name: str):
		self.name = name
		self.case_key = log_format.case_key or "concept:name"
		self.event_case_key = log_format.case_key or CASE_COLUMNS[0]
		self.activity_key = log_format.activity_key or ACTIVITY_COLUMNS[0]
		self.timestamp_key = log_format.timestamp_key or TIMESTAMP_COLUMNS[0]
		self.resource_key = log_format.resource_key or RESOURCE_COLUMNS[0]
		self.wanted = {
			self.event_case_key,
			self.activity_key,
			self.timestamp_key,
			self.resource_key,
			*MARK_KEYS,
		}
		self.limits = log_format.limits
		self.max_depth, self.max_value = self.limits.depth, self.limits.value
		self.fed = 0
		self.ready: list[_Row] = []
		self.waiting: list[_Row] = []
		self.depth = 0
		self.case: str | None = None
		self.trace_depth = self.event_depth = 0
		self.event: dict[str, str] | None = None
		self.position = 0
		self.parser = expat.ParserCreate()
		self.parser.StartElementHandler = self._start
		self.parser.EndElementHandler = self._end
		self.parser.StartDoctypeDeclHandler = self._refuse_doctype
		self.parser.buffer_text = True

	def feed(self, chunk: bytes) -> None:
		self.parser.Parse(chunk, False)
		self.fed += len(chunk)
		# What the parser has taken and not understood yet is one tag.
		if self.fed - max(self.parser.CurrentByteIndex, 0) > self.limits.value + CHUNK_SIZE:
			self._refuse_value()

	def close(self) -> None:
		self.parser.Parse(b"", True)

	def take(self) -> list[_Row]:
		ready, self.ready = self.ready, []
		return ready

	def _refuse_doctype(self, *_args) -> None:
		raise EventLogError(
			_(
				"The XML declares a document type, which XES logs do not need and which can hide an attack. Remove it."
			)
		)

	def _refuse_value(self) -> None:
		raise EventLogError(
			_("A value at line {0} is longer than {1} characters. Allow more with --max-value.").format(
				self.parser.CurrentLineNumber, self.limits.value
			)
		)

	def _refuse_element(self) -> None:
		if self.depth <= self.limits.depth:
			self._refuse_value()
		raise EventLogError(
			_(
				"At line {0}, more than {1} elements stand inside each other. Allow more with --max-depth."
			).format(self.parser.CurrentLineNumber, self.limits.depth)
		)

	def _check_top(self, tag: str, attributes: dict[str, str]) -> None:
		if self.depth == 1 and tag != "log":
			raise EventLogError(
				_("The XML is not an XES log: it begins with <{0}>, not with <log>.").format(tag)
			)
		if self.depth == 2 and _is_object_centric(tag, attributes):
			raise EventLogError(object_centric(self.name))

	def _start(self, tag: str, attributes: dict[str, str]) -> None:
		self.depth += 1
		# Here, as a call for each of some million elements takes time.
		if self.depth > self.max_depth or len(attributes.get("value", "")) > self.max_value:
			self._refuse_element()
		if self.event is not None:
			if self.depth == self.event_depth + 1 and attributes.get("key") in self.wanted:
				self.event[attributes["key"]] = attributes.get("value", "")
			return
		self._start_outside_event(tag.rpartition(":")[2], attributes)

	def _start_outside_event(self, tag: str, attributes: dict[str, str]) -> None:
		if self.depth <= 2:
			self._check_top(tag, attributes)
		if tag == "event":
			self._start_event()
		elif tag == "trace" and self.depth == 2:
			self.trace_depth, self.case, self.position = self.depth, None, 0
		elif (
			self.trace_depth and self.depth == self.trace_depth + 1 and attributes.get("key") == self.case_key
		):
			self.case = attributes.get("value", "")

	def _start_event(self) -> None:
		self.event, self.event_depth = {}, self.depth
		self.position += 1
		self.line = self.parser.CurrentLineNumber

	def _end(self, _tag: str) -> None:
		if self.event is not None and self.depth == self.event_depth:
			self._end_event()
		elif self.trace_depth and self.depth == self.trace_depth:
			self._end_trace()
		self.depth -= 1

	def _end_event(self) -> None:
		event, self.event = self.event, None
		self.waiting.append(
			_Row(
				None,
				event.get(self.activity_key),
				event.get(self.timestamp_key),
				event.get(self.resource_key),
				Place(self.line, "", self.position),
				_Marks(*(event.get(key) for key in MARK_KEYS)),
			)
		)
		if not self.trace_depth:
			self.case = event.get(self.event_case_key, "")
			self._end_trace()
		elif len(self.waiting) > self.limits.events_per_case:
			raise EventLogError(too_many_events(self.case or "", self.limits))

	def _end_trace(self) -> None:
		"""Give the events of a trace their case id, which may come after the events."""
		case = (self.case or "").strip()
		for row in self.waiting:
			row.case = case
			row.place = row.place._replace(case=case)
		self.ready += self.waiting
		self.waiting = []
		self.trace_depth = 0


def _is_object_centric(tag: str, attributes: dict[str, str]) -> bool:
	"""Return whether a part of a <log> is one that only object-centric logs have."""
	return (
		tag in OCEL_TAGS
		or attributes.get("scope") == "object"
		or attributes.get("key", "").startswith(OCEL_PREFIX)
	)


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


# ------------------------------------------------------------------------------------------------------ CSV


def _read_csv(stream, log_format: LogFormat, clock: Clock, name: str, tick) -> Iterator[Event | BadRow]:
	encoding = log_format.encoding or _encoding_of(stream.peek(4)[:4])
	try:
		text = io.TextIOWrapper(stream, encoding=encoding, newline="")
	except LookupError as error:
		raise EventLogError(_('Unknown encoding "{0}".').format(encoding)) from error
	limits = log_format.limits
	field_limit = csv.field_size_limit(limits.value)
	lines = csv_lines.Lines(_lines(text, limits))
	try:
		header = csv_lines.read_header(lines, log_format.delimiter, clock.can_read)
		if header is None:
			raise EventLogError(_("{0} is empty. Export the log again.").format(name))
		records = _CsvRecords(header, _columns(header.names, log_format, name), lines, clock)
		for number, row in enumerate(csv.reader(lines, delimiter=header.delimiter), 1):
			if number % 1000 == 0:
				tick()
			yield from records.read(row)
			lines.forget()
	except csv_lines.OpenQuote as error:
		raise EventLogError(
			_(
				"A quote opens in the header of {0}, line {1}, and does not close there. Close or remove it, or the"
				" rows after it are lost."
			).format(name, error.line)
		) from error
	except csv.Error as error:
		if "field limit" in str(error):
			raise EventLogError(
				_(
					"{0} holds a value longer than {1} characters, which begins at line {2}. Close the quote there if"
					" one is open, or allow more with --max-value."
				).format(name, limits.value, lines.first)
			) from error
		raise EventLogError(_("{0} is not valid CSV: {1}.").format(name, error)) from error
	finally:
		csv.field_size_limit(field_limit)
		# Otherwise the wrapper closes the stream when it is garbage-collected.
		text.detach()


def _lines(text: io.TextIOWrapper, limits: Limits) -> Iterator[str]:
	number = 0
	while line := text.readline(limits.line + 1):
		number += 1
		if len(line) > limits.line:
			raise EventLogError(
				_("Line {0} is longer than {1} characters. Allow more with --max-line.").format(
					number, limits.line
				)
			)
		yield line


def _encoding_of(head: bytes) -> str:
	return next((encoding for bom, encoding in BOMS.items() if head.startswith(bom)), "utf-8")


class _CsvRecords:
	"""Makes events of the records of a CSV file."""

	def __init__(
		self, header: csv_lines.Header, columns: tuple[int | None, ...], lines: csv_lines.Lines, clock: Clock
	):
		self.columns = columns
		self.last_needed = max(column for column in columns[:3] if column is not None)
		self.quotes = csv_lines.Quotes(
			len(header.names), header.delimiter, self.last_needed, columns[2], self._is_event
		)
		self.lines = lines
		self.clock = clock

	def read(self, row: list[str]) -> Iterator[Event | BadRow]:
		"""Yield the event of a record; and what a quote in it has swallowed, line by line, as bad rows.

		Args:
			row: cells of the record that `lines` has just given; empty for a blank line, which yields nothing.
		"""
		if not row:
			return
		record = self._row(row, self.lines.first)
		swallowed = self.quotes.swallowed(row, self.lines)
		if not swallowed:
			yield record.read(self.clock)
			return
		reason = _("swallowed by a quote that opens at line {0} and does not close there").format(
			swallowed.opens_at
		)
		if swallowed.is_mixed:
			if len(self.lines.taken) == 1:
				reason = _("a quote opens in it and does not close where its value ends")
			yield BadRow(record.place, reason)
		else:
			yield record.read(self.clock)
		for line, cells in swallowed.lines:
			yield BadRow(self._row(cells, line).place, reason)

	def _is_event(self, cells: list[str]) -> bool:
		return len(cells) > self.last_needed and isinstance(self._row(cells, 0).read(self.clock), Event)

	def _row(self, row: list[str], line: int) -> _Row:
		cells = [row[index] if index is not None and index < len(row) else None for index in self.columns]
		case, activity, timestamp, resource, *marks = cells
		marks = _Marks(*marks)
		if marks.from_value is not None:
			case, activity, resource = (
				log_marks.unguarded(cell or "") for cell in (case, activity, resource)
			)
			marks = marks._replace(from_value=log_marks.unguarded(marks.from_value))
		return _Row(case, activity, timestamp, resource, Place(line, case or ""), marks)


def _columns(header: list[str], log_format: LogFormat, name: str) -> tuple[int | None, ...]:
	"""Return the positions of case, activity, timestamp, resource and marks; None for those that are missing."""
	index_of = _positions(header, name)
	repeated = _repeated(header)
	options = (
		("--case-key", log_format.case_key, CASE_COLUMNS),
		("--activity-key", log_format.activity_key, ACTIVITY_COLUMNS),
		("--timestamp-key", log_format.timestamp_key, TIMESTAMP_COLUMNS),
		("--resource-key", log_format.resource_key, RESOURCE_COLUMNS),
	)
	columns = []
	for option, chosen_key, usual in options:
		names = [chosen_key] if chosen_key else usual
		index = next((index_of[column.casefold()] for column in names if column.casefold() in index_of), None)
		if index is None and (chosen_key or option != "--resource-key"):
			raise EventLogError(
				_('{0} has no column "{1}". It has: {2}. Set the right one with {3}.').format(
					name, names[0], ", ".join(column.strip() for column in header[:30]), option
				)
			)
		if index is not None and header[index].strip().casefold() in repeated:
			raise EventLogError(
				_('{0} has more than one column "{1}". Rename all but the right one.').format(
					name, header[index].strip()
				)
			)
		columns.append(index)
	return (*columns, *(index_of.get(key) for key in MARK_KEYS))


def _repeated(header: list[str]) -> set[str]:
	"""Return the names that several columns have."""
	names = Counter(column.strip().casefold() for column in header)
	return {name for name, count in names.items() if count > 1}


def _positions(header: list[str], name: str) -> dict[str, int]:
	index_of: dict[str, int] = {}
	for index, column in enumerate(header):
		for text in csv_lines.names_of(column):
			index_of.setdefault(text, index)
	if any(column.startswith(OCEL_PREFIX) for column in index_of):
		raise EventLogError(object_centric(name))
	return index_of
