"""What plans cost, in statements: a save, a form, a plan of 50 stages and 500 tasks."""

from datetime import timedelta

import frappe
import pytest
from frappe.desk.form.load import getdoc
from frappe.utils import getdate

from milestone_automation import api
from milestone_automation.engine.base.guard import GateError
from milestone_automation.engine.plans import starting
from milestone_automation.engine.progress import rescheduling, tasks
from tests.support.factories import (
	ORDER,
	make_document,
	make_workflow,
	member,
	plan_of,
	stage,
	status_of,
	task,
	task_of,
)

pytestmark = pytest.mark.usefixtures("production_order")

STAGES = [stage("Cut", "Cut", -20), stage("Inspected", "Inspected", -7), stage("Shipped", "Shipped")]
TASKS = [task("Inspected", "Book the inspector", days=2), task("Shipped", "Sign the packing list")]
OURS = ("milestone", "todo")


def own(queries) -> list[str]:
	"""Statements about this app's own tables."""
	return [text for text in queries.statements if any(word in text.lower() for word in OURS)]


def about_recording(text: str) -> bool:
	return any(f'tab{table}"' in text.replace("`", '"') for table in ("Milestone", "Milestone Tracker"))


def about_plans(queries) -> list[str]:
	return [text for text in own(queries) if not about_recording(text)]


def warm(order) -> None:
	"""Fill every cache that a second save of a day finds filled."""
	for note in ("one", "two"):
		order.note = note
		order.save()


def test_a_save_with_nothing_relevant_changed_asks_for_its_plan_once(count_queries):
	make_workflow(stages=STAGES, tasks=TASKS)
	order = make_document()
	warm(order)
	order.note = "three"
	with count_queries() as queries:
		order.save()
	assert len(about_plans(queries)) == 1, str(queries)


def test_a_save_of_a_document_without_a_plan_asks_once(count_queries):
	make_workflow(stages=STAGES, tasks=TASKS, condition="doc.pieces > 100")
	order = make_document()
	assert plan_of(order) is None
	warm(order)
	order.note = "three"
	with count_queries() as queries:
		order.save()
	assert len(about_plans(queries)) == 1, str(queries)


def test_a_save_of_a_doctype_without_workflow_asks_nothing(count_queries):
	make_workflow(stages=STAGES, tasks=TASKS)
	note = frappe.get_doc({"doctype": "Note", "title": "Nothing"}).insert()
	note.content = "one"
	note.save()
	note.content = "two"
	with count_queries() as queries:
		note.save()
	assert own(queries) == [], str(queries)


@pytest.mark.parametrize("status", ["Sewn", "Cut"])
def test_a_tracked_save_with_plan_and_gate_takes_two_statements_also_where_it_reaches_a_stage(
	count_queries, status
):
	make_workflow(stages=STAGES, tasks=TASKS)
	order = make_document()
	warm(order)
	order.status = status
	with count_queries() as queries:
		order.save()
	# SQLite writes one table with a statement.
	most = 3 if frappe.db.db_type == "sqlite" and status == "Cut" else 2
	assert len(about_plans(queries)) <= most, str(queries)
	assert status_of(order)["Cut"] == ("Reached" if status == "Cut" else "Open")


def test_a_refused_save_asks_for_plan_tasks_and_assignees(count_queries):
	make_workflow(stages=STAGES, tasks=TASKS)
	order = make_document()
	warm(order)
	order.status = "Inspected"
	with pytest.raises(GateError):
		order.save()
	order.reload()
	order.status = "Inspected"
	with count_queries() as queries, pytest.raises(GateError):
		order.save()
	assert len(about_plans(queries)) <= 5, str(queries)


def test_the_panel_takes_five_statements_at_most(count_queries, as_user):
	make_workflow(stages=STAGES, tasks=TASKS)
	order = make_document()
	api.get_plan(ORDER, order.name)
	with count_queries() as queries:
		answer = api.get_plan(ORDER, order.name)
	assert queries.count <= 5, str(queries)
	assert [row["stage_name"] for row in answer["stages"]] == ["Cut", "Inspected", "Shipped"]


def test_the_panel_of_an_ordinary_user_takes_five_statements_at_most(count_queries, as_user, make_user):
	make_user("clerk@example.com", ["Production Clerk"])
	make_workflow(stages=STAGES, tasks=TASKS)
	order = make_document()
	with as_user("clerk@example.com"):
		api.get_plan(ORDER, order.name)
		with count_queries() as queries:
			answer = api.get_plan(ORDER, order.name)
	assert queries.count <= 5, str(queries)
	assert answer["may"] == {"manage": False, "start": False, "undo_cancel": False}


def test_the_panel_of_a_doctype_without_workflow_asks_only_for_the_document(count_queries):
	note = frappe.get_doc({"doctype": "Note", "title": "Nothing"}).insert()
	api.get_plan("Note", note.name)
	with count_queries() as queries:
		answer = api.get_plan("Note", note.name)
	assert own(queries) == [], str(queries)
	assert answer["plan"] is None


# Big plans


