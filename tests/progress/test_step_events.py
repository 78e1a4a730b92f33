"""What a next step waits for: each runs once for each occasion, wherever that is decided, and only if its condition is met."""

import json

import frappe
import pytest
from frappe.utils import add_days, getdate, today

from milestone_automation import api
from milestone_automation.engine.base import jobs
from milestone_automation.engine.base.guard import GateError
from milestone_automation.engine.messages import sweep
from milestone_automation.engine.people import user_texts
from milestone_automation.engine.plans import catching_up, starting, version_move
from milestone_automation.engine.progress import next_steps, rescheduling, stages, tasks
from milestone_automation.engine.store import step_outbox
from tests.support.clock import at, sweep_at
from tests.support.factories import (
	CLERK_ROLE,
	ORDER,
	make_document,
	make_next_actions,
	make_workflow,
	plan_of,
	stage,
	stage_of,
	task,
	task_of,
)
from tests.support.next_steps import rows_of, run_steps

pytestmark = pytest.mark.usefixtures("production_order")

MANAGER = "mona@events.example"


def note(text: str, **values) -> dict:
	return {"action": "Set Value", "field": "note", "value": text, **values}


LATE, BLOCKED, OVERDUE = (note(when, when=when) for when in ("Reached Late", "Blocked", "Overdue"))


def order_with(*actions, tasks=(), second=True, completed=None, **values):
	"""An order with the stages Cut, on which the steps are, and Sewn."""
	rows = [stage("Cut", "Cut", next_actions=make_next_actions(*actions), **values)]
	rows += [stage("Sewn")] if second else []
	make_workflow(stages=rows, tasks=tasks, completed_actions=completed and json.dumps(completed))
	return make_document(delivery_date=today())


def set_status(order, value: str):
	order.reload()
	order.status = value
	order.save()
	return plan_of(order).name


def noted(plan: str) -> list[tuple[str, str]]:
	return [(row.event, row.status) for row in rows_of(plan)]


def move_key_date(order, days: int) -> None:
	rescheduling.reschedule(plan_of(order).name, "Cut", add_days(today(), days), "The mill asked for it")


def sweep_now(order) -> None:
	sweep.handle([plan_of(order).name], frappe.utils.now_datetime())


def run_on(plan: str, days: int) -> None:
	"""Run the steps that wait, so many days from now: those of a sweep of tomorrow are not due today."""
	with at(f"{add_days(today(), days)} 12:00:00"):
		run_steps(plan)


# Reached, and reached late


def test_a_step_for_a_late_milestone_waits_for_one():
	order = order_with(LATE, note("Reached"))
	plan = set_status(order, "Cut")
	assert noted(plan) == [("Reached", "Pending")]
	stages.undo(plan, "Cut", "Cut the wrong way")
	set_status(order, "Open")
	frappe.db.set_value(
		"Milestone Plan Stage", stage_of(order, "Cut").name, "key_date", add_days(today(), -1)
	)
	set_status(order, "Cut")
	assert noted(plan) == [("Reached", "Skipped"), ("Reached", "Pending"), ("Reached Late", "Pending")]
	run_steps(plan)
	assert frappe.db.get_value(ORDER, order.name, "note") == "Reached Late"


# Blocked


def test_a_refusal_by_the_gate_is_noted_by_a_job_and_only_once(monkeypatch):
	queued = []
	monkeypatch.setattr(jobs, "_queue_or_log", lambda user, job: queued.append(job))
	order = order_with(BLOCKED, tasks=[task("Cut", "Sharpen the knives")])
	frappe.db.after_rollback.reset()
	with pytest.raises(GateError):
		set_status(order, "Cut")
	frappe.db.after_rollback.run()
	(job,) = [one for one in queued if one["method"].endswith("note_refused")]
	plan = plan_of(order).name
	assert noted(plan) == []
	for _time in range(2):
		next_steps.note_refused(job["plan"], job["stage"])
	assert noted(plan) == [("Blocked", "Pending")]
	# The sweep finds it blocked too: its key date is today.
	sweep_now(order)
	assert noted(plan) == [("Blocked", "Pending")]
	run_steps(plan)
	assert frappe.db.get_value(ORDER, order.name, "note") == "Blocked"


