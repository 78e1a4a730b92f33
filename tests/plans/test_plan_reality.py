"""A plan follows what really happens: pulled ahead, moved by its document, ended by people who leave, taken back."""

import json
from datetime import timedelta

import frappe
import pytest
from frappe.utils import add_days, getdate, nowdate

from milestone_automation import api
from milestone_automation.desk import panel
from milestone_automation.engine.plans import ending, restoring, starting
from milestone_automation.engine.progress import reschedule_preview, rescheduling, stages, tasks
from milestone_automation.engine.store import plan_rows
from tests.support.factories import (
	CLERK_ROLE,
	READER_ROLE,
	due_dates,
	events_of,
	key_dates,
	make_document,
	make_workflow,
	plan_of,
	stage,
	stage_of,
	status_of,
	task,
	task_of,
)

pytestmark = pytest.mark.usefixtures("production_order")

AFTER = {"key_date_rule": "After Previous Milestone", "date_field": None}
BY_HAND = {"key_date_rule": "Set Manually", "date_field": None}


def move(order, stage_name, new_date, answer=None, **options):
	rescheduling.reschedule(
		plan_of(order).name, stage_name, new_date, "The cloth is early", answer=answer, **options
	)


def confirm(order, stage_name, reached_on=None):
	stages.confirm(plan_of(order).name, stage_name, reached_on)


def dates_relative_to_today(order) -> dict[str, int]:
	today = getdate(nowdate())
	return {name: (getdate(day) - today).days for name, day in key_dates(order).items() if day}


# Pulling ahead


def early_order():
	make_workflow(
		stages=[stage("Approved", **BY_HAND), stage("Produced", **BY_HAND), stage("Sent", **BY_HAND)],
		tasks=[],
		later_stages="Keep Order",
	)
	order = make_document()
	for name, days in (("Sent", 30), ("Produced", 20), ("Approved", 10)):
		move(order, name, add_days(nowdate(), days))
	return order


def test_after_a_milestone_reached_early_the_next_one_is_pulled_before_its_key_date():
	order = early_order()
	confirm(order, "Approved")
	move(order, "Produced", add_days(nowdate(), 3))
	assert dates_relative_to_today(order) == {"Approved": 10, "Produced": 3, "Sent": 30}


def test_nothing_is_moved_before_the_day_an_earlier_milestone_was_reached():
	order = early_order()
	confirm(order, "Approved", add_days(nowdate(), -1))
	with pytest.raises(frappe.ValidationError, match="the earlier milestone Approved was reached on"):
		move(order, "Produced", add_days(nowdate(), -2))
	assert dates_relative_to_today(order)["Produced"] == 20


# Moves by the document and by hand


ANCHORED = [
	stage("Approved", **BY_HAND),
	stage("Produced", days=8, **AFTER),
	stage("Shipped", key_date_rule="Document Date Field", date_field="delivery_date"),
]


def anchored_order(**values):
	make_workflow(stages=ANCHORED, tasks=[task("Shipped", "Pack", days=2)], later_stages="Shift Too")
	order = make_document(delivery_date="2030-12-20", **values)
	move(order, "Approved", "2030-12-05")
	return order


def test_the_preview_says_what_moves_along_and_writes_nothing():
	order = anchored_order()
	plan = plan_of(order).name
	shown = reschedule_preview.preview(plan, "Approved", "2030-12-08")
	assert [(one["stage_name"], str(one["old"]), str(one["new"])) for one in shown["stages"]] == [
		("Approved", "2030-12-05", "2030-12-08"),
		("Produced", "2030-12-13", "2030-12-16"),
		("Shipped", "2030-12-20", "2030-12-23"),
	]
	shipped = shown["stages"][-1]
	assert (shipped["field"], str(shipped["document_date"])) == ("Delivery Date", "2030-12-20")
	assert [(one["title"], str(one["new"])) for one in shown["tasks"]] == [("Pack", "2030-12-21")]
	assert key_dates(order) == {"Approved": "2030-12-05", "Produced": "2030-12-13", "Shipped": "2030-12-20"}


def test_what_the_document_dates_stays_when_asked_to():
	order = anchored_order()
	shown = reschedule_preview.preview(plan_of(order).name, "Approved", "2030-12-08", keep_anchored=True)
	assert [one["stage_name"] for one in shown["stays"]] == ["Shipped"]
	move(order, "Approved", "2030-12-08", keep_anchored=True)
	assert key_dates(order) == {"Approved": "2030-12-08", "Produced": "2030-12-16", "Shipped": "2030-12-20"}
	assert due_dates(order) == {"Pack": "2030-12-18"}


