"""Whatever anybody sends, the answer is never 500: neither from our calls, nor our pages, nor our documents.

Each run looks at the same requests. `./dev fuzz` looks at as many other ones as it is told, for a longer search.
"""

import inspect
import json
import os

import frappe
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from milestone_automation import api
from milestone_automation.engine.base import compat
from milestone_automation.engine.people.signed_links import Purpose, make_token
from tests.support import erpnext, fuzzing
from tests.support.guarded import (
	ADMIN,
	CLERK,
	MANAGER,
	ORDER,
	OUTSIDER,
	OUTSIDER_ROLE,
	PEOPLE,
	SUPPLIER,
	Guarded,
	make_order,
	make_people_with_passwords,
	make_workflow,
	stage,
)
from tests.support.server import Server
from tests.support.site import ScratchSite

GUEST = "Guest"
# Without a right to orders: who has a task of one, who owns a milestone of one, and who manages plans; and a System Manager.
ASSIGNEE, OWNER = "assignee@fuzzed.example", "owner@fuzzed.example"
BLIND_MANAGER, SYSTEM_MANAGER = "blind@fuzzed.example", "system@fuzzed.example"
FUZZED = {
	ASSIGNEE: [OUTSIDER_ROLE],
	OWNER: [OUTSIDER_ROLE],
	BLIND_MANAGER: ["Milestone Manager"],
	SYSTEM_MANAGER: ["System Manager"],
}
# All nine kinds that the permission matrix knows; the clerk has a right to orders, a milestone and a task.
USERS = (GUEST, SUPPLIER, OUTSIDER, ASSIGNEE, OWNER, CLERK, BLIND_MANAGER, MANAGER, SYSTEM_MANAGER, ADMIN)
EXAMPLES = int(os.environ.get("MILESTONE_FUZZ_EXAMPLES") or 0)
SEED = int(os.environ.get("MILESTONE_FUZZ_SEED") or 20_300_628)
OWN_DOCTYPES = (
	"Milestone Workflow",
	"Milestone Plan",
	"Milestone Task",
	"Milestone Tracker",
	"Milestone Settings",
	"Milestone Date Change",
	"Milestone Plan Log",
	"Milestone Next Step",
	"Milestone Message",
	"Milestone Baseline",
	"Milestone",
)
REPORT_FILTERS = (
	"document_type", "track_field", "from_date", "to_date", "workflow", "reference_name", "running_only", "days", "start_on",
	"group_by", "baseline",
)  # fmt: skip
PAGES = ("milestone-answer", "milestone-task", "milestones")
# Before the pages refuse more, see `links/limits.py`.
EACH_LINK_IS_USED = 8


def searching(every_run: int):
	"""Settings of one search: the same examples in each run, unless `./dev fuzz` asks for more."""

	def decorate(function):
		search = settings(
			max_examples=EXAMPLES or every_run,
			deadline=None,
			database=None,
			phases=(Phase.generate, Phase.shrink) if EXAMPLES else (Phase.generate,),
			suppress_health_check=list(HealthCheck),
		)
		return seed(SEED)(search(function))

	return decorate


@pytest.fixture(scope="module")
def fuzzed(run, workplace, site):
	"""A site of its own, which may come to look like anything; with what is known of it by argument.

	It has ERPNext where the bench has it: its hooks and overrides answer the same requests.
	"""
	source = erpnext.template(run) if erpnext.on_bench(run) else run.app
	name = workplace.add_site(source, "fuzzed.localhost")
	server = Server(ScratchSite(workplace, name))
	try:
		with server.site.connect():
			known = _make_known()
			# The web server is another process.
			frappe.db.commit()  # nosemgrep: frappe-manual-commit
		yield Fuzzed(server, known)
	finally:
		server.stop()
		workplace.drop_site(name)


class Fuzzed(Guarded):
	def __init__(self, server, known: dict):
		super().__init__(server)
		self.known = known
		self.asked = 0

	def client(self, user: str):
		if user != GUEST:
			return super().client(user)
		guest = self.server.guest()
		guest.headers["Accept"] = "application/json"
		return guest

	def forget_uses(self) -> None:
		"""Links can be used again: after some uses in an hour their pages only say so."""
		self.asked += 1
		if self.asked % EACH_LINK_IS_USED == 0:
			with self.connect():
				compat.redis_cache().delete_keys("milestone_link")


