"""The page behind the signed link of a task: completing it and commenting on it."""

from datetime import timedelta

import frappe
from frappe import _
from frappe.utils import (
	cstr,
	escape_html,
	getdate,
	nowdate,
)

from milestone_automation.engine.base import clock, languages
from milestone_automation.engine.people import assigned, signed_links
from milestone_automation.engine.people.signed_links import Link, LinkInvalid, Purpose
from milestone_automation.engine.progress import proposals, tasks
from milestone_automation.engine.rules import dates
from milestone_automation.engine.rules.vocabulary import TaskStatus
from milestone_automation.links import link_page, uploads

COMMENT_LENGTH = 4000


def task_page(form: dict, is_post: bool) -> dict:
	"""Return what the page shows, after acting on a POST. Of the document it shows DocType and name, and to
	people from outside the fields that the workflow shows them.

	Args:
		form: `token` and, for a POST, `action` ("complete", "comment" or "propose"), `comment` and `new_date`.
		is_post: whether the form was sent.
	"""
	try:
		link = signed_links.read_token(form.get("token"), Purpose.TASK)
	except LinkInvalid:
		return link_page.invalid()
	frappe.local.lang = link_page.language_of(link.recipient)
	if not frappe.db.exists("Milestone Task", link.name):
		return link_page.closed(_("This task no longer exists."))
	task = frappe.get_doc("Milestone Task", link.name)
	page = _task_obstacle(link, task) or {"state": "ask"}
	only_comments = form.get("action") == "comment"
	if is_post and (page["state"] == "ask" or (page["state"] == "closed" and only_comments)):
		page = link_page.act(page, link, lambda: _act_on_task(form, link, task))
	return page if page["state"] == "refused" else page | _about_task(link)


def _task_obstacle(link: Link, task) -> dict | None:
	person = _assignee(link, task)
	asker = _asker(task)
	if not person:
		return link_page.refused(
			_("This task is no longer assigned to you"),
			_("If you have questions, please ask {0}.").format(asker),
		)
	nothing_to_do = _nothing_to_do(task, person)
	if not link.is_expired:
		return nothing_to_do
	if nothing_to_do:
		# The link has expired, so the page does not show the task any more.
		return nothing_to_do | {"state": "refused"}
	return link_page.expired(link, _("Please ask {0} for a new one.").format(asker))


def _nothing_to_do(task, person) -> dict | None:
	if task.status == TaskStatus.COMPLETED:
		return link_page.closed(_("This task is done. Thank you."))
	if task.status != TaskStatus.OPEN:
		return link_page.closed(_("This task is no longer needed."))
	if not tasks.can_start(task):
		return link_page.closed(_("This task cannot start yet: another task comes first."))
	if person.done:
		return link_page.closed(_("You have completed your part. Others still have to complete theirs."))
	return None


def _assignee(link: Link, task):
	recipient = link.recipient.lower()
	for row in task.assignees:
		if recipient in ((row.user or "").lower(), (row.email or "").lower()):
			return None if row.user and not link_page.is_enabled(row.user) else row
	return None


def _act_on_task(form: dict, link: Link, task) -> str:
	"""Act on the form and return the sentence about what was done."""
	action, sent = form.get("action"), uploads.sent_file()
	comment = cstr(form.get("comment")).strip()[:COMMENT_LENGTH]
	if action == "propose":
		done = _propose(form, link, task, comment)
		comment = ""  # it is the reason
	elif action == "complete":
		tasks.complete(task.name, by=link.recipient)
		done = _("The task {0} is marked as done.").format(task.title)
	elif comment or sent:
		done = _("Your file was sent.") if sent else _("Your comment was sent.")
	else:
		frappe.throw(_("Please write a comment or choose a file first."))
	# Last: Frappe takes no file back from the disk when only a savepoint is undone.
	if sent:
		attached = _("Attached: {0}").format(uploads.attach(task.name, sent))
		comment = f"{comment}\n{attached}".strip()
	if comment:
		_comment(link, task, comment)
	return done


def _propose(form: dict, link: Link, task, comment: str) -> str:
	"""Propose to move the milestone of a task as far as its assignee needs."""
	if not comment:
		frappe.throw(_("Please say why in the comment."))
	day = clock.parse_day(form.get("new_date")) if form.get("new_date") else None
	if not day:
		frappe.throw(_("Please choose a date."))
	stage = frappe.db.get_value("Milestone Plan Stage", task.plan_stage, ["name", "key_date"], as_dict=True)
	key_date = day
	if stage.key_date and task.due_date:
		key_date = dates.moved_along(getdate(stage.key_date), getdate(task.due_date), day)
	proposals.propose(task.plan, stage.name, key_date, comment, by=link.recipient)
	return _("Your date {0} was proposed. You will be told what is decided.").format(languages.day_text(day))


def _comment(link: Link, task, text: str) -> None:
	person = _assignee(link, task)
	values = {
		"doctype": "Comment",
		"comment_type": "Comment",
		"reference_doctype": "Milestone Task",
		"reference_name": task.name,
		"comment_email": person.email or person.user,
		"comment_by": assigned.display_name(person),
		"content": escape_html(text).replace("\n", "<br>"),
	}
	frappe.get_doc(values).insert(ignore_permissions=True)  # the signed link is the right to comment


def _about_task(link: Link) -> dict:
	task = frappe.get_doc("Milestone Task", link.name)
	plan = frappe.db.get_value(
		"Milestone Plan", task.plan, ["reference_type", "reference_name", "shown_fields"], as_dict=True
	)
	return {
		"task_title": task.title,
		"description": task.description,
		"due": languages.day_text(task.due_date and getdate(task.due_date)),
		"is_overdue": bool(task.due_date and getdate(task.due_date) < getdate(nowdate())),
		"is_open": task.status == TaskStatus.OPEN,
		"document": link_page.document(task),
		"shown": link_page.shown(plan, link.recipient) if plan else [],
		"tomorrow": (clock.today_of_user(link.recipient) + timedelta(days=1)).isoformat(),
		"asker": _asker(task),
		"file_types": ",".join(f".{ending}" for ending in uploads.allowed_types()),
		"megabytes": uploads.most_megabytes(),
	}


def _asker(task) -> str:
	row = frappe.db.get_value(
		"Milestone Plan Stage", task.plan_stage, ["stage_owner", "owner_role"], as_dict=True
	)
	return link_page.owner_name(row) if row else _("a Milestone Manager")
