from frappe.model.document import Document

from milestone_automation.engine.base import indexes


class MilestonePlanLog(Document):
	"""What happened to a plan besides dates and milestones. Written by the engine, changed by nobody."""


def on_doctype_update():
	"""Make the indexes. Frappe calls this after each change of the schema."""
	indexes.ensure("Milestone Plan Log")