def test_a_step_for_a_block_asks_whether_it_is_still_one_and_waits_for_the_next():
	order = order_with(BLOCKED, tasks=[task("Cut", "Sharpen the knives")])
	plan = plan_of(order).name
	sweep_at(f"{today()} 12:00:00")
	tasks.complete(task_of(order, "Sharpen the knives").name)
	run_on(plan, 1)
	(row,) = rows_of(plan)
	assert (row.status, row.error) == (
		"Skipped",
		"The milestone was no longer blocked when the step ran.",
	)
	assert not frappe.db.get_value(ORDER, order.name, "note")

	tasks.reopen(task_of(order, "Sharpen the knives").name, "Still blunt")
	sweep_at(f"{today()} 13:00:00")
	assert noted(plan) == [("Blocked", "Skipped"), ("Blocked", "Pending")]
	run_on(plan, 1)
	assert frappe.db.get_value(ORDER, order.name, "note") == "Blocked"


def test_a_refusal_whose_tasks_are_done_by_then_is_no_block():
	order = order_with(BLOCKED, tasks=[task("Cut", "Sharpen the knives")])
	tasks.complete(task_of(order, "Sharpen the knives").name)
	row = stage_of(order, "Cut")
	next_steps.note_refused(row.parent, row.name)
	assert noted(row.parent) == []


def test_without_such_steps_a_refusal_asks_for_no_job(monkeypatch):
	queued = []
	monkeypatch.setattr(jobs, "_queue_or_log", lambda user, job: queued.append(job))
	order = order_with(note("Reached"), tasks=[task("Cut", "Sharpen the knives")])
	with pytest.raises(GateError):
		set_status(order, "Cut")
	frappe.db.after_rollback.run()
	assert not [one for one in queued if one["method"].endswith("note_refused")]


# Overdue


def test_overdue_and_blocked_are_noted_by_the_sweep_once_for_each_key_date():
	order = order_with(OVERDUE, BLOCKED, tasks=[task("Cut", "Sharpen the knives")])
	plan = plan_of(order).name
	day = getdate(today())
	sweep_at(f"{day} 12:00:00")
	assert noted(plan) == [("Blocked", "Pending")]
	for days in (1, 2, 3):
		sweep_at(f"{add_days(day, days)} 12:00:00")
	assert noted(plan) == [("Blocked", "Pending"), ("Overdue", "Pending")]
	move_key_date(order, 2)
	run_on(plan, 4)
	assert [row.error for row in rows_of(plan)] == [
		"The key date of the milestone was moved before the step ran."
	] * 2
	sweep_at(f"{add_days(day, 4)} 12:00:00")
	assert noted(plan)[2:] == [("Blocked", "Pending"), ("Overdue", "Pending")]


def test_a_milestone_reached_before_the_step_ran_is_not_overdue():
	order = order_with(OVERDUE)
	plan = plan_of(order).name
	sweep_at(f"{add_days(today(), 1)} 12:00:00")
	set_status(order, "Cut")
	run_on(plan, 2)
	assert [row.error for row in rows_of(plan)] == ["The milestone was reached before the step ran."]


def test_an_undone_milestone_is_overdue_anew():
	order = order_with(OVERDUE)
	plan = plan_of(order).name
	sweep_at(f"{add_days(today(), 1)} 12:00:00")
	set_status(order, "Cut")
	stages.undo(plan, "Cut", "Cut the wrong way")
	sweep_at(f"{add_days(today(), 1)} 13:00:00")
	assert noted(plan) == [("Overdue", "Skipped"), ("Overdue", "Pending")]


