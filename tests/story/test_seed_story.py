"""The two texts this app was made from, played on the server: each sentence is a step or a test of its own."""

import frappe
import pytest

from milestone_automation import api
from tests.support.factories import (
	CLERK_ROLE,
	ORDER,
	SUPPLIER,
	collaborator,
	due_dates,
	events_of,
	make_document,
	make_next_actions,
	make_workflow,
	member,
	plan_of,
	stage,
	stage_of,
	status_of,
	task,
	task_of,
)
from tests.support.next_steps import run_steps

pytestmark = pytest.mark.usefixtures("production_order")


# First text: tasks under milestones


def test_every_milestone_can_have_as_many_related_tasks_as_you_would_like():
	tasks = [task("Inspected", f"Document {number} is signed", required=0) for number in range(40)]
	make_workflow(stages=[stage("Inspected", "Inspected")], tasks=tasks)
	assert len(due_dates(make_document())) == 40


def test_you_cannot_create_tasks_for_the_acceptance_milestone():
	acceptance = stage("PO Acceptance", kind="Acceptance")
	with pytest.raises(frappe.ValidationError, match=r"(?i)acceptance"):
		make_workflow(stages=[acceptance], tasks=[task("PO Acceptance", "Read the order")])
	make_workflow(stages=[acceptance], tasks=[])
	assert status_of(make_document()) == {"PO Acceptance": "Open"}


def test_a_milestone_has_name_owner_notifications_key_date_custom_message_and_follow_up_reminder(make_user):
	make_user("owner@example.com", [CLERK_ROLE])
	make_user("boss@example.com", [CLERK_ROLE])
	row = {
		"owner_kind": "User",
		"owner_user": "owner@example.com",
		"notify_users": "boss@example.com",
		"custom_message": "Is {{ doc.name }} inspected?",
		"remind_after_days": 2,
		"remind_every_days": 3,
		"remind_at_most": 4,
	}
	make_workflow(stages=[stage("Inspected", "Inspected", -7, **row)], tasks=[])
	planned = stage_of(make_document(), "Inspected")
	assert (planned.stage_owner, planned.notify_users) == ("owner@example.com", "boss@example.com")
	assert str(planned.key_date) == "2030-06-21"
	assert planned.custom_message == "Is {{ doc.name }} inspected?"
	assert (planned.remind_after_days, planned.remind_every_days, planned.remind_at_most) == (2, 3, 4)


def test_the_title_of_a_task_states_the_action_that_needs_to_be_completed():
	with pytest.raises(frappe.ValidationError):
		make_workflow(stages=[stage("Inspected", "Inspected")], tasks=[task("Inspected", "")])


def test_the_assignee_is_the_team_all_supplier_contacts_one_person_or_a_third_party(make_user):
	make_user("ann@example.com", [CLERK_ROLE])
	make_user("bob@example.com", [CLERK_ROLE])
	supplier = frappe.get_doc({"doctype": SUPPLIER, "title": "Delta"}).insert()
	link = {"link_doctype": SUPPLIER, "link_name": supplier.name}
	for address in ("one@delta.example", "two@delta.example"):
		contact = {"doctype": "Contact", "first_name": address[:3], "links": [link]}
		frappe.get_doc(contact | {"email_ids": [{"email_id": address, "is_primary": 1}]}).insert()
	make_workflow(
		team_role=CLERK_ROLE,
		stages=[stage("Inspected", "Inspected")],
		tasks=[
			task("Inspected", "Whole team", assignee_kind="Whole Team"),
			task("Inspected", "Supplier", assignee_kind="All Supplier Contacts"),
			task("Inspected", "One", **member("ann@example.com")),
			task("Inspected", "Third party", **collaborator("agent@port.example")),
		],
	)
	order = make_document(supplier=supplier.name)

	def people(title):
		return {row.user or row.email for row in task_of(order, title).assignees}

	assert {"ann@example.com", "bob@example.com"} <= people("Whole team")
	assert people("Supplier") == {"one@delta.example", "two@delta.example"}
	assert people("One") == {"ann@example.com"}
	assert people("Third party") == {"agent@port.example"}


def test_a_task_is_due_in_relation_to_its_milestone_and_never_after_it():
	rows = [task("Inspected", "Four days before", days=4), task("Inspected", "On the day")]
	make_workflow(stages=[stage("Inspected", "Inspected", -7)], tasks=rows)
	assert due_dates(make_document()) == {"Four days before": "2030-06-17", "On the day": "2030-06-21"}
	with pytest.raises(frappe.ValidationError):
		make_workflow(
			"Late", stages=[stage("Inspected", "Inspected")], tasks=[task("Inspected", "Late", days=-1)]
		)