def _make_known() -> dict[str, tuple]:
	"""Make an order with its plan; return real values by the names of arguments."""
	make_people_with_passwords(PEOPLE | FUZZED)
	task = {"stage": "Cut", "assignee_kind": "One Team Member"}
	made = make_workflow(
		"Fuzzed",
		stages=[
			stage("Cut", owner_kind="User", owner_user=CLERK),
			stage("Sewn", owner_kind="User", owner_user=OWNER),
			stage("Shipped", kind="Acceptance"),
		],
		tasks=[
			{**task, "title": "Fabric", "assignee_user": CLERK},
			{**task, "title": "Trims", "assignee_user": ASSIGNEE},
		],
	)
	tracker = frappe.get_doc(
		{"doctype": "Milestone Tracker", "document_type": ORDER, "track_field": "status"}
	).insert()
	order = make_order()
	plan = frappe.get_doc("Milestone Plan", {"reference_name": order.name})
	job, other_job = (
		frappe.db.get_value("Milestone Task", {"plan": plan.name, "title": title})
		for title in ("Fabric", "Trims")
	)
	about = {"plan": plan.name, "reference_type": ORDER, "reference_name": order.name, "status": "Failed"}
	step = frappe.get_doc({"doctype": "Milestone Next Step", "action": "Submit", **about}).insert().name
	tokens = (
		make_token(Purpose.ANSWER, plan.stages[0].name, CLERK, str(plan.stages[0].key_date)),
		make_token(Purpose.ANSWER, plan.stages[1].name, OWNER, str(plan.stages[1].key_date)),
		make_token(Purpose.TASK, job, CLERK),
		make_token(Purpose.TASK, other_job, ASSIGNEE),
	)
	draft = json.loads(made.as_json())
	return {
		"doctype": (ORDER,),
		"document_type": (ORDER,),
		"name": (order.name, plan.name, job),
		"plan": (plan.name,),
		"stage": (plan.stages[0].name, plan.stages[1].name, "Cut"),
		"task": (job, other_job),
		"step": (step,),
		"cells": ([{"plan": plan.name, "stage": "Cut"}], json.dumps([{"plan": plan.name, "stage": "Cut"}])),
		"days": (3, -3),
		"stage_owner": (CLERK,),
		"file_format": ("csv", "xlsx"),
		"tasks_to_complete": ([job], json.dumps([job])),
		"workflow": (made.name, draft),
		"tracker": (tracker.name,),
		"token": tokens,
		"answer": ("yes", "no"),
		"action": ("complete", "comment"),
		"new_date": ("2030-07-01",),
		"reached_on": ("2026-01-01",),
		"due_date": ("2030-06-01",),
		"start": ("2030-01-01",),
		"end": ("2030-12-31",),
		"reason": ("because",),
		"later_stages": ("Shift Too",),
		"assignee_kind": ("Role", "User Field"),
		"reference_type": (ORDER,),
		"reference_name": (order.name,),
	}


def check(answer, user: str, sent, is_our_call: bool = True) -> None:
	shown = f"{user}: {sent!r}\n{answer.status_code} {answer.text[-1500:]}"
	assert answer.status_code < 500, shown
	if user == GUEST and (is_our_call or is_ours(answer.text)):
		assert "Traceback (most recent call last)" not in answer.text, shown


def calls() -> list[tuple[str, list[str]]]:
	return sorted(
		(name, list(inspect.signature(call).parameters))
		for name, call in vars(api).items()
		if inspect.isfunction(call) and call in frappe.whitelisted
	)


def send(client, method: str, path: str, arguments: dict, how: str):
	if how == "json" and fuzzing.is_json(arguments):
		body = json.dumps(arguments).encode()
		return client.request(method, path, data=body, headers={"Content-Type": "application/json"})
	plain = {
		name: value if isinstance(value, str) else json.dumps(value) for name, value in arguments.items()
	}
	readable = {name: value.encode("utf-8", "replace") for name, value in plain.items()}
	return client.request(method, path, **({"params": readable} if method == "GET" else {"data": readable}))


