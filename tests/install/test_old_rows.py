"""What Frappe's own housekeeping does with our rows: Log Settings, and requests about personal data."""

import frappe
import pytest
from frappe.core.doctype.log_settings.log_settings import _supports_log_clearing
from frappe.model.base_document import get_controller
from frappe.utils import add_days, now_datetime
from frappe.website.doctype.personal_data_download_request.personal_data_download_request import get_user_data

from milestone_automation.engine.base import bulk, follow_ups
from milestone_automation.engine.plans import ending
from milestone_automation.engine.store import plan_rows
from tests.support.factories import (
	collaborator,
	make_document,
	make_workflow,
	member,
	plan_of,
	stage,
	task,
)

OLD = "Milestone Message", "Milestone Next Step"
FINAL = {"Milestone Message": "Sent", "Milestone Next Step": "Done"}
WAITING = {"Milestone Message": "Queued", "Milestone Next Step": "Pending"}


@pytest.fixture
def plans(production_order):
	"""A running plan and a cancelled one."""
	make_workflow(stages=[stage("Shipped", "Shipped")], tasks=[])
	running, cancelled = (plan_of(make_document()).name for _number in range(2))
	ending.cancel(plan_rows.load_by_name(cancelled, lock=True), "Ordered elsewhere")
	return frappe._dict(running=running, cancelled=cancelled)


def make_row(doctype: str, plan: str, status: str, days: int) -> str:
	(name,) = bulk.insert_rows(doctype, [{"plan": plan, "status": status}])
	frappe.db.set_value(doctype, name, "creation", add_days(now_datetime(), -days), update_modified=False)
	return name


@pytest.mark.parametrize("doctype", OLD)
def test_log_settings_delete_old_rows_of_plans_that_are_over(plans, doctype):
	assert doctype in frappe.get_hooks("default_log_clearing_doctypes")
	assert _supports_log_clearing(doctype)
	old = make_row(doctype, plans.cancelled, FINAL[doctype], 40)
	kept = {
		make_row(doctype, plans.cancelled, FINAL[doctype], 20),
		make_row(doctype, plans.cancelled, WAITING[doctype], 40),
		make_row(doctype, plans.running, FINAL[doctype], 40),
	}
	get_controller(doctype).clear_old_logs(days=30)
	assert set(frappe.get_all(doctype, {"name": ("in", [old, *kept])}, pluck="name")) == kept


def test_a_person_who_asks_for_their_data_gets_what_is_about_them(production_order, make_user):
	user = make_user("dana.data@example.com", [])
	make_workflow(
		stages=[stage("Shipped", "Shipped")],
		tasks=[
			task("Shipped", "Book the inspector", **member(user)),
			task("Shipped", "Send the samples", **collaborator(user, "Dana Data")),
		],
	)
	plan = plan_of(make_document()).name
	bulk.insert_rows("Milestone Message", [{"plan": plan, "recipient": user, "subject": "Dear Dana"}])
	found = frappe.parse_json(get_user_data(user))
	assert [row["subject"] for row in found["Milestone Message"]] == ["Dear Dana"]
	assert [row["title"] for row in found["Milestone Task"]] == ["Send the samples"]
	assert found["Milestone Task Assignee"]


def test_a_person_whose_data_is_deleted_is_named_in_no_row_of_ours(production_order, make_user, smtp):
	person = "dana.deleted@example.com"
	make_workflow(
		stages=[stage("Shipped", owner_kind="Third-Party Collaborator", owner_email=person)],
		tasks=[task("Shipped", "Send the samples", **collaborator(person, "Dana Deleted"))],
	)
	plan = plan_of(make_document())
	about = {"plan": plan.name, "plan_stage": plan.stages[0].name}
	bulk.insert_rows("Milestone", [{"reference_type": plan.reference_type, "reached_by": person}])
	bulk.insert_rows("Milestone Plan Log", [{**about, "done_by": person}])
	for column in ("changed_by", "proposed_by", "answered_by"):
		bulk.insert_rows("Milestone Date Change", [{**about, column: person}])
	bulk.insert_rows("Milestone Message", [{**about, "recipient": person, "subject": f"For {person}"}])
	assert rows_that_name(person)
	make_user(person, [])

	request = frappe.get_doc({"doctype": "Personal Data Deletion Request", "email": person})
	request.insert(ignore_permissions=True)  # as the page of Frappe's makes it
	request.db_set("status", "Pending Approval")
	request._anonymize_data()
	for name in frappe.get_all("Milestone Follow Up", pluck="name"):
		follow_ups.do(name)  # as the job after the commit

	assert rows_that_name(person) == {}


def rows_that_name(person: str) -> dict[str, int]:
	"""How many rows of each of our DocTypes hold an address in a text."""
	found = {}
	for doctype in frappe.get_all("DocType", {"module": "Milestone Automation", "issingle": 0}, pluck="name"):
		rows = frappe.get_all(doctype, fields=["*"])
		named = [row for row in rows if person in str({**row, "owner": "", "modified_by": ""})]
		if named:
			found[doctype] = len(named)
	return found
