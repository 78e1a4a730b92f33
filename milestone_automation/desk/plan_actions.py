"""What the list of plans offers for several of them: confirming their current milestones, and cancelling them."""

from frappe import _, throw

from milestone_automation.desk import acting
from milestone_automation.engine.plans import ending
from milestone_automation.engine.progress import stages
from milestone_automation.engine.store import plan_log, plan_rows


def confirm_current(plans: list[str], reached_on: str | None) -> dict:
	"""Confirm that the current milestone of each plan is reached, as its owner or a manager.

	Args:
		plans: names of plans.
		reached_on: ISO date, today or past; today by default.

	Returns:
		dict: `done`, names of the plans; `refused`, as `acting.each_plan` returns it.

	Raises:
		ConflictError: as `acting.each_plan`.
	"""

	def confirm(plan: plan_rows.Plan) -> str:
		if not plan.current_stage:
			throw(_("No milestone of this plan is open."))
		acting.check_acts_on(plan, plan.current_stage)
		stages.confirm(plan.name, plan.current_stage, reached_on)
		return plan.name

	done, refused = acting.each_plan(plans, confirm, lock=False)
	return {"done": done, "refused": refused}


def cancel(plans: list[str], reason: str) -> dict:
	"""Cancel plans and their open tasks, as a manager.

	Args:
		plans: names of plans.
		reason: kept in the log of each; required.

	Returns:
		dict: as of `confirm_current`.

	Raises:
		frappe.MandatoryError: there is no reason.
		ConflictError: as `acting.each_plan`.
	"""
	reason = plan_log.check_reason(reason)

	def cancel_one(plan: plan_rows.Plan) -> str:
		plan.check_is_active()
		ending.cancel_by_hand(plan, reason)
		return plan.name

	done, refused = acting.each_plan(plans, cancel_one, lock=True)
	return {"done": done, "refused": refused}
