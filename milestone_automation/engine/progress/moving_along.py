"""What moves along with a key date: later stages as the plan says, stages that wait for their document, open tasks.

Works out the dates or refuses them, and writes nothing: `rescheduling` writes, `reschedule_preview` shows.
"""

from typing import NoReturn

import frappe
from frappe import _
from frappe.utils import cint

from milestone_automation.engine.progress import moving_back, stage_dates
from milestone_automation.engine.rules import dates, order, task_dates
from milestone_automation.engine.rules.network import Network
from milestone_automation.engine.rules.vocabulary import DateChangeSource, KeyDateRule, ShiftMode, StageStatus
from milestone_automation.engine.rules.working_days import OutOfCalendar
from milestone_automation.engine.store import plan_rows


class TooFar(frappe.ValidationError):
	"""A stage, or a later one that moves along, would be outside the calendar."""


def planned_dates(plan, stage, new_date, source, answer=None, keep_anchored=False, moves_all=False) -> list:
	"""Return the key dates of all stages after a move; writes nothing.

	Args:
		plan: the plan.
		stage, new_date, source, answer, keep_anchored, moves_all: as in `rescheduling.move`.

	Raises:
		frappe.ValidationError: as in `rescheduling.move`.
	"""
	along = upcoming_positions(plan) if moves_all else ()
	return dates_with(
		plan, stage_dates.key_dates(plan), stage, new_date, source, answer, keep_anchored, along=along
	)


def dates_with(
	plan,
	old_dates: list,
	stage,
	new_date,
	source,
	answer=None,
	keep_anchored=False,
	released=(),
	along=(),
) -> list:
	"""Return given key dates of all stages after one of them moves; writes nothing.

	Args:
		plan: the plan.
		old_dates: key date of each stage, in order.
		stage, new_date, source, answer, keep_anchored: as in `rescheduling.move`.
		released: row names of stages that move along although they are dated by the document.
		along: positions of the stages that count as later ones, where those are not just the ones that depend on it.

	Raises:
		frappe.ValidationError: as in `rescheduling.move`.
	"""
	mode = ShiftMode(answer or plan.later_stages or ShiftMode.SHIFT_TOO)
	index = plan.stages.index(stage)
	takes_others, network = _moving_along(plan, old_dates, index, along)
	if source is DateChangeSource.DOCUMENT_FIELD:
		keep_anchored = True  # each follows its own field
		mode = ShiftMode.KEEP_ORDER if mode is ShiftMode.ASK else mode
	elif (
		mode is ShiftMode.SHIFT_TOO
		and not takes_others
		and (restored := moving_back.restored_dates(plan, stage, old_dates, new_date))
	):
		return restored
	anchored = [
		keep_anchored and stage_dates.is_anchored(row) and row.name not in released for row in plan.stages
	]
	new_dates = _moved_dates(plan, old_dates, index, new_date, mode, anchored, network)
	if bool(old_dates[index]) != bool(new_date):
		new_dates = _date_following_stages(plan, index, new_dates)
	return new_dates


def _moving_along(plan, key_dates: list, index: int, along) -> tuple[bool, Network]:
	"""Return whether stages move along that do not depend on the one that moves, and what comes before what then."""
	network = plan.network()
	dated = {i for i in along if i != index and key_dates[i]}
	if dated.issubset(network.all_after(index)):
		return False, network
	return True, network.moving_along(index, along)


def upcoming_positions(plan) -> list[int]:
	"""Return the positions of the stages that are open and not skipped.

	Args:
		plan: the plan.

	Returns:
		list: positions from 0, ascending.
	"""
	upcoming = {row.name for row in order.upcoming(plan.stages)}
	return [i for i, row in enumerate(plan.stages) if row.name in upcoming]


