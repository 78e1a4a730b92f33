from milestone_automation.engine.base import indexes
from milestone_automation.engine.base.child_rows import RowOfDocument


class MilestoneTaskAssignee(RowOfDocument):
	"""An assignee of a task. Rows are added and removed by the engine and by the task's to-dos only."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.
	# end: auto-generated types


def on_doctype_update():
	"""Create the table's indexes after its DocType was synced."""
	indexes.ensure("Milestone Task Assignee")
