"""Accounts made after their address was asked from outside own what is open of it; since then it happens at once."""

import frappe

from milestone_automation.engine.store import accounts


def execute() -> None:
	"""Give open milestones and tasks of addresses to the accounts that have them. Running it again changes nothing."""
	# Each account by itself, as `patches.batches` does with rows.
	accounts.take_over_all(frappe.db.commit)  # nosemgrep: frappe-manual-commit
