import frappe
from frappe import _

from milestone_automation.engine.base.save_state import Mark, marked
from milestone_automation import permissions
from milestone_automation.engine.base import indexes
from milestone_automation.engine.base.typed_document import TypedDocument
from milestone_automation.engine.people import todos
from milestone_automation.engine.progress import task_edits
from milestone_automation.engine.store import plan_rows
from milestone_automation.engine.store.changing import refresh


class MilestoneTask(TypedDocument):
	"""Something to do before a stage is reached; a required task blocks its stage."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF
		from milestone_automation.milestone_automation.doctype.milestone_task_assignee.milestone_task_assignee import (
			MilestoneTaskAssignee,
		)

		after_tasks: DF.SmallText | None
		assignee_field: DF.Data | None
		assignee_kind: DF.Literal[
			"",
			"Whole Team",
			"All Supplier Contacts",
			"One Team Member",
			"Third-Party Collaborator",
			"Role",
			"User Field",
		]
		assignee_role: DF.Link | None
		assignee_user: DF.Link | None
		assignees: DF.Table[MilestoneTaskAssignee]
		closed_by: DF.Data | None
		closed_on: DF.Datetime | None
		collaborator_email: DF.Data | None
		collaborator_name: DF.Data | None
		completion_rule: DF.Literal["Any Of", "All Of"]
		description: DF.SmallText | None
		due_by_hand: DF.Check
		due_date: DF.Date | None
		due_days_before: DF.Int
		due_reminder_on: DF.Date | None
		overdue_reminder_on: DF.Date | None
		plan: DF.Link
		plan_stage: DF.Data | None
		reason: DF.SmallText | None
		reference_name: DF.DynamicLink | None
		reference_type: DF.Link | None
		required: DF.Check
		stage_name: DF.Data | None
		status: DF.Literal["Open", "Completed", "Cancelled", "Waived"]
		task_order: DF.Int
		title: DF.Data
		workflow_task: DF.Data | None
		working_days: DF.Check
	# end: auto-generated types

	def load_doc_before_save(self, **kwargs):
		"""Lock the plan before Frappe locks the task: everybody locks in this order."""
		if self.plan and not marked(self, Mark.BY_ENGINE) and not self.is_new():
			plan_rows.lock(self.plan)
		super().load_doc_before_save(**kwargs)

	def before_insert(self):
		"""Check a task that a user adds, and fill it in from its plan."""
		if not marked(self, Mark.BY_ENGINE):
			permissions.check_new_task(self)
			task_edits.fill_in_new(self)

	def validate(self):
		"""Check the fields that a user changed, and work out what follows from them.

		Raises:
			frappe.MandatoryError: it has no title.
			frappe.PermissionError: the user may not make this change.
			frappe.ValidationError: a changed field does not fit, or the task would be due after its stage.
		"""
		if not self.is_new() and not marked(self, Mark.BY_ENGINE):
			task_edits.defer_status(self)
			permissions.check_task_edit(self)
		if not (self.title or "").strip():
			frappe.throw(_("Enter a title for the task."), frappe.MandatoryError)
		task_edits.note_manual_date(self)
		if not self.is_new() and not marked(self, Mark.BY_ENGINE):
			task_edits.check_required(self)
			task_edits.apply_edit(self)
		task_edits.check_due_date(self)

	def after_insert(self):
		"""Create the to-dos, and log a task that a user added."""
		todos.assign([self.name])
		if not marked(self, Mark.BY_ENGINE):
			task_edits.log_added(self)

	def on_update(self):
		"""Log and apply what a user changed."""
		if not marked(self, Mark.BY_ENGINE):
			task_edits.log_required(self)
			task_edits.after_edit(self)
		task_edits.apply_status(self)

	def on_change(self):
		"""Update the sums of the plan, unless the engine does it at the end of its change."""
		if not marked(self, Mark.BY_ENGINE) and not self.flags.in_delete:
			refresh(self.plan)

	def on_trash(self):
		"""Log the deletion, and delete the to-dos."""
		if frappe.db.exists("Milestone Plan", self.plan):
			task_edits.log_deleted(self)
		frappe.db.delete("ToDo", {"reference_type": "Milestone Task", "reference_name": self.name})

	def after_delete(self):
		"""Update the sums of the plan."""
		if frappe.db.exists("Milestone Plan", self.plan):
			refresh(self.plan)


def on_doctype_update():
	"""Create the table's indexes after its DocType was synced."""
	indexes.ensure("Milestone Task")
