"""Time as the site keeps it: naive, in the site's time zone. Differences are real seconds, also over a clock change."""

import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import frappe
from frappe.utils import get_datetime


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
