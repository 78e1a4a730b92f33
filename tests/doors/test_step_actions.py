"""What next steps can do, each as a person with few rights: it is done where they may, and refused in words where not."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import frappe
import pytest

from milestone_automation import hooks
from milestone_automation.engine.workflows import step_actions
from tests.support.documents import ensure_doctype
from tests.support.guarded import (
	ADMIN,
	CLERK,
	CLERK_ROLE,
	LINE,
	MANAGER,
	ORDER,
	OUTSIDER,
	PRICER,
	PRICER_ROLE,
	make_order,
	make_workflow,
	stage,
	without_error_ids,
)
from tests.support.next_steps import reach, rows_of, run_steps

pytestmark = [pytest.mark.one_database, pytest.mark.usefixtures("guarded", "bills")]

BILL = "Guarded Bill"
BILL_LINE = "Guarded Bill Line"


@pytest.fixture(scope="module")
def bills(site):
	"""A DocType that clerks create and pricers submit too, with rows; its discount is for pricers."""
	frappe.db.rollback()
	ensure_doctype(
		BILL_LINE,
		[
			{"fieldname": "item", "fieldtype": "Data"},
			{"fieldname": "amount", "fieldtype": "Float"},
			{"fieldname": "margin", "fieldtype": "Float", "permlevel": 1},
		],
		istable=1,
	)
	rights = {"read": 1, "write": 1, "create": 1}
	ensure_doctype(
		BILL,
		[
			{"fieldname": "order_no", "fieldtype": "Link", "options": ORDER},
			{"fieldname": "title", "fieldtype": "Data"},
			{"fieldname": "percent", "fieldtype": "Float"},
			{"fieldname": "discount", "fieldtype": "Float", "permlevel": 1},
			{"fieldname": "rows", "fieldtype": "Table", "options": BILL_LINE},
		],
		is_submittable=True,
		permissions=[
			{"role": "System Manager", **rights, "submit": 1},
			{"role": CLERK_ROLE, **rights, "submit": 0},
			{"role": PRICER_ROLE, **rights, "submit": 1},
			{"role": PRICER_ROLE, "permlevel": 1, "read": 1, "write": 1},
		],
	)


BILL_STEP = {
	"action": "Create Document",
	"document_type": BILL,
	"fields": [
		{"field": "order_no", "from": "name"},
		{"field": "title", "from": "title"},
		{"field": "percent", "formula": "len(doc.lines) * 15"},
	],
	"tables": [
		{
			"table": "rows",
			"each": "lines",
			"fields": [{"field": "item", "formula": "row.item + '!'"}, {"field": "amount", "value": 3}],
		},
		{"table": "rows", "fields": [{"field": "item", "from": "title"}]},
	],
}
BOTH = {
	"action": "Set Values",
	"fields": [{"field": "note", "formula": "doc.title + ' cut'"}, {"field": "title", "value": "Done"}],
}


def with_steps(*actions) -> list[dict]:
	return [stage("Cut", next_actions=json.dumps(list(actions)))]


def written_by(user, *actions, **values):
	"""An order whose workflow somebody has given these steps."""
	before = frappe.session.user
	frappe.set_user(user)
	try:
		make_workflow("Steps", stages=with_steps(*actions), **values)
	finally:
		frappe.set_user(before)
	return make_order(lines=[{"item": "Cloth"}, {"item": "Thread"}])


def run(order) -> list[str]:
	plan = frappe.db.get_value("Milestone Plan", {"reference_name": order.name})
	reach(plan, "Cut")
	return run_steps(plan)


def why_not(order) -> str:
	(row,) = rows_of(frappe.db.get_value("Milestone Plan", {"reference_name": order.name}))
	return row.error


def refused(user, action) -> str:
	with pytest.raises(frappe.ValidationError) as refusal:
		written_by(user, action)
	return str(refusal.value)


# Done


def test_several_fields_are_set_by_one_save():
	order = written_by(MANAGER, BOTH)
	versions = frappe.db.count("Version", {"docname": order.name})
	assert run(order) == ["Set Values: done"]
	assert frappe.db.get_value(ORDER, order.name, ["title", "note", "modified_by"]) == (
		"Done", "Shirts cut", MANAGER,
	)  # fmt: skip
	assert frappe.db.count("Version", {"docname": order.name}) <= versions + 1


def test_a_document_is_made_with_rows_by_the_author():
	order = written_by(MANAGER, BILL_STEP)
	assert run(order) == ["Create Document: done"]
	bill = frappe.get_doc(BILL, {"order_no": order.name})
	assert (bill.title, bill.percent, bill.owner, bill.docstatus) == ("Shirts", 30, MANAGER, 0)
	assert [(row.item, row.amount) for row in bill.rows] == [("Cloth!", 3), ("Thread!", 3), ("Shirts", 0)]
	comments = frappe.get_all(
		"Comment", {"reference_name": order.name, "comment_type": "Info"}, pluck="content"
	)
	assert [text for text in comments if bill.name in text]


def test_who_may_submit_has_the_new_document_submitted():
	order = written_by(PRICER, BILL_STEP | {"submit": 1})
	run(order)
	assert frappe.db.get_value(BILL, {"order_no": order.name}, "docstatus") == 1


def bill_workflow(name: str = "Bills"):
	rows = [{"stage_name": "Paid", "key_date_rule": "After Creation"}]
	values = {"doctype": "Milestone Workflow", "workflow_name": name, "document_type": BILL, "enabled": 1}
	return frappe.get_doc({**values, "condition": "doc.percent > 1000", "stages": rows}).insert()


def test_the_new_document_gets_the_plan_of_a_workflow():
	bill_workflow()
	order = written_by(MANAGER, BILL_STEP | {"workflow": "Bills"})
	run(order)
	bill = frappe.db.get_value(BILL, {"order_no": order.name})
	assert frappe.db.get_value("Milestone Plan", {"reference_name": bill}, "workflow") == "Bills"


def test_a_plan_is_started_for_the_document_that_a_field_leads_to(make_user):
	orders = "Orders of Bills"
	rows = [{"stage_name": "Billed", "key_date_rule": "After Creation"}]
	step = {"action": "Start Plan", "link_field": "order_no", "workflow": orders}
	bills = [{"stage_name": "Paid", "key_date_rule": "After Creation", "next_actions": json.dumps([step])}]
	order = make_order()
	make_workflow(orders, stages=rows, condition="doc.title == 'no other'")
	frappe.set_user(MANAGER)
	frappe.get_doc({
		"doctype": "Milestone Workflow", "workflow_name": "Bills", "document_type": BILL, "enabled": 1,
		"stages": bills,
	}).insert()  # fmt: skip
	frappe.set_user(ADMIN)
	bill = frappe.get_doc({"doctype": BILL, "order_no": order.name}).insert()
	plan = frappe.db.get_value("Milestone Plan", {"reference_name": bill.name})
	reach(plan, "Paid")
	assert run_steps(plan) == ["Start Plan: done"]
	assert frappe.db.get_value("Milestone Plan", {"reference_name": order.name}, "workflow") == orders


def test_tags_and_comments_are_plain_text():
	order = written_by(
		MANAGER,
		{"action": "Add Tag", "tag": "Cut"},
		{"action": "Add Comment", "text": "<img src=x onerror=alert(1)> cut"},
	)
	assert run(order) == ["Add Tag: done", "Add Comment: done"]
	assert frappe.db.exists("Tag Link", {"document_name": order.name, "tag": "Cut"})
	content = frappe.db.get_value(
		"Comment", {"reference_name": order.name, "comment_type": "Comment"}, "content"
	)
	assert "<img" not in content
	assert "cut" in content


def note_it(doc):
	doc.note = "called"
	doc.save()


@pytest.fixture
def declared(monkeypatch):
	"""A function that an app lets next steps call. Frappe calls functions of installed apps only: a module of ours stands for it."""
	path = f"{step_actions.__name__}.note_it"
	monkeypatch.setattr(step_actions, "note_it", note_it, raising=False)
	monkeypatch.setattr(hooks, "milestone_methods", [path], raising=False)
	frappe.clear_cache()
	yield path
	monkeypatch.undo()
	frappe.clear_cache()


def test_only_a_declared_function_is_called_and_with_the_rights_of_the_author(declared, make_user):
	order = written_by(MANAGER, {"action": "Call Method", "method": declared})
	assert run(order) == ["Call Method: done"]
	assert frappe.db.get_value(ORDER, order.name, ["note", "modified_by"]) == ("called", MANAGER)
	assert "No installed app lets next steps call frappe.utils.now" in refused(
		MANAGER, {"action": "Call Method", "method": "frappe.utils.now"}
	)


class Listener(BaseHTTPRequestHandler):
	def do_POST(self):
		self.server.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
		self.send_response(self.server.answer)
		self.end_headers()

	def log_message(self, *_arguments):
		"""Say nothing."""


@pytest.fixture
def outside():
	"""A web server outside the site."""
	server = HTTPServer(("127.0.0.1", 0), Listener)
	server.heard, server.answer = [], 200
	Thread(target=server.serve_forever, daemon=True).start()
	yield server
	server.shutdown()
	server.server_close()


def make_webhook(outside, **values) -> str:
	hook = {
		"doctype": "Webhook",
		"webhook_doctype": ORDER,
		"enabled": 1,
		"request_url": f"http://127.0.0.1:{outside.server_address[1]}/",
		"request_method": "POST",
		"request_structure": "JSON",
		"webhook_json": '{"title": "{{ doc.title }}"}',
	}
	return frappe.get_doc({"name": f"hook-{frappe.generate_hash(length=6)}", **hook, **values}).insert().name


def test_a_webhook_of_the_site_hears_and_is_tried_again_when_it_does_not(outside):
	order = written_by(ADMIN, {"action": "Webhook", "webhook": make_webhook(outside)})
	assert run(order) == ["Webhook: done"]
	assert outside.heard == [{"title": "Shirts"}]
	outside.answer = 500
	assert run(order)[-1] == "Webhook: failed"
	plan = frappe.db.get_value("Milestone Plan", {"reference_name": order.name})
	assert [row.status for row in rows_of(plan)] == ["Done", "Pending"]


def test_a_webhook_is_for_those_who_may_read_it_and_for_its_documents(outside):
	hook = make_webhook(outside)
	missing = f"The webhook {hook} does not exist, or you may not read it."
	told = set()
	for name in (hook, "no-such-hook"):
		frappe.local.message_log = []
		assert missing.replace(hook, name) in refused(MANAGER, {"action": "Webhook", "webhook": name})
		told.add(without_error_ids(str(frappe.local.message_log)).replace(name, "NAME"))
	assert len(told) == 1
	other = make_webhook(outside, webhook_doctype="ToDo", webhook_json="{}")
	assert "is not enabled for Priced Order" in refused(ADMIN, {"action": "Webhook", "webhook": other})


# Refused when it is saved


@pytest.mark.parametrize(
	("action", "message"),
	[
		(BOTH | {"fields": [{"field": "price", "value": 1}]}, "You may not change price of Priced Order"),
		(BOTH | {"fields": [{"field": "note", "from": "price"}]}, "It uses price, which you may not read"),
		(BOTH | {"fields": [{"field": "note", "formula": "doc.price * 2"}]}, "It uses price, which you may not"),
		(
			BOTH | {"fields": [{"field": "note", "formula": "sum(row.cost for row in doc.lines)"}]},
			"It uses cost, which you may not read",
		),
		(
			BOTH | {"fields": [{"field": "note", "formula": "__import__('os')"}]},
			"The formula cannot be evaluated: name '__import__' is not defined. It may use doc, frappe.utils and",
		),
		(BOTH | {"fields": [{"field": "note", "formula": "doc.colour"}]}, "The formula uses doc.colour, but"),
		(BOTH | {"fields": [{"field": "note", "formula": "2 *"}]}, "The formula is not a Python expression: "),
		(BOTH | {"fields": [{"field": "note", "formula": " "}]}, "Enter the formula."),
		(BOTH | {"fields": [{"field": "note"}]}, "takes a list of objects"),
		(BOTH | {"fields": "note"}, "takes a list of objects"),
		(BOTH | {"fields": [{"field": "note", "from": "lines"}]}, "has no field lines that a next step could copy"),
		({"action": "Add Tag", "tag": "a, b"}, "no comma"),
		({"action": "Add Tag", "tag": 7}, "tag has to be a text"),
		({"action": "Add Comment"}, "text does not fit"),
		({"action": "Start Plan", "link_field": "title"}, "has no field title that links to another document"),
		({"action": "Start Plan", "link_field": "responsible"}, "User contains accounts"),
		({"action": "Start Plan", "link_field": "price_owner"}, "It uses price_owner, which you may not read"),
		({"action": "Start Next Plan", "workflow": "No such one"}, f"No such one is no enabled workflow for {ORDER}"),
		({"action": "Start Next Plan", "workflow": ["x"]}, "is no enabled workflow for"),
		({"action": "Start Next Plan"}, "workflow does not fit"),
		(BILL_STEP | {"document_type": "User"}, "You may not create documents of User"),
		(BILL_STEP | {"document_type": LINE}, "You may not create documents of Priced Order Line"),
		(BILL_STEP | {"document_type": ["x"]}, "You may not create documents of"),
		(BILL_STEP | {"submit": 1}, f"You may not submit documents of {BILL}"),
		(BILL_STEP | {"submit": "yes"}, "submit has to be 1 or 0"),
		(BILL_STEP | {"fields": [{"field": "discount", "value": 1}]}, f"You may not change discount of {BILL}"),
		(BILL_STEP | {"workflow": "No such one"}, f"No such one is no enabled workflow for {BILL}"),
		(BILL_STEP | {"tables": [{"table": "title", "fields": [{"field": "x", "value": 1}]}]}, "has no table title"),
		(BILL_STEP | {"tables": [{"table": "rows"}]}, "The rows of a new document are a list"),
		(
			BILL_STEP | {"tables": [{"table": "rows", "fields": [{"field": "margin", "value": 1}]}]},
			f"You may not change margin of {BILL_LINE}",
		),
		(
			BILL_STEP
			| {"tables": [{"table": "rows", "each": "lines", "fields": [{"field": "item", "from": "cost"}]}]},
			"It uses cost, which you may not read",
		),
		(
			BILL_STEP
			| {"tables": [{"table": "rows", "each": "lines", "fields": [{"field": "item", "formula": "row.cost"}]}]},
			"It uses cost, which you may not read",
		),
	],
)  # fmt: skip
def test_a_step_its_author_could_not_take_is_refused_when_it_is_saved(action, message):
	assert message in refused(MANAGER, action)


def test_no_step_makes_documents_that_decide_who_may_do_what_not_even_administrators():
	step = BILL_STEP | {"document_type": "Server Script", "fields": [{"field": "script", "value": "1"}]}
	step.pop("tables")
	assert "Its documents cannot have plans" in refused(ADMIN, step)


# Refused when it runs


def test_an_author_who_may_no_longer_create_makes_nothing(make_user):
	order = written_by(MANAGER, BILL_STEP)
	make_user(MANAGER, ["Milestone Manager", "Priced Outsider"])
	assert run(order) == ["Create Document: failed"]
	assert not frappe.db.exists(BILL, {"order_no": order.name})
	assert "You may not create documents of Guarded Bill" in why_not(order)


def test_a_document_whose_rules_refuse_it_is_not_made_and_says_why(monkeypatch):
	order = written_by(MANAGER, BILL_STEP | {"fields": [{"field": "order_no", "value": "no such order"}]})
	assert run(order) == ["Create Document: failed"]
	assert "Could not find" in why_not(order)
	assert not frappe.db.count("Comment", {"reference_name": order.name, "comment_type": "Info"})


@pytest.mark.parametrize("user", [CLERK, OUTSIDER])
def test_who_manages_no_milestones_gives_no_steps(user, as_user):
	with as_user(user), pytest.raises(frappe.PermissionError):
		make_workflow("Steps", stages=with_steps(BOTH))
