"""Page of one task behind the links of its mails. Opening it changes nothing; see `engine/link_pages.py`."""

import frappe

from milestone_automation.engine import link_pages

no_cache = 1
sitemap = 0


def get_context(context):
	is_post = bool(frappe.request) and frappe.request.method == "POST"
	context.page = link_pages.task_page(dict(frappe.form_dict), is_post)
	link_pages.complete_context(context)
