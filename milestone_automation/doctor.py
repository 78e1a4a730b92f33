"""What may be wrong with the app on a site, and how to mend it: `bench milestones doctor`."""

from collections.abc import Callable
from dataclasses import dataclass

import frappe
from frappe.utils.scheduler import is_scheduler_disabled

from milestone_automation.engine.base import guard, indexes
from milestone_automation.engine.plans import catching_up
from milestone_automation.engine.rules.vocabulary import MessageStatus, StepStatus
from milestone_automation.engine.tracking import recorder

MODULE = "Milestone Automation"
# Core's fields, which stay as they are.
CORE_FIELDS = {
	"Milestone": {
		"reference_type": "Link",
		"reference_name": "Data",
		"track_field": "Data",
		"value": "Data",
		"milestone_tracker": "Link",
	},
	"Milestone Tracker": {"document_type": "Link", "track_field": "Select", "disabled": "Check"},
}
# Rows that belong to a plan.
PARTS = {"Milestone Task": "plan", "Milestone Plan Stage": "parent", "Milestone Date Change": "plan"}
SHOWN = 5


@dataclass
class Finding:
	"""What one check says.

	Attributes:
		check: what was looked at.
		faults: sentences; none where all is well.
		advice: what to do; empty where `fix` does it.
		fix: mends it; None where it cannot be mended from here.
	"""

	check: str
	faults: list[str]
	advice: str = ""
	fix: Callable[[], None] | None = None

	@property
	def is_well(self) -> bool:
		"""Whether nothing is wrong."""
		return not self.faults


def examine() -> list[Finding]:
	"""Look at everything on the connected site. Changes nothing."""
	return [check() for check in CHECKS]


def _hooks() -> Finding:
	faults = []
	handlers = frappe.get_hooks("doc_events").get("*", {})
	if not any(path.startswith("milestone_automation.") for path in handlers.get("on_change", [])):
		faults.append("The document events of this app are not among the site's hooks.")
	if not recorder.core_records() and not handlers.get("on_change"):
		faults.append("Nothing calls the recorder.")
	return Finding("Hooks", faults, "Run: bench --site SITE clear-cache, then restart the bench.")


def _core() -> Finding:
	faults = []
	for doctype, fields in CORE_FIELDS.items():
		if frappe.db.get_value("DocType", doctype, "module") != MODULE:
			faults.append(f"{doctype} belongs to core again: core's file was imported after this app's.")
		meta = frappe.get_meta(doctype)
		faults += [
			f"{doctype} has no field {fieldname} of type {fieldtype}."
			for fieldname, fieldtype in fields.items()
			if not meta.has_field(fieldname) or meta.get_field(fieldname).fieldtype not in (fieldtype, "Data")
		]
	return Finding("Milestone and Milestone Tracker", faults, "Run: bench --site SITE migrate.")


def _scheduler() -> Finding:
	faults = []
	if frappe.conf.pause_scheduler or is_scheduler_disabled():
		faults.append("The scheduler is off, so nobody is asked or reminded.")
	stopped = frappe.get_all(
		"Scheduled Job Type", {"method": ("like", "milestone_automation.%"), "stopped": 1}, pluck="method"
	)
	faults += [f"The scheduled job {method} is stopped." for method in stopped]
	return Finding(
		"Scheduler", faults, "Run: bench --site SITE scheduler enable; start stopped jobs in the Desk."
	)


def _indexes() -> Finding:
	missing = [(doctype, fields) for doctype in indexes.TABLES for fields in indexes.missing(doctype)]
	faults = [f"{doctype} has no index on {', '.join(fields)}." for doctype, fields in missing]
	return Finding("Indexes", faults, fix=lambda: [indexes.ensure(doctype) for doctype, _fields in missing])


def _orphans() -> Finding:
	plan = frappe.qb.DocType("Milestone Plan")
	orphans = {}
	for doctype, field in PARTS.items():
		row = frappe.qb.DocType(doctype)
		query = frappe.qb.from_(row).left_join(plan).on(plan.name == row[field]).select(row.name)
		orphans[doctype] = query.where(plan.name.isnull()).where(row[field].isnotnull()).run(pluck=True)
	faults = [f"{len(names)} rows of {doctype} have no plan." for doctype, names in orphans.items() if names]

	def fix():
		for doctype, names in orphans.items():
			if names:
				frappe.db.delete(doctype, {"name": ("in", names)})

	return Finding("Orphans", faults, fix=fix)


def _plans() -> Finding:
	behind = list(catching_up.plans_behind())
	names = ", ".join(f"{plan.reference_type} {plan.reference_name}" for plan in behind[:SHOWN])
	more = f" and {len(behind) - SHOWN} more" if len(behind) > SHOWN else ""
	faults = [f"{len(behind)} plans are not in step with their documents: {names}{more}."] if behind else []

	def fix():
		for plan in behind:
			guard.run_guarded(f"Milestone Plan {plan.name}", catching_up.follow_plan, plan.name)

	return Finding("Plans", faults, fix=fix)


def _mail() -> Finding:
	faults = []
	if frappe.db.get_single_value("Milestone Settings", "messages_enabled"):
		if not frappe.db.exists("Email Account", {"enable_outgoing": 1, "default_outgoing": 1}):
			faults.append(
				"There is no default outgoing e-mail account, so prompts are seen in the Desk only."
			)
		failed = frappe.db.count("Milestone Message", {"status": MessageStatus.FAILED.value})
		if failed:
			faults.append(f"{failed} messages could not be sent. See the list of Milestone Message.")
	return Finding("Mail", faults, "Set up an Email Account in the Desk, then send failed messages again.")


def _next_steps() -> Finding:
	failed = frappe.db.count("Milestone Next Step", {"status": StepStatus.FAILED.value})
	faults = [f"{failed} next steps failed. See the list of Milestone Next Step."] if failed else []
	return Finding("Next steps", faults, "Mend their causes, then use Run Again.")


CHECKS = (_hooks, _core, _scheduler, _indexes, _orphans, _plans, _mail, _next_steps)
