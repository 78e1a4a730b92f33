"""Each path that writes, with its 1st, 2nd, 3rd ... call failing: all is stored or nothing, and no gate is passed."""

import json
from unittest.mock import patch

import frappe
import pytest

from milestone_automation import api
from milestone_automation.engine.base import follow_ups, guard
from milestone_automation.engine.history.log_import import ImportOptions
from milestone_automation.engine.history.log_import import run as import_log
from milestone_automation.engine.messages import hourly, sending_day, sweep
from milestone_automation.engine.plans import renaming
from milestone_automation.engine.rules import criteria
from milestone_automation.engine.store import plan_rows
from tests.support.clock import at, do_follow_ups, forget_mail_account
from tests.support.factories import (
	CLERK_ROLE,
	ORDER,
	make_document,
	make_workflow,
	member,
	plan_of,
	stage,
	stage_of,
	task,
	task_of,
)
from tests.support.failing import each_call_fails, failing_redis_call
from tests.support.transactions import end_transaction

pytestmark = pytest.mark.usefixtures("production_order")

OLGA = "olga@example.com"
OLGAS = {"owner_kind": "User", "owner_user": OLGA}
NOW = "2030-06-01 09:00:00"
# A fault in what the app notes down itself is logged; the user's save goes through without that part.
RECORDING = ("Milestone",)
PLAN = (
	"Milestone Plan", "Milestone Plan Stage", "Milestone Task", "Milestone Task Assignee", "Milestone Date Change",
	"Milestone Plan Log", "ToDo",
)  # fmt: skip
BOOKKEEPING = (RECORDING, PLAN)
# What the sweep leaves to its next run where a plan fails.
SENDING = (
	"Milestone Plan",
	"Milestone Plan Stage",
	"Milestone Task",
	"Milestone Message",
	"Email Queue",
)


@pytest.fixture(autouse=True)
def frozen_clock(site):
	with at(NOW):
		yield


@pytest.fixture
def workflow(make_user):
	"""Cut and Shipped are reached by the status, Packed by confirmation; Shipped is blocked by Olga's task."""
	make_user(OLGA, roles=[CLERK_ROLE])
	return make_workflow(
		stages=[
			stage("Cut", "Cut", -20, **OLGAS),
			stage("Packed", None, -10, **OLGAS),
			stage("Shipped", "Shipped", **OLGAS),
		],
		tasks=[task("Shipped", "Sign the packing list", days=1, **member(OLGA))],
	)


@pytest.fixture
def order(workflow):
	return make_document()


def call(method: str, /, **arguments):
	"""What a request to the API does."""
	return getattr(api, method)(**arguments)


def first_save():
	values = {"doctype": ORDER, "status": "Open", "order_date": "2030-01-02", "delivery_date": "2030-06-28"}
	return frappe.get_doc(values).insert(set_name="FIRST-ORDER")


def test_the_first_save_of_a_document(workflow):
	each_call_fails(first_save, (ORDER,), BOOKKEEPING)


def test_a_save_that_reaches_a_milestone(order):
	def save():
		doc = frappe.get_doc(ORDER, order.name)
		doc.status = "Cut"
		doc.save()

	each_call_fails(save, (ORDER,), BOOKKEEPING)


def test_a_save_that_moves_dates(order):
	def save():
		doc = frappe.get_doc(ORDER, order.name)
		doc.delivery_date = "2030-07-28"
		doc.save()

	each_call_fails(save, (ORDER,), BOOKKEEPING)


def test_a_value_set_past_the_form(order):
	each_call_fails(lambda: frappe.get_doc(ORDER, order.name).db_set("status", "Cut"), (ORDER,), BOOKKEEPING)


def test_a_save_that_the_gate_refuses(order):
	def ship():
		doc = frappe.get_doc(ORDER, order.name)
		doc.status = "Shipped"
		doc.save()

	each_call_fails(ship, (ORDER,), refusal=guard.GateError)


def test_starting_a_plan_by_hand(make_user):
	make_user(OLGA, roles=[CLERK_ROLE])
	order = make_document()
	workflow = make_workflow(tasks=[task("Shipped", "Sign the packing list", **member(OLGA))])
	each_call_fails(
		lambda: call("start_plan", doctype=ORDER, name=order.name, workflow=workflow.name), (ORDER,)
	)


