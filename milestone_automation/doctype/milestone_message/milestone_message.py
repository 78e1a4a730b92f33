from frappe.model.document import Document


class MilestoneMessage(Document):
	pass
