"""Reaching stages by value and by confirmation, going back, undoing."""

import frappe
import pytest
from frappe.utils import add_days, getdate, nowdate

from milestone_automation import api
from milestone_automation.engine.base.guard import GateError
from milestone_automation.engine.progress import rescheduling, stages, tasks
from milestone_automation.engine.tracking import registry
from tests.support.factories import (
	CLERK_ROLE,
	READER_ROLE,
	events_of,
	make_document,
	make_workflow,
	plan_of,
	stage,
	stage_of,
	status_of,
	task,
	task_of,
)
from tests.support.transactions import end_transaction

pytestmark = pytest.mark.usefixtures("production_order")

THREE = [stage("Cut", "Cut", -20), stage("Inspected", "Inspected", -7), stage("Shipped", "Shipped")]


def today():
	return getdate(nowdate())


def move_to(order, status: str):
	"""Save the order with another status, in a transaction of its own."""
	order.reload()
	order.status = status
	order.save()
	end_transaction()
	return order


def milestones_of(order):
	filters = {"reference_type": order.doctype, "reference_name": order.name}
	return frappe.get_all(
		"Milestone", filters, ["name", "track_field", "value", "undone", "source"], order_by="creation"
	)


def moves_of(order, stage_name: str) -> list[tuple]:
	rows = frappe.get_all(
		"Milestone Date Change",
		{"plan_stage": stage_of(order, stage_name).name},
		["old_date", "new_date", "reason", "source"],
		order_by="creation",
	)
	return [(row.old_date, row.new_date, row.reason, row.source) for row in rows]


def test_a_value_reaches_its_stage_today_with_its_milestone_and_who_did_it(make_user, as_user):
	make_user("clerk@example.com", [CLERK_ROLE])
	make_workflow(stages=THREE, tasks=[])
	order = make_document()
	with as_user("clerk@example.com"):
		move_to(order, "Cut")
	row = stage_of(order, "Cut")
	assert (row.status, row.health, row.reached_on, row.reached_by_user) == (
		"Reached",
		"Done",
		today(),
		"clerk@example.com",
	)
	assert row.value_before == "Open"
	milestone = milestones_of(order)[-1]
	assert (row.milestone, milestone.value) == (milestone.name, "Cut")
	assert plan_of(order).current_stage == "Inspected"


def test_a_stage_may_be_skipped_where_nothing_asks_for_order():
	make_workflow(stages=THREE, tasks=[])
	order = move_to(make_document(), "Shipped")
	assert status_of(order) == {"Cut": "Open", "Inspected": "Open", "Shipped": "Reached"}
	assert plan_of(order).current_stage == "Cut"


def test_the_plan_is_completed_when_all_stages_are_reached_and_active_again_when_one_is_undone():
	make_workflow(stages=THREE, tasks=[])
	order = make_document()
	for status in ("Cut", "Inspected", "Shipped"):
		move_to(order, status)
	plan = plan_of(order)
	assert (plan.status, plan.health, plan.current_stage, plan.next_date) == ("Completed", "Done", "", None)
	stages.undo(plan.name, "Shipped", "Came back from the harbour")
	plan = plan_of(order)
	assert (plan.status, plan.current_stage, str(plan.next_date)) == ("Active", "Shipped", "2030-06-28")


def test_a_value_changed_back_to_the_one_before_opens_the_stage_and_keeps_the_history():
	make_workflow(stages=THREE, tasks=[])
	order = move_to(make_document(), "Cut")
	move_to(order, "Open")
	row = stage_of(order, "Cut")
	assert (row.status, row.reached_on, row.milestone, row.value_before) == ("Open", None, None, None)
	assert [(m.value, m.undone) for m in milestones_of(order)] == [("Open", 0), ("Cut", 1), ("Open", 0)]
	assert events_of(order)[-1] == "Milestone Undone"