@pytest.mark.parametrize(
	("name", "stage_name", "arguments"),
	[
		("confirm_stage", "Packed", {}),
		("reschedule_stage", "Packed", {"new_date": "2030-06-25", "reason": "Fabric is late"}),
		("answer_reached", "Packed", {}),
		("answer_reached", "Cut", {}),
		("answer_not_yet", "Packed", {"new_date": "2030-06-25", "reason": "Supplier is late"}),
		("answer_on_track", "Packed", {}),
		("propose_date", "Packed", {"new_date": "2030-06-25", "reason": "Supplier is late"}),
		(
			"add_task",
			"Packed",
			{"title": "Weigh", "assignee_kind": "One Team Member", "assignee_user": OLGA},
		),
	],
)
def test_a_call_on_a_milestone(order, name, stage_name, arguments):
	plan, row = plan_of(order), stage_of(order, stage_name)
	each_call_fails(lambda: call(name, plan=plan.name, stage=row.name, **arguments), (ORDER,), (RECORDING,))


def test_undoing_a_milestone(order):
	plan, row = plan_of(order), stage_of(order, "Packed")
	call("confirm_stage", plan=plan.name, stage=row.name)
	each_call_fails(
		lambda: call("undo_stage", plan=plan.name, stage=row.name, reason="Wrong order"), (ORDER,)
	)


@pytest.mark.parametrize(
	("name", "arguments"),
	[
		("complete_task", {}),
		("waive_task", {"reason": "Signed on paper"}),
		("cancel_task", {"reason": "Not needed"}),
	],
)
def test_a_call_on_a_task(order, name, arguments):
	row = task_of(order, "Sign the packing list")
	each_call_fails(lambda: call(name, task=row.name, **arguments), (ORDER,))


def test_reopening_a_task(order):
	row = task_of(order, "Sign the packing list")
	call("complete_task", task=row.name)
	each_call_fails(lambda: call("reopen_task", task=row.name, reason="One is missing"), (ORDER,))


def test_taking_back_a_completed_task(order):
	row = task_of(order, "Sign the packing list")
	call("complete_task", task=row.name)
	each_call_fails(lambda: call("undo_complete_task", task=row.name), (ORDER,))


def test_closing_the_to_do_of_a_task(order):
	todo = frappe.db.get_value("ToDo", {"reference_name": task_of(order, "Sign the packing list").name})

	def close():
		doc = frappe.get_doc("ToDo", todo)
		doc.status = "Closed"
		doc.save()

	each_call_fails(close, (ORDER,), (PLAN,))


def test_cancelling_a_plan(order):
	plan = plan_of(order)
	each_call_fails(lambda: call("cancel_plan", plan=plan.name, reason="Ordered elsewhere"), (ORDER,))


def test_a_plan_on_hold(order):
	plan = plan_of(order)
	each_call_fails(lambda: call("hold_plan", plan=plan.name, reason="The mill is on strike"), (ORDER,))


@pytest.mark.parametrize(
	("name", "arguments"), [("accept_date", {}), ("decline_date", {"reason": "Too late"})]
)
def test_deciding_on_a_proposed_date(order, name, arguments):
	plan, row = plan_of(order), stage_of(order, "Packed")
	call("propose_date", plan=plan.name, stage=row.name, new_date="2030-06-25", reason="Supplier is late")
	each_call_fails(lambda: call(name, plan=plan.name, stage=row.name, **arguments), (ORDER,))


@pytest.mark.parametrize(
	("before", "name", "arguments"),
	[
		("hold_plan", "resume_plan", {"shift_dates": 1}),
		("cancel_plan", "undo_cancel_plan", {"reason": "Ordered again"}),
	],
)
def test_taking_up_a_plan_again(order, before, name, arguments):
	plan = plan_of(order)
	call(before, plan=plan.name, reason="The mill is on strike")
	each_call_fails(lambda: call(name, plan=plan.name, **arguments), (ORDER,))


def test_moving_a_plan_to_a_new_version(workflow, order):
	workflow = frappe.get_doc("Milestone Workflow", workflow.name)
	workflow.append("stages", stage("Invoiced", None, 5, **OLGAS))
	workflow.append("tasks", task("Packed", "Weigh the boxes", days=1, **member(OLGA)))
	workflow.save()
	plan = plan_of(order)
	each_call_fails(lambda: call("move_to_new_version", plan=plan.name), (ORDER,))


# The grid


@pytest.mark.parametrize(
	("name", "arguments"),
	[
		("reschedule_stage", {"new_date": "2030-06-27", "later_stages": "Shift Too"}),
		("shift_stages", {"days": 3, "later_stages": "Shift Too"}),
	],
)
def test_a_change_in_the_grid(order, name, arguments):
	"""A cell, and chosen cells of two documents with what comes later; one who may not plan the later ones is told."""
	cells = [{"plan": plan_of(one).name, "stage": "Packed"} for one in (order, make_document())]
	about = {"cells": cells} if name == "shift_stages" else cells[0]
	each_call_fails(lambda: call(name, **about, **arguments, reason="Strike"), (ORDER,))


# Exit criteria


NOTE = {"kind": "Field Is Set", "field": "note"}
COMMENT = {"kind": "Comment Was Given"}
SHIPPED = {"exit_criteria": json.dumps([NOTE, COMMENT]), **OLGAS}
KEY = criteria.parse(json.dumps([NOTE]))[0].key


