"""Other apps hear of milestones by hooks: after the commit, once each, again after a fault, and nobody else suffers."""

import frappe
import pytest
from frappe.model.base_document import get_controller

from milestone_automation import hooks
from milestone_automation.engine.progress import other_apps, stages
from tests.support.clock import at
from tests.support.factories import ORDER, make_document, make_workflow, plan_of, stage, stage_of, status_of
from tests.support.next_steps import logged, reach, rows_of, run_left, run_steps

pytestmark = pytest.mark.usefixtures("production_order")

MODULE = "milestone_automation.engine.progress.other_apps"


@pytest.fixture
def heard(monkeypatch):
	"""What an app that listens has heard. Frappe calls functions of installed apps only: a module of ours stands for its."""
	events = []
	monkeypatch.setattr(other_apps, "hear", events.append, raising=False)
	monkeypatch.setattr(other_apps, "hear_nothing", fail, raising=False)
	yield events
	monkeypatch.undo()
	frappe.clear_cache()


@pytest.fixture
def listen(monkeypatch, heard):
	"""Function that lets an app declare whom its hook calls."""

	def declare(**events):
		monkeypatch.setattr(hooks, "milestone_events", events, raising=False)
		frappe.clear_cache()

	return declare


def fail(event):
	raise ValueError("the other app is broken")


def new_order():
	make_workflow(stages=[stage("Cut", "Cut", -20), stage("Sewn", "Sewn")], tasks=[])
	return make_document()


def test_an_app_hears_what_was_reached_and_what_was_undone(listen, heard):
	listen(reached=f"{MODULE}.hear", undone=f"{MODULE}.hear")
	order = new_order()
	order.status = "Cut"
	order.save()
	assert heard == []  # not before the commit
	plan = plan_of(order)
	run_steps(plan.name)
	assert [(one["event"], one["stage"], one["reference_name"]) for one in heard] == [
		("reached", "Cut", order.name)
	]
	assert heard[0]["reached_on"] == stage_of(order, "Cut").reached_on
	assert (heard[0]["plan"], heard[0]["plan_status"], heard[0]["reference_type"]) == (
		plan.name,
		"Active",
		ORDER,
	)
	run_steps(plan.name)
	assert len(heard) == 1

	stages.undo(plan.name, "Cut", "Cut the wrong way")
	run_steps(plan.name)
	assert [(one["event"], one["stage"]) for one in heard[1:]] == [("undone", "Cut")]
	assert logged(plan.name) == []  # the log of a plan is for people


def test_of_a_milestone_undone_before_the_job_only_that_is_told(listen, heard):
	listen(reached=f"{MODULE}.hear", undone=f"{MODULE}.hear")
	order = new_order()
	plan = plan_of(order).name
	reach(plan, "Cut")
	stages.undo(plan, "Cut", "Too early")
	run_steps(plan)
	assert [one["event"] for one in heard] == ["undone"]


def test_one_that_fails_keeps_nobody_from_hearing_and_is_tried_again(listen, heard):
	listen(reached=[f"{MODULE}.hear_nothing", f"{MODULE}.hear"])
	order = new_order()
	plan = plan_of(order).name
	reach(plan, "Cut")
	run_steps(plan)
	assert [one["stage"] for one in heard] == ["Cut"]
	assert [row.status for row in rows_of(plan)] == ["Pending", "Done"]
	assert status_of(order)["Cut"] == "Reached"
	later = frappe.utils.add_to_date(None, minutes=11, as_string=True, as_datetime=True)
	with at(later):
		run_left()
	assert [row.attempts for row in rows_of(plan)] == [2, 1]
	assert len(heard) == 1


def test_a_document_hears_by_its_own_handlers(monkeypatch, heard):
	monkeypatch.setattr(
		get_controller(ORDER),
		"on_milestone_reached",
		lambda doc, event: heard.append((doc.name, event["stage"])),
		raising=False,
	)
	order = new_order()
	plan = plan_of(order).name
	reach(plan, "Cut")
	run_steps(plan)
	assert heard == [(order.name, "Cut")]


def test_without_listeners_nothing_is_noted(count_queries):
	order = new_order()
	plan = plan_of(order).name
	with count_queries() as queries:
		reach(plan, "Cut")
		stages.undo(plan, "Cut", "Too early")
	assert rows_of(plan) == []
	assert not [text for text in queries.statements if "tabMilestone Next Step" in text]


def test_no_workflow_can_hold_such_a_step(listen):
	listen(reached=f"{MODULE}.hear")
	step = '[{"action": "Tell Other Apps: Reached", "function": "frappe.utils.now", "event": "reached"}]'
	with pytest.raises(frappe.ValidationError, match="unknown action"):
		make_workflow("Forged", stages=[stage("Cut", "Cut", next_actions=step)], tasks=[])
	with pytest.raises(frappe.ValidationError, match=r"declares frappe\.utils\.now any more"):
		order = new_order()
		other_apps.tell(
			{"event": "reached", "function": "frappe.utils.now"}, plan_of(order), stage_of(order, "Cut")
		)


def test_that_it_was_undone_is_not_told_once_it_is_reached_again(listen, heard):
	listen(undone=f"{MODULE}.hear")
	order = new_order()
	plan = plan_of(order).name
	reach(plan, "Cut")
	stages.undo(plan, "Cut", "Too early")
	reach(plan, "Cut")
	run_steps(plan)
	assert heard == []
	assert [row.status for row in rows_of(plan)] == ["Skipped"]


def test_a_listener_acts_with_its_own_rights_and_is_tried_again_when_refused(
	listen, heard, monkeypatch, make_user, as_user
):
	users = []

	def refuse(event):
		users.append(frappe.session.user)
		raise frappe.PermissionError

	monkeypatch.setattr(other_apps, "hear_nothing", refuse)
	listen(reached=f"{MODULE}.hear_nothing")
	make_user("clerk.listener@example.com", ["Production Clerk"])
	order = new_order()
	plan = plan_of(order).name
	with as_user("clerk.listener@example.com"):
		reach(plan, "Cut")
		run_steps(plan)
		assert frappe.session.user == "clerk.listener@example.com"
	assert users == ["Administrator"]
	assert [row.status for row in rows_of(plan)] == ["Pending"]
