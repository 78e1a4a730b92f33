"""Messages as people get them: words, mail, desk notification, and the row that keeps what went to whom and why.

A message's row in Milestone Message carries its key, which is unique, and is written in the same transaction as the
mail's row in Frappe's Email Queue and the Notification Log. So a message exists once or not at all.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

import frappe
from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from frappe import _
from frappe.utils import cint, escape_html, get_url_to_form, now_datetime

from milestone_automation.engine import bulk, custom_messages, schedule, signed_links
from milestone_automation.engine.recipients import DIGEST_DEFAULT, Recipient
from milestone_automation.engine.signed_links import Purpose
from milestone_automation.engine.vocabulary import MessageChannel, MessageKind, MessageStatus

ANSWER_PAGE = "milestone-answer"
TASK_PAGE = "milestone-task"
TASK_MESSAGES = (MessageKind.TASK_DUE, MessageKind.TASK_OVERDUE, MessageKind.HELD)
KEY_LENGTH = 140
NOTED_AT_ONCE = 5000  # messages looked at by one `note_sent`
# What became of a message, by the last states a mail can have in Frappe's Email Queue.
MAIL_ENDS = {
	"Sent": MessageStatus.SENT,
	"Error": MessageStatus.FAILED,
	"Expired": MessageStatus.FAILED,
	"Deleted": MessageStatus.FAILED,
}
HELD_BACK = "milestone_events_held_back"

check_template = custom_messages.check_template


@dataclass
class Letter:
	"""What one person is told at one time about one plan.

	Attributes:
		kind: why.
		recipient: who.
		plan, stage: rows.
		tasks: rows of the tasks it is about or, for an owner, of those that hold the stage; each with `people`,
			the names of its assignees.
		day: the day it is for, in the recipient's time.
		reason: word for why this person gets it, and what the sentence names: see `_REASONS`.
		keys: what its messages are known by, each with the task it is about (or None).
		occurrence: 0, or which reminder.
		may_answer: whether the recipient may answer for the stage.
		owners: names of those who may.
		previous_stage: the reached stage before, for a missing date.
	"""

	kind: MessageKind
	recipient: Recipient
	plan: dict
	stage: dict
	day: date
	reason: tuple[str, str] = ("owner", "")
	tasks: list = field(default_factory=list)
	keys: list = field(default_factory=list)
	occurrence: int = 0
	may_answer: bool = False
	owners: list = field(default_factory=list)
	previous_stage: str = ""

	@property
	def document(self) -> str:
		"""Kind and name of the document, for people."""
		return f"{_(self.plan['reference_type'])} {self.plan['reference_name']}"

	@property
	def key_date(self) -> date | None:
		return schedule.as_day(self.stage.get("key_date"))


@dataclass
class Content:
	"""A message in the reader's language, before it is laid out.

	Attributes:
		subject: also its heading.
		paragraphs: plain text.
		custom_html: the workflow's own words, safe HTML.
		facts: pairs of label and value.
		tasks: dicts with title, description, due, people, url.
		tasks_heading: the sentence they follow, where other things stand between it and the paragraphs.
		buttons: dicts with label, url, is_main.
		reason: why the reader gets it.
	"""

	subject: str
	paragraphs: list = field(default_factory=list)
	custom_html: str = ""
	facts: list = field(default_factory=list)
	tasks: list = field(default_factory=list)
	tasks_heading: str = ""
	buttons: list = field(default_factory=list)
	reason: str = ""

	@property
	def custom_text(self) -> str:
		"""The workflow's own words as plain text."""
		return custom_messages.as_text(self.custom_html)


@contextmanager
def in_language(language: str) -> Iterator[None]:
	"""Inside, `_` and dates speak this language."""
	before = frappe.local.lang
	frappe.local.lang = language
	try:
		yield
	finally:
		frappe.local.lang = before


def day_text(day: date | None) -> str:
	"""Return a date in words, in the current language; empty for none."""
	if not day:
		return ""
	try:
		locale = Locale.parse((frappe.local.lang or "en").replace("-", "_"))
	except (UnknownLocaleError, ValueError):
		locale = Locale("en")
	return format_date(day, "long", locale=locale)


# Words


def compose(letter: Letter) -> Content:
	"""Return a letter's words in its recipient's language."""
	with in_language(letter.recipient.language):
		content = _COMPOSERS[letter.kind](letter)
		word, name = letter.reason
		content.reason = _REASONS[word](name)
		if letter.recipient.is_desk_user and letter.kind not in TASK_MESSAGES:
			content.buttons.append(_open_document(letter))
	return content


