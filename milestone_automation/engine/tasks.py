"""What people do to tasks: complete, reopen, waive, cancel, add. Each change locks the plan before it looks."""

import json
from collections import defaultdict

import frappe
from frappe import _
from frappe.utils import cint, getdate, now_datetime

from milestone_automation import permissions
from milestone_automation.engine import (
	assignees,
	assignments,
	bulk,
	dates,
	plan_builder,
	plan_log,
	plans,
	sweep,
	values,
	workflow_people,
	workflow_task_rules,
)
from milestone_automation.engine.stages import FRESH_TASK_STAMPS, check_reason, planned_task
from milestone_automation.engine.vocabulary import (
	AssigneeKind,
	CompletionRule,
	PlanEvent,
	PlanStatus,
	StageKind,
	StageStatus,
	TaskStatus,
)

# By these a due date is found.
RULE_OF_DATE = ("due_days_before", "working_days")
# What a transition changes of a task.
FIELDS_OF_STATUS = ["status", "closed_on", "closed_by", "reason", "due_date", "modified", "modified_by"]
# What only the engine writes into a task, once something happens to it.
FIELDS_OF_OUTCOME = (
	"closed_on",
	"closed_by",
	"reason",
	"due_reminder_on",
	"overdue_reminder_on",
	"workflow_task",
)


def complete(task: str, by: str | None = None) -> str:
	"""Complete a task; of one that all assignees must complete, the part of one assignee.

	Args:
		task: name of the task.
		by: user or e-mail address of the assignee who did it; the session user by default.

	Returns:
		str: the task's status now. Completing a completed task changes nothing.

	Raises:
		frappe.ValidationError: the task is cancelled or waived, or its plan is cancelled.
	"""
	doc, plan = _locked(task)
	plan.check_is_active()
	if doc.status == TaskStatus.COMPLETED:
		return doc.status
	if doc.status != TaskStatus.OPEN:
		frappe.throw(
			_("The task {0} is {1}. Reopen it first.").format(doc.title, _(doc.status)),
			title=_("Task Is Not Open"),
		)
	by = by or frappe.session.user
	_mark_done(doc, by)
	if is_waiting_for_others(doc):
		assignments.close(doc.name, user=by)
		plans.tell_desk(plan)
		return doc.status
	_close(doc, plan, TaskStatus.COMPLETED, by, "", "Task Completed")
	return doc.status


def is_waiting_for_others(doc) -> bool:
	"""Tell whether a task that all must complete still waits for somebody."""
	return doc.completion_rule == CompletionRule.ALL_OF and any(not row.done for row in doc.assignees)


def _mark_done(doc, by: str) -> None:
	mine = [row for row in doc.assignees if by in (row.user, row.email)]
	# Who is nobody's assignee (a manager, the stage's owner) completes for all.
	done = mine or doc.assignees
	if doc.completion_rule != CompletionRule.ALL_OF:
		done = mine
	stamp = now_datetime()
	for row in done:
		row.done, row.done_on = 1, stamp
	bulk.update_rows("Milestone Task Assignee", {row.name: {"done": 1, "done_on": stamp} for row in done})


def reopen(task: str, reason: str) -> None:
	"""Open a completed, cancelled or waived task again; its due date catches up with its stage's moves.

	Args:
		task: name of the task.
		reason: why; required.

	Raises:
		frappe.ValidationError: it is open, its stage is reached (undo that first), gone, or takes no tasks now.
	"""
	reason = check_reason(reason)
	doc, plan = _locked(task)
	plan.check_is_active()
	if doc.status == TaskStatus.OPEN:
		frappe.throw(_("The task {0} is open already.").format(doc.title))
	stage = next((row for row in plan.stages if row.name == doc.plan_stage), None)
	if not stage:
		frappe.throw(
			_(
				"The task {0} cannot be reopened: its milestone {1} is no longer part of the plan. Add a new task to another milestone."
			).format(doc.title, doc.stage_name)
		)
	if stage.status == StageStatus.REACHED:
		frappe.throw(
			_("{0} is reached already. Undo it first, then reopen the task {1}.").format(
				stage.stage_name, doc.title
			)
		)
	check_takes_tasks(plan, stage)
	bulk.update_rows(
		"Milestone Task Assignee",
		{row.name: {"done": 0, "done_on": None} for row in doc.assignees if row.done},
	)
	_set(
		doc,
		status=TaskStatus.OPEN.value,
		closed_on=None,
		closed_by=None,
		reason=reason,
		**_caught_up_date(doc, plan, stage),
	)
	assignments.reopen(doc.name)
	assignments.follow(doc.name)
	_after_change(doc, plan, "Task Reopened", reason)


