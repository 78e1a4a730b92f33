"""Shifting milestones of many documents by some days: what would move, and moving it."""

from collections.abc import Callable

import frappe
from frappe import _
from frappe.utils import getdate

from milestone_automation.desk import acting
from milestone_automation.engine.progress import moving_along, reschedule_preview, shifting, stage_dates
from milestone_automation.engine.progress.shifting import Shift
from milestone_automation.engine.store import plan_log, plan_rows


def preview(cells: list[dict], by: Shift) -> dict:
	"""Say what shifting milestones would change, without changing anything.

	Args:
		cells: chosen milestones, each with `plan`, `stage` (row name or name) and `key_date` as the user sees it.
		by: how far.

	Returns:
		dict: `documents`, each with plan, reference_type and reference_name, and `stages`, `stays` as in
		`preview_reschedule` and `tasks` (how many move); `refused`, as `shift` returns it.

	Raises:
		frappe.ValidationError: no cell is chosen.
	"""
	documents, refused = _each(cells, lambda plan, stages: _preview_one(plan, stages, by), lock=False)
	return {"documents": documents, "refused": refused}


def shift(cells: list[dict], by: Shift, reason: str) -> dict:
	"""Shift milestones of many documents. Each document shifts whole or not at all, and one that cannot keeps no other.

	Args:
		cells, by: as in `preview`.
		reason: why; required, stored with each date change.

	Returns:
		dict: `moved`, names of the plans; `refused`, each with plan, reference_name (None for one that the user may not
		see) and reason.

	Raises:
		frappe.ValidationError: there is no reason, or no cell is chosen.
		ConflictError: somebody else changed one of the plans at the same moment; then nothing has moved.
	"""
	reason = plan_log.check_reason(reason)

	def shift_one(plan: plan_rows.Plan, stages: list[str]) -> str:
		shifting.shift(plan, stages, by, reason)
		return plan.name

	moved_plans, refused = _each(cells, shift_one, lock=True)
	return {"moved": moved_plans, "refused": refused}


def _each(cells: list[dict], act: Callable, lock: bool) -> tuple[list, list]:
	"""Act on the chosen stages of each plan; returns what came of it, and the refusals."""
	cells_by_plan: dict[str, list] = {}
	for cell in cells:
		cells_by_plan.setdefault(cell["plan"], []).append(cell)
	if not cells_by_plan:
		frappe.throw(_("Choose at least one milestone."))

	def act_on(plan: plan_rows.Plan):
		_check(plan, cells_by_plan[plan.name])
		return act(plan, [cell["stage"] for cell in cells_by_plan[plan.name]])

	return acting.each_plan(cells_by_plan, act_on, lock)


def _check(plan: plan_rows.Plan, cells: list[dict]) -> None:
	for cell in cells:
		acting.check_acts_on(plan, cell["stage"])
		stage = plan.stage(cell["stage"])
		if cell["key_date"] and cell["key_date"] != (stage.key_date and getdate(stage.key_date)):
			frappe.throw(
				_("{0} was moved meanwhile. Refresh the grid and look again.").format(stage.stage_name)
			)
	acting.check_moves_dates(plan)


def _preview_one(plan: plan_rows.Plan, stages: list[str], by: Shift) -> dict:
	plan.check_is_active()
	rows = shifting.chosen(plan, stages)
	new_dates = shifting.shifted_dates(plan, rows, by)
	new_dates = moving_along.foreseen_dates(plan, rows, new_dates, by.keep_anchored)
	changes = reschedule_preview.consequences(plan, rows, stage_dates.key_dates(plan), new_dates)
	reference = {name: plan[name] for name in ("reference_type", "reference_name")}
	return {"plan": plan.name, **reference, **changes, "tasks": len(changes["tasks"])}
