"""Every argument of every whitelisted call is declared and parsed before the call begins; SQL gets values, never text."""

import inspect
import json
from datetime import date

import frappe
import pytest
from frappe.utils import cint

from milestone_automation import api, door
from milestone_automation.desk import list_filters
from milestone_automation.engine.base import parsing
from tests.support.guarded import ADMIN, ORDER, OUTSIDER, make_order, make_workflow, stage

API = "milestone_automation.api"
# As they were found: ten characters that closed the text of the SQL and opened every row.
INJECTIONS = (
	"j1'or't'--",
	"1'or'1'='1",
	"2030-01-01' or 1=1 --",
	"2030-01-01'; select 1 --",
	"\\' or 1=1 --",
)

DOCUMENTS = (
	"Milestone",
	"Milestone Baseline",
	"Milestone Date Change",
	"Milestone Follow Up",
	"Milestone Message",
	"Milestone Next Step",
	"Milestone Plan",
	"Milestone Plan Log",
	"Milestone Roll Up",
	"Milestone Settings",
	"Milestone Task",
	"Milestone Tracker",
	"Milestone Workflow",
)


def in_arabic(text: str) -> str:
	"""A text with its digits as the Arabic desk writes them."""
	return "".join(chr(0x660 + int(sign)) if sign.isdigit() else sign for sign in text)


def is_refused_by_frappe(form: dict) -> bool:
	"""Tell whether Frappe itself takes no such JSON: version 16 no half of a character."""
	return cint(frappe.__version__.split(".")[0]) >= 16 and "\\ud800" in json.dumps(form)


def whitelisted() -> list:
	own = [call for call in frappe.whitelisted if (call.__module__ or "").startswith("milestone_automation")]
	assert api.get_plan in own
	return sorted(own, key=lambda call: call.__qualname__)


def test_every_argument_of_every_whitelisted_call_has_its_kind(site):
	calls = whitelisted()
	assert len(calls) >= 37
	for call in calls:
		kinds = getattr(call, "takes", None)
		assert kinds is not None, f"{call.__qualname__} does not say what it takes: see door.takes"
		assert set(kinds) == set(inspect.signature(call).parameters), call.__qualname__
		assert all(isinstance(kind, door.Kind) for kind in kinds.values()), call.__qualname__
		for name, parameter in inspect.signature(call).parameters.items():
			assert parameter.annotation is not inspect.Parameter.empty, f"{call.__qualname__}: {name}"


def test_a_call_that_leaves_an_argument_undeclared_is_not_even_defined():
	with pytest.raises(TypeError, match="every argument needs its kind"):

		@door.takes(task=door.NAME)
		def incomplete(task: str, reason: str):
			"""Never called."""


# Injection, over HTTP


@pytest.fixture
def planned(served):
	"""Committed tasks and key dates that an outsider may not see."""
	with served.connect():
		if not frappe.db.exists("Milestone Workflow", "Injected"):
			make_workflow(
				"Injected",
				stages=[stage("Cut")],
				tasks=[{"stage": "Cut", "title": "Secret fabric", "required": 1}],
				condition="doc.title == 'Injected'",
			)
			make_order(title="Injected")
			# The web server is another process.
			frappe.db.commit()  # nosemgrep: frappe-manual-commit
	return served


@pytest.mark.parametrize("method", ["task_events", "stage_events"])
@pytest.mark.parametrize("argument", ["start", "end"])
@pytest.mark.parametrize("text", INJECTIONS)
def test_no_text_reaches_the_sql_of_a_calendar(planned, method, argument, text):
	days = {"start": "2030-01-01", "end": "2030-12-31"}
	for asked in (days | {argument: text}, days | {argument: "2030-01-01" + text}):
		answer = planned.call(OUTSIDER, method, **asked)
		assert answer.status_code == 417, answer.text
		assert f"{argument} must be a date, written as YYYY-MM-DD." in answer.text
	assert planned.call(OUTSIDER, method, **days).json()["message"] == []
	assert len(planned.call(ADMIN, method, **days).json()["message"]) >= 1