def _caught_up_date(doc, plan, stage) -> dict:
	"""Return what changes of a closed task's due date because its stage moved meanwhile; reminders start anew."""
	task = planned_task(doc)
	key_date = stage.key_date and getdate(stage.key_date)
	due_date = dates.reopened_due_date(task, key_date, plans.calendar_of(plan))
	return {} if due_date == task.due_date else {"due_date": due_date, **FRESH_TASK_STAMPS}


def waive(task: str, reason: str) -> None:
	"""Let a task no longer hold its stage although nobody did it; on record with its reason.

	Raises:
		frappe.ValidationError: it is not open.
	"""
	reason = check_reason(reason)
	doc, plan = _locked(task)
	plan.check_is_active()
	_check_is_open(doc)
	_close(doc, plan, TaskStatus.WAIVED, frappe.session.user, reason, "Task Waived")


def cancel(task: str, reason: str) -> None:
	"""Cancel a task that is not needed any more; on record with its reason.

	Raises:
		frappe.ValidationError: it is not open.
	"""
	reason = check_reason(reason)
	doc, plan = _locked(task)
	_check_is_open(doc)
	_close(doc, plan, TaskStatus.CANCELLED, frappe.session.user, reason, "Task Cancelled")


def cancel_all(plan: str, reason: str, plan_stage: str | None = None) -> None:
	"""Cancel the open tasks of a plan, or of one of its stages, with a constant number of statements."""
	names = [
		task.name
		for task in plans.task_rows(plan, lock=True)
		if task.status == TaskStatus.OPEN and plan_stage in (None, task.plan_stage)
	]
	values = {
		"status": TaskStatus.CANCELLED.value,
		"closed_on": now_datetime(),
		"closed_by": frappe.session.user,
		"reason": reason,
	}
	bulk.update_rows("Milestone Task", {name: values for name in names})
	assignments.cancel(names)


def add(plan: str, stage: str, **fields) -> str:
	"""Add a task to a running plan by hand.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage.
		fields: of Milestone Task; `title` is required.

	Returns:
		str: name of the task.

	Raises:
		frappe.ValidationError: the stage takes no tasks, is reached, or the task would be due after it.
	"""
	plan = plans.load_by_name(plan, lock=True)
	plan.check_is_active()
	row = plan.stage(stage)
	task = frappe.get_doc({"doctype": "Milestone Task", **fields, "plan": plan.name, "plan_stage": row.name})
	task.insert(ignore_permissions=True)  # the caller checked the right to add to this plan
	return task.name


# What the controller of Milestone Task asks


def put_status_aside(doc) -> None:
	"""Take a status that somebody sets by saving back off the document; `follow_status` does what it means.

	Args:
		doc: the task, with its state before the save. A `reason` set together with the status goes with it.

	Raises:
		frappe.PermissionError: the session user may not.
	"""
	before = doc.get_doc_before_save()
	if not before or doc.status == before.status:
		return
	permissions.check_may_set_status(doc, doc.status)
	reason = doc.reason if doc.reason != before.reason else ""
	doc.flags.wanted_status = (doc.status, reason)
	doc.status, doc.reason = before.status, before.reason


def follow_status(doc) -> None:
	"""Complete, reopen, waive or cancel a task whose status was set by saving, with all checks and on record.

	Raises:
		frappe.ValidationError: as the transition itself; for all but completing, no reason was set.
	"""
	status, reason = doc.flags.pop("wanted_status", None) or (None, None)
	if not status:
		return
	if status == TaskStatus.COMPLETED:
		complete(doc.name)
	else:
		{TaskStatus.OPEN: reopen, TaskStatus.WAIVED: waive, TaskStatus.CANCELLED: cancel}[TaskStatus(status)](
			doc.name, reason
		)
	doc.update(frappe.db.get_value("Milestone Task", doc.name, FIELDS_OF_STATUS, as_dict=True))


