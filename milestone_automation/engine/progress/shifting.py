"""Shifting chosen stages of a plan by a number of days: one move, by the same rules as moving one of them."""

from typing import NamedTuple

import frappe
from frappe import _
from frappe.utils import getdate

from milestone_automation.engine.progress import moving_along, moving_back, rescheduling, stage_dates
from milestone_automation.engine.rules.vocabulary import DateChangeSource, ShiftMode
from milestone_automation.engine.rules.working_days import OutOfCalendar, WorkCalendar
from milestone_automation.engine.store import plan_log, plan_rows
from milestone_automation.engine.store.changing import changing


class Shift(NamedTuple):
	"""How far stages are shifted, and what moves along.

	Attributes:
		days: number of days; negative is earlier.
		working_days: whether to count working days of the document instead of calendar days.
		answer: "Shift Too" or "Keep Order", for a plan that asks.
		keep_anchored: whether stages that are dated by a field of the document stay, if they were not chosen.
	"""

	days: int
	working_days: bool = False
	answer: str | None = None
	keep_anchored: bool = False


def shift(plan: str | plan_rows.Plan, stages: list[str], by: Shift, reason: str) -> None:
	"""Shift stages of a plan, with their open tasks, and later stages as the plan says.

	Args:
		plan: name of the plan, or a plan loaded with its lock.
		stages: row names or names of the stages.
		by: how far.
		reason: why; required.

	Raises:
		frappe.ValidationError: a stage is reached or has no date, would be before an earlier one, or an answer is missing.
	"""
	reason = plan_log.check_reason(reason)
	with changing(plan) as plan:
		plan.check_is_active()
		rows = chosen(plan, stages)
		old_dates, new_dates = stage_dates.key_dates(plan), shifted_dates(plan, rows, by)
		for row in rows:
			plan.set_stage(row, date_by_hand=1, document_date_moved=0)
		if by.keep_anchored:
			rescheduling.note_making_room(plan, rows, old_dates, new_dates)
		pairs = zip(plan.stages, new_dates, strict=True)
		date_by_stage = {row.name: day for row, day in pairs}
		rescheduling.change_dates(plan, date_by_stage, reason, DateChangeSource.FORM)
		rescheduling.make_good(plan)


def chosen(plan, stages: list[str]) -> list:
	"""Return the rows of some stages in the order of the plan, each once.

	Args:
		plan: the plan.
		stages: row names or names of stages.

	Raises:
		frappe.DoesNotExistError: one of them is no stage of the plan; names those there are.
	"""
	names = {plan.stage(stage).name for stage in stages}
	return [row for row in plan.stages if row.name in names]


def shifted_dates(plan, rows: list, by: Shift) -> list:
	"""Return the key dates of all stages after a shift; writes nothing.

	Args:
		plan: the plan.
		rows: the stages to shift, in order.
		by: how far.

	Raises:
		frappe.ValidationError: as in `shift`.
	"""
	mode = ShiftMode(by.answer or plan.later_stages or ShiftMode.SHIFT_TOO)
	if mode is ShiftMode.ASK:
		moving_along.ask_for_later_stages()
	calendar = plan_rows.calendar_of(plan) if by.working_days else WorkCalendar()
	wanted_dates = {row.name: _shifted(plan, row, by, calendar) for row in rows}
	new_dates = stage_dates.key_dates(plan)
	along = _later(plan, rows) if mode is ShiftMode.SHIFT_TOO else []
	for row, row_mode in _in_order(rows, mode, by.days):
		if new_dates[plan.stages.index(row)] != wanted_dates[row.name]:
			new_dates = moving_along.dates_with(
				plan,
				new_dates,
				row,
				wanted_dates[row.name],
				DateChangeSource.FORM,
				row_mode,
				by.keep_anchored,
				released=wanted_dates,
				along=along if row_mode is ShiftMode.SHIFT_TOO else (),
			)
	moving_along.check_order(plan, new_dates)
	return new_dates


def _later(plan, rows: list) -> list[int]:
	"""Return the positions of the chosen stages and of all that come after one of them, in whatever branch."""
	network = plan.network()
	chosen_ones = {plan.stages.index(row) for row in rows}
	return sorted(chosen_ones.union(*(network.all_after(position) for position in chosen_ones)))


def _in_order(rows: list, mode: ShiftMode, days: int) -> list[tuple]:
	"""Return the stages in an order in which none is in the way of another, each with what it does to later ones.

	With *Shift Too* the first takes all others and all later ones along; what it has moved already does not move again.
	"""
	takes_along = rows and mode is ShiftMode.SHIFT_TOO
	first = [min(rows, key=lambda row: getdate(row.key_date))] if takes_along else []
	rest = [row for row in rows if row not in first]
	others = rest[::-1] if days > 0 else rest
	return [(row, ShiftMode.SHIFT_TOO) for row in first] + [(row, ShiftMode.KEEP_ORDER) for row in others]


def _shifted(plan, row, by: Shift, calendar: WorkCalendar):
	if not by.days:
		frappe.throw(_("Enter a number of days other than 0."))
	if not row.key_date:
		frappe.throw(_("{0} has no key date yet. Reschedule it to give it one.").format(row.stage_name))
	try:
		day = calendar.add_days(getdate(row.key_date), by.days, by.working_days)
	except OutOfCalendar:
		moving_along.refuse_too_far(row)
	return _day_off_before(plan, row, by, calendar) or day


def _day_off_before(plan, row, by: Shift, calendar: WorkCalendar):
	"""Return the day off on which a stage was before a shift that this one takes back; None where it was on none.

	Counted in working days it would not land there.
	"""
	if not by.working_days:
		return None
	old_date = moving_back.date_before(plan, row)
	if not old_date or calendar.is_working_day(old_date):
		return None
	is_way_back = calendar.add_days(old_date, -by.days, True) == getdate(row.key_date)
	return old_date if is_way_back else None
