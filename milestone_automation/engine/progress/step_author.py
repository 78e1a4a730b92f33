"""In whose name a next step runs, and whether they may do it.

A step runs with the rights of whoever wrote it, or as the user that a System Manager has named in the settings; then both
must be allowed to do it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import frappe
from frappe import _
from frappe.utils import cint

from milestone_automation.engine.workflows import action_registry

# Actions that leave the document as it is.
READING = ("Assign", "Notify")


def run(action: dict, author: str | None, plan, stage) -> None:
	"""Run one action for its author.

	Args:
		action: its name in `action`, and its arguments.
		author: who wrote it.
		plan, stage: rows.

	Raises:
		frappe.PermissionError: nobody is on record as its author, or the author may not do it.
		Exception: whatever keeps the document from being changed.
	"""
	service = _service_user()
	author = _checked(author, is_stood_in_for=bool(service))
	with in_name_of(author):
		_check_may(action, plan)
	with in_name_of(service or author):
		if service:
			_check_may(action, plan)
		# Read again: changes that an earlier action failed to save must not be saved now.
		doc = frappe.get_doc(plan.reference_type, plan.reference_name)
		action_registry.run(action, doc, plan, stage)


def _service_user() -> str | None:
	"""Return in whose name steps run instead of their author's, or None."""
	user = frappe.get_cached_doc("Milestone Settings").get("next_steps_user")
	if user and not cint(frappe.db.get_value("User", user, "enabled")):
		frappe.throw(
			_(
				"Next steps cannot run as {0}. Choose an enabled user that has just the rights they need."
			).format(user),
			frappe.PermissionError,
		)
	return user


def _checked(author: str | None, is_stood_in_for: bool) -> str:
	is_enabled = author and cint(frappe.db.get_value("User", author, "enabled"))
	if not author or not (is_enabled or is_stood_in_for):
		frappe.throw(
			_(
				"Nobody with an account is on record as the author of this step. Save it again in the workflow."
			),
			frappe.PermissionError,
		)
	return author


def _check_may(action: dict, plan) -> None:
	"""Refuse what the session user could not do."""
	doc = frappe.get_doc(plan.reference_type, plan.reference_name)
	# First what has a reason to tell: Frappe's own refusal says nothing.
	fault = next(action_registry.problems(action, plan.reference_type), None)
	if fault:
		frappe.throw(fault, frappe.PermissionError)
	doc.check_permission("read" if action.get("action") in READING else "write")


@contextmanager
def in_name_of(user: str) -> Iterator[None]:
	"""Inside, the job runs as this user."""
	before = frappe.session.user
	frappe.set_user(user)
	try:
		yield
	finally:
		frappe.set_user(before)
