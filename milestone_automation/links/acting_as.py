"""Acting in the name of the person a signed link was made for."""

from collections.abc import Iterator
from contextlib import contextmanager

import frappe


@contextmanager
def acting_as(user: str) -> Iterator[None]:
	"""Inside, the session user is this one, with this one's rights; the session itself is not touched.

	For a reader of a mail whose signed link proves who they are. Not `frappe.set_user`, which would write the other
	user into the visitor's stored session.
	"""
	before = frappe.session.user
	_become(user)
	try:
		yield
	finally:
		_become(before)


def _become(user: str) -> None:
	frappe.session.user = user
	frappe.local.user_perms = None
	frappe.local.role_permissions = {}
