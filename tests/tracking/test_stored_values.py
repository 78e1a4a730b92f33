"""What counts is what is stored: copies, SQL in between, values finer than their column, values that only pass through."""

import datetime
import json

import frappe
import pytest
from frappe.utils import now_datetime

from milestone_automation.engine.base import save_state
from milestone_automation.engine.progress import tasks
from milestone_automation.engine.review import standing, stays
from milestone_automation.engine.review.scope import Scope
from tests.support.factories import (
	ORDER,
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

FIRST = ("status", "", "Draft")


@pytest.fixture
def order(tracking):
	"""A tracked order that is a Draft, recorded in a transaction before."""
	tracking.track("status", "price", "pieces", "weight", "seen_at", "ship_date")
	made = tracking.order(status="Draft").insert()
	end_transaction()
	return made


def changes_of(tracking, order, field="status"):
	return tracking.changes(order.name, track_field=field)


def passing_of(tracking, order):
	return [(row.value, row.passing) for row in tracking.rows(order.name, track_field="status")]


# Memory against row


def test_another_copy_that_sets_the_value_while_the_document_is_cancelled_is_recorded_once(tracking, order):
	order.submit()
	end_transaction()

	def set_by_another_copy():
		frappe.get_doc(order.doctype, order.name).db_set("status", "Shipped")
		order.load_from_db()

	order.__dict__["on_cancel"] = set_by_another_copy
	order.cancel()
	assert changes_of(tracking, order) == [FIRST, ("status", "Draft", "Shipped")]


def test_submitted_on_insert_with_a_value_set_by_another_copy_is_one_chain(tracking):
	tracking.track()
	order = tracking.order(status="Draft", docstatus=1)

	def set_by_another_copy():
		frappe.get_doc(order.doctype, order.name).db_set("status", "Ordered")
		order.load_from_db()

	order.__dict__["on_submit"] = set_by_another_copy
	order.insert()
	assert frappe.db.get_value(order.doctype, order.name, ["status", "docstatus"]) == ("Ordered", 1)
	assert tracking.is_unbroken(order.name)
	assert changes_of(tracking, order)[-1][2] == "Ordered"
	assert len(changes_of(tracking, order)) == 1


def test_a_stale_copy_that_is_saved_past_the_check_records_from_what_was_stored(tracking, order):
	stale = frappe.get_doc(order.doctype, order.name)
	frappe.get_doc(order.doctype, order.name).db_set("status", "Ordered")
	stale.db_set("note", "nothing to do with it")
	assert changes_of(tracking, order) == [FIRST, ("status", "Draft", "Ordered")]
	stale.db_set("status", "Shipped")
	assert changes_of(tracking, order) == [
		FIRST,
		("status", "Draft", "Ordered"),
		("status", "Ordered", "Shipped"),
	]


def test_a_cached_document_that_somebody_changed_in_memory_makes_no_milestone(tracking, order):
	cached = frappe.get_cached_doc(order.doctype, order.name)
	cached.status = "Shipped"
	frappe.get_doc(order.doctype, order.name).db_set("note", "changed")
	cached.run_method("on_change")
	assert changes_of(tracking, order) == [FIRST]


def test_what_sql_wrote_just_before_a_db_set_is_recorded_there_and_then_once(tracking, order):
	frappe.db.set_value(order.doctype, order.name, "weight", 100, update_modified=False)
	order.db_set("status", "Ordered")
	assert changes_of(tracking, order, "weight") == [("weight", "0", "100")]
	order.reload()
	order.save()
	assert changes_of(tracking, order, "weight") == [("weight", "0", "100")]


def test_a_value_written_by_sql_before_a_save_is_a_step_of_its_own(tracking, order):
	frappe.db.set_value(order.doctype, order.name, "status", "Ordered")
	end_transaction()
	order.reload()
	order.status = "Shipped"
	order.save()
	assert changes_of(tracking, order) == [
		FIRST,
		("status", "Draft", "Ordered"),
		("status", "Ordered", "Shipped"),
	]
	assert [row.source for row in tracking.rows(order.name, track_field="status")] == [
		"Save",
		"Reconcile",
		"Save",
	]


@pytest.mark.parametrize(
	("field", "value"),
	[
		("price", 100 / 3),
		("weight", 0.1 + 0.2),
		("weight", 1e-12),
		("seen_at", "2026-12-01 08:00:00.1234567"),
		("ship_date", "2026-12-01 08:00:00"),
		("ship_date", datetime.datetime(2026, 12, 1, 8)),
	],
)
def test_a_value_finer_than_its_column_is_recorded_once_however_often_it_is_saved(
	tracking, order, field, value
):
	if field == "ship_date" and frappe.db.db_type == "sqlite":
		pytest.skip("Frappe stores a Date with its time on SQLite, and can read the row no more")
	for _round in range(3):
		fresh = frappe.get_doc(order.doctype, order.name)
		fresh.set(field, value)
		fresh.save()
		end_transaction()
	assert len(changes_of(tracking, order, field)) <= 1


def test_json_in_another_layout_is_no_change(make_doctype, tracking):
	doctype = make_doctype("Stored Settings", [{"fieldname": "rules", "fieldtype": "JSON"}])
	frappe.get_doc(
		{"doctype": "Milestone Tracker", "document_type": doctype, "track_field": "rules"}
	).insert()
	doc = frappe.get_doc({"doctype": doctype, "rules": json.dumps({"b": 1, "a": [2]})}).insert()
	end_transaction()
	for rules in ({"a": [2], "b": 1}, {"a": [3], "b": 1}):
		fresh = frappe.get_doc(doctype, doc.name)
		fresh.rules = json.dumps(rules)
		fresh.save()
		end_transaction()
	assert [change[1:] for change in tracking.changes(doc.name, doctype)] == [
		("", '{"a": [2], "b": 1}'),
		('{"a": [2], "b": 1}', '{"a": [3], "b": 1}'),
	]


def test_a_clock_that_is_set_back_breaks_no_chain(tracking, order, monkeypatch):
	order.status = "Ordered"
	order.save()
	end_transaction()
	later = now_datetime() + datetime.timedelta(hours=1)
	frappe.db.set_value("Milestone", {"value": "Ordered", "reference_name": order.name}, "reached_on", later)
	for status in ("Shipped", "Delivered"):
		order.reload()
		order.status = status
		order.save()
		end_transaction()
		order.reload()
		order.save()
	assert [change[2] for change in changes_of(tracking, order)] == [
		"Draft",
		"Ordered",
		"Shipped",
		"Delivered",
	]
	assert tracking.is_unbroken(order.name)
	assert {row.time_in_previous for row in tracking.rows(order.name, track_field="status")[2:]} == {0}


# Passing values


def test_a_value_that_the_same_transaction_replaces_is_marked_as_passing(tracking, order):
	order.db_set("status", "Shipped")
	end_transaction()
	for value, moment in (("Draft", "2026-01-01 08:00:00"), ("Shipped", "2026-01-03 08:00:00")):
		frappe.db.set_value("Milestone", {"value": value}, "reached_on", moment)
	order.db_set("status", "Draft")
	order.db_set("status", "Ordered")
	assert passing_of(tracking, order) == [("Draft", 0), ("Shipped", 0), ("Draft", 1), ("Ordered", 0)]
	assert tracking.is_unbroken(order.name)
	last = tracking.rows(order.name, track_field="status")[-1]
	assert (last.from_value, last.value_before) == ("Draft", "Shipped")
	assert last.time_in_previous > 24 * 3600


def test_what_a_savepoint_took_back_makes_nothing_passing(tracking, order):
	order.db_set("status", "Ordered")
	frappe.db.savepoint("attempt")
	order.db_set("status", "Shipped")
	frappe.db.rollback(save_point="attempt")
	assert passing_of(tracking, order) == [("Draft", 0), ("Ordered", 0)]


def test_reports_count_no_passing_value(tracking, order):
	order.db_set("status", "Shipped")
	end_transaction()
	order.db_set("status", "Draft")
	order.db_set("status", "Ordered")
	end_transaction()
	scope = Scope(order.doctype, "status")
	assert [row.key for row in stays.by_value(scope)] == [("Draft",), ("Shipped",)]
	assert [row.key for row in stays.by_step(scope)] == [("Draft", "Shipped"), ("Shipped", "Ordered")]
	assert {value: row.count for value, row in standing.visits(scope).items()} == {
		"Draft": 1,
		"Shipped": 1,
		"Ordered": 1,
	}


WAY = [stage("Cut", "Cut", -20), stage("Inspected", "Inspected", -7), stage("Shipped", "Shipped")]


def moved(order, *statuses):
	"""Each status by a `db_set` in a transaction of its own."""
	for status in statuses:
		frappe.get_doc(ORDER, order.name).db_set("status", status)
		end_transaction()


@pytest.mark.usefixtures("production_order")
def test_a_document_reopened_by_way_of_its_first_value_undoes_nothing():
	make_workflow(stages=WAY, tasks=[])
	order = make_document()
	moved(order, "Cut", "Inspected", "Closed")
	days = {row.stage_name: (row.status, row.reached_on, row.milestone) for row in plan_of(order).stages}
	doc = frappe.get_doc(ORDER, order.name)
	doc.db_set("status", "Open")
	doc.db_set("status", "Inspected")
	end_transaction()
	assert days == {
		row.stage_name: (row.status, row.reached_on, row.milestone) for row in plan_of(order).stages
	}
	assert "Milestone Undone" not in events_of(order)
	assert json.loads(plan_of(order).snapshot)["status"] == "Inspected"


@pytest.mark.usefixtures("production_order")
def test_going_back_is_judged_when_the_transaction_ends():
	make_workflow(stages=WAY, tasks=[])
	order = make_document()
	moved(order, "Cut", "Inspected")
	doc = frappe.get_doc(ORDER, order.name)
	doc.db_set("status", "Cut")
	name = frappe.db.get_value("Milestone Plan", {"reference_name": order.name})
	statuses = {"parent": name, "stage_name": "Inspected"}
	assert frappe.db.get_value("Milestone Plan Stage", statuses, "status") == "Reached"
	assert status_of(order) == {"Cut": "Reached", "Inspected": "Open", "Shipped": "Open"}
	assert events_of(order)[-1] == "Milestone Undone"


@pytest.mark.usefixtures("production_order")
def test_a_going_back_that_is_rolled_back_undoes_nothing():
	make_workflow(stages=WAY, tasks=[])
	order = make_document()
	moved(order, "Cut", "Inspected")
	frappe.db.savepoint("attempt")
	frappe.get_doc(ORDER, order.name).db_set("status", "Open")
	frappe.db.rollback(save_point="attempt")
	assert status_of(order) == {"Cut": "Reached", "Inspected": "Reached", "Shipped": "Open"}


@pytest.mark.usefixtures("production_order")
def test_a_stage_reached_by_a_passing_value_is_judged_at_once():
	make_workflow(stages=WAY, tasks=[task("Shipped", "Sign the packing list")])
	order = make_document()
	doc = frappe.get_doc(ORDER, order.name)
	with pytest.raises(frappe.ValidationError, match=r"Sign the packing list"):
		doc.db_set("status", "Shipped")
	assert frappe.db.get_value(ORDER, order.name, "status") == "Open"
	tasks.complete(task_of(order, "Sign the packing list").name)
	doc.db_set("status", "Shipped")
	doc.db_set("status", "Closed")
	assert status_of(order)["Shipped"] == "Reached"


@pytest.mark.usefixtures("production_order")
@pytest.mark.parametrize("value", [99.99999999999, sum([100 / 7] * 7), 100])
def test_a_percentage_that_its_column_rounds_up_reaches_and_is_held_like_the_round_one(make_doctype, value):
	full = stage(
		"Full", reach_rule="Field Value", track_field="percentage", track_value="100", date_field="day"
	)
	doctype = make_doctype(
		"Stored Percentage",
		[{"fieldname": "percentage", "fieldtype": "Percent"}, {"fieldname": "day", "fieldtype": "Date"}],
	)
	make_workflow("Percentages", document_type=doctype, stages=[full], tasks=[task("Full", "Count again")])
	doc = frappe.get_doc({"doctype": doctype, "percentage": 50, "day": "2030-01-01"}).insert()
	end_transaction()
	fresh = frappe.get_doc(doctype, doc.name)
	with pytest.raises(frappe.ValidationError, match=r"Count again"):
		fresh.db_set("percentage", value)
	assert frappe.db.get_value(doctype, doc.name, "percentage") == 50
	fresh = frappe.get_doc(doctype, doc.name)
	fresh.percentage = value
	with pytest.raises(frappe.ValidationError, match=r"Count again"):
		fresh.save()
	assert frappe.db.get_value(doctype, doc.name, "percentage") == 50
	tasks.complete(frappe.db.get_value("Milestone Task", {"reference_name": doc.name}))
	fresh = frappe.get_doc(doctype, doc.name)
	fresh.percentage = value
	fresh.save()
	assert stage_of(doc, "Full").status == "Reached"


def test_nothing_is_remembered_beyond_the_transaction(order):
	order.db_set("status", "Ordered")
	assert save_state.is_remembering()
	end_transaction()
	assert not save_state.is_remembering()
