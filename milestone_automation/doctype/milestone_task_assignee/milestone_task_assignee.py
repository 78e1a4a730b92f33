from milestone_automation.engine.base import indexes
from milestone_automation.engine.base.child_rows import RowOfDocument


class MilestoneTaskAssignee(RowOfDocument):
	"""One of the people a task is for. Rows come and go through the engine and the task's to-dos only."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.
	# end: auto-generated types


def on_doctype_update():
	indexes.ensure("Milestone Task Assignee")
