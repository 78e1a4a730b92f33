"""Every whitelisted call of the installed Frappe, asked about rows of ours: nobody learns what they may not read."""

import json
import re
from collections.abc import Iterator

import frappe
import pytest
from frappe.permissions import add_permission

from milestone_automation import api
from tests.support.calling import Answer, ask, calls_of_frappe, kept_in_transaction, parameters
from tests.support.factories import (
	ORDER,
	READER_ROLE,
	make_document,
	make_workflow,
	member,
	plan_of,
	stage,
	task,
)

pytestmark = pytest.mark.usefixtures("production_order")

# In every text that is hidden from those who ask.
SECRET = "Quokka"
GUEST = "Guest"
STRANGER = "stranger@calls.example"
# All rights on our DocTypes by a role of the site's own making, none on the documents.
WRITER = "writer@calls.example"
WRITER_ROLE = "Calls Writer"
OTHER_HELPER = "other.helper@calls.example"
MANAGER = "manager@calls.example"

LEFT_OUT = {
	"frappe.handler.logout": "ends the session",
	"frappe.handler.web_logout": "ends the session",
}

# What a parameter may name, by its name.
DOCTYPE = re.compile(r"doctype|^dt$|_dt$|document_type|^parenttype$|^doc_type$")
NAME = re.compile(r"^(name|names|dn|parent|document|docname|docnames|.*_(docname|name|dn|doc))$")
FIELD = re.compile(r"field|^group_by$|^order_by$|^sort_by$|based_on$|^stats$")
FILTERS = re.compile(r"filters$|^conditions$")
DOCUMENT = re.compile(r"^docs?$")
PARENT = re.compile(r"^parent(_doctype)?$")
FIELD_LIST = re.compile(r"^(fields|stats)$")
USER = re.compile(r"user|^owner$|assign")

# What calls without parameters read from the request.
OF_LISTS = ("doctype", "fields", "filters", "parent_doctype")


@pytest.fixture
def rows(make_user):
	"""A row of each kind that hangs on the plan of an order which nobody of those who ask may read."""
	make_user(OTHER_HELPER)
	criteria = [{"kind": "Field Is Set", "field": "note", "label": f"{SECRET} criterion"}]
	make_workflow(
		"Hidden Workflow",
		stages=[
			stage(
				f"{SECRET} Cut", "Cut", custom_message=f"{SECRET} message", exit_criteria=json.dumps(criteria)
			),
			stage(f"{SECRET} Shipped", owner_kind="User", owner_user=OTHER_HELPER),
		],
		tasks=[
			task(f"{SECRET} Cut", f"{SECRET} task", description=f"{SECRET} words", **member(OTHER_HELPER)),
			task(f"{SECRET} Shipped", f"{SECRET} label", **member(OTHER_HELPER)),
		],
	)
	order = make_document(title=f"{SECRET} title", note=f"{SECRET} note")
	plan = plan_of(order)
	outside = {"assignee_kind": "Third-Party Collaborator", "collaborator_email": "quokka@mill.example"}
	api.add_task(
		plan.name, plan.stages[1].name, f"{SECRET} Ship", collaborator_name=f"{SECRET} Mill", **outside
	)
	about = {"plan": plan.name, "reference_type": ORDER, "reference_name": order.name}
	message = {"kind": "Prompt", "recipient": "quokka@mill.example", "subject": f"{SECRET} subject"}
	frappe.get_doc({"doctype": "Milestone Message", "message_key": SECRET, **about, **message}).insert(
		ignore_mandatory=True
	)
	titles = {"plan": plan.name}
	found = {
		"Milestone Plan": plan.name,
		"Milestone Plan Stage": plan.stages[0].name,
		"Milestone Task": frappe.db.get_value("Milestone Task", titles | {"title": f"{SECRET} Ship"}),
		"Milestone Message": frappe.db.get_value("Milestone Message", titles),
	}
	task_rows = {"parent": found["Milestone Task"]}
	return found | {"Milestone Task Assignee": frappe.db.get_value("Milestone Task Assignee", task_rows)}


PARENTS = {"Milestone Plan Stage": "Milestone Plan", "Milestone Task Assignee": "Milestone Task"}
FIELDS = {
	"Milestone Plan": "title",
	"Milestone Plan Stage": "stage_name",
	"Milestone Task": "title",
	"Milestone Task Assignee": "email",
	"Milestone Message": "subject",
}


