"""Finding the assignees of open tasks anew when the document's supplier or users change."""

from collections import defaultdict

import frappe

from milestone_automation.engine.base import bulk
from milestone_automation.engine.people import assignees, todos
from milestone_automation.engine.rules.vocabulary import AssigneeKind
from milestone_automation.engine.store import plan_rows


def assign_anew(plan: plan_rows.Plan, doc, changed_fields: set[str], supplier_field: str) -> None:
	"""Find the assignees of open tasks anew whose supplier or user field changed. Who is done stays."""
	affected = [
		task
		for task in plan.open_tasks()
		if (task.assignee_kind == AssigneeKind.USER_FIELD and task.assignee_field in changed_fields)
		or (task.assignee_kind == AssigneeKind.ALL_SUPPLIER_CONTACTS and supplier_field in changed_fields)
	]
	if not affected:
		return
	people = assignees.prefetch(affected, doc, plan)
	todos.cancel([task.name for task in affected])
	replace_assignees({task.name: assignees.resolve(task, doc, plan, cache=people) for task in affected})


def replace_assignees(people: dict[str, list[dict]]) -> None:
	"""Give tasks other assignees, and these their to-dos. Who has done their part stays and is not asked again.

	Args:
		people: by name of the task, as `assignees.resolve` finds them.
	"""
	done = _done_rows(list(people))
	rows = []
	for task, found in people.items():
		known = set().union(*(identifiers_of(row) for row in done[task]))
		asked = [person for person in found if not known & identifiers_of(person)]
		first = max((row.idx for row in done[task]), default=0) + 1
		place = {"parent": task, "parenttype": "Milestone Task", "parentfield": "assignees"}
		rows += [{**person, **place, "idx": idx} for idx, person in enumerate(asked, first)]
	frappe.db.delete("Milestone Task Assignee", {"parent": ("in", list(people)), "done": 0})
	bulk.insert_rows("Milestone Task Assignee", rows)
	todos.assign(list(people))


def _done_rows(tasks: list[str]) -> dict[str, list]:
	"""Return the rows of those who have done their part, by task."""
	filters = {"parenttype": "Milestone Task", "parent": ("in", tasks), "done": 1}
	found = defaultdict(list)
	fields = ["parent", "user", "email", "idx"]
	for row in frappe.get_all("Milestone Task Assignee", filters=filters, fields=fields):
		found[row.parent].append(row)
	return found


def identifiers_of(person) -> set[str]:
	"""Return the user id and the address that a person is known by."""
	return {name for name in (person.get("user"), person.get("email")) if name}
