"""The calls of the API: the examples of docs/api.md as they stand there, methods, rights, and answers over the wire."""

import inspect
import json
import re

import frappe
import pytest

from devtool.paths import ROOT
from milestone_automation import api, door
from milestone_automation.engine.progress import tasks
from tests.support.factories import (
	CLERK_ROLE,
	ORDER,
	READER_ROLE,
	make_document,
	make_workflow,
	plan_of,
	stage,
	status_of,
	task,
	task_of,
)

pytestmark = pytest.mark.usefixtures("production_order")

DOCUMENTATION = ROOT / "docs" / "api.md"
READING = {
	"compare_versions",
	"date_reasons",
	"get_stage",
	"preview_reschedule",
	"preview_shift",
	"preview_resume",
	"fields_for",
	"get_board",
	"get_chart",
	"get_count",
	"get_data_for_custom_field",
	"get_grid",
	"get_group_by_count",
	"get_linked_with",
	"get_mail_preference",
	"get_my_work",
	"get_plan",
	"get_step_actions",
	"get_ready_workflows",
	"get_tagged_docs",
	"get_timeline",
	"get_workflow_state_count",
	"global_search",
	"milestones_due_this_week",
	"my_milestones_due",
	"my_tasks_due",
	"on_time_this_month",
	"plans_by_health",
	"preview_new_version",
	"preview_workflow",
	"recorded",
	"search_links",
	"stage_events",
	"start_plans_summary",
	"task_events",
	"tracked_fields",
	"workflows_with_plans",
}


def documented_workflow():
	return make_workflow(
		stages=[
			stage("Cut", "Cut", -20),
			stage("Inspected", days=-7),
			stage("Shipped", kind="Acceptance"),
		],
		tasks=[task("Inspected", "Book the inspector", days=3)],
	)


def calls() -> dict:
	return {
		name: call
		for name, call in vars(api).items()
		if inspect.isfunction(call) and call in frappe.whitelisted
	}


def test_the_examples_of_the_documentation_run_as_they_stand_there():
	documented_workflow()
	order = make_document()
	examples = re.findall(r"```python\n(.*?)```", DOCUMENTATION.read_text(), re.DOTALL)
	assert len(examples) >= 10
	# Frappe 17 asks of which app a call is.
	known = {"order": order.name, "__name__": "milestone_automation.documented"}
	for example in examples:
		exec(compile(example, "docs/api.md", "exec"), known)
	assert status_of(order) == {"Cut": "Open", "Inspected": "Open", "Shipped": "Open"}


def test_every_call_is_in_the_documentation():
	text = DOCUMENTATION.read_text()
	assert calls()
	for name in calls():
		assert f"`{name}(" in text, f"docs/api.md says nothing of {name}"


def test_what_changes_something_takes_post_only_and_everything_is_typed():
	for name, call in calls().items():
		methods = frappe.allowed_http_methods_for_whitelisted_func[call]
		assert ("GET" in methods) == (name in READING), name
		for parameter in inspect.signature(call).parameters.values():
			assert parameter.annotation is not inspect.Parameter.empty, f"{name}: {parameter.name}"


def test_frappe_finds_an_annotation_for_each_argument_and_leaves_the_check_to_the_door():
	@door.takes(task=door.NAME, days=door.integer(0, 9))
	def call(task: str, days: int = 0) -> tuple:
		return task, days

	# Frappe 17 refuses an argument without one; every version passes over one that is a text.
	assert call.__annotations__ == {"task": "object", "days": "object"}
	assert call("T-1", days="3") == ("T-1", 3)


def test_get_plan_of_a_document_without_workflow_is_empty_and_of_a_hidden_one_refused(make_user, as_user):
	make_user("nobody@example.com", ["Blogger"] if frappe.db.exists("Role", "Blogger") else [])
	make_user("reader@example.com", [READER_ROLE])
	order = make_document()
	assert api.get_plan(ORDER, order.name)["plan"] is None
	documented_workflow()
	order = make_document()
	with as_user("reader@example.com"):
		shown = api.get_plan(ORDER, order.name)
	assert shown["may"] == {"manage": False, "start": False, "undo_cancel": False}
	assert [row["actions"] for row in shown["stages"]] == [[], [], []]
	assert [row["hidden_tasks"] for row in shown["stages"]] == [0, 0, 0]
	with as_user("nobody@example.com"), pytest.raises(frappe.PermissionError):
		api.get_plan(ORDER, order.name)
	with pytest.raises(frappe.PermissionError, match="no such order does not exist, or you may not see it"):
		api.get_plan(ORDER, "no such order")


