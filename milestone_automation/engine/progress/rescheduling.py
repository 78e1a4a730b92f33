"""Moving key dates, with the open tasks and later stages that move along."""

from typing import NoReturn

import frappe
from frappe import _
from frappe.utils import cint, getdate, now_datetime

from milestone_automation.engine.base import bulk, clock
from milestone_automation.engine.people import todos
from milestone_automation.engine.rules import dates, order, schedule
from milestone_automation.engine.rules.network import Network
from milestone_automation.engine.rules.vocabulary import (
	DateChangeSource,
	DateChangeStatus,
	KeyDateRule,
	PlanEvent,
	ShiftMode,
	StageStatus,
	TaskStatus,
)
from milestone_automation.engine.rules.working_days import OutOfCalendar, WorkCalendar
from milestone_automation.engine.store import plan_log, plan_rows
from milestone_automation.engine.store.changing import changing


class TooFar(frappe.ValidationError):
	"""A stage, or a later one that moves along, would be outside the calendar."""


def date_following_stage(plan, stage, reached_on) -> None:
	"""Date the stages after a reached one that count from it and have no date yet.

	Args:
		plan: locked, being changed.
		stage: the reached stage.
		reached_on: date on which it was reached, from which the next stages count.
	"""
	for following in _counting_from(plan, stage):
		counted_from = _counted_from(plan, following, stage, getdate(reached_on))
		if counted_from and not following.key_date:
			_date_following(plan, following, counted_from)
	make_good(plan)


def _date_following(plan, following, counted_from) -> None:
	"""Date a stage that counts from a reached one, or tell that it cannot be."""
	calendar = plan_rows.calendar_of(plan)
	try:
		day = calendar.add_days(counted_from, cint(following.offset_days), bool(following.working_days))
	except OutOfCalendar:
		_tell_undated(plan, following)
		return
	new_date = max([day, *_earlier_dates(plan, following)])
	move(plan, following, new_date, "", DateChangeSource.PREVIOUS_MILESTONE, answer=ShiftMode.KEEP_ORDER)


def _counted_from(plan, following, stage, reached_on):
	"""Return the latest of the days from which a stage counts, one of them just reached; None if one is missing."""
	before = [plan.stages[i] for i in plan.network().direct[plan.stages.index(following)]]
	days = [reached_on if row is stage else _counting_day(row, row.key_date) for row in before]
	return dates.latest_of(days)


def _counting_day(row, key_date):
	"""Return the day from which stages count that come after one: when it was reached, else its key date, if any."""
	day = row.reached_on or key_date
	return getdate(day) if day else None


def undate_following_stage(plan, stage, reason: str) -> None:
	"""Take back the date that the stage after a reopened one got from the day on which that was reached.

	Args:
		plan: locked, being changed.
		stage: the reopened stage. With a key date of its own, the next stage counts from that and keeps its date.
		reason: stored with the date change.
	"""
	for following in _counting_from(plan, stage):
		if following.key_date and not stage.key_date and not following.date_by_hand:
			source = DateChangeSource.PREVIOUS_MILESTONE
			move(plan, following, None, reason, source, answer=ShiftMode.KEEP_ORDER)


def _counting_from(plan, stage) -> list:
	"""Return the open stages that come directly after another one and count from it."""
	following = [plan.stages[i] for i in plan.network().after[plan.stages.index(stage)]]
	return [
		row
		for row in following
		if row.status != StageStatus.REACHED and row.key_date_rule == KeyDateRule.AFTER_PREVIOUS_MILESTONE
	]


def catch_up_date(plan, stage, reason: str) -> None:
	"""Move the key date of a reopened stage to where the document and earlier stages moved while it was reached.

	Args:
		plan: locked, being changed.
		stage: the reopened stage.
		reason: stored with the date change.
	"""
	key_date = stage.key_date and getdate(stage.key_date)
	new_date, source = key_date, DateChangeSource.PREVIOUS_MILESTONE
	if stage.document_date_moved:
		new_date, source = document_date(plan, stage), DateChangeSource.DOCUMENT_FIELD
		plan.set_stage(stage, document_date_moved=0)
	if new_date:
		wanted_date, new_date = new_date, max([new_date, *_earlier_dates(plan, stage)])
		follows_document = source is DateChangeSource.DOCUMENT_FIELD or not stage.date_by_hand
		if is_anchored(stage) and follows_document and new_date != wanted_date:
			plan.set_stage(stage, document_date_moved=1)
	if new_date != key_date:
		move(plan, stage, new_date, reason, source, answer=ShiftMode.KEEP_ORDER)
	_put_in_order(plan, reason)


