"""The recorder: every change of a tracked field makes exactly one Milestone.

Core's own hook calls `MilestoneTracker.apply` on every `on_change`; that ends here. A document may come by several
times in one save (its own `on_change`, and one for every `db_set` inside its hooks), so what was recorded last is
remembered on the document, together with the state before the save that it belongs to. A save inside the hooks of
another save of the same document replaces that state; so the outer save is recorded before the inner one writes.
"""

import functools
import weakref

import frappe
import frappe.hooks
from frappe.utils import get_datetime, now_datetime

from milestone_automation.engine.base import clock, guard, values
from milestone_automation.engine.base.compat import is_saving
from milestone_automation.engine.tracking import conditions, milestones, registry

# On a document: the state before the save it belongs to, and the values recorded last.
SEEN = "milestone_seen"
# On a document whose save is not recorded yet: the state before it (None for a new document) and its time stamp.
UNRECORDED = "milestone_unrecorded"
# On frappe.local: the documents with such a save, by DocType and name. Weak, as a failed save never ends.
UNDER_WAY = "milestone_saves_under_way"
NOT_THERE = object()


def record(doc, tracker: registry.Tracker) -> None:
	"""Record the changes of a document's tracked fields. Never raises for a fault of its own: it is logged.

	Args:
		doc: the document, after its values were written.
		tracker: what to record.
	"""
	if doc.flags.in_delete or tracker.disabled or doc.is_new():
		return  # is_new: a `db_set` before there is a row to set
	try:
		changes = find_changes(doc, tracker.fields)
	except Exception:
		guard.log_fault(fault_title(tracker.name), frappe.get_traceback())
		return
	if changes:
		guard.run_guarded(fault_title(tracker.name), _record_changes, doc, tracker, changes)


def fault_title(tracker: str) -> str:
	"""Return the title of the error log for a change that could not be recorded."""
	return f"Milestone Tracker {tracker}: a change could not be recorded"


def find_changes(doc, fields) -> list[tuple[registry.TrackedField, object, object]]:
	"""Return (field, old value, new value) for every field that changed since it was last looked at."""
	before = _values_before(doc, fields)
	now = {field.fieldname: doc.get(field.fieldname) for field in fields}
	doc.flags[SEEN] = (doc.get_doc_before_save(), now)
	doc.flags.pop(UNRECORDED, None)
	return _compare(before, now, fields)


def _compare(before: dict, now: dict, fields) -> list:
	changes = []
	for field in fields:
		old, new = before.get(field.fieldname, NOT_THERE), now[field.fieldname]
		if _is_change(old, new, field):
			changes.append((field, old, new))
	return changes


def _is_change(old, new, field: registry.TrackedField) -> bool:
	if old is not NOT_THERE:
		return not values.is_same(old, new, field.fieldtype)
	return is_first_value(new, field)


def is_first_value(value, field: registry.TrackedField) -> bool:
	"""Tell whether a new document with this value has reached something: history and nightly check ask it too."""
	if field.fieldname == "docstatus" or field.fieldtype == "Check":
		# They are set from the first moment; an Int of 0 or an empty Select is not.
		return value is not None
	return not values.is_same(None, value, field.fieldtype)


def _values_before(doc, fields) -> dict:
	"""Return the values seen last or, if none were since, before this save; empty for a new document."""
	before = doc.get_doc_before_save()
	seen = doc.flags.get(SEEN)
	if seen and seen[0] is before:
		return seen[1]
	if UNRECORDED in doc.flags:
		before = doc.flags[UNRECORDED][0]
		return _values_of(before, fields) if before else {}
	if before:
		return _values_of(before, fields)
	# Somebody announces a change without having loaded the state before: the record is all there is.
	recorded = guard.run_guarded(
		f"Milestones of {doc.doctype} {doc.name}", milestones.last_recorded, doc.doctype, doc.name, fields
	)
	return _values_of(doc, fields) if recorded is None else recorded


def _values_of(doc, fields) -> dict:
	return {field.fieldname: doc.get(field.fieldname) for field in fields}


