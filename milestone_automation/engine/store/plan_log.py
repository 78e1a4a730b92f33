"""The log of a plan: what happened to it besides date changes and milestones, by whom, when and why."""

import frappe
from frappe import _
from frappe.utils import now_datetime

from milestone_automation.engine.base import bulk
from milestone_automation.engine.rules.vocabulary import PlanEvent


def check_reason(reason: str | None) -> str:
	"""Return a reason without surrounding white space.

	Args:
		reason: as a user gave it.

	Raises:
		frappe.MandatoryError: it is empty.
	"""
	if not reason or not str(reason).strip():
		frappe.throw(_("Enter a reason. It is stored in the log."), frappe.MandatoryError)
	return str(reason).strip()


def write(
	plan,
	event: PlanEvent,
	stage=None,
	task: str | None = None,
	reason: str = "",
	details: str = "",
	done_on=None,
	done_by: str | None = None,
) -> str:
	"""Add an entry to the log of a plan and return its name.

	Args:
		plan: document or row of the plan with name, reference_type and reference_name.
		event: what happened.
		stage: row of the stage, for an event of a stage.
		task: name of the task, for an event of a task.
		reason: reason that a user gave.
		details: further text.
		done_on: when it happened; now by default.
		done_by: user id or e-mail address; the session user by default.
	"""
	names = bulk.insert_rows(
		"Milestone Plan Log",
		[
			{
				"plan": plan.name,
				"reference_type": plan.reference_type,
				"reference_name": plan.reference_name,
				"event": PlanEvent(event).value,
				"plan_stage": stage and stage.name,
				"stage_name": stage and stage.stage_name,
				"task": task,
				"reason": reason,
				"details": details,
				"done_by": done_by or frappe.session.user,
				"done_on": done_on or now_datetime(),
			}
		],
	)
	return names[0]
