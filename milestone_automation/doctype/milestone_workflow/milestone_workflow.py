from milestone_automation.engine.base.typed_document import TypedDocument
from milestone_automation.engine.plans import renaming
from milestone_automation.engine.workflows import authors, matching, stage_trackers, validation


class MilestoneWorkflow(TypedDocument):
	"""The template of plans: the stages of a DocType's documents, with their tasks."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF
		from milestone_automation.milestone_automation.doctype.milestone_workflow_stage.milestone_workflow_stage import (
			MilestoneWorkflowStage,
		)
		from milestone_automation.milestone_automation.doctype.milestone_workflow_task.milestone_workflow_task import (
			MilestoneWorkflowTask,
		)

		completed_actions: DF.Code | None
		completed_actions_by: DF.Link | None
		condition: DF.Code | None
		description: DF.SmallText | None
		document_filters: DF.Code | None
		document_type: DF.Link
		earlier_tasks_block: DF.Check
		enabled: DF.Check
		escalate_after_days: DF.Int
		escalation_role: DF.Link | None
		forecast_again_on: DF.Date | None
		forecast_up_to: DF.Datetime | None
		imported_documents: DF.Literal["Refuse", "Accept as Reached"]
		later_stages: DF.Literal["Shift Too", "Keep Order", "Ask"]
		new_documents: DF.Literal["Refuse", "Accept as Reached"]
		owners_propose: DF.Check
		priority: DF.Int
		reached_in_order: DF.Check
		shown_fields: DF.SmallText | None
		shown_fields_by: DF.Link | None
		stages: DF.Table[MilestoneWorkflowStage]
		supplier_field: DF.Data | None
		tasks: DF.Table[MilestoneWorkflowTask]
		team_group: DF.Link | None
		team_role: DF.Link | None
		version: DF.Int
		workflow_name: DF.Data
	# end: auto-generated types

	def before_insert(self):
		"""Refuse a name that Frappe cannot show safely."""
		validation.check_name(self.workflow_name)

	def validate(self):
		"""Check the workflow and count its version."""
		authors.stamp(self)
		if not validation.is_only_switched_off(self):
			validation.check_rights(self)
			validation.check_document_type(self)
			validation.tidy(self)
			if self.enabled:
				validation.check(self)
			else:
				validation.check_draft(self)
			validation.warn_of_repeated_values(self)
		validation.count_version(self)

	def on_update(self):
		"""Clear the cache, and have the fields that reach its stages recorded."""
		matching.clear()
		if self.enabled:
			stage_trackers.ensure(self)

	def on_trash(self):
		"""Refuse to delete a workflow that has plans."""
		validation.check_deletable(self)
		matching.clear()

	def after_delete(self):
		"""Clear the cache."""
		matching.clear()

	def before_rename(self, old, new, merge=False):
		"""Refuse to merge a workflow that has plans: its documents might be left without a workflow.

		Args:
			old, new: names of the workflow.
			merge: whether it is merged into the workflow `new`.

		Raises:
			frappe.NameError: the new name contains a double quote.
			frappe.ValidationError: it is to be merged and has plans.
		"""
		validation.check_name(new)
		if merge:
			validation.check_deletable(self)

	def after_rename(self, old, new, merge=False):
		"""Let next steps follow that start its plans, and clear the cache.

		Args:
			old, new: names of the workflow.
			merge: whether it was merged; not asked, as either way the cache is read anew.
		"""
		renaming.follow("steps that name a workflow", old, new)
		matching.clear()
