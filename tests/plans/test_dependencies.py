"""Plans with branches: what a milestone depends on decides its date, its turn, and what moves with it."""

import frappe
import pytest
from frappe.utils import add_days, nowdate

from milestone_automation import api
from milestone_automation.engine.base.guard import GateError
from milestone_automation.engine.plans import version_move
from milestone_automation.engine.progress import holding, rescheduling, stages
from milestone_automation.engine.review import conformance, plan_stages
from tests.support.clock import at, sweep_at
from tests.support.factories import (
	CLERK_ROLE,
	key_dates,
	make_document,
	make_workflow,
	plan_of,
	stage,
	stage_of,
	status_of,
	task,
)

pytestmark = [pytest.mark.usefixtures("production_order"), pytest.mark.one_database]

OLGA = "olga@example.com"


def after(name: str, *predecessors: str, days: int, dependency: str = "Chosen Milestones", **values) -> dict:
	"""A stage so many days after those it depends on, confirmed by its owner."""
	counted = {"key_date_rule": "After Previous Milestone", "date_field": None, "offset_days": days}
	chosen = {"dependency": dependency, "predecessors": "\n".join(predecessors)}
	return stage(name) | counted | chosen | values


def first(name: str, **values) -> dict:
	return stage(name, key_date_rule="After Creation", date_field=None) | values


# Sewing waits for fabric and trims, which are ordered side by side; the photographs need only the fabric.
GARMENT = (
	first("Ordered"),
	after("Fabric in", "Ordered", days=10),
	after("Trims in", "Ordered", days=4),
	after("Sewn", "Fabric in", "Trims in", days=5),
	after("Photographed", "Fabric in", days=1),
	after("Delivered", "Sewn", "Photographed", days=2),
)
DATES = {
	"Ordered": "2030-06-01",
	"Fabric in": "2030-06-11",
	"Trims in": "2030-06-05",
	"Sewn": "2030-06-16",
	"Photographed": "2030-06-12",
	"Delivered": "2030-06-18",
}


def make_order(garment=GARMENT, tasks=(), **workflow):
	with at("2030-06-01 09:00:00"):
		make_workflow(stages=garment, tasks=tasks, **workflow)
		return make_document()


def confirm(order, name: str, day: str):
	with at(f"{day} 10:00:00"):
		stages.confirm(plan_of(order).name, name, day)


def reschedule(order, name: str, day: str, **options):
	rescheduling.reschedule(plan_of(order).name, name, day, "The mill is late", **options)


def of_panel(order, name: str) -> dict:
	shown = api.get_plan(order.doctype, order.name)
	return next(row for row in shown["stages"] if row["stage_name"] == name)


def test_each_milestone_is_dated_by_the_latest_of_those_it_depends_on():
	assert key_dates(make_order()) == DATES


def test_a_moved_date_moves_its_own_branch_and_leaves_the_others():
	order = make_order()
	with at("2030-06-02 09:00:00"):
		reschedule(order, "Photographed", "2030-06-15")
	assert key_dates(order) == DATES | {"Photographed": "2030-06-15", "Delivered": "2030-06-21"}


def test_a_preview_shows_only_what_comes_after():
	order = make_order()
	with at("2030-06-02 09:00:00"):
		shown = api.preview_reschedule(plan_of(order).name, "Trims in", "2030-06-14")
	assert [(row["stage_name"], str(row["new"])) for row in shown["stages"]] == [
		("Trims in", "2030-06-14"),
		("Sewn", "2030-06-25"),
		("Delivered", "2030-06-27"),
	]


def test_a_date_before_another_branch_is_fine_and_before_its_own_is_refused_by_name():
	order = make_order()
	with at("2030-06-02 09:00:00"):
		reschedule(order, "Trims in", "2030-06-03", answer="Keep Order")
		with pytest.raises(frappe.ValidationError, match="the earlier milestone Fabric in is on"):
			reschedule(order, "Photographed", "2030-06-10")
	assert key_dates(order) == DATES | {"Trims in": "2030-06-03"}


def test_only_what_comes_before_a_reached_milestone_is_skipped():
	order = make_order()
	confirm(order, "Ordered", "2030-06-01")
	confirm(order, "Photographed", "2030-06-12")
	health = {row.stage_name: row.health for row in plan_of(order).stages}
	assert health["Fabric in"] == "Skipped"
	assert health["Trims in"] != "Skipped"
	assert plan_of(order).current_stage == "Trims in"


def test_in_order_means_after_its_own_predecessors_not_after_other_branches():
	order = make_order(reached_in_order=1)
	confirm(order, "Ordered", "2030-06-01")
	confirm(order, "Fabric in", "2030-06-11")
	confirm(order, "Photographed", "2030-06-12")
	with pytest.raises(GateError, match="Trims in"):
		confirm(order, "Sewn", "2030-06-16")
	assert status_of(order)["Sewn"] == "Open"


