"""Tasks and the to-dos of their assignees: what happens to one happens to the other."""

import json

import frappe
import pytest
from frappe.desk.form import assign_to

from milestone_automation.engine.base import bulk
from milestone_automation.engine.people import todos
from milestone_automation.engine.progress import tasks, todo_changes
from tests.support.factories import (
	CLERK_ROLE,
	make_document,
	make_workflow,
	member,
	open_required,
	plan_of,
	task,
	task_of,
)

pytestmark = pytest.mark.usefixtures("production_order")
TEAM = {"assignee_kind": "Whole Team"}
TITLE = "Sign the packing list"


@pytest.fixture
def team(make_user):
	"""Three desk users: two who may read and write orders, one who may not."""
	return (
		make_user("anna@example.com", [CLERK_ROLE]),
		make_user("bert@example.com", [CLERK_ROLE]),
		make_user("olga@example.com", ["Milestone Manager"]),
	)


@pytest.fixture
def for_anna(team):
	"""An order with one required task of Anna's."""
	make_workflow(tasks=[task("Shipped", TITLE, days=1, **member(team[0]))])
	return make_document()


@pytest.fixture
def for_team(team):
	"""Function: an order with one required task for Anna and Bert."""

	def make(rule="Any Of"):
		make_workflow(tasks=[task("Shipped", TITLE, **TEAM, completion_rule=rule)], team_role=CLERK_ROLE)
		return make_document()

	return make


def todos_of(order, *fields):
	"""To-dos of the order's task, by user."""
	filters = {"reference_type": "Milestone Task", "reference_name": task_of(order, TITLE).name}
	fields = fields or ("allocated_to", "status")
	return frappe.get_all("ToDo", filters, fields, order_by="allocated_to, creation, name", as_list=True)


def statuses(order):
	return dict(todos_of(order))


def todo_of(order, user):
	filters = {"reference_name": task_of(order, TITLE).name, "allocated_to": user}
	return frappe.get_last_doc("ToDo", filters)


def set_todo(order, user, status):
	"""Change a to-do as its form in the desk does."""
	todo = todo_of(order, user)
	todo.status = status
	todo.save()


def assigned(order):
	return [row.user for row in task_of(order, TITLE).assignees]


def listed(order):
	"""What the desk's list shows as assigned."""
	return json.loads(frappe.db.get_value("Milestone Task", task_of(order, TITLE).name, "_assign") or "[]")


# To-dos follow the task


def test_a_task_gives_its_assignee_a_to_do(for_anna):
	found = todos_of(
		for_anna, "allocated_to", "status", "priority", "date", "description", "assigned_by", "docstatus"
	)
	text = f"{TITLE} (task of the milestone Shipped, Production Order {for_anna.name})"
	due = task_of(for_anna, TITLE).due_date
	assert [list(row) for row in found] == [
		["anna@example.com", "Open", "Medium", due, text, "Administrator", 0]
	]
	assert listed(for_anna) == ["anna@example.com"]


def test_nobody_without_a_desk_gets_a_to_do(make_user):
	portal = make_user("portal@example.com", user_type="Website User")
	make_workflow(tasks=[task("Shipped", TITLE, **member(portal))])
	order = make_document()
	assert assigned(order) == [portal]
	assert statuses(order) == {}
	assert listed(order) == []


def test_assigning_twice_changes_nothing(for_team):
	order = for_team()
	before = todos_of(order, "name", "allocated_to", "status")
	todos.assign([task_of(order, TITLE).name])
	assert todos_of(order, "name", "allocated_to", "status") == before
	assert len(before) == 2


def test_who_is_no_assignee_any_more_loses_the_to_do(for_team):
	order = for_team()
	name = task_of(order, TITLE).name
	frappe.db.delete("Milestone Task Assignee", {"parent": name, "user": "bert@example.com"})
	todos.assign([name])
	assert statuses(order) == {"anna@example.com": "Open", "bert@example.com": "Cancelled"}
	assert listed(order) == ["anna@example.com"]


