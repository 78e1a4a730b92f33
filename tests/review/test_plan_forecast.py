"""Forecasts in plans: learned from earlier plans of the workflow, silent where there is too little, and At Risk in time."""

from datetime import date, datetime, time, timedelta

import frappe
import pytest
from frappe.desk.query_report import run
from frappe.utils import getdate, now_datetime, nowdate

from milestone_automation import api, forecasting
from milestone_automation.engine.base import bulk
from milestone_automation.engine.messages import sweep
from milestone_automation.engine.plans import ending
from milestone_automation.engine.progress import holding, rescheduling, stages
from milestone_automation.engine.review import plan_forecast
from milestone_automation.engine.store import forecasts, plan_rows
from tests.support.factories import (
	ORDER,
	make_document,
	make_workflow,
	plan_of,
	stage,
	stage_of,
)

WORKFLOW = "Production"
STAGES = (stage("Cut", "Cut"), stage("Shipped", "Shipped"))
FIELDS = list(forecasts.FIELDS)
# Days from the start of a plan to Cut, and from there to Shipped.
TO_CUT, TO_SHIPPED = 4, 10


def today() -> date:
	return getdate(nowdate())


def days_from_today(days: int) -> date:
	return today() + timedelta(days=days)


def at_noon(day: date) -> datetime:
	return datetime(day.year, day.month, day.day, 12)


def make_history(count: int, status: str = "Completed") -> None:
	"""Ended plans, one begun each day up to a month ago: cut after 3 to 5 days, shipped 8 to 12 days later."""
	template = frappe.get_doc("Milestone Workflow", WORKFLOW).stages
	plans, rows = [], []
	for number in range(count):
		began = days_from_today(number - count - 30)
		name = bulk.new_name()
		key = f"history-{number}"
		plans.append(
			{
				"name": name,
				"workflow": WORKFLOW,
				"workflow_version": 1,
				"reference_type": ORDER,
				"reference_name": key,
				"plan_key": key,
				"status": status,
				"created_from": began,
				"modified": at_noon(began + timedelta(days=20)),
			}
		)
		cut = began + timedelta(days=TO_CUT - 1 + number % 3)
		shipped = cut + timedelta(days=TO_SHIPPED - 2 + number % 5)
		for position, (row, day) in enumerate(zip(template, (cut, shipped), strict=True), start=1):
			rows.append(
				{
					"parent": name,
					"parenttype": "Milestone Plan",
					"parentfield": "stages",
					"idx": position,
					"stage_name": row.stage_name,
					"workflow_stage": row.name,
					"status": "Reached",
					"reached_on": day,
					"reached_at": at_noon(day),
				}
			)
	bulk.insert_rows("Milestone Plan", plans)
	bulk.insert_rows("Milestone Plan Stage", rows)


def make_order(due_in: int, age: int = 0):
	"""An order whose plan began so many days ago and whose milestones are due in so many days."""
	order = make_document(delivery_date=days_from_today(due_in))
	frappe.db.set_value("Milestone Plan", plan_of(order).name, "created_from", days_from_today(-age))
	return order


def refresh(now: datetime | None = None) -> list[str]:
	return forecasting.refresh(now or now_datetime())


def forecast_of(order, name: str = "Shipped") -> dict:
	row = stage_of(order, name)
	return {field: row.get(field) for field in FIELDS}


def health_after_sweep(order) -> tuple[str, str]:
	"""Health of the stage Shipped and of the plan."""
	sweep.handle([plan_of(order).name], now_datetime())
	return stage_of(order, "Shipped").health, plan_of(order).health


@pytest.fixture
def workflow(production_order):
	make_workflow(stages=STAGES, tasks=[])


@pytest.fixture
def history(workflow):
	make_history(60)


def test_with_enough_history_an_open_milestone_has_a_date_and_a_chance(history):
	order = make_order(due_in=60)
	refresh()
	cut, shipped = forecast_of(order, "Cut"), forecast_of(order)
	assert days_from_today(3) <= cut["forecast_date"] <= cut["forecast_p80"] <= days_from_today(5)
	assert days_from_today(12) <= shipped["forecast_date"] <= shipped["forecast_p80"] <= days_from_today(17)
	assert shipped["chance"] >= 99
	assert health_after_sweep(order) == ("On Track", "On Track")


