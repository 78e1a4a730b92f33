"""The fields of a document that its plan watches: their values in the snapshot, and what has changed since."""

import json
from collections.abc import Iterable

import frappe
from frappe.utils import get_datetime

from milestone_automation.engine.base import bulk, field_types, save_state, stored_rows
from milestone_automation.engine.base.values import as_stored as stored_value
from milestone_automation.engine.rules.vocabulary import ReachRule
from milestone_automation.engine.store import plan_rows, snapshots
from milestone_automation.engine.tracking.registry import STANDARD_WATCHED, field_type

NOT_LOADED = object()


def loaded(doc, anew: bool = False) -> plan_rows.Plan | None:
	"""Return a document's plan, locked until the transaction ends; read once, unless somebody wrote to it since.

	Args:
		doc: the document.
		anew: something is about to be written, and a rollback to a savepoint may have come in between: read it again.
	"""
	plans, key = save_state.transaction().plans, save_state.key_of(doc)
	plan = NOT_LOADED if anew else plans.get(key, NOT_LOADED)
	if plan is NOT_LOADED or (plan and plan.writes != save_state.plan_writes().get(plan.name, 0)):
		plan = plans[key] = plan_rows.load(doc.doctype, doc.name, lock=True)
	return plan


def forget_loaded(doctype: str, name) -> None:
	"""Have a document's plan read again: it got one, or another one.

	Args:
		doctype, name: the document.
	"""
	save_state.transaction().plans.pop((doctype, str(name)), None)


def release(plan: str, doctype: str, name) -> None:
	"""Let a document have another plan: the one that is over keeps its rows, but no longer stands for the document.

	Args:
		plan: name of the plan that is over.
		doctype, name: the document.
	"""
	bulk.update_rows("Milestone Plan", {plan: {"plan_key": None}})
	forget_loaded(doctype, name)


def stored_row(doc, plan: plan_rows.Plan | None) -> dict:
	"""Return the stored values of the columns a plan watches; at most one query. Empty where the document is gone.

	Args:
		doc: the document.
		plan: its plan; without one the tracked columns are returned, or all where nothing is tracked.
	"""
	row = save_state.transaction().rows.pop(save_state.key_of(doc), None) or {}
	if plan:
		columns = stored_rows.columns_of(doc.doctype, json.loads(plan.snapshot or "{}"))
	else:
		columns = tuple(row) or stored_rows.columns_of(doc.doctype)
	if all(column in row for column in columns):
		return row
	return stored_rows.read(doc.doctype, doc.name, columns) or {}


def changed_values(plan: plan_rows.Plan, doc, row: dict | None = None) -> dict[str, tuple[str, str]]:
	"""Return (old, new) of every watched field that differs from what the plan last acted on.

	Args:
		plan: the plan.
		doc: the document; tells what is in no column.
		row: stored values, which count where the document in memory has others.
	"""
	old = json.loads(plan.snapshot or "{}")
	new = snapshots.take(doc, old, row)
	return {name: (old[name], value) for name, value in new.items() if old[name] != value}


def known_values(plan: plan_rows.Plan, doctype: str, row: dict, without: Iterable[str] = ()) -> dict:
	"""Return the values a plan knows of the fields that reach its stages, where the row has others, as columns keep them.

	Args:
		plan, doctype: the plan, and the DocType of its document.
		row: the stored row.
		without: fields that are left out.
	"""
	snapshot = json.loads(plan.snapshot or "{}")
	fieldnames = {stage.track_field for stage in plan.stages if stage.reach_rule == ReachRule.FIELD_VALUE}
	values = {}
	for name in sorted((fieldnames & set(snapshot) & set(row)) - set(without)):
		fieldtype = field_type(doctype, name)
		is_other = snapshot[name] != snapshots.column_text(doctype, name, row[name])
		if is_other and fieldtype in field_types.SHORT_TYPES:
			values[name] = snapshot[name] or (None if fieldtype in field_types.TIME_TYPES else "")
	return values


def column_values(doc, fieldnames: Iterable[str]) -> dict:
	"""Return values of a document as its columns take them; no value of a date is none.

	Args:
		doc: the document, as it was saved.
		fieldnames: of its fields with a column.
	"""
	values = {}
	for name in fieldnames:
		fieldtype, value = field_type(doc.doctype, name), doc.get(name)
		values[name] = (
			(value or None) if fieldtype in field_types.TIME_TYPES else stored_value(value, fieldtype)
		)
	return values


