import frappe
from frappe import _
from frappe.model.document import Document

from milestone_automation import permissions
from milestone_automation.engine import matching, stage_tracking, workflow_plans, workflow_rules
from milestone_automation.engine.stages import check_reason


class MilestoneWorkflow(Document):
	"""The template of a plan: which stages the documents of a DocType pass, with their tasks."""

	def validate(self):
		if not workflow_rules.is_only_switched_off(self):
			workflow_rules.check_rights(self)
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

	def before_rename(self, old, new, merge=False):
		if merge:
			# The one that is merged goes, and its documents may be left without a workflow: nothing would hold them.
			workflow_rules.check_deletable(self)

	def after_rename(self, old, new, merge=False):
		matching.clear()


@frappe.whitelist(methods=["POST"])
def cancel_plans(workflow: str, reason: str) -> dict:
	"""Cancel all running plans of a workflow, so that it can be deleted. System Manager and Milestone Manager only.

	Args:
		workflow: name of the Milestone Workflow.
		reason: kept in each plan's log; required.

	Returns:
		dict: plans (how many), in_background (whether a job does it).
	"""
	if not permissions.can_manage():
		frappe.throw(
			_("Only a System Manager or Milestone Manager may do this. Ask one of them."),
			frappe.PermissionError,
		)
	frappe.get_doc("Milestone Workflow", workflow).check_permission("write")
	workflow_plans.check_reads_all(workflow)
	return workflow_plans.cancel_all(workflow, check_reason(reason))
