"""What follows on somebody's save, but not in it: nobody waits for it, and no save fails by it.

A row is written in the same transaction, and a job does the work after commit. A job that was lost or met a conflict
leaves the row, which the hourly run finds.
"""

import json
from collections.abc import Callable
from datetime import timedelta

import frappe
from frappe.utils import now_datetime

from milestone_automation.engine.base import bulk, guard, jobs

DOCTYPE = "Milestone Follow Up"
# Called with the row's arguments and `commit`. Doing one twice does no harm.
WORKS = {
	"recheck plans of a user": "milestone_automation.engine.messages.user_changes.recheck",
	"complete tasks of disabled users": "milestone_automation.engine.progress.tasks.complete_for_disabled",
	"follow a rename": "milestone_automation.engine.plans.renaming.make_good",
	"recheck all plans": "milestone_automation.engine.store.sweep_requests.recheck_all",
	"tell message channels": "milestone_automation.engine.messages.channels.tell",
}
# So long a job may wait in its queue before the hourly run does its work.
PATIENCE = timedelta(minutes=10)


def add(work: str, **arguments) -> None:
	"""Have something done after the running transaction is committed.

	Args:
		work: one of `WORKS`.
		arguments: of the work, plain values.
	"""
	(name,) = bulk.insert_rows(DOCTYPE, [{"work": work, "arguments": json.dumps(arguments)}])
	jobs.queue_follow_up(f"{__name__}.run", f"milestone-follow-up-{name}", name=name)


def run(name: str) -> None:
	"""Do the work of one row. Called by its job.

	Args:
		name: of the row; one that is gone has been done.
	"""
	do(name, frappe.db.commit)


def do(name: str, commit: Callable[[], None] | None = None) -> None:
	"""Do the work of one row and delete it.

	Args:
		name: of the row.
		commit: called between parts of long work; None leaves the transaction to the caller.
	"""
	row = frappe.db.get_value(DOCTYPE, name, ["work", "arguments"], as_dict=True)
	if not row:
		return
	frappe.get_attr(WORKS[row.work])(**json.loads(row.arguments), commit=commit)
	frappe.db.delete(DOCTYPE, {"name": name})


def run_left() -> None:
	"""Do what jobs have left behind. A row that fails is logged and stays for the next time."""
	waiting = {"creation": ("<", now_datetime() - PATIENCE)}
	for name in frappe.get_all(DOCTYPE, filters=waiting, pluck="name", order_by="creation"):
		try:
			run(name)
			# The next one may fail.
			frappe.db.commit()  # nosemgrep: frappe-manual-commit
		except Exception:
			fault = frappe.get_traceback()
			frappe.db.rollback()
			guard.log_fault(f"{DOCTYPE} {name}", fault)
