"""*Strict Order* only let tasks of earlier milestones block later ones. It is called that now, beside a rule on order."""

import frappe

OLD_COLUMN = "strict_order"


def execute() -> None:
	"""Take over the stored rule. Running it again changes nothing."""
	for doctype in ("Milestone Workflow", "Milestone Plan"):
		if not frappe.db.has_column(doctype, OLD_COLUMN):
			continue
		table = frappe.qb.DocType(doctype)
		query = frappe.qb.update(table).set(table.earlier_tasks_block, 1).set(table[OLD_COLUMN], 0)
		query.where(table[OLD_COLUMN] == 1).run()
