"""Milestones from Frappe's `Version` log, for the time before a tracker was created.

The first value of a document is the old value of its first logged change, or its present value without a log; it was
reached when the document was created. Every logged change is a further milestone. Changes that the recorder or an
import has recorded are not written again: backfilled history ends at the first such milestone.

`Version` does not contain changes by `db_set` and SQL, and changes made while "Track Changes" was off. After such a gap
the time in the previous value is unknown. The nightly reconcile records the last value.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import frappe
from frappe import _
from frappe.utils import get_datetime

from milestone_automation.engine.base import clock
from milestone_automation.engine.base.values import as_text, is_same
from milestone_automation.engine.history.milestone_rows import MilestoneRow, Writer
from milestone_automation.engine.history.version_values import VersionReader
from milestone_automation.engine.rules.vocabulary import MilestoneSource
from milestone_automation.engine.tracking import conditions, registry
from milestone_automation.engine.tracking.stored_changes import is_first_value

DOCUMENTS_PER_BATCH = 500
# A save writes its version a little before its milestone; hooks in between may take a while.
SAME_SAVE = timedelta(minutes=10)
STANDARD_COLUMNS = ("name", "creation", "owner", "modified", "modified_by")

# Called with (documents done, total number of documents).
Progress = Callable[[int, int], None]


@dataclass
class BackfillSummary:
	"""Result of a backfill.

	Attributes:
		documents: number of documents that were read.
		out_of_condition: documents that do not meet the tracker's condition now and are skipped.
		added: milestones written; in a dry run, those that would be.
		already_there: milestones that an earlier run has written.
		already_recorded: changes that the recorder or an import has recorded.
		gaps: changes whose old value is not the new value of the change before.
		uncertain: fields of changed documents without a log; their first milestone is dated by `modified`.
		by_field: milestones written by field name.
	"""

	documents: int = 0
	out_of_condition: int = 0
	added: int = 0
	already_there: int = 0
	already_recorded: int = 0
	gaps: int = 0
	uncertain: int = 0
	by_field: dict[str, int] = field(default_factory=dict)


class Change(NamedTuple):
	"""One change of a field in the log; `key` identifies it, `since` is when the old value was reached."""

	old: str
	new: str
	on: datetime
	by: str
	key: str
	since: datetime | None


class Recorded(NamedTuple):
	"""The first milestone of a field of a document that is not from a backfill."""

	on: datetime
	from_value: str
	value: str


def run(
	tracker: str,
	dry_run: bool = False,
	progress: Progress | None = None,
	commit: Callable[[], None] | None = None,
) -> BackfillSummary:
	"""Write the milestones of a tracker's documents from before the tracker. May be run any number of times.

	Args:
		tracker: name of the Milestone Tracker, enabled or not.
		dry_run: whether to count only.
		progress: called after each batch of documents.
		commit: called after each batch of documents; None leaves the transaction to the caller.

	Raises:
		frappe.DoesNotExistError: there is no such tracker.
	"""
	doctype = frappe.db.get_value("Milestone Tracker", tracker, "document_type")
	rules = doctype and registry.for_doctype(doctype)
	if not rules or not rules.tracker:
		frappe.throw(
			_("Milestone Tracker {0} does not exist. Choose one from the list of trackers.").format(tracker),
			frappe.DoesNotExistError,
		)
	summary = BackfillSummary(by_field={f.fieldname: 0 for f in rules.tracker.fields})
	total = frappe.db.count(doctype)
	for documents in _batches(doctype, rules.tracker):
		_Batch(doctype, rules.tracker, summary).run(documents, dry_run)
		if commit and not dry_run:
			commit()
		if progress:
			progress(summary.documents, total)
	return summary


def _batches(doctype: str, tracker: registry.Tracker) -> Iterator[list]:
	"""Yield the documents in lists, ordered by name, so that no cursor stays open across a commit."""
	table = frappe.qb.DocType(doctype)
	names = dict.fromkeys((*STANDARD_COLUMNS, *(f.fieldname for f in tracker.fields)))
	columns = [table.star] if tracker.condition else [table[name] for name in names]
	query = frappe.qb.from_(table).select(*columns).orderby(table.name).limit(DOCUMENTS_PER_BATCH)
	documents = query.run(as_dict=True)
	while documents:
		yield documents
		documents = query.where(table.name > documents[-1].name).run(as_dict=True)


class _Batch:
	"""Some documents of one tracker: one query for versions, one for milestones, and one insert for each field."""

	def __init__(self, doctype: str, tracker: registry.Tracker, summary: BackfillSummary):
		self.doctype = doctype
		self.tracker = tracker
		self.summary = summary
		self.meta = frappe.get_meta(doctype)

	def run(self, documents: list, dry_run: bool) -> None:
		self.summary.documents += len(documents)
		within = [document for document in documents if self._is_within(document)]
		self.summary.out_of_condition += len(documents) - len(within)
		if not within:
			return
		names = [str(document.name) for document in within]
		versions = self._versions(names)
		backfilled, recorded = self._milestones(names)
		for tracked in self.tracker.fields:
			reader = VersionReader(self.doctype, tracked)
			rows = []
			for document in within:
				changes = self._history(document, tracked, versions[str(document.name)], reader)
				place = (str(document.name), tracked.fieldname)
				rows += self._new_rows(document, changes, recorded.get(place), backfilled[place])
			self.summary.added += len(rows)
			self.summary.by_field[tracked.fieldname] += len(rows)
			if not dry_run:
				source = MilestoneSource.BACKFILL
				Writer(self.doctype, tracked.fieldname, self.tracker.name, source).insert(rows)

	def _is_within(self, document) -> bool:
		# The condition needs a document; a row of the table has all fields but the child tables.
		return not self.tracker.condition or conditions.holds(
			self.tracker.condition, frappe.get_doc({"doctype": self.doctype, **document})
		)

	def _versions(self, names: list[str]) -> dict[str, list]:
		"""Return the logged changes by document: (version name, time, user, {field: (old, new)}), oldest first."""
		version = frappe.qb.DocType("Version")
		rows = (
			frappe.qb.from_(version)
			.select(version.docname, version.name, version.creation, version.owner, version.data)
			.where(version.ref_doctype == self.doctype)
			.where(version.docname.isin(names))
			.orderby(version.creation)
			.orderby(version.name)
			.run()
		)
		versions = defaultdict(list)
		for docname, name, creation, owner, data in rows:
			if field_changes := _changed_fields(data):
				versions[docname].append((name, get_datetime(creation), owner, field_changes))
		return versions

	def _milestones(self, names: list[str]) -> tuple[dict, dict]:
		"""Return by (document, field) the keys and times of backfilled milestones, and the first recorded milestone."""
		milestone = frappe.qb.DocType("Milestone")
		rows = (
			frappe.qb.from_(milestone)
			.select(
				milestone.reference_name,
				milestone.track_field,
				milestone.source,
				milestone.reached_on,
				milestone.creation,
				milestone.from_value,
				milestone.value,
				milestone.import_key,
			)
			.where(milestone.reference_type == self.doctype)
			.where(milestone.reference_name.isin(names))
			.where(milestone.reference_deleted == 0)
			.run()
		)
		backfilled: dict = defaultdict(set)
		recorded: dict = {}
		for name, fieldname, source, reached_on, creation, from_value, value, key in rows:
			moment = get_datetime(reached_on or creation)
			place = (name, fieldname)
			if source == MilestoneSource.BACKFILL:
				backfilled[place] |= {key, moment}
			elif place not in recorded or moment < recorded[place].on:
				recorded[place] = Recorded(moment, from_value or "", value or "")
		return backfilled, recorded

	def _history(self, document, tracked: registry.TrackedField, versions: list, reader) -> list[Change]:
		logged = [
			(
				name,
				on,
				by,
				reader.read(fields[tracked.fieldname][0]),
				reader.read(fields[tracked.fieldname][1]),
			)
			for name, on, by, fields in versions
			if tracked.fieldname in fields
		]
		first = logged[0][3] if logged else document.get(tracked.fieldname)
		changes = []
		since = None
		if is_first_value(first, tracked):
			since, by = self._first_moment(document, bool(logged))
			key = _key(self.doctype, str(document.name), tracked.fieldname)
			changes.append(Change("", as_text(first, tracked.fieldtype), since, by, key, None))
		value = first
		for name, on, by, old, new in logged:
			if is_same(old, new, tracked.fieldtype):
				continue
			if not is_same(value, old, tracked.fieldtype):
				self.summary.gaps += 1
				since = None
			old_text, new_text = as_text(old, tracked.fieldtype), as_text(new, tracked.fieldtype)
			changes.append(Change(old_text, new_text, on, by, _key(str(name), tracked.fieldname), since))
			since, value = on, new
		return changes

	def _first_moment(self, document, has_log: bool) -> tuple[datetime, str]:
		"""Return when and by whom the first known value was reached."""
		created, modified = get_datetime(document.creation), get_datetime(document.modified)
		if has_log or self.meta.track_changes or modified == created:
			return created, document.owner
		self.summary.uncertain += 1
		return modified, document.modified_by

	def _new_rows(self, document, changes: list[Change], recorded: Recorded | None, backfilled: set):
		rows = []
		for position, change in enumerate(changes):
			if recorded and _is_recorded(change, recorded):
				self.summary.already_recorded += len(changes) - position
				break
			if change.key in backfilled or (not position and change.on in backfilled):
				self.summary.already_there += 1
				continue
			seconds = clock.seconds_between(change.since, change.on)
			rows.append(
				MilestoneRow(
					reference_name=str(document.name),
					from_value=change.old,
					value=change.new,
					reached_on=change.on,
					reached_by=change.by,
					time_in_previous=seconds,
					import_key=change.key,
				)
			)
		return rows


def _is_recorded(change: Change, recorded: Recorded) -> bool:
	"""Tell whether a change is the recorded milestone or comes after it."""
	if change.on >= recorded.on:
		return True
	# Milestones written by core have no previous value.
	same_values = change.new == recorded.value and recorded.from_value in ("", change.old)
	return same_values and recorded.on - change.on <= SAME_SAVE


def _changed_fields(data: str | None) -> dict[str, tuple]:
	try:
		changes = json.loads(data or "{}").get("changed") or []
		return {change[0]: (change[1], change[2]) for change in changes}
	except (ValueError, AttributeError, IndexError, TypeError):
		# An old or foreign entry without usable data must not stop the others.
		return {}


def _key(*parts: str) -> str:
	text = "\0".join(("backfill", *parts))
	return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()
