from frappe.model.document import Document

from milestone_automation.engine import indexes


class MilestonePlanStage(Document):
	pass


def on_doctype_update():
	indexes.ensure("Milestone Plan Stage")