def test_what_writing_the_date_to_the_document_moves_is_shown_before(make_user, as_user):
	make_workflow(
		stages=[stage("Cut", days=-20), stage("Sewn", days=5, **AFTER), stage("Shipped")],
		tasks=[task("Cut", "Order the cloth", days=2)],
	)
	order = make_document(delivery_date="2030-12-20")
	plan = plan_of(order).name
	without = reschedule_preview.preview(plan, "Shipped", "2030-12-24")
	assert [one["stage_name"] for one in without["stages"]] == ["Shipped"]
	shown = reschedule_preview.preview(plan, "Shipped", "2030-12-24", update_document=True)
	assert [(one["stage_name"], str(one["new"])) for one in shown["stages"]] == [
		("Shipped", "2030-12-24"),
		("Cut", "2030-12-04"),
		("Sewn", "2030-12-09"),
	]
	assert [(one["title"], str(one["new"])) for one in shown["tasks"]] == [("Order the cloth", "2030-12-02")]
	assert key_dates(order)["Cut"] == "2030-11-30"
	make_user("looker@example.com", ["Milestone Manager", READER_ROLE])
	with as_user("looker@example.com"):
		# Who may not write the field is shown what the move alone does.
		seen = reschedule_preview.preview(plan, "Shipped", "2030-12-24", update_document=True)
	assert [one["stage_name"] for one in seen["stages"]] == ["Shipped"]
	api.reschedule_stage(plan, "Shipped", "2030-12-24", "The cloth is late", update_document=1)
	assert key_dates(order) == {"Cut": "2030-12-04", "Sewn": "2030-12-09", "Shipped": "2030-12-24"}


def test_a_moved_date_is_written_to_the_document_on_request(make_user, as_user):
	order = anchored_order()
	plan = plan_of(order).name
	make_user("planner@example.com", ["Milestone Manager", CLERK_ROLE])
	make_user("looker@example.com", ["Milestone Manager", READER_ROLE])
	move(order, "Shipped", "2030-12-24")
	with as_user("looker@example.com"), pytest.raises(frappe.PermissionError, match="You may not write"):
		reschedule_preview.write_date(plan, "Shipped")
	with as_user("planner@example.com"):
		reschedule_preview.write_date(plan, "Shipped")
	order.reload()
	assert str(order.delivery_date) == "2030-12-24"
	assert key_dates(order)["Shipped"] == "2030-12-24"


def test_a_date_that_had_to_wait_is_made_good_when_the_earlier_milestone_moves():
	make_workflow(
		stages=[
			stage("Cut", key_date_rule="Document Date Field", date_field="inspection_date"),
			stage("Shipped", key_date_rule="Document Date Field", date_field="delivery_date"),
		],
		tasks=[task("Shipped", "Pack", days=1)],
	)
	order = make_document(inspection_date="2030-06-01", delivery_date="2030-06-28")
	order.delivery_date = "2030-05-01"
	order.save()
	assert key_dates(order) == {"Cut": "2030-06-01", "Shipped": "2030-06-01"}
	assert "Date Not Followed" in events_of(order)
	row = plan_rows.load_by_name(plan_of(order).name).stage("Shipped")
	assert row.document_date_moved == 1
	shown = panel.build(order)["stages"][1]
	assert str(shown["document_date"]) == "2030-05-01"
	order.inspection_date = "2030-04-01"
	order.save()
	assert key_dates(order) == {"Cut": "2030-04-01", "Shipped": "2030-05-01"}
	assert due_dates(order) == {"Pack": "2030-04-30"}
	assert panel.build(order)["stages"][1]["document_date"] is None


@pytest.fixture
def waiting():
	"""Function `waiting(**values)`: an order whose delivery date is before what has to come first."""

	def make(**values):
		make_workflow(
			stages=[stage("Cut", date_field="order_date"), stage("Shipped")],
			tasks=[task("Shipped", "Pack", days=1)],
			later_stages="Shift Too",
		)
		order = make_document(order_date="2030-06-10", delivery_date="2030-06-05", **values)
		assert key_dates(order) == {"Cut": "2030-06-10", "Shipped": "2030-06-10"}
		return order

	return make


