"""Every cell of the permission matrix over real HTTP: own, other and not there; GET, POST, with and without CSRF token."""

import inspect
import json

import frappe
import pytest

from milestone_automation import api
from tests.doors.conftest import HELPER, HIDDEN, MISSING, ORDER, OTHER, OWN, PASSWORD, PEOPLE
from tests.doors.permission_matrix import (
	ADMINS,
	CALLS,
	COLUMNS,
	DOCTYPES,
	FILES,
	GUEST,
	NOT_THERE,
	PAGES,
	REPORTS,
	ROLES_PAGE,
	page_with_tables,
	task_of,
	workflow_of,
)

pytestmark = pytest.mark.one_database

REFUSED = (401, 403, 404)
PLAN_TABLES = ("Milestone Plan", "Milestone Task", "Milestone Plan Log", "Milestone Date Change")
MODULE = "Milestone Automation"


@pytest.fixture(scope="module")
def stored(world):
	"""Function that puts the own plan back as it was."""
	with world.changing():
		kept = {(doctype, json.dumps(filters)): _rows(doctype, filters) for doctype, filters in _parts(world)}

	def put_back():
		with world.changing():
			for doctype, filters in _parts(world):
				frappe.db.delete(doctype, filters)
				rows = kept[doctype, json.dumps(filters)]
				if rows:
					frappe.db.bulk_insert(doctype, list(rows[0]), [list(row.values()) for row in rows])

	return put_back


def _parts(world):
	about = {"reference_type": ORDER, "reference_name": OWN}
	yield from ((doctype, about) for doctype in PLAN_TABLES)
	yield "Milestone Plan Stage", {"parent": world.plans[OWN]}
	yield "Milestone Task Assignee", {"parent": ["in", world.tasks[OWN]]}


def _rows(doctype, filters) -> list:
	return frappe.get_all(doctype, filters=filters, fields=["*"], order_by="name")


def call(world, name: str, target: str, user) -> tuple[bool, object]:
	"""Ask one cell; returns whether the user was let in, and the answer."""
	arguments = CALLS[name].arguments(world, target, user)
	answer = world.client(user).post(f"/api/method/milestone_automation.api.{name}", json=arguments)
	assert answer.status_code < 500, (name, target, user, answer.text[-800:])
	if name == "complete_tasks" and answer.ok:
		return bool(answer.json()["message"]["completed"]), answer
	if name in ("preview_shift", "shift_stages") and answer.ok:
		told = answer.json()["message"]
		return bool(told.get("documents") or told.get("moved")), answer
	if name in ("cancel_selected_plans", "confirm_current_milestones") and answer.ok:
		return bool(answer.json()["message"]["done"]), answer
	if name == "install_ready_workflow" and answer.status_code == 404:
		return True, answer  # it asks for one that is not there
	return answer.status_code not in REFUSED, answer


# Calls


@pytest.mark.parametrize("name", CALLS)
def test_each_call_lets_in_whom_the_matrix_names(world, stored, name):
	wrong = []
	row = CALLS[name]
	for target, expected in ((OWN, row.own), (OTHER, row.other)):
		for user in COLUMNS:
			if row.has_effect and target == OTHER and user in expected:
				continue  # its plan stays as it is for the other tests
			let_in, answer = call(world, name, target, user)
			if let_in != (user in expected):
				wrong.append((target, COLUMNS[user], answer.status_code, answer.text[:200]))
			if let_in and row.has_effect:
				stored()
	assert not wrong


@pytest.mark.parametrize("name", [name for name, row in CALLS.items() if row.own != row.other])
def test_what_is_not_there_is_told_to_nobody_who_may_not_see_it(world, name):
	for user in COLUMNS:
		let_in, answer = call(world, name, MISSING, user)
		if user not in ADMINS and CALLS[name].arguments(world, OWN, user) != CALLS[name].arguments(
			world, OTHER, user
		):
			assert not let_in, (COLUMNS[user], answer.status_code, answer.text[:200])


