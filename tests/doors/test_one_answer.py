"""What does not exist and what one may not see get the same answer, and no answer tells more than was asked with."""

import frappe
import pytest
from frappe.utils.password import update_password

from milestone_automation.engine.progress import gate
from milestone_automation.engine.store import plan_rows
from tests.support.guarded import (
	CLERK,
	MANAGER,
	ORDER,
	OUTSIDER,
	PASSWORD,
	SUPPLIER,
	make_order,
	make_workflow,
	stage,
	without_error_ids,
)

pytestmark = pytest.mark.one_database

TITLE, STAGE_NAME = "Buy the secret fabric", "Secret cutting"


@pytest.fixture(scope="module")
def hidden(served) -> dict:
	"""Names of a committed order that strangers may not see, and of its plan, stage, task and workflow."""
	with served.connect():
		make_workflow(
			"Secret",
			stages=[stage(STAGE_NAME, owner_kind="User", owner_user=CLERK, gate_mode="Warn")],
			tasks=[{"stage": STAGE_NAME, "title": TITLE, "required": 1, "assignee_kind": "One Team Member",
				"assignee_user": CLERK}],
			condition="doc.title == 'Secret'",
		)  # fmt: skip
		order = make_order(title="Secret")
		plan = frappe.db.get_value("Milestone Plan", {"reference_name": order.name})
		row = frappe.db.get_value("Milestone Plan Stage", {"parent": plan})
		job = frappe.db.get_value("Milestone Task", {"plan": plan})
		about = {
			"plan": plan,
			"reference_type": ORDER,
			"reference_name": order.name,
			"stage_name": STAGE_NAME,
		}
		step = frappe.get_doc({"doctype": "Milestone Next Step", "action": "Submit", **about}).insert().name
		# The web server is another process.
		frappe.db.commit()  # nosemgrep: frappe-manual-commit
		return {"order": order.name, "plan": plan, "stage": row, "task": job, "step": step}


ABOUT_DOCUMENT = ("get_plan", "get_timeline", "start_plan")
ABOUT_PLAN = (
	("confirm_stage", {"stage": "{stage}"}),
	("reschedule_stage", {"stage": "{stage}", "new_date": "2030-07-01", "reason": "x"}),
	("preview_reschedule", {"stage": "{stage}", "new_date": "2030-07-01"}),
	("undo_stage", {"stage": "{stage}", "reason": "x"}),
	("add_task", {"stage": "{stage}", "title": "x"}),
	("reopen_criterion", {"stage": "{stage}", "criterion": "x", "reason": "x"}),
	("answer_reached", {"stage": "{stage}"}),
	("propose_date", {"stage": "{stage}", "new_date": "2030-07-01", "reason": "x"}),
	("answer_on_track", {"stage": "{stage}"}),
	("answer_not_yet", {"stage": "{stage}", "new_date": "2030-07-01", "reason": "x"}),
)
ABOUT_TASK = (
	("complete_task", {}),
	("reopen_task", {"reason": "x"}),
	("undo_complete_task", {}),
)
OF_MANAGERS = (("waive_task", {"reason": "x"}), ("cancel_task", {"reason": "x"}))
PLANS_OF_MANAGERS = (
	("cancel_plan", {"reason": "x"}),
	("undo_cancel_plan", {"reason": "x"}),
	("hold_plan", {"reason": "x"}),
	("waive_criterion", {"stage": "nothing", "criterion": "x", "reason": "x"}),
	("accept_date", {"stage": "nothing"}),
	("decline_date", {"stage": "nothing", "reason": "x"}),
	("preview_resume", {}),
	("resume_plan", {}),
	("preview_new_version", {}),
	("move_to_new_version", {}),
)


def answer_to(served, user: str, method: str, arguments: dict, given: str) -> tuple[int, str]:
	"""Status and words of an answer, with NAME for the name that was asked with."""
	answer = served.call(user, method, **arguments)
	assert TITLE not in answer.text
	assert STAGE_NAME not in answer.text
	said = answer.json()
	words = without_error_ids(str([said.get("_server_messages"), said.get("message")]))
	return answer.status_code, words.replace(given, "NAME")


def assert_same(served, user: str, method: str, argument: str, known: str, others: dict) -> None:
	"""A name that is there and one that is not get one answer."""
	answers = {
		answer_to(served, user, method, {argument: name, **others}, name) for name in (known, "abcdefghij")
	}
	assert len(answers) == 1
	((status, words),) = answers
	assert status == 403
	assert "NAME does not exist, or you may not see it." in words


@pytest.mark.parametrize("user", [OUTSIDER, SUPPLIER])
@pytest.mark.parametrize("method", ABOUT_DOCUMENT)
def test_a_document(served, hidden, user, method):
	assert_same(served, user, method, "name", hidden["order"], {"doctype": ORDER})


@pytest.mark.parametrize("user", [OUTSIDER, SUPPLIER])
def test_a_doctype(served, hidden, user):
	answers = {
		answer_to(served, user, "get_plan", {"doctype": doctype, "name": hidden["order"]}, doctype)
		for doctype in (ORDER, "No Such Kind")
	}
	assert len(answers) == 1


