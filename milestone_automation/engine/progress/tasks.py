"""Completing, reopening, waiving, cancelling and adding tasks. Each change locks the plan first."""

from contextlib import contextmanager

import frappe
from frappe import _
from frappe.utils import escape_html, getdate, now_datetime, time_diff_in_seconds

from milestone_automation.engine.base import bulk
from milestone_automation.engine.base.save_state import Mark, mark
from milestone_automation.engine.people import assigned, rights, todos
from milestone_automation.engine.progress.stage_dates import planned_task
from milestone_automation.engine.rules import task_dates, task_order
from milestone_automation.engine.rules.schedule import FRESH_TASK_STAMPS
from milestone_automation.engine.rules.vocabulary import (
	CompletionRule,
	PlanEvent,
	PlanStatus,
	StageKind,
	StageStatus,
	TaskStatus,
)
from milestone_automation.engine.store import plan_log, plan_rows, sums
from milestone_automation.engine.store.changing import changing
from milestone_automation.engine.store.plan_log import check_reason


def insert_tasks(plan, tasks: list[dict]) -> list[str]:
	"""Insert tasks with their assignees and to-dos, with a constant number of statements.

	Args:
		plan: the plan, as document or `Plan`.
		tasks: field values of Milestone Task, with `plan_stage` and a list of `assignees`; open without a `status`.

	Returns:
		list[str]: names of the tasks.
	"""
	rows = []
	for task in tasks:
		row = {"status": TaskStatus.OPEN.value}
		row |= {key: value for key, value in task.items() if key != "assignees"}
		row.update(plan=plan.name, reference_type=plan.reference_type, reference_name=plan.reference_name)
		rows.append(row)
	names = bulk.insert_rows("Milestone Task", rows)
	assigned.insert({name: task.get("assignees") or [] for name, task in zip(names, tasks, strict=True)})
	todos.assign(names)
	return names


def complete(task: str, by: str | None = None) -> str:
	"""Complete a task, or the part of one assignee if all assignees must complete it.

	Args:
		task: name of the task.
		by: user or e-mail address of the assignee who has done their part. By default the session user: managers and
			the owner of the stage then complete the whole task.

	Returns:
		str: new status of the task. Completing a completed task changes nothing.

	Raises:
		frappe.DoesNotExistError: there is no such task.
		frappe.ValidationError: the task is cancelled or waived, comes after open ones, or its plan is cancelled.
		ConflictError: somebody else is changing the plan.
	"""
	with changing_task(task) as (doc, plan):
		plan.check_is_active()
		for_all = not by and doc.completion_rule == CompletionRule.ALL_OF and rights.can_direct_task(doc)
		by = by or frappe.session.user
		if doc.status == TaskStatus.COMPLETED:
			plan.leave_unchanged()
			return doc.status
		if doc.status != TaskStatus.OPEN:
			frappe.throw(
				_("The task {0} is {1}. Reopen it first.").format(doc.title, _(doc.status)),
				title=_("Task Is Not Open"),
			)
		_check_can_start(doc, plan)
		_mark_done(doc, by, for_all)
		if is_waiting_for_others(doc):
			todos.close(doc.name, user=by)
			plan.leave_unchanged()
			sums.tell_desk(plan)
			return doc.status
		_close(doc, plan, TaskStatus.COMPLETED, by, "", PlanEvent.TASK_COMPLETED)
		return doc.status


def _check_can_start(doc, plan) -> None:
	"""Refuse to complete a task that comes after open ones.

	Raises:
		frappe.ValidationError: names those of them that the session user may see.
	"""
	# A task that comes after none costs no statement.
	first = task_order.waits_for(doc, plan.open_tasks()) if doc.after_tasks else []
	if not first:
		return
	titles = ", ".join(escape_html(task.title) for task in rights.visible_tasks(first))
	text = (
		_("The task {0} comes after {1}. Complete that first, or have it waived.").format(
			escape_html(doc.title), titles
		)
		if titles
		else _("The task {0} cannot start yet: another task comes first.").format(escape_html(doc.title))
	)
	frappe.throw(text, title=_("Another Task Comes First"))


def can_start(task) -> bool:
	"""Tell whether all tasks that an open task comes after are closed.

	Args:
		task: the Milestone Task document.
	"""
	if not task.after_tasks:
		return True
	filters = {"plan": task.plan, "status": TaskStatus.OPEN.value}
	return not task_order.waits_for(task, frappe.get_all("Milestone Task", filters, ["name", "title"]))


