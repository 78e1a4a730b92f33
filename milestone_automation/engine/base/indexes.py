"""Indexes of the app's tables, the same on every database.

On PostgreSQL and SQLite a name of an index is there once for the whole site. Frappe names an index after its columns
and asks for it "if not exists", so the second table that wants one on `plan` gets none; nor has a child table one on
`parent`. There ours carry the name of their table and stand in for Frappe's.
"""

import hashlib

import frappe

# A milestone counts in reports unless one of the flags is set.
COUNTED = ("reference_type", "track_field", "reference_deleted", "undone", "passing")

# PostgreSQL takes 63 bytes, MariaDB 64.
LONGEST_NAME = 60

INDEXES = {
	"Milestone": (
		# The desk timeline, and the milestone before, of one document (core's own index).
		("reference_type", "reference_name"),
		# Reports and the nightly check: one field of a DocType over time.
		("reference_type", "track_field", "reached_on"),
		# Bottlenecks: the stays in one value in order of their time. Equal columns first, so a percentile is a walk.
		(*COUNTED, "from_value", "time_in_previous"),
		# The process map: the same for one step from value to value.
		(*COUNTED, "from_value", "value", "time_in_previous"),
		# How often each value was reached, and by how many documents.
		(*COUNTED, "value", "reference_name"),
	),
	"Milestone Plan": (
		# The sweep: active plans with something to do today.
		("status", "next_check"),
		# Plans of one document: rename, delete.
		("reference_type", "reference_name"),
	),
	"Milestone Task": (
		# The gate and the panel: the tasks of a plan, of a stage.
		("plan_stage", "status"),
		("reference_type", "reference_name"),
		# The sweep: open tasks by due date.
		("status", "due_date"),
	),
	# What follows its document when that is renamed or deleted; lists by document.
	"Milestone Date Change": (("reference_type", "reference_name"),),
	"Milestone Plan Log": (("reference_type", "reference_name"),),
}


def ensure(doctype: str) -> None:
	"""Add the indexes of a table that are not there; called when its DocType was synced."""
	for fields in wanted(doctype):
		frappe.db.add_index(doctype, list(fields), _name(doctype, fields))


def wanted(doctype: str) -> list[tuple[str, ...]]:
	"""Return the columns of each index a table is to have and Frappe does not reliably make."""
	several = list(INDEXES.get(doctype, ()))
	if frappe.db.db_type == "mariadb":
		return several
	meta = frappe.get_meta(doctype)
	columns = ["parent"] if meta.istable else []
	columns += [df.fieldname for df in meta.fields if df.search_index and not df.unique]
	led = {fields[0] for fields in several}
	return several + [(name,) for name in columns if name not in led]


def _name(doctype: str, fields: tuple[str, ...]) -> str | None:
	long_name = "_".join((frappe.scrub(doctype), *fields))
	if len(long_name) > LONGEST_NAME:
		# Databases cut longer names, and then two may be one.
		return f"{frappe.scrub(doctype)}_{hashlib.sha256(long_name.encode()).hexdigest()[:12]}"
	return None if frappe.db.db_type == "mariadb" else long_name
