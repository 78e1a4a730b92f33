"""Telling other apps what happens in plans; `store/app_events.py` says which ones want to hear it.

The function is called with one `dict`, see `_event`. The document's own handlers are called with the same `dict`, after
what Frappe gives to every handler; all these are one listener.

A listener runs after the commit, in a job and a transaction of its own, as code of an installed app: as Administrator,
whoever reached the milestone or wrote the workflow. One that fails is tried again and keeps no other from hearing. Of a
milestone that is undone before the job runs, only that is told, and nothing of one that was undone and is reached again.
"""

import frappe
from frappe import _

from milestone_automation.engine.progress import step_author
from milestone_automation.engine.store import app_events


def tell(step: dict, plan, stage) -> None:
	"""Call one listener.

	Args:
		step: as `app_events.steps` has yielded it.
		plan, stage: rows.

	Raises:
		frappe.ValidationError: the function is no longer declared by an installed app.
		Exception: whatever the listener raises.
	"""
	event, path = step.get("event"), step.get("function")
	with step_author.in_name_of("Administrator"):
		if path is None:
			doc = frappe.get_doc(plan.reference_type, plan.reference_name)
			doc.run_method(app_events.METHOD.format(event), _event(event, plan, stage))
		elif path in app_events.declared(event):
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
