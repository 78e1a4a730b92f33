"""Patches of large tables: in batches, each committed, so that nobody waits long for a row and a killed patch goes on."""

from collections.abc import Callable

import frappe
from frappe.query_builder.functions import Count
from frappe.utils import update_progress_bar
from pypika.terms import Criterion

ROWS = 5000  # of one transaction


def update(doctype: str, values: dict, where: Callable[[object], Criterion]) -> None:
	"""Update the rows that meet a condition; they must not meet it afterwards. A progress bar shows how far it is.

	Args:
		doctype: whose table it is.
		values: what to write, by column.
		where: takes the table, returns the condition.
	"""
	table = frappe.qb.DocType(doctype)
	condition = where(table)
	total = frappe.qb.from_(table).select(Count("*")).where(condition).run()[0][0]
	for done in range(0, total, ROWS):
		names = frappe.qb.from_(table).select(table.name).where(condition).limit(ROWS).run(pluck=True)
		if not names:
			break
		query = frappe.qb.update(table).where(table.name.isin(names))
		for column, value in values.items():
			query = query.set(table[column], value)
		query.run()
		# Whoever works on these rows waits for one batch at most, and a killed patch goes on after it.
		frappe.db.commit()  # nosemgrep: frappe-manual-commit
		update_progress_bar(f"Updating {doctype}", done + len(names) - 1, total)
