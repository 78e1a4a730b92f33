"""Tasks and key dates for Frappe's calendar."""

import frappe
from frappe.utils import (
	nowdate,
)

from milestone_automation.desk import my_work
from milestone_automation.engine.base import clock
from milestone_automation.engine.rules.vocabulary import Health, TaskStatus

# Frappe's calendar needs hexadecimal colours; these are the colours of the panel.
HEALTH_COLORS = {
	Health.ON_TRACK: "#70b6f0",
	Health.AT_RISK: "#e86c13",
	Health.BLOCKED: "#9c45e3",
	Health.LATE: "#e03636",
	Health.DONE: "#30a66d",
}


def task_events(start: str, end: str, filters: str | list | dict | None = None) -> list[dict]:
	"""Return the tasks due between two dates that the user may see, for Frappe's calendar.

	Args:
		start, end: ISO dates or datetimes.
		filters: filters of the list, as Frappe's calendar sends them.
	"""
	filters = _list_filters(filters, "Milestone Task")
	filters.append(["Milestone Task", "due_date", *_between(start, end)])
	tasks = frappe.get_list(
		"Milestone Task",
		filters=filters,
		fields=["name", "title", "due_date", "status", "reference_name"],
		limit=my_work.MAX_ROWS,
	)
	for task in tasks:
		task.update(_event(task.title, task.reference_name, _health_of_task(task)))
	return tasks


def stage_events(start: str, end: str, filters: str | list | dict | None = None) -> list[dict]:
	"""Return the key dates between two dates, of plans that the user may see, for Frappe's calendar.

	Args:
		start, end, filters: as in `task_events`.
	"""
	days = _between(start, end)
	filters = [*_list_filters(filters, "Milestone Plan"), ["Milestone Plan Stage", "key_date", *days]]
	plans = frappe.get_list(
		"Milestone Plan",
		filters=filters,
		fields=["name", "reference_name"],
		distinct=True,
		limit=my_work.MAX_ROWS,
	)
	documents = {plan.name: plan.reference_name for plan in plans}
	stages = frappe.get_all(
		"Milestone Plan Stage",
		filters={"parent": ("in", list(documents)), "key_date": days},
		fields=["parent", "stage_name", "key_date", "health"],
		limit=my_work.MAX_ROWS,
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


def _between(start: str, end: str) -> list:
	# Frappe writes the dates of this filter into the SQL as they are, so they must be dates.
	return ["between", [str(clock.parse_day(start)), str(clock.parse_day(end))]]


def _event(title: str, document: str, health: Health) -> dict:
	return {"title": f"{title} ({document})", "all_day": 1, "color": HEALTH_COLORS[health]}


def _health_of_task(task) -> Health:
	if task.status != TaskStatus.OPEN:
		return Health.DONE
	return Health.LATE if str(task.due_date) < nowdate() else Health.ON_TRACK


def _list_filters(filters, doctype: str) -> list:
	filters = frappe.parse_json(filters) or []
	if isinstance(filters, dict):
		return [[doctype, name, "=", value] for name, value in filters.items()]
	rows = [row[:4] if len(row) > 3 else [doctype, *row] for row in filters]
	return [_with_dates(row) for row in rows]


def _with_dates(row: list) -> list:
	"""Return a filter of a list; the bounds of a period are parsed, as Frappe does not."""
	if str(row[2]).strip().lower() != "between":
		return row
	bounds = row[3] if isinstance(row[3], list | tuple) else []
	return [*row[:3], [str(clock.parse_day(bound)) for bound in bounds[:2]]]
