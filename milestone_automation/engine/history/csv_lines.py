"""CSV as people's programs write it: a `sep=` line, blank lines, headers of several lines, quotes that never close."""

import csv
import re
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import NamedTuple

DELIMITERS = (",", ";", "\t", "|")
# Excel names the delimiter so, on a line of its own.
SEP_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
QUOTED = re.compile(r'"[^"]*(?:""[^"]*)*"')
OPEN_AT_END = re.compile(r'(?<![^,;\t|])"[^"]*\Z')
# A header of more lines is a quote that never closes.
MOST_HEADER_LINES = 50
# Case, activity and timestamp: what has fewer cells is no row.
FEWEST_CELLS = 3


class OpenQuote(ValueError):
	"""A quote opens in the header and swallows rows.

	Attributes:
		line: number of the line where it opens.
	"""

	def __init__(self, line: int):
		super().__init__(line)
		self.line = line


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


def read_header(lines: Lines, delimiter: str | None, is_time: Callable[[str], bool]) -> Header | None:
	"""Read the header, which may come after blank lines and a `sep=` line and have several lines.

	Args:
		lines: the file from its start; afterwards at the first line after the header.
		delimiter: what stands between columns; None finds it in the header.
		is_time: tells whether a text is a time, which rows have and headers have not.

	Returns:
		Header: None if all lines are blank.

	Raises:
		OpenQuote: the header would contain lines that are rows.
	"""
	record = _next_with_text(lines)
	separator_line = SEP_LINE.fullmatch(record)
	if separator_line:
		delimiter = delimiter or separator_line[1]
		record = _next_with_text(lines)
	if not record:
		return None
	first = lines.number
	header_lines, delimiter = _lines_of_header(record, lines, delimiter)
	_refuse_rows(header_lines, first, delimiter, is_time)
	lines.forget()
	return Header(next(csv.reader(header_lines, delimiter=delimiter)), delimiter)


def _lines_of_header(line: str, lines: Lines, delimiter: str | None) -> tuple[list[str], str]:
	"""Return the lines up to the end of the first record, and what stands between its cells."""
	first = lines.number
	taken_lines = [line]
	while True:
		record = "".join(taken_lines)
		cell_delimiter = delimiter or delimiter_of(record)
		still_open = next((cell for cell in quoted_cells(record, cell_delimiter) if cell.is_open), None)
		if not still_open:
			return taken_lines, cell_delimiter
		line = next(lines, "")
		if not line or len(taken_lines) >= MOST_HEADER_LINES:
			raise OpenQuote(_line_at(still_open.start, taken_lines, first))
		taken_lines.append(line)


def _line_at(position: int, texts: list[str], first: int) -> int:
	"""Return the number of the line at a position in lines of which the first has this number."""
	ends = accumulate(len(text) for text in texts)
	return first + sum(end <= position for end in ends)


def _refuse_rows(texts: list[str], first: int, delimiter: str, is_time: Callable[[str], bool]) -> None:
	"""Refuse a header of several lines, of which the first has this number, if one of them looks like a row."""
	for cell in quoted_cells("".join(texts), delimiter):
		inside = cell.text.splitlines()[1:]
		has_rows = any(line.count(delimiter) >= FEWEST_CELLS - 1 for line in inside)
		if has_rows or (cell.closes_badly and cell.holds(delimiter, *LINE_ENDS)):
			raise OpenQuote(_line_at(cell.start, texts, first))
	for number, line in enumerate(texts[1:], first):
		if any(is_time(text.strip()) for cells in readings(line, delimiter) for text in cells):
			raise OpenQuote(number)


def _next_with_text(lines: Lines) -> str:
	return next((line for line in lines if line.strip()), "")


def delimiter_of(header: str) -> str:
	"""Return what stands between the columns of a header; what stands inside quotes does not count.

	Args:
		header: its line, or all lines so far if a quote is still open.

	Returns:
		str: the one of `DELIMITERS` that it has most often; a comma where it has none.
	"""
	return max(DELIMITERS, key=OPEN_AT_END.sub("", QUOTED.sub("", header)).count)


def names_of(column: str) -> tuple[str, ...]:
	"""Return the texts that a column's name may be compared by; a line break in it may be a space or a hyphenation.

	Args:
		column: a cell of the header.

	Returns:
		tuple: one or two texts in lower case, with single spaces.
	"""
	name = " ".join(column.split()).casefold()
	return (name, "".join(column.split()).casefold()) if "\n" in column or "\r" in column else (name,)


LINE_ENDS = ("\n", "\r")


class QuotedCell(NamedTuple):
	"""A cell that begins with a quote.

	Attributes:
		index: position of its column.
		start: position in the text.
		text: what stands inside the quotes.
		is_open: whether its quote never closes.
		closes_badly: whether more text comes after its closing quote, or none closes it.
	"""

	index: int
	start: int
	text: str
	is_open: bool
	closes_badly: bool

	def holds(self, *texts: str) -> bool:
		"""Return whether one of some texts stands inside the quotes."""
		return any(text in self.text for text in texts)


