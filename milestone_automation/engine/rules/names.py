"""Names of milestones and titles of tasks as rows keep them, one per line. Pure rules, no site needed."""


def lines(text) -> list[str]:
	"""Return the names in a text with one per line, each once, in order.

	Args:
		text: the text; None for none.
	"""
	stripped = (line.strip() for line in str(text or "").splitlines())
	return list(dict.fromkeys(line for line in stripped if line))


def key(name) -> str:
	"""Return what two names have in common that are the same: case and spaces around do not count.

	Args:
		name: as a person wrote it; None for none.

	Returns:
		str: for comparing only, not to be shown.
	"""
	return str(name or "").strip().casefold()
