"""What the benchmarks share: the site they run on is theirs alone."""

import frappe


def commit() -> None:
	"""End a transaction, as a request or a job does."""
	# Nobody else ends it: a benchmark is no request.
	frappe.db.commit()  # nosemgrep: frappe-manual-commit
