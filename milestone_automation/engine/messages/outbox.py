"""One message to one person, exactly once: its row, its mail and its notification."""

import hashlib

import frappe
from frappe import _
from frappe.utils import cint, escape_html, now_datetime

from milestone_automation.engine.base import bulk, languages
from milestone_automation.engine.messages import held_back_events, letters
from milestone_automation.engine.people.directory import Recipient
from milestone_automation.engine.rules.vocabulary import MessageChannel, MessageStatus

KEY_LENGTH = 140
NOTED_AT_ONCE = 5000  # messages looked at by one `note_sent`
# What became of a message, by the last states a mail can have in Frappe's Email Queue.
MAIL_ENDS = {
	"Sent": MessageStatus.SENT,
	"Error": MessageStatus.FAILED,
	"Expired": MessageStatus.FAILED,
	"Deleted": MessageStatus.FAILED,
}


def deliver(letter: letters.Letter) -> None:
	"""Queue a letter's mail and notification and keep its row. Whether it went out before was looked at."""
	content = letters.compose(letter)
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


def _mail(letter: letters.Letter, content: letters.Content) -> tuple:
	"""Queue the mail. Return (channel, status, name in the Email Queue or None, what kept it back)."""
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
		content: what the template shows, as `content`.
		template: name under templates/emails, as HTML and text.
		plan: row of the plan, for what is about one.

	Returns: (name in the Email Queue, "") or (None, whole sentence that says what kept it back).
	"""
	message_id = f"{frappe.generate_hash(length=32)}@{frappe.local.site}"
	with languages.in_language(recipient.language):
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


def notify(letter: letters.Letter, content: letters.Content) -> None:
	"""Put a letter into the recipient's notifications on the desk, and on the screen if they are there now."""
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
	with held_back_events.events_held_back(log):
		log.insert(ignore_permissions=True)  # the sweep writes into everybody's notifications
		frappe.publish_realtime(
			"msgprint",
			{"message": escape_html(content.subject), "alert": 1, "indicator": "blue"},
			user=letter.recipient.user,
			after_commit=True,
		)


def keep(letter: letters.Letter, values: dict) -> None:
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


def log_text(content: letters.Content) -> str:
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
