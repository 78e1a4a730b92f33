"""Which other apps hear of what happens in plans, each through a step of the outbox of next steps.

By the hook `milestone_events`: {"reached": "dotted.path", "overdue": "dotted.path"}. Or by the document itself: its
controller's method `on_milestone_reached`, or `doc_events` of this name, and so for every event. `progress/other_apps.py`
calls them.
"""

from collections.abc import Iterator

import frappe
from frappe.model.base_document import get_controller

from milestone_automation.engine.rules.vocabulary import StepEvent

HOOK = "milestone_events"
# Of the event that a document's own handlers get.
METHOD = "on_milestone_{0}"
# The names apps use.
KEYS = {event: event.value.lower().replace(" ", "_") for event in StepEvent}
# Names of these steps. No workflow can hold them: they are no actions.
ACTIONS = {event: f"Tell Other Apps: {event.value}" for event in StepEvent}


def steps(event: StepEvent, doctype: str) -> Iterator[dict]:
	"""Yield a step for each listener.

	Args:
		event: what happened.
		doctype: of the plan's document.
	"""
	key = KEYS[event]
	for path in declared(key):
		yield {"action": ACTIONS[event], "event": key, "function": path}
	if _has_handlers(doctype, METHOD.format(key)):
		yield {"action": ACTIONS[event], "event": key, "function": None}


def is_step(action: str | None) -> bool:
	"""Tell whether a step tells another app of something.

	Args:
		action: name of the step's action.
	"""
	return action in ACTIONS.values()


def declared(key: str) -> list[str]:
	"""Return the functions that apps have declared for an event, by its key.

	Args:
		key: one of the values of `KEYS`, such as "reached_late".

	Returns:
		list[str]: dotted paths.
	"""
	return (frappe.get_hooks(HOOK) or {}).get(key, [])  # Frappe collects what apps declare in lists


def _has_handlers(doctype: str, method: str) -> bool:
	handlers = frappe.get_doc_hooks()
	if any(handlers.get(key, {}).get(method) for key in (doctype, "*")):
		return True
	return hasattr(get_controller(doctype), method)
