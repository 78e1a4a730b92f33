"""Rows of tables, which are written together with their document only: its controller holds the checks."""

import frappe
from frappe import _
from frappe.model.document import Document


class RowOfDocument(Document):
	"""A row that Frappe would also save and delete by itself, past every check of the document it belongs to.

	Neither event runs when the document is saved or deleted with its rows.
	"""

	def validate(self):
		"""Refuse a save of the row by itself."""
		self._refuse()

	def on_trash(self):
		"""Refuse a deletion of the row by itself."""
		self._refuse()

	def _refuse(self):
		frappe.throw(
			_("This row belongs to {0} {1} and is not saved or deleted by itself. Change it there.").format(
				_(self.parenttype), self.parent
			),
			title=_("Not Changed by Saving"),
		)