def test_the_required_task_must_be_completed_first_for_the_milestone_to_be_marked_as_complete():
	make_workflow(
		stages=[stage("Inspected", "Inspected", -7), stage("Signed off")],
		tasks=[task("Inspected", "Book the inspector"), task("Signed off", "Read the report")],
	)
	order = make_document()
	plan = plan_of(order).name
	order.status = "Inspected"
	with pytest.raises(frappe.ValidationError, match=r"Book the inspector"):
		order.save()
	with pytest.raises(frappe.ValidationError, match=r"Read the report"):
		api.confirm_stage(plan, "Signed off")
	assert status_of(order) == {"Inspected": "Open", "Signed off": "Open"}
	for title in ("Book the inspector", "Read the report"):
		api.complete_task(task_of(order, title).name)
	order.reload()
	order.status = "Inspected"
	order.save()
	api.confirm_stage(plan, "Signed off")
	assert status_of(order) == {"Inspected": "Reached", "Signed off": "Reached"}
	assert plan_of(order).status == "Completed"


def test_tasks_are_a_checklist_for_documents_that_need_to_be_signed_off_on():
	papers = ["Invoice", "Packing list", "Certificate of origin"]
	make_workflow(
		stages=[stage("Shipped", "Shipped")],
		tasks=[task("Shipped", f"{paper} is signed") for paper in papers],
	)
	order = make_document()
	for number, paper in enumerate(papers):
		assert stage_of(order, "Shipped").open_required == 3 - number
		order.reload()
		order.status = "Shipped"
		with pytest.raises(frappe.ValidationError, match=rf"{paper} is signed"):
			order.save()
		api.complete_task(task_of(order, f"{paper} is signed").name)
	order.reload()
	order.status = "Shipped"
	order.save()
	assert status_of(order) == {"Shipped": "Reached"}


# Second text: the business document Milestone


def test_planning_execution_achievement_next_step_and_review():
	# Planning: key stages are identified and documented.
	released = make_next_actions({"action": "Set Value", "field": "note", "value": "Release the payment"})
	make_workflow(
		stages=[stage("Cut", "Cut", -20), stage("Shipped", "Shipped", next_actions=released)], tasks=[]
	)
	order = make_document()
	plan = plan_of(order)
	assert (plan.current_stage, str(plan.next_date)) == ("Cut", "2030-06-08")
	# Execution: teams work through their activities; milestones serve as progress markers.
	order.status = "Cut"
	order.save()
	assert plan_of(order).current_stage == "Shipped"
	# Achievement: when the defined condition is met, the milestone is considered reached.
	order.status = "Shipped"
	order.save()
	assert status_of(order) == {"Cut": "Reached", "Shipped": "Reached"}
	# Next-step enablement: reaching it starts the next phase.
	run_steps(plan.name)
	assert frappe.db.get_value(ORDER, order.name, "note") == "Release the payment"
	# Review: timelines and performance are there to be assessed.
	rows = frappe.get_all(
		"Milestone",
		{"reference_name": order.name},
		["reference_type", "track_field", "from_value", "value", "milestone_tracker", "reached_by"],
		order_by="reached_on, creation",
	)
	assert [(row.from_value or "", row.value) for row in rows] == [
		("", "Open"),
		("Open", "Cut"),
		("Cut", "Shipped"),
	]
	assert {row.reference_type for row in rows} == {ORDER}
	assert {row.track_field for row in rows} == {"status"}
	assert {row.reached_by for row in rows} == {"Administrator"}
	assert len({row.milestone_tracker for row in rows}) == 1 and rows[0].milestone_tracker
	assert "Plan Started" in events_of(order)


def test_a_milestone_refers_to_document_field_value_and_tracker():
	fields = {field.fieldname: field for field in frappe.get_meta("Milestone").fields}
	expected = {
		"reference_type": ("Link", "DocType"),
		"reference_name": ("Data", None),
		"track_field": ("Data", None),
		"value": ("Data", None),
		"milestone_tracker": ("Link", "Milestone Tracker"),
	}
	for name, (fieldtype, options) in expected.items():
		assert fields[name].fieldtype == fieldtype
		assert (fields[name].options or None) == options
