from milestone_automation.engine.child_rows import RowOfDocument


class MilestoneWorkflowStage(RowOfDocument):
	"""A stage of a workflow; saved with it, so that its checks run and its version counts."""
