"""The page *My Milestones* of people from outside: what is open for them in all documents, and what they have done.

Who has an account logs in; everybody else comes by the one link of theirs that is in each of their mails. Each task and
milestone leads to its own page, where it is answered.
"""

from datetime import date
from typing import NamedTuple
from urllib.parse import urlencode

import frappe
from frappe import _
from frappe.utils import cstr, getdate

from milestone_automation.engine.base import clock, languages
from milestone_automation.engine.messages import letters
from milestone_automation.engine.people import (
	assigned,
	colleagues,
	directory,
	plan_documents,
	requesters,
	rights,
	signed_links,
)
from milestone_automation.engine.people.signed_links import LinkInvalid, Purpose
from milestone_automation.engine.progress import handing_over
from milestone_automation.engine.rules.vocabulary import (
	OUTSIDE_OWNERS,
	Health,
	PlanStatus,
	StageStatus,
	TaskStatus,
)
from milestone_automation.engine.workflows import shown_fields
from milestone_automation.links import link_page

MOST_OPEN, MOST_DONE = 200, 20
# A website user sees no bell.
PREFERENCES = (directory.MailPreference.DAILY, directory.MailPreference.EACH)


class Visitor(NamedTuple):
	"""Whose page it is.

	Attributes:
		recipient: user id, or e-mail address of somebody without an account.
		names: what rows may call them.
		is_logged_in: whether the session proves it, not only a link.
		valid_until: last day of the link that they came by, and of those it leads to; None after login.
	"""

	recipient: str
	names: list[str]
	is_logged_in: bool
	valid_until: date | None = None


def portal_page(form: dict, is_post: bool) -> dict:
	"""Return what the page shows, after acting on a POST.

	Args:
		form: `token`, or nothing for who is logged in; for a POST of theirs `mail`, how often mails come.
		is_post: whether the form was sent.
	"""
	if form.get("token"):
		page, visitor = _by_link(form["token"])
	else:
		page, visitor = _by_session()
	if page:
		return page
	frappe.local.lang = link_page.language_of(visitor.recipient)
	if is_post and visitor.is_logged_in:
		_choose_mails(form.get("mail"))
	return {"state": "list", "title": _("My Milestones"), **_lists(visitor), **_mails(visitor)}


def has_something(user: str) -> bool:
	"""Tell whether something is or was asked of a user, so that there is something on their page.

	Args:
		user: user id.
	"""
	visitor = _visitor(user, True)
	_task_table, tasks = _tasks_of(visitor)
	_stage_table, _plan, stages = _stages_of(visitor)
	return bool(tasks.limit(1).run() or stages.limit(1).run())


def _by_link(token: str) -> tuple[dict | None, Visitor | None]:
	try:
		link = signed_links.read_token(token, Purpose.PERSON)
	except LinkInvalid:
		return link_page.invalid(), None
	frappe.local.lang = link_page.language_of(link.recipient)
	if not link_page.may_use_link(link.recipient):
		return link_page.refused(
			_("This link no longer works"), _("The account it was sent to is disabled.")
		), None
	if link.is_expired:
		return link_page.expired(link, _("Your latest mail has a new one.")), None
	return None, _visitor(link.recipient, False, link.valid_until)


def _by_session() -> tuple[dict | None, Visitor | None]:
	if frappe.session.user != "Guest":
		return None, _visitor(frappe.session.user, True)
	page = {
		"state": "login",
		"title": _("My Milestones"),
		"text": _("Log in, or open the page with the link in one of your mails."),
		"login_url": f"/login?{urlencode({'redirect-to': f'/{letters.PORTAL_PAGE}'})}",
	}
	return page, None


def _visitor(recipient: str, is_logged_in: bool, valid_until: date | None = None) -> Visitor:
	address = frappe.db.get_value("User", recipient, "email")
	# Addresses are stored in lower case, and so are users but Frappe's own.
	names = {recipient, *(name.lower() for name in (recipient, address) if name)}
	return Visitor(recipient, sorted(names), is_logged_in, valid_until)