def _moved_dates(
	plan, old_dates: list, index: int, new_date, mode: ShiftMode, anchored: list, network: Network
) -> list:
	"""Return the key dates after a move; turns refusals of the date rules into messages for the user."""
	stage = plan.stages[index]
	names = [row.stage_name for row in plan.stages]
	calendar, working_days = plan_rows.calendar_of(plan), bool(stage.working_days)
	reached = plan.reached_flags()
	try:
		return dates.move_stage(
			old_dates,
			reached,
			index,
			new_date,
			mode,
			calendar,
			working_days,
			names,
			reached_on=plan.reached_days(),
			anchored=anchored,
			network=network,
		).dates
	except dates.StageAlreadyReached as error:
		frappe.throw(
			_("{0} is reached, so its key date cannot be changed. Undo it first.").format(error.stage)
		)
	except dates.DatesOutOfOrder as error:
		_refuse_out_of_order(error)
	except dates.ShiftAnswerNeeded:
		ask_for_later_stages()
	except OutOfCalendar:
		refuse_too_far(stage)


def _date_following_stages(plan, index: int, key_dates: list) -> list:
	"""Give a date to the stages that count from a stage which got one, or remove theirs if it lost its date."""
	network, reached, reached_days = plan.network(), plan.reached_flags(), plan.reached_days()
	followed = {index}
	for i in network.all_after(index):
		if followed.isdisjoint(network.direct[i]):
			continue
		previous_date = dates.latest_of(
			[
				stage_dates.counting_day(plan.stages[earlier], key_dates[earlier])
				for earlier in network.direct[i]
			]
		)
		if not _follows_first_date(plan.stages[i], key_dates[i], previous_date):
			continue
		try:
			day = previous_date and _day_after(plan, plan.stages[i], previous_date)
		except OutOfCalendar:
			continue
		if day:
			actual = [reached_days[earlier] or key_dates[earlier] for earlier in network.before(i)]
			day = max([day, *(one for one in actual if one)])
		key_dates = dates.move_stage(
			key_dates,
			reached,
			i,
			day,
			ShiftMode.KEEP_ORDER,
			plan_rows.calendar_of(plan),
			reached_on=reached_days,
			network=network,
		).dates
		followed.add(i)
	return key_dates


def _follows_first_date(row, day, previous_date) -> bool:
	"""Tell whether a stage gets a date, or loses its own, because those before it got theirs or one lost it."""
	counts = row.key_date_rule == KeyDateRule.AFTER_PREVIOUS_MILESTONE and not row.date_by_hand
	return counts and row.status != StageStatus.REACHED and bool(day) != bool(previous_date)


def _day_after(plan, row, previous_date):
	return plan_rows.calendar_of(plan).add_days(previous_date, cint(row.offset_days), bool(row.working_days))


def task_moves(plan, moved_stages: list[tuple]) -> list[task_dates.TaskMove]:
	"""Return the open tasks whose due date changes with the key dates of their stages; writes nothing.

	Args:
		plan: the plan.
		moved_stages: stage, old and new key date of each.
	"""
	calendar, moves = plan_rows.calendar_of(plan), []
	for stage, old, new in moved_stages:
		planned = [
			stage_dates.planned_task(task) for task in plan.open_tasks() if task.plan_stage == stage.name
		]
		moves += task_dates.move_tasks(planned, old, new, calendar)
	return moves


# Stages that wait for the date of their document


def foreseen_dates(
	plan, moving: list, new_dates: list, keep_anchored: bool = False, by_hand: bool = True
) -> list:
	"""Return the key dates of all stages after a move, with those that are made good by it; writes nothing.

	Args:
		plan: the plan, before the move.
		moving: the stages that are moved on purpose.
		new_dates: key dates that the move itself gives.
		keep_anchored, by_hand: as in `rescheduling.move`.

	Raises:
		frappe.ValidationError: as in `rescheduling.move`.
	"""
	names = {stage.name for stage in moving}
	waiting = {row.name for row in plan.stages if row.document_date_moved}
	waiting -= names if by_hand else set()
	if keep_anchored:
		waiting |= making_room(plan, names, stage_dates.key_dates(plan), new_dates)
	for stage in plan.stages:
		day = waited_for(plan, stage, new_dates)[1] if stage.name in waiting else None
		if day:
			before = new_dates
			new_dates = dates_with(
				plan, before, stage, day, DateChangeSource.DOCUMENT_FIELD, ShiftMode.KEEP_ORDER
			)
			waiting |= making_room(plan, {stage.name}, before, new_dates)
	return new_dates