def _put_in_order(plan, reason: str) -> None:
	"""Move open stages that are before an earlier one: it counted by the day it was reached, and counts by its date again."""
	old_dates = key_dates(plan)
	new_dates = dates.put_in_order(old_dates, plan.reached_flags(), plan.reached_days(), plan.network())
	note_making_room(plan, [], old_dates, new_dates)
	moved_dates = {row.name: new for row, old, new in _pairs(plan, old_dates, new_dates) if old != new}
	change_dates(plan, moved_dates, reason, DateChangeSource.PREVIOUS_MILESTONE)


def _earlier_dates(plan, stage) -> list:
	"""Return the dates before which a stage is not dated by itself: those of earlier stages, as they count."""
	counting = dates.counting_dates(key_dates(plan), plan.reached_days())
	before = plan.network().before(plan.stages.index(stage))
	return [counting[i] for i in before if counting[i]]


def key_dates(plan) -> list:
	"""Return the key date of each stage of a plan, in order.

	Args:
		plan: the plan.

	Returns:
		list: a date each; None for a stage without one.
	"""
	return [getdate(row.key_date) if row.key_date else None for row in plan.stages]


# Dates of the document


def is_anchored(stage) -> bool:
	"""Tell whether the key date of a stage comes from a date field of the document.

	Args:
		stage: row of a plan or workflow, with `key_date_rule`.
	"""
	return stage.key_date_rule == KeyDateRule.DOCUMENT_DATE_FIELD


def document_date(plan, stage):
	"""Return the key date that a stage's rule gives for the document as it is now; None without a possible date.

	Args:
		plan: the plan, whose document is read once.
		stage: row of the stage.

	Returns:
		date | None: not moved for earlier stages; None also for one that is dated by hand or counts from others.
	"""
	return _document_date(plan, stage, [])


def _document_date(plan, stage, failed: list[int]):
	rule = stage_rule(stage, plan.reference_doc())
	# The days off of a document take a query.
	calendar = plan_rows.calendar_of(plan) if rule.working_days else WorkCalendar()
	return dates.plan_dates([rule], getdate(plan.created_from), calendar, failed=failed)[0]


def differing_document_date(plan, stage):
	"""Return the date that the document gives an open stage whose key date is another one, else None.

	Args:
		plan: the plan.
		stage: row of the stage; a reached one, and one that no date field dates, has none.
	"""
	if stage.status == StageStatus.REACHED or not is_anchored(stage):
		return None
	day = document_date(plan, stage)
	return day if day and day != (stage.key_date and getdate(stage.key_date)) else None


def follow_document(plan, stages: list) -> None:
	"""Move the key dates of open stages to those their document gives now, or as near as earlier stages allow.

	What does not follow is told, noted on the stage, and made good as soon as earlier stages allow it.

	Args:
		plan: locked, being changed.
		stages: its open stages whose date field changed, in order.
	"""
	new_dates = key_dates(plan)
	reasons: dict[str, str] = {}
	for stage in stages:
		index = plan.stages.index(stage)
		day, is_followed = _followed_date(plan, stage, new_dates)
		if is_followed and day != new_dates[index]:
			before, new_dates = new_dates, _dates_following(plan, stage, day, new_dates)
			reason = _("{0} changed.").format(date_label(plan, stage))
			reasons |= {
				row.name: reason for row, *pair in _pairs(plan, before, new_dates) if pair[0] != pair[1]
			}
			note_making_room(plan, [stage], before, new_dates)
	moved_dates = {row.name: new for row, old, new in _pairs(plan, key_dates(plan), new_dates) if old != new}
	for reason in dict.fromkeys(reasons.values()):
		some = {name: new for name, new in moved_dates.items() if reasons[name] == reason}
		change_dates(plan, some, reason, DateChangeSource.DOCUMENT_FIELD)
	make_good(plan)


