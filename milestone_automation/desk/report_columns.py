"""Columns of reports."""

from frappe import _

from milestone_automation.engine.base import languages

DAY = 24 * 60 * 60
NUMBER_TYPES = ("Check", "Float", "Int", "Percent")


def column(
	label: str, fieldname: str, fieldtype: str = "Data", options: str | None = None, width: int = 120
) -> dict:
	"""Return a column of a report.

	Args:
		label: translated label.
		fieldname, fieldtype, options: as in a DocType field.
		width: in pixels.

	Returns:
		dict: as Frappe's reports take it.
	"""
	definition = {"label": label, "fieldname": fieldname, "fieldtype": fieldtype, "width": width}
	if fieldtype not in NUMBER_TYPES:
		# Or Frappe's table takes a column that is empty in the first row for numbers, and knows no right-to-left.
		definition["align"] = "right" if languages.direction() == "rtl" else "left"
	return definition | ({"options": options} if options else {})


def document_columns() -> list[dict]:
	"""Return the columns of a document: its hidden DocType, and a link to it."""
	return [
		# Not a Link: Frappe would check that the user may read DocTypes.
		column(_("Document Type"), "reference_type", width=0) | {"hidden": 1},
		column(_("Document"), "reference_name", "Dynamic Link", "reference_type", 160),
	]


def forecast_columns() -> list[dict]:
	"""Return the columns of what is forecast of a milestone."""
	return [
		column(_("Forecast"), "forecast", "Date"),
		column(_("Forecast (80 %)"), "forecast_p80", "Date", width=140),
		percent(_("Chance to Meet the Key Date"), "chance", 130),
	]


def days(label: str, fieldname: str, width: int = 100) -> dict:
	"""Return a column of days with one decimal.

	Args:
		label: translated label.
		fieldname: of the rows, which have days as numbers, see `in_days`.
		width: in pixels.
	"""
	return column(label, fieldname, "Float", width=width) | {"precision": 1}


def count(label: str, fieldname: str, width: int = 90) -> dict:
	"""Return a column of whole numbers.

	Args:
		label, fieldname, width: as in `column`.
	"""
	return column(label, fieldname, "Int", width=width)


def percent(label: str, fieldname: str, width: int = 90) -> dict:
	"""Return a column of percentages with one decimal.

	Args:
		label, width: as in `column`.
		fieldname: of the rows, which have per cent from 0 to 100.
	"""
	return column(label, fieldname, "Percent", width=width) | {"precision": 1}


def in_days(seconds: float | None) -> float | None:
	"""Return seconds in days, or None for None.

	Args:
		seconds: a length of time.

	Returns:
		float: days of 24 hours.
	"""
	return None if seconds is None else seconds / DAY