@pytest.mark.parametrize("act, status", [("waive", "Closed"), ("cancel", "Cancelled")])
def test_waived_and_cancelled_tasks_ask_nobody_and_reopened_ones_do_again(for_anna, act, status):
	name = task_of(for_anna, TITLE).name
	getattr(tasks, act)(name, "The lab is closed")
	assert statuses(for_anna) == {"anna@example.com": status}
	assert listed(for_anna) == []
	tasks.reopen(name, "The lab is open again")
	assert [row[1] for row in todos_of(for_anna)].count("Open") == 1
	assert listed(for_anna) == ["anna@example.com"]


def test_completing_for_all_closes_every_to_do(for_team):
	order = for_team()
	tasks.complete(task_of(order, TITLE).name, by="anna@example.com")
	assert statuses(order) == {"anna@example.com": "Closed", "bert@example.com": "Closed"}
	assert listed(order) == []


def test_completing_one_s_part_closes_one_s_own_to_do(for_team):
	order = for_team("All Of")
	tasks.complete(task_of(order, TITLE).name, by="anna@example.com")
	assert statuses(order) == {"anna@example.com": "Closed", "bert@example.com": "Open"}
	assert listed(order) == ["bert@example.com"]


def test_five_hundred_tasks_are_no_five_hundred_statements_and_no_notification(team, count_queries):
	make_workflow(tasks=[task("Shipped", TITLE, **member(team[0]))])
	plan = plan_of(make_document())
	row = {"plan": plan.name, "plan_stage": plan.stages[-1].name, "stage_name": "Shipped", "status": "Open"}
	about = {"reference_type": plan.reference_type, "reference_name": plan.reference_name}
	names = bulk.insert_rows(
		"Milestone Task", [row | about | {"title": f"Task {number}"} for number in range(500)]
	)
	place = {"parenttype": "Milestone Task", "parentfield": "assignees"}
	people = [
		place | {"parent": name, "user": team[index], "idx": index + 1}
		for number, name in enumerate(names)
		for index in range(1 + number % 2)
	]
	bulk.insert_rows("Milestone Task Assignee", people)
	before = frappe.db.count("Notification Log"), frappe.db.count("Email Queue"), frappe.db.count("Comment")
	with count_queries() as queries:
		todos.assign(names)
	assert queries.count <= 7, str(queries)
	assert frappe.db.count("ToDo", {"reference_name": ("in", names), "status": "Open"}) == 750
	assert json.loads(frappe.db.get_value("Milestone Task", names[1], "_assign")) == list(team[:2])
	assert (
		frappe.db.count("Notification Log"),
		frappe.db.count("Email Queue"),
		frappe.db.count("Comment"),
	) == before
	for step in (todos.close, todos.reopen, todos.cancel):
		with count_queries() as queries:
			step(names)
		assert queries.count <= 11, str(queries)
	assert frappe.db.count("ToDo", {"reference_name": ("in", names), "status": "Cancelled"}) == 750


# The task follows its to-dos


def test_closing_the_to_do_completes_the_task(for_anna, as_user):
	with as_user("anna@example.com"):
		set_todo(for_anna, "anna@example.com", "Closed")
	done = task_of(for_anna, TITLE)
	assert (done.status, done.closed_by) == ("Completed", "anna@example.com")
	assert [row.done for row in done.assignees] == [1]
	assert open_required(plan_of(for_anna).name) == {"Shipped": 0}
	assert plan_of(for_anna).stages[-1].open_required == 0
	assert statuses(for_anna) == {"anna@example.com": "Closed"}


def test_closing_from_the_task_s_sidebar_completes_it(for_anna, as_user):
	name = task_of(for_anna, TITLE).name
	with as_user("anna@example.com"):
		if hasattr(assign_to, "close"):
			assign_to.close("Milestone Task", name, "anna@example.com")
		else:
			assign_to.set_status("Milestone Task", name, assign_to="anna@example.com", status="Closed")
	assert task_of(for_anna, TITLE).status == "Completed"


