"""Which calendar holds for a document: its own Holiday List, its company's, the site's, else weekly days off."""

from datetime import date

import frappe
import pytest

from milestone_automation.engine.base import calendars
from milestone_automation.engine.rules import working_days
from milestone_automation.engine.rules.working_days import WorkCalendar
from tests.support.documents import ensure_doctype
from tests.support.site import ScratchSites

WEEKENDS_OFF = WorkCalendar(weekly_off=frozenset({5, 6}))


@pytest.fixture
def set_days_off(site):
	"""Function `set_days_off("sunday", ..., holiday_list=None)`: what Milestone Settings says."""

	def set_days(*days: str, holiday_list: str | None = None) -> None:
		settings = frappe.get_doc("Milestone Settings")
		settings.update({f"off_{day}": int(day in days) for day in working_days.DAYS_OF_WEEK})
		settings.holiday_list = holiday_list
		settings.save()

	return set_days


@pytest.fixture(scope="module")
def erp_site(run, workplace, site):
	"""A site with stand-ins for ERPNext's Company and Holiday List: no other test may see that it has them."""
	sites = ScratchSites(run, workplace)
	scratch = sites()
	with scratch.connect():
		ensure_doctype(
			"Holiday",
			[
				{"fieldname": "holiday_date", "fieldtype": "Date"},
				{"fieldname": "weekly_off", "fieldtype": "Check"},
				{"fieldname": "is_half_day", "fieldtype": "Check"},
			],
			istable=1,
		)
		ensure_doctype(
			"Holiday List",
			[
				{"fieldname": "from_date", "fieldtype": "Date"},
				{"fieldname": "to_date", "fieldtype": "Date"},
				{"fieldname": "holidays", "fieldtype": "Table", "options": "Holiday"},
			],
			autoname="prompt",
		)
		ensure_doctype(
			"Company", [{"fieldname": "default_holiday_list", "fieldtype": "Data"}], autoname="prompt"
		)
	yield scratch
	sites.drop()


@pytest.fixture
def holiday_lists(erp_site):
	"""This process on that site, with a Holiday List for each source.

	Only the 1st of June is off in the list of the company, the 2nd in the project's, the 3rd in the site's.
	"""
	with erp_site.connect():
		for name, day in {"Acme 2026": 1, "Project 2026": 2, "Site 2026": 3}.items():
			make_holiday_list(name, {"holiday_date": date(2026, 6, day)})
		for company, holiday_list in {"Acme": "Acme 2026", "Plain": None, "Stale": "Deleted List"}.items():
			values = {"doctype": "Company", "name": company, "default_holiday_list": holiday_list}
			frappe.get_doc(values).insert()
		yield


def make_holiday_list(name: str, *holidays: dict) -> None:
	"""Insert a Holiday List of the year 2026 with these rows."""
	values = {"from_date": "2026-01-01", "to_date": "2026-12-31", "holidays": list(holidays)}
	frappe.get_doc({"doctype": "Holiday List", "name": name} | values).insert()


def test_without_any_list_the_weekly_days_off_of_the_settings_hold(set_days_off):
	set_days_off("friday", "saturday")
	assert calendars.for_site() == WorkCalendar(frozenset({4, 5}))
	assert calendars.for_document({"company": "Acme", "holiday_list": "Gone"}) == calendars.for_site()


def test_looking_for_lists_the_site_does_not_have_tells_the_user_nothing(set_days_off):
	set_days_off("sunday", holiday_list="Gone")
	frappe.msgprint("Something of the user's own")
	calendars.for_document({"company": "Nobody", "holiday_list": "Gone"})
	assert len(frappe.local.message_log) == 1


def test_settings_never_saved_leave_saturday_and_sunday_off(site):
	frappe.db.delete("Singles", {"doctype": "Milestone Settings"})
	frappe.clear_document_cache("Milestone Settings", "Milestone Settings")
	assert calendars.for_site() == WEEKENDS_OFF


def test_no_day_ticked_means_no_day_off(set_days_off):
	set_days_off()
	assert calendars.for_site() == WorkCalendar()


def test_seven_days_ticked_past_the_form_mean_saturday_and_sunday(site):
	for day in working_days.DAYS_OF_WEEK:
		frappe.db.set_single_value("Milestone Settings", f"off_{day}", 1)
	frappe.clear_document_cache("Milestone Settings", "Milestone Settings")
	assert calendars.for_site() == WEEKENDS_OFF


def test_the_documents_list_wins_over_the_companys_and_that_over_the_sites(holiday_lists, set_days_off):
	set_days_off(holiday_list="Site 2026")
	own_list = calendars.for_document({"company": "Acme", "holiday_list": "Project 2026"})
	assert own_list.holidays == {date(2026, 6, 2)}
	assert calendars.for_document({"company": "Acme"}).holidays == {date(2026, 6, 1)}
	assert calendars.for_document({}).holidays == {date(2026, 6, 3)}


@pytest.mark.parametrize("company", [None, "Plain", "Stale", "Unknown"])
def test_without_a_company_list_the_list_of_the_settings_holds(holiday_lists, set_days_off, company):
	set_days_off(holiday_list="Site 2026")
	assert calendars.for_site(company).holidays == {date(2026, 6, 3)}


def test_a_list_with_weekly_days_off_and_a_half_day(holiday_lists):
	sundays = [{"holiday_date": date(2026, 1, 4 + 7 * week), "weekly_off": 1} for week in range(4)]
	half = {"holiday_date": date(2026, 1, 7), "is_half_day": 1}
	make_holiday_list("Sundays", *sundays, half)
	calendar = calendars.for_document({"holiday_list": "Sundays"})
	assert not calendar.is_working_day(date(2026, 1, 11))
	assert calendar.is_working_day(date(2026, 1, 7))
	assert calendar.is_working_day(date(2026, 2, 1))


def test_a_changed_list_counts_at_once_and_an_unchanged_one_costs_no_query(holiday_lists, count_queries):
	document = {"company": "Acme"}
	calendars.for_document(document)
	with count_queries() as queries:
		calendars.for_document(document)
	assert queries.count == 0, str(queries)
	holiday_list = frappe.get_doc("Holiday List", "Acme 2026")
	holiday_list.append("holidays", {"holiday_date": date(2026, 6, 4)})
	holiday_list.save()
	assert calendars.for_document(document).holidays == {date(2026, 6, 1), date(2026, 6, 4)}
