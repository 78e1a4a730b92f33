"""The end of a transaction, without a commit: what a test has written is still rolled back after it."""

import frappe


def fresh() -> None:
	"""Look at what is committed now."""
	frappe.db.rollback()


def end_transaction() -> None:
	"""Do what is done before a commit; what comes next counts as another transaction."""
	frappe.db.before_commit.run()
