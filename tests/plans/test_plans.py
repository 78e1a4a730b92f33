"""A plan from its making to its end: one for each document, and in step with it."""

import frappe
import pytest

from milestone_automation import api
from milestone_automation.engine.plans import starting
from milestone_automation.engine.progress import rescheduling, stages, tasks
from milestone_automation.engine.store import plan_rows
from tests.support.factories import (
	CLERK_ROLE,
	ORDER,
	events_of,
	key_dates,
	make_document,
	make_workflow,
	plan_of,
	stage,
	status_of,
	task,
	task_of,
)
from tests.support.transactions import end_transaction

pytestmark = pytest.mark.usefixtures("production_order")

WAY = [stage("Cut", "Cut", -20), stage("Inspected", "Inspected", -7), stage("Shipped", "Shipped")]
TASKS = [task("Inspected", "Book the inspector", days=3), task("Shipped", "Sign the packing list", days=1)]


def test_a_document_that_matches_gets_its_plan_on_insert():
	make_workflow()
	order = make_document()
	plan = plan_of(order)
	assert (plan.workflow, plan.workflow_version, plan.status) == ("Production", 1, "Active")
	assert key_dates(order) == {"Cut": "2030-06-08", "Inspected": "2030-06-21", "Shipped": "2030-06-28"}
	assert plan.current_stage == "Cut"
	assert str(plan.next_date) == "2030-06-08"
	assert str(task_of(order, "Book the inspector").due_date) == "2030-06-18"
	assert [row.open_required for row in plan.stages] == [0, 1, 1]
	assert events_of(order) == ["Plan Started"]


def test_a_document_that_matches_only_later_gets_its_plan_then():
	make_workflow(condition="doc.pieces > 100")
	order = make_document(pieces=5)
	assert plan_of(order) is None
	order.pieces = 500
	order.save()
	assert plan_of(order).workflow == "Production"
	order.pieces = 5
	order.save()
	assert plan_of(order).status == "Active"


def test_a_match_by_db_set_starts_the_plan_too():
	make_workflow(condition="doc.pieces > 100")
	order = make_document(pieces=5)
	order.db_set("pieces", 500)
	assert plan_of(order).workflow == "Production"


def test_a_document_saved_by_a_user_without_rights_on_plans_gets_its_plan(make_user, as_user):
	make_user("clerk@example.com", [CLERK_ROLE])
	make_workflow()
	with as_user("clerk@example.com"):
		order = make_document()
	plan = plan_of(order)
	assert (plan.status, plan.owner) == ("Active", "clerk@example.com")
	assert plan.stages[0].stage_owner == "clerk@example.com"


def test_a_disabled_workflow_starts_no_plan_and_its_running_plans_go_on():
	workflow = make_workflow()
	order = make_document()
	workflow.enabled = 0
	workflow.save()
	assert plan_of(make_document()) is None
	order.status = "Cut"
	order.save()
	assert status_of(order)["Cut"] == "Reached"
	order.status = "Inspected"
	with pytest.raises(frappe.ValidationError, match=r"Book the inspector"):
		order.save()


def test_starting_by_hand_says_what_is_missing():
	order = make_document()
	with pytest.raises(frappe.ValidationError, match=r"No enabled Milestone Workflow matches"):
		api.start_plan(ORDER, order.name)
	make_workflow("Off", enabled=0)
	with pytest.raises(frappe.ValidationError, match=r"The workflow Off is not enabled. Enable it first."):
		api.start_plan(ORDER, order.name, "Off")
	assert plan_of(order) is None


def test_a_cancelled_document_gets_no_plan():
	order = make_document()
	order.submit()
	order.cancel()
	make_workflow()
	with pytest.raises(frappe.ValidationError, match=r"is cancelled and cannot have a plan."):
		starting.start(order, "Production", by_hand=True)


def test_a_workflow_of_another_doctype_cannot_be_started_on_it():
	make_workflow()
	note = frappe.get_doc({"doctype": "Note", "title": "No order"}).insert()
	with pytest.raises(
		frappe.ValidationError, match=r"The workflow Production is for Production Order, not for Note."
	):
		starting.start(note, "Production", by_hand=True)


