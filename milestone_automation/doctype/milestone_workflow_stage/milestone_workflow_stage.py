from frappe.model.document import Document


class MilestoneWorkflowStage(Document):
	pass
