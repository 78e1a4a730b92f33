"""Calls of Frappe that look at rows without asking whether the user may see them, answered for our DocTypes here.

Some do so in Frappe 15 only, some in 16 too (docs/security.md lists them). For every other DocType Frappe's call goes on
to Frappe as it came; asked by the name of ours, it is refused.
"""

from typing import NoReturn

import frappe
from frappe import _, client
from frappe.desk import listview, query_report, reportview
from frappe.desk.doctype.tag import tag as tags
from frappe.desk.form import linked_with
from frappe.query_builder import Order
from frappe.query_builder.functions import Count
from frappe.utils import cint, cstr
from frappe.utils import global_search as search_index
from frappe.workflow.doctype.workflow import workflow as frappe_workflow

from milestone_automation import hooks
from milestone_automation.desk import list_filters
from milestone_automation.engine.base import compat, message_log, parsing
from milestone_automation.engine.people import rights, signed_links

# Asked before each of these calls, also for DocTypes of other apps, so it costs no query.
OWN_DOCTYPES = frozenset(hooks.standard_queries)
APP = "milestone_automation."
# As Frappe's own search does.
ONLY_WITH = {"enabled": ("=", 1), "disabled": ("!=", 1)}
MOST_ASSIGNEES = 50
# What the search of the Desk finds, by the name of the document.
SEARCHED = ("Milestone Plan", "Milestone Task")


def search_links(
	doctype: str, txt: str, start: int, page_length: int, filters: str | list | dict | None, as_dict: bool
) -> list:
	"""Return the rows of one of our DocTypes for a link field; only those a list would show the user.

	Args:
		doctype: one of our DocTypes.
		txt: what was typed.
		start, page_length: which part of the rows.
		filters: of the link field.
		as_dict: rows as dicts, else as lists: name and what describes it.

	Raises:
		frappe.PermissionError: no DocType of ours.
		frappe.ValidationError: says which filter cannot be used.
	"""
	if not is_own(doctype):
		refuse()
	meta = frappe.get_meta(doctype)
	if meta.issingle:
		return []
	fields = list(
		dict.fromkeys(name for name in ("name", meta.title_field, *meta.get_search_fields()) if name)
	)
	conditions = conditions_of(doctype, filters)
	conditions += [[doctype, name, *only] for name, only in ONLY_WITH.items() if meta.has_field(name)]
	messages = message_log.count()
	try:
		return frappe.get_list(
			doctype,
			filters=conditions,
			or_filters=[[doctype, name, "like", f"%{_pattern(txt)}%"] for name in fields] if txt else None,
			fields=fields,
			order_by="name",
			limit_start=start,
			limit_page_length=page_length,
			as_list=not as_dict,
		)
	except frappe.PermissionError:
		# Frappe 15 makes a refusal here into status 500.
		message_log.forget_after(messages)
		return []


def global_search(text: str, start: int, limit: int, doctype: str) -> list:
	"""Return what Frappe's search finds, and the plans and tasks that a list would show the user.

	Frappe searches an index that knows no rights on documents, so ours are not in it.

	Args:
		text: what was typed.
		start, limit: which part of the results of each DocType.
		doctype: the only DocType to search; all by default.
	"""
	results = []
	if not is_own(doctype) and not _is_asked_by_own_name():
		results = search_index.search(text, start, limit, doctype)
	for own_doctype in SEARCHED if text.strip() else ():
		if not doctype or doctype == own_doctype:
			rows = search_links(own_doctype, text.strip(), cint(start), cint(limit), None, as_dict=True)
			results += [_as_found(own_doctype, row) for row in rows]
	return results


def _as_found(doctype: str, row: dict) -> frappe._dict:
	"""Return a row as Frappe's index does: what was found as text."""
	meta = frappe.get_meta(doctype)
	texts = [f"{_(meta.get_label(name))} : {cstr(row[name])}" for name in row if name != "name" and row[name]]
	return frappe._dict(doctype=doctype, name=row["name"], content=" ||| ".join(texts), rank=1.0)


def get_count(doctype: str, filters, debug: bool, cache: bool) -> int | None:
	"""Return how many rows fit some filters, as `frappe.client.get_count`; early Frappe 15 counts all there are.

	Args:
		doctype: DocType of the list.
		filters: of the list, as JSON or parsed.
		debug, cache: for Frappe's own call only.

	Returns:
		int: of our DocTypes, how many rows a list would show the user.

	Raises:
		frappe.PermissionError: as `passes_on`.
		frappe.ValidationError: says which filter cannot be used.
	"""
	if passes_on(doctype):
		return client.get_count(doctype, filters, debug, cache)
	form_before = frappe.local.form_dict
	conditions = conditions_of(doctype, filters)
	parent = {"parent_doctype": str(form_before.get("parent") or "")} if frappe.is_table(doctype) else {}
	frappe.local.form_dict = frappe._dict(
		doctype=doctype, filters=conditions, fields="[]", distinct="true", **parent
	)
	try:
		return reportview.get_count()
	finally:
		frappe.local.form_dict = form_before


