from milestone_automation.engine.base.child_rows import RowOfDocument


class MilestoneTrackerField(RowOfDocument):
	"""A further field that a tracker records."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		parent: DF.Data
		parentfield: DF.Data
		parenttype: DF.Data
		track_field: DF.Literal[None]
	# end: auto-generated types
