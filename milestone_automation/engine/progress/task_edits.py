"""Tasks that are edited in a form, by REST or by import: their rules, and the effects on plan and people."""

import json
from typing import NoReturn

import frappe
from frappe import _
from frappe.utils import cint, getdate

from milestone_automation.engine.base import values
from milestone_automation.engine.base.save_state import Mark, mark, take_mark
from milestone_automation.engine.people import assigned, assignees, field_rights, rights, todos
from milestone_automation.engine.progress import tasks
from milestone_automation.engine.rules import task_dates
from milestone_automation.engine.rules.vocabulary import AssigneeKind, PlanEvent, StageStatus, TaskStatus
from milestone_automation.engine.store import plan_log, plan_rows, snapshots
from milestone_automation.engine.store.changing import changing
from milestone_automation.engine.workflows import people_validation, row_fields, task_validation

# Fields from which the due date is worked out.
DUE_DATE_FIELDS = ("due_days_before", "working_days")
# Fields that change with the status.
STATUS_FIELDS = ["status", "closed_on", "closed_by", "reason", "due_date", "modified", "modified_by"]
# Fields that are empty in a new task.
OUTCOME_FIELDS = (
	"closed_on",
	"closed_by",
	"reason",
	"due_reminder_on",
	"overdue_reminder_on",
	"workflow_task",
)
# Fields that no save changes: the engine's calls that set them also move dates, close to-dos and update the plan.
ENGINE_FIELDS = (
	*OUTCOME_FIELDS,
	"status",
	"plan",
	"plan_stage",
	"stage_name",
	"reference_type",
	"reference_name",
)


def defer_status(doc) -> None:
	"""Take a status that was set by saving off the document, with its reason; `apply_status` sets it after the save.

	Args:
		doc: the task, before the save.

	Raises:
		frappe.PermissionError: the session user may not set this status.
	"""
	before = doc.get_doc_before_save()
	if not before or doc.status == before.status:
		return
	if doc.status not in tuple(TaskStatus):
		frappe.throw(
			_("{0} is not a valid option. Choose one of: {1}.").format(
				frappe.utils.escape_html(str(doc.status)), ", ".join(TaskStatus)
			)
		)
	rights.check_may_set_status(doc, doc.status)
	reason = doc.reason if doc.reason != before.reason else ""
	mark(doc, Mark.WANTED_STATUS, (doc.status, reason))
	doc.status, doc.reason = before.status, before.reason


def apply_status(doc) -> None:
	"""Complete, reopen, waive or cancel a task whose status was set by saving, with all checks and log entries.

	Args:
		doc: the task, after the save.

	Raises:
		frappe.ValidationError: as `tasks.complete`, `reopen`, `waive` or `cancel`.
	"""
	status, reason = take_mark(doc, Mark.WANTED_STATUS) or (None, None)
	if not status:
		return
	if status == TaskStatus.COMPLETED:
		tasks.complete(doc.name)
	else:
		{TaskStatus.OPEN: tasks.reopen, TaskStatus.WAIVED: tasks.waive, TaskStatus.CANCELLED: tasks.cancel}[
			TaskStatus(status)
		](doc.name, reason)
	doc.update(frappe.db.get_value("Milestone Task", doc.name, STATUS_FIELDS, as_dict=True))


def fill_in_new(doc) -> None:
	"""Fill in the fields of a task that was created by a user, by import or by API, from its plan.

	Args:
		doc: the task, before it is inserted.

	Raises:
		frappe.ValidationError: as `tasks.add`.
	"""
	plan = plan_rows.load_by_name(doc.plan, lock=True)
	stage = plan.stage(doc.plan_stage or doc.stage_name)
	tasks.check_takes_tasks(plan, stage)
	_check_new(doc, plan)
	doc.update(dict.fromkeys(OUTCOME_FIELDS))
	for person in doc.assignees:
		person.update({"done": 0, "done_on": None})
	doc.update(
		{
			"plan_stage": stage.name,
			"stage_name": stage.stage_name,
			"reference_type": plan.reference_type,
			"reference_name": plan.reference_name,
			"task_order": doc.task_order or _next_order(plan),
		}
	)
	if doc.due_date:
		doc.due_by_hand = 1
	else:
		key_date = stage.key_date and getdate(stage.key_date)
		days = cint(doc.due_days_before)
		if days < 0:
			_refuse_after_stage(doc, stage, None)
		doc.due_date = task_dates.task_due_date(
			key_date, days, bool(doc.working_days), plan_rows.calendar_of(plan)
		)
	if not doc.assignees:
		for person in assignees.resolve(doc, plan.reference_doc(), plan):
			doc.append("assignees", person)


