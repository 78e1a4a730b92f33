"""The titles of plans and tasks that a form of ours links to: Frappe's forms show them in place of the row's name."""

import frappe

from milestone_automation.engine.people import rights

# Named by a hash; the field with the words that people know them by.
TITLED = {"Milestone Plan": "title", "Milestone Task": "title"}


def send(doc, method=None) -> None:
	"""Hook: send the titles along with a form of ours.

	The DocTypes do not show titles in links by themselves: Frappe 15 would join the linked row to every list, without asking
	for rights.

	Args:
		doc: the document of the form.
		method: onload.
	"""
	links = [(field.options, doc.get(field.fieldname)) for field in doc.meta.get_link_fields()]
	titles = {
		f"{doctype}::{name}": frappe.db.get_value(doctype, name, TITLED[doctype])
		for doctype, name in links
		if name and doctype in TITLED and rights.can_read_document(doctype, name)
	}
	if titles:
		frappe.local.response.setdefault("_link_titles", {}).update(titles)
