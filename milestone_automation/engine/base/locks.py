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
	with guard.translate_conflicts():
		if is_only_writer():
			return query.run(as_dict=True)
		return query.for_update().run(as_dict=True)


def is_only_writer() -> bool:
	"""Wait on SQLite until nobody else writes; tell whether this transaction is the only one that may, until it ends.

	SQLite locks no rows, but lets only one transaction write. Until its first write Frappe has begun none there: what is
	read before may be changed by somebody else before it is written. A write that changes nothing is enough.

	Returns:
		bool: False on databases that lock rows; nothing is done there.
	"""
	if frappe.db.db_type != "sqlite":
		return False
	frappe.db.sql("UPDATE `tabSeries` SET `current` = `current` WHERE 0")
	return True
