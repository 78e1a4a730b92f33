"""The stored assignees of tasks: reading and inserting their rows, and the names that users see."""

from collections import defaultdict
from collections.abc import Iterable

import frappe

from milestone_automation.engine.base import bulk, locks

ASSIGNEE = "Milestone Task Assignee"
TASK = "Milestone Task"
COLUMNS = ("name", "parent", "user", "contact", "full_name", "email", "done", "done_on", "idx")


def rows_by_task(tasks: Iterable[str], lock: bool = False) -> dict[str, list]:
	"""Return the assignee rows of tasks, in order, with one query.

	Args:
		tasks: names of the tasks.
		lock: lock the rows until the end of the transaction; the plan must be locked first.

	Returns:
		dict: rows by name of the task; an empty list for tasks without assignees.

	Raises:
		ConflictError: they are to be locked, and somebody else is changing one.
	"""
	rows_of_task = defaultdict(list)
	tasks = list(tasks)
	if not tasks:
		return rows_of_task
	assignee = frappe.qb.DocType(ASSIGNEE)
	query = frappe.qb.from_(assignee).select(*(assignee[column] for column in COLUMNS))
	query = query.where((assignee.parenttype == TASK) & assignee.parent.isin(tasks)).orderby(assignee.idx)
	for row in locks.run_locked(query) if lock else query.run(as_dict=True):
		rows_of_task[row.parent].append(row)
	return rows_of_task


def insert(people_by_task: dict[str, list[dict]], first_idx: dict[str, int] | None = None) -> None:
	"""Insert assignee rows without document events, for all tasks together.

	Args:
		people_by_task: people as `assignees.resolve` returns them, by name of the task.
		first_idx: position of the first new row of each task; 1 by default.
	"""
	rows = [
		{**person, "parent": task, "parenttype": TASK, "parentfield": "assignees", "idx": idx}
		for task, people in people_by_task.items()
		for idx, person in enumerate(people, (first_idx or {}).get(task, 1))
	]
	bulk.insert_rows(ASSIGNEE, rows)


def display_name(assignee) -> str:
	"""Return the name of an assignee to show: full name, else user id or e-mail address.

	Args:
		assignee: row of Milestone Task Assignee.
	"""
	return assignee.full_name or assignee.user or assignee.email


def open_names(rows: Iterable) -> list[str]:
	"""Return the names of the assignees who have not completed their part.

	Args:
		rows: of Milestone Task Assignee.
	"""
	return [display_name(row) for row in rows if not row.done]


def identifiers_of(person) -> set[str]:
	"""Return the user id and e-mail address of a person; two rows that share one are the same person.

	Args:
		person: row of Milestone Task Assignee, or a person as `assignees.resolve` returns them.
	"""
	return {name for name in (person.get("user"), person.get("email")) if name}


def disabled_users(rows: Iterable) -> set[str]:
	"""Return the users among some assignees whose account is disabled. At most one query.

	Args:
		rows: of Milestone Task Assignee; those without an account are left out.

	Returns:
		set[str]: user ids.
	"""
	users = sorted({row.user for row in rows if row.user})
	if not users:
		return set()
	return set(
		frappe.get_all("User", filters={"name": ("in", users), "enabled": 0}, pluck="name", order_by=None)
	)
