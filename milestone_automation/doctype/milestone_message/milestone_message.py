from frappe.model.document import Document

from milestone_automation.engine.base import indexes


class MilestoneMessage(Document):
	pass


def on_doctype_update():
	"""Make the indexes. Frappe calls this after each change of the schema."""
	indexes.ensure("Milestone Message")