def test_a_value_changed_back_to_an_earlier_stage_opens_the_stages_between():
	make_workflow(stages=THREE, tasks=[])
	order = make_document()
	for status in ("Cut", "Inspected", "Shipped"):
		move_to(order, status)
	move_to(order, "Cut")
	assert status_of(order) == {"Cut": "Reached", "Inspected": "Open", "Shipped": "Open"}


@pytest.mark.parametrize(
	("back_to", "reached"),
	[("Open", []), ("Cut", ["Cut"]), ("Sewn", ["Cut"]), ("Closed", ["Cut", "Inspected", "Shipped"])],
)
def test_going_back_opens_every_stage_after_the_value_gone_back_to(back_to, reached):
	make_workflow(stages=THREE, tasks=[])
	order = make_document()
	for status in ("Cut", "Sewn", "Inspected", "Shipped", back_to):
		move_to(order, status)
	assert [name for name, status in status_of(order).items() if status == "Reached"] == reached


def test_what_was_gone_back_behind_can_be_done_again():
	make_workflow(stages=THREE, tasks=[task("Shipped", "Sign the packing list")])
	order = make_document()
	packing = task_of(order, "Sign the packing list").name
	tasks.complete(packing)
	for status in ("Cut", "Sewn", "Inspected", "Shipped", "Sewn"):
		move_to(order, status)
	tasks.reopen(packing, "Packed anew")
	with pytest.raises(GateError, match=r"Sign the packing list"):
		move_to(order, "Shipped")


def test_a_number_that_is_nothing_yet_counts_as_zero_from_the_start():
	freed = stage("Freed", reach_rule="Field Value", track_field="pieces", track_value="0")
	make_workflow(stages=[freed, stage("Shipped", "Shipped")], tasks=[])
	order = make_document()
	assert status_of(order) == {"Freed": "Reached", "Shipped": "Open"}
	order.reload()
	order.note = "nothing to do with it"
	order.save()
	assert status_of(order) == {"Freed": "Reached", "Shipped": "Open"}


def test_a_stage_left_and_reached_again_has_a_new_milestone_and_meets_the_gate_again():
	make_workflow(stages=THREE, tasks=[task("Inspected", "Book the inspector")])
	order = make_document()
	tasks.complete(task_of(order, "Book the inspector").name)
	move_to(order, "Inspected")
	first = stage_of(order, "Inspected").milestone
	move_to(order, "Open")
	tasks.reopen(task_of(order, "Book the inspector").name, "Has to come again")
	with pytest.raises(GateError, match=r"Book the inspector"):
		move_to(order, "Inspected")
	tasks.complete(task_of(order, "Book the inspector").name)
	move_to(order, "Inspected")
	assert stage_of(order, "Inspected").milestone not in (None, first)


def test_undo_needs_a_reason_and_keeps_it():
	make_workflow(stages=THREE, tasks=[])
	order = move_to(make_document(), "Cut")
	plan = plan_of(order).name
	for empty in ("", "   ", None):
		with pytest.raises(frappe.ValidationError, match=r"Enter a reason. It is stored in the log."):
			stages.undo(plan, "Cut", empty)
	assert status_of(order)["Cut"] == "Reached"
	stages.undo(plan, "Cut", "The wrong bale")
	log = frappe.get_last_doc("Milestone Plan Log", {"plan": plan})
	assert (log.event, log.stage_name, log.reason) == ("Milestone Undone", "Cut", "The wrong bale")
	assert "It was reached on" in log.details
	assert [(m.value, m.undone) for m in milestones_of(order)] == [("Open", 0), ("Cut", 1)]


def test_an_undone_stage_follows_the_date_its_document_got_meanwhile():
	make_workflow(stages=THREE, tasks=[task("Cut", "Order the cloth", days=2, required=0)])
	order = move_to(make_document(), "Cut")
	planned = stage_of(order, "Cut").key_date
	order.delivery_date = add_days(order.delivery_date, 9)
	order.save()
	assert stage_of(order, "Cut").key_date == planned
	stages.undo(plan_of(order).name, "Cut", "The wrong bale")
	assert stage_of(order, "Cut").key_date == add_days(planned, 9)
	assert task_of(order, "Order the cloth").due_date == add_days(planned, 7)
	assert moves_of(order, "Cut") == [(planned, add_days(planned, 9), "The wrong bale", "Document Field")]
	stages.confirm(plan_of(order).name, "Cut")
	stages.undo(plan_of(order).name, "Cut", "The wrong bale again")
	assert len(moves_of(order, "Cut")) == 1


