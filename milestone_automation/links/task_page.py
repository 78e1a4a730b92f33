"""The page behind the signed link of a task: completing it and commenting on it."""

from datetime import timedelta

import frappe
from frappe import _
from frappe.utils import cstr, getdate, nowdate

from milestone_automation.engine.base import clock, languages
from milestone_automation.engine.people import assigned, colleagues, rights, signed_links
from milestone_automation.engine.people.signed_links import Link, LinkInvalid, Purpose
from milestone_automation.engine.progress import handing_over, proposals, tasks
from milestone_automation.engine.rules import dates
from milestone_automation.engine.rules.vocabulary import PlanEvent, TaskStatus
from milestone_automation.links import limits, link_page, notes

TASK = "Milestone Task"


def task_page(form: dict, is_post: bool) -> dict:
	"""Return what the page shows, after acting on a POST. Of the document it shows DocType and name, and to
	people from outside the fields that the workflow shows them.

	Args:
		form: `token` and, for a POST, `action` ("complete", "comment", "propose" or "hand_over"), `comment`, `new_date`
			and `colleague`, the key of one.
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
	if page["state"] == "refused":
		return notes.not_taken(page, form, is_post)
	if is_post and page["state"] == "ask":
		page = link_page.act(page, link, lambda: _act_on_task(form, link, task))
		if page["state"] == "done" and form.get("action") == limits.HAND_OVER_ACTION:
			return link_page.refused(page["title"], page["text"])  # it is somebody else's now
	elif is_post and (form.get("action") == notes.COMMENT_ACTION or notes.is_sent(form)):
		# Somebody else was faster, or the plan went on: what they have sent is kept all the same.
		page = link_page.act_on_closed(page, link, lambda: _comment_on(form, link, task))
	return page | _about_task(link)


def _task_obstacle(link: Link, task) -> dict | None:
	person = _assignee(link, task)
	if not person:
		event = PlanEvent.TASK_HANDED_OVER
		handed_over = link_page.handed_over(event, link, task.plan, task=task.name)
		return link_page.refused(
			_("This task is no longer assigned to you"),
			handed_over or _("If you have questions, please ask {0}.").format(_asker(task)),
		)
	nothing_to_do = _nothing_to_do(task, person)
	if not link.is_expired:
		return nothing_to_do
	if nothing_to_do:
		# The link has expired, so the page no longer shows the task.
		return nothing_to_do | {"state": "refused"}
	return link_page.expired(link, _("Please ask {0} for a new one.").format(_asker(task)))


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
	names = colleagues.identities(link.recipient)
	for row in task.assignees:
		if colleagues.is_called(row, names):
			return None if row.user and not link_page.is_enabled(row.user) else row
	return None


def _act_on_task(form: dict, link: Link, task) -> str:
	"""Act on the form and return the sentence about what was done."""
	action = form.get("action")
	if action == limits.HAND_OVER_ACTION:
		name = handing_over.hand_task(task.name, cstr(form.get("colleague")), link.recipient)
		return _("The task {0} is handed over to {1}, who gets a mail.").format(task.title, name)
	comment = notes.text_of(form)
	if action == "propose":
		done = _propose(form, link, task, comment)
		comment = ""  # it is the reason
	elif action == "complete":
		tasks.complete(task.name, by=link.recipient)
		done = _("The task {0} is marked as done.").format(task.title)
	else:
		return _comment_on(form, link, task)
	notes.keep(TASK, task.name, _sender(link, task), comment)
	return done


def _comment_on(form: dict, link: Link, task) -> str:
	done = notes.sentence(form)
	notes.keep(TASK, task.name, _sender(link, task), notes.text_of(form))
	return done


def _sender(link: Link, task) -> tuple[str, str]:
	person = _assignee(link, task)
	return person.email or person.user, assigned.display_name(person)


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


def _about_task(link: Link) -> dict:
	task = frappe.get_doc("Milestone Task", link.name)
	fields = ["name", "reference_type", "reference_name", "supplier_field", "shown_fields", "shown_fields_by"]
	plan = frappe.db.get_value("Milestone Plan", task.plan, fields, as_dict=True)
	return {
		"task_title": task.title,
		"description": task.description,
		"due": languages.day_text(task.due_date and getdate(task.due_date)),
		"is_overdue": bool(task.due_date and getdate(task.due_date) < getdate(nowdate())),
		"is_open": task.status == TaskStatus.OPEN,
		"document": link_page.document(task),
		"shown": link_page.shown(plan, link.recipient) if plan else [],
		"tomorrow": (clock.today_of_user(link.recipient) + timedelta(days=1)).isoformat(),
		"asked_by": link_page.requester(rights.stage_of_task(task), task).sentence,
		"colleagues": handing_over.offered(plan, link.recipient, task.assignees) if plan else [],
		**notes.for_page(),
	}


def _asker(task) -> str:
	"""Return whom to ask about a task: who asks for it, else a Milestone Manager."""
	return link_page.requester(rights.stage_of_task(task), task).person or _("a Milestone Manager")
