"""Plans on hold: nobody is asked, no date counts, the gate holds; resumed with the dates moved or as they were."""

import frappe
import pytest
from frappe.utils import getdate, nowdate

from milestone_automation import api
from milestone_automation.desk import calendar, my_work
from milestone_automation.engine.base.guard import GateError
from milestone_automation.engine.progress import holding, stages, tasks
from milestone_automation.engine.review import blocked, on_time, plan_stages, week
from milestone_automation.links import portal_page
from tests.support.clock import at, sweep_at
from tests.support.factories import (
	CLERK_ROLE,
	due_dates,
	events_of,
	key_dates,
	make_document,
	make_workflow,
	member,
	plan_of,
	stage,
	stage_of,
	status_of,
	task,
	task_of,
)

pytestmark = [pytest.mark.usefixtures("production_order"), pytest.mark.one_database]

OLGA, WANDA = "olga@example.com", "wanda@example.com"
STRIKE = "The mill is on strike"


@pytest.fixture
def order(make_user):
	"""An order cut by hand on 2030-06-10 and delivered on 2030-06-28, made on 2030-06-01."""
	for person in (OLGA, WANDA):
		make_user(person, roles=[CLERK_ROLE])
	owned = {"owner_kind": "User", "owner_user": OLGA}
	by_hand = {"key_date_rule": "After Creation", "date_field": None, "offset_days": 9}
	with at("2030-06-01 09:00:00"):
		make_workflow(
			stages=[stage("Cut", "Cut", **by_hand, **owned), stage("Shipped", "Shipped", **owned)],
			tasks=[task("Shipped", "Sign the packing list", days=3, **member(WANDA))],
		)
		return make_document()


def hold(order, moment: str = "2030-06-05 10:00:00"):
	with at(moment):
		api.hold_plan(plan_of(order).name, STRIKE)


def resume(order, moment: str, **options):
	with at(moment):
		return api.resume_plan(plan_of(order).name, **options)


def health_of(order) -> list[str]:
	plan = plan_of(order)
	return [plan.health, *(row.health for row in plan.stages)]


def test_a_plan_on_hold_says_since_when_and_why(order):
	hold(order)
	plan = plan_of(order)
	assert (str(plan.on_hold_since), plan.hold_reason, plan.status) == ("2030-06-05", STRIKE, "Active")
	assert health_of(order) == ["On Hold"] * 3
	assert plan.next_check is None
	assert events_of(order)[-1] == "Plan Put on Hold"


def test_a_hold_needs_a_reason_and_a_running_plan(order):
	plan = plan_of(order).name
	with pytest.raises(frappe.MandatoryError):
		holding.put_on_hold(plan, " ")
	with pytest.raises(frappe.ValidationError, match="The plan is not on hold"):
		holding.resume(plan)
	hold(order)
	with pytest.raises(frappe.ValidationError, match=r"on hold since .* already"):
		holding.put_on_hold(plan, STRIKE)
	api.cancel_plan(plan, "Not made")
	with pytest.raises(frappe.ValidationError, match="Only a running plan"):
		holding.put_on_hold(plan, STRIKE)


def test_nobody_is_asked_reminded_or_told_while_a_plan_is_on_hold(order):
	hold(order)
	assert [sweep_at(f"2030-06-{day:02d} 07:00:00") for day in range(6, 31)] == [[]] * 25
	resume(order, "2030-06-30 08:00:00")
	told = sweep_at("2030-06-30 09:00:00")
	assert ("Prompt", OLGA, "Cut") in told
	assert [kind for kind, _person, _about in told if kind == "Blocked"] == ["Blocked"]


def test_the_gate_holds_while_a_plan_is_on_hold(order):
	hold(order)
	order.reload()
	order.status = "Shipped"
	with pytest.raises(GateError, match="Sign the packing list"):
		order.save()
	tasks.complete(task_of(order, "Sign the packing list").name)
	order.reload()
	order.status = "Shipped"
	order.save()
	assert status_of(order) == {"Cut": "Open", "Shipped": "Reached"}
	assert health_of(order) == ["Skipped", "Skipped", "Done"]


def test_what_is_undone_on_hold_is_on_hold(order):
	hold(order)
	plan = plan_of(order).name
	order.reload()
	order.status = "Cut"
	order.save()
	assert health_of(order) == ["On Hold", "Done", "On Hold"]
	with at("2030-06-20 10:00:00"):
		stages.undo(plan, "Cut", "The cloth was torn")
	assert health_of(order) == ["On Hold"] * 3


