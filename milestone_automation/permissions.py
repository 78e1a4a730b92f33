"""Who sees and does what with plans, tasks, date changes, the log and messages.

A plan and all that hangs on it is as visible as its document. A task is also visible to its assignees, and
nothing else is to those who may not read the document. Frappe asks the functions under "Hooks"; the engine and
the API ask the rest. A hook only narrows what roles give, so each DocType's roles give the most that anybody
may have (docs/roles.md).
"""

from collections.abc import Callable

import frappe
from frappe import _
from frappe.model import display_fieldtypes
from frappe.utils import cstr

from milestone_automation import hooks
from milestone_automation.engine.base import values
from milestone_automation.engine.base.save_state import Mark, marked
from milestone_automation.engine.people import field_rights, rights
from milestone_automation.engine.people.readable import condition as _readable
from milestone_automation.engine.people.readable import name_as_text, names
from milestone_automation.engine.people.readable import quoted as _quoted
from milestone_automation.engine.people.readable import shared_names as _shared_names
from milestone_automation.engine.people.readable import without_percent_signs as _without_percent_signs
from milestone_automation.engine.progress import task_edits
from milestone_automation.engine.rules.vocabulary import TaskStatus

# What a permission check may ask for (None: all there is) that changes nothing.
READING = {None, "select", "read", "print", "email", "report", "export"}
# Write: to comment and attach. `check_task_edit` keeps the fields.
ASSIGNEE_RIGHTS = {None, "select", "read", "print", "write"}
NOTHING = "1=0"
MILESTONE_FIELDS = ["reference_type", "reference_name", "track_field"]
ASSIGNEE_FIELDS = ("user", "contact", "email", "done")
# The query builder has no recursion.
REFERENCE_TYPES = """
	with recursive types as (
		select min(reference_type) as reference_type from `tabMilestone Plan`
		union all
		select (
			select min(plan.reference_type) from `tabMilestone Plan` as plan
			where plan.reference_type > types.reference_type
		) from types where types.reference_type is not null
	)
	select reference_type from types where reference_type is not null and reference_type != ''
"""


def has_app_permission() -> bool:
	"""Hook: tell whether the app stands on the session user's apps screen and desktop.

	A user's only app is also where they land after logging in, so those who just have tasks do not get it.
	"""
	return rights.can_manage()


def check_task_edit(doc) -> None:
	"""Refuse a save of a task that changes more than its writer may change.

	Managers edit what a task says; status, outcome and place change through the engine only; others nothing.

	Args:
		doc: the Milestone Task, before it is written; one that is new, or that the engine writes, passes.

	Raises:
		frappe.ValidationError: a field that nobody sets by saving.
		frappe.PermissionError: any other field, by somebody who is no manager.
	"""
	before = doc.get_doc_before_save()
	if marked(doc, Mark.BY_ENGINE) or not before:
		return
	changed = [
		field
		for field in doc.meta.fields
		if field.fieldtype not in display_fieldtypes and _is_changed(before, doc, field)
	]
	names = ", ".join(_(field.label) for field in changed)
	engine_labels = [
		_(field.label) for field in changed if field.fieldname in (*task_edits.ENGINE_FIELDS, "assignees")
	]
	if engine_labels:
		frappe.throw(_engine_field_message(doc, engine_labels), title=_("Cannot Be Changed Here"))
	if changed and not rights.can_manage():
		frappe.throw(
			_("Only a Milestone Manager may change {0} of the task {1}.").format(names, doc.title)
			+ " "
			+ _("You may complete it, comment on it and attach files."),
			frappe.PermissionError,
			title=_("Not Permitted"),
		)


def check_new_task(doc) -> None:
	"""Refuse a task that is inserted as done already.

	Args:
		doc: the Milestone Task, before its insert; one that the engine inserts passes.

	Raises:
		frappe.ValidationError: its status is not Open.
	"""
	if not marked(doc, Mark.BY_ENGINE) and (doc.status or TaskStatus.OPEN) != TaskStatus.OPEN:
		frappe.throw(_engine_field_message(doc, [_("Status")]), title=_("Cannot Be Changed Here"))