def test_starting_a_plan_needs_the_right_to_write_the_document(make_user, as_user):
	make_user("reader@example.com", [READER_ROLE])
	make_user("clerk@example.com", [CLERK_ROLE])
	order = make_document()
	documented_workflow()
	with as_user("reader@example.com"), pytest.raises(frappe.PermissionError):
		api.start_plan(ORDER, order.name)
	assert plan_of(order) is None
	with as_user("clerk@example.com"):
		offered = api.get_plan(ORDER, order.name)
		assert (offered["workflows"], offered["may"]["start"]) == ([{"name": "Production"}], True)
		api.start_plan(ORDER, order.name)
	assert plan_of(order).status == "Active"


@pytest.mark.parametrize(
	("call", "arguments"),
	[
		("preview_workflow", ("Production", ORDER, "{order}")),
		("start_plans", ("Production",)),
		("start_plans_summary", ("Production",)),
		("cancel_plan", ("{plan}", "Not needed")),
		("preview_new_version", ("{plan}",)),
		("move_to_new_version", ("{plan}",)),
		("waive_task", ("{task}", "Not needed")),
		("cancel_task", ("{task}", "Not needed")),
		("waive_criterion", ("{plan}", "Inspected", "any", "Not needed")),
		("fields_for", (ORDER,)),
		("get_step_actions", (ORDER,)),
		("try_next_steps", (f'{{{{"document_type": "{ORDER}"}}}}', "{order}")),
		("compare_versions", ("Production",)),
	],
)
def test_what_is_for_managers_is_refused_to_a_clerk(make_user, as_user, call, arguments):
	make_user("clerk@example.com", [CLERK_ROLE])
	documented_workflow()
	order = make_document()
	names = {
		"order": order.name,
		"plan": plan_of(order).name,
		"task": task_of(order, "Book the inspector").name,
	}
	with (
		as_user("clerk@example.com"),
		pytest.raises(frappe.PermissionError, match=r"Only a System Manager or"),
	):
		getattr(api, call)(*(text.format(**names) for text in arguments))
	assert plan_of(order).status == "Active"
	assert task_of(order, "Book the inspector").status == "Open"


@pytest.mark.parametrize(
	("call", "arguments"),
	[
		("confirm_stage", ()),
		("reschedule_stage", ("2030-06-25", "Late")),
		("undo_stage", ("A mistake",)),
		("add_task", ("Weigh the boxes",)),
		("reopen_criterion", ("any", "Not needed")),
	],
)
def test_what_is_for_the_owner_of_a_stage_is_refused_to_a_clerk(make_user, as_user, call, arguments):
	make_user("clerk@example.com", [CLERK_ROLE])
	documented_workflow()
	order = make_document()
	before = task_of(order, "Book the inspector").modified
	with (
		as_user("clerk@example.com"),
		pytest.raises(frappe.PermissionError, match=r"Only the owner of Inspected"),
	):
		getattr(api, call)(plan_of(order).name, "Inspected", *arguments)
	assert status_of(order)["Inspected"] == "Open"
	assert task_of(order, "Book the inspector").modified == before


def test_a_preview_writes_nothing_and_says_what_comes():
	workflow = documented_workflow()
	workflow.enabled = 0
	workflow.save()
	order = make_document()
	counts = [
		frappe.db.count(doctype) for doctype in ("Milestone Plan", "Milestone Task", "Milestone Plan Log")
	]
	preview = api.preview_workflow("Production", ORDER, order.name)
	assert [str(row["key_date"]) for row in preview["stages"]] == ["2030-06-08", "2030-06-21", "2030-06-28"]
	assert str(preview["stages"][1]["tasks"][0]["due_date"]) == "2030-06-18"
	assert preview["problems"] == []
	assert counts == [
		frappe.db.count(doctype) for doctype in ("Milestone Plan", "Milestone Task", "Milestone Plan Log")
	]