def is_waiting_for_others(doc) -> bool:
	"""Tell whether a task that all assignees must complete waits for somebody. Nobody waits for a disabled user.

	Args:
		doc: the Milestone Task document.
	"""
	if doc.completion_rule != CompletionRule.ALL_OF:
		return False
	waiting = [row for row in doc.assignees if not row.done]
	disabled = assigned.disabled_users(waiting)
	return any(row.user not in disabled for row in waiting)


def complete_if_nobody_is_left(task: str) -> None:
	"""Complete an open task that all assignees must complete, once everybody who is left has done their part.

	Call it after assignees went away or were disabled. A task of which nobody has done a part stays open.

	Args:
		task: name of the task.

	Raises:
		frappe.DoesNotExistError: there is no such task.
		frappe.ValidationError: its plan is cancelled.
		ConflictError: somebody else is changing the plan.
	"""
	doc = frappe.get_doc("Milestone Task", task)
	done = [row for row in doc.assignees if row.done]
	if doc.status != TaskStatus.OPEN or doc.completion_rule != CompletionRule.ALL_OF or not done:
		return
	if not is_waiting_for_others(doc) and can_start(doc):
		complete(task, by=done[-1].user or done[-1].email)


def complete_for_disabled(users: list[str], commit=None) -> None:
	"""Complete the tasks that waited for nobody but users who are disabled now.

	Args:
		users: ids of the disabled users.
		commit: called between one task and the next.
	"""
	task, person = frappe.qb.DocType("Milestone Task"), frappe.qb.DocType("Milestone Task Assignee")
	query = frappe.qb.from_(person).join(task).on(task.name == person.parent).select(task.name).distinct()
	query = query.where(
		(person.parenttype == "Milestone Task") & person.user.isin(users) & (person.done == 0)
	)
	query = query.where(task.status == TaskStatus.OPEN.value)
	for name in query.where(task.completion_rule == CompletionRule.ALL_OF.value).run(pluck=True):
		complete_if_nobody_is_left(name)
		if commit:
			commit()


def _mark_done(doc, by: str, for_all: bool) -> None:
	rows = doc.assignees if for_all else [row for row in doc.assignees if by in (row.user, row.email)]
	if not rows and doc.completion_rule == CompletionRule.ALL_OF:
		# Somebody who is not an assignee (a manager, the owner of the stage) completes it for all.
		rows = doc.assignees
	stamp = now_datetime()
	rows = [row for row in rows if not row.done]
	for row in rows:
		row.done, row.done_on = 1, stamp
	bulk.update_rows("Milestone Task Assignee", {row.name: {"done": 1, "done_on": stamp} for row in rows})


def reopen(task: str, reason: str) -> None:
	"""Reopen a completed, cancelled or waived task; its due date catches up with its stage.

	Args:
		task: name of the task.
		reason: why; required.

	Raises:
		frappe.ValidationError: it is open, or its stage is reached, gone, or no longer takes tasks.
	"""
	reason = check_reason(reason)
	with changing_task(task) as (doc, plan):
		_reopen(doc, plan, reason)


# So long after completing a task the same user can take it back without a reason.
UNDO_SECONDS = 30


def undo_complete(task: str) -> None:
	"""Take back what the session user completed less than `UNDO_SECONDS` ago, by mistake: a task, or their part of one.

	What other assignees have done stays done. Needs no reason.

	Args:
		task: name of the task.

	Raises:
		frappe.ValidationError: the session user completed nothing of it just now, or as `reopen`.
	"""
	with changing_task(task) as (doc, plan):
		if doc.status == TaskStatus.OPEN and (part := _part_just_done(doc)):
			plan.check_is_active()
			_mark_not_done([part])
			todos.reopen(doc.name, user=part.user)
			plan.leave_unchanged()
			sums.tell_desk(plan)
			return
		if not _was_just_completed(doc):
			frappe.throw(
				_("The task {0} was not completed by you just now. Reopen it with a reason.").format(
					doc.title
				)
			)
		_reopen(doc, plan, _("Completed by mistake."), _done_last(doc))


def _part_just_done(doc):
	"""Return the row of the session user in an open task if they have done their part a moment ago, else None."""
	own_parts = (row for row in doc.assignees if row.user == frappe.session.user and row.done)
	return next((row for row in own_parts if _is_just_now(row.done_on)), None)


