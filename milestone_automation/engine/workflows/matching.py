"""Which workflow a document gets: of the enabled ones that fit, the one with the highest priority, then the oldest.

One small cached map (filters and condition of every workflow, by DocType) is all that is read, so that a save asks
the database nothing once the map is warm.
"""

from typing import NamedTuple

import frappe

from milestone_automation.engine.base import compat, guard
from milestone_automation.engine.tracking import conditions, registry
from milestone_automation.engine.workflows import document_filters

CACHE_KEY = "milestone_automation_workflows"


class Candidate(NamedTuple):
	"""What deciding on a workflow takes."""

	name: str
	document_filters: str
	condition: str


def find(doc) -> str | None:
	"""Return the name of the workflow a document gets, or None. No SQL when warm.

	Args:
		doc: the document; read as it is in memory.
	"""
	return next((one.name for one in _candidates(doc.doctype) if matches(one, doc)), None)


def matches(workflow, doc) -> bool:
	"""Tell whether a document is one of those a workflow is for: its DocType, its filters, its condition.

	A filter or condition that fails is logged with the workflow's name and counts as no match.

	Args:
		workflow: Milestone Workflow document (or a `Candidate`). Whether it is enabled is not asked.
		doc: the document.
	"""
	if getattr(workflow, "document_type", doc.doctype) != doc.doctype:
		return False
	try:
		return document_filters.hold(workflow.document_filters, doc) and conditions.holds(
			workflow.condition, doc
		)
	except Exception:
		what = f"Milestone Workflow {workflow.name}: cannot tell whether it is for {doc.doctype} {doc.name}"
		guard.log_fault(what, frappe.get_traceback())
		return False


def candidates(doctype: str) -> list[str]:
	"""Return the names of the enabled workflows of a DocType, in the order they are asked."""
	return [one.name for one in _candidates(doctype)]


def clear() -> None:
	"""Forget what is cached of workflows and rules. Call on every change of a workflow."""
	registry.clear()
	compat.forget(CACHE_KEY)
	compat.after_transaction(_forget)


def _forget() -> None:
	compat.forget(CACHE_KEY)


def _candidates(doctype: str) -> list[Candidate]:
	own = registry.for_doctype(doctype)
	if not own or not own.has_workflow:
		return []
	rows = _map().get(doctype)
	if rows is None:
		# Known to the rules, not to the map: the DocType was renamed since the map was made.
		_forget()
		rows = _map().get(doctype, [])
	return [Candidate(*row) for row in rows]


def _map() -> dict[str, list[tuple]]:
	"""Return the map; while this transaction has changed a rule, one of its own that nobody else sees."""
	uncommitted = getattr(frappe.local, registry.DIRTY_FLAG, None)
	if uncommitted is None:
		return compat.cached(CACHE_KEY, _read)
	if "workflows" not in uncommitted:
		uncommitted["workflows"] = _read()
	return uncommitted["workflows"]


def _read() -> dict[str, list[tuple]]:
	"""Read the map as plain tuples, as `rules` does. Disabled workflows only make their DocType known."""
	rows = frappe.get_all(
		"Milestone Workflow",
		fields=["name", "document_type", "enabled", "document_filters", "condition"],
		order_by="priority desc, creation asc, name asc",
	)
	known: dict[str, list[tuple]] = {row.document_type: [] for row in rows}
	for row in rows:
		if row.enabled:
			known[row.document_type].append((row.name, row.document_filters or "", row.condition or ""))
	return known
