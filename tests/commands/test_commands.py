"""`bench milestones …` as an administrator types it, each on a site with plans that somebody may have broken."""

import json
from pathlib import Path

import frappe
import pytest
from click.testing import CliRunner
from frappe.utils import add_days, nowdate

from milestone_automation.commands import milestones
from milestone_automation.engine.base import indexes
from milestone_automation.engine.base.guard import GateError
from milestone_automation.engine.progress import holding
from tests.support.factories import (
	ORDER,
	ensure_production_order,
	make_document,
	make_workflow,
	plan_of,
	stage,
	task,
	task_of,
)

WORKFLOW = "Production"


@pytest.fixture
def plans(scratch_site):
	"""A site with one order whose only task was due yesterday, and one without a plan."""
	scratch = scratch_site()
	with scratch.connect():
		ensure_production_order()
		without = make_document(delivery_date=add_days(nowdate(), 20))
		make_workflow(
			WORKFLOW,
			stages=[stage("Shipped", "Shipped")],
			tasks=[task("Shipped", "Sign the packing list", 2)],
		)
		order = make_document(delivery_date=add_days(nowdate(), 1))
		frappe.db.commit()  # the command is another process
		scratch.order, scratch.without = order, without
		yield scratch


def asked(scratch, *arguments):
	"""What a command prints as JSON."""
	return json.loads(scratch.bench("milestones", *arguments, "--json").stdout)


def findings(scratch, *arguments, code: int = 0) -> dict[str, list[str]]:
	"""What the doctor finds wrong, by check; it must end with this exit code."""
	done = scratch.bench("milestones", "doctor", "--json", *arguments, check=False)
	assert done.returncode == code, done.stdout + done.stderr
	return {row["check"]: row["faults"] for row in json.loads(done.stdout) if row["faults"]}


def test_status_plans_and_due_say_what_there_is(plans):
	status = asked(plans, "status")
	assert (status["tracked"], status["workflows"], sum(status["plans"].values())) == (1, 1, 1)
	(plan,) = asked(plans, "plans", "--workflow", WORKFLOW)
	assert (plan["reference_name"], plan["current_stage"]) == (plans.order.name, "Shipped")
	(row,) = asked(plans, "due")
	assert (row["kind"], row["what"], row["due"]) == (
		"Task",
		"Sign the packing list",
		str(add_days(nowdate(), -1)),
	)
	assert [row["kind"] for row in asked(plans, "due", "--days", 3)] == ["Task", "Milestone"]
	assert "Production" in plans.bench("milestones", "plans").stdout
	assert plans.bench("milestones", "plans", "--health", "Done").stdout.strip() == "None."


def test_start_plans_gives_existing_documents_their_plan_once(plans):
	assert asked(plans, "start-plans", WORKFLOW)["started"] == 1
	assert asked(plans, "start-plans", WORKFLOW)["started"] == 0
	frappe.db.rollback()
	assert plan_of(plans.without)
	done = plans.bench("milestones", "start-plans", "Nowhere", check=False)
	assert (done.returncode, "There is no workflow Nowhere" in done.stderr) == (1, True)


def test_sweep_asks_whoever_is_due(plans):
	frappe.db.set_single_value("Milestone Settings", "sweep_time", "00:00:00")  # whatever the hour is now
	frappe.db.commit()  # the command is another process
	shown = plans.bench("milestones", "sweep").stdout
	assert [line.split()[0] for line in shown.splitlines()] == ["Sweeping", "Messages"]
	frappe.db.rollback()
	assert frappe.get_all("Milestone Message", {"plan": plan_of(plans.order).name})
	assert plans.bench("milestones", "sweep").stdout.split()[-1] == "0"


@pytest.mark.one_database
def test_a_workflow_goes_to_another_site_and_is_the_same_there(plans, tmp_path):
	file = tmp_path / "workflow.json"
	plans.bench("milestones", "export-workflow", WORKFLOW, "--output", file)
	done = plans.bench("milestones", "import-workflow", file, check=False)
	assert done.returncode == 1
	assert "Choose another one with --name" in done.stderr
	plans.bench("milestones", "import-workflow", file, "--name", "Copied")
	frappe.db.rollback()
	copied, original = (frappe.get_doc("Milestone Workflow", name) for name in ("Copied", WORKFLOW))
	assert (copied.enabled, copied.document_type) == (0, ORDER)
	assert [(row.stage_name, row.track_value) for row in copied.stages] == [
		(row.stage_name, row.track_value) for row in original.stages
	]
	assert [(row.stage, row.title) for row in copied.tasks] == [
		(row.stage, row.title) for row in original.tasks
	]


