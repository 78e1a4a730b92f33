"""Requests to the sweep to check plans after a change."""

import frappe
from frappe.utils import getdate, now_datetime

from milestone_automation.engine.base import guard
from milestone_automation.engine.rules.vocabulary import PlanStatus


def request(plan: str) -> None:
	"""Queue a job that sweeps a plan after the commit. Several requests make one job.

	Args:
		plan: name of the plan.
	"""
	frappe.enqueue(
		"milestone_automation.engine.messages.sweep.sweep_plan",
		queue="short",
		enqueue_after_commit=True,
		job_id=f"milestone-sweep-{plan}",
		deduplicate=True,
		plan=plan,
	)


def recheck_all() -> None:
	"""Have the next hourly sweep check all active plans, after a change of the settings. One statement."""
	recheck_plans().run()


def recheck(plan: str) -> None:
	"""Queue a job that sweeps a plan after the commit; if the job is lost, the next hourly sweep does it.

	Args:
		plan: name of the plan.

	Raises:
		ConflictError: somebody else is changing the plan.
	"""
	with guard.translate_conflicts():
		recheck_plans().where(frappe.qb.DocType("Milestone Plan").name == plan).run()
	request(plan)


def recheck_plans():
	"""Return the UPDATE by which the next hourly sweep checks all active plans; callers may restrict it."""
	plan = frappe.qb.DocType("Milestone Plan")
	query = frappe.qb.update(plan).set(plan.next_check, getdate(now_datetime()))
	return query.where(plan.status == PlanStatus.ACTIVE.value)
