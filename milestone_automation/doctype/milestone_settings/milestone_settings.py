from frappe.model.document import Document


class MilestoneSettings(Document):
	pass
