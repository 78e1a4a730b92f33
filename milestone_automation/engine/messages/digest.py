"""The digest: one mail a day instead of single ones, with the messages that still apply."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import frappe
from frappe import _
from frappe.utils import now_datetime

from milestone_automation.engine.base import bulk, clock, guard, languages
from milestone_automation.engine.messages import due_messages, letters, outbox, plan_batch, sending_day
from milestone_automation.engine.messages.letters import Letter
from milestone_automation.engine.people import rights, signed_links
from milestone_automation.engine.people.directory import Directory, Recipient
from milestone_automation.engine.people.signed_links import Purpose
from milestone_automation.engine.rules.vocabulary import MessageChannel, MessageKind, MessageStatus
from milestone_automation.engine.workflows import custom_messages

ANSWERABLE = (
	MessageKind.PROMPT,
	MessageKind.REMINDER,
	MessageKind.ESCALATION,
	MessageKind.NO_NEXT_DATE,
	MessageKind.CHECK_IN,
)
# Digests wait for a large sweep, but no longer than this after their time of day.
WAIT = timedelta(hours=3)
PLANS_AT_ONCE = 500  # plans read together

COLUMNS = (
	"name",
	"recipient",
	"kind",
	"plan",
	"plan_stage",
	"task",
	"reference_type",
	"reference_name",
	"subject",
	"message",
	"why",
	"for_date",
	"message_key",
)


@dataclass
class DigestContent:
	"""The texts of a digest, for its template."""

	subject: str
	items: list = field(default_factory=list)
	reason: str = ""


@dataclass
class Reader:
	"""Somebody whose digest may be sent now.

	Attributes:
		user: user id.
		person: the recipient; None if the user was disabled meanwhile.
		rows: waiting rows of Milestone Message.
		day: date of the digest.
	"""

	user: str
	person: Recipient | None
	rows: list
	day: date

	@property
	def key(self) -> str:
		"""Key of the digest; there is one a day."""
		return outbox.stored_key(f"{MessageKind.DIGEST}||{self.day}|0|{self.user}")


def run(now: datetime, wait_for_sweep: bool = False) -> None:
	"""Send the digests that are not empty and whose time of day has come, one a day to each person.

	Args:
		now: naive, in the site's time zone.
		wait_for_sweep: whether background jobs still make messages of this day.
	"""
	readers = _readers(now, sending_day.sweep_time() + (WAIT if wait_for_sweep else timedelta()))
	if not readers:
		return
	current = guard.run_guarded("Milestone digests", _read_current, readers, now)
	if current is None:
		return
	for reader in readers:
		guard.run_guarded(f"Milestone digest of {reader.user}", send, reader, *current)


def _readers(now: datetime, at: timedelta) -> list[Reader]:
	"""Return the people whose digest may be sent now and was not sent today."""
	waiting = frappe.get_all(
		"Milestone Message",
		filters={"status": MessageStatus.WAITING_FOR_DIGEST.value},
		fields=list(COLUMNS),
		order_by="creation",
	)
	if not waiting:
		return []
	directory = Directory.read({row.recipient for row in waiting}, [])
	readers = []
	for user, rows in _by_recipient(waiting).items():
		person = directory.person(user)
		day = clock.message_day(now, person.zone if person else None, at)
		if any(row.for_date <= day for row in rows):
			readers.append(Reader(user, person, rows, day))
	sent = due_messages.stored_keys({reader.key for reader in readers})
	return [reader for reader in readers if reader.key not in sent]


def _by_recipient(rows: list) -> dict[str, list]:
	rows_of_recipient = defaultdict(list)
	for row in rows:
		rows_of_recipient[row.recipient].append(row)
	return rows_of_recipient


def _read_current(readers: list[Reader], now: datetime) -> tuple[set[str], dict]:
	"""Return the keys of the messages that still apply, and the working days of the plans with quiet days off."""
	plans = sorted({row.plan for reader in readers for row in reader.rows if row.plan})
	has_quiet_days = frappe.get_cached_doc("Milestone Settings").get("quiet_on_days_off")
	keys, quiet = set(), {}
	for start in range(0, len(plans), PLANS_AT_ONCE):
		chunk = plans[start : start + PLANS_AT_ONCE]
		keys |= due_messages.due_keys(chunk, now)
		if has_quiet_days:
			rules = plan_batch.read(chunk, now, lock=False).rules
			quiet |= {plan: rule.quiet for plan, rule in rules.items() if rule.quiet}
	return keys, quiet


def send(reader: Reader, current_keys: set[str], quiet: dict) -> None:
	"""Send one digest and update its messages. Messages of a plan that is quiet today wait.

	Args:
		reader: who gets the digest.
		current_keys: keys of the messages that still apply.
		quiet: working days of the plans with quiet days off, by name of the plan.
	"""
	person = reader.person
	rows = [row for row in reader.rows if row.plan not in quiet or quiet[row.plan].is_working_day(reader.day)]
	with languages.in_language(person.language if person else frappe.local.lang):
		outdated = [row for row in rows if row.message_key not in current_keys]
		_skip(outdated, _("Not sent: it no longer applies."))
		_send_wanted(reader, [row for row in rows if row.message_key in current_keys])


def _send_wanted(reader: Reader, rows: list) -> None:
	"""Send those of the messages that their reader wants to have."""
	person = reader.person
	if not person or not person.wants_mail:
		_skip(rows, _("Not sent: this person wants no mail or has no address."))
		return
	unwanted = [row for row in rows if _document(row) in person.unsubscribed_from]
	_skip(unwanted, outbox.unsubscribed(person))
	if wanted := [row for row in rows if row not in unwanted]:
		_send(reader, wanted)


def _send(reader: Reader, rows: list) -> None:
	content = _content(reader, rows)
	queued, problem = outbox.send_mail(reader.person, content, "milestone_digest")
	_keep(reader.key, reader.person, content, reader.day, queued, problem)
	if not queued:
		_skip(rows, problem)
		return
	values = {"status": MessageStatus.QUEUED.value, "email_queue": queued, "sent_on": now_datetime()}
	bulk.update_rows("Milestone Message", {row.name: values for row in rows})


def _skip(rows: list, reason: str) -> None:
	"""Mark messages that are not sent, with the reason."""
	status = MessageStatus.SKIPPED.value
	changes = {row.name: {"status": status, "why": letters.joined(row.why, reason)} for row in rows}
	bulk.update_rows("Milestone Message", changes)


def _document(row) -> tuple[str, str]:
	return row.reference_type, row.reference_name


# Texts


def _content(reader: Reader, rows: list) -> DigestContent:
	subject = _("Your milestones of {0}").format(languages.day_text(reader.day))
	tasks = _rows("Milestone Task", {row.task for row in rows if row.task})
	stages = _rows("Milestone Plan Stage", {row.plan_stage for row in rows})
	content = DigestContent(subject)
	for group in _groups(rows):
		if group[0].task:
			content.items += _task_items(reader, group, tasks, stages)
		else:
			# A reminder replaces its prompt.
			content.items.append(_stage_item(reader.person, group[-1], stages))
	content.reason = _(
		"You get one mail a day because you chose this option. You can switch it off in your milestone settings."
	)
	return content


def _rows(doctype: str, names: set[str]) -> dict:
	if not names:
		return {}
	rows = frappe.get_all(doctype, filters={"name": ("in", sorted(names))}, fields=["*"])
	return {row.name: row for row in rows}


def _groups(rows: list) -> list[list]:
	"""Return the rows of each item, in order."""
	groups = defaultdict(list)
	for row in rows:
		kind = MessageKind.PROMPT if row.kind == MessageKind.REMINDER else row.kind
		about = row.plan_stage if kind == MessageKind.BLOCKED or not row.task else ""
		groups[kind, row.plan, about].append(row)
	return list(groups.values())


def _task_items(reader: Reader, group: list, tasks: dict, stages: dict) -> list[dict]:
	"""Return the item about some tasks, written anew: some of them may be done by now."""
	first = group[0]
	existing = [tasks[name] for name in dict.fromkeys(row.task for row in group) if name in tasks]
	if not existing or first.plan_stage not in stages:
		return []
	letter = Letter(
		kind=MessageKind(first.kind),
		recipient=reader.person,
		plan={
			"name": first.plan,
			"reference_type": first.reference_type,
			"reference_name": first.reference_name,
		},
		stage=stages[first.plan_stage],
		day=reader.day,
		reason=("assignee", ""),
		tasks=existing,
		occurrence=max(outbox.occurrence_of(row.message_key) for row in group),
	)
	content = letters.compose(letter)
	return [
		{
			"subject": content.subject,
			"html": "",
			"text": "\n".join(content.paragraphs),
			"tasks": content.tasks,
			"buttons": [],
		}
	]


def _stage_item(person: Recipient, row, stages: dict) -> dict:
	text = custom_messages.as_text(row.message or "")
	buttons = _buttons(person, row, stages.get(row.plan_stage))
	return {"subject": row.subject, "html": row.message, "text": text, "tasks": [], "buttons": buttons}


def _buttons(person: Recipient, row, stage) -> list[dict]:
	if row.kind not in ANSWERABLE or not stage or not person.user:
		return []
	doc = frappe._dict(zip(("doctype", "name"), _document(row), strict=True))
	if not rights.can_act_on_stage(stage, doc, person.user):
		return []
	token = signed_links.make_token(Purpose.ANSWER, stage.name, person.identity, str(stage.key_date or ""))
	answer = {"answer": "on_track"} if row.kind == MessageKind.CHECK_IN else {}
	return [{"label": _("Answer"), "url": signed_links.url(letters.ANSWER_PAGE, token, **answer)}]


def _keep(key: str, person, content: DigestContent, day, queued: str | None, problem: str) -> None:
	bulk.insert_rows(
		"Milestone Message",
		[
			{
				"kind": MessageKind.DIGEST.value,
				"recipient": person.identity,
				"channel": MessageChannel.MAIL.value,
				"status": (MessageStatus.QUEUED if queued else MessageStatus.SKIPPED).value,
				"subject": content.subject,
				"why": letters.joined(content.reason, problem),
				"for_date": day,
				"sent_on": now_datetime(),
				"email_queue": queued,
				"message_key": key,
			}
		],
	)
