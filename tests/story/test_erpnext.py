"""Documents of ERPNext: orders from submit to amend, and what ERPNext writes past the document in memory.

These need a bench with ERPNext: `./dev test --bench BENCH tests/story/test_erpnext.py`. The site, with a company of its own,
is made at the first run. All is rolled back.
"""

import itertools
import json

import frappe
import pytest

from milestone_automation import api
from milestone_automation.engine.base.guard import GateError
from milestone_automation.engine.messages import sweep
from milestone_automation.engine.plans import catching_up
from milestone_automation.engine.progress import stages, tasks
from tests.support.factories import events_of, key_dates, plan_of, stage, stage_of, status_of, task, task_of
from tests.support.next_steps import rows_of, run_steps
from tests.support.transactions import end_transaction

TASK = "Book the inspector"


@pytest.fixture
def make_order(erpnext):
	"""Function: a draft Purchase or Sales Order of one test item, not inserted."""
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


# What ERPNext writes past the document in memory


def track(doctype: str, *fields: str):
	rows = [{"track_field": name} for name in fields[1:]]
	tracker = {"doctype": "Milestone Tracker", "document_type": doctype, "track_field": fields[0]}
	return frappe.get_doc(tracker | {"extra_fields": rows}).insert()


def recorded(doc, field: str = "status") -> list[tuple[str, str, int]]:
	"""What was recorded of a field, oldest first: from value, value, whether it was only passing."""
	end_transaction()
	rows = frappe.get_all(
		"Milestone",
		{"reference_type": doc.doctype, "reference_name": doc.name, "track_field": field},
		["from_value", "value", "passing"],
		order_by="reached_on, idx, creation",
	)
	return [(row.from_value or "", row.value or "", row.passing) for row in rows]


def values_of(doc, field: str = "status") -> list[str]:
	"""The values a field went through, passing ones too; each milestone starts where the one before ended."""
	rows = recorded(doc, field)
	for (_old, before, _passing), (after, _new, _passes) in itertools.pairwise(rows):
		assert before == after, rows
	return [value for _old, value, _passing in rows]


def reached_long_ago(order, name: str) -> None:
	"""Let a reached stage be one of last month, so that a new date would be seen."""
	row = stage_of(order, name)
	frappe.db.set_value(row.doctype, row.name, "reached_on", "2026-01-05")


@pytest.mark.parametrize("closed", ["Closed", "On Hold"])
@pytest.mark.parametrize(
	("doctype", "date_field", "resumed", "way", "module"),
	[
		(
			"Purchase Order",
			"schedule_date",
			"Submitted",
			"To Receive and Bill",
			"erpnext.buying.doctype.purchase_order.purchase_order",
		),
		(
			"Sales Order",
			"delivery_date",
			"Draft",
			"To Deliver and Bill",
			"erpnext.selling.doctype.sales_order.sales_order",
		),
	],
)
def test_an_order_closed_or_held_and_opened_again_undoes_and_redates_nothing(
	make_order, doctype, date_field, resumed, way, module, closed
):
	update_status = frappe.get_attr(f"{module}.update_status")
	workflow_stages = [by_status("Confirmed", way, date_field), stage("Paid", date_field=date_field)]
	make_workflow(doctype, workflow_stages, [])
	order = make_order(doctype).insert()
	end_transaction()
	order.submit()
	assert status_of(order) == {"Confirmed": "Reached", "Paid": "Open"}
	reached_long_ago(order, "Confirmed")
	for status in (closed, resumed):
		update_status(status, order.name)
		end_transaction()
	assert frappe.db.get_value(doctype, order.name, "status") == way
	assert str(stage_of(order, "Confirmed").reached_on) == "2026-01-05"
	assert "Milestone Undone" not in events_of(order)
	assert values_of(order) == ["Draft", way, closed, resumed, way]
	assert [value for _old, value, passing in recorded(order) if passing] == [resumed]


def test_a_finished_order_that_is_reopened_stays_finished(make_order):
	update_status = frappe.get_attr("erpnext.buying.doctype.purchase_order.purchase_order.update_status")
	make_workflow(
		"Purchase Order",
		[
			by_status("Ordered", "To Receive and Bill", "schedule_date"),
			by_status("Received", "To Bill", "schedule_date"),
		],
		[],
	)
	order = make_order().insert()
	order.submit()
	end_transaction()
	receive(order)
	assert status_of(order) == {"Ordered": "Reached", "Received": "Reached"}
	assert plan_of(order).status == "Completed"
	for status in ("Closed", "Draft"):
		update_status(status, order.name)
		end_transaction()
	assert frappe.db.get_value("Purchase Order", order.name, "status") == "To Bill"
	assert status_of(order) == {"Ordered": "Reached", "Received": "Reached"}
	assert plan_of(order).status == "Completed"
	assert "Milestone Undone" not in events_of(order)


