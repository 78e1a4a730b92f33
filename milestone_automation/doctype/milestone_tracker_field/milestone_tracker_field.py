from frappe.model.document import Document


class MilestoneTrackerField(Document):
	pass