@pytest.fixture
def criteria_order(make_user):
	"""Shipped asks for a note and a comment."""
	make_user(OLGA, roles=[CLERK_ROLE])
	make_workflow(
		stages=[stage("Cut", "Cut", -20, **OLGAS), stage("Shipped", "Shipped", **SHIPPED)], tasks=()
	)
	return make_document()


def ship(name: str) -> None:
	doc = frappe.get_doc(ORDER, name)
	doc.status = "Shipped"
	doc.save()


def test_waiving_an_exit_criterion(criteria_order):
	about = {"plan": plan_of(criteria_order).name, "stage": "Shipped", "criterion": KEY}
	each_call_fails(lambda: call("waive_criterion", **about, reason="Told by phone"), (ORDER,))
	call("waive_criterion", **about, reason="Told by phone")
	each_call_fails(lambda: call("reopen_criterion", **about, reason="Not told at all"), (ORDER,))


def test_a_save_that_exit_criteria_refuse(criteria_order):
	each_call_fails(lambda: ship(criteria_order.name), (ORDER,), refusal=guard.GateError)


def test_the_comment_that_a_milestone_asks_for(criteria_order):
	"""The plan is looked at again after the commit; a fault of that does not refuse the comment."""
	each_call_fails(lambda: criteria_order.add_comment("Comment", "Told by phone"), ("Comment",), (PLAN,))


# Versions


def reshaped(workflow):
	"""A version with a renamed milestone, a branch and exit criteria."""
	workflow = frappe.get_doc("Milestone Workflow", workflow.name)
	cut, packed, shipped = workflow.stages
	cut.stage_name = "Cut to Size"
	packed.dependency = "Nothing"
	branch = {"dependency": "Chosen Milestones", "predecessors": "Cut to Size\nPacked"}
	shipped.update({"exit_criteria": json.dumps([NOTE, COMMENT]), **branch})
	return workflow


def test_saving_a_workflow_with_a_renamed_milestone(workflow, order):
	"""Running plans stay as they are."""
	rows = ("Milestone Workflow", "Milestone Workflow Stage", "Milestone Workflow Task", "Milestone Tracker")
	each_call_fails(lambda: reshaped(workflow).save(), (ORDER, *rows))


def test_moving_a_plan_to_a_version_with_branches_and_exit_criteria(workflow, order):
	reshaped(workflow).save()
	plan = plan_of(order)
	each_call_fails(lambda: call("move_to_new_version", plan=plan.name), (ORDER,))


# Renaming


AFTER_RENAME = "milestone_automation.events.after_rename"
NAMES = ("reference_name", "plan_key", "title", "message_key")


def renamed(doctype: str, old: str, new: str):
	"""Rename something, and return what this app and its jobs do then as a function."""
	noted = []
	with patch(AFTER_RENAME, lambda *arguments: noted.append(arguments)):
		frappe.rename_doc(doctype, old, new, force=True)

	def follow():
		for arguments in noted:
			frappe.get_attr(AFTER_RENAME)(*arguments)
		do_follow_ups()

	return follow


def test_renaming_a_document(order):
	"""A fault of the app does not refuse the new name: what is left is done after the commit."""
	follow = renamed(ORDER, order.name, "RENAMED-ORDER")
	each_call_fails(follow, (ORDER,), telling=NAMES)


def test_renaming_a_value_that_reaches_a_milestone(workflow):
	frappe.get_doc({"doctype": "Workflow State", "workflow_state_name": "Looked At"}).insert()
	approved = stage("Approved", reach_rule="Field Value", track_field="state", track_value="Looked At")
	make_workflow("By State", stages=[approved], tasks=(), priority=9)
	make_document(state="Looked At")
	follow = renamed("Workflow State", "Looked At", "Approved by Buyer")
	each_call_fails(follow, (ORDER, "Milestone Workflow Stage"))


def test_renaming_a_user(criteria_order):
	about = {"plan": plan_of(criteria_order).name, "stage": "Shipped", "criterion": KEY}
	frappe.set_user(OLGA)
	frappe.get_doc(ORDER, criteria_order.name).db_set("status", "Cut")
	frappe.set_user("Administrator")
	waived = json.dumps({about["criterion"]: {"by": OLGA, "reason": "Told by phone"}})
	frappe.db.set_value("Milestone Plan Stage", {"parent": about["plan"]}, "waived_criteria", waived)
	follow = renamed("User", OLGA, "olga.new@example.com")
	each_call_fails(follow, (ORDER, "Milestone Workflow Stage"), telling=NAMES)


