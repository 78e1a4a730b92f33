from milestone_automation.engine.base import indexes
from milestone_automation.engine.base.child_rows import RowOfDocument


class MilestonePlanStage(RowOfDocument):
	"""A stage of one plan. It changes through the engine, its key date also in the plan's form."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.
	# end: auto-generated types


def on_doctype_update():
	indexes.ensure("Milestone Plan Stage")
