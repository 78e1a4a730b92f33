"""Reports that Frappe prepares in a worker (*Prepared Report*): which ones, and that only who asked for one sees it.

A prepared report holds the numbers of the documents that its owner may read. Until July 2026 Frappe showed it to
everybody with a role for the report: in the list, by its name, or by asking for the report in the owner's name.
"""

import frappe
from frappe import _
from frappe.core.doctype.prepared_report import prepared_report
from frappe.query_builder.functions import Count

from milestone_automation.desk import weekly_mail
from milestone_automation.desk.weekly_mail import MODULE
from milestone_automation.engine.base import parsing
from milestone_automation.engine.people import rights
from milestone_automation.engine.people.readable import quoted

DOCTYPE = "Prepared Report"
# They read the stages of all plans; the others ask indexes, or what is open only.
HEAVY = (
	"Conformance",
	"Date Changes by Reason",
	"Milestone Details",
	"Milestone Timeline",
	"On-time Performance",
	"Slip Trend",
	"Supplier Scorecard",
)
# With more plans than these a heavy report takes longer than people wait for a page.
MANY_PLANS = 20_000
# Kept once heavy reports run in a worker.
PREPARED = "milestone_heavy_reports_prepared"


def prepare_heavy() -> None:
	"""Job of each night: let the heavy reports of a site with many plans run in a worker from now on.

	Frappe does so by itself after a report took 15 seconds, but a web server may end a request before. It is done once:
	what an administrator decides afterwards stands.
	"""
	if frappe.db.get_global(PREPARED):
		return
	plan, report = frappe.qb.DocType("Milestone Plan"), frappe.qb.DocType("Report")
	if frappe.qb.from_(plan).select(Count("*")).run()[0][0] <= MANY_PLANS:
		return
	frappe.qb.update(report).set(report.prepared_report, 1).where(report.name.isin(HEAVY)).run()
	frappe.db.set_global(PREPARED, 1)
	for name in HEAVY:
		frappe.clear_document_cache("Report", name)


def check_request() -> None:
	"""Hook after the login of each request: refuse a prepared report of another user. Other requests cost no query.

	Raises:
		frappe.PermissionError: it is one of ours, and the session user does not see everything.
	"""
	form = frappe.form_dict
	if not {"report_name", "prepared_report_name"} & set(form) or rights.sees_everything():
		return
	reports_and_owners = []
	if name := form.get("prepared_report_name") or _named_in(form.get("filters")):
		reports_and_owners.append(frappe.db.get_value(DOCTYPE, str(name), ["report_name", "owner"]))
	if form.get("user"):
		reports_and_owners.append((str(form.get("report_name")), form.user))
	if not all(_may_see(*report_and_owner) for report_and_owner in reports_and_owners if report_and_owner):
		_refuse()


def _named_in(filters):
	try:
		values = parsing.as_json(filters or {})
	except ValueError:
		return None
	return values.get("prepared_report_name") if isinstance(values, dict) else None


def check_insert(doc, method=None) -> None:
	"""Hook of Prepared Report: refuse to prepare a report that the user may not run; Frappe asks only who reads it.

	Args:
		doc: the Prepared Report.
		method: before_insert.

	Raises:
		frappe.PermissionError: no role of the user may run the report.
	"""
	if _is_ours(doc.report_name) and not frappe.get_doc("Report", doc.report_name).is_permitted():
		_refuse()


def has_permission(doc, ptype=None, user=None) -> bool:
	"""Hook: a prepared report of ours is its owner's; what else Frappe asks for stays.

	Args:
		doc: the Prepared Report.
		ptype: kind of permission.
		user: user id.
	"""
	user = rights.user_or_session(user)
	is_visible = _may_see(doc.report_name, doc.owner, user) or rights.sees_everything(user)
	return bool(is_visible and frappe.call(prepared_report.has_permission, doc=doc, ptype=ptype, user=user))


def query_condition(user=None) -> str:
	"""Hook: which prepared reports a list shows; Frappe's own condition applies too.

	Args:
		user: user id; the session user by default.

	Returns:
		str: condition in SQL; empty for all rows.
	"""
	user = rights.user_or_session(user)
	if rights.sees_everything(user):
		return ""
	names = ", ".join(quoted(name) for name in _our_reports())
	return (
		f"(`tab{DOCTYPE}`.owner = {quoted(user)}"
		f" or `tab{DOCTYPE}`.report_name not in ({names or quoted('')}))"
	)


def _may_see(report: str | None, owner: str | None, user: str | None = None) -> bool:
	return owner == rights.user_or_session(user) or not _is_ours(report)


def _is_ours(report: str | None) -> bool:
	"""Tell whether a report is one of the app, or was made of one with other columns."""
	return bool(report) and weekly_mail.is_ours(report)


def _our_reports() -> list[str]:
	ours = frappe.get_all("Report", {"module": MODULE}, pluck="name")
	return ours + frappe.get_all("Report", {"reference_report": ("in", ours)}, pluck="name")


def _refuse():
	frappe.throw(_("You may not see this."), frappe.PermissionError, title=_("Not Permitted"))
