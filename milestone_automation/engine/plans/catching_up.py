"""Plans catch up with what was changed without hooks: every night all, every hour those of chosen trackers.

What the check of recorded values finds, plans follow in the same run; so do plans whose document differs in another
field they watch: a key date, a person, its cancellation.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

import frappe
from frappe.utils import cint, get_datetime, now_datetime

from milestone_automation.engine.base import guard, stored_rows
from milestone_automation.engine.history import reconcile
from milestone_automation.engine.plans import following, starting
from milestone_automation.engine.rules.vocabulary import PlanStatus
from milestone_automation.engine.store import plan_rows, watched
from milestone_automation.engine.tracking import registry

# Plans of one transaction.
BATCH = 500
# A transaction may take so long from stamping a document to its commit.
OVERLAP = timedelta(minutes=10)
# The steps of a run.
COMPARING, FOLLOWING = "Comparing", "Updating plans"
# How far the first hourly check of a tracker looks back.
FIRST_LOOK_BACK = timedelta(days=1)

# Called with (step, done, total): trackers while comparing, then DocTypes with plans.
Show = Callable[[str, int, int], None]


def run_nightly() -> None:
	"""Scheduler job: everything, each field and each batch of plans in a transaction of its own."""
	# A night's work is kept batch by batch.
	run(commit=frappe.db.commit)  # nosemgrep: frappe-manual-commit


def run(
	doctype: str | None = None, commit: Callable[[], None] | None = None, show: Show | None = None
) -> dict[str, int]:
	"""Find and record what changed without hooks, and let plans follow.

	Args:
		doctype: only this DocType; None takes all.
		commit: called after each field and each batch of plans; None leaves the transaction to the caller.
		show: called while it runs, see `Show`.

	Returns:
		dict: tracker name to the number of milestones recorded.
	"""
	show = show or _show_nothing
	recorded = reconcile.run(
		doctype,
		commit,
		follow_documents,
		lambda done, total: show(COMPARING, done, total),
	)
	with_workflow = [
		name for name, rules in registry.all_rules().items() if rules.has_workflow and doctype in (None, name)
	]
	for done, name in enumerate(with_workflow, 1):
		_follow_all(name, commit)
		show(FOLLOWING, done, len(with_workflow))
	return recorded


def _show_nothing(*_step) -> None:
	pass


def run_hourly() -> None:
	"""Scheduler job: the trackers that ask for it, each over the documents modified since its last check."""
	filters = {"reconcile_hourly": 1, "disabled": 0}
	fields = ["name", "document_type", "reconciled_on"]
	for tracker in frappe.get_all("Milestone Tracker", filters=filters, fields=fields):
		what = f"Milestone Tracker {tracker.name}: the hourly check"
		# The next tracker may fail.
		commit = frappe.db.commit  # nosemgrep: frappe-manual-commit
		guard.run_alone(what, commit, _catch_up_recent, tracker, commit)


def _catch_up_recent(tracker, commit: Callable[[], None] | None = None) -> None:
	begun = now_datetime()
	last = get_datetime(tracker.reconciled_on) if tracker.reconciled_on else begun - FIRST_LOOK_BACK
	names = reconcile.modified_since(tracker.document_type, last - OVERLAP)
	reconcile.run_for(tracker.document_type, names, commit, follow_documents)
	_follow_recent(tracker.document_type, [str(name) for name in names], commit)
	frappe.db.set_value("Milestone Tracker", tracker.name, "reconciled_on", begun, update_modified=False)


def follow_documents(doctype: str, names: list[str]) -> None:
	"""Bring the plans of some documents in step with them; one that matches a workflow now gets its plan.

	Args:
		doctype, names: of the documents.

	Raises:
		ConflictError: somebody else is changing one of them.
	"""
	if not registry.for_doctype(doctype).has_workflow:
		return
	for name in names:
		guard.run_guarded(f"Milestone plan of {doctype} {name}", _follow_document, doctype, name)


def plans_behind() -> Iterator:
	"""Yield the plans whose document is gone, or not as they know it; read batch by batch."""
	for doctype in frappe.get_all("Milestone Plan", distinct=True, pluck="reference_type", order_by=None):
		for plans in _batches(doctype):
			yield from watched.those_behind(doctype, plans)


def follow_plan(plan: str) -> None:
	"""Bring one plan in step with its document. A background job.

	Args:
		plan: name of the plan; nothing happens if it is gone.

	Raises:
		ConflictError: somebody else is changing the document or the plan.
	"""
	reference = frappe.db.get_value("Milestone Plan", plan, ["reference_type", "reference_name"])
	if reference:
		following.settle(*reference)


def _follow_document(doctype: str, name: str) -> None:
	doc = stored_rows.locked_document(doctype, name)
	if plan_rows.load(doctype, name, lock=True):
		following.settle(doctype, name)
	elif doc and cint(doc.docstatus) != 2:
		starting.start_if_matching(doc)


def _follow_all(doctype: str, commit) -> None:
	for plans in _batches(doctype):
		_follow_those_behind(doctype, plans, commit)
		if commit:
			commit()


def _follow_recent(doctype: str, names: list[str], commit: Callable[[], None] | None) -> None:
	rules = registry.for_doctype(doctype)
	for start in range(0, len(names) if rules.has_workflow else 0, BATCH):
		plans = _running(doctype, {"reference_name": ("in", names[start : start + BATCH])})
		_follow_those_behind(doctype, plans, commit)


def _batches(doctype: str) -> Iterator[list]:
	"""Yield the running plans of a DocType in lists, by name: nothing is kept open over a commit."""
	plans = _running(doctype, {})
	while plans:
		yield plans
		plans = _running(doctype, {"name": (">", plans[-1].name)})


def _running(doctype: str, filters: dict) -> list:
	filters = {"reference_type": doctype, "status": ("!=", PlanStatus.CANCELLED.value), **filters}
	# One that the next plan of its document has followed has no key, and stays as it was.
	filters |= {"plan_key": ("is", "set")}
	fields = ["name", "reference_type", "reference_name", "snapshot", "document_created_on"]
	return frappe.get_all("Milestone Plan", filters=filters, fields=fields, order_by="name asc", limit=BATCH)


def _follow_those_behind(doctype: str, plans: list, commit: Callable[[], None] | None = None) -> None:
	what = f"Milestone plans of {doctype} could not catch up"
	for plan in guard.run_guarded(what, watched.those_behind, doctype, plans) or ():
		what = f"Milestone plan of {doctype} {plan.reference_name}"
		guard.run_alone(what, commit, following.settle, doctype, plan.reference_name)
