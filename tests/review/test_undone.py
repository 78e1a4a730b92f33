"""A milestone that was undone is in no number: the one after it counts from the last one that counts."""

import datetime
import io

import frappe
import pytest

from milestone_automation.engine.history import reconcile
from milestone_automation.engine.progress import stages
from milestone_automation.engine.review import log_export, standing, stays
from milestone_automation.engine.review.scope import Scope
from milestone_automation.patches.v1_1 import link_past_undone
from tests.support.clock import at
from tests.support.factories import ORDER, make_document, make_workflow, plan_of, stage
from tests.support.next_steps import without_commits
from tests.support.transactions import end_transaction

pytestmark = pytest.mark.usefixtures("production_order")

START = datetime.datetime(2030, 3, 4, 9)
HOUR = 3600


@pytest.fixture
def order():
	"""An order that is open since the start."""
	make_workflow(stages=[stage("Cut", "Cut"), stage("Sewn", "Sewn"), stage("Shipped", "Shipped")], tasks=[])
	with hours_later(0):
		order = make_document(status="Open", delivery_date="2030-06-01")
		end_transaction()
	return order


def hours_later(hours: int):
	return at(str(START + datetime.timedelta(hours=hours)))


def change(order, status: str, hours: int) -> None:
	with hours_later(hours):
		order.reload()
		order.status = status
		order.save()
		end_transaction()


def undo(order, stage_name: str, hours: int) -> None:
	with hours_later(hours):
		stages.undo(plan_of(order).name, stage_name, "Miscounted")
		end_transaction()


def steps() -> list[tuple]:
	"""From value, to value and hours of all steps that the Process Map counts."""
	found = stays.by_step(Scope(ORDER, "status"))
	return sorted((*row.key, row.total / HOUR) for row in found for _stay in range(row.count))


def exported() -> list[tuple]:
	file = io.StringIO()
	log_export.write(file, log_export.ExportOptions(ORDER, "status", log_format="csv"))
	return [tuple(line.split(",")) for line in file.getvalue().splitlines()]


def test_a_value_that_went_back_leaves_the_stay_before_it_whole(order):
	change(order, "Cut", 2)
	change(order, "Open", 10)
	assert frappe.db.get_value("Milestone", {"reference_name": order.name, "value": "Cut"}, "undone")
	assert steps() == [("Open", "Open", 10)]
	change(order, "Cut", 14)
	assert steps() == [("Open", "Cut", 4), ("Open", "Open", 10)]


def test_several_milestones_undone_at_once_are_all_left_out(order):
	change(order, "Cut", 2)
	change(order, "Sewn", 4)
	change(order, "Open", 10)
	undone = {"reference_name": order.name, "undone": 1}
	assert sorted(frappe.get_all("Milestone", undone, pluck="value")) == ["Cut", "Sewn"]
	assert steps() == [("Open", "Open", 10)]


def test_after_a_manager_undid_a_milestone_the_next_value_counts_from_the_one_before_it(order):
	change(order, "Cut", 2)
	undo(order, "Cut", 3)
	change(order, "Sewn", 10)
	assert steps() == [("Open", "Sewn", 10)]


def test_a_manager_undoes_a_milestone_after_the_next_value_was_reached(order):
	change(order, "Cut", 2)
	change(order, "Sewn", 10)
	undo(order, "Cut", 11)
	assert steps() == [("Open", "Sewn", 10)]


def test_a_change_without_events_after_an_undone_milestone_counts_from_the_one_before_it(order):
	change(order, "Cut", 2)
	undo(order, "Cut", 3)
	late = {"status": "Sewn", "modified": START + datetime.timedelta(hours=10)}
	frappe.db.set_value(ORDER, order.name, late, update_modified=False)
	with hours_later(11):
		reconcile.run_for(ORDER, [order.name])
	assert steps() == [("Open", "Sewn", 10)]


def test_milestones_undone_before_the_patch_are_left_out_too(order):
	change(order, "Cut", 2)
	change(order, "Sewn", 10)
	frappe.db.set_value("Milestone", {"reference_name": order.name, "value": "Cut"}, "undone", 1)
	assert steps() == [("Cut", "Sewn", 8)]
	for _run in range(2):
		with without_commits():
			link_past_undone.execute()
		assert steps() == [("Open", "Sewn", 10)]


def test_an_undone_first_milestone_leaves_nothing_to_count_from(production_order):
	make_workflow(stages=[stage("Cut", "Cut"), stage("Sewn", "Sewn")], tasks=[])
	with hours_later(0):
		order = make_document(status="Cut", delivery_date="2030-06-01")
		end_transaction()
	undo(order, "Cut", 3)
	change(order, "Sewn", 10)
	assert steps() == []
	assert {value: row.count for value, row in standing.visits(Scope(ORDER, "status")).items()} == {"Sewn": 1}


def test_confirmed_milestones_have_no_next_one_to_count_from(production_order):
	make_workflow(stages=[stage("Counted"), stage("Packed")], tasks=[])
	order = make_document(delivery_date="2030-06-01")
	plan = plan_of(order).name
	stages.confirm(plan, "Counted")
	stages.confirm(plan, "Packed")
	stages.undo(plan, "Counted", "Miscounted")
	end_transaction()
	packed = {"reference_name": order.name, "value": "Packed"}
	assert frappe.db.get_value("Milestone", packed, ["value_before", "time_in_previous"]) == (None, None)


def test_the_exported_log_names_no_undone_value(order):
	change(order, "Cut", 2)
	change(order, "Open", 10)
	change(order, "Sewn", 14)
	assert not [line for line in exported() if "Cut" in line]
