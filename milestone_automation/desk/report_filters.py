"""Filters of reports, parsed and checked before any query."""

from collections.abc import Callable
from datetime import date
from functools import wraps

import frappe
from frappe import _

from milestone_automation.engine.base import parsing
from milestone_automation.engine.people import rights
from milestone_automation.engine.people.acting_as import acting_as
from milestone_automation.engine.review import baselines, scope
from milestone_automation.engine.review.plan_stages import PlanFilter

# Highest tolerance, in days.
MAX_DAYS = 3650


# Whom a mailed report is for, see `desk.weekly_mail`.
READER = "for_user"


def for_its_reader(execute: Callable) -> Callable:
	"""Decorate a report's `execute`: in a mail, which Frappe makes as Administrator, it counts what the mail's user may read.

	Args:
		execute: of a report; takes its filters.

	Returns:
		Callable: acts as the user in the filter `for_user`.

	Raises:
		frappe.PermissionError: when it runs, and somebody asks for what another user may read.
	"""

	@wraps(execute)
	def run(filters=None):
		reader = ReportFilters(filters).text(READER)
		if not reader or reader == frappe.session.user:
			return execute(filters)
		if not rights.sees_everything():
			frappe.throw(_("You may see your own summary only."), frappe.PermissionError)
		with acting_as(reader):
			return execute(filters)

	return run


class ReportFilters:
	"""Filters of one report; each method returns one, or raises frappe.ValidationError."""

	def __init__(self, filters: dict | str | None):
		"""Create the filters from a dict, its JSON, or None.

		Args:
			filters: as Frappe hands them to a report.

		Raises:
			frappe.ValidationError: they are no JSON object.
		"""
		try:
			values = parsing.as_json(filters) if filters else {}
		except ValueError:
			values = None
		if not isinstance(values, dict):
			frappe.throw(_("The filters of a report are a JSON object: a value for each name."))
		self._values = values

	def text(self, name: str) -> str | None:
		"""Return a text, or None if it is empty.

		Args:
			name: of the filter.

		Raises:
			frappe.ValidationError: it is no text, or too long for a name.
		"""
		value = self._values.get(name)
		if value is None or value == "":
			return None
		try:
			return (
				parsing.as_text(str(value) if isinstance(value, int) else value, parsing.NAME_LENGTH) or None
			)
		except ValueError:
			self._refuse(name)

	def choice(self, name: str, choices, default: str) -> str:
		"""Return one of the allowed values, or the default if it is empty.

		Args:
			name: of the filter.
			choices: the allowed values.
			default: the one for an empty filter.

		Raises:
			frappe.ValidationError: it is none of them.
		"""
		value = self.text(name) or default
		if value not in choices:
			frappe.throw(
				_("{0} is not a valid option. Choose one of: {1}.").format(
					frappe.utils.escape_html(value), ", ".join(choices)
				)
			)
		return value

	def day(self, name: str) -> date | None:
		"""Return a date, or None if it is empty.

		Args:
			name: of the filter, an ISO date.

		Raises:
			frappe.ValidationError: it is no date.
		"""
		value = self._values.get(name)
		if not value:
			return None
		try:
			return parsing.as_date(value)
		except (ValueError, TypeError):
			self._refuse(name)

	def days(self, name: str) -> int:
		"""Return a number of days from 0 to `MAX_DAYS`.

		Args:
			name: of the filter; 0 where it is empty.

		Raises:
			frappe.ValidationError: it is no whole number, or out of bounds.
		"""
		try:
			return parsing.as_integer(self._values.get(name) or 0, 0, MAX_DAYS)
		except (TypeError, ValueError, OverflowError):
			self._refuse(name)

	def flag(self, name: str) -> bool:
		"""Return whether a checkbox is set.

		Args:
			name: of the filter; what is not understood counts as not set.
		"""
		return str(self._values.get(name) or "0") in ("1", "True", "true")

	def period(self, first: str = "from_date", last: str = "to_date") -> tuple[date | None, date | None]:
		"""Return first and last date of the period; None for no limit.

		Args:
			first, last: names of the filters.

		Raises:
			frappe.ValidationError: the period ends before it begins.
		"""
		start, end = self.day(first), self.day(last)
		if start and end and start > end:
			frappe.throw(_("The period ends before it begins. Choose another From or To date."))
		return start, end

	def scope(self) -> scope.Scope:
		"""Return which milestones count, for a report on a tracked field.

		Raises:
			frappe.MandatoryError: DocType or field is not chosen.
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

	def baseline(self) -> baselines.Baseline | None:
		"""Return the baseline to compare with; None where none is chosen.

		Raises:
			frappe.DoesNotExistError: there is none of this name for the user.
		"""
		name = self.text("baseline")
		if not name:
			return None
		return baselines.find(name) or frappe.throw(
			_("There is no such baseline. Choose another one."), frappe.DoesNotExistError
		)

	def _refuse(self, name: str):
		frappe.throw(_("The filter {0} has an invalid value. Choose another one.").format(name))