def test_no_report_counts_a_plan_on_hold_as_late_or_blocked(order):
	hold(order)
	with at("2030-07-10 10:00:00"):
		today = getdate(nowdate())
		rows = list(plan_stages.read(plan_stages.PlanFilter(workflow="Production")))
		assert on_time.measure(rows, "Milestone", today) == []
		assert blocked.find(rows, today) == []
		assert not any(week.summarize(rows, {}, today).values())
		assert [row for row in my_work.my_work()["stages"] if row.plan == plan_of(order).name] == []


def shown_as_work(as_user, moment: str) -> tuple:
	"""What Wanda's page in the desk and her portal show, what her card counts, and the color in the calendar."""
	with at(moment):
		with as_user(WANDA):
			tasks_, due = my_work.my_work()["tasks"], api.my_tasks_due()["value"]
			of_portal = portal_page.portal_page({}, is_post=False)["open"]
		(event,) = api.task_events(start="2030-06-01", end="2030-07-31")
	return [row.title for row in tasks_], [row["what"] for row in of_portal], due, event["color"]


def test_no_task_of_a_plan_on_hold_is_shown_as_work_or_as_late(order, as_user):
	hold(order)
	colors = calendar.HEALTH_COLORS
	assert shown_as_work(as_user, "2030-07-05 10:00:00") == ([], [], 0, colors["On Hold"])
	resume(order, "2030-07-05 11:00:00")
	title = "Sign the packing list"
	assert shown_as_work(as_user, "2030-07-05 12:00:00") == ([title], [title], 1, colors["Late"])


def test_dates_move_on_resume_by_the_days_on_hold_if_wanted_as_the_preview_said(order):
	hold(order)
	with at("2030-06-12 10:00:00"):
		shown = api.preview_resume(plan_of(order).name)
	assert shown["days"] == 7
	promised = {row["stage_name"]: str(row["new"]) for row in shown["stages"]}
	resume(order, "2030-06-12 10:00:00", shift_dates=True)
	assert promised == key_dates(order) == {"Cut": "2030-06-17", "Shipped": "2030-07-05"}
	assert due_dates(order) == {"Sign the packing list": "2030-07-02"}
	changes = frappe.get_all("Milestone Date Change", {"plan": plan_of(order).name}, ["source", "reason"])
	assert {(row.source, row.reason) for row in changes} == {("On Hold", f"On hold: {STRIKE}")}
	plan = plan_of(order)
	assert (plan.on_hold_since, plan.hold_reason, plan.health) == (None, None, "On Track")
	assert events_of(order)[-1] == "Plan Resumed"


def test_what_the_document_dates_can_stay_where_it_is(order):
	hold(order)
	resume(order, "2030-06-12 10:00:00", shift_dates=True, keep_anchored=True)
	assert key_dates(order) == {"Cut": "2030-06-17", "Shipped": "2030-06-28"}


def test_what_the_document_dates_stays_also_where_it_comes_first():
	counted = {"key_date_rule": "After Previous Milestone", "date_field": None}
	with at("2030-06-01 09:00:00"):
		make_workflow(
			stages=[stage("Cut", days=-18), stage("Sewn", days=5, **counted), stage("Shipped")], tasks=[]
		)
		order = make_document()
	hold(order)
	with at("2030-06-12 10:00:00"):
		shown = api.preview_resume(plan_of(order).name, keep_anchored=True)
	resume(order, "2030-06-12 10:00:00", shift_dates=True, keep_anchored=True)
	assert [(row["stage_name"], str(row["new"])) for row in shown["stages"]] == [("Sewn", "2030-06-22")]
	assert key_dates(order) == {"Cut": "2030-06-10", "Sewn": "2030-06-22", "Shipped": "2030-06-28"}


def test_without_shift_dates_stay_and_count_again(order):
	hold(order)
	resume(order, "2030-06-12 10:00:00")
	assert key_dates(order) == {"Cut": "2030-06-10", "Shipped": "2030-06-28"}
	assert health_of(order)[:2] == ["Late", "Late"]


def test_an_amendment_stays_on_hold(order):
	frappe.get_doc(order.doctype, order.name).submit()
	hold(order)
	cancelled = frappe.get_doc(order.doctype, order.name)
	cancelled.cancel()
	amended = frappe.copy_doc(cancelled)
	amended.update({"amended_from": order.name, "docstatus": 0})
	amended.insert()
	assert (plan_of(amended).health, plan_of(amended).hold_reason) == ("On Hold", STRIKE)
	assert "Plan Put on Hold" in events_of(amended)


def test_a_hold_of_no_day_moves_nothing(order):
	hold(order)
	resume(order, "2030-06-05 18:00:00", shift_dates=True)
	assert stage_of(order, "Cut").date_by_hand == 0
	assert key_dates(order)["Cut"] == "2030-06-10"
