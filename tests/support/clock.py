"""A moving clock, and a sweep that runs at a moment of it."""

import time
from contextlib import contextmanager
from datetime import datetime

import frappe
import time_machine
from frappe.utils import now_datetime

from milestone_automation.engine.base import clock, follow_ups
from milestone_automation.engine.messages import digest, hourly, sending_day, sweep

TEN_MINUTES = 600
# Weekends and ends of months are the same in every run of cases at random.
SAME_DAY = "2026-11-27 12:00:00"


@contextmanager
def at(moment: str, tick: bool = False):
	"""Everything inside happens at this moment of the site's clock, e.g. "2030-06-08 07:00:00"; or from it on."""
	there = datetime.fromisoformat(moment).replace(tzinfo=clock.site_zone())
	with time_machine.travel(there, tick=tick):
		yield


def stay_within_ten_minutes(seconds: int = 45) -> None:
	"""Wait for the next ten minutes of the clock if these end soon: the uses of a link are counted by them, or by the hour."""
	left = TEN_MINUTES - time.time() % TEN_MINUTES
	if left < seconds:
		time.sleep(left + 1)


def sweep_at(moment: str) -> list[tuple]:
	"""What the scheduler does at this moment, without commits; returns the messages it made, not the mails of the day."""
	before = {row[-1] for row in _rows()}
	do_follow_ups()
	with at(moment):
		now = now_datetime()
		sweep.handle(hourly.due_plans(sending_day.latest_message_day(now)), now)
		digest.run(now)
	return sorted(row[:-1] for row in _rows() if row[-1] not in before)


def do_follow_ups() -> None:
	"""What jobs do after the commit of a save, without commits."""
	for name in frappe.get_all(follow_ups.DOCTYPE, pluck="name", order_by="creation"):
		follow_ups.do(name)


def _rows() -> list[tuple]:
	rows = frappe.get_all(
		"Milestone Message",
		filters={"kind": ("!=", "Digest")},
		fields=["name", "kind", "recipient", "stage_name", "task", "status"],
		order_by="creation",
	)
	titles = dict(frappe.get_all("Milestone Task", fields=["name", "title"], as_list=True))
	return [(row.kind, row.recipient, titles.get(row.task) or row.stage_name, row.name) for row in rows]


def forget_mail_account() -> None:
	"""Let Frappe look for the mail server anew: it keeps the one of an earlier test for the rest of the process."""
	frappe.local.outgoing_email_account = {}
