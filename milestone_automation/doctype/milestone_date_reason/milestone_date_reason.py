from frappe.model.document import Document


class MilestoneDateReason(Document):
	pass
