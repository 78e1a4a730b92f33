"""Time as the site keeps it: naive, in the site's time zone. Differences are real seconds, also over a clock change."""

import datetime
from datetime import date, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import frappe
from frappe import _
from frappe.utils import get_datetime, getdate, now_datetime, nowdate

# Days people give; beyond them a plan's dates could not be counted.
FIRST_YEAR, LAST_YEAR = 1900, 2999


def own_today(user: str | None = None) -> date:
	"""Return the day it is where a user is (the session user by default)."""
	user = user or frappe.session.user
	# Frappe's own two accounts have a time zone that nobody chose.
	has_own = user not in ("Administrator", "Guest")
	zone = frappe.db.get_value("User", user, "time_zone") if has_own else None
	return message_day(now_datetime(), zone, timedelta())


def latest_today() -> date:
	"""Return the last day that is not to come: today on the site, or for a user who is ahead of it."""
	return max(getdate(nowdate()), own_today())


def given_day(day) -> date:
	"""Return a day as somebody gave it.

	Raises:
		frappe.ValidationError: it is no date, or too far away to count from.
	"""
	try:
		found = getdate(day)
	except (ValueError, OverflowError):
		found = None
	if not found or not FIRST_YEAR <= found.year <= LAST_YEAR:
		frappe.throw(
			_("This date cannot be used. Give one between the years {0} and {1}.").format(
				FIRST_YEAR, LAST_YEAR
			)
		)
	return found


def seconds_between(start, end) -> int | None:
	"""Return the seconds from one moment to another, never negative; None where the start is unknown.

	Args:
		start, end: datetimes (or their text) in the site's time zone.
	"""
	if not start or not end:
		return None
	zone = site_zone()
	difference = _in_zone(get_datetime(end), zone) - _in_zone(get_datetime(start), zone)
	return max(0, int(difference.total_seconds()))


def site_zone() -> datetime.tzinfo:
	"""Return the site's time zone; UTC when its name is unknown to this machine."""
	try:
		return ZoneInfo(frappe.get_system_settings("time_zone") or "UTC")
	except (ZoneInfoNotFoundError, ValueError):
		return datetime.timezone.utc


def _in_zone(moment: datetime.datetime, zone: datetime.tzinfo) -> datetime.datetime:
	if moment.tzinfo is None:
		moment = moment.replace(tzinfo=zone)
	return moment.astimezone(datetime.timezone.utc)


def message_day(now: datetime.datetime, zone: str, at: datetime.timedelta) -> datetime.date:
	"""Return the day whose messages are due: a day begins when its time of day has come.

	Args:
		now: naive, in the site's time zone.
		zone: name of the recipient's time zone; the site's where it is unknown.
		at: time of day, since midnight.
	"""
	there = now.replace(tzinfo=site_zone()).astimezone(_zone(zone))
	return (there.replace(tzinfo=None) - at).date()


def _zone(name: str | None) -> datetime.tzinfo:
	try:
		return ZoneInfo(name) if name else site_zone()
	except (ZoneInfoNotFoundError, ValueError):
		return site_zone()