def _prompt(letter: Letter) -> Content:
	content = Content(_("Has {0} been reached? {1}").format(_stage(letter), letter.document))
	content.custom_html = _custom_message(letter)
	content.paragraphs = [_when(letter), *_how_to_answer(letter)]
	content.buttons = _answer_buttons(letter)
	return content


def _reminder(letter: Letter) -> Content:
	content = _prompt(letter)
	content.subject = _("Reminder: has {0} been reached? {1}").format(_stage(letter), letter.document)
	content.paragraphs.insert(
		0, _("This is reminder {0}; nobody has answered yet.").format(letter.occurrence)
	)
	return content


def _when(letter: Letter) -> str:
	if letter.key_date == letter.day:
		return _("The key date of {0} is today, {1}.").format(_stage(letter), day_text(letter.key_date))
	return _("The key date of {0} was {1}.").format(_stage(letter), day_text(letter.key_date))


def _how_to_answer(letter: Letter) -> list[str]:
	if letter.may_answer:
		return [
			_(
				"Please answer with one of the buttons. A page opens and asks once more before anything changes."
			)
		]
	if letter.owners:
		return [_("{0} has been asked. You need not do anything.").format(", ".join(letter.owners))]
	return []


def _held(letter: Letter) -> Content:
	subject = (
		_("Reminder: {0} of {1} is waiting for your tasks")
		if letter.occurrence
		else _("{0} of {1} is waiting for your tasks")
	)
	content = Content(subject.format(_stage(letter), letter.document))
	content.paragraphs = [
		_("The key date of {0} has come ({1}), and it cannot be reached until these tasks are done:").format(
			_stage(letter), day_text(letter.key_date)
		)
	]
	if letter.owners:
		content.paragraphs.append(_("{0} is waiting for them.").format(", ".join(letter.owners)))
	content.tasks = _own_tasks(letter)
	return content


def _held_owner(letter: Letter) -> Content:
	content = Content(_("{0} of {1} is held by open tasks").format(_stage(letter), letter.document))
	content.paragraphs = [
		_when(letter),
		_("It cannot be reached while these required tasks are open. Their assignees have been told."),
	]
	if letter.may_answer:
		content.paragraphs.append(
			_("As soon as the last one is done, you will be asked whether {0} has been reached.").format(
				_stage(letter)
			)
		)
	content.tasks = _open_tasks(letter)
	return content


def _task_due(letter: Letter) -> Content:
	if len(letter.tasks) == 1:
		task = letter.tasks[0]
		subject = _("Task due on {0}: {1}").format(day_text(schedule.as_day(task.due_date)), task.title)
	else:
		subject = _("{0} tasks of {1} are due soon").format(len(letter.tasks), letter.document)
	content = Content(subject)
	content.paragraphs = [_("These tasks of {0} are due soon:").format(letter.document)]
	if len(letter.tasks) == 1:
		content.paragraphs = [_("This task of {0} is due soon:").format(letter.document)]
	content.tasks = _own_tasks(letter)
	return content


def _task_overdue(letter: Letter) -> Content:
	if len(letter.tasks) == 1:
		task = letter.tasks[0]
		subject = _("Task overdue since {0}: {1}").format(
			day_text(schedule.as_day(task.due_date)), task.title
		)
		paragraph = _("This task of {0} is overdue:").format(letter.document)
	else:
		subject = _("{0} tasks of {1} are overdue").format(len(letter.tasks), letter.document)
		paragraph = _("These tasks of {0} are overdue:").format(letter.document)
	return Content(subject, [paragraph], tasks=_own_tasks(letter))


def _escalation(letter: Letter) -> Content:
	days = (letter.day - letter.key_date).days
	subject = _("{0} of {1} is one day overdue") if days == 1 else _("{0} of {1} is {2} days overdue")
	content = Content(subject.format(_stage(letter), letter.document, days))
	content.paragraphs = [
		_("{0} should have been reached by {1}.").format(_stage(letter), day_text(letter.key_date))
	]
	if letter.tasks:
		content.tasks_heading = _("These required tasks are open:")
	elif letter.stage.get("prompted_on"):
		content.paragraphs.append(_("Nothing holds it. Its owner was asked and has not answered."))
	content.facts = [(_("Owner"), ", ".join(letter.owners) or _("Nobody"))]
	if letter.stage.get("prompted_on"):
		content.facts.append((_("Asked on"), day_text(schedule.as_day(letter.stage.get("prompted_on")))))
	content.tasks = _open_tasks(letter)
	content.buttons = _answer_buttons(letter)
	return content