@pytest.mark.parametrize("text", INJECTIONS)
@pytest.mark.parametrize(
	"row",
	[
		["due_date", "between", ["2030-01-01", "{}"]],
		["due_date", "=", "{}"],
		["due_date", "in", ["{}"]],
		["due_date", "timespan", "{}"],
		["{}", "=", "x"],
		["title", "{}", "x"],
		["{}", "due_date", "=", "2030-01-01"],
		["required", "=", "{}"],
		["name", "is", "{}"],
	],
)
def test_no_text_reaches_sql_through_a_filter(planned, text, row):
	filled = [
		[part.format(text) for part in one] if isinstance(one, list) else one.format(text) for one in row
	]
	days = {"start": "2030-01-01", "end": "2030-12-31"}
	answer = planned.call(OUTSIDER, "task_events", **days, filters=[filled])
	assert answer.status_code == 417, answer.text
	assert "Traceback" not in answer.json().get("exception", "")


def test_texts_of_filters_are_compared_and_never_run(planned):
	days = {"start": "2030-01-01", "end": "2030-12-31"}
	for text in INJECTIONS:
		for row in (["title", "=", text], ["title", "like", f"%{text}%"], ["title", "in", [text]]):
			answer = planned.call(ADMIN, "task_events", **days, filters=[row])
			assert answer.status_code == 200, answer.text
			assert answer.json()["message"] == []
	found = planned.call(ADMIN, "task_events", **days, filters=[["title", "like", "%fabric%"]])
	assert [event["title"].startswith("Secret fabric") for event in found.json()["message"]] == [True]


@pytest.mark.parametrize(
	("row", "expected"),
	[
		(["title", "=", "Secret fabric"], True),
		(["title", "=", "size=10 <5"], False),
		(["title", "!=", "Secret fabric"], False),
		(["title", "like", "%SECRET%"], True),
		(["title", "not like", "%secret%"], False),
		(["title", "in", ["x", "Secret fabric"]], True),
		(["title", "in", []], False),
		(["title", "not in", "x,y"], True),
		(["description", "is", "set"], False),
		(["description", "is", "not set"], True),
		(["description", "=", ""], True),
		(["required", "=", 1], True),
		(["required", "is", "set"], True),
		(["required", ">", 0], True),
		(["due_date", "<=", "2030-12-31"], True),
		(["due_date", "between", ["2031-01-01", "2031-12-31"]], False),
		(["due_date", "like", "2030-%"], True),
		(["due_date", "is", "set"], True),
		(["due_date", "timespan", "last month"], False),
		(["owner", "=", "Administrator"], True),
		(["Milestone Task Assignee", "user", "=", "nobody@guarded.example"], False),
	],
)
def test_filters_find_what_they_say(planned, row, expected):
	days = {"start": "2030-01-01", "end": "2030-12-31"}
	answer = planned.call(ADMIN, "task_events", **days, filters=[row])
	assert answer.status_code == 200, answer.text
	found = [event for event in answer.json()["message"] if event["title"].startswith("Secret fabric")]
	assert bool(found) is expected


def test_arabic_digits_are_dates_as_any_others(planned):
	days = {"start": in_arabic("2030-01-01"), "end": in_arabic("2030-12-31 00:00:00")}
	for method in ("task_events", "stage_events"):
		answer = planned.call(ADMIN, method, **days)
		assert answer.status_code == 200, answer.text
		assert answer.json()["message"]


# What is wrong is said


