"""Baselines: what was promised on a day, against what is promised now."""

import frappe
import pytest
from frappe.desk.query_report import run
from frappe.utils import add_days, add_to_date, getdate, now_datetime, nowdate

from milestone_automation.engine.progress import rescheduling, stages
from tests.support.clock import at
from tests.support.factories import make_document, make_workflow, plan_of, stage

WORKFLOW = "Production"


@pytest.fixture
def order(production_order):
	"""An order of which two milestones lie ahead; its plan began a week ago."""
	make_workflow(stages=[stage("Counted", days=-10), stage("Packed")], tasks=[])
	delivery_date = in_days(30)
	with at(f"{in_days(-7)} 09:00:00"):
		return make_document(delivery_date=delivery_date)


def take(name: str, **about):
	return frappe.get_doc({"doctype": "Milestone Baseline", "baseline_name": name, **about}).insert()


def compared(report: str, baseline: str) -> list[tuple]:
	"""Baseline and days since, of each row of a report."""
	rows = run(report, {"workflow": WORKFLOW, "baseline": baseline}, ignore_prepared_report=True)["result"]
	date = "baseline" if report == "Slip Trend" else "baseline_end"
	return [(row.get("stage_name"), str(row[date] or ""), row["since_baseline"]) for row in rows if row]


def in_days(days: int) -> str:
	return str(add_days(nowdate(), days))


def move(order, stage_name: str, day: str) -> None:
	rescheduling.reschedule(plan_of(order).name, stage_name, day, "Strike", answer="Keep Order")


def test_a_date_moved_after_the_baseline_is_compared_with_the_one_before(order):
	later, latest = in_days(33), in_days(37)
	with at(f"{in_days(-5)} 09:00:00"):
		move(order, "Packed", later)
	with at(f"{in_days(-3)} 09:00:00"):
		take("Promised", workflow=WORKFLOW)
	with at(f"{in_days(-1)} 09:00:00"):
		move(order, "Packed", latest)
	assert compared("Slip Trend", "Promised") == [
		("Counted", in_days(20), 0),
		("Packed", in_days(33), 4),
	]
	assert compared("Milestone Timeline", "Promised") == [("Counted", in_days(33), 4)]


def test_what_is_reached_counts_by_the_day_it_was_reached(order):
	take("Promised", workflow=WORKFLOW)
	stages.confirm(plan_of(order).name, "Counted", getdate())
	assert compared("Slip Trend", "Promised")[0] == ("Counted", in_days(20), -20)


def test_a_plan_that_began_later_has_no_baseline(order):
	with at(f"{in_days(-9)} 09:00:00"):
		take("Before", workflow=WORKFLOW)
	assert {row[1:] for row in compared("Slip Trend", "Before")} == {("", None)}


def test_a_plan_made_after_the_baseline_for_an_older_document_has_none(order):
	take("Before", workflow=WORKFLOW)
	later = add_to_date(now_datetime(), hours=1)
	frappe.db.set_value("Milestone Plan", plan_of(order).name, "creation", later)
	assert {row[1:] for row in compared("Slip Trend", "Before")} == {("", None)}


@pytest.mark.parametrize("times", [1, 2])
def test_an_amended_document_is_compared_with_what_was_promised_before(order, times):
	with at(f"{in_days(-5)} 09:00:00"):
		take("Promised", workflow=WORKFLOW)
		take("Only this", plan=plan_of(order).name)
	with at(f"{in_days(-4)} 09:00:00"):
		move(order, "Packed", in_days(33))
	for number in range(times):
		with at(f"{in_days(-3 + number)} 09:00:00"):
			order.reload()
			order.submit()
			order.reload()
			order.cancel()
			new = frappe.copy_doc(order)
			order = new.update({"amended_from": order.name, "docstatus": 0}).insert()
	move(order, "Packed", in_days(40))
	for baseline in ("Promised", "Only this"):
		assert compared("Slip Trend", baseline) == [("Counted", in_days(20), 0), ("Packed", in_days(30), 10)]
		assert compared("Milestone Timeline", baseline) == [("Counted", in_days(30), 10)]


def test_a_baseline_of_one_plan_says_nothing_of_others(order):
	make_document(delivery_date=in_days(40))
	take("Only this", plan=plan_of(order).name)
	assert sorted(row[1] for row in compared("Slip Trend", "Only this")) == ["", "", in_days(20), in_days(30)]
	assert frappe.db.get_value("Milestone Baseline", "Only this", "workflow") == WORKFLOW


def test_without_a_baseline_the_reports_are_as_before(order):
	answer = run("Slip Trend", {"workflow": WORKFLOW}, ignore_prepared_report=True)
	assert "baseline" not in {column["fieldname"] for column in answer["columns"]}


def test_a_baseline_that_is_not_there_is_refused_in_words(order):
	with pytest.raises(frappe.DoesNotExistError, match="no such baseline"):
		compared("Slip Trend", "Nowhere")


def test_a_baseline_is_of_now_and_stays_so(order):
	baseline = take("Promised", workflow=WORKFLOW, taken_on="2020-01-01 00:00:00")
	assert getdate(baseline.taken_on) == getdate()
	taken_on = frappe.db.get_value("Milestone Baseline", baseline.name, "taken_on")
	baseline.taken_on = "2020-01-01 00:00:00"
	baseline.save()
	assert frappe.db.get_value("Milestone Baseline", baseline.name, "taken_on") == taken_on


def test_a_baseline_of_nothing_is_refused(production_order):
	with pytest.raises(frappe.MandatoryError, match="Choose a workflow or a plan"):
		take("Nothing")


def test_a_manager_takes_no_baseline_of_a_plan_they_may_not_read(order, make_user, as_user):
	plan = plan_of(order).name
	user = make_user("mia.manager@example.com", ["Milestone Manager"])
	with as_user(user), pytest.raises(frappe.PermissionError):
		take("Spied", plan=plan)


def test_a_baseline_goes_with_its_plan(order):
	take("Only this", plan=plan_of(order).name)
	order.delete()
	assert not frappe.db.exists("Milestone Baseline", "Only this")
