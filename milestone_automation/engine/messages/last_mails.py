"""The last mail of each person, and whether another one may follow it.

There is at most one a day. To somebody who has done nothing of what the last one asked for, the next goes some days
after it: whoever does not read a mail a day does not read two. The bell of the Desk rings all the same.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import frappe
from frappe.utils import cint

from milestone_automation.engine.messages import outbox
from milestone_automation.engine.rules import schedule
from milestone_automation.engine.rules.vocabulary import MessageKind, MessageStatus, StageStatus, TaskStatus

# Days from a mail to the next if nobody reacts to it, so two a week at most.
PAUSE = 4
# What asks nobody for anything.
FOR_INFORMATION = (MessageKind.WARNING.value, MessageKind.NOTICE.value, MessageKind.DIGEST.value)
STAGE_COLUMNS = ("name", "status", "asked_round", *schedule.ROUND_STAMPS)


@dataclass
class LastMails:
	"""The last mails of some people; made by `read`.

	Attributes:
		days: day of the last mail by user id or address; who got none lately is missing.
		silent: who has not reacted to it.
		pause: days after a mail to which nobody reacted.
	"""

	days: dict[str, date] = field(default_factory=dict)
	silent: set[str] = field(default_factory=set)
	pause: int = PAUSE

	def may_follow(self, identity: str, day: date) -> bool:
		"""Return whether somebody may get a mail on this day, in their time zone.

		Args:
			identity: user id or address, one of those that were asked for in `read`; of any other one nothing is known.
			day: the date in their time zone.
		"""
		last = self.days.get(identity)
		if not last:
			return True
		return day >= last + timedelta(days=self.pause if identity in self.silent else 1)


def key(day: date, identity: str) -> str:
	"""Return the unique key of the mail that a person gets on a day.

	Args:
		day: date of the mail in their time zone.
		identity: user id or address; upper and lower case are the same.
	"""
	return outbox.stored_key(f"{day}|{identity.lower()}")


def read(identities: list[str], now: datetime) -> LastMails:
	"""Read the last mails of some people, with at most four queries.

	Args:
		identities: user ids and addresses.
		now: naive, in the site's time zone.
	"""
	mails = LastMails(pause=pause_days())
	if not identities:
		return mails
	rows_of = defaultdict(list)
	# Time zones differ by a day at most.
	for row in _mailed_rows(identities, now - timedelta(days=mails.pause + 2)):
		rows_of[row.recipient].append(row)
	last_mail_rows = []
	for identity, rows in rows_of.items():
		last = max((row for row in rows if row.mail_key), key=lambda row: row.mail_key, default=None)
		if last:
			mails.days[identity] = date.fromisoformat(last.mail_key[:10])
			last_mail_rows += [row for row in rows if row.email_queue == last.email_queue]
	mails.silent = _silent([row for row in last_mail_rows if row.kind not in FOR_INFORMATION])
	return mails


def pause_days() -> int:
	"""Return the days from a mail to which nobody reacts to the next one; 1 for every day."""
	# Settings that were saved before there was this one have none.
	return cint(frappe.get_cached_doc("Milestone Settings").get("mail_pause_days")) or PAUSE


def _mailed_rows(identities: list[str], since: datetime) -> list:
	return frappe.get_all(
		"Milestone Message",
		filters={
			"recipient": ("in", sorted(identities)),
			"sent_on": (">=", since),
			"email_queue": ("is", "set"),
			"status": ("!=", MessageStatus.FAILED.value),
		},
		fields=["recipient", "kind", "plan_stage", "task", "message_key", "email_queue", "mail_key"],
	)


def _silent(asked_rows: list) -> set[str]:
	"""Return the people for whom all that they were asked for is as it was."""
	open_parts = _open_parts({row.task for row in asked_rows if row.task})
	rounds = _open_rounds({row.plan_stage for row in asked_rows if not row.task and row.plan_stage})
	everybody, reacted = set(), set()
	for row in asked_rows:
		everybody.add(row.recipient)
		is_open = (row.task, row.recipient) in open_parts if row.task else _is_asked_still(row, rounds)
		if not is_open:
			reacted.add(row.recipient)
	return everybody - reacted


def _open_parts(tasks: set[str]) -> set[tuple[str, str]]:
	"""Return (task, user id or address) of everybody whose part of an open task is not done."""
	if not tasks:
		return set()
	task, person = frappe.qb.DocType("Milestone Task"), frappe.qb.DocType("Milestone Task Assignee")
	query = frappe.qb.from_(person).join(task).on(task.name == person.parent)
	query = query.select(person.parent, person.user, person.email).where(person.parent.isin(sorted(tasks)))
	query = query.where(person.parenttype == "Milestone Task").where(person.done == 0)
	rows = query.where(task.status == TaskStatus.OPEN.value).run()
	return {(name, who) for name, *identities in rows for who in identities if who}


def _open_rounds(stages: set[str]) -> dict[str, str]:
	"""Return by name of each open stage what the keys of its current messages begin with after their kind."""
	if not stages:
		return {}
	filters = {"name": ("in", sorted(stages)), "status": StageStatus.OPEN.value}
	rows = frappe.get_all("Milestone Plan Stage", filters=filters, fields=list(STAGE_COLUMNS))
	return {row.name: f"{row.name}/{schedule.round_of(row)}" for row in rows}


def _is_asked_still(row, rounds: dict[str, str]) -> bool:
	return row.plan_stage in rounds and row.message_key.split("|")[2] == rounds[row.plan_stage]
