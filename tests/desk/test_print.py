"""The print formats of a plan: one for colleagues, with tasks, and one for customers, without."""

import frappe
import pytest
from frappe.utils import formatdate
from frappe.www.printview import get_html_and_style

from milestone_automation import api
from tests.support.factories import CLERK_ROLE, make_document, make_workflow, member, plan_of, stage, task

pytestmark = pytest.mark.usefixtures("production_order")

TASK = "Sign the <packing> list"
FORMATS = ("Milestone Plan", "Milestone Status Report")


@pytest.fixture
def order(make_user):
	make_user("erika@example.com", [CLERK_ROLE], first_name="Erika", last_name="Muster")
	make_workflow(
		stages=[
			stage("Cut & sewn", "Cut", -20),
			stage("Shipped", "Shipped", owner_kind="User", owner_user="erika@example.com"),
		],
		tasks=[task("Shipped", TASK, **member("erika@example.com"))],
	)
	order = make_document()
	order.db_set("status", "Cut")
	return order


def printed(order, print_format: str) -> str:
	plan = frappe.get_doc("Milestone Plan", plan_of(order).name)
	return get_html_and_style(plan.as_json(), print_format=print_format)["html"]


def test_the_plan_for_colleagues_has_milestones_owners_and_tasks(order):
	html = printed(order, "Milestone Plan")
	assert order.name in html
	assert "Cut &amp; sewn" in html
	assert "Erika Muster" in html
	assert "Sign the" in html and "packing" in html
	assert "<packing>" not in html
	assert html.count("</th>") == 6


def test_it_is_what_a_plan_is_printed_as_unless_another_format_is_chosen():
	assert frappe.get_meta("Milestone Plan").default_print_format == "Milestone Plan"


def test_the_report_for_customers_has_dates_only(order):
	api.reschedule_stage(
		plan_of(order).name, "Shipped", "2099-06-20", "The mill is broke", later_stages="Keep Order"
	)
	html = printed(order, "Milestone Status Report")
	stages = plan_of(order).stages
	assert order.name in html
	assert "1 of 2 reached" in html
	for day in (stages[1].planned_date, "2099-06-20", stages[0].reached_on):
		assert formatdate(day) in html
	for secret in ("packing", "Erika", "mill", "Production"):
		assert secret not in html.replace("Production Order", ""), secret


@pytest.mark.parametrize("print_format", FORMATS)
def test_who_may_not_read_the_document_prints_nothing(order, make_user, as_user, print_format):
	make_user("stranger@example.com", [])
	plan = frappe.get_doc("Milestone Plan", plan_of(order).name).as_json()
	with as_user("stranger@example.com"), pytest.raises(frappe.PermissionError):
		get_html_and_style(plan, print_format=print_format)
