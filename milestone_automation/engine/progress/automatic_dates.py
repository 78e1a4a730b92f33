"""Key dates that move by themselves: a stage is reached or reopened, or the document gives another date.

What a stage cannot follow is told and logged, and made good as soon as earlier stages allow it.
"""

import frappe
from frappe import _
from frappe.utils import cint, getdate

from milestone_automation.engine.progress import moving_along, rescheduling, stage_dates
from milestone_automation.engine.rules import dates
from milestone_automation.engine.rules.vocabulary import (
	DateChangeSource,
	KeyDateRule,
	PlanEvent,
	ShiftMode,
	StageStatus,
)
from milestone_automation.engine.rules.working_days import OutOfCalendar
from milestone_automation.engine.store import plan_log, plan_rows


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
	rescheduling.make_good(plan)


def _date_following(plan, following, counted_from) -> None:
	"""Date a stage that counts from a reached one, or tell that it cannot be."""
	calendar = plan_rows.calendar_of(plan)
	try:
		day = calendar.add_days(counted_from, cint(following.offset_days), bool(following.working_days))
	except OutOfCalendar:
		_tell_undated(plan, following)
		return
	new_date = max([day, *_earlier_dates(plan, following)])
	rescheduling.move(
		plan, following, new_date, "", DateChangeSource.PREVIOUS_MILESTONE, answer=ShiftMode.KEEP_ORDER
	)


def _counted_from(plan, following, stage, reached_on):
	"""Return the latest of the days from which a stage counts, one of them just reached; None if one is missing."""
	before = [plan.stages[i] for i in plan.network().direct[plan.stages.index(following)]]
	days = [reached_on if row is stage else stage_dates.counting_day(row, row.key_date) for row in before]
	return dates.latest_of(days)


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
			rescheduling.move(plan, following, None, reason, source, answer=ShiftMode.KEEP_ORDER)


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
		new_date, source = stage_dates.document_date(plan, stage), DateChangeSource.DOCUMENT_FIELD
		plan.set_stage(stage, document_date_moved=0)
	if new_date:
		wanted_date, new_date = new_date, max([new_date, *_earlier_dates(plan, stage)])
		follows_document = source is DateChangeSource.DOCUMENT_FIELD or not stage.date_by_hand
		if stage_dates.is_anchored(stage) and follows_document and new_date != wanted_date:
			plan.set_stage(stage, document_date_moved=1)
	if new_date != key_date:
		rescheduling.move(plan, stage, new_date, reason, source, answer=ShiftMode.KEEP_ORDER)
	_put_in_order(plan, reason)


def _put_in_order(plan, reason: str) -> None:
	"""Move open stages that are before an earlier one: it counted by the day it was reached, and counts by its date again."""
	old_dates = stage_dates.key_dates(plan)
	new_dates = dates.put_in_order(old_dates, plan.reached_flags(), plan.reached_days(), plan.network())
	rescheduling.note_making_room(plan, [], old_dates, new_dates)
	moved_dates = {
		row.name: new for row, old, new in stage_dates.old_and_new(plan, old_dates, new_dates) if old != new
	}
	rescheduling.change_dates(plan, moved_dates, reason, DateChangeSource.PREVIOUS_MILESTONE)


def _earlier_dates(plan, stage) -> list:
	"""Return the dates before which a stage is not dated by itself: those of earlier stages, as they count."""
	counting = dates.counting_dates(stage_dates.key_dates(plan), plan.reached_days())
	before = plan.network().before(plan.stages.index(stage))
	return [counting[i] for i in before if counting[i]]


# Following the document


def follow_document(plan, stages: list) -> None:
	"""Move the key dates of open stages to those their document gives now, or as near as earlier stages allow.

	What does not follow is told, noted on the stage, and made good as soon as earlier stages allow it.

	Args:
		plan: locked, being changed.
		stages: its open stages whose date field changed, in order.
	"""
	new_dates = stage_dates.key_dates(plan)
	reasons: dict[str, str] = {}
	for stage in stages:
		index = plan.stages.index(stage)
		day, is_followed = _followed_date(plan, stage, new_dates)
		if is_followed and day != new_dates[index]:
			before, new_dates = new_dates, _dates_following(plan, stage, day, new_dates)
			reason = _("{0} changed.").format(stage_dates.date_label(plan, stage))
			reasons |= {
				row.name: reason
				for row, *pair in stage_dates.old_and_new(plan, before, new_dates)
				if pair[0] != pair[1]
			}
			rescheduling.note_making_room(plan, [stage], before, new_dates)
	moved_dates = {
		row.name: new
		for row, old, new in stage_dates.old_and_new(plan, stage_dates.key_dates(plan), new_dates)
		if old != new
	}
	for reason in dict.fromkeys(reasons.values()):
		some = {name: new for name, new in moved_dates.items() if reasons[name] == reason}
		rescheduling.change_dates(plan, some, reason, DateChangeSource.DOCUMENT_FIELD)
	rescheduling.make_good(plan)


def _dates_following(plan, stage, day, new_dates: list) -> list:
	"""Return the dates of all stages after one follows its document; unchanged if later ones cannot move that far."""
	try:
		return moving_along.dates_with(plan, new_dates, stage, day, DateChangeSource.DOCUMENT_FIELD)
	except moving_along.TooFar:
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
	wanted_date = stage_dates.document_date(plan, stage, failed)
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