def test_of_a_task_for_any_the_first_to_do_closed_is_enough(for_team, as_user):
	order = for_team("Any Of")
	with as_user("bert@example.com"):
		set_todo(order, "bert@example.com", "Closed")
	assert task_of(order, TITLE).status == "Completed"
	assert statuses(order) == {"anna@example.com": "Closed", "bert@example.com": "Closed"}


def test_of_a_task_for_all_only_the_last_to_do_closed_is_enough(for_team, as_user):
	order = for_team("All Of")
	with as_user("bert@example.com"):
		set_todo(order, "bert@example.com", "Closed")
	assert task_of(order, TITLE).status == "Open"
	assert statuses(order) == {"anna@example.com": "Open", "bert@example.com": "Closed"}
	with as_user("anna@example.com"):
		set_todo(order, "anna@example.com", "Closed")
	assert task_of(order, TITLE).status == "Completed"


def test_opening_the_to_do_again_reopens_the_task(for_anna, as_user):
	with as_user("anna@example.com"):
		set_todo(for_anna, "anna@example.com", "Closed")
		set_todo(for_anna, "anna@example.com", "Open")
	again = task_of(for_anna, TITLE)
	assert (again.status, again.reason) == ("Open", "Reopened from the ToDo list.")
	assert [row.done for row in again.assignees] == [0]
	assert plan_of(for_anna).stages[-1].open_required == 1
	assert listed(for_anna) == ["anna@example.com"]


def test_opening_one_s_part_again_takes_back_one_s_part(for_team, as_user):
	order = for_team("All Of")
	with as_user("bert@example.com"):
		set_todo(order, "bert@example.com", "Closed")
		set_todo(order, "bert@example.com", "Open")
	assert {row.user: row.done for row in task_of(order, TITLE).assignees} == {
		"anna@example.com": 0,
		"bert@example.com": 0,
	}


def test_no_assignee_opens_a_waived_task_by_its_to_do(for_anna, as_user):
	tasks.waive(task_of(for_anna, TITLE).name, "Not needed for samples")
	with (
		as_user("anna@example.com"),
		pytest.raises(frappe.PermissionError, match=r"is Waived. Ask a Milestone Manager"),
	):
		set_todo(for_anna, "anna@example.com", "Open")


def test_nobody_closes_the_to_do_of_a_colleague(for_team, as_user):
	order = for_team("All Of")
	todo = todo_of(order, "bert@example.com")
	with (
		as_user("anna@example.com"),
		pytest.raises(frappe.PermissionError, match="You are not assigned to the task"),
	):
		todo.status = "Closed"
		todo.save(ignore_permissions=True)  # as core's own sidebar call does


def test_a_manager_may_close_the_to_do_of_another(for_team, as_user, make_user):
	order = for_team("All Of")
	make_user("boss@example.com", ["Milestone Manager", CLERK_ROLE])
	todo = todo_of(order, "bert@example.com")
	with as_user("boss@example.com"):
		todo.status = "Closed"
		todo.save(ignore_permissions=True)  # as core's own sidebar call does
	assert {row.user: row.done for row in task_of(order, TITLE).assignees} == {
		"anna@example.com": 0,
		"bert@example.com": 1,
	}


# Assigning by hand


def add_todo(order, user, **values):
	about = {"reference_type": "Milestone Task", "reference_name": task_of(order, TITLE).name}
	todo = {
		"doctype": "ToDo",
		"description": "Please",
		"allocated_to": user,
		"assigned_by": frappe.session.user,
	}
	return frappe.get_doc(todo | about | values).insert()


def test_assigning_in_the_sidebar_adds_an_assignee_without_sharing_more(for_anna, as_user, team):
	name = task_of(for_anna, TITLE).name
	frappe.get_doc("User", team[2]).remove_roles("Milestone Manager")
	with as_user("anna@example.com"):
		assign_to.add(
			{"doctype": "Milestone Task", "name": name, "assign_to": [team[2]], "description": "Help me"}
		)
	assert assigned(for_anna) == ["anna@example.com", "olga@example.com"]
	assert sorted(listed(for_anna)) == ["anna@example.com", "olga@example.com"]
	assert frappe.has_permission("Milestone Task", doc=name, user="olga@example.com")
	assert not frappe.db.exists("DocShare", {"share_doctype": "Milestone Task", "share_name": name})
	assert not frappe.has_permission("Milestone Plan", doc=plan_of(for_anna).name, user="olga@example.com")


