"""What the pages behind signed links share: refusals, language and names."""

from collections.abc import Callable
from urllib.parse import urlencode

import frappe
from frappe import _
from frappe.utils import (
	cint,
	cstr,
	escape_html,
	get_fullname,
)

from milestone_automation.engine.base import guard, languages, parsing, plain_text
from milestone_automation.engine.people import colleagues, requesters, rights
from milestone_automation.engine.people.acting_as import acting_as
from milestone_automation.engine.people.signed_links import Link, Purpose
from milestone_automation.engine.progress import handing_over
from milestone_automation.engine.rules.vocabulary import PlanEvent
from milestone_automation.engine.workflows import shown_fields
from milestone_automation.links import limits

# Shown with a link in its address, which nobody else shall learn: no frame, no foreign server, no cache, no script.
HEADERS = {
	"Cache-Control": "no-store",
	"Content-Security-Policy": (
		"default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:;"
		" form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	),
	"Referrer-Policy": "no-referrer",
	"X-Content-Type-Options": "nosniff",
	"X-Frame-Options": "DENY",
	"X-Robots-Tag": "noindex, nofollow",
}
PATHS = ("/milestone-answer", "/milestone-task", "/milestones")
RETRY_AFTER = "milestone_retry_after"


def show(context, page: Callable[[dict, bool], dict], purpose: Purpose) -> None:
	"""Fill in the context of a page behind a link.

	Args:
		context: Frappe's.
		page: makes what the template shows of the form and whether it was sent.
		purpose: what the page's links are for.
	"""
	form, is_post = plain_form(frappe.form_dict), bool(frappe.request) and frappe.request.method == "POST"
	wait = limits.seconds_to_wait(form, purpose, is_post)
	frappe.flags[RETRY_AFTER] = wait
	context.page = too_many(wait) if wait else _shown(page, form, is_post)
	_complete(context)


def secure(response, request) -> None:
	"""Hook after each request: the headers of pages behind links.

	Args:
		response, request: werkzeug's.
	"""
	# Frappe serves a page with its ending too.
	if response is None or request.path.rstrip("/").removesuffix(".html") not in PATHS:
		return
	response.headers.update(HEADERS)
	if wait := frappe.flags.get(RETRY_AFTER):
		response.status_code = 429
		response.headers["Retry-After"] = str(wait)


def too_many(seconds: int) -> dict:
	"""Return the page for a link that was used too often.

	Args:
		seconds: to wait.
	"""
	minutes = -(-seconds // 60)
	return refused(
		_("Too many requests"),
		_("This link was used very often. Please try again in {0} minutes.").format(minutes),
	)


def _shown(page: Callable[[dict, bool], dict], form: dict, is_post: bool) -> dict:
	"""Return what a page shows. A fault of ours is logged and told without its traceback."""
	try:
		return page(form, is_post)
	except Exception:
		frappe.db.rollback()
		guard.log_fault("Milestone page", frappe.get_traceback())
		return refused(
			_("This page cannot be shown"),
			_("Something went wrong. Please try again later, or ask who sent you the link."),
		)


def plain_form(form: dict) -> dict[str, str]:
	"""Return the texts of a form, without what cannot be stored; anything but text is left out.

	Args:
		form: Frappe's, with what the address and the page sent.

	Returns:
		dict: texts of at most 4000 characters, by name.
	"""
	return {
		name: parsing.UNSTORABLE.sub("", value)[: parsing.TEXT_LENGTH]
		for name, value in form.items()
		if isinstance(value, str)
	}


def invalid() -> dict:
	"""Return the page for a link that this site did not make."""
	return refused(
		_("This link does not work"),
		_("Your mail program may have split it. Please copy the whole link from the mail."),
	)


def refused(title: str, text: str) -> dict:
	"""Return a page that refuses, with the reason.

	Args:
		title, text: translated.

	Returns:
		dict: what the template shows.
	"""
	return {"state": "refused", "title": title, "text": text}


def closed(text: str) -> dict:
	"""Return a page that says why there is nothing left to do.

	Args:
		text: translated.

	Returns:
		dict: what the template shows.
	"""
	return {"state": "closed", "title": _("Nothing to do"), "text": text}


def expired(link: Link, whom_to_ask: str) -> dict:
	"""Return the page for an expired link.

	Args:
		link: the link.
		whom_to_ask: sentence that says what to do instead.
	"""
	until = _("This link was valid until {0}.").format(languages.day_text(link.valid_until))
	return refused(_("This link has expired"), f"{until} {whom_to_ask}")


def log_in_first(link: Link, form: dict) -> dict | None:
	"""Return the page that asks the link's recipient to log in; None where they are, or the site does not want it.

	Since July 2026 Frappe asks the same before a mail's button changes a document.

	Args:
		link: the link; somebody without an account cannot log in and need not.
		form: as `plain_form` returns it; its answer is asked again after the login.
	"""
	has_account = frappe.db.exists("User", link.recipient)
	if not has_account or frappe.session.user == link.recipient or not _must_log_in():
		return None
	back = f"/milestone-answer?{urlencode({name: form.get(name) or '' for name in ('token', 'answer')})}"
	page = {
		"state": "login",
		"title": _("Please log in to answer"),
		"text": _("Your answer changes the document."),
	}
	if frappe.session.user != "Guest":
		return page | {
			"text": _("You are logged in as somebody else. Log out, and log in as {0}.").format(
				link.recipient
			)
		}
	return page | {"login_url": f"/login?{urlencode({'redirect-to': back})}"}


def _must_log_in() -> bool:
	setting = frappe.get_cached_doc("Milestone Settings").get("login_to_answer")
	return setting is None or bool(cint(setting))


def act(page: dict, link: Link, action) -> dict:
	"""Run an action as the recipient of a link and return the page to show; a refusal is shown with the form.

	Args:
		page: the page with the form.
		link: the link.
		action: function without arguments that returns the sentence about what was done.
	"""
	save_point = f"milestone_{frappe.generate_hash(length=10)}"
	frappe.db.savepoint(save_point)
	user = link.recipient if is_enabled(link.recipient) else "Guest"
	try:
		with acting_as(user), guard.translate_conflicts():
			sentence = action()
	except guard.ConflictError as error:
		# After a conflict the database has undone the transaction, or fails again in it.
		frappe.db.rollback()
		return page | _refusal(error)
	except (frappe.ValidationError, frappe.PermissionError) as error:
		frappe.db.rollback(save_point=save_point)
		return page | _refusal(error)
	return {"state": "done", "title": _("Thank you"), "text": sentence}


def act_on_closed(page: dict, link: Link, action) -> dict:
	"""Run an action where there is nothing left to do; the page says that, and what was done.

	Args:
		page, link, action: as in `act`.
	"""
	acted = act(page, link, action)
	return page | ({"text": f"{page['text']} {acted['text']}".strip()} if acted["state"] == "done" else acted)


def _refusal(error: Exception) -> dict:
	frappe.local.message_log = []
	text = plain_text.clean_html(cstr(error))
	return {"error": text or _("You may not do this.")}


def document(plan) -> str:
	"""Return DocType and name of a plan's document, translated.

	Args:
		plan: row with `reference_type` and `reference_name`.
	"""
	return f"{_(plan.reference_type)} {plan.reference_name}"


def shown(plan, recipient: str) -> list[tuple[str, str]]:
	"""Return label and text of the fields of a plan's document that its workflow shows to people from outside.

	Args:
		plan: row with `reference_type`, `reference_name`, `shown_fields` and `shown_fields_by`.
		recipient: user id or e-mail address of who looks; users of the Desk have the document's form.
	"""
	if rights.is_desk_user(recipient):
		return []
	return shown_fields.of_plans([plan]).get((plan.reference_type, cstr(plan.reference_name)), [])


def requester(row, document) -> requesters.Requester:
	"""Return who asks somebody from outside, and for which company.

	Args:
		row: `stage_owner` and `owner_role` of the milestone; None where it is gone.
		document: `reference_type` and `reference_name`.
	"""
	row = row or {}
	asking_row = {
		"reference_type": document.reference_type,
		"reference_name": document.reference_name,
		"stage_owner": row.get("stage_owner"),
		"owner_role": row.get("owner_role"),
	}
	return requesters.of_rows([asking_row])[0]


def handed_over(event: PlanEvent, link: Link, plan: str, **columns: str) -> str:
	"""Return the sentence that says to whom the recipient of a link has handed over; empty if to nobody.

	Args:
		event, columns: as in `handing_over.taken_over_by`.
		link: the link.
		plan: name of the plan.
	"""
	who = handing_over.taken_over_by(event, link.recipient, plan=plan, **columns)
	if not who:
		return ""
	fields = ["name", "reference_type", "reference_name", "supplier_field"]
	row = frappe.db.get_value("Milestone Plan", plan, fields, as_dict=True)
	people, names = colleagues.of_plans([row], link.recipient).get(plan, []), colleagues.identities(who)
	shown_names = [colleagues.shown_name(person) for person in people if colleagues.is_called(person, names)]
	return _("You have handed it over to {0}.").format(shown_names[0]) if shown_names else ""


def owner_name(row) -> str:
	"""Return whom to ask about a stage: its owner, its role, or a Milestone Manager.

	Args:
		row: of the stage, with `stage_owner` and `owner_role`.

	Returns:
		str: full name, translated role, or words for a manager.
	"""
	if row.stage_owner:
		return get_fullname(row.stage_owner)
	if row.get("outside_owner_name"):
		return row.outside_owner_name
	return _(row.owner_role) if row.owner_role else _("a Milestone Manager")


def may_use_link(recipient: str) -> bool:
	"""Tell whether a link still works for its recipient: everybody but the owner of a disabled account.

	Args:
		recipient: user id or e-mail address of the link.
	"""
	enabled = frappe.db.get_value("User", recipient, "enabled")
	return bool(cint(enabled)) if enabled is not None else "@" in recipient


def is_enabled(user: str) -> bool:
	"""Tell whether a user id belongs to an enabled user.

	Args:
		user: user id; an address without an account belongs to none.
	"""
	return bool(cint(frappe.db.get_value("User", user, "enabled")))


def language_of(recipient: str) -> str:
	"""Return the language of a recipient, given as user id or e-mail address; the site's by default.

	Args:
		recipient: user id or e-mail address of the link.

	Returns:
		str: code of the language.
	"""
	language = frappe.db.get_value("User", recipient, "language")
	return language or frappe.get_system_settings("language") or "en"


def _complete(context) -> None:
	"""Complete the context of a page: no cache, no search engines, and the CSRF token of the form."""
	context.no_cache = 1
	context.direction = languages.direction()
	context.full_width = 0
	context.token = plain_form(frappe.form_dict).get("token", "")
	context.is_guest = frappe.session.user == "Guest"
	# The page runs no script, so none puts the user's menu in the place of "Login".
	context.hide_login = context.hide_login or not context.is_guest
	# Frappe checks it for logged-in visitors; the session of a guest has none.
	context.form_csrf_token = "" if context.is_guest else frappe.sessions.get_csrf_token()
	title = context.page.get("task_title") or context.page.get("stage") or context.page.get("title")
	# Frappe's templates do not escape the title.
	context.title = escape_html(title)
	context.metatags = {"robots": "noindex"}
