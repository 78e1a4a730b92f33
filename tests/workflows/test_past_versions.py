"""What changed between two versions of a workflow, said in sentences."""

import json

import frappe
import pytest

from milestone_automation.engine.workflows import past_versions

pytestmark = pytest.mark.one_database


@pytest.fixture
def workflow(make_doctype):
	"""A workflow at version 1: two milestones, a task each."""
	coat = make_doctype(
		"Compared Coat",
		[
			{
				"fieldname": "status",
				"label": "Status",
				"fieldtype": "Select",
				"options": "Cut\nSewn\nShipped",
			},
			{"fieldname": "ship_date", "label": "Ship Date", "fieldtype": "Date"},
		],
	)
	return frappe.get_doc(
		{
			"doctype": "Milestone Workflow",
			"workflow_name": "Coats",
			"document_type": coat,
			"stages": [
				{"stage_name": "Sewn", "key_date_rule": "After Creation", "offset_days": 9},
				{"stage_name": "Shipped", "key_date_rule": "After Previous Milestone", "offset_days": 7},
			],
			"tasks": [
				{"stage": "Sewn", "title": "Check the seams", "due_days_before": 2},
				{"stage": "Shipped", "title": "Book the truck", "required": 1},
			],
		}
	).insert()


def save(workflow) -> None:
	"""Save with a history, which Frappe leaves out in tests."""
	workflow.save(ignore_version=False)


def sentences(workflow, *versions) -> list[str]:
	return [change["text"] for change in past_versions.compare(workflow, *versions)["changes"]]


def test_a_new_workflow_has_one_version_and_nothing_to_compare(workflow):
	found = past_versions.compare(workflow)

	assert [one["version"] for one in found["versions"]] == [1]
	assert (found["earlier"], found["later"], found["changes"]) == (None, 1, [])


def test_what_was_added_removed_renamed_and_changed_is_said_by_name_and_label(workflow):
	workflow.stages[0].update({"stage_name": "All sewn", "key_date_rule": "Document Date Field"})
	workflow.stages[0].update({"date_field": "ship_date", "offset_days": -14})
	workflow.tasks[0].stage = "All sewn"
	workflow.remove(workflow.tasks[1])
	workflow.append("stages", {"stage_name": "Paid", "key_date_rule": "After Previous Milestone"})
	workflow.append("tasks", {"stage": "Paid", "title": "Send the invoice"})
	workflow.earlier_tasks_block = 1
	save(workflow)

	assert sentences(workflow) == [
		"Block Later Milestones While Required Tasks of Earlier Ones Are Open: No before, Yes now.",
		"The milestone Sewn is called All sewn now.",
		"All sewn, Key Date: After Creation before, Document Date Field now.",
		"All sewn, Date Field: empty before, Ship Date now.",
		"All sewn, Days: 9 before, -14 now.",
		"The milestone Paid was added.",
		"The task Send the invoice of Paid was added.",
		"The task Book the truck of Shipped was removed.",
	]


def test_any_two_versions_are_compared_and_saves_that_do_not_count_are_none(workflow):
	workflow.stages[1].offset_days = 1200
	save(workflow)
	workflow.update({"priority": 5, "description": "For coats"})
	save(workflow)
	workflow.stages[1].offset_days = 12
	workflow.tasks[1].stage = "Sewn"
	save(workflow)

	found = past_versions.compare(workflow)
	assert [one["version"] for one in found["versions"]] == [3, 2, 1]
	assert sentences(workflow, 1, 2) == ["Shipped, Days: 7 before, 1200 now."]
	assert sentences(workflow, 2, 3) == [
		"Shipped, Days: 1200 before, 12 now.",
		"The task Book the truck was moved from Shipped to Sewn.",
	]
	assert sentences(workflow, 1, 3)[0] == "Shipped, Days: 7 before, 12 now."


def test_longer_texts_come_with_their_lines_and_criteria_as_they_are_read(workflow):
	workflow.stages[1].custom_message = "Is it shipped?\nPlease say so."
	criteria = [{"kind": "File Is Attached"}, {"kind": "Field Is Set", "field": "ship_date", "required": 0}]
	workflow.stages[1].exit_criteria = json.dumps(criteria)
	save(workflow)

	changes = past_versions.compare(workflow)["changes"]
	assert changes == [
		{
			"text": "Shipped: Exit Criteria was changed.",
			"before": [],
			"after": ["A file is attached", "Ship Date is set (optional)"],
		},
		{
			"text": "Shipped: Custom Message was changed.",
			"before": [],
			"after": ["Is it shipped?", "Please say so."],
		},
	]


def test_fields_shown_to_people_from_outside_are_told_by_their_labels(workflow):
	workflow.shown_fields = "status\nship_date"
	save(workflow)

	(change,) = past_versions.compare(workflow)["changes"]
	assert (change["before"], change["after"]) == ([], ["Status", "Ship Date"])


def test_rows_that_were_made_anew_are_compared_by_what_they_are_called(workflow):
	rows = [{"stage_name": "SEWN", "key_date_rule": "After Creation", "offset_days": 10}]
	workflow.set("stages", rows)
	workflow.set("tasks", [{"stage": "SEWN", "title": "Check the seams", "due_days_before": 2}])
	save(workflow)

	assert sentences(workflow) == [
		"The milestone Sewn is called SEWN now.",
		"SEWN, Days: 9 before, 10 now.",
		"The milestone Shipped was removed.",
		"The task Book the truck of Shipped was removed.",
	]


def test_a_version_that_the_history_does_not_have_is_refused(workflow):
	with pytest.raises(frappe.ValidationError, match="does not have version 7"):
		past_versions.compare(workflow, 1, 7)


def test_fields_that_the_reader_may_not_read_are_left_out(workflow, make_user, as_user):
	frappe.get_doc(
		{
			"doctype": "Property Setter",
			"doctype_or_field": "DocField",
			"doc_type": "Milestone Workflow Stage",
			"field_name": "offset_days",
			"property": "permlevel",
			"property_type": "Int",
			"value": "1",
		}
	).insert()
	frappe.clear_cache(doctype="Milestone Workflow Stage")
	workflow.stages[1].offset_days = 8
	workflow.tasks[1].required = 0
	save(workflow)

	make_user("coat-manager@example.com", ["Milestone Manager"])
	with as_user("coat-manager@example.com"):
		assert sentences(workflow) == ["Book the truck, Required: Yes before, No now."]
	frappe.clear_cache(doctype="Milestone Workflow Stage")


def test_a_next_step_is_told_with_when_and_on_which_condition_it_runs(workflow):
	step = {"action": "Set Value", "field": "status", "value": "Shipped"}
	late = {"when": "Overdue", "condition": "doc.ship_date", **step}
	workflow.stages[0].next_actions = json.dumps([step])
	save(workflow)
	workflow.stages[0].next_actions = json.dumps([late])
	save(workflow)
	(change,) = past_versions.compare(workflow)["changes"]
	assert change["before"] == ["Set Value: status, Shipped"]
	assert change["after"] == ["Overdue: Set Value: status, Shipped, if doc.ship_date"]
