"""Lists and single documents agree: what a list shows may be opened, and what may be opened a list shows. On random data."""

import random

import frappe
import pytest

from tests.support.documents import ensure_doctype
from tests.support.site import kept_out_of_rollback

DOCTYPES = ("Agreeing Order", "Agreeing Claim")
REGION = "Agreeing Region"
ROLE = "Agreeing Reader"
CLOSED = (
	"Milestone Plan",
	"Milestone Task",
	"Milestone Date Change",
	"Milestone Plan Log",
	"Milestone Next Step",
	"Milestone Message",
)
ROWS = {"Milestone Plan Stage": "Milestone Plan", "Milestone Task Assignee": "Milestone Task"}
USERS = {
	"agreeing-reader@doors.example": (ROLE,),
	"agreeing-manager@doors.example": (ROLE, "Milestone Manager"),
	"agreeing-blind-manager@doors.example": ("Milestone Manager",),
	"agreeing-desk@doors.example": (),
	"agreeing-website@doors.example": (),
	"agreeing-admin@doors.example": ("System Manager",),
}
WEBSITE = "agreeing-website@doors.example"
DOCUMENTS = 12


@pytest.fixture
def people(make_user):
	if not frappe.db.exists("Role", ROLE):
		with kept_out_of_rollback("the role of those who read"):
			frappe.get_doc({"doctype": "Role", "role_name": ROLE, "desk_access": 1}).insert()
	reads = {"role": ROLE, "read": 1, "report": 1}
	full = {"role": "System Manager", "read": 1, "write": 1, "create": 1}
	region = {"fieldname": "region", "fieldtype": "Link", "options": REGION}
	ensure_doctype(REGION, [{"fieldname": "title", "fieldtype": "Data"}], autoname="field:title")
	ensure_doctype("Agreeing Order", [region], permissions=[full, reads])
	ensure_doctype("Agreeing Claim", [region], permissions=[full, reads | {"if_owner": 1}])
	for email, roles in USERS.items():
		make_user(email, roles=roles, user_type="Website User" if email == WEBSITE else "System User")
		# Without a role Frappe makes everybody a website user.
		frappe.db.set_value("User", email, "user_type", "Website User" if email == WEBSITE else "System User")
	frappe.clear_cache()


def make_random_site(chance: random.Random) -> None:
	"""Documents with plans of all kinds; who owns, is restricted, shared with and assigned is left to chance."""
	for title in ("North", "South"):
		frappe.get_doc({"doctype": REGION, "title": title}).insert(ignore_if_duplicate=True)
	for number in range(DOCUMENTS):
		doctype = chance.choice(DOCTYPES)
		region = chance.choice(("North", "South", None))
		document = frappe.get_doc({"doctype": doctype, "region": region}).insert()
		frappe.db.set_value(doctype, document.name, "owner", _somebody(chance))
		_hang_a_plan_on(document, f"agree-{number}", chance)
	for user in USERS:
		if chance.random() < 0.4:
			allow = {"doctype": "User Permission", "user": user, "allow": REGION, "for_value": "North"}
			frappe.get_doc(allow).insert()


def _hang_a_plan_on(document, name: str, chance: random.Random) -> None:
	about = {"reference_type": document.doctype, "reference_name": document.name}
	part = {**about, "plan": name, "plan_stage": f"{name}-stage", "stage_name": "Cutting"}
	plan = {**about, "title": name, "status": "Active", "plan_key": name, "workflow": "None"}
	_insert("Milestone Plan", name, plan)
	stage = {"parent": name, "parenttype": "Milestone Plan", "parentfield": "stages", "stage_name": "Cutting"}
	_insert("Milestone Plan Stage", f"{name}-stage", stage | {"idx": 1, "stage_owner": _somebody(chance)})
	for number in range(chance.randrange(3)):
		task = f"{name}-task-{number}"
		_insert("Milestone Task", task, {**part, "title": task, "status": "Open"})
		row = {"parent": task, "parenttype": "Milestone Task", "parentfield": "assignees", "idx": 1}
		_insert("Milestone Task Assignee", f"{task}-row", row | {"user": _somebody(chance)})
		_share("Milestone Task", task, chance)
	_insert("Milestone Date Change", name, {**part, "reason": "Late"})
	_insert("Milestone Plan Log", name, {**part, "event": "Plan Started"})
	_insert("Milestone Next Step", name, {**part, "action": "Submit", "status": "Failed"})
	message = {"recipient": _somebody(chance), "kind": "Prompt", "message_key": name}
	_insert("Milestone Message", name, (part if chance.random() < 0.7 else {}) | message)
	_share(document.doctype, document.name, chance)
	_share("Milestone Plan", name, chance)


def _insert(doctype: str, name: str, values: dict) -> None:
	frappe.get_doc({"doctype": doctype, "name": name, **values}).db_insert()


def _share(doctype: str, name: str, chance: random.Random) -> None:
	if chance.random() < 0.15:
		everyone = {"everyone": 1} if chance.random() < 0.3 else {"user": _somebody(chance)}
		share = {"doctype": "DocShare", "share_doctype": doctype, "share_name": name, "read": 1}
		frappe.get_doc(share | everyone).db_insert()


def _somebody(chance: random.Random) -> str:
	return chance.choice(list(USERS))


def listed(doctype: str, parent: str | None) -> set[str]:
	"""Names that a list shows the user; none where Frappe refuses the list."""
	try:
		return set(
			frappe.get_list(
				doctype, parent_doctype=parent, pluck="name", limit_page_length=0, order_by="name"
			)
		)
	except frappe.PermissionError:
		return set()


def opened(doctype: str, parent: str | None) -> set[str]:
	"""Names of the rows that the user may open, asked one by one."""
	rows = frappe.get_all(doctype, fields=["name", "parent"] if parent else ["name"])
	return {
		row.name
		for row in rows
		if frappe.has_permission(
			parent or doctype, doc=frappe.get_doc(parent or doctype, row.parent if parent else row.name)
		)
	}


@pytest.mark.parametrize("seed", range(4))
def test_lists_show_what_may_be_opened_and_nothing_else(people, as_user, seed):
	make_random_site(random.Random(seed))
	shown = 0
	for user in USERS:
		with as_user(user):
			for doctype in (*CLOSED, *ROWS):
				names = listed(doctype, ROWS.get(doctype))
				assert names == opened(doctype, ROWS.get(doctype)), (seed, user, doctype)
				shown += 0 < len(names) < frappe.db.count(doctype)
	assert shown > 5, "nearly everybody sees all or nothing, so this proves little"
