from frappe.model.document import Document

from milestone_automation.engine import indexes


class MilestoneTaskAssignee(Document):
	"""One of the people a task is for. Rows come and go through the engine and the task's to-dos only."""


def on_doctype_update():
	indexes.ensure("Milestone Task Assignee")
