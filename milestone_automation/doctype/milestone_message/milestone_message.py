from frappe.model.document import Document

from milestone_automation.engine.base import indexes


class MilestoneMessage(Document):
	pass


def on_doctype_update():
	indexes.ensure("Milestone Message")
