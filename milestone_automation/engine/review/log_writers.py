"""Writes an event log as XES or CSV, one case at a time, so that memory does not grow with the log."""

import csv
import datetime
import html
from collections.abc import Iterable
from typing import NamedTuple, TextIO

from milestone_automation.engine.history import log_marks
from milestone_automation.engine.history.log_events import (
	ACTIVITY_COLUMNS,
	CASE_COLUMNS,
	RESOURCE_COLUMNS,
	TIMESTAMP_COLUMNS,
)

CASE, ACTIVITY, TIMESTAMP, RESOURCE = (
	columns[0] for columns in (CASE_COLUMNS, ACTIVITY_COLUMNS, TIMESTAMP_COLUMNS, RESOURCE_COLUMNS)
)
COLUMNS = (
	CASE,
	ACTIVITY,
	TIMESTAMP,
	RESOURCE,
	log_marks.FROM_VALUE,
	log_marks.SECONDS_IN_PREVIOUS,
	log_marks.CLEARED,
)
XES_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1849.2016" xes.features="" xmlns="http://www.xes-standard.org/">
	<extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
	<extension name="Time" prefix="time" uri="http://www.xes-standard.org/time.xesext"/>
	<extension name="Organizational" prefix="org" uri="http://www.xes-standard.org/org.xesext"/>
	<global scope="trace">
		<string key="concept:name" value=""/>
	</global>
	<global scope="event">
		<string key="concept:name" value=""/>
		<date key="time:timestamp" value="1970-01-01T00:00:00+00:00"/>
	</global>
	<classifier name="Activity" keys="concept:name"/>
	<string key="concept:name" value={title}/>
"""
XES_END = "</log>\n"
# In an attribute, XML reads these as a space.
WHITE_SPACE = {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}


class LoggedEvent(NamedTuple):
	"""One milestone to write.

	Attributes:
		value: the value that was reached; empty if the field was cleared.
		moment: when, with its time zone; without one where the zone's clocks never showed that time.
		resource: by whom; may be empty.
		from_value: the value before; empty if there was none.
		seconds_in_previous: how long that value stood; None if unknown.
	"""

	value: str
	moment: datetime.datetime
	resource: str
	from_value: str
	seconds_in_previous: int | None


class XesWriter:
	"""Writes XES as IEEE 1849-2016 describes it; the caller opens and closes the file."""

	def __init__(self, file: TextIO, title: str):
		"""Write the head of the log.

		Args:
			file: takes text.
			title: name of the log.
		"""
		self.file = file
		file.write(XES_HEAD.format(title=_quoted(title)))

	def write_case(self, case: str, events: Iterable[LoggedEvent]) -> None:
		"""Write one case and its events in their order.

		Args:
			case: name of the document; characters that XML does not know are replaced.
			events: of this document, oldest first.
		"""
		write = self.file.write
		write(f"\t<trace>\n\t\t{_attribute('string', 'concept:name', case)}\n")
		for event in events:
			write("\t\t<event>\n")
			for kind, key, value in _attributes(event):
				write(f"\t\t\t{_attribute(kind, key, value)}\n")
			write("\t\t</event>\n")
		write("\t</trace>\n")

	def close(self) -> None:
		"""Write the end of the log."""
		self.file.write(XES_END)


def _attributes(event: LoggedEvent):
	yield "string", ACTIVITY, event.value
	yield "date", TIMESTAMP, _timestamp(event.moment)
	if event.resource:
		yield "string", RESOURCE, event.resource
	yield "string", log_marks.FROM_VALUE, event.from_value
	if event.seconds_in_previous is not None:
		yield "int", log_marks.SECONDS_IN_PREVIOUS, str(event.seconds_in_previous)
	if not event.value:
		yield "boolean", log_marks.CLEARED, log_marks.TRUE


def _attribute(kind: str, key: str, value: str) -> str:
	return f'<{kind} key="{key}" value={_quoted(value)}/>'


def _quoted(text: str) -> str:
	text = html.escape(log_marks.printable(text))
	for character, entity in WHITE_SPACE.items():
		text = text.replace(character, entity)
	return f'"{text}"'


class CsvWriter:
	"""Writes CSV that spreadsheets and process mining tools open; no cell is taken for a formula."""

	def __init__(self, file: TextIO, title: str):
		"""Write the names of the columns.

		Args:
			file: takes text; opened with `newline=""`.
			title: not written, CSV has no place for it.
		"""
		self.rows = csv.writer(file)
		self.rows.writerow(COLUMNS)

	def write_case(self, case: str, events: Iterable[LoggedEvent]) -> None:
		"""Write the events of one case in their order.

		Args:
			case: name of the document; like every text, guarded where a spreadsheet would take it for a formula.
			events: of this document, oldest first.
		"""
		self.rows.writerows(_row(case, event) for event in events)

	def close(self) -> None:
		"""CSV has no end."""


def _row(case: str, event: LoggedEvent) -> tuple[str, ...]:
	seconds = event.seconds_in_previous
	return (
		_cell(case),
		_cell(event.value),
		_timestamp(event.moment),
		_cell(event.resource),
		_cell(event.from_value),
		"" if seconds is None else str(seconds),
		log_marks.FALSE if event.value else log_marks.TRUE,
	)


def _cell(text: str) -> str:
	return log_marks.guarded(log_marks.printable(text))


def _timestamp(moment: datetime.datetime) -> str:
	offset = moment.utcoffset()
	if offset and offset.total_seconds() % 60:
		# Local mean time of the 19th century; XML knows whole minutes only.
		moment = moment.astimezone(datetime.timezone.utc)
	return moment.isoformat()


WRITERS = {"xes": XesWriter, "csv": CsvWriter}
# Spreadsheets take a CSV file without a byte order mark for another encoding.
ENCODINGS = {"xes": "utf-8", "csv": "utf-8-sig"}
