"""The working days of a site and of a document: its company's Holiday List, else the settings."""

import frappe
from frappe.utils import getdate

from milestone_automation.engine.rules import working_days

DEFAULT_WEEKLY_OFF = frozenset({5, 6})


def for_document(doc) -> working_days.WorkCalendar:
	"""Return the calendar that holds for a document (a ``frappe.model.document.Document`` or a ``frappe._dict``).

	A Holiday List named on the document itself (ERPNext's Project has that field) comes first, then what
	``for_site`` says for the document's company.
	"""
	return _of_holiday_list(doc.get("holiday_list")) or for_site(doc.get("company"))


def for_site(company: str | None = None) -> working_days.WorkCalendar:
	"""Return the calendar of a company, or of the site.

	First that is set and exists: the company's default Holiday List, the Holiday List of Milestone Settings, the
	weekly days off of Milestone Settings. All are read through Frappe's document cache: no SQL once they are
	there, and a change of any of them counts at once.

	Args:
		company: name of a Company; without one, or on a site without companies, the site's calendar.
	"""
	settings = frappe.get_cached_doc("Milestone Settings")
	return (
		_of_holiday_list(_list_of_company(company))
		or _of_holiday_list(settings.get("holiday_list"))
		or _of_weekly_days(settings)
	)


def _list_of_company(company: str | None) -> str | None:
	"""Return the name of a company's default Holiday List, None where the site has no such thing."""
	if not company or not _has_doctype("Company"):
		return None
	return frappe.get_cached_value("Company", company, "default_holiday_list")


def _of_holiday_list(name: str | None) -> working_days.WorkCalendar | None:
	"""Return the calendar of a Holiday List, None where the site has no such list."""
	if not name or not _has_doctype("Holiday List"):
		return None
	found = frappe.get_cached_value("Holiday List", name, ["from_date", "to_date", "holidays"])
	if not found or not all(found[:2]):
		return None
	from_date, to_date, rows = found
	days = tuple(
		(getdate(row.holiday_date), bool(row.weekly_off))
		for row in rows or ()
		if row.holiday_date and not row.get("is_half_day")  # half a day is worked, so a date may lie on it
	)
	return working_days.from_holiday_list(getdate(from_date), getdate(to_date), days)


def _has_doctype(name: str) -> bool:
	"""Return whether the site has a DocType. Where it has, that costs no SQL (``table_exists`` does on Postgres)."""
	messages = list(frappe.local.message_log)
	try:
		frappe.get_meta(name)
	except frappe.DoesNotExistError:
		frappe.local.message_log = messages  # "not found" is an answer here, no news for the user
		return False
	return True


def _of_weekly_days(settings) -> working_days.WorkCalendar:
	"""Return the calendar of the weekly days off ticked in Milestone Settings (``off_monday`` to ``off_sunday``).

	Settings never saved leave Saturday and Sunday off. So do seven ticks: the form refuses them, and should they
	come another way, a plan with wrong days is better than a save that fails.
	"""
	ticks = [settings.get(f"off_{day}") for day in working_days.DAYS_OF_WEEK]
	weekly_off = frozenset(weekday for weekday, tick in enumerate(ticks) if int(tick or 0))
	if len(weekly_off) == 7 or all(tick is None for tick in ticks):
		weekly_off = DEFAULT_WEEKLY_OFF
	return working_days.WorkCalendar(weekly_off)
