from frappe.model.document import Document

from milestone_automation.engine.base import indexes


class MilestoneMessage(Document):
	"""A message of a plan: who got it, why, and what became of it. Written by the sweep."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.
	# end: auto-generated types


def on_doctype_update():
	"""Create the table's indexes after its DocType was synced."""
	indexes.ensure("Milestone Message")
