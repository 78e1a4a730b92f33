"""Exit criteria hold on the paths of the desk and of the wire too: submit, update, workflow action, REST, bulk edit, import, link."""

import json

import frappe
import frappe.client
import pytest
from frappe.desk.form.save import savedocs
from frappe.model.workflow import apply_workflow

from milestone_automation.engine.base.guard import GateError
from milestone_automation.engine.people.signed_links import Purpose, make_token
from tests.support.factories import (
	CLERK_ROLE,
	ORDER,
	ensure_production_order,
	make_document,
	make_workflow,
	plan_of,
	stage,
	stage_of,
	status_of,
	written,
)
from tests.support.transactions import fresh

pytestmark = pytest.mark.one_database

FILE = json.dumps([{"kind": "File Is Attached", "label": "The packing list is attached"}])
SAID = "The packing list is attached"
OWNER = "olga@criteria.example"


def attach(order):
	about = {"attached_to_doctype": ORDER, "attached_to_name": order.name}
	frappe.get_doc({"doctype": "File", "file_name": "list.txt", "content": "x"} | about).insert()


def order_with(row: dict, **values):
	make_workflow(stages=[row | {"exit_criteria": FILE}], tasks=())
	return make_document(**values)


def is_refused_until_met(path, order) -> None:
	before = written(order)
	with pytest.raises(GateError, match=SAID):
		path(frappe.get_doc(ORDER, order.name))
	assert written(order) == before
	attach(order)
	path(frappe.get_doc(ORDER, order.name))
	assert set(status_of(order).values()) == {"Reached"}


def save(order):
	order.status = "Shipped"
	order.save()


def form_update(order):
	savedocs(json.dumps(order.as_dict() | {"status": "Shipped"}, default=str), "Update")


def client_set_value(order):
	frappe.client.set_value(ORDER, order.name, "status", "Shipped")


def db_set(order):
	order.db_set("status", "Shipped")


def db_set_of_a_dict(order):
	order.db_set({"status": "Shipped", "note": "Along with it"})


@pytest.mark.usefixtures("production_order")
@pytest.mark.parametrize("path", [save, form_update, client_set_value, db_set, db_set_of_a_dict])
def test_an_update_after_submit_asks(path):
	order = order_with(stage("Shipped", "Shipped"))
	order.submit()
	is_refused_until_met(path, order)


def submit(order):
	order.submit()


def form_submit(order):
	savedocs(json.dumps(order.as_dict(), default=str), "Submit")


def client_submit(order):
	frappe.client.submit(json.dumps(order.as_dict(), default=str))


RELEASED = stage("Released", reach_rule="Field Value", track_field="docstatus", track_value="1")


@pytest.mark.usefixtures("production_order")
@pytest.mark.parametrize("path", [submit, form_submit, client_submit])
def test_submitting_asks(path):
	is_refused_until_met(path, order_with(RELEASED))


@pytest.mark.usefixtures("production_order", "approval")
def test_a_workflow_action_asks():
	sent = stage("Sent", reach_rule="Field Value", track_field="state", track_value="On its way")
	order = order_with(sent)
	is_refused_until_met(lambda doc: apply_workflow(doc.as_json(), "Send off"), order)
	assert frappe.db.get_value(ORDER, order.name, ["state", "docstatus"]) == ("On its way", 1)


# Over the wire: a real server, real transactions


@pytest.fixture
def make_served(server):
	"""Function: a committed order on the served site, whose two milestones need a packing list."""

	def make(**values):
		if not frappe.db.exists("Milestone Workflow", "Production"):
			ensure_production_order()
			user = {"doctype": "User", "email": OWNER, "first_name": "Olga", "send_welcome_email": 0}
			frappe.get_doc(user | {"roles": [{"role": CLERK_ROLE}]}).insert()
			owner = {"owner_kind": "User", "owner_user": OWNER}
			rows = [
				stage("Shipped", "Shipped", exit_criteria=FILE),
				stage("Handed over", exit_criteria=FILE, **owner),
			]
			make_workflow(stages=rows, tasks=())
		order = make_document(**values)
		frappe.db.commit()  # the server shall see it
		return order

	with server.site.connect():
		yield make
		frappe.db.rollback()


