"""Child rows that can only be changed by saving their document, whose controller checks them."""

import frappe
from frappe import _

from milestone_automation.engine.base.plain_text import PlainTextDocument


class RowOfDocument(PlainTextDocument):
	"""A child row that refuses to be saved or deleted on its own, without the checks of its document.

	Neither event runs when the document is saved or deleted with its rows.
	"""

	def validate(self):
		"""Refuse to save a single row."""
		self._refuse()

	def on_trash(self):
		"""Refuse to delete a single row."""
		self._refuse()

	def _refuse(self):
		frappe.throw(
			_(
				"This row belongs to {0} {1} and cannot be saved or deleted on its own. Change it there."
			).format(_(self.parenttype), self.parent),
			title=_("Cannot Be Changed Here"),
		)