def test_a_date_that_had_to_wait_from_the_start_is_made_good_when_the_document_allows_it(waiting):
	order = waiting()
	order.order_date = "2030-06-01"
	order.save()
	assert key_dates(order) == {"Cut": "2030-06-01", "Shipped": "2030-06-05"}
	assert due_dates(order) == {"Pack": "2030-06-04"}


def test_a_date_that_had_to_wait_from_the_start_is_made_good_when_a_planner_allows_it(waiting):
	order = waiting()
	shown = reschedule_preview.preview(plan_of(order).name, "Cut", "2030-06-01")
	move(order, "Cut", "2030-06-01")
	expected = {"Cut": "2030-06-01", "Shipped": "2030-06-05"}
	assert {row["stage_name"]: str(row["new"]) for row in shown["stages"]} == expected == key_dates(order)


def test_an_undone_milestone_that_has_to_wait_is_made_good_when_the_earlier_one_allows_it():
	make_workflow(
		stages=[stage("Cut", date_field="order_date"), stage("Shipped")], tasks=[], later_stages="Keep Order"
	)
	order = make_document(order_date="2030-06-01", delivery_date="2030-06-05")
	confirm(order, "Shipped")
	move(order, "Cut", "2030-06-10")
	stages.undo(plan_of(order).name, "Shipped", "Not yet")
	assert key_dates(order) == {"Cut": "2030-06-10", "Shipped": "2030-06-10"}
	move(order, "Cut", "2030-06-03")
	assert key_dates(order) == {"Cut": "2030-06-03", "Shipped": "2030-06-05"}


def test_a_plan_for_an_existing_document_has_no_date_later_than_what_it_has_reached_requires():
	make_workflow(
		stages=[stage("Cut", date_field="order_date"), stage("Sewn", "Sewn"), stage("Shipped")], tasks=[]
	)
	order = make_document(order_date="2030-06-10", delivery_date="2030-06-05")
	confirm(order, "Cut")
	assert key_dates(order) == {"Cut": "2030-06-10", "Sewn": "2030-06-05", "Shipped": "2030-06-05"}
	api.cancel_plan(plan_of(order).name, "By mistake")
	api.start_plan(order.doctype, order.name)
	assert key_dates(order) == {"Cut": "2030-06-10", "Sewn": "2030-06-05", "Shipped": "2030-06-05"}
	log = frappe.get_all(
		"Milestone Plan Log", {"plan": plan_of(order).name, "event": "Plan Started"}, pluck="details"
	)
	assert log in ([None], [""])


def move_to_version(order, days: int) -> list[str]:
	"""Have the cutting of a running plan be so many days after the order by a new version of its workflow.

	Returns the milestones whose date the preview moves.
	"""
	workflow = frappe.get_doc("Milestone Workflow", "Production")
	workflow.stages[0].offset_days = days
	workflow.save()
	plan = plan_of(order).name
	foreseen = api.preview_new_version(plan)
	assert api.move_to_new_version(plan) and not api.preview_new_version(plan)
	return [change["stage"] for change in foreseen if change["change"] == "date_moved"]


def test_a_date_that_makes_room_for_a_new_version_goes_back_when_it_can():
	make_workflow(stages=[stage("Cut", date_field="order_date"), stage("Shipped")], tasks=[])
	order = make_document(order_date="2030-06-01", delivery_date="2030-06-05")
	assert move_to_version(order, 9) == ["Cut", "Shipped"]
	assert key_dates(order) == {"Cut": "2030-06-10", "Shipped": "2030-06-10"}
	assert move_to_version(order, 0) == ["Cut", "Shipped"]
	assert key_dates(order) == {"Cut": "2030-06-01", "Shipped": "2030-06-05"}
	move_to_version(order, 9)
	order.order_date = "2030-05-20"
	order.save()
	assert key_dates(order) == {"Cut": "2030-05-29", "Shipped": "2030-06-05"}


def test_the_preview_says_what_had_to_wait_and_follows_now():
	make_workflow(
		stages=[
			stage("Cut", key_date_rule="Document Date Field", date_field="order_date"),
			stage("Shipped"),
		],
		tasks=[],
		later_stages="Keep Order",
	)
	order = make_document(order_date="2030-06-01", delivery_date="2030-06-28")
	order.delivery_date = "2030-05-01"
	order.save()
	assert key_dates(order) == {"Cut": "2030-06-01", "Shipped": "2030-06-01"}
	cut = stage_of(order, "Cut")
	shown = reschedule_preview.preview(plan_of(order).name, cut.name, "2030-04-01")
	foreseen = {row["stage_name"]: str(row["new"]) for row in shown["stages"]}
	move(order, "Cut", "2030-04-01")
	assert foreseen == key_dates(order) == {"Cut": "2030-04-01", "Shipped": "2030-05-01"}