@pytest.mark.parametrize("rounds", [1, 4])
def test_a_delivery_note_that_is_cancelled_is_recorded_once(erpnext, make_order, rounds):
	frappe.db.set_single_value("Stock Settings", "allow_negative_stock", 1)
	frappe.db.set_value("Item", "TEST-ITEM", "valuation_rate", 3)
	track("Delivery Note", "status", "docstatus")
	for number in range(rounds):
		order = make_order("Sales Order").insert()
		order.submit()
		note = frappe.get_attr("erpnext.selling.doctype.sales_order.sales_order.make_delivery_note")(
			order.name
		)
		if number % 2:
			note.docstatus = 1
			note.insert()
		else:
			note.insert()
			note.submit()
		end_transaction()
		note.reload()
		note.cancel()
		values = values_of(note)
		assert values[-2:] == ["To Bill", "Cancelled"]
		assert values.count("To Bill") == values.count("Cancelled") == 1
		assert values_of(note, "docstatus")[-2:] == ["1", "2"]


@pytest.fixture
def issue(erpnext):
	"""An Issue under a service level agreement that pauses on *Replied*, which has been replied to."""
	frappe.db.set_single_value("Support Settings", "track_service_level_agreement", 1)
	for priority in ("Low", "Medium", "High"):
		if not frappe.db.exists("Issue Priority", priority):
			frappe.get_doc({"doctype": "Issue Priority", "name": priority}).insert()
	days = {"doctype": "Holiday List", "holiday_list_name": "Support", "from_date": "2026-01-01"}
	frappe.get_doc(days | {"to_date": "2036-12-31"}).insert()
	hours = {"start_time": "00:00:00", "end_time": "23:59:59"}
	weekdays = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
	agreement = {
		"doctype": "Service Level Agreement",
		"enabled": 1,
		"document_type": "Issue",
		"service_level": "Standard",
		"default_service_level_agreement": 1,
		"default_priority": "Medium",
		"holiday_list": "Support",
		"apply_sla_for_resolution": 1,
		"priorities": [
			{"priority": "Medium", "default_priority": 1, "response_time": 14400, "resolution_time": 21600}
		],
		"sla_fulfilled_on": [{"status": "Resolved"}, {"status": "Closed"}],
		"pause_sla_on": [{"status": "Replied"}],
		"support_and_resolution": [{"workday": day, **hours} for day in weekdays],
	}
	frappe.get_doc(agreement).insert()
	frappe.cache().delete_value("doctypes_with_active_sla")
	track("Issue", "status", "agreement_status")
	made = {"doctype": "Issue", "subject": "The seam is open", "raised_by": "customer@example.com"}
	issue = frappe.get_doc(made).insert()
	assert issue.service_level_agreement
	end_transaction()
	yield issue
	frappe.cache().delete_value("doctypes_with_active_sla")


def write_mail(issue, direction: str, sender: str) -> None:
	mail = {
		"doctype": "Communication",
		"communication_type": "Communication",
		"communication_medium": "Email",
		"sent_or_received": direction,
		"subject": issue.subject,
		"sender": sender,
		"content": "About the seam",
		"reference_doctype": "Issue",
		"reference_name": issue.name,
	}
	frappe.get_doc(mail).insert()
	end_transaction()


def test_an_issue_that_a_customer_replies_to_is_recorded_once(issue):
	write_mail(issue, "Sent", "Administrator")
	issue.reload()
	issue.status = "Replied"
	issue.save()
	end_transaction()
	write_mail(issue, "Received", "customer@example.com")
	assert frappe.db.get_value("Issue", issue.name, "status") == "Open"
	assert recorded(issue) == [("", "Open", 0), ("Open", "Replied", 0), ("Replied", "Open", 0)]
	issue.reload()
	issue.status = "Closed"
	issue.save()
	assert values_of(issue) == ["Open", "Replied", "Open", "Closed"]
	assert values_of(issue, "agreement_status")[-1] == frappe.db.get_value(
		"Issue", issue.name, "agreement_status"
	)


