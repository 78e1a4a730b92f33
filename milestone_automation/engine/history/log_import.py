"""Import of milestones from an event log: every case is a document, every change of its value a milestone.

The whole file is read and checked before the first row is written. It is then loaded in batches of whole cases. Every
row has a key made of the data in the log, so a second run adds nothing and completes a run that was interrupted.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import frappe
from frappe import _

from milestone_automation.engine.base import clock
from milestone_automation.engine.base.values import CUT_MARK, MAX_LENGTH, as_text, is_same
from milestone_automation.engine.history.event_log import read_events
from milestone_automation.engine.history.event_spool import EventSpool, SpooledEvent
from milestone_automation.engine.history.log_events import (
	BadRow,
	EventLogError,
	Limits,
	LogFormat,
	too_many_events,
)
from milestone_automation.engine.history.milestone_rows import MilestoneRow, Writer, in_chunks
from milestone_automation.engine.rules.vocabulary import MilestoneSource
from milestone_automation.engine.tracking import registry, trackable

# Field types that can contain a case id; others do not compare as text.
CASE_FIELD_TYPES = frozenset(
	{"Data", "Link", "Dynamic Link", "Select", "Autocomplete", "Read Only", "Small Text", "Barcode", "Phone"}
)
NAMES_PER_QUERY = 1000
KEPT_EXAMPLES = 100

# Called with (label of the step, done, total): bytes while reading, then events.
Progress = Callable[[str, int, int], None]


class ImportStopped(frappe.ValidationError):
	"""No row can be used, or a strict import found something that cannot be loaded; nothing was loaded."""

	def __init__(self, message: str, summary: "ImportSummary"):
		super().__init__(message)
		self.summary = summary


@dataclass(frozen=True)
class ImportOptions:
	"""What to import, and how.

	Attributes:
		doctype: DocType of the documents.
		track_field: tracked field whose values are the activities of the log.
		case_field: "name", or the field of the document that contains the case id.
		log_format: how to read the file; `site_zone` is filled in by the import.
		dry_run: whether to check and count only.
		strict: whether to load nothing if there is a bad row or a case without a document.
		allow_missing: whether to record cases without a document too, with the case id as name.
		every_event: whether to record every event, not only those that change the value.
		batch_size: minimum number of events in one transaction; a case is never split.
	"""

	doctype: str
	track_field: str
	case_field: str = "name"
	log_format: LogFormat = field(default_factory=LogFormat)
	dry_run: bool = False
	strict: bool = False
	allow_missing: bool = False
	every_event: bool = False
	batch_size: int = 5000


@dataclass
class ImportSummary:
	"""Result of an import. Numbers count events unless they say something else.

	Attributes:
		cases: number of cases in the file.
		events: valid events.
		values: valid events by value.
		first, last: times of the first and the last event, in the site's time zone.
		changes: events in loaded cases that change the value; with `every_event` all of them.
		added: milestones written; in a dry run, those that would be.
		already_there: changes that an earlier run has written.
		already_recorded: changes since the site began to record the document itself.
		missing_cases: number of cases without a document; `missing_examples` are some of their ids.
		ambiguous_cases: number of cases with several documents; `ambiguous_examples` are some of their ids.
		bad_rows: number of rows that cannot be used; `bad_examples` are the first of them.
		unknown_values: events by values that the field cannot have (not an option, no such document).
		cut_values: number of different values that are longer than a milestone holds; `cut_examples` are some of them.
		merged_values: how many of these become the same as another one when they are cut.
		clock_changes: events whose local time there was twice or never, by `log_events.ClockChange`.
	"""

	cases: int = 0
	events: int = 0
	values: dict[str, int] = field(default_factory=dict)
	first: datetime | None = None
	last: datetime | None = None
	changes: int = 0
	added: int = 0
	already_there: int = 0
	already_recorded: int = 0
	missing_cases: int = 0
	missing_examples: list[str] = field(default_factory=list)
	ambiguous_cases: int = 0
	ambiguous_examples: list[str] = field(default_factory=list)
	bad_rows: int = 0
	bad_examples: list[BadRow] = field(default_factory=list)
	unknown_values: dict[str, int] = field(default_factory=dict)
	cut_values: int = 0
	cut_examples: list[str] = field(default_factory=list)
	merged_values: int = 0
	clock_changes: dict[str, int] = field(default_factory=dict)


def run(
	path: str | Path,
	options: ImportOptions,
	progress: Progress | None = None,
	commit: Callable[[], None] | None = None,
) -> ImportSummary:
	"""Import a log.

	Args:
		path: the file, as in `event_log.read_events`.
		options: what to import, and how.
		progress: called while it runs, see `Progress`.
		commit: called after each batch of whole cases; None leaves the transaction to the caller.

	Returns:
		ImportSummary: what was read and written.

	Raises:
		EventLogError: the file cannot be read.
		ImportStopped: no row can be used, or with `strict`, something cannot be loaded.
		frappe.ValidationError: the DocType, a field or the tracker does not exist.
	"""
	target = find_target(options.doctype, options.track_field, options.case_field)
	summary = ImportSummary()
	with EventSpool() as spool:
		_read(path, options, spool, summary, progress)
		_stop_if_unusable(summary)
		_find_documents(spool, target, options, summary)
		_find_unknown_values(target, summary)
		_find_cut_values(target, summary)
		if options.strict:
			_stop_if_incomplete(options, summary)
		_Loader(target, options, summary, progress, commit).load(spool)
	return summary


# --------------------------------------------------------------------------------------------------- checks


class Target(NamedTuple):
	"""The tracked field that gets the milestones, and the field with the case id."""

	doctype: str
	track_field: str
	fieldtype: str
	tracker: str
	case_field: str


def find_target(doctype: str, track_field: str, case_field: str = "name") -> Target:
	"""Check DocType, fields and tracker of an import.

	Args:
		doctype, track_field, case_field: as in `ImportOptions`.

	Raises:
		frappe.ValidationError: says what is missing and what to do.
	"""
	trackable.check_doctype(doctype)
	trackable.check_field(doctype, track_field)
	rules = registry.for_doctype(doctype)
	tracker = rules and rules.tracker
	tracked = {f.fieldname: f.fieldtype for f in tracker.fields} if tracker else {}
	if track_field not in tracked:
		frappe.throw(
			_("No Milestone Tracker records {0} of {1}. Create one first, then import its history.").format(
				track_field, doctype
			)
		)
	_check_case_field(doctype, case_field)
	return Target(doctype, track_field, tracked[track_field], tracker.name, case_field)


def _check_case_field(doctype: str, case_field: str) -> None:
	if case_field == "name":
		return
	docfield = frappe.get_meta(doctype).get_field(case_field)
	if not docfield or docfield.get("is_virtual"):
		frappe.throw(
			_("""{0} has no field {1}. Choose the field with the case id of the log, or "name".""").format(
				doctype, case_field
			)
		)
	if docfield.fieldtype not in CASE_FIELD_TYPES:
		frappe.throw(
			_(
				"{0} is of type {1} and cannot contain a case id. Choose a field of type Data, Link or Select."
			).format(case_field, docfield.fieldtype)
		)


def _read(path, options: ImportOptions, spool: EventSpool, summary: ImportSummary, progress) -> None:
	log_format = replace(options.log_format, site_zone=clock.site_zone())
	report = progress and (lambda done, total: progress(_("Reading"), done, total))
	for row in read_events(path, log_format, report):
		if isinstance(row, BadRow):
			summary.bad_rows += 1
			if len(summary.bad_examples) < KEPT_EXAMPLES:
				summary.bad_examples.append(row)
		else:
			spool.add(row)
			if row.clock_change:
				changes = summary.clock_changes
				changes[row.clock_change] = changes.get(row.clock_change, 0) + 1
	spool.finish()
	summary.cases, summary.events = spool.counts()
	check_limits(spool, log_format.limits)
	summary.values = spool.values(log_format.limits.values)
	summary.first, summary.last = spool.span()
	if not summary.events and not summary.bad_rows:
		raise EventLogError(_("{0} contains no events.").format(Path(path).name))


def check_limits(spool: EventSpool, limits: Limits) -> None:
	"""Refuse a log that would take more memory than a site has when it is loaded case by case.

	Args:
		spool: with all events of the log; `finish` was called.
		limits: the numbers that are allowed.

	Raises:
		EventLogError: a case has too many events, or the activity too many different values.
	"""
	if case := spool.case_with_more_events_than(limits.events_per_case):
		raise EventLogError(too_many_events(case, limits))
	if len(spool.values(limits.values + 1)) > limits.values:
		raise EventLogError(
			_(
				"The activity has more than {0} different values. Name the right one with --activity-key."
			).format(limits.values)
		)


def _find_documents(
	spool: EventSpool, target: Target, options: ImportOptions, summary: ImportSummary
) -> None:
	"""Find the documents of the cases to load."""
	for cases in in_chunks(spool.cases(), NAMES_PER_QUERY):
		names = _documents_of(cases, target)
		documents = []
		for case in cases:
			matching = names.get(case, [])
			if len(matching) == 1:
				documents.append((case, matching[0]))
			elif matching:
				summary.ambiguous_cases += 1
				_keep(summary.ambiguous_examples, case)
			else:
				summary.missing_cases += 1
				_keep(summary.missing_examples, case)
				if options.allow_missing:
					documents.append((case, case))
		spool.set_documents(documents)


def _documents_of(cases: list[str], target: Target) -> dict[str, list[str]]:
	"""Return the names of the documents of each case, compared exactly; MariaDB ignores case and accents."""
	case_ids: list = cases
	if target.case_field == "name" and frappe.get_meta(target.doctype).autoname == "autoincrement":
		# Such names are numbers, which PostgreSQL does not compare with text.
		case_ids = [int(case) for case in cases if case.isdecimal()]
	if not case_ids:
		return {}
	table = frappe.qb.DocType(target.doctype)
	column = table[target.case_field]
	names: dict[str, list[str]] = {}
	for case, name in frappe.qb.from_(table).select(column, table.name).where(column.isin(case_ids)).run():
		names.setdefault(str(case), []).append(str(name))
	return names


def _keep(examples: list[str], case: str) -> None:
	if len(examples) < KEPT_EXAMPLES:
		examples.append(case)


def _find_unknown_values(target: Target, summary: ImportSummary) -> None:
	docfield = frappe.get_meta(target.doctype).get_field(target.track_field)
	if target.fieldtype == "Select" and docfield.options:
		known_values = {option.strip() for option in docfield.options.split("\n")}
	elif target.fieldtype == "Link":
		names = list(summary.values)
		known_values = set(frappe.get_all(docfield.options, filters={"name": ("in", names)}, pluck="name"))
	else:
		return
	# No value is what a cleared field has.
	summary.unknown_values = {
		value: n for value, n in summary.values.items() if value and value not in known_values
	}


def _find_cut_values(target: Target, summary: ImportSummary) -> None:
	"""Count the values that are longer than a milestone holds, and those that cannot be told apart afterwards."""
	texts = {value: as_text(value, target.fieldtype) for value in summary.values if len(value) > MAX_LENGTH}
	cut = [value for value, text in texts.items() if text.endswith(CUT_MARK)]
	summary.cut_values = len(cut)
	summary.cut_examples = cut[:KEPT_EXAMPLES]
	summary.merged_values = len(cut) - len({texts[value] for value in cut})


def _stop_if_unusable(summary: ImportSummary) -> None:
	"""Stop if no row can be used: a wrong column or format is the reason, and success would hide it."""
	if summary.bad_rows and not summary.events:
		first = summary.bad_examples[0]
		raise ImportStopped(
			_("Nothing was loaded: none of {0} rows can be used, the first at {1}: {2}.").format(
				summary.bad_rows, first.place, first.reason
			),
			summary,
		)


def _stop_if_incomplete(options: ImportOptions, summary: ImportSummary) -> None:
	if summary.bad_rows:
		first = summary.bad_examples[0]
		raise ImportStopped(
			_("Nothing was loaded: {0} rows cannot be used, the first at {1}: {2}.").format(
				summary.bad_rows, first.place, first.reason
			),
			summary,
		)
	if summary.ambiguous_cases or (summary.missing_cases and not options.allow_missing):
		case = (summary.missing_examples + summary.ambiguous_examples)[0]
		raise ImportStopped(
			_("Nothing was loaded: {0} cases do not have exactly one document, the first is {1}.").format(
				summary.missing_cases + summary.ambiguous_cases, case
			),
			summary,
		)


# ----------------------------------------------------------------------------------------------------- load


class _Change(NamedTuple):
	"""One event to record, with the value before it."""

	event: SpooledEvent
	from_value: str
	value: str
	seconds_in_previous: int | None
	position: int
	occurrence: int


@dataclass
class _Known:
	"""The milestones that the site already has for a field of one document."""

	recorded_from: datetime | None = None
	imported: list[tuple[datetime, int, str]] = field(default_factory=list)
	reached: Counter = field(default_factory=Counter)

	def before(self, moment: datetime) -> tuple[str, datetime | None]:
		"""Return the last imported value before `moment`, and when it was reached.

		Args:
			moment: naive, in the site's time zone.

		Returns:
			tuple: an empty text and None where nothing was imported before.
		"""
		last = max((entry for entry in self.imported if entry[0] < moment), default=None)
		return (last[2], last[0]) if last else ("", None)

	def has(self, change: "_Change") -> bool:
		"""Return whether a change was imported before, maybe with another case id than the document's name.

		Args:
			change: an event of a log that this app exported; the number of its occurrence counts.
		"""
		return self.reached[change.event.moment, change.value] >= change.occurrence

	def note(self, source: str, moment: datetime, position: int, value: str) -> None:
		"""Add one milestone of the document: an imported one counts by its value, of the others only the first one's time.

		Args:
			source: its `MilestoneSource`.
			moment: when it was reached, naive, in the site's time zone.
			position: its place among those of the same moment.
			value: the value that was reached; empty for none.
		"""
		if source == MilestoneSource.IMPORT:
			self.imported.append((moment, position, value))
			self.reached[moment, value] += 1
		elif self.recorded_from is None or moment < self.recorded_from:
			self.recorded_from = moment


class _Loader:
	"""Writes the milestones of a log in batches of whole cases."""

	def __init__(self, target: Target, options: ImportOptions, summary: ImportSummary, progress, commit):
		self.target = target
		self.options = options
		self.summary = summary
		self.progress = progress
		self.commit = commit
		self.writer = Writer(target.doctype, target.track_field, target.tracker, MilestoneSource.IMPORT)
		self.texts: dict[str, str] = {}

	def load(self, spool: EventSpool) -> None:
		batch: list[tuple[str, str, list[SpooledEvent]]] = []
		waiting = done = 0
		for case, document, events in spool.by_case():
			batch.append((case, document, events))
			waiting += len(events)
			if waiting >= self.options.batch_size:
				self._load_batch(batch)
				done += waiting
				self._tell(done)
				batch, waiting = [], 0
		if batch:
			self._load_batch(batch)
		self._tell(self.summary.events)

	def _tell(self, done: int) -> None:
		if self.progress:
			self.progress(_("Checking") if self.options.dry_run else _("Loading"), done, self.summary.events)

	def _load_batch(self, batch) -> None:
		known_milestones = self._known([document for _case, document, _events in batch])
		rows = []
		for case, document, events in batch:
			rows += self._rows_of_case(case, document, events, known_milestones.get(document) or _Known())
		stored_keys = self._stored_keys([row.import_key for row in rows])
		new = [row for row in rows if row.import_key not in stored_keys]
		self.summary.already_there += len(rows) - len(new)
		self.summary.added += len(new)
		if not self.options.dry_run:
			self.writer.insert(new)
			if self.commit:
				self.commit()

	def _rows_of_case(
		self, case: str, document: str, events: list[SpooledEvent], known: _Known
	) -> list[MilestoneRow]:
		rows = []
		for change in self._changes(events, known):
			self.summary.changes += 1
			event = change.event
			if known.recorded_from and event.moment >= known.recorded_from:
				self.summary.already_recorded += 1
				continue
			if event.from_value is not None and known.has(change):
				self.summary.already_there += 1
				continue
			rows.append(
				MilestoneRow(
					reference_name=document,
					from_value=change.from_value,
					value=change.value,
					reached_on=event.moment,
					reached_by=event.resource,
					time_in_previous=change.seconds_in_previous,
					position=change.position,
					import_key=self._key(case, event.instant, change.value, change.occurrence),
				)
			)
		return rows

	def _changes(self, events: list[SpooledEvent], known: _Known) -> Iterator[_Change]:
		"""Yield the events of one case to record."""
		value, since = known.before(events[0].moment)
		last = None
		occurrences: Counter = Counter()
		for position, event in enumerate(events):
			if event.from_value is not None:
				yield self._exported(event, position, occurrences)
				continue
			text = self._text(event.value)
			occurrences[event.instant, text] += 1
			if not self.options.every_event and self._same(value, text):
				continue
			if last:
				seconds = (event.instant - last.instant) // 1_000_000
			else:
				seconds = clock.seconds_between(since, event.moment)
			yield _Change(event, value, text, seconds, position, occurrences[event.instant, text])
			value, last = text, event

	@staticmethod
	def _exported(event: SpooledEvent, position: int, occurrences: Counter) -> _Change:
		"""Return the milestone that an event of our own export was; each of its events was one."""
		text, before = as_text(event.value), as_text(event.from_value)
		occurrences[event.instant, text] += 1
		seconds = event.seconds_in_previous
		return _Change(event, before, text, seconds, position, occurrences[event.instant, text])

	def _text(self, value: str) -> str:
		if value not in self.texts:
			self.texts[value] = as_text(value, self.target.fieldtype)
		return self.texts[value]

	def _same(self, old: str, new: str) -> bool:
		return old == new or (bool(old) and is_same(old, new, self.target.fieldtype))

	def _key(self, case: str, instant: int, value: str, occurrence: int) -> str:
		"""Return the key of an event, the same in a longer export, another order or another format."""
		parts = (self.target.doctype, self.target.track_field, case, str(instant), value, str(occurrence))
		return hashlib.blake2b("\0".join(parts).encode(), digest_size=20).hexdigest()

	def _known(self, names: list[str]) -> dict[str, _Known]:
		milestone = frappe.qb.DocType("Milestone")
		known_milestones: dict[str, _Known] = {}
		for chunk in in_chunks(names, NAMES_PER_QUERY):
			rows = (
				frappe.qb.from_(milestone)
				.select(
					milestone.reference_name,
					milestone.source,
					milestone.reached_on,
					milestone.creation,
					milestone.idx,
					milestone.value,
				)
				.where(milestone.reference_type == self.target.doctype)
				.where(milestone.reference_name.isin(chunk))
				.where(milestone.track_field == self.target.track_field)
				.where(milestone.reference_deleted == 0)
				.run()
			)
			for name, source, reached_on, creation, position, value in rows:
				moment = frappe.utils.get_datetime(reached_on or creation)
				known_milestones.setdefault(name, _Known()).note(source, moment, position or 0, value or "")
		return known_milestones

	@staticmethod
	def _stored_keys(keys: Iterable[str]) -> set[str]:
		milestone = frappe.qb.DocType("Milestone")
		stored_keys: set[str] = set()
		for chunk in in_chunks(keys, NAMES_PER_QUERY):
			query = frappe.qb.from_(milestone).select(milestone.import_key)
			stored_keys.update(key for (key,) in query.where(milestone.import_key.isin(chunk)).run())
		return stored_keys