def test_skipped_stages_and_plans_on_hold_are_not_overdue():
	order = order_with(OVERDUE, tasks=[task("Sewn", "Thread the needle")])
	plan = plan_of(order).name
	tasks.complete(task_of(order, "Thread the needle").name)
	stages.confirm(plan, "Sewn")
	sweep_at(f"{add_days(today(), 1)} 12:00:00")
	assert noted(plan) == []


def test_dates_before_a_quiet_import_are_not_overdue():
	order = order_with(OVERDUE)
	plan = plan_of(order).name
	frappe.db.set_value("Milestone Plan", plan, "quiet_before", add_days(today(), 1))
	sweep_at(f"{add_days(today(), 1)} 12:00:00")
	assert noted(plan) == []


def test_the_sweep_asks_nothing_more_where_no_step_waits(count_queries):
	make_workflow(stages=[stage("Cut", "Cut")], tasks=[])
	order = make_document(delivery_date=add_days(today(), -3))
	with count_queries() as queries:
		sweep_now(order)
	assert not [text for text in queries.statements if "tabMilestone Next Step" in text]


def late_orders(count: int) -> list:
	order_with(OVERDUE)
	return [make_document(delivery_date=add_days(today(), -3)) for _number in range(count)]


def sweep_all(orders: list) -> None:
	sweep.handle([plan_of(order).name for order in orders], frappe.utils.now_datetime())


def test_the_sweep_notes_the_steps_of_many_plans_with_as_many_statements_as_of_one(count_queries):
	orders = late_orders(6)

	def cost(some: list) -> int:
		with count_queries() as queries:
			sweep_all(some)
		tables = ("tabMilestone Next Step", "tabMilestone Plan Log")
		return sum(any(table in text for table in tables) for text in queries.statements)

	cost(orders[:1])
	assert cost(orders[1:2]) == cost(orders[2:]) == 3
	assert [noted(plan_of(order).name) for order in orders] == [[("Overdue", "Pending")]] * 6


def test_steps_that_cannot_be_noted_keep_those_of_other_plans_from_nothing(monkeypatch):
	orders = late_orders(3)
	broken, rows = plan_of(orders[1]).name, step_outbox._rows

	def break_one(plan, *given):
		return 1 / 0 if plan.name == broken else rows(plan, *given)

	monkeypatch.setattr(step_outbox, "_rows", break_one)
	sweep_all(orders)
	assert [len(noted(plan_of(order).name)) for order in orders] == [1, 0, 1]
	assert frappe.db.exists("Error Log", {"method": ("like", "Milestone sweep: next steps")})


# The same step


def texts(plan: str) -> list[str]:
	return [json.loads(row.arguments)["value"] for row in rows_of(plan)]


def blocked_order(*values: str):
	"""An order whose steps for a blocked milestone were noted by the sweep of its key date, and its plan."""
	steps = [note(value, when="Blocked") for value in values]
	order = order_with(*steps, tasks=[task("Cut", "Sharpen the knives")])
	sweep_now(order)
	return order, plan_of(order).name


def test_steps_in_another_order_are_neither_lost_nor_done_twice_in_a_new_version():
	order, plan = blocked_order("First", "Second")
	assert texts(plan) == ["First", "Second"]
	workflow = frappe.get_doc("Milestone Workflow", "Production")
	# The keys of a step may change their order too.
	first = dict(reversed(note("First", when="Blocked").items()))
	workflow.stages[0].next_actions = make_next_actions(
		note("New", when="Blocked"), note("Second", when="Blocked"), first
	)
	workflow.save()
	version_move.move(plan)
	for _time in range(2):
		sweep_now(order)
		assert sorted(texts(plan)) == ["First", "New", "Second"]


def test_equal_steps_are_as_many_as_the_workflow_has():
	order, plan = blocked_order("Again", "Other", "Again")
	assert texts(plan) == ["Again", "Other", "Again"]
	frappe.db.set_value(
		"Milestone Plan Stage",
		stage_of(order, "Cut").name,
		"next_actions",
		make_next_actions(*[note("Again", when="Blocked")] * 3),
	)
	for _time in range(2):
		sweep_now(order)
		assert sorted(texts(plan)) == ["Again", "Again", "Again", "Other"]


