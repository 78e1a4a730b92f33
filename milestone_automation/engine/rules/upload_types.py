"""Types of files that people from outside may attach."""

# A browser would run what is in them, in the name of whoever opens them.
NEVER = frozenset(
	{"htm", "html", "xhtml", "shtml", "mht", "mhtml", "svg", "svgz", "xml", "xsl", "js", "mjs", "swf"}
)


def listed(text: str | None) -> list[str]:
	"""Return the endings that a text lists, separated by commas or white space: in lower case, without dot, each once."""
	parts = (text or "").replace(",", " ").split()
	return list(dict.fromkeys(part.strip(".").lower() for part in parts if part.strip(".")))


def allowed(text: str | None) -> list[str]:
	"""Return the endings among those that a text lists which may be attached."""
	return [one for one in listed(text) if one not in NEVER]
