"""The print formats of a plan: one for colleagues, with tasks, and one for customers, without."""

import frappe
import pytest
from frappe.utils import formatdate
from frappe.www.printview import get_html_and_style

from milestone_automation import api
from tests.support.factories import CLERK_ROLE, make_document, make_workflow, member, plan_of, stage, task

pytestmark = [pytest.mark.usefixtures("production_order"), pytest.mark.one_database]

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


def test_an_owner_from_outside_is_named_and_their_address_is_not(make_user):
	outside = {
		"owner_kind": "Third-Party Collaborator",
		"owner_name": "The Mill",
		"owner_email": "m@example.org",
	}
	make_workflow(stages=[stage("Woven", None, -20, **outside)], tasks=())
	order = make_document()
	assert "The Mill" in printed(order, "Milestone Plan")
	for print_format in ("Milestone Plan", "Standard"):
		assert "m@example.org" not in printed(order, print_format)


def test_who_has_a_key_prints_it_without_tasks(order, as_user):
	plan = frappe.get_doc("Milestone Plan", plan_of(order).name)
	path = ("print_format", "milestone_plan", "milestone_plan.html")
	template = frappe.read_file(frappe.get_app_path("milestone_automation", *path))
	with as_user("Guest"):
		html = frappe.render_template(template, {"doc": plan})
	assert "Cut &amp; sewn" in html
	assert "packing" not in html


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
