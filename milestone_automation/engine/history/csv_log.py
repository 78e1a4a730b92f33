"""Reads the events of a CSV log: its encoding, which column is what, and its records; `csv_lines` knows about quotes."""

import csv
import io
from collections import Counter
from collections.abc import Iterator

from frappe import _

from milestone_automation.engine.history import csv_lines, log_marks
from milestone_automation.engine.history.log_events import (
	ACTIVITY_COLUMNS,
	BOMS,
	CASE_COLUMNS,
	OCEL_PREFIX,
	RESOURCE_COLUMNS,
	TIMESTAMP_COLUMNS,
	BadRow,
	Event,
	EventLogError,
	Limits,
	LogFormat,
	Place,
	object_centric,
)
from milestone_automation.engine.history.log_times import Clock
from milestone_automation.engine.history.raw_events import MARK_KEYS, Marks, RawEvent


def read(stream, log_format: LogFormat, clock: Clock, name: str, tick) -> Iterator[Event | BadRow]:
	"""Read a CSV log row by row, in the order of the file.

	Args:
		stream: the file, unpacked, at its start.
		log_format: names of columns, delimiter, encoding, time zone and so on.
		clock: reads its times.
		name: name of the file, for messages.
		tick: called without arguments while rows are read.

	Yields:
		Event | BadRow: one of them for every row of the file that is not blank.

	Raises:
		EventLogError: it is empty, of another encoding, lacks a column, or asks for more than its limits allow.
	"""
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


# Columns


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


# Records


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

	def _row(self, row: list[str], line: int) -> RawEvent:
		cells = [row[index] if index is not None and index < len(row) else None for index in self.columns]
		case, activity, timestamp, resource, *marks = cells
		marks = Marks(*marks)
		if marks.from_value is not None:
			case, activity, resource = (
				log_marks.unguarded(cell or "") for cell in (case, activity, resource)
			)
			marks = marks._replace(from_value=log_marks.unguarded(marks.from_value))
		return RawEvent(case, activity, timestamp, resource, Place(line, case or ""), marks)
