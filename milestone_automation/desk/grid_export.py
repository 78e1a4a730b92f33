"""The grid as a file for spreadsheets."""

import base64
import csv
import io

import frappe
from frappe import _
from frappe.permissions import can_export
from frappe.utils.xlsxutils import make_xlsx

from milestone_automation.desk import grid
from milestone_automation.engine.history.log_marks import guarded, printable

FORMATS = ("xlsx", "csv")
# More take too long for one request.
MOST_DOCUMENTS = 5_000
DATES = ("planned_date", "key_date", "reached_on", "forecast_date")


def export(view: grid.View, file_format: str) -> dict:
	"""Return the documents of a grid as a file; no cell is taken for a formula.

	Args:
		view: which documents.
		file_format: "xlsx" or "csv".

	Returns:
		dict: `file_name`, and `content` in base64.

	Raises:
		frappe.PermissionError: the user may not export plans.
		frappe.ValidationError: there are too many documents, or none.
	"""
	can_export("Milestone Plan", raise_exception=True)
	grid_data = grid.grid(view, limit=MOST_DOCUMENTS)
	if grid_data["total"] > MOST_DOCUMENTS:
		frappe.throw(
			_("These are {0} documents; at most {1} can be exported at once. Set a filter.").format(
				grid_data["total"], MOST_DOCUMENTS
			)
		)
	if not grid_data["rows"]:
		frappe.throw(_("There is nothing to export."))
	table = [_head(grid_data["columns"]), *(_line(row) for row in grid_data["rows"])]
	content = _as_csv(table) if file_format == "csv" else make_xlsx(table, _("Grid")).getvalue()
	return {
		"file_name": f"{frappe.scrub(view.workflow)}.{file_format}",
		"content": base64.b64encode(content).decode(),
	}


def _head(columns: list[str]) -> list[str]:
	names = [_("Document"), _("Title"), _("Status"), _("Health")]
	labels = [_("Planned"), _("Current"), _("Actual"), _("Forecast"), _("Health")]
	names += [f"{stage}: {label}" for stage in columns for label in labels]
	return [_text(name) for name in names]


def _line(row: dict) -> list:
	line = [
		_text(row.get("reference_name")),
		_text(row.get("title")),
		_word(row.get("status")),
		_word(row.get("health")),
	]
	for cell in row["cells"]:
		line += _values(cell or {})
	return line


def _values(cell: dict) -> list:
	planned = cell.get("planned_date") or cell.get("key_date")
	dates = [planned, *(cell.get(name) for name in DATES[1:])]
	return [*dates, _word(cell.get("health"))]


def _word(text: str | None) -> str:
	return _(text) if text else ""


def _text(text: str | None) -> str:
	return guarded(printable(str(text or "")))


def _as_csv(table: list[list]) -> bytes:
	file = io.StringIO(newline="")
	csv.writer(file).writerows(table)
	# Spreadsheets take a file without a byte order mark for another encoding.
	return file.getvalue().encode("utf-8-sig")