@pytest.fixture
def askers(make_user):
	"""Guest, somebody of the desk, and somebody with all rights on our DocTypes and none on the documents."""
	make_user(STRANGER)
	frappe.get_doc({"doctype": "Role", "role_name": WRITER_ROLE, "desk_access": 1}).insert()
	given = dict.fromkeys(
		("read", "write", "create", "delete", "report", "export", "share", "print", "email"), 1
	)
	for doctype in FIELDS:
		if doctype not in PARENTS:
			add_permission(doctype, WRITER_ROLE)
			frappe.db.set_value("Custom DocPerm", {"parent": doctype, "role": WRITER_ROLE}, given)
	frappe.clear_cache()
	make_user(WRITER, roles=[WRITER_ROLE])
	yield (GUEST, STRANGER, WRITER)
	frappe.clear_cache()


def forms_of(function, doctype: str, name: str, user: str) -> list[dict]:
	"""Arguments that name a row wherever a parameter can; and where names may be left out, without these."""
	named = parameters(function)
	if not named:
		# It reads them from the request.
		return [{key: value_of(key, doctype, name, user) for key in OF_LISTS}]
	form = {}
	for parameter, given in named.items():
		value = value_of(parameter, doctype, name, user)
		if value is not None:
			form[parameter] = value
		elif given.default is given.empty:
			form[parameter] = "1"
	optional = {key for key in form if NAME.search(key) and named[key].default is not named[key].empty}
	without_names = {key: value for key, value in form.items() if key not in optional}
	return [form, without_names] if optional else [form]


def names_rows(function) -> bool:
	"""Tell whether a call takes a DocType or a row, by a parameter or from the request."""
	named = parameters(function)
	patterns = (DOCTYPE, NAME, DOCUMENT)
	return not named or any(pattern.search(one) for one in named for pattern in patterns)


def value_of(parameter: str, doctype: str, name: str, user: str):
	"""What a parameter of this name is given; None for one that names nothing."""
	values = (
		(DOCUMENT, json.dumps({"doctype": doctype, "name": name})),
		(PARENT, PARENTS.get(doctype, doctype)),
		(DOCTYPE, doctype),
		(FIELD_LIST, json.dumps([FIELDS[doctype]])),
		(FILTERS, json.dumps([[doctype, "name", "is", "set"]])),
		(FIELD, FIELDS[doctype]),
		(USER, user),
		(NAME, json.dumps([name]) if parameter.endswith("names") else name),
	)
	return next((value for pattern, value in values if pattern.search(parameter)), None)


def tells(answer: Answer) -> str | None:
	"""Where an answer tells the secret; None where it does not."""
	place = answer.text.lower().find(SECRET.lower())
	return None if place < 0 else answer.text[max(0, place - 200) : place + 60]


def asked_of(user: str, rows: dict) -> Iterator[tuple[str, dict, Answer]]:
	"""Ask every call as a user about each row it can name; yields path, arguments and answer."""
	for path, function in calls_of_frappe().items():
		if path in LEFT_OUT or (user == GUEST and function not in frappe.guest_methods):
			continue
		for doctype, name in list(rows.items())[: None if names_rows(function) else 1]:
			for form in forms_of(function, doctype, name, user):
				yield path, form, ask(path, form, user)


def test_no_call_tells_or_fails(rows, askers):
	wrong, number = [], 0
	with kept_in_transaction():
		for user in askers:
			# Rights on rows of tables are those on their documents.
			about = {one: rows[one] for one in rows if user != WRITER or one not in PARENTS}
			for path, form, answer in asked_of(user, about):
				number += 1
				if problem := tells(answer) or (answer.fault if answer.is_our_fault else None):
					wrong.append((user, path, form, problem))
	assert number > 1000
	assert not wrong, "\n\n".join(map(str, wrong))


def test_they_do_tell_who_may_read(rows, make_user):
	"""Else the questions would be none."""
	make_user(MANAGER, roles=["Milestone Manager", READER_ROLE])
	task_only = {"Milestone Task": rows["Milestone Task"]}
	with kept_in_transaction():
		telling = {path for path, _form, answer in asked_of(MANAGER, task_only) if tells(answer)}
	assert {
		"frappe.client.get",
		"frappe.client.get_list",
		"frappe.desk.form.load.getdoc",
		"frappe.desk.reportview.get",
	} <= telling
