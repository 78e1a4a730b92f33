"""Frappe's to-dos for the assignees of tasks.

To-dos are written in bulk and without document events: five hundred tasks do not send five hundred notifications, and
nothing triggers `todo_changes.on_todo_change`, which handles what people do to a to-do in the desk.
"""

import json
from collections import defaultdict
from collections.abc import Iterable

import frappe
from frappe import _
from frappe.utils import escape_html, get_fullname, today

from milestone_automation.engine.base import bulk
from milestone_automation.engine.people import assignees
from milestone_automation.engine.rules.vocabulary import TaskStatus

TASK = "Milestone Task"
OPEN, CLOSED, CANCELLED = "Open", "Closed", "Cancelled"


# From the task to its to-dos


def assign(task_names: Iterable[str]) -> None:
	"""Create the missing to-dos of open tasks, one for each assignee who is a system user.

	To-dos of users who are no longer assignees are cancelled. At most six statements for a thousand tasks.

	Args:
		task_names: names of Milestone Tasks; closed tasks are skipped.
	"""
	tasks = _open_tasks(_names(task_names))
	if not tasks:
		return
	expected = _expected(tasks)
	todos = _todos(tasks, (OPEN, CLOSED))
	existing = {(todo.reference_name, todo.allocated_to) for todo in todos}
	bulk.insert_rows(
		"ToDo", [_todo(tasks[task], user) for task, user in expected if (task, user) not in existing]
	)
	obsolete = [
		todo.name
		for todo in todos
		if todo.status == OPEN and (todo.reference_name, todo.allocated_to) not in expected
	]
	_set_status(obsolete, CANCELLED)
	_update_assign_column(tasks)


def close(task: str | Iterable[str], user: str | None = None) -> None:
	"""Close the open to-dos of one or several tasks.

	Args:
		task: name of the task, or names.
		user: assignee whose to-do is closed; all assignees by default.
	"""
	_move(_names(task), (OPEN,), CLOSED, user)


def cancel(task: str | Iterable[str]) -> None:
	"""Cancel the open to-dos of one or several tasks.

	Args:
		task: name of the task, or names.
	"""
	_move(_names(task), (OPEN,), CANCELLED)


def reopen(task: str | Iterable[str], user: str | None = None) -> None:
	"""Reopen the closed to-dos of one or several open tasks and create missing ones.

	Args:
		task: name of the task, or names.
		user: assignee whose to-do is reopened; all assignees by default.
	"""
	names = _names(task)
	_move(names, (CLOSED,), OPEN, user)
	assign(names)


def update_open(task: str | Iterable[str], text: bool = False) -> None:
	"""Update the open to-dos of open tasks to the due dates of the tasks. Two queries, one update for each date.

	Args:
		task: name of the task, or names.
		text: whether to update the description too, because the title or the name of the document changed.
	"""
	tasks = _open_tasks(_names(task))
	changes = {}
	for todo in _todos(tasks, (OPEN,)) if tasks else []:
		task_row = tasks[todo.reference_name]
		changes[todo.name] = {"date": task_row.due_date} if task_row.due_date else {}
		if text:
			changes[todo.name]["description"] = _describe(task_row)
	bulk.update_rows("ToDo", changes)


def _names(task: str | Iterable[str]) -> list[str]:
	return [task] if isinstance(task, str) else list(task)


def _open_tasks(names: list[str]) -> dict[str, dict]:
	if not names:
		return {}
	rows = frappe.get_all(
		TASK,
		filters={"name": ("in", names), "status": TaskStatus.OPEN.value},
		fields=["name", "title", "stage_name", "due_date", "reference_type", "reference_name"],
	)
	return {row.name: row for row in rows}


def _expected(tasks: Iterable[str]) -> dict[tuple[str, str], None]:
	"""Return (task, user) of each to-do that should exist, in the order of the assignees."""
	row, user = frappe.qb.DocType("Milestone Task Assignee"), frappe.qb.DocType("User")
	query = frappe.qb.from_(row).join(user).on(user.name == row.user).select(row.parent, row.user)
	query = query.where((row.parenttype == TASK) & row.parent.isin(list(tasks)))
	query = query.where((user.enabled == 1) & (user.user_type == assignees.SYSTEM_USER) & (row.done == 0))
	return {(assignee.parent, assignee.user): None for assignee in query.orderby(row.idx).run(as_dict=True)}


def _todos(tasks: Iterable[str], statuses: tuple[str, ...], user: str | None = None) -> list[dict]:
	filters = {"reference_type": TASK, "reference_name": ("in", list(tasks)), "status": ("in", statuses)}
	filters["allocated_to"] = user or ("is", "set")
	fields = ["name", "reference_name", "allocated_to", "status"]
	return frappe.get_all("ToDo", filters=filters, fields=fields, order_by="creation asc, allocated_to asc")


def _todo(task: dict, user: str) -> dict:
	by = frappe.session.user if frappe.session.user != assignees.GUEST else assignees.ADMINISTRATOR
	return {
		"status": OPEN,
		"priority": "Medium",
		"date": task.due_date or today(),  # like Frappe's own assignments without a date
		"allocated_to": user,
		"description": _describe(task),
		"reference_type": TASK,
		"reference_name": task.name,
		"assigned_by": by,
		"assigned_by_full_name": get_fullname(by),
	}


def _describe(task: dict) -> str:
	"""Return the description of a to-do. It names the document but shows none of its content."""
	names = (task.title, task.stage_name, _(task.reference_type), task.reference_name)
	return _("{0} (task of the milestone {1}, {2} {3})").format(*(escape_html(name) for name in names))


def _move(tasks: list[str], statuses: tuple[str, ...], status: str, user: str | None = None) -> None:
	"""Set the status of the to-dos of some tasks. Three statements for any number of tasks."""
	todos = _todos(tasks, statuses, user) if tasks else []
	_set_status([todo.name for todo in todos], status)
	if todos:
		_update_assign_column({todo.reference_name for todo in todos})


def _set_status(todos: list[str], status: str) -> None:
	bulk.update_rows("ToDo", {name: {"status": status} for name in todos})


def _update_assign_column(tasks: Iterable[str]) -> None:
	"""Write the users with an open to-do to the column `_assign`, which lists in the desk show."""
	assigned = defaultdict(list)
	for todo in _todos(tasks, (OPEN,)):
		assigned[todo.reference_name].append(todo.allocated_to)
	bulk.update_rows(TASK, {task: {"_assign": json.dumps(assigned[task])} for task in tasks})
