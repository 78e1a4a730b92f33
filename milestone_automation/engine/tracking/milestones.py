"""Rows of Milestone: inserting them, reading the last ones, and following renames and deletions of documents."""

import functools

import frappe
from frappe.query_builder.functions import Max
from frappe.utils import get_datetime
from pypika.terms import Parameter

from milestone_automation.engine.base import bulk


def rename_reference(doctype: str, old, new) -> None:
	"""Update the milestones of a renamed document.

	Args:
		doctype: DocType of the document.
		old, new: its names.
	"""
	milestone = frappe.qb.DocType("Milestone")
	(
		frappe.qb.update(milestone)
		.set(milestone.reference_name, str(new))
		.where(milestone.reference_type == doctype)
		.where(milestone.reference_name == str(old))
		.where(milestone.reference_deleted == 0)
		.run()
	)


def mark_deleted(doctype: str, name) -> None:
	"""Mark the milestones of a deleted document, so that a new document of that name starts without history."""
	milestone = frappe.qb.DocType("Milestone")
	(
		frappe.qb.update(milestone)
		.set(milestone.reference_deleted, 1)
		.where(milestone.reference_type == doctype)
		.where(milestone.reference_name == str(name))
		.run()
	)


def adopt() -> None:
	"""Complete milestones that core recorded: they were reached when their row was made, by its owner."""
	milestone = frappe.qb.DocType("Milestone")
	(
		frappe.qb.update(milestone)
		.set(milestone.reached_on, milestone.creation)
		.set(milestone.reached_by, milestone.owner)
		.where(milestone.reached_on.isnull())
		.run()
	)


def reached_before(doctype: str, name, fieldnames: list[str]) -> dict:
	"""Return when each field last reached a value, by field name. One query that uses core's index."""
	values = {"reference_type": doctype, "reference_name": str(name)}
	values.update({f"field_{index}": fieldname for index, fieldname in enumerate(fieldnames)})
	rows = frappe.db.sql(_reached_before_query(frappe.db.db_type, len(fieldnames)), values)
	return {fieldname: get_datetime(moment) for fieldname, moment in rows if moment}


@functools.cache
def _reached_before_query(db_type: str, number_of_fields: int) -> str:
	"""Return the SQL of the query, built once: building it takes longer than running it."""
	milestone = frappe.qb.DocType("Milestone")
	fields = [Parameter(f"%(field_{index})s") for index in range(number_of_fields)]
	query = (
		frappe.qb.from_(milestone)
		.select(milestone.track_field, Max(milestone.reached_on))
		.where(milestone.reference_type == Parameter("%(reference_type)s"))
		.where(milestone.reference_name == Parameter("%(reference_name)s"))
		.where(milestone.track_field.isin(fields))
		.where(milestone.reference_deleted == 0)
		.groupby(milestone.track_field)
	)
	return query.get_sql()


def last_recorded(doctype: str, name, fields) -> dict:
	"""Return the last recorded value of each field as text, by field name. One query."""
	rows = frappe.get_all(
		"Milestone",
		filters={
			"reference_type": doctype,
			"reference_name": str(name),
			"track_field": ("in", [field.fieldname for field in fields]),
			"reference_deleted": 0,
		},
		fields=["track_field", "value"],
		order_by="reached_on asc, creation asc",
	)
	return {row.track_field: row.value for row in rows}


def insert_milestone(**milestone) -> str:
	"""Insert one Milestone with document events, so that Notifications, Webhooks and Server Scripts run.

	Args:
		milestone: field values; `source` is Save and `reached_by` the session user by default.

	Returns:
		str: name of the milestone.
	"""
	doc = frappe.get_doc(
		{
			"doctype": "Milestone",
			"source": "Save",
			"reached_by": frappe.session.user,
			"cleared": 0 if milestone.get("value") else 1,
			**milestone,
		}
	)
	insert_quickly(doc)
	return doc.name


def insert_quickly(doc) -> None:
	"""Insert a document of the engine with all its events, but without the checks meant for user input.

	`Document.insert` also checks permissions, links and lengths, compares versions, looks for files and updates open
	lists. For a milestone none of these checks can change the outcome, and they are most of the cost of a tracked save.
	"""
	doc.flags.ignore_permissions = True  # changes are recorded for every user, whatever their permissions
	doc.flags.notifications_executed = []
	doc.set("__islocal", True)
	doc.name = bulk.new_name()
	doc.set_user_and_timestamp()
	for event in ("before_insert", "before_validate", "validate", "before_save"):
		doc.run_method(event)
	doc.db_insert()
	doc.flags.in_insert = True
	for event in ("after_insert", "on_update", "on_change"):
		doc.run_method(event)
	doc.flags.in_insert = False
	frappe.flags.currently_saving.remove((doc.doctype, doc.name))