def _done_last(doc) -> list:
	"""Return the assignees whose parts completed a task: all of them, or the last one of those who had to do it."""
	done = [row for row in doc.assignees if row.done]
	last = max((row.done_on for row in done if row.done_on), default=None)
	return [row for row in done if row.done_on == last]


def _mark_not_done(rows: list) -> None:
	values = {"done": 0, "done_on": None}
	bulk.update_rows("Milestone Task Assignee", {row.name: values for row in rows})


def _reopen(doc, plan, reason: str, assignees: list | None = None) -> None:
	"""Reopen a task.

	Args:
		doc: the task.
		plan: its plan, being changed.
		reason: why.
		assignees: those who have to do their part again; all by default.
	"""
	plan.check_is_active()
	stage = _check_can_reopen(doc, plan)
	again = [row for row in doc.assignees if row.done] if assignees is None else assignees
	_mark_not_done(again)
	_set(
		doc,
		status=TaskStatus.OPEN.value,
		closed_on=None,
		closed_by=None,
		reason=reason,
		**_caught_up_date(doc, plan, stage),
	)
	for user in _users_to_do(doc, again):
		todos.reopen(doc.name, user=user)
	todos.update_open(doc.name)
	log(doc, plan, PlanEvent.TASK_REOPENED, reason)


def _users_to_do(doc, again: list) -> list[str | None]:
	"""Return whose to-dos are open again with a task; [None] for those of everybody."""
	waiting = [row for row in doc.assignees if not row.done or row in again]
	return [None] if len(waiting) == len(doc.assignees) else [row.user for row in waiting if row.user]


def _was_just_completed(doc) -> bool:
	"""Tell whether the session user completed a task a moment ago."""
	is_own = doc.status == TaskStatus.COMPLETED and doc.closed_by == frappe.session.user
	return is_own and _is_just_now(doc.closed_on)


def _is_just_now(moment) -> bool:
	"""Tell whether something was done so short a time ago that it can be taken back without a reason."""
	return bool(moment) and 0 <= time_diff_in_seconds(now_datetime(), moment) <= UNDO_SECONDS


def _check_can_reopen(doc, plan):
	"""Return the stage of a task that may be reopened.

	Raises:
		frappe.ValidationError: as `reopen`.
	"""
	if doc.status == TaskStatus.OPEN:
		frappe.throw(_("The task {0} is already open.").format(doc.title))
	stage = stage_of_task(plan, doc)
	if not stage:
		frappe.throw(
			_(
				"The task {0} cannot be reopened: its milestone {1} is no longer part of the plan. Add a new task to another milestone."
			).format(doc.title, doc.stage_name)
		)
	if stage.status == StageStatus.REACHED:
		frappe.throw(
			_("{0} is already reached. Undo it first, then reopen the task {1}.").format(
				stage.stage_name, doc.title
			)
		)
	check_takes_tasks(plan, stage)
	return stage


def _caught_up_date(doc, plan, stage) -> dict:
	"""Return the new due date of a closed task whose stage has moved meanwhile; its reminders start again."""
	task = planned_task(doc)
	key_date = stage.key_date and getdate(stage.key_date)
	due_date = task_dates.reopened_due_date(task, key_date, plan_rows.calendar_of(plan))
	return {} if due_date == task.due_date else {"due_date": due_date, **FRESH_TASK_STAMPS}


def waive(task: str, reason: str) -> None:
	"""Waive a task: it no longer blocks its stage although nobody has completed it.

	Args:
		task: name of the task.
		reason: why; required and logged.

	Raises:
		frappe.ValidationError: there is no reason, or the task is not open.
	"""
	reason = check_reason(reason)
	with changing_task(task) as (doc, plan):
		plan.check_is_active()
		_check_is_open(doc)
		_close(doc, plan, TaskStatus.WAIVED, frappe.session.user, reason, PlanEvent.TASK_WAIVED)


def cancel(task: str, reason: str) -> None:
	"""Cancel a task that is no longer needed.

	Args:
		task: name of the task.
		reason: why; required and logged.

	Raises:
		frappe.ValidationError: there is no reason, or the task is not open.
	"""
	reason = check_reason(reason)
	with changing_task(task) as (doc, plan):
		_check_is_open(doc)
		_close(doc, plan, TaskStatus.CANCELLED, frappe.session.user, reason, PlanEvent.TASK_CANCELLED)


