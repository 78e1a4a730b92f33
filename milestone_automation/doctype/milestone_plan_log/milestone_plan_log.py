from frappe.model.document import Document

from milestone_automation.engine.base import indexes


class MilestonePlanLog(Document):
	"""An event of a plan, besides date changes and milestones. Written by the engine and never changed."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.
	# end: auto-generated types


def on_doctype_update():
	"""Create the table's indexes after its DocType was synced."""
	indexes.ensure("Milestone Plan Log")