@pytest.mark.one_database
def test_exit_criteria_go_along_to_another_site_and_hold_there(plans, tmp_path):
	file = tmp_path / "workflow.json"
	original = frappe.get_doc("Milestone Workflow", WORKFLOW)
	original.stages[0].exit_criteria = json.dumps(
		[
			{"kind": "File Is Attached", "label": "The packing list is attached"},
			{"kind": "Field Is Set", "field": "note", "required": 0},
			{
				"kind": "Other Document Exists",
				"doctype": ORDER,
				"link_field": "amended_from",
				"condition": "doc.pieces > 1",
			},
		]
	)
	original.tasks = []
	original.save()
	frappe.db.commit()  # the command is another process
	plans.bench("milestones", "export-workflow", WORKFLOW, "--output", file)
	plans.bench("milestones", "import-workflow", file, "--name", "Copied")
	frappe.db.rollback()
	copied = frappe.get_doc("Milestone Workflow", "Copied")
	assert (
		copied.stages[0].exit_criteria
		== frappe.get_doc("Milestone Workflow", WORKFLOW).stages[0].exit_criteria
	)
	copied.update({"enabled": 1, "priority": 9})
	copied.save()
	order = make_document()
	assert plan_of(order).workflow == "Copied"
	order.reload()
	order.status = "Shipped"
	with pytest.raises(GateError, match="The packing list is attached"):
		order.save()


@pytest.mark.one_database
def test_an_imported_workflow_acts_for_whoever_enables_it_and_not_for_administrator(plans, tmp_path, as_user):
	file = tmp_path / "workflow.json"
	plans.bench("milestones", "export-workflow", WORKFLOW, "--output", file)
	values = json.loads(file.read_text())
	step = [{"action": "Set Value", "field": "title", "value": "Taken over"}]
	values["stages"][0] |= {"next_actions": json.dumps(step), "custom_message": "{{ doc.title }}"}
	file.write_text(json.dumps(values))
	plans.bench("milestones", "import-workflow", file, "--name", "From Elsewhere")
	frappe.db.rollback()
	stage = frappe.get_doc("Milestone Workflow", "From Elsewhere").stages[0]
	assert (stage.next_actions_by, stage.custom_message_by) == (None, None)
	reader = frappe.get_doc(
		{"doctype": "User", "email": "reader@commands.example", "first_name": "R", "send_welcome_email": 0}
	)
	reader.update({"roles": [{"role": "Milestone Manager"}]})
	reader.insert()
	frappe.permissions.add_permission(ORDER, "Milestone Manager")
	with as_user(reader.name):
		workflow = frappe.get_doc("Milestone Workflow", "From Elsewhere")
		workflow.enabled = 1
		with pytest.raises(frappe.ValidationError, match="so no next step of yours can"):
			workflow.save()
	workflow = frappe.get_doc("Milestone Workflow", "From Elsewhere")
	workflow.enabled = 1
	workflow.save()
	stage = workflow.stages[0]
	assert {stage.next_actions_by, stage.custom_message_by} == {frappe.session.user}


@pytest.mark.one_database
@pytest.mark.parametrize("text", ["[]", "{", '{"doctype": "User"}'])
def test_a_file_that_is_no_workflow_is_refused(plans, tmp_path, text):
	file = tmp_path / "other.json"
	file.write_text(text)
	done = plans.bench("milestones", "import-workflow", file, check=False)
	assert (done.returncode, "Traceback" in done.stderr) == (1, False)


def test_the_doctor_mends_a_site_that_was_broken_on_purpose(plans):
	plan = plan_of(plans.order).name
	name = indexes.INDEXES["Milestone Task"][0]
	frappe.db.set_value(ORDER, plans.order.name, "delivery_date", add_days(nowdate(), 9))  # no hook runs
	orphan = {"plan_stage": "gone", "title": "Orphan", "plan": "gone", "reference_type": ORDER}
	frappe.get_doc({"doctype": "Milestone Task", "reference_name": "gone", **orphan}).db_insert()
	indexes.drop("Milestone Task", name)
	job = "milestone_automation.engine.messages.hourly.run"
	frappe.db.delete("Scheduled Job Type", {"method": job})
	frappe.db.commit()  # the command is another process, and must wait for no lock
	found = findings(plans, code=1)
	assert found["Indexes"] == ["Milestone Task has no index on plan_stage, status."]
	assert found["Orphans"] == ["1 rows of Milestone Task have no Milestone Plan."]
	assert plans.order.name in found["Plans"][0]
	assert f"The scheduled job {job} is missing." in found["Scheduler"]
	left = findings(plans, "--fix", code=1 if "Mail" in found or "Scheduler" in found else 0)
	assert not {"Indexes", "Orphans", "Plans"} & set(left)
	frappe.db.rollback()
	assert frappe.db.exists("Scheduled Job Type", {"method": job})
	assert str(frappe.get_doc("Milestone Plan", plan).stages[0].key_date) == str(add_days(nowdate(), 9))
	assert task_of(plans.order, "Sign the packing list").name