def test_a_reached_milestone_has_no_forecast_and_the_next_one_counts_from_its_day(history):
	order = make_order(due_in=60, age=4)
	refresh()
	order.status = "Cut"
	order.save()
	assert forecast_of(order, "Cut") == forecasts.NOTHING
	refresh()
	assert forecast_of(order, "Cut") == forecasts.NOTHING
	assert days_from_today(8) <= forecast_of(order)["forecast_date"] <= days_from_today(12)


def test_with_too_little_history_nothing_is_said(workflow):
	make_history(10)
	order = make_order(due_in=5)
	refresh()
	assert forecast_of(order) == forecasts.NOTHING
	assert health_after_sweep(order) == ("On Track", "On Track")


def test_a_milestone_with_a_small_chance_is_at_risk_before_its_date_and_again_on_track_when_it_moves(history):
	order = make_order(due_in=6)
	refresh()
	assert forecast_of(order)["chance"] < 50
	assert getdate(plan_of(order).next_check) == today()
	assert health_after_sweep(order) == ("At Risk", "At Risk")
	rescheduling.reschedule(
		plan_of(order).name, "Shipped", days_from_today(60), "Agreed", answer="Keep Order"
	)
	assert health_after_sweep(order) == ("On Track", "On Track")
	refresh()
	moved = forecast_of(order)
	assert (moved["chance"] >= 99, moved["chance_for"]) == (True, days_from_today(60))


def test_the_setting_is_the_limit(history):
	frappe.db.set_single_value("Milestone Settings", "at_risk_below", 0)
	order = make_order(due_in=6)
	refresh()
	assert health_after_sweep(order) == ("On Track", "On Track")
	settings = frappe.get_doc("Milestone Settings")
	settings.at_risk_below = 50
	settings.save()
	assert forecasting.due_workflows(now_datetime()) == [WORKFLOW]
	assert health_after_sweep(order) == ("At Risk", "At Risk")


def test_the_limit_is_a_percentage(workflow):
	settings = frappe.get_doc("Milestone Settings")
	settings.at_risk_below = 101
	with pytest.raises(frappe.ValidationError, match="from 0 to 100"):
		settings.save()


def test_an_undone_milestone_is_forecast_again_and_its_value_does_not_count(history):
	order = make_order(due_in=60, age=2)
	refresh()
	before = forecast_of(order)
	order.status = "Cut"
	order.save()
	stages.undo(plan_of(order).name, "Cut", "By mistake")
	refresh()
	assert forecast_of(order, "Cut")["forecast_date"]
	assert forecast_of(order) == before


def test_a_cancelled_plan_loses_its_forecast_and_teaches_no_end(workflow):
	make_history(60, status="Cancelled")
	rows = frappe.get_all(
		"Milestone Plan Stage", {"stage_name": "Shipped", "status": "Reached"}, pluck="name"
	)
	for name in rows:
		frappe.db.set_value("Milestone Plan Stage", name, {"status": "Open", "reached_on": None})
	order = make_order(due_in=60)
	refresh()
	assert forecast_of(order, "Cut")["forecast_date"]
	assert forecast_of(order) == forecasts.NOTHING
	ending.cancel(plan_rows.load(ORDER, order.name, lock=True), "Not wanted")
	assert forecast_of(order, "Cut") == forecasts.NOTHING
	refresh()
	assert forecast_of(order, "Cut") == forecasts.NOTHING


def test_a_plan_on_hold_has_no_forecast_until_it_is_resumed(history):
	order = make_order(due_in=6)
	refresh()
	assert health_after_sweep(order) == ("At Risk", "At Risk")
	holding.put_on_hold(plan_of(order).name, "Customer asked for it")
	refresh()
	assert forecast_of(order) == forecasts.NOTHING
	assert plan_of(order).next_check is None
	holding.resume(plan_of(order).name)
	refresh()
	assert forecast_of(order)["forecast_date"]


def test_what_was_reached_at_an_unknown_time_teaches_nothing(workflow):
	make_history(60)
	stage_table = frappe.qb.DocType("Milestone Plan Stage")
	frappe.qb.update(stage_table).set(stage_table.reached_at, None).run()
	order = make_order(due_in=60)
	refresh()
	assert forecast_of(order) == forecasts.NOTHING


