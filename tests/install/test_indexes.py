"""The indexes the app's queries count on are on every database, whatever else the site has."""

import frappe
import pytest

from milestone_automation.engine.base import indexes
from milestone_automation.patches.v1_1 import drop_replaced_index

WANTED = [
	("Milestone", "reference_type", "reference_name"),
	("Milestone", "reference_type", "track_field", "reached_on"),
	("Milestone", "reference_type", "reference_name", "track_field", "reached_on", "idx", "creation"),
	("Milestone Plan", "status", "next_check"),
	("Milestone Plan", "workflow", "modified"),
	("Milestone Plan", "reference_type", "reference_name"),
	("Milestone Plan Stage", "parent"),
	("Milestone Plan Stage", "stage_owner", "status"),
	("Milestone Plan Stage", "owner_role", "status"),
	("Milestone Plan Stage", "status", "reached_on"),
	("Milestone Task", "plan"),
	("Milestone Task", "plan_stage", "status"),
	("Milestone Task", "status", "due_date"),
	("Milestone Task", "reference_type", "reference_name"),
	("Milestone Task Assignee", "parent"),
	("Milestone Task Assignee", "user"),
	("Milestone Date Change", "plan"),
	("Milestone Date Change", "reference_type", "reference_name"),
	("Milestone Plan Log", "plan"),
	("Milestone Plan Log", "reference_type", "reference_name"),
	("Milestone Message", "plan"),
	("Milestone Message", "message_key"),
	("Milestone Message", "status"),
]


def indexed(doctype: str) -> list[tuple[str, ...]]:
	"""The columns of each index of a table, in their order, as the database tells them."""
	table = f"tab{doctype}"
	if frappe.db.db_type == "postgres":
		query = "select indexdef from pg_indexes where tablename = %s and schemaname = current_schema()"
		found = [row[0].rpartition("(")[2].rstrip(")") for row in frappe.db.sql(query, table)]
		return [tuple(column.strip(' "') for column in columns.split(",")) for columns in found]
	if frappe.db.db_type == "sqlite":
		names = [row[0] for row in frappe.db.sql("select name from pragma_index_list(%s)", table)]
		query = "select name from pragma_index_info(%s) order by seqno"
		return [tuple(row[0] for row in frappe.db.sql(query, name)) for name in names]
	columns: dict[str, list[str]] = {}
	for row in frappe.db.sql(f"show index from `{table}`", as_dict=True):
		columns.setdefault(row.Key_name, []).append(row.Column_name)
	return [tuple(found) for found in columns.values()]


@pytest.mark.parametrize("wanted", WANTED, ids=" ".join)
def test_what_the_app_looks_for_is_indexed(site, wanted):
	doctype, *columns = wanted
	assert tuple(columns) in {found[: len(columns)] for found in indexed(doctype)}


def test_every_table_finds_a_row_by_its_name(site):
	"""On SQLite Frappe copies a table without its primary key when it adds an index: core's two, and others later."""
	filters = {"module": "Milestone Automation", "issingle": 0, "is_virtual": 0}
	doctypes = frappe.get_all("DocType", filters=filters, pluck="name")
	assert {"Milestone", "Milestone Tracker"} <= set(doctypes)
	assert [doctype for doctype in doctypes if "name" not in {found[0] for found in indexed(doctype)}] == []


@pytest.mark.parametrize(("doctype", "lost"), [("Milestone", "name"), ("Milestone Plan", "plan_key")])
def test_a_table_that_frappe_has_copied_gets_its_indexes_back(scratch_site, doctype, lost):
	with scratch_site().connect():
		if frappe.db.db_type != "sqlite":
			pytest.skip("only on SQLite Frappe copies tables")
		columns = ", ".join(f"`{column}`" for column in frappe.db.get_table_columns(doctype))
		frappe.db.sql_ddl(f"CREATE TABLE `copied` AS SELECT {columns} FROM `tab{doctype}`")
		frappe.db.sql_ddl(f"DROP TABLE `tab{doctype}`")
		frappe.db.sql_ddl(f"ALTER TABLE `copied` RENAME TO `tab{doctype}`")
		assert indexed(doctype) == [] and {("name",), (lost,)} <= set(indexes.missing(doctype))
		indexes.ensure_all()
		assert {("name",), (lost,)} <= set(indexed(doctype)) and indexes.missing(doctype) == []


def test_asking_for_the_indexes_again_adds_none(site):
	before = {doctype: sorted(indexed(doctype)) for doctype, *_columns in WANTED}
	for doctype in before:
		indexes.ensure(doctype)
	assert {doctype: sorted(indexed(doctype)) for doctype in before} == before


def test_an_index_that_a_longer_one_replaces_is_dropped_by_migrate(site):
	old = list(drop_replaced_index.REPLACED)
	before = sorted(indexed("Milestone"))
	frappe.db.add_index("Milestone", old, indexes._name("Milestone", tuple(old)))
	assert tuple(old) in indexed("Milestone")
	for _run in range(2):
		drop_replaced_index.execute()
		assert sorted(indexed("Milestone")) == before