def complete_new(doc) -> None:
	"""Fill what a task made by hand, by import or by API leaves open, from its plan. Called before it is inserted.

	Raises:
		frappe.ValidationError: as `add`.
	"""
	plan = plans.load_by_name(doc.plan, lock=True)
	stage = plan.stage(doc.plan_stage or doc.stage_name)
	check_takes_tasks(plan, stage)
	_check_new(doc, plan)
	doc.update(dict.fromkeys(FIELDS_OF_OUTCOME))
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
			refuse_after_stage(doc, stage, None)
		doc.due_date = dates.task_due_date(key_date, days, bool(doc.working_days), plans.calendar_of(plan))
	if not doc.assignees:
		for person in assignees.resolve(doc, plan.reference_doc(), plan):
			doc.append("assignees", person)


def _check_new(doc, plan: plans.Plan) -> None:
	"""Hold a task made by hand to the rules for the tasks of a workflow.

	Raises:
		frappe.ValidationError: says what is wrong, and what to do.
	"""
	if doc.assignee_kind and doc.assignee_kind not in list(AssigneeKind):
		frappe.throw(
			_("{0} is nobody a task can be for. Choose one of: {1}.").format(
				doc.assignee_kind, ", ".join(AssigneeKind)
			)
		)
	if cint(doc.due_days_before) > workflow_task_rules.MOST_DAYS:
		frappe.throw(
			_("{0} days are too many. Set Due Days Before Milestone to {1} at most.").format(
				cint(doc.due_days_before), workflow_task_rules.MOST_DAYS
			)
		)
	workflow = frappe._dict(plan, document_type=plan.reference_type, stages=[], tasks=[doc])
	problem = workflow_task_rules.assignee_problem(doc, workflow, workflow_people.read_known(workflow))
	if problem:
		frappe.throw(problem)


def check_takes_tasks(plan: plans.Plan, stage) -> None:
	"""Refuse a new task under a stage that takes none: an acceptance, a reached one."""
	if stage.kind == StageKind.ACCEPTANCE:
		frappe.throw(
			_("{0} is an acceptance milestone and takes no tasks. Add the task to another milestone.").format(
				stage.stage_name
			),
			title=_("No Tasks Here"),
		)
	if plan.status == PlanStatus.CANCELLED:
		plan.check_is_active()
	if stage.status == StageStatus.REACHED:
		frappe.throw(
			_("{0} is reached already. Add the task to a later milestone, or undo this one first.").format(
				stage.stage_name
			)
		)


def note_date_by_hand(doc) -> None:
	"""Remember that somebody gave a task another due date than its rule; it keeps its distance from then on."""
	before = doc.get_doc_before_save()
	if before and not values.is_same(before.due_date, doc.due_date, "Date"):
		doc.due_by_hand = 1


def check_due_date(doc) -> None:
	"""Refuse a task that is due after its stage. A closed one keeps the date it was closed with.

	Raises:
		frappe.ValidationError: names both dates.
	"""
	before = doc.get_doc_before_save()
	if before and doc.status != TaskStatus.OPEN and values.is_same(before.due_date, doc.due_date, "Date"):
		return
	# As it is now: somebody may have moved the stage since this transaction began.
	stage = frappe.db.get_value(
		"Milestone Plan Stage",
		doc.plan_stage,
		["stage_name", "key_date"],
		as_dict=True,
		for_update=frappe.db.db_type != "sqlite",
	)
	if stage and cint(doc.due_days_before) < 0:
		refuse_after_stage(doc, stage, None)
	if not stage or not stage.key_date or not doc.due_date:
		return
	try:
		dates.check_task_date(getdate(doc.due_date), getdate(stage.key_date))
	except dates.TaskAfterStage as error:
		refuse_after_stage(doc, stage, error)


