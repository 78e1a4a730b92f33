"""What may be wrong with the app on a site, and how to mend it: `bench milestones doctor`."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import frappe
from frappe.core.doctype.scheduled_job_type.scheduled_job_type import sync_jobs
from frappe.model import no_value_fields
from frappe.utils import cint, get_datetime, now_datetime
from frappe.utils.scheduler import is_scheduler_disabled

from milestone_automation import hooks, roll_ups
from milestone_automation.engine.base import guard, indexes
from milestone_automation.engine.plans import catching_up, orphans
from milestone_automation.engine.rules.vocabulary import MessageStatus, StepStatus
from milestone_automation.engine.tracking import recorder
from milestone_automation.install import CORE_DOCTYPES, definition_in_core

APP = "milestone_automation."
MODULE = "Milestone Automation"
# Hooks without which the app does not do what it says: it records nothing, or shows what a user may not read.
HOOKS = (
	"doc_events",
	"scheduler_events",
	"has_permission",
	"permission_query_conditions",
	"standard_queries",
	"override_whitelisted_methods",
	"auth_hooks",
	"before_request",
	"after_request",
	"extend_bootinfo",
)
# Of these Frappe calls one only.
CALLED_ALONE = ("standard_queries", "override_whitelisted_methods")
# Every job runs at least once a day.
JOB_IS_LATE = timedelta(days=2)
# A queued mail goes within minutes; the mail of the day may wait for some days on purpose.
MESSAGE_IS_LATE = {
	MessageStatus.QUEUED: timedelta(days=2),
	MessageStatus.WAITING_FOR_DIGEST: timedelta(days=14),
}
SHOWN = 5


@dataclass
class Finding:
	"""What one check says.

	Attributes:
		check: what was looked at.
		faults: sentences; none where all is well.
		advice: what to do; empty where `fix` does it all.
		fix: mends it, or a part of it; None where nothing can be mended from here.
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
	"""Look at everything on the connected site. Changes nothing.

	Returns:
		list[Finding]: one for each of `CHECKS`, in their order.
	"""
	return [check() for check in CHECKS]


def _hooks() -> Finding:
	faults = []
	for hook in HOOKS:
		for place, path in _paths(getattr(hooks, hook)):
			called = _called(hook, place)
			where = " ".join((hook, *(_as_text(key) for key in place)))
			if path not in called:
				faults.append(f"{path} is not called: it is missing in {where}.")
			elif hook in CALLED_ALONE and len(called) > 1:
				others = ", ".join(other for other in called if other != path)
				faults.append(f"{path} may not be called: {others} is in {where} too.")
	if not recorder.core_records() and not _called("doc_events", ("*", "on_change")):
		faults.append("Nothing calls the recorder.")
	return Finding("Hooks", _shortened(faults), "Run: bench --site SITE clear-cache, then restart the bench.")


def _paths(value, place: tuple = ()) -> Iterator[tuple[tuple, str]]:
	"""Yield (keys that lead to it, path) of each function in a hook."""
	if isinstance(value, dict):
		for key, inner in value.items():
			yield from _paths(inner, (*place, key))
	else:
		for path in value if isinstance(value, list) else [value]:
			yield place, path


def _called(hook: str, place: tuple) -> list[str]:
	"""Return what all apps of the site have at a place of a hook."""
	value = frappe.get_hooks(hook)
	for key in place:
		value = value.get(key, {}) if isinstance(value, dict) else {}
	return list(value)


def _as_text(key) -> str:
	return key if isinstance(key, str) else ", ".join(key)


def _shortened(faults: list[str]) -> list[str]:
	more = len(faults) - SHOWN
	return [*faults[:SHOWN], f"There are {more} more of this kind."] if more > 0 else faults


def _core() -> Finding:
	faults = []
	for doctype in CORE_DOCTYPES:
		if frappe.db.get_value("DocType", doctype, "module") != MODULE:
			faults.append(f"{doctype} belongs to core again: core's file was imported after this app's.")
		faults += _differences_from_core(doctype)
	advice = (
		"Undo what Customize Form has changed, and run: bench --site SITE migrate. If it stays, Frappe has changed its"
		" definition: install a version of this app that knows it."
	)
	return Finding("Milestone and Milestone Tracker", faults, advice)


def _differences_from_core(doctype: str) -> Iterator[str]:
	"""Yield what core's own code would not find as it defines it."""
	path = definition_in_core(doctype)
	if not os.path.exists(path):
		return
	with open(path, encoding="utf-8") as file:
		fields = [field for field in json.load(file)["fields"] if field["fieldtype"] not in no_value_fields]
	meta, columns = frappe.get_meta(doctype), set(frappe.db.get_table_columns(doctype))
	for core in fields:
		fieldname = core["fieldname"]
		field = meta.get_field(fieldname)
		if not field:
			yield f"{doctype} has no field {fieldname}, and core's has."
			continue
		if fieldname not in columns:
			yield f"The table of {doctype} has no column {fieldname}."
		for what, read in (("fieldtype", str), ("options", _options), ("unique", cint)):
			own_value, core_value = read(field.get(what)), read(core.get(what))
			if own_value != core_value:
				yield f"{doctype}: {what} of {fieldname} is {own_value or 'nothing'}, and core's is {core_value or 'nothing'}."


