"""Plans that the session user may see, and stages that they may act on."""

from collections.abc import Callable, Iterable

import frappe
from frappe import _

from milestone_automation.engine.base import message_log
from milestone_automation.engine.people import rights
from milestone_automation.engine.progress import proposals
from milestone_automation.engine.store import plan_rows

SAVE_POINT = "milestone_each_plan"


def readable_plan(plan: str, lock: bool = False) -> plan_rows.Plan:
	"""Return a plan that the session user may see.

	Args:
		plan: name of the plan.
		lock: as in `plan_rows.load_by_name`.

	Raises:
		frappe.PermissionError: there is none, or the user may not see it.
	"""
	plan_row = plan_rows.load_by_name(plan, is_optional=True)
	if not plan_row or not rights.can_see_plan(plan_row):
		rights.refuse_hidden("Milestone Plan", plan)
	# Nobody locks what they may not see.
	return plan_rows.load_by_name(plan, lock=True) if lock else plan_row


def check_acts_on(plan: plan_rows.Plan, stage: str) -> None:
	"""Refuse a stage of a plan that the session user may not act on.

	Args:
		plan: one that the user may see.
		stage: row name or name of the stage.

	Raises:
		frappe.PermissionError: the user neither owns the stage nor manages plans, or may not read the document.
		frappe.DoesNotExistError: the plan has no such stage.
	"""
	row = plan.stage(stage)
	if not rights.can_act_on_stage(row, plan.reference_doc()):
		frappe.throw(
			_("Only the owner of {0} or a Milestone Manager may do this.").format(row.stage_name),
			frappe.PermissionError,
		)


def plan_to_act_on(plan: str, stage: str) -> plan_rows.Plan:
	"""Return a plan that the session user may see and on whose stage they may act.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage.

	Raises:
		frappe.PermissionError: as `readable_plan` and `check_acts_on`.
		frappe.DoesNotExistError: the plan has no such stage.
	"""
	plan_row = readable_plan(plan)
	check_acts_on(plan_row, stage)
	return plan_row


def check_moves_dates(plan: plan_rows.Plan) -> None:
	"""Refuse to move dates of a plan whose owners only propose them.

	Args:
		plan: one that the session user acts on.

	Raises:
		frappe.PermissionError: managers decide its dates, and the user is none.
	"""
	if proposals.must_propose(plan):
		frappe.throw(
			_("Milestone Managers decide the key dates of this plan. Propose the date instead."),
			frappe.PermissionError,
		)


def each_plan(plans: Iterable[str], act: Callable, lock: bool) -> tuple[list, list[dict]]:
	"""Act on several plans, each by itself: one that refuses keeps no other from it.

	Args:
		plans: names of plans.
		act: called with each plan that the session user may see.
		lock: as in `readable_plan`.

	Returns:
		tuple: what `act` returned; refusals, each with plan, reference_name (None for one that the user may not see)
		and reason.

	Raises:
		ConflictError: somebody else changed one of the plans at the same moment; then nothing has changed.
	"""
	done, refused = [], []
	# In one order, so that two who act on the same documents do not wait for each other.
	for name in sorted(set(plans)):
		plan, messages = None, message_log.count()
		frappe.db.savepoint(SAVE_POINT)
		try:
			plan = readable_plan(name, lock)
			done.append(act(plan))
		except (frappe.ValidationError, frappe.PermissionError) as error:
			frappe.db.rollback(save_point=SAVE_POINT)
			# Told with the document instead.
			message_log.forget_after(messages)
			for key in ("exc_type", "milestone_gate"):
				frappe.local.response.pop(key, None)
			refused.append(
				{"plan": name, "reference_name": plan and plan.reference_name, "reason": str(error)}
			)
	return done, refused
