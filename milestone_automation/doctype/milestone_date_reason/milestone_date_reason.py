from frappe.model.document import Document


class MilestoneDateReason(Document):
	"""A reason for a new date that the site offers; a row of Milestone Settings."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.
	# end: auto-generated types