def test_a_skipped_milestone_has_no_forecast(history):
	order = make_order(due_in=60)
	refresh()
	order.status = "Shipped"
	order.save()
	refresh()
	assert forecast_of(order, "Cut") == forecasts.NOTHING


def test_a_milestone_of_another_branch_is_forecast_though_a_later_row_is_reached(production_order):
	"""Seen: the forecast took every workflow for one line, and the open branch for skipped."""
	make_workflow(stages=(STAGES[0], stage("Shipped", "Shipped", dependency="Nothing")), tasks=[])
	make_history(60)
	for row in frappe.get_all("Milestone Plan Stage", {"stage_name": "Cut"}, ["name", "reached_on"]):
		later = row.reached_on + timedelta(days=15)
		frappe.db.set_value(
			"Milestone Plan Stage", row.name, {"reached_on": later, "reached_at": at_noon(later)}
		)
	order = make_order(due_in=60)
	order.status = "Shipped"
	order.save()
	refresh()
	assert forecast_of(order, "Cut")["forecast_date"]


@pytest.fixture
def swapped(history, monkeypatch):
	"""What is learned of the two milestones is mixed up: the later one seems to come first."""
	predict = plan_forecast._predict

	def mixed_up(*arguments):
		forecasts_by_stage = predict(*arguments)
		return dict(zip(forecasts_by_stage, reversed(forecasts_by_stage.values()), strict=True))

	monkeypatch.setattr(plan_forecast, "_predict", mixed_up)


def test_no_milestone_is_forecast_before_one_that_it_waits_for(swapped):
	"""Seen in the demo: a shipment on the 6th, after an inspection on the 12th."""
	order = make_order(due_in=8)
	refresh()
	cut, shipped = forecast_of(order, "Cut"), forecast_of(order)
	assert days_from_today(12) <= cut["forecast_date"] <= shipped["forecast_date"]
	assert cut["forecast_p80"] <= shipped["forecast_p80"]
	assert shipped["chance"] == cut["chance"] < 50


def test_a_milestone_that_plans_often_pass_over_holds_no_later_one_back(swapped):
	earlier = frappe.get_all("Milestone Plan Stage", {"stage_name": "Cut"}, pluck="name")
	frappe.db.set_value("Milestone Plan Stage", {"name": ("in", earlier[:6])}, "status", "Open")
	order = make_order(due_in=8)
	refresh()
	assert forecast_of(order)["forecast_date"] < forecast_of(order, "Cut")["forecast_date"]


def test_run_twice_changes_nothing(history, count_queries):
	order = make_order(due_in=60)
	refresh()
	before = frappe.get_all("Milestone Plan Stage", {"parent": plan_of(order).name}, ["*"], order_by="idx")
	now = now_datetime()
	assert refresh(now + timedelta(minutes=1)) == [WORKFLOW]  # what may have been committed meanwhile
	with count_queries() as calls:
		assert refresh(now + timedelta(minutes=30)) in ([], [WORKFLOW])
		assert refresh(now + timedelta(minutes=31)) == []
	assert not [text for text in calls.statements if "update" in text.lower() and "Stage" in text]
	after = frappe.get_all("Milestone Plan Stage", {"parent": plan_of(order).name}, ["*"], order_by="idx")
	assert after == before


def test_a_forecast_that_time_overtakes_is_renewed_though_nobody_touches_the_plan(history):
	order = make_order(due_in=60)
	refresh()
	refresh(now_datetime() + timedelta(hours=1))
	again_on = frappe.db.get_value("Milestone Workflow", WORKFLOW, "forecast_again_on")
	first = forecast_of(order, "Cut")["forecast_date"]
	assert again_on == first + timedelta(days=1)
	assert forecasting.due_workflows(at_noon(first)) == []
	assert refresh(datetime.combine(again_on, time.min)) == [WORKFLOW]
	assert forecast_of(order, "Cut")["forecast_date"] >= again_on


