"""Running next steps on the site that all tests of a worker share: what a job commits is kept until the test ends."""

from contextlib import contextmanager
from datetime import datetime

import frappe

from milestone_automation.engine.progress import next_steps, stages
from milestone_automation.engine.rules.vocabulary import StepEvent
from milestone_automation.engine.store.changing import changing

KEPT = "kept_by_next_steps"


@contextmanager
def without_commits():
	"""Inside, a commit begins a savepoint and a rollback goes back to it."""
	database = frappe.local.db
	commit, rollback = database.commit, database.rollback

	def keep():
		database.before_commit.run()
		database.savepoint(KEPT)
		database.after_commit.reset()

	def undo(*, save_point=None):
		rollback(save_point=save_point or KEPT)
		if not save_point:
			database.before_commit.reset()
			database.after_commit.reset()
			database.after_rollback.run()

	database.commit, database.rollback = keep, undo
	try:
		keep()
		yield
	finally:
		database.commit, database.rollback = commit, rollback


def reach(plan: str, stage: str) -> None:
	"""Mark a stage as reached, also one that is, whatever tasks and values say."""
	with changing(plan) as changed:
		row = changed.stage(stage)
		changed.set_stage(row, status="Open")
		stages.mark_reached(changed, row, frappe.utils.getdate())


def run_steps(plan: str, **values) -> list[str]:
	"""Do what the job does for the steps of a plan that wait; returns what the plan's log says of all its steps."""
	names = [row.name for row in rows_of(plan) if row.status in ("Pending", "Running")]
	with without_commits():
		next_steps.run(names, **values)
	return logged(plan)


def run_left(now: datetime | None = None) -> None:
	"""Do what the scheduler's job does."""
	with without_commits():
		next_steps.run_left(now)


def logged(plan: str) -> list[str]:
	"""What the log of a plan says of next steps."""
	filters = {"plan": plan, "event": "Next Step"}
	return frappe.get_all("Milestone Plan Log", filters, pluck="details", order_by="creation")


def rows_of(plan: str) -> list:
	"""The steps of a plan, in order."""
	rows = frappe.get_all(next_steps.DOCTYPE, {"plan": plan}, ["*"], order_by="creation")
	events = [event.value for event in StepEvent]
	# Steps of several events may be noted in one moment.
	return sorted(rows, key=lambda row: (row.creation, events.index(row.event or events[0]), row.step))
