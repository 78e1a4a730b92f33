"""The milestone after an undone one counted from it; now from the last one that counts."""

import frappe
from frappe.utils import update_progress_bar

from milestone_automation.engine.tracking import milestones

ROWS = 500  # of one transaction
# What is left of a deleted document says nothing of a new one with its name.
UNDONE = {"undone": 1, "reference_deleted": 0, "merged_from": ("is", "not set")}


def execute() -> None:
	"""Link the milestones after undone ones. Running it again changes nothing."""
	names = frappe.get_all("Milestone", filters=UNDONE, pluck="name", order_by="name")
	for done, name in enumerate(names, 1):
		milestones.relink_after(name)
		if done % ROWS == 0 or done == len(names):
			# Whoever writes one of these milestones waits for one batch at most.
			frappe.db.commit()  # nosemgrep: frappe-manual-commit
			update_progress_bar("Updating Milestone", done - 1, len(names))