def test_a_stage_undone_after_earlier_ones_moved_past_it_lies_on_the_last_of_them():
	make_workflow(stages=THREE, tasks=[])
	order = move_to(make_document(), "Shipped")
	plan, planned = plan_of(order).name, stage_of(order, "Shipped").key_date
	rescheduling.reschedule(plan, "Inspected", add_days(planned, 4), "The inspector is ill")
	assert stage_of(order, "Shipped").key_date == planned
	move_to(order, "Open")
	assert stage_of(order, "Shipped").key_date == add_days(planned, 4)
	(moved,) = moves_of(order, "Shipped")
	assert (moved[:2], moved[3]) == ((planned, add_days(planned, 4)), "Previous Milestone")


def test_undo_of_an_open_stage_is_refused():
	make_workflow(stages=THREE, tasks=[])
	order = make_document()
	with pytest.raises(frappe.ValidationError, match=r"Cut is not reached, so there is nothing to undo."):
		stages.undo(plan_of(order).name, "Cut", "Why not")


def test_a_stage_undone_while_the_document_keeps_its_value_may_be_confirmed_again():
	make_workflow(stages=THREE, tasks=[])
	order = move_to(make_document(), "Cut")
	plan = plan_of(order).name
	stages.undo(plan, "Cut", "Looked at the wrong order")
	order.reload()
	order.note = "nothing to do with it"
	order.save()
	assert status_of(order)["Cut"] == "Open"
	stages.confirm(plan, "Cut")
	assert status_of(order)["Cut"] == "Reached"


def test_a_confirmation_is_reached_on_the_day_given_and_records_a_milestone():
	make_workflow(stages=[stage("Signed off")], tasks=[])
	order = make_document()
	stages.confirm(plan_of(order).name, "Signed off", add_days(today(), -3))
	row = stage_of(order, "Signed off")
	assert (row.reached_on, row.reached_by_user) == (add_days(today(), -3), "Administrator")
	milestone = milestones_of(order)[-1]
	assert (milestone.name, milestone.value, milestone.source) == (
		row.milestone,
		"Signed off",
		"Confirmation",
	)
	assert events_of(order) == ["Plan Started", "Milestone Reached", "Plan Completed"]


def test_a_day_to_come_is_refused():
	make_workflow(stages=[stage("Signed off")], tasks=[])
	order = make_document()
	with pytest.raises(frappe.ValidationError, match=r"Date cannot be in the future."):
		stages.confirm(plan_of(order).name, "Signed off", str(add_days(today(), 1)))
	assert status_of(order) == {"Signed off": "Open"}


def test_a_reached_stage_cannot_be_confirmed_twice():
	make_workflow(stages=[stage("Signed off")], tasks=[])
	order = make_document()
	stages.confirm(plan_of(order).name, "Signed off")
	with pytest.raises(frappe.ValidationError, match=r"Undo it first to change the date."):
		stages.confirm(plan_of(order).name, "Signed off")
	assert len(milestones_of(order)) == 1 + int(bool(tracked("status")))


def tracked(fieldname: str) -> bool:
	return any(field.fieldname == fieldname for field in registry.tracked_fields("Production Order"))


def test_a_stage_that_a_value_reaches_cannot_be_confirmed_instead():
	make_workflow(stages=THREE, tasks=[])
	order = make_document()
	expected = "Cut is reached when Status becomes Cut. Change the document instead of confirming."
	with pytest.raises(frappe.ValidationError, match=expected):
		stages.confirm(plan_of(order).name, "Cut")