def _choose_mails(choice: str | None) -> None:
	if choice in [one.value for one in PREFERENCES]:
		frappe.defaults.set_user_default(directory.MAIL_DEFAULT, choice)


def _mails(visitor: Visitor) -> dict:
	"""Return the choice of mails; who has no account gets one a day."""
	if not visitor.is_logged_in:
		return {}
	labels = {
		directory.MailPreference.DAILY: _("At most one mail a day"),
		directory.MailPreference.EACH: _("Each message at once"),
	}
	chosen_preference = directory.mail_preference(visitor.recipient)
	return {
		"mails": [
			{
				"value": preference.value,
				"label": labels[preference],
				"is_chosen": preference is chosen_preference,
			}
			for preference in PREFERENCES
		]
	}


def _lists(visitor: Visitor) -> dict:
	tasks, stages = _open_tasks(visitor), _open_stages(visitor)
	today = clock.today_of_user(visitor.recipient)
	waiting = [_task(visitor, row, today) for row in tasks]
	waiting += [_stage(visitor, row, today) for row in stages]
	rows = [*tasks, *stages]
	documents = plan_documents.read(rows)
	for entry, asker in zip(waiting, requesters.of_rows(rows, documents), strict=True):
		entry["asked_by"] = asker.sentence
	_show_fields(visitor, rows, documents, waiting)
	_offer_colleagues(visitor, tasks, rows, documents, waiting)
	return {
		"open": sorted(waiting, key=lambda row: (row["day"] is None, row["day"])),
		"is_cut": len(tasks) == MOST_OPEN or len(stages) == MOST_OPEN,
		"done": _done(visitor),
	}


def _task(visitor: Visitor, row, today) -> dict:
	token = signed_links.make_token(
		Purpose.TASK, row.name, visitor.recipient, valid_until=visitor.valid_until
	)
	return {
		"what": row.title,
		"url": signed_links.url(letters.TASK_PAGE, token),
		"token": token,
		"page": letters.TASK_PAGE,
		"button": _("Open task"),
		**_when_and_where(row, row.due_date, today),
	}


def _stage(visitor: Visitor, row, today) -> dict:
	key_date = cstr(row.key_date or "")
	token = signed_links.make_token(
		Purpose.ANSWER, row.name, visitor.recipient, key_date, visitor.valid_until
	)
	return {
		"what": _(row.stage_name),
		"url": signed_links.url(letters.ANSWER_PAGE, token, answer="yes"),
		"token": token,
		"page": letters.ANSWER_PAGE,
		"button": _("Answer"),
		**_when_and_where(row, row.key_date, today),
	}


def _when_and_where(row, day, today) -> dict:
	day = getdate(day) if day else None
	return {
		"day": day,
		"due": languages.day_text(day) if day else "",
		"is_overdue": bool(day and day < today),
		"document": f"{_(row.reference_type)} {row.reference_name}",
	}


def _show_fields(
	visitor: Visitor, rows: list, documents: plan_documents.Documents, waiting: list[dict]
) -> None:
	"""Add to each entry the fields of its document that the workflow shows; users of the Desk have its form."""
	shown = {} if rights.is_desk_user(visitor.recipient) else shown_fields.of_plans(rows, documents)
	for row, entry in zip(rows, waiting, strict=True):
		entry["shown"] = shown.get((row.reference_type, cstr(row.reference_name)), [])


def _offer_colleagues(
	visitor: Visitor, tasks: list, rows: list, documents: plan_documents.Documents, waiting: list[dict]
) -> None:
	"""Add to each entry the colleagues to whom it can be handed over."""
	plans = {row.plan: frappe._dict(row, name=row.plan) for row in rows}
	people = colleagues.of_plans(plans.values(), visitor.recipient, documents)
	taken = assigned.rows_by_task(row.name for row in tasks if people.get(row.plan))
	for row, entry in zip(rows, waiting, strict=True):
		entry["colleagues"] = handing_over.as_choices(people.get(row.plan, []), taken.get(row.name, ()))


