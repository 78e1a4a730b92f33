"""Number cards and charts of the workspace. Every number is of documents that the user may read."""

import frappe
from frappe import _
from frappe.utils import (
	add_days,
	get_first_day,
	get_first_day_of_week,
	get_last_day_of_week,
	getdate,
	nowdate,
)

from milestone_automation.desk import my_work
from milestone_automation.engine.people import rights
from milestone_automation.engine.review import totals
from milestone_automation.engine.rules.vocabulary import Health

# What Frappe shows of a card without a number.
NO_NUMBER = "-"
# In this order, whatever their numbers: the chart gives colors by position.
CHARTED_HEALTH = (
	Health.ON_TRACK,
	Health.AT_RISK,
	Health.BLOCKED,
	Health.LATE,
	Health.SKIPPED,
	Health.ON_HOLD,
)


# As Frappe's reports do: on a site with a replica they read there.
@frappe.read_only()
def on_time_this_month() -> dict | str:
	"""Return the percentage of milestones reached by their key date: of those reached or overdue this month.

	Raises:
		frappe.PermissionError: the user does not work in the desk.
	"""
	rights.check_desk_user()
	today = getdate(nowdate())
	first = getdate(get_first_day(today))
	reached, in_time = totals.reached_since(first)
	# As the report counts it, to which the card leads.
	due = reached + totals.due_between(first, add_days(today, -1))
	if not due:
		return NO_NUMBER
	return {
		"value": round(100 * in_time / due, 1),
		"fieldtype": "Percent",
		# By default Frappe shows the site's three decimals: "62,700 %" reads like thousands.
		"precision": 1,
		"route": ["query-report", "On-time Performance"]
		if rights.can_manage()
		else ["List", "Milestone Plan"],
	}


@frappe.read_only()
def milestones_due_this_week() -> dict:
	"""Return how many open milestones have their key date in this week, which begins as the site's weeks do.

	Raises:
		frappe.PermissionError: the user does not work in the desk.
	"""
	rights.check_desk_user()
	today = getdate(nowdate())
	first, last = getdate(get_first_day_of_week(today)), getdate(get_last_day_of_week(today))
	route = ["List", "Milestone Plan"]
	return {"value": totals.due_between(first, last), "fieldtype": "Int", "route": route}


def my_tasks_due() -> dict:
	"""Return how many open tasks of the user are due today or overdue.

	Raises:
		frappe.PermissionError: the user does not work in the desk.
	"""
	return _due_until_today(my_work.my_work()["tasks"], "due_date")


def my_milestones_due() -> dict:
	"""Return how many open milestones of the user have their key date today or before.

	Raises:
		frappe.PermissionError: the user does not work in the desk.
	"""
	return _due_until_today(my_work.my_work()["stages"], "key_date")


def _due_until_today(rows: list, fieldname: str) -> dict:
	today = getdate(nowdate())
	due = [row for row in rows if row.get(fieldname) and getdate(row.get(fieldname)) <= today]
	return {"value": len(due), "fieldtype": "Int", "route": ["my-milestones"]}


@frappe.read_only()
def plans_by_health() -> dict:
	"""Return the chart of active plans by health, as Frappe's charts take it.

	Raises:
		frappe.PermissionError: the user does not work in the desk.
	"""
	rights.check_desk_user()
	counts = totals.active_by_health()
	if not counts:
		return {"labels": [], "datasets": []}
	return {
		"labels": [_(health.value) for health in CHARTED_HEALTH],
		"datasets": [{"name": _("Plans"), "values": [counts[health.value] for health in CHARTED_HEALTH]}],
	}
