from frappe.model.document import Document


class MilestoneTask(Document):
	pass
