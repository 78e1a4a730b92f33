"""Tasks that come after other tasks: they wait, nobody is reminded of them, and they cannot be completed before."""

import frappe
import pytest

from milestone_automation import api
from milestone_automation.engine.people import signed_links
from milestone_automation.engine.people.signed_links import Purpose
from milestone_automation.engine.progress import tasks
from milestone_automation.links import task_page
from tests.support.clock import sweep_at
from tests.support.factories import (
	CLERK_ROLE,
	make_document,
	make_workflow,
	member,
	plan_of,
	stage,
	task,
	task_of,
)

pytestmark = [pytest.mark.usefixtures("production_order"), pytest.mark.one_database]

WANDA, XENIA = "wanda@example.com", "xenia@example.com"
BOOK, INSPECT = "Book the inspector", "Inspect the goods"


@pytest.fixture
def order(make_user):
	"""An order to be shipped on 2030-06-28: Wanda books the inspector by the 25th, then Xenia inspects by the 26th."""
	for person in (WANDA, XENIA):
		make_user(person, roles=[CLERK_ROLE])
	make_workflow(
		stages=[stage("Shipped", "Shipped")],
		tasks=[
			task("Shipped", BOOK, days=3, **member(WANDA)),
			task("Shipped", INSPECT, days=2, after_tasks=BOOK, **member(XENIA)),
		],
	)
	return make_document()


def shown(order, title: str) -> dict:
	plan = api.get_plan(order.doctype, order.name)
	return next(one for row in plan["stages"] for one in row["tasks"] if one["title"] == title)


def test_a_task_cannot_be_completed_before_the_one_it_comes_after(order, as_user):
	with as_user(XENIA), pytest.raises(frappe.ValidationError, match=f"{INSPECT} comes after {BOOK}"):
		api.complete_task(task_of(order, INSPECT).name)
	assert task_of(order, INSPECT).status == "Open"
	with as_user(WANDA):
		api.complete_task(task_of(order, BOOK).name)
	with as_user(XENIA):
		api.complete_task(task_of(order, INSPECT).name)
	assert task_of(order, INSPECT).status == "Completed"


@pytest.mark.parametrize("close", [tasks.waive, tasks.cancel])
def test_a_task_that_is_no_longer_needed_lets_the_next_one_start(order, close):
	close(task_of(order, BOOK).name, "The buyer sends their own")
	assert tasks.complete(task_of(order, INSPECT).name) == "Completed"


def test_a_to_do_of_a_waiting_task_cannot_be_closed(order, as_user):
	todo = frappe.get_doc("ToDo", {"reference_name": task_of(order, INSPECT).name, "allocated_to": XENIA})
	todo.status = "Closed"
	with as_user(XENIA), pytest.raises(frappe.ValidationError, match="comes after"):
		todo.save()
	assert task_of(order, INSPECT).status == "Open"


def test_the_panel_says_what_a_task_waits_for_and_offers_it_afterwards(order):
	assert shown(order, INSPECT)["waits_for"] == [BOOK]
	assert "complete" not in shown(order, INSPECT)["actions"]
	tasks.complete(task_of(order, BOOK).name)
	assert shown(order, INSPECT)["waits_for"] == []
	assert "complete" in shown(order, INSPECT)["actions"]


def messages_at(moment: str, order) -> set[tuple]:
	sweep_at(moment)
	rows = frappe.get_all("Milestone Message", {"plan": plan_of(order).name}, ["kind", "recipient"])
	return {(row.kind, row.recipient) for row in rows if row.recipient in (WANDA, XENIA)}


def test_nobody_is_reminded_of_a_task_that_waits(order):
	assert messages_at("2030-06-25 08:00:00", order) == {("Task Due", WANDA)}
	assert ("Task Overdue", XENIA) not in messages_at("2030-06-27 08:00:00", order)
	tasks.complete(task_of(order, BOOK).name)
	assert ("Task Overdue", XENIA) in messages_at("2030-06-27 09:00:00", order)


def test_who_blocks_a_milestone_is_told_and_who_waits_is_not(order):
	found = messages_at("2030-06-28 08:00:00", order)
	assert ("Blocked", WANDA) in found
	assert not [kind for kind, person in found if person == XENIA]


def test_the_page_behind_a_link_says_that_another_task_comes_first(order):
	token = signed_links.make_token(Purpose.TASK, task_of(order, INSPECT).name, XENIA)
	page = task_page.task_page({"token": token}, is_post=False)
	assert page["text"] == "This task cannot start yet: another task comes first."
	task_page.task_page({"token": token, "action": "complete"}, is_post=True)
	assert task_of(order, INSPECT).status == "Open"


@pytest.mark.parametrize(
	("rows", "problem"),
	[
		((task("Shipped", "A", after_tasks="B"), task("Shipped", "B", after_tasks="A")), "in a circle: "),
		((task("Shipped", "A", after_tasks="A"),), "circle: A → A"),
		((task("Shipped", "A", after_tasks="Dye"),), "It comes after Dye, which is no task of this workflow"),
		(
			(task("Cut", "A", after_tasks="B"), task("Shipped", "B")),
			"It comes after B, a task of Shipped, which does not come before its own milestone",
		),
		(
			(task("Cut", "B"), task("Cut", "A", after_tasks="B"), task("Shipped", "B")),
			"It comes after B, a task of Shipped, which does not come before its own milestone",
		),
	],
)
def test_an_order_of_tasks_that_cannot_be_is_refused_with_what_to_do(rows, problem):
	with pytest.raises(frappe.ValidationError, match=problem):
		make_workflow(stages=[stage("Cut", "Cut", -20), stage("Shipped", "Shipped")], tasks=rows)


def test_a_renamed_task_is_followed_by_those_that_come_after_it(order):
	workflow = frappe.get_doc("Milestone Workflow", "Production")
	workflow.tasks[0].title = "Book an inspector"
	workflow.save()
	assert workflow.tasks[1].after_tasks == "Book an inspector"


def test_a_task_of_an_all_of_group_is_not_completed_by_itself_while_it_waits(make_user):
	for person in (WANDA, XENIA):
		make_user(person, roles=[CLERK_ROLE])
	make_workflow(
		stages=[stage("Shipped", "Shipped")],
		tasks=[task("Shipped", BOOK), task("Shipped", INSPECT, after_tasks=BOOK)],
	)
	order = make_document()
	tasks.complete_if_nobody_is_left(task_of(order, INSPECT).name)
	assert task_of(order, INSPECT).status == "Open"
