"""One kind of document, with workflows and plans on it: what all tests of plans, tasks and the gate start from.

`production_order` is the DocType: submittable, with a status, a state, dates, people and a supplier. The functions
need it to be there, so a test (or its module) asks for the fixture first.
"""

import json

import frappe
import pytest

from .documents import ensure_doctype
from .site import kept_out_of_rollback
from .transactions import end_transaction

ORDER = "Production Order"
SUPPLIER = "Production Supplier"
SCHEDULE = "Production Schedule"
# Writes, submits, cancels and imports orders; manages nothing.
CLERK_ROLE = "Production Clerk"
# Reads orders.
READER_ROLE = "Production Reader"
# Works on the website, may write orders all the same.
PARTNER_ROLE = "Production Partner"

RIGHTS = (
	"read",
	"write",
	"create",
	"delete",
	"submit",
	"cancel",
	"amend",
	"import",
	"export",
	"report",
	"share",
)


def rights(*given: str) -> dict[str, int]:
	"""All rights of a role spelled out: what is not mentioned Frappe gives by default."""
	return {right: int(right in given) for right in RIGHTS}


STATUSES = ("", "Open", "Cut", "Sewn", "Inspected", "Shipped", "Closed")
ORDER_FIELDS = [
	{"fieldname": "title", "fieldtype": "Data", "allow_on_submit": 1},
	{"fieldname": "status", "fieldtype": "Select", "options": "\n".join(STATUSES), "allow_on_submit": 1},
	{"fieldname": "state", "fieldtype": "Link", "options": "Workflow State", "allow_on_submit": 1},
	{"fieldname": "note", "fieldtype": "Data", "allow_on_submit": 1},
	{"fieldname": "pieces", "fieldtype": "Int", "allow_on_submit": 1},
	{"fieldname": "order_date", "fieldtype": "Date", "allow_on_submit": 1},
	{"fieldname": "delivery_date", "fieldtype": "Date", "allow_on_submit": 1},
	{"fieldname": "inspection_date", "fieldtype": "Date", "allow_on_submit": 1},
	{"fieldname": "responsible", "fieldtype": "Link", "options": "User", "allow_on_submit": 1},
	{"fieldname": "inspector", "fieldtype": "Link", "options": "User", "allow_on_submit": 1},
	{"fieldname": "supplier", "fieldtype": "Link", "options": SUPPLIER, "allow_on_submit": 1},
	{"fieldname": "amended_from", "fieldtype": "Link", "options": ORDER, "no_copy": 1, "read_only": 1},
]


@pytest.fixture
def production_order(site) -> str:
	"""The DocType, its supplier and its roles; made once for a session."""
	return ensure_production_order()


def ensure_production_order() -> str:
	"""As the fixture, for sites that a test makes itself."""
	if not frappe.db.exists("Role", PARTNER_ROLE):
		with kept_out_of_rollback("the roles of production orders"):
			for role, desk_access in ((CLERK_ROLE, 1), (READER_ROLE, 1), (PARTNER_ROLE, 0)):
				values = {"doctype": "Role", "role_name": role, "desk_access": desk_access}
				frappe.get_doc(values).insert(ignore_permissions=True)  # test set-up
	ensure_doctype(SUPPLIER, [{"fieldname": "title", "fieldtype": "Data"}])
	ensure_doctype(
		ORDER,
		ORDER_FIELDS,
		is_submittable=True,
		permissions=[
			{"role": "System Manager", **rights(*RIGHTS)},
			{"role": CLERK_ROLE, **rights(*RIGHTS)},
			{"role": READER_ROLE, **rights("read", "report")},
			{"role": PARTNER_ROLE, **rights("read", "write", "create")},
		],
		allow_import=1,
		allow_rename=1,
	)
	return ORDER


# Rows of a workflow


def stage(name: str, status: str | None = None, days: int = 0, **values) -> dict:
	"""A stage on the delivery date plus `days`; reached by that status, else by confirmation."""
	row = {
		"stage_name": name,
		"key_date_rule": "Document Date Field",
		"date_field": "delivery_date",
		"offset_days": days,
	}
	if status is not None:
		row |= {"reach_rule": "Field Value", "track_field": "status", "track_value": status}
	return row | values


def task(stage_name: str, title: str, days: int = 0, required: int = 1, **values) -> dict:
	"""A task, required unless said otherwise, due so many days before its stage."""
	return {"stage": stage_name, "title": title, "due_days_before": days, "required": required} | values


def member(user: str) -> dict:
	"""What of a task's row gives it to one user."""
	return {"assignee_kind": "One Team Member", "assignee_user": user}


