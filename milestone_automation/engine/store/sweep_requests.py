"""Asking the sweep to look at plans again, after the transaction that changed them."""

import frappe
from frappe.utils import getdate, now_datetime

from milestone_automation.engine.base import guard
from milestone_automation.engine.rules.vocabulary import PlanStatus


def request(plan: str) -> None:
	"""Have a plan looked at as soon as the running transaction is committed. Several requests make one job."""
	frappe.enqueue(
		"milestone_automation.engine.messages.sweep.sweep_plan",
		queue="short",
		enqueue_after_commit=True,
		job_id=f"milestone-sweep-{plan}",
		deduplicate=True,
		plan=plan,
	)


def recheck_all() -> None:
	"""Have every active plan looked at by the next sweep; for changed settings. One statement."""
	recheck_plans().run()


def recheck(plan: str) -> None:
	"""Have a plan looked at at once, and by the next sweep should the job be lost."""
	with guard.translate_conflicts():
		recheck_plans().where(frappe.qb.DocType("Milestone Plan").name == plan).run()
	request(plan)


def recheck_plans():
	plan = frappe.qb.DocType("Milestone Plan")
	query = frappe.qb.update(plan).set(plan.next_check, getdate(now_datetime()))
	return query.where(plan.status == PlanStatus.ACTIVE.value)
