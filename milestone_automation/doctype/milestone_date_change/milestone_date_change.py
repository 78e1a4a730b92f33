import frappe
from frappe.model.document import Document


class MilestoneDateChange(Document):
	"""A slip: one change of a stage's key date. Written by the engine, changed by nobody."""


def on_doctype_update():
	# What follows its document when that is renamed or deleted; lists by document.
	frappe.db.add_index("Milestone Date Change", ["reference_type", "reference_name"])
