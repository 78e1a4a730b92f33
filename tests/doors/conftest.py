"""The site that the tests of this folder knock on: two documents, and every kind of user."""

import json
from contextlib import contextmanager
from dataclasses import dataclass, field

import frappe
import frappe.client
import pytest
import requests
from frappe.utils.password import update_password

from milestone_automation import api
from tests.support.documents import ensure_doctype
from tests.support.guarded import guarded, people, served  # noqa: F401 - fixtures
from tests.support.server import Client

ORDER = "Door Order"
ROLE = "Door Clerk"
PASSWORD = "Door-pw-2026-x"
# In every text of what stands on the document that nobody may see but managers of the site.
HIDDEN = "Canary"
OWN, OTHER = "DOOR-OWN", "DOOR-OTHER"
MISSING = "DOOR-MISSING"


def looked_up(doctype: str, name: str, fields: list[str] | None = None) -> tuple[str, dict]:
	"""Return the call by which a form looks a name up that was typed into a link field, and its arguments.

	Args:
		doctype, name: what was typed.
		fields: of the document, which the form takes over.
	"""
	# Frappe 16 has another call for it.
	is_later = hasattr(frappe.client, "validate_link_and_fetch")
	call, argument = (
		("validate_link_and_fetch", "fields_to_fetch") if is_later else ("validate_link", "fields")
	)
	more = {argument: json.dumps(fields)} if fields else {}
	return f"frappe.client.{call}", {"doctype": doctype, "docname": name, **more}


@dataclass(frozen=True)
class Person:
	"""One kind of user.

	Attributes:
		roles: beside those Frappe gives by itself.
		is_desk_user: whether the account is a System User.
		reads: whether they may read the document OWN.
	"""

	roles: tuple[str, ...] = ()
	is_desk_user: bool = True
	reads: bool = False


PEOPLE = {
	"website@doors.example": Person(is_desk_user=False),
	"supplier@doors.example": Person(is_desk_user=False),
	"helper@doors.example": Person(),
	"owner@doors.example": Person((ROLE,), reads=True),
	"blind-owner@doors.example": Person(),
	"reader@doors.example": Person((ROLE,), reads=True),
	"stranger@doors.example": Person(),
	"manager@doors.example": Person((ROLE, "Milestone Manager"), reads=True),
	"blind-manager@doors.example": Person(("Milestone Manager",)),
	"admin@doors.example": Person((ROLE, "System Manager")),
	"nobody@doors.example": Person(),
}
WEBSITE, SUPPLIER, HELPER, OWNER, BLIND_OWNER, READER, STRANGER, MANAGER, BLIND_MANAGER, ADMIN, NOBODY = (
	PEOPLE
)


@dataclass
class World:
	"""The served site with its documents.

	Attributes:
		plans, stages, tasks, assignees, steps: names of rows by document (OWN, OTHER).
		tracker: of the documents' DocType.
	"""

	server: object
	plans: dict = field(default_factory=dict)
	stages: dict = field(default_factory=dict)
	tasks: dict = field(default_factory=dict)
	assignees: dict = field(default_factory=dict)
	steps: dict = field(default_factory=dict)
	tracker: str = ""
	clients: dict = field(default_factory=dict)

	@contextmanager
	def changing(self):
		"""Inside, this process is connected to the served site as Administrator; at the end it commits."""
		with self.server.site.connect():
			yield
			# The web server is another process.
			frappe.db.commit()  # nosemgrep: frappe-manual-commit

	def client(self, user: str | None) -> requests.Session:
		"""A session of a user, logged in once; of a guest for None."""
		if user not in self.clients:
			self.clients[user] = self.server.login(user, PASSWORD) if user else Client(self.server.url)
		return self.clients[user]


@pytest.fixture(scope="module")
def world(server) -> World:
	"""The documents, people and plans, made once for the tests of a file."""
	made = World(server)
	with made.changing():
		_make_role()
	with made.changing():
		_make_doctype()
		_make_people()
		for name in (OWN, OTHER):
			_make_plan(made, name)
		made.tracker = _tracker()
	return made


def _tracker() -> str:
	return frappe.db.get_value("Milestone Tracker", {"document_type": ORDER})


def _make_role() -> None:
	frappe.get_doc({"doctype": "Role", "role_name": ROLE, "desk_access": 1}).insert()


def _make_doctype() -> None:
	rights = {
		"read": 1,
		"write": 1,
		"create": 1,
		"delete": 1,
		"report": 1,
		"export": 1,
		"print": 1,
		"email": 1,
	}
	ensure_doctype(
		ORDER,
		[
			{"fieldname": "title", "fieldtype": "Data"},
			{"fieldname": "status", "fieldtype": "Select", "options": "\nOpen\nCut\nSewn"},
			{"fieldname": "delivery_date", "fieldtype": "Date"},
			{"fieldname": "price", "fieldtype": "Currency", "permlevel": 1},
		],
		permissions=[
			{"role": "System Manager", **rights},
			{"role": "System Manager", "read": 1, "write": 1, "permlevel": 1},
			{"role": ROLE, **rights},
		],
		autoname="field:title",
	)


