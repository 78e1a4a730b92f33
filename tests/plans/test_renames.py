"""Names change: of documents, of the values a stage waits for, of whole DocTypes. Plans go on as before."""

import json

import frappe
import pytest

from milestone_automation.engine.base.guard import GateError
from milestone_automation.engine.plans import ending, renaming, starting
from milestone_automation.engine.progress import stages, tasks
from milestone_automation.engine.store import plan_rows
from tests.support.factories import (
	ORDER,
	ensure_production_order,
	events_of,
	make_document,
	make_workflow,
	plan_of,
	stage,
	status_of,
	task,
	task_of,
)


@pytest.fixture
def waiting_for_a_state(production_order):
	"""An order whose plan waits for a workflow state by that state's name."""
	frappe.get_doc({"doctype": "Workflow State", "workflow_state_name": "Looked At"}).insert()
	approved = stage("Approved", reach_rule="Field Value", track_field="state", track_value="Looked At")
	make_workflow(stages=[approved, stage("Shipped", "Shipped")], tasks=[task("Approved", "Ask the buyer")])
	return make_document()


def test_a_stage_waits_for_the_new_name_of_its_value(waiting_for_a_state):
	order = waiting_for_a_state
	frappe.rename_doc("Workflow State", "Looked At", "Approved by Buyer", force=True)
	order.reload()
	order.state = "Approved by Buyer"
	with pytest.raises(GateError, match=r"Ask the buyer"):
		order.save()
	tasks.complete(task_of(order, "Ask the buyer").name)
	order.reload()
	order.state = "Approved by Buyer"
	order.save()
	assert status_of(order) == {"Approved": "Reached", "Shipped": "Open"}
	workflow = frappe.get_doc("Milestone Workflow", plan_of(order).workflow)
	assert workflow.stages[0].track_value == "Approved by Buyer"


def test_the_new_name_of_a_value_it_has_is_no_change_of_the_document(waiting_for_a_state):
	order = waiting_for_a_state
	tasks.complete(task_of(order, "Ask the buyer").name)
	order.state = "Looked At"
	order.save()
	stages.undo(plan_of(order).name, "Approved", "Asked the wrong buyer")
	before = events_of(order)
	frappe.rename_doc("Workflow State", "Looked At", "Approved by Buyer", force=True)
	order.reload()
	order.note = "nothing to do with it"
	order.save()
	assert status_of(order)["Approved"] == "Open"
	assert events_of(order) == before


def test_many_plans_follow_the_new_name_of_their_value_batch_by_batch(
	waiting_for_a_state, monkeypatch, count_queries
):
	plans = [plan_of(waiting_for_a_state).name, *(plan_of(make_document()).name for _number in range(2))]
	snapshot = {"snapshot": json.dumps({"state": "Looked At"})}
	frappe.db.set_value("Milestone Plan", {"name": ("in", plans)}, snapshot)
	monkeypatch.setattr(renaming, "BATCH", 2)
	with count_queries() as counted:
		renaming.rename_value("Workflow State", "Looked At", "Approved by Buyer")
	stored = frappe.get_all("Milestone Plan", {"name": ("in", plans)}, pluck="snapshot")
	assert [json.loads(text)["state"] for text in stored] == ["Approved by Buyer"] * 3
	in_lists = [text for text in counted.statements if "snapshot" in text and " in (" in text.lower()]
	assert in_lists
	assert not [text for text in in_lists if all(name in text for name in plans)]


def test_steps_that_start_a_plan_follow_the_new_name_of_its_workflow(production_order):
	make_workflow("Overseas", stages=[stage("Shipped", "Shipped")], tasks=[], condition="doc.pieces == 99")
	steps = [
		{"action": "Start Next Plan", "workflow": "Overseas"},
		{"action": "Set Value", "field": "note", "value": "Overseas"},
	]
	make_workflow(completed_actions=json.dumps(steps))
	plan = plan_of(make_document()).name
	frappe.rename_doc("Milestone Workflow", "Overseas", "Übersee")
	steps[0]["workflow"] = "Übersee"
	for doctype, name in (("Milestone Workflow", "Production"), ("Milestone Plan", plan)):
		assert json.loads(frappe.db.get_value(doctype, name, "completed_actions")) == steps


def test_an_earlier_plan_is_called_by_the_new_name_of_its_document_too(production_order):
	make_workflow()
	order = make_document()
	ending.cancel_by_hand(plan_rows.load(ORDER, order.name, lock=True), "Ordered anew")
	starting.start(order, by_hand=True)
	frappe.rename_doc(ORDER, order.name, "ORDER-ANEW")
	titles = frappe.get_all("Milestone Plan", {"reference_name": "ORDER-ANEW"}, pluck="title")
	assert titles == ["ORDER-ANEW: Production"] * 2


def test_a_plan_that_comes_to_another_document_takes_it_as_it_is(production_order):
	early = make_document(status="Inspected")
	make_workflow()
	order = make_document()
	frappe.rename_doc(ORDER, order.name, early.name, merge=True, force=True)
	kept = frappe.get_doc(ORDER, early.name)
	kept.title = "Both in one"
	kept.save()
	assert plan_of(kept).status == "Active"
	kept.status = "Shipped"
	with pytest.raises(GateError, match=r"Sign the packing list"):
		kept.save()


def test_documents_of_a_renamed_doctype_keep_their_plans_and_the_gate(scratch_site):
	with scratch_site("app").connect():
		if frappe.db.db_type == "sqlite":
			pytest.skip("Frappe cannot rename a DocType on SQLite.")
		ensure_production_order()
		make_workflow()
		order = make_document()
		plan = plan_of(order).name
		frappe.db.commit()
		frappe.rename_doc("DocType", ORDER, "Renamed Order", force=True)
		frappe.db.commit()
		renamed = frappe.get_doc("Renamed Order", order.name)
		renamed.status = "Inspected"
		with pytest.raises(GateError, match=r"Book the inspector"):
			renamed.save()
		frappe.db.rollback()
		renamed = frappe.get_doc("Renamed Order", order.name)
		renamed.status = "Cut"
		renamed.save()
		assert [row.name for row in frappe.get_all("Milestone Plan")] == [plan]
		assert status_of(renamed)["Cut"] == "Reached"