def _check_new(doc, plan: plan_rows.Plan) -> None:
	"""Apply the rules for the tasks of a workflow to a task that was created by a user.

	Raises:
		frappe.ValidationError: says what is wrong and what to do.
	"""
	if doc.assignee_kind and doc.assignee_kind not in list(AssigneeKind):
		frappe.throw(
			_("{0} is not a valid assignee type. Choose one of: {1}.").format(
				doc.assignee_kind, ", ".join(AssigneeKind)
			)
		)
	if cint(doc.due_days_before) > row_fields.MAX_DAYS:
		frappe.throw(
			_("{0} days are too many. Set Due Days Before Milestone to at most {1}.").format(
				cint(doc.due_days_before), row_fields.MAX_DAYS
			)
		)
	workflow = frappe._dict(plan, document_type=plan.reference_type, stages=[], tasks=[doc])
	problem = task_validation.assignee_problem(doc, workflow, people_validation.read_known(workflow))
	if problem:
		frappe.throw(problem)
	_check_may_read_field(doc, plan.reference_type)


def _check_may_read_field(doc, doctype: str) -> None:
	"""Refuse a task for whom a field names that its writer may not read: the assignee would tell its value.

	Raises:
		frappe.ValidationError
	"""
	if doc.assignee_kind == AssigneeKind.USER_FIELD and doc.assignee_field in field_rights.hidden(doctype):
		frappe.throw(
			_("{0} uses {1}, which you may not read. Ask somebody who may to write it.").format(
				_(doc.meta.get_label("assignee_field")), doc.assignee_field
			)
		)


def note_manual_date(doc) -> None:
	"""Mark the due date as set manually if it was changed; it then keeps its distance to the stage.

	Args:
		doc: the task, before the save.
	"""
	before = doc.get_doc_before_save()
	if before and not values.is_same(before.due_date, doc.due_date, "Date"):
		doc.due_by_hand = 1


def check_due_date(doc) -> None:
	"""Refuse a task that is due after its stage. A closed task keeps its date.

	Args:
		doc: the task, before the save.

	Raises:
		frappe.ValidationError: names both dates.
	"""
	before = doc.get_doc_before_save()
	if before and doc.status != TaskStatus.OPEN and values.is_same(before.due_date, doc.due_date, "Date"):
		return
	# Locked: somebody may have moved the stage since this transaction began.
	stage = frappe.db.get_value(
		"Milestone Plan Stage",
		doc.plan_stage,
		["stage_name", "key_date"],
		as_dict=True,
		for_update=frappe.db.db_type != "sqlite",
	)
	if stage and cint(doc.due_days_before) < 0:
		_refuse_after_stage(doc, stage, None)
	if not stage or not stage.key_date or not doc.due_date:
		return
	try:
		task_dates.check_task_date(getdate(doc.due_date), getdate(stage.key_date))
	except task_dates.TaskAfterStage as error:
		_refuse_after_stage(doc, stage, error)


def _refuse_after_stage(doc, stage, error: task_dates.TaskAfterStage | None) -> NoReturn:
	due = (
		frappe.format(error.due_date, "Date")
		if error
		else _("{0} days after").format(-cint(doc.due_days_before))
	)
	frappe.throw(
		_(
			"The task {0} cannot be due {1}: its milestone {2} is due on {3}. Choose that day or an earlier one."
		).format(doc.title, due, stage.stage_name, frappe.format(stage.key_date, "Date")),
		title=_("Due Date Is After the Milestone"),
	)


def _next_order(plan) -> int:
	last = frappe.get_all(
		"Milestone Task", filters={"plan": plan.name}, order_by="task_order desc", limit=1, pluck="task_order"
	)
	return cint(last[0]) + 1 if last else 1


def check_required(doc) -> None:
	"""Refuse to make an open task of a reached stage required: it would no longer block anything.

	Args:
		doc: the task, before the save.

	Raises:
		frappe.ValidationError: this save makes it required, and its stage is reached.
	"""
	before = doc.get_doc_before_save()
	if not before or cint(before.required) or not cint(doc.required) or doc.status != TaskStatus.OPEN:
		return
	stage = frappe.db.get_value(
		"Milestone Plan Stage", doc.plan_stage, ["stage_name", "status"], as_dict=True
	)
	if stage and stage.status == StageStatus.REACHED:
		frappe.throw(
			_(
				"{0} is already reached, so the task {1} can no longer block it. Undo the milestone first."
			).format(stage.stage_name, doc.title)
		)


