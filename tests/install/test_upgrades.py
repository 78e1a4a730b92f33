"""A site that runs an older version of the app is migrated: what people had is there and goes on.

The older versions come out of the repository's own history. A copy without it skips these tests and says what to do; a
clone in CI fails them, as nobody reads there what was skipped.
"""

import io
import os
import subprocess
import tarfile
from pathlib import Path
from typing import NoReturn

import frappe
import pytest

from devtool.paths import ROOT
from milestone_automation import api
from tests.support.snapshots import difference, snapshot_of

pytestmark = pytest.mark.one_database

APP = "milestone_automation"
# Each version that users could install has its tables in its own way.
VERSIONS = {
	"recording, plans and messages": "d3c024a",
	"reports and next steps": "832d9b3",
	"outside owners": "e3ab0c7",
}

# Runs with the older app: its words for owners and dates differ.
STORY = """
import frappe
from milestone_automation import api

def option(fieldname, *words):
	known = frappe.get_meta("Milestone Workflow Stage").get_field(fieldname).options.split("\\n")
	return next(word for word in words if word in known)

previous = option("key_date_rule", "After Previous Stage", "After Previous Milestone")
creator = option("owner_kind", "Document Owner", "Document Creator")
frappe.get_doc({
	"doctype": "Milestone Workflow",
	"workflow_name": "House Work",
	"document_type": "ToDo",
	"enabled": 1,
	"stages": [
		{"stage_name": "Begun", "owner_kind": creator, "key_date_rule": "After Creation", "offset_days": 3,
			"reach_rule": "Confirmation"},
		{"stage_name": "Looked At", "owner_kind": creator, "key_date_rule": previous, "offset_days": 4,
			"reach_rule": "Confirmation"},
		{"stage_name": "Closed", "owner_kind": creator, "key_date_rule": previous, "offset_days": 5,
			"reach_rule": "Field Value", "track_field": "status", "track_value": "Closed"},
	],
	"tasks": [
		{"stage": "Closed", "title": "Sweep the floor", "required": 1, "due_days_before": 1},
		{"stage": "Looked At", "title": "Open the door", "required": 1, "due_days_before": 1},
	],
}).insert()
todo = frappe.get_doc({"doctype": "ToDo", "description": "of an older version"}).insert()
plan = frappe.get_doc("Milestone Plan", {"reference_type": "ToDo", "reference_name": todo.name})
api.confirm_stage(plan.name, "Begun")
api.complete_task(frappe.db.get_value("Milestone Task", {"plan": plan.name, "title": "Open the door"}))
later = frappe.utils.add_days(plan.stages[2].key_date, 10)
api.reschedule_stage(plan.name, "Closed", str(later), "Waiting for the soap")
frappe.get_doc({
	"doctype": "Milestone Tracker", "document_type": "Note", "track_field": "title"
}).insert()
frappe.get_doc({"doctype": "Note", "title": "of an older version"}).insert()
frappe.db.commit()
"""


@pytest.fixture(params=VERSIONS.values(), ids=VERSIONS)
def old_app(request, tmp_path) -> Path:
	"""A folder with an older version of the app, as it stood in the repository."""
	command = ["git", "-C", str(ROOT), "archive", request.param, APP]
	archived = subprocess.run(command, capture_output=True)
	if archived.returncode:
		without_history(request.param)
	with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as archive:
		archive.extractall(tmp_path, filter="data")
	return tmp_path


def without_history(version: str, checkout: Path = ROOT) -> NoReturn:
	"""Skip a test that needs the history; in CI it fails, unless it has an archive of the project instead of a clone."""
	missing = f"The history here does not reach back to {version}, so its upgrade is not tested."
	what_to_do = "Use a clone with all of it: git fetch --unshallow, or fetch-depth: 0 in CI."
	if os.environ.get("MILESTONE_CI") and (checkout / ".git").exists():
		pytest.fail(f"{missing} {what_to_do}")
	pytest.skip(f"{missing} {what_to_do}")