def test_assigning_an_assignee_again_adds_no_second_row(for_anna):
	add_todo(for_anna, "anna@example.com")
	assert assigned(for_anna) == ["anna@example.com"]


def test_removing_an_assignment_removes_the_assignee(for_team):
	order = for_team()
	assign_to.remove("Milestone Task", task_of(order, TITLE).name, "bert@example.com")
	assert assigned(order) == ["anna@example.com"]
	assert listed(order) == ["anna@example.com"]


def test_deleting_the_to_do_removes_the_assignee(for_team):
	todo_of(order := for_team(), "bert@example.com").delete()
	assert assigned(order) == ["anna@example.com"]


def test_giving_the_to_do_to_another_gives_the_task(for_anna):
	todo = todo_of(for_anna, "anna@example.com")
	todo.allocated_to = "bert@example.com"
	todo.save()
	assert assigned(for_anna) == ["bert@example.com"]


def test_turning_the_to_do_to_something_else_gives_the_task_back(for_anna):
	todo = todo_of(for_anna, "anna@example.com")
	todo.update({"reference_type": None, "reference_name": None})
	todo.save()
	assert assigned(for_anna) == []


def test_who_has_done_a_part_stays_on_record_when_unassigned(for_team):
	order = for_team("All Of")
	tasks.complete(task_of(order, TITLE).name, by="bert@example.com")
	todo = todo_of(order, "bert@example.com")
	todo.status = "Cancelled"
	todo.save()
	assert assigned(order) == ["anna@example.com", "bert@example.com"]


def test_an_outsider_cannot_make_a_task_theirs_with_a_to_do(for_anna, as_user, make_user):
	thief = make_user("thief@example.com")
	with as_user(thief):
		with pytest.raises(frappe.PermissionError, match="You may not assign the task"):
			add_todo(for_anna, thief)
		own = frappe.get_doc({"doctype": "ToDo", "description": "Mine", "allocated_to": thief}).insert()
		own.update({"reference_type": "Milestone Task", "reference_name": task_of(for_anna, TITLE).name})
		with pytest.raises(frappe.PermissionError, match="You may not assign the task"):
			own.save()
	assert assigned(for_anna) == ["anna@example.com"]


def test_an_assignee_from_outside_brings_in_nobody(for_anna, as_user, make_user):
	helper = make_user("helper@example.com")
	add_todo(for_anna, helper)
	with as_user(helper), pytest.raises(frappe.PermissionError, match="You may not assign the task"):
		add_todo(for_anna, "bert@example.com")
	with as_user(helper), pytest.raises(frappe.PermissionError, match=r"You may not remove .* from the task"):
		todo = todo_of(for_anna, "anna@example.com")
		todo.status = "Cancelled"
		todo.save(ignore_permissions=True)  # as core's own sidebar call does


def test_an_assignee_may_hand_the_task_back(for_anna, as_user, make_user):
	helper = make_user("helper@example.com")
	add_todo(for_anna, helper)
	with as_user(helper):
		set_todo(for_anna, helper, "Cancelled")
	assert assigned(for_anna) == ["anna@example.com"]


def test_a_task_that_is_done_takes_no_new_assignee(for_anna):
	tasks.complete(task_of(for_anna, TITLE).name)
	with pytest.raises(frappe.ValidationError, match=r"is Completed. Reopen it first"):
		add_todo(for_anna, "bert@example.com")


def test_a_to_do_about_anything_else_costs_nothing(count_queries):
	todo = frappe.get_doc(
		{"doctype": "ToDo", "description": "Something else", "allocated_to": "Administrator"}
	).insert()
	with count_queries() as queries:
		todo_changes.on_todo_change(todo, "on_update")
	assert queries.count == 0
