"""CSV as people's programs write it: a `sep=` line, blank lines, headers of several lines, quotes that never close."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

DELIMITERS = (",", ";", "\t", "|")
# Excel names the delimiter so, on a line of its own.
SEP_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
QUOTED = re.compile(r'"(?:[^"]|"")*"')
# A header of more lines is a quote that never closes.
MOST_HEADER_LINES = 50


class Lines:
	"""The lines of a file, with the numbers and texts of those that the current record was made of."""

	def __init__(self, lines: Iterator[str]):
		"""Take the lines, each with its end."""
		self.lines = lines
		self.number = 0
		self.taken: list[str] = []

	def __iter__(self) -> "Lines":
		return self

	def __next__(self) -> str:
		line = next(self.lines)
		self.number += 1
		self.taken.append(line)
		return line

	@property
	def first(self) -> int:
		"""Number of the first line since `forget`, or of the next one."""
		return self.number - len(self.taken) + 1

	def forget(self) -> None:
		"""Begin a new record."""
		self.taken = []


class Header(NamedTuple):
	"""Names of the columns, and what stands between them."""

	names: list[str]
	delimiter: str


def read_header(lines: Lines, delimiter: str | None = None) -> Header | None:
	"""Read the header, which may come after blank lines and a `sep=` line and have several lines.

	Args:
		lines: the file from its start; afterwards at the first line after the header.
		delimiter: what stands between columns; found in the header by default.

	Returns:
		Header: None if all lines are blank.
	"""
	record = _next_with_text(lines)
	named = SEP_LINE.fullmatch(record)
	if named:
		delimiter = delimiter or named[1]
		record = _next_with_text(lines)
	if not record:
		return None
	for _line in range(MOST_HEADER_LINES):
		if record.count('"') % 2 == 0:
			break
		record += next(lines, "")
	delimiter = delimiter or delimiter_of(record)
	lines.forget()
	return Header(next(csv.reader(io.StringIO(record, newline=""), delimiter=delimiter)), delimiter)


def _next_with_text(lines: Lines) -> str:
	return next((line for line in lines if line.strip()), "")


def delimiter_of(header: str) -> str:
	"""Return what stands between the columns of a header; what stands inside quotes does not count."""
	return max(DELIMITERS, key=QUOTED.sub("", header).count)


def names_of(column: str) -> tuple[str, ...]:
	"""Return the texts that a column's name may be compared by; a line break in it may be a space or a hyphenation."""
	name = " ".join(column.split()).casefold()
	return (name, "".join(column.split()).casefold()) if "\n" in column or "\r" in column else (name,)


class Swallowed(NamedTuple):
	"""Lines of a record that a quote has swallowed.

	Attributes:
		lines: (number, cells) of each line that looks like a record of its own.
		is_mixed: whether cells of the record itself come from the last of its lines.
	"""

	lines: list[tuple[int, list[str]]]
	is_mixed: bool


def swallowed(
	row: list[str], lines: Lines, delimiter: str, last_needed: int, is_record: Callable[[list[str]], bool]
) -> Swallowed | None:
	"""Return the lines that look like records, but were read as part of a quoted value; None if there are none.

	Args:
		row: the record.
		lines: with the lines that it was read from.
		delimiter: what stands between columns.
		last_needed: position of the last column that is needed.
		is_record: tells whether cells look like a record.
	"""
	if len(lines.taken) < 2:
		return None
	broken = next((index for index, cell in enumerate(row) if "\n" in cell or "\r" in cell), len(row))
	is_mixed = broken <= last_needed
	# The end of the last line belongs to the record itself, if needed columns come after the quote.
	inside = lines.taken[1:-1] if is_mixed else lines.taken[1:]
	found = []
	for number, line in enumerate(inside, lines.first + 1):
		cells = line.rstrip("\r\n").split(delimiter)
		if is_record(cells):
			found.append((number, cells))
	return Swallowed(found, is_mixed) if found else None
