import frappe
from frappe import _
from frappe.utils import getdate

from milestone_automation.engine.base import indexes, values
from milestone_automation.engine.base.typed_document import TypedDocument
from milestone_automation.engine.plans import ending, starting
from milestone_automation.engine.progress import rescheduling
from milestone_automation.engine.rules.vocabulary import DateChangeSource, StageStatus
from milestone_automation.engine.store import sums
from milestone_automation.engine.store.changing import changing


class MilestonePlan(TypedDocument):
	"""A workflow applied to one document. The engine changes it; users move dates here or in the panel."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF
		from milestone_automation.milestone_automation.doctype.milestone_plan_stage.milestone_plan_stage import (
			MilestonePlanStage,
		)

		amended_from: DF.Link | None
		created_from: DF.Date | None
		current_stage: DF.Data | None
		document_created_on: DF.Datetime | None
		escalate_after_days: DF.Int
		escalation_role: DF.Link | None
		gate_failed_on: DF.Datetime | None
		health: DF.Literal["On Track", "At Risk", "Blocked", "Late", "Done"]
		imported_documents: DF.Literal["Refuse", "Accept as Reached"]
		later_stages: DF.Literal["Shift Too", "Keep Order", "Ask"]
		new_documents: DF.Literal["Refuse", "Accept as Reached"]
		next_check: DF.Date | None
		next_date: DF.Date | None
		plan_key: DF.Data | None
		quiet_before: DF.Date | None
		reference_name: DF.DynamicLink
		reference_type: DF.Link
		snapshot: DF.Code | None
		stages: DF.Table[MilestonePlanStage]
		status: DF.Literal["Active", "Completed", "Cancelled"]
		strict_order: DF.Check
		supplier_field: DF.Data | None
		team_group: DF.Link | None
		team_role: DF.Link | None
		title: DF.Data | None
		workflow: DF.Link
		workflow_version: DF.Int
	# end: auto-generated types

	def before_insert(self):
		"""Check a plan that a user creates, and fill it in from its workflow."""
		if not self.flags.is_carried_over:
			self.check_document()
			self.check_is_only_one()
			starting.fill_from_workflow(self)
		starting.detach_rows(self)

	def check_document(self):
		"""Refuse a document that does not exist or cannot have a plan from this workflow."""
		if not frappe.db.exists(self.reference_type, self.reference_name):
			frappe.throw(
				_("{0} {1} does not exist. Choose an existing document.").format(
					_(self.reference_type), self.reference_name
				)
			)
		if not self.flags.reference_doc:
			# Created by a user; the engine has checked the document and passes it along.
			self.flags.reference_doc = frappe.get_doc(self.reference_type, self.reference_name)
			starting.check_can_start(self.flags.reference_doc, self.workflow)

	def check_is_only_one(self):
		"""Refuse a second plan of a document; a cancelled one is replaced."""
		if not starting.release_cancelled_plan(self.reference_type, self.reference_name):
			frappe.throw(
				_("{0} {1} has a milestone plan already. Cancel that one first.").format(
					_(self.reference_type), self.reference_name
				),
				frappe.UniqueValidationError,
			)

	def validate_amended_from(self):
		"""Skip Frappe's check for submitted documents: here the field names the plan of the amended document."""

	def after_insert(self):
		"""Insert the stages and tasks of a new plan."""
		starting.insert_rows(self)
		if not self.flags.is_carried_over:
			starting.make_tasks(self)

	def validate(self):
		"""Refuse changes of a plan that only the engine may make."""
		if not self.is_new():
			self.keep_fields()
			self.keep_rows()

	def keep_fields(self):
		"""Refuse changes of the plan's own fields: the engine also cancels tasks, asks the gate and writes the log."""
		before = self.get_doc_before_save()
		# The form may be older than the last sweep, which does not change the time stamp.
		self.update({fieldname: before.get(fieldname) for fieldname in sums.SUMS})
		changed = [
			_(field.label)
			for field in self.meta.fields
			if field.fieldname != "stages"
			and not values.is_same(before.get(field.fieldname), self.get(field.fieldname), field.fieldtype)
		]
		if changed:
			frappe.throw(
				_(
					"{0} of a milestone plan cannot be changed here. Cancel the plan and start another one, or change its workflow and move the plan to the new version."
				).format(", ".join(changed)),
				title=_("Cannot Be Changed Here"),
			)

	def keep_rows(self):
		"""Collect new key dates and refuse other changes of stages; the engine moves the dates and records them."""
		before = self.get_doc_before_save()
		old_rows = {row.name: row for row in before.stages}
		if [row.name for row in self.stages] != [row.name for row in before.stages]:
			frappe.throw(
				_(
					"The milestones of a running plan come from its workflow. Move the plan to a new version instead."
				)
			)
		self.flags.new_dates = {}
		for row in self.stages:
			new, old = row.key_date and getdate(row.key_date), old_rows[row.name].key_date
			if new != (old and getdate(old)):
				self.flags.new_dates[row.name] = new
			row.key_date = old

	def on_update(self):
		"""Move the key dates that were changed in the form."""
		if self.is_new() or not self.flags.new_dates:
			return
		new_dates, self.flags.new_dates = self.flags.new_dates, {}
		self.move_dates(new_dates)

	def move_dates(self, new_dates: dict):
		"""Move key dates.

		Args:
			new_dates: new key date by row name of the stage.
		"""
		with changing(self.name) as plan:
			for name, new in new_dates.items():
				self.move_date(plan, plan.stage(name), new)

	def move_date(self, plan, row, new):
		"""Move one key date of a plan that is being changed.

		Args:
			plan: the plan, locked.
			row: its stage.
			new: the new key date, or None.
		"""
		if row.status == StageStatus.REACHED:
			frappe.throw(
				_("{0} is reached, so its key date cannot be changed. Undo it first.").format(row.stage_name)
			)
		if new != (row.key_date and getdate(row.key_date)):
			rescheduling.move(plan, row, new, _("Changed in the plan."), DateChangeSource.FORM, by_hand=True)

	def update_children(self):
		"""Write the stages of a new plan only; the engine writes later changes, and only changed rows."""
		if self.is_new() or self.flags.in_insert:
			super().update_children()

	def on_trash(self):
		"""Delete tasks, date changes, messages and log of the plan."""
		ending.delete_parts(self.name)


def on_doctype_update():
	"""Create the table's indexes after its DocType was synced."""
	indexes.ensure("Milestone Plan")
