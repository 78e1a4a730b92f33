"""The Kanban board of tasks by status. Moving a card is what the form does: who may not do it is told so."""

import json

import frappe
from frappe import _

from milestone_automation.engine.rules.vocabulary import TaskStatus

DOCTYPE = "Milestone Task"
COLORS = {
	TaskStatus.OPEN: "Blue",
	TaskStatus.COMPLETED: "Green",
	TaskStatus.WAIVED: "Yellow",
	TaskStatus.CANCELLED: "Gray",
}


def make() -> None:
	"""Create the board once; who deletes it does not get it again, as it is made on install."""
	name = _("Milestone Tasks")
	is_there = frappe.db.exists("Kanban Board", {"reference_doctype": DOCTYPE, "field_name": "status"})
	# The name is the key: somebody's own board may have it.
	if is_there or frappe.db.exists("Kanban Board", name):
		return
	board = frappe.new_doc("Kanban Board")
	board.update(
		{
			"kanban_board_name": name,
			"reference_doctype": DOCTYPE,
			"field_name": "status",
			"fields": json.dumps(["reference_name", "stage_name", "due_date"]),
			"show_labels": 1,
		}
	)
	for status, color in COLORS.items():
		board.append("columns", {"column_name": status.value, "status": "Active", "indicator": color})
	board.insert(ignore_permissions=True)  # made by the app, not by a user
	# Frappe has listed every task in its column; cards that are not listed follow by themselves.
	frappe.db.set_value("Kanban Board Column", {"parent": board.name}, "order", "[]")


def remove() -> None:
	"""Delete the boards of tasks, which the app takes with it."""
	for name in frappe.get_all("Kanban Board", {"reference_doctype": DOCTYPE}, pluck="name"):
		flags = {"force": True, "ignore_permissions": True}  # the tasks go too
		frappe.delete_doc("Kanban Board", name, **flags)
