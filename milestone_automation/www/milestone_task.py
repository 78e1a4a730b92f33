"""Page of one task behind the links of its mails. Opening it changes nothing; see `links/task_page.py`."""

import frappe

from milestone_automation.links import link_page, task_page

no_cache = 1
sitemap = 0


def get_context(context):
	"""Complete the context of the page, after acting on a POST."""
	is_post = bool(frappe.request) and frappe.request.method == "POST"
	context.page = task_page.task_page(dict(frappe.form_dict), is_post)
	link_page.complete_context(context)
