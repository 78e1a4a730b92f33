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

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.
	# end: auto-generated types

	def load_doc_before_save(self, **kwargs):
		"""Everybody who changes a task locks its plan first; Frappe is about to lock the task."""
		if self.plan and not self.flags.by_engine and not self.is_new():
			plan_rows.lock(self.plan)
		super().load_doc_before_save(**kwargs)

	def before_insert(self):
		if not self.flags.by_engine:
			permissions.check_new_task(self)
			task_edits.fill_in_new(self)

	def validate(self):
		if not self.is_new() and not self.flags.by_engine:
			task_edits.defer_status(self)
			permissions.check_task_edit(self)
		if not (self.title or "").strip():
			frappe.throw(_("Enter a title for the task."), frappe.MandatoryError)
		task_edits.note_manual_date(self)
		if not self.is_new() and not self.flags.by_engine:
			task_edits.apply_edit(self)
		task_edits.check_due_date(self)

	def after_insert(self):
		todos.assign([self.name])
		if not self.flags.by_engine:
			task_edits.log_added(self)

	def on_update(self):
		if not self.flags.by_engine:
			task_edits.log_required(self)
			task_edits.after_edit(self)
		task_edits.apply_status(self)

	def on_change(self):
		# The engine refreshes once, when it is done.
		if not self.flags.by_engine and not self.flags.in_delete:
			refresh(self.plan)

	def on_trash(self):
		if frappe.db.exists("Milestone Plan", self.plan):
			task_edits.log_deleted(self)
		frappe.db.delete("ToDo", {"reference_type": "Milestone Task", "reference_name": self.name})

	def after_delete(self):
		if frappe.db.exists("Milestone Plan", self.plan):
			refresh(self.plan)


def on_doctype_update():
	indexes.ensure("Milestone Task")