def _dates_following(plan, stage, day, new_dates: list) -> list:
	"""Return the dates of all stages after one follows its document; unchanged if later ones cannot move that far."""
	try:
		return dates_with(plan, new_dates, stage, day, DateChangeSource.DOCUMENT_FIELD)
	except TooFar:
		frappe.clear_last_message()
		_tell_not_dated(
			plan,
			stage,
			_(
				"{0} keeps its key date: with the new one, later milestones would be outside the calendar."
			).format(stage.stage_name),
		)
		return new_dates


def _followed_date(plan, stage, new_dates: list) -> tuple:
	"""Return the date on which a stage follows its document, given the dates of the others; and whether it does."""
	failed: list[int] = []
	wanted_date = _document_date(plan, stage, failed)
	if failed:
		_tell_undated(plan, stage)
		return None, False
	counting = dates.counting_dates(new_dates, plan.reached_days())
	before = plan.network().before(plan.stages.index(stage))
	earlier = [counting[i] for i in before if counting[i]]
	day = wanted_date and max([wanted_date, *earlier])
	plan.set_stage(stage, document_date_moved=int(day != wanted_date))
	if day != wanted_date:
		_tell_not_followed(plan, stage, wanted_date, day)
	return day, True


def note_making_room(plan, moving: list, old_dates: list, new_dates: list) -> None:
	"""Note on stages that the document dates that they made room for others; they go back when they can.

	Args:
		plan: locked, being changed.
		moving: the stages that are moved on purpose.
		old_dates, new_dates: key dates of all stages before and after.
	"""
	names = _making_room(plan, {stage.name for stage in moving}, old_dates, new_dates)
	for row in plan.stages:
		if row.name in names:
			plan.set_stage(row, document_date_moved=1)


def _making_room(plan, moving: set[str], old_dates: list, new_dates: list) -> set[str]:
	"""Return the row names of stages dated by the document that a move of others moves."""
	pairs = _pairs(plan, old_dates, new_dates)
	return {row.name for row, old, new in pairs if is_anchored(row) and old != new and row.name not in moving}


def _pairs(plan, old_dates: list, new_dates: list):
	return list(zip(plan.stages, old_dates, new_dates, strict=True))


def date_label(plan, stage) -> str:
	"""Return the label of the document's field that dates a stage.

	Args:
		plan: the plan.
		stage: row of a stage with a `date_field`.

	Returns:
		str: translated; the field's name where it has no label.
	"""
	return _(plan.reference_doc().meta.get_label(stage.date_field) or stage.date_field)


def _tell_not_followed(plan, stage, wanted_date, new_date) -> None:
	text = _(
		"{0} is on {1} for now: its new date {2} would be before an earlier milestone. It follows once that one is moved."
	).format(stage.stage_name, frappe.format(new_date, "Date"), frappe.format(wanted_date, "Date"))
	frappe.msgprint(text, title=_("Milestone Dates Out of Order"), indicator="orange")
	plan_log.write(plan, PlanEvent.DATE_NOT_FOLLOWED, stage=stage, details=text)


def _tell_undated(plan, stage) -> None:
	text = _("{0} keeps its key date: the new one would be outside the calendar (years 1 to 9999).")
	_tell_not_dated(plan, stage, text.format(stage.stage_name))


def _tell_not_dated(plan, stage, text: str) -> None:
	frappe.msgprint(text, title=_("Milestone Date Not Followed"), indicator="orange")
	plan_log.write(plan, PlanEvent.DATE_NOT_FOLLOWED, stage=stage, details=text)


