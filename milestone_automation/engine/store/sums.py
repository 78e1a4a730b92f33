"""The sums stored with a plan: open required tasks and health of each stage, and the plan's health, stage and dates."""

from itertools import accumulate

import frappe
from frappe.utils import cint, getdate, nowdate

from milestone_automation.engine.rules import health, order
from milestone_automation.engine.rules.network import Network
from milestone_automation.engine.rules.vocabulary import GateMode, Health, PlanStatus, StageStatus
from milestone_automation.engine.store import forecasts, plan_rows

# Columns of a plan that `add_up` and the sweep work out from its stages and today's date.
SUMS = ("health", "current_stage", "next_date", "next_check")


def summarize_new(plan_doc) -> None:
	"""Set the sums of a new plan.

	Args:
		plan_doc: Milestone Plan document whose stages have their number of open required tasks.
	"""
	today = getdate(nowdate())
	required = [cint(stage.open_required) for stage in plan_doc.stages]
	overdue = [0] * len(required)
	sums = stage_sums(plan_doc, plan_doc.stages, (required, overdue), today, _warning_lead_days())
	for stage, values in zip(plan_doc.stages, sums, strict=True):
		stage.update(values)
	plan_doc.update(summary_of(plan_doc, plan_doc.stages))
	plan_doc.next_check = today


def add_up(plan: plan_rows.Plan, count_tasks: bool) -> None:
	"""Work out the sums of a plan that is being changed; writes nothing.

	Args:
		plan: locked, with its changes.
		count_tasks: whether to count the open tasks and work out the health of each stage.
	"""
	if count_tasks:
		_add_up_stages(plan)
	if plan.status != PlanStatus.CANCELLED:
		plan.set_plan(**summary_of(plan, plan.stages))
		# The sweep sets a later day: it knows the working days and who is still to be told.
		is_running = plan.status == PlanStatus.ACTIVE and not plan.on_hold_since
		plan.set_plan(next_check=getdate(nowdate()) if is_running else None)


def _add_up_stages(plan: plan_rows.Plan) -> None:
	today = getdate(nowdate())
	required, overdue = count_by_stage(plan.stages, _open_tasks(plan), today)
	sums = stage_sums(plan, plan.stages, (required, overdue), today, _warning_lead_days())
	for stage, values in zip(plan.stages, sums, strict=True):
		plan.set_stage(stage, **values)


def count_open_tasks(plan: plan_rows.Plan) -> None:
	"""Count the open required tasks of each stage of a plan, for the gate; writes nothing.

	Args:
		plan: locked; the tasks of a cancelled plan count as closed.
	"""
	required, _overdue = count_by_stage(plan.stages, _open_tasks(plan), getdate(nowdate()))
	for stage, number in zip(plan.stages, required, strict=True):
		plan.set_stage(stage, open_required=number)


def _open_tasks(plan: plan_rows.Plan) -> list:
	return plan.open_tasks() if plan.status != PlanStatus.CANCELLED else []


def _warning_lead_days() -> int:
	return cint(frappe.db.get_single_value("Milestone Settings", "warning_lead_days", cache=True))


def count_by_stage(stages, open_tasks, today) -> tuple[list[int], list[int]]:
	"""Count the open tasks of each stage.

	Args:
		stages: rows of Milestone Plan Stage.
		open_tasks: open rows of Milestone Task.
		today: today's date.

	Returns:
		tuple: for each stage, the number of open required tasks; and the number of open tasks past their due date.
	"""
	required, overdue = dict.fromkeys((stage.name for stage in stages), 0), {}
	for task in open_tasks:
		required[task.plan_stage] = required.get(task.plan_stage, 0) + bool(task.required)
		is_overdue = bool(task.due_date) and getdate(task.due_date) < today
		overdue[task.plan_stage] = overdue.get(task.plan_stage, 0) + is_overdue
	return [required[stage.name] for stage in stages], [overdue.get(stage.name, 0) for stage in stages]