def test_a_preview_of_a_workflow_for_another_doctype_is_refused(make_doctype):
	other = make_doctype("Foreign Order", [{"fieldname": "day", "fieldtype": "Date"}])
	make_workflow("Others", document_type=other, stages=[stage("Done", date_field="day")], tasks=[])
	order = make_document()
	with pytest.raises(
		frappe.ValidationError, match=r"The workflow Others is for Foreign Order, not for Production Order."
	):
		api.preview_workflow("Others", ORDER, order.name)


@pytest.mark.parametrize(
	("fields", "message"),
	[
		({"assignee_kind": "User Field", "assignee_field": "nonsense"}, r"has no field nonsense"),
		({"assignee_kind": "User Field"}, r"Choose the field of Production Order"),
		({"assignee_kind": "Third-Party Collaborator"}, r"Enter the collaborator's e-mail address"),
		(
			{"assignee_kind": "Third-Party Collaborator", "collaborator_email": "nonsense"},
			r"nonsense is not a valid e-mail address",
		),
		({"assignee_kind": "Role", "assignee_role": "All"}, r"Every user has the role All"),
		({"assignee_kind": "Nonsense"}, r"assignee_kind must be one of: Whole Team"),
		({"completion_rule": "Nonsense"}, r"completion_rule must be one of: Any Of, All Of"),
		({"due_days_before": 99999}, r"days are too many"),
	],
)
def test_a_task_nobody_can_do_is_not_added(fields, message):
	documented_workflow()
	plan = plan_of(make_document()).name
	with pytest.raises(frappe.ValidationError, match=message):
		api.add_task(plan, "Inspected", "Weigh the boxes", **fields)
	assert not frappe.db.exists("Milestone Task", {"title": "Weigh the boxes"})


def test_a_new_task_brings_no_outcome_along(make_user):
	make_user("clerk@example.com", [CLERK_ROLE])
	documented_workflow()
	plan = plan_of(make_document()).name
	made = frappe.get_doc(
		{
			"doctype": "Milestone Task",
			"title": "Weigh the boxes",
			"plan": plan,
			"stage_name": "Inspected",
			"closed_by": "somebody",
			"closed_on": "2030-01-01",
			"reason": "done long ago",
			"overdue_reminder_on": "2030-01-01",
			"workflow_task": "another",
			"assignees": [{"user": "clerk@example.com", "done": 1, "done_on": "2030-01-01"}],
		}
	).insert()
	made.reload()
	fields = ("closed_by", "closed_on", "reason", "overdue_reminder_on", "workflow_task")
	assert [made.get(field) or None for field in fields] == [None] * 5
	assert [(row.user, row.done, row.done_on) for row in made.assignees] == [("clerk@example.com", 0, None)]


def test_an_unknown_answer_for_later_milestones_is_refused():
	documented_workflow()
	order = make_document()
	with pytest.raises(
		frappe.ValidationError,
		match=r"later_stages must be one of: Shift Too, Keep Order.",
	):
		api.reschedule_stage(plan_of(order).name, "Cut", "2030-06-10", "Late", later_stages="Nonsense")


def test_several_tasks_at_once_as_json_each_by_itself(make_user, as_user):
	make_user("clerk@example.com", [CLERK_ROLE])
	documented_workflow()
	order = make_document()
	own = tasks.add(
		plan_of(order).name,
		"Inspected",
		title="Weigh",
		assignee_kind="One Team Member",
		assignee_user="clerk@example.com",
	)
	other = task_of(order, "Book the inspector").name
	with as_user("clerk@example.com"):
		result = api.complete_tasks(json.dumps([other, own]))
	assert result["completed"] == [own]
	assert [row["task"] for row in result["failed"]] == [other]
	assert "Only an assignee of the task" in result["failed"][0]["reason"]


def test_a_changing_call_by_get_is_refused_by_the_server(server):
	answer = server.login().get("/api/method/milestone_automation.api.complete_task", params={"task": "x"})
	assert answer.status_code == 403
