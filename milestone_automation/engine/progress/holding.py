"""Putting a plan on hold and resuming it.

On hold nobody is asked, reminded or told, no date counts, and the health is *On Hold*. The document goes on: its values
reach stages, and the gate holds as ever.
"""

import frappe
from frappe import _
from frappe.utils import getdate, nowdate

from milestone_automation.engine.progress import (
	moving_along,
	reschedule_preview,
	rescheduling,
	stage_dates,
)
from milestone_automation.engine.rules import dates, order
from milestone_automation.engine.rules.vocabulary import (
	DateChangeSource,
	PlanEvent,
	PlanStatus,
	ShiftMode,
)
from milestone_automation.engine.rules.working_days import OutOfCalendar
from milestone_automation.engine.store import plan_log, plan_rows
from milestone_automation.engine.store.changing import changing


def put_on_hold(plan: str, reason: str) -> None:
	"""Put an active plan on hold.

	Args:
		plan: name of the plan.
		reason: why; required.

	Raises:
		frappe.ValidationError: the plan is not active, or on hold already, or the reason is missing.
	"""
	reason = plan_log.check_reason(reason)
	with changing(plan) as plan:
		if plan.status != PlanStatus.ACTIVE:
			frappe.throw(_("Only a running plan can be put on hold."))
		if plan.on_hold_since:
			frappe.throw(
				_("The plan is on hold since {0} already.").format(frappe.format(plan.on_hold_since, "Date"))
			)
		plan.set_plan(on_hold_since=getdate(nowdate()), hold_reason=reason)
		plan_log.write(plan, PlanEvent.PLAN_PUT_ON_HOLD, reason=reason)


def resume(plan: str, shift_dates: bool = False, keep_anchored: bool = False) -> None:
	"""Resume a plan that is on hold.

	Args:
		plan: name of the plan.
		shift_dates: whether the dates of open stages move by the days on hold.
		keep_anchored: whether stages that are dated by a field of the document stay on that date.

	Raises:
		frappe.ValidationError: the plan is not on hold, or a date would be outside the calendar (`moving_along.TooFar`).
	"""
	with changing(plan) as plan:
		_check_is_on_hold(plan)
		since = frappe.format(plan.on_hold_since, "Date")
		move = _move_after_hold(plan, keep_anchored) if shift_dates else None
		reason = _("On hold: {0}").format(plan.hold_reason)
		plan.set_plan(on_hold_since=None, hold_reason=None)
		plan_log.write(plan, PlanEvent.PLAN_RESUMED, details=_("It was on hold since {0}.").format(since))
		if move:
			rescheduling.move(
				plan,
				*move,
				reason,
				DateChangeSource.ON_HOLD,
				answer=ShiftMode.SHIFT_TOO,
				keep_anchored=keep_anchored,
				moves_all=True,
			)


def preview_resume(plan: str, keep_anchored: bool = False) -> dict:
	"""Return what resuming a plan with shifted dates would change; writes nothing.

	Args:
		plan: name of the plan.
		keep_anchored: as in `resume`.

	Returns:
		dict: `days` on hold, and `stages`, `stays`, `tasks` as `reschedule_preview.preview` returns them.

	Raises:
		frappe.ValidationError: the plan is not on hold, or a date would be outside the calendar (`moving_along.TooFar`).
	"""
	loaded = plan_rows.load_by_name(plan)
	_check_is_on_hold(loaded)
	move = _move_after_hold(loaded, keep_anchored)
	changes = {"stages": [], "stays": [], "tasks": []}
	if move:
		stage, day = move
		changes = reschedule_preview.preview(
			plan, stage.name, day, ShiftMode.SHIFT_TOO, keep_anchored, by_hand=False, moves_all=True
		)
	return {"days": days_on_hold(loaded)} | changes


def _check_is_on_hold(plan) -> None:
	if plan.status != PlanStatus.ACTIVE or not plan.on_hold_since:
		frappe.throw(_("The plan is not on hold."))


def days_on_hold(plan) -> int:
	"""Return for how many days a plan is on hold.

	Args:
		plan: row of a plan on hold, with `on_hold_since`.

	Returns:
		int: calendar days until today; 0 on the day on which it was put on hold.
	"""
	return (getdate(nowdate()) - getdate(plan.on_hold_since)).days


def _move_after_hold(plan, keep_anchored: bool) -> tuple | None:
	"""Return the upcoming stage that moves and has the first date, and the day to which it moves; None where none does."""
	upcoming = [row for row in order.upcoming(plan.stages) if row.key_date]
	dated = [row for row in upcoming if not (keep_anchored and stage_dates.is_anchored(row))]
	stage = min(dated, key=lambda row: getdate(row.key_date), default=None)
	since, today = getdate(plan.on_hold_since), getdate(nowdate())
	if not stage or since == today:
		return None
	calendar = plan_rows.calendar_of(plan)
	try:
		day = dates.moved_along(getdate(stage.key_date), since, today, calendar, bool(stage.working_days))
	except OutOfCalendar:
		moving_along.refuse_too_far(stage)
	return stage, day
