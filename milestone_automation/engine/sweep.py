"""Finds due work and does it."""


def request(plan: str) -> None:
	"""Ask for a sweep of one plan once the transaction is committed."""
