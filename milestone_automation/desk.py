"""What the Desk asks besides the plan itself: whitelisted, typed, permission first."""

import frappe
from frappe import _
from frappe.utils import (
	cint,
	escape_html,
	format_date,
	format_datetime,
	get_first_day,
	get_fullname,
	get_url_to_form,
	nowdate,
)

from milestone_automation import permissions
from milestone_automation.engine import answers, backfill, panel, trackable, workflow_rules
from milestone_automation.engine.vocabulary import Health, PlanEvent, PlanStatus, StageStatus, TaskStatus

MAX_TIMELINE_ENTRIES = 200
MAX_ROWS = 500
# Calendars take hex colours only; the same hues as the panel's.
HEALTH_COLORS = {
	Health.ON_TRACK: "#70b6f0",
	Health.AT_RISK: "#e86c13",
	Health.BLOCKED: "#9c45e3",
	Health.LATE: "#e03636",
	Health.DONE: "#30a66d",
}


@frappe.whitelist(methods=["GET", "POST"])
def date_reasons() -> list[str]:
	"""Return the reasons for a new date that the site offers, in its order."""
	_check_desk_user()
	return answers.reasons()


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
	frappe.get_doc(doctype, name).check_permission("read")
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
		if note in (tasks.get(row.task), row.stage_name) or row.event == PlanEvent.TASK_DELETED:
			note = ""
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
	if row.event == PlanEvent.TASK_DELETED:
		return _bold(row.details)
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
	PlanEvent.TASK_MADE_REQUIRED: lambda: _("{0} made the task {1} required"),
	PlanEvent.TASK_MADE_OPTIONAL: lambda: _(
		"{0} made the task {1} optional: it holds its milestone no longer"
	),
	PlanEvent.TASK_DELETED: lambda: _("{0} deleted the task {1}"),
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
	found = frappe.get_doc("Milestone Tracker", tracker)
	found.check_permission("read")
	doctype = found.document_type
	filters = {"milestone_tracker": tracker}
	last = frappe.get_all(
		"Milestone",
		filters=filters,
		fields=[
			"name",
			"reference_name",
			"track_field",
			"from_value",
			"value",
			"reached_on",
			"reached_by",
			"creation",
		],
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
	frappe.get_doc("Milestone Tracker", tracker).check_permission("write")
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
			draft.append(
				table, {key: value for key, value in row.items() if not key.startswith("__")} | {"idx": None}
			)
	for table in ("stages", "tasks"):
		for idx, row in enumerate(draft.get(table), 1):
			row.idx = idx
	return draft


def _check_manager() -> None:
	if not permissions.can_manage():
		frappe.throw(
			_("Only a System Manager or Milestone Manager may do this. Ask one of them."),
			frappe.PermissionError,
		)


@frappe.whitelist(methods=["GET", "POST"])
def task_events(
	start: str,
	end: str,
	filters: str | list | dict | None = None,
	doctype: str | None = None,
	fields: str | list | None = None,
	field_map: str | dict | None = None,
) -> list[dict]:
	"""Return the tasks due between two days for Frappe's calendar; only those the user may see.

	Args:
		start, end: ISO dates or datetimes.
		filters: of the list, as Frappe's calendar sends them.
		doctype, fields, field_map: sent by the calendar too; not used.
	"""
	filters = _list_filters(filters, "Milestone Task")
	filters.append(["Milestone Task", "due_date", "between", [start[:10], end[:10]]])
	rows = frappe.get_list(
		"Milestone Task",
		filters=filters,
		fields=["name", "title", "due_date", "status", "reference_name"],
		limit=MAX_ROWS,
	)
	today = nowdate()
	for row in rows:
		late = row.status == TaskStatus.OPEN and str(row.due_date) < today
		health = Health.LATE if late else Health.ON_TRACK if row.status == TaskStatus.OPEN else Health.DONE
		row.update(all_day=1, color=HEALTH_COLORS[health], title=f"{row.title} ({row.reference_name})")
	return rows


@frappe.whitelist(methods=["GET", "POST"])
def stage_events(
	start: str,
	end: str,
	filters: str | list | dict | None = None,
	doctype: str | None = None,
	fields: str | list | None = None,
	field_map: str | dict | None = None,
) -> list[dict]:
	"""Return the milestones whose key date is between two days for Frappe's calendar; only of plans the user may see.

	Args: as `task_events`.
	"""
	days = ["between", [start[:10], end[:10]]]
	filters = [*_list_filters(filters, "Milestone Plan"), ["Milestone Plan Stage", "key_date", *days]]
	plans = frappe.get_list(
		"Milestone Plan", filters=filters, fields=["name", "reference_name"], distinct=True, limit=MAX_ROWS
	)
	documents = {plan.name: plan.reference_name for plan in plans}
	rows = frappe.get_all(
		"Milestone Plan Stage",
		filters={"parent": ("in", list(documents)), "key_date": days},
		fields=["parent", "stage_name", "key_date", "health"],
		limit=MAX_ROWS,
	)
	return [
		{
			"name": row.parent,
			"title": f"{row.stage_name} ({documents[row.parent]})",
			"created_from": row.key_date,
			"next_date": row.key_date,
			"all_day": 1,
			"color": HEALTH_COLORS[Health(row.health)],
			# Tells the calendar that nobody may drag it: a date moves with a reason.
			"docstatus": 1,
		}
		for row in rows
	]


def _list_filters(filters, doctype: str) -> list:
	filters = frappe.parse_json(filters) or []
	if isinstance(filters, dict):
		return [[doctype, name, "=", value] for name, value in filters.items()]
	return [row[:4] if len(row) > 3 else [doctype, *row] for row in filters]


@frappe.whitelist(methods=["GET", "POST"])
def my_work() -> dict:
	"""Return what waits for the caller: open tasks, and milestones of running plans that the caller owns.

	Returns:
		dict: `today`; `tasks` and `stages`, each a list of dicts, by date.
	"""
	_check_desk_user()
	return {"today": nowdate(), "tasks": _my_tasks(), "stages": _my_stages()}


def _my_tasks() -> list:
	mine = frappe.get_all(
		"Milestone Task Assignee",
		filters={"user": frappe.session.user, "done": 0, "parenttype": "Milestone Task"},
		pluck="parent",
		distinct=True,
		order_by=None,
	)
	if not mine:
		return []
	return frappe.get_list(
		"Milestone Task",
		filters={"name": ("in", mine), "status": TaskStatus.OPEN.value},
		fields=["name", "title", "required", "due_date", "stage_name", "reference_type", "reference_name"],
		order_by="due_date asc",
		limit=MAX_ROWS,
	)


def _my_stages() -> list:
	stage = frappe.qb.DocType("Milestone Plan Stage")
	plan = frappe.qb.DocType("Milestone Plan")
	roles = [role for role in frappe.get_roles() if role not in ("All", "Guest")]
	mine = (
		frappe.qb.from_(stage)
		.join(plan)
		.on(stage.parent == plan.name)
		.select(
			stage.name,
			stage.parent.as_("plan"),
			stage.stage_name,
			stage.key_date,
			stage.health,
			stage.open_required,
			plan.reference_type,
			plan.reference_name,
		)
		.where(plan.status == PlanStatus.ACTIVE.value)
		.where(stage.status == StageStatus.OPEN.value)
		.where((stage.stage_owner == frappe.session.user) | stage.owner_role.isin(roles))
		.orderby(stage.key_date)
		.limit(MAX_ROWS)
		.run(as_dict=True)
	)
	if not mine:
		return []
	# Owning a stage does not open its document: what the caller may not read stays out.
	names = list({row.plan for row in mine})
	readable = set(frappe.get_list("Milestone Plan", filters={"name": ("in", names)}, pluck="name", limit=0))
	return [row for row in mine if row.plan in readable]


@frappe.whitelist(methods=["GET", "POST"])
def board(workflow: str) -> dict:
	"""Return the running plans of a workflow by milestone, as columns of a board; only those the user may see.

	Args:
		workflow: name of a Milestone Workflow.

	Returns:
		dict: `stages`, the milestones in order; `plans`, each with current_stage, health, next_date and its document.
	"""
	_check_desk_user()
	plans = frappe.get_list(
		"Milestone Plan",
		filters={"workflow": workflow, "status": PlanStatus.ACTIVE.value},
		fields=["name", "reference_type", "reference_name", "current_stage", "health", "next_date"],
		order_by="next_date asc",
		limit=MAX_ROWS,
	)
	# What the stages are called is shown with the first plan the user sees, and to nobody who sees none.
	stages = plans and frappe.get_all(
		"Milestone Workflow Stage",
		filters={"parent": workflow, "parenttype": "Milestone Workflow"},
		order_by="idx",
		pluck="stage_name",
	)
	known = dict.fromkeys([*stages, *(plan.current_stage for plan in plans if plan.current_stage)])
	return {"stages": list(known), "plans": plans, "today": nowdate()}


@frappe.whitelist(methods=["GET", "POST"])
def workflows_with_plans() -> list[str]:
	"""Return the names of the workflows with a running plan that the user may see."""
	_check_desk_user()
	return sorted(
		frappe.get_list(
			"Milestone Plan",
			filters={"status": PlanStatus.ACTIVE.value},
			pluck="workflow",
			distinct=True,
			order_by="workflow",
			limit=0,
		)
	)


@frappe.whitelist(methods=["GET", "POST"])
def on_time_this_month(filters: str | dict | None = None) -> dict:
	"""Return the share of this month's reached milestones that were reached by their key date; for a number card.

	Args:
		filters: sent by the card; not used.
	"""
	_check_manager()
	stage = frappe.qb.DocType("Milestone Plan Stage")
	rows = (
		frappe.qb.from_(stage)
		.select(stage.reached_on, stage.key_date)
		.where(stage.status == StageStatus.REACHED.value)
		.where(stage.reached_on >= get_first_day(nowdate()))
		.where(stage.key_date.isnotnull())
		.run()
	)
	on_time = sum(1 for reached_on, key_date in rows if reached_on <= key_date)
	return {
		"value": round(100 * on_time / len(rows), 1) if rows else 0,
		"fieldtype": "Percent",
		"route": ["List", "Milestone Plan"],
	}


def _check_desk_user() -> None:
	if not permissions.is_desk_user(frappe.session.user):
		frappe.throw(_("Only users of the Desk may see this."), frappe.PermissionError)