def big_workflow(stages: int, tasks_of_each: int) -> None:
	make_workflow(
		stages=[
			stage(f"Stage {n}", key_date_rule="After Creation", date_field=None, days=n)
			for n in range(stages)
		],
		tasks=[
			task(f"Stage {n}", f"Task {n}.{m}", **member("Administrator"))
			for n in range(stages)
			for m in range(tasks_of_each)
		],
	)


def cost_of_starting(count_queries, stages: int, tasks_of_each: int) -> int:
	big_workflow(stages, tasks_of_each)
	frappe.db.set_value("Milestone Workflow", "Production", "enabled", 0)
	frappe.clear_cache()
	order = make_document()
	frappe.db.set_value("Milestone Workflow", "Production", "enabled", 1)
	frappe.clear_cache()
	frappe.get_meta("Milestone Plan"), frappe.get_meta("Milestone Task")
	with count_queries() as queries:
		starting.start(order, "Production")
	assert frappe.db.count("Milestone Task", {"reference_name": order.name}) == stages * tasks_of_each
	return queries.count


def test_starting_a_plan_of_50_stages_and_500_tasks_asks_no_more_for_tasks_than_a_small_one(count_queries):
	frappe.db.savepoint("small_plan")
	small = cost_of_starting(count_queries, 2, 1)
	frappe.db.rollback(save_point="small_plan")
	frappe.clear_cache()
	big = cost_of_starting(count_queries, 50, 10)
	assert big - small <= 6


@pytest.fixture
def big_order():
	big_workflow(50, 10)
	order = make_document()
	frappe.clear_cache()
	return order


def test_the_panel_of_a_big_plan_takes_five_statements_too(big_order, count_queries):
	api.get_plan(ORDER, big_order.name)
	with count_queries() as queries:
		answer = api.get_plan(ORDER, big_order.name)
	assert queries.count <= 5, str(queries)
	assert sum(len(row["tasks"]) + row["more_tasks"] for row in answer["stages"]) == 500


def test_opening_the_form_of_a_big_plan_asks_for_no_row_by_itself(big_order, count_queries):
	plan = plan_of(big_order).name
	getdoc("Milestone Plan", plan)
	frappe.local.response.docs = []
	with count_queries() as queries:
		getdoc("Milestone Plan", plan)
	assert queries.count <= 40, str(queries)


def test_saving_the_form_of_a_big_plan_writes_no_row(big_order, count_queries):
	plan = plan_of(big_order)
	with count_queries() as queries:
		plan.save()
	written = [text.lower() for text in queries.statements if not text.lower().startswith("select")]
	assert not [text for text in written if "milestone plan stage" in text or "milestone task" in text]


def test_moving_the_first_date_of_a_big_plan_writes_each_row_once(big_order, count_queries):
	plan = plan_of(big_order)
	day = plan.stages[0].key_date + timedelta(days=1)
	with count_queries() as queries:
		rescheduling.reschedule(plan.name, plan.stages[0].name, day, "The cloth is late")
	rows = [text for text in queries.statements if "tabmilestone plan stage" in text.lower()]
	tasks = [text for text in queries.statements if "tabmilestone task" in text.lower()]
	# Every stage moves to a day of its own: an update for each new date of stages and of tasks, two reads for the
	# to-dos that follow, and nothing else.
	assert len(rows) <= 50 + 6, str(queries)
	assert len(tasks) <= 50 + 8, str(queries)


def test_completing_one_task_of_a_big_plan_costs_what_it_costs_in_a_small_one(count_queries):
	def cost(stages: int, tasks_of_each: int) -> int:
		big_workflow(stages, tasks_of_each)
		order = make_document()
		first, second = (task_of(order, f"Task {n}.0").name for n in (0, 1))
		tasks.complete(first)
		with count_queries() as queries:
			tasks.complete(second)
		return queries.count

	frappe.db.savepoint("small_plan")
	small = cost(2, 2)
	frappe.db.rollback(save_point="small_plan")
	frappe.clear_cache()
	assert cost(50, 10) <= small + 2


def test_cancelling_an_order_with_a_big_plan_asks_for_no_task_by_itself(big_order, count_queries):
	big_order.submit()
	make_document().submit()
	with count_queries() as queries:
		big_order.cancel()
	assert frappe.db.count("Milestone Task", {"reference_name": big_order.name, "status": "Cancelled"}) == 500
	tasks = [text for text in queries.statements if "tabMilestone Task" in text or "tabToDo" in text]
	assert len(tasks) <= 25, str(queries)


def test_a_document_date_that_moves_a_big_plan_asks_for_no_task_by_itself(count_queries):
	make_workflow(
		stages=[stage(f"Stage {n}", days=n - 50) for n in range(50)],
		tasks=[task(f"Stage {n}", f"Task {n}.{m}") for n in range(50) for m in range(10)],
	)
	order = make_document()
	order.delivery_date = getdate(order.delivery_date) + timedelta(days=7)
	with count_queries() as queries:
		order.save()
	assert str(plan_of(order).stages[-1].key_date) == "2030-07-04"
	assert str(task_of(order, "Task 49.9").due_date) == "2030-07-04"
	assert len(own(queries)) <= 50 * 2 + 20, f"{len(own(queries))} statements"