def make_good(plan) -> None:
	"""Let open stages whose document gives another date follow it, as far as earlier stages allow now.

	Args:
		plan: locked, being changed.
	"""
	for stage in plan.stages:
		if not stage.document_date_moved:
			continue
		wanted_date, new_date = _waited_for(plan, stage, key_dates(plan))
		if not new_date:
			continue
		plan.set_stage(stage, document_date_moved=int(new_date != wanted_date))
		reason = _("Earlier milestones allow the date of {0} now.").format(date_label(plan, stage))
		_move(plan, stage, new_date, reason, DateChangeSource.DOCUMENT_FIELD, ShiftMode.KEEP_ORDER)


def foreseen_dates(
	plan, moving: list, new_dates: list, keep_anchored: bool = False, by_hand: bool = True
) -> list:
	"""Return the key dates of all stages after a move, with those that are made good by it; writes nothing.

	Args:
		plan: the plan, before the move.
		moving: the stages that are moved on purpose.
		new_dates: key dates that the move itself gives.
		keep_anchored, by_hand: as in `move`.

	Raises:
		frappe.ValidationError: as in `move`.
	"""
	names = {stage.name for stage in moving}
	waiting = {row.name for row in plan.stages if row.document_date_moved}
	waiting -= names if by_hand else set()
	if keep_anchored:
		waiting |= _making_room(plan, names, key_dates(plan), new_dates)
	for stage in plan.stages:
		day = _waited_for(plan, stage, new_dates)[1] if stage.name in waiting else None
		if day:
			before = new_dates
			new_dates = dates_with(
				plan, before, stage, day, DateChangeSource.DOCUMENT_FIELD, ShiftMode.KEEP_ORDER
			)
			waiting |= _making_room(plan, {stage.name}, before, new_dates)
	return new_dates


def dates_after_document(plan, date_field: str, new_dates: list) -> list:
	"""Return the key dates of all stages after a date field of the document changes, as `follow_document`; writes nothing.

	Args:
		plan: the plan, with its document as it is to be.
		date_field: the field that changes.
		new_dates: key dates before the document changes.
	"""
	for stage in plan.stages:
		if not is_anchored(stage) or stage.date_field != date_field:
			continue
		day = _waited_for(plan, stage, new_dates)[1]
		if day:
			try:
				new_dates = dates_with(plan, new_dates, stage, day, DateChangeSource.DOCUMENT_FIELD)
			except TooFar:
				frappe.clear_last_message()
	return new_dates


def _waited_for(plan, stage, dates_: list) -> tuple:
	"""Return the date that a stage waits for and the one it can have, given the dates of all; None if nothing changes."""
	if stage.status == StageStatus.REACHED:
		return None, None
	wanted_date = document_date(plan, stage)
	index = plan.stages.index(stage)
	counting = dates.counting_dates(dates_, plan.reached_days())
	earlier = [counting[i] for i in plan.network().before(index)]
	new_date = wanted_date and max([wanted_date, *(day for day in earlier if day)])
	return wanted_date, new_date if new_date != dates_[index] else None


# Moving


def reschedule(
	plan: str,
	stage: str,
	new_date,
	reason: str,
	source="Form",
	answer: str | None = None,
	keep_anchored: bool = False,
) -> None:
	"""Move a stage's key date, its open tasks by their rule, and later stages as the plan says.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage.
		new_date: the new key date, as date or ISO text; None removes the date.
		reason: why; required.
		source: a DateChangeSource.
		answer: "Shift Too" or "Keep Order", for a plan that asks.
		keep_anchored: with "Shift Too", whether stages that are dated by a field of the document stay on that date.

	Raises:
		frappe.ValidationError: the plan is cancelled, the reason is missing, or as in `move`.
		frappe.DoesNotExistError: there is no such plan or stage.
	"""
	reason = plan_log.check_reason(reason)
	if answer and answer not in list(ShiftMode):
		ask_for_later_stages()
	with changing(plan) as plan:
		plan.check_is_active()
		day = clock.parse_day(new_date) if new_date else None
		move(plan, plan.stage(stage), day, reason, DateChangeSource(source), answer, True, keep_anchored)


