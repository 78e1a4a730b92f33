"""What exit criteria of a workflow are refused for, who may ask for what, and who is told when it is lost."""

import json

import frappe
import pytest

from milestone_automation import api
from milestone_automation.engine.workflows import lost_fields
from tests.support.factories import ORDER, SUPPLIER, make_workflow, rights, stage

pytestmark = [pytest.mark.usefixtures("production_order"), pytest.mark.one_database]

PAPER = "Validated Criteria Paper"


@pytest.fixture
def paper(make_doctype):
	fields = [
		{"fieldname": "order_name", "fieldtype": "Link", "options": ORDER},
		{"fieldname": "author", "fieldtype": "Link", "options": "User"},
		{"fieldname": "grade", "fieldtype": "Int", "permlevel": 3},
	]
	return make_doctype(PAPER, fields, permissions=[{"role": "System Manager", **rights("read", "write")}])


def workflow_with(*rows: dict, **values):
	text = json.dumps(rows)
	return make_workflow(
		**{"stages": [stage("Cut", "Cut"), stage("Shipped", "Shipped", exit_criteria=text)], "tasks": ()}
		| values
	)


def refusal(*rows, **values) -> str:
	with pytest.raises(frappe.ValidationError) as refused:
		workflow_with(*rows, **values)
	return str(refused.value)


PAPER_ROW = {"kind": "Other Document Exists", "doctype": PAPER, "link_field": "order_name"}
CONDITION = {"kind": "Condition Is Met", "condition": "doc.pieces > 1", "label": "Two pieces"}


@pytest.mark.parametrize(
	("row", "said"),
	[
		({"kind": "Field Is Set"}, "Choose the field of Production Order that has to be set."),
		({"kind": "Field Is Set", "field": "gone"}, "Production Order has no field gone that can be set."),
		({"kind": "Condition Is Met", "label": "Nothing"}, "Enter the condition."),
		(CONDITION | {"label": ""}, "Enter a label: people read it instead of the condition."),
		(CONDITION | {"condition": "doc.gone"}, "has no field gone"),
		(CONDITION | {"condition": "import os"}, "is not a Python expression"),
		(CONDITION | {"label": "x" * 141}, "Its label is too long."),
		({"kind": "Other Document Exists"}, "Choose the document type that has to exist."),
		(PAPER_ROW | {"doctype": "Gone"}, "Gone does not exist, or you may not read it."),
		(PAPER_ROW | {"doctype": "System Settings"}, "has no documents of its own."),
		(PAPER_ROW | {"link_field": ""}, f"Choose the field of {PAPER} that links to Production Order."),
		(
			PAPER_ROW | {"link_field": "author"},
			f"Choose the field of {PAPER} that links to Production Order.",
		),
		(PAPER_ROW | {"condition": "doc.gone"}, f"{PAPER} has no field gone"),
	],
)
def test_what_is_refused_and_what_to_do(paper, row, said):
	text = refusal(row)
	assert "Milestone 2 (Shipped): Exit criterion 1: " in text
	assert said in text


def test_what_is_no_list_or_says_a_thing_twice_is_refused():
	assert "Exit Criteria must be a JSON list of at most 20 criteria" in refusal(
		stages=[stage("Shipped", "Shipped", exit_criteria="{")]
	)
	file = {"kind": "File Is Attached"}
	assert "Exit criterion 2: It is there twice." in refusal(file, file | {"label": "Again"})


def test_an_acceptance_takes_none():
	row = stage("Shipped", kind="Acceptance", exit_criteria='[{"kind": "File Is Attached"}]')
	assert "An acceptance milestone cannot have exit criteria." in refusal(stages=[row])


def test_a_default_value_takes_no_required_ones():
	submitted = stage("New", reach_rule="Field Value", track_field="docstatus", track_value="0")
	required = submitted | {"exit_criteria": '[{"kind": "File Is Attached"}]'}
	assert "its exit criteria could not be met before (A file is attached)" in refusal(stages=[required])
	optional = submitted | {"exit_criteria": '[{"kind": "File Is Attached", "required": 0}]'}
	assert workflow_with(stages=[optional]).name


