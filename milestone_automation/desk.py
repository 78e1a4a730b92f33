"""What the Desk asks besides the plan itself: whitelisted, typed, permission first."""

import frappe
from frappe import _
from frappe.utils import cint, escape_html, format_date, format_datetime, get_fullname, get_url_to_form

from milestone_automation import permissions
from milestone_automation.engine import backfill, panel, trackable, workflow_rules
from milestone_automation.engine.vocabulary import PlanEvent

MAX_TIMELINE_ENTRIES = 200


@frappe.whitelist(methods=["GET", "POST"])
def date_reasons() -> list[str]:
	"""Return the reasons for a new date that the site offers, in its order."""
	frappe.only_for(("Desk User", "System Manager"))
	# The settings are not for everybody to read; their list of reasons is.
	return frappe.get_all(
		"Milestone Date Reason",
		filters={"parent": "Milestone Settings", "parenttype": "Milestone Settings"},
		order_by="idx",
		pluck="reason",
	)


@frappe.whitelist(methods=["GET", "POST"])
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
	frappe.has_permission(doctype, "read", doc=name, throw=True)
	entries = [*_log_entries(doctype, name), *_slip_entries(doctype, name), *_message_entries(doctype, name)]
	return sorted(entries, key=lambda entry: str(entry["creation"]), reverse=True)[:MAX_TIMELINE_ENTRIES]


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
	for row in _rows_of("Milestone Plan Log", doctype, name, fields):
		sentence = EVENT_SENTENCES[PlanEvent(row.event)]()
		text = sentence.format(_person(row.done_by), _what(row, tasks))
		# The reason may tell what a task was about: it goes with the task.
		note = "" if row.task and row.task not in tasks else row.reason or row.details
		yield _entry(row.done_on or row.creation, text, note)


def _slip_entries(doctype: str, name: str):
	fields = ["stage_name", "old_date", "new_date", "reason", "changed_by", "changed_on", "creation"]
	for row in _rows_of("Milestone Date Change", doctype, name, fields):
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


def _what(row, tasks: dict) -> str:
	"""Return the task by its title with a link, else the stage by its name. A task that is hidden stays unnamed."""
	if not row.task:
		return _bold(row.stage_name)
	if row.task not in tasks:
		return _("(hidden)")
	return f'<a href="{get_url_to_form("Milestone Task", row.task)}">{escape_html(tasks[row.task])}</a>'


# {0} is who, {1} the stage or task.
EVENT_SENTENCES = {
	PlanEvent.PLAN_STARTED: lambda: _("{0} started the plan"),
	PlanEvent.PLAN_CANCELLED: lambda: _("{0} cancelled the plan"),
	PlanEvent.PLAN_COMPLETED: lambda: _("{0} reached the last milestone: the plan is complete"),
	PlanEvent.PLAN_MOVED_TO_NEW_VERSION: lambda: _("{0} moved the plan to a new version of its workflow"),
	PlanEvent.STAGE_REACHED: lambda: _("{0} reached {1}"),
	PlanEvent.STAGE_UNDONE: lambda: _("{0} undid {1}"),
	PlanEvent.GATE_WARNED: lambda: _("{0} reached {1} with required tasks open"),
	PlanEvent.TASK_COMPLETED: lambda: _("{0} completed the task {1}"),
	PlanEvent.TASK_REOPENED: lambda: _("{0} reopened the task {1}"),
	PlanEvent.TASK_WAIVED: lambda: _("{0} waived the task {1}"),
	PlanEvent.TASK_CANCELLED: lambda: _("{0} cancelled the task {1}"),
	PlanEvent.TASK_ADDED: lambda: _("{0} added the task {1}"),
	PlanEvent.NEXT_STEP: lambda: _("Next step of {1}, for {0}"),
}


@frappe.whitelist(methods=["GET", "POST"])
def recorded(tracker: str, limit: int = 10) -> dict:
	"""Return how many milestones a tracker has recorded, and the last ones.

	Args:
		tracker: name of the Milestone Tracker.
		limit: how many of the last ones, at most 50.

	Raises:
		frappe.PermissionError: the user may not read the tracker.
	"""
	frappe.has_permission("Milestone Tracker", "read", doc=tracker, throw=True)
	doctype = frappe.db.get_value("Milestone Tracker", tracker, "document_type")
	filters = {"milestone_tracker": tracker}
	last = frappe.get_all(
		"Milestone",
		filters=filters,
		fields=["name", "reference_name", "track_field", "from_value", "value", "reached_on", "reached_by", "creation"],
		order_by="reached_on desc",
		limit=min(cint(limit), 50),
	)
	meta = frappe.get_meta(doctype)
	for row in last:
		row.field_label = _(meta.get_label(row.track_field) or row.track_field)
		row.reached_on = format_datetime(row.reached_on or row.creation)
		row.reached_by = get_fullname(row.reached_by) if row.reached_by else ""
	return {"count": frappe.db.count("Milestone", filters), "document_type": doctype, "last": last}


