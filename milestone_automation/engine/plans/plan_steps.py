"""The next steps that start plans: that of another document, and the next one of the same document once its plan is completed."""

import frappe
from frappe import _

from milestone_automation.engine.base import trial
from milestone_automation.engine.plans import starting
from milestone_automation.engine.rules.vocabulary import PlanStatus


def start_plan(doc, plan, stage, link_field: str, workflow: str | None = None) -> None:
	"""Start the plan of the document that a field links to, as the session user could; one that has a plan keeps it.

	Args:
		doc, plan, stage: as for every action.
		link_field: of the document.
		workflow: name of a Milestone Workflow; the one that matches by default.

	Raises:
		frappe.ValidationError: the field is empty, or no workflow matches.
		frappe.PermissionError: the session user may not write the other document.
	"""
	name, field = doc.get(link_field), doc.meta.get_field(link_field)
	if not name:
		frappe.throw(_("{0} is empty, so there is no document to start a plan for.").format(_(field.label)))
	other = frappe.get_doc(field.options, name)
	other.check_permission("write")
	starting.start(other, workflow, by_hand=True)


def start_next_plan(doc, plan, stage, workflow: str) -> str:
	"""Start the plan that follows on a completed one, as the session user could; a document that has another one keeps it.

	Args:
		doc, plan, stage: as for every action. In a dry run a plan that is not completed yet counts as completed.
		workflow: name of a Milestone Workflow for the same document type, not the one of the plan.

	Returns:
		str: what a dry run says of it.

	Raises:
		frappe.ValidationError: the plan is not completed, or the workflow cannot follow on it.
		frappe.PermissionError: the session user may not write the document.
	"""
	doc.check_permission("write")
	if trial.is_under_way() and plan.status != PlanStatus.COMPLETED:
		# The step runs once the plan is completed, and the document need not have one yet.
		starting.check_can_follow(doc, plan.workflow, workflow)
	elif not starting.start_next(doc, plan.name, workflow):
		return _("The document has another plan already.")
	return _("The plan {0} would be started.").format(workflow)