def by_new_plan(doctype, name, workflow):
	about = {"doctype": "Milestone Plan", "reference_type": doctype, "reference_name": name}
	return frappe.get_doc(about | {"workflow": workflow}).insert()


def test_a_plan_made_in_the_form_is_held_to_the_same_rules(make_user, as_user):
	make_user("head@example.com", [CLERK_ROLE, "Milestone Manager"])
	make_workflow("Off", enabled=0)
	note = frappe.get_doc({"doctype": "Note", "title": "No order"}).insert()
	order, cancelled = make_document(), make_document()
	cancelled.submit()
	cancelled.cancel()
	make_workflow()
	with as_user("head@example.com"):
		with pytest.raises(frappe.ValidationError, match=r"The workflow Off is not enabled"):
			by_new_plan(ORDER, order.name, "Off")
		with pytest.raises(frappe.ValidationError, match=r"is cancelled and cannot have a plan"):
			by_new_plan(ORDER, cancelled.name, "Production")
	with pytest.raises(frappe.ValidationError, match=r"is for Production Order, not for Note"):
		by_new_plan("Note", note.name, "Production")
	assert frappe.db.count("Milestone Plan", {"reference_name": ("in", [order.name, cancelled.name])}) == 0
	with as_user("head@example.com"):
		by_new_plan(ORDER, order.name, "Production")
	assert (plan_of(order).status, events_of(order)) == ("Active", ["Plan Started"])


@pytest.mark.parametrize("start", (by_new_plan, "by_call"))
def test_a_workflow_without_milestones_makes_no_plan(start):
	order = make_document()
	workflow = make_workflow("Empty", enabled=0, stages=[], tasks=[])
	frappe.db.set_value("Milestone Workflow", workflow.name, "enabled", 1)
	frappe.clear_document_cache("Milestone Workflow", workflow.name)
	start = api.start_plan if start == "by_call" else start
	with pytest.raises(frappe.ValidationError, match=r"The workflow Empty has no milestones."):
		start(ORDER, order.name, "Empty")
	assert not frappe.db.exists("Milestone Plan", {"reference_name": order.name})


def test_a_plan_made_in_the_form_takes_the_place_of_a_cancelled_one():
	make_workflow()
	order = make_document()
	first = plan_of(order).name
	api.cancel_plan(first, "Otherwise")
	second = by_new_plan(ORDER, order.name, "Production").name
	assert plan_of(order).name == second
	assert frappe.db.get_value("Milestone Plan", first, "status") == "Cancelled"
	order.status = "Inspected"
	with pytest.raises(frappe.ValidationError, match=r"Book the inspector"):
		order.save()


def test_a_second_start_returns_the_same_plan():
	make_workflow()
	make_workflow("Other", priority=-1)
	order = make_document()
	first = plan_of(order).name
	assert starting.start(order) == first
	assert starting.start(order, "Other", by_hand=True) == first
	assert frappe.db.count("Milestone Plan", {"reference_name": order.name}) == 1


def test_a_second_plan_document_for_one_order_is_refused():
	make_workflow()
	order = make_document()
	second = {"doctype": "Milestone Plan", "reference_type": ORDER, "reference_name": order.name}
	with pytest.raises(
		frappe.UniqueValidationError, match=r"has a milestone plan already. Cancel that one first."
	):
		frappe.get_doc(second | {"workflow": "Production"}).insert()
	assert frappe.db.count("Milestone Plan", {"reference_name": order.name}) == 1


def test_a_document_far_on_its_way_starts_with_what_it_has_reached():
	make_workflow("Recording", stages=[stage("Cut", "Cut")], tasks=[], condition="doc.pieces == 1")
	order = make_document()
	for status in ("Cut", "Inspected"):
		order.status = status
		order.save()
	make_workflow()
	starting.start(order, "Production", by_hand=True)
	assert status_of(order) == {"Cut": "Reached", "Inspected": "Reached", "Shipped": "Open"}
	assert plan_of(order).current_stage == "Shipped"


