"""Each rule of a workflow is the same in a file, over REST, in a copy, and in the plan that is made of it."""

import json

import frappe
import pytest
from frappe.client import get, insert

from milestone_automation.commands import plans as plan_commands
from milestone_automation.engine.workflows import authors
from tests.support.factories import CLERK_ROLE, ORDER, make_document, make_workflow, plan_of

pytestmark = pytest.mark.usefixtures("production_order")

DOCTYPES = ("Milestone Workflow", "Milestone Workflow Stage", "Milestone Workflow Task")
MANAGER, OLGA = "manager@example.com", "olga@example.com"
# What the server keeps, and what a copy decides anew.
KEPT = {*plan_commands.UNEXPORTED, "workflow_name", "enabled"}
STEP = json.dumps([{"action": "Add Tag", "tag": "done"}])
AT_THE_END = json.dumps([{"action": "Add Tag", "tag": "finished", "when": "Plan Completed"}])
RULES = {
	"priority": 7,
	"document_filters": json.dumps([[ORDER, "pieces", ">", 0]]),
	"condition": "doc.pieces > 1",
	"earlier_tasks_block": 1,
	"reached_in_order": 1,
	"new_documents": "Accept as Reached",
	"imported_documents": "Refuse",
	"later_stages": "Ask",
	"owners_propose": 1,
	"escalation_role": "Milestone Manager",
	"escalate_after_days": 3,
	"team_role": CLERK_ROLE,
	"team_group": "Travelling Team",
	"supplier_field": "supplier",
	"shown_fields": "title\npieces",
	"completed_actions": AT_THE_END,
	"description": "From the sample to the ship",
}
STAGES = (
	{
		"stage_name": "Sampled",
		"owner_kind": "User Field",
		"owner_field": "responsible",
		"notify_users": OLGA,
		"notify_role": CLERK_ROLE,
		"key_date_rule": "After Creation",
		"offset_days": 5,
		"working_days": 1,
		"exit_criteria": json.dumps([{"kind": "Field Is Set", "field": "note"}]),
		"custom_message": "Is {{ doc.title }} sampled?",
		"warning_lead_days": 4,
		"task_lead_days": 2,
		"check_in_days": 6,
		"remind_after_days": 3,
		"remind_every_days": 2,
		"remind_at_most": 5,
		"next_actions": STEP,
	},
	{
		"stage_name": "Cut",
		"owner_kind": "User",
		"owner_user": OLGA,
		"dependency": "Nothing",
		"key_date_rule": "Document Date Field",
		"date_field": "delivery_date",
		"offset_days": -9,
		"reach_rule": "Field Value",
		"track_field": "status",
		"track_value": "Cut",
		"gate_mode": "Warn",
	},
	{
		"stage_name": "Trimmed",
		"owner_kind": "Third-Party Collaborator",
		"owner_name": "The Mill",
		"owner_email": "mill@example.org",
		"dependency": "Chosen Milestones",
		"predecessors": "Sampled",
		"offset_days": 3,
	},
	{"stage_name": "Accepted", "kind": "Acceptance", "owner_kind": "Role", "owner_role": CLERK_ROLE},
)
TASKS = (
	{
		"stage": "Cut",
		"title": "Lay the fabric",
		"description": "Two layers",
		"required": 1,
		"assignee_kind": "One Team Member",
		"assignee_user": OLGA,
		"due_days_before": 2,
		"working_days": 1,
	},
	{
		"stage": "Cut",
		"title": "Check the widths",
		"assignee_kind": "Role",
		"assignee_role": CLERK_ROLE,
		"completion_rule": "All Of",
		"after_tasks": "Lay the fabric",
	},
	{"stage": "Cut", "title": "Mark", "assignee_kind": "User Field", "assignee_field": "inspector"},
	{
		"stage": "Sampled",
		"title": "Send the lab dips",
		"assignee_kind": "Third-Party Collaborator",
		"collaborator_name": "The Mill",
		"collaborator_email": "mill@example.org",
	},
)


@pytest.fixture
def workflow(make_user):
	"""A workflow in which every rule that there is says something."""
	make_user(OLGA, roles=[CLERK_ROLE])
	make_user(MANAGER, roles=["Milestone Manager", CLERK_ROLE])
	group = {"doctype": "User Group", "name": "Travelling Team", "user_group_members": [{"user": OLGA}]}
	frappe.get_doc(group).insert(set_name="Travelling Team")
	return make_workflow("Travelling", stages=STAGES, tasks=TASKS, **RULES)


def rules_of(name: str) -> dict:
	"""All that a stored workflow says, by DocType: values of fields that a person has written."""
	workflow = frappe.get_doc("Milestone Workflow", name)
	tables = ([workflow], workflow.stages, workflow.tasks)
	return {
		doctype: [{name: row.get(name) or None for name in written_fields(doctype)} for row in rows]
		for doctype, rows in zip(DOCTYPES, tables, strict=True)
	}


def written_fields(doctype: str) -> list[str]:
	fields = frappe.get_meta(doctype).fields
	return [
		field.fieldname
		for field in fields
		if field.fieldtype not in frappe.model.no_value_fields
		and field.fieldtype not in frappe.model.table_fields
		and field.fieldname not in KEPT
	]


def test_this_workflow_uses_every_rule(workflow):
	for doctype, rows in rules_of(workflow.name).items():
		assert [name for name in written_fields(doctype) if not any(row[name] for row in rows)] == []


def test_in_a_file_every_rule_is_the_same(workflow):
	file = json.loads(json.dumps(plan_commands._exported(workflow), default=str))
	assert not set(file) & set(authors.AUTHOR_FIELDS)
	copied = frappe.get_doc(file | {"workflow_name": "From a File", "enabled": 0}).insert()
	assert rules_of(copied.name) == rules_of(workflow.name)


def test_over_rest_every_rule_is_the_same(workflow, as_user):
	with as_user(MANAGER):
		sent = get("Milestone Workflow", workflow.name)
		for row in (sent, *sent["stages"], *sent["tasks"]):
			for name in ("name", "parent", "creation", "modified", "owner"):
				row.pop(name, None)
		made = insert(json.dumps(sent | {"workflow_name": "Over REST", "enabled": 0}, default=str))
	assert rules_of(made["name"]) == rules_of(workflow.name)


def test_in_a_copy_every_rule_is_the_same(workflow):
	copied = frappe.copy_doc(workflow)
	copied.update({"workflow_name": "Copied", "enabled": 0})
	copied.insert()
	assert rules_of(copied.name) == rules_of(workflow.name)


def test_a_plan_has_every_rule_of_its_workflow(workflow):
	order = make_document(title="Shirt", pieces=2, note="Red", responsible=OLGA, inspector=OLGA)
	plan = plan_of(order)
	for ours, theirs, rows, planned in (
		("Milestone Plan", "Milestone Workflow", [workflow], [plan]),
		("Milestone Plan Stage", "Milestone Workflow Stage", workflow.stages, plan.stages),
	):
		common = set(written_fields(theirs)) & {field.fieldname for field in frappe.get_meta(ours).fields}
		for row, copied in zip(rows, planned, strict=True):
			told = {name: (row.get(name) or None, copied.get(name) or None) for name in sorted(common)}
			assert {name: both for name, both in told.items() if both[0] != both[1]} == {}
