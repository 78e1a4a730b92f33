from frappe.model.document import Document

from milestone_automation.engine import matching, stage_tracking, workflow_rules


class MilestoneWorkflow(Document):
	"""The template of a plan: which stages the documents of a DocType pass, with their tasks."""

	def validate(self):
		if not workflow_rules.is_only_switched_off(self):
			workflow_rules.check_document_type(self)
			workflow_rules.tidy(self)
			workflow_rules.check(self)
			workflow_rules.warn_of_repeated_values(self)
		workflow_rules.count_version(self)

	def on_update(self):
		matching.clear()
		if self.enabled:
			stage_tracking.ensure(self)

	def on_trash(self):
		workflow_rules.check_deletable(self)
		matching.clear()

	def after_delete(self):
		matching.clear()

	def after_rename(self, old, new, merge=False):
		matching.clear()
