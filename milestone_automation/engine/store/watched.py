"""The fields of a document that its plan watches: their values in the snapshot, and what has changed since."""

import hashlib
import json

from frappe.utils import cstr

from milestone_automation.engine.base import save_state, values
from milestone_automation.engine.people import assignees
from milestone_automation.engine.rules.vocabulary import ReachRule
from milestone_automation.engine.store import plan_rows
from milestone_automation.engine.tracking.registry import field_type


def loaded(doc) -> plan_rows.Plan | None:
	"""Return the document's plan, locked; read once for all events of one save, unless somebody wrote to it since."""
	kept = doc.flags.get("milestone_plan")
	before = doc.get_doc_before_save()
	if (
		not kept
		or kept[0] is not before
		or (kept[1] and kept[1].writes != save_state.plan_writes().get(kept[1].name, 0))
	):
		kept = (before, plan_rows.load(doc.doctype, doc.name, lock=True))
		doc.flags.milestone_plan = kept
	return kept[1]


def forget_loaded(doc, is_same_save: bool = False) -> None:
	"""Forget what `loaded` keeps: something is about to be written, and the lock of the last time may be gone.

	Args:
		doc: the document.
		is_same_save: it is a `db_set` inside the document's own save, which has had its warnings.
	"""
	doc.flags.pop("milestone_plan", None)
	if not is_same_save:
		doc.flags.pop("milestone_warned", None)


def changed_values(plan: plan_rows.Plan, doc) -> dict[str, tuple[str, str]]:
	"""Return (old, new) of every watched field that differs from what the plan last acted on."""
	old = json.loads(plan.snapshot or "{}")
	new = snapshot(doc, old)
	return {name: (old[name], value) for name, value in new.items() if old[name] != value}


def is_amendment(doc) -> bool:
	"""Tell whether a document is new and amends another one."""
	return bool(doc.is_new() or doc.flags.in_insert) and bool(doc.get("amended_from"))


def holds_value(stage, doc) -> bool:
	"""Tell whether the document has the very value that reaches a stage."""
	if stage.reach_rule != ReachRule.FIELD_VALUE or not stage.track_field:
		return False
	return field_text(doc, stage.track_field) == (stage.track_value or "").strip()


def field_text(doc, fieldname: str) -> str:
	"""Return a document's field as plans compare and keep it."""
	value, fieldtype = doc.get(fieldname), field_type(doc.doctype, fieldname)
	if value is None and fieldtype in values.NUMBER_TYPES:
		value = 0  # as the database will have it
	return values.as_text(value, fieldtype).strip()


def _watched_text(doc, fieldname: str) -> str:
	"""Return what a plan remembers of a field: people in a table, and texts longer than a value, by their hash."""
	value = doc.get(fieldname)
	is_table = isinstance(value, list | tuple)
	text = "\n".join(assignees.names_in_field(doc, fieldname)) if is_table else cstr(value)
	if is_table or len(text) > values.MAX_LENGTH:
		return hashlib.sha256(text.encode()).hexdigest()
	return field_text(doc, fieldname)


STANDARD_COLUMNS = ("docstatus", "owner")


def watched_fields(stages, tasks, plan) -> list[str]:
	"""Return the document's fields a plan acts on: values that reach stages, dates, owners, assignees, supplier."""
	watched = {*STANDARD_COLUMNS, plan.get("supplier_field") or "supplier"}
	for stage in stages:
		watched.update((stage.get("track_field"), stage.get("date_field"), stage.get("owner_field")))
	watched.update(task.get("assignee_field") for task in tasks)
	return sorted(name for name in watched if name)


def snapshot(doc, fieldnames) -> dict[str, str]:
	"""Return the values of a document's fields as a plan remembers them."""
	return {
		name: _watched_text(doc, name)
		for name in fieldnames
		if name in STANDARD_COLUMNS or doc.meta.has_field(name)
	}