def test_an_unknown_stage_is_answered_with_those_there_are():
	make_workflow(stages=THREE, tasks=[])
	order = make_document()
	expected = "This plan has no milestone Sewn. It has: Cut, Inspected, Shipped."
	with pytest.raises(frappe.DoesNotExistError, match=expected):
		stages.confirm(plan_of(order).name, "Sewn")


def test_a_stage_that_counts_from_the_one_before_gets_its_date_when_that_one_is_reached():
	make_workflow(
		stages=[
			stage("Approved", key_date_rule="Set Manually", date_field=None),
			stage("Sewn", key_date_rule="After Previous Milestone", date_field=None, days=10),
		],
		tasks=[task("Sewn", "Order the yarn", days=2)],
	)
	order = make_document()
	assert stage_of(order, "Sewn").key_date is None
	assert task_of(order, "Order the yarn").due_date is None
	stages.confirm(plan_of(order).name, "Approved")
	assert stage_of(order, "Sewn").key_date == add_days(today(), 10)
	assert task_of(order, "Order the yarn").due_date == add_days(today(), 8)
	change = frappe.get_last_doc("Milestone Date Change")
	assert (change.source, change.old_date, change.new_date) == (
		"Previous Milestone",
		None,
		add_days(today(), 10),
	)


def test_of_two_stages_with_one_value_the_first_is_reached_first_and_the_second_next_time():
	make_workflow(
		stages=[stage("First inspection", "Inspected", -9), stage("Second inspection", "Inspected", -7)],
		tasks=[],
	)
	order = move_to(make_document(), "Inspected")
	assert status_of(order) == {"First inspection": "Reached", "Second inspection": "Open"}
	move_to(order, "Sewn")
	move_to(order, "Inspected")
	assert status_of(order) == {"First inspection": "Reached", "Second inspection": "Reached"}


def test_only_the_owner_of_a_stage_and_managers_may_confirm_it(make_user, as_user):
	make_user("owner@example.com", [READER_ROLE])
	make_user("other@example.com", [CLERK_ROLE])
	make_user("manager@example.com", [READER_ROLE, "Milestone Manager"])
	make_user("blind@example.com", ["Milestone Manager"])
	owned = {"owner_kind": "User", "owner_user": "owner@example.com"}
	make_workflow(stages=[stage("One", **owned), stage("Two", **owned)], tasks=[])
	order = make_document()
	plan = plan_of(order).name
	for user in ("other@example.com", "blind@example.com"):
		with as_user(user), pytest.raises(frappe.PermissionError):
			api.confirm_stage(plan, "One")
	assert status_of(order) == {"One": "Open", "Two": "Open"}
	with as_user("owner@example.com"):
		api.confirm_stage(plan, "One")
	with as_user("manager@example.com"):
		api.confirm_stage(plan, "Two")
	assert status_of(order) == {"One": "Reached", "Two": "Reached"}
	assert stage_of(order, "One").reached_by_user == "owner@example.com"


def test_a_stage_of_a_role_is_confirmed_by_anybody_with_that_role(make_user, as_user):
	make_user("clerk@example.com", [CLERK_ROLE])
	make_workflow(stages=[stage("One", owner_kind="Role", owner_role=CLERK_ROLE)], tasks=[])
	order = make_document()
	with as_user("clerk@example.com"):
		api.confirm_stage(plan_of(order).name, "One")
	assert status_of(order) == {"One": "Reached"}


def test_an_owner_named_by_the_document_follows_the_field(make_user):
	make_user("one@example.com", [READER_ROLE])
	make_user("two@example.com", [READER_ROLE])
	named = stage("One", owner_kind="User Field", owner_field="responsible")
	make_workflow(stages=[named], tasks=[])
	order = make_document(responsible="one@example.com")
	assert stage_of(order, "One").stage_owner == "one@example.com"
	order.responsible = "two@example.com"
	order.save()
	assert stage_of(order, "One").stage_owner == "two@example.com"
