"""What blocks or delays active plans: open tasks with their assignees, unmet exit criteria, and overdue milestones without any."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import frappe
from frappe.utils import getdate

from milestone_automation.engine.people import assigned, criterion_texts
from milestone_automation.engine.review.plan_stages import StageRow
from milestone_automation.engine.rules import criteria
from milestone_automation.engine.rules.vocabulary import Health, TaskStatus
from milestone_automation.engine.store import exit_criteria


@dataclass(frozen=True)
class Blocker:
	"""An open task, an exit criterion that is not met, or an overdue milestone without any.

	Attributes:
		stage: the milestone.
		task: the open task; None for a criterion or a milestone.
		title: title of the task, or what the criterion asks of the session user; empty for a milestone.
		required: whether it blocks its milestone.
		due: due date of the task, or key date of the milestone; None if it has none.
		people: display names of the assignees, or user id or role of the owner of the milestone.
		days: days overdue; 0 if it is not.
		since: first day on which it was overdue or blocked its milestone; None for unknown.
	"""

	stage: StageRow
	task: str | None
	title: str
	required: bool
	due: date | None
	people: list[str]
	days: int
	since: date | None = None


def find(rows: Iterable[StageRow], today: date) -> list[Blocker]:
	"""Return what is blocked or overdue, most days first.

	Args:
		rows: stages of active plans that the user may see.
		today: the date by which they are overdue.
	"""
	stages = {row.name: row for row in rows if row.is_waited_for or row.is_skipped}
	waited_for = [row for row in stages.values() if row.is_waited_for]
	blockers = [*_pressing_tasks(stages, today), *_unmet_criteria(waited_for, today)]
	blocked_names = {blocker.stage.name for blocker in blockers}
	blockers += _overdue([row for row in waited_for if row.name not in blocked_names], today)
	return sorted(blockers, key=lambda row: (-row.days, not row.required, row.stage.reference_name))


def _pressing_tasks(stages: dict[str, StageRow], today: date) -> Iterator[Blocker]:
	"""Yield the open tasks that block their stage or are overdue."""
	for task in _open_tasks(list(stages)):
		if blocker := _blocker_of_task(stages[task.plan_stage], task, today):
			yield blocker


def _blocker_of_task(stage: StageRow, task, today: date) -> Blocker | None:
	"""Return the blocker for an open task; None if the task neither blocks its milestone nor is overdue."""
	due = getdate(task.due_date) if task.due_date else None
	is_overdue = bool(due and due < today)
	is_blocking = bool(task.required) and stage.health == Health.BLOCKED
	if not is_overdue and not is_blocking:
		return None
	days = (today - due).days if is_overdue else 0
	begun = [due + timedelta(days=1)] if is_overdue else []
	# A milestone is blocked from its key date on.
	begun += [stage.due] if is_blocking and stage.due else []
	since = min(begun, default=None)
	return Blocker(stage, task.name, task.title, bool(task.required), due, task.people, days, since)


def _unmet_criteria(stages: list[StageRow], today: date) -> Iterator[Blocker]:
	"""Yield the required exit criteria that are not met, of stages that they block or whose key date has passed."""
	pressing = {row.name: row for row in stages if row.health == Health.BLOCKED or _days_overdue(row, today)}
	for name, verdicts in _verdicts(pressing).items():
		stage = pressing[name]
		for verdict in criteria.blocking(verdicts):
			text = criterion_texts.describe_unmet(verdict, stage.reference_type)
			yield _blocker_of_stage(stage, text, True, today)


def _verdicts(stages: dict[str, StageRow]) -> dict[str, list[criteria.Verdict]]:
	"""Return how the exit criteria of some stages stand now, by name of the stage, plan by plan."""
	rows_by_document = defaultdict(list)
	for row in _with_criteria(list(stages)):
		stage = stages[row.name]
		rows_by_document[stage.reference_type, stage.reference_name].append(row)
	documents_with_stages = [(*document, rows) for document, rows in rows_by_document.items()]
	judged = exit_criteria.judge_many(documents_with_stages)
	return {
		row.name: verdicts
		for (_doctype, _name, rows), of_plan in zip(documents_with_stages, judged, strict=True)
		for row, verdicts in zip(rows, of_plan, strict=True)
	}


def _with_criteria(stages: list[str]) -> list:
	if not stages:
		return []
	stage = frappe.qb.DocType("Milestone Plan Stage")
	query = (
		frappe.qb.from_(stage)
		.select(stage.name, stage.stage_name, stage.exit_criteria, stage.waived_criteria)
		.where(stage.parenttype == "Milestone Plan")
		.where(stage.name.isin(stages))
		.where(stage.exit_criteria.isnotnull())
		.orderby(stage.parent)
		.orderby(stage.idx)
	)
	return query.run(as_dict=True)


def _overdue(stages: list[StageRow], today: date) -> Iterator[Blocker]:
	"""Yield the stages whose key date has passed."""
	for stage in stages:
		if _days_overdue(stage, today):
			yield _blocker_of_stage(stage, "", False, today)


def _blocker_of_stage(stage: StageRow, title: str, required: bool, today: date) -> Blocker:
	people = [owner] if (owner := stage.owner or stage.role) else []
	late = _days_overdue(stage, today)
	since = stage.due and stage.due + timedelta(days=0 if required else 1)
	return Blocker(stage, None, title, required, stage.due, people, late, since)


def _days_overdue(stage: StageRow, today: date) -> int:
	return max((today - stage.due).days, 0) if stage.due else 0


def _open_tasks(stages: list[str]) -> list:
	if not stages:
		return []
	tasks = frappe.get_list(
		"Milestone Task",
		filters={"plan_stage": ("in", stages), "status": TaskStatus.OPEN.value},
		fields=["name", "title", "required", "due_date", "plan_stage"],
		limit=0,
	)
	rows = assigned.rows_by_task(task.name for task in tasks)
	for task in tasks:
		task.people = assigned.open_names(rows[task.name])
	return tasks
