"""In whose name a next step runs, and whether they may do it.

A step runs with the rights of whoever wrote it, or as the user that a System Manager has named in the settings; then both
must be allowed to do it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import frappe
from frappe import _
from frappe.utils import cint

from milestone_automation.engine.people.acting_as import acting_as
from milestone_automation.engine.tracking import conditions
from milestone_automation.engine.workflows import action_registry, step_validation


def run(action: dict, author: str | None, plan, stage, is_trial: bool = False) -> tuple[bool, object]:
	"""Run one action for its author, if its condition is met.

	Args:
		action: its name in `action`, and its arguments.
		author: who wrote it.
		plan, stage: rows.
		is_trial: whether it is tried by a request: what reaches outside is only checked.

	Returns:
		tuple: whether the document meets its condition, and what the action says that it did, if it says so.

	Raises:
		frappe.PermissionError: nobody is on record as its author, or the author may not do it.
		Exception: whatever keeps the document from being changed.
	"""
	service = _service_user()
	author = _checked(author, is_stood_in_for=bool(service))
	become = acting_as if is_trial else in_name_of
	with become(author):
		_check_may(action, plan)
	with become(service or author):
		if service:
			_check_may(action, plan)
		# Read again: changes that an earlier action failed to save must not be saved now.
		doc = frappe.get_doc(plan.reference_type, plan.reference_name)
		if not conditions.holds(action.get("condition"), doc):
			return False, None
		if is_trial and action_registry.action(action["action"]).leaves_site:
			return True, None
		return True, action_registry.run(action, doc, plan, stage)


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
	fault = next(step_validation.problems_of(action, plan.reference_type), None)
	if fault:
		frappe.throw(fault, frappe.PermissionError)
	doc.check_permission("read" if action_registry.action(action["action"]).only_reads else "write")


@contextmanager
def in_name_of(user: str) -> Iterator[None]:
	"""Inside, the job runs as this user.

	Args:
		user: user id, not asked whether it is enabled. The one before is set again, also after an error.
	"""
	before = frappe.session.user
	frappe.set_user(user)
	try:
		yield
	finally:
		frappe.set_user(before)
