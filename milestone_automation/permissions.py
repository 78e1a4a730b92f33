"""Who sees and does what with plans, tasks, date changes, the log and messages.

A plan and all that hangs on it is as visible as its document. A task is also visible to its assignees, and
nothing else is to those who may not read the document. Frappe asks the functions under "Hooks"; the engine and
the API ask the rest. A hook only narrows what roles give, so each DocType's roles give the most that anybody
may have (docs/roles.md).
"""

import re
from collections.abc import Iterable

import frappe
from frappe import _
from frappe.model.db_query import DatabaseQuery, requires_owner_constraint
from frappe.utils import cstr

from milestone_automation.engine import values
from milestone_automation.engine.vocabulary import OwnerKind, TaskStatus

MANAGER_ROLES = {"System Manager", "Milestone Manager"}
# What a permission check may ask for (None: all there is) that changes nothing.
READING = {None, "select", "read", "print", "email", "report", "export"}
# Write: to comment and attach. `check_task_edit` keeps the fields.
ASSIGNEE_RIGHTS = {None, "select", "read", "print", "write"}
NOTHING = "1=0"

# Set by the engine's calls only, as they also move dates, close to-dos and look at the gate.
ENGINE_FIELDS = (
	"status",
	"closed_on",
	"closed_by",
	"reason",
	"plan",
	"plan_stage",
	"stage_name",
	"reference_type",
	"reference_name",
	"workflow_task",
	"due_reminder_on",
	"overdue_reminder_on",
)
ASSIGNEE_FIELDS = ("user", "contact", "email", "done")


def can_manage(user: str | None = None) -> bool:
	"""Tell whether a user is System Manager or Milestone Manager (the session user by default)."""
	return sees_everything(user) or not MANAGER_ROLES.isdisjoint(frappe.get_roles(_or_session(user)))


def sees_everything(user: str | None = None) -> bool:
	"""Tell whether a user needs no right to the document: Administrator and System Managers."""
	user = _or_session(user)
	return user == "Administrator" or "System Manager" in frappe.get_roles(user)


def can_read_document(doctype: str, name: str, user: str | None = None) -> bool:
	"""Tell whether a user may read a document; False too when there is no such document or DocType.

	Args:
		doctype, name: the document a plan is about.
		user: the session user by default.
	"""
	if not doctype or not name:
		return False
	try:
		return bool(frappe.has_permission(doctype, "read", doc=name, user=_or_session(user)))
	except frappe.DoesNotExistError:
		frappe.clear_last_message()
		return False


def can_act_on_task(task, user: str | None = None) -> bool:
	"""Tell whether a user may complete a task.

	Its assignee may; and of those who may read the document, managers and the owner of its stage.

	Args:
		task: Milestone Task, as document or row with `name`, `plan_stage`, `reference_type` and `reference_name`.
		user: the session user by default.
	"""
	user = _or_session(user)
	return is_assigned(task, user) or can_direct_task(task, user)


def can_direct_task(task, user: str | None = None) -> bool:
	"""Tell whether a user may act on a task for its assignees: managers and the owner of its stage.

	Args:
		task, user: as in `can_act_on_task`.
	"""
	user = _or_session(user)
	if sees_everything(user):
		return True
	if not can_manage(user) and not _owns_stage(_stage_of(task), user):
		return False
	return can_read_document(task.get("reference_type"), task.get("reference_name"), user)


def can_assign(task, user: str | None = None) -> bool:
	"""Tell whether a user may give a task to somebody, or take it away.

	Who may act on the task and may read the document: nobody from outside brings in others.

	Args:
		task, user: as in `can_act_on_task`.
	"""
	user = _or_session(user)
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
	user = _or_session(user)
	if sees_everything(user):
		return True
	if not can_manage(user) and not _owns_stage(stage_row, user):
		return False
	return can_read_document(doc.get("doctype"), doc.get("name"), user)


