"""The outbox of next steps: what is to be done is written in the transaction in which it happens.

A stage has steps for when it is reached, reached late, blocked or overdue, a plan for when it is completed. Each runs once
for each occasion. A stage is reached as often as it is reached; it is blocked or overdue once for each of its key dates and
each time it was undone; a plan is completed once, and again after a stage of it was undone.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable

import frappe
from frappe.utils import getdate, now_datetime

from milestone_automation.engine.base import bulk, jobs
from milestone_automation.engine.rules.vocabulary import Health, PlanEvent, StageStatus, StepEvent, StepStatus
from milestone_automation.engine.store import app_events

DOCTYPE = "Milestone Next Step"
RUN = "milestone_automation.engine.progress.next_steps.run"
RUN_BLOCKED = "milestone_automation.engine.progress.next_steps.note_refused"
DEPTH_FLAG = "milestone_action_depth"
# Of a stage that is not reached: they last, so that each is noted once for an occasion.
LASTING = (StepEvent.BLOCKED, StepEvent.OVERDUE)
# Where none of these is, nobody has to be asked for the key date.
NOT_WAITING = (Health.DONE.value, Health.SKIPPED.value, Health.ON_HOLD.value)


# What happens


def note_reached(plan, stage) -> None:
	"""Note what is to be done as a stage is being reached.

	Args:
		plan: row of the plan.
		stage: row of the stage, with its key date and the day on which it was reached.
	"""
	occasion = str(now_datetime())
	rows = _rows(plan, stage, StepEvent.REACHED, occasion)
	if stage.key_date and stage.reached_on and getdate(stage.reached_on) > getdate(stage.key_date):
		rows += _rows(plan, stage, StepEvent.REACHED_LATE, occasion)
	_insert(rows)


def note_undone(plan, stage) -> None:
	"""Note that other apps are to be told of a stage that is being reopened.

	Args:
		plan: row of the plan.
		stage: row of the stage.
	"""
	_insert(_rows(plan, stage, StepEvent.UNDONE, str(now_datetime())))


def note_completed(plan) -> None:
	"""Note what is to be done as a plan is being completed.

	Args:
		plan: the plan, with its stages. What belongs to no stage is kept with the one that was reached last.
	"""
	reached = [stage for stage in plan.stages if stage.reached_at]
	stage = max(reached, key=lambda row: str(row.reached_at), default=plan.stages[-1])
	completed_steps = {"next_actions": plan.completed_actions, "next_actions_by": plan.completed_actions_by}
	event = StepEvent.PLAN_COMPLETED
	if plan.completed_actions or any(app_events.steps(event, plan.reference_type)):
		occasion = completed_occasion(plan.name)
		_insert_new(_rows(plan, frappe._dict(stage, **completed_steps), event, occasion))


def completed_occasion(plan: str) -> str:
	"""Return by what the present completion of a plan is known: how often one of its stages was undone before.

	Args:
		plan: name of the plan.
	"""
	return str(_times_undone({"plan": plan})[plan])


def note_lasting(plans: Iterable[tuple[object, list]], today) -> None:
	"""Note what is to be done for stages that are blocked or overdue, unless it was noted for this occasion.

	No query where no step waits for that, and no app listens.

	Args:
		plans: rows of plans, locked, each with its stages, whose health is worked out.
		today: today's date.
	"""
	found = [
		(plan, stage, event)
		for plan, stages in plans
		for stage in stages
		for event in _lasting_events(plan, stage, today)
		if _has_steps(plan, stage, event)
	]
	_note(found)


def note_blocked(plan, stage) -> None:
	"""Note what is to be done for a stage that the gate has refused, unless it was noted for this occasion.

	Args:
		plan: row of the plan, locked.
		stage: row of the stage.
	"""
	if _has_steps(plan, stage, StepEvent.BLOCKED):
		_note([(plan, stage, StepEvent.BLOCKED)])


def request_blocked(plan, stage) -> None:
	"""Have a refusal by the gate noted by a job, as what the refused transaction writes is undone with it.

	Args:
		plan: row of the plan.
		stage: row of the stage that was refused.
	"""
	if _has_steps(plan, stage, StepEvent.BLOCKED):
		job = f"milestone-blocked-{stage.name}"
		jobs.queue_follow_up(RUN_BLOCKED, job, if_undone=True, plan=plan.name, stage=stage.name)


def _note(found: list[tuple]) -> None:
	if not found:
		return
	undone = _times_undone({"plan_stage": ("in", [stage.name for _plan, stage, _event in found])})
	rows = []
	for plan, stage, event in found:
		rows += _rows(plan, stage, event, lasting_occasion(stage, undone[stage.name]))
	_insert_new(rows)


def _lasting_events(plan, stage, today) -> Iterable[StepEvent]:
	if stage.status == StageStatus.REACHED or stage.health in NOT_WAITING or _is_of_the_past(plan, stage):
		return
	if stage.health == Health.BLOCKED:
		yield StepEvent.BLOCKED
	if stage.key_date and getdate(stage.key_date) < today:
		yield StepEvent.OVERDUE


def _is_of_the_past(plan, stage) -> bool:
	"""Tell whether a date was over when the document was brought in without messages: nothing is done for it either."""
	if not plan.get("quiet_before") or not stage.key_date:
		return False
	return getdate(stage.key_date) < getdate(plan.quiet_before)


def _has_steps(plan, stage, event: StepEvent) -> bool:
	if event.value in (stage.next_actions or "") and actions_of(stage, event):
		return True
	return any(app_events.steps(event, plan.reference_type))


# Occasions


def is_over(row, stage) -> bool:
	"""Tell whether a stage is in another round than the one for which a step was noted: it was undone, or its date moved.

	Args:
		row: of the step, blocked or overdue.
		stage: row of the stage.
	"""
	undone = _times_undone({"plan_stage": stage.name, "plan": row.plan})[stage.name]
	return row.occasion != lasting_occasion(stage, undone)


def lasting_occasion(stage, times_undone: int) -> str:
	"""Return by what the occasion of a stage that is not reached is known.

	Args:
		stage: row of the stage; its key date counts.
		times_undone: how often it was undone before.

	Returns:
		str: such as "2026-03-31/0".
	"""
	return f"{stage.key_date and getdate(stage.key_date)}/{times_undone}"


def _times_undone(filters: dict) -> Counter:
	"""Return how often stages were undone, by the first column that is asked for: plan or row name of the stage."""
	column = next(iter(filters))
	found = frappe.get_all(
		"Milestone Plan Log", {**filters, "event": PlanEvent.MILESTONE_UNDONE.value}, pluck=column
	)
	return Counter(found)


# Rows


def actions_of(stage, event: StepEvent) -> list:
	"""Return the actions of a stage for an event; one that nobody can read where its text is no list.

	Args:
		stage: row with `next_actions`.
		event: what happened.
	"""
	try:
		actions = json.loads(stage.next_actions or "[]")
	except ValueError:
		actions = None
	if not isinstance(actions, list):
		# As only SQL can have written it; the step fails and says so.
		return [None] if event is StepEvent.REACHED else []
	return [action for action in actions if _event_of(action, event) == event]


def _event_of(action, event: StepEvent) -> str:
	"""Return what a step waits for: without a word, for what its place is for."""
	default = StepEvent.PLAN_COMPLETED if event is StepEvent.PLAN_COMPLETED else StepEvent.REACHED
	return (action.get("when") if isinstance(action, dict) else None) or default


def _rows(plan, stage, event: StepEvent, occasion: str) -> list[dict]:
	actions = [] if event is StepEvent.UNDONE else actions_of(stage, event)
	listeners = list(app_events.steps(event, plan.reference_type))
	keyed = [(number, number, action) for number, action in enumerate(actions, 1)]
	keyed += [(len(actions) + number, json.dumps(step), step) for number, step in enumerate(listeners, 1)]
	return [_row(plan, stage, event, occasion, *one) for one in keyed]


def _row(plan, stage, event: StepEvent, occasion: str, number: int, key, action: dict | None) -> dict:
	arguments = json.dumps(action)
	name = action.get("action") if isinstance(action, dict) else None
	return {
		"plan": plan.name,
		"plan_stage": stage.name,
		"stage_name": stage.stage_name,
		"reference_type": plan.reference_type,
		"reference_name": plan.reference_name,
		"event": event.value,
		"occasion": occasion,
		"occasion_key": _hash(stage.name, event.value, occasion, key),
		"step": number,
		"action": str(name or "")[:140],
		"arguments": arguments,
		"author": stage.get("next_actions_by"),
		"status": StepStatus.PENDING.value,
		"next_attempt": now_datetime(),
		"depth": (frappe.flags.get(DEPTH_FLAG) or 0) + 1,
		"step_key": step_key(plan, stage, event, number, arguments),
	}


def step_key(plan, stage, event: StepEvent, number: int, arguments: str) -> str:
	"""Return by what steps are known as the same one of a workflow.

	Args:
		plan, stage: rows.
		event: what they wait for.
		number: place of the step among those of the event.
		arguments: the step as JSON.
	"""
	return _hash(
		plan.workflow,
		stage.get("workflow_stage"),
		stage.stage_name,
		event.value,
		number,
		arguments,
		stage.get("next_actions_by"),
	)


def _hash(*parts) -> str:
	text = "\0".join(str(part) for part in parts)
	return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _insert_new(rows: list[dict]) -> None:
	"""Insert the rows of an occasion that are not there yet. The plan is locked, so nobody inserts them meanwhile."""
	if not rows:
		return
	keys = [row["occasion_key"] for row in rows]
	known = set(frappe.get_all(DOCTYPE, {"occasion_key": ("in", keys)}, pluck="occasion_key"))
	_insert([row for row in rows if row["occasion_key"] not in known])


def _insert(rows: list[dict]) -> None:
	names = bulk.insert_rows(DOCTYPE, rows)
	if names:
		jobs.queue_follow_up(RUN, f"milestone-next-steps-{names[0]}", names=names)
