"""Who may do what with plans, stages and tasks."""

from collections.abc import Iterable
from typing import NoReturn

import frappe
from frappe import _
from frappe.utils import escape_html

from milestone_automation.engine.base import compat, parsing
from milestone_automation.engine.rules.vocabulary import OUTSIDE_OWNERS, OwnerKind, TaskStatus


def check_manager() -> None:
	"""Raise frappe.PermissionError unless the session user may manage plans."""
	if not can_manage():
		refuse_to_others()


def refuse_to_others() -> NoReturn:
	"""Raise frappe.PermissionError with the roles that may do what the session user may not."""
	frappe.throw(
		_("Only a System Manager or Milestone Manager may do this. Ask one of them."), frappe.PermissionError
	)


def check_desk_user() -> None:
	"""Raise frappe.PermissionError unless the session user is a Desk user."""
	if not is_desk_user(frappe.session.user):
		frappe.throw(_("Only users of the Desk may see this."), frappe.PermissionError)


MANAGER_ROLE = "Milestone Manager"

MANAGER_ROLES = {"System Manager", "Milestone Manager"}


def can_manage(user: str | None = None) -> bool:
	"""Tell whether a user is System Manager or Milestone Manager (the session user by default).

	Args:
		user: user id; the session user by default.
	"""
	return sees_everything(user) or not MANAGER_ROLES.isdisjoint(frappe.get_roles(user_or_session(user)))


def sees_everything(user: str | None = None) -> bool:
	"""Tell whether a user needs no right to the document: Administrator and System Managers.

	Args:
		user: user id; the session user by default.
	"""
	user = user_or_session(user)
	return user == "Administrator" or "System Manager" in frappe.get_roles(user)


def refuse_hidden(doctype: str, name) -> NoReturn:
	"""Give the one answer for what does not exist and for what the session user may not see.

	Args:
		doctype, name: as the user gave them; nothing else is told.

	Raises:
		frappe.PermissionError: always.
	"""
	frappe.throw(
		_("{0} {1} does not exist, or you may not see it.").format(
			escape_html(_(doctype)), escape_html(str(name))
		),
		frappe.PermissionError,
	)


def readable_document(doctype: str, name):
	"""Return a document that the session user, who works in the desk, may read.

	Args:
		doctype, name: as somebody has sent them; there may be no such document.

	Raises:
		frappe.PermissionError: see `refuse_hidden`.
	"""
	if not is_desk_user(frappe.session.user) or not can_read_document(doctype, name):
		refuse_hidden(doctype, name)
	return frappe.get_doc(doctype, stored_name(doctype, name))


def check_reads_doctype(doctype: str) -> None:
	"""Refuse a DocType of which the session user may read no document; System Managers may ask for any.

	Args:
		doctype: as somebody has sent it; there may be none.

	Raises:
		frappe.PermissionError: see `refuse_hidden`.
	"""
	if stored_meta(doctype) is None or not (sees_everything() or frappe.has_permission(doctype, "read")):
		refuse_hidden("DocType", doctype)


def stored_meta(doctype: str):
	"""Return the meta of a DocType; None where there is none.

	Args:
		doctype: as somebody has sent it; what is no text has no meta.
	"""
	if not doctype or not isinstance(doctype, str):
		return None
	try:
		return frappe.get_meta(doctype)
	except frappe.DoesNotExistError:
		frappe.clear_last_message()
		return None


def stored_name(doctype: str, name):
	"""Return a document's name in the type its DocType keeps names in; None where no document can have it.

	Args:
		doctype: DocType of the document; Singles, tables and virtual DocTypes have no documents here.
		name: text or number.
	"""
	meta = stored_meta(doctype)
	if not meta or meta.issingle or meta.istable or meta.get("is_virtual"):
		return None
	if (meta.autoname or "").lower() != "autoincrement":
		return str(name)
	try:
		return parsing.as_integer(name, 0, 2**53)
	except ValueError:
		return None


