"""The search of the Desk finds plans and tasks by the document's name, of documents that the user may read."""

import json

import frappe
import pytest
from frappe.utils import global_search as search_index

from milestone_automation.desk import core_calls
from tests.support.factories import CLERK_ROLE, make_document, make_workflow, plan_of, stage, task, task_of

pytestmark = pytest.mark.usefixtures("production_order")

TASK = "Load the truck"


@pytest.fixture
def order():
	make_workflow(stages=[stage("Shipped", "Shipped")], tasks=[task("Shipped", TASK)])
	return make_document()


@pytest.fixture
def search(site):
	if frappe.db.db_type == "sqlite":
		pytest.skip("Frappe's own search of the Desk fails on SQLite: its query builder has no Match for it")


def found(text: str, doctype: str = "") -> dict[str, list[str]]:
	by_doctype: dict[str, list[str]] = {}
	for row in core_calls.global_search(text, 0, 20, doctype):
		by_doctype.setdefault(row.doctype, []).append(row.name)
	return by_doctype


def test_plans_and_tasks_are_found_by_the_document(search, order):
	rows = found(order.name)
	assert rows["Milestone Plan"] == [plan_of(order).name]
	assert rows["Milestone Task"] == [task_of(order, TASK).name]
	[plan] = [row for row in core_calls.global_search(order.name, 0, 20, "Milestone Plan")]
	assert f"Document : {order.name}" in plan.content


def test_a_task_is_found_by_its_title_and_one_doctype_can_be_asked_for(search, order):
	assert found("truck") == {"Milestone Task": [task_of(order, TASK).name]}
	assert found("truck", "Milestone Plan") == {}
	assert found(" ") == {}


def test_who_may_not_read_the_document_finds_nothing(search, order, make_user, as_user):
	make_user("stranger@example.com", [])
	make_user("clerk@example.com", [CLERK_ROLE])
	with as_user("stranger@example.com"):
		assert found(order.name) == {}
		assert found("truck") == {}
	with as_user("clerk@example.com"):
		assert found("truck") == {"Milestone Task": [task_of(order, TASK).name]}


def test_nothing_of_ours_is_in_the_index_that_knows_no_rights(order):
	for doctype in core_calls.SEARCHED:
		assert not frappe.get_meta(doctype).get_global_search_fields()
	assert search_index.search(order.name, doctype="Milestone Plan") == []


def test_frappes_own_results_stay(search, order, server):
	client = server.login()
	answer = client.get(
		"/api/method/frappe.utils.global_search.search",
		params={"text": "x", "start": 0, "limit": 5, "doctype": ""},
	)
	assert answer.status_code == 200, answer.text
	assert isinstance(json.loads(answer.text)["message"], list)
