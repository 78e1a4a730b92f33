"""Documents with virtual fields, which have no column: ERPNext's orders, receipts and invoices have one."""

import json

import frappe
import pytest

from milestone_automation.engine.base.guard import GateError
from tests.support.factories import make_workflow, stage, status_of, task, task_of
from tests.support.transactions import end_transaction

ORDER = "Scanned Order"
TASK = "Scan the pallets"


@pytest.fixture(autouse=True)
def order_type(make_doctype):
	make_doctype(
		ORDER,
		[
			{"fieldname": "status", "fieldtype": "Select", "options": "\nOpen\nPacked"},
			{"fieldname": "delivery_date", "fieldtype": "Date"},
			{"fieldname": "last_warehouse", "fieldtype": "Data", "is_virtual": 1},
		],
	)


def make_order():
	order = frappe.get_doc({"doctype": ORDER, "status": "Open", "delivery_date": "2030-06-28"}).insert()
	end_transaction()
	return order


def test_a_document_with_a_virtual_field_gets_its_plan_where_nothing_is_tracked():
	make_workflow(document_type=ORDER, stages=[stage("Counted")], tasks=[])
	order = make_order()
	assert status_of(order) == {"Counted": "Open"}
	order.delivery_date = "2030-07-01"
	order.save()
	assert status_of(order) == {"Counted": "Open"}


def test_the_gate_holds_a_db_set_of_a_document_with_a_virtual_field():
	make_workflow(document_type=ORDER, stages=[stage("Packed", "Packed")], tasks=[task("Packed", TASK)])
	order = make_order()
	with pytest.raises(GateError, match=TASK):
		order.db_set("status", "Packed")
	assert frappe.db.get_value(ORDER, order.name, "status") == "Open"
	task_of(order, TASK).update({"status": "Completed"}).save()
	order.db_set("status", "Packed")
	assert status_of(order) == {"Packed": "Reached"}


def with_criterion(**criterion) -> dict:
	return stage("Counted", exit_criteria=json.dumps([criterion]))


def test_an_exit_criterion_asks_for_no_virtual_field_to_be_set():
	row = with_criterion(kind="Field Is Set", field="last_warehouse")
	with pytest.raises(frappe.ValidationError, match="has no field last_warehouse that can be set"):
		make_workflow(document_type=ORDER, stages=[row], tasks=[])


def test_a_condition_on_a_virtual_field_breaks_nothing():
	condition = {"condition": "doc.last_warehouse == 'Stores'", "label": "Scanned in the stores"}
	make_workflow(
		document_type=ORDER, stages=[with_criterion(kind="Condition Is Met", **condition)], tasks=[]
	)
	order = make_order()
	assert status_of(order) == {"Counted": "Open"}
	order.save()
	assert not frappe.get_all("Error Log", {"error": ("like", "%last_warehouse%")})
