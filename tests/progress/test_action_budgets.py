"""What each action on a plan costs, in statements about this app's tables. The limits are the costs before `changing`."""

import re

import frappe
import pytest

from milestone_automation import api
from milestone_automation.engine.base import save_state
from milestone_automation.engine.progress import stages, tasks
from milestone_automation.engine.store.changing import changing
from milestone_automation.engine.workflows import matching
from tests.support.factories import make_document, make_workflow, plan_of, stage, task, task_of

pytestmark = pytest.mark.usefixtures("production_order")

STAGES = [
	stage("Cut", "Cut", -20),
	stage("Counted", None, -18),
	stage("Inspected", "Inspected", -7),
	stage("Shipped", "Shipped"),
]
TASKS = [
	task("Counted", "Count the pieces", required=0),
	task("Inspected", "Book the inspector", days=2),
	task("Inspected", "Print the labels", required=0),
	task("Shipped", "Sign the packing list"),
]


def new_order():
	# Every date is past, so that reaching and undoing change the health of stages too.
	order = make_document(order_date="2020-01-02", delivery_date="2020-06-28")
	order.note = "warm"
	order.save()
	return order


@pytest.fixture
def order():
	make_workflow(stages=STAGES, tasks=TASKS)
	return new_order()


def confirm(order):
	api.confirm_stage(plan_of(order).name, "Counted")


def undo(order):
	api.undo_stage(plan_of(order).name, "Counted", "Counted wrong")


def reschedule(order):
	api.reschedule_stage(plan_of(order).name, "Shipped", "2020-07-05", "The ship is late", "Keep Order")


def complete(order):
	api.complete_task(task_of(order, "Book the inspector").name)


def reopen(order):
	api.reopen_task(task_of(order, "Book the inspector").name, "A page is missing")


def waive(order):
	api.waive_task(task_of(order, "Sign the packing list").name, "The buyer agreed")


def cancel_task(order):
	api.cancel_task(task_of(order, "Print the labels").name, "Not needed")


def add(order):
	api.add_task(plan_of(order).name, "Shipped", "Weigh the boxes", required=1)


def reach(order):
	order.status = "Cut"
	order.save()


def go_back(order):
	order.status = "Open"
	order.save()


def move_date(order):
	order.delivery_date = "2020-07-12"
	order.save()


def edit_task(order):
	row = task_of(order, "Sign the packing list")
	doc = frappe.get_doc("Milestone Task", row.name)
	doc.title = "Sign the packing list twice"
	doc.save()


def prepare(action, order):
	"""Do what comes before an action and is not counted: the workflow is edited before a plan moves to its version."""
	if action is move_version:
		new_version(order)
	matching.candidates(
		order.doctype
	)  # cached again after a change of the workflow, as by the next who opens a document


def new_version(order):
	workflow = frappe.get_doc("Milestone Workflow", plan_of(order).workflow)
	workflow.append("stages", stage(f"Paid {len(workflow.stages)}", None, 30 + len(workflow.stages)))
	workflow.stages[1].key_date_rule, workflow.stages[1].offset_days = "Document Date Field", -17
	workflow.save()


def move_version(order):
	api.move_to_new_version(plan_of(order).name)


def cancel_plan(order):
	api.cancel_plan(plan_of(order).name, "The season is over")


# In this order, each on what the ones before left. How many statements each took before plans were changed in one way.
BEFORE = {
	confirm: 16,
	undo: 15,
	reschedule: 20,
	complete: 26,
	reopen: 34,
	waive: 24,
	cancel_task: 22,
	add: 29,
	edit_task: 14,
	reach: 5,
	go_back: 7,
	move_date: 21,
	move_version: 34,
	cancel_plan: 14,
}


def is_of_milestones(statement: str) -> bool:
	"""Whether Frappe asks for the DocType that a document links to, too, is Frappe's: 17 does."""
	return "milestone" in statement.lower() and not re.search(r'FROM ["`]tabDocType["`]', statement)


def test_no_action_takes_more_statements_than_before_and_confirm_and_undo_take_fewer(order, count_queries):
	cost = {}
	warm = new_order()
	for action in BEFORE:
		prepare(action, warm)
		action(warm)  # fills every cache that a site at work has filled
	for action in BEFORE:
		prepare(action, order)
		with count_queries() as queries:
			action(order)
		cost[action] = sum(map(is_of_milestones, queries.statements))

	more = {action.__name__: cost[action] for action in BEFORE if cost[action] > BEFORE[action]}
	assert not more
	assert cost[confirm] < BEFORE[confirm]
	# SQLite writes one table with a statement.
	assert cost[undo] < BEFORE[undo] + (frappe.db.db_type == "sqlite")


def test_a_change_inside_a_change_is_written_once_by_the_outer_one(order, count_queries):
	name = plan_of(order).name
	with count_queries() as queries, changing(name) as plan:
		tasks.waive(task_of(order, "Sign the packing list").name, "The buyer agreed")
		tasks.waive(task_of(order, "Book the inspector").name, "The buyer agreed")
		stages.confirm(name, "Counted")

	# Stages may be written in the same statement.
	plan_writes = [
		text for text in queries.statements if re.search(r'UPDATE ["`]tabMilestone Plan["`]', text)
	]
	assert len(plan_writes) == 1, str(queries)
	stored = plan_of(order)
	assert [row.open_required for row in stored.stages] == [0, 0, 0, 0]
	assert stored.stages[1].status == plan.stage("Counted").status == "Reached"


def test_a_change_that_fails_writes_nothing_of_the_plan(order):
	name = plan_of(order).name
	with pytest.raises(frappe.ValidationError, match="not after all"), changing(name) as plan:
		plan.set_plan(escalation_role="System Manager")
		frappe.throw("not after all")

	assert not plan_of(order).escalation_role
	assert save_state.plans_being_changed() == {}
