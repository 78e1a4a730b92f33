"""Child rows that can only be changed by saving their document, whose controller checks them."""

import frappe
from frappe import _

from milestone_automation.engine.base import compat
from milestone_automation.engine.base.plain_text import PlainTextDocument


class RowOfDocument(PlainTextDocument):
	"""A child row that refuses to be saved or deleted on its own, without the checks of its document.

	Neither event runs when the document is saved or deleted with its rows.
	"""

	def has_permission(self, permtype="read", *args, **kwargs):
		"""Tell whether the user may do something with the row: what they may do with its document, and no more.

		Frappe 15 and later ask only the roles where a row was read without its document.

		Args:
			permtype: what is asked for, such as "write".
			args, kwargs: as Frappe's; of `user` the documents are asked too, the session user by default.
		"""
		if self.flags.ignore_permissions:
			return True
		if not super().has_permission(permtype, *args, **kwargs):
			return False
		user = kwargs.get("user")
		return all(compat.may(doctype, permtype, name, user) for doctype, name in self._documents())

	def _documents(self) -> set[tuple[str, str]]:
		"""Return the documents the row belongs to: as it is stored, and as a request may claim."""
		stored = self.name and frappe.db.get_value(self.doctype, self.name, ["parenttype", "parent"])
		return {
			(doctype, name)
			for doctype, name in (stored or (None, None), (self.parenttype, self.parent))
			if doctype and name and frappe.db.exists(doctype, name)
		}

	def validate(self):
		"""Refuse to save a single row.

		Raises:
			frappe.ValidationError: always.
		"""
		self._refuse()

	def on_trash(self):
		"""Refuse to delete a single row.

		Raises:
			frappe.ValidationError: always.
		"""
		self._refuse()

	def _refuse(self):
		frappe.throw(
			_(
				"This row belongs to {0} {1} and cannot be saved or deleted on its own. Change it there."
			).format(_(self.parenttype), self.parent),
			title=_("Cannot Be Changed Here"),
		)