def _engine_field_message(doc, labels: list[str]) -> str:
	return _(
		"{0} of the task {1} cannot be changed here. Use Complete, Reopen, Waive or Cancel, or assign somebody."
	).format(", ".join(labels), doc.title)


def _is_changed(before, doc, field) -> bool:
	if field.fieldtype == "Table":
		return _assignee_rows(before) != _assignee_rows(doc)
	old, new = before.get(field.fieldname), doc.get(field.fieldname)
	return not values.is_same(old, new, field.fieldtype)


def _assignee_rows(doc) -> list[tuple[str, ...]]:
	return [tuple(cstr(row.get(column)) for column in ASSIGNEE_FIELDS) for row in doc.get("assignees") or []]


# Hooks: one document


def has_plan_permission(doc, ptype=None, user=None) -> bool:
	"""Hook for Milestone Plan, Milestone Date Change and Milestone Plan Log: users of the desk who may read the document.

	Args:
		doc: document of one of these DocTypes, stored or not. Its document as it is stored counts, and as `doc` claims it.
		ptype: what is asked for, such as "read"; None for all there is. What changes something is for managers only.
		user: user id; the session user by default.
	"""
	user = rights.user_or_session(user)
	if rights.sees_everything(user):
		return True
	if not rights.is_desk_user(user) or (ptype not in READING and not rights.can_manage(user)):
		return False
	return _may_read_references(doc, user)


def has_milestone_permission(doc, ptype=None, user=None) -> bool:
	"""Hook for Milestone: whom a site lets read recorded values reads those of documents and fields they may read.

	Args:
		doc: the Milestone; where it is stored, what is stored counts.
		ptype: what is asked for; makes no difference here.
		user: user id; the session user by default.
	"""
	user = rights.user_or_session(user)
	if rights.sees_everything(user):
		return True
	milestone_row = (
		doc.name and frappe.db.get_value("Milestone", doc.name, MILESTONE_FIELDS, as_dict=True)
	) or doc
	if not rights.is_desk_user(user) or not rights.can_read_document(*_reference_of(milestone_row), user):
		return False
	return milestone_row.get("track_field") not in field_rights.hidden(
		milestone_row.get("reference_type"), user=user
	)


def has_step_permission(doc, ptype=None, user=None) -> bool:
	"""Hook for Milestone Next Step: managers who may read the plan's document.

	Args:
		doc: the Milestone Next Step.
		ptype, user: as in `has_plan_permission`.
	"""
	user = rights.user_or_session(user)
	return rights.can_manage(user) and has_plan_permission(doc, ptype, user)


def has_task_permission(doc, ptype=None, user=None) -> bool:
	"""Hook for Milestone Task: its assignees, and who may read its document.

	Args:
		doc: the Milestone Task, stored or not.
		ptype: what is asked for; None for all there is. Assignees get `ASSIGNEE_RIGHTS`, managers all, the owner of its
			stage may write, other readers of the document just read.
		user: user id; the session user by default.
	"""
	user = rights.user_or_session(user)
	if rights.sees_everything(user):
		return True
	if ptype in ASSIGNEE_RIGHTS and rights.is_assigned(doc, user):
		return True
	if not rights.is_desk_user(user) or not _may_read_references(doc, user):
		return False
	if ptype in READING or rights.can_manage(user):
		return True
	return ptype == "write" and rights.owns_stage(rights.stage_of_task(_stored(doc) or {}), user)


def has_message_permission(doc, ptype=None, user=None) -> bool:
	"""Hook for Milestone Message: managers, and a message about no single document only for whom it was sent to.

	Args:
		doc: the Milestone Message; where it is stored, what is stored counts.
		ptype: what is asked for; makes no difference here.
		user: user id; the session user by default.
	"""
	user = rights.user_or_session(user)
	if rights.sees_everything(user):
		return True
	if not rights.can_manage(user):
		return False
	message_row = _stored(doc) or doc
	if not message_row.get("reference_name"):
		return message_row.get("recipient") == user
	return _may_read_references(doc, user)


