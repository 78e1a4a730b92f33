"""The history of a document's plan for the timeline of its form."""

import json

import frappe
from frappe import _
from frappe.utils import (
	escape_html,
	format_date,
	get_fullname,
	get_url_to_form,
)
from frappe.utils.response import json_handler

from milestone_automation.engine.people import field_rights, rights
from milestone_automation.engine.rules.vocabulary import DateChangeStatus, PlanEvent

MAX_TIMELINE_ENTRIES = 200


def timeline(doctype: str, name: str) -> list[dict]:
	"""Return the history of a document's plan for the timeline of its form.

	Args:
		doctype: DocType of the document.
		name: name of the document.

	Returns:
		dicts as Frappe's `additional_timeline_content` has them: icon, is_card, creation, content (HTML).

	Raises:
		frappe.PermissionError: the user may not read the document.
	"""
	if not rights.can_read_document(doctype, name):
		rights.refuse_hidden(doctype, name)
	name = str(name)
	entries = [*_log_entries(doctype, name), *_slip_entries(doctype, name), *_message_entries(doctype, name)]
	return sorted(entries, key=lambda entry: str(entry["creation"]), reverse=True)[:MAX_TIMELINE_ENTRIES]


def hide_recorded_values(response, request) -> None:
	"""Hook after each request: Frappe sends each form all milestones of its document, whatever fields they are about.

	There is no earlier place: several calls of Frappe collect them, each past the document layer.

	Args:
		response, request: werkzeug's.
	"""
	docinfo = frappe.local.response.get("docinfo")
	recorded = docinfo.get("milestones") if isinstance(docinfo, dict) else None
	if not recorded or response is None:
		return
	hidden = field_rights.hidden(docinfo["doctype"])
	visible_rows = [row for row in recorded if row["track_field"] not in hidden]
	if len(visible_rows) < len(recorded):
		docinfo["milestones"] = visible_rows
		response.data = json.dumps(frappe.local.response, default=json_handler, separators=(",", ":"))


def _log_entries(doctype: str, name: str):
	tasks = dict(
		frappe.get_list(
			"Milestone Task",
			filters={"reference_type": doctype, "reference_name": name},
			fields=["name", "title"],
			as_list=True,
			limit=0,
		)
	)
	fields = ["event", "stage_name", "task", "reason", "details", "done_by", "done_on", "creation"]
	sentences = _event_sentences()
	for row in _rows_of("Milestone Plan Log", doctype, name, fields):
		text = sentences[PlanEvent(row.event)].format(_person(row.done_by), _subject(row, tasks))
		# The reason may show what a hidden task is about.
		note = "" if row.task and row.task not in tasks else row.reason or row.details
		if note in (tasks.get(row.task), row.stage_name) or row.event == PlanEvent.TASK_DELETED:
			note = ""
		yield _entry(row.done_on or row.creation, text, note)


def _slip_entries(doctype: str, name: str):
	fields = ["stage_name", "old_date", "new_date", "reason", "changed_by", "changed_on", "creation"]
	in_effect = {"status": DateChangeStatus.ACCEPTED.value}
	for row in _rows_of("Milestone Date Change", doctype, name, fields, in_effect):
		old = format_date(row.old_date) if row.old_date else _("no date")
		new = format_date(row.new_date) if row.new_date else _("no date")
		text = _("{0} moved {1} from {2} to {3}").format(
			_person(row.changed_by), _bold(row.stage_name), f"<b>{old}</b>", f"<b>{new}</b>"
		)
		yield _entry(row.changed_on or row.creation, text, row.reason)


def _message_entries(doctype: str, name: str):
	if not frappe.has_permission("Milestone Message", "read"):
		return
	fields = ["kind", "stage_name", "recipient", "sent_on", "creation"]
	for row in _rows_of("Milestone Message", doctype, name, fields, {"status": "Sent"}):
		text = _("{0} about {1} was sent to {2}").format(
			_bold(_(row.kind)), _bold(row.stage_name), escape_html(row.recipient or "")
		)
		yield _entry(row.sent_on or row.creation, text, icon="mail")


def _rows_of(log: str, doctype: str, name: str, fields: list[str], filters: dict | None = None) -> list:
	filters = {"reference_type": doctype, "reference_name": name} | (filters or {})
	return frappe.get_list(
		log, filters=filters, fields=fields, order_by="creation desc", limit=MAX_TIMELINE_ENTRIES
	)