def refuse_after_stage(doc, stage, error) -> None:
	due = (
		frappe.format(error.due_date, "Date")
		if error
		else _("{0} days after").format(-cint(doc.due_days_before))
	)
	frappe.throw(
		_(
			"The task {0} cannot be due {1}: its milestone {2} is due on {3}. Choose that day or an earlier one."
		).format(doc.title, due, stage.stage_name, frappe.format(stage.key_date, "Date")),
		title=_("Task After Its Milestone"),
	)


def _next_order(plan) -> int:
	last = frappe.get_all(
		"Milestone Task", filters={"plan": plan.name}, order_by="task_order desc", limit=1, pluck="task_order"
	)
	return cint(last[0]) + 1 if last else 1


# Keeping assignees in step with the document


def assign_anew(plan: plans.Plan, doc, changed_fields: set[str], supplier_field: str) -> None:
	"""Find the assignees of open tasks anew whose supplier or user field changed. Who is done stays."""
	tasks = [task for task in plans.task_rows(plan.name, lock=True) if task.status == TaskStatus.OPEN]
	affected = [
		task
		for task in tasks
		if (task.assignee_kind == AssigneeKind.USER_FIELD and task.assignee_field in changed_fields)
		or (task.assignee_kind == AssigneeKind.ALL_SUPPLIER_CONTACTS and supplier_field in changed_fields)
	]
	if not affected:
		return
	people = assignees.prefetch(affected, doc, plan)
	assignments.cancel([task.name for task in affected])
	replace_assignees({task.name: assignees.resolve(task, doc, plan, cache=people) for task in affected})


def replace_assignees(people: dict[str, list[dict]]) -> None:
	"""Give tasks other assignees, and these their to-dos. Who has done their part stays and is not asked again.

	Args:
		people: by name of the task, as `assignees.resolve` finds them.
	"""
	done = _done_rows(list(people))
	rows = []
	for task, found in people.items():
		known = set().union(*map(_names_of, done[task]))
		asked = [person for person in found if not known & _names_of(person)]
		first = max((row.idx for row in done[task]), default=0) + 1
		place = {"parent": task, "parenttype": "Milestone Task", "parentfield": "assignees"}
		rows += [{**person, **place, "idx": idx} for idx, person in enumerate(asked, first)]
	frappe.db.delete("Milestone Task Assignee", {"parent": ("in", list(people)), "done": 0})
	bulk.insert_rows("Milestone Task Assignee", rows)
	assignments.assign(list(people))


def _done_rows(tasks: list[str]) -> dict[str, list]:
	"""Return the rows of those who have done their part, by task."""
	filters = {"parenttype": "Milestone Task", "parent": ("in", tasks), "done": 1}
	found = defaultdict(list)
	fields = ["parent", "user", "email", "idx"]
	for row in frappe.get_all("Milestone Task Assignee", filters=filters, fields=fields):
		found[row.parent].append(row)
	return found


def _names_of(person) -> set[str]:
	return {name for name in (person.get("user"), person.get("email")) if name}


def follow_edit(doc) -> None:
	"""Do what changed rules of an open task mean: another due date, other assignees. Called before it is saved."""
	before = doc.get_doc_before_save()
	if not before or doc.status != TaskStatus.OPEN:
		return
	plan = None
	if _differs(before, doc, RULE_OF_DATE) and values.is_same(before.due_date, doc.due_date, "Date"):
		plan = plans.load_by_name(doc.plan, lock=True)
		stage = plan.stage(doc.plan_stage)
		key_date = stage.key_date and getdate(stage.key_date)
		days = max(0, cint(doc.due_days_before))  # fewer than none is refused by `check_due_date`
		doc.due_date = dates.task_due_date(key_date, days, bool(doc.working_days), plans.calendar_of(plan))
		doc.due_by_hand = 0
	if _differs(before, doc, assignees.RULE_FIELDS):
		plan = plan or plans.load_by_name(doc.plan, lock=True)
		done = [row for row in doc.assignees if row.done]
		known = set().union(*map(_names_of, done))
		doc.set("assignees", done)
		for person in assignees.resolve(doc, plan.reference_doc(), plan):
			if not known & _names_of(person):
				doc.append("assignees", person)