def test_a_milestone_that_was_undone_puts_those_in_order_that_were_pulled_before_it():
	order = early_order()
	confirm(order, "Approved")
	move(order, "Produced", add_days(nowdate(), 3))
	move(order, "Sent", add_days(nowdate(), 5))
	stages.undo(plan_of(order).name, "Approved", "The wrong sample")
	assert dates_relative_to_today(order) == {"Approved": 10, "Produced": 10, "Sent": 10}


def test_what_counts_from_a_milestone_confirmed_again_counts_from_the_new_day():
	make_workflow(stages=[stage("A", **BY_HAND), stage("B", days=5, **AFTER)], tasks=[])
	order = make_document()
	confirm(order, "A", add_days(nowdate(), -9))
	assert dates_relative_to_today(order) == {"B": -4}
	stages.undo(plan_of(order).name, "A", "Not yet")
	assert dates_relative_to_today(order) == {}
	confirm(order, "A")
	assert dates_relative_to_today(order) == {"B": 5}


def test_a_date_outside_the_calendar_leaves_one_milestone_undated_and_the_rest_in_place():
	make_workflow(
		stages=[
			stage("Cut", "Cut", **BY_HAND),
			stage("Shipped", "Shipped", days=2000),
			stage("Paid", **BY_HAND),
		],
		tasks=[],
	)
	order = make_document(delivery_date="9995-06-01")
	assert key_dates(order)["Shipped"] is None
	log = frappe.get_all(
		"Milestone Plan Log", {"plan": plan_of(order).name, "event": "Plan Started"}, pluck="details"
	)
	assert "Shipped has no key date" in log[0]
	order.delivery_date = "2030-06-01"
	order.save()
	assert key_dates(order)["Shipped"] == "2035-11-22"
	order.update({"delivery_date": "9995-06-01", "status": "Cut"}).save()
	assert key_dates(order)["Shipped"] == "2035-11-22"
	assert status_of(order)["Cut"] == "Reached"
	assert "Date Not Followed" in events_of(order)


def test_a_date_that_takes_later_ones_out_of_the_calendar_stops_no_other():
	make_workflow(
		stages=[
			stage("Cut", key_date_rule="Document Date Field", date_field="order_date"),
			stage("Sewn", **AFTER | {"offset_days": 2000}),
			stage("Shipped", days=5),
		],
		tasks=[],
		later_stages="Shift Too",
	)
	order = make_document(order_date="2030-01-02")
	order.update({"order_date": "9996-01-01", "delivery_date": "2041-01-01"})
	order.save()
	assert key_dates(order) == {"Cut": "2030-01-02", "Sewn": "2035-06-25", "Shipped": "2041-01-06"}
	assert "later milestones would be outside the calendar" in str(frappe.local.message_log)
	assert "Date Not Followed" in events_of(order)


def test_a_shift_in_working_days_there_and_back_restores_a_date_on_a_weekend():
	# 2030-06-07 is a Friday, 2030-06-15 a Saturday.
	make_workflow(
		stages=[stage("A", working_days=1, **BY_HAND), stage("B", **BY_HAND)],
		tasks=[],
		later_stages="Shift Too",
	)
	order = make_document()
	move(order, "B", "2030-06-15")
	move(order, "A", "2030-06-07")
	move(order, "A", "2030-06-10")
	moved = key_dates(order)
	move(order, "A", "2030-06-07")
	assert moved["B"] != "2030-06-15"
	assert key_dates(order) == {"A": "2030-06-07", "B": "2030-06-15"}


def test_a_shift_there_and_back_restores_a_weekend_also_before_the_date_of_a_milestone_reached_early():
	make_workflow(
		stages=[stage("Sample", **BY_HAND), stage("A", working_days=1, **BY_HAND), stage("B", **BY_HAND)],
		tasks=[],
		later_stages="Shift Too",
	)
	order = make_document()
	move(order, "Sample", "2030-06-20")
	confirm(order, "Sample")
	for name, day in (("B", "2030-06-15"), ("A", "2030-06-07"), ("A", "2030-06-10"), ("A", "2030-06-07")):
		move(order, name, day)
	assert key_dates(order) == {"Sample": "2030-06-20", "A": "2030-06-07", "B": "2030-06-15"}


