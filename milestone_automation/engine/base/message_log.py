"""The messages that a request has for its user: what is said of an error that is caught must not reach them."""

import frappe


def count() -> int:
	"""Return how many messages the request has so far."""
	return len(frappe.local.message_log or [])


def forget_after(number: int) -> None:
	"""Forget the messages that came later.

	Args:
		number: how many there were, as `count` said before.
	"""
	frappe.local.message_log = (frappe.local.message_log or [])[:number]
