"""Purchase and Sales Orders of ERPNext: submit, update after submit, Close, receipts, supplier contacts, amend.

These need a bench with ERPNext: `./dev test --bench BENCH tests/story/test_erpnext.py`. The site, with a company of its own,
is made at the first run. All is rolled back.
"""

import frappe
import pytest

from milestone_automation.engine.base.guard import GateError
from milestone_automation.engine.progress import stages, tasks
from tests.support.factories import events_of, key_dates, plan_of, stage, stage_of, status_of, task, task_of

TASK = "Book the inspector"


@pytest.fixture
def make_order(erpnext):
	"""Function: a draft Purchase or Sales Order of one test item, not inserted."""
	frappe = erpnext
	company = frappe.db.get_value("Company", {}, "name")
	warehouse = frappe.db.get_value("Warehouse", {"is_group": 0, "name": ("like", "Stores%")}, "name")

	def make(doctype: str = "Purchase Order", **values):
		date_field = "schedule_date" if doctype == "Purchase Order" else "delivery_date"
		party = (
			{"supplier": "Test Supplier"} if doctype == "Purchase Order" else {"customer": "Test Customer"}
		)
		item = {
			"item_code": "TEST-ITEM",
			"qty": 10,
			"rate": 5,
			"warehouse": warehouse,
			date_field: "2030-06-28",
		}
		order = {
			"doctype": doctype,
			"company": company,
			"transaction_date": "2026-01-02",
			date_field: "2030-06-28",
		}
		return frappe.get_doc(order | party | {"items": [item]} | values)

	return make


def make_workflow(doctype: str, stages, tasks, **values):
	rows = {"stages": [dict(row) for row in stages], "tasks": [dict(row) for row in tasks]}
	base = {
		"doctype": "Milestone Workflow",
		"workflow_name": f"{doctype} test",
		"document_type": doctype,
		"enabled": 1,
	}
	return frappe.get_doc(base | rows | values).insert()


def by_status(name: str, status: str, date_field: str, **values) -> dict:
	return stage(name, status, date_field=date_field, **values)


def refusal(action, *arguments) -> str:
	with pytest.raises(GateError) as refused:
		action(*arguments)
	return str(refused.value)


def complete(order, title: str = TASK) -> None:
	tasks.complete(task_of(order, title).name)


@pytest.mark.parametrize(
	("doctype", "date_field"), [("Purchase Order", "schedule_date"), ("Sales Order", "delivery_date")]
)
def test_an_order_is_not_submitted_while_a_task_is_open(make_order, doctype, date_field):
	released = stage(
		"Released",
		reach_rule="Field Value",
		track_field="docstatus",
		track_value="1",
		date_field=date_field,
		days=-30,
	)
	make_workflow(doctype, [released], [task("Released", TASK, days=2)])
	order = make_order(doctype).insert()
	assert key_dates(order) == {"Released": "2030-05-29"}
	assert TASK in refusal(order.submit)
	assert frappe.db.get_value(doctype, order.name, "docstatus") == 0
	complete(order)
	order.reload()
	order.submit()
	assert status_of(order) == {"Released": "Reached"}


@pytest.mark.parametrize(
	("doctype", "date_field", "module"),
	[
		("Purchase Order", "schedule_date", "erpnext.buying.doctype.purchase_order.purchase_order"),
		("Sales Order", "delivery_date", "erpnext.selling.doctype.sales_order.sales_order"),
	],
)
def test_an_order_is_not_closed_while_a_task_is_open(make_order, doctype, date_field, module):
	make_workflow(doctype, [by_status("Closed", "Closed", date_field)], [task("Closed", TASK)])
	order = make_order(doctype).insert()
	order.submit()
	before = frappe.db.get_value(doctype, order.name, "status")
	update_status = frappe.get_attr(f"{module}.update_status")
	frappe.db.savepoint("request")
	text = refusal(update_status, "Closed", order.name)
	frappe.db.rollback(save_point="request")
	assert "<b>Closed</b> cannot be reached yet" in text and TASK in text
	assert frappe.db.get_value(doctype, order.name, "status") == before
	complete(order)
	update_status("Closed", order.name)
	assert frappe.db.get_value(doctype, order.name, "status") == "Closed"
	assert status_of(order) == {"Closed": "Reached"}


def test_a_closed_order_opened_again_opens_its_stage(make_order):
	from erpnext.buying.doctype.purchase_order.purchase_order import update_status  # noqa: PLC0415 - only there with ERPNext

	make_workflow("Purchase Order", [by_status("Closed", "Closed", "schedule_date")], [])
	order = make_order().insert()
	order.submit()
	update_status("Closed", order.name)
	assert status_of(order) == {"Closed": "Reached"}
	update_status("Submitted", order.name)
	assert status_of(order) == {"Closed": "Open"}
	assert "Milestone Undone" in events_of(order)