@pytest.mark.parametrize(
	("method", "arguments", "message"),
	[
		("complete_task", {}, "task is missing."),
		("complete_task", {"task": None}, "task is missing."),
		("complete_task", {"task": ["x"]}, "task must be a name of at most 140 characters."),
		("complete_task", {"task": "x" * 141}, "task must be a name of at most 140 characters."),
		("complete_task", {"task": "a\x00b"}, "task has characters that cannot be stored."),
		("complete_task", {"task": "a\ud800b"}, "task has characters that cannot be stored."),
		("complete_tasks", {"tasks_to_complete": "[bad"}, "tasks_to_complete must be a JSON list"),
		("complete_tasks", {"tasks_to_complete": {"a": 1}}, "tasks_to_complete must be a JSON list"),
		("reopen_task", {"task": "x", "reason": 5}, "reason must be text of at most 4000 characters."),
		(
			"set_mail_preference",
			{"preference": "Never"},
			"preference must be one of: Each, Daily, Bell Only.",
		),
		("confirm_stage", {"plan": "x", "stage": "y", "reached_on": "soon"}, "reached_on must be a date"),
		(
			"reschedule_stage",
			{"plan": "x", "stage": "y", "new_date": None, "reason": "z", "later_stages": "Fly"},
			"later_stages must be one of: Shift Too, Keep Order.",
		),
		(
			"add_task",
			{"plan": "x", "stage": "y", "title": "z", "assignee_kind": "Cat"},
			"assignee_kind must be one of",
		),
		(
			"add_task",
			{"plan": "x", "stage": "y", "title": "z", "due_days_before": "two"},
			"due_days_before must be a whole",
		),
		("recorded", {"tracker": "x", "limit": -1}, "limit must be a whole number from 1 to 500."),
		("check_workflow", {"workflow": "{"}, "workflow must be a JSON object"),
		(
			"check_workflow",
			{"workflow": {"stages": [{"offset_days": "many"}]}},
			"The field offset_days of workflow has a value that does not fit it.",
		),
		(
			"task_events",
			{"start": "2030-01-01", "end": "2030-01-02", "filters": "[[1]]"},
			"filters must be a JSON list",
		),
	],
)
def test_what_does_not_fit_is_refused_with_what_is_expected(served, method, arguments, message):
	answer = served.client(ADMIN).post(
		f"/api/method/{API}.{method}",
		data=json.dumps(arguments).encode(),
		headers={"Content-Type": "application/json"},
	)
	assert answer.status_code == 417, answer.text
	assert ("Invalid request body" if is_refused_by_frappe(arguments) else message) in answer.text


@pytest.mark.parametrize("doctype", DOCUMENTS)
def test_a_status_that_is_no_number_is_refused_before_frappe_reads_it(served, doctype):
	"""Newer releases of Frappe read it before anything else of a document."""
	for status in (":", [1], {"a": 1}, 3):
		answer = served.client(ADMIN).post(f"/api/resource/{doctype}", json={"docstatus": status})
		assert answer.status_code == 417, answer.text


@pytest.mark.parametrize("rows", ["x", 5, [1], ["x"], {"": None}, {"a": 1}])
def test_rows_that_are_none_are_refused_with_the_name_of_their_table(served, rows):
	workflow = {"workflow_name": "No Rows", "document_type": ORDER, "stages": rows}
	answer = served.client(ADMIN).post("/api/resource/Milestone Workflow", json=workflow)
	assert answer.status_code == 417, answer.text
	assert "Milestones has a value that does not fit the field." in answer.text


# Readers


@pytest.mark.no_site
class TestReaders:
	@pytest.mark.parametrize(
		("given", "expected"),
		[
			("2030-02-01", date(2030, 2, 1)),
			(" 2030-02-01 ", date(2030, 2, 1)),
			("2030-02-01 23:59:59.5", date(2030, 2, 1)),
			("2030-02-01T10:00:00+02:00", date(2030, 2, 1)),
			(date(2030, 2, 1), date(2030, 2, 1)),
			(in_arabic("2030-02-01"), date(2030, 2, 1)),
		],
	)
	def test_a_date(self, given, expected):
		assert parsing.as_date(given) == expected

	@pytest.mark.parametrize(
		"given",
		["", "2030-02-30", "20300201", "01-02-2030", "2030-02-01x", "today", 20300201, None, [], "9" * 400],
	)
	def test_no_date(self, given):
		with pytest.raises((ValueError, TypeError)):
			parsing.as_date(given)

	@pytest.mark.parametrize(
		("given", "expected"), [(5, 5), ("5", 5), (" -5 ", -5), (5.0, 5), (in_arabic("5"), 5), (True, 1)]
	)
	def test_a_whole_number(self, given, expected):
		assert parsing.as_integer(given, -10, 10) == expected

	@pytest.mark.parametrize(
		"given", ["5.5", 5.5, "", "five", 11, "9" * 400, None, [], float("nan"), float("inf")]
	)
	def test_no_whole_number(self, given):
		with pytest.raises((ValueError, TypeError, OverflowError)):
			parsing.as_integer(given, -10, 10)

	@pytest.mark.parametrize("given", ["a\x00", {"a\x00": 1}, [["\udfff"]], {"a": {"b": ["\ud83d"]}}])
	def test_what_cannot_be_stored_is_found_at_any_depth(self, given):
		assert not parsing.is_storable(given)

	def test_json_nested_without_end_is_no_json(self):
		with pytest.raises(ValueError):
			parsing.as_json("[" * 100_000)


