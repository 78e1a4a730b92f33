"""One cached map of trackers and workflows by DocType, which every save asks first.

The map is small, one entry for each DocType with a tracker or a workflow, and cached as a whole. So a save of any other
DocType costs one lookup and no query, also if the map is empty.
"""

from typing import NamedTuple

import frappe

from milestone_automation.engine.base import compat

CACHE_KEY = "milestone_automation_rules"
DIRTY_FLAG = "milestone_rules_uncommitted"


class TrackedField(NamedTuple):
	"""A tracked field, with its type for comparing values."""

	fieldname: str
	fieldtype: str


class Tracker(NamedTuple):
	"""A Milestone Tracker. `values` are all its values, with the rows of its further fields."""

	name: str
	fields: tuple[TrackedField, ...]
	condition: str
	disabled: bool
	values: dict


class Rules(NamedTuple):
	"""Tracker and workflows of one DocType. `has_workflow` includes disabled workflows, whose plans go on."""

	tracker: Tracker | None = None
	has_workflow: bool = False


def for_doctype(doctype: str) -> Rules | None:
	"""Return the tracker and workflows of a DocType, or None. One cached lookup."""
	if getattr(frappe.local, DIRTY_FLAG, None) is not None:
		return all_rules().get(doctype)
	row = compat.cached(CACHE_KEY, _read).get(doctype)
	return _unpack(row) if row else None


def tracked_fields(doctype: str) -> tuple[TrackedField, ...]:
	"""Return the tracked fields of a DocType; empty without an enabled tracker."""
	rules = for_doctype(doctype)
	tracker = rules and rules.tracker
	return tracker.fields if tracker and not tracker.disabled else ()


def tracker_values(name: str) -> dict | None:
	"""Return all values of a tracker from the map, with its rows; None for an unknown tracker."""
	for rules in all_rules().values():
		if rules.tracker and rules.tracker.name == name:
			return rules.tracker.values
	return None


def all_rules() -> dict[str, Rules]:
	"""Return the whole map. In a transaction that has changed a rule it is read anew and not shared."""
	uncommitted = getattr(frappe.local, DIRTY_FLAG, None)
	if uncommitted is None:
		return {doctype: _unpack(row) for doctype, row in compat.cached(CACHE_KEY, _read).items()}
	if "rules" not in uncommitted:
		uncommitted["rules"] = {doctype: _unpack(row) for doctype, row in _read().items()}
	return uncommitted["rules"]


def clear() -> None:
	"""Clear the map, now for this transaction and at its end for all others. Called on every change of a rule."""
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
	"""Read the map as plain tuples: pickled values must not need this app's classes after an uninstall."""
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
	"""Return the type of a field or standard column (docstatus, owner). Unknown fields count as Data."""
	if fieldname == "docstatus":
		return "Int"
	try:
		field = frappe.get_meta(doctype).get_field(fieldname)
	except frappe.DoesNotExistError:
		# The DocType was deleted but its tracker was not.
		frappe.clear_last_message()
		return "Data"
	return field.fieldtype if field else "Data"
