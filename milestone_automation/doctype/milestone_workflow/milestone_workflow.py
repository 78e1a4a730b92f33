from frappe.model.document import Document

from milestone_automation.engine.workflows import matching, stage_trackers, validation


class MilestoneWorkflow(Document):
	"""The template of a plan: which stages the documents of a DocType pass, with their tasks."""

	def validate(self):
		"""Tidy and check the workflow; count its version when the rules have changed."""
		if not validation.is_only_switched_off(self):
			validation.check_rights(self)
			validation.check_document_type(self)
			validation.tidy(self)
			validation.check(self)
			validation.warn_of_repeated_values(self)
		validation.count_version(self)

	def on_update(self):
		"""Have its fields tracked, and forget which workflow matches."""
		matching.clear()
		if self.enabled:
			stage_trackers.ensure(self)

	def on_trash(self):
		"""Refuse to delete a workflow with running plans."""
		validation.check_deletable(self)
		matching.clear()

	def after_delete(self):
		"""Forget which workflow matches."""
		matching.clear()

	def before_rename(self, old, new, merge=False):
		"""Refuse to merge a workflow with running plans."""
		if merge:
			# The one that is merged goes, and its documents may be left without a workflow: nothing would hold them.
			validation.check_deletable(self)

	def after_rename(self, old, new, merge=False):
		"""Forget which workflow matches."""
		matching.clear()
