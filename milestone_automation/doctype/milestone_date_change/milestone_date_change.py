from frappe.model.document import Document


class MilestoneDateChange(Document):
	pass
