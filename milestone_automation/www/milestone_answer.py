"""Page behind the buttons of a prompt. Opening it changes nothing; see `links/answer_page.py`."""

from milestone_automation.engine.people.signed_links import Purpose
from milestone_automation.links import answer_page, link_page

no_cache = 1
sitemap = 0


def get_context(context):
	"""Complete the context of the page, after acting on a POST.

	Args:
		context: Frappe's, filled in place: `page` is what the template shows.
	"""
	link_page.show(context, answer_page.answer_page, Purpose.ANSWER)