def _options(text: str | None) -> str:
	return " / ".join((text or "").split("\n"))


def _scheduler() -> Finding:
	faults, advice = [], []
	if frappe.conf.pause_scheduler or is_scheduler_disabled():
		faults.append("The scheduler is off, so nobody is asked or reminded.")
		advice.append("Run: bench --site SITE scheduler enable, and scheduler resume.")
	jobs = frappe.get_all(
		"Scheduled Job Type",
		filters={"method": ("like", f"{APP}%")},
		fields=["method", "stopped", "last_execution", "creation"],
	)
	missing = _missing_jobs(jobs)
	if stopped := [f"The scheduled job {job.method} is stopped." for job in jobs if job.stopped]:
		advice.append("Start stopped jobs in the list of Scheduled Job Type.")
	faults += [*missing, *stopped]
	if not faults and (faults := _late_jobs(jobs)):
		advice.append(
			"Look at Scheduled Job Log and Error Log, and whether scheduler and workers run: bench doctor."
		)
	return Finding("Scheduler", faults, " ".join(advice), sync_jobs if missing else None)


def _missing_jobs(jobs) -> list[str]:
	scheduled_methods = {job.method for job in jobs}
	methods = [method for _place, method in _paths(hooks.scheduler_events)]
	return [
		f"The scheduled job {method} is missing." for method in methods if method not in scheduled_methods
	]


def _late_jobs(jobs) -> list[str]:
	since = now_datetime() - JOB_IS_LATE
	return [
		f"The scheduled job {job.method} has not run since {str(last)[:16]}."
		for job in jobs
		if (last := get_datetime(job.last_execution or job.creation)) < since
	]


def _indexes() -> Finding:
	missing = [(doctype, fields) for doctype in indexes.TABLES for fields in indexes.missing(doctype)]
	faults = [f"{doctype} has no index on {', '.join(fields)}." for doctype, fields in missing]
	return Finding("Indexes", faults, fix=lambda: [indexes.ensure(doctype) for doctype, _fields in missing])


def _orphans() -> Finding:
	orphans_by_kind = orphans.find()

	def fix():
		# Deleting rows may leave others behind that were none before.
		for _pass in range(2):
			for rows in orphans.find():
				rows.mend()

	return Finding("Orphans", [f"{rows.count} {rows.what}." for rows in orphans_by_kind], fix=fix)


def _plans() -> Finding:
	behind = list(catching_up.plans_behind())
	names = ", ".join(f"{plan.reference_type} {plan.reference_name}" for plan in behind[:SHOWN])
	more = f" and {len(behind) - SHOWN} more" if len(behind) > SHOWN else ""
	faults = [f"{len(behind)} plans are not in step with their documents: {names}{more}."] if behind else []

	def fix():
		for plan in behind:
			guard.run_guarded(f"Milestone Plan {plan.name}", catching_up.follow_plan, plan.name)

	return Finding("Plans", faults, fix=fix)


def _roll_ups() -> Finding:
	fields = list(roll_ups.differing())
	faults = [f"The stored times of {', '.join(field)}, differ from its milestones." for field in fields]

	def fix():
		for field in fields:
			roll_ups.forget(*field)

	return Finding("Roll-ups", faults, fix=fix)


def _mail() -> Finding:
	faults, advice = [], []
	if frappe.db.get_single_value("Milestone Settings", "messages_enabled"):
		for fault, what_to_do in _mail_faults():
			faults.append(fault)
			advice.append(what_to_do)
	return Finding("Mail", faults, " ".join(advice))


def _mail_faults() -> Iterator[tuple[str, str]]:
	"""Yield (what is wrong, what to do)."""
	if not frappe.db.exists("Email Account", {"enable_outgoing": 1, "default_outgoing": 1}):
		yield (
			"There is no default outgoing e-mail account, so prompts are seen in the Desk only.",
			"Set up an Email Account in the Desk.",
		)
	if cint(frappe.conf.mute_emails):
		yield (
			"The site sends no mail: its configuration has mute_emails.",
			"Run: bench --site SITE set-config mute_emails 0.",
		)
	if cint(frappe.db.get_default("suspend_email_queue")):
		yield "The queue of mails is suspended.", "Resume sending in the list of Email Queue."
	for status, patience in MESSAGE_IS_LATE.items():
		filters = {"status": status.value, "creation": ("<", now_datetime() - patience)}
		if count := frappe.db.count("Milestone Message", filters):
			yield (
				f"{count} messages are {status.value} for more than {patience.days} days.",
				"Look at the lists of Email Queue and Milestone Message, and whether the workers run: bench doctor.",
			)
	if failed := frappe.db.count("Milestone Message", {"status": MessageStatus.FAILED.value}):
		yield (
			f"{failed} messages could not be sent. See the list of Milestone Message.",
			"Send failed messages again.",
		)


def _next_steps() -> Finding:
	failed = frappe.db.count("Milestone Next Step", {"status": StepStatus.FAILED.value})
	faults = [f"{failed} next steps failed. See the list of Milestone Next Step."] if failed else []
	return Finding("Next steps", faults, "Mend their causes, then use Run Again.")


CHECKS = (_hooks, _core, _scheduler, _indexes, _orphans, _plans, _roll_ups, _mail, _next_steps)
