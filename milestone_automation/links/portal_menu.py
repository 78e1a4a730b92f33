"""The way to `/milestones` on the pages of the website, for website users of whom something is or was asked."""

import frappe
from frappe import _
from frappe.utils import escape_html

from milestone_automation.engine.base import compat, guard
from milestone_automation.engine.messages import letters
from milestone_automation.engine.people import rights
from milestone_automation.links import portal_page

# Every page of the website asks. Who is asked for something first has its own link by mail.
KEPT_FOR = 5 * 60  # seconds
KEY = "milestone_portal|{0}"
ACCOUNT_PAGE = "me"


def add(context) -> None:
	"""Hook: add the page to the menu of the account and to the sidebar of the portal, and on Frappe 16 to the account's page.

	Frappe's own portal menu is by role; whoever has nothing there is not sent to an empty page.

	Args:
		context: of a page of the website, complete but for this.
	"""
	user = frappe.session.user
	if user == "Guest" or rights.is_desk_user(user):
		return
	if _has_something(user):
		url, label = f"/{letters.PORTAL_PAGE}", _("My Milestones")
		context["no_cache"] = 1  # Frappe keeps pages for everybody, and this entry is for some
		context["post_login"] = [{"label": label, "url": url}, *(context.get("post_login") or ())]
		context["sidebar_items"] = [*(context.get("sidebar_items") or ()), {"title": label, "route": url}]
		if context.get("path") == ACCOUNT_PAGE and not compat.account_page_has_menu():
			link = f'<div class="portal-footer"><a href="{url}">{escape_html(label)}</a></div>'
			context["banner_html"] = f"{context.get('banner_html') or ''}{link}"


def _has_something(user: str) -> bool:
	"""Tell whether there is something on the page of a user, as it was some minutes ago at most."""
	cache, key = compat.redis_cache(), KEY.format(user)
	is_filled = cache.get_value(key, expires=True)
	if is_filled is None:
		is_filled = bool(guard.run_guarded("Milestone portal menu", portal_page.has_something, user))
		cache.set_value(key, is_filled, expires_in_sec=KEPT_FOR)
	return is_filled
