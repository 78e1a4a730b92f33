"""Date changes of before were all in effect; now each says so, and reports ask for it."""

import frappe

from milestone_automation.engine.rules.vocabulary import DateChangeStatus


def execute() -> None:
	"""Fill in the missing status. Running it again changes nothing."""
	change = frappe.qb.DocType("Milestone Date Change")
	query = frappe.qb.update(change).set(change.status, DateChangeStatus.ACCEPTED.value)
	query.where(change.status.isnull() | (change.status == "")).run()
