"""Which workflow a document gets: of the enabled ones that match, the one with the highest priority, then the oldest.

Filters and conditions of all workflows are one small cached map, so that a save needs no query when it is warm.
"""

from typing import NamedTuple

import frappe

from milestone_automation.engine.base import guard, rule_cache
from milestone_automation.engine.tracking import conditions, protected, registry
from milestone_automation.engine.workflows import document_filters

CACHE_KEY = "milestone_automation_workflows"


class Candidate(NamedTuple):
	"""A workflow with what decides whether it matches a document."""

	name: str
	document_filters: str
	condition: str


def find(doc) -> str | None:
	"""Return the name of the workflow a document gets, or None. Needs no query when the cache is warm.

	Args:
		doc: the document as it is in memory.
	"""
	return next((one.name for one in _candidates(doc.doctype) if matches(one, doc)), None)


def matches(workflow, doc) -> bool:
	"""Tell whether a document matches the DocType, filters and condition of a workflow.

	A filter or condition that raises an error is logged with the name of the workflow and counts as no match.

	Args:
		workflow: Milestone Workflow document or `Candidate`, enabled or not.
		doc: the document.
	"""
	if getattr(workflow, "document_type", doc.doctype) != doc.doctype:
		return False
	try:
		return document_filters.match(workflow.document_filters, doc) and conditions.holds(
			workflow.condition, doc
		)
	except Exception:
		what = f"Milestone Workflow {workflow.name}: cannot tell whether it is for {doc.doctype} {doc.name}"
		guard.log_fault(what, frappe.get_traceback())
		return False


def candidates(doctype: str) -> list[str]:
	"""Return the names of the enabled workflows of a DocType, in order of precedence.

	Args:
		doctype: DocType of the documents; one that has no plans has no candidates.
	"""
	return [one.name for one in _candidates(doctype)]


def template(workflow: str):
	"""Return the document of a workflow, from the cache; where this transaction has changed a workflow, as it is now.

	Others who ask meanwhile fill Frappe's cache with what is committed, and shall not get what may be rolled back.

	Args:
		workflow: name of the workflow.

	Raises:
		frappe.DoesNotExistError: there is no such workflow.
	"""
	read = frappe.get_doc if rule_cache.is_changed_here(CACHE_KEY) else frappe.get_cached_doc
	return read("Milestone Workflow", workflow)


def clear() -> None:
	"""Clear the cached workflows and rules. Called on every change of a workflow."""
	registry.clear()
	rule_cache.forget(CACHE_KEY)


def _candidates(doctype: str) -> list[Candidate]:
	rules = registry.for_doctype(doctype)
	if not rules or not rules.has_workflow:
		return []
	rows = rule_cache.get(CACHE_KEY, _read).get(doctype)
	if rows is None:
		# The rules know the DocType but the map does not: it was renamed since the map was made.
		rule_cache.forget(CACHE_KEY)
		rows = rule_cache.get(CACHE_KEY, _read).get(doctype, [])
	return [Candidate(*row) for row in rows]


def _read() -> dict[str, list[tuple]]:
	"""Read the map as plain tuples. Disabled workflows only add their DocType."""
	rows = frappe.get_all(
		"Milestone Workflow",
		fields=["name", "document_type", "enabled", "document_filters", "condition"],
		order_by="priority desc, creation asc, name asc",
	)
	candidates_by_doctype: dict[str, list[tuple]] = {row.document_type: [] for row in rows}
	for row in rows:
		if row.enabled and not protected.is_protected(row.document_type):
			candidate = (row.name, row.document_filters or "", row.condition or "")
			candidates_by_doctype[row.document_type].append(candidate)
	return candidates_by_doctype
