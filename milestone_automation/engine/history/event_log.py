"""Reads an event log (XES or CSV, plain or gzipped) as a stream, without the database.

Opens the file, and refuses what is no event log or unpacks to too much; `xes_log` and `csv_log` read what is inside.
"""

import codecs
import gzip
import io
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from frappe import _

from milestone_automation.engine.history import csv_log, xes_log
from milestone_automation.engine.history.log_events import (
	BOMS,
	CHUNK_SIZE,
	BadRow,
	Event,
	EventLogError,
	Limits,
	LogFormat,
	object_centric,
)
from milestone_automation.engine.history.log_times import Clock

GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGIC = b"PK\x03\x04"
SQLITE_MAGIC = b"SQLite format 3\0"
# What only an object-centric log has: keys of its JSON, tables (OCEL 2) or columns (OCEL 1) of its SQLite file.
OCEL_JSON = (b'"ocel:', b'"objectTypes"', b'"eventTypes"')
OCEL_TABLES = (b"event_object", b"object_map_type", b"event_map_type", b'"ocel:')
JSON_START = re.compile(rb"\s*[{\[]\s*[\"{}\]]")
WIDE_BOMS = tuple(bom for bom in BOMS if bom != codecs.BOM_UTF8)
WIDE_ENCODING = re.compile(r"u(?:tf)?[-_ ]?(?:16|32)", re.IGNORECASE)

MEGABYTE = 1_000_000
# A log unpacks to some 30 times its size. What unpacks to more than this many times, past the first part, is a bomb.
MOST_UNPACKED_TIMES = 100
UNPACKED_ANYWAY = 20 * MEGABYTE

Progress = Callable[[int, int], None]


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
		reader = xes_log.read if _looks_like_xml(head) else csv_log.read
		if reader is csv_log.read and ".xes" in path.name.lower():
			raise EventLogError(
				_("{0} is not XML, so it is not an XES log. Export it again.").format(path.name)
			)
		yield from reader(stream, log_format, clock, path.name, lambda: tick(progress))


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
	if b"\0" in head and not head.startswith(WIDE_BOMS):
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


def _looks_like_json(head: bytes) -> bool:
	return bool(JSON_START.match(head.removeprefix(codecs.BOM_UTF8)))


def _looks_like_xml(head: bytes) -> bool:
	for bom in BOMS:
		head = head.removeprefix(bom)
	return head.lstrip(b" \t\r\n\0").startswith(b"<")
