"""Several plans of the list at once: each by itself, and what refuses is told with its document."""

import json

import frappe
import pytest

from milestone_automation import api
from tests.support.factories import (
	CLERK_ROLE,
	ORDER,
	make_document,
	make_workflow,
	plan_of,
	stage,
	status_of,
	task,
)

pytestmark = pytest.mark.usefixtures("production_order")

TASK = "Sign the packing list"


def two_orders(**values) -> list:
	make_workflow(stages=[stage("Checked", **values)], tasks=[task("Checked", TASK)])
	return [make_document(), make_document()]


def plans_of(orders) -> list[str]:
	return [plan_of(order).name for order in orders]


def test_current_milestones_are_confirmed_and_a_blocked_one_says_what_blocks_it():
	blocked, free = two_orders()
	api.complete_task(frappe.db.get_value("Milestone Task", {"reference_name": free.name}))
	answer = api.confirm_current_milestones(json.dumps(plans_of([blocked, free])))
	assert answer["done"] == plans_of([free])
	assert status_of(free) == {"Checked": "Reached"}
	assert status_of(blocked) == {"Checked": "Open"}
	[refused] = answer["refused"]
	assert (refused["plan"], refused["reference_name"]) == (plan_of(blocked).name, blocked.name)
	assert "required task is open" in refused["reason"]
	assert not frappe.local.message_log
	assert "milestone_gate" not in frappe.local.response


def test_the_day_counts_for_all_of_them():
	orders = two_orders(gate_mode="Off")
	api.confirm_current_milestones(plans_of(orders), reached_on="2026-01-05")
	days = {str(plan_of(order).stages[0].reached_on) for order in orders}
	assert days == {"2026-01-05"}


def test_a_plan_without_an_open_milestone_is_told():
	order, _other = two_orders(gate_mode="Off")
	plans = plans_of([order])
	api.confirm_current_milestones(plans)
	answer = api.confirm_current_milestones(plans)
	assert answer["done"] == []
	assert len(answer["refused"]) == 1


def test_who_does_not_own_the_milestone_confirms_nothing(make_user, as_user):
	make_user("clerk@example.com", [CLERK_ROLE])
	orders = two_orders(gate_mode="Off")
	plans = plans_of(orders)
	with as_user("clerk@example.com"):
		answer = api.confirm_current_milestones(plans)
	assert answer["done"] == []
	assert {row["reason"] for row in answer["refused"]} == {
		"Only the owner of Checked or a Milestone Manager may do this."
	}
	assert [status_of(order) for order in orders] == [{"Checked": "Open"}] * 2


def test_plans_are_cancelled_with_one_reason():
	orders = two_orders()
	plans = plans_of(orders)
	answer = api.cancel_selected_plans(plans, "Ordered elsewhere")
	assert answer == {"done": sorted(plans), "refused": []}
	assert {plan_of(order).status for order in orders} == {"Cancelled"}
	assert frappe.get_all("Milestone Task", {"reference_type": ORDER, "status": "Open"}) == []
	reasons = frappe.get_all(
		"Milestone Plan Log", {"plan": ("in", plans), "event": "Plan Cancelled"}, pluck="reason"
	)
	assert reasons == ["Ordered elsewhere"] * 2


def test_a_plan_that_is_over_is_not_cancelled_again():
	order, other = two_orders()
	api.cancel_plan(plan_of(order).name, "Ordered elsewhere")
	answer = api.cancel_selected_plans(plans_of([order, other]), "Once more")
	assert answer["done"] == plans_of([other])
	assert [row["reference_name"] for row in answer["refused"]] == [order.name]


def test_cancelling_needs_a_reason_and_a_manager(make_user, as_user):
	make_user("clerk@example.com", [CLERK_ROLE])
	plans = plans_of(two_orders())
	with pytest.raises(frappe.ValidationError, match="reason"):
		api.cancel_selected_plans(plans, " ")
	with as_user("clerk@example.com"), pytest.raises(frappe.PermissionError):
		api.cancel_selected_plans(plans, "Not needed")
