"""Writes that pass no hook: what the nightly or hourly check finds, plans follow in the same run."""

import datetime

import frappe
import pytest
from frappe.utils import add_to_date, now_datetime

from milestone_automation.engine.messages import plan_batch
from milestone_automation.engine.plans import catching_up, following
from tests.support.factories import (
	ORDER,
	events_of,
	key_dates,
	make_document,
	make_workflow,
	plan_of,
	stage,
	stage_of,
	status_of,
	task,
)
from tests.support.transactions import end_transaction

pytestmark = pytest.mark.usefixtures("production_order")

WAY = [stage("Cut", "Cut", -20), stage("Inspected", "Inspected", -7), stage("Shipped", "Shipped")]


@pytest.fixture
def order():
	make_workflow(stages=WAY, tasks=[])
	made = make_document()
	end_transaction()
	return made


def by_set_value(order, **values):
	frappe.db.set_value(ORDER, order.name, values)


def by_db_update(order, **values):
	doc = frappe.get_doc(ORDER, order.name)
	doc.update(values)
	doc.db_update()


def by_query_builder(order, **values):
	table = frappe.qb.DocType(ORDER)
	query = frappe.qb.update(table).where(table.name == order.name)
	for fieldname, value in values.items():
		query = query.set(table[fieldname], value)
	query.run()


PATHS = [by_set_value, by_db_update, by_query_builder]


@pytest.mark.parametrize("write", PATHS)
def test_a_value_written_without_hooks_is_recorded_and_its_stage_reached_in_one_run(order, write):
	write(order, status="Cut")
	catching_up.run(ORDER)
	assert status_of(order) == {"Cut": "Reached", "Inspected": "Open", "Shipped": "Open"}
	(milestone,) = frappe.get_all(
		"Milestone", {"reference_name": order.name, "value": "Cut"}, ["name", "source"]
	)
	assert milestone.source == "Reconcile"
	assert stage_of(order, "Cut").milestone == milestone.name


def test_a_stage_reached_by_a_value_nobody_has_recorded_yet_gets_the_milestone_of_that_value(order):
	by_set_value(order, status="Cut")
	following.settle(ORDER, order.name)
	(cut,) = frappe.get_all("Milestone", {"reference_name": order.name, "value": "Cut"}, pluck="name")
	assert stage_of(order, "Cut").milestone == cut
	catching_up.run(ORDER)
	assert frappe.db.count("Milestone", {"reference_name": order.name, "track_field": "status"}) == 2


def test_a_stage_whose_field_is_recorded_under_a_condition_takes_no_milestone_of_another_value(order):
	tracker = frappe.get_doc("Milestone Tracker", {"document_type": ORDER})
	tracker.condition = "doc.status != 'Cut'"
	tracker.save()
	order.reload()
	order.status = "Cut"
	order.save()
	assert status_of(order)["Cut"] == "Reached"
	assert not stage_of(order, "Cut").milestone


@pytest.mark.parametrize("write", PATHS)
def test_a_key_date_moved_without_hooks_moves_the_plan(order, write):
	write(order, delivery_date="2030-07-28")
	catching_up.run(ORDER)
	assert key_dates(order)["Shipped"] == "2030-07-28"


@pytest.mark.parametrize("write", PATHS)
def test_a_cancellation_without_hooks_cancels_the_plan(order, write):
	order.submit()
	write(order, docstatus=2)
	catching_up.run(ORDER)
	assert plan_of(order).status == "Cancelled"


def test_a_document_that_matches_a_workflow_since_it_was_written_without_hooks_gets_its_plan():
	make_workflow(stages=WAY, tasks=[], condition="doc.pieces > 10")
	order = make_document(pieces=1)
	end_transaction()
	assert plan_of(order) is None
	by_set_value(order, pieces=20, status="Cut")
	catching_up.run(ORDER)
	assert status_of(order)["Cut"] == "Reached"


def test_a_second_run_finds_nothing(order):
	by_set_value(order, status="Cut", delivery_date="2030-07-28")
	catching_up.run(ORDER)
	before = events_of(order)
	catching_up.run(ORDER)
	assert events_of(order) == before
	assert len(frappe.get_all("Milestone", {"reference_name": order.name, "value": "Cut"})) == 1


def test_a_fault_in_one_document_leaves_the_others_followed(order, monkeypatch):
	other = make_document()
	by_set_value(order, status="Cut")
	by_set_value(other, status="Cut")
	follow = catching_up.following.settle

	def fail_for_one(doctype, name):
		if name == order.name:
			raise RuntimeError("broken document")
		follow(doctype, name)

	monkeypatch.setattr(catching_up.following, "settle", fail_for_one)
	catching_up.run(ORDER)
	assert status_of(other)["Cut"] == "Reached"
	assert status_of(order)["Cut"] == "Open"
	assert frappe.get_all("Error Log", {"method": ("like", f"%{order.name}%")})


def test_nobody_is_asked_for_a_milestone_whose_value_the_document_has_already(order):
	by_set_value(order, status="Cut")
	plan = plan_of(order).name
	assert plan_batch.read([plan], now_datetime()).plans == []
	catching_up.follow_plan(plan)
	assert status_of(order)["Cut"] == "Reached"
	assert [row.name for row in plan_batch.read([plan], now_datetime()).plans] == [plan]


def hourly(order, **values):
	name = frappe.db.get_value("Milestone Tracker", {"document_type": ORDER})
	frappe.db.set_value("Milestone Tracker", name, values)
	return frappe.get_all("Milestone Tracker", {"name": name}, ["name", "document_type", "reconciled_on"])[0]


def test_the_hourly_check_of_a_chosen_tracker_finds_what_was_modified_since(order):
	old = make_document()
	end_transaction()
	by_set_value(order, status="Cut")
	by_set_value(old, status="Cut")
	long_ago = add_to_date(now_datetime(), days=-3)
	frappe.db.set_value(ORDER, old.name, "modified", long_ago, update_modified=False)
	tracker = hourly(order, reconcile_hourly=1, reconciled_on=now_datetime() - datetime.timedelta(hours=1))
	catching_up._catch_up_recent(tracker)
	assert status_of(order)["Cut"] == "Reached"
	assert status_of(old)["Cut"] == "Open"
	assert frappe.db.get_value("Milestone Tracker", tracker.name, "reconciled_on") > tracker.reconciled_on


def test_the_hourly_check_costs_the_same_however_many_documents_there_are(order, count_queries):
	tracker = hourly(order, reconcile_hourly=1, reconciled_on=now_datetime())
	long_ago = add_to_date(now_datetime(), days=-3)
	counts = []
	for _round in range(2):
		for _document in range(5):
			made = make_document()
			frappe.db.set_value(ORDER, made.name, "modified", long_ago, update_modified=False)
		frappe.db.set_value(ORDER, order.name, "modified", long_ago, update_modified=False)
		end_transaction()
		with count_queries() as queries:
			catching_up._catch_up_recent(tracker)
		counts.append(queries.count)
	assert counts[0] == counts[1], counts


def test_required_tasks_of_a_milestone_reached_without_hooks_stay_open(order):
	make_workflow("Held", stages=WAY, tasks=[task("Cut", "Order the cloth")], priority=9)
	held = make_document()
	by_set_value(held, status="Cut")
	catching_up.run(ORDER)
	assert status_of(held)["Cut"] == "Reached"
	assert "Reached Without Required Tasks" in events_of(held)