def move(
	plan,
	stage,
	new_date,
	reason,
	source: DateChangeSource,
	answer=None,
	by_hand=False,
	keep_anchored=False,
	moves_all=False,
) -> None:
	"""Move the key date of a stage, with its tasks and the later stages that move along.

	Args:
		plan: locked, being changed.
		stage: row of the stage.
		new_date: the new key date; None removes the date.
		reason: stored with each date change.
		source: what moves the date.
		answer: "Shift Too" or "Keep Order", for a plan that asks.
		by_hand: whether a user set the date.
		keep_anchored: as in `reschedule`.
		moves_all: whether all upcoming stages count as later ones, also those of other branches.

	Raises:
		frappe.ValidationError: the stage is reached, the date is before an earlier stage, or an answer is missing.
		TooFar: the stage, or a later one that moves along, would be outside the calendar.
	"""
	_move(plan, stage, new_date, reason, source, answer, by_hand, keep_anchored, moves_all)
	make_good(plan)


def _move(
	plan, stage, new_date, reason, source, answer=None, by_hand=False, keep_anchored=False, moves_all=False
) -> None:
	old_dates = key_dates(plan)
	new_dates = planned_dates(plan, stage, new_date, source, answer, keep_anchored, moves_all)
	if by_hand:
		plan.set_stage(stage, date_by_hand=1, document_date_moved=0)
	if keep_anchored or source is DateChangeSource.DOCUMENT_FIELD:
		note_making_room(plan, [stage], old_dates, new_dates)
	moved_dates = {row.name: new for row, old, new in _pairs(plan, old_dates, new_dates) if old != new}
	change_dates(plan, moved_dates, reason, source)


def planned_dates(plan, stage, new_date, source, answer=None, keep_anchored=False, moves_all=False) -> list:
	"""Return the key dates of all stages after a move; writes nothing.

	Args:
		plan: the plan.
		stage, new_date, source, answer, keep_anchored, moves_all: as in `move`.

	Raises:
		frappe.ValidationError: as in `move`.
	"""
	along = upcoming_positions(plan) if moves_all else ()
	return dates_with(plan, key_dates(plan), stage, new_date, source, answer, keep_anchored, along=along)


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
		stage, new_date, source, answer, keep_anchored: as in `move`.
		released: row names of stages that move along although they are dated by the document.
		along: positions of the stages that count as later ones, where those are not just the ones that depend on it.

	Raises:
		frappe.ValidationError: as in `move`.
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
		and (restored := _dates_before(plan, stage, old_dates, new_date))
	):
		return restored
	anchored = [keep_anchored and is_anchored(row) and row.name not in released for row in plan.stages]
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


def _dates_before(plan, stage, old_dates: list, new_date) -> list | None:
	"""Return the dates before the last move of a stage if it is moved back to where it was, else None.

	Counted in working days, a later stage on a day off would not land where it was.
	"""
	if not stage.working_days or not new_date or not old_dates[plan.stages.index(stage)]:
		return None
	last_changes = _last_move(plan, stage)
	own_change = last_changes.get(stage.name)
	if not own_change or own_change.old_date != new_date or not _still_stands(plan, last_changes, old_dates):
		return None
	pairs = zip(plan.stages, old_dates, strict=True)
	restored = [last_changes[row.name].old_date if row.name in last_changes else day for row, day in pairs]
	actual = [reached_on or day for reached_on, day in zip(plan.reached_days(), restored, strict=True)]
	return None if dates.first_out_of_order(actual, plan.reached_flags(), plan.network()) else restored


def _still_stands(plan, last_changes: dict, key_dates_: list) -> bool:
	"""Tell whether all stages of a move are open and on the dates it gave them."""
	open_dates = {
		row.name: day
		for row, day in zip(plan.stages, key_dates_, strict=True)
		if row.status != StageStatus.REACHED
	}
	return all(
		name in open_dates and open_dates[name] == change.new_date for name, change in last_changes.items()
	)


