"""Dates and times of the site and of its users. Times are naive and in the time zone of the site."""

import datetime
from datetime import date, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import frappe
from frappe import _
from frappe.utils import get_datetime, getdate, now_datetime, nowdate

from milestone_automation.engine.base import parsing

# Dates that users may enter; with dates further off nothing can be counted.
FIRST_YEAR, LAST_YEAR = 1900, 2999


def today_of_user(user: str | None = None) -> date:
	"""Return today's date in a user's time zone.

	Args:
		user: the session user by default.
	"""
	user = user or frappe.session.user
	# Nobody chose the time zone of Frappe's standard accounts.
	is_person = user not in ("Administrator", "Guest")
	zone = frappe.db.get_value("User", user, "time_zone") if is_person else None
	return message_day(now_datetime(), zone, timedelta())


def latest_today() -> date:
	"""Return the latest date that is not in the future: today on the site or in the session user's time zone."""
	return max(getdate(nowdate()), today_of_user())


def parse_day(day) -> date:
	"""Return a date that a user entered.

	Args:
		day: date or ISO text.

	Raises:
		frappe.ValidationError: it is not a date, or it is too far off.
	"""
	try:
		parsed = parsing.as_date(day)
	except (ValueError, TypeError):
		parsed = None
	if not parsed or not FIRST_YEAR <= parsed.year <= LAST_YEAR:
		frappe.throw(
			_("This date is not valid. Enter a date between the years {0} and {1}.").format(
				FIRST_YEAR, LAST_YEAR
			)
		)
	return parsed


def seconds_between(start, end) -> int | None:
	"""Return the seconds between two times, also across a clock change; never negative, None without a start.

	Args:
		start, end: datetimes or their text, in the site's time zone.
	"""
	if not start or not end:
		return None
	zone = site_zone()
	difference = _in_zone(get_datetime(end), zone) - _in_zone(get_datetime(start), zone)
	return max(0, int(difference.total_seconds()))


def site_zone() -> datetime.tzinfo:
	"""Return the time zone of the site; UTC if this machine does not know its name."""
	try:
		return ZoneInfo(frappe.get_system_settings("time_zone") or "UTC")
	except (ZoneInfoNotFoundError, ValueError):
		return datetime.timezone.utc


def _in_zone(moment: datetime.datetime, zone: datetime.tzinfo) -> datetime.datetime:
	if moment.tzinfo is None:
		moment = moment.replace(tzinfo=zone)
	return moment.astimezone(datetime.timezone.utc)


def message_day(now: datetime.datetime, zone: str, at: datetime.timedelta) -> datetime.date:
	"""Return the date whose messages are due for a recipient: it changes at the time of day of messages.

	Args:
		now: naive, in the site's time zone.
		zone: name of the recipient's time zone; the site's if it is empty or unknown.
		at: time of day at which messages are sent, since midnight.
	"""
	local_time = now.replace(tzinfo=site_zone()).astimezone(_zone(zone))
	return (local_time.replace(tzinfo=None) - at).date()


def _zone(name: str | None) -> datetime.tzinfo:
	try:
		return ZoneInfo(name) if name else site_zone()
	except (ZoneInfoNotFoundError, ValueError):
		return site_zone()
