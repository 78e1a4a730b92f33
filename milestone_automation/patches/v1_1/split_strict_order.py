"""*Strict Order* only let tasks of earlier milestones block later ones. It is called that now, beside a rule on order."""

import frappe

from milestone_automation.patches import batches

OLD_COLUMN = "strict_order"


def execute() -> None:
	"""Take over the stored rule. Running it again changes nothing."""
	for doctype in ("Milestone Workflow", "Milestone Plan"):
		if not frappe.db.has_column(doctype, OLD_COLUMN):
			continue
		values = {"earlier_tasks_block": 1, OLD_COLUMN: 0}
		batches.update(doctype, values, lambda table: table[OLD_COLUMN] == 1)
