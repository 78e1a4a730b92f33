"""Who may what, as data: the tests walk every cell over HTTP, and docs/roles.md shows it.

A cell is one kind of user and one thing: a call, a DocType, a page or a report, of the own document or of another one. "Own"
is the document that some of them may read, "other" the one that nobody may read but System Managers.
`python -m tests.doors.permission_matrix` writes the tables into docs/roles.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.doors.conftest import (
	ADMIN,
	BLIND_MANAGER,
	BLIND_OWNER,
	HELPER,
	HIDDEN,
	MANAGER,
	ORDER,
	OTHER,
	OWN,
	OWNER,
	PEOPLE,
	READER,
	STRANGER,
	SUPPLIER,
	WEBSITE,
)

GUEST = None
COLUMNS = {
	GUEST: "Guest",
	WEBSITE: "website user",
	SUPPLIER: "website user, assignee",
	STRANGER: "desk user",
	HELPER: "desk user, assignee",
	BLIND_OWNER: "desk user, milestone owner",
	READER: "reader",
	OWNER: "reader, milestone owner",
	BLIND_MANAGER: "Milestone Manager",
	MANAGER: "reader, Milestone Manager",
	ADMIN: "System Manager",
}
Users = frozenset
NOBODY: Users = Users()
ADMINS = Users({ADMIN})
LOGGED_IN = Users(COLUMNS) - {GUEST}
DESK = Users(user for user in LOGGED_IN if PEOPLE[user].is_desk_user)
MANAGERS = Users({BLIND_MANAGER, MANAGER, ADMIN})
READERS = Users({READER, OWNER, MANAGER, ADMIN})
READING_MANAGERS = MANAGERS & READERS
DIRECTORS = Users({OWNER, MANAGER, ADMIN})
TASK_READERS = READERS | {SUPPLIER, HELPER}
TASK_ACTORS = Users({SUPPLIER, HELPER, MANAGER, ADMIN})
NOT_THERE = "not there"
REASON = ""  # refused, but only after the right was looked at


@dataclass(frozen=True)
class Call:
	"""A public call.

	Attributes:
		arguments: made of the world, the document (OWN, OTHER or MISSING) and the user.
		own, other: who is let in for a document of that kind.
		changes: whether it takes POST only.
		has_effect: whether one that was let in changes something that has to be put back.
	"""

	arguments: Callable[..., dict]
	own: Users
	other: Users = ADMINS
	changes: bool = False
	has_effect: bool = False


# Arguments


def of_document(world, name, user, **more) -> dict:
	return {"doctype": ORDER, "name": name, **more}


def workflow_of(name: str) -> str:
	return {OWN: "Shown Workflow", OTHER: f"{HIDDEN} Workflow"}.get(name, NOT_THERE)


def of_plan(world, name, user, **more) -> dict:
	return {"plan": world.plans.get(name, NOT_THERE), **more}


def of_stage(world, name, user, **more) -> dict:
	stages = world.stages.get(name) or [NOT_THERE] * 2
	return of_plan(world, name, user) | {"stage": stages[1 if user == BLIND_OWNER else 0], **more}


def of_cell(world, name, user, **more) -> dict:
	return {"cells": [of_stage(world, name, user)], **more}


def of_task(world, name, user, **more) -> dict:
	return {"task": task_of(world, name, user), **more}


def task_of(world, name, user) -> str:
	tasks = world.tasks.get(name) or [NOT_THERE] * 2
	return tasks[1 if user == HELPER else 0]


def of_workflow(world, name, user, **more) -> dict:
	return {"workflow": workflow_of(name), **more}


def of_tracker(world, name, user) -> dict:
	return {"tracker": world.tracker}


def constant(**arguments):
	return lambda world, name, user: arguments


def with_more(arguments, **more):
	return lambda world, name, user: arguments(world, name, user, **more)


DAYS = {"start": "2035-01-01", "end": "2035-12-31"}
LIST = {"doctype": "Milestone Task", "filters": "[]"}
DRAFT = {"workflow": {"document_type": ORDER, "stages": [], "tasks": []}}
CALLS = {
	"get_plan": Call(of_document, READERS),
	"get_timeline": Call(of_document, READERS),
	"get_stage": Call(
		lambda world, name, user: of_document(world, name, user) | {"stage": of_stage(world, name, user)["stage"]},
		READERS,
	),
	"preview_workflow": Call(
		lambda world, name, user: of_document(world, name, user) | of_workflow(world, name, user), READING_MANAGERS
	),
	"preview_draft": Call(
		lambda world, name, user: DRAFT | {"name": name}, READING_MANAGERS, changes=True
	),
	"try_next_steps": Call(
		lambda world, name, user: DRAFT | {"name": name}, READING_MANAGERS, changes=True
	),
	"start_plan": Call(of_document, READERS, changes=True),
	"confirm_stage": Call(with_more(of_stage, reached_on="2099-01-01"), DIRECTORS, changes=True),
	"reschedule_stage": Call(with_more(of_stage, new_date="2035-06-01", reason=REASON), DIRECTORS, changes=True),
	"preview_reschedule": Call(with_more(of_stage, new_date="2035-06-01"), DIRECTORS),
	"undo_stage": Call(with_more(of_stage, reason=REASON), DIRECTORS, changes=True),
	"add_task": Call(with_more(of_stage, title=""), DIRECTORS, changes=True),
	"answer_reached": Call(with_more(of_stage, reached_on="2099-01-01"), DIRECTORS, changes=True),
	"answer_not_yet": Call(with_more(of_stage, new_date="2001-01-01"), DIRECTORS, changes=True),
	"answer_on_track": Call(of_stage, DIRECTORS, changes=True, has_effect=True),
	"complete_task": Call(of_task, TASK_ACTORS, changes=True, has_effect=True),
	"complete_tasks": Call(
		lambda world, name, user: {"tasks_to_complete": [task_of(world, name, user)]},
		TASK_ACTORS,
		changes=True,
		has_effect=True,
	),
	"reopen_task": Call(with_more(of_task, reason=REASON), TASK_ACTORS, changes=True),
	"undo_complete_task": Call(of_task, TASK_ACTORS, changes=True),
	"waive_task": Call(with_more(of_task, reason=REASON), READING_MANAGERS, changes=True),
	"waive_criterion": Call(with_more(of_stage, criterion="none", reason=REASON), READING_MANAGERS, changes=True),
	"reopen_criterion": Call(with_more(of_stage, criterion="none", reason=REASON), DIRECTORS, changes=True),
	"cancel_task": Call(with_more(of_task, reason=REASON), READING_MANAGERS, changes=True),
	"cancel_plan": Call(with_more(of_plan, reason="Ordered elsewhere"), READING_MANAGERS, changes=True, has_effect=True),
	"undo_cancel_plan": Call(with_more(of_plan, reason=REASON), READING_MANAGERS, changes=True),
	"run_next_step_again": Call(
		lambda world, name, user: {"step": world.steps.get(name, NOT_THERE)}, READING_MANAGERS, changes=True
	),
	"propose_date": Call(with_more(of_stage, new_date="2001-01-01", reason="Late"), DIRECTORS, changes=True),
	"accept_date": Call(of_stage, READING_MANAGERS, changes=True),
	"decline_date": Call(with_more(of_stage, reason=REASON), READING_MANAGERS, changes=True),
	"hold_plan": Call(with_more(of_plan, reason=REASON), READING_MANAGERS, changes=True),
	"preview_resume": Call(of_plan, READING_MANAGERS),
	"resume_plan": Call(of_plan, READING_MANAGERS, changes=True),
	"preview_new_version": Call(of_plan, READING_MANAGERS),
	"move_to_new_version": Call(of_plan, READING_MANAGERS, changes=True),
	"start_plans": Call(of_workflow, MANAGERS, MANAGERS, changes=True),
	"start_plans_summary": Call(of_workflow, MANAGERS, MANAGERS),
	"cancel_plans": Call(
		with_more(of_workflow, reason="Ordered elsewhere"), READING_MANAGERS, changes=True, has_effect=True
	),
	"cancel_selected_plans": Call(
		lambda world, name, user: {"plans": [of_plan(world, name, user)["plan"]], "reason": "Ordered elsewhere"},
		READING_MANAGERS,
		changes=True,
		has_effect=True,
	),
	"confirm_current_milestones": Call(
		lambda world, name, user: {"plans": [of_plan(world, name, user)["plan"]]},
		DIRECTORS,
		changes=True,
		has_effect=True,
	),
	"get_board": Call(of_workflow, DESK, DESK),
	"get_grid": Call(of_workflow, DESK, DESK),
	"export_grid": Call(of_workflow, DESK, DESK, changes=True),
	"preview_shift": Call(with_more(of_cell, days=7), DIRECTORS),
	"shift_stages": Call(with_more(of_cell, days=7, reason="Strike"), DIRECTORS, changes=True, has_effect=True),
	"fields_for": Call(constant(doctype=ORDER), READING_MANAGERS, READING_MANAGERS),
	"tracked_fields": Call(constant(doctype=ORDER), READING_MANAGERS, READING_MANAGERS),
	"get_step_actions": Call(constant(doctype=ORDER), READING_MANAGERS, READING_MANAGERS),
	"compare_versions": Call(of_workflow, MANAGERS, MANAGERS),
	"check_workflow": Call(constant(**DRAFT), READING_MANAGERS, READING_MANAGERS, changes=True),
	"get_ready_workflows": Call(constant(), MANAGERS, MANAGERS),
	"install_ready_workflow": Call(constant(name=NOT_THERE), MANAGERS, MANAGERS, changes=True),
	"on_time_this_month": Call(constant(), DESK, DESK),
	"milestones_due_this_week": Call(constant(), DESK, DESK),
	"my_tasks_due": Call(constant(), DESK, DESK),
	"my_milestones_due": Call(constant(), DESK, DESK),
	"plans_by_health": Call(constant(), DESK, DESK),
	"export_log": Call(
		constant(doctype=ORDER, track_field="status"), READING_MANAGERS, READING_MANAGERS, changes=True
	),
	"recorded": Call(of_tracker, ADMINS),
	"start_backfill": Call(of_tracker, ADMINS, changes=True),
	"date_reasons": Call(constant(), DESK, DESK),
	"get_my_work": Call(constant(), DESK, DESK),
	"workflows_with_plans": Call(constant(), DESK, DESK),
	"get_mail_preference": Call(constant(), LOGGED_IN, LOGGED_IN),
	"set_mail_preference": Call(constant(preference="Daily"), LOGGED_IN, LOGGED_IN, changes=True),
	"task_events": Call(constant(**DAYS), LOGGED_IN, LOGGED_IN),
	"stage_events": Call(constant(**DAYS), LOGGED_IN, LOGGED_IN),
	"search_links": Call(constant(doctype="Milestone Task", txt=""), LOGGED_IN, LOGGED_IN),
	"get_count": Call(constant(**LIST), LOGGED_IN, LOGGED_IN),
	"get_group_by_count": Call(
		constant(doctype="Milestone Task", current_filters="[]", field="assigned_to"), LOGGED_IN, LOGGED_IN
	),
	"get_linked_with": Call(
		lambda world, name, user: {"doctype": "Milestone Plan", "docname": world.plans.get(name, NOT_THERE)}, READERS
	),
	"get_data_for_custom_field": Call(constant(doctype="Milestone Task", field="title"), LOGGED_IN, LOGGED_IN),
	"get_workflow_state_count": Call(
		constant(doctype="Milestone Task", workflow_state_field="status", states="[]"), ADMINS
	),
	"get_tagged_docs": Call(constant(doctype="Milestone Task", tag="x"), LOGGED_IN, LOGGED_IN),
	"global_search": Call(constant(text="x"), LOGGED_IN, LOGGED_IN),
	"get_chart": Call(
		constant(
			chart={
				"chart_type": "Group By", "type": "Bar", "document_type": "Milestone Task", "group_by_type": "Count",
				"group_by_based_on": "status", "filters_json": "[]",
			}
		),
		LOGGED_IN,
		LOGGED_IN,
	),
}  # fmt: skip


@dataclass(frozen=True)
class Rows:
	"""What may be done with rows of a DocType that belong to the own document; those of the other are System Managers'.

	Attributes:
		read, write, create, delete: who may, for the own document.
		other: whether rows of the other document are as open (they belong to no document).
	"""

	read: Users
	write: Users = NOBODY
	create: Users = NOBODY
	delete: Users = NOBODY
	other: bool = False


DOCTYPES = {
	"Milestone Plan": Rows(READERS, READING_MANAGERS, READING_MANAGERS, READING_MANAGERS),
	"Milestone Plan Stage": Rows(READERS),
	"Milestone Task": Rows(TASK_READERS, TASK_ACTORS, READING_MANAGERS, READING_MANAGERS),
	"Milestone Task Assignee": Rows(TASK_READERS),
	"Milestone Date Change": Rows(READERS, delete=ADMINS),
	"Milestone Plan Log": Rows(READERS, delete=ADMINS),
	"Milestone Next Step": Rows(READING_MANAGERS, delete=ADMINS),
	"Milestone Message": Rows(READING_MANAGERS, delete=ADMINS),
	"Milestone": Rows(ADMINS, ADMINS, ADMINS, ADMINS, other=True),
	"Milestone Tracker": Rows(ADMINS, ADMINS, ADMINS, ADMINS, other=True),
	"Milestone Tracker Field": Rows(ADMINS, other=True),
	"Milestone Workflow": Rows(MANAGERS, MANAGERS, MANAGERS, MANAGERS, other=True),
	"Milestone Workflow Stage": Rows(MANAGERS, other=True),
	"Milestone Workflow Task": Rows(MANAGERS, other=True),
	"Milestone Settings": Rows(MANAGERS, MANAGERS, MANAGERS, MANAGERS, other=True),
	"Milestone Date Reason": Rows(MANAGERS, other=True),
	"Milestone Baseline": Rows(READING_MANAGERS, READING_MANAGERS, READING_MANAGERS, READING_MANAGERS),
	"Milestone Follow Up": Rows(ADMINS, delete=ADMINS, other=True),
	"Milestone Roll Up": Rows(ADMINS, other=True),
}
PAGES = {"milestone-board": DESK, "milestone-grid": DESK, "my-milestones": DESK}
REPORTS = dict.fromkeys(
	(
		"Blocked and Overdue", "Conformance", "Date Changes by Reason", "Milestone Aging", "Milestone Bottlenecks",
		"Milestone Details", "Milestone Stays", "Milestone Timeline", "Milestone Weekly Summary", "On-time Performance",
		"Process Map", "Slip Trend", "Supplier Scorecard",
	),
	MANAGERS,
)  # fmt: skip
# A private file attached to the own task.
FILES = {"attachment of a task": TASK_READERS}


# The page


ROLES_PAGE = Path(__file__).parents[2] / "docs" / "roles.md"
BEGIN = "<!-- permission matrix: made by tests/doors/permission_matrix.py -->"
END = "<!-- end of the permission matrix -->"


def as_markdown() -> str:
	"""Return the tables for docs/roles.md."""
	calls = [(f"`{name}`", call.own) for name, call in CALLS.items()]
	rows = [
		(f"{doctype}: {right}", users)
		for doctype, rows in DOCTYPES.items()
		for right in ("read", "write", "create", "delete")
		if (users := getattr(rows, right)) or right == "read"
	]
	parts = [_table("call", calls), _table("DocType", rows)]
	screens = [*((f"page `{name}`", users) for name, users in PAGES.items())]
	screens += [(f"report *{name}*", users) for name, users in REPORTS.items()] + list(FILES.items())
	return "\n\n".join([*parts, _table("page, report, file", screens)])


def _table(what: str, rows: list[tuple[str, Users]]) -> str:
	heads = [what, *COLUMNS.values()]
	lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
	lines += [
		f"| {name} | {' | '.join('✓' if user in users else '-' for user in COLUMNS)} |"
		for name, users in rows
	]
	return "\n".join(lines)


def page_with_tables(text: str) -> str:
	"""Return docs/roles.md with the tables as they are now."""
	before, _begin, rest = text.partition(BEGIN)
	return f"{before}{BEGIN}\n\n{as_markdown()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
	ROLES_PAGE.write_text(page_with_tables(ROLES_PAGE.read_text()))
