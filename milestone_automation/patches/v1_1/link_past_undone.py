"""The milestone after an undone one counted from it; now from the last one that counts."""

import frappe

from milestone_automation.engine.tracking import milestones


def execute() -> None:
	"""Link the milestones after undone ones. Running it again changes nothing."""
	for name in frappe.get_all("Milestone", filters={"undone": 1}, pluck="name", order_by=None):
		milestones.relink_after(name)
