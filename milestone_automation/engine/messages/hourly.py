"""The hourly job of the scheduler: sweeps the plans that are due, then sends the mails of the day and alerts."""

from collections.abc import Callable
from datetime import date, datetime

import frappe
from frappe.utils import now_datetime

from milestone_automation.engine.base import follow_ups, jobs
from milestone_automation.engine.messages import alerts, digest, outbox, sending_day, sweep
from milestone_automation.engine.rules.vocabulary import PlanStatus

INLINE = 200  # plans that the scheduler's job sweeps itself; more are queued as background jobs
JOB = 500  # plans of one background job


def run(now: datetime | None = None, show: Callable[[int, int], None] | None = None) -> None:
	"""Scheduler job: sweep the plans that are due, then send the mails of the day and update the status of sent messages.

	Args:
		now: naive, in the site's time zone; the current time by default.
		show: called with (done, total) number of plans, unless background jobs sweep them.
	"""
	now = now or now_datetime()
	follow_ups.run_left()
	horizon = sending_day.latest_message_day(now)
	names = due_plans(horizon, INLINE + 1)
	if len(names) > INLINE:
		enqueue(due_plans(horizon))
	else:
		sweep.sweep_plans(names, now, show)
	# Each mail is a transaction of its own: what was sent stays sent if the job is killed.
	digest.run(now, wait_for_sweep=len(names) > INLINE, commit=frappe.db.commit)
	alerts.send_waiting()
	outbox.update_sent()


def due_plans(horizon: date, limit: int | None = None) -> list[str]:
	"""Return the names of the active plans whose next check is due, oldest first.

	Args:
		horizon: last date of `next_check`.
		limit: maximum number of plans; all by default.
	"""
	plan = frappe.qb.DocType("Milestone Plan")
	query = frappe.qb.from_(plan).select(plan.name).where(plan.next_check <= horizon)
	query = query.where(plan.status == PlanStatus.ACTIVE.value).orderby(plan.next_check).orderby(plan.name)
	return (query.limit(limit) if limit else query).run(pluck=True)


def enqueue(names: list[str]) -> None:
	"""Queue background jobs that sweep these plans; a job that is queued already is not queued again.

	Args:
		names: of plans; `JOB` of them go into each job, in this order.
	"""
	for start in range(0, len(names), JOB):
		chunk = names[start : start + JOB]
		jobs.queue_follow_up(
			"milestone_automation.engine.messages.sweep.sweep_plans",
			f"milestone-sweep-{chunk[0]}-{chunk[-1]}",
			queue="long",
			timeout=3600,
			names=chunk,
		)