def test_a_shift_back_is_not_before_the_day_an_earlier_milestone_was_reached():
	make_workflow(stages=[stage("Sample", days=-30), stage("A", working_days=1)], tasks=[])
	order = make_document(delivery_date=add_days(nowdate(), -3))
	move(order, "A", add_days(nowdate(), 5))
	confirm(order, "Sample")
	with pytest.raises(frappe.ValidationError, match="Sample was reached on"):
		move(order, "A", add_days(nowdate(), -3))
	assert key_dates(order)["A"] == str(add_days(nowdate(), 5))


# Tasks that end


@pytest.fixture
def three(make_user):
	names = [f"{name}@example.com" for name in ("ada", "ben", "cem")]
	for name in names:
		make_user(name, [CLERK_ROLE])
	return names


def for_all(people):
	rule = {"assignee_kind": "User Field", "assignee_field": "note", "completion_rule": "All Of"}
	make_workflow(stages=[stage("Shipped", "Shipped")], tasks=[task("Shipped", "Sign", **rule)])
	return make_document(note=",".join(people))


def test_a_task_for_all_ends_when_the_last_open_assignee_is_reassigned(three):
	order = for_all(three[:2])
	tasks.complete(task_of(order, "Sign").name, by=three[0])
	order.note = three[0]
	order.save()
	assert task_of(order, "Sign").status == "Completed"
	assert stage_of(order, "Shipped").open_required == 0


def test_a_task_for_all_ends_when_the_last_open_to_do_is_taken_away(three):
	order = for_all(three[:2])
	name = task_of(order, "Sign").name
	tasks.complete(name, by=three[0])
	todo = frappe.get_all("ToDo", {"reference_name": name, "allocated_to": three[1]}, pluck="name")[0]
	frappe.get_doc("ToDo", todo).update({"status": "Cancelled"}).save()
	assert task_of(order, "Sign").status == "Completed"


def test_nobody_waits_for_the_part_of_a_disabled_user(three):
	order = for_all(three)
	name = task_of(order, "Sign").name
	tasks.complete(name, by=three[0])
	frappe.get_doc("User", three[1]).update({"enabled": 0}).save()
	tasks.complete(name, by=three[2])
	assert task_of(order, "Sign").status == "Completed"


def test_a_task_ends_when_its_last_open_assignee_is_disabled(three):
	order = for_all(three[:2])
	tasks.complete(task_of(order, "Sign").name, by=three[0])
	frappe.get_doc("User", three[1]).update({"enabled": 0}).save()
	tasks.complete_for_disabled([three[1]])
	assert task_of(order, "Sign").status == "Completed"


def test_a_manager_who_is_an_assignee_completes_the_task_for_all(three, make_user, as_user):
	boss = make_user("boss@example.com", ["Milestone Manager", CLERK_ROLE])
	order = for_all([boss, three[0]])
	with as_user(boss):
		tasks.complete(task_of(order, "Sign").name)
	assert task_of(order, "Sign").status == "Completed"


def test_a_tick_by_mistake_is_taken_back_without_a_reason_by_the_same_user_at_once(three, as_user):
	order = for_all(three[:1])
	name = task_of(order, "Sign").name
	with as_user(three[0]):
		tasks.complete(name)
		tasks.undo_complete(name)
	assert task_of(order, "Sign").status == "Open"
	tasks.complete(name)
	frappe.db.set_value("Milestone Task", name, "closed_on", add_days(nowdate(), -1))
	with pytest.raises(frappe.ValidationError, match="Reopen it with a reason"):
		tasks.undo_complete(name)


def open_parts(order) -> dict:
	"""Who has yet to do their part of the task, by its rows and by its to-dos."""
	sign = task_of(order, "Sign")
	todos = frappe.get_all("ToDo", {"reference_name": sign.name, "status": "Open"}, pluck="allocated_to")
	return {"task": [row.user for row in sign.assignees if not row.done], "todos": sorted(todos)}


