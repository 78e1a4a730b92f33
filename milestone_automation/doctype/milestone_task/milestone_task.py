import frappe
from frappe import _
from frappe.model.document import Document

from milestone_automation import permissions
from milestone_automation.engine.base import indexes
from milestone_automation.engine.people import todos
from milestone_automation.engine.progress import task_edits
from milestone_automation.engine.store import plan_rows
from milestone_automation.engine.store.changing import refresh


class MilestoneTask(Document):
	"""A thing to do before a stage is reached; a required one holds it."""

	def load_doc_before_save(self, **kwargs):
		"""Everybody who changes a task locks its plan first; Frappe is about to lock the task."""
		if self.plan and not self.flags.by_engine and not self.is_new():
			plan_rows.lock(self.plan)
		super().load_doc_before_save(**kwargs)

	def before_insert(self):
		"""Check and complete a task that somebody makes by hand."""
		if not self.flags.by_engine:
			permissions.check_new_task(self)
			task_edits.complete_new(self)

	def validate(self):
		"""Check what has changed, and follow changed rules."""
		if not self.is_new() and not self.flags.by_engine:
			task_edits.put_status_aside(self)
			permissions.check_task_edit(self)
		if not (self.title or "").strip():
			frappe.throw(_("Give the task a title that says what is to be done."), frappe.MandatoryError)
		task_edits.note_date_by_hand(self)
		if not self.is_new() and not self.flags.by_engine:
			task_edits.follow_edit(self)
		task_edits.check_due_date(self)

	def after_insert(self):
		"""Give the assignees their to-dos."""
		todos.assign([self.name])
		if not self.flags.by_engine:
			task_edits.log_added(self)

	def on_update(self):
		"""Bring to-dos and log in step with the saved task."""
		if not self.flags.by_engine:
			task_edits.log_required(self)
			task_edits.after_edit(self)
		task_edits.follow_status(self)

	def on_change(self):
		"""Bring the plan's sums up to date."""
		# The engine refreshes once, when it is done.
		if not self.flags.by_engine and not self.flags.in_delete:
			refresh(self.plan)

	def on_trash(self):
		"""Log the deletion and delete the to-dos."""
		if frappe.db.exists("Milestone Plan", self.plan):
			task_edits.log_deleted(self)
		frappe.db.delete("ToDo", {"reference_type": "Milestone Task", "reference_name": self.name})

	def after_delete(self):
		"""Bring the plan's sums up to date."""
		if frappe.db.exists("Milestone Plan", self.plan):
			refresh(self.plan)


def on_doctype_update():
	"""Make the indexes. Frappe calls this after each change of the schema."""
	indexes.ensure("Milestone Task")
