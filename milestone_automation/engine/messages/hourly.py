"""The scheduler's entry: finds the plans that are due and hands them to the sweep."""

from datetime import date, datetime

import frappe
from frappe.utils import now_datetime

from milestone_automation.engine.messages import digest, outbox, sending_day, sweep
from milestone_automation.engine.rules.vocabulary import PlanStatus

INLINE = 200  # plans the scheduler's own job takes; more are handed to background jobs
JOB = 500  # plans of one background job


def run(now: datetime | None = None) -> None:
	"""Look at every plan that is due, then send digests. Called by the scheduler every hour.

	Args:
		now: naive, in the site's time zone; the present moment by default.
	"""
	now = now or now_datetime()
	horizon = sending_day.latest_message_day(now)
	names = due_plans(horizon, INLINE + 1)
	if len(names) > INLINE:
		hand_over(due_plans(horizon))
	else:
		sweep.sweep_plans(names, now)
	digest.run(now, wait_for_sweep=len(names) > INLINE)
	outbox.note_sent()


def due_plans(horizon: date, limit: int | None = None) -> list[str]:
	"""Return the names of active plans to look at by this day, the longest waiting first."""
	plan = frappe.qb.DocType("Milestone Plan")
	query = frappe.qb.from_(plan).select(plan.name).where(plan.next_check <= horizon)
	query = query.where(plan.status == PlanStatus.ACTIVE.value).orderby(plan.next_check).orderby(plan.name)
	return (query.limit(limit) if limit else query).run(pluck=True)


def hand_over(names: list[str]) -> None:
	"""Give plans to background jobs, some hundred each. What is queued already is not queued again."""
	for start in range(0, len(names), JOB):
		chunk = names[start : start + JOB]
		frappe.enqueue(
			"milestone_automation.engine.messages.sweep.sweep_plans",
			queue="long",
			timeout=3600,
			job_id=f"milestone-sweep-{chunk[0]}-{chunk[-1]}",
			deduplicate=True,
			names=chunk,
		)