def cancel_all(plan: str, reason: str, stamp) -> None:
	"""Cancel the open tasks of a plan, with a constant number of statements.

	Args:
		plan: name of the plan, locked.
		reason: stored with each task.
		stamp: time at which they are cancelled.
	"""
	names = [task.name for task in plan_rows.task_rows(plan, lock=True) if task.status == TaskStatus.OPEN]
	values = {
		"status": TaskStatus.CANCELLED.value,
		"closed_on": stamp,
		"closed_by": frappe.session.user,
		"reason": reason,
	}
	bulk.update_rows("Milestone Task", {name: values for name in names})
	todos.cancel(names)


def add(plan: str, stage: str, **fields) -> str:
	"""Add a task to a running plan.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage.
		fields: field values of Milestone Task; `title` is required.

	Returns:
		str: name of the task.

	Raises:
		frappe.ValidationError: the stage takes no tasks or is reached, or the task would be due after it.
	"""
	with changing(plan) as plan:
		plan.check_is_active()
		place = {"plan": plan.name, "plan_stage": plan.stage(stage).name}
		task = frappe.get_doc({"doctype": "Milestone Task", **fields, **place})
		task.insert(ignore_permissions=True)  # the caller checked the right to add to this plan
		return task.name


def check_takes_tasks(plan: plan_rows.Plan, stage) -> None:
	"""Refuse a new task for a stage that is an acceptance or reached.

	Args:
		plan: the plan.
		stage: row of the stage.

	Raises:
		frappe.ValidationError: the stage is an acceptance or reached, or the plan is cancelled.
	"""
	if stage.kind == StageKind.ACCEPTANCE:
		frappe.throw(
			_(
				"{0} is an acceptance milestone and cannot have tasks. Add the task to another milestone."
			).format(stage.stage_name),
			title=_("No Tasks Allowed"),
		)
	if plan.status == PlanStatus.CANCELLED:
		plan.check_is_active()
	if stage.status == StageStatus.REACHED:
		frappe.throw(
			_("{0} is already reached. Add the task to a later milestone, or undo this one first.").format(
				stage.stage_name
			)
		)


# Shared steps


@contextmanager
def changing_task(task: str):
	"""Open a task and its plan for changes, locked in this order everywhere: plan, then task.

	Args:
		task: name of the task.

	Yields:
		tuple: the Milestone Task document and the plan, both locked until the end of the transaction.

	Raises:
		frappe.DoesNotExistError: there is no such task.
		ConflictError: somebody else is changing the plan.
	"""
	plan_name = frappe.db.get_value("Milestone Task", task, "plan")
	if not plan_name:
		frappe.throw(_("Milestone Task {0} does not exist.").format(task), frappe.DoesNotExistError)
	with changing(plan_name) as plan:
		yield frappe.get_doc("Milestone Task", task, for_update=frappe.db.db_type != "sqlite"), plan


def _check_is_open(doc) -> None:
	if doc.status != TaskStatus.OPEN:
		frappe.throw(
			_("The task {0} is {1}. Only open tasks can be waived or cancelled.").format(
				doc.title, _(doc.status)
			),
			title=_("Task Is Not Open"),
		)


def _close(doc, plan, status: TaskStatus, by: str, reason: str, event: PlanEvent) -> None:
	_set(doc, status=status.value, closed_on=now_datetime(), closed_by=by, reason=reason)
	if status is TaskStatus.CANCELLED:
		todos.cancel(doc.name)
	else:
		todos.close(doc.name)
	log(doc, plan, event, reason)


def _set(doc, **values) -> None:
	"""Change a task with its document events, but without the checks meant for edits by users."""
	mark(doc, Mark.BY_ENGINE)
	doc.db_set(values)


def log(doc, plan, event: PlanEvent, reason: str) -> None:
	"""Log an event of a task and have the open tasks of its plan counted again.

	Args:
		doc: the task.
		plan: its plan, being changed.
		event: what happened.
		reason: why; may be empty.
	"""
	plan.forget_tasks()
	stage = stage_of_task(plan, doc)
	plan_log.write(plan, event, stage=stage, task=doc.name, reason=reason, details=doc.title)


def stage_of_task(plan, doc):
	"""Return the stage of a task; None for a closed task whose stage a new version of the workflow removed.

	Args:
		plan: the plan with its stages.
		doc: the Milestone Task, document or row.
	"""
	return next((row for row in plan.stages if row.name == doc.plan_stage), None)