@pytest.mark.one_database
def test_the_doctor_tells_of_what_only_people_can_mend(plans):
	frappe.db.set_single_value("System Settings", "enable_scheduler", 0)
	frappe.db.set_value("DocType", "Milestone", "module", "Automation")
	frappe.db.commit()  # as above
	found = findings(plans, code=1)
	assert "so nobody is asked or reminded" in found["Scheduler"][0]
	assert found["Milestone and Milestone Tracker"] == [
		"Milestone belongs to core again: core's file was imported after this app's."
	]


def test_due_leaves_out_plans_on_hold_and_skipped_milestones(plans):
	plan = plan_of(plans.order)
	assert [row["kind"] for row in asked(plans, "due", "--days", 3)] == ["Task", "Milestone"]
	frappe.db.set_value("Milestone Plan Stage", plan.stages[0].name, "health", "Skipped")
	frappe.db.commit()  # the command is another process
	assert [row["kind"] for row in asked(plans, "due", "--days", 3)] == ["Task"]
	frappe.db.set_value("Milestone Plan Stage", plan.stages[0].name, "health", "On Track")
	holding.put_on_hold(plan.name, "The buyer asked for it")
	frappe.db.commit()  # as above
	assert asked(plans, "due", "--days", 3) == []


@pytest.mark.one_database
def test_a_question_that_has_no_answer_is_refused_in_words(plans, tmp_path):
	for arguments, words in (
		(("plans", "--health", "Nonsense"), "'Nonsense' is not one of"),
		(("plans", "--workflow", "Nowhere"), "There is no workflow Nowhere."),
		(("plans", "--limit", "0"), "--limit"),
		(("export-workflow", WORKFLOW, "--output", tmp_path / "missing" / "x"), "No such file or directory."),
	):
		done = plans.bench("milestones", *arguments, check=False)
		assert done.returncode, arguments
		assert words in done.stderr, done.stderr
		assert "Traceback" not in done.stderr


@pytest.mark.one_database
def test_plans_lists_no_more_than_asked_for(plans):
	asked(plans, "start-plans", WORKFLOW)
	assert len(asked(plans, "plans")) == 2
	(most_urgent,) = asked(plans, "plans", "--limit", 1)
	assert most_urgent["reference_name"] == plans.order.name


@pytest.mark.one_database
def test_what_the_commands_did_can_be_read_by_programs(plans, tmp_path):
	file = tmp_path / "workflow.json"
	assert asked(plans, "export-workflow", WORKFLOW, "--output", file) == {
		"workflow": WORKFLOW,
		"file": str(file),
	}
	assert asked(plans, "import-workflow", file, "--name", "Copied") == {"workflow": "Copied", "enabled": 0}
	assert list(asked(plans, "sweep")) == ["messages"]
	(tracker,) = asked(plans, "reconcile", "--doctype", ORDER)
	assert asked(plans, "backfill", tracker, "--dry-run")["dry_run"]
	assert "Updating plans" in plans.bench("milestones", "reconcile").stdout
	log = tmp_path / "log.csv"
	assert asked(plans, "export-log", ORDER, "status", "--output", log)["file"] == str(log)


@pytest.mark.no_site
@pytest.mark.parametrize("name", sorted(milestones.commands))
def test_each_command_explains_itself_with_an_example_and_answers_programs(name):
	answer = CliRunner().invoke(milestones, [name, "--help"])
	assert answer.exit_code == 0
	example = " ".join(answer.output.split("Example:")[1].split())
	assert f"milestones {name}" in example
	assert "--json" in answer.output.split("Example:")[0]


@pytest.mark.no_site
def test_the_page_of_the_commands_names_them_all():
	page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
	assert [name for name in milestones.commands if f"`{name}" not in page] == []