def test_a_part_ticked_by_mistake_is_taken_back_and_those_of_others_stay_done(three, as_user):
	# Of new users Frappe makes the first one a System Manager, who completes a task for all.
	ben, cem = three[1:]
	order = for_all([ben, cem])
	name = task_of(order, "Sign").name
	with as_user(ben):
		tasks.complete(name)
		assert open_parts(order) == {"task": [cem], "todos": [cem]}
		tasks.undo_complete(name)
		assert open_parts(order) == {"task": [ben, cem], "todos": [ben, cem]}
		tasks.complete(name)
	with as_user(cem):
		tasks.complete(name)
		assert task_of(order, "Sign").status == "Completed"
		tasks.undo_complete(name)
	assert task_of(order, "Sign").status == "Open"
	assert open_parts(order) == {"task": [cem], "todos": [cem]}
	frappe.db.set_value(
		"Milestone Task Assignee", {"parent": name, "user": ben}, "done_on", add_days(nowdate(), -1)
	)
	with as_user(ben), pytest.raises(frappe.ValidationError, match="not completed by you just now"):
		tasks.undo_complete(name)


def test_a_task_of_a_reached_milestone_cannot_become_required():
	make_workflow(stages=[stage("Ready"), stage("Sent")], tasks=[task("Ready", "Look", required=0)])
	order = make_document()
	confirm(order, "Ready")
	doc = frappe.get_doc("Milestone Task", task_of(order, "Look").name)
	doc.required = 1
	with pytest.raises(frappe.ValidationError, match="can no longer block it"):
		doc.save()


# Cancelled by mistake


def order_under_way():
	make_workflow(
		stages=[stage("Ready"), stage("Packed"), stage("Shipped", "Shipped")],
		tasks=[task("Ready", "Look"), task("Shipped", "Sign"), task("Shipped", "Weigh")],
	)
	order = make_document()
	tasks.complete(task_of(order, "Look").name)
	tasks.complete(task_of(order, "Sign").name)
	confirm(order, "Ready")
	return order


def state(order):
	plan = plan_of(order)
	rows = frappe.get_all("Milestone Task", {"plan": plan.name}, ["title", "status"], order_by="title")
	return plan.status, status_of(order), key_dates(order), [(row.title, row.status) for row in rows]


def test_a_wrong_cancel_is_taken_back_with_everything_as_it_was():
	order = order_under_way()
	tasks.cancel(task_of(order, "Weigh").name, "By mistake")
	tasks.add(plan_of(order).name, "Shipped", title="Seal", required=1)
	before = state(order)
	plan = plan_rows.load_by_name(plan_of(order).name, lock=True)
	ending.cancel_by_hand(plan, "By mistake")
	restoring.undo_cancel(plan.name, "Wrong plan")
	assert state(order) == before
	assert stage_of(order, "Shipped").open_required == 1
	assert events_of(order)[-1] == "Cancellation Undone"
	with pytest.raises(frappe.ValidationError, match="nothing to undo"):
		restoring.undo_cancel(plan.name, "Twice")


def test_a_plan_started_again_keeps_what_was_confirmed_and_completed():
	order = order_under_way()
	old = plan_rows.load_by_name(plan_of(order).name, lock=True)
	ending.cancel_by_hand(old, "Start over")
	new = starting.start(order, by_hand=True)
	assert new != old.name
	rows = frappe.get_all("Milestone Task", {"plan": new}, ["title", "status"], order_by="title")
	assert [(row.title, row.status) for row in rows] == [
		("Look", "Completed"),
		("Sign", "Completed"),
		("Weigh", "Open"),
	]
	assert status_of(order) == {"Ready": "Reached", "Packed": "Open", "Shipped": "Open"}
	assert stage_of(order, "Shipped").open_required == 1
	with pytest.raises(frappe.ValidationError, match="A newer plan has replaced this one"):
		restoring.undo_cancel(old.name, "Back")


def test_a_plan_started_again_keeps_what_was_confirmed_where_the_rows_of_the_workflow_were_made_anew():
	order = order_under_way()
	workflow = frappe.get_doc("Milestone Workflow", plan_of(order).workflow)
	for table in ("stages", "tasks"):
		workflow.set(
			table, [{**row.as_dict(no_default_fields=True), "name": None} for row in workflow.get(table)]
		)
	workflow.save()
	api.cancel_plan(plan_of(order).name, "Start over")
	api.start_plan(order.doctype, order.name)
	assert status_of(order) == {"Ready": "Reached", "Packed": "Open", "Shipped": "Open"}
	assert (task_of(order, "Look").status, task_of(order, "Sign").status) == ("Completed", "Completed")


