"""Number cards of the workspace."""

import frappe
from frappe.utils import (
	get_first_day,
	nowdate,
)

from milestone_automation.engine.people import rights
from milestone_automation.engine.rules.vocabulary import StageStatus


def on_time_this_month() -> dict:
	"""Return the percentage of milestones reached this month that were reached by their key date.

	Raises:
		frappe.PermissionError: the user is not a manager.
	"""
	rights.check_manager()
	stage = frappe.qb.DocType("Milestone Plan Stage")
	rows = (
		frappe.qb.from_(stage)
		.select(stage.reached_on, stage.key_date)
		.where(stage.status == StageStatus.REACHED.value)
		.where(stage.reached_on >= get_first_day(nowdate()))
		.where(stage.key_date.isnotnull())
		.run()
	)
	on_time = sum(1 for reached_on, key_date in rows if reached_on <= key_date)
	return {
		"value": round(100 * on_time / len(rows), 1) if rows else 0,
		"fieldtype": "Percent",
		"route": ["List", "Milestone Plan"],
	}
