"""Export of milestones as an event log: every document is a case, every milestone an event.

What counts is what reports count. Rows are read in pages along core's index on the document, so memory depends on a
page and on the largest document, not on the size of the log.
"""

import gzip
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timezone, tzinfo
from pathlib import Path
from typing import NamedTuple, TextIO

import frappe
from frappe import _
from frappe.query_builder.functions import Count
from frappe.utils import get_datetime, make_filter_tuple

from milestone_automation.engine.base import clock
from milestone_automation.engine.review import scope as scopes
from milestone_automation.engine.review.log_writers import ENCODINGS, WRITERS, LoggedEvent
from milestone_automation.engine.review.scope import Scope
from milestone_automation.engine.tracking import trackable

# Rows that are read at a time.
PAGE = 2000

# Called with (events done, events in total).
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ExportOptions:
	"""What to export.

	Attributes:
		doctype: DocType of the documents.
		track_field: the field whose milestones are the events.
		log_format: "xes" or "csv".
		start, end: first and last date of the milestones; None for no limit.
		filters: filters on the documents, as `frappe.get_list` takes them; None for all documents.
	"""

	doctype: str
	track_field: str
	log_format: str = "xes"
	start: date | None = None
	end: date | None = None
	filters: list | dict | None = None


@dataclass
class ExportSummary:
	"""What was written: numbers of cases and events."""

	cases: int = 0
	events: int = 0


class _Row(NamedTuple):
	name: str
	reference_name: str
	value: str | None
	from_value: str | None
	value_before: str | None
	reached_on: datetime | str | None
	creation: datetime | str
	idx: int | None
	reached_by: str | None
	time_in_previous: float | None


def count(options: ExportOptions) -> int:
	"""Return how many milestones the session user may export; filters on documents are not considered.

	Args:
		options: DocType, field and period count; format and filters do not.

	Raises:
		frappe.ValidationError: there is no such DocType.
		frappe.PermissionError: the user may read no document of the DocType, or not this field.
	"""
	trackable.check_doctype(options.doctype)
	milestone = frappe.qb.DocType("Milestone")
	scope = _scope(options)
	return scope.apply(frappe.qb.from_(milestone).select(Count("*")), milestone).run()[0][0]


def to_file(path: str | Path, options: ExportOptions, progress: Progress | None = None) -> ExportSummary:
	"""Export a log to a file, which appears only when it is whole.

	Args:
		path: the file to write; gzipped if its name ends with ".gz".
		options: what to export.
		progress: called after each page.

	Returns:
		ExportSummary: what was written.

	Raises:
		frappe.ValidationError: there is no such DocType, nothing to export, or the file cannot be written.
		frappe.PermissionError: the user may read no document of the DocType, or not this field.
	"""
	path = Path(path)
	part = path.with_name(f"{path.name}.part")
	try:
		with _opened(part, path.suffix == ".gz", ENCODINGS[options.log_format]) as file:
			summary = write(file, options, progress)
		os.replace(part, path)
	except OSError as error:
		frappe.throw(_("Cannot write {0}: {1}.").format(path, error.strerror or error))
	finally:
		part.unlink(missing_ok=True)
	return summary


@contextmanager
def _opened(path: Path, packed: bool, encoding: str) -> Iterator[TextIO]:
	with (
		open(path, "wb") as raw,
		gzip.GzipFile("", "wb", 6, raw, 0) if packed else raw as target,
		io.TextIOWrapper(target, encoding=encoding, newline="") as file,
	):
		yield file


