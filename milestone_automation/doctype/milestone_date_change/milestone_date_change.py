from frappe.model.document import Document

from milestone_automation.engine.base import indexes


class MilestoneDateChange(Document):
	"""A slip: one change of a stage's key date. Written by the engine, changed by nobody."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.
	# end: auto-generated types


def on_doctype_update():
	"""Create the table's indexes after its DocType was synced."""
	indexes.ensure("Milestone Date Change")