@pytest.fixture
def project(erpnext):
	"""A Project with one Task of its own, whose completion a required task of its plan holds."""
	completed = stage(
		"Completed",
		"Completed",
		date_field="expected_end_date",
	)
	make_workflow("Project", [completed], [task("Completed", TASK)])
	company = frappe.db.get_value("Company", {}, "name")
	values = {"project_name": "Move the cutting room", "company": company, "expected_end_date": "2030-06-28"}
	project = frappe.get_doc({"doctype": "Project", **values}).insert()
	end_transaction()
	return project


def complete_its_task(project) -> None:
	"""As ERPNext does it: the project's row is written by `db_update`, without hooks."""
	job = {"doctype": "Task", "subject": "Move the tables", "project": project.name}
	job = frappe.get_doc(job).insert()
	end_transaction()
	job.status = "Completed"
	job.save()
	end_transaction()
	assert frappe.db.get_value("Project", project.name, "status") == "Completed"


def test_a_project_that_erpnext_completes_past_the_gate_is_followed_and_not_frozen(project):
	complete_its_task(project)
	catching_up.run("Project")
	assert recorded(project)[-1] == ("Open", "Completed", 0)
	row = stage_of(project, "Completed")
	assert row.status == "Reached" and row.reached_without_tasks_on
	assert "Reached Without Required Tasks" in events_of(project)
	doc = frappe.get_doc("Project", project.name)
	doc.notes = "The tables stand"
	doc.save()
	assert frappe.db.get_value("Project", project.name, "notes") == "The tables stand"
	catching_up.run("Project")
	assert [value for _old, value, _passing in recorded(project)] == ["Open", "Completed"]


def test_a_project_completed_past_the_gate_can_be_saved_before_anybody_looked(project):
	complete_its_task(project)
	doc = frappe.get_doc("Project", project.name)
	doc.notes = "The tables stand"
	doc.save()
	assert values_of(project) == ["Open", "Completed"]
	assert stage_of(project, "Completed").reached_without_tasks_on


def test_a_project_that_somebody_completes_is_still_held(project):
	doc = frappe.get_doc("Project", project.name)
	doc.status = "Completed"
	assert TASK in refusal(doc.save)
	assert frappe.db.get_value("Project", project.name, "status") == "Open"
	complete(project)
	doc = frappe.get_doc("Project", project.name)
	doc.status = "Completed"
	doc.save()
	assert status_of(project) == {"Completed": "Reached"}


def by_percent(name: str, field: str) -> dict:
	return stage(
		name, reach_rule="Field Value", track_field=field, track_value="100", date_field="schedule_date"
	)


def test_percentages_that_erpnext_writes_by_sql_are_recorded_there_and_then_once(make_order):
	make_workflow(
		"Purchase Order", [by_percent("Received", "per_received"), by_percent("Billed", "per_billed")], []
	)
	order = make_order().insert()
	order.submit()
	end_transaction()
	receipt = receive(order)
	assert values_of(order, "per_received") == ["100"]
	assert stage_of(order, "Received").milestone
	invoice = frappe.get_attr(
		"erpnext.stock.doctype.purchase_receipt.purchase_receipt.make_purchase_invoice"
	)(receipt.name)
	invoice.insert()
	invoice.submit()
	assert values_of(order, "per_billed") == ["100"]
	assert status_of(order) == {"Received": "Reached", "Billed": "Reached"}
	assert stage_of(order, "Billed").milestone
	catching_up.run("Purchase Order")
	assert (values_of(order, "per_received"), values_of(order, "per_billed")) == (["100"], ["100"])


def test_a_percentage_asks_the_gate(make_order):
	make_workflow("Purchase Order", [by_percent("Received", "per_received")], [task("Received", TASK)])
	order = make_order().insert()
	order.submit()
	end_transaction()
	frappe.db.savepoint("request")
	assert TASK in refusal(receive, order)
	frappe.db.rollback(save_point="request")
	assert frappe.db.get_value("Purchase Order", order.name, "per_received") == 0
	complete(order)
	receive(order)
	assert status_of(order) == {"Received": "Reached"}


