from frappe.model.document import Document


class MilestoneWorkflowTask(Document):
	pass
