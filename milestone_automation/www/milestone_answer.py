"""Page behind the buttons of a prompt. Opening it changes nothing; see `links/answer_page.py`."""

import frappe

from milestone_automation.links import answer_page, link_page

no_cache = 1
sitemap = 0


def get_context(context):
	"""Complete the context of the page, after acting on a POST."""
	is_post = bool(frappe.request) and frappe.request.method == "POST"
	context.page = answer_page.answer_page(dict(frappe.form_dict), is_post)
	link_page.complete_context(context)
