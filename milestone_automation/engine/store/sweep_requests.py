"""Requests to the sweep to check plans after a change."""

from collections.abc import Callable

import frappe
from frappe.utils import create_batch, getdate, now_datetime

from milestone_automation.engine.base import guard, jobs
from milestone_automation.engine.rules.vocabulary import PlanStatus

PLANS_PER_STATEMENT = 500


def request(plan: str) -> None:
	"""Queue a job that sweeps a plan after the commit. Several requests make one job.

	Args:
		plan: name of the plan.
	"""
	jobs.queue_follow_up(
		"milestone_automation.engine.messages.sweep.sweep_plan", f"milestone-sweep-{plan}", plan=plan
	)


def catch_up(plan: str) -> None:
	"""Have a plan follow its document, which was changed without hooks, after the running transaction.

	Args:
		plan: name of the plan.
	"""
	jobs.queue_follow_up(
		"milestone_automation.engine.plans.catching_up.follow_plan", f"milestone-catch-up-{plan}", plan=plan
	)


def alert(entry: str) -> None:
	"""Have the managers of a plan's workflow told an entry of its log, after the running transaction.

	Args:
		entry: name of a Milestone Plan Log.
	"""
	jobs.queue_follow_up(
		"milestone_automation.engine.messages.alerts.send", f"milestone-alert-{entry}", entry=entry
	)


def recheck_all(commit: Callable[[], None] | None = None) -> None:
	"""Have every active plan looked at by the next sweep; for changed settings.

	Args:
		commit: as in `recheck_some`.
	"""
	plans = frappe.get_all(
		"Milestone Plan", {"status": PlanStatus.ACTIVE.value}, pluck="name", order_by="name"
	)
	recheck_some(plans, commit)


def recheck_some(plans: list[str], commit: Callable[[], None] | None = None) -> None:
	"""Have some plans looked at by the next sweep, some hundred in one statement.

	Args:
		plans: their names.
		commit: called after each statement, so that nobody waits for the lock of plans that are done.
	"""
	plan = frappe.qb.DocType("Milestone Plan")
	for chunk in create_batch(plans, PLANS_PER_STATEMENT):
		recheck_plans().where(plan.name.isin(chunk)).run()
		if commit:
			commit()


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