def test_a_plan_started_again_keeps_a_skipped_milestone_that_was_confirmed():
	make_workflow(stages=[stage("Cut", "Cut"), stage("Sewn", "Sewn"), stage("Shipped", "Shipped")], tasks=[])
	order = make_document()
	order.status = "Sewn"
	order.save()
	confirm(order, "Cut", add_days(nowdate(), -3))
	before = status_of(order), stage_of(order, "Cut").reached_on
	api.cancel_plan(plan_of(order).name, "Start over")
	api.start_plan(order.doctype, order.name)
	assert (status_of(order), stage_of(order, "Cut").reached_on) == before


def test_a_plan_started_again_dates_what_counts_from_a_confirmed_milestone():
	make_workflow(
		stages=[
			stage("A", **BY_HAND),
			stage("B", days=5, **AFTER),
			stage("C", days=5, **AFTER),
			stage("Shipped", key_date_rule="Document Date Field", date_field="delivery_date"),
		],
		tasks=[task("B", "Look", days=1)],
	)
	order = make_document(delivery_date=add_days(nowdate(), 8))
	confirm(order, "A", add_days(nowdate(), -1))
	dates, due = {"B": 4, "C": 9, "Shipped": 9}, str(add_days(nowdate(), 3))
	assert (dates_relative_to_today(order), due_dates(order)) == (dates, {"Look": due})
	api.cancel_plan(plan_of(order).name, "By mistake")
	api.start_plan(order.doctype, order.name)
	assert (dates_relative_to_today(order), due_dates(order)) == (dates, {"Look": due})
	move(order, "C", add_days(nowdate(), 6), "Keep Order")
	assert dates_relative_to_today(order)["Shipped"] == 8


def test_a_plan_for_an_existing_document_dates_what_counts_from_what_it_has_reached():
	order = make_document(status="Cut")
	make_workflow(stages=[stage("Cut", "Cut", **BY_HAND), stage("Sewn", days=5, **AFTER)], tasks=[])
	preview = api.preview_workflow("Production", order.doctype, order.name)
	api.start_plan(order.doctype, order.name)
	assert dates_relative_to_today(order) == {"Sewn": 5}
	assert [row["key_date"] for row in preview["stages"]] == [None, getdate(add_days(nowdate(), 5))]


def test_a_preview_has_the_full_name_of_each_owner(make_user):
	olga = make_user("olga@example.com", first_name="Olga", last_name="Weaver")
	owners = [stage("Cut", None, -9, owner_kind="User", owner_user=olga), stage("Sewn", None, -8)]
	make_workflow(stages=owners, tasks=[])

	order = make_document()
	preview = api.preview_workflow("Production", order.doctype, order.name)

	assert preview["user_names"][olga] == "Olga Weaver"
	assert {row["stage_owner"] for row in preview["stages"] if row["stage_owner"]} == set(
		preview["user_names"]
	)


def test_comments_and_files_of_tasks_go_with_their_plan():
	order = order_under_way()
	name = task_of(order, "Sign").name
	frappe.get_doc("Milestone Task", name).add_comment("Comment", text="See the file")
	attached = {"attached_to_doctype": "Milestone Task", "attached_to_name": name}
	frappe.get_doc(
		{"doctype": "File", "file_name": "a.txt", "content": "a", "is_private": 1, **attached}
	).insert()
	frappe.delete_doc("Milestone Plan", plan_of(order).name, force=True)
	assert not frappe.db.exists("Comment", {"reference_doctype": "Milestone Task", "reference_name": name})
	assert not frappe.db.exists("File", attached)


def test_a_workflow_refuses_the_status_of_cancelled_documents(make_doctype):
	doctype = make_doctype("Reality Receipt", [{"fieldname": "title", "fieldtype": "Data"}], is_submittable=1)
	with pytest.raises(frappe.ValidationError, match="A cancelled document cancels its plan"):
		make_workflow(
			document_type=doctype,
			stages=[
				stage("Gone", reach_rule="Field Value", track_field="docstatus", track_value="2", **BY_HAND)
			],
			tasks=[],
		)


def test_the_preview_of_a_workflow_shows_what_the_document_has_reached_already():
	workflow = make_workflow(
		stages=[stage("Cut", "Cut", -20), stage("Inspected", "Inspected", -7), stage("Shipped", "Shipped")],
		tasks=[],
	)
	order = make_document()
	for status in ("Cut", "Inspected"):
		order.status = status
		order.save()
	shown = {one["stage_name"]: one["status"] for one in panel.preview(workflow, order)["stages"]}
	assert shown == {"Cut": "Reached", "Inspected": "Reached", "Shipped": "Open"}


