"""Who hears of a new Milestone: rules of the site, and hooks of other apps. Decided once, until a rule changes.

Running ten document events on a milestone is most of what recording costs, and mostly nobody is there to hear them.
"""

import frappe
from frappe.model.base_document import get_controller

from milestone_automation.engine.base import rule_cache

CACHE_KEY = "milestone_automation_listeners"
DOCTYPE = "Milestone"
EVENTS = frozenset(
	{
		"before_insert",
		"before_validate",
		"validate",
		"before_save",
		"after_insert",
		"on_update",
		"on_change",
	}
)
# Rules a site makes, with the field that names the DocType they are for and the one that switches them off or on.
RULES = {
	"Notification": ("document_type", {"enabled": 1}),
	"Webhook": ("webhook_doctype", {"enabled": 1}),
	"Server Script": ("reference_doctype", {"disabled": 0}),
	"Assignment Rule": ("document_type", {"disabled": 0}),
	"Energy Point Rule": ("reference_doctype", {"enabled": 1}),
	"Workflow": ("document_type", {"is_active": 1}),
}
# Frappe's own handlers for every DocType, which do nothing for a milestone without one of these rules.
OF_FRAPPE = frozenset(
	{
		"clear_doctype_notifications",
		"process_workflow_actions",
		"apply",
		"update_due_date",
		"attach_files_to_document",
		"apply_permissions_for_non_standard_user_type",
		"make_perm_log",
		"process_energy_points",
		"evaluate_milestone",
		"update_doc_index",
	}
)
# Of these, the one that keeps the search indexes of other apps, with the hook by which they bring one.
INDEXER, INDEXES = "update_doc_index", "sqlite_search"


def events_heard() -> frozenset[str]:
	"""Return the events of a new Milestone that somebody hears. One cached lookup."""
	return frozenset(rule_cache.get(CACHE_KEY, _read))


def clear(doc=None, method=None, *args, **kwargs) -> None:
	"""Forget what is cached. Called on every change of one of the rules.

	Args:
		doc: the rule that changes, from a document event; not used.
		method: name of the event; not used.
		*args: whatever else a hook is called with; not used.
		**kwargs: the same by name.
	"""
	rule_cache.forget(CACHE_KEY)


def _read() -> list[str]:
	if _has_rule() or _is_extended():
		return sorted(EVENTS)
	return sorted(_heard_by_hooks())


def _has_rule() -> bool:
	for rule, (column, switched_on) in RULES.items():
		if frappe.db.exists("DocType", rule) and frappe.db.exists(rule, {column: DOCTYPE, **switched_on}):
			return True
	return False


def _is_extended() -> bool:
	"""Tell whether another app has put its own class in the place of the controller."""
	return not get_controller(DOCTYPE).__module__.endswith(".doctype.milestone.milestone")


def _heard_by_hooks() -> set[str]:
	hooks = frappe.get_doc_hooks()
	heard_events = set()
	for doctype in ("*", DOCTYPE):
		for event, handlers in hooks.get(doctype, {}).items():
			if event in EVENTS and any(_is_of_somebody_else(handler) for handler in handlers):
				heard_events.add(event)
	return heard_events


def _is_of_somebody_else(handler: str) -> bool:
	app, _dot, rest = handler.partition(".")
	if app == "frappe":
		name = rest.rpartition(".")[2]
		return name not in OF_FRAPPE or (name == INDEXER and bool(frappe.get_hooks(INDEXES)))
	return app != "milestone_automation"
