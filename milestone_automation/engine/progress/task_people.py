"""Replacing the assignees of open tasks, for example when the document's supplier or users change."""

import frappe

from milestone_automation.engine.people import assigned, assignees, todos
from milestone_automation.engine.progress import tasks
from milestone_automation.engine.rules.vocabulary import AssigneeKind
from milestone_automation.engine.store import plan_rows


def reassign(plan: plan_rows.Plan, doc, changed_fields: set[str], supplier_field: str) -> None:
	"""Replace the assignees of the open tasks whose supplier or user field changed in the document.

	Args:
		plan: locked.
		doc: the document with its new values.
		changed_fields: names of the changed fields.
		supplier_field: field that names the supplier.
	"""
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
	"""Replace the assignees of open tasks, with their to-dos. Who has completed their part stays and is not asked again.

	Args:
		people: people as `assignees.resolve` returns them, by name of the task.
	"""
	stored_assignees = assigned.rows_by_task(people)
	done = {task: [row for row in stored_assignees[task] if row.done] for task in people}
	added, first_idx = {}, {}
	for task, resolved in people.items():
		done_identifiers = set().union(*(assigned.identifiers_of(row) for row in done[task]))
		added[task] = [
			person for person in resolved if not done_identifiers & assigned.identifiers_of(person)
		]
		first_idx[task] = max((row.idx for row in done[task]), default=0) + 1
	frappe.db.delete(assigned.ASSIGNEE, {"parent": ("in", list(people)), "done": 0})
	assigned.insert(added, first_idx)
	todos.assign(list(people))
	for task in people:
		if done[task] and not added[task]:
			tasks.complete_if_nobody_is_left(task)
