"""Indexes of the app's tables, the same on every database.

On PostgreSQL and SQLite the name of an index is unique in the whole site. Frappe names an index after its columns and
creates it "if not exists", so a second table with an index on `plan` gets none, and child tables get none on `parent`.
On those databases the app creates these indexes itself, with the name of the table in their names.

To add an index to a table that exists, Frappe copies the table on SQLite, without its primary key and other indexes. A
migration can do so, or a custom field. Core's tables, which the app takes over, it copies at once. Without an index on
`name`, every look at one milestone reads all of them. So the app creates what is missing, `name` included.
"""

import hashlib
import json
from contextlib import contextmanager
from pathlib import Path

import frappe

# A milestone counts in reports unless one of the flags is set.
COUNTED = ("reference_type", "track_field", "reference_deleted", "undone", "passing")
# The last milestone of one field of a document. With all that it is ordered by, nothing is sorted.
LAST_MILESTONE = ("reference_type", "reference_name", "track_field", "reached_on", "idx", "creation")

# PostgreSQL takes 63 bytes, MariaDB 64.
LONGEST_NAME = 60

INDEXES = {
	"Milestone": (
		# Timeline of one document (core's index).
		("reference_type", "reference_name"),
		# The recorder.
		LAST_MILESTONE,
		# Reports and the nightly reconcile: one field of a DocType over time.
		("reference_type", "track_field", "reached_on"),
		# Bottlenecks: the stays in one value in order of their time. Equal columns first, so a percentile is a walk.
		(*COUNTED, "value_before", "time_in_previous"),
		# The process map: the same for one step from value to value.
		(*COUNTED, "value_before", "value", "time_in_previous"),
		# How often each value was reached, and by how many documents.
		(*COUNTED, "value", "reference_name"),
	),
	"Milestone Plan": (
		# The sweep: active plans that need a check today.
		("status", "next_check"),
		# The forecast: plans of a workflow that changed since the last one.
		("workflow", "modified"),
		# Plans of one document: rename and delete.
		("reference_type", "reference_name"),
	),
	"Milestone Plan Stage": (
		# My Milestones: open ones of a user, and of the user's roles.
		("stage_owner", "status"),
		("owner_role", "status"),
		# The page of people from outside.
		("outside_owner", "status"),
		# On Time This Month: reached since a day.
		("status", "reached_on"),
	),
	"Milestone Task": (
		# The gate and the panel: tasks of a stage.
		("plan_stage", "status"),
		("reference_type", "reference_name"),
		# The sweep: open tasks by due date.
		("status", "due_date"),
	),
	# The page of people from outside.
	"Milestone Task Assignee": (("email", "done"),),
	# The last mail of a person.
	"Milestone Message": (("recipient", "sent_on"),),
	# Renamed and deleted with their document; lists by document.
	"Milestone Date Change": (("reference_type", "reference_name"),),
	"Milestone Plan Log": (("reference_type", "reference_name"),),
	"Milestone Next Step": (
		("reference_type", "reference_name"),
		# The scheduler: steps that are due.
		("status", "next_attempt"),
		# The circuit breaker: what became of the last attempts of one step of a workflow.
		("step_key", "finished_on"),
		# A stage that is reopened.
		("plan_stage",),
	),
}


# Tables that grow with the documents; rows of workflows and trackers are few.
TABLES = tuple(INDEXES)


def ensure(doctype: str) -> None:
	"""Create the missing indexes of a table. Called when its DocType is synced.

	Args:
		doctype: of the table; one that needs none gets none.
	"""
	ensure_names(doctype)
	_ensure_unique(doctype)
	with _without_customizing():
		for fields in needed(doctype):
			frappe.db.add_index(doctype, list(fields), _name(doctype, fields))


@contextmanager
def _without_customizing():
	"""Keep Frappe from customizing a DocType for an index on one column, as it does but in an installation or migration."""
	before, frappe.flags.in_migrate = frappe.flags.in_migrate, True
	try:
		yield
	finally:
		frappe.flags.in_migrate = before


def ensure_names(doctype: str) -> None:
	"""Create the unique index on the names of a table that has lost its primary key.

	Args:
		doctype: of the table.
	"""
	if not _has_names_indexed(doctype):
		frappe.db.add_unique(doctype, ["name"], f"{frappe.scrub(doctype)}_name")


def _ensure_unique(doctype: str) -> None:
	"""Create the indexes by which a table on SQLite refuses a second row with one value, where it has lost them."""
	for fieldname in _unique_fields_without_index(doctype):
		frappe.db.add_unique(doctype, [fieldname], f"{frappe.scrub(doctype)}_{fieldname}_unique")


def _unique_fields_without_index(doctype: str) -> list[str]:
	if frappe.db.db_type != "sqlite":
		return []
	names = frappe.db.sql("select name from pragma_index_list(%s) where `unique` = 1", f"tab{doctype}")
	indexed = [frappe.db.sql("select name from pragma_index_info(%s)", name) for name in names]
	unique = {rows[0][0] for rows in indexed if len(rows) == 1}
	fields = frappe.get_meta(doctype).fields
	return [df.fieldname for df in fields if df.unique and df.fieldname not in unique]


