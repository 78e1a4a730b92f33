"""A date that was proposed in a plan cancelled since waited for an answer that nobody could give; now it is declined."""

import frappe
from frappe import _

from milestone_automation.engine.progress import proposals
from milestone_automation.engine.rules.vocabulary import DateChangeStatus, PlanStatus
from milestone_automation.patches import batches


def execute() -> None:
	"""Decline what is still proposed, without a message: it is long past. Running it again changes nothing."""
	plan = frappe.qb.DocType("Milestone Plan")
	cancelled = frappe.qb.from_(plan).select(plan.name).where(plan.status == PlanStatus.CANCELLED.value)
	batches.update(
		"Milestone Date Change",
		{
			"status": DateChangeStatus.DECLINED.value,
			"answer": _("The plan was cancelled. If it goes on, please propose the date again."),
		},
		lambda change: (change.status == DateChangeStatus.PROPOSED.value) & change.plan.isin(cancelled),
	)
	batches.update(
		"Milestone Plan Stage",
		proposals.NONE_PENDING,
		lambda stage: stage.proposal.isnotnull() & stage.parent.isin(cancelled),
	)
