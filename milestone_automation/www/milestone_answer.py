"""Page behind the buttons of a prompt. Opening it changes nothing; see `engine/link_pages.py`."""

import frappe

from milestone_automation.links import answer_page, link_page

no_cache = 1
sitemap = 0


def get_context(context):
	"""Fill the page that asks whether a milestone is reached."""
	is_post = bool(frappe.request) and frappe.request.method == "POST"
	context.page = answer_page.answer_page(dict(frappe.form_dict), is_post)
	link_page.complete_context(context)