def _open_tasks(visitor: Visitor) -> list:
	task, query = _tasks_of(visitor)
	person, plan = frappe.qb.DocType("Milestone Task Assignee"), frappe.qb.DocType("Milestone Plan")
	query = query.where(task.status == TaskStatus.OPEN.value).where(person.done == 0)
	# As of milestones, nobody is asked for what is on hold.
	query = query.where(plan.name.isnotnull()).where(plan.on_hold_since.isnull())
	return query.orderby(task.due_date).limit(MOST_OPEN).run(as_dict=True)


def _tasks_of(visitor: Visitor) -> tuple:
	task, person = frappe.qb.DocType("Milestone Task"), frappe.qb.DocType("Milestone Task Assignee")
	plan = frappe.qb.DocType("Milestone Plan")
	query = frappe.qb.from_(task).join(person).on(person.parent == task.name).distinct()
	query = query.left_join(plan).on(plan.name == task.plan)
	stage = frappe.qb.DocType("Milestone Plan Stage")
	query = query.left_join(stage).on(stage.name == task.plan_stage)
	query = query.where(person.parenttype == "Milestone Task")
	query = query.where(person.user.isin(visitor.names) | person.email.isin(visitor.names))
	columns = (
		task.name,
		task.title,
		task.due_date,
		task.plan,
		task.reference_type,
		task.reference_name,
		plan.shown_fields,
		plan.shown_fields_by,
		plan.supplier_field,
		stage.stage_owner,
		stage.owner_role,
	)
	return task, query.select(*columns)


def _open_stages(visitor: Visitor) -> list:
	stage, plan, query = _stages_of(visitor)
	query = query.where(plan.status == PlanStatus.ACTIVE.value)
	query = query.where(stage.status == StageStatus.OPEN.value)
	# Nobody is asked for what was skipped or is on hold.
	query = query.where(stage.health.notin([Health.SKIPPED.value, Health.ON_HOLD.value]))
	query = query.where(stage.awaits_decision == 0)
	return query.orderby(stage.key_date).limit(MOST_OPEN).run(as_dict=True)


def _stages_of(visitor: Visitor) -> tuple:
	stage, plan = frappe.qb.DocType("Milestone Plan Stage"), frappe.qb.DocType("Milestone Plan")
	query = frappe.qb.from_(stage).join(plan).on(plan.name == stage.parent)
	query = query.where(stage.owner_kind.isin([kind.value for kind in OUTSIDE_OWNERS]))
	is_owner = stage.stage_owner.isin(visitor.names) | stage.outside_owner.isin(visitor.names)
	columns = (stage.name, stage.stage_name, stage.key_date, stage.reached_on, stage.stage_owner)
	columns += (stage.parent.as_("plan"), plan.reference_type, plan.reference_name)
	columns += (plan.shown_fields, plan.shown_fields_by, plan.supplier_field)
	return stage, plan, query.where(is_owner).select(*columns)


def _done(visitor: Visitor) -> list[dict]:
	"""Return what they have done, the latest first."""
	_task, tasks = _tasks_of(visitor)
	person = frappe.qb.DocType("Milestone Task Assignee")
	tasks = tasks.select(person.done_on).where(person.done == 1).where(person.done_on.isnotnull())
	stage, plan, stages = _stages_of(visitor)
	stages = stages.where(plan.status != PlanStatus.CANCELLED.value)
	stages = stages.where(stage.status == StageStatus.REACHED.value)
	rows = [
		(getdate(row.done_on), row.title, row)
		for row in tasks.orderby(person.done_on, order=frappe.qb.desc).limit(MOST_DONE).run(as_dict=True)
	]
	rows += [
		(getdate(row.reached_on), _(row.stage_name), row)
		for row in stages.orderby(stage.reached_on, order=frappe.qb.desc).limit(MOST_DONE).run(as_dict=True)
	]
	rows.sort(key=lambda row: row[0], reverse=True)
	return [
		{
			"what": what,
			"document": f"{_(row.reference_type)} {row.reference_name}",
			"done": languages.day_text(day),
		}
		for day, what, row in rows[:MOST_DONE]
	]
