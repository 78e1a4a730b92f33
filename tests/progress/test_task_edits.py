"""What a manager changes of a task's rules shows: its date, its people, its to-dos; and people in the document too."""

import frappe
import pytest
from frappe.desk.form import assign_to

from milestone_automation import api
from milestone_automation.engine.progress import rescheduling, tasks
from tests.support.factories import (
	CLERK_ROLE,
	ORDER,
	READER_ROLE,
	make_document,
	make_workflow,
	member,
	plan_of,
	stage,
	task,
	task_of,
)

pytestmark = pytest.mark.usefixtures("production_order")

ANNA, BEN, CARLA = "anna@example.com", "ben@example.com", "carla@example.com"
MANAGER = "manager@example.com"


@pytest.fixture
def people(make_user):
	for user in (ANNA, BEN, CARLA):
		make_user(user, [CLERK_ROLE])
	make_user(MANAGER, [READER_ROLE, "Milestone Manager"])


def order_with(**row):
	values = {"note": row.pop("note", None)}
	make_workflow(stages=[stage("Shipped", "Shipped")], tasks=[task("Shipped", "Pack it", days=1, **row)])
	return make_document(**values)


def all_of(field="note"):
	return {"assignee_kind": "User Field", "assignee_field": field, "completion_rule": "All Of"}


def people_of(order) -> list[tuple]:
	return [(row.user or row.email, row.done) for row in task_of(order, "Pack it").assignees]


def todos_of(order) -> list[tuple]:
	filters = {"reference_type": "Milestone Task", "reference_name": task_of(order, "Pack it").name}
	rows = frappe.get_all(
		"ToDo", filters, ["allocated_to", "status", "date", "description"], order_by="allocated_to"
	)
	return [(row.allocated_to, row.status, str(row.date)) for row in rows]


def test_the_to_do_shows_the_day_the_task_is_due(people, as_user):
	order = order_with(**member(ANNA))
	assert todos_of(order) == [(ANNA, "Open", "2030-06-27")]
	rescheduling.reschedule(plan_of(order).name, "Shipped", "2030-07-10", "The cloth is late")
	assert todos_of(order) == [(ANNA, "Open", "2030-07-09")]
	doc = task_of(order, "Pack it")
	with as_user(MANAGER):
		doc.due_date = "2030-07-01"
		doc.save()
	assert todos_of(order) == [(ANNA, "Open", "2030-07-01")]
	tasks.complete(doc.name)
	rescheduling.reschedule(plan_of(order).name, "Shipped", "2030-06-20", "Sooner after all")
	assert todos_of(order) == [(ANNA, "Closed", "2030-07-01")]
	tasks.reopen(doc.name, "A box is missing")
	assert todos_of(order) == [(ANNA, "Open", "2030-06-20")]


def test_the_to_do_says_the_tasks_new_title_and_the_documents_new_name(people):
	order = order_with(**member(ANNA))
	doc = task_of(order, "Pack it")
	doc.title = "Pack it twice"
	doc.save()
	new = frappe.rename_doc(ORDER, order.name, "ORDER-RENAMED-2")
	text = frappe.db.get_value("ToDo", {"reference_name": doc.name}, "description")
	assert "Pack it twice" in text
	assert new in text


def test_another_rule_for_its_date_dates_a_task_anew(people, as_user):
	order = order_with()
	doc = task_of(order, "Pack it")
	with as_user(MANAGER):
		doc.due_days_before = 5
		doc.save()
	assert (str(doc.due_date), str(task_of(order, "Pack it").due_date)) == ("2030-06-23", "2030-06-23")
	assert not task_of(order, "Pack it").due_by_hand


def test_another_assignee_gets_the_task_and_the_to_do(people, as_user):
	order = order_with(**member(ANNA))
	doc = task_of(order, "Pack it")
	with as_user(MANAGER):
		doc.assignee_user = BEN
		doc.save()
	assert people_of(order) == [(BEN, 0)]
	assert [(user, status) for user, status, _day in todos_of(order)] == [(ANNA, "Cancelled"), (BEN, "Open")]


def test_any_of_instead_of_all_completes_what_one_has_done(people, as_user):
	order = order_with(note=f"{ANNA}, {BEN}", **all_of())
	tasks.complete(task_of(order, "Pack it").name, by=ANNA)
	doc = task_of(order, "Pack it")
	assert doc.status == "Open"
	with as_user(MANAGER):
		doc.completion_rule = "Any Of"
		doc.save()
	assert (doc.status, task_of(order, "Pack it").status, task_of(order, "Pack it").closed_by) == (
		"Completed",
		"Completed",
		ANNA,
	)


def test_who_has_done_their_part_is_not_asked_again(people):
	order = order_with(note=f"{ANNA}, {BEN}", **all_of())
	tasks.complete(task_of(order, "Pack it").name, by=ANNA)
	order.reload()
	order.note = f"{ANNA}, {CARLA}"
	order.save()
	assert people_of(order) == [(ANNA, 1), (CARLA, 0)]


def test_nobody_is_assigned_to_a_task_that_is_done(people, as_user):
	order = order_with(**member(ANNA))
	doc = task_of(order, "Pack it")
	tasks.complete(doc.name, by=ANNA)
	with pytest.raises(frappe.ValidationError, match=r"Reopen it first"):
		assign_to.add({"assign_to": [ANNA], "doctype": "Milestone Task", "name": doc.name})


def test_a_task_added_later_follows_the_field_that_names_its_assignee(people):
	order = order_with()
	order.inspector = ANNA
	order.save()
	plan = plan_of(order).name
	kind = {"assignee_kind": "User Field", "assignee_field": "inspector"}
	api.add_task(plan, "Shipped", "Look at it", **kind)
	order.reload()
	order.inspector = BEN
	order.save()
	assert [row.user for row in task_of(order, "Look at it").assignees] == [BEN]


@pytest.fixture
def crew_doctype(make_doctype) -> str:
	user = {"fieldname": "user", "fieldtype": "Link", "options": "User"}
	row = make_doctype("Milestone Test Person", [user], istable=1)
	fields = [
		{"fieldname": "people", "fieldtype": "Table", "options": row},
		{"fieldname": "mails", "fieldtype": "Small Text"},
		{"fieldname": "delivery_date", "fieldtype": "Date"},
	]
	return make_doctype("Milestone Test Crew", fields)


def test_long_lists_of_addresses_and_tables_of_users_are_followed(crew_doctype, people):
	doctype = crew_doctype
	by_field = [
		task("Shipped", title, assignee_kind="User Field", assignee_field=field)
		for title, field in (("Pack it", "people"), ("Tell them", "mails"))
	]
	make_workflow("Crew", document_type=doctype, stages=[stage("Shipped")], tasks=by_field)
	mails = [f"somebody.with.a.long.name.{number}@example.com" for number in range(6)]
	crew = frappe.get_doc({"doctype": doctype, "delivery_date": "2030-06-28", "mails": "\n".join(mails)})
	crew.append("people", {"user": ANNA})
	crew.insert()
	crew = frappe.get_doc(doctype, crew.name)
	crew.people[0].user = BEN
	crew.append("people", {"user": CARLA})
	crew.mails = "\n".join([*mails[:5], "new@example.com"])
	crew.save()
	assert people_of(crew) == [(BEN, 0), (CARLA, 0)]
	assert "new@example.com" in [row.email for row in task_of(crew, "Tell them").assignees]
	names = [row.name for row in task_of(crew, "Pack it").assignees]
	crew = frappe.get_doc(doctype, crew.name)
	crew.save()
	assert [row.name for row in task_of(crew, "Pack it").assignees] == names
