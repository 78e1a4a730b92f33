"""What happens to the plan of a saved document: it is started, updated, or taken over from the amended document."""

import frappe
from frappe.utils import cint

from milestone_automation.engine.base import guard, stored_rows
from milestone_automation.engine.plans import amending, ending, following, starting
from milestone_automation.engine.progress import gate, new_documents
from milestone_automation.engine.rules.vocabulary import PlanStatus
from milestone_automation.engine.store import (
	exit_criteria,
	plan_rows,
	refused_writes,
	sweep_requests,
	watched,
)


def on_document_change(doc) -> None:
	"""Make the plan of a document that matches now, or bring the one it has in step with its stored values.

	Costs two queries at most where nothing a plan watches has changed: the plan, and the row unless it was just read.

	Args:
		doc: the document, after it was written; its stored row counts, not what it has in memory.

	Raises:
		GateError: the write is refused; whoever called takes it back.
	"""
	plan = watched.loaded(doc)
	if plan and doc.flags.in_insert and not watched.is_of(plan, doc.creation):
		if not stored_rows.is_inserted(doc, frappe.db.get_value(doc.doctype, doc.name, "creation")):
			return  # nothing was written
		# Of a document of the same name that was deleted without its events.
		ending.end_without_document(plan)
		plan = None
	if plan:
		_follow(plan, doc)
	elif watched.is_amendment(doc):
		guard.run_guarded(f"Milestone plan of {doc.doctype} {doc.name}: carry over", amending.carry_over, doc)
	elif cint(doc.docstatus) != 2:
		_enter(doc)


def _enter(doc) -> None:
	"""Judge a document without a plan by its stored row, which hooks may have changed by SQL, and start its plan."""
	row = watched.stored_row(doc, None)
	if not row or (doc.flags.in_insert and not stored_rows.is_inserted(doc, row.get("creation"))):
		return
	stored_doc = watched.as_stored(doc, row)
	new_documents.check(stored_doc, refused_writes.values_before(doc), written=doc)
	starting.start_if_matching(stored_doc)


def check_entry(doc) -> None:
	"""Refuse a document without a plan that has the value of a blocked milestone, unless its workflow accepts it.

	Args:
		doc: the document, before or after it was written.

	Raises:
		GateError: says what to save it as first.
	"""
	if cint(doc.docstatus) != 2 and not watched.is_amendment(doc):
		new_documents.check(doc, refused_writes.values_before(doc), to_write=doc)


def _follow(plan: plan_rows.Plan, doc) -> None:
	row = watched.stored_row(doc, plan)
	changed = watched.changed_values(plan, doc, row)
	if plan.status == PlanStatus.ACTIVE and exit_criteria.ask_of_document(plan.stages):
		# Whatever was saved, it may be what they ask for.
		sweep_requests.request(plan.name)
	if not changed or plan.status == PlanStatus.CANCELLED:
		return
	written = {
		name
		for before in refused_writes.all_values_before(doc)
		for name in watched.value_changes(changed, doc.doctype, before, row)
	}
	stored_doc = watched.as_stored(doc, row)
	if new_documents.is_being_brought_in(plan) and gate.blocks_any(plan, changed):
		# It has reached this as it comes; so the tasks before it never were.
		ending.delete_for(doc.doctype, doc.name)
		starting.start_if_matching(stored_doc)
		return
	following.follow(plan, stored_doc, changed, written)
