"""One mail a day for those who want it: what the sweep left for the digest, without what was answered meanwhile."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import frappe
from frappe import _
from frappe.utils import now_datetime, strip_html

from milestone_automation import permissions
from milestone_automation.engine import bulk, guard, messages, recipients, signed_links
from milestone_automation.engine.recipients import Directory
from milestone_automation.engine.signed_links import Purpose
from milestone_automation.engine.vocabulary import (
	MessageChannel,
	MessageKind,
	MessageStatus,
	PlanStatus,
	StageStatus,
	TaskStatus,
)

ANSWERABLE = (MessageKind.PROMPT, MessageKind.REMINDER, MessageKind.ESCALATION, MessageKind.NO_NEXT_DATE)
# While a large sweep is under way, digests wait for it, but no longer than this after their time of day.
WAIT = timedelta(hours=3)


@dataclass
class DigestContent:
	"""What the template shows."""

	subject: str
	items: list = field(default_factory=list)
	reason: str = ""


def run(now: datetime, wait_for_sweep: bool = False) -> None:
	"""Send each person's digest that has something in it and whose time of day has come; once a day.

	Args:
		now: naive, in the site's time zone.
		wait_for_sweep: whether more of the day's messages are still being made.
	"""
	rows = frappe.get_all(
		"Milestone Message",
		filters={"status": MessageStatus.WAITING_FOR_DIGEST.value},
		fields=["name", "recipient", "kind", "plan", "plan_stage", "task", "subject", "message", "for_date"],
		order_by="creation",
	)
	if not rows:
		return
	directory = Directory.read({row.recipient for row in rows}, [])
	at = recipients.sweep_time() + (WAIT if wait_for_sweep else timedelta())
	for user, own in _by_recipient(rows).items():
		day = recipients.message_day(now, _zone(directory, user), at)
		if any(row.for_date <= day for row in own):
			guard.run_guarded(f"Milestone digest of {user}", send, user, directory.person(user), own, day)


def _by_recipient(rows: list) -> dict[str, list]:
	found = defaultdict(list)
	for row in rows:
		found[row.recipient].append(row)
	return found


def _zone(directory: Directory, user: str) -> str | None:
	person = directory.person(user)
	return person.zone if person else None


def send(user: str, person, rows: list, day) -> None:
	"""Send one digest and mark its messages; nothing if today's is out already.

	Args:
		user: its recipient.
		person: the `Recipient`; None for one disabled meanwhile.
		rows: of Milestone Message that wait.
		day: the day it is for.
	"""
	key = messages.stored_key(f"{MessageKind.DIGEST}||{day}|0|{user}")
	if frappe.db.exists("Milestone Message", {"message_key": key}):
		return
	valid, passed = _still_valid(rows)
	_mark(passed, MessageStatus.LEFT_OUT, None)
	if not valid:
		return
	if not person or not person.wants_mail:
		_mark(valid, MessageStatus.LEFT_OUT, None)
		return
	with messages.in_language(person.language):
		content = _content(person, valid, day)
	queued, problem = messages.send_mail(person, content, "milestone_digest")
	_keep(key, person, content, day, queued, problem)
	_mark(valid, MessageStatus.QUEUED if queued else MessageStatus.LEFT_OUT, queued)


def _still_valid(rows: list) -> tuple[list, list]:
	"""Return the rows whose stage or task is still open, and the others. Three queries."""
	plans = _open_names("Milestone Plan", {row.plan for row in rows}, PlanStatus.ACTIVE)
	stages = _open_names("Milestone Plan Stage", {row.plan_stage for row in rows}, StageStatus.OPEN)
	tasks = _open_names("Milestone Task", {row.task for row in rows if row.task}, TaskStatus.OPEN)
	valid = [
		row
		for row in rows
		if row.plan in plans and (row.task in tasks if row.task else row.plan_stage in stages)
	]
	return valid, [row for row in rows if row not in valid]


def _open_names(doctype: str, names: set[str], status) -> set[str]:
	if not names:
		return set()
	filters = {"name": ("in", sorted(names)), "status": status.value}
	return set(frappe.get_all(doctype, filters=filters, pluck="name"))


def _mark(rows: list, status: MessageStatus, queued: str | None) -> None:
	values = {"status": status.value, "email_queue": queued}
	if status is MessageStatus.QUEUED:
		values["sent_on"] = now_datetime()
	bulk.update_rows("Milestone Message", {row.name: values for row in rows})


def _content(person, rows: list, day) -> DigestContent:
	subject = _("Your milestones of {0}").format(messages.day_text(day))
	content = DigestContent(subject, [_item(person, row) for row in _one_of_each(rows)])
	content.reason = _(
		"You get one mail a day because you chose so. Switch it off in your milestone settings."
	)
	return content


def _one_of_each(rows: list) -> list:
	"""Leave out rows of one letter that was about several tasks but its first."""
	return list({(row.plan, row.kind, row.subject): row for row in reversed(rows)}.values())[::-1]


def _item(person, row) -> dict:
	text = "\n".join(
		part for part in strip_html((row.message or "").replace("</p>", "\n")).splitlines() if part
	)
	return {"subject": row.subject, "html": row.message, "text": text, "buttons": _buttons(person, row)}


def _buttons(person, row) -> list[dict]:
	if row.task:
		token = signed_links.make_token(Purpose.TASK, row.task, person.identity)
		return [{"label": _("Open task"), "url": signed_links.url(messages.TASK_PAGE, token)}]
	if row.kind not in ANSWERABLE:
		return []
	stage = frappe.get_doc("Milestone Plan Stage", row.plan_stage)
	reference = frappe.db.get_value("Milestone Plan", row.plan, ["reference_type", "reference_name"])
	doc = frappe._dict(zip(("doctype", "name"), reference, strict=True))
	if not person.user or not permissions.can_act_on_stage(stage, doc, person.user):
		return []
	token = signed_links.make_token(Purpose.ANSWER, stage.name, person.identity, str(stage.key_date or ""))
	return [{"label": _("Answer"), "url": signed_links.url(messages.ANSWER_PAGE, token)}]


def _keep(key: str, person, content: DigestContent, day, queued: str | None, problem: str) -> None:
	bulk.insert_rows(
		"Milestone Message",
		[
			{
				"kind": MessageKind.DIGEST.value,
				"recipient": person.identity,
				"channel": MessageChannel.MAIL.value,
				"status": (MessageStatus.QUEUED if queued else MessageStatus.LEFT_OUT).value,
				"subject": content.subject,
				"why": " ".join(filter(None, (content.reason, problem))),
				"for_date": day,
				"sent_on": now_datetime(),
				"email_queue": queued,
				"message_key": key,
			}
		],
	)
