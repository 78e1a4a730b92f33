"""The end of a transaction, without a commit: what a test has written is still rolled back after it."""


def end_transaction() -> None:
	"""Do what is done before a commit; what comes next counts as another transaction."""
	import frappe

	frappe.db.before_commit.run()