def test_a_change_after_submit_moves_dates_and_meets_the_gate(make_order):
	named = stage(
		"Named",
		reach_rule="Field Value",
		track_field="letter_head",
		track_value="Gate",
		date_field="schedule_date",
	)
	for name in ("Ordinary", "Gate"):
		head = {"doctype": "Letter Head", "letter_head_name": name, "source": "HTML", "content": "x"}
		frappe.get_doc(head | {"is_default": int(name == "Ordinary")}).insert()
	make_workflow("Purchase Order", [named], [task("Named", TASK)])
	order = make_order().insert()
	order.submit()
	order.letter_head = "Gate"
	assert TASK in refusal(order.save)
	assert frappe.db.get_value("Purchase Order", order.name, "letter_head") != "Gate"
	complete(order)
	order.reload()
	order.letter_head = "Gate"
	order.save()
	assert status_of(order) == {"Named": "Reached"}


def receive(order):
	from erpnext.buying.doctype.purchase_order.purchase_order import make_purchase_receipt  # noqa: PLC0415 - only there with ERPNext

	receipt = make_purchase_receipt(order.name)
	receipt.insert()
	receipt.submit()
	return receipt


def test_a_receipt_that_changes_the_order_by_db_set_meets_its_gate_and_is_stopped(make_order):
	make_workflow(
		"Purchase Order", [by_status("Received", "To Bill", "schedule_date")], [task("Received", TASK)]
	)
	order = make_order().insert()
	order.submit()
	assert frappe.db.get_value("Purchase Order", order.name, "status") == "To Receive and Bill"
	frappe.db.savepoint("request")
	assert TASK in refusal(receive, order)
	frappe.db.rollback(save_point="request")
	assert frappe.db.get_value("Purchase Order", order.name, ["status", "per_received"]) == (
		"To Receive and Bill",
		0,
	)
	assert not frappe.db.exists("Purchase Receipt", {"docstatus": 1, "supplier": order.supplier})
	complete(order)
	receipt = receive(order)
	assert frappe.db.get_value("Purchase Order", order.name, "status") == "To Bill"
	assert status_of(order) == {"Received": "Reached"}
	receipt.reload()
	receipt.cancel()
	assert frappe.db.get_value("Purchase Order", order.name, "status") == "To Receive and Bill"
	assert status_of(order) == {"Received": "Open"}


def test_the_contacts_of_the_supplier_get_the_task_with_and_without_an_account(make_order):
	link = {"link_doctype": "Supplier", "link_name": "Test Supplier"}
	for first, address in (("Ann", "ann@supplier.example"), ("Bob", "bob@supplier.example")):
		contact = {"doctype": "Contact", "first_name": first, "links": [link]}
		frappe.get_doc(contact | {"email_ids": [{"email_id": address, "is_primary": 1}]}).insert()
	make_workflow(
		"Purchase Order",
		[stage("Ready", date_field="schedule_date")],
		[task("Ready", TASK, assignee_kind="All Supplier Contacts")],
	)
	order = make_order().insert()
	people = {row.email: (row.user, row.contact is not None) for row in task_of(order, TASK).assignees}
	assert people["ann@supplier.example"] == (None, True)
	assert people["bob@supplier.example"] == (None, True)
	plan = plan_of(order)
	text = refusal(stages.confirm, plan.name, "Ready")
	assert "Ann" in text and "Bob" in text


def test_a_cancelled_order_cancels_its_plan_and_the_amended_one_takes_it_along(make_order):
	make_workflow(
		"Purchase Order",
		[stage("Ready", date_field="schedule_date", days=-7), by_status("Closed", "Closed", "schedule_date")],
		[task("Ready", TASK), task("Closed", "File the papers")],
	)
	order = make_order().insert()
	order.submit()
	complete(order)
	order.reload()
	order.cancel()
	assert plan_of(order).status == "Cancelled"
	amended = frappe.copy_doc(order)
	amended.amended_from = order.name
	amended.docstatus = 0
	amended.insert()
	assert plan_of(amended).amended_from == plan_of(order).name
	assert task_of(amended, TASK).status == "Completed"
	assert task_of(amended, "File the papers").status == "Open"
	assert stage_of(amended, "Closed").open_required == 1
	frappe.delete_doc("Purchase Order", amended.name)


def test_a_company_holiday_list_counts(make_order):
	days = [{"holiday_date": f"2030-06-{day}", "description": "Off"} for day in (24, 25, 26)]
	holidays = {
		"doctype": "Holiday List",
		"holiday_list_name": "Gate",
		"from_date": "2030-01-01",
		"to_date": "2030-12-31",
	}
	frappe.get_doc(holidays | {"holidays": days}).insert()
	frappe.db.set_value("Company", {}, "default_holiday_list", "Gate")
	frappe.clear_cache()
	make_workflow(
		"Purchase Order",
		[stage("Ready", date_field="schedule_date", days=-2, working_days=1)],
		[task("Ready", TASK, days=1, working_days=1)],
	)
	order = make_order().insert()
	# Back from Friday the 28th: Thursday 27, then 26, 25 and 24 are off, so Sunday the 23rd.
	assert key_dates(order) == {"Ready": "2030-06-23"}
	assert str(task_of(order, TASK).due_date) == "2030-06-22"
