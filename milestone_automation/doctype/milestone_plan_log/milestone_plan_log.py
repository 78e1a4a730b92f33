from frappe.model.document import Document


class MilestonePlanLog(Document):
	pass
