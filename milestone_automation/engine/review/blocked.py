"""What holds running plans up: blocked and late milestones, and the open tasks with who has them, since when."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import frappe
from frappe.utils import getdate

from milestone_automation.engine.review.plan_stages import StageRow
from milestone_automation.engine.rules.vocabulary import Health, TaskStatus


@dataclass(frozen=True)
class Holding:
	"""One open task, or a late milestone without one.

	Attributes:
		stage: the milestone.
		task, title: the open task; None and empty for a milestone that only its owner holds.
		required: whether it blocks its milestone.
		due: its due date, the milestone's key date without a task; None for none.
		people: names of who has it.
		days: days past `due`; 0 for today or later.
	"""

	stage: StageRow
	task: str | None
	title: str
	required: bool
	due: date | None
	people: list[str]
	days: int


def find(rows: Iterable[StageRow], today: date) -> list[Holding]:
	"""Return what is blocked or overdue, longest first.

	Args:
		rows: stages of running plans that the reader may see.
		today: the day to judge by.
	"""
	stages = {row.name: row for row in rows if row.is_active and not row.is_reached}
	tasks = [_by_task(stages[task.plan_stage], task, today) for task in _open_tasks(list(stages))]
	found = [holding for holding in tasks if holding]
	with_tasks = {holding.stage.name for holding in found}
	found += _by_date([stage for stage in stages.values() if stage.name not in with_tasks], today)
	return sorted(found, key=lambda row: (-row.days, not row.required, row.stage.reference_name))


def _by_task(stage: StageRow, task, today: date) -> Holding | None:
	"""Return how an open task holds its stage up; None where it neither blocks nor is overdue."""
	due = getdate(task.due_date) if task.due_date else None
	is_overdue = bool(due and due < today)
	if not is_overdue and not (task.required and stage.health == Health.BLOCKED):
		return None
	days = (today - due).days if is_overdue else 0
	return Holding(stage, task.name, task.title, bool(task.required), due, task.people, days)


def _by_date(stages: list[StageRow], today: date) -> Iterator[Holding]:
	"""Yield the stages whose key date has passed."""
	for stage in stages:
		if stage.due and stage.due < today:
			people = [owner] if (owner := stage.owner or stage.role) else []
			yield Holding(stage, None, "", False, stage.due, people, (today - stage.due).days)


def _open_tasks(stages: list[str]) -> list:
	if not stages:
		return []
	tasks = frappe.get_list(
		"Milestone Task",
		filters={"plan_stage": ("in", stages), "status": TaskStatus.OPEN.value},
		fields=["name", "title", "required", "due_date", "plan_stage"],
		limit=0,
	)
	people = defaultdict(list)
	for row in frappe.get_all(
		"Milestone Task Assignee",
		filters={"parent": ("in", [task.name for task in tasks] or [""]), "done": 0},
		fields=["parent", "full_name", "user", "email"],
		order_by="idx",
	):
		people[row.parent].append(row.full_name or row.user or row.email)
	for task in tasks:
		task.people = people[task.name]
	return tasks