def _no_next_date(letter: Letter) -> Content:
	content = Content(_("{0} of {1} has no date yet").format(_stage(letter), letter.document))
	content.paragraphs = [
		_("{0} has been reached. {1} comes next, and it has no key date.").format(
			letter.previous_stage, _stage(letter)
		)
	]
	if letter.may_answer:
		content.paragraphs.append(_("Please give it one, so that everybody knows when it is due."))
		content.buttons = [_answer_button(letter, _("Set the date"), "no", True)]
	return content


def _warning(letter: Letter) -> Content:
	content = Content(_("{0} of {1} is at risk").format(_stage(letter), letter.document))
	content.paragraphs = [
		_("Its key date is {0}, and these required tasks are still open:").format(day_text(letter.key_date))
	]
	content.tasks = _open_tasks(letter)
	return content


_REASONS = {
	"owner": lambda name: _("You get this message because you own this milestone."),
	"notify": lambda name: _("You get this message because this milestone's workflow wants you to be told."),
	"assignee": lambda name: _("You get this message because these tasks are assigned to you."),
	"escalation": lambda name: _("You get this message because you have the role {0}.").format(_(name)),
	"stand-in": lambda name: _("You get this message because this milestone has no owner who can be asked."),
}
_COMPOSERS = {
	MessageKind.PROMPT: _prompt,
	MessageKind.REMINDER: _reminder,
	MessageKind.HELD: _held,
	MessageKind.HELD_OWNER: _held_owner,
	MessageKind.TASK_DUE: _task_due,
	MessageKind.TASK_OVERDUE: _task_overdue,
	MessageKind.ESCALATION: _escalation,
	MessageKind.NO_NEXT_DATE: _no_next_date,
	MessageKind.WARNING: _warning,
}


def _stage(letter: Letter) -> str:
	return _(letter.stage["stage_name"])


def _custom_message(letter: Letter) -> str:
	text = letter.stage.get("custom_message")
	if not text or not text.strip():
		return ""
	doc = frappe.get_doc(letter.plan["reference_type"], letter.plan["reference_name"])
	return custom_messages.render(text, doc, letter.stage)


def _answer_buttons(letter: Letter) -> list[dict]:
	if not letter.may_answer:
		return []
	return [
		_answer_button(letter, _("Yes, it has been reached"), "yes", True),
		_answer_button(letter, _("Not yet"), "no", False),
	]


def _answer_button(letter: Letter, label: str, answer: str, is_main: bool) -> dict:
	about = str(letter.stage.get("key_date") or "")
	token = signed_links.make_token(Purpose.ANSWER, letter.stage["name"], letter.recipient.identity, about)
	url = signed_links.url(ANSWER_PAGE, token, answer=answer)
	return {"label": label, "url": url, "is_main": is_main}


def _open_document(letter: Letter) -> dict:
	url = get_url_to_form(letter.plan["reference_type"], letter.plan["reference_name"])
	return {"label": _("Open {0}").format(letter.document), "url": url, "is_main": not letter.may_answer}


def _own_tasks(letter: Letter) -> list[dict]:
	"""Return the reader's tasks, each with a link to its page."""
	rows = _open_tasks(letter)
	for row, task in zip(rows, letter.tasks, strict=True):
		token = signed_links.make_token(Purpose.TASK, task.name, letter.recipient.identity)
		row.update(url=signed_links.url(TASK_PAGE, token), link_label=_("Open task"), people="")
		row["description"] = task.description or ""
	return rows


def _open_tasks(letter: Letter) -> list[dict]:
	return [
		{
			"title": task.title,
			"due": _("due on {0}").format(day_text(schedule.as_day(task.due_date))) if task.due_date else "",
			"people": ", ".join(task.get("people") or []) or _("nobody assigned"),
			"description": "",
			"url": "",
		}
		for task in letter.tasks
	]


# Sending


