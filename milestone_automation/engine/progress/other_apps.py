"""Other apps hear of milestones that are reached or undone, each through a step of the outbox of next steps.

By the hook `milestone_events`: {"reached": "dotted.path", "undone": "dotted.path"}. The function is called with one
`dict`, see `_event`. Or by the document itself: its controller's method `on_milestone_reached` or `on_milestone_undone`,
and `doc_events` of these names, are called with the same `dict`, after what Frappe gives to every handler; all these are
one listener.

A listener runs after the commit, in a job and a transaction of its own, as code of an installed app: as Administrator,
whoever reached the milestone or wrote the workflow. One that fails is tried again and keeps no other from hearing. Of a
milestone that is undone before the job runs, only that is told, and nothing of one that was undone and is reached again.
"""

from collections.abc import Iterator

import frappe
from frappe import _
from frappe.model.base_document import get_controller

from milestone_automation.engine.progress import step_author

# Names of these steps, by event. No workflow can hold them: they are no actions.
ACTIONS = {"reached": "Tell Other Apps: Reached", "undone": "Tell Other Apps: Undone"}
HOOK = "milestone_events"
# Of the event that a document's own handlers get.
METHOD = "on_milestone_{0}"


def steps(event: str, doctype: str) -> Iterator[dict]:
	"""Yield a step for each listener.

	Args:
		event: "reached" or "undone".
		doctype: of the plan's document.
	"""
	for path in _declared(event):
		yield {"action": ACTIONS[event], "event": event, "function": path}
	if _has_handlers(doctype, METHOD.format(event)):
		yield {"action": ACTIONS[event], "event": event, "function": None}


def is_step(action: str | None) -> bool:
	"""Tell whether a step tells another app of something."""
	return action in ACTIONS.values()


def tells_of_undone(action: str | None) -> bool:
	"""Tell whether a step tells another app that a milestone was undone."""
	return action == ACTIONS["undone"]


def tell(step: dict, plan, stage) -> None:
	"""Call one listener.

	Args:
		step: as `steps` has yielded it.
		plan, stage: rows.

	Raises:
		frappe.ValidationError: no installed app declares the function any more.
		Exception: whatever the listener raises.
	"""
	event, path = step.get("event"), step.get("function")
	with step_author.in_name_of("Administrator"):
		if path is None:
			doc = frappe.get_doc(plan.reference_type, plan.reference_name)
			doc.run_method(METHOD.format(event), _event(event, plan, stage))
		elif path in _declared(event):
			frappe.get_attr(path)(_event(event, plan, stage))
		else:
			frappe.throw(_("No installed app declares {0} any more.").format(path))


def _event(event: str, plan, stage) -> dict:
	"""Return what a listener is told: names, texts and dates, nothing that could be changed by it."""
	return {
		"event": event,
		"plan": plan.name,
		"plan_status": plan.status,
		"workflow": plan.workflow,
		"reference_type": plan.reference_type,
		"reference_name": plan.reference_name,
		"stage": stage.stage_name,
		"plan_stage": stage.name,
		"key_date": stage.key_date,
		"reached_on": stage.reached_on,
	}


def _declared(event: str) -> list[str]:
	return (frappe.get_hooks(HOOK) or {}).get(event, [])  # Frappe collects what apps declare in lists


def _has_handlers(doctype: str, method: str) -> bool:
	handlers = frappe.get_doc_hooks()
	if any(handlers.get(key, {}).get(method) for key in (doctype, "*")):
		return True
	return hasattr(get_controller(doctype), method)