def dates_after_document(plan, date_field: str, new_dates: list) -> list:
	"""Return the key dates of all stages after a date field of the document changes, as `automatic_dates.follow_document`; writes nothing.

	Args:
		plan: the plan, with its document as it is to be.
		date_field: the field that changes.
		new_dates: key dates before the document changes.
	"""
	for stage in plan.stages:
		if not stage_dates.is_anchored(stage) or stage.date_field != date_field:
			continue
		day = waited_for(plan, stage, new_dates)[1]
		if day:
			try:
				new_dates = dates_with(plan, new_dates, stage, day, DateChangeSource.DOCUMENT_FIELD)
			except TooFar:
				frappe.clear_last_message()
	return new_dates


def waited_for(plan, stage, dates_: list) -> tuple:
	"""Return the date that a stage waits for and the one it can have, given the dates of all; None if nothing changes.

	Args:
		plan: the plan.
		stage: row of the stage.
		dates_: key date of each stage, in order.
	"""
	if stage.status == StageStatus.REACHED:
		return None, None
	wanted_date = stage_dates.document_date(plan, stage)
	index = plan.stages.index(stage)
	counting = dates.counting_dates(dates_, plan.reached_days())
	earlier = [counting[i] for i in plan.network().before(index)]
	new_date = wanted_date and max([wanted_date, *(day for day in earlier if day)])
	return wanted_date, new_date if new_date != dates_[index] else None


def making_room(plan, moving: set[str], old_dates: list, new_dates: list) -> set[str]:
	"""Return the row names of stages dated by the document that a move of others moves.

	Args:
		plan: the plan.
		moving: row names of the stages that are moved on purpose.
		old_dates, new_dates: key dates of all stages before and after.
	"""
	pairs = stage_dates.old_and_new(plan, old_dates, new_dates)
	return {
		row.name
		for row, old, new in pairs
		if stage_dates.is_anchored(row) and old != new and row.name not in moving
	}


# Refusals


def refuse_too_far(stage) -> NoReturn:
	"""Say that a stage cannot be moved out of the calendar.

	Args:
		stage: row with `stage_name`.

	Raises:
		TooFar: always.
	"""
	frappe.throw(_("{0} cannot be moved that far. Choose an earlier day.").format(stage.stage_name), TooFar)


def ask_for_later_stages() -> NoReturn:
	"""Ask for the answer that a plan needs.

	Raises:
		frappe.ValidationError: always.
	"""
	frappe.throw(_("Choose what later milestones do: Shift Too or Keep Order."), title=_("Later Milestones"))


def check_order(plan, new_dates: list) -> None:
	"""Refuse key dates in which an open stage is before one that it comes after.

	Args:
		plan: the plan.
		new_dates: key date of each stage, in order.

	Raises:
		frappe.ValidationError: names both.
	"""
	counting = dates.counting_dates(new_dates, plan.reached_days())
	fault = dates.first_out_of_order(counting, plan.reached_flags(), plan.network())
	if fault and new_dates[fault[0]] != stage_dates.key_dates(plan)[fault[0]]:
		names = [row.stage_name for row in plan.stages]
		_refuse_out_of_order(dates.DatesOutOfOrder(names, counting, *fault))


def _refuse_out_of_order(error: dates.DatesOutOfOrder) -> NoReturn:
	text = _("{0} cannot be on {1}: the earlier milestone {2} is on {3}. Choose that day or a later one.")
	if error.is_reached:
		text = _(
			"{0} cannot be on {1}: the earlier milestone {2} was reached on {3}. Choose that day or a later one."
		)
	frappe.throw(
		text.format(
			error.stage,
			frappe.format(error.stage_date, "Date"),
			error.previous_stage,
			frappe.format(error.previous_date, "Date"),
		),
		title=_("Milestone Dates Out of Order"),
	)
