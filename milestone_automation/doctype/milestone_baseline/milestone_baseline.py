import frappe
from frappe import _
from frappe.utils import now_datetime

from milestone_automation.engine.base.typed_document import TypedDocument
from milestone_automation.engine.people import rights


class MilestoneBaseline(TypedDocument):
	"""A moment with a name: reports compare the key dates of then with those of now."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		baseline_name: DF.Data
		plan: DF.Link | None
		taken_on: DF.Datetime | None
		workflow: DF.Link | None
	# end: auto-generated types

	def before_insert(self):
		"""Set the moment: a baseline is always of now."""
		self.taken_on = now_datetime()

	def validate(self):
		"""Refuse a baseline of nothing, or of a plan the user may not read; put back a moment that was changed.

		Raises:
			frappe.MandatoryError: it has neither a plan nor a workflow.
			frappe.PermissionError: it is new, and the user may not read its plan.
		"""
		if self.plan:
			self._check_plan()
		elif not self.workflow:
			frappe.throw(_("Choose a workflow or a plan."), frappe.MandatoryError)
		if not self.is_new():
			self.taken_on = self.get_db_value("taken_on")

	def _check_plan(self):
		if self.is_new():
			plan = rights.readable_document("Milestone Plan", self.plan)
		else:
			plan = frappe.get_doc("Milestone Plan", self.plan)
		self.workflow = plan.workflow
