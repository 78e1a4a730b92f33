import frappe
from frappe import _
from frappe.model.document import Document

from milestone_automation.engine.people import rights
from milestone_automation.engine.plans import bulk_cancel
from milestone_automation.engine.store.plan_log import check_reason
from milestone_automation.engine.workflows import matching, stage_trackers, validation


class MilestoneWorkflow(Document):
	"""The template of a plan: which stages the documents of a DocType pass, with their tasks."""

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


@frappe.whitelist(methods=["POST"])
def cancel_plans(workflow: str, reason: str) -> dict:
	"""Cancel all running plans of a workflow, so that it can be deleted. System Manager and Milestone Manager only.

	Args:
		workflow: name of the Milestone Workflow.
		reason: kept in each plan's log; required.

	Returns:
		dict: plans (how many), in_background (whether a job does it).
	"""
	if not rights.can_manage():
		frappe.throw(
			_("Only a System Manager or Milestone Manager may do this. Ask one of them."),
			frappe.PermissionError,
		)
	frappe.get_doc("Milestone Workflow", workflow).check_permission("write")
	bulk_cancel.check_reads_all(workflow)
	return bulk_cancel.cancel_all(workflow, check_reason(reason))