def stage_sums(
	plan, stages, counts: tuple[list[int], list[int]], today, warning_lead_days: int
) -> list[dict]:
	"""Return `open_required` and `health` of each stage of a plan. Exit criteria count as last judged.

	Args:
		plan: row of the plan: whether tasks of earlier stages block later ones, and whether it is on hold.
		stages: all stages of the plan, in order.
		counts: for each stage, the number of open required tasks, and of open tasks past their due date.
		today: today's date.
		warning_lead_days: calendar days before the key date, for stages without their own.
	"""
	sums = []
	earlier_blocking = _earlier_blocking(stages, counts[0]) if plan.earlier_tasks_block else None
	# Without forecasts the setting is not needed.
	has_chance = any(forecasts.chance_of(stage) is not None for stage in stages)
	at_risk_below = forecasts.at_risk_below() if has_chance else 0
	# The stages of a new plan have no names yet.
	skipped = {id(stage) for stage in order.skipped(stages)}
	for index, (stage, open_required, overdue_tasks) in enumerate(zip(stages, *counts, strict=True)):
		own_blocking = open_required + cint(stage.get("open_criteria"))
		blocking = own_blocking + (earlier_blocking[index] if earlier_blocking else 0)
		lead = cint(stage.warning_lead_days) or warning_lead_days
		stage_health = _stage_health(
			stage,
			blocking,
			today,
			lead,
			overdue_open_tasks=overdue_tasks,
			is_skipped=id(stage) in skipped,
			is_on_hold=bool(plan.on_hold_since),
			chance=forecasts.chance_of(stage),
			at_risk_below=at_risk_below,
		)
		sums.append({"open_required": open_required, "health": stage_health.value})
	return sums


def _earlier_blocking(stages, required: list[int]) -> list[int]:
	"""Return for each stage how many required tasks and exit criteria block the open stages before it."""
	network = Network.of(stages)
	waiting = [
		0 if stage.status == StageStatus.REACHED else number + cint(stage.get("open_criteria"))
		for stage, number in zip(stages, required, strict=True)
	]
	if network.is_chain:
		return [0, *accumulate(waiting)][: len(waiting)]
	return [sum(waiting[i] for i in network.before(position)) for position in range(len(waiting))]


def _stage_health(stage, blocking: int, today, lead: int, **facts) -> Health:
	is_gate = (stage.gate_mode or GateMode.BLOCK) == GateMode.BLOCK
	return health.stage_health(
		stage.status,
		getdate(stage.key_date) if stage.key_date else None,
		today,
		# Nothing blocks a stage in gate mode Warn or Off: it can be late, but never blocked.
		blocking if is_gate else 0,
		lead,
		**facts,
	)


def summary_of(plan, stages) -> dict:
	"""Return health, current_stage, next_date and status of a plan, worked out from its stages.

	Args:
		plan: row of the plan; on hold its health is On Hold, whatever its stages were before.
		stages: its stages, in order.
	"""
	skipped, open_stages = order.skipped(stages), order.upcoming(stages)
	dated = [getdate(stage.key_date) for stage in open_stages if stage.key_date]
	health_of_stages = health.plan_health([stage.health or Health.ON_TRACK for stage in stages])
	is_on_hold = bool(plan.on_hold_since and open_stages)
	return {
		"health": (Health.ON_HOLD if is_on_hold else health_of_stages).value,
		# What is skipped comes last: nobody is asked for it.
		"current_stage": next((stage.stage_name for stage in [*open_stages, *skipped]), ""),
		"next_date": min(dated) if dated else None,
		"status": PlanStatus.ACTIVE.value if open_stages or skipped else PlanStatus.COMPLETED.value,
	}


def tell_desk(plan) -> None:
	"""Tell open forms of the document that its plan changed, after the commit.

	Args:
		plan: row with `reference_type` and `reference_name`.
	"""
	frappe.publish_realtime(
		"milestone_plan_changed",
		{"doctype": plan.reference_type, "name": plan.reference_name},
		doctype=plan.reference_type,
		docname=plan.reference_name,
		after_commit=True,
	)