def has_baseline_permission(doc, ptype=None, user=None) -> bool:
	"""Hook for Milestone Baseline: that of one plan is for those who may see the plan.

	Args:
		doc: the Milestone Baseline; its plan as it is stored counts, and as `doc` claims it.
		ptype: what is asked for; makes no difference here.
		user: user id; the session user by default.
	"""
	user = rights.user_or_session(user)
	if rights.sees_everything(user):
		return True
	stored_plan = doc.name and frappe.db.get_value("Milestone Baseline", doc.name, "plan")
	plans = {plan for plan in (stored_plan, doc.get("plan")) if plan}
	return all(rights.can_read_document("Milestone Plan", plan, user) for plan in plans)


def has_tag_link_permission(doc, ptype=None, user=None) -> bool:
	"""Hook for Tag Link: of a document of ours, it is for those who may read that document.

	Args:
		doc: the Tag Link.
		ptype: what is asked for; makes no difference here.
		user: user id; the session user by default.
	"""
	user = rights.user_or_session(user)
	if rights.sees_everything(user) or doc.get("document_type") not in hooks.standard_queries:
		return True
	return rights.can_read_document(doc.get("document_type"), doc.get("document_name"), user)


def _may_read_references(doc, user: str) -> bool:
	"""Tell whether a user may read the document that a row is about, and the one it would be about once saved."""
	stored_row = _stored(doc)
	claimed = _reference_of(doc)
	references = {_reference_of(stored_row), claimed} if stored_row else {_reference_of_plan(doc) or claimed}
	if not stored_row and references == {(None, None)}:
		# A new plan that does not say yet what it is about.
		return True
	return all(rights.can_read_document(*reference, user) for reference in references)


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


def milestone_query(user=None) -> str:
	"""Hook for Milestone: those of documents and fields a user may read.

	Args:
		user: user id; the session user by default.

	Returns:
		str: condition in SQL; empty for all rows.
	"""
	user = rights.user_or_session(user)
	if rights.sees_everything(user):
		return ""
	if not rights.is_desk_user(user):
		return NOTHING
	tracked = frappe.get_all("Milestone Tracker", pluck="document_type", order_by=None)
	return _of_types("Milestone", sorted({*tracked, *_reference_types()}), user, also=_is_field_readable)


def _is_field_readable(reference_type: str, user: str) -> str:
	"""Return the condition for the milestones of a DocType in fields that the user may read; empty for all of them."""
	hidden = ", ".join(_quoted(name) for name in sorted(field_rights.hidden(reference_type, user=user)))
	return f" and `tabMilestone`.track_field not in ({hidden})" if hidden else ""


def plan_query(user=None) -> str:
	"""Hook for Milestone Plan: the condition for the plans a user may see.

	Args:
		user: user id; the session user by default.

	Returns:
		str: as of `milestone_query`.
	"""
	return _document_query("Milestone Plan", user)


def date_change_query(user=None) -> str:
	"""Hook for Milestone Date Change: those of documents a user may read.

	Args:
		user: user id; the session user by default.

	Returns:
		str: as of `milestone_query`.
	"""
	return _document_query("Milestone Date Change", user)


def plan_log_query(user=None) -> str:
	"""Hook for Milestone Plan Log: entries about documents a user may read.

	Args:
		user: user id; the session user by default.

	Returns:
		str: as of `milestone_query`.
	"""
	return _document_query("Milestone Plan Log", user)


def next_step_query(user=None) -> str:
	"""Hook for Milestone Next Step: for managers those of documents they may read, for others what was shared with them.

	Args:
		user: user id; the session user by default.

	Returns:
		str: as of `milestone_query`.
	"""
	user = rights.user_or_session(user)
	if not rights.can_manage(user):
		return _of_types("Milestone Next Step", [], user)
	return _document_query("Milestone Next Step", user)


