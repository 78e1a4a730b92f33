"""An app beside this one adds an action and hears of milestones: the example in `tests/example_app`, put on the site."""

import sys
from collections import Counter
from pathlib import Path

import frappe
import pytest
from frappe.utils import add_days, today

from milestone_automation import api
from milestone_automation.engine.progress import stages
from tests.support.clock import at, sweep_at
from tests.support.factories import (
	ORDER,
	make_document,
	make_next_actions,
	make_workflow,
	plan_of,
	stage,
	stage_of,
	task,
)
from tests.support.next_steps import reach, rows_of, run_steps

pytestmark = pytest.mark.usefixtures("production_order", "example_app")

APP = "milestone_example"
DIARY = {"action": "Write to the Diary", "words": "done"}


@pytest.fixture
def example_app(monkeypatch, site):
	"""The app as one of those installed on the site."""
	installed = [*frappe.get_installed_apps(), APP]
	monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "example_app"))
	monkeypatch.setattr(frappe, "get_installed_apps", lambda *_given, **_named: installed)
	frappe.clear_cache()
	yield
	monkeypatch.undo()
	for name in [name for name in sys.modules if name.split(".")[0] == APP]:
		del sys.modules[name]
	frappe.clear_cache()


def order_with(*actions, tasks=()):
	make_workflow(stages=[stage("Cut", "Cut", next_actions=make_next_actions(*actions))], tasks=list(tasks))
	return make_document(delivery_date=today())


def heard(order) -> list[str]:
	filters = {"reference_doctype": ORDER, "reference_name": order.name, "comment_type": "Info"}
	return frappe.get_all("Comment", filters, pluck="content", order_by="creation, name")


def test_its_action_runs_as_a_next_step():
	order = order_with(
		DIARY | {"is_loud": 1}, {"action": "Call Method", "method": f"{APP}.milestones.count_pieces"}
	)
	plan = plan_of(order).name
	reach(plan, "Cut")
	assert run_steps(plan) == ["Write to the Diary: done", "Call Method: done"]
	assert frappe.db.get_value(ORDER, order.name, ["note", "pieces"]) == ("CUT: DONE", 1)


@pytest.mark.parametrize(
	("step", "message"),
	[
		({"words": "x" * 21}, "Next step 1: A line of the diary has at most 20 characters."),
		({"words": 7}, "Next step 1: The next step Write to the Diary does not fit: words has to be a text."),
		({"is_loud": "very"}, "is_loud has to be 1 or 0."),
		({"pages": 1}, "pages does not fit"),
	],
)
def test_its_steps_are_checked_by_its_schema_when_the_workflow_is_saved(step, message):
	with pytest.raises(frappe.ValidationError) as refused:
		order_with(DIARY | step)
	assert message in str(refused.value)


def test_the_builder_offers_its_action_and_does_not_try_it():
	known = api.get_step_actions(ORDER)
	(action,) = [one for one in known["actions"] if not one["is_own"]]
	assert action == {
		"name": "Write to the Diary",
		"is_own": False,
		"arguments": [
			{"name": "words", "kind": "Text", "is_required": True},
			{"name": "is_loud", "kind": "Check", "is_required": False},
		],
	}
	assert known["methods"] == [f"{APP}.milestones.count_pieces"]
	order = order_with(DIARY)
	workflow = frappe.get_doc("Milestone Workflow", "Production").as_dict()
	(outcome,) = api.try_next_steps(workflow, order.name)["stages"][0]
	assert outcome["is_done"]
	assert "cannot be tried" in outcome["sentences"][0]
	assert frappe.db.get_value(ORDER, order.name, "note") is None


def test_it_hears_of_everything_that_happens_once():
	order = order_with(tasks=[task("Cut", "Sharpen the knives")])
	plan = plan_of(order).name
	for days in (1, 2):
		day = f"{add_days(today(), days)} 12:00:00"
		sweep_at(day)
		with at(day):
			run_steps(plan)
	before = Counter(heard(order))
	assert before == Counter({"blocked: Cut": 1, "overdue: Cut": 1})
	with at(day):
		reach(plan, "Cut")
		run_steps(plan)
	told = ("Production Order: reached: Cut", "plan_completed: Cut", "reached: Cut", "reached_late: Cut")
	assert Counter(heard(order)) - before == Counter(told)
	before = Counter(heard(order))
	with at(day):
		stages.undo(plan, "Cut", "Cut the wrong way")
		run_steps(plan)
	assert Counter(heard(order)) - before == Counter({"undone: Cut": 1})
	assert {row.status for row in rows_of(plan)} == {"Done"}
	assert stage_of(order, "Cut").status == "Open"
