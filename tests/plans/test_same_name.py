"""One name in one transaction: renamed, swapped, deleted and made again, inserted where there is one, deleted in vain."""

import json

import frappe
import pytest

from milestone_automation.engine.plans import catching_up
from milestone_automation.engine.progress import tasks
from tests.support.factories import (
	ORDER,
	SUPPLIER,
	make_document,
	make_workflow,
	plan_of,
	stage,
	stage_of,
	status_of,
	task,
	task_of,
)
from tests.support.transactions import end_transaction

pytestmark = pytest.mark.usefixtures("production_order")

TASK = "Sign the packing list"
NEW = {"doctype": ORDER, "status": "Open", "delivery_date": "2030-06-28"}


@pytest.fixture
def order():
	"""An order on its way, inspected."""
	names = {"Cut": -20, "Inspected": -7, "Shipped": 0}
	make_workflow(
		stages=[stage(name, name, days) for name, days in names.items()], tasks=[task("Shipped", TASK)]
	)
	made = make_document()
	end_transaction()
	for status in ("Cut", "Inspected"):
		set_status(made.name, status)
		end_transaction()
	return made


def set_status(name, status) -> None:
	frappe.get_doc(ORDER, name).db_set("status", status)


def recorded(name, field="status", doctype=ORDER) -> list[tuple]:
	"""What was recorded of a field, oldest first: from value, value, whether it was only passing."""
	end_transaction()
	about = {"reference_type": doctype, "reference_name": name, "track_field": field}
	rows = frappe.get_all(
		"Milestone",
		about | {"reference_deleted": 0, "merged_from": ("is", "not set")},
		["from_value", "value", "passing"],
		order_by="reached_on, idx, creation",
	)
	return [(row.from_value or "", row.value, row.passing) for row in rows]


WAY = [("", "Open", 0), ("Open", "Cut", 0), ("Cut", "Inspected", 0)]


# Renamed


def test_a_value_replaced_after_a_rename_in_the_same_transaction_is_passing(order):
	set_status(order.name, "Sewn")
	new = frappe.rename_doc(ORDER, order.name, "SAME-1", force=True)
	set_status(new, "Closed")
	assert recorded(new) == [*WAY, ("Inspected", "Sewn", 1), ("Sewn", "Closed", 0)]
	assert (
		frappe.db.get_value("Milestone", {"reference_name": new, "value": "Closed"}, "value_before")
		== "Inspected"
	)


def test_going_back_is_judged_by_the_name_the_document_has_when_the_transaction_ends(order):
	set_status(order.name, "Cut")
	doc = frappe.get_doc(ORDER, frappe.rename_doc(ORDER, order.name, "SAME-2", force=True))
	assert status_of(doc) == {"Cut": "Reached", "Inspected": "Open", "Shipped": "Open"}
	assert json.loads(plan_of(doc).snapshot)["status"] == "Cut"


def test_two_orders_that_swap_their_names_keep_their_histories_and_plans(order):
	other = make_document(status="Cut")
	end_transaction()
	plans = {row.name: plan_of(row).name for row in (order, other)}
	set_status(order.name, "Sewn")
	for old, new in ((order.name, "SAME-3"), (other.name, order.name), ("SAME-3", other.name)):
		frappe.rename_doc(ORDER, old, new, force=True)
	set_status(order.name, "Closed")
	set_status(other.name, "Open")
	assert recorded(order.name) == [("", "Cut", 0), ("Cut", "Closed", 0)]
	assert recorded(other.name) == [*WAY, ("Inspected", "Sewn", 1), ("Sewn", "Open", 0)]
	swapped = {row.name: plan_of(frappe.get_doc(ORDER, row.name)).name for row in (order, other)}
	assert swapped == {order.name: plans[other.name], other.name: plans[order.name]}


