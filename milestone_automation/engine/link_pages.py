"""The two pages behind the links in mails: answer for a stage, and one task.

A page verifies the link first. A GET only shows; a POST acts, in the name of the link's recipient. Each function returns
what its template shows, with `state`: "ask", "done" (just now), "closed" (nothing to do any more), "refused".
"""

from datetime import timedelta

import frappe
from frappe import _
from frappe.utils import (
	cint,
	cstr,
	escape_html,
	get_fullname,
	get_url_to_form,
	getdate,
	nowdate,
	sanitize_html,
)

from milestone_automation import permissions
from milestone_automation.engine import answers, guard, messages, plans, signed_links, stages, tasks
from milestone_automation.engine.signed_links import Link, LinkInvalid, Purpose
from milestone_automation.engine.values import A_TAG
from milestone_automation.engine.vocabulary import OwnerKind, PlanStatus, ShiftMode, StageStatus, TaskStatus

COMMENT_LENGTH = 4000


def answer_page(form: dict, is_post: bool) -> dict:
	"""Return what the answer page shows, after acting on a POST.

	Args:
		form: `token`, `answer` ("yes" or "no") and, with a POST, the fields of the form.
		is_post: whether to act.
	"""
	try:
		link = signed_links.read_token(form.get("token"), Purpose.ANSWER)
	except LinkInvalid:
		return _invalid()
	frappe.local.lang = _language_of(link.recipient)
	parent = frappe.db.get_value("Milestone Plan Stage", link.name, "parent")
	if not parent:
		return _closed(_("This milestone is not there any more."))
	plan = plans.load_by_name(parent)
	row = plan.stage(link.name)
	page = _obstacle(link, plan, row) or _ask(form, link, plan, row, is_post)
	if is_post and page["state"] == "ask":
		page = _act(page, link, lambda: _answer(form, plan, row))
	return page | _about(plan, row)


def _invalid() -> dict:
	return _refused(
		_("This link does not work"),
		_("It may have been cut in two by your mail program. Please copy the whole link from the mail."),
	)


def _refused(title: str, text: str) -> dict:
	return {"state": "refused", "title": title, "text": text}


def _closed(text: str) -> dict:
	return {"state": "closed", "title": _("Nothing to do"), "text": text}


def _obstacle(link: Link, plan, row) -> dict | None:
	"""Return the page that says why there is nothing to answer; None if there is."""
	if plan.status == PlanStatus.CANCELLED:
		return _closed(_("The plan of this document was cancelled. You need not do anything."))
	if row.status == StageStatus.REACHED:
		return _closed(
			_("{0} was reached on {1}. Thank you, you need not do anything.").format(
				_(row.stage_name), messages.day_text(getdate(row.reached_on))
			)
		)
	if cstr(row.key_date or "") != link.about:
		return _closed(
			_("This has been answered: {0} is expected on {1} now. You will be asked again then.").format(
				_(row.stage_name), messages.day_text(row.key_date and getdate(row.key_date)) or _("no date")
			)
		)
	if not _is_enabled(link.recipient) or not answers.may_answer(plan, row, link.recipient):
		return _not_theirs(link, plan, row)
	if link.is_expired:
		return _expired(
			link, _("Please answer in {0} itself, or ask {1}.").format(_document(plan), _owner_name(row))
		)
	return None


def _not_theirs(link: Link, plan, row) -> dict:
	if _is_asked(row, link.recipient) and _is_enabled(link.recipient):
		# Then it is the document they may not see.
		return _refused(
			_("You may not read this document"),
			_(
				"You have no right to read {0}, so you cannot answer for {1}."
				" Please ask a System Manager for that right, or a Milestone Manager to answer for you."
			).format(_document(plan), _(row.stage_name)),
		)
	return _refused(
		_("This is not yours to answer any more"),
		_("{0} belongs to {1} now.").format(_(row.stage_name), _owner_name(row)),
	)


def _is_asked(row, user: str) -> bool:
	if row.owner_kind == OwnerKind.ROLE:
		owns = row.owner_role in frappe.get_roles(user)
	else:
		owns = row.stage_owner == user
	return owns or permissions.can_manage(user)