def after_edit(doc) -> None:
	"""Bring to-dos in step with an edited task, and complete it if nobody is left to wait for. Called after its save."""
	before = doc.get_doc_before_save()
	if not before or doc.status != TaskStatus.OPEN:
		return
	if _differs(before, doc, assignees.RULE_FIELDS):
		assignments.assign([doc.name])
	if _differs(before, doc, ("title", "due_date")):
		assignments.follow(doc.name, text=before.title != doc.title)
	done = [row for row in doc.assignees if row.done]
	may_be_done = _differs(before, doc, (*assignees.RULE_FIELDS, "completion_rule"))
	if may_be_done and done and not is_waiting_for_others(doc):
		complete(doc.name, by=done[-1].user or done[-1].email)
		doc.update(frappe.db.get_value("Milestone Task", doc.name, FIELDS_OF_STATUS, as_dict=True))


def _differs(before, doc, fields: tuple[str, ...]) -> bool:
	types = {field.fieldname: field.fieldtype for field in doc.meta.fields}
	return any(not values.is_same(before.get(name), doc.get(name), types[name]) for name in fields)


# Shared steps


def _locked(task: str):
	"""Return a task and its plan, both locked, the plan first: everybody locks in this order."""
	plan_name = frappe.db.get_value("Milestone Task", task, "plan")
	if not plan_name:
		frappe.throw(_("There is no milestone task {0}.").format(task), frappe.DoesNotExistError)
	plan = plans.load_by_name(plan_name, lock=True)
	doc = frappe.get_doc("Milestone Task", task, for_update=frappe.db.db_type != "sqlite")
	return doc, plan


def _check_is_open(doc) -> None:
	if doc.status != TaskStatus.OPEN:
		frappe.throw(
			_("The task {0} is {1}, so there is nothing to do.").format(doc.title, _(doc.status)),
			title=_("Task Is Not Open"),
		)


def _close(doc, plan, status: TaskStatus, by: str, reason: str, event: str) -> None:
	_set(doc, status=status.value, closed_on=now_datetime(), closed_by=by, reason=reason)
	if status is TaskStatus.CANCELLED:
		assignments.cancel(doc.name)
	else:
		assignments.close(doc.name)
	_after_change(doc, plan, event, reason)


def _set(doc, **values) -> None:
	"""Change a task with its document events, but without the checks meant for people's edits."""
	doc.flags.by_engine = True
	doc.db_set(values)


def _after_change(doc, plan, event: str, reason: str) -> None:
	plan_log.write(plan, event, stage=_stage_of(plan, doc), task=doc.name, reason=reason, details=doc.title)
	plans.refresh(plan.name)
	plans.tell_desk(plan)
	sweep.request(plan.name)


def _stage_of(plan, doc):
	"""Return the stage of a task; None for a closed one whose stage a new version of the workflow took away."""
	return next((row for row in plan.stages if row.name == doc.plan_stage), None)


def log_required(doc) -> None:
	"""Log that somebody made a task required, or that it holds its stage no longer. Called after it was saved."""
	before = doc.get_doc_before_save()
	if before and cint(before.required) != cint(doc.required):
		event = PlanEvent.TASK_MADE_REQUIRED if doc.required else PlanEvent.TASK_MADE_OPTIONAL
		plan = plans.load_by_name(doc.plan, lock=True)
		plan_log.write(plan, event.value, stage=_stage_of(plan, doc), task=doc.name, details=doc.title)


def log_deleted(doc) -> None:
	"""Log that somebody deleted a task. Called before it is gone."""
	plan = plans.load_by_name(doc.plan, lock=True)
	plan_log.write(plan, PlanEvent.TASK_DELETED.value, stage=_stage_of(plan, doc), details=doc.title)


def log_added(doc) -> None:
	"""Log a task that was added by hand and let its plan know. Called after it was inserted."""
	plan = plans.load_by_name(doc.plan, lock=True)
	_watch(plan, doc.assignee_field)
	_after_change(doc, plan, "Task Added", "")


def _watch(plan, fieldname: str | None) -> None:
	"""Have a plan follow one more field of its document: the one that names a new task's assignee."""
	known = json.loads(plan.snapshot or "{}")
	if fieldname and fieldname not in known:
		known.update(plan_builder.snapshot(plan.reference_doc(), [fieldname]))
		plan.set_plan(snapshot=json.dumps(known))
		plan.write()
