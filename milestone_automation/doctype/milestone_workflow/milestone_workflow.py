from frappe.model.document import Document

from milestone_automation.engine.workflows import matching, stage_trackers, validation


class MilestoneWorkflow(Document):
	"""The template of a plan: which stages the documents of a DocType pass, with their tasks."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.
	# end: auto-generated types

	def validate(self):
		if not validation.is_only_switched_off(self):
			validation.check_rights(self)
			validation.check_document_type(self)
			validation.tidy(self)
			validation.check(self)
			validation.warn_of_repeated_values(self)
		validation.count_version(self)

	def on_update(self):
		matching.clear()
		if self.enabled:
			stage_trackers.ensure(self)

	def on_trash(self):
		validation.check_deletable(self)
		matching.clear()

	def after_delete(self):
		matching.clear()

	def before_rename(self, old, new, merge=False):
		if merge:
			# The one that is merged goes, and its documents may be left without a workflow: nothing would hold them.
			validation.check_deletable(self)

	def after_rename(self, old, new, merge=False):
		matching.clear()