def begin_save(doc, tracker: registry.Tracker) -> None:
	"""At the start of a save: what was seen before is of the past, what was stored before is the start."""
	record_save_under_way(doc, tracker)
	doc.flags.pop(SEEN, None)
	doc.flags.pop(UNRECORDED, None)
	if not tracker.disabled:
		doc.flags[UNRECORDED] = (doc.get_doc_before_save(), doc.modified)
		_saves_under_way()[doc.doctype, doc.name] = doc


def record_save_under_way(doc, tracker: registry.Tracker) -> None:
	"""Record a save of the same document that is stored but not recorded: a hook of it is what writes now."""
	outer = _saves_under_way().get((doc.doctype, doc.name))
	stored = doc.get_doc_before_save()
	if outer is None or stored is None or UNRECORDED not in outer.flags:
		return
	before, modified = outer.flags[UNRECORDED]
	if get_datetime(stored.modified) != get_datetime(modified):
		return  # it failed, or has not written yet
	now = _values_of(stored, tracker.fields)
	outer.flags.pop(UNRECORDED)
	outer.flags[SEEN] = (outer.get_doc_before_save(), now)
	changes = _compare(_values_of(before, tracker.fields) if before else {}, now, tracker.fields)
	if changes:
		guard.run_guarded(fault_title(tracker.name), _record_changes, stored, tracker, changes)


def _saves_under_way() -> weakref.WeakValueDictionary:
	if not hasattr(frappe.local, UNDER_WAY):
		setattr(frappe.local, UNDER_WAY, weakref.WeakValueDictionary())
	return getattr(frappe.local, UNDER_WAY)


def before_change(doc, tracker: registry.Tracker) -> None:
	"""Before a `db_set`: see that what it changes from is known."""
	if doc.is_new() or _is_inside_own_save(doc):
		return
	record_save_under_way(doc, tracker)
	if _may_be_stale(doc) and not is_saving(doc.doctype, doc.name):
		guard.run_guarded(fault_title(tracker.name), _see_what_is_stored, doc, tracker.fields)


def _is_inside_own_save(doc) -> bool:
	"""Tell whether this document's own save is under way and not recorded yet; one that failed is forgotten."""
	if UNRECORDED not in doc.flags:
		return False
	before, modified = doc.flags[UNRECORDED]
	if before is None or doc.modified == modified:
		return True
	doc.flags.pop(UNRECORDED)  # reloaded since
	return False


def _may_be_stale(doc) -> bool:
	"""Tell whether the state before is older than this `db_set`, which reads it only where there is none.

	Frappe keeps the state before the *last save*; since then the document may have been reloaded, or the transaction
	rolled back. Inside its own save the state before is right.
	"""
	seen = doc.flags.get(SEEN)
	if seen and seen[0] is doc.get_doc_before_save():
		return True
	just_inserted = seen and seen[0] is None
	return hasattr(doc, "_original_modified") and not just_inserted


def _see_what_is_stored(doc, fields) -> None:
	stored = frappe.db.get_value(doc.doctype, doc.name, [field.fieldname for field in fields], as_dict=True)
	if stored:
		doc.flags[SEEN] = (doc.get_doc_before_save(), dict(stored))


def _record_changes(doc, tracker: registry.Tracker, changes) -> None:
	if not conditions.holds(tracker.condition, doc):
		return
	reached_on = now_datetime()
	known = [field.fieldname for field, old, _new in changes if old is not NOT_THERE]
	since = milestones.reached_before(doc.doctype, doc.name, known) if known else {}
	recorded = doc.flags.setdefault("milestones_recorded", {})
	for field, old, new in changes:
		recorded[field.fieldname] = milestones.insert_milestone(
			reference_type=doc.doctype,
			reference_name=str(doc.name),
			track_field=field.fieldname,
			from_value=values.as_text(None if old is NOT_THERE else old, field.fieldtype),
			value=values.as_text(new, field.fieldtype),
			milestone_tracker=tracker.name,
			reached_on=reached_on,
			time_in_previous=clock.seconds_between(since.get(field.fieldname), reached_on),
		)


@functools.cache
def core_records() -> bool:
	"""Tell whether this Frappe calls `MilestoneTracker.apply` itself; a future one may not."""
	handlers = frappe.hooks.doc_events.get("*", {}).get("on_change", [])
	handlers = [handlers] if isinstance(handlers, str) else handlers
	return any(handler.endswith(".evaluate_milestone") for handler in handlers)