def test_a_cancelled_document_cancels_plan_and_open_tasks_and_keeps_what_was_done():
	make_workflow()
	order = make_document()
	tasks.complete(task_of(order, "Book the inspector").name)
	order.submit()
	order.cancel()
	plan = plan_of(order)
	assert (plan.status, plan.next_check, plan.next_date) == ("Cancelled", None, None)
	assert [row.open_required for row in plan.stages] == [0, 0, 0]
	assert task_of(order, "Book the inspector").status == "Completed"
	cancelled = task_of(order, "Sign the packing list")
	assert (cancelled.status, cancelled.reason) == ("Cancelled", "The document was cancelled.")
	assert events_of(order)[-1] == "Plan Cancelled"


def test_nothing_can_be_done_on_a_cancelled_plan():
	make_workflow(stages=[stage("Signed off"), stage("Paid")], tasks=[task("Signed off", "Read it")])
	order = make_document()
	order.submit()
	order.cancel()
	plan, name = plan_of(order).name, task_of(order, "Read it").name
	for attempt in (
		lambda: stages.confirm(plan, "Paid"),
		lambda: rescheduling.reschedule(plan, "Paid", "2031-01-01", "Later"),
		lambda: tasks.add(plan, "Paid", title="Write an invoice"),
		lambda: tasks.reopen(name, "Still needed"),
	):
		with pytest.raises(frappe.ValidationError, match=r"is cancelled. Start a new plan first."):
			attempt()


def test_an_amended_document_takes_its_plan_along():
	make_workflow(stages=[stage("Signed off", days=-30), *WAY], tasks=TASKS)
	order = make_document()
	stages.confirm(plan_of(order).name, "Signed off")
	tasks.complete(task_of(order, "Book the inspector").name)
	rescheduling.reschedule(plan_of(order).name, "Shipped", "2030-07-10", "The ship is late")
	order.submit()
	order.cancel()
	amended = frappe.copy_doc(order)
	amended.amended_from = order.name
	amended.docstatus = 0
	amended.insert()
	plan = plan_of(amended)
	assert plan.amended_from == plan_of(order).name
	assert plan.status == "Active"
	assert status_of(amended) == {
		"Signed off": "Reached",
		"Cut": "Open",
		"Inspected": "Open",
		"Shipped": "Open",
	}
	assert key_dates(amended)["Shipped"] == "2030-07-10"
	assert task_of(amended, "Book the inspector").status == "Completed"
	assert task_of(amended, "Sign the packing list").status == "Open"
	assert [row.open_required for row in plan.stages] == [0, 0, 0, 1]
	amended.status = "Shipped"
	with pytest.raises(frappe.ValidationError, match=r"Sign the packing list"):
		amended.save()


def test_a_renamed_document_keeps_its_plan():
	make_workflow()
	order = make_document()
	plan = plan_of(order).name
	new = frappe.rename_doc(ORDER, order.name, "ORDER-RENAMED")
	assert plan_rows.load(ORDER, new).name == plan
	renamed = frappe.get_doc(ORDER, new)
	assert plan_of(renamed).title == "ORDER-RENAMED: Production"
	assert task_of(renamed, "Book the inspector").reference_name == "ORDER-RENAMED"
	renamed.status = "Inspected"
	with pytest.raises(frappe.ValidationError, match=r"Book the inspector"):
		renamed.save()
	assert starting.start(renamed) == plan


def test_a_deleted_document_takes_plan_and_tasks_along_and_leaves_its_milestones_marked():
	make_workflow()
	order = make_document()
	order.status = "Cut"
	order.save()
	plan = plan_of(order).name
	frappe.delete_doc(ORDER, order.name)
	for doctype in ("Milestone Task", "Milestone Plan Log", "Milestone Date Change"):
		assert frappe.db.count(doctype, {"plan": plan}) == 0
	assert not frappe.db.exists("Milestone Plan", plan)
	assert frappe.db.count("Milestone Plan Stage", {"parent": plan}) == 0
	left = frappe.get_all(
		"Milestone", {"reference_name": order.name}, ["value", "reference_deleted"], order_by="creation"
	)
	assert [(row.value, row.reference_deleted) for row in left] == [("Open", 1), ("Cut", 1)]