def get_group_by_count(doctype: str, current_filters: str | list | dict | None, field: str) -> list[dict]:
	"""Return how often each value of a field occurs, as Frappe does for the sidebar of a list.

	Frappe 15 counts the assignments of all rows that fit the filters.

	Args:
		doctype: DocType of the list.
		current_filters: of the list, as JSON or parsed.
		field: name of the field, or "assigned_to".

	Returns:
		list[dict]: `name`, the value or the user, and `count`.

	Raises:
		frappe.PermissionError: as `passes_on`.
		frappe.ValidationError: says which filter or field cannot be used.
	"""
	if passes_on(doctype):
		return listview.get_group_by_count(doctype, current_filters, field)
	conditions = conditions_of(doctype, current_filters, "current_filters")
	if field != "assigned_to":
		fieldname = list_filters.column_of(doctype, field, doctype).fieldname
		return listview.get_group_by_count(doctype, frappe.as_json(conditions), fieldname)
	names = _visible(doctype, conditions)
	todo = frappe.qb.DocType("ToDo")
	user = frappe.qb.DocType("User")
	count = Count("*").as_("count")
	query = (
		frappe.qb.from_(todo)
		.join(user)
		.on(todo.allocated_to == user.name)
		.select(todo.allocated_to.as_("name"), count)
		.where(todo.status != "Cancelled")
		.where(todo.reference_type == doctype)
		.where(todo.reference_name.isin(names or [""]))
		.where(user.user_type == "System User")
		.groupby(todo.allocated_to)
		.orderby(count, order=Order.desc)
		.limit(MOST_ASSIGNEES)
	)
	return query.run(as_dict=True)


def get_linked_with(doctype: str, docname: str) -> dict[str, list]:
	"""Return what is linked with a document, as *Links* of a form; early Frappe 15 asks for no right at all.

	Args:
		doctype, docname: the document.

	Returns:
		dict: rows by DocType; of ours those that a list would show the user.

	Raises:
		frappe.PermissionError: as `passes_on`; or the document is ours, and the user may not read it.
	"""
	if not passes_on(doctype) and not rights.can_read_document(doctype, docname):
		refuse()
	links = linked_with.get(doctype, docname)
	for own_doctype in [linked for linked in links if is_own(linked)]:
		names = [row["name"] for row in compat.linked_rows(links[own_doctype])]
		visible = set()
		if names and frappe.has_permission(own_doctype, "read"):
			visible.update(_visible(own_doctype, [[own_doctype, "name", "in", names]]))
		links[own_doctype] = compat.only_linked_rows(links[own_doctype], visible)
	return {linked: found for linked, found in links.items() if found}


def get_data_for_custom_field(doctype: str, field: str, names: str | list | None) -> dict:
	"""Return a field's value by name of the row, for a column of a report; early Frappe 15 gives those of all rows.

	Args:
		doctype: DocType of the rows.
		field: name of the field.
		names: of the rows, as a list or its JSON; all that the user may see by default.

	Raises:
		frappe.PermissionError: as `passes_on`.
		frappe.ValidationError: the user may not read the field or there is none, or `names` is no list of names.
	"""
	if passes_on(doctype):
		more = {"names": names} if names else {}
		return query_report.get_data_for_custom_field(doctype, field, **more)
	filters = [[doctype, "name", "in", _names(names)]] if names else []
	fieldname = list_filters.column_of(doctype, field, doctype).fieldname
	rows = frappe.get_list(
		doctype,
		filters=filters,
		fields=["name", fieldname],
		as_list=True,
		order_by="name",
		limit_page_length=0,
	)
	return dict(rows)


def get_workflow_state_count(
	doctype: str, workflow_state_field: str, states: str | list
) -> list[dict] | None:
	"""Return how many documents are in each state, for the list of a DocType with a Frappe Workflow.

	Frappe counts all rows, by whatever field is named.

	Args:
		doctype: DocType of the list.
		workflow_state_field: field with the state.
		states: those to count, as a list or its JSON.

	Raises:
		frappe.PermissionError: as `passes_on`; or the DocType is ours, and the user is no System Manager.
		frappe.ValidationError: there is no such field, or `states` is no list of names.
	"""
	if not passes_on(doctype):
		if not rights.sees_everything():
			refuse()
		list_filters.column_of(doctype, workflow_state_field, doctype)
		states = frappe.as_json(_names(states, "states"))
	return frappe_workflow.get_workflow_state_count(doctype, workflow_state_field, states)