@pytest.mark.no_site
@pytest.mark.parametrize(
	("ci", "is_clone", "outcome"),
	[
		("", True, pytest.skip.Exception),
		("true", False, pytest.skip.Exception),
		("true", True, pytest.fail.Exception),
	],
)
def test_without_the_history_it_is_said_what_to_do_and_ci_fails(monkeypatch, tmp_path, ci, is_clone, outcome):
	monkeypatch.setenv("MILESTONE_CI", ci)
	if is_clone:
		(tmp_path / ".git").mkdir()
	with pytest.raises(outcome, match="git fetch --unshallow"):
		without_history("d3c024a", tmp_path)


def run_with(old_app: Path, scratch, command: list[str], code: str | None = None) -> None:
	"""Run a command of the bench with the older app in the place of ours."""
	workplace = scratch.workplace
	environment = workplace.environment()
	environment["PYTHONPATH"] = os.pathsep.join([str(old_app), environment["PYTHONPATH"]])
	options = {"cwd": workplace.sites, "env": environment, "capture_output": True, "text": True}
	done = subprocess.run(command, input=code, **options)
	assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_a_site_of_an_older_version_keeps_its_plans_and_goes_on_with_them(old_app, scratch_site):
	scratch = scratch_site("bare")
	workplace = scratch.workplace
	run_with(old_app, scratch, workplace.command("install-app", APP, site=scratch.name))
	run_with(old_app, scratch, workplace.python_command(scratch.name, "-"), STORY)

	scratch.bench("migrate")

	first = snapshot_of(scratch)
	scratch.bench("migrate")
	assert difference(first, snapshot_of(scratch)) == {}
	with scratch.connect():
		frappe.set_user("Administrator")
		todo = frappe.get_last_doc("ToDo", {"description": "of an older version"})
		check_plan(todo)
		check_milestones()
		check_it_goes_on(todo)


def check_plan(todo) -> None:
	plan = frappe.get_doc("Milestone Plan", {"reference_type": "ToDo", "reference_name": todo.name})
	assert [(row.stage_name, row.status) for row in plan.stages] == [
		("Begun", "Reached"),
		("Looked At", "Open"),
		("Closed", "Open"),
	]
	assert {row.owner_kind for row in plan.stages} == {"Document Creator"}
	assert [row.key_date_rule for row in plan.stages] == [
		"After Creation",
		"After Previous Milestone",
		"After Previous Milestone",
	]
	tasks = frappe.get_all("Milestone Task", {"plan": plan.name}, ["title", "status"], order_by="title")
	assert [(row.title, row.status) for row in tasks] == [
		("Open the door", "Completed"),
		("Sweep the floor", "Open"),
	]
	moved = frappe.get_all("Milestone Date Change", {"plan": plan.name}, ["stage_name", "status", "reason"])
	assert [(row.stage_name, row.status) for row in moved] == [("Closed", "Accepted")]
	assert "soap" in moved[0].reason


def check_milestones() -> None:
	rows = frappe.get_all("Milestone", {"reference_type": "Note"}, ["value", "reached_by", "reached_on"])
	assert [(row.value, row.reached_by) for row in rows] == [("of an older version", "Administrator")]
	assert rows[0].reached_on


def check_it_goes_on(todo) -> None:
	"""The gate holds, the open task is completed, the last milestone is reached, the tracker records."""
	todo.status = "Closed"
	with pytest.raises(frappe.ValidationError, match="Sweep the floor"):
		todo.save()
	shown = api.get_plan("ToDo", todo.name)["plan"]
	api.complete_task(frappe.db.get_value("Milestone Task", {"title": "Sweep the floor"}))
	api.confirm_stage(shown["name"], "Looked At")
	todo.reload()
	todo.status = "Closed"
	todo.save()
	plan = frappe.get_doc("Milestone Plan", shown["name"])
	assert (plan.status, [row.status for row in plan.stages]) == ("Completed", ["Reached"] * 3)
	note = frappe.get_last_doc("Note", {"title": "of an older version"})
	note.title = "of today"
	note.save()
	values = frappe.get_all("Milestone", {"reference_type": "Note"}, pluck="value", order_by="reached_on")
	assert values == ["of an older version", "of today"]
