"""A task's assignees and Frappe's to-dos for them, kept in step both ways.

The engine writes to-dos in bulk and past the document layer: five hundred tasks are no five hundred notifications, and
nothing of it comes back through `on_todo_change`. What people do to a to-do in the desk comes in there.
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
	"""Give each system user among the assignees of some open tasks a to-do; who has one keeps it.

	To-dos of users who are no assignees any more are cancelled. At most six statements a thousand tasks.

	Args:
		task_names: names of Milestone Tasks; closed ones are passed over.
	"""
	tasks = _open_tasks(_names(task_names))
	if not tasks:
		return
	wanted = _wanted(tasks)
	todos = _todos(tasks, (OPEN, CLOSED))
	present = {(todo.reference_name, todo.allocated_to) for todo in todos}
	bulk.insert_rows(
		"ToDo", [_todo(tasks[task], user) for task, user in wanted if (task, user) not in present]
	)
	surplus = [
		todo.name
		for todo in todos
		if todo.status == OPEN and (todo.reference_name, todo.allocated_to) not in wanted
	]
	_set_status(surplus, CANCELLED)
	_keep_assign_column(tasks)


def close(task: str | Iterable[str], user: str | None = None) -> None:
	"""Close the open to-dos of a task, or of several.

	Args:
		task: name of the task, or names.
		user: whose to-do; of all assignees when left out.
	"""
	_move(_names(task), (OPEN,), CLOSED, user)


def cancel(task: str | Iterable[str]) -> None:
	"""Cancel the open to-dos of a task, or of several: nobody is to do them any more.

	Args:
		task: name of the task, or names.
	"""
	_move(_names(task), (OPEN,), CANCELLED)


def reopen(task: str | Iterable[str], user: str | None = None) -> None:
	"""Open the to-dos of a task again, or of several; assignees without one get one.

	Args:
		task: name of the task, or names; they must be open already.
		user: whose to-do; of all assignees when left out.
	"""
	names = _names(task)
	_move(names, (CLOSED,), OPEN, user)
	assign(names)


def follow(task: str | Iterable[str], text: bool = False) -> None:
	"""Bring the open to-dos of some open tasks to the tasks' due dates. Two reads, one write for each date.

	Args:
		task: name of the task, or names.
		text: whether what a to-do says may be out of date too: the title, the document's name.
	"""
	tasks = _open_tasks(_names(task))
	changes = {}
	for todo in _todos(tasks, (OPEN,)) if tasks else []:
		about = tasks[todo.reference_name]
		changes[todo.name] = {"date": about.due_date} if about.due_date else {}
		if text:
			changes[todo.name]["description"] = _describe(about)
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


def _wanted(tasks: Iterable[str]) -> dict[tuple[str, str], None]:
	"""Return task and user of each to-do there should be, in the order of the assignees."""
	row, user = frappe.qb.DocType("Milestone Task Assignee"), frappe.qb.DocType("User")
	query = frappe.qb.from_(row).join(user).on(user.name == row.user).select(row.parent, row.user)
	query = query.where((row.parenttype == TASK) & row.parent.isin(list(tasks)))
	query = query.where((user.enabled == 1) & (user.user_type == assignees.SYSTEM_USER) & (row.done == 0))
	return {(found.parent, found.user): None for found in query.orderby(row.idx).run(as_dict=True)}


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
		"date": task.due_date or today(),  # as core's own assignments without a date
		"allocated_to": user,
		"description": _describe(task),
		"reference_type": TASK,
		"reference_name": task.name,
		"assigned_by": by,
		"assigned_by_full_name": get_fullname(by),
	}


def _describe(task: dict) -> str:
	"""Return the text of a to-do. It names the document, which its reader may know anyway, and nothing of its content."""
	return _("{0} (task of the milestone {1}, {2} {3})").format(
		escape_html(task.title), escape_html(task.stage_name), _(task.reference_type), task.reference_name
	)


def _move(tasks: list[str], statuses: tuple[str, ...], status: str, user: str | None = None) -> None:
	"""Give to-dos of some tasks another status. Three statements, however many tasks."""
	todos = _todos(tasks, statuses, user) if tasks else []
	_set_status([todo.name for todo in todos], status)
	if todos:
		_keep_assign_column({todo.reference_name for todo in todos})


def _set_status(todos: list[str], status: str) -> None:
	bulk.update_rows("ToDo", {name: {"status": status} for name in todos})


def _keep_assign_column(tasks: Iterable[str]) -> None:
	"""Write who has an open to-do where the desk's lists look for it."""
	assigned = defaultdict(list)
	for todo in _todos(tasks, (OPEN,)):
		assigned[todo.reference_name].append(todo.allocated_to)
	bulk.update_rows(TASK, {task: {"_assign": json.dumps(assigned[task])} for task in tasks})
