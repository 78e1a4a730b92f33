"""Tasks and key dates for Frappe's calendar."""

import frappe
from frappe.utils import (
	nowdate,
)

from milestone_automation.desk import my_work
from milestone_automation.engine.rules.vocabulary import Health, TaskStatus

# Calendars take hex colours only; the same hues as the panel's.
HEALTH_COLORS = {
	Health.ON_TRACK: "#70b6f0",
	Health.AT_RISK: "#e86c13",
	Health.BLOCKED: "#9c45e3",
	Health.LATE: "#e03636",
	Health.DONE: "#30a66d",
}


def task_events(
	start: str,
	end: str,
	filters: str | list | dict | None = None,
) -> list[dict]:
	"""Return the tasks due between two days for Frappe's calendar; only those the user may see.

	Args:
		start, end: ISO dates or datetimes.
		filters: of the list, as Frappe's calendar sends them.
	"""
	filters = _list_filters(filters, "Milestone Task")
	filters.append(["Milestone Task", "due_date", "between", [start[:10], end[:10]]])
	rows = frappe.get_list(
		"Milestone Task",
		filters=filters,
		fields=["name", "title", "due_date", "status", "reference_name"],
		limit=my_work.MAX_ROWS,
	)
	today = nowdate()
	for row in rows:
		late = row.status == TaskStatus.OPEN and str(row.due_date) < today
		health = Health.LATE if late else Health.ON_TRACK if row.status == TaskStatus.OPEN else Health.DONE
		row.update(all_day=1, color=HEALTH_COLORS[health], title=f"{row.title} ({row.reference_name})")
	return rows


def stage_events(
	start: str,
	end: str,
	filters: str | list | dict | None = None,
) -> list[dict]:
	"""Return the milestones whose key date is between two days for Frappe's calendar; only of plans the user may see.

	Args: as `task_events`.
	"""
	days = ["between", [start[:10], end[:10]]]
	filters = [*_list_filters(filters, "Milestone Plan"), ["Milestone Plan Stage", "key_date", *days]]
	plans = frappe.get_list(
		"Milestone Plan",
		filters=filters,
		fields=["name", "reference_name"],
		distinct=True,
		limit=my_work.MAX_ROWS,
	)
	documents = {plan.name: plan.reference_name for plan in plans}
	rows = frappe.get_all(
		"Milestone Plan Stage",
		filters={"parent": ("in", list(documents)), "key_date": days},
		fields=["parent", "stage_name", "key_date", "health"],
		limit=my_work.MAX_ROWS,
	)
	return [
		{
			"name": row.parent,
			"title": f"{row.stage_name} ({documents[row.parent]})",
			"created_from": row.key_date,
			"next_date": row.key_date,
			"all_day": 1,
			"color": HEALTH_COLORS[Health(row.health)],
			# Tells the calendar that nobody may drag it: a date moves with a reason.
			"docstatus": 1,
		}
		for row in rows
	]


def _list_filters(filters, doctype: str) -> list:
	filters = frappe.parse_json(filters) or []
	if isinstance(filters, dict):
		return [[doctype, name, "=", value] for name, value in filters.items()]
	return [row[:4] if len(row) > 3 else [doctype, *row] for row in filters]
