"""The end of a transaction, without a commit: what a test has written is still rolled back after it."""

import frappe

from .site import roll_back


def fresh() -> None:
	"""Look at what is committed now."""
	roll_back()


def end_transaction() -> None:
	"""Do what is done before a commit; what comes next counts as another transaction."""
	frappe.db.before_commit.run()
