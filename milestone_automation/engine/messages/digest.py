"""The mail of the day: what waits for a person, in one mail; a single message goes as it is.

`last_mails` decides whose mail may go: one a day, and more rarely to who does not react. What is sent is what applies
when the run begins, in words of today. What cannot be judged then, and what a plan on hold has to say, waits.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import frappe
from frappe import _
from frappe.utils import now_datetime

from milestone_automation.engine.base import bulk, clock, guard, languages
from milestone_automation.engine.messages import (
	drafts,
	due_messages,
	last_mails,
	letters,
	outbox,
	sending_day,
)
from milestone_automation.engine.messages.due_messages import Current
from milestone_automation.engine.messages.letters import Content, Letter
from milestone_automation.engine.people.directory import Directory, Recipient
from milestone_automation.engine.rules.vocabulary import (
	MessageChannel,
	MessageKind,
	MessageStatus,
)
from milestone_automation.engine.workflows import custom_messages

# The order of a mail: what asks for something today comes before this order.
ORDER = (
	MessageKind.PROMPT,
	MessageKind.BLOCKED,
	MessageKind.TASK_OVERDUE,
	MessageKind.ESCALATION,
	MessageKind.NO_NEXT_DATE,
	MessageKind.TASK_DUE,
	MessageKind.CHECK_IN,
	MessageKind.REMINDER,
	MessageKind.BLOCKED_OWNER,
	MessageKind.WARNING,
)
URGENT = ORDER[:6]
# Mails wait for a large sweep, but no longer than this after their time of day.
WAIT = timedelta(hours=3)
PLANS_AT_ONCE = 500  # plans read together

COLUMNS = (
	"name",
	"recipient",
	"plan",
	"reference_type",
	"reference_name",
	"why",
	"for_date",
	"message_key",
)


@dataclass
class DigestContent:
	"""The texts of a mail with several messages, for its template."""

	subject: str
	items: list = field(default_factory=list)
	reason: str = ""
	is_own: bool = False


@dataclass
class Reader:
	"""Somebody whose mail may be sent now.

	Attributes:
		identity: user id or address.
		person: the recipient; None if the user was disabled meanwhile.
		rows: waiting rows of Milestone Message.
		day: date of the mail.
	"""

	identity: str
	person: Recipient | None
	rows: list
	day: date

	@property
	def key(self) -> str:
		"""Key of the mail; there is one a day."""
		return last_mails.key(self.day, self.identity)


@dataclass
class Item:
	"""One message of a mail, with its rows of Milestone Message."""

	letter: Letter
	rows: list

	def rank(self, day: date) -> tuple:
		"""Return its place in a mail of this day: what asks for something since today comes first.

		Args:
			day: date of the mail.

		Returns:
			tuple: for sorting, smallest first.

		Raises:
			ValueError: its kind has no place in `ORDER`.
		"""
		is_new = not self.letter.occurrence and any(row.for_date == day for row in self.rows)
		return not (is_new and self.letter.kind in URGENT), ORDER.index(self.letter.kind)


def run(now: datetime, wait_for_sweep: bool = False, commit: Callable[[], None] | None = None) -> None:
	"""Send the mails that are not empty and whose time has come, one a day to each person.

	Args:
		now: naive, in the site's time zone.
		wait_for_sweep: whether background jobs still make messages of this day.
		commit: called after each mail; None leaves the transaction to the caller.
	"""
	readers = _readers(now, sending_day.sweep_time() + (WAIT if wait_for_sweep else timedelta()))
	if not readers:
		return
	current = guard.run_guarded("Milestone digests", _read_current, readers, now)
	if current is None:
		return
	for reader in readers:
		guard.run_alone(f"Milestone digest of {reader.identity}", commit, send, reader, *current)


def _readers(now: datetime, at: timedelta) -> list[Reader]:
	"""Return the people for whom something waits and whose mail may be sent now."""
	waiting = frappe.get_all(
		"Milestone Message",
		filters={"status": MessageStatus.WAITING_FOR_DIGEST.value},
		fields=list(COLUMNS),
		order_by="creation",
	)
	if not waiting:
		return []
	rows_of = defaultdict(list)
	for row in waiting:
		rows_of[row.recipient].append(row)
	directory = Directory.read(set(rows_of), [])
	readers = []
	for identity, rows in rows_of.items():
		person = directory.person(identity)
		day = clock.message_day(now, person.zone if person else None, at)
		if any(row.for_date <= day for row in rows):
			readers.append(Reader(identity, person, rows, day))
	mails = last_mails.read([reader.identity for reader in readers], now)
	return [reader for reader in readers if mails.may_follow(reader.identity, reader.day)]


def _read_current(readers: list[Reader], now: datetime) -> tuple[dict[str, Current], dict, set[str]]:
	"""Return the messages that still apply by key, the working days of plans with quiet days off, and the plans that wait."""
	plans = sorted({row.plan for reader in readers for row in reader.rows if row.plan})
	current, quiet, waiting = {}, {}, set()
	for start in range(0, len(plans), PLANS_AT_ONCE):
		chunk = plans[start : start + PLANS_AT_ONCE]
		of_chunk, quiet_of_chunk, waiting_of_chunk = due_messages.current(chunk, now)
		current |= of_chunk
		quiet |= quiet_of_chunk
		waiting |= waiting_of_chunk
	return current, quiet, waiting


def send(reader: Reader, current: dict[str, Current], quiet: dict, waiting: set[str]) -> None:
	"""Send one mail and update its messages. Messages of a plan that is quiet today, or was not judged, wait.

	Args:
		reader: who gets it.
		current: the messages that still apply, by key.
		quiet: working days of the plans with quiet days off, by name of the plan.
		waiting: names of running plans of which nobody can say now what applies.
	"""
	person = reader.person
	rows = [row for row in reader.rows if row.plan not in waiting]
	rows = [row for row in rows if row.plan not in quiet or quiet[row.plan].is_working_day(reader.day)]
	with languages.in_language(person.language if person else frappe.local.lang):
		outdated = [row for row in rows if row.message_key not in current]
		_end(outdated, _("Not sent: it no longer applies."))
		_send_wanted(reader, [row for row in rows if row.message_key in current], current)


def _send_wanted(reader: Reader, rows: list, current: dict[str, Current]) -> None:
	"""Send those of the messages that their reader wants to have."""
	person = reader.person
	if not person or not person.wants_mail:
		_end(rows, _("Not sent: this person wants no mail or has no address."), person)
		return
	unwanted = [row for row in rows if (row.reference_type, row.reference_name) in person.unsubscribed_from]
	_end(unwanted, outbox.unsubscribed(person), person)
	items = _items(reader, [row for row in rows if row not in unwanted], current)
	if len(items) == 1:
		_send_single(reader, items[0])
	elif items:
		_send_bundle(reader, items)


def _items(reader: Reader, rows: list, current: dict[str, Current]) -> list[Item]:
	"""Return what the mail says, the most urgent first."""
	rows_of = defaultdict(list)
	for row in rows:
		rows_of[row.plan].append(row)
	items = []
	for of_plan in rows_of.values():
		first_current = current[of_plan[0].message_key]
		deliveries = [current[row.message_key].delivery for row in of_plan]
		by_key = {row.message_key: row for row in of_plan}
		for letter in drafts.letters_of(first_current.batch, first_current.plan, deliveries, in_bundle=True):
			items.append(Item(letter, [by_key[key] for key, _task in letter.keys]))
	return sorted(items, key=lambda item: item.rank(reader.day))


def _send_single(reader: Reader, item: Item) -> None:
	"""Send the only message as it is. Its first row is the one mail of this day."""
	letter = item.letter
	queued, problem = outbox.send_mail(
		letter.recipient, letters.compose(letter), "milestone_message", letter.plan
	)
	if not queued:
		_end(item.rows, problem, reader.person)
		return
	has_bell = reader.person.wants_notification
	channel = MessageChannel.MAIL_AND_NOTIFICATION if has_bell else MessageChannel.MAIL
	_mark(item.rows, queued, channel=channel.value)
	bulk.update_rows("Milestone Message", {item.rows[0].name: {"mail_key": reader.key}})


def _send_bundle(reader: Reader, items: list[Item]) -> None:
	rows = [row for item in items for row in item.rows]
	content = _content(reader, items)
	queued, problem = outbox.send_mail(items[0].letter.recipient, content, "milestone_digest")
	if not queued:
		_end(rows, problem, reader.person)
		return
	_keep(reader, content, queued)
	_mark(rows, queued)


def _mark(rows: list, queued: str, **values) -> None:
	values |= {"status": MessageStatus.QUEUED.value, "email_queue": queued, "sent_on": now_datetime()}
	bulk.update_rows("Milestone Message", {row.name: values for row in rows})


def _end(rows: list, reason: str, notified: Recipient | None = None) -> None:
	"""Mark messages without a mail, with the reason; who has seen a desk notification has got them by that.

	Args:
		rows: rows of Milestone Message.
		reason: whole sentence.
		notified: who has got a notification, if that is so.
	"""
	values = {"status": MessageStatus.SKIPPED.value}
	if notified and notified.wants_notification:
		values = {
			"status": MessageStatus.SENT.value,
			"channel": MessageChannel.NOTIFICATION.value,
			"sent_on": now_datetime(),
		}
	changes = {row.name: values | {"why": letters.joined(row.why, reason)} for row in rows}
	bulk.update_rows("Milestone Message", changes)


# Texts


def _content(reader: Reader, items: list[Item]) -> DigestContent:
	content = DigestContent(_("Your milestones of {0}").format(languages.day_text(reader.day)))
	headings = {False: _("New today"), True: _("Still open")}
	ranks = [item.rank(reader.day)[0] for item in items]
	for number, (item, rank) in enumerate(zip(items, ranks, strict=True)):
		is_first = number == 0 or ranks[number - 1] != rank
		heading = headings[rank] if is_first and len(set(ranks)) > 1 else ""
		composed = letters.compose(item.letter)
		content.items.append(_item(composed, heading))
		content.is_own |= composed.is_own
	content.reason = _("You get at most one mail a day, with everything that waits for you.")
	return content


def _item(content: Content, heading: str) -> dict:
	# Tasks with a link of their own stand in lines of their own.
	tasks = [task for task in content.tasks if task["url"]]
	html = outbox.log_text(replace(content, tasks=[] if tasks else content.tasks))
	return {
		"heading": heading,
		"subject": content.subject,
		"html": html,
		"text": custom_messages.as_text(html),
		"about": content.about,
		"tasks": tasks,
		"buttons": content.buttons,
	}


def _keep(reader: Reader, content: DigestContent, queued: str) -> None:
	key = outbox.stored_key(f"{MessageKind.DIGEST}||{reader.day}|0|{reader.identity}")
	bulk.insert_rows(
		"Milestone Message",
		[
			{
				"kind": MessageKind.DIGEST.value,
				"recipient": reader.identity,
				"channel": MessageChannel.MAIL.value,
				"status": MessageStatus.QUEUED.value,
				"subject": content.subject,
				"why": content.reason,
				"for_date": reader.day,
				"sent_on": now_datetime(),
				"email_queue": queued,
				"message_key": key,
				"mail_key": reader.key,
			}
		],
	)
