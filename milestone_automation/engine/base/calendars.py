"""Working days of the site and of a document, from Holiday Lists or from Milestone Settings."""

import frappe
from frappe.utils import getdate

from milestone_automation.engine.base import message_log
from milestone_automation.engine.rules import working_days

DEFAULT_WEEKLY_OFF = frozenset({5, 6})


def for_document(doc) -> working_days.WorkCalendar:
	"""Return the calendar of a document: its own Holiday List if it has one, else that of its company.

	Args:
		doc: document or dict; ERPNext's Project, for example, has a field for its Holiday List.
	"""
	return _of_holiday_list(doc.get("holiday_list")) or for_site(doc.get("company"))


def for_site(company: str | None = None) -> working_days.WorkCalendar:
	"""Return the calendar of a company or of the site.

	The first that is set and exists: default Holiday List of the company, Holiday List of Milestone Settings, weekly
	days off of Milestone Settings. All are read through Frappe's document cache: no query when it is warm, and changes
	apply at once.

	Args:
		company: name of a Company; without it, or on a site without companies, the calendar of the site.
	"""
	settings = frappe.get_cached_doc("Milestone Settings")
	return (
		_of_holiday_list(_list_of_company(company))
		or _of_holiday_list(settings.get("holiday_list"))
		or _of_weekly_days(settings)
	)


def _list_of_company(company: str | None) -> str | None:
	"""Return the name of a company's default Holiday List; None on a site without companies."""
	if not company or not _has_doctype("Company"):
		return None
	return frappe.get_cached_value("Company", company, "default_holiday_list")


def _of_holiday_list(name: str | None) -> working_days.WorkCalendar | None:
	"""Return the calendar of a Holiday List; None if the site has no such list."""
	if not name or not _has_doctype("Holiday List"):
		return None
	values = frappe.get_cached_value("Holiday List", name, ["from_date", "to_date", "holidays"])
	if not values or not all(values[:2]):
		return None
	from_date, to_date, rows = values
	days = tuple(
		(getdate(row.holiday_date), bool(row.weekly_off))
		for row in rows or ()
		if row.holiday_date and not row.get("is_half_day")  # half a working day counts as a working day
	)
	return working_days.from_holiday_list(getdate(from_date), getdate(to_date), days)


def _has_doctype(name: str) -> bool:
	"""Return whether the site has a DocType. Unlike ``table_exists`` this needs no query if it has."""
	messages = message_log.count()
	try:
		frappe.get_meta(name)
	except frappe.DoesNotExistError:
		message_log.forget_after(messages)  # the user does not need to know that it is missing
		return False
	return True


def _of_weekly_days(settings) -> working_days.WorkCalendar:
	"""Return the calendar of the weekly days off in Milestone Settings (``off_monday`` to ``off_sunday``).

	Saturday and Sunday are off if the settings were never saved. The same applies if all seven days are off: the form
	refuses that, and if they are set in another way, wrong dates are better than a save that fails.
	"""
	ticks = [settings.get(f"off_{day}") for day in working_days.DAYS_OF_WEEK]
	weekly_off = frozenset(weekday for weekday, tick in enumerate(ticks) if int(tick or 0))
	if len(weekly_off) == 7 or all(tick is None for tick in ticks):
		weekly_off = DEFAULT_WEEKLY_OFF
	return working_days.WorkCalendar(weekly_off)