def apply_edit(doc) -> None:
	"""Work out due date and assignees of an open task anew if their fields changed.

	Args:
		doc: the task, before the save.
	"""
	before = doc.get_doc_before_save()
	if not before or doc.status != TaskStatus.OPEN:
		return
	has_new_date_rule = _differs(before, doc, DUE_DATE_FIELDS) and values.is_same(
		before.due_date, doc.due_date, "Date"
	)
	has_new_people_rule = _differs(before, doc, assignees.ASSIGNEE_RULE_FIELDS)
	if not has_new_date_rule and not has_new_people_rule:
		return
	plan = plan_rows.load_by_name(doc.plan, lock=True)
	if has_new_date_rule:
		_set_due_date(doc, plan)
	if has_new_people_rule:
		_set_assignees(doc, plan)


def _set_due_date(doc, plan: plan_rows.Plan) -> None:
	"""Set the due date of a task by its rule."""
	stage = plan.stage(doc.plan_stage)
	key_date = stage.key_date and getdate(stage.key_date)
	days = max(0, cint(doc.due_days_before))  # `check_due_date` refuses a negative number
	doc.due_date = task_dates.task_due_date(
		key_date, days, bool(doc.working_days), plan_rows.calendar_of(plan)
	)
	doc.due_by_hand = 0


def _set_assignees(doc, plan: plan_rows.Plan) -> None:
	"""Replace the assignees of a task by those of its rule; whoever has done their part stays."""
	_check_may_read_field(doc, plan.reference_type)
	done = [row for row in doc.assignees if row.done]
	done_identifiers = set().union(*(assigned.identifiers_of(row) for row in done))
	doc.set("assignees", done)
	for person in assignees.resolve(doc, plan.reference_doc(), plan):
		if not done_identifiers & assigned.identifiers_of(person):
			doc.append("assignees", person)


def after_edit(doc) -> None:
	"""Update the to-dos of an edited task, and complete it if nobody is left who has to.

	Args:
		doc: the task, after the save.

	Raises:
		frappe.ValidationError: it would be completed now, and comes after open ones or its plan is cancelled.
	"""
	before = doc.get_doc_before_save()
	if not before or doc.status != TaskStatus.OPEN:
		return
	if _differs(before, doc, assignees.ASSIGNEE_RULE_FIELDS):
		todos.assign([doc.name])
	if _differs(before, doc, ("title", "due_date")):
		todos.update_open(doc.name, text=before.title != doc.title)
	done = [row for row in doc.assignees if row.done]
	may_be_done = _differs(before, doc, (*assignees.ASSIGNEE_RULE_FIELDS, "completion_rule"))
	if may_be_done and done and not tasks.is_waiting_for_others(doc):
		tasks.complete(doc.name, by=done[-1].user or done[-1].email)
		doc.update(frappe.db.get_value("Milestone Task", doc.name, STATUS_FIELDS, as_dict=True))


def _differs(before, doc, fields: tuple[str, ...]) -> bool:
	types = {field.fieldname: field.fieldtype for field in doc.meta.fields}
	return any(not values.is_same(before.get(name), doc.get(name), types[name]) for name in fields)


def log_required(doc) -> None:
	"""Log that a task was made required or optional.

	Args:
		doc: the task, after the save.

	Raises:
		ConflictError: somebody else is changing the plan.
	"""
	before = doc.get_doc_before_save()
	if before and cint(before.required) != cint(doc.required):
		event = PlanEvent.TASK_MADE_REQUIRED if doc.required else PlanEvent.TASK_MADE_OPTIONAL
		plan = plan_rows.load_by_name(doc.plan, lock=True)
		plan_log.write(plan, event, stage=tasks.stage_of_task(plan, doc), task=doc.name, details=doc.title)


def log_deleted(doc) -> None:
	"""Log that a task is deleted.

	Args:
		doc: the task, before it is deleted.

	Raises:
		ConflictError: somebody else is changing the plan.
	"""
	plan = plan_rows.load_by_name(doc.plan, lock=True)
	plan_log.write(plan, PlanEvent.TASK_DELETED, stage=tasks.stage_of_task(plan, doc), details=doc.title)


def log_added(doc) -> None:
	"""Log that a user added a task, and update its plan.

	Args:
		doc: the task, after it is inserted.

	Raises:
		ConflictError: somebody else is changing the plan.
	"""
	with changing(doc.plan) as plan:
		_watch(plan, doc.assignee_field)
		tasks.log(doc, plan, PlanEvent.TASK_ADDED, "")


def _watch(plan, fieldname: str | None) -> None:
	"""Add a field of the document to those that a plan watches: the one that names a new task's assignee."""
	snapshot = json.loads(plan.snapshot or "{}")
	if fieldname and fieldname not in snapshot:
		snapshot.update(snapshots.take(plan.reference_doc(), [fieldname]))
		plan.set_plan(snapshot=json.dumps(snapshot))