def write(file: TextIO, options: ExportOptions, progress: Progress | None = None) -> ExportSummary:
	"""Export a log of what the session user may read.

	Args:
		file: takes text; opened with `newline=""`.
		options, progress: as in `to_file`.

	Returns:
		ExportSummary: what was written.

	Raises:
		frappe.ValidationError: there is no such DocType, or nothing to export; an empty log is written by then.
		frappe.PermissionError: the user may read no document of the DocType, or not this field.
	"""
	total = count(options)
	summary = ExportSummary()
	writer = WRITERS[options.log_format](file, f"{options.doctype}: {options.track_field}")
	for case, events in _cases(options):
		writer.write_case(case, events)
		summary.cases += 1
		summary.events += len(events)
		if progress:
			progress(summary.events, total)
	writer.close()
	if not summary.events:
		frappe.throw(
			_("There are no milestones of {0} of {1} to export, or you may not read their documents.").format(
				options.track_field, options.doctype
			)
		)
	return summary


# --------------------------------------------------------------------------------------------------- reading


def _scope(options: ExportOptions) -> Scope:
	return scopes.of_reader(options.doctype, options.track_field, options.start, options.end)


def _cases(options: ExportOptions) -> Iterator[tuple[str, list[LoggedEvent]]]:
	scope, zone = _scope(options), clock.site_zone()
	for page in _pages(replace(scope, condition="")):
		documents: dict[str, list[_Row]] = {}
		for row in page:
			documents.setdefault(row.reference_name, []).append(row)
		wanted_documents = _wanted(list(documents), scope, options.filters)
		for name, rows in documents.items():
			if name in wanted_documents:
				yield name, [_event(row, zone) for row in sorted(rows, key=_in_order)]


def _pages(scope: Scope) -> Iterator[list[_Row]]:
	"""Yield milestones by document; a page never splits one.

	Where the database takes two names for the same (MariaDB compares without case), their documents share a page.
	"""
	milestone = frappe.qb.DocType("Milestone")
	base = scope.apply(
		frappe.qb.from_(milestone).select(*(milestone[column] for column in _Row._fields)), milestone
	)
	query = base.orderby(milestone.reference_name).limit(PAGE)
	rows = _rows(query)
	while len(rows) == PAGE:
		last = rows[-1].reference_name
		whole = _rows(base.where(milestone.reference_name == last))
		already = {row.name for row in whole}
		yield [row for row in rows if row.name not in already] + whole
		rows = _rows(query.where(milestone.reference_name > last))
	yield rows


def _rows(query) -> list[_Row]:
	return [_Row(*row) for row in query.run()]


def _wanted(names: list[str], scope: Scope, filters) -> set[str]:
	"""Return those of some documents that the user may read and the filters select."""
	if scope.condition and names:
		milestone = frappe.qb.DocType("Milestone")
		query = frappe.qb.from_(milestone).select(milestone.reference_name).distinct()
		query = scope.apply(query, milestone).where(milestone.reference_name.isin(names))
		names = query.run(pluck=True)
	if filters and names:
		names = _filtered(scope.reference_type, names, filters)
	return set(names)


def _filtered(doctype: str, names: list[str], filters: list | dict) -> list[str]:
	if isinstance(filters, dict):
		filters = [make_filter_tuple(doctype, field, value) for field, value in filters.items()]
	listed = [*filters, [doctype, "name", "in", names]]
	rows = frappe.get_list(doctype, filters=listed, pluck="name", limit_page_length=0)
	return [str(name) for name in rows]


def _in_order(row: _Row) -> tuple:
	return (get_datetime(row.reached_on or row.creation), row.idx or 0, get_datetime(row.creation), row.name)


def _event(row: _Row, zone: tzinfo) -> LoggedEvent:
	seconds = row.time_in_previous
	return LoggedEvent(
		row.value or "",
		_in_zone(get_datetime(row.reached_on or row.creation), zone),
		row.reached_by or "",
		# Values that were only passed through are not exported, so none of them is where an event came from.
		(row.from_value if row.value_before is None else row.value_before) or "",
		None if seconds is None else int(seconds),
	)


def _in_zone(moment: datetime, zone: tzinfo) -> datetime:
	"""Return a time of the site with its zone; without one if its clocks skipped that time when they were put forward."""
	aware = moment.replace(tzinfo=zone)
	there_and_back = aware.astimezone(timezone.utc).astimezone(zone).replace(tzinfo=None)
	return aware if there_and_back == moment else moment