def deliver(letter: Letter) -> None:
	"""Queue a letter's mail and notification and keep its row. Whether it went out before was looked at."""
	content = compose(letter)
	recipient = letter.recipient
	values = {"subject": content.subject[:255], "message": log_text(content), "why": content.reason}
	if recipient.wants_notification:
		notify(letter, content)
	if recipient.wants_digest:
		channel, status = MessageChannel.DIGEST, MessageStatus.WAITING_FOR_DIGEST
	else:
		channel, status, values["email_queue"], problem = _mail(letter, content)
		values["why"] = " ".join(filter(None, (values["why"], problem)))
	keep(letter, values | {"channel": channel, "status": status})


def _mail(letter: Letter, content: Content) -> tuple:
	"""Queue the mail. Return (channel, status, name in the Email Queue or None, what kept it back)."""
	recipient = letter.recipient
	queued, problem = None, ""
	if recipient.wants_mail:
		queued, problem = send_mail(recipient, content, "milestone_message", letter.plan)
	elif not recipient.wants_notification:
		with in_language(recipient.language):
			problem = _("Not sent: this person wants no mail or has no address.")
	if queued:
		both = MessageChannel.MAIL_AND_NOTIFICATION
		return both if recipient.wants_notification else MessageChannel.MAIL, MessageStatus.QUEUED, queued, ""
	if recipient.wants_notification:
		return MessageChannel.NOTIFICATION, MessageStatus.SENT, None, problem
	return None, MessageStatus.LEFT_OUT, None, problem


def send_mail(recipient: Recipient, content, template: str, plan=None) -> tuple[str | None, str]:
	"""Queue one mail in the recipient's language.

	Args:
		content: what the template shows, as `content`.
		template: name under templates/emails, as HTML and text.
		plan: row of the plan, for what is about one.

	Returns: (name in the Email Queue, "") or (None, whole sentence that says what kept it back).
	"""
	message_id = f"{frappe.generate_hash(length=32)}@{frappe.local.site}"
	with in_language(recipient.language):
		if plan and (plan["reference_type"], plan["reference_name"]) in recipient.unsubscribed_from:
			return None, unsubscribed(recipient)
		try:
			frappe.sendmail(
				recipients=[recipient.email],
				subject=content.subject,
				template=template,
				args={"content": content, "name": recipient.full_name},
				reference_doctype=plan and plan["reference_type"],
				reference_name=plan and plan["reference_name"],
				add_unsubscribe_link=0,
				message_id=message_id,
				is_notification=True,
			)
		except frappe.OutgoingEmailError:
			frappe.clear_last_message()
			return None, _("No mail: this site has no outgoing e-mail account.")
		# Early versions of Frappe 15 do not return what they queued.
		queued = frappe.db.get_value("Email Queue", {"message_id": message_id})
		if not queued:
			return None, unsubscribed(recipient)
		return str(queued), ""


def unsubscribed(recipient: Recipient) -> str:
	"""Return the sentence for who wants no mail about a document."""
	return _("No mail: {0} has unsubscribed or is no valid address.").format(recipient.email)


def notify(letter: Letter, content: Content) -> None:
	"""Put a letter into the recipient's notifications on the desk, and on the screen if they are there now."""
	task = letter.tasks[0].name if letter.kind in TASK_MESSAGES else None
	log = frappe.new_doc("Notification Log")
	log.update(
		{
			"type": "Alert",
			"for_user": letter.recipient.user,
			"from_user": "Administrator",
			"subject": escape_html(content.subject),
			"email_content": log_text(content),
			"document_type": "Milestone Task" if task else letter.plan["reference_type"],
			"document_name": task or letter.plan["reference_name"],
		}
	)
	with _events_held_back(log):
		log.insert(ignore_permissions=True)  # the sweep writes into everybody's notifications
		frappe.publish_realtime(
			"msgprint",
			{"message": escape_html(content.subject), "alert": 1, "indicator": "blue"},
			user=letter.recipient.user,
			after_commit=True,
		)


@contextmanager
def _events_held_back(log) -> Iterator[None]:
	"""Inside, what is published after commit is held back until it is certain that a Notification Log is kept.

	Frappe forgets such events with a transaction that is undone, but not with a savepoint, as of a plan at fault.
	"""
	# Frappe makes the list with the first event and removes it with the last.
	before, own = len(getattr(frappe.local, "_realtime_log", [])), []
	try:
		yield
	finally:
		published = getattr(frappe.local, "_realtime_log", [])
		own[:], published[before:] = published[before:], []
	held_back = getattr(frappe.local, HELD_BACK, None)
	if held_back is None:
		held_back = []
		setattr(frappe.local, HELD_BACK, held_back)
		frappe.db.before_commit.add(publish_kept)
		frappe.db.after_rollback.add(_forget_events)
	held_back.append((log.name, own))


