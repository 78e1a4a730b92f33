"""What a reader chose above a report, parsed to its type before anything is asked of the database."""

from datetime import date

import frappe
from frappe import _
from frappe.utils import getdate

from milestone_automation.engine.review import scope
from milestone_automation.engine.review.plan_stages import PlanFilter

# Days early or late that a reader may forgive.
MOST_DAYS = 3650


class ReportFilters:
	"""The filters of one report run. Each method returns one of them, or says what is wrong with it."""

	def __init__(self, filters: dict | str | None):
		"""Take the filters as Frappe hands them over: a dict, its JSON, or nothing."""
		given = frappe.parse_json(filters) if filters else {}
		self._given = given if isinstance(given, dict) else {}

	def text(self, name: str) -> str | None:
		"""Return a text; None for an empty one."""
		value = self._given.get(name)
		if value is None or value == "":
			return None
		if not isinstance(value, str | int) or len(str(value)) > 140 or "\0" in str(value):
			self._refuse(name)
		return str(value).strip() or None

	def choice(self, name: str, choices, default: str) -> str:
		"""Return one of some values."""
		value = self.text(name) or default
		if value not in choices:
			frappe.throw(
				_("{0} is not a valid option. Choose one of: {1}.").format(
					frappe.utils.escape_html(value), ", ".join(choices)
				)
			)
		return value

	def day(self, name: str) -> date | None:
		"""Return a date; None for an empty one."""
		value = self._given.get(name)
		if not value:
			return None
		try:
			return getdate(value)
		except Exception:
			self._refuse(name)

	def days(self, name: str) -> int:
		"""Return a whole number of days, 0 or more."""
		try:
			value = int(self._given.get(name) or 0)
		except (TypeError, ValueError):
			self._refuse(name)
		return value if 0 <= value <= MOST_DAYS else self._refuse(name)

	def flag(self, name: str) -> bool:
		"""Return whether a box is ticked."""
		return str(self._given.get(name) or "0") in ("1", "True", "true")

	def period(self) -> tuple[date | None, date | None]:
		"""Return the first and the last day of a period; each None for no limit."""
		start, end = self.day("from_date"), self.day("to_date")
		if start and end and start > end:
			frappe.throw(_("The period ends before it begins. Choose another From or To date."))
		return start, end

	def scope(self) -> scope.Scope:
		"""Return which milestones count, for a report on a tracked field.

		Raises:
			frappe.PermissionError: the reader may see no document of the DocType.
		"""
		doctype, fieldname = self.text("document_type"), self.text("track_field")
		if not doctype or not fieldname:
			frappe.throw(_("Choose a document type and a tracked field."), frappe.MandatoryError)
		start, end = self.period()
		return scope.of_reader(doctype, fieldname, start, end)

	def plans(self, running_only: bool = False) -> PlanFilter:
		"""Return which plans count."""
		return PlanFilter(self.text("workflow"), self.text("reference_name"), running_only)

	def _refuse(self, name: str):
		frappe.throw(_("The filter {0} has a value it cannot have. Choose another one.").format(name))
