from frappe.model.document import Document


class MilestoneWorkflow(Document):
	pass