def _last_move(plan, stage) -> dict[str, dict]:
	"""Return the date changes that were made together with the last one of a stage, by row name of the stage."""
	in_effect = {"plan": plan.name, "status": DateChangeStatus.ACCEPTED.value}
	filters = in_effect | {"plan_stage": stage.name}
	last = frappe.get_all(
		"Milestone Date Change", filters=filters, pluck="changed_on", order_by="changed_on desc", limit=1
	)
	if not last:
		return {}
	filters = in_effect | {"changed_on": last[0]}
	fields = ["plan_stage", "old_date", "new_date"]
	rows = frappe.get_all("Milestone Date Change", filters=filters, fields=fields)
	return {row.plan_stage: row for row in rows}


def date_before(plan, stage):
	"""Return the date from which somebody has moved a stage to its key date by a form, if nothing else has moved it since.

	A move that was taken back by the next one counts as little as that one. Where a document, an answer or another
	milestone has moved the stage last, there is none.

	Args:
		plan, stage: rows.
	"""
	filters = {"plan": plan.name, "plan_stage": stage.name, "status": DateChangeStatus.ACCEPTED.value}
	moves: list[tuple] = []
	for row in frappe.get_all(
		"Milestone Date Change", filters, ["old_date", "new_date", "source"], order_by="changed_on, creation"
	):
		if row.source != DateChangeSource.FORM:
			moves = []
		elif moves and moves[-1] == (row.new_date, row.old_date):
			moves.pop()
		else:
			moves.append((row.old_date, row.new_date))
	old_date, new_date = moves[-1] if moves else (None, None)
	is_latest = old_date and new_date and getdate(new_date) == getdate(stage.key_date)
	return getdate(old_date) if is_latest else None


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
	if fault and new_dates[fault[0]] != key_dates(plan)[fault[0]]:
		names = [row.stage_name for row in plan.stages]
		_refuse_out_of_order(dates.DatesOutOfOrder(names, counting, *fault))


