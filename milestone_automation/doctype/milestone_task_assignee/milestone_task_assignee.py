import frappe
from frappe.model.document import Document


class MilestoneTaskAssignee(Document):
	"""One of the people a task is for. Rows come and go through the engine and the task's to-dos only."""


def on_doctype_update():
	# Lists of tasks: those assigned to the reader.
	frappe.db.add_index("Milestone Task Assignee", ["user"])
