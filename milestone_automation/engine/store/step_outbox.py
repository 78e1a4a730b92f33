"""The outbox of next steps: what is to be done is written in the transaction in which it happens.

A stage has steps for when it is reached, reached late, blocked or overdue, a plan for when it is completed. Each runs once
for each occasion. A stage is reached as often as it is reached; it is blocked or overdue once for each of its key dates and
each time it was undone; a plan is completed once, and again after a stage of it was undone.

Within an occasion a step is known by what it says, and equal ones by their number: a new version of a workflow may bring
its steps in another order, or put new ones between them.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import frappe
from frappe.utils import getdate, now_datetime

from milestone_automation.engine.base import bulk, jobs
from milestone_automation.engine.rules.vocabulary import Health, StageStatus, StepEvent, StepStatus
from milestone_automation.engine.store import app_events, undoings

DOCTYPE = "Milestone Next Step"
RUN = "milestone_automation.engine.progress.next_steps.run"
RUN_BLOCKED = "milestone_automation.engine.progress.next_steps.note_refused"
DEPTH_FLAG = "milestone_action_depth"
# Of a stage that is not reached: they last, so that each is noted once for an occasion.
LASTING = (StepEvent.BLOCKED, StepEvent.OVERDUE)
# Where none of these is, nobody has to be asked for the key date.
NOT_WAITING = (Health.DONE.value, Health.SKIPPED.value, Health.ON_HOLD.value)


class Happening(NamedTuple):
	"""What happens to a stage.

	Attributes:
		plan, stage: rows.
		event: what happens.
	"""

	plan: object
	stage: object
	event: StepEvent


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
	return str(sum(undoings.times([plan]).values()))


def lasting(plan, stages: Iterable, today) -> list[Happening]:
	"""Return which stages are blocked or overdue, and have steps for it. No query.

	Args:
		plan: row of the plan, locked.
		stages: its rows, whose health is worked out.
		today: today's date.
	"""
	return [
		Happening(plan, stage, event)
		for stage in stages
		for event in _lasting_events(plan, stage, today)
		if _has_steps(plan, stage, event)
	]


def note_lasting(happenings: list[Happening]) -> int:
	"""Note what is to be done for stages that are blocked or overdue, unless it was noted for this occasion.

	A constant number of queries, none where there are no such stages.

	Args:
		happenings: in one or more plans, as `lasting` returns them.

	Returns:
		int: how many they are.
	"""
	if happenings:
		undone = undoings.times({plan.name for plan, _stage, _event in happenings})
		rows = []
		for plan, stage, event in happenings:
			rows += _rows(plan, stage, event, lasting_occasion(stage, undone.get(stage.name, 0)))
		_insert_new(rows)
	return len(happenings)


def note_blocked(plan, stage) -> None:
	"""Note what is to be done for a stage that the gate has refused, unless it was noted for this occasion.

	Args:
		plan: row of the plan, locked.
		stage: row of the stage.
	"""
	if _has_steps(plan, stage, StepEvent.BLOCKED):
		note_lasting([Happening(plan, stage, StepEvent.BLOCKED)])


def request_blocked(plan, stage) -> None:
	"""Have a refusal by the gate noted by a job, as what the refused transaction writes is undone with it.

	Args:
		plan: row of the plan.
		stage: row of the stage that was refused.
	"""
	if _has_steps(plan, stage, StepEvent.BLOCKED):
		job = f"milestone-blocked-{stage.name}"
		jobs.queue_follow_up(RUN_BLOCKED, job, if_undone=True, plan=plan.name, stage=stage.name)


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
	undone = undoings.times([row.plan])
	return row.occasion != lasting_occasion(stage, undone.get(stage.name, 0))


def lasting_occasion(stage, times_undone: int) -> str:
	"""Return by what the occasion of a stage that is not reached is known.

	Args:
		stage: row of the stage; its key date counts.
		times_undone: how often it was undone before.

	Returns:
		str: such as "2026-03-31/0".
	"""
	return f"{stage.key_date and getdate(stage.key_date)}/{times_undone}"


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
	steps = [*actions, *app_events.steps(event, plan.reference_type)]
	equal, rows = Counter(), []
	for number, step in enumerate(steps, 1):
		step_text = _said(step)
		equal[step_text] += 1
		row = _row(plan, stage, event, occasion, number, step)
		rows.append(
			row | {"occasion_key": _hash(stage.name, event.value, occasion, step_text, equal[step_text])}
		)
	return rows


def _said(step) -> str:
	"""Return what a step says, in one way: the builder may write it with its keys in another order."""
	return json.dumps(step, sort_keys=True)


def _row(plan, stage, event: StepEvent, occasion: str, number: int, action: dict | None) -> dict:
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
	columns = ("plan_stage", "event", "occasion")
	filters = {column: ("in", sorted({row[column] for row in rows})) for column in columns}
	filters["occasion_key"] = ("is", "set")  # one that has given up its key waits for the next occasion
	stored_steps = frappe.get_all(DOCTYPE, filters, [*columns, "arguments", "occasion_key"])
	keys, counts = {row.occasion_key for row in stored_steps}, Counter(_place(row) for row in stored_steps)
	new = []
	for row in rows:
		# By what the rows say now: a user in them may have another name by now, and rows of earlier versions have keys by
		# the place of their step.
		if counts[_place(row)]:
			counts[_place(row)] -= 1
		elif row["occasion_key"] not in keys:
			new.append(row)
	_insert(new)


def _place(row) -> tuple:
	"""Return what the equal steps of an occasion have in common."""
	try:
		step_text = _said(json.loads(row["arguments"] or "null"))
	except ValueError:
		step_text = row["arguments"]  # as only SQL can have written it
	return row["plan_stage"], row["event"], row["occasion"], step_text


def _insert(rows: list[dict]) -> None:
	names_of: dict[str, list[str]] = {}
	for row, name in zip(rows, bulk.insert_rows(DOCTYPE, rows), strict=True):
		names_of.setdefault(row["plan"], []).append(name)
	for names in names_of.values():
		jobs.queue_follow_up(RUN, f"milestone-next-steps-{names[0]}", names=names)