def test_steps_noted_by_an_earlier_version_or_of_a_renamed_user_are_not_done_again():
	order, plan = blocked_order("ann@events.example")
	frappe.db.set_value("Milestone Next Step", {"plan": plan}, "occasion_key", "by the place of the step")
	sweep_now(order)
	assert texts(plan) == ["ann@events.example"]
	user_texts.rename("ann@events.example", "anna@events.example")
	sweep_now(order)
	assert texts(plan) == ["anna@events.example"]


# Plan completed


def test_a_completed_plan_runs_its_steps_once_and_again_after_an_undo():
	order = order_with(second=False, completed=[note("Done", when="Plan Completed"), note("Well done")])
	plan = set_status(order, "Cut")
	assert noted(plan) == [("Plan Completed", "Pending")] * 2
	run_steps(plan)
	assert frappe.db.get_value(ORDER, order.name, "note") == "Well done"
	stages.undo(plan, "Cut", "Cut the wrong way")
	set_status(order, "Open")
	set_status(order, "Cut")
	assert noted(plan)[2:] == [("Plan Completed", "Pending")] * 2


def test_a_plan_reopened_before_the_job_runs_skips_them():
	order = order_with(completed=[note("Done")])
	set_status(order, "Cut")
	plan = plan_of(order).name
	stages.confirm(plan, "Sewn")
	stages.undo(plan, "Cut", "Cut the wrong way")
	run_steps(plan)
	assert [row.error for row in rows_of(plan)] == ["The plan was reopened before the step ran."]


def next_plan(workflow: str, **step) -> dict:
	return {"action": "Start Next Plan", "workflow": workflow} | step


def test_the_next_plan_takes_the_place_of_a_completed_one():
	make_workflow("Shipping", stages=[stage("Shipped", "Shipped")], tasks=[], condition="doc.pieces == 99")
	order = order_with(second=False, completed=[next_plan("Shipping", when="Plan Completed")])
	first = set_status(order, "Cut")
	assert run_steps(first) == ["Start Next Plan: done"]
	assert (plan_of(order).workflow, plan_of(order).status) == ("Shipping", "Active")
	assert frappe.db.get_value("Milestone Plan", first, "status") == "Completed"

	with pytest.raises(
		frappe.ValidationError, match="has its next plan already, so this one stays completed"
	):
		stages.undo(first, "Cut", "Cut the wrong way")
	set_status(order, "Shipped")
	plans = frappe.get_all("Milestone Plan", {"reference_name": order.name}, pluck="status")
	assert plans == ["Completed", "Completed"]
	assert plan_of(order).workflow == "Shipping"
	assert list(catching_up.plans_behind()) == [], "the first one no longer follows"


def test_the_next_plan_waits_until_the_plan_is_completed():
	make_workflow("Shipping", stages=[stage("Shipped", "Shipped")], tasks=[], condition="doc.pieces == 99")
	order = order_with(next_plan("Shipping"))
	plan = set_status(order, "Cut")
	run_steps(plan)
	assert (
		rows_of(plan)[0].error
		== f"The plan of {ORDER} {order.name} is not completed, so the next one cannot start."
	)
	stages.confirm(plan, "Sewn")
	assert plan_of(order).status == "Completed"
	with pytest.raises(frappe.ValidationError, match="The next plan is of another workflow than Production"):
		starting.start_next(order, plan, "Production")
	api.run_next_step_again(rows_of(plan)[0].name)
	run_steps(plan)
	assert frappe.db.exists("Milestone Plan", {"reference_name": order.name, "workflow": "Shipping"})
	assert rows_of(plan)[0].status == "Done"


def test_an_amendment_of_a_finished_document_is_not_finished_twice():
	order = order_with(second=False, completed=[note("Done")])
	plan = set_status(order, "Cut")
	order.reload()
	order.submit()
	order.cancel()
	amended = frappe.copy_doc(order)
	amended.amended_from = order.name
	amended.insert()
	assert plan_of(amended).status == "Completed"
	assert plan_of(amended).completed_actions_by == "Administrator"
	assert len(rows_of(plan)) == 1
	assert rows_of(plan_of(amended).name) == []