def task_query(user=None) -> str:
	"""Hook for Milestone Task: tasks of documents a user may read, and tasks assigned to the user.

	Args:
		user: user id; the session user by default.

	Returns:
		str: as of `milestone_query`.
	"""
	user = rights.user_or_session(user)
	row = "`tabMilestone Task Assignee`"
	assigned = (
		# What is put in is a constant, or quoted.
		f"select {row}.parent as name from {row}"  # nosec B608
		f" where {row}.parenttype = 'Milestone Task' and {row}.`user` = {_quoted(user)}"
	)
	return _document_query("Milestone Task", user, assigned)


def message_query(user=None) -> str:
	"""Hook for Milestone Message: those about documents a user may read, and those about no single one sent to the user.

	Args:
		user: user id; the session user by default.

	Returns:
		str: as of `milestone_query`.
	"""
	user = rights.user_or_session(user)
	own_messages = (
		f"coalesce(`tabMilestone Message`.reference_name, '') = ''"
		f" and `tabMilestone Message`.recipient = {_quoted(user)}"
	)
	return _document_query("Milestone Message", user, names("Milestone Message", own_messages))


def baseline_query(user=None) -> str:
	"""Hook for Milestone Baseline: those of whole workflows, and of plans that the user may see.

	Args:
		user: user id; the session user by default.

	Returns:
		str: as of `milestone_query`.
	"""
	user = rights.user_or_session(user)
	if rights.sees_everything(user):
		return ""
	of_plan = "`tabMilestone Baseline`.plan"
	readable = _readable("Milestone Plan", user)
	plans = [f"{of_plan} in ({names('Milestone Plan', readable)})"] if readable else []
	conditions = [f"coalesce({of_plan}, '') = ''", *plans]
	return "" if readable == "" else _without_percent_signs(f"({' or '.join(conditions)})")


def tag_link_query(user=None) -> str:
	"""Hook for Tag Link: those of other apps' documents, and of documents of ours that the user may read.

	Args:
		user: user id; the session user by default.

	Returns:
		str: as of `milestone_query`.
	"""
	user = rights.user_or_session(user)
	if rights.sees_everything(user):
		return ""
	own_doctypes = frappe.get_all(
		"Tag Link",
		filters={"document_type": ("in", sorted(hooks.standard_queries))},
		distinct=True,
		pluck="document_type",
		order_by=None,
	)
	if not own_doctypes:
		return ""
	link = "`tabTag Link`"
	names_of_ours = ", ".join(_quoted(doctype) for doctype in own_doctypes)
	conditions = [f"coalesce({link}.document_type, '') not in ({names_of_ours})"]
	for doctype in own_doctypes:
		readable = _readable(doctype, user)
		if readable is not None:
			tagged = f" and {link}.document_name in ({names(doctype, readable)})" if readable else ""
			conditions.append(f"({link}.document_type = {_quoted(doctype)}{tagged})")
	return _without_percent_signs(f"({' or '.join(conditions)})")


def plan_stage_query(user=None) -> str:
	"""Hook for Milestone Plan Stage: the rows of plans a user may read.

	Args:
		user: user id; the session user by default.

	Returns:
		str: as of `milestone_query`.
	"""
	return _row_query("Milestone Plan Stage", "Milestone Plan", user)


def task_assignee_query(user=None) -> str:
	"""Hook for Milestone Task Assignee: the rows of tasks a user may read.

	Args:
		user: user id; the session user by default.

	Returns:
		str: as of `milestone_query`.
	"""
	return _row_query("Milestone Task Assignee", "Milestone Task", user)


def workflow_stage_query(user=None) -> str:
	"""Hook for Milestone Workflow Stage: the rows of workflows a user may read.

	Args:
		user: user id; the session user by default.

	Returns:
		str: as of `milestone_query`.
	"""
	return _row_query("Milestone Workflow Stage", "Milestone Workflow", user)


