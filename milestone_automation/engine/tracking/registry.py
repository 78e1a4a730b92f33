"""One cached map of trackers and workflows by DocType, which every save asks first.

The map is small, one entry for each DocType with a tracker or a workflow, and cached as a whole. So a save of any other
DocType costs one lookup and no query, also if the map is empty.
"""

from collections.abc import Iterable
from typing import NamedTuple

import frappe

from milestone_automation.engine.base import rule_cache, stored_rows
from milestone_automation.engine.rules import criteria
from milestone_automation.engine.tracking import conditions

# Its shape is part of its name: a process may find what an older version has left.
CACHE_KEY = "milestone_automation_rules_4"
# In the map, in place of a DocType: which documents exit criteria ask for, and whether there are workflows at all.
OF_ALL = ""
# In `frappe.local`: rules by DocType, with the row of the map they were made of.
UNPACKED = "milestone_automation_unpacked_rules"
# What a plan watches besides what the rows of its workflow name; and where they name it.
STANDARD_WATCHED = ("docstatus", "owner")
WATCHED_BY_ROWS = {
	"Milestone Workflow Stage": ("track_field", "date_field", "owner_field"),
	"Milestone Workflow Task": ("assignee_field",),
}


class TrackedField(NamedTuple):
	"""A tracked field, with its type for comparing values."""

	fieldname: str
	fieldtype: str


class Tracker(NamedTuple):
	"""A Milestone Tracker.

	Attributes:
		name: name of the tracker.
		fields: its fields, also those the DocType no longer has.
		stored_fields: its fields that have a column.
		columns: what is read of a document's row: these fields, those the condition uses, and those that workflows
			of the DocType watch, so that one query does for all of them.
		columns_of_new: what is read of the row of a new document: also when it was created, by which it is told from one
			that has had its name before.
		condition: Python expression on `doc`, or empty.
		disabled: whether it records nothing.
		values: all its values, with the rows of its further fields.
	"""

	name: str
	fields: tuple[TrackedField, ...]
	stored_fields: tuple[TrackedField, ...]
	columns: tuple[str, ...]
	columns_of_new: tuple[str, ...]
	condition: str
	disabled: bool
	values: dict


class Rules(NamedTuple):
	"""Tracker and workflows of one DocType. `has_workflow` includes disabled workflows, whose plans go on.

	Attributes:
		tracker: its tracker.
		has_workflow: whether it has workflows.
		criteria: kinds of the exit criteria of these workflows.
	"""

	tracker: Tracker | None = None
	has_workflow: bool = False
	criteria: tuple[str, ...] = ()


def for_doctype(doctype: str) -> Rules | None:
	"""Return the tracker and workflows of a DocType, or None. One cached lookup.

	Args:
		doctype: of any document; this is asked in every save.
	"""
	row = rule_cache.get(CACHE_KEY, _read).get(doctype)
	return _unpacked(doctype, row) if row else None


def tracked_fields(doctype: str) -> tuple[TrackedField, ...]:
	"""Return the tracked fields of a DocType; empty without an enabled tracker.

	Args:
		doctype: of the documents.
	"""
	rules = for_doctype(doctype)
	tracker = rules and rules.tracker
	return tracker.fields if tracker and not tracker.disabled else ()


def tracker_values(name: str) -> dict | None:
	"""Return all values of a tracker from the map, with its rows; None for an unknown tracker.

	Args:
		name: of the Milestone Tracker.

	Returns:
		dict | None: of the map itself, so it is not to be changed.
	"""
	for doctype, row in rule_cache.get(CACHE_KEY, _read).items():
		if doctype != OF_ALL and row[0] and row[0]["name"] == name:
			return row[0]
	return None


def all_rules() -> dict[str, Rules]:
	"""Return the whole map. In a transaction that has changed a rule it is read anew and not shared."""
	rows = rule_cache.get(CACHE_KEY, _read)
	return {doctype: _unpack(row) for doctype, row in rows.items() if doctype != OF_ALL}


def asking_for(doctype: str) -> tuple[tuple[str, str], ...]:
	"""Return which exit criteria ask for documents of a DocType: DocType of the plans, field that links to these. No query.

	Args:
		doctype: DocType of the other documents.

	Returns:
		tuple: pairs; the field is "table.field" where it is one of rows.
	"""
	asked_for, _has_workflows = rule_cache.get(CACHE_KEY, _read)[OF_ALL]
	return asked_for.get(doctype, ())


def has_workflows() -> bool:
	"""Tell whether there are workflows, of any DocType, disabled ones too. No query."""
	_asked_for, has_any = rule_cache.get(CACHE_KEY, _read)[OF_ALL]
	return has_any


def clear() -> None:
	"""Clear the map, now for this transaction and at its end for all others. Called on every change of a rule."""
	rule_cache.forget(CACHE_KEY)