@frappe.whitelist(methods=["POST"])
def start_backfill(tracker: str) -> None:
	"""Make milestones from the history of a tracker's documents, in the background.

	Progress comes as the realtime event `milestone_backfill`: {tracker, done, total}, at the end {tracker, summary}.

	Raises:
		frappe.PermissionError: for anybody but a System Manager.
	"""
	frappe.only_for("System Manager")
	frappe.has_permission("Milestone Tracker", "write", doc=tracker, throw=True)
	frappe.enqueue(
		run_backfill,
		queue="long",
		job_id=f"milestone_backfill::{tracker}",
		deduplicate=True,
		tracker=tracker,
		user=frappe.session.user,
	)


def run_backfill(tracker: str, user: str) -> None:
	"""Background job: backfill, and tell the user who asked how far it is."""

	def tell(**values):
		frappe.publish_realtime("milestone_backfill", {"tracker": tracker, **values}, user=user)

	try:
		summary = backfill.run(
			tracker,
			progress=lambda done, total: tell(done=done, total=total),
			commit=frappe.db.commit,
		)
	except Exception:
		frappe.db.rollback()
		tell(failed=True)
		raise
	tell(summary={"documents": summary.documents, "added": summary.added})



@frappe.whitelist(methods=["POST"])
def check_workflow(workflow: dict | str) -> dict:
	"""Return what is wrong with a workflow that is being built, saved or not. Writes nothing.

	Args:
		workflow: the Milestone Workflow document with its rows, as the form has it.

	Returns:
		dict: `general`, a list of sentences; `stages` and `tasks`, a list of sentences for each row, in order.

	Raises:
		frappe.PermissionError: for anybody who may not make workflows.
	"""
	_check_manager()
	draft = _draft(workflow)
	answer = {"general": [], "stages": [[] for _row in draft.stages], "tasks": [[] for _row in draft.tasks]}
	reason = trackable.why_not(draft.document_type)
	if reason:
		return answer | {"general": [reason]}
	workflow_rules.tidy(draft)
	for problem in dict.fromkeys(workflow_rules.problems(draft)):
		place, sentence = _place(problem, draft, answer)
		place.append(sentence)
	return answer


def _place(problem: str, draft, answer: dict) -> tuple[list, str]:
	"""Return the list a problem belongs into, and the problem without the name of its row."""
	rows = [("stages", row, workflow_rules.stage_label(row)) for row in draft.stages]
	rows += [("tasks", row, workflow_rules.task_label(row)) for row in draft.tasks]
	for table, row, label in rows:
		if problem.startswith(f"{label}: "):
			return answer[table][row.idx - 1], problem[len(label) + 2 :]
	return answer["general"], problem


@frappe.whitelist(methods=["POST"])
def preview_draft(workflow: dict | str, name: str | int) -> dict:
	"""Say what a workflow that is being built would make of a document. Writes nothing.

	Args:
		workflow: the Milestone Workflow document with its rows, as the form has it.
		name: a document of its DocType.

	Returns:
		dict: as `api.preview_workflow`.

	Raises:
		frappe.PermissionError: the user may not make workflows, or not read the document.
	"""
	_check_manager()
	draft = _draft(workflow)
	doc = frappe.get_doc(draft.document_type, name)
	doc.check_permission("read")
	workflow_rules.tidy(draft)
	return panel.preview(draft, doc)


def _draft(workflow: dict | str):
	"""Return the document a form sent, with its rows numbered; nothing of it is stored."""
	values = frappe.parse_json(workflow)
	draft = frappe.new_doc("Milestone Workflow")
	draft.update({key: values.get(key) for key in values if key not in ("doctype", "stages", "tasks")})
	for table in ("stages", "tasks"):
		draft.set(table, [])
		for row in values.get(table) or []:
			draft.append(table, {key: value for key, value in row.items() if not key.startswith("__")} | {"idx": None})
	for table in ("stages", "tasks"):
		for idx, row in enumerate(draft.get(table), 1):
			row.idx = idx
	return draft


def _check_manager() -> None:
	if not permissions.can_manage():
		frappe.throw(
			_("Only a System Manager or Milestone Manager may do this. Ask one of them."), frappe.PermissionError
		)
