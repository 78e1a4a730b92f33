"""What a changed to-do does to its task: complete it, reopen it, assign or unassign somebody."""

from typing import NamedTuple

import frappe
from frappe import _
from frappe.utils import get_fullname

from milestone_automation.engine.base import bulk
from milestone_automation.engine.people import assigned, rights, todos
from milestone_automation.engine.progress import tasks
from milestone_automation.engine.rules.vocabulary import TaskStatus
from milestone_automation.engine.store import sweep_requests


class Assignment(NamedTuple):
	"""The assignment of a task to a user, as a to-do says it."""

	task: str
	user: str
	status: str


def on_todo_change(doc, method=None) -> None:
	"""Hook: apply changes of a to-do to its task.

	Args:
		doc: the ToDo.
		method: on_update, which also runs after an insert, or on_trash.

	Raises:
		frappe.PermissionError: the user may not do that to the task; the to-do stays the same.
	"""
	if method == "on_trash":
		before, after = _read(doc), None
	else:
		before, after = _read(doc.get_doc_before_save()), _read(doc)
	if before and after and before[:2] == after[:2]:
		if before.status != after.status:
			_apply_status(after)
		return
	if before and before.status == todos.OPEN:
		_unassign(before)
	if after and after.status == todos.OPEN:
		_assign(after)


def _read(todo) -> Assignment | None:
	"""Return the assignment in a to-do; None if it is about something else or nobody's."""
	if not todo or todo.reference_type != todos.TASK or not todo.reference_name or not todo.allocated_to:
		return None
	return Assignment(todo.reference_name, todo.allocated_to, todo.status)


def _apply_status(todo: Assignment) -> None:
	{todos.OPEN: _reopen, todos.CLOSED: _complete, todos.CANCELLED: _unassign}[todo.status](todo)


def _complete(todo: Assignment) -> None:
	task = _task(todo)
	if task and task.status == TaskStatus.OPEN:
		_check_may_act(task, todo.user)
		tasks.complete(task.name, by=todo.user)


def _reopen(todo: Assignment) -> None:
	task = _task(todo)
	if not task:
		return
	if not rights.is_assigned(task, todo.user):
		_assign(todo)
		return
	_check_may_act(task, todo.user)
	if task.status == TaskStatus.OPEN:
		_mark_not_done(todo)
		sweep_requests.recheck(task.plan)
	elif task.status == TaskStatus.COMPLETED or rights.can_direct_task(task):
		tasks.reopen(task.name, _("Reopened from the ToDo list."))
	else:
		frappe.throw(
			_("The task {0} is {1}. Ask a Milestone Manager to reopen it.").format(
				task.title, _(task.status)
			),
			frappe.PermissionError,
		)


def _assign(todo: Assignment) -> None:
	"""Add the user of a new to-do to the assignees."""
	task = _task(todo)
	if not task:
		return
	has_it = task.status == TaskStatus.OPEN and rights.is_assigned(task, todo.user)
	if has_it and rights.visible_tasks([task]):
		return
	if not rights.can_assign(task):
		frappe.throw(
			_(
				"You may not assign the task {0}. Ask a Milestone Manager or the owner of its milestone."
			).format(_shown(task)),
			frappe.PermissionError,
		)
	if task.status != TaskStatus.OPEN:
		frappe.throw(_("The task {0} is {1}. Reopen it first.").format(task.title, _(task.status)))
	person = frappe.db.get_value("User", todo.user, ["name as user", "full_name", "email"], as_dict=True)
	rows = assigned.rows_by_task([task.name])[task.name]
	assigned.insert({task.name: [person]}, {task.name: rows[-1].idx + 1 if rows else 1})
	frappe.clear_document_cache(todos.TASK, task.name)
	sweep_requests.recheck(task.plan)


def _unassign(todo: Assignment) -> None:
	"""Remove the user of a removed to-do from the assignees, unless they have completed their part."""
	task = _task(todo)
	if not task or task.status != TaskStatus.OPEN or not rights.is_assigned(task, todo.user):
		return
	if todo.user != frappe.session.user and not rights.can_assign(task):
		frappe.throw(
			_("You may not remove {1} from the task {0}.").format(_shown(task), get_fullname(todo.user)),
			frappe.PermissionError,
		)
	frappe.db.delete(
		assigned.ASSIGNEE, {"parenttype": todos.TASK, "parent": todo.task, "user": todo.user, "done": 0}
	)
	frappe.clear_document_cache(todos.TASK, task.name)
	sweep_requests.recheck(task.plan)
	tasks.complete_if_nobody_is_left(task.name)


def _mark_not_done(todo: Assignment) -> None:
	rows = assigned.rows_by_task([todo.task])[todo.task]
	names = [row.name for row in rows if row.user == todo.user and row.done]
	bulk.update_rows("Milestone Task Assignee", {name: {"done": 0, "done_on": None} for name in names})
	frappe.clear_document_cache(todos.TASK, todo.task)


def _task(todo: Assignment):
	fields = ["name", "title", "status", "plan", "plan_stage", "reference_type", "reference_name"]
	return frappe.db.get_value(todos.TASK, todo.task, fields, as_dict=True)


def _shown(task) -> str:
	"""Return how a refusal calls a task: by its title only for who may see it."""
	return task.title if rights.visible_tasks([task]) else task.name


def _check_may_act(task, user: str) -> None:
	"""Refuse unless the to-do is the session user's own, as an assignee, or the user directs the task."""
	is_own_part = user == frappe.session.user and rights.is_assigned(task, user)
	if not is_own_part and not rights.can_direct_task(task):
		frappe.throw(
			_("You are not assigned to the task {0}, so you cannot close or open it.").format(_shown(task)),
			frappe.PermissionError,
			title=_("Not Permitted"),
		)
