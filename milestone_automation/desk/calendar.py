"""Tasks and key dates for Frappe's calendar."""

from datetime import date

import frappe
from frappe.utils import nowdate

from milestone_automation.desk import list_filters, my_work
from milestone_automation.desk.list_filters import ListFilter
from milestone_automation.engine.people import readable
from milestone_automation.engine.rules.vocabulary import Health, TaskStatus

# Frappe's calendar needs hexadecimal colours; these are the colours of the panel.
HEALTH_COLORS = {
	Health.ON_TRACK: "#70b6f0",
	Health.AT_RISK: "#e86c13",
	Health.BLOCKED: "#9c45e3",
	Health.LATE: "#e03636",
	Health.SKIPPED: "#8d99a6",
	Health.ON_HOLD: "#8d99a6",
	Health.DONE: "#30a66d",
}


def task_events(start: date, end: date, filters: list[ListFilter] | None = None) -> list[dict]:
	"""Return the tasks due between two dates that the user may see, for Frappe's calendar.

	Args:
		start, end: first and last day.
		filters: filters of the list, as `list_filters.parse` returns them.
	"""
	task, plan = frappe.qb.DocType("Milestone Task"), frappe.qb.DocType("Milestone Plan")
	query = readable.rows("Milestone Task").where(task.due_date[start:end])
	tasks = (
		list_filters.apply(query, "Milestone Task", filters or [])
		.left_join(plan)
		.on(plan.name == task.plan)
		.select(task.name, task.title, task.due_date, task.status, task.reference_name, plan.on_hold_since)
		.orderby(task.due_date)
		.limit(my_work.MAX_ROWS)
		.run(as_dict=True)
	)
	for task in tasks:
		task.update(_event(task.title, task.reference_name, _health_of_task(task, task.pop("on_hold_since"))))
	return tasks


def stage_events(start: date, end: date, filters: list[ListFilter] | None = None) -> list[dict]:
	"""Return the key dates between two dates, of plans that the user may see, for Frappe's calendar.

	Args:
		start, end, filters: as in `task_events`.
	"""
	plan, stage = frappe.qb.DocType("Milestone Plan"), frappe.qb.DocType("Milestone Plan Stage")
	due = frappe.qb.from_(stage).where(stage.key_date[start:end]).where(stage.parenttype == "Milestone Plan")
	query = readable.rows("Milestone Plan").where(plan.name.isin(due.select(stage.parent)))
	plans = list_filters.apply(query, "Milestone Plan", filters or [])
	plans = plans.select(plan.name, plan.reference_name).limit(my_work.MAX_ROWS).run(as_dict=True)
	if not plans:
		return []
	documents = {row.name: row.reference_name for row in plans}
	stages = (
		due.where(stage.parent.isin(list(documents)))
		.select(stage.parent, stage.stage_name, stage.key_date, stage.health)
		.orderby(stage.key_date)
		.limit(my_work.MAX_ROWS)
		.run(as_dict=True)
	)
	return [
		{
			"name": stage.parent,
			"created_from": stage.key_date,
			"next_date": stage.key_date,
			# The calendar does not let users drag submitted documents: moving a date needs a reason.
			"docstatus": 1,
			**_event(stage.stage_name, documents[stage.parent], Health(stage.health)),
		}
		for stage in stages
	]


def _event(title: str, document: str, health: Health) -> dict:
	return {"title": f"{title} ({document})", "all_day": 1, "color": HEALTH_COLORS[health]}


def _health_of_task(task, on_hold_since) -> Health:
	if task.status != TaskStatus.OPEN:
		return Health.DONE
	if on_hold_since:
		return Health.ON_HOLD
	return Health.LATE if str(task.due_date) < nowdate() else Health.ON_TRACK