def _unpacked(doctype: str, row) -> Rules:
	"""Return the rules of a row of the map; a save asks for them with every event, so they are kept as long as the row."""
	unpacked = getattr(frappe.local, UNPACKED, None)
	if unpacked is None:
		unpacked = {}
		setattr(frappe.local, UNPACKED, unpacked)
	if doctype not in unpacked or unpacked[doctype][0] is not row:
		unpacked[doctype] = (row, _unpack(row))
	return unpacked[doctype][1]


def _unpack(row) -> Rules:
	values, fields, columns, has_workflow, criterion_kinds = row
	if not values:
		return Rules(None, has_workflow, criterion_kinds)
	tracked = tuple(TrackedField(*field) for field in fields)
	tracker = Tracker(
		name=values["name"],
		fields=tracked,
		stored_fields=tuple(field for field in tracked if field.fieldname in columns),
		columns=columns,
		columns_of_new=tuple(dict.fromkeys((*columns, "creation"))),
		condition=values.get("condition") or "",
		disabled=bool(values.get("disabled")),
		values=values,
	)
	return Rules(tracker, has_workflow, criterion_kinds)


def _read() -> dict[str, tuple]:
	"""Read the map as plain tuples: pickled values must not need this app's classes after an uninstall."""
	watched, criterion_kinds, asked_for = _read_workflows()
	rules = {}
	for doctype, values, fields in _read_trackers():
		names = [name for name, _type in fields]
		names += conditions.fields_of(values.get("condition"))
		names += watched.get(doctype, ())
		rules[doctype] = (
			values,
			fields,
			_columns(doctype, names),
			doctype in watched,
			criterion_kinds.get(doctype, ()),
		)
	for doctype in watched:
		rules.setdefault(doctype, (None, (), (), True, criterion_kinds.get(doctype, ())))
	return {**rules, OF_ALL: (asked_for, bool(watched))}


def _columns(doctype: str, fieldnames) -> tuple[str, ...]:
	try:
		return stored_rows.columns_of(doctype, fieldnames)
	except (frappe.DoesNotExistError, ImportError):
		# The DocType went away under its tracker.
		frappe.clear_last_message()
		return ()


def _read_workflows() -> tuple[dict, dict, dict]:
	"""Return what the workflows of each DocType watch and ask for.

	Returns:
		tuple: by DocType of the workflows, the fields they watch, whether they are columns or not; and the kinds of
			their exit criteria; by DocType of other documents, which of these criteria ask for them.
	"""
	workflows = frappe.get_all(
		"Milestone Workflow", fields=["name", "document_type", "supplier_field"], order_by=None
	)
	of_workflow = {row.name: [*STANDARD_WATCHED, row.supplier_field or "supplier"] for row in workflows}
	document_types = {row.name: row.document_type for row in workflows}
	typed_criteria: list[tuple] = []  # DocType of a workflow, and one of its criteria
	for workflow, values, row_criteria in _read_rows():
		if workflow in of_workflow:
			of_workflow[workflow] += values
			typed_criteria += [(document_types[workflow], criterion) for criterion in row_criteria]
	watched: dict[str, list[str]] = {}
	for row in workflows:
		watched.setdefault(row.document_type, []).extend(of_workflow[row.name])
	kinds = _sorted((doctype, criterion.kind.value) for doctype, criterion in typed_criteria)
	return (
		watched,
		kinds,
		_sorted(
			(criterion.doctype, (doctype, criterion.link_field))
			for doctype, criterion in typed_criteria
			if criterion.doctype
		),
	)


def _read_rows():
	"""Yield the workflow, the fields and the exit criteria of each row of a workflow. A query for each table."""
	for table, columns in WATCHED_BY_ROWS.items():
		criteria_column = ["exit_criteria"] if table == "Milestone Workflow Stage" else []
		for row in frappe.get_all(table, fields=["parent", *columns, *criteria_column], order_by=None):
			fields = [row[column] for column in columns if row[column]]
			yield row.parent, fields, criteria.parse_or_none(row.get("exit_criteria")) or ()


def _sorted(pairs: Iterable[tuple]) -> dict[str, tuple]:
	"""Return the values of each key, each once, sorted."""
	values_by_key: dict[str, set] = {}
	for key, value in pairs:
		values_by_key.setdefault(key, set()).add(value)
	return {key: tuple(sorted(values)) for key, values in values_by_key.items()}


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
	"""Return the type of a field or standard column (docstatus, owner). Unknown fields count as Data.

	Args:
		doctype: DocType, or one that was deleted, whose fields all count as Data.
		fieldname: of the field.
	"""
	if fieldname == "docstatus":
		return "Int"
	try:
		field = frappe.get_meta(doctype).get_field(fieldname)
	except frappe.DoesNotExistError:
		# The DocType was deleted but its tracker was not.
		frappe.clear_last_message()
		return "Data"
	return field.fieldtype if field else "Data"
