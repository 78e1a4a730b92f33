"""The recorder: every change of a tracked field makes exactly one Milestone.

Core's own hook calls `MilestoneTracker.apply` on every `on_change`; that ends here. What has changed is the difference
between the stored row and what was recorded last (`stored_changes`), so it does not matter through which copy of the
document, by which hook or by which SQL the row came to have its values, nor how often the event comes by.

A value that the same transaction replaces is on record, but marked as passing once the transaction ends: the document
never stood in it.
"""

import functools

import frappe
import frappe.hooks
from frappe.utils import now_datetime

from milestone_automation.engine.base import clock, compat, guard, save_state, stored_rows, values
from milestone_automation.engine.rules.vocabulary import MilestoneSource
from milestone_automation.engine.tracking import (
	closed_days,
	conditions,
	listeners,
	milestones,
	registry,
	stored_changes,
)


def record(doc, tracker: registry.Tracker) -> None:
	"""Record the changes of a document's tracked fields. Never raises for a fault of its own: it is logged.

	Args:
		doc: the document, after its values were written.
		tracker: what to record.
	"""
	if doc.flags.in_delete or tracker.disabled or not tracker.stored_fields or doc.is_new():
		return  # is_new: a `db_set` before there is a row to set
	save_state.redo(doc)
	title = fault_title(tracker.name)
	if frappe.db.db_type == "postgres":
		# Here a statement that fails takes the whole transaction with it, a reading one too.
		guard.run_guarded(title, _record, doc, tracker)
		return
	changes = guard.run_logged(title, _find, doc, tracker)
	if changes:
		# One statement stores all or nothing; what listens to milestones may write more.
		run = guard.run_guarded if listeners.events_heard() else guard.run_logged
		run(title, _record_changes, doc, tracker, changes)


def fault_title(tracker: str) -> str:
	"""Return the title of the error log for a change that could not be recorded.

	Args:
		tracker: name of the Milestone Tracker.
	"""
	return f"Milestone Tracker {tracker}: a change could not be recorded"


def _record(doc, tracker: registry.Tracker) -> None:
	changes = _find(doc, tracker)
	if changes:
		_record_changes(doc, tracker, changes)


def _find(doc, tracker: registry.Tracker) -> list[stored_changes.Change]:
	row, changes = stored_changes.find(doc, tracker)
	save_state.transaction().rows[save_state.key_of(doc)] = row
	return changes


def _record_changes(doc, tracker: registry.Tracker, changes: list[stored_changes.Change]) -> None:
	row = save_state.transaction().rows.get(save_state.key_of(doc))
	if not conditions.holds(tracker.condition, doc, row):
		return
	rows = []
	for change in changes:
		if change.missed:
			rows.append(_missed_milestone(doc, tracker, change))
			change = stored_changes.after_missed(change, rows[-1])
		rows.append(_milestone(doc, tracker, change))
	if any(change.missed for change in changes):
		# First, so that none is written whose note could not be.
		closed_days.note(doc.doctype, [(row["track_field"], row["reached_on"]) for row in rows])
	milestones.insert(rows)


def _milestone(doc, tracker: registry.Tracker, change: stored_changes.Change) -> dict:
	moment = now_datetime()
	reached_on, position = stored_changes.not_before(change.last, moment)
	row = _row(doc, tracker, change.field, change.value)
	recorded_here = _note_as_recorded_here(doc, change, row)
	return {
		**row,
		"creation": moment,
		"modified": moment,
		"idx": position,
		"from_value": change.from_value,
		"value_before": recorded_here.value_before,
		"reached_on": reached_on,
		"time_in_previous": clock.seconds_between(recorded_here.since, reached_on),
	}


def _missed_milestone(doc, tracker: registry.Tracker, change: stored_changes.Change) -> dict:
	"""Return the milestone of a value that was written without hooks before this save, as reconcile would record it."""
	missed, last = change.missed, change.last
	reached_on, position = stored_changes.not_before(last, min(missed.modified, now_datetime()))
	value_before, since = _counted_before(change)
	return {
		**_row(doc, tracker, change.field, missed.value),
		"idx": position,
		"from_value": change.from_value,
		"value_before": value_before,
		"reached_on": reached_on,
		"reached_by": missed.modified_by,
		"time_in_previous": clock.seconds_between(since, reached_on),
		"source": MilestoneSource.RECONCILE.value,
	}


def _row(doc, tracker: registry.Tracker, field: registry.TrackedField, value) -> dict:
	return {
		"name": milestones.new_name(),
		"reference_type": doc.doctype,
		"reference_name": str(doc.name),
		"track_field": field.fieldname,
		"value": values.as_text(value, field.fieldtype),
		"value_hash": values.fingerprint(value, field.fieldtype),
		"milestone_tracker": tracker.name,
	}


def _note_as_recorded_here(doc, change: stored_changes.Change, row: dict) -> save_state.RecordedHere:
	"""Note a new milestone; what is returned says in which value the document stood before, passing ones left out."""
	recorded = save_state.transaction().milestones.setdefault(save_state.key_of(doc), {})
	fieldname, last = change.field.fieldname, change.last
	recorded_here = recorded.get(fieldname)
	if not recorded_here or not last or last.name not in recorded_here.names:
		recorded_here = recorded[fieldname] = save_state.RecordedHere(*_counted_before(change))
	recorded_here.names.append(row["name"])
	recorded_here.last_value = row["value"]
	if len(recorded_here.names) > 1:
		what = "Milestones: passing values could not be marked"
		save_state.before_commit(("passing",), guard.run_guarded, what, milestones.mark_passing)
	return recorded_here


def _counted_before(change: stored_changes.Change) -> tuple:
	"""Return the value that counts as the one before a change, and since when; None for unknown."""
	return change.last.counted(change.from_value) if change.last else (change.from_value, None)


# Before something is written


def begin_save(doc, tracker: registry.Tracker) -> None:
	"""At the start of a save: what a save of the same document, of which this one is a hook, has stored is recorded.

	Args:
		doc: the document that is about to be saved, with its state before.
		tracker: of its DocType; nothing happens if it is disabled.
	"""
	stored_doc = doc.get_doc_before_save()
	if stored_doc and not tracker.disabled and compat.is_saving_again(doc.doctype, doc.name):
		record(stored_doc, tracker)


def before_change(doc, tracker: registry.Tracker) -> None:
	"""Before a `db_set`: read what it changes from, where neither a milestone nor Frappe can tell for certain.

	Args:
		doc: the document that is about to be changed.
		tracker: of its DocType; nothing happens if it is disabled.
	"""
	if tracker.disabled or doc.is_new() or compat.is_saving(doc.doctype, doc.name):
		return
	if stored_changes.wants_row_before(doc, tracker):
		guard.run_guarded(fault_title(tracker.name), _read_row_before, doc, tracker)


def _read_row_before(doc, tracker: registry.Tracker) -> None:
	row = stored_rows.read(doc.doctype, doc.name, tracker.columns, lock=frappe.db.db_type == "mariadb")
	if row:
		save_state.transaction().rows_before[save_state.key_of(doc)] = row


@functools.cache
def core_records() -> bool:
	"""Tell whether this Frappe calls `MilestoneTracker.apply` itself; a future one may not."""
	handlers = frappe.hooks.doc_events.get("*", {}).get("on_change", [])
	handlers = [handlers] if isinstance(handlers, str) else handlers
	return any(handler.endswith(".evaluate_milestone") for handler in handlers)
