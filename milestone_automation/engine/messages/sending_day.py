"""When messages are sent: the time of day, and the date in the recipient's time zone."""

import datetime

import frappe
from frappe.utils import to_timedelta

from milestone_automation.engine.base import clock

DEFAULT_SWEEP_TIME = "07:00:00"


def sweep_time() -> datetime.timedelta:
	"""Return the time of day at which messages are sent, as time since midnight."""
	# The default is not in the DocType, where Frappe would use the current time instead.
	chosen = frappe.get_cached_doc("Milestone Settings").get("sweep_time")
	# Midnight is a choice too, but no time at all in Python's eyes.
	return to_timedelta(DEFAULT_SWEEP_TIME if chosen in (None, "") else str(chosen))


def latest_message_day(now: datetime.datetime) -> datetime.date:
	"""Return the latest date whose messages are due for the site or any of its users.

	Args:
		now: naive, in the site's time zone.
	"""
	# Nobody chose the time zone of Frappe's standard accounts.
	filters = {"enabled": 1, "name": ("not in", ("Administrator", "Guest"))}
	zones = set(frappe.get_all("User", filters=filters, pluck="time_zone", distinct=True))
	at = sweep_time()
	return max(clock.message_day(now, zone, at) for zone in zones | {None})
