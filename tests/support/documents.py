"""Users and DocTypes for tests."""

import copy
import sys
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import frappe
import pytest
from frappe.utils import now

from milestone_automation.engine.messages import user_changes

from .site import kept_out_of_rollback, refuse_after_writes

SUPPORT = Path(__file__).resolve().parent


@pytest.fixture
def as_user():
	"""Context manager: everything inside runs as that user, with that user's rights."""

	@contextmanager
	def become(email: str):
		before = frappe.session.user
		frappe.set_user(email)
		try:
			yield
		finally:
			frappe.set_user(before)

	return become


@pytest.fixture
def make_user(site):
	"""Function `make_user(email, roles=[...])`: a user with exactly these roles; gone after the test.

	On every save of a user Frappe stores who has yet to give the password of a mailbox, here nobody, and clears every
	cache for it: reading all DocTypes again took more of the suite's time than anything else, so that is left out.
	"""

	def make(email: str, roles: list[str] | tuple[str, ...] = (), **values) -> str:
		rows = [{"role": role} for role in roles]
		with patch("frappe.core.doctype.user.user.ask_pass_update"):
			if frappe.db.exists("User", email):
				user = frappe.get_doc("User", email)
				user.set("roles", rows)
				user.save(ignore_permissions=True)  # tests make users as whoever they are
			else:
				_insert_user(email, rows, values)
		return email

	return make


# What Frappe has stored for users made before in this process. Making one anew takes 40 statements.
_users: dict[str, list[dict]] = {}


def _insert_user(email: str, roles: list[dict], values: dict) -> None:
	asked_for = repr((email, roles, sorted(values.items())))
	if asked_for in _users:
		for row in _users[asked_for]:
			_insert_row(row)
		frappe.clear_cache(user=email)
		user_changes.on_user_change(frappe.get_doc("User", email))
		return
	defaults = {
		"first_name": email.partition("@")[0].replace(".", " ").title(),
		"send_welcome_email": 0,
		"user_type": "System User",
		"new_password": None,
	}
	user = frappe.get_doc({"doctype": "User", "email": email, "roles": roles} | defaults | values)
	user.flags.no_welcome_mail = True
	user.insert(ignore_permissions=True)  # tests make users as whoever they are
	shares = frappe.get_all("DocShare", {"share_doctype": "User", "share_name": email}, pluck="name")
	documents = [("User", email), *(("DocShare", share) for share in shares)]
	if frappe.db.exists("Notification Settings", email):
		documents.append(("Notification Settings", email))
	_users[asked_for] = [frappe.get_doc(*names).as_dict(no_nulls=True) for names in documents]
	# Somebody else may have it by then.
	_users[asked_for][0].pop("username", None)


def _insert_row(values: dict) -> None:
	document = frappe.get_doc(copy.deepcopy(values))
	for row in (document, *document.get_all_children()):
		row.creation = row.modified = now()
		row.db_insert()


DEFAULT_PERMISSIONS = (
	{
		"role": "System Manager",
		"read": 1,
		"write": 1,
		"create": 1,
		"delete": 1,
		"submit": 1,
		"cancel": 1,
		"amend": 1,
	},
)
_made: dict[tuple[str, str], tuple[str, str]] = {}


@pytest.fixture
def make_doctype(site):
	"""Function that makes a custom DocType once for the session and hands back its name.

	The name belongs to the file that calls it; tests/devtool/test_isolation.py finds two files that use the same.

	`make_doctype("Garment Order", [{"fieldname": "status", "fieldtype": "Select", "options": "A\\nB"}])`
	Tables are made by DDL, which commits: the DocType stays for the tests after this one, its documents do not.
	"""
	return ensure_doctype


def ensure_doctype(
	name: str,
	fields: list[dict],
	is_submittable: bool = False,
	permissions: list[dict] | tuple = (),
	**values,
) -> str:
	caller = Path(sys._getframe(1).f_code.co_filename)
	owner = caller.name
	recipe = repr((fields, is_submittable, permissions, values))
	made = _made.get((frappe.local.site, name))
	if made:
		if caller.parent != SUPPORT:
			refuse_after_writes(
				f"the DocType {name}"
			)  # also where another test has made it: no order hides it
		_refuse_reuse(name, made, (owner, recipe))
		return name
	with kept_out_of_rollback(f"the DocType {name}"):
		if not frappe.db.exists("DocType", name):
			_insert_doctype(name, fields, is_submittable, permissions or DEFAULT_PERMISSIONS, values)
	_made[frappe.local.site, name] = (owner, recipe)
	return name


def _refuse_reuse(name: str, made: tuple[str, str], wanted: tuple[str, str]) -> None:
	"""Two files that make the same DocType pass or fail by which of them comes first in a process."""
	if made[0] != wanted[0]:
		raise ValueError(f"DocType {name} belongs to {made[0]}. Choose another name in {wanted[0]}.")
	if made[1] != wanted[1]:
		raise ValueError(f"DocType {name} was made with other fields in {made[0]}. Choose another name.")


def _insert_doctype(name: str, fields: list[dict], is_submittable: bool, permissions, values: dict) -> None:
	rights = [dict(right) for right in permissions]
	if not is_submittable:
		rights = [
			{key: value for key, value in right.items() if key not in ("submit", "cancel", "amend")}
			for right in rights
		]
	doctype = {
		"doctype": "DocType",
		"name": name,
		"module": "Custom",
		"custom": 1,
		"is_submittable": int(is_submittable),
		"fields": [{"label": field["fieldname"].replace("_", " ").title()} | field for field in fields],
		"permissions": [] if values.get("istable") else rights,
		"track_changes": 0,
		"autoname": "hash",
	}
	frappe.get_doc(doctype | values).insert(ignore_permissions=True)  # test set-up
