"""Milestones out of order: what is skipped, what reports make of it, how it is confirmed afterwards."""

import frappe
import pytest
from frappe.utils import getdate, nowdate

from milestone_automation import api
from milestone_automation.desk import my_work, panel, timeline
from milestone_automation.engine.messages import sweep
from milestone_automation.engine.plans import starting
from milestone_automation.engine.progress import stages
from milestone_automation.engine.review import blocked, conformance, on_time, plan_stages, week
from milestone_automation.engine.rules.vocabulary import PlanEvent
from milestone_automation.patches.v1_1 import split_strict_order
from tests.support.factories import (
	make_document,
	make_workflow,
	plan_of,
	stage,
	stage_of,
	status_of,
	task,
)
from tests.support.next_steps import without_commits

pytestmark = [pytest.mark.usefixtures("production_order"), pytest.mark.one_database]


@pytest.fixture
def shipped():
	"""An order that shipped before anybody said that it was cut and signed off; all key dates have passed."""
	make_workflow(
		stages=[
			stage("Cut", "Cut", -20),
			stage("Signed off", days=-10),
			stage("Shipped", "Shipped"),
			stage("Paid", days=3650),
		],
		tasks=[task("Cut", "Order the cloth", required=0)],
	)
	order = make_document(order_date="2024-01-02", delivery_date="2024-03-01")
	order.status = "Shipped"
	order.save()
	return order


def health_of(order) -> dict[str, str]:
	return {row.stage_name: row.health for row in plan_of(order).stages}


def rows():
	return list(plan_stages.read(plan_stages.PlanFilter(workflow="Production")))


def test_what_a_later_milestone_went_past_is_skipped_and_not_late(shipped):
	assert health_of(shipped) == {
		"Cut": "Skipped",
		"Signed off": "Skipped",
		"Shipped": "Done",
		"Paid": "On Track",
	}
	plan = plan_of(shipped)
	assert (plan.status, plan.health, plan.current_stage) == ("Active", "On Track", "Paid")
	assert plan.next_date == stage_of(shipped, "Paid").key_date
	sweep.sweep_plan(plan.name)
	assert health_of(shipped)["Cut"] == "Skipped"
	assert not frappe.get_all("Milestone Message", {"plan": plan.name, "kind": "Prompt"})


def test_reports_do_not_count_what_is_skipped_as_late_or_overdue(shipped):
	today = getdate(nowdate())
	overdue = {group.group: group.overdue for group in on_time.measure(rows(), "Milestone", today)}
	assert overdue == {"Shipped": 0}
	sections = week.summarize(rows(), {}, today)
	assert [line.stage.stage_name for line in sections[week.Section.LATE]] == []
	titles = [(blocker.stage.stage_name, blocker.title) for blocker in blocked.find(rows(), today)]
	assert titles == [("Cut", "Order the cloth")]
	found = [(one.deviation.value, one.stage.stage_name) for one in conformance.check(rows(), {}, today)]
	assert found == [("Skipped", "Cut"), ("Skipped", "Signed off"), ("Late", "Shipped")]


def test_nobody_is_shown_a_skipped_milestone_as_work(shipped):
	names = [row.stage_name for row in my_work.my_work()["stages"]]
	assert "Cut" not in names
	assert "Signed off" not in names


def test_the_panel_offers_to_confirm_what_was_skipped_and_the_day_counts(shipped):
	payload = panel.build(shipped)
	offered = [one["stage_name"] for one in payload["stages"] if "confirm" in one["actions"]]
	assert offered == ["Cut", "Signed off", "Paid"]
	for name in ("Cut", "Signed off"):
		payload = api.confirm_stage(plan_of(shipped).name, name, "2024-02-10")
	reached = {one["stage_name"]: str(one["reached_on"]) for one in payload["stages"][:2]}
	assert reached == {"Cut": "2024-02-10", "Signed off": "2024-02-10"}
	assert health_of(shipped)["Cut"] == "Done"


def test_a_milestone_is_late_again_once_the_later_one_is_undone(shipped):
	stages.undo(plan_of(shipped).name, "Shipped", "The truck came back")
	assert health_of(shipped)["Signed off"] == "Late"
	assert plan_of(shipped).current_stage == "Cut"


def test_a_value_that_goes_back_unskips_at_once(shipped):
	shipped.reload()
	shipped.status = "Open"
	shipped.save()
	assert status_of(shipped)["Shipped"] == "Open"
	assert "Skipped" not in health_of(shipped).values()
	sweep.sweep_plan(plan_of(shipped).name)
	assert health_of(shipped)["Cut"] == "Late"


def test_a_plan_whose_last_milestone_is_reached_waits_for_what_was_skipped():
	make_workflow(stages=[stage("Cut"), stage("Shipped")], tasks=())
	order = make_document()
	plan = plan_of(order).name
	api.confirm_stage(plan, "Shipped")
	row = plan_of(order)
	assert (row.status, row.health, row.current_stage, row.next_date) == ("Active", "Skipped", "Cut", None)
	sweep.sweep_plan(plan)
	assert plan_of(order).next_check is None
	api.confirm_stage(plan, "Cut")
	assert (plan_of(order).status, plan_of(order).health) == ("Completed", "Done")


def test_a_new_plan_knows_at_once_what_was_skipped():
	order = make_document(status="Cut")
	make_workflow(stages=[stage("Approved"), stage("Cut", "Cut"), stage("Shipped")], tasks=[])
	plan = starting.start(order, by_hand=True)
	rows = frappe.get_doc("Milestone Plan", plan).stages
	assert [row.health for row in rows] == ["Skipped", "Done", "On Track"]
	assert frappe.db.get_value("Milestone Plan", plan, "health") == "On Track"


def test_the_panel_says_what_comes_first():
	make_workflow(stages=[stage("Cut"), stage("Sewn"), stage("Shipped")], tasks=(), reached_in_order=1)
	shown = panel.build(make_document())
	assert shown["plan"]["reached_in_order"] == 1
	assert [one["comes_after"] for one in shown["stages"]] == [[], ["Cut"], ["Cut", "Sewn"]]


@pytest.mark.parametrize(("mode", "events"), [("Warn", 1), ("Off", 0)])
def test_a_gate_that_does_not_block_lets_out_of_order_through(mode, events):
	make_workflow(stages=[stage("Cut"), stage("Shipped", gate_mode=mode)], tasks=(), reached_in_order=1)
	order = make_document()
	plan = plan_of(order).name
	api.confirm_stage(plan, "Shipped")
	assert frappe.db.count("Milestone Plan Log", {"plan": plan, "event": "Reached Out of Order"}) == events


def test_the_rule_is_part_of_the_version():
	workflow = make_workflow()
	workflow.reached_in_order = 1
	workflow.save()
	assert workflow.version == 2
	assert plan_of(make_document()).reached_in_order == 1


def test_every_event_of_a_plan_has_a_sentence_in_the_timeline():
	assert set(timeline._event_sentences()) == set(PlanEvent)


def test_the_patch_takes_over_the_stored_rule_once(monkeypatch):
	monkeypatch.setattr(split_strict_order, "OLD_COLUMN", "reached_in_order")
	workflow = make_workflow(reached_in_order=1)
	other = make_workflow("Other", enabled=0)
	with without_commits():
		for _run in range(2):
			split_strict_order.execute()
	rules = ["earlier_tasks_block", "reached_in_order"]
	assert frappe.db.get_value("Milestone Workflow", workflow.name, rules) == (1, 0)
	assert frappe.db.get_value("Milestone Workflow", other.name, rules) == (0, 0)