def those_behind(doctype: str, plans: list) -> list:
	"""Return those of some plans whose document is gone, or not as they know it by its columns. One query.

	Args:
		doctype: of their documents; may be gone too.
		plans: rows with `reference_name`, `snapshot` and `document_created_on`.
	"""
	if not frappe.db.exists("DocType", doctype, cache=True):
		return plans
	snapshots_by_plan = {plan.name: json.loads(plan.snapshot or "{}") for plan in plans}
	fieldnames = ["creation", *(name for snapshot in snapshots_by_plan.values() for name in snapshot)]
	columns = stored_rows.columns_of(doctype, fieldnames)
	rows = stored_rows.read_many(doctype, [plan.reference_name for plan in plans], columns)
	return [
		plan
		for plan in plans
		if _is_behind(plan, snapshots_by_plan[plan.name], rows.get(plan.reference_name))
	]


def _is_behind(plan, snapshot: dict[str, str], row: dict | None) -> bool:
	if row is None or not is_of(plan, row["creation"]):
		return True
	doctype = plan.reference_type
	return any(
		name in row and snapshot[name] != snapshots.column_text(doctype, name, row[name]) for name in snapshot
	)


def is_of(plan, created_on) -> bool:
	"""Tell whether a document that was created then is a plan's: after a deletion its name may be taken again.

	Args:
		plan: row with `document_created_on`; plans from before that column have none.
		created_on: `creation` of the document that has the name now.
	"""
	created_then = plan.document_created_on
	return not created_then or get_datetime(created_on) <= get_datetime(created_then)


def value_changes(fieldnames: Iterable[str], doctype: str, before, after) -> dict[str, tuple[str, str]]:
	"""Return (old, new) of the fields that a write changes, as their columns keep them.

	Args:
		fieldnames: of the document.
		doctype: of the document.
		before, after: the document, or its row, before and after the write.
	"""
	texts = {
		name: (
			snapshots.field_text(doctype, name, before.get(name)),
			snapshots.field_text(doctype, name, after.get(name)),
		)
		for name in fieldnames
	}
	return {name: (old, new) for name, (old, new) in texts.items() if old != new}


def as_stored(doc, row: dict):
	"""Return a document as it is stored: itself, unless its watched fields have other values in memory.

	Args:
		doc: the document.
		row: stored values of its watched fields, as `stored_row` returns them.
	"""
	if not value_changes(row, doc.doctype, row, doc):
		return doc
	return frappe.get_doc(doc.doctype, doc.name)


def is_amendment(doc) -> bool:
	"""Tell whether a document is new and takes over the plan of the cancelled one that it amends.

	One that only says so - its origin is not cancelled, or has no plan - is a new document like any other.

	Args:
		doc: the document, before or in its insert. At most two queries; none without `amended_from`.
	"""
	if not (doc.is_new() or doc.flags.in_insert) or not doc.get("amended_from"):
		return False
	if frappe.db.get_value(doc.doctype, doc.amended_from, "docstatus") != 2:
		return False
	return bool(
		frappe.db.exists("Milestone Plan", {"plan_key": plan_rows.plan_key(doc.doctype, doc.amended_from)})
	)


def holds_value(stage, doc) -> bool:
	"""Tell whether the document has the very value that reaches a stage.

	Args:
		stage: row with `reach_rule`, `track_field` and `track_value`.
		doc: the document, in memory or stored.
	"""
	if stage.reach_rule != ReachRule.FIELD_VALUE or not stage.track_field:
		return False
	return is_reached_by(
		stage, snapshots.field_text(doc.doctype, stage.track_field, doc.get(stage.track_field))
	)


def is_reached_by(stage, text: str) -> bool:
	"""Tell whether a value, as plans keep it, is the one that reaches a stage.

	Args:
		stage: row with `track_value`.
		text: as `snapshots.field_text` returns it.
	"""
	return text == (stage.track_value or "").strip()


def watched_fields(stages, tasks, plan) -> list[str]:
	"""Return the document's fields a plan acts on: values that reach stages, dates, owners, assignees, supplier.

	Args:
		stages, tasks: rows of a plan, or of its workflow.
		plan: document or row with `supplier_field`.

	Returns:
		list[str]: names of fields; some of them the document may not have.
	"""
	watched = {*STANDARD_WATCHED, plan.get("supplier_field") or "supplier"}
	for stage in stages:
		watched.update((stage.get("track_field"), stage.get("date_field"), stage.get("owner_field")))
	watched.update(task.get("assignee_field") for task in tasks)
	return sorted(name for name in watched if name)