def _date_following_stages(plan, index: int, key_dates: list) -> list:
	"""Give a date to the stages that count from a stage which got one, or remove theirs if it lost its date."""
	network, reached, reached_days = plan.network(), plan.reached_flags(), plan.reached_days()
	followed = {index}
	for i in network.all_after(index):
		if followed.isdisjoint(network.direct[i]):
			continue
		previous_date = dates.latest_of(
			[_counting_day(plan.stages[earlier], key_dates[earlier]) for earlier in network.direct[i]]
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


def change_dates(plan: plan_rows.Plan, new_dates: dict, reason: str, source: DateChangeSource) -> None:
	"""Set key dates of a plan, move its open tasks by their rule, and record every date change.

	Args:
		plan: locked, being changed.
		new_dates: new key date by row name of the stage.
		reason: stored with each date change.
		source: what moved the dates.
	"""
	rows, moved_stages = [], []
	stamp = now_datetime()  # one for all: what was moved together can be found together
	for stage in plan.stages:
		if stage.name not in new_dates:
			continue
		old, new = stage.key_date and getdate(stage.key_date), new_dates[stage.name]
		if old == new:
			continue
		plan.set_stage(stage, key_date=new, **schedule.FRESH_STAMPS)
		moved_stages.append((stage, old, new))
		rows.append(date_change(plan, stage, old, new, reason, source) | {"changed_on": stamp})
	bulk.insert_rows("Milestone Date Change", rows)
	_move_tasks(plan, moved_stages)
	_note_later_moved(plan, moved_stages)


def _note_later_moved(plan, moved_stages: list[tuple]) -> None:
	"""Note that later stages have moved since one was reached early or late: nobody is offered to move them again."""
	network = plan.network()
	has_moved = {stage.name for stage, *_dates in moved_stages}
	for position, reached in enumerate(plan.stages):
		later = [plan.stages[i] for i in network.all_after(position)] if _is_off(reached) else []
		is_last = not any(row.status == StageStatus.REACHED for row in later)
		if is_last and any(row.name in has_moved for row in later):
			plan.set_stage(reached, later_moved=1)


def _is_off(stage) -> bool:
	"""Tell whether a stage was reached on another day than its key date."""
	is_dated = stage.status == StageStatus.REACHED and stage.key_date and stage.reached_on
	return bool(is_dated) and getdate(stage.key_date) != getdate(stage.reached_on)


def date_with_actual(plan, stage):
	"""Return the date of the next open stage, moved as far as the stage before it was reached early or late.

	Args:
		plan: the plan.
		stage: any of its stages.

	Returns:
		tuple: the reached stage and the new date; None for other stages, after a stage that was reached on its key date,
		and where later stages have moved since.
	"""
	reached = _last_before(plan, stage)
	if not reached or not stage.key_date or not _is_off(reached) or cint(reached.later_moved):
		return None
	planned, actual, day = getdate(reached.key_date), getdate(reached.reached_on), getdate(stage.key_date)
	# The days off of a document take a query.
	calendar = plan_rows.calendar_of(plan) if stage.working_days else WorkCalendar()
	try:
		new_date = dates.moved_along(day, planned, actual, calendar, bool(stage.working_days))
	except OutOfCalendar:
		return None
	new_date = max(new_date, actual)
	return (reached, new_date) if new_date != day else None


def _last_before(plan, stage):
	"""Return the stage that was reached last of those an upcoming one directly comes after, once all of them are."""
	if not any(row is stage for row in order.next_ones(plan.stages)):
		return None
	before = [plan.stages[i] for i in plan.network().direct[plan.stages.index(stage)]]
	if not before or any(row.status != StageStatus.REACHED or not row.reached_on for row in before):
		return None
	return max(before, key=lambda row: (getdate(row.reached_on), row.idx))


def task_moves(plan, moved_stages: list[tuple]) -> list[dates.TaskMove]:
	"""Return the open tasks whose due date changes with the key dates of their stages; writes nothing.

	Args:
		plan: the plan.
		moved_stages: stage, old and new key date of each.
	"""
	calendar, moves = plan_rows.calendar_of(plan), []
	for stage, old, new in moved_stages:
		planned = [planned_task(task) for task in plan.open_tasks() if task.plan_stage == stage.name]
		moves += dates.move_tasks(planned, old, new, calendar)
	return moves


def date_change(plan, stage, old, new, reason: str, source: DateChangeSource) -> dict:
	"""Return the values of a Milestone Date Change in effect, by the session user.

	Args:
		plan, stage: rows.
		old, new: key dates.
		reason, source: why it moves, and what moves it.
	"""
	return {
		"status": DateChangeStatus.ACCEPTED.value,
		"plan": plan.name,
		"plan_stage": stage.name,
		"stage_name": stage.stage_name,
		"reference_type": plan.reference_type,
		"reference_name": plan.reference_name,
		"old_date": old,
		"new_date": new,
		"reason": reason,
		"source": str(source),
		"changed_by": frappe.session.user,
	}


def _move_tasks(plan, moved_stages: list[tuple]) -> None:
	if not moved_stages:
		return
	changes = {
		move_.key: {"due_date": move_.new, **schedule.FRESH_TASK_STAMPS}
		for move_ in task_moves(plan, moved_stages)
	}
	bulk.update_rows("Milestone Task", changes)
	for task in plan.open_tasks():
		task.update(changes.get(task.name, {}))
	todos.update_open(changes)


def planned_task(task) -> dates.PlannedTask:
	"""Return a task for the date rules.

	Args:
		task: Milestone Task, document or row.
	"""
	return dates.PlannedTask(
		key=task.name,
		due_date=task.due_date and getdate(task.due_date),
		status=TaskStatus(task.status),
		due_days_before=cint(task.due_days_before),
		working_days=bool(task.working_days),
		set_manually=bool(task.due_by_hand),
	)


# Many systems use 9999-12-31 for "no end"; no date can be counted from it.
OPEN_END = 9999


def stage_rule(row, doc) -> dates.StageRule:
	"""Return the date rule of a stage with the value of its date field in the document.

	Args:
		row: row of a plan or workflow stage.
		doc: the document.
	"""
	value = doc.get(row.date_field) if row.date_field else None
	day = getdate(value) if value else None
	return dates.StageRule(
		name=row.stage_name,
		rule=KeyDateRule(row.key_date_rule),
		offset_days=row.offset_days or 0,
		working_days=bool(row.working_days),
		date_value=day if day and day.year < OPEN_END else None,
	)
