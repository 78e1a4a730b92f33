import frappe
from frappe.model.document import Document


class MilestonePlanLog(Document):
	"""What happened to a plan besides dates and milestones. Written by the engine, changed by nobody."""


def on_doctype_update():
	# What follows its document when that is renamed or deleted; lists by document.
	frappe.db.add_index("Milestone Plan Log", ["reference_type", "reference_name"])
