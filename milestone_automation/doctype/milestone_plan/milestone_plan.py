from frappe.model.document import Document


class MilestonePlan(Document):
	pass
