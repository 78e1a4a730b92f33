"""Sending one message to one person exactly once: its row, its mail and its desk notification."""

import hashlib
from dataclasses import dataclass

import frappe
from frappe import _
from frappe.model.document import Document
from frappe.utils import escape_html, get_url, now_datetime

from milestone_automation.engine.base import bulk, compat, guard, languages
from milestone_automation.engine.messages import channels, letters
from milestone_automation.engine.people import signed_links
from milestone_automation.engine.people.directory import Recipient
from milestone_automation.engine.people.signed_links import Purpose
from milestone_automation.engine.rules.vocabulary import MessageChannel, MessageStatus

KEY_LENGTH = 140
UPDATED_AT_ONCE = 5000  # messages that one `update_sent` checks
# Final status of a message by the final status of its mail in Frappe's Email Queue.
FINAL_STATUS = {
	"Sent": MessageStatus.SENT,
	"Error": MessageStatus.FAILED,
	"Expired": MessageStatus.FAILED,
	"Deleted": MessageStatus.FAILED,
}


@dataclass
class DeskNotification:
	"""A desk notification that is shown once the messages of its plan are stored.

	Attributes:
		log: Notification Log document, not inserted yet.
		keys: keys of the messages it shows.
	"""

	log: Document
	keys: list[str]


def deliver(letter: letters.Letter) -> DeskNotification | None:
	"""Queue the mail of a letter and store its messages. The caller has checked that they were not sent before.

	Args:
		letter: with the keys of its messages; a mail is queued now only if the recipient wants each as it comes.

	Returns:
		DeskNotification: for `show`, once the caller's savepoint is released; None if the recipient wants none.

	Raises:
		Exception: the database's error for a message that exists already.
	"""
	content = letters.compose(letter)
	recipient = letter.recipient
	values = {"subject": content.subject[:255], "message": log_text(content), "why": content.reason}
	if recipient.wants_digest:
		channel, status = MessageChannel.DIGEST, MessageStatus.WAITING_FOR_DIGEST
	else:
		channel, status, values["email_queue"], problem = _mail(letter, content)
		values["why"] = letters.joined(values["why"], problem)
	keep(letter, values | {"channel": channel, "status": status})
	return _notification(letter, content) if recipient.wants_notification else None


def _mail(letter: letters.Letter, content: letters.Content) -> tuple:
	"""Queue the mail; return channel, status, name in the Email Queue or None, and the sentence why it was not sent."""
	recipient = letter.recipient
	queued, problem = None, ""
	if recipient.wants_mail:
		queued, problem = send_mail(recipient, content, "milestone_message", letter.plan)
	elif not recipient.wants_notification:
		with languages.in_language(recipient.language):
			problem = _("Not sent: this person wants no mail or has no address.")
	if queued:
		both = MessageChannel.MAIL_AND_NOTIFICATION
		return both if recipient.wants_notification else MessageChannel.MAIL, MessageStatus.QUEUED, queued, ""
	if recipient.wants_notification:
		return MessageChannel.NOTIFICATION, MessageStatus.SENT, None, problem
	return None, MessageStatus.SKIPPED, None, problem