def visible_tasks(rows: Iterable, user: str | None = None) -> list:
	"""Return the tasks among some rows that a user may see, with a constant number of queries for one document.

	Args:
		rows: as in `can_act_on_task`.
		user: the session user by default.
	"""
	rows, user = list(rows), _or_session(user)
	if sees_everything(user):
		return rows
	documents = {(row.get("reference_type"), row.get("reference_name")) for row in rows}
	read = {one for one in documents if is_desk_user(user) and can_read_document(*one, user)}
	own = tasks_of(user, [row.get("name") for row in rows]) if read != documents else set()
	return [
		row
		for row in rows
		if (row.get("reference_type"), row.get("reference_name")) in read or row.get("name") in own
	]


def is_assigned(task, user: str) -> bool:
	"""Tell whether a user is among the stored assignees of a task; what a request claims does not count."""
	return bool(tasks_of(user, [task.get("name")]))


def tasks_of(user: str, names: list[str]) -> set[str]:
	"""Return those of some tasks that a user is assigned to."""
	names = [name for name in names if name]
	if not names:
		return set()
	filters = {"parenttype": "Milestone Task", "parent": ("in", names), "user": user}
	return set(frappe.get_all("Milestone Task Assignee", filters=filters, pluck="parent"))


def is_desk_user(user: str) -> bool:
	"""Tell whether a user works in the desk. Asked by account: before Frappe 15.0 there is no role that says it."""
	return user == "Administrator" or frappe.get_cached_value("User", user, "user_type") == "System User"


def check_task_edit(doc) -> None:
	"""Refuse a save of a task that changes more than its writer may change.

	Managers edit what a task says; status, outcome and place change through the engine only; others nothing.

	Raises:
		frappe.ValidationError: a field that nobody sets by saving.
		frappe.PermissionError: any other field, by somebody who is no manager.
	"""
	before = doc.get_doc_before_save()
	if doc.flags.by_engine or not before:
		return
	changed = [field for field in doc.meta.fields if _is_changed(before, doc, field)]
	names = ", ".join(_(field.label) for field in changed)
	kept = [_(field.label) for field in changed if field.fieldname in (*ENGINE_FIELDS, "assignees")]
	if kept:
		frappe.throw(_engine_field_message(doc, kept), title=_("Not Changed by Saving"))
	if changed and not can_manage():
		frappe.throw(
			_("Only a Milestone Manager may change {0} of the task {1}.").format(names, doc.title)
			+ " "
			+ _("You may complete it, comment on it and attach files."),
			frappe.PermissionError,
			title=_("Not Permitted"),
		)


def check_may_set_status(task, status: str) -> None:
	"""Refuse a transition of a task to somebody who may not make it; the reason is the engine's to check.

	Args:
		task: as in `can_act_on_task`.
		status: the TaskStatus wanted.

	Raises:
		frappe.PermissionError
	"""
	if status in (TaskStatus.WAIVED, TaskStatus.CANCELLED) and not can_manage():
		frappe.throw(
			_("Only a System Manager or Milestone Manager may do this. Ask one of them."),
			frappe.PermissionError,
		)
	if not can_act_on_task(task):
		frappe.throw(
			_("Only an assignee of the task, the owner of its milestone or a Milestone Manager may do this."),
			frappe.PermissionError,
		)


def check_new_task(doc) -> None:
	"""Refuse a task that is inserted as done already.

	Raises:
		frappe.ValidationError: its status is not Open.
	"""
	if not doc.flags.by_engine and (doc.status or TaskStatus.OPEN) != TaskStatus.OPEN:
		frappe.throw(_engine_field_message(doc, [_("Status")]), title=_("Not Changed by Saving"))


def _engine_field_message(doc, labels: list[str]) -> str:
	return _(
		"{0} of the task {1} cannot be set by saving it. Use Complete, Reopen, Waive or Cancel, or assign somebody."
	).format(", ".join(labels), doc.title)


def _is_changed(before, doc, field) -> bool:
	if field.fieldtype == "Table":
		return _assignee_rows(before) != _assignee_rows(doc)
	old, new = before.get(field.fieldname), doc.get(field.fieldname)
	return not values.is_same(old, new, field.fieldtype)


def _assignee_rows(doc) -> list[tuple[str, ...]]:
	return [tuple(cstr(row.get(column)) for column in ASSIGNEE_FIELDS) for row in doc.get("assignees") or []]


def _or_session(user: str | None) -> str:
	return user or frappe.session.user


