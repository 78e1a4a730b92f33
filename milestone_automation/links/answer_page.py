"""The page behind the buttons of a prompt: answers for a stage.

The page verifies the link first. A GET only shows it; a POST acts as the recipient of the link. `state` of the result is
"ask", "done" (just now), "closed" (nothing left to do) or "refused".
"""

from datetime import timedelta

import frappe
from frappe import _
from frappe.utils import cstr, get_fullname, get_url_to_form, getdate

from milestone_automation.engine.base import clock, languages
from milestone_automation.engine.people import rights, signed_links
from milestone_automation.engine.people.signed_links import Link, LinkInvalid, Purpose
from milestone_automation.engine.progress import answers, handing_over, stages
from milestone_automation.engine.rules.vocabulary import (
	OUTSIDE_OWNERS,
	PlanEvent,
	PlanStatus,
	ShiftMode,
	StageStatus,
)
from milestone_automation.engine.store import plan_rows
from milestone_automation.links import limits, link_page, notes


def answer_page(form: dict, is_post: bool) -> dict:
	"""Return what the page shows, after acting on a POST.

	Args:
		form: `token`, `answer` ("yes", "no" or "on_track") and, for a POST, the fields of the form; with the `action`
			"hand_over" the `colleague`, the key of one.
		is_post: whether the form was sent.
	"""
	try:
		link = signed_links.read_token(form.get("token"), Purpose.ANSWER)
	except LinkInvalid:
		return link_page.invalid()
	frappe.local.lang = link_page.language_of(link.recipient)
	parent = frappe.db.get_value("Milestone Plan Stage", link.name, "parent")
	if not parent:
		return link_page.closed(_("This milestone no longer exists."))
	plan = plan_rows.load_by_name(parent)
	row = plan.stage(link.name)
	if refused := _why_it_does_not_work(link, plan, row):
		return notes.not_taken(refused, form, is_post)
	page = _obstacle(link, plan, row) or _ask(form, link, plan, row, is_post)
	if page["state"] == "refused":
		return page
	if is_post:
		page = _act(form, page, link, plan, row)
		if page["state"] == "done" and form.get("action") == limits.HAND_OVER_ACTION:
			return link_page.refused(page["title"], page["text"])  # it is somebody else's now
	return page | _about(plan, row, link)


def _act(form: dict, page: dict, link: Link, plan, row) -> dict:
	"""Return the page after acting on a form: an answer, or a comment and a file of somebody from outside."""
	by = link.recipient if _is_outside(link, row) else None
	only_notes = by and form.get("action") == notes.COMMENT_ACTION
	if page["state"] == "ask" and not only_notes:
		# What the page has asked for a login for, not what the form says besides.
		answered_form = form | {"answer": page["answer"]}
		return link_page.act(page, link, lambda: _answer(answered_form, plan, row, by))
	if by and (only_notes or notes.is_sent(form)):
		return link_page.act_on_closed({"text": ""} | page, link, lambda: _comment_on(form, plan, row, by))
	return page


def _comment_on(form: dict, plan, row, by: str) -> str:
	done = notes.sentence(form)
	_keep_notes(plan, row, by, notes.text_of(form))
	return done


def _keep_notes(plan, row, by: str, comment: str) -> None:
	"""Keep the comment and the file of a milestone's owner with the plan."""
	sender = (by, row.outside_owner_name or get_fullname(by))
	notes.keep("Milestone Plan", plan.name, sender, comment, about=_(row.stage_name))


def _why_it_does_not_work(link: Link, plan, row) -> dict | None:
	"""Return the page for a link that opens nothing: it says why, and nothing of document or plan."""
	if not link_page.may_use_link(link.recipient):
		return link_page.refused(_("This link no longer works"), _("The account it was sent to is disabled."))
	if link.is_expired:
		return link_page.expired(link, _whom_to_ask(link, row))
	if rights.is_outside_owner(row, link.recipient):
		return None
	if row.owner_kind in OUTSIDE_OWNERS and not rights.is_desk_user(link.recipient):
		event = PlanEvent.MILESTONE_HANDED_OVER
		handed_over = link_page.handed_over(event, link, plan.name, plan_stage=row.name)
		return link_page.refused(
			_("This milestone is no longer yours"), handed_over or _("You do not need to do anything.")
		)
	if not _reads(link.recipient, plan):
		return link_page.refused(
			_("You may not read this document"),
			_(
				"You do not have permission to read the document, so you cannot answer."
				" Please ask a System Manager for permission, or a Milestone Manager to answer for you."
			),
		)
	return None


def _whom_to_ask(link: Link, row) -> str:
	if _is_outside(link, row):
		return _("Your latest mail has a new one.")
	return _("Please answer in the Desk, or ask a Milestone Manager.")


def _reads(user: str, plan) -> bool:
	return rights.sees_everything(user) or rights.can_read_document(
		plan.reference_type, plan.reference_name, user
	)