def workflow_task_query(user=None) -> str:
	"""Hook for Milestone Workflow Task: the rows of workflows a user may read.

	Args:
		user: user id; the session user by default.

	Returns:
		str: as of `milestone_query`.
	"""
	return _row_query("Milestone Workflow Task", "Milestone Workflow", user)


def tracker_field_query(user=None) -> str:
	"""Hook for Milestone Tracker Field: the rows of trackers a user may read.

	Args:
		user: user id; the session user by default.

	Returns:
		str: as of `milestone_query`.
	"""
	return _row_query("Milestone Tracker Field", "Milestone Tracker", user)


def date_reason_query(user=None) -> str:
	"""Hook for Milestone Date Reason, whose rows belong to the one Milestone Settings.

	Args:
		user: user id; the session user by default.

	Returns:
		str: empty for who may read the settings; else a condition that no row meets.
	"""
	user = rights.user_or_session(user)
	return "" if frappe.has_permission("Milestone Settings", "read", user=user) else NOTHING


def _row_query(doctype: str, parent: str, user: str | None) -> str:
	"""Return the condition for the rows of a child table whose document a user may read."""
	user = rights.user_or_session(user)
	if rights.sees_everything(user):
		return ""
	if user == "Guest":
		return NOTHING
	is_row = f"`tab{doctype}`.parenttype = {_quoted(parent)}"
	readable = _readable(parent, user)
	if not readable:
		return is_row if readable == "" else NOTHING
	return _without_percent_signs(f"({is_row} and `tab{doctype}`.parent in ({names(parent, readable)}))")


def _document_query(doctype: str, user: str | None, *also: str) -> str:
	"""Return the condition for rows whose document a user may read, that were shared, or that one of `also` names."""
	user = rights.user_or_session(user)
	if rights.sees_everything(user):
		return ""
	if user == "Guest":
		return NOTHING
	return _of_types(doctype, _reference_types() if rights.is_desk_user(user) else [], user, also)


def _of_types(
	doctype: str,
	reference_types: list[str],
	user: str,
	named: tuple[str, ...] = (),
	also: Callable | None = None,
) -> str:
	"""Return the condition for rows about documents of some DocTypes that a user may read, and for those shared.

	What is of a whole DocType is a condition; the rest is one list of names, as databases make of conditions with "or"
	between them a look at each row.

	Args:
		doctype: the DocType of the rows.
		reference_types: of their documents.
		user: whose rights count.
		named: queries for the names of more rows.
		also: returns a further condition for the rows about a DocType, given that and the user.
	"""
	whole, some = [], [*named, _shared_names(doctype, user)]
	for reference_type in reference_types:
		readable = _readable(reference_type, user)
		if readable is None:
			continue
		condition = f"`tab{doctype}`.reference_type = {_quoted(reference_type)}"
		condition += also(reference_type, user) if also else ""
		if readable:
			of_readable = f"`tab{doctype}`.reference_name in ({names(reference_type, readable)})"
			some.append(names(doctype, f"{condition} and {of_readable}"))
		else:
			whole.append(f"({condition})")
	# Queries of this module. MariaDB looks names up in what it has put together in "from", else it asks for each row.
	visible = f"select visible.name from ({' union all '.join(some)}) as visible"  # nosec B608
	conditions = [*whole, f"{name_as_text(doctype)} in ({visible})"]
	return _without_percent_signs(f"({' or '.join(conditions)})")


def _reference_types() -> list[str]:
	"""Return the DocTypes that have plans: one after the other by the index, where a "distinct" may read every plan."""
	if frappe.db.db_type != "mariadb":
		return [row[0] for row in frappe.db.sql(REFERENCE_TYPES)]
	# MariaDB jumps from group to group in the index, and would walk all of it for a recursion.
	plan = frappe.qb.DocType("Milestone Plan")
	types = frappe.qb.from_(plan).select(plan.reference_type).groupby(plan.reference_type).run(pluck=True)
	return [doctype for doctype in types if doctype]
