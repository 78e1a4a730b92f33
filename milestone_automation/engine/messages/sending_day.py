"""The day and hour at which a person's messages go out, in their own time zone."""

import datetime

import frappe
from frappe.utils import to_timedelta

from milestone_automation.engine.base import clock

DEFAULT_SWEEP_TIME = "07:00:00"


def sweep_time() -> datetime.timedelta:
	"""Return the time of day at which a day's messages go out, as time since midnight."""
	# The default is here and not in the DocType: Frappe gives a Time field with a default the present time instead.
	settings = frappe.get_cached_doc("Milestone Settings")
	return to_timedelta(str(settings.get("sweep_time") or DEFAULT_SWEEP_TIME))


def latest_message_day(now: datetime.datetime) -> datetime.date:
	"""Return the latest such day there is among the site and its users: plans due later have nothing to do yet."""
	# Frappe's own two accounts have a time zone that nobody chose.
	filters = {"enabled": 1, "name": ("not in", ("Administrator", "Guest"))}
	zones = set(frappe.get_all("User", filters=filters, pluck="time_zone", distinct=True))
	at = sweep_time()
	return max(clock.message_day(now, zone, at) for zone in zones | {None})
