"""What Frappe's own housekeeping does with our rows: Log Settings, and requests about personal data."""

import frappe
import pytest
from frappe.core.doctype.log_settings.log_settings import _supports_log_clearing
from frappe.model.base_document import get_controller
from frappe.utils import add_days, now_datetime
from frappe.website.doctype.personal_data_download_request.personal_data_download_request import get_user_data

from milestone_automation.engine.base import bulk
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
