"""Forecasts as they are stored with the stages of plans: what they are worth, and writing new ones."""

from datetime import date

import frappe
from frappe.utils import cint, flt, getdate

from milestone_automation.engine.base import bulk, locks
from milestone_automation.engine.rules.vocabulary import PlanStatus, StageStatus

FIELDS = ("forecast_date", "forecast_p80", "chance", "chance_for")
# The values of a stage of which nothing is said.
NOTHING = {"forecast_date": None, "forecast_p80": None, "chance": 0, "chance_for": None}


def chance_of(stage) -> int | None:
	"""Return the chance of an open stage to meet its key date, in per cent; None where nothing is said.

	A chance counts for the key date it was worked out for only: after a move there is none until the next forecast.

	Args:
		stage: row of Milestone Plan Stage, or a dict.
	"""
	chance_for, key_date = stage.get("chance_for"), stage.get("key_date")
	if stage.get("status") == StageStatus.REACHED or not chance_for or not key_date:
		return None
	return cint(stage.get("chance")) if getdate(chance_for) == getdate(key_date) else None


def is_risk(stage, limit: int) -> bool:
	"""Return whether the chance of a stage to meet its key date is below the limit, in per cent.

	Args:
		stage: row of Milestone Plan Stage, or a dict.
		limit: percentage; 0 makes no chance a risk.
	"""
	chance = chance_of(stage)
	return chance is not None and chance < limit


def at_risk_below() -> int:
	"""Return the percentage of the settings below which a chance is a risk; 0 for never."""
	# Asked at each start of the Desk, so without a query.
	return cint(frappe.get_cached_doc("Milestone Settings").get("at_risk_below"))


def is_same(stage, values: dict) -> bool:
	"""Return whether a stage has these values of `FIELDS` already.

	Args:
		stage: row of Milestone Plan Stage, or a dict.
		values: by name, some of `FIELDS`.
	"""
	return all(_plain(stage.get(name)) == _plain(value) for name, value in values.items())


def _plain(value):
	"""Return a date as text and a percentage as a number: databases give them in types of their own."""
	if value is None:
		return None
	return str(value) if isinstance(value, date | str) else flt(value)


def write(plans: dict[str, dict[str, dict]], limit: int, today: date) -> set[str]:
	"""Write new forecasts; the caller commits. Plans that become a risk, or none, are left to the next sweep to tell.

	A stage that was reached or moved meanwhile is left out; its plan has changed and is looked at again.

	Args:
		plans: by name of the plan and row name of the stage, values of `FIELDS`.
		limit: percentage below which a chance is a risk.
		today: today's date.

	Returns:
		set[str]: names of the plans that somebody else is changing; nothing of them is written.
	"""
	on_hold = _lock(list(plans))
	changes, rechecked = {}, {}
	for row in _rows(list(on_hold)):
		values = plans[row.parent].get(row.name)
		if values is None or not _still_fits(row, values):
			continue
		changes[row.name] = values
		# The sweep leaves a plan on hold alone until it is resumed.
		if is_risk(row, limit) != is_risk({**row, **values}, limit) and not on_hold[row.parent]:
			rechecked[row.parent] = {"next_check": today}
	for name in FIELDS:
		# A column at a time: there are fewer days and percentages than rows.
		bulk.update_rows(
			"Milestone Plan Stage", {row: {name: values[name]} for row, values in changes.items()}
		)
	bulk.update_rows("Milestone Plan", rechecked)
	return set(plans) - set(on_hold)


def _still_fits(stage, values: dict) -> bool:
	if values["forecast_date"] is None:
		return True
	key_date = getdate(stage.key_date) if stage.key_date else None
	return stage.status != StageStatus.REACHED and key_date == values["chance_for"]


def _lock(names: list[str]) -> dict[str, bool]:
	"""Lock active plans, and tell which are on hold; those that somebody else is changing are skipped."""
	plan = frappe.qb.DocType("Milestone Plan")
	query = (
		frappe.qb.from_(plan)
		.select(plan.name, plan.on_hold_since)
		.where(plan.name.isin(names))
		.orderby(plan.name)
	)
	query = query.where(plan.status == PlanStatus.ACTIVE.value)
	if not locks.is_only_writer():
		query = query.for_update(skip_locked=True)
	return {name: bool(since) for name, since in query.run()} if names else {}


def _rows(plans: list[str]) -> list:
	if not plans:
		return []
	stage = frappe.qb.DocType("Milestone Plan Stage")
	query = frappe.qb.from_(stage).where(stage.parent.isin(plans)).orderby(stage.name)
	query = query.select(
		stage.name, stage.parent, stage.status, stage.key_date, *(stage[name] for name in FIELDS)
	)
	if frappe.db.db_type != "sqlite":
		query = query.for_update()
	return query.run(as_dict=True)
