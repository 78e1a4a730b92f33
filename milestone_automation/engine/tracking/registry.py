"""One cached map of what concerns which DocType, asked before anything else on every save.

The map is small (one entry a DocType with a tracker or a workflow) and cached whole, so that a DocType nobody tracks
costs one lookup and no SQL - also when there is no rule at all.
"""

from typing import NamedTuple

import frappe

from milestone_automation.engine.base import compat

CACHE_KEY = "milestone_automation_rules"
DIRTY_FLAG = "milestone_rules_uncommitted"


class TrackedField(NamedTuple):
	"""A field that is recorded, with its type for comparing values."""

	fieldname: str
	fieldtype: str


class Tracker(NamedTuple):
	"""What one Milestone Tracker asks for."""

	name: str
	fields: tuple[TrackedField, ...]
	condition: str
	disabled: bool
	values: dict


class Rules(NamedTuple):
	"""All that concerns one DocType. `has_workflow` also counts disabled workflows: their plans go on."""

	tracker: Tracker | None = None
	has_workflow: bool = False


def for_doctype(doctype: str) -> Rules | None:
	"""Return what concerns a DocType, or None. One cached lookup."""
	if getattr(frappe.local, DIRTY_FLAG, None) is not None:
		return all_rules().get(doctype)
	row = compat.cached(CACHE_KEY, _read).get(doctype)
	return _unpack(row) if row else None


def tracked_fields(doctype: str) -> tuple[TrackedField, ...]:
	"""Return the fields of a DocType that are recorded now; empty without an enabled tracker."""
	rules = for_doctype(doctype)
	tracker = rules and rules.tracker
	return tracker.fields if tracker and not tracker.disabled else ()


def tracker_values(name: str) -> dict | None:
	"""Return all values of a tracker, rows too, as the rules know them; None for a tracker they do not know."""
	for own in all_rules().values():
		if own.tracker and own.tracker.name == name:
			return own.tracker.values
	return None


def all_rules() -> dict[str, Rules]:
	"""Return the whole map. While this transaction has changed a rule, it is read afresh and not shared."""
	uncommitted = getattr(frappe.local, DIRTY_FLAG, None)
	if uncommitted is None:
		return {doctype: _unpack(row) for doctype, row in compat.cached(CACHE_KEY, _read).items()}
	if "rules" not in uncommitted:
		uncommitted["rules"] = {doctype: _unpack(row) for doctype, row in _read().items()}
	return uncommitted["rules"]


def clear() -> None:
	"""Forget the map: now for this transaction, for everybody once it ends. Call on every change of a rule."""
	setattr(frappe.local, DIRTY_FLAG, {})
	compat.forget(CACHE_KEY)
	compat.after_transaction(_forget_after_transaction)


def _forget_after_transaction() -> None:
	setattr(frappe.local, DIRTY_FLAG, None)
	compat.forget(CACHE_KEY)


def _unpack(row) -> Rules:
	values, fields, has_workflow = row
	if not values:
		return Rules(None, has_workflow)
	tracker = Tracker(
		name=values["name"],
		fields=tuple(TrackedField(*field) for field in fields),
		condition=values.get("condition") or "",
		disabled=bool(values.get("disabled")),
		values=values,
	)
	return Rules(tracker, has_workflow)


def _read() -> dict[str, tuple]:
	"""Read the map as plain tuples: what is pickled must not depend on this app's classes after an uninstall."""
	rules = {doctype: (values, fields, False) for doctype, values, fields in _read_trackers()}
	for doctype in frappe.get_all("Milestone Workflow", pluck="document_type", distinct=True, order_by=None):
		values, fields, _none = rules.get(doctype, (None, (), False))
		rules[doctype] = (values, fields, True)
	return rules


def _read_trackers():
	"""Yield DocType, all values, and (name, type) of the fields of each tracker. Two queries."""
	rows: dict[str, list[dict]] = {}
	for row in frappe.get_all("Milestone Tracker Field", fields=["*"], order_by="parent, idx"):
		rows.setdefault(row.parent, []).append(dict(row))
	for tracker in frappe.get_all("Milestone Tracker", fields=["*"]):
		extra = rows.get(tracker.name, [])
		names = dict.fromkeys([tracker.track_field, *(row["track_field"] for row in extra)])
		fields = [(name, field_type(tracker.document_type, name)) for name in names if name]
		yield tracker.document_type, {**tracker, "extra_fields": extra}, fields


def field_type(doctype: str, fieldname: str) -> str:
	"""Return a field's type; of standard columns (docstatus, owner) too. Unknown fields count as Data."""
	if fieldname == "docstatus":
		return "Int"
	try:
		field = frappe.get_meta(doctype).get_field(fieldname)
	except frappe.DoesNotExistError:
		# The DocType went away under its tracker.
		frappe.clear_last_message()
		return "Data"
	return field.fieldtype if field else "Data"
