"""Reports by mail show what the mail's user may read; the weekly summary comes as one that is ready to be switched on.

Frappe runs a Script Report as Administrator when it mails it, whatever user the mail is for. So the user is also kept
in the report's filters, where our reports read it (`report_filters.for_its_reader`).
"""

import json

import frappe
from frappe import _

from milestone_automation.desk.report_filters import READER
from milestone_automation.engine.people import rights

MODULE = "Milestone Automation"
REPORT = "Milestone Weekly Summary"
# Frappe wants an address; mails go out only after somebody has enabled the report.
NOBODY = "nobody@example.com"


def make() -> None:
	"""Create the disabled Auto Email Report once; who deletes it does not get it again, as it is made on install."""
	if frappe.db.exists("Auto Email Report", {"report": REPORT}):
		return
	mail = frappe.new_doc("Auto Email Report")
	mail.update(
		{
			"report": REPORT,
			"user": "Administrator",
			"enabled": 0,
			"email_to": frappe.db.get_value("User", "Administrator", "email") or NOBODY,
			"frequency": "Weekly",
			"day_of_week": "Monday",
			"format": "HTML",
			"no_of_rows": 200,
			"send_if_data": 1,
			# On install, Frappe does not know our hook yet.
			"filters": with_reader(None, "Administrator"),
			"description": _(
				"Choose the user whose documents count and the recipients, then enable this report."
			),
		}
	)
	mail.insert(ignore_permissions=True)  # made by the app, not by a user


def remove() -> None:
	"""Delete all Auto Email Reports of the summary, which the app takes with it."""
	for name in frappe.get_all("Auto Email Report", {"report": REPORT}, pluck="name"):
		flags = {"force": True, "ignore_permissions": True}  # the report goes too
		frappe.delete_doc("Auto Email Report", name, **flags)


def on_validate(doc, method=None) -> None:
	"""Hook of Auto Email Report: keep the user of a mail with a report of ours in its filters.

	Args:
		doc: the Auto Email Report, before it is written; of others' reports nothing changes.
		method: name of the event, from Frappe.

	Raises:
		frappe.PermissionError: the session user would mail what another user may read.
	"""
	if not is_ours(doc.report):
		return
	if doc.user != frappe.session.user and not rights.sees_everything():
		frappe.throw(_("You may see your own summary only."), frappe.PermissionError)
	doc.filters = with_reader(doc.filters, doc.user)


def with_reader(filters: str | None, user: str) -> str:
	"""Return the filters of a mail, as JSON, with whom it is for.

	Args:
		filters: those of the Auto Email Report, JSON; None for none.
		user: user id of whom it is for.
	"""
	return json.dumps({**(frappe.parse_json(filters) if filters else {}), READER: user})


def is_ours(report: str) -> bool:
	"""Tell whether a report is one of this app, or was made of one.

	Args:
		report: name of the Report. One query or two.
	"""
	report_row = frappe.db.get_value("Report", report, ["module", "reference_report"], as_dict=True) or {}
	origin = report_row.get("reference_report")
	return MODULE in (report_row.get("module"), origin and frappe.db.get_value("Report", origin, "module"))