def test_what_waits_longer_than_any_before_has_no_date_but_a_risk_stays_one(history):
	late, with_time = make_order(due_in=6), make_order(due_in=60)
	refresh()
	refresh(now_datetime() + timedelta(days=30))
	assert forecast_of(with_time) == forecasts.NOTHING
	assert forecast_of(late)["forecast_date"] is None
	assert health_after_sweep(late) == ("At Risk", "At Risk")
	assert health_after_sweep(with_time) == ("On Track", "On Track")


def test_the_statements_of_a_run_do_not_grow_with_plans_that_did_not_change(history, count_queries):
	def statements() -> int:
		order = make_order(due_in=60)
		with count_queries() as calls:
			refresh()
		assert forecast_of(order)["forecast_date"]
		return calls.count

	first = statements()
	for _number in range(20):
		make_order(due_in=60)
	refresh()
	assert statements() <= first


def test_other_workflows_cost_nothing(history):
	make_workflow("Sampling", enabled=0)
	make_order(due_in=60)
	assert refresh() == [WORKFLOW]


def test_a_plan_that_somebody_is_changing_is_left_to_the_next_run(history, monkeypatch):
	order = make_order(due_in=60)
	with monkeypatch.context() as patch:
		patch.setattr(forecasts, "_lock", lambda names: {})
		refresh()
	assert forecast_of(order) == forecasts.NOTHING
	assert refresh(now_datetime() + timedelta(hours=1)) == [WORKFLOW]
	assert forecast_of(order)["forecast_date"]


def test_the_panel_the_board_and_the_timeline_show_it(history):
	order = make_order(due_in=60)
	refresh()
	cut = forecast_of(order, "Cut")
	shown = api.get_plan(ORDER, order.name)["stages"][0]
	assert (shown["forecast_date"], shown["chance"]) == (cut["forecast_date"], cut["chance"])
	(card,) = api.get_board(WORKFLOW)["plans"]
	assert card["forecast_date"] == cut["forecast_date"]
	rows = run("Milestone Timeline", filters={"workflow": WORKFLOW, "running_only": 1})["result"]
	(row,) = [row for row in rows if row and row["reference_name"] == order.name]
	assert (row["forecast"], row["chance"]) == (cut["forecast_date"], cut["chance"])
	assert row["forecast_p80"] == cut["forecast_p80"]
	assert row["forecast_end"] == forecast_of(order)["forecast_date"]
	dot = frappe.parse_json(row["stages"])[0]
	assert (dot["forecast"], dot["forecast_p80"], dot["chance"]) == (
		str(cut["forecast_date"]),
		str(cut["forecast_p80"]),
		cut["chance"],
	)


def test_aging_shows_it_for_the_next_milestone_of_each_open_document(history):
	shipped, order, without_plan = (make_order(due_in=60) for _number in range(3))
	for status in ("Open", "Cut", "Shipped"):
		shipped.status = status
		shipped.save()
	for open_order in (order, without_plan):
		open_order.status = "Open"
		open_order.save()
	ending.cancel(plan_rows.load(ORDER, without_plan.name, lock=True), "Not wanted")
	refresh()
	rows = run("Milestone Aging", filters={"document_type": ORDER, "track_field": "status"})["result"]
	by_name = {row["reference_name"]: row for row in rows if row}
	cut = forecast_of(order, "Cut")
	row = by_name[order.name]
	assert (row["stage_name"], row["due"], row["forecast"], row["forecast_p80"], row["chance"]) == (
		"Cut",
		days_from_today(60),
		cut["forecast_date"],
		cut["forecast_p80"],
		cut["chance"],
	)
	assert row["forecast"]
	assert by_name[without_plan.name].get("forecast") is None


def test_a_limited_user_sees_no_more_than_before(history, make_user, as_user):
	hidden, shared = make_order(due_in=60), make_order(due_in=60)
	refresh()
	user = make_user("rhea.reader@example.com", ["Milestone Manager"])
	frappe.share.add_docshare(ORDER, shared.name, user, read=1)
	with as_user(user):
		assert [card["reference_name"] for card in api.get_board(WORKFLOW)["plans"]] == [shared.name]
		rows = run("Milestone Timeline", filters={"workflow": WORKFLOW})["result"]
		assert [row["reference_name"] for row in rows if row] == [shared.name]
		with pytest.raises(frappe.PermissionError):
			api.get_plan(ORDER, hidden.name)
