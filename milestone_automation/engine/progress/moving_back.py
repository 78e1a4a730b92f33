"""Moving a key date back: where a stage was before its last move, by the date changes that are stored. Reads only."""

import frappe
from frappe.utils import getdate

from milestone_automation.engine.rules import dates
from milestone_automation.engine.rules.vocabulary import DateChangeSource, DateChangeStatus, StageStatus


def restored_dates(plan, stage, old_dates: list, new_date) -> list | None:
	"""Return the dates before the last move of a stage if it is moved back to where it was, else None.

	Counted in working days, a later stage on a day off would not land where it was.

	Args:
		plan: the plan.
		stage: row of the stage.
		old_dates: key date of each stage, in order.
		new_date: the new key date of the stage.
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