def _stage_of(task):
	fields = ["stage_owner", "owner_kind", "owner_role"]
	return frappe.db.get_value("Milestone Plan Stage", task.get("plan_stage"), fields, as_dict=True)


def _owns_stage(stage_row, user: str) -> bool:
	if not stage_row:
		return False
	if stage_row.get("owner_kind") == OwnerKind.ROLE:
		return stage_row.get("owner_role") in frappe.get_roles(user)
	return stage_row.get("stage_owner") == user


# Hooks: one document


def has_plan_permission(doc, ptype=None, user=None) -> bool:
	"""Hook for Milestone Plan, Milestone Date Change and Milestone Plan Log."""
	user = _or_session(user)
	if sees_everything(user):
		return True
	if not is_desk_user(user) or (ptype not in READING and not can_manage(user)):
		return False
	return _may_read_references(doc, user)


def has_task_permission(doc, ptype=None, user=None) -> bool:
	"""Hook for Milestone Task."""
	user = _or_session(user)
	if sees_everything(user):
		return True
	if ptype in ASSIGNEE_RIGHTS and is_assigned(doc, user):
		return True
	if not is_desk_user(user) or not _may_read_references(doc, user):
		return False
	if ptype in READING or can_manage(user):
		return True
	return ptype == "write" and _owns_stage(_stage_of(_stored(doc) or {}), user)


def has_message_permission(doc, ptype=None, user=None) -> bool:
	"""Hook for Milestone Message: managers, and a message about no single document only for whom it was sent to."""
	user = _or_session(user)
	if sees_everything(user):
		return True
	if not can_manage(user):
		return False
	stored = _stored(doc) or doc
	if not stored.get("reference_name"):
		return stored.get("recipient") == user
	return _may_read_references(doc, user)


def _may_read_references(doc, user: str) -> bool:
	"""Tell whether a user may read the document that a row is about, and the one it would be about once saved."""
	stored = _stored(doc)
	claimed = _reference_of(doc)
	references = {_reference_of(stored), claimed} if stored else {_reference_of_plan(doc) or claimed}
	if not stored and references == {(None, None)}:
		# A new plan that does not say yet what it is about.
		return True
	return all(can_read_document(*reference, user) for reference in references)


def _reference_of(row) -> tuple[str | None, str | None]:
	return row.get("reference_type") or None, row.get("reference_name") or None


def _reference_of_plan(doc) -> tuple[str | None, str | None] | None:
	"""Return what the plan of a new row is about; the row itself does not know yet."""
	plan = doc.get("plan")
	return plan and frappe.db.get_value("Milestone Plan", plan, ["reference_type", "reference_name"])


def _stored(doc):
	"""Return a row as the database has it. In memory it may carry what a request has put there."""
	fields = ["reference_type", "reference_name"]
	fields += {"Milestone Task": ["plan_stage"], "Milestone Message": ["recipient"]}.get(doc.doctype, [])
	return doc.name and frappe.db.get_value(doc.doctype, doc.name, fields, as_dict=True)


# Hooks: lists. Frappe takes SQL text here and wants no other form.


def plan_query(user=None) -> str:
	"""Hook for Milestone Plan: the condition for the plans a user may see."""
	return _document_query("Milestone Plan", user)


def date_change_query(user=None) -> str:
	"""Hook for Milestone Date Change."""
	return _document_query("Milestone Date Change", user)


def plan_log_query(user=None) -> str:
	"""Hook for Milestone Plan Log."""
	return _document_query("Milestone Plan Log", user)


def task_query(user=None) -> str:
	"""Hook for Milestone Task: tasks of documents a user may read, and tasks assigned to the user."""
	user = _or_session(user)
	row = "`tabMilestone Task Assignee`"
	assigned = (
		f"`tabMilestone Task`.name in (select {row}.parent from {row}"
		f" where {row}.parenttype = 'Milestone Task' and {row}.`user` = {_quoted(user)})"
	)
	return _document_query("Milestone Task", user, assigned)


def message_query(user=None) -> str:
	"""Hook for Milestone Message."""
	user = _or_session(user)
	own = (
		f"coalesce(`tabMilestone Message`.reference_name, '') = ''"
		f" and `tabMilestone Message`.recipient = {_quoted(user)}"
	)
	return _document_query("Milestone Message", user, f"({own})")