def test_they_are_stored_tidy_and_make_a_new_version(paper):
	workflow = workflow_with(PAPER_ROW | {"field": "unused", "label": " Paper "})
	assert json.loads(workflow.stages[1].exit_criteria) == [PAPER_ROW | {"label": "Paper", "required": 1}]
	workflow.save()
	assert workflow.version == 1
	workflow.stages[1].exit_criteria = ""
	workflow.save()
	assert (workflow.version, workflow.stages[1].exit_criteria) == (2, None)


def test_the_builder_shows_problems_at_their_milestone():
	workflow = json.loads(frappe.as_json(make_workflow()))
	workflow["stages"][2]["exit_criteria"] = '[{"kind": "Field Is Set"}]'
	problems = api.check_workflow(workflow)
	assert problems["stages"][2] == [
		"Exit criterion 1: Choose the field of Production Order that has to be set."
	]
	assert problems["general"] == []


def test_the_preview_shows_ticks():
	workflow = workflow_with({"kind": "Field Is Set", "field": "note"}, enabled=0)
	order = frappe.get_doc({"doctype": ORDER, "note": "Here"}).insert()
	[row] = api.preview_workflow(workflow.name, ORDER, order.name)["stages"][1]["criteria"]
	assert (row["text"], row["state"]) == ("Note is set", "Met")


def test_a_manager_asks_only_for_what_they_may_read(paper, make_user, as_user):
	make_user("maria@example.com", ["Milestone Manager", "Production Reader"])
	with as_user("maria@example.com"):
		assert f"{PAPER} does not exist, or you may not read it." in refusal(PAPER_ROW)
	known = workflow_with(PAPER_ROW)
	with as_user("maria@example.com"):
		# What somebody else has asked for stays.
		mine = frappe.get_doc("Milestone Workflow", known.name)
		mine.description = "Changed"
		mine.save()


def test_who_may_read_only_some_other_documents_asks_neither_for_values_nor_whether_they_exist(
	make_user, as_user
):
	make_user("maria@example.com", ["Milestone Manager", "Production Reader"])
	mill = frappe.get_doc({"doctype": SUPPLIER, "title": "Mill"}).insert()
	orders = {"kind": "Other Document Exists", "doctype": ORDER, "link_field": "amended_from"}
	with_values = orders | {"condition": "doc.pieces > 4711"}
	with as_user("maria@example.com"):
		workflow_with(with_values, name="Of all orders")
	# From now on maria sees the orders of one supplier.
	frappe.get_doc(
		{"doctype": "User Permission", "user": "maria@example.com", "allow": SUPPLIER, "for_value": mill.name}
	).insert()
	with as_user("maria@example.com"):
		for row in (with_values, orders, orders | {"label": "There is a copy"}):
			text = refusal(row, name="Of hidden orders")
			assert "You may read only some documents of Production Order" in text
		draft = json.loads(frappe.as_json(workflow_with(name="A draft")))
		draft["stages"][1]["exit_criteria"] = json.dumps([orders])
		assert "You may read only some documents" in json.dumps(api.check_workflow(draft)["stages"][1])


def test_a_hidden_field_of_another_document_is_no_condition(paper, make_user, as_user):
	make_user("sam@example.com", ["Milestone Manager", "System Manager"])
	with as_user("sam@example.com"):
		text = refusal(PAPER_ROW | {"condition": "doc.grade > 3"})
	assert "It uses grade, which you may not read." in text


def test_the_workflow_says_when_a_field_is_lost(paper):
	workflow = workflow_with({"kind": "Field Is Set", "field": "note"}, PAPER_ROW)
	lost_fields.tell(ORDER, going="note")
	lost_fields.tell(PAPER, going="order_name")
	lost_fields.tell_of_doctype(PAPER)
	about = {
		"reference_doctype": "Milestone Workflow",
		"reference_name": workflow.name,
		"comment_type": "Comment",
	}
	said = " ".join(frappe.get_all("Comment", about, pluck="content"))
	assert "The field note of Production Order no longer exists." in said
	assert f"The field order_name of {PAPER} no longer exists." in said
	assert f"The document type {PAPER} no longer exists" in said


def test_a_copy_and_an_export_have_them(paper):
	workflow = workflow_with(PAPER_ROW)
	copied = frappe.copy_doc(workflow)
	assert copied.stages[1].exit_criteria == workflow.stages[1].exit_criteria
