"""Other ways for messages to reach people than mail: functions of the site's apps, such as Slack, SMS or WhatsApp.

A mail that is sent leaves a follow-up in its own transaction, so what is undone is not told, and a job tells what was
lost.
"""

from collections.abc import Callable

import frappe

from milestone_automation.engine.base import follow_ups, guard
from milestone_automation.engine.people.directory import Recipient

# Dotted functions in the hooks of apps; each is called with the dict that `offer` describes.
HOOK = "milestone_message_channels"
WORK = "tell message channels"


def offer(recipient: Recipient, content, template: str, args: dict, plan=None) -> None:
	"""Have every channel called after the running transaction is committed. Does nothing where there is none.

	A channel gets one dict of plain values: `id` (text, another for each mail), `recipient` (address), `user` (id, None
	without an account), `full_name`, `language`, `subject`, `text`, `urls` (dicts with `label` and `url`), and
	`document` (dict with `doctype` and `name`, None for a mail about several messages).

	Args:
		recipient: who gets the mail.
		content: a `Content`, or anything with its `subject`, `tasks` and `buttons`, or with `items` that have the latter.
		template: name of the template under templates/emails.
		args: values of the template.
		plan: row of the plan, for a mail about one.
	"""
	if not frappe.get_hooks(HOOK):
		return
	mail = {
		"id": frappe.generate_hash(length=20),
		"recipient": recipient.email,
		"user": recipient.user,
		"full_name": recipient.full_name,
		"language": recipient.language,
		"subject": content.subject,
		"text": frappe.get_template(f"templates/emails/{template}.txt").render(args).strip(),
		"urls": _urls(content),
		"document": plan and {"doctype": plan["reference_type"], "name": plan["reference_name"]},
	}
	follow_ups.add(WORK, mail=mail)


def _urls(content) -> list[dict]:
	"""Return what of a mail can be clicked: tasks by their titles, answers by their labels."""
	urls = []
	for item in getattr(content, "items", None) or [vars(content)]:
		urls += [{"label": task["title"], "url": task["url"]} for task in item["tasks"] if task["url"]]
		urls += [{"label": button["label"], "url": button["url"]} for button in item["buttons"]]
	return urls


def tell(mail: dict, commit: Callable[[], None] | None = None) -> None:
	"""Call every channel; a fault of one is logged and stops no other.

	Args:
		mail: the dict of `offer`; each channel gets a copy.
		commit: called after each channel; None leaves the transaction to the caller.
	"""
	for path in frappe.get_hooks(HOOK):
		guard.run_alone(f"Milestone message channel {path}", commit, _call, path, mail)


def _call(path: str, mail: dict) -> None:
	frappe.get_attr(path)(frappe.parse_json(frappe.as_json(mail)))