def ensure_all() -> None:
	"""Create what the app's tables have lost; only on SQLite do they lose anything."""
	if frappe.db.db_type != "sqlite":
		return
	for doctype in _tables():
		ensure(doctype)


def add_unique_columns() -> None:
	"""Add the columns with unique values that tables of an older version lack, before Frappe does so on SQLite.

	Frappe asks for column and index in one statement, which SQLite refuses: the migration would stop there.
	"""
	if frappe.db.db_type != "sqlite":
		return
	for doctype in _tables():
		columns = {row.name for row in frappe.db.get_table_columns_description(f"tab{doctype}")}
		for fieldname in _unique_fields_by_definition(doctype) if columns else ():
			if fieldname not in columns:
				# The names are those of our own definitions, and no database binds names of tables and columns.
				statement = f"ALTER TABLE `tab{doctype}` ADD COLUMN `{fieldname}` TEXT"  # nosemgrep: frappe-sql-format-injection
				frappe.db.sql_ddl(statement)


def _unique_fields_by_definition(doctype: str) -> list[str]:
	"""Return the fields with unique values of a DocType as its file has them; none where it is gone."""
	name = frappe.scrub(doctype)
	path = Path(frappe.get_module_path("Milestone Automation", "doctype", name, f"{name}.json"))
	fields = json.loads(path.read_text())["fields"] if path.exists() else []
	return [field["fieldname"] for field in fields if field.get("unique")]


def _tables() -> list[str]:
	"""Return the app's DocTypes that have a table."""
	filters = {"module": "Milestone Automation", "issingle": 0, "is_virtual": 0}
	return frappe.get_all("DocType", filters=filters, pluck="name")


def _has_names_indexed(doctype: str) -> bool:
	return frappe.db.db_type != "sqlite" or bool(frappe.db.get_column_index(f"tab{doctype}", "name"))


def needed(doctype: str) -> list[tuple[str, ...]]:
	"""Return the columns of each index of a table that Frappe does not create reliably.

	Args:
		doctype: of the table.

	Returns:
		list: the columns of each, in order; empty for a table that needs none.
	"""
	listed = list(INDEXES.get(doctype, ()))
	if frappe.db.db_type == "mariadb":
		return listed
	meta = frappe.get_meta(doctype)
	columns = ["parent"] if meta.istable else []
	columns += [df.fieldname for df in meta.fields if df.search_index and not df.unique]
	covered = {fields[0] for fields in listed}
	return listed + [(name,) for name in columns if name not in covered]


def missing(doctype: str) -> list[tuple[str, ...]]:
	"""Return the columns of each index that a table lacks.

	Args:
		doctype: of the table, which must exist.
	"""
	names = [] if _has_names_indexed(doctype) else [("name",)]
	names += [(fieldname,) for fieldname in _unique_fields_without_index(doctype)]
	return names + [
		fields
		for fields in needed(doctype)
		if not frappe.db.has_index(f"tab{doctype}", name_of(doctype, fields))
	]


def drop(doctype: str, fields: tuple[str, ...]) -> None:
	"""Drop an index that the app once made and no longer needs; nothing happens where it is gone.

	Args:
		doctype: of the table.
		fields: its columns, as they stood in `INDEXES`.
	"""
	name = name_of(doctype, fields)
	if not frappe.db.has_index(f"tab{doctype}", name):
		return
	of_table = f" ON `tab{doctype}`" if frappe.db.db_type == "mariadb" else ""
	quote = "`" if of_table else '"'
	# The names are ours, and no database binds names of tables and indexes.
	frappe.db.sql_ddl(f"DROP INDEX {quote}{name}{quote}{of_table}")  # nosemgrep: frappe-sql-format-injection


def to_force(doctype: str, fields: tuple[str, ...]) -> str | None:
	"""Return the name of an index that a query has to name; None where the database finds it, or there is none.

	Of two indexes that start alike, MariaDB takes one by an estimate, also where only the other one has the order that
	the query asks for; then it sorts what it could walk.

	Args:
		doctype: of the table.
		fields: its columns, as in `INDEXES`.
	"""
	if frappe.db.db_type != "mariadb":
		return None
	name = name_of(doctype, fields)
	return name if frappe.db.has_index(f"tab{doctype}", name) else None


def name_of(doctype: str, fields: tuple[str, ...]) -> str:
	"""Return the name of an index.

	Args:
		doctype: of the table.
		fields: its columns, as in `INDEXES`.
	"""
	return _name(doctype, fields) or frappe.db.get_index_name(fields)


def _name(doctype: str, fields: tuple[str, ...]) -> str | None:
	long_name = "_".join((frappe.scrub(doctype), *fields))
	if len(long_name) > LONGEST_NAME:
		# Databases cut longer names, and then two may be one.
		return f"{frappe.scrub(doctype)}_{hashlib.sha256(long_name.encode()).hexdigest()[:12]}"
	return None if frappe.db.db_type == "mariadb" else long_name
