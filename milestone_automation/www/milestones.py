"""What is open for somebody from outside, in all documents; see `links/portal_page.py`."""

from milestone_automation.engine.people.signed_links import Purpose
from milestone_automation.links import link_page, portal_page

no_cache = 1
sitemap = 0


def get_context(context):
	"""Complete the context of the page, after acting on a POST.

	Args:
		context: Frappe's, filled in place: `page` is what the template shows.
	"""
	link_page.show(context, portal_page.portal_page, Purpose.PERSON)