def _obstacle(link: Link, plan, row) -> dict | None:
	"""Return the page that says why there is nothing to answer, or None."""
	if plan.status == PlanStatus.CANCELLED:
		return link_page.closed(_("The plan of this document was cancelled. You do not need to do anything."))
	if row.status == StageStatus.REACHED:
		return link_page.closed(
			_("{0} was reached on {1}. Thank you, you do not need to do anything.").format(
				_(row.stage_name), languages.day_text(getdate(row.reached_on))
			)
		)
	if cstr(row.key_date or "") != link.about:
		return link_page.closed(
			_("This has been answered: {0} is now expected on {1}. You will be asked again then.").format(
				_(row.stage_name), languages.day_text(row.key_date and getdate(row.key_date)) or _("no date")
			)
		)
	if not (rights.is_outside_owner(row, link.recipient) or answers.may_answer(plan, row, link.recipient)):
		return link_page.refused(
			_("You can no longer answer this"),
			_("{0} is now owned by {1}.").format(_(row.stage_name), link_page.owner_name(row)),
		)
	return None


def _ask(form: dict, link: Link, plan, row, is_post: bool) -> dict:
	"""Return the form with the values that were sent; from the address of a link only the answer is used."""
	sent_values = form if is_post else {}
	today = clock.today_of_user(link.recipient)
	answer = _shown_answer(form, row, today)
	must_log_in = answer == "yes" and _changes_document(plan, row, _is_outside(link, row))
	if must_log_in and (page := link_page.log_in_first(link, form)):
		return page
	return {
		"state": "ask",
		"answer": answer,
		"today": today.isoformat(),
		"tomorrow": (today + timedelta(days=1)).isoformat(),
		"reasons": answers.reasons(),
		"asks_for_later": _asks_for_later(link, plan, row),
		"has_date": bool(row.key_date),
		"values": {
			name: cstr(sent_values.get(name)) for name in ("reached_on", "new_date", "reason", "note")
		},
	}


def _is_outside(link: Link, row) -> bool:
	"""Tell whether somebody answers who needs no right to the document, and so gets none."""
	return rights.is_outside_owner(row, link.recipient)


def _asks_for_later(link: Link, plan, row) -> bool:
	is_last = row.idx >= len(plan.stages)
	return plan.later_stages == ShiftMode.ASK and not is_last and not _is_outside(link, row)


def _shown_answer(form: dict, row, today) -> str:
	"""Return the answer that the page offers first; a date that has passed is not on track."""
	answer = form.get("answer")
	if answer == "no" or not row.key_date:
		return "no"
	return "on_track" if answer == "on_track" and getdate(row.key_date) >= today else "yes"


def _changes_document(plan, row, is_outside: bool) -> bool:
	"""Tell whether a yes writes the document: by the value that reaches the stage, or by what follows on it."""
	return bool(row.next_actions) or (not is_outside and stages.waits_for_value(plan, row))


def _answer(form: dict, plan, row, by: str | None) -> str:
	"""Act on the form and return the sentence about what was done."""
	if by and form.get("action") == limits.HAND_OVER_ACTION:
		name = handing_over.hand_stage(plan.name, row.name, cstr(form.get("colleague")), by)
		return _("{0} is handed over to {1}, who gets a mail.").format(_(row.stage_name), name)
	done = _answer_for(form, plan, row, by)
	if by:
		_keep_notes(plan, row, by, notes.text_of(form))
	return done


def _answer_for(form: dict, plan, row, by: str | None) -> str:
	if form.get("answer") == "no":
		later = form.get("later_stages")
		answers.answer_not_yet(
			plan.name, row.name, form.get("new_date"), form.get("reason"), form.get("note"), later, by=by
		)
		day = languages.day_text(getdate(form.get("new_date")))
		if plan_rows.load_by_name(plan.name).stage(row.name).proposed_date:
			return _("{0} is proposed for {1}. A Milestone Manager decides, and you will be told.").format(
				day, _(row.stage_name)
			)
		return _("{0} is now expected on {1}. You will be asked again then.").format(_(row.stage_name), day)
	if form.get("answer") == "on_track":
		answers.answer_on_track(plan.name, row.name, by=by)
		return _("{0} is still expected on {1}. You will be asked again then.").format(
			_(row.stage_name), languages.day_text(getdate(row.key_date))
		)
	answers.answer_reached(plan.name, row.name, form.get("reached_on") or None, by=by)
	return _("{0} is marked as reached on {1}.").format(
		_(row.stage_name), languages.day_text(getdate(form.get("reached_on") or clock.today_of_user()))
	)


def _for_outside(plan, row, link: Link) -> dict:
	if not _is_outside(link, row):
		return {}
	return {
		"asked_by": link_page.requester(row, plan).sentence,
		"takes_notes": True,
		**notes.for_page(),
		"colleagues": handing_over.offered(plan, link.recipient),
	}


def _about(plan, row, link: Link) -> dict:
	return {
		"stage": _(row.stage_name),
		"document": link_page.document(plan),
		"shown": link_page.shown(plan, link.recipient),
		**_for_outside(plan, row, link),
		"key_date": languages.day_text(row.key_date and getdate(row.key_date)),
		"url": get_url_to_form(plan.reference_type, plan.reference_name)
		if _reads(link.recipient, plan)
		else "",
	}