@pytest.mark.parametrize("name", [name for name, row in CALLS.items() if row.changes])
def test_a_call_that_changes_something_takes_no_get_and_no_post_without_token(world, name):
	for user in COLUMNS:
		arguments = {
			key: value if isinstance(value, str) else json.dumps(value)
			for key, value in CALLS[name].arguments(world, OWN, user).items()
		}
		path = f"/api/method/milestone_automation.api.{name}"
		answer = world.client(user).get(path, params=arguments)
		assert answer.status_code == 403, (COLUMNS[user], answer.text[:200])
		if user is not GUEST and PEOPLE[user].is_desk_user:
			token = world.client(user).headers.pop("X-Frappe-CSRF-Token")
			try:
				answer = world.client(user).post(path, json=arguments)
			finally:
				world.client(user).headers["X-Frappe-CSRF-Token"] = token
			assert answer.status_code in (400, 403), (COLUMNS[user], answer.text[:200])


def test_every_call_page_report_and_doctype_is_in_the_matrix(site):
	calls = {
		name for name, value in vars(api).items() if inspect.isfunction(value) and value in frappe.whitelisted
	}
	assert calls == set(CALLS)
	assert {
		name
		for name in calls
		if "GET" not in frappe.allowed_http_methods_for_whitelisted_func[vars(api)[name]]
	} == {name for name, row in CALLS.items() if row.changes}
	of_ours = {"module": MODULE}
	assert set(frappe.get_all("DocType", of_ours, pluck="name")) == set(DOCTYPES)
	assert set(frappe.get_all("Page", of_ours, pluck="name")) == set(PAGES)
	assert set(frappe.get_all("Report", of_ours, pluck="name")) == set(REPORTS)


# DocTypes


def names_of(world, doctype: str, target: str, user) -> str | None:
	"""A row of a DocType that belongs to a document; None where there is none."""
	if doctype == "Milestone Task":
		return task_of(world, target, user)
	if target == MISSING:
		return NOT_THERE
	with world.server.site.connect():
		if doctype == "Milestone Settings":
			return doctype
		filters = _filters(world, doctype, target, user)
		return frappe.db.get_value(doctype, filters, "name")


def _filters(world, doctype: str, target: str, user) -> dict:
	plan, workflow = world.plans[target], workflow_of(target)
	known = {
		"Milestone Plan": {"name": plan},
		"Milestone Plan Stage": {"parent": plan},
		"Milestone Task Assignee": {"parent": task_of(world, target, user)},
		"Milestone": {"reference_type": ORDER},
		"Milestone Tracker": {"document_type": ORDER},
		"Milestone Tracker Field": {"parent": ("is", "set")},
		"Milestone Workflow": {"name": workflow},
		"Milestone Workflow Stage": {"parent": workflow},
		"Milestone Workflow Task": {"parent": workflow},
		"Milestone Date Reason": {"parent": "Milestone Settings"},
		"Milestone Follow Up": {"name": ("is", "set")},
		"Milestone Roll Up": {"name": ("is", "set")},
	}
	return known.get(doctype, {"plan": plan})


@pytest.mark.parametrize("doctype", DOCTYPES)
@pytest.mark.parametrize("target", [OWN, OTHER, MISSING])
def test_each_row_is_read_by_whom_the_matrix_names(world, doctype, target):
	row = DOCTYPES[doctype]
	expected = row.read if target == OWN or row.other else ADMINS
	for user in COLUMNS:
		name = names_of(world, doctype, target, user)
		if name is None or (doctype == "Milestone Settings" and target == MISSING):
			continue
		answer = world.client(user).get(f"/api/resource/{doctype}/{name}")
		readable = user in expected and target != MISSING
		assert answer.ok == readable, (COLUMNS[user], answer.status_code, answer.text[:300])
		assert answer.ok or answer.status_code in REFUSED, answer.text[:300]


