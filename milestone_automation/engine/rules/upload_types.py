"""Types of files that people from outside may attach."""

# A browser would run what is in them, in the name of whoever opens them; a computer would run the rest.
NEVER = frozenset(
	[
		"htm",
		"html",
		"xht",
		"xhtml",
		"shtml",
		"mht",
		"mhtml",
		"svg",
		"svgz",
		"xml",
		"xsl",
		"xslt",
		"rdf",
		"js",
		"mjs",
		"cjs",
		"swf",
		"hta",
		"wasm",
		"bat",
		"cmd",
		"com",
		"dll",
		"exe",
		"jar",
		"jse",
		"msi",
		"php",
		"pl",
		"ps1",
		"py",
		"scr",
		"sh",
		"vbe",
		"vbs",
		"wsf",
	]
)


def listed(text: str | None) -> list[str]:
	"""Return the endings that a text lists, separated by commas or white space: in lower case, without dot, each once.

	Args:
		text: for example "pdf, .JPG"; None for none.
	"""
	parts = (text or "").replace(",", " ").split()
	return list(dict.fromkeys(part.strip(".").lower() for part in parts if part.strip(".")))


def allowed(text: str | None) -> list[str]:
	"""Return the endings among those that a text lists which may be attached.

	Args:
		text: as in `listed`.

	Returns:
		list: in the order of the text, without those in `NEVER`.
	"""
	return [one for one in listed(text) if one not in NEVER]