@pytest.mark.parametrize(
	("mapper", "field"),
	[("make_purchase_receipt", "per_received"), ("make_purchase_invoice", "per_billed")],
)
def test_a_percentage_asks_the_gate_also_of_what_is_submitted_as_it_is_inserted(make_order, mapper, field):
	make_workflow("Purchase Order", [by_percent("Full", field)], [task("Full", TASK)])
	order = make_order().insert()
	order.submit()
	end_transaction()

	def submit():
		frappe.get_attr(f"erpnext.buying.doctype.purchase_order.purchase_order.{mapper}")(order.name).submit()
		end_transaction()

	frappe.db.savepoint("request")
	text = refusal(submit)
	assert TASK in text and order.name in text
	frappe.db.rollback(save_point="request")
	complete(order)
	submit()
	assert status_of(order) == {"Full": "Reached"}
	assert not stage_of(order, "Full").reached_without_tasks_on
	assert values_of(order, field) == ["100"]


def test_issues_brought_in_past_a_gate_are_accepted_and_told_to_nobody(erpnext):
	closed = stage("Closed", "Closed", date_field="opening_date")
	make_workflow("Issue", [closed], [task("Closed", TASK)], imported_documents="Accept as Reached")
	job = {
		"doctype": "Data Import",
		"reference_doctype": "Issue",
		"import_type": "Insert New Records",
		"mute_emails": 1,
	}
	job = frappe.get_doc(job).insert()
	text = (
		"Subject,Status,Opening Date,Raised By (Email)\nThe old seam,Closed,2026-01-05,customer@example.com\n"
	)
	file = {"doctype": "File", "file_name": "issues.csv", "content": text, "is_private": 1}
	job.import_file = frappe.get_doc(file).insert().file_url
	job.save()
	importer = frappe.get_attr("frappe.core.doctype.data_import.importer.Importer")
	importer("Issue", data_import=job).import_data()
	name = frappe.db.get_value("Issue", {"subject": "The old seam"})
	assert name, frappe.get_all("Data Import Log", {"data_import": job.name}, ["messages", "exception"])
	issue = frappe.get_doc("Issue", name)
	assert status_of(issue) == {"Closed": "Reached"}
	assert values_of(issue) == ["Closed"]
	plan = plan_of(issue)
	sweep.sweep_plan(plan.name)
	assert not frappe.get_all("Milestone Message", {"plan": plan.name})
	new = frappe.get_doc({"doctype": "Issue", "subject": "The new seam", "status": "Closed"})
	assert "required task" in refusal(new.insert)


def bring_in(doctype: str, row_fields: dict[str, str]) -> dict:
	"""A next step that makes a submitted document of an order, with a row for each of its rows."""
	same = ("item_code", "qty", "rate", "warehouse")
	links = [{"field": field, "from": source} for field, source in row_fields.items()]
	rows = [{"field": name, "from": name} for name in same] + links
	return {
		"action": "Create Document",
		"document_type": doctype,
		"submit": 1,
		"fields": [{"field": name, "from": name} for name in ("supplier", "company")],
		"tables": [
			{
				"table": "items",
				"each": "items",
				"fields": [*rows, {"field": "purchase_order", "formula": "doc.name"}],
			}
		],
	}


def test_a_purchase_order_runs_from_draft_to_completed_by_milestones_and_next_steps(make_order):
	by_hand = {"key_date_rule": "After Creation", "date_field": None}
	make_workflow(
		"Purchase Order",
		[
			stage("Approved", **by_hand, next_actions=json.dumps([{"action": "Submit"}])),
			stage(
				"Arrived",
				**by_hand,
				next_actions=json.dumps([bring_in("Purchase Receipt", {"purchase_order_item": "name"})]),
			),
			by_percent("Received", "per_received")
			| {"next_actions": json.dumps([bring_in("Purchase Invoice", {"po_detail": "name"})])},
			by_status("Completed", "Completed", "schedule_date"),
		],
		[task("Approved", TASK)],
	)
	order = make_order().insert()
	plan = plan_of(order).name
	assert TASK in refusal(api.confirm_stage, plan, "Approved")
	complete(order)

	api.confirm_stage(plan, "Approved")
	run_steps(plan)
	assert frappe.db.get_value("Purchase Order", order.name, "status") == "To Receive and Bill"
	api.confirm_stage(plan, "Arrived")
	run_steps(plan)
	assert status_of(order)["Received"] == "Reached"
	log = run_steps(plan)

	assert frappe.db.get_value("Purchase Order", order.name, "status") == "Completed", log
	assert set(status_of(order).values()) == {"Reached"}
	assert frappe.db.get_value("Milestone Plan", plan, "status") == "Completed"
	assert [row.status for row in rows_of(plan)] == ["Done"] * 3