def test_required_tasks_of_another_branch_do_not_block():
	order = make_order(tasks=[task("Trims in", "Count the buttons")], earlier_tasks_block=1)
	confirm(order, "Ordered", "2030-06-01")
	confirm(order, "Fabric in", "2030-06-11")
	confirm(order, "Photographed", "2030-06-12")
	with pytest.raises(GateError, match="Count the buttons"):
		confirm(order, "Sewn", "2030-06-16")


def test_a_milestone_without_a_date_gets_one_when_the_last_it_depends_on_is_reached():
	manual = {"key_date_rule": "Set Manually", "offset_days": 0}
	garment = [
		first("Ordered", **manual),
		after("Fabric in", "Ordered", days=0, **manual),
		after("Trims in", "Ordered", days=0, **manual),
		after("Sewn", "Fabric in", "Trims in", days=5),
	]
	order = make_order(garment)
	confirm(order, "Ordered", "2030-06-01")
	confirm(order, "Fabric in", "2030-06-11")
	assert key_dates(order)["Sewn"] is None
	confirm(order, "Trims in", "2030-06-14")
	assert key_dates(order)["Sewn"] == "2030-06-19"
	with at("2030-06-15 10:00:00"):
		stages.undo(plan_of(order).name, "Trims in", "They were the wrong ones")
	assert key_dates(order)["Sewn"] is None


def test_both_branches_are_asked_for_when_milestones_are_reached_in_order(make_user):
	make_user(OLGA, roles=[CLERK_ROLE])
	owned = {"owner_kind": "User", "owner_user": OLGA}
	order = make_order([row | owned for row in GARMENT], reached_in_order=1)
	confirm(order, "Ordered", "2030-06-01")
	sweep_at("2030-06-20 08:00:00")
	filters = {"plan": plan_of(order).name, "kind": "Prompt"}
	assert set(frappe.get_all("Milestone Message", filters, pluck="stage_name")) == {"Fabric in", "Trims in"}


def test_the_panel_shows_what_a_milestone_depends_on_its_float_and_the_critical_path():
	order = make_order()
	with at("2030-06-02 09:00:00"):
		assert of_panel(order, "Sewn")["depends_on"] == ["Fabric in", "Trims in"]
		floats = {name: of_panel(order, name)["float"] for name in DATES}
	assert floats == {
		"Ordered": 0,
		"Fabric in": 0,
		"Trims in": 6,
		"Sewn": 0,
		"Photographed": 4,
		"Delivered": 0,
	}


def test_a_chain_shows_neither_float_nor_dependencies():
	order = make_order((first("Ordered"), after("Sewn", days=5, dependency="Previous Milestone")))
	assert of_panel(order, "Sewn")["float"] is None
	assert of_panel(order, "Sewn")["depends_on"] is None


def test_a_plan_on_hold_resumes_with_all_branches_moved():
	order = make_order()
	with at("2030-06-02 09:00:00"):
		confirm(order, "Ordered", "2030-06-01")
		holding.put_on_hold(plan_of(order).name, "The mill is on strike")
	with at("2030-06-05 09:00:00"):
		holding.resume(plan_of(order).name, shift_dates=True)
	moved = {name: str(add_days(day, 3))[:10] for name, day in DATES.items()}
	assert key_dates(order) == moved | {"Ordered": DATES["Ordered"]}


def test_parallel_branches_in_any_order_are_no_deviation():
	order = make_order()
	confirm(order, "Ordered", "2030-06-01")
	confirm(order, "Fabric in", "2030-06-03")
	confirm(order, "Trims in", "2030-06-02")
	rows = list(plan_stages.read(plan_stages.PlanFilter(workflow="Production")))
	with at("2030-06-03 12:00:00"):
		found = [one.deviation.value for one in conformance.check(rows, {}, frappe.utils.getdate(nowdate()))]
	assert found == []


# Workflows


@pytest.mark.parametrize(
	("garment", "problem"),
	[
		(
			(first("Cut"), after("Sewn", "Packed", days=1), after("Packed", "Sewn", days=1)),
			"depend on each other in a circle: ",
		),
		((first("Cut"), after("Sewn", "Dyed", days=1)), "It depends on Dyed, which is no milestone"),
		((first("Cut"), after("Sewn", days=1)), "Choose the milestones it depends on"),
		(
			(
				first("Cut"),
				first("Sewn", dependency="Chosen Milestones", predecessors="Dyed"),
				first("Dyed", dependency="Nothing"),
			),
			"It depends on Dyed, which comes later in the list. Move it below Dyed",
		),
		((first("Cut"), after("Sewn", days=1, dependency="Nothing")), "It depends on nothing"),
		((first("Cut", dependency="Chosen Milestones", predecessors="Cut"),), "circle: Cut → Cut"),
	],
)
def test_dependencies_that_cannot_be_are_refused_with_what_to_do(garment, problem):
	with pytest.raises(frappe.ValidationError, match=problem):
		make_workflow(stages=garment, tasks=())