def publish_kept() -> None:
	"""Publish the events of the notifications that are there; runs right before the commit."""
	held_back = getattr(frappe.local, HELD_BACK, None) or []
	_forget_events()
	names = [name for name, _events in held_back]
	kept = frappe.get_all("Notification Log", {"name": ("in", names)}, pluck="name") if names else []
	# Numbers or texts, as the database likes it.
	kept = {str(name) for name in kept}
	for name, events in held_back:
		for event, message, room in events if str(name) in kept else []:
			frappe.publish_realtime(event, message, room=room, after_commit=True)


def _forget_events() -> None:
	if hasattr(frappe.local, HELD_BACK):
		delattr(frappe.local, HELD_BACK)


def keep(letter: Letter, values: dict) -> None:
	"""Write a letter's rows in Milestone Message, one for each key.

	Raises: the database's error for a second row with the same key.
	"""
	common = {
		"plan": letter.plan["name"],
		"plan_stage": letter.stage["name"],
		"stage_name": letter.stage["stage_name"],
		"reference_type": letter.plan["reference_type"],
		"reference_name": letter.plan["reference_name"],
		"kind": letter.kind.value,
		"recipient": letter.recipient.identity,
		"for_date": letter.day,
		"sent_on": None if values["status"] == MessageStatus.WAITING_FOR_DIGEST else now_datetime(),
		**{name: str(value) if value is not None else None for name, value in values.items()},
	}
	bulk.insert_rows(
		"Milestone Message", [{**common, "task": task, "message_key": key} for key, task in letter.keys]
	)


def log_text(content: Content) -> str:
	"""Return what a message says as HTML, without its links: they are for its reader alone."""
	parts = [content.custom_html] if content.custom_html else []
	parts += [escape_html(paragraph) for paragraph in content.paragraphs]
	parts += [f"{escape_html(label)}: {escape_html(str(value))}" for label, value in content.facts]
	parts += [escape_html(content.tasks_heading)] if content.tasks_heading else []
	for task in content.tasks:
		parts.append(escape_html(", ".join(filter(None, (task["title"], task["due"], task["people"])))))
	return "".join(f"<p>{part}</p>" for part in parts)


def stored_key(key: str) -> str:
	"""Return a message's key as it is stored: a long one cut and told apart by a hash."""
	if len(key) <= KEY_LENGTH:
		return key
	import hashlib

	return f"{key[: KEY_LENGTH - 41]}|{hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest()}"


def occurrence_of(key: str) -> int:
	"""Return which reminder a stored key is of; 0 for none."""
	return cint(key.split("|")[3])


def note_sent() -> None:
	"""Note of the messages whose mail waits how Frappe got on with it, the oldest first. A few statements."""
	filters = {"status": MessageStatus.QUEUED.value, "email_queue": ("is", "set")}
	waiting = frappe.get_all(
		"Milestone Message",
		filters=filters,
		fields=["name", "email_queue"],
		order_by="creation",
		limit=NOTED_AT_ONCE,
	)
	names = [row.email_queue for row in waiting]
	mails = frappe.get_all("Email Queue", {"name": ("in", names)}, ["name", "status"], as_list=True)
	# Names in the Email Queue are numbers, ours are kept as text.
	state = {str(name): status for name, status in mails}
	# Frappe keeps a mail for weeks after it was sent: one that is gone was deleted before.
	ends = {row.name: MAIL_ENDS.get(state.get(row.email_queue, "Deleted")) for row in waiting}
	bulk.update_rows("Milestone Message", {name: {"status": end.value} for name, end in ends.items() if end})


# One mail a day


@frappe.whitelist(methods=["GET", "POST"])
def wants_digest() -> bool:
	"""Tell whether the session user has chosen one mail a day."""
	return bool(cint(frappe.defaults.get_user_default(DIGEST_DEFAULT)))


@frappe.whitelist(methods=["POST"])
def set_digest(on: bool) -> bool:
	"""Choose one mail a day instead of single ones, or go back; for the session user.

	Args:
		on: whether to get the digest.

	Returns:
		bool: what holds now.
	"""
	if frappe.session.user == "Guest":
		raise frappe.PermissionError
	frappe.defaults.set_user_default(DIGEST_DEFAULT, str(cint(on)))
	return wants_digest()