def collaborator(email: str, name: str = "") -> dict:
	"""What of a task's row gives it to somebody without an account."""
	kind = "Third-Party Collaborator"
	return {
		"assignee_kind": kind,
		"collaborator_email": email,
		"collaborator_name": name or email.partition("@")[0],
	}


STAGES = (
	stage("Cut", "Cut", -20),
	stage("Inspected", "Inspected", -7),
	stage("Shipped", "Shipped"),
)
TASKS = (
	task("Inspected", "Book the inspector", days=3),
	task("Shipped", "Sign the packing list", days=1),
	task("Shipped", "Take photographs", required=0),
)


def make_workflow(name: str = "Production", stages=STAGES, tasks=TASKS, **values):
	"""An enabled Milestone Workflow for orders, inserted."""
	workflow = {
		"doctype": "Milestone Workflow",
		"workflow_name": name,
		"document_type": ORDER,
		"enabled": 1,
		"stages": [dict(row) for row in stages],
		"tasks": [dict(row) for row in tasks],
	}
	made = frappe.get_doc(workflow | values).insert()
	frappe.local.message_log = []
	return made


def make_next_actions(*actions: dict) -> str:
	return json.dumps(list(actions))


# Documents and their plans


def make_document(**values):
	"""An order, inserted by the session user; a workflow that matches gives it its plan."""
	defaults = {"doctype": ORDER, "status": "Open", "order_date": "2030-01-02", "delivery_date": "2030-06-28"}
	return frappe.get_doc(defaults | values).insert()


def make_plan(doc=None, **workflow):
	"""The plan of a document (a new one by default) of a workflow made for it; returns the Milestone Plan."""
	if not frappe.db.exists("Milestone Workflow", workflow.get("name", "Production")):
		make_workflow(**workflow)
	doc = doc or make_document()
	return plan_of(doc)


def plan_of(doc):
	"""The Milestone Plan of a document as the database has it after the commit; None without one."""
	end_transaction()
	filters = {"reference_type": doc.doctype, "reference_name": doc.name, "plan_key": ("is", "set")}
	name = frappe.db.get_value("Milestone Plan", filters)
	return name and frappe.get_doc("Milestone Plan", name)


def stage_of(doc, name: str):
	"""One stage of a document's plan, as the database has it."""
	return next(row for row in plan_of(doc).stages if row.stage_name == name)


def status_of(doc) -> dict[str, str]:
	"""Status of each stage of a document's plan, by name."""
	return {row.stage_name: row.status for row in plan_of(doc).stages}


def task_of(doc, title: str):
	"""One task of a document, as the database has it."""
	plan = plan_of(doc)
	return frappe.get_doc("Milestone Task", {"plan": plan.name, "title": title})


def due_dates(doc) -> dict[str, str]:
	"""ISO due date of each task of a document's plan, by title."""
	rows = frappe.get_all("Milestone Task", {"plan": plan_of(doc).name}, ["title", "due_date"])
	return {row.title: row.due_date and str(row.due_date) for row in rows}


def key_dates(doc) -> dict[str, str]:
	"""ISO key date of each stage of a document's plan, by name."""
	return {row.stage_name: row.key_date and str(row.key_date) for row in plan_of(doc).stages}


def events_of(doc) -> list[str]:
	"""What the log of a document's plan says, oldest first."""
	filters = {"plan": plan_of(doc).name}
	return frappe.get_all("Milestone Plan Log", filters, pluck="event", order_by="done_on, creation")


def written(doc) -> dict:
	"""All that a refused change must leave as it was: the document, its milestones, its plan, tasks and log."""
	end_transaction()
	about = {"reference_type": doc.doctype, "reference_name": doc.name}
	found = {"document": frappe.db.get_value(doc.doctype, doc.name, "*", as_dict=True)}
	for doctype in (
		"Milestone",
		"Milestone Plan",
		"Milestone Task",
		"Milestone Plan Log",
		"Milestone Date Change",
	):
		found[doctype] = frappe.get_all(doctype, filters=about, fields=["*"], order_by="name")
	plans = [plan.name for plan in found["Milestone Plan"]]
	stages = frappe.get_all("Milestone Plan Stage", {"parent": ("in", plans)}, ["*"], order_by="name")
	return found | {"stages": stages}


def open_required(plan: str) -> dict[str, int]:
	"""Count of open required tasks of each stage, counted anew."""
	rows = frappe.get_all("Milestone Task", {"plan": plan}, ["stage_name", "status", "required"])
	counted: dict[str, int] = {}
	for row in rows:
		counted[row.stage_name] = counted.get(row.stage_name, 0) + int(
			row.status == "Open" and row.required == 1
		)
	return counted
