from milestone_automation.engine.base import indexes
from milestone_automation.engine.base.child_rows import RowOfDocument


class MilestonePlanStage(RowOfDocument):
	"""A stage of a plan. The engine changes it; users can change its key date in the plan's form."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.
	# end: auto-generated types


def on_doctype_update():
	"""Create the table's indexes after its DocType was synced."""
	indexes.ensure("Milestone Plan Stage")