def test_a_renamed_milestone_is_followed_by_those_that_depend_on_it():
	workflow = make_workflow(stages=GARMENT, tasks=())
	workflow.stages[1].stage_name = "Cloth in"
	workflow.save()
	assert workflow.stages[3].predecessors == "Cloth in\nTrims in"


def test_dates_out_of_order_in_one_branch_are_named_and_between_branches_are_not():
	side_by_side = [
		first("Ordered"),
		first("Fabric in", offset_days=10, dependency="Nothing"),
		first("Trims in", offset_days=4, dependency="Nothing"),
	]
	make_workflow(stages=side_by_side, tasks=())
	one_branch = [*side_by_side[:2], first("Sewn", offset_days=4)]
	with pytest.raises(frappe.ValidationError, match="would always come before that of Milestone 2"):
		make_workflow("Another", stages=one_branch, tasks=())


def test_a_new_version_brings_its_dependencies_to_running_plans():
	order = make_order()
	confirm(order, "Ordered", "2030-06-01")
	workflow = frappe.get_doc("Milestone Workflow", "Production")
	workflow.stages[0].stage_name = "Order placed"
	workflow.stages[4].predecessors = "Order placed"
	workflow.save()
	with at("2030-06-02 09:00:00"):
		version_move.move(plan_of(order).name)
	# The reached milestone keeps its name in the plan, and those that depend on it still do.
	assert stage_of(order, "Photographed").predecessors == "Ordered"
	assert key_dates(order) == DATES | {"Photographed": "2030-06-02"}
	assert of_panel(order, "Photographed")["depends_on"] == ["Ordered"]


def test_the_preview_of_a_workflow_shows_the_float():
	order = make_order()
	workflow = frappe.get_doc("Milestone Workflow", "Production")
	with at("2030-06-01 12:00:00"):
		shown = api.preview_draft(frappe.as_json(workflow.as_dict()), order.name)
	assert {row["stage_name"]: row["float"] for row in shown["stages"]}["Trims in"] == 6


def test_a_renamed_milestone_moves_no_date_of_those_that_depend_on_it():
	order = make_order()
	with at("2030-06-02 09:00:00"):
		reschedule(order, "Trims in", "2030-06-08", answer="Shift Too")
	assert key_dates(order)["Sewn"] == "2030-06-19"
	workflow = frappe.get_doc("Milestone Workflow", "Production")
	workflow.stages[2].stage_name = "Buttons in"
	workflow.save()
	with at("2030-06-03 09:00:00"):
		version_move.move(plan_of(order).name)
	assert key_dates(order)["Sewn"] == "2030-06-19"
	assert stage_of(order, "Sewn").predecessors == "Fabric in\nButtons in"


def test_what_was_skipped_stays_skipped_under_a_new_name():
	order = make_order()
	confirm(order, "Ordered", "2030-06-01")
	confirm(order, "Photographed", "2030-06-12")
	workflow = frappe.get_doc("Milestone Workflow", "Production")
	workflow.stages[1].stage_name = "Cloth in"
	workflow.save()
	with at("2030-06-13 09:00:00"):
		version_move.move(plan_of(order).name)
	assert stage_of(order, "Cloth in").health == "Skipped"
	assert stage_of(order, "Photographed").predecessors == "Cloth in"


def test_a_hold_moves_all_branches_also_where_the_first_one_lands_where_it_was_before():
	in_working_days = [
		row | {"working_days": 1} if row["stage_name"] != "Ordered" else row for row in GARMENT
	]
	order = make_order(in_working_days)
	confirm(order, "Ordered", "2030-06-01")
	with at("2030-06-03 09:00:00"):
		reschedule(order, "Trims in", "2030-06-05", answer="Shift Too")
	before = key_dates(order)
	assert before["Fabric in"] == "2030-06-14"
	with at("2030-06-04 09:00:00"):
		holding.put_on_hold(plan_of(order).name, "The mill is on strike")
	with at("2030-06-05 09:00:00"):
		holding.resume(plan_of(order).name, shift_dates=True)
	# One working day later: from a Friday to a Monday.
	assert key_dates(order)["Trims in"] == "2030-06-06"
	assert key_dates(order)["Fabric in"] == "2030-06-17"


def test_a_milestone_counts_from_the_day_the_one_before_was_reached_where_that_had_no_date():
	manual = {"key_date_rule": "Set Manually", "offset_days": 0}
	garment = [
		first("Ordered", **manual),
		after("Trims in", days=0, dependency="Nothing", **manual),
		after("Sewn", "Ordered", "Trims in", days=5),
	]
	order = make_order(garment)
	confirm(order, "Ordered", "2030-06-03")
	with at("2030-06-04 09:00:00"):
		reschedule(order, "Trims in", "2030-06-10")
	assert key_dates(order)["Sewn"] == "2030-06-15"
