"""Scheduler: forecasts into plans. What `engine/review` works out, `engine/store` writes; the sweep then tells of risks."""

from collections.abc import Callable
from datetime import datetime, timedelta

import frappe
from frappe.query_builder.functions import Coalesce
from frappe.utils import now_datetime

from milestone_automation.engine.base import guard
from milestone_automation.engine.review import plan_forecast
from milestone_automation.engine.store import forecasts

# Plans of one transaction, which stay locked while their forecasts are written.
BATCH = 200
# A transaction may take so long from stamping a plan to its commit.
OVERLAP = timedelta(minutes=10)
NEVER = datetime(1970, 1, 1)


def run() -> None:
	"""Scheduler job: work out forecasts where plans have changed, or a forecast is out of date by now."""
	# Other people wait for a batch only; a job that is killed goes on where it was.
	refresh(now_datetime(), frappe.db.commit)  # nosemgrep: frappe-manual-commit


def refresh(now: datetime, commit: Callable[[], None] | None = None) -> list[str]:
	"""Work out forecasts of the workflows that need it: one pass for each, which writes what differs.

	Args:
		now: naive, in the site's time zone.
		commit: called after each batch of plans; None leaves the transaction to the caller.

	Returns:
		list[str]: names of these workflows.

	Raises:
		frappe.QueryDeadlockError: somebody else is changing a plan, and there is no `commit`.
	"""
	workflows = due_workflows(now)
	for workflow in workflows:
		limit = forecasts.at_risk_below()
		what = f"Forecasts of {workflow}"
		measured = guard.run_logged(what, plan_forecast.measure, workflow, now, limit)
		if measured:
			left = _write(measured, limit, now, commit)
			again_on = now.date() if left else measured.again_on
			stamps = {"forecast_up_to": now - OVERLAP, "forecast_again_on": again_on}
			frappe.db.set_value("Milestone Workflow", workflow, stamps, update_modified=False)
		if commit:
			commit()
	return workflows


def due_workflows(now: datetime) -> list[str]:
	"""Return the workflows with a plan that changed since their last forecast, or with one out of date. One query.

	Args:
		now: naive, in the site's time zone.
	"""
	workflow, plan = frappe.qb.DocType("Milestone Workflow"), frappe.qb.DocType("Milestone Plan")
	is_changed = plan.modified > Coalesce(workflow.forecast_up_to, NEVER)
	return (
		frappe.qb.from_(workflow)
		.left_join(plan)
		.on((plan.workflow == workflow.name) & is_changed)
		.select(workflow.name)
		.distinct()
		.where(plan.name.isnotnull() | (workflow.forecast_again_on <= now.date()))
		.orderby(workflow.name)
		.run(pluck=True)
	)


def _write(
	measured: plan_forecast.Forecasts, limit: int, now: datetime, commit: Callable[[], None] | None
) -> bool:
	"""Write forecasts in batches; return whether some plans are left to the next run."""
	plans, is_left = sorted(measured.changes), False
	for start in range(0, len(plans), BATCH):
		if commit:
			# Rows are read as they are now, not as when the first plan was read.
			commit()
		batch = {name: measured.changes[name] for name in plans[start : start + BATCH]}
		is_left = not _write_batch(batch, limit, now, is_alone=bool(commit)) or is_left
	return is_left


def _write_batch(batch: dict[str, dict[str, dict]], limit: int, now: datetime, is_alone: bool) -> bool:
	"""Write the forecasts of some plans; return whether all are written.

	Args:
		batch, limit, now: as in `forecasts.write`.
		is_alone: whether the batch is a transaction of its own, which can be given up.
	"""
	try:
		left = guard.run_guarded("Forecasts of plans", forecasts.write, batch, limit, now.date())
	except frappe.QueryDeadlockError:
		if not is_alone:
			raise
		# Somebody else has changed one of the plans; the next run does them.
		frappe.db.rollback()
		return False
	return left is not None and not left