def _make_people() -> None:
	for email, person in PEOPLE.items():
		first = email.partition("@")[0]
		user = frappe.get_doc(
			{"doctype": "User", "email": email, "first_name": first, "send_welcome_email": 0}
		)
		user.flags.no_welcome_mail = True
		user.update({"roles": [{"role": role} for role in person.roles]})
		user.insert()
		# Without a role Frappe makes everybody a website user.
		kind = "System User" if person.is_desk_user else "Website User"
		frappe.db.set_value("User", email, "user_type", kind)
		update_password(email, PASSWORD)
		if person.reads:
			allow = {"doctype": "User Permission", "user": email, "allow": ORDER, "for_value": OWN}
			frappe.get_doc(allow).insert(ignore_links=True)
	frappe.clear_cache()


def _make_plan(world: World, name: str) -> None:
	"""A document with its own workflow, so that what OTHER has is called nothing that OWN has."""
	mark = HIDDEN if name == OTHER else "Shown"
	person = {"assignee_kind": "One Team Member"}
	assignees = (NOBODY, NOBODY) if name == OTHER else (SUPPLIER, HELPER)
	due = {"key_date_rule": "Document Date Field", "date_field": "delivery_date"}
	workflow = {
		"doctype": "Milestone Workflow",
		"workflow_name": f"{mark} Workflow",
		"document_type": ORDER,
		"enabled": 1,
		"document_filters": frappe.as_json([[ORDER, "title", "=", name]]),
		"stages": [
			due | {"stage_name": f"{mark} Cut", "offset_days": -9, "owner_kind": "User", "owner_user": OWNER},
			due | {"stage_name": f"{mark} Sewn", "offset_days": -5, "owner_kind": "User"}
			| {"owner_user": NOBODY if name == OTHER else BLIND_OWNER},
			due | {"stage_name": f"{mark} Shipped", "custom_message": f"{mark} message"},
			due | {"stage_name": f"{mark} Paid", "offset_days": 9, "owner_kind": "User", "owner_user": OWNER}
			| {"reach_rule": "Field Value", "track_field": "status", "track_value": "Sewn"},
		],
		"tasks": [
			{"stage": f"{mark} Sewn", "title": f"{mark} Book {user}", "description": f"{mark} words", "required": 1}
			| person | {"assignee_user": user}
			for user in assignees
		],
	}  # fmt: skip
	frappe.get_doc(workflow).insert()
	order = {"doctype": ORDER, "title": name, "status": "Open", "delivery_date": "2035-06-28", "price": 4711}
	frappe.get_doc(order).insert()
	plan = frappe.get_doc("Milestone Plan", {"reference_type": ORDER, "reference_name": name})
	world.plans[name] = plan.name
	world.stages[name] = [row.name for row in plan.stages]
	tasks = frappe.get_all(
		"Milestone Task", {"plan": plan.name}, pluck="name", order_by="task_order, creation"
	)
	world.tasks[name] = tasks
	outside = {
		"assignee_kind": "Third-Party Collaborator",
		"collaborator_email": f"{mark.lower()}@mill.example",
	}
	api.add_task(plan.name, plan.stages[2].name, f"{mark} Ship", collaborator_name=f"{mark} Mill", **outside)
	api.reschedule_stage(plan.name, plan.stages[2].name, "2035-07-01", f"{mark} delay", "Keep Order")
	baseline = {"baseline_name": f"{mark} baseline", "plan": plan.name}
	frappe.get_doc({"doctype": "Milestone Baseline", **baseline}).insert()
	message = {"plan": plan.name, "reference_type": ORDER, "reference_name": name, "kind": "Prompt"}
	message |= {
		"recipient": f"{mark.lower()}@mill.example",
		"subject": f"{mark} subject",
		"message_key": mark,
	}
	frappe.get_doc({"doctype": "Milestone Message", **message}).insert(ignore_mandatory=True)
	step = {key: message[key] for key in ("plan", "reference_type", "reference_name")}
	step |= {"stage_name": f"{mark} Cut", "action": "Submit", "arguments": f'{{"action": "{mark} Submit"}}'}
	step |= {"status": "Failed", "error": f"{mark} reason"}
	world.steps[name] = frappe.get_doc({"doctype": "Milestone Next Step", **step}).insert().name
	world.tasks[name] = frappe.get_all(
		"Milestone Task", {"plan": plan.name}, pluck="name", order_by="task_order, creation"
	)
	world.assignees[name] = frappe.get_all(
		"Milestone Task Assignee", {"parent": ("in", world.tasks[name])}, pluck="name"
	)
