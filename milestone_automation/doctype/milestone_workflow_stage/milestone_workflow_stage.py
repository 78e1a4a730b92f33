from milestone_automation.engine.base.child_rows import RowOfDocument


class MilestoneWorkflowStage(RowOfDocument):
	"""A stage of a workflow. Saved with it only, so that it is checked and the version counts."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.
	# end: auto-generated types
