from frappe.model.document import Document


class MilestoneTrackerField(Document):
	"""A further field that a tracker records."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.
	# end: auto-generated types
