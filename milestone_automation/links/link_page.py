"""What the pages behind signed links share: refusals, language, who asks."""

import frappe
from frappe import _
from frappe.utils import (
	cint,
	cstr,
	escape_html,
	get_fullname,
	sanitize_html,
)

from milestone_automation.engine.base import guard, languages
from milestone_automation.engine.base.values import A_TAG
from milestone_automation.engine.people.signed_links import Link
from milestone_automation.links import acting_as


def invalid() -> dict:
	return refused(
		_("This link does not work"),
		_("Your mail program may have split it. Please copy the whole link from the mail."),
	)


def refused(title: str, text: str) -> dict:
	return {"state": "refused", "title": title, "text": text}


def closed(text: str) -> dict:
	return {"state": "closed", "title": _("Nothing to do"), "text": text}


def expired(link: Link, whom_to_ask: str) -> dict:
	until = _("This link was valid until {0}.").format(languages.day_text(link.valid_until))
	return refused(_("This link has expired"), f"{until} {whom_to_ask}")


def act(page: dict, link: Link, action) -> dict:
	"""Do what the form says in the name of the link's recipient; a refusal comes back with the form."""
	save_point = f"milestone_{frappe.generate_hash(length=10)}"
	frappe.db.savepoint(save_point)
	user = link.recipient if is_enabled(link.recipient) else "Guest"
	try:
		with acting_as.acting_as(user), guard.translate_conflicts():
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


def document(plan) -> str:
	return f"{_(plan.reference_type)} {plan.reference_name}"


def owner_name(row) -> str:
	if row.stage_owner:
		return get_fullname(row.stage_owner)
	return _(row.owner_role) if row.owner_role else _("a Milestone Manager")


def is_enabled(user: str) -> bool:
	return bool(cint(frappe.db.get_value("User", user, "enabled")))


def language_of(recipient: str) -> str:
	own = frappe.db.get_value("User", recipient, "language")
	return own or frappe.get_system_settings("language") or "en"


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