def test_a_renamed_document_is_no_change_of_those_that_link_to_it_dynamically(make_doctype):
	doctype = make_doctype(
		"Shipment of Anything",
		[
			{"fieldname": "kind", "fieldtype": "Link", "options": "DocType"},
			{"fieldname": "target", "fieldtype": "Dynamic Link", "options": "kind"},
			{"fieldname": "note", "fieldtype": "Data"},
		],
	)
	tracker = {"doctype": "Milestone Tracker", "document_type": doctype, "track_field": "target"}
	frappe.get_doc(tracker).insert()
	supplier = frappe.get_doc({"doctype": SUPPLIER, "title": "Weavers"}).insert().name
	shipments = [
		frappe.get_doc({"doctype": doctype, "kind": kind, "target": name}).insert()
		for kind, name in ((SUPPLIER, supplier), ("DocType", "User"))
	]
	end_transaction()
	new = frappe.rename_doc(SUPPLIER, supplier, "Weavers and Sons", force=True)
	for shipment in shipments:
		frappe.get_doc(doctype, shipment.name).update({"note": "looked at"}).save()
	end_transaction()
	catching_up.run(doctype)
	assert [recorded(shipment.name, "target", doctype) for shipment in shipments] == [
		[("", new, 0)],
		[("", "User", 0)],
	]


# Deleted


def test_a_deletion_that_is_refused_and_swallowed_leaves_the_plan(order):
	plan = plan_of(order).name
	other = make_document()
	frappe.db.set_value(ORDER, other.name, "amended_from", order.name)
	end_transaction()
	with pytest.raises(frappe.LinkExistsError):
		frappe.delete_doc(ORDER, order.name)
	set_status(order.name, "Closed")
	end_transaction()
	assert plan_of(order).name == plan
	assert task_of(order, TASK).status == "Open"
	assert not frappe.get_all("Milestone Task", {"plan": plan, "docstatus": ("!=", 0)})
	frappe.db.set_value(ORDER, other.name, "amended_from", None)
	frappe.delete_doc(ORDER, order.name)
	assert not frappe.db.exists("Milestone Plan", plan)


def test_an_order_deleted_and_made_again_in_one_transaction_is_another_one(order):
	tasks.complete(task_of(order, TASK).name)
	frappe.delete_doc(ORDER, order.name)
	again = frappe.get_doc(NEW | {"status": "Sewn"}).insert(set_name=order.name)
	again.db_set("status", "Inspected")
	assert recorded(order.name) == [("", "Sewn", 1), ("Sewn", "Inspected", 0)]
	assert task_of(again, TASK).status == "Open"


# Inserted where there is one already


@pytest.fixture
def named(make_doctype):
	"""A DocType whose documents are named by their title."""
	return make_doctype(
		"Titled Order",
		[
			{"fieldname": "title", "fieldtype": "Data"},
			{"fieldname": "status", "fieldtype": "Select", "options": "Open\nShipped"},
			{"fieldname": "day", "fieldtype": "Date"},
		],
		autoname="format:{title}",  # "field:title" makes the title unique, and of two faults SQLite tells that one
	)


def insert(doctype: str, status: str, **flags):
	values = {"doctype": doctype, "title": "T-1", "status": status, "day": "2030-01-01"}
	return frappe.get_doc(values).insert(**flags)


def make_titled_workflow(doctype: str) -> None:
	shipped = stage("Shipped", "Shipped", date_field="day")
	make_workflow("Titled", document_type=doctype, stages=[shipped], tasks=[task("Shipped", TASK)])


def test_an_insert_that_ignores_the_document_that_is_there_changes_nothing(named):
	make_titled_workflow(named)
	order = insert(named, "Open")
	plan = plan_of(order).name
	tasks.complete(task_of(order, TASK).name)
	frappe.get_doc(named, order.name).db_set("status", "Shipped")
	end_transaction()
	insert(named, "Open", ignore_if_duplicate=True)
	assert plan_of(order).name == plan
	assert status_of(order) == {"Shipped": "Reached"}
	assert recorded(order.name, doctype=named) == [("", "Open", 0), ("Open", "Shipped", 0)]


def test_an_insert_that_ignores_a_document_from_before_the_workflow_is_not_refused_for_it(named):
	insert(named, "Shipped")
	end_transaction()
	make_titled_workflow(named)
	insert(named, "Open", ignore_if_duplicate=True)
	assert frappe.db.get_value(named, "T-1", "status") == "Shipped"


# Judged at the end


def test_a_stage_reached_by_sql_after_a_value_went_back_gets_the_milestone_of_its_value(order):
	tasks.complete(task_of(order, TASK).name)
	set_status(order.name, "Cut")
	frappe.db.set_value(ORDER, order.name, "status", "Shipped")
	end_transaction()
	shipped = stage_of(order, "Shipped")
	assert shipped.status == "Reached"
	assert frappe.db.get_value("Milestone", shipped.milestone, "value") == "Shipped"
	assert recorded(order.name)[-1][:2] == ("Cut", "Shipped")