def quoted_cells(record: str, delimiter: str) -> Iterator[QuotedCell]:
	"""Yield the quoted cells of a record, found as the csv module finds them.

	Args:
		record: its lines.
		delimiter: what stands between cells.
	"""
	between = re.escape(delimiter)
	cell = re.compile(
		rf'(?:"(?P<text>[^"]*(?:""[^"]*)*)(?P<tail>"[^{between}\r\n]*)?|[^{between}\r\n]*)(?:{between}|[\r\n]+|\Z)'
	)
	position = index = 0
	while position < len(record):
		match = cell.match(record, position)
		if match["text"] is not None:
			tail = match["tail"]
			yield QuotedCell(index, position, match["text"], tail is None, tail != '"')
		position = match.end()
		index += 1


def readings(line: str, delimiter: str) -> Iterator[list[str]]:
	"""Yield the cells of a line that may have a stray quote: with quotes that count, and as if they were text.

	Args:
		line: with or without its end.
		delimiter: what stands between cells.
	"""
	line = line.rstrip("\r\n")
	yield next(csv.reader([line], delimiter=delimiter), [])
	yield line.split(delimiter)


class Swallowed(NamedTuple):
	"""Lines of a record that a quote has swallowed.

	Attributes:
		lines: (number, cells) of each line that is a record of its own.
		is_mixed: whether needed cells of the record itself come from several of its lines, or from several columns.
		opens_at: number of the line where the quote opens.
	"""

	lines: list[tuple[int, list[str]]]
	is_mixed: bool
	opens_at: int


class Quotes:
	"""Tells whether a quote in a record has swallowed others."""

	def __init__(
		self,
		columns: int,
		delimiter: str,
		last_needed: int,
		time_column: int,
		is_record: Callable[[list[str]], bool],
	):
		"""Take what all records of a file have in common.

		Args:
			columns: number of columns.
			delimiter: what stands between them.
			last_needed: position of the last column that is needed.
			time_column: position of the time, by which a record is known.
			is_record: tells whether cells look like a record.
		"""
		self.columns = columns
		self.delimiter = delimiter
		self.last_needed = last_needed
		self.time_column = time_column
		self.is_record = is_record

	def swallowed(self, row: list[str], lines: Lines) -> Swallowed | None:
		"""Return what a quote in a record has swallowed; None if nothing.

		Args:
			row: the record.
			lines: with the lines that it was read from.
		"""
		if len(lines.taken) < 2:
			return Swallowed([], True, lines.first) if self._has_swallowed_columns(row, lines) else None
		record = "".join(lines.taken)
		cells = (cell for cell in quoted_cells(record, self.delimiter) if cell.holds(*LINE_ENDS))
		cell = next((cell for cell in cells if self._swallows(cell, row, lines.taken)), None)
		return self._all_after(cell, lines) if cell else None

	def _all_after(self, cell: QuotedCell, lines: Lines) -> Swallowed:
		"""Return the lines that the quote of a cell has swallowed."""
		is_mixed = cell.index <= self.last_needed
		opens_at = _line_at(cell.start, lines.taken, lines.first)
		swallowed_rows = []
		for number, line in enumerate(lines.taken[opens_at - lines.first + 1 :], opens_at + 1):
			cells = self._cells(line)
			# The end of a mixed record is one more row, whatever is left of it.
			if len(cells) > self.last_needed or (is_mixed and number == lines.number):
				swallowed_rows.append((number, cells))
		return Swallowed(swallowed_rows, is_mixed, opens_at)

	def _swallows(self, cell: QuotedCell, row: list[str], texts: list[str]) -> bool:
		"""Return whether the quote of a cell with line breaks, in a record of some lines, has swallowed rows."""
		if cell.closes_badly:
			return True
		opens, closes = (_line_at(at, texts, 0) for at in (cell.start, cell.start + len(cell.text) + 1))
		if cell.index >= self.time_column:
			return any(self.is_record(self._cells(line)) for line in texts[opens + 1 : closes + 1])
		# The time comes after it, in the line where it closes; and in none before, unless it has swallowed that.
		from_quote = texts[opens][cell.start - sum(len(text) for text in texts[:opens]) :].rstrip("\r\n")
		if self.is_record(row[: cell.index] + from_quote.split(self.delimiter)):
			return True
		return any(self.is_record(self._cells(line)) for line in texts[opens + 1 : closes])

	def _has_swallowed_columns(self, row: list[str], lines: Lines) -> bool:
		"""Return whether a quote inside of a line makes one cell of several, so that what follows has moved."""
		line = "".join(lines.taken)
		return (
			len(row) < self.columns
			and '"' in line
			and any(
				cell.closes_badly and cell.holds(self.delimiter)
				for cell in quoted_cells(line, self.delimiter)
			)
		)

	def _cells(self, line: str) -> list[str]:
		"""Return the cells of a line by the reading that looks most like a record."""
		possible_cells = list(readings(line, self.delimiter))
		return next(
			(cells for cells in possible_cells if self.is_record(cells)), max(possible_cells, key=len)
		)