def attach_for_all(order) -> None:
	attach(order)
	frappe.db.commit()  # the server shall see it


def test_rest_answers_417_with_the_criterion_and_writes_nothing(server, make_served):
	order = make_served()
	before = written(order)
	client = server.login()
	answer = client.put(f"/api/resource/{ORDER}/{order.name}", json={"status": "Shipped"})
	assert (answer.status_code, answer.json()["exc_type"]) == (417, "GateError")
	assert [one["text"] for one in answer.json()["milestone_gate"]["criteria"]] == [SAID]
	fresh()
	assert written(order) == before
	attach_for_all(order)
	assert client.put(f"/api/resource/{ORDER}/{order.name}", json={"status": "Shipped"}).status_code == 200
	fresh()
	assert status_of(order)["Shipped"] == "Reached"


def test_bulk_edit_changes_only_orders_that_meet_them(server, make_served):
	held, free = make_served(), make_served()
	attach_for_all(free)
	before = written(held)
	answer = server.login().bulk_edit(ORDER, [held.name, free.name], {"status": "Shipped"})
	assert answer == [held.name]
	fresh()
	assert written(held) == before
	assert status_of(free)["Shipped"] == "Reached"


def test_a_data_import_reports_the_row_that_does_not_meet_them_and_imports_the_other(make_served):
	held, free = make_served(), make_served()
	attach_for_all(free)
	before = written(held)
	csv = f"ID,Status\n{held.name},Shipped\n{free.name},Shipped"
	file = frappe.get_doc(
		{"doctype": "File", "file_name": "rows.csv", "content": csv, "is_private": 1}
	).insert()
	job = {"doctype": "Data Import", "reference_doctype": ORDER, "import_type": "Update Existing Records"}
	job = frappe.get_doc(job | {"import_file": file.file_url}).insert()
	frappe.db.commit()  # a refused row rolls back
	job.get_importer().import_data()
	logs = frappe.get_all("Data Import Log", {"data_import": job.name}, ["docname", "success", "messages"])
	by_success = {bool(row.success): row for row in logs}
	assert by_success[True].docname == free.name
	assert SAID in by_success[False].messages
	fresh()
	assert written(held) == before
	assert status_of(free)["Shipped"] == "Reached"


def test_the_page_behind_a_mail_s_link_asks(server, make_served):
	order = make_served()
	row = stage_of(order, "Handed over")
	sent = {"token": make_token(Purpose.ANSWER, row.name, OWNER, str(row.key_date)), "answer": "yes"}
	before = written(order)
	page = server.guest().post("/milestone-answer", data=sent)
	assert SAID in page.text
	assert "is marked as reached on" not in page.text
	fresh()
	assert written(order) == before
	attach_for_all(order)
	page = server.guest().post("/milestone-answer", data=sent)
	assert "is marked as reached on" in page.text
	fresh()
	assert status_of(order) == {"Shipped": "Open", "Handed over": "Reached"}


def test_the_page_behind_a_mail_s_link_asks_where_the_answer_writes_the_document(server, make_served):
	order = make_served()
	frappe.db.set_single_value("Milestone Settings", "login_to_answer", 0)
	frappe.db.set_value(
		"Milestone Plan Stage", stage_of(order, "Shipped").name, {"owner_kind": "User", "stage_owner": OWNER}
	)
	frappe.db.commit()  # the server shall see it
	row = stage_of(order, "Shipped")
	sent = {"token": make_token(Purpose.ANSWER, row.name, OWNER, str(row.key_date)), "answer": "yes"}
	page = server.guest().post("/milestone-answer", data=sent)
	assert SAID in page.text
	fresh()
	assert frappe.db.get_value(ORDER, order.name, "status") == "Open"
	assert status_of(order) == {"Shipped": "Open", "Handed over": "Open"}


def test_a_rest_call_that_confirms_asks(server, make_served):
	order = make_served()
	client = server.login()
	call = {"plan": plan_of(order).name, "stage": "Handed over"}
	answer = client.post("/api/method/milestone_automation.api.confirm_stage", json=call)
	assert (answer.status_code, SAID in answer.text) == (417, True)
	attach_for_all(order)
	client.call("milestone_automation.api.confirm_stage", **call)
	fresh()
	assert status_of(order)["Handed over"] == "Reached"