def _expired(link: Link, whom_to_ask: str) -> dict:
	until = _("This link was valid until {0}.").format(messages.day_text(link.valid_until))
	return _refused(_("This link has expired"), f"{until} {whom_to_ask}")


def _ask(form: dict, link: Link, plan, row, is_post: bool) -> dict:
	"""Return the form, filled in as it was sent; of a link's address only the answer comes into it."""
	sent = form if is_post else {}
	today = stages.own_today(link.recipient)
	return {
		"state": "ask",
		"answer": "no" if form.get("answer") == "no" or not row.key_date else "yes",
		"today": today.isoformat(),
		"tomorrow": (today + timedelta(days=1)).isoformat(),
		"reasons": answers.reasons(),
		"asks_for_later": plan.later_stages == ShiftMode.ASK and row.idx < len(plan.stages),
		"has_date": bool(row.key_date),
		"values": {name: cstr(sent.get(name)) for name in ("reached_on", "new_date", "reason", "note")},
	}


def _answer(form: dict, plan, row) -> str:
	"""Act on the form. Return the sentence that says what was done."""
	if form.get("answer") == "no":
		later = form.get("later_stages")
		answers.answer_not_yet(
			plan.name, row.name, form.get("new_date"), form.get("reason"), form.get("note"), later
		)
		return _("{0} is expected on {1} now. You will be asked again then.").format(
			_(row.stage_name), messages.day_text(getdate(form.get("new_date")))
		)
	answers.answer_reached(plan.name, row.name, form.get("reached_on") or None)
	return _("{0} is marked as reached on {1}.").format(
		_(row.stage_name), messages.day_text(getdate(form.get("reached_on") or stages.own_today()))
	)


def _act(page: dict, link: Link, action) -> dict:
	"""Do what the form says in the name of the link's recipient; a refusal comes back with the form."""
	save_point = f"milestone_{frappe.generate_hash(length=10)}"
	frappe.db.savepoint(save_point)
	user = link.recipient if _is_enabled(link.recipient) else "Guest"
	try:
		with answers.acting_as(user), guard.conflicts_told():
			done = action()
	except guard.ConflictError as error:
		# After a conflict the database has undone the transaction, or can only fail in it again.
		frappe.db.rollback()
		return page | _refusal(error)
	except (frappe.ValidationError, frappe.PermissionError) as error:
		frappe.db.rollback(save_point=save_point)
		return page | _refusal(error)
	return {"state": "done", "title": _("Thank you"), "text": done}


def _refusal(error: Exception) -> dict:
	frappe.local.message_log = []
	# Frappe leaves JSON alone, and a text in quotes is JSON. With a tag before it, it is not.
	text = sanitize_html(A_TAG + cstr(error)).removeprefix(A_TAG)
	return {"error": text or _("You may not do this.")}


def _about(plan, row) -> dict:
	return {
		"stage": _(row.stage_name),
		"document": _document(plan),
		"key_date": messages.day_text(row.key_date and getdate(row.key_date)),
		"url": get_url_to_form(plan.reference_type, plan.reference_name),
	}


def _document(plan) -> str:
	return f"{_(plan.reference_type)} {plan.reference_name}"


def _owner_name(row) -> str:
	if row.stage_owner:
		return get_fullname(row.stage_owner)
	return _(row.owner_role) if row.owner_role else _("a Milestone Manager")


def _is_enabled(user: str) -> bool:
	return bool(cint(frappe.db.get_value("User", user, "enabled")))


def _language_of(recipient: str) -> str:
	own = frappe.db.get_value("User", recipient, "language")
	return own or frappe.get_system_settings("language") or "en"


# One task