# A big plan in the panel


def test_the_panel_of_a_big_plan_is_small_and_loads_other_tasks_when_asked(as_user, make_user):
	names = [f"Stage {number}" for number in range(60)]
	make_workflow(
		stages=[stage(name) for name in names],
		tasks=[task(name, f"Task {name}.{number}") for name in names for number in range(20)],
		earlier_tasks_block=1,
	)
	order = make_document()
	payload = panel.build(order)
	assert len(frappe.as_json(payload, indent=None)) < 300_000
	first, last = payload["stages"][0], payload["stages"][-1]
	assert (len(first["tasks"]), first["more_tasks"]) == (20, 0)
	assert (len(last["tasks"]), last["more_tasks"], last["blocking_tasks"]) == (0, 20, 1200)
	assert len(last["blocked_by"]) == 3
	opened = panel.tasks_of_stage(order, last["name"])["stage"]
	assert (len(opened["tasks"]), len(opened["blocked_by"])) == (20, 10)


def test_the_panel_of_a_big_plan_with_exit_criteria_and_many_assignees_is_small_too(make_user):
	for number in range(4):
		make_user(f"somebody.with.a.long.name.{number}@example.com", [CLERK_ROLE])
	names = [f"Milestone with a long name {number}" for number in range(60)]
	kinds = (
		{"kind": "Field Is Set", "field": "note"},
		{"kind": "File Is Attached"},
		{"kind": "Comment Was Given"},
	)
	for_all = {"assignee_kind": "Role", "assignee_role": CLERK_ROLE, "completion_rule": "All Of"}
	make_workflow(
		stages=[stage(name, exit_criteria=json.dumps(kinds)) for name in names],
		tasks=[task(name, f"Task of {name}.{number}", **for_all) for name in names for number in range(20)],
		earlier_tasks_block=1,
		reached_in_order=1,
	)
	payload = panel.build(make_document())
	assert len(frappe.as_json(payload, indent=None)) < 300_000
	assert payload["stages"][-1]["blocking_criteria"] == 180


# Later milestones move with the actual date


def offers(order) -> dict[str, tuple]:
	return {
		one["stage_name"]: (one["with_actual"]["stage_name"], one["with_actual"]["days"])
		for one in panel.build(order)["stages"]
		if one["with_actual"]
	}


@pytest.mark.parametrize("off", (-10, 4))
def test_what_was_reached_early_or_late_offers_to_move_the_next_ones_once(off):
	make_workflow(
		stages=[stage("Approved", days=-30), stage("Produced", days=-10), stage("Shipped")], tasks=()
	)
	approved_by = add_days(getdate(nowdate()), -off - 5)
	order = make_document(order_date="2020-01-02", delivery_date=add_days(approved_by, 30))
	plan = plan_of(order).name
	assert offers(order) == {}
	api.confirm_stage(plan, "Approved", str(add_days(approved_by, off)))
	assert offers(order) == {"Produced": ("Approved", off)}
	new_date = stage_of(order, "Approved").reached_on + timedelta(days=20)
	offered = panel.build(order)["stages"][1]["with_actual"]
	assert offered["new_date"] == new_date
	api.reschedule_stage(plan, "Produced", str(new_date), "Approved early or late", later_stages="Shift Too")
	assert key_dates(order)["Shipped"] == str(add_days(new_date, 10))
	assert offers(order) == {}


def test_what_was_reached_on_its_day_offers_nothing():
	make_workflow(stages=[stage("Approved", days=-30), stage("Produced", days=-10)], tasks=())
	order = make_document(order_date="2020-01-02", delivery_date=add_days(nowdate(), 30))
	api.confirm_stage(plan_of(order).name, "Approved", nowdate())
	assert offers(order) == {}


def test_the_next_milestone_is_pulled_before_the_date_of_one_that_was_skipped():
	make_workflow(stages=[stage("Cut", days=-5), stage("Sewn", days=-4), stage("Shipped")], tasks=())
	order = make_document(order_date="2020-01-02", delivery_date=add_days(nowdate(), 30))
	plan = plan_of(order).name
	api.confirm_stage(plan, "Sewn", nowdate())
	soon = add_days(nowdate(), 3)
	api.reschedule_stage(plan, "Shipped", soon, "All is ready", later_stages="Keep Order")
	assert key_dates(order)["Shipped"] == soon
