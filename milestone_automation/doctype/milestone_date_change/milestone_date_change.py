from frappe.model.document import Document

from milestone_automation.engine.base import indexes


class MilestoneDateChange(Document):
	"""A slip: one change of a stage's key date. Written by the engine, changed by nobody."""


def on_doctype_update():
	"""Make the indexes. Frappe calls this after each change of the schema."""
	indexes.ensure("Milestone Date Change")
