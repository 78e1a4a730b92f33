from milestone_automation.engine.base.typed_document import TypedDocument


class MilestoneFollowUp(TypedDocument):
	"""Work that a save has left for later; the row goes when the work is done. Written by the engine only."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		arguments: DF.Code | None
		work: DF.Data
	# end: auto-generated types
