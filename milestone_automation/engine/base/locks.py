"""Locking rows until the end of the transaction, on every database."""

import frappe

from milestone_automation.engine.base import guard


def run_locked(query) -> list[frappe._dict]:
	"""Run a query that locks the rows it reads and returns them as they are committed now.

	Args:
		query: a SELECT of the query builder.

	Raises:
		ConflictError: somebody else is changing the same rows.
	"""
	if frappe.db.db_type != "sqlite":
		# SQLite has only one writer at a time.
		query = query.for_update()
	with guard.translate_conflicts():
		return query.run(as_dict=True)