def get_tagged_docs(doctype: str, tag: str) -> list:
	"""Return the names of the documents with a tag; Frappe names all there are.

	Args:
		doctype: DocType of the documents.
		tag: part of a tag's text, for a "like".

	Returns:
		list: a tuple with the name, of each document of ours that a list would show the user.

	Raises:
		frappe.PermissionError: as `passes_on`.
	"""
	if passes_on(doctype):
		return tags.get_tagged_docs(doctype, tag)
	return [(name,) for name in _visible(doctype, [[doctype, "_user_tags", "like", _pattern(tag)]])]


def check_follow(doc, method=None) -> None:
	"""Hook: refuse to follow a document of ours without the right to read it, as Frappe mails its changes.

	Args:
		doc: the Document Follow.
		method: validate.

	Raises:
		frappe.PermissionError: the follower may not read it.
	"""
	if is_own(doc.ref_doctype) and not rights.can_read_document(doc.ref_doctype, doc.ref_docname, doc.user):
		refuse()


def check_attachment(doc, method=None) -> None:
	"""Hook: refuse to attach a file to a document of ours that the user may not write; Frappe 15 asks nobody.

	Args:
		doc: the File.
		method: validate.

	Raises:
		frappe.PermissionError: the user may not see the document, or not write it.
	"""
	doctype, name = doc.attached_to_doctype, doc.attached_to_name
	# Frappe also ignores permissions for whatever a guest uploads.
	is_by_link = bool(doc.flags.get(signed_links.PROVEN))
	is_by_system = is_by_link or (doc.flags.ignore_permissions and frappe.session.user != "Guest")
	if not is_own(doctype) or not name or is_by_system or not _is_attached_now(doc):
		return
	if not rights.can_read_document(doctype, name):
		rights.refuse_hidden(doctype, name)
	if not compat.may(doctype, "write", name):
		frappe.throw(
			_("You may not attach files to {0} {1}.").format(_(doctype), name), frappe.PermissionError
		)


def _is_attached_now(doc) -> bool:
	before = doc.get_doc_before_save()
	is_same = before and all(
		before.get(field) == doc.get(field) for field in ("attached_to_doctype", "attached_to_name")
	)
	return not is_same and not is_new(doc.attached_to_doctype, doc.attached_to_name)


def is_new(doctype: str, name: str) -> bool:
	"""Tell whether a name is that of a form that is not saved yet.

	Args:
		doctype: of the form.
		name: as a request claims it, such as "new-milestone-plan-abcdef".
	"""
	return name.startswith(f"new-{doctype.lower().replace(' ', '-')}-") and not frappe.db.exists(
		doctype, name
	)


def is_own(doctype) -> bool:
	"""Tell whether a DocType is one of ours.

	Args:
		doctype: as somebody has sent it; what is no text is none.
	"""
	return isinstance(doctype, str) and doctype in OWN_DOCTYPES


def passes_on(doctype: str) -> bool:
	"""Tell whether Frappe is to answer: its call was asked, for a DocType that is not ours.

	Args:
		doctype: that Frappe's call was asked for.

	Raises:
		frappe.PermissionError: it was asked by the name of our call; or one of ours has no rows to ask for.
	"""
	if is_own(doctype):
		if frappe.get_meta(doctype).issingle:
			refuse()
		return False
	if _is_asked_by_own_name():
		refuse()
	return True


def _is_asked_by_own_name() -> bool:
	request = getattr(frappe.local, "request", None)
	called_names = (frappe.form_dict.get("cmd"), request.path.rpartition("/")[2]) if request else ()
	return any(isinstance(name, str) and name.startswith(APP) for name in called_names)


def _pattern(text: str) -> str:
	"""Return text for a "like" in which no sign stands that Frappe 15 rewrites in its SQL on PostgreSQL.

	It writes filters as text and then puts quotes around numbers behind these signs, also inside a text.
	"""
	return text.translate({ord(sign): "_" for sign in "=<>"})


def _visible(doctype: str, filters: list) -> list[str]:
	return frappe.get_list(doctype, filters=filters, pluck="name", order_by="name", limit_page_length=0)


def conditions_of(doctype: str, filters, argument: str = "filters") -> list[list]:
	"""Return the filters of a list of one of our DocTypes, parsed, as Frappe takes them.

	Args:
		doctype: of the list.
		filters: as they were sent.
		argument: the name they were sent by.

	Raises:
		frappe.ValidationError: says what does not fit.
	"""
	try:
		return list_filters.as_rows(list_filters.parse(filters, doctype))
	except (ValueError, TypeError):
		frappe.throw(list_filters.expected(argument), title=_("Invalid Value"))


def _names(value, argument: str = "names") -> list[str]:
	try:
		return parsing.as_names(value)
	except (ValueError, TypeError):
		frappe.throw(
			_("{0} must be a JSON list of at most {1} names.").format(argument, parsing.MOST_NAMES),
			title=_("Invalid Value"),
		)


def refuse() -> NoReturn:
	"""Refuse to answer.

	Raises:
		frappe.PermissionError: always.
	"""
	frappe.throw(_("You may not see this."), frappe.PermissionError, title=_("Not Permitted"))