@pytest.mark.parametrize("user", [OUTSIDER, SUPPLIER])
@pytest.mark.parametrize(("method", "arguments"), ABOUT_PLAN)
def test_a_plan_and_its_milestones(served, hidden, user, method, arguments):
	for stage_named in (hidden["stage"], STAGE_NAME, "nothing"):
		given = {name: value.format(stage=stage_named) for name, value in arguments.items()}
		assert_same(served, user, method, "plan", hidden["plan"], given)


@pytest.mark.parametrize("user", [OUTSIDER, SUPPLIER])
@pytest.mark.parametrize(("method", "arguments"), ABOUT_TASK)
def test_a_task(served, hidden, user, method, arguments):
	assert_same(served, user, method, "task", hidden["task"], arguments)


def test_a_manager_without_the_documents_learns_no_more(served, hidden, make_user):
	lone = "lone@guarded.example"
	with served.connect():
		make_user(lone, ["Milestone Manager"])
		update_password(lone, PASSWORD)
		# The web server is another process.
		frappe.db.commit()  # nosemgrep: frappe-manual-commit
	for method, arguments in OF_MANAGERS + ABOUT_TASK:
		assert_same(served, lone, method, "task", hidden["task"], arguments)
	for method, arguments in PLANS_OF_MANAGERS:
		assert_same(served, lone, method, "plan", hidden["plan"], arguments)
	assert_same(served, lone, "run_next_step_again", "step", hidden["step"], {})
	assert_plans_alike(served, lone, hidden["plan"], "cancel_selected_plans", reason="Not needed")
	for method in ("preview_draft", "try_next_steps"):
		draft = {"document_type": ORDER, "stages": []}
		assert_same(served, lone, method, "name", hidden["order"], {"workflow": draft})
	assert_same(
		served, lone, "preview_workflow", "name", hidden["order"], {"workflow": "Secret", "doctype": ORDER}
	)
	assert_same(served, lone, "fields_for", "doctype", ORDER, {})
	assert_same(served, lone, "get_step_actions", "doctype", ORDER, {})


def test_several_tasks_at_once(served, hidden):
	answer = served.call(OUTSIDER, "complete_tasks", tasks_to_complete=[hidden["task"], "abcdefghij"])
	reasons = [row["reason"].replace(row["task"], "NAME") for row in answer.json()["message"]["failed"]]
	assert len(reasons) == 2
	assert len(set(reasons)) == 1
	assert TITLE not in answer.text


def test_several_plans_at_once(served, hidden):
	assert_plans_alike(served, OUTSIDER, hidden["plan"], "confirm_current_milestones")


def assert_plans_alike(served, user, plan: str, method: str, **arguments) -> None:
	answer = served.call(user, method, plans=[plan, "abcdefghij"], **arguments)
	refused = answer.json()["message"]["refused"]
	assert {row["reason"].replace(row["plan"], "NAME") for row in refused} == {
		"Milestone Plan NAME does not exist, or you may not see it."
	}
	assert [row["reference_name"] for row in refused] == [None, None]


def test_an_assignment_names_no_task_its_writer_may_not_see(served, hidden):
	todo = {
		"reference_type": "Milestone Task",
		"reference_name": hidden["task"],
		"description": "Mine now",
	}
	for allocated_to in (OUTSIDER, CLERK, MANAGER):
		answer = served.client(OUTSIDER).post(
			"/api/resource/ToDo", json=todo | {"allocated_to": allocated_to}
		)
		assert answer.status_code == 403, answer.text
		assert TITLE not in answer.text
		# For others Frappe itself refuses it.
		assert allocated_to != OUTSIDER or "You may not assign the task" in answer.text
	add = {"doctype": "Milestone Task", "name": hidden["task"], "assign_to": f'["{OUTSIDER}"]'}
	answer = served.client(OUTSIDER).post("/api/method/frappe.desk.form.assign_to.add", json=add)
	assert answer.status_code in (403, 417)
	assert TITLE not in answer.text


def test_a_milestone_that_is_named_wrongly_is_told_to_those_who_see_the_plan(served, hidden):
	answer = served.call(CLERK, "confirm_stage", plan=hidden["plan"], stage="nothing")
	assert answer.status_code == 404
	assert f"This plan has no milestone nothing. It has: {STAGE_NAME}." in answer.text


def test_a_warning_lists_only_tasks_the_reader_may_see(guarded, as_user, make_user):
	make_workflow(
		"Warned",
		stages=[stage("Cut", gate_mode="Warn")],
		tasks=[{"stage": "Cut", "title": TITLE, "required": 1}],
	)
	order = make_order()
	plan = plan_rows.load(ORDER, order.name)
	for user, seen in ((CLERK, True), (SUPPLIER, False)):
		with as_user(user):
			frappe.local.message_log = []
			gate.check_stage(plan, plan.stages[0])
			assert (TITLE in str(frappe.local.message_log)) is seen
