"""What reaching a stage starts: each action by itself, in a job, on record, refused by gates, ended in circles."""

import frappe
import pytest

from milestone_automation import hooks
from milestone_automation.engine.progress import next_steps
from milestone_automation.engine.workflows import action_registry
from tests.support.factories import (
	ORDER,
	ensure_production_order,
	make_document,
	make_next_actions,
	make_workflow,
	plan_of,
	stage,
	stage_of,
	status_of,
	task,
)
from tests.support.next_steps import reach, run_steps

pytestmark = pytest.mark.usefixtures("production_order")


def run(order, stage_name: str) -> list[str]:
	"""Reach a stage, if it is not, and do its job; returns what was logged."""
	plan = plan_of(order).name
	if status_of(order)[stage_name] != "Reached":
		reach(plan, stage_name)
	return run_steps(plan)


def with_actions(*actions, **values):
	make_workflow(
		stages=[stage("Cut", "Cut", -20, next_actions=make_next_actions(*actions), **values)], tasks=[]
	)
	return make_document()


def test_a_field_is_set():
	order = with_actions({"action": "Set Value", "field": "note", "value": "To be sewn"})
	assert run(order, "Cut") == ["Set Value: done"]
	order.reload()
	assert order.note == "To be sewn"


def test_the_document_is_submitted():
	order = with_actions({"action": "Submit"})
	assert run(order, "Cut") == ["Submit: done"]
	order.reload()
	assert order.docstatus == 1


def test_somebody_is_assigned(make_user):
	make_user("erika@example.com", ["Production Clerk"])
	order = with_actions({"action": "Assign", "user": "erika@example.com"})
	assert run(order, "Cut") == ["Assign: done"]
	assert frappe.db.exists("ToDo", {"reference_name": order.name, "allocated_to": "erika@example.com"})


def test_a_failing_action_is_logged_undone_and_keeps_no_other_from_running():
	order = with_actions(
		{"action": "Set Value", "field": "status", "value": "No such status"},
		{"action": "Submit"},
		{"action": "Set Value", "field": "note", "value": "To be sewn"},
	)
	# As of a workflow whose action came from an app that is gone.
	actions = stage_of(order, "Cut").next_actions.replace("Submit", "Fly")
	frappe.db.set_value("Milestone Plan Stage", stage_of(order, "Cut").name, "next_actions", actions)
	assert run(order, "Cut") == ["Set Value: failed", "Fly: failed", "Set Value: done"]
	order.reload()
	assert (order.status, order.note) == ("Open", "To be sewn")
	faults = frappe.get_all("Error Log", {"method": ("like", "%next step% of Cut")}, pluck="error")
	assert any("Unknown action. Choose one of: " in fault for fault in faults)


def test_an_action_that_another_stage_refuses_is_failed_and_the_stage_stays_reached():
	make_workflow(
		stages=[
			stage("Cut", "Cut", -20, next_actions=make_next_actions(
				{"action": "Set Value", "field": "status", "value": "Shipped"},
				{"action": "Set Value", "field": "note", "value": "Cut"},
			)),
			stage("Shipped", "Shipped"),
		],
		tasks=[task("Shipped", "Sign the packing list")],
	)  # fmt: skip

	order = make_document()
	order.status = "Cut"
	order.save()
	assert run(order, "Cut") == ["Set Value: failed", "Set Value: done"]
	order.reload()
	assert (order.status, order.note) == ("Cut", "Cut")
	assert status_of(order) == {"Cut": "Reached", "Shipped": "Open"}
	faults = frappe.get_all("Error Log", {"method": ("like", "%next step%: Set Value of Cut")}, pluck="error")
	assert any("Sign the packing list" in fault for fault in faults)


def test_a_circle_of_actions_ends():
	order = with_actions({"action": "Set Value", "field": "note", "value": "Again"})
	frappe.flags[next_steps.DEPTH_FLAG] = next_steps.MAX_DEPTH
	assert run(order, "Cut") == []
	assert frappe.get_all("Milestone Next Step", pluck="status") == ["Skipped"]
	order.reload()
	assert order.note is None
	assert frappe.db.exists("Error Log", {"method": ("like", "%next steps run in a loop%")})


def test_another_app_adds_an_action_by_its_hook(monkeypatch):
	# Frappe calls functions of installed apps only: here one of ours stands for the other app's.
	hook = {"Write a Note": "milestone_automation.engine.workflows.step_actions.set_value"}
	monkeypatch.setattr(hooks, "milestone_actions", hook, raising=False)
	frappe.clear_cache()
	order = with_actions({"action": "Write a Note", "field": "note", "value": "Well done"})
	assert run(order, "Cut") == ["Write a Note: done"]
	order.reload()
	assert order.note == "Well done"


def test_what_other_apps_declare_is_read_once_and_again_when_it_changes(monkeypatch):
	read, of_other_app = [], action_registry._of_other_app

	def counted(given):
		read.append(given)
		return of_other_app(given)

	monkeypatch.setattr(action_registry, "_of_other_app", counted)
	path = "milestone_automation.engine.workflows.step_actions.set_value"
	for name in ("Write a First Note", "Write a Second Note"):
		monkeypatch.setattr(hooks, "milestone_actions", {name: path}, raising=False)
		frappe.clear_cache()
		for _time in range(3):
			assert action_registry.action(name).function == path
			assert name in action_registry.actions()
			assert action_registry.action("Submit") is action_registry.OWN["Submit"]
	assert action_registry.action("Write a First Note") is None
	assert len(read) == 2


def test_reaching_a_stage_runs_its_actions_in_a_job_after_the_commit(scratch_site):
	scratch = scratch_site()
	with scratch.connect():
		ensure_production_order()
		order = with_actions({"action": "Set Value", "field": "note", "value": "To be sewn"})
		frappe.db.commit()  # the worker shall see it
		order.status = "Cut"
		order.save()
		assert frappe.db.get_value(ORDER, order.name, "note") is None
		frappe.db.commit()  # as above
	scratch.worker()
	with scratch.connect():
		assert frappe.db.get_value(ORDER, order.name, "note") == "To be sewn"
		assert status_of(order) == {"Cut": "Reached"}