def test_renaming_a_workflow(workflow, order):
	"""Frappe's links follow; the app forgets what it knew of workflows."""
	frappe.rename_doc("Milestone Workflow", workflow.name, "Production of Shirts", force=True)
	assert plan_of(order).workflow == "Production of Shirts"
	each_call_fails(lambda: ship(order.name), (ORDER,), refusal=guard.GateError)


def test_the_gate_holds_until_the_rest_of_a_rename_is_done(order):
	with patch.dict(renaming.PARTS, plan=lambda *about: frappe.db.sql("selekt 1")):
		frappe.rename_doc(ORDER, order.name, "RENAMED-ORDER", force=True)
	with pytest.raises(guard.GateError):
		ship("RENAMED-ORDER")
	do_follow_ups()
	with pytest.raises(guard.GateError, match="Sign the packing list"):
		ship("RENAMED-ORDER")


def test_a_plan_that_a_save_started_before_the_rest_of_a_rename_gives_way(order):
	plan = plan_of(order).name
	with patch.dict(renaming.PARTS, plan=lambda *about: frappe.db.sql("selekt 1")):
		frappe.rename_doc(ORDER, order.name, "RENAMED-ORDER", force=True)
	renamed_order = frappe.get_doc(ORDER, "RENAMED-ORDER")
	renamed_order.note = "Saved in between"
	renamed_order.save()
	end_transaction()
	started = frappe.db.get_value("Milestone Plan", {"plan_key": plan_rows.plan_key(ORDER, "RENAMED-ORDER")})
	assert started and started != plan

	do_follow_ups()

	assert plan_of(renamed_order).name == plan
	assert frappe.db.get_value("Milestone Plan", plan, "status") == "Active"
	assert frappe.db.get_value("Milestone Plan", started, ["status", "plan_key"]) == ("Cancelled", None)


def test_running_a_failed_step_again(order):
	plan = plan_of(order)
	about = {"plan": plan.name, "reference_type": ORDER, "reference_name": order.name, "status": "Failed"}
	step = frappe.get_doc({"doctype": "Milestone Next Step", "action": "Submit", **about}).insert()
	each_call_fails(lambda: call("run_next_step_again", step=step.name), (ORDER,))


def test_deleting_a_document(order):
	each_call_fails(lambda: frappe.delete_doc(ORDER, order.name, force=True), (ORDER,), BOOKKEEPING)


def test_the_sweep(order, smtp):
	"""A batch is sent or left to the next sweep; no message goes out twice. A bell may be missing, with a log."""
	forget_mail_account()
	with at("2030-06-18 07:00:00"):
		now = frappe.utils.now_datetime()
		plans = hourly.due_plans(sending_day.latest_message_day(now))
		each_call_fails(lambda: sweep.handle(plans, now), (ORDER,), (SENDING,), loose=("Notification Log",))


def test_the_import_of_a_log(order, tmp_path):
	log = tmp_path / "log.csv"
	log.write_text(f"case,activity,timestamp\n{order.name},Cut,2024-01-01T08:00:00Z\n")
	each_call_fails(lambda: import_log(log, ImportOptions(doctype=ORDER, track_field="status")), (ORDER,))


# Redis


@pytest.mark.parametrize("status", ["Cut", "Open"])
def test_a_save_without_redis(order, status):
	def save():
		doc = frappe.get_doc(ORDER, order.name)
		doc.status = status
		doc.note = "Checked"
		doc.save()

	each_call_fails(save, (ORDER,), BOOKKEEPING, failing=failing_redis_call)


def test_the_first_save_without_redis(workflow):
	each_call_fails(first_save, (ORDER,), BOOKKEEPING, failing=failing_redis_call)


def test_a_refused_save_without_redis(order):
	def ship():
		doc = frappe.get_doc(ORDER, order.name)
		doc.status = "Shipped"
		doc.save()

	each_call_fails(ship, (ORDER,), refusal=guard.GateError, failing=failing_redis_call)


@pytest.mark.parametrize(
	("name", "arguments"),
	[
		("confirm_stage", {}),
		("reschedule_stage", {"new_date": "2030-06-25", "reason": "Fabric is late"}),
	],
)
def test_a_call_on_a_milestone_without_redis(order, name, arguments):
	plan, row = plan_of(order), stage_of(order, "Packed")
	each_call_fails(
		lambda: call(name, plan=plan.name, stage=row.name, **arguments), (ORDER,), failing=failing_redis_call
	)


def test_completing_a_task_without_redis(order):
	row = task_of(order, "Sign the packing list")
	each_call_fails(lambda: call("complete_task", task=row.name), (ORDER,), failing=failing_redis_call)


def test_what_follows_on_a_save_without_redis(site):
	"""It is noted down, and the hourly run does it."""
	each_call_fails(
		lambda: follow_ups.add("recheck plans of a user", names=[OLGA], roles=[]),
		(),
		failing=failing_redis_call,
	)