def test_steps_of_the_completed_plan_come_with_a_new_version_and_its_author():
	order = order_with()
	workflow = frappe.get_doc("Milestone Workflow", "Production")
	version = workflow.version
	workflow.completed_actions = json.dumps([note("Done")])
	workflow.save()
	assert workflow.version == version + 1
	plan = plan_of(order).name
	changes = version_move.preview_move(plan)
	assert [one["text"] for one in changes] == ["The plan changes: Next Steps of the Completed Plan."]
	version_move.move(plan)
	plan = plan_of(order)
	assert (plan.completed_actions, plan.completed_actions_by) == (
		workflow.completed_actions,
		"Administrator",
	)


# Conditions


def test_a_step_runs_only_if_its_condition_is_met_when_it_runs():
	order = order_with(note("Many", condition="doc.pieces > 100"), note("Few", condition="doc.pieces <= 100"))
	order.pieces = 7
	plan = set_status(order, "Cut")
	assert run_steps(plan) == ["Set Value: done"]
	assert [row.status for row in rows_of(plan)] == ["Skipped", "Done"]
	assert rows_of(plan)[0].error == "The document did not meet its condition."
	assert frappe.db.get_value(ORDER, order.name, "note") == "Few"


@pytest.mark.parametrize(
	("values", "message"),
	[
		(
			{"when": "Plan Completed"},
			"Next step 1: It cannot wait for Plan Completed. Choose one of: Reached, ",
		),
		({"when": ["Reached"]}, "It cannot wait for"),
		({"condition": "doc.colour == 1"}, "has no field colour"),
		({"condition": "import os"}, "is not a Python expression"),
		({"condition": {"a": 1}}, "The condition of a next step is a text."),
	],
)
def test_what_a_step_waits_for_is_checked_when_the_workflow_is_saved(values, message):
	with pytest.raises(frappe.ValidationError) as refused:
		order_with(note("x", **values))
	assert message in str(refused.value)


def test_a_completed_plan_waits_for_nothing_else():
	with pytest.raises(
		frappe.ValidationError, match="When the plan is completed: Next step 1: It cannot wait"
	):
		order_with(completed=[note("x", when="Overdue")])


# Who answers for them


def test_who_changes_when_a_step_runs_becomes_its_author(make_user, as_user):
	make_user(MANAGER, ["Milestone Manager", CLERK_ROLE])
	order_with(OVERDUE, completed=[note("Done")])
	workflow = frappe.get_doc("Milestone Workflow", "Production")
	with as_user(MANAGER):
		workflow.description = "Of all orders"
		workflow.save()
		assert (workflow.stages[0].next_actions_by, workflow.completed_actions_by) == ("Administrator",) * 2
		workflow.stages[0].offset_days = -1
		workflow.save()
		assert (workflow.stages[0].next_actions_by, workflow.completed_actions_by) == (
			MANAGER,
			"Administrator",
		)
		workflow.stages[1].update(
			{"reach_rule": "Field Value", "track_field": "status", "track_value": "Sewn"}
		)
		workflow.save()
		assert workflow.completed_actions_by == MANAGER


def test_steps_of_the_completed_plan_are_refused_to_who_could_not_take_them(make_user, as_user):
	make_user("ruth@events.example", ["Milestone Manager", "Production Reader"])
	with as_user("ruth@events.example"), pytest.raises(frappe.PermissionError, match="You may not write"):
		order_with(completed=[note("Done")])
	make_user(MANAGER, ["Milestone Manager", CLERK_ROLE])
	assign = {"action": "Assign", "user": "nobody@events.example"}
	with (
		as_user(MANAGER),
		pytest.raises(frappe.ValidationError, match=r"nobody@events.example does not exist"),
	):
		order_with(completed=[assign])
