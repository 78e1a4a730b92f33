from milestone_automation.engine.base import indexes
from milestone_automation.engine.base.child_rows import RowOfDocument


class MilestoneTaskAssignee(RowOfDocument):
	"""One of the people a task is for. Rows come and go through the engine and the task's to-dos only."""


def on_doctype_update():
	"""Make the indexes. Frappe calls this after each change of the schema."""
	indexes.ensure("Milestone Task Assignee")
