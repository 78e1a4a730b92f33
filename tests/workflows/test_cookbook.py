"""Each recipe of the cookbook is imported as it stands, and a document goes through it."""

import json
import re

import frappe
import pytest

from devtool.paths import ROOT
from milestone_automation import api
from milestone_automation.engine.base.guard import GateError
from milestone_automation.engine.rules.vocabulary import AssigneeKind
from tests.support.factories import plan_of

pytestmark = pytest.mark.one_database

STAND_IN, SUPPLIER = "Cookbook Document", "Cookbook Supplier"
STATUSES = "Draft\nOpen\nReplied\nQuotation\nOrdered\nResolved\nCompleted\nClosed"
FIELDS = [
	{"fieldname": "status", "fieldtype": "Select", "options": STATUSES, "allow_on_submit": 1},
	{"fieldname": "priority", "fieldtype": "Data"},
	{"fieldname": "grand_total", "fieldtype": "Float"},
	{"fieldname": "per_received", "fieldtype": "Percent"},
	{"fieldname": "per_delivered", "fieldtype": "Percent"},
	{"fieldname": "supplier", "fieldtype": "Link", "options": SUPPLIER},
	*(
		{"fieldname": name, "fieldtype": "Date"}
		for name in ("schedule_date", "delivery_date", "date_of_joining", "expected_end_date")
	),
]
# What a document has to have for a recipe, beside what its stages ask for.
FITTING = {"priority": "High", "grand_total": 20_000}
ROLES = re.compile(r'"(?:\w+_role)": "([^"]+)"')


def recipes() -> dict[str, dict]:
	"""The JSON below each heading of the cookbook."""
	text = (ROOT / "docs" / "cookbook.md").read_text()
	found = re.findall(r"^## (.+?)$.*?^```json$(.*?)^```$", text, re.MULTILINE | re.DOTALL)
	return {title: json.loads(code) for title, code in found}


RECIPES = recipes()


@pytest.mark.no_site
def test_there_are_ten_recipes_and_all_are_listed():
	assert len(RECIPES) == 10
	listed = re.findall(r"^\d+\. \[(.+?)\]", (ROOT / "docs" / "cookbook.md").read_text(), re.MULTILINE)
	assert listed == list(RECIPES)


@pytest.fixture
def stand_in(make_doctype):
	make_doctype(SUPPLIER, [{"fieldname": "title", "fieldtype": "Data"}])
	return make_doctype(STAND_IN, FIELDS, is_submittable=True)


@pytest.mark.parametrize("title", RECIPES)
def test_a_document_goes_through_the_recipe(stand_in, title):
	recipe = dict(RECIPES[title])
	if not frappe.db.exists("DocType", recipe["document_type"]):
		recipe = json.loads(json.dumps(recipe).replace(recipe["document_type"], stand_in))
	for role in ROLES.findall(json.dumps(recipe)):
		if not frappe.db.exists("Role", role):
			frappe.get_doc({"doctype": "Role", "role_name": role}).insert()
	workflow = frappe.get_doc(recipe | {"enabled": 1}).insert()
	doc = make_document(recipe["document_type"]).insert()
	plan = plan_of(doc)
	assert plan.workflow == workflow.name
	assert [row.stage_name for row in plan.stages] == [row["stage_name"] for row in RECIPES[title]["stages"]]
	titles = frappe.get_all("Milestone Task", {"plan": plan.name}, pluck="title")
	assert sorted(titles) == sorted(task["title"] for task in RECIPES[title].get("tasks", ()))
	for row in plan.stages:
		blocking = open_tasks(plan.name, row.stage_name)
		if blocking and row.gate_mode != "Warn":
			with pytest.raises(GateError, match=re.escape(blocking[0].title)):
				reach(doc, plan, row)
		for task in blocking:
			api.complete_task(task.name)
		reach(doc, plan, row)
	plan.reload()
	assert [row.status for row in plan.stages] == ["Reached"] * len(plan.stages)
	assert plan.status == "Completed"


def open_tasks(plan: str, stage_name: str) -> list:
	"""The open required tasks of a milestone."""
	filters = {"plan": plan, "stage_name": stage_name, "status": "Open", "required": 1}
	return frappe.get_all("Milestone Task", filters, ["name", "title"], order_by="due_date, title")


def reach(doc, plan, row) -> None:
	"""Bring a document to a milestone as its recipe wants it."""
	doc.reload()
	if row.reach_rule == "Confirmation":
		api.confirm_stage(plan.name, row.name)
		return
	doc.set(row.track_field, row.track_value)
	doc.save()


def make_document(doctype: str):
	meta = frappe.get_meta(doctype)
	values = {"doctype": doctype} | {
		field: value for field, value in FITTING.items() if meta.has_field(field) and doctype == STAND_IN
	}
	dates = {field.fieldname: "2030-06-28" for field in meta.get("fields", {"fieldtype": "Date"})}
	known = {
		"ToDo": {"description": "Call back"},
		"Event": {"subject": "Fair", "starts_on": "2030-06-28 10:00:00"},
	}
	return frappe.get_doc(values | dates | known.get(doctype, {}))


@pytest.mark.parametrize("title", RECIPES)
def test_erpnext_has_the_fields_and_values_of_the_recipe(erpnext, title):
	workflow = frappe.get_doc(RECIPES[title] | {"enabled": 1}).insert()
	kinds = {task.assignee_kind for task in workflow.tasks}
	assert kinds <= {kind.value for kind in AssigneeKind}