def can_read_document(doctype: str, name: str, user: str | None = None) -> bool:
	"""Tell whether a user may read a document; False too when there is no such document or DocType.

	Args:
		doctype, name: the document a plan is about.
		user: the session user by default.
	"""
	document_name = stored_name(doctype, name) if doctype and name else None
	if document_name is None:
		return False
	try:
		return compat.may(doctype, "read", document_name, user_or_session(user))
	except frappe.DoesNotExistError:
		frappe.clear_last_message()
		return False


def can_see_plan(plan) -> bool:
	"""Tell whether the session user may see a plan: who works in the desk and may read its document.

	Args:
		plan: row with `reference_type` and `reference_name`.
	"""
	return is_desk_user(frappe.session.user) and can_read_document(plan.reference_type, plan.reference_name)


def visible_task(name: str):
	"""Return a Milestone Task that the session user may see: whose document they may read, or that is assigned to them.

	Args:
		name: of the task, as somebody has sent it.

	Raises:
		frappe.PermissionError: see `refuse_hidden`.
	"""
	try:
		task = frappe.get_doc("Milestone Task", name)
	except frappe.DoesNotExistError:
		frappe.clear_last_message()
		task = None
	if not task or not visible_tasks([task]):
		refuse_hidden("Milestone Task", name)
	return task


def can_act_on_task(task, user: str | None = None) -> bool:
	"""Tell whether a user may complete a task.

	Its assignee may; and of those who may read the document, managers and the owner of its stage.

	Args:
		task: Milestone Task, as document or row with `name`, `plan_stage`, `reference_type` and `reference_name`.
		user: the session user by default.
	"""
	user = user_or_session(user)
	return is_assigned(task, user) or can_direct_task(task, user)


def can_direct_task(task, user: str | None = None) -> bool:
	"""Tell whether a user may act on a task for its assignees: managers and the owner of its stage.

	Args:
		task, user: as in `can_act_on_task`.
	"""
	user = user_or_session(user)
	if sees_everything(user):
		return True
	if not can_manage(user) and not owns_stage(stage_of_task(task), user):
		return False
	return can_read_document(task.get("reference_type"), task.get("reference_name"), user)


def can_assign(task, user: str | None = None) -> bool:
	"""Tell whether a user may give a task to somebody, or take it away.

	Who may act on the task and may read the document: nobody from outside brings in others.

	Args:
		task, user: as in `can_act_on_task`.
	"""
	user = user_or_session(user)
	if sees_everything(user):
		return True
	reads = can_read_document(task.get("reference_type"), task.get("reference_name"), user)
	return reads and is_desk_user(user) and can_act_on_task(task, user)


def can_act_on_stage(stage_row, doc, user: str | None = None) -> bool:
	"""Tell whether a user may confirm a stage or move its date.

	Its owner (the user, or anybody with the role) and managers may, all of them only if they may read the document.

	Args:
		stage_row: Milestone Plan Stage, as document or dict.
		doc: the document the plan is about, or anything with its `doctype` and `name`.
		user: the session user by default.
	"""
	user = user_or_session(user)
	if sees_everything(user):
		return True
	if not can_manage(user) and not owns_stage(stage_row, user):
		return False
	return can_read_document(doc.get("doctype"), doc.get("name"), user)


def visible_tasks(rows: Iterable, user: str | None = None) -> list:
	"""Return the tasks among some rows that a user may see, with a constant number of queries for one document.

	Args:
		rows: as in `can_act_on_task`.
		user: the session user by default.

	Returns:
		list: the rows, in their order.
	"""
	rows, user = list(rows), user_or_session(user)
	if sees_everything(user):
		return rows
	documents = {(row.get("reference_type"), row.get("reference_name")) for row in rows}
	readable_documents = {one for one in documents if is_desk_user(user) and can_read_document(*one, user)}
	own_tasks = (
		tasks_of(user, [row.get("name") for row in rows]) if readable_documents != documents else set()
	)
	return [
		row
		for row in rows
		if (row.get("reference_type"), row.get("reference_name")) in readable_documents
		or row.get("name") in own_tasks
	]