def task_page(form: dict, is_post: bool) -> dict:
	"""Return what the task page shows, after acting on a POST: nothing of the document but its kind and name.

	Args:
		form: `token` and, with a POST, `action` ("complete" or "comment") and `comment`.
		is_post: whether to act.
	"""
	try:
		link = signed_links.read_token(form.get("token"), Purpose.TASK)
	except LinkInvalid:
		return _invalid()
	frappe.local.lang = _language_of(link.recipient)
	if not frappe.db.exists("Milestone Task", link.name):
		return _closed(_("This task is not there any more."))
	task = frappe.get_doc("Milestone Task", link.name)
	page = _task_obstacle(link, task) or {"state": "ask"}
	only_comments = form.get("action") == "comment"
	if is_post and (page["state"] == "ask" or (page["state"] == "closed" and only_comments)):
		page = _act(page, link, lambda: _act_on_task(form, link, task))
	return page if page["state"] == "refused" else page | _about_task(link)


def _task_obstacle(link: Link, task) -> dict | None:
	person = _assignee(link, task)
	asker = _asker(task)
	if not person:
		return _refused(
			_("This task is not yours any more"), _("If you have questions, please ask {0}.").format(asker)
		)
	nothing_to_do = _nothing_to_do(task, person)
	if not link.is_expired:
		return nothing_to_do
	if nothing_to_do:
		# Says so and no more: the days in which the link shows the task are over.
		return nothing_to_do | {"state": "refused"}
	return _expired(link, _("Please ask {0} for a new one.").format(asker))


def _nothing_to_do(task, person) -> dict | None:
	if task.status == TaskStatus.COMPLETED:
		return _closed(_("This task is done. Thank you."))
	if task.status != TaskStatus.OPEN:
		return _closed(_("This task is not needed any more."))
	if person.done:
		return _closed(_("You have done your part. Others are still to do theirs."))
	return None


def _assignee(link: Link, task):
	wanted = link.recipient.lower()
	for row in task.assignees:
		if wanted in ((row.user or "").lower(), (row.email or "").lower()):
			return None if row.user and not _is_enabled(row.user) else row
	return None


def _act_on_task(form: dict, link: Link, task) -> str:
	"""Act on the form. Return the sentence that says what was done."""
	comment = cstr(form.get("comment")).strip()[:COMMENT_LENGTH]
	if comment:
		_comment(link, task, comment)
	if form.get("action") != "complete":
		if not comment:
			frappe.throw(_("Please write a comment first."))
		return _("Your comment was passed on.")
	tasks.complete(task.name, by=link.recipient)
	return _("The task {0} is marked as done.").format(task.title)


def _comment(link: Link, task, text: str) -> None:
	person = _assignee(link, task)
	values = {
		"doctype": "Comment",
		"comment_type": "Comment",
		"reference_doctype": "Milestone Task",
		"reference_name": task.name,
		"comment_email": person.email or person.user,
		"comment_by": person.full_name or person.email,
		"content": escape_html(text).replace("\n", "<br>"),
	}
	frappe.get_doc(values).insert(ignore_permissions=True)  # the signed link is the right to comment


def _about_task(link: Link) -> dict:
	task = frappe.get_doc("Milestone Task", link.name)
	return {
		"task_title": task.title,
		"description": task.description,
		"due": messages.day_text(task.due_date and getdate(task.due_date)),
		"is_overdue": bool(task.due_date and getdate(task.due_date) < getdate(nowdate())),
		"is_open": task.status == TaskStatus.OPEN,
		"document": f"{_(task.reference_type)} {task.reference_name}",
		"asker": _asker(task),
	}


def _asker(task) -> str:
	row = frappe.db.get_value(
		"Milestone Plan Stage", task.plan_stage, ["stage_owner", "owner_role"], as_dict=True
	)
	return _owner_name(row) if row else _("a Milestone Manager")


def complete_context(context) -> None:
	"""Give a page what both have in common: no cache, no search engine, the form's token against forgery."""
	context.no_cache = 1
	context.full_width = 0
	context.token = cstr(frappe.form_dict.get("token"))
	context.is_guest = frappe.session.user == "Guest"
	# Frappe asks for it where the visitor is logged in; a guest's session has none.
	context.form_csrf_token = "" if context.is_guest else frappe.sessions.get_csrf_token()
	title = context.page.get("task_title") or context.page.get("stage") or context.page.get("title")
	# Frappe's templates print it as it is; ours do not strip tags from it, which would turn it back.
	context.title = escape_html(title)
	context.metatags = {"robots": "noindex"}