def send_mail(recipient: Recipient, content, template: str, plan=None) -> tuple[str | None, str]:
	"""Queue one mail in the recipient's language.

	Args:
		recipient: who gets it.
		content: what the template shows, as `content`.
		template: name of the HTML and text templates under templates/emails.
		plan: row of the plan, for a mail about one plan.

	Returns:
		tuple: name in the Email Queue and an empty text; or None and a sentence that says why there is no mail.
	"""
	message_id = f"{frappe.generate_hash(length=32)}@{frappe.local.site}"
	with languages.in_language(recipient.language):
		if plan and (plan["reference_type"], plan["reference_name"]) in recipient.unsubscribed_from:
			return None, unsubscribed(recipient)
		args = {
			"content": content,
			"name": recipient.full_name,
			"settings": _settings_link(recipient, content),
			"direction": languages.direction(),
		}
		try:
			frappe.sendmail(
				recipients=[recipient.email],
				subject=content.subject,
				template=template,
				args=args,
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
		channels.offer(recipient, content, template, args, plan)
		return str(queued), ""


def _settings_link(recipient: Recipient, content) -> dict | None:
	"""Return label and address of the page that lists all for somebody, where they choose how often mails come."""
	if not recipient.is_desk_user:
		if not content.is_own:
			return None
		token = signed_links.make_token(Purpose.PERSON, "", recipient.identity)
		return {
			"label": _("See everything that is open for you"),
			"url": signed_links.url(letters.PORTAL_PAGE, token),
		}
	url = get_url(compat.desk_route("my-milestones"))
	return {"label": _("Choose how often you get mails"), "url": url}


def unsubscribed(recipient: Recipient) -> str:
	"""Return the sentence for a recipient who wants no mail.

	Args:
		recipient: with an address.

	Returns:
		str: in the language of the moment; the caller sets the recipient's.
	"""
	return _("No mail: {0} has unsubscribed or is not a valid address.").format(recipient.email)


def _notification(letter: letters.Letter, content: letters.Content) -> DeskNotification:
	task = letter.tasks[0].name if letter.kind in letters.TASK_MESSAGES else None
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
	return DeskNotification(log, [key for key, _task in letter.keys])


def show(notification: DeskNotification) -> None:
	"""Store a desk notification and show it to a user who is online. On an error its message counts as failed.

	Called outside the savepoint of the plan: Frappe does not drop realtime events when a savepoint is rolled back.

	Args:
		notification: as `deliver` returned it.
	"""
	log = notification.log
	if guard.run_guarded(f"Milestone notification of {log.for_user}", _insert_notification, log):
		return
	message = frappe.qb.DocType("Milestone Message")
	is_shown_only = message.channel == MessageChannel.NOTIFICATION.value
	query = frappe.qb.update(message).set(message.status, MessageStatus.FAILED.value)
	query.where(message.message_key.isin(notification.keys) & is_shown_only).run()


def _insert_notification(log: Document) -> bool:
	log.insert(ignore_permissions=True)  # the sweep writes notifications for every user
	frappe.publish_realtime(
		"msgprint",
		{"message": log.subject, "alert": 1, "indicator": "blue"},
		user=log.for_user,
		after_commit=True,
	)
	return True


def keep(letter: letters.Letter, values: dict) -> None:
	"""Store a letter in Milestone Message, one row for each key.

	Args:
		letter: the letter.
		values: field values of the rows: channel, status, subject and others.

	Raises:
		Exception: the database's error for a second row with the same key.
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


def log_text(content: letters.Content) -> str:
	"""Return the text of a message as HTML, without its links, which are for the recipient only.

	Args:
		content: the texts as they are sent.

	Returns:
		str: safe HTML: everything is escaped but the custom message, which is safe already.
	"""
	parts = [content.custom_html] if content.custom_html else []
	parts += [escape_html(paragraph) for paragraph in content.paragraphs]
	parts += [f"{escape_html(label)}: {escape_html(str(value))}" for label, value in content.facts]
	parts += [escape_html(text) for text in (content.criteria_heading, *content.criteria) if text]
	parts += [escape_html(content.tasks_heading)] if content.tasks_heading else []
	for task in content.tasks:
		task_texts = [text for text in (task["title"], task["due"], task["people"]) if text]
		parts.append(escape_html(", ".join(task_texts)))
	return "".join(f"<p>{part}</p>" for part in parts)


def stored_key(key: str) -> str:
	"""Return the key of a message as it is stored; a long key is cut and ends with a hash.

	Args:
		key: `MessagePlan.key`, or any other text that is unique.

	Returns:
		str: at most `KEY_LENGTH` characters.
	"""
	if len(key) <= KEY_LENGTH:
		return key
	return f"{key[: KEY_LENGTH - 41]}|{hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest()}"


def update_sent() -> None:
	"""Update the status of queued messages from Frappe's Email Queue, oldest first, with a few statements."""
	filters = {"status": MessageStatus.QUEUED.value, "email_queue": ("is", "set")}
	queued = frappe.get_all(
		"Milestone Message",
		filters=filters,
		fields=["name", "email_queue"],
		order_by="creation",
		limit=UPDATED_AT_ONCE,
	)
	names = [row.email_queue for row in queued]
	mails = frappe.get_all("Email Queue", {"name": ("in", names)}, ["name", "status"], as_list=True)
	# The Email Queue has numbers as names; messages store them as text.
	mail_status = {str(name): status for name, status in mails}
	# Frappe keeps sent mails for weeks, so a missing mail was deleted before it was sent.
	final = {row.name: FINAL_STATUS.get(mail_status.get(row.email_queue, "Deleted")) for row in queued}
	changes = {name: {"status": status.value} for name, status in final.items() if status}
	for values in changes.values():
		if values["status"] == MessageStatus.FAILED:
			values["mail_key"] = None  # it was no mail of its day, so another one may go
	bulk.update_rows("Milestone Message", changes)
