"""Calls of Frappe that look at rows without asking whether the user may see them, answered for our DocTypes here.

Some do so in Frappe 15 only, some in 16 too (docs/security.md lists them). For every other DocType the call goes on to
Frappe as it came.
"""

import inspect

import frappe
from frappe import _, client
from frappe.desk import listview, query_report, reportview
from frappe.desk.doctype.dashboard_chart import dashboard_chart
from frappe.desk.doctype.tag import tag as tags
from frappe.desk.form import linked_with
from frappe.query_builder import Order
from frappe.query_builder.functions import Count
from frappe.workflow.doctype.workflow import workflow as frappe_workflow

from milestone_automation import hooks
from milestone_automation.engine.people import rights

# Asked before each of these calls, also for DocTypes of other apps, so it costs no query.
OWN_DOCTYPES = frozenset(hooks.standard_queries)
# As Frappe's own search does.
ONLY_WITH = {"enabled": ("=", 1), "disabled": ("!=", 1)}
MOST_ASSIGNEES = 50


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
		frappe.PermissionError: no DocType of ours, or none the user may read.
	"""
	if not _is_own(doctype):
		_refuse()
	meta = frappe.get_meta(doctype)
	fields = list(
		dict.fromkeys(name for name in ("name", meta.title_field, *meta.get_search_fields()) if name)
	)
	conditions = _as_list(doctype, frappe.parse_json(filters))
	conditions += [[doctype, name, *only] for name, only in ONLY_WITH.items() if meta.has_field(name)]
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


def get_count(doctype: str, filters, debug: bool, cache: bool) -> int | None:
	"""Return how many rows fit some filters, as `frappe.client.get_count`; early Frappe 15 counts all there are."""
	if not _is_own(doctype):
		return client.get_count(doctype, filters, debug, cache)
	asked = frappe.local.form_dict
	conditions = _as_list(doctype, frappe.parse_json(filters))
	parent = {"parent_doctype": asked.get("parent")} if frappe.is_table(doctype) else {}
	frappe.local.form_dict = frappe._dict(
		doctype=doctype, filters=conditions, fields="[]", distinct="true", **parent
	)
	try:
		return reportview.get_count()
	finally:
		frappe.local.form_dict = asked


def get_group_by_count(doctype: str, current_filters: str | list | dict | None, field: str) -> list[dict]:
	"""Return how often each value of a field occurs, as Frappe does for the sidebar of a list.

	Frappe 15 counts the assignments of all rows that fit the filters.

	Args:
		doctype: DocType of the list.
		current_filters: of the list, as JSON or parsed.
		field: name of the field, or "assigned_to".
	"""
	if field != "assigned_to" or not _is_own(doctype):
		return listview.get_group_by_count(doctype, current_filters, field)
	names = _visible(doctype, _as_list(doctype, frappe.parse_json(current_filters)))
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
	"""Return what is linked with a document, as *Links* of a form; early Frappe 15 asks for no right at all."""
	if _is_own(doctype) and not frappe.has_permission(doctype, "read", doc=docname):
		_refuse()
	found = linked_with.get(doctype, docname)
	for own in [linked for linked in found if _is_own(linked)]:
		if not frappe.has_permission(own, "read"):
			found[own] = []
			continue
		visible = set(_visible(own, [[own, "name", "in", [row["name"] for row in found[own]]]]))
		found[own] = [row for row in found[own] if row["name"] in visible]
	return {linked: rows for linked, rows in found.items() if rows}


def get_data_for_custom_field(doctype: str, field: str, names: str | list | None) -> dict:
	"""Return a field's value by name of the row, for a column of a report; early Frappe 15 gives those of all rows."""
	if not _is_own(doctype):
		more = {"names": names} if names else {}
		return query_report.get_data_for_custom_field(doctype, field, **more)
	filters = [[doctype, "name", "in", frappe.parse_json(names)]] if names else []
	rows = frappe.get_list(
		doctype, filters=filters, fields=["name", field], as_list=True, order_by="name", limit_page_length=0
	)
	return dict(rows)


def get_workflow_state_count(
	doctype: str, workflow_state_field: str, states: str | list
) -> list[dict] | None:
	"""Return how many documents are in each state, for the list of a DocType with a Frappe Workflow.

	Frappe counts all rows, by whatever field is named.
	"""
	if not _is_own(doctype) or rights.sees_everything():
		return frappe_workflow.get_workflow_state_count(doctype, workflow_state_field, states)
	return _refuse()


def get_tagged_docs(doctype: str, tag: str) -> list:
	"""Return the names of the documents with a tag; Frappe names all there are."""
	if not _is_own(doctype):
		return tags.get_tagged_docs(doctype, tag)
	return [(name,) for name in _visible(doctype, [[doctype, "_user_tags", "like", _pattern(tag)]])]


def get_chart(arguments: dict):
	"""Return the data of a dashboard chart.

	Frappe keeps what the first user got for everybody, and its heatmaps count all rows.

	Args:
		arguments: of `dashboard_chart.get`, by name.
	"""
	given = {name: value for name, value in arguments.items() if value is not None}
	if name := given.get("chart_name"):
		chart = frappe.get_cached_value("Dashboard Chart", name, ["document_type", "type"], as_dict=True)
	else:
		chart = frappe.parse_json(given.get("chart"))
	chart = chart if isinstance(chart, dict) else {}
	if not _is_own(chart.get("document_type")):
		return dashboard_chart.get(**given)
	if chart.get("type") == "Heatmap" and not rights.sees_everything():
		_refuse()
	# Without its cache.
	return inspect.unwrap(dashboard_chart.get)(**given)


def check_follow(doc, method=None) -> None:
	"""Hook: refuse to follow a document of ours without the right to read it, as Frappe mails its changes.

	Args:
		doc: the Document Follow.
		method: validate.
	"""
	if _is_own(doc.ref_doctype) and not frappe.has_permission(
		doc.ref_doctype, "read", doc=doc.ref_docname, user=doc.user
	):
		_refuse()


def _is_own(doctype) -> bool:
	return isinstance(doctype, str) and doctype in OWN_DOCTYPES


def _pattern(text: str) -> str:
	"""Return text for a "like" in which no sign stands that Frappe 15 rewrites in its SQL on PostgreSQL.

	It writes filters as text and then puts quotes around numbers behind these signs, also inside a text.
	"""
	return text.translate({ord(sign): "_" for sign in "=<>"})


def _visible(doctype: str, filters: list) -> list[str]:
	return frappe.get_list(doctype, filters=filters, pluck="name", order_by="name", limit_page_length=0)


def _as_list(doctype: str, filters) -> list:
	if isinstance(filters, dict):
		pairs = [
			(name, value if isinstance(value, list) else ["=", value]) for name, value in filters.items()
		]
		return [[doctype, name, *value] for name, value in pairs]
	return list(filters or [])


def _refuse() -> None:
	frappe.throw(_("You may not see this."), frappe.PermissionError, title=_("Not Permitted"))
