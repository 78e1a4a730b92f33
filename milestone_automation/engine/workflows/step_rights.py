"""What keeps the session user's next steps from documents, as sentences that several actions share."""

from collections.abc import Iterator

import frappe
from frappe import _


def write_problems(doctype: str) -> Iterator[str]:
	"""Yield that the session user may not write documents of a DocType."""
	if not frappe.has_permission(doctype, "write"):
		yield _(
			"You may not write documents of {0}, so no next step of yours can. Ask somebody who may."
		).format(_(doctype))


def submit_problems(doctype: str) -> Iterator[str]:
	"""Yield that documents of a DocType cannot be submitted, or not by the session user."""
	if not frappe.get_meta(doctype).is_submittable:
		yield _("Documents of {0} cannot be submitted.").format(_(doctype))
	elif not frappe.has_permission(doctype, "submit"):
		yield _(
			"You may not submit documents of {0}, so no next step of yours can. Ask somebody who may."
		).format(_(doctype))
