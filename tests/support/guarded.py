"""A guarded kind of document, people with few rights, and a real server with both."""

import re

import frappe
import pytest
from frappe.utils.password import update_password

from tests.support.documents import ensure_doctype
from tests.support.site import kept_out_of_rollback

ORDER = "Priced Order"
LINE = "Priced Order Line"
# Reads and writes orders, not their prices.
CLERK_ROLE = "Priced Clerk"
# With the role before: prices too.
PRICER_ROLE = "Priced Pricer"
# Works in the desk and reads no order.
OUTSIDER_ROLE = "Priced Outsider"

MANAGER = "manager@guarded.example"
PRICER = "pricer@guarded.example"
CLERK = "clerk@guarded.example"
OUTSIDER = "outsider@guarded.example"
SUPPLIER = "supplier@guarded.example"
ADMIN = "Administrator"
PASSWORD = "Aeg4-Oow7-eiNg"

PEOPLE = {
	MANAGER: ["Milestone Manager", CLERK_ROLE],
	PRICER: ["Milestone Manager", CLERK_ROLE, PRICER_ROLE],
	CLERK: [CLERK_ROLE],
	OUTSIDER: [OUTSIDER_ROLE],
	SUPPLIER: [],
}
FIELDS = [
	{"fieldname": "title", "fieldtype": "Data"},
	{"fieldname": "status", "fieldtype": "Select", "options": "\nOpen\nCut\nShipped"},
	{"fieldname": "note", "fieldtype": "Data"},
	{"fieldname": "delivery_date", "fieldtype": "Date"},
	{"fieldname": "responsible", "fieldtype": "Link", "options": "User"},
	{"fieldname": "price", "fieldtype": "Currency", "permlevel": 1},
	{"fieldname": "price_date", "fieldtype": "Date", "permlevel": 1},
	{"fieldname": "price_owner", "fieldtype": "Link", "options": "User", "permlevel": 1},
	{"fieldname": "pin", "fieldtype": "Password"},
	{"fieldname": "lines", "fieldtype": "Table", "options": LINE},
]
LINE_FIELDS = [
	{"fieldname": "item", "fieldtype": "Data"},
	{"fieldname": "cost", "fieldtype": "Currency", "permlevel": 1},
]
ALL = {"read": 1, "write": 1, "create": 1, "delete": 1, "report": 1, "share": 0, "submit": 1, "cancel": 1}


def ensure_guarded() -> None:
	"""Make the DocTypes and roles on the connected site, and commit them."""
	with kept_out_of_rollback("the roles of guarded orders"):
		for role in (CLERK_ROLE, PRICER_ROLE, OUTSIDER_ROLE):
			if not frappe.db.exists("Role", role):
				values = {"doctype": "Role", "role_name": role, "desk_access": 1}
				frappe.get_doc(values).insert(ignore_permissions=True)  # test set-up
	ensure_doctype(LINE, LINE_FIELDS, istable=1)
	ensure_doctype(
		ORDER,
		FIELDS,
		is_submittable=True,
		permissions=[
			{"role": "System Manager", **ALL},
			{"role": CLERK_ROLE, **ALL, "submit": 0, "cancel": 0},
			{"role": PRICER_ROLE, **ALL, "submit": 0, "cancel": 0},
			{"role": PRICER_ROLE, "permlevel": 1, "read": 1, "write": 1},
		],
	)


def stage(name: str, **values) -> dict:
	return {
		"stage_name": name,
		"key_date_rule": "Document Date Field",
		"date_field": "delivery_date",
	} | values


def make_workflow(name: str, stages=(), **values):
	"""An enabled workflow for guarded orders, inserted by the session user."""
	workflow = {
		"doctype": "Milestone Workflow",
		"workflow_name": name,
		"document_type": ORDER,
		"enabled": 1,
		"stages": [dict(row) for row in stages or [stage("Cut")]],
	}
	made = frappe.get_doc(workflow | values).insert()
	frappe.local.message_log = []
	return made


def make_order(**values):
	defaults = {"doctype": ORDER, "title": "Shirts", "status": "Open", "delivery_date": "2030-06-28"}
	return frappe.get_doc(defaults | values).insert()


@pytest.fixture(scope="module")
def people(site):
	"""The DocType and the people on the worker's own site while the tests of one file run; afterwards nobody is left."""
	frappe.db.rollback()
	ensure_guarded()
	with kept_out_of_rollback("the people of guarded orders"):
		make_people()
	yield
	frappe.db.rollback()
	with kept_out_of_rollback("a site without these people"):
		frappe.db.delete("Has Role", {"parent": ("in", list(PEOPLE))})
		frappe.db.set_value("User", {"name": ("in", list(PEOPLE))}, "enabled", 0)
	frappe.clear_cache()


@pytest.fixture
def guarded(people) -> str:
	"""The guarded DocType, with people; returns its name."""
	return ORDER


def make_people(people: dict[str, list[str]] = PEOPLE) -> None:
	"""Make people on the connected site, or give them back what the fixture `people` took from them.

	Args:
		people: roles by address.
	"""
	for email, roles in people.items():
		values = {
			"first_name": email.partition("@")[0].title(),
			"send_welcome_email": 0,
			"user_type": "Website User" if email == SUPPLIER else "System User",
			"enabled": 1,
		}
		exists = frappe.db.exists("User", email)
		user = frappe.get_doc("User", email) if exists else frappe.new_doc("User", email=email)
		user.update(values | {"roles": [{"role": role} for role in roles]})
		user.flags.no_welcome_mail = True
		user.save(ignore_permissions=True)  # test set-up


class Guarded:
	"""The served site with guarded orders: `.client(user)`, `.connect()`, `.worker()`."""

	def __init__(self, server):
		self.server = server
		self.clients = {}

	def client(self, user: str):
		"""A logged-in client of a user."""
		if user not in self.clients:
			self.clients[user] = self.server.login() if user == ADMIN else self.server.login(user, PASSWORD)
		return self.clients[user]

	def connect(self):
		return self.server.site.connect()

	def worker(self):
		return self.server.worker()

	def call(self, user: str, method: str, **arguments):
		"""Answer of one of our calls, by POST, whatever its status."""
		return self.client(user).post(f"/api/method/milestone_automation.api.{method}", json=arguments)


@pytest.fixture(scope="module")
def served(server) -> Guarded:
	"""A running server whose people have passwords; what tests write through it stays."""
	with server.site.connect():
		make_people_with_passwords()
		# The web server is another process.
		frappe.db.commit()  # nosemgrep: frappe-manual-commit
	return Guarded(server)


def make_people_with_passwords(people: dict[str, list[str]] = PEOPLE) -> None:
	"""Make DocTypes, roles and people on the connected site; the people can log in.

	Args:
		people: roles by address.
	"""
	ensure_guarded()
	make_people(people)
	for email in people:
		update_password(email, PASSWORD)


def without_error_ids(words: str) -> str:
	"""What an answer says without the number that Frappe 15.75 gives each error."""
	return re.sub(r"__frappe_exc_id\W+\w+", "", words)
