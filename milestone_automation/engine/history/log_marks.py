"""What an event log of this app says beyond XES and CSV, so that a later import gives the same milestones.

Import and export share these names. A log that carries `FROM_VALUE` was written by an export.
"""

import re

FROM_VALUE = "milestone_from_value"
SECONDS_IN_PREVIOUS = "milestone_seconds_in_previous"
CLEARED = "milestone_cleared"
TRUE, FALSE = "true", "false"

# Spreadsheets run a cell that begins so; the wide signs count as narrow ones in some languages.
FORMULA = re.compile("^(?:'|\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20\t\r\n])")
GUARD = "'"

# Neither XML nor a CSV reader takes these characters.
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
REPLACEMENT = "\ufffd"


def guarded(text: str) -> str:
	"""Return a text as a CSV cell that no spreadsheet takes for a formula; `unguarded` gives the text back.

	Args:
		text: any text; one that begins with an apostrophe gets a second one, so that nothing is lost.
	"""
	return GUARD + text if FORMULA.match(text) else text


def unguarded(cell: str) -> str:
	"""Return the text of a cell that `guarded` wrote.

	Args:
		cell: a cell of a log with `FROM_VALUE`; in any other one an apostrophe may be the text's own.
	"""
	return cell.removeprefix(GUARD)


def printable(text: str) -> str:
	"""Return a text with U+FFFD for each character that XML and CSV cannot carry; this cannot be undone.

	Args:
		text: any text.
	"""
	return UNPRINTABLE.sub(REPLACEMENT, text)
