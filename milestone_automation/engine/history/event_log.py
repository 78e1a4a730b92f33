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
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import frappe
from dateutil.parser import isoparse
from dateutil.zoneinfo import get_zonefile_instance
from frappe import _

CHUNK_SIZE = 64 * 1024
GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGIC = b"PK\x03\x04"
BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
DELIMITERS = (",", ";", "\t", "|")

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
		delimiter: delimiter of CSV columns; found in the first line by default.
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
	"""

	case: str
	value: str
	moment: datetime.datetime
	instant: int
	resource: str
	place: Place


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
		_refuse_foreign_content(head, path)
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


def _refuse_foreign_content(head: bytes, path: Path) -> None:
	if not head.strip():
		raise EventLogError(_("{0} is empty. Export the log again.").format(path.name))
	if head.startswith(ZIP_MAGIC):
		raise EventLogError(
			_("{0} is a ZIP archive or a spreadsheet. Unpack it, or save it as CSV.").format(path.name)
		)
	if b"\0" in head and not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
		raise EventLogError(_("{0} is a binary file. Event logs are read as XES or CSV.").format(path.name))


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

	def read(self, text: str) -> tuple[datetime.datetime, int]:
		"""Return (naive time in the site's zone, microseconds since 1970 UTC).

		Raises:
			ValueError: it is not a time, or out of range.
		"""
		try:
			moment = self._parse(text)
			if moment.tzinfo is None:
				moment = moment.replace(tzinfo=self.file_zone)
			local = moment.astimezone(self.site_zone).replace(tzinfo=None)
			return local, (moment - self.EPOCH) // self.MICROSECOND
		except OverflowError as error:
			raise ValueError(str(error)) from error

	def _parse(self, text: str) -> datetime.datetime:
		if self.format:
			return datetime.datetime.strptime(text, self.format)
		# Python 3.10 does not parse "Z" and some fractions of a second; isoparse does, but is slow.
		try:
			return datetime.datetime.fromisoformat(text)
		except ValueError:
			return isoparse(text)


def time_zone(name: str) -> datetime.tzinfo:
	"""Return a time zone by its IANA name.

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


class _Row:
	"""The raw texts of one event and their position."""

	__slots__ = ("activity", "case", "place", "resource", "timestamp")

	def __init__(self, case, activity, timestamp, resource, place):
		self.case = (case or "").strip()[:KEPT_LENGTH]
		self.activity = (activity or "").strip()[:KEPT_LENGTH]
		self.timestamp = (timestamp or "").strip()
		self.resource = (resource or "").strip()[:KEPT_LENGTH]
		self.place = place

	def read(self, clock: Clock) -> Event | BadRow:
		if not self.case:
			return BadRow(self.place, _("no case id"))
		if len(self.case) > MAX_CASE_LENGTH:
			return BadRow(self.place, _("the case id is longer than {0} characters").format(MAX_CASE_LENGTH))
		if not self.activity:
			return BadRow(self.place, _("no activity"))
		if not self.timestamp:
			return BadRow(self.place, _("no timestamp"))
		try:
			moment, instant = clock.read(self.timestamp[:MAX_TIME_LENGTH])
		except ValueError:
			return BadRow(self.place, _('the timestamp "{0}" cannot be read').format(self.timestamp[:40]))
		return Event(self.case, self.activity, moment, instant, self.resource, self.place)


# ------------------------------------------------------------------------------------------------------ XES


def _read_xes(stream, log_format: LogFormat, clock: Clock, name: str, tick) -> Iterator[Event | BadRow]:
	parser = _XesParser(log_format)
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

	def __init__(self, log_format: LogFormat):
		self.case_key = log_format.case_key or "concept:name"
		self.event_case_key = log_format.case_key or CASE_COLUMNS[0]
		self.activity_key = log_format.activity_key or ACTIVITY_COLUMNS[0]
		self.timestamp_key = log_format.timestamp_key or TIMESTAMP_COLUMNS[0]
		self.resource_key = log_format.resource_key or RESOURCE_COLUMNS[0]
		self.wanted = {self.event_case_key, self.activity_key, self.timestamp_key, self.resource_key}
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
		if self.depth == 1 and tag != "log":
			raise EventLogError(
				_("The XML is not an XES log: it begins with <{0}>, not with <log>.").format(tag)
			)
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


def too_many_events(case: str, limits: Limits) -> str:
	"""Return the sentence for a case with more events than allowed."""
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
	try:
		lines = _lines(text, limits)
		first = next(lines)
		delimiter = log_format.delimiter or _delimiter_of(first)
		header = next(csv.reader([first], delimiter=delimiter))
		columns = _columns(header, log_format, name)
		rows = csv.reader(lines, delimiter=delimiter)
		for number, row in enumerate(rows, 1):
			if number % 1000 == 0:
				tick()
			# The reader starts after the header line.
			if row:
				yield _csv_row(row, columns, rows.line_num + 1).read(clock)
	except csv.Error as error:
		if "field limit" in str(error):
			raise EventLogError(
				_("{0} holds a value longer than {1} characters. Allow more with --max-value.").format(
					name, limits.value
				)
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


def _delimiter_of(first_line: str) -> str:
	return max(DELIMITERS, key=first_line.count)


def _csv_row(row: list[str], columns: tuple[int | None, ...], line: int) -> _Row:
	case, activity, timestamp, resource = (
		row[index] if index is not None and index < len(row) else "" for index in columns
	)
	return _Row(case, activity, timestamp, resource, Place(line, case))


def _columns(header: list[str], log_format: LogFormat, name: str) -> tuple[int | None, ...]:
	"""Return the positions of case, activity, timestamp and resource (may be missing) in the header."""
	index_of = {}
	for index, column in enumerate(header):
		index_of.setdefault(column.strip().casefold(), index)
	options = (
		("--case-key", log_format.case_key, CASE_COLUMNS),
		("--activity-key", log_format.activity_key, ACTIVITY_COLUMNS),
		("--timestamp-key", log_format.timestamp_key, TIMESTAMP_COLUMNS),
		("--resource-key", log_format.resource_key, RESOURCE_COLUMNS),
	)
	columns = []
	for option, given, usual in options:
		names = [given] if given else usual
		index = next((index_of[column.casefold()] for column in names if column.casefold() in index_of), None)
		if index is None and (given or option != "--resource-key"):
			raise EventLogError(
				_('{0} has no column "{1}". It has: {2}. Set the right one with {3}.').format(
					name, names[0], ", ".join(column.strip() for column in header[:30]), option
				)
			)
		columns.append(index)
	return tuple(columns)
