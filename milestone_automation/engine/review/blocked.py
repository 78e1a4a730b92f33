"""What blocks or delays active plans: open tasks with their assignees, and overdue milestones without one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import frappe
from frappe.utils import getdate

from milestone_automation.engine.people import assigned
from milestone_automation.engine.review.plan_stages import StageRow
from milestone_automation.engine.rules.vocabulary import Health, TaskStatus


@dataclass(frozen=True)
class Blocker:
	"""An open task, or an overdue milestone without one.

	Attributes:
		stage: the milestone.
		task, title: the open task; None and empty for a milestone without one.
		required: whether it blocks its milestone.
		due: due date of the task, or key date of the milestone; None if it has none.
		people: display names of the assignees, or user id or role of the owner.
		days: days overdue; 0 if it is not.
	"""

	stage: StageRow
	task: str | None
	title: str
	required: bool
	due: date | None
	people: list[str]
	days: int


def find(rows: Iterable[StageRow], today: date) -> list[Blocker]:
	"""Return what is blocked or overdue, most days first.

	Args:
		rows: stages of active plans that the user may see.
		today: the date by which they are overdue.
	"""
	stages = {row.name: row for row in rows if row.is_waited_for or row.is_skipped}
	tasks = [_blocker_of_task(stages[task.plan_stage], task, today) for task in _open_tasks(list(stages))]
	blockers = [blocker for blocker in tasks if blocker]
	with_tasks = {blocker.stage.name for blocker in blockers}
	waited_for = [row for row in stages.values() if row.name not in with_tasks and row.is_waited_for]
	blockers += _overdue(waited_for, today)
	return sorted(blockers, key=lambda row: (-row.days, not row.required, row.stage.reference_name))


def _blocker_of_task(stage: StageRow, task, today: date) -> Blocker | None:
	"""Return the blocker for an open task; None if the task neither blocks its milestone nor is overdue."""
	due = getdate(task.due_date) if task.due_date else None
	is_overdue = bool(due and due < today)
	if not is_overdue and not (task.required and stage.health == Health.BLOCKED):
		return None
	days = (today - due).days if is_overdue else 0
	return Blocker(stage, task.name, task.title, bool(task.required), due, task.people, days)


def _overdue(stages: list[StageRow], today: date) -> Iterator[Blocker]:
	"""Yield the stages whose key date has passed."""
	for stage in stages:
		if stage.due and stage.due < today:
			people = [owner] if (owner := stage.owner or stage.role) else []
			yield Blocker(stage, None, "", False, stage.due, people, (today - stage.due).days)


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
