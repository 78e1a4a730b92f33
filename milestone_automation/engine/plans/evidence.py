"""What exit criteria ask for besides the document itself - files, comments, other documents - comes or goes: the plans
concerned are checked again after the commit, so that health and messages keep up. The gate never relies on it.

Which criteria ask for what is known of workflows as they are now; plans on an older version are checked by the sweep."""

from collections.abc import Iterable

import frappe
from frappe.utils import cstr

from milestone_automation.engine.people import criterion_texts
from milestone_automation.engine.rules.vocabulary import PlanStatus
from milestone_automation.engine.store import plan_rows, sweep_requests


def recheck(doctype: str, names: Iterable) -> None:
	"""Have the running plans of some documents checked after the commit. One query.

	Args:
		doctype: of the documents.
		names: their names; empty ones are left out.
	"""
	keys = [plan_rows.plan_key(doctype, name) for name in names if name]
	if keys:
		filters = {"plan_key": ("in", keys), "status": PlanStatus.ACTIVE.value}
		for plan in frappe.get_all("Milestone Plan", filters=filters, pluck="name"):
			sweep_requests.request(plan)


def recheck_linked(doc, asking: Iterable[tuple[str, str]]) -> None:
	"""Have the plans checked whose exit criteria ask for a document that was saved, submitted, cancelled or deleted.

	Args:
		doc: the document.
		asking: DocType of the plans, and the field of the document that links to theirs, of each criterion.
	"""
	for doctype, link_field in asking:
		names = {
			name
			for state in (doc, doc.get_doc_before_save())
			if state
			for name in _linked(state, doctype, link_field)
		}
		recheck(doctype, sorted(names))


def _linked(doc, doctype: str, link_field: str) -> set[str]:
	"""Return the documents of a DocType to which a document links by a field of its own or of its rows."""
	link = criterion_texts.link_of(doc.doctype, link_field)
	if not link:
		return set()
	field = link[1]
	table = link_field.rpartition(".")[0]
	rows = doc.get(table) or [] if table else [doc]
	linking_rows = [row for row in rows if field.fieldtype == "Link" or row.get(field.options) == doctype]
	return {cstr(row.get(field.fieldname)) for row in linking_rows} - {""}