@searching(every_run=250)
@given(data=st.data())
def test_our_calls(fuzzed, data):
	name, names = data.draw(st.sampled_from(calls()))
	user = data.draw(st.sampled_from(USERS))
	arguments = data.draw(fuzzing.arguments(names, fuzzed.known))
	method = data.draw(st.sampled_from(("POST", "POST", "POST", "GET", "PUT")))
	how = data.draw(st.sampled_from(("json", "form")))
	path = f"/api/method/milestone_automation.api.{name}"
	answer = send(fuzzed.client(user), method, path, arguments, how)
	check(answer, user, (method, name, arguments, how))


@searching(every_run=80)
@given(data=st.data())
def test_our_pages(fuzzed, data):
	page = data.draw(st.sampled_from(PAGES))
	names = [
		"token",
		"answer",
		"action",
		"comment",
		"reached_on",
		"new_date",
		"reason",
		"note",
		"later_stages",
	]
	arguments = data.draw(fuzzing.arguments(names, fuzzed.known))
	method = data.draw(st.sampled_from(("GET", "POST")))
	how = data.draw(st.sampled_from(("json", "form")))
	fuzzed.forget_uses()
	answer = send(fuzzed.client(GUEST), method, f"/{page}", arguments, how)
	check(answer, GUEST, (method, page, arguments, how))
	assert "This page cannot be shown" not in answer.text, (method, page, arguments, how)


@searching(every_run=120)
@given(data=st.data())
def test_our_documents(fuzzed, data):
	doctype = data.draw(st.sampled_from(OWN_DOCTYPES))
	fields = [field.fieldname for field in frappe.get_meta(doctype).fields]
	user = data.draw(st.sampled_from(USERS))
	written = data.draw(fuzzing.arguments([*fields, "name", "docstatus"], fuzzed.known))
	written = {name: value for name, value in written.items() if fuzzing.is_json(value)}
	client = fuzzed.client(user)
	which = data.draw(st.sampled_from(("insert", "update", "set_value")))
	name = data.draw(st.sampled_from(_names(fuzzed, doctype)))
	if which == "insert":
		answer = client.post(f"/api/resource/{doctype}", json=written)
	elif which == "update":
		answer = client.put(f"/api/resource/{doctype}/{name}", json=written)
	else:
		change = {"doctype": doctype, "name": name, "fieldname": written}
		answer = client.post("/api/method/frappe.client.set_value", json=change)
	check(answer, user, (which, doctype, name, written), is_our_call=False)


@searching(every_run=80)
@given(data=st.data())
def test_our_reports(fuzzed, data):
	reports = frappe.get_all("Report", {"module": "Milestone Automation"}, pluck="name", order_by="name")
	user = data.draw(st.sampled_from(USERS))
	filters = data.draw(
		fuzzing.arguments(list(REPORT_FILTERS), fuzzed.known | {"track_field": ("status", "price")})
	)
	asked = {"report_name": data.draw(st.sampled_from(reports)), "filters": filters}
	if not fuzzing.is_json(filters):
		return
	answer = send(fuzzed.client(user), "POST", "/api/method/frappe.desk.query_report.run", asked, "form")
	if answer.status_code >= 500 and not is_ours(answer.text):
		return
	check(answer, user, asked, is_our_call=False)


def _names(fuzzed, doctype: str) -> tuple:
	by_doctype = {
		"Milestone Workflow": "workflow",
		"Milestone Plan": "plan",
		"Milestone Task": "task",
		"Milestone Tracker": "tracker",
	}
	known = fuzzed.known.get(by_doctype.get(doctype, ""), ("nothing",))
	return tuple(name for name in known if isinstance(name, str))


def is_ours(text: str) -> bool:
	"""Tell whether a fault came out of our code: Frappe's own checks of values break on any DocType."""
	lines = [line for line in text.replace("\\n", "\n").splitlines() if 'File "' in line or "File \\" in line]
	return any("milestone_automation/" in line for line in lines)
