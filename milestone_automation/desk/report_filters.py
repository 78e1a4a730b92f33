"""Filters of reports, parsed and checked before any query."""

from datetime import date

import frappe
from frappe import _
from frappe.utils import getdate

from milestone_automation.engine.review import scope
from milestone_automation.engine.review.plan_stages import PlanFilter

# Highest tolerance, in days.
MAX_DAYS = 3650


class ReportFilters:
	"""Filters of one report; each method returns one, or raises frappe.ValidationError."""

	def __init__(self, filters: dict | str | None):
		"""Create the filters from a dict, its JSON, or None."""
		values = frappe.parse_json(filters) if filters else {}
		self._values = values if isinstance(values, dict) else {}

	def text(self, name: str) -> str | None:
		"""Return a text, or None if it is empty."""
		value = self._values.get(name)
		if value is None or value == "":
			return None
		if not isinstance(value, str | int) or len(str(value)) > 140 or "\0" in str(value):
			self._refuse(name)
		return str(value).strip() or None

	def choice(self, name: str, choices, default: str) -> str:
		"""Return one of the allowed values, or the default if it is empty."""
		value = self.text(name) or default
		if value not in choices:
			frappe.throw(
				_("{0} is not a valid option. Choose one of: {1}.").format(
					frappe.utils.escape_html(value), ", ".join(choices)
				)
			)
		return value

	def day(self, name: str) -> date | None:
		"""Return a date, or None if it is empty."""
		value = self._values.get(name)
		if not value:
			return None
		try:
			return getdate(value)
		except Exception:
			self._refuse(name)

	def days(self, name: str) -> int:
		"""Return a number of days from 0 to `MAX_DAYS`."""
		try:
			value = int(self._values.get(name) or 0)
		except (TypeError, ValueError):
			self._refuse(name)
		return value if 0 <= value <= MAX_DAYS else self._refuse(name)

	def flag(self, name: str) -> bool:
		"""Return whether a checkbox is set."""
		return str(self._values.get(name) or "0") in ("1", "True", "true")

	def period(self) -> tuple[date | None, date | None]:
		"""Return first and last date of the period; None for no limit."""
		start, end = self.day("from_date"), self.day("to_date")
		if start and end and start > end:
			frappe.throw(_("The period ends before it begins. Choose another From or To date."))
		return start, end

	def scope(self) -> scope.Scope:
		"""Return which milestones count, for a report on a tracked field.

		Raises:
			frappe.PermissionError: the user may read no document of the DocType.
		"""
		doctype, fieldname = self.text("document_type"), self.text("track_field")
		if not doctype or not fieldname:
			frappe.throw(_("Choose a document type and a tracked field."), frappe.MandatoryError)
		start, end = self.period()
		return scope.of_reader(doctype, fieldname, start, end)

	def plans(self, running_only: bool = False) -> PlanFilter:
		"""Return which plans count.

		Args:
			running_only: count active plans only.
		"""
		return PlanFilter(self.text("workflow"), self.text("reference_name"), running_only)

	def _refuse(self, name: str):
		frappe.throw(_("The filter {0} has an invalid value. Choose another one.").format(name))