def test_a_workflow_with_running_plans_cannot_be_deleted():
	workflow = make_workflow()
	make_document()
	with pytest.raises(frappe.ValidationError):
		workflow.delete()
	assert frappe.db.exists("Milestone Workflow", "Production")


def test_a_workflow_with_running_plans_is_not_merged_into_another(make_doctype):
	other = make_doctype("Other Order", [{"fieldname": "day", "fieldtype": "Date"}])
	make_workflow()
	make_workflow("Others", document_type=other, stages=[stage("Done", date_field="day")], tasks=[])
	order = make_document()
	with pytest.raises(frappe.ValidationError, match=r"Plans of the workflow Production are running"):
		frappe.rename_doc("Milestone Workflow", "Production", "Others", merge=True)
	order.status = "Inspected"
	with pytest.raises(frappe.ValidationError, match=r"Book the inspector"):
		order.save()


def test_a_workflow_without_plans_is_merged_and_one_with_plans_renamed():
	make_workflow("First", enabled=0)
	make_workflow()
	order = make_document()
	frappe.rename_doc("Milestone Workflow", "First", "Production", merge=True)
	frappe.rename_doc("Milestone Workflow", "Production", "New name")
	assert plan_of(order).workflow == "New name"


def test_editing_a_workflow_changes_only_plans_made_later():
	workflow = make_workflow()
	before = make_document()
	workflow.append("tasks", task("Cut", "Order the cloth"))
	workflow.save()
	after = make_document()
	assert (plan_of(before).workflow_version, plan_of(after).workflow_version) == (1, 2)
	assert [row.open_required for row in plan_of(before).stages] == [0, 1, 1]
	assert [row.open_required for row in plan_of(after).stages] == [1, 1, 1]


def test_a_plan_cancelled_by_hand_needs_a_reason_and_may_be_started_again():
	make_workflow()
	order = make_document()
	first = plan_of(order).name
	with pytest.raises(frappe.ValidationError, match=r"Enter a reason"):
		api.cancel_plan(first, "")
	api.cancel_plan(first, "The buyer wants it otherwise")
	assert frappe.db.get_value("Milestone Plan", first, "status") == "Cancelled"
	booking = task_of(order, "Book the inspector")
	assert (booking.status, booking.reason) == ("Cancelled", "The buyer wants it otherwise")
	answer = api.start_plan(ORDER, order.name)
	assert answer["plan"]["status"] == "Active" and answer["plan"]["name"] != first
	order.status = "Inspected"
	with pytest.raises(frappe.ValidationError, match=r"Book the inspector"):
		order.save()


def test_a_plan_started_again_takes_no_milestone_as_reached_that_was_gone_back_from():
	make_workflow(tasks=[])
	order = make_document()
	for status in ("Cut", "Open", "Inspected"):
		order.status = status
		order.save()
		end_transaction()
	before = status_of(order)
	api.cancel_plan(plan_of(order).name, "By mistake")
	api.start_plan(ORDER, order.name)
	assert status_of(order) == before == {"Cut": "Open", "Inspected": "Reached", "Shipped": "Open"}


def test_a_fault_while_a_plan_is_made_is_logged_and_the_document_is_saved():
	workflow = make_workflow()
	frappe.db.set_value("Milestone Workflow Stage", workflow.stages[0].name, "key_date_rule", "Nonsense")
	frappe.clear_document_cache("Milestone Workflow", workflow.name)
	order = make_document()
	assert frappe.db.exists(ORDER, order.name)
	assert plan_of(order) is None
	assert frappe.db.exists("Error Log", {"method": ("like", f"Milestone plan of {ORDER} {order.name}%")})