@pytest.mark.parametrize("doctype", DOCTYPES)
@pytest.mark.parametrize("right", ["write", "create", "delete"])
def test_each_right_is_given_to_whom_the_matrix_names(world, doctype, right):
	row = DOCTYPES[doctype]

	wrong = []
	for target, expected in ((OWN, getattr(row, right)), (OTHER, getattr(row, right) & ADMINS)):
		expected = getattr(row, right) if row.other else expected
		for user in set(COLUMNS) - {GUEST}:
			name = names_of(world, doctype, target, user)
			if name is None or (right == "create" and target == OTHER) or frappe.get_meta(doctype).istable:
				continue
			asked = {"doctype": doctype, "docname": name, "perm_type": right}
			answer = world.client(user).post("/api/method/frappe.client.has_permission", json=asked)
			may = answer.ok and bool(answer.json()["message"]["has_permission"])
			if may != (user in expected):
				wrong.append((target, COLUMNS[user], may))
	assert not wrong


@pytest.mark.parametrize("doctype", DOCTYPES)
def test_what_the_matrix_gives_nobody_is_refused_when_it_is_tried(world, doctype):
	row = DOCTYPES[doctype]
	is_table = frappe.get_meta(doctype).istable
	for user in COLUMNS:
		for target in (OWN, OTHER):
			name = names_of(world, doctype, target, user)
			if not name:
				continue
			client, path = world.client(user), f"/api/resource/{doctype}/{name}"
			may = {
				right: user in getattr(row, right) and (target == OWN or row.other or user in ADMINS)
				for right in ("write", "delete")
			}
			if is_table or not may["write"]:
				answer = client.put(path, json={"idx": 7})
				assert answer.status_code in (*REFUSED, 417), (
					COLUMNS[user],
					answer.status_code,
					answer.text[:300],
				)
			if is_table or not may["delete"]:
				answer = client.delete(path)
				assert answer.status_code in (*REFUSED, 417), (
					COLUMNS[user],
					answer.status_code,
					answer.text[:300],
				)
				with world.server.site.connect():
					assert frappe.db.exists(doctype, name)


# Pages, reports, files


@pytest.mark.parametrize("report", REPORTS)
def test_each_report_is_run_by_whom_the_matrix_names(world, report):
	for user in COLUMNS:
		asked = {
			"report_name": report,
			"filters": json.dumps({"document_type": ORDER, "track_field": "status"}),
		}
		answer = world.client(user).post("/api/method/frappe.desk.query_report.run", json=asked)
		assert (answer.status_code not in REFUSED) == (user in REPORTS[report]), (
			COLUMNS[user],
			answer.text[:300],
		)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_a_frame_without_data(world, page):
	"""Frappe gives pages to everybody; what they show comes from the calls above."""
	for user in COLUMNS:
		answer = world.client(user).get("/api/method/frappe.desk.desk_page.getpage", params={"name": page})
		assert answer.ok or user not in PAGES[page], (COLUMNS[user], answer.text[:300])
		for word in (OWN, OTHER, "Shown", HIDDEN):
			assert word not in answer.text


@pytest.fixture
def attachment(world):
	with world.changing():
		made = []
		for task in world.tasks[OWN][:2]:
			values = {"file_name": f"cut-{task}.txt", "is_private": 1, "content": f"fabric {task}"}
			values |= {"attached_to_doctype": "Milestone Task", "attached_to_name": task}
			made.append(frappe.get_doc({"doctype": "File", **values}).insert())
		urls = [file.file_url for file in made]
	yield lambda user: urls[1 if user == HELPER else 0]
	with world.changing():
		for file in made:
			frappe.delete_doc("File", file.name, force=True)


def test_an_attachment_is_read_by_whom_the_matrix_names(world, attachment):
	for user in COLUMNS:
		answer = world.client(user).get(attachment(user))
		may = user in FILES["attachment of a task"]
		assert (answer.ok and "fabric" in answer.text) == may, (COLUMNS[user], answer.status_code)


def test_the_page_of_roles_shows_the_matrix(site):
	text = ROLES_PAGE.read_text()
	assert text == page_with_tables(text), "run `python -m tests.doors.permission_matrix`"
	assert PASSWORD not in text