def _document_query(doctype: str, user: str | None, *also: str) -> str:
	"""Return the condition for rows whose document a user may read, that were shared, or that fit one of `also`."""
	user = _or_session(user)
	if sees_everything(user):
		return ""
	if user == "Guest":
		return NOTHING
	readable = [_of_type(doctype, one, user) for one in _reference_types()] if is_desk_user(user) else []
	conditions = [*also, _shared(doctype, user), *filter(None, readable)]
	return _without_percent_signs(f"({' or '.join(conditions)})")


def _reference_types() -> list[str]:
	return frappe.get_all("Milestone Plan", distinct=True, pluck="reference_type", order_by=None)


def _of_type(doctype: str, reference_type: str, user: str) -> str | None:
	"""Return the condition for rows about documents of one DocType; None when the user may read none of it."""
	readable = _readable(reference_type, user)
	if readable is None:
		return None
	is_type = f"`tab{doctype}`.reference_type = {_quoted(reference_type)}"
	if not readable:
		return is_type
	names = f"select {_name_as_text(reference_type)} from `tab{reference_type}` where {readable}"
	return f"({is_type} and `tab{doctype}`.reference_name in ({names}))"


def _readable(doctype: str, user: str) -> str | None:
	"""Return Frappe's own list condition for a DocType: owner, user permissions, shares, hooks and scripts.

	Empty when nothing restricts the user, None when the DocType is gone.
	"""
	try:
		meta = frappe.get_meta(doctype)
	except frappe.DoesNotExistError:
		frappe.clear_last_message()
		return None
	rights = frappe.permissions.get_role_permissions(meta, user=user)
	if not rights.get("read"):
		return _shared(doctype, user)
	condition = DatabaseQuery(doctype, user=user).build_match_conditions()
	if "read" not in (rights.get("if_owner") or {}) or requires_owner_constraint(rights):
		return condition
	# Frappe drops "if owner" where another rule lets the user select documents, which is less than reading them.
	owned = f"(`tab{doctype}`.`owner` = {_quoted(user)} or {_shared(doctype, user)})"
	return f"{owned} and ({condition})" if condition else owned


def _shared(doctype: str, user: str) -> str:
	"""Return the condition for documents somebody shared with the user or with everybody."""
	share = "`tabDocShare`"
	with_user = f"({share}.`user` = {_quoted(user)} or {share}.everyone = 1)"
	return (
		f"{_name_as_text(doctype)} in (select {share}.share_name from {share}"
		f" where {share}.share_doctype = {_quoted(doctype)} and {share}.`read` = 1 and {with_user})"
	)


def _name_as_text(doctype: str) -> str:
	"""Return a DocType's name column as text: rows keep names as text, some DocTypes number them."""
	column = f"`tab{doctype}`.name"
	if (frappe.get_meta(doctype).autoname or "").lower() != "autoincrement":
		return column
	return f"concat({column}, '')" if frappe.db.db_type == "mariadb" else f"cast({column} as varchar)"


def _quoted(text: str) -> str:
	return frappe.db.escape(text, percent=False)


def _without_percent_signs(condition: str) -> str:
	"""Write each percent sign in a text of a condition as its code.

	Frappe 16 formats lists' SQL with values and so reads a sign in "50% wool" as a place for one; Frappe 15 does not,
	and there a doubled sign would stay double.
	"""
	if "%" not in condition:
		return condition
	inside = r"[^'\\]|''|\\." if frappe.db.db_type == "mariadb" else r"[^']|''"
	return re.sub(f"'(?:{inside})*'", lambda text: _percent_by_code(text[0]), condition)


def _percent_by_code(text: str) -> str:
	parts = [f"'{part}'" for part in text[1:-1].split("%")]
	if len(parts) == 1:
		return text
	if frappe.db.db_type == "mariadb":
		return f"concat({', char(37 using ascii), '.join(parts)})"
	sign = "chr(37)" if frappe.db.db_type == "postgres" else "char(37)"
	return f"({f' || {sign} || '.join(parts)})"
