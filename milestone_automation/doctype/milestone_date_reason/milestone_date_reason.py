from milestone_automation.engine.base.child_rows import RowOfDocument


class MilestoneDateReason(RowOfDocument):
	"""A reason for a new date that the site offers; a row of Milestone Settings."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		parent: DF.Data
		parentfield: DF.Data
		parenttype: DF.Data
		reason: DF.Data
	# end: auto-generated types