def _entry(on, text: str, note: str | None = None, icon: str = "milestone") -> dict:
	if note:
		text += f': <span class="text-muted">{escape_html(note)}</span>'
	return {"icon": icon, "is_card": False, "creation": str(on), "content": text}


def _person(user: str | None) -> str:
	return f"<b>{escape_html(get_fullname(user) if user else _('Milestone Automation'))}</b>"


def _bold(text: str | None) -> str:
	return f"<b>{escape_html(text or '')}</b>"


def _subject(row, tasks: dict) -> str:
	"""Return the title of the task with a link, or the name of the milestone. Hidden tasks are not named."""
	if row.event == PlanEvent.TASK_DELETED:
		return _bold(row.details)
	if not row.task:
		return _bold(row.stage_name)
	if row.task not in tasks:
		return _("(hidden)")
	return f'<a href="{get_url_to_form("Milestone Task", row.task)}">{escape_html(tasks[row.task])}</a>'


def _event_sentences() -> dict[PlanEvent, str]:
	"""Return the sentence of each event in the reader's language: {0} is the user, {1} the milestone or task."""
	return {
		PlanEvent.PLAN_STARTED: _("{0} started the plan"),
		PlanEvent.PLAN_CANCELLED: _("{0} cancelled the plan"),
		PlanEvent.CANCELLATION_UNDONE: _("{0} took back the cancellation of the plan"),
		PlanEvent.DATE_NOT_FOLLOWED: _("{1} did not follow the date of the document"),
		PlanEvent.DATE_PROPOSED: _("A date was proposed for {1}"),
		PlanEvent.DATE_ACCEPTED: _("{0} accepted the date proposed for {1}"),
		PlanEvent.DATE_DECLINED: _("{0} declined the date proposed for {1}"),
		PlanEvent.PLAN_COMPLETED: _("{0} reached the last milestone: the plan is complete"),
		PlanEvent.PLAN_PUT_ON_HOLD: _("{0} put the plan on hold"),
		PlanEvent.PLAN_RESUMED: _("{0} resumed the plan"),
		PlanEvent.PLAN_MOVED_TO_NEW_VERSION: _("{0} moved the plan to a new version of its workflow"),
		PlanEvent.CONFIRMED_ON_TRACK: _("{0} says that {1} is on track"),
		PlanEvent.MILESTONE_REACHED: _("{0} reached {1}"),
		PlanEvent.MILESTONE_UNDONE: _("{0} undid {1}"),
		PlanEvent.REACHED_WITH_WARNING: _("{0} reached {1} with required tasks open"),
		PlanEvent.REACHED_WITHOUT_TASKS: _("{0} reached {1} without its required tasks"),
		PlanEvent.REACHED_WITHOUT_CRITERIA: _("{0} reached {1} without its exit criteria"),
		PlanEvent.REACHED_OUT_OF_ORDER: _("{0} reached {1} before an earlier milestone"),
		PlanEvent.ACCEPTED_AS_REACHED: _("{1} was accepted as reached without its required tasks"),
		PlanEvent.GATE_FAILED: _("The gate could not be checked when {0} saved the document"),
		PlanEvent.TASK_COMPLETED: _("{0} completed the task {1}"),
		PlanEvent.TASK_REOPENED: _("{0} reopened the task {1}"),
		PlanEvent.TASK_WAIVED: _("{0} waived the task {1}"),
		PlanEvent.TASK_CANCELLED: _("{0} cancelled the task {1}"),
		PlanEvent.TASK_ADDED: _("{0} added the task {1}"),
		PlanEvent.TASK_MADE_REQUIRED: _("{0} made the task {1} required"),
		PlanEvent.TASK_MADE_OPTIONAL: _("{0} made the task {1} optional: it no longer blocks its milestone"),
		PlanEvent.TASK_DELETED: _("{0} deleted the task {1}"),
		PlanEvent.TASK_HANDED_OVER: _("{0} handed the task {1} over to a colleague"),
		PlanEvent.MILESTONE_HANDED_OVER: _("{0} handed {1} over to a colleague"),
		PlanEvent.CRITERION_WAIVED: _("{0} waived an exit criterion of {1}"),
		PlanEvent.CRITERION_REOPENED: _("{0} took back the waiver of an exit criterion of {1}"),
		PlanEvent.NEXT_STEP: _("Next step of {1}, for {0}"),
		PlanEvent.NEXT_STEP_STOPPED: _("A next step of {1} is no longer tried"),
	}
