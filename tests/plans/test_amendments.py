"""An amended document: it takes its plan along, and what was changed in it counts from its first save on."""

import frappe
import pytest

from milestone_automation import api
from milestone_automation.engine.base.guard import GateError
from milestone_automation.engine.plans import version_move
from milestone_automation.engine.progress import rescheduling, tasks
from milestone_automation.engine.store import plan_rows
from tests.support.factories import (
	CLERK_ROLE,
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

pytestmark = pytest.mark.usefixtures("production_order")

SUBMITTED = {"reach_rule": "Field Value", "track_field": "docstatus", "track_value": "1"}


def amended(order, **values):
	"""The amendment of a cancelled order with other values, not inserted yet."""
	new = frappe.copy_doc(order)
	new.amended_from = order.name
	new.docstatus = 0
	return new.update(values)


def amend(order, **values):
	"""Submit and cancel an order, and insert its amendment with other values."""
	order.submit()
	order.cancel()
	return amended(order, **values).insert()


def errors() -> list:
	return frappe.get_all("Error Log", {"method": ("like", "Milestone%")}, ["method", "error"])


def todos_of(name: str) -> dict[str, str]:
	rows = frappe.get_all("ToDo", {"reference_name": name}, ["allocated_to", "status"])
	return {row.allocated_to: row.status for row in rows}


def milestones_undone(order) -> list[str]:
	return frappe.get_all("Milestone", {"reference_name": order.name, "undone": 1}, pluck="value")


# What was changed in it


def test_a_value_set_while_amending_meets_the_gate():
	make_workflow()
	with pytest.raises(GateError, match="Book the inspector"):
		amend(make_document(), status="Inspected")


def test_a_refused_amendment_leaves_nothing_and_saves_once_its_tasks_are_waived():
	make_workflow()
	order = make_document()
	order.submit()
	order.cancel()
	frappe.db.savepoint("request")
	with pytest.raises(GateError):
		amended(order, status="Inspected").insert()
	told = frappe.as_json(frappe.local.message_log)
	assert f"First save the amendment with the values of {order.name}." in told
	frappe.db.rollback(save_point="request")
	assert not frappe.db.exists(order.doctype, {"amended_from": order.name})
	assert frappe.db.count("Milestone Plan", {"amended_from": plan_of(order).name}) == 0
	new = amended(order).insert()
	tasks.waive(task_of(new, "Book the inspector").name, "The buyer sends one")
	new.reload()
	new.status = "Inspected"
	new.save()
	assert status_of(new)["Inspected"] == "Reached"


def test_a_value_set_while_amending_reaches_its_stage():
	make_workflow()
	order = make_document()
	new = amend(order, status="Cut")
	row = stage_of(new, "Cut")
	assert (row.status, row.reached_by_user, row.value_before) == ("Reached", "Administrator", "Open")
	assert status_of(order)["Cut"] == "Open"
	assert errors() == []


def test_a_date_changed_while_amending_moves_the_plan():
	make_workflow()
	new = amend(make_document(), delivery_date="2030-07-28")
	assert key_dates(new) == {"Cut": "2030-07-08", "Inspected": "2030-07-21", "Shipped": "2030-07-28"}
	assert str(task_of(new, "Book the inspector").due_date) == "2030-07-18"


def test_a_person_changed_while_amending_gets_the_task(make_user):
	anna, ben = (make_user(f"{name}@example.com", roles=[CLERK_ROLE]) for name in ("anna", "ben"))
	make_workflow(
		tasks=[task("Shipped", "Pack", assignee_kind="User Field", assignee_field="inspector")],
	)
	new = amend(make_document(inspector=anna), inspector=ben)
	pack = task_of(new, "Pack")
	assert [row.user for row in pack.assignees] == [ben]
	assert todos_of(pack.name).get(ben) == "Open"
	assert todos_of(pack.name).get(anna) != "Open"


def test_an_amendment_followed_once_is_not_followed_again_by_its_next_save():
	make_workflow()
	new = amend(make_document(), status="Cut", delivery_date="2030-07-28")
	events, dates = events_of(new), key_dates(new)
	new.title = "Another"
	new.save()
	assert (events_of(new), key_dates(new)) == (events, dates)


# What was reached


def test_a_stage_whose_value_is_gone_is_as_if_never_reached_and_the_old_document_keeps_its_milestone():
	make_workflow(stages=[stage("Submitted", days=-20, **SUBMITTED), stage("Shipped")], tasks=[])
	order = make_document()
	new = amend(order)
	row = stage_of(new, "Submitted")
	assert (row.status, row.reached_on, row.reached_by_user, row.reached_at, row.value_before) == (
		"Open",
		None,
		None,
		None,
		None,
	)
	assert milestones_undone(order) == []
	assert plan_rows.load(new.doctype, new.name).current_stage == "Submitted"
	new.submit()
	assert status_of(new)["Submitted"] == "Reached"


def test_a_stage_open_again_does_not_lie_before_an_earlier_one():
	make_workflow(
		stages=[stage("Samples", days=-30), stage("Submitted", days=-20, **SUBMITTED), stage("Shipped")],
		tasks=[],
		later_stages="Keep Order",
	)
	order = make_document()
	order.submit()
	rescheduling.reschedule(plan_of(order).name, "Samples", "2030-06-20", "The cloth is late")
	order.reload()
	order.cancel()
	new = amended(order).insert()
	assert status_of(new)["Submitted"] == "Open"
	assert key_dates(new)["Submitted"] == "2030-06-20"


def test_a_stage_open_again_catches_up_with_the_date_its_document_got_meanwhile():
	make_workflow(
		stages=[
			stage("Cut", "Cut", -20),
			stage("Submitted", days=-10, **SUBMITTED),
			stage("Shipped", "Shipped"),
		],
		tasks=[],
	)
	order = make_document()
	order.submit()
	order.delivery_date = "2030-07-28"
	order.save()
	order.cancel()
	new = amended(order).insert()
	assert key_dates(new) == {"Cut": "2030-07-08", "Submitted": "2030-07-18", "Shipped": "2030-07-28"}


def test_a_stage_the_document_has_passed_stays_reached():
	make_workflow(tasks=[])
	order = make_document()
	for status in ("Cut", "Inspected"):
		order.status = status
		order.save()
	new = amend(order)
	assert status_of(new) == {"Cut": "Reached", "Inspected": "Reached", "Shipped": "Open"}


def test_a_stage_the_amendment_passes_stays_reached_and_one_it_goes_back_from_opens():
	make_workflow(tasks=[])
	orders = []
	for _ in range(2):
		orders.append(make_document())
		for status in ("Cut", "Inspected"):
			orders[-1].status = status
			orders[-1].save()
	assert status_of(amend(orders[0], status="Shipped")) == {
		"Cut": "Reached",
		"Inspected": "Reached",
		"Shipped": "Reached",
	}
	assert status_of(amend(orders[1], status="Cut")) == {
		"Cut": "Reached",
		"Inspected": "Open",
		"Shipped": "Open",
	}


# What becomes of a cancelled plan, and of its tasks


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_plan_that_ended_with_its_document_runs_again(language):
	make_workflow()
	order = make_document()
	frappe.db.set_value("User", "Administrator", "language", language)
	frappe.local.lang = language
	order.submit()
	order.cancel()
	frappe.local.lang = "en"
	assert plan_of(amended(order).insert()).status == "Active"


def test_a_plan_somebody_cancelled_stays_cancelled():
	make_workflow()
	order = make_document()
	api.cancel_plan(plan_of(order).name, "Bought elsewhere")
	new = amend(order, status="Inspected")
	new.title = "Another"
	new.save()
	assert plan_of(new).status == "Cancelled"
	assert task_of(new, "Book the inspector").status == "Cancelled"
	assert events_of(new) == ["Plan Cancelled"]
	assert errors() == []


def test_tasks_come_along_as_they_stood(make_user):
	anna, ben = (make_user(f"{name}@example.com", roles=[CLERK_ROLE]) for name in ("anna", "ben"))
	both = {"assignee_kind": "User Field", "assignee_field": "note", "completion_rule": "All Of"}
	make_workflow(
		tasks=[
			task("Inspected", "Book", days=3, **member(anna)),
			task("Inspected", "Clean", **member(anna)),
			task("Shipped", "Pack", **both),
		],
	)
	order = make_document(note=f"{anna}, {ben}")
	tasks.waive(task_of(order, "Book").name, "The buyer does it")
	tasks.cancel(task_of(order, "Clean").name, "Clean already")
	tasks.complete(task_of(order, "Pack").name, by=anna)
	source = task_of(order, "Pack").workflow_task
	new = amend(order)
	book, clean, pack = (task_of(new, title) for title in ("Book", "Clean", "Pack"))
	assert (book.status, book.reason, book.closed_by) == ("Waived", "The buyer does it", "Administrator")
	assert (clean.status, clean.reason) == ("Cancelled", "Clean already")
	assert (pack.status, pack.reason, pack.closed_on, pack.workflow_task) == ("Open", None, None, source)
	assert pack.reference_name == new.name
	assert pack.plan_stage == stage_of(new, "Shipped").name
	assert [(row.user, row.done) for row in pack.assignees] == [(anna, 1), (ben, 0)]
	assert todos_of(pack.name) == {ben: "Open"}
	assert todos_of(book.name) == {}


def test_a_task_of_a_stage_that_is_gone_comes_along_closed():
	workflow = make_workflow()
	order = make_document()
	tasks.complete(task_of(order, "Book the inspector").name)
	workflow.remove(workflow.tasks[0])
	workflow.remove(workflow.stages[1])
	workflow.save()
	version_move.move(plan_of(order).name)
	new = amend(order)
	assert task_of(new, "Book the inspector").status == "Completed"
	assert errors() == []


def test_a_plan_of_many_tasks_is_carried_over_without_a_query_for_each(count_queries, make_user):
	user = make_user("anna@example.com", roles=[CLERK_ROLE])

	def carried(size: int) -> int:
		make_workflow(
			f"Size {size}",
			tasks=[task("Shipped", f"T{n}", **member(user)) for n in range(size)],
			condition=f"doc.pieces == {size}",
		)
		order = make_document(pieces=size)
		order.submit()
		order.cancel()
		new = amended(order)
		with count_queries() as queries:
			new.insert()
		assert len(plan_of(new).stages) == 3
		return queries.count

	carried(2)
	assert carried(60) <= carried(5) + 3


# Copies of a single task


def duplicate(order, title: str):
	"""What Duplicate in the form of a task makes, inserted under another title."""
	source = task_of(order, title)
	copied = {
		field.fieldname: source.get(field.fieldname) for field in source.meta.fields if not field.no_copy
	}
	name = frappe.get_doc(copied | {"doctype": source.doctype, "title": f"{title} again"}).insert().name
	return frappe.get_doc(source.doctype, name)


def test_a_duplicate_of_a_completed_task_is_open_and_nobodys_work():
	make_workflow()
	order = make_document()
	tasks.complete(task_of(order, "Book the inspector").name)
	copy = duplicate(order, "Book the inspector")
	assert (copy.status, copy.closed_on, copy.closed_by, copy.reason) == ("Open", None, None, None)
	assert copy.workflow_task is None
	assert stage_of(order, "Inspected").open_required == 1


def test_a_duplicate_asks_all_its_assignees(make_user):
	anna, ben = (make_user(f"{name}@example.com", roles=[CLERK_ROLE]) for name in ("anna", "ben"))
	both = {"assignee_kind": "User Field", "assignee_field": "note", "completion_rule": "All Of"}
	make_workflow(tasks=[task("Shipped", "Pack", **both)])
	order = make_document(note=f"{anna}, {ben}")
	tasks.complete(task_of(order, "Pack").name, by=anna)
	copy = duplicate(order, "Pack")
	assert [(row.user, row.done) for row in copy.assignees] == [(anna, 0), (ben, 0)]
	assert todos_of(copy.name) == {anna: "Open", ben: "Open"}


def test_a_duplicate_and_its_source_stay_when_the_plan_moves_to_a_new_version():
	workflow = make_workflow()
	order = make_document()
	duplicate(order, "Book the inspector")
	workflow.stages[2].offset_days = 3
	workflow.save()
	version_move.move(plan_of(order).name)
	for title in ("Book the inspector", "Book the inspector again"):
		assert task_of(order, title).status == "Open"
