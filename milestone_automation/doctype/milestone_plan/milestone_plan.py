import frappe
from frappe import _

from milestone_automation.engine.base.save_state import Mark, mark, marked
from milestone_automation.engine.base import indexes, values
from milestone_automation.engine.base.typed_document import TypedDocument
from milestone_automation.engine.plans import ending, starting
from milestone_automation.engine.store import sums


class MilestonePlan(TypedDocument):
	"""A workflow applied to one document. The engine changes it; users move dates in the panel, with a reason."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF
		from milestone_automation.milestone_automation.doctype.milestone_plan_stage.milestone_plan_stage import (
			MilestonePlanStage,
		)

		amended_from: DF.Link | None
		completed_actions: DF.Code | None
		completed_actions_by: DF.Link | None
		created_from: DF.Date | None
		current_stage: DF.Data | None
		document_created_on: DF.Datetime | None
		earlier_tasks_block: DF.Check
		escalate_after_days: DF.Int
		escalation_role: DF.Link | None
		gate_failed_on: DF.Datetime | None
		health: DF.Literal["On Track", "At Risk", "Blocked", "Late", "Skipped", "On Hold", "Done"]
		hold_reason: DF.SmallText | None
		imported_documents: DF.Literal["Refuse", "Accept as Reached"]
		later_stages: DF.Literal["Shift Too", "Keep Order", "Ask"]
		new_documents: DF.Literal["Refuse", "Accept as Reached"]
		next_check: DF.Date | None
		next_date: DF.Date | None
		on_hold_since: DF.Date | None
		owners_propose: DF.Check
		plan_key: DF.Data | None
		quiet_before: DF.Date | None
		reached_in_order: DF.Check
		reference_name: DF.DynamicLink
		reference_type: DF.Link
		shown_fields: DF.SmallText | None
		shown_fields_by: DF.Link | None
		snapshot: DF.Code | None
		stages: DF.Table[MilestonePlanStage]
		status: DF.Literal["Active", "Completed", "Cancelled"]
		supplier_field: DF.Data | None
		team_group: DF.Link | None
		team_role: DF.Link | None
		title: DF.Data | None
		workflow: DF.Link
		workflow_version: DF.Int
	# end: auto-generated types

	def before_insert(self):
		"""Check a plan that a user creates, and fill it in from its workflow."""
		if not marked(self, Mark.CARRIED_OVER):
			self.check_document()
			self.check_is_only_one()
			starting.fill_from_workflow(self)
		starting.detach_rows(self)

	def check_document(self):
		"""Refuse a document that does not exist or cannot have a plan from this workflow.

		Raises:
			frappe.ValidationError: it does not exist, or the workflow is not for it, see `starting.check_can_start`.
		"""
		if not frappe.db.exists(self.reference_type, self.reference_name):
			frappe.throw(
				_("{0} {1} does not exist. Choose an existing document.").format(
					_(self.reference_type), self.reference_name
				)
			)
		if not marked(self, Mark.REFERENCE_DOC):
			# Created by a user; the engine has checked the document and passes it along.
			mark(self, Mark.REFERENCE_DOC, frappe.get_doc(self.reference_type, self.reference_name))
			starting.check_can_start(marked(self, Mark.REFERENCE_DOC), self.workflow)

	def check_is_only_one(self):
		"""Refuse a second plan of a document; a cancelled one is replaced.

		Raises:
			frappe.UniqueValidationError: it has a plan that is not cancelled.
		"""
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
		if not marked(self, Mark.CARRIED_OVER):
			starting.make_tasks(self)

	def validate(self):
		"""Refuse changes of a plan that only the engine may make."""
		if not self.is_new():
			self.keep_fields()
			self.keep_rows()

	def keep_fields(self):
		"""Refuse changes of the plan's own fields: the engine also cancels tasks, asks the gate and writes the log.

		Raises:
			frappe.ValidationError: names what was changed, and says what to do instead.
		"""
		before = self.get_doc_before_save()
		# The form may be older than the last sweep, which does not change the time stamp.
		self.update({fieldname: before.get(fieldname) for fieldname in sums.SUMS})
		changed_labels = [
			_(field.label)
			for field in self.meta.fields
			if field.fieldname != "stages"
			and not values.is_same(before.get(field.fieldname), self.get(field.fieldname), field.fieldtype)
		]
		if changed_labels:
			frappe.throw(
				_(
					"{0} of a milestone plan cannot be changed here. Cancel the plan and start another one, or change its workflow and move the plan to the new version."
				).format(", ".join(changed_labels)),
				title=_("Cannot Be Changed Here"),
			)

	def keep_rows(self):
		"""Refuse changes of stages. Only the engine moves a key date: it asks for a reason and moves what belongs to it.

		Raises:
			frappe.ValidationError: rows were added, removed or moved, or a key date was changed.
		"""
		before = self.get_doc_before_save()
		new_dates = {row.name: row.key_date for row in self.stages}
		if [row.name for row in self.stages] != [row.name for row in before.stages]:
			frappe.throw(
				_(
					"The milestones of a running plan come from its workflow. Move the plan to a new version instead."
				)
			)
		moved_stages = [
			row.stage_name
			for row in before.stages
			if not values.is_same(row.key_date, new_dates[row.name], "Date")
		]
		if moved_stages:
			frappe.throw(
				_(
					"The key date of {0} cannot be changed in the plan. Choose Reschedule: it asks for a reason and moves tasks and later milestones too."
				).format(", ".join(moved_stages)),
				title=_("Cannot Be Changed Here"),
			)

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
