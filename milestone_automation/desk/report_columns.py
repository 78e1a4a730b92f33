"""Columns of reports, said once."""

from frappe import _

DAY = 24 * 60 * 60


def column(
	label: str, fieldname: str, fieldtype: str = "Data", options: str | None = None, width: int = 120
) -> dict:
	"""Return a column as Frappe's reports have it; the label is translated already."""
	made = {"label": label, "fieldname": fieldname, "fieldtype": fieldtype, "width": width}
	return made | ({"options": options} if options else {})


def document_columns() -> list[dict]:
	"""Return the columns that name a document: its type, hidden, and a link to it."""
	return [
		# Not a Link: Frappe would look for the reader's right to read DocTypes.
		column(_("Document Type"), "reference_type", width=0) | {"hidden": 1},
		column(_("Document"), "reference_name", "Dynamic Link", "reference_type", 160),
	]


def days(label: str, fieldname: str, width: int = 100) -> dict:
	"""Return a column of days with one decimal."""
	return column(label, fieldname, "Float", width=width) | {"precision": 1}


def count(label: str, fieldname: str, width: int = 90) -> dict:
	"""Return a column of whole numbers."""
	return column(label, fieldname, "Int", width=width)


def percent(label: str, fieldname: str, width: int = 90) -> dict:
	"""Return a column of percentages."""
	return column(label, fieldname, "Percent", width=width)


def in_days(seconds: float | None) -> float | None:
	"""Return seconds as days; None for none."""
	return None if seconds is None else seconds / DAY
