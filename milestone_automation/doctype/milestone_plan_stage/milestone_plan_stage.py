from frappe.model.document import Document


class MilestonePlanStage(Document):
	pass