def is_assigned(task, user: str) -> bool:
	"""Tell whether a user is among the stored assignees of a task; what a request claims does not count.

	Args:
		task: document or row with `name`.
		user: user id.
	"""
	return bool(tasks_of(user, [task.get("name")]))


def tasks_of(user: str, names: list[str]) -> set[str]:
	"""Return those of some tasks that a user is assigned to.

	Args:
		user: user id, which may also be the address that was asked before there was an account.
		names: of tasks; empty ones are left out.

	Returns:
		set[str]: names of tasks. One query; none for no names.
	"""
	names = [name for name in names if name]
	if not names:
		return set()
	filters = {"parenttype": "Milestone Task", "parent": ("in", names)}
	# By address where the account was made after it was asked; no id of a user is somebody else's address.
	is_theirs = {"user": user, "email": user.lower()}
	return set(frappe.get_all("Milestone Task Assignee", filters, or_filters=is_theirs, pluck="parent"))


def is_desk_user(user: str) -> bool:
	"""Tell whether a user works in the desk. Asked by account: before Frappe 15.0 there is no role that says it.

	Args:
		user: user id.
	"""
	return user == "Administrator" or frappe.get_cached_value("User", user, "user_type") == "System User"


def check_may_set_status(task, status: str) -> None:
	"""Refuse a transition of a task to somebody who may not make it; the reason is the engine's to check.

	Args:
		task: as in `can_act_on_task`.
		status: the TaskStatus wanted.

	Raises:
		frappe.PermissionError: only managers waive and cancel, and the rest only assignees, managers and the owner of the
			stage.
	"""
	if status in (TaskStatus.WAIVED, TaskStatus.CANCELLED):
		check_manager()
	if not can_act_on_task(task):
		frappe.throw(
			_("Only an assignee of the task, the owner of its milestone or a Milestone Manager may do this."),
			frappe.PermissionError,
		)


def user_or_session(user: str | None) -> str:
	"""Return the user, or that of the session.

	Args:
		user: user id; None and an empty text stand for the session user.
	"""
	return user or frappe.session.user


def stage_of_task(task):
	"""Return what says who owns the stage of a task, or None.

	Args:
		task: document or row with `plan_stage`.

	Returns:
		dict: `stage_owner`, `owner_kind`, `owner_role` and `outside_owner`, as `owns_stage` takes it. One query.
	"""
	fields = ["stage_owner", "owner_kind", "owner_role", "outside_owner"]
	return frappe.db.get_value("Milestone Plan Stage", task.get("plan_stage"), fields, as_dict=True)


def owns_stage(stage_row, user: str) -> bool:
	"""Tell whether a user owns a stage: by name, by role, or by the address that was asked before there was an account.

	Args:
		stage_row: Milestone Plan Stage, or a row as of `stage_of_task`; nobody owns None.
		user: user id.
	"""
	if not stage_row:
		return False
	if stage_row.get("owner_kind") == OwnerKind.ROLE:
		return stage_row.get("owner_role") in frappe.get_roles(user)
	if stage_row.get("owner_kind") in OUTSIDE_OWNERS and stage_row.get("outside_owner"):
		# The account was made after the address was asked.
		return stage_row.get("outside_owner").lower() == user.lower()
	return stage_row.get("stage_owner") == user


def is_outside_owner(stage_row, who: str | None) -> bool:
	"""Tell whether somebody from outside owns a stage, who may answer for it and needs no right to the document.

	Args:
		stage_row: Milestone Plan Stage, as document or dict.
		who: user id or e-mail address that a signed link or the session proves.
	"""
	if not who or stage_row.get("owner_kind") not in OUTSIDE_OWNERS:
		return False
	if who == stage_row.get("stage_owner"):
		# Of an account that was deleted by force only the address is left; that makes nobody an outsider.
		return bool(frappe.db.get_value("User", who, "enabled"))
	address = (stage_row.get("outside_owner") or "").lower()
	# Whoever has an account by now is known by its id.
	return bool(address) and address in (who.lower(), _address_of(who))


def _address_of(user: str) -> str:
	return (frappe.db.get_value("User", user, "email") or "").lower()
