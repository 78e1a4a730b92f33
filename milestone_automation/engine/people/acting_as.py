"""Acting as another user within a request: the recipient of a signed link, the author of a next step that is tried."""

from collections.abc import Iterator
from contextlib import contextmanager

import frappe


@contextmanager
def acting_as(user: str) -> Iterator[None]:
	"""Run the block as another user, with that user's permissions, without changing the session.

	`frappe.set_user` would write the other user into the visitor's stored session.

	Args:
		user: whose rights count; the caller has proved that they may.
	"""
	visitor = frappe.session.user
	_become(user)
	try:
		yield
	finally:
		_become(visitor)


def _become(user: str) -> None:
	frappe.session.user = user
	frappe.local.user_perms = None
	frappe.local.role_permissions = {}
	# Defaults of new documents are each user's own.
	frappe.local.new_doc_templates = {}
