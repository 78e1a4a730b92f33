"""Old messages and next steps: Log Settings deletes them, so that their tables do not grow for ever."""

import frappe
from frappe.utils import add_days, now_datetime

from milestone_automation.engine.rules.vocabulary import MessageStatus, PlanStatus, StepStatus

# What still has to be done is not old, however long it waits.
WAITING = {
	"Milestone Message": (MessageStatus.QUEUED.value, MessageStatus.WAITING_FOR_DIGEST.value),
	"Milestone Next Step": (StepStatus.PENDING.value, StepStatus.RUNNING.value),
}


def clear(doctype: str, days: int) -> None:
	"""Delete rows older than so many days, but for those of running plans: they tell what was sent and done already.

	Args:
		doctype: Milestone Message or Milestone Next Step.
		days: age in days.
	"""
	row, plan = frappe.qb.DocType(doctype), frappe.qb.DocType("Milestone Plan")
	running = frappe.qb.from_(plan).select(plan.name).where(plan.status == PlanStatus.ACTIVE.value)
	query = frappe.qb.from_(row).delete().where(row.creation < add_days(now_datetime(), -days))
	query = query.where(row.status.notin(WAITING[doctype]))
	query.where(row.plan.isnull() | (row.plan == "") | row.plan.notin(running)).run()
