"""What happened to a plan, beside its milestones: who did it, when, why."""

import frappe
from frappe import _
from frappe.utils import now_datetime

from milestone_automation.engine.base import bulk


def check_reason(reason: str | None) -> str:
	"""Return a reason, stripped; refuse an empty one."""
	if not reason or not str(reason).strip():
		frappe.throw(_("Give a reason: it is kept on record."), frappe.MandatoryError)
	return str(reason).strip()


def write(plan, event: str, stage=None, task: str | None = None, reason: str = "", details: str = "") -> None:
	"""Add one line to a plan's log.

	Args:
		plan: the plan (document or row) with name, reference_type, reference_name.
		event: one of the options of Milestone Plan Log's field Event.
		stage: row of the stage it is about.
		task: name of the task it is about.
		reason: what a person gave as reason.
		details: what the engine has to say.
	"""
	bulk.insert_rows(
		"Milestone Plan Log",
		[
			{
				"plan": plan.name,
				"reference_type": plan.reference_type,
				"reference_name": plan.reference_name,
				"event": event,
				"plan_stage": stage and stage.name,
				"stage_name": stage and stage.stage_name,
				"task": task,
				"reason": reason,
				"details": details,
				"done_by": frappe.session.user,
				"done_on": now_datetime(),
			}
		],
	)