def test_filters_come_out_typed(site):
	parsed = list_filters.parse(
		{
			"due_date": ["between", ["2030-01-01", "2030-01-31 10:00:00"]],
			"required": "1",
			"title": ["like", "%a%"],
		},
		"Milestone Task",
	)
	assert [(one.column.fieldname, one.operator, one.value) for one in parsed] == [
		("due_date", "between", [date(2030, 1, 1), date(2030, 1, 31)]),
		("required", "=", 1),
		("title", "like", "%a%"),
	]


def test_a_list_is_filtered_by_fields_of_its_own_tables_only(site):
	assert list_filters.parse([["Milestone Plan Stage", "status", "=", "Open"]], "Milestone Plan")
	for row in (
		["User", "name", "=", "x"],
		["no_such_field", "=", 1],
		["stages", "=", 1],
		["`tabUser`.name", "=", 1],
	):
		with pytest.raises(frappe.ValidationError):
			list_filters.parse([row], "Milestone Plan")


@pytest.mark.parametrize("method", ["get_plan", "complete_task", "task_events", "no_such_call"])
def test_guests_see_no_traceback(served, method):
	guest = served.server.guest()
	for answer in (
		guest.get(f"/api/method/{API}.{method}"),
		guest.post(f"/api/method/{API}.{method}", json={"task": "x"}, headers={"Accept": "application/json"}),
		guest.post(
			"/api/resource/Milestone Task", json={"title": "x"}, headers={"Accept": "application/json"}
		),
	):
		assert 400 <= answer.status_code < 500
		assert "Traceback" not in answer.text
		assert "apps/" not in answer.text


def test_pages_take_any_form(served):
	guest = served.server.guest()
	for form in (
		{"token": ["a", "b"]},
		{"token": "a\x00b.c"},
		{"token": "\ud800"},
		{"token": {"a": 1}},
		{},
		{"token": "x" * 9000},
	):
		for page in ("milestone-answer", "milestone-task", "milestones"):
			body = json.dumps(form).encode()
			answer = guest.post(f"/{page}", data=body, headers={"Content-Type": "application/json"})
			if is_refused_by_frappe(form):
				assert (answer.status_code, "Traceback" in answer.text) == (417, False)
				continue
			assert answer.status_code == 200
			# Without any link people may log in for the page that lists all.
			without = page == "milestones" and "Log in, or open the page" in answer.text
			assert without or "This link does not work" in answer.text


@pytest.mark.parametrize("status", [" ", "\t", "", " Completed ", "Done", "open"])
def test_a_status_with_odd_spaces_or_unknown_is_answered_in_words(planned, status):
	"""Seen: a status of one space reached the engine, and the answer was 500."""
	with planned.connect():
		task = frappe.db.get_value("Milestone Task", {"title": "Secret fabric"})
	for call in ("put", "set_value"):
		if call == "put":
			answer = planned.client(ADMIN).put(
				f"/api/resource/Milestone Task/{task}", json={"status": status}
			)
		else:
			change = {"doctype": "Milestone Task", "name": task, "fieldname": "status", "value": status}
			answer = planned.client(ADMIN).post("/api/method/frappe.client.set_value", json=change)
		assert answer.status_code in (200, 417), answer.text[-500:]
