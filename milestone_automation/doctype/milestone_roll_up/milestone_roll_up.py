from milestone_automation.engine.base.typed_document import TypedDocument


class MilestoneRollUp(TypedDocument):
	"""The times in each value over a range of days, added up; or a note that a day has changed. Written by the engine only."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		first_day: DF.Date
		last_day: DF.Date
		numbers: DF.Code | None
		reference_type: DF.Link
		track_field: DF.Data
	# end: auto-generated types
