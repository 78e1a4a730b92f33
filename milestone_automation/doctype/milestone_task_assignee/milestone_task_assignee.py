from frappe.model.document import Document


class MilestoneTaskAssignee(Document):
	pass
