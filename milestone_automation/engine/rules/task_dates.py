"""Due dates of tasks: pure rules over plain values, no site needed.

The rules:

- a task is due a number of days before its stage, never after it; on a day off it moves earlier, never later;
- moving a key date moves open tasks by the same rule and never touches closed ones.

All dates are ``datetime.date``, without a time. Errors carry the facts as attributes; the caller, who knows labels and
languages, writes the sentence for the user.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from milestone_automation.engine.rules.vocabulary import TaskStatus
from milestone_automation.engine.rules.working_days import OutOfCalendar, WorkCalendar


class TaskAfterStage(ValueError):
	"""A task is due after its stage. Attributes: ``due_date``, ``stage_date``."""

	def __init__(self, due_date: date, stage_date: date):
		self.due_date, self.stage_date = due_date, stage_date
		super().__init__(f"Due on {due_date}, after its stage on {stage_date}")


@dataclass(frozen=True)
class PlannedTask:
	"""A task of a running plan, with what its due date depends on.

	Attributes:
		key: identifies the task for the caller.
		due_date: its due date now.
		status: only open tasks move.
		due_days_before: number of days before the stage's key date, 0 or more.
		working_days: whether to count working days instead of calendar days.
		set_manually: somebody changed the date that the rule gave; it keeps its distance to the stage instead.
	"""

	key: str
	due_date: date | None
	status: TaskStatus = TaskStatus.OPEN
	due_days_before: int = 0
	working_days: bool = False
	set_manually: bool = False


class TaskMove(NamedTuple):
	"""The due date of one task moved: key of the task, old and new date."""

	key: str
	old: date | None
	new: date | None


def task_due_date(
	stage_date: date | None, days_before: int, working_days: bool, calendar: WorkCalendar
) -> date | None:
	"""Return the due date of a task, never after its stage; None if the stage has no date.

	With working days the due date is a working day: 0 days before is the stage's date itself, or the last working day
	before it.

	Args:
		stage_date: key date of the stage.
		days_before: number of days before it, 0 or more.
		working_days: whether to count working days instead of calendar days.
		calendar: working days of the document.

	Raises:
		ValueError: ``days_before`` is negative.
		OutOfCalendar: the due date would be before year 1.
	"""
	if days_before < 0:
		raise ValueError(f"A task is due 0 or more days before its stage, not {days_before}")
	if stage_date is None:
		return None
	if working_days and days_before == 0:
		return calendar.previous_working_day(stage_date)
	return calendar.add_days(stage_date, -days_before, working_days)


def check_task_date(due_date: date | None, stage_date: date | None) -> None:
	"""Refuse a due date after the stage's key date.

	Args:
		due_date, stage_date: dates; None for a missing one, with which anything goes.

	Raises:
		TaskAfterStage: the task would be due after its stage.
	"""
	if due_date and stage_date and due_date > stage_date:
		raise TaskAfterStage(due_date, stage_date)


def move_tasks(
	tasks: Iterable[PlannedTask],
	old_stage_date: date | None,
	new_stage_date: date | None,
	calendar: WorkCalendar,
) -> list[TaskMove]:
	"""Return the tasks of one stage whose due date changes when the stage's key date moves.

	Open tasks get their due date from the new key date by the same rule. A due date that was set manually keeps its
	distance to the key date in calendar days, or stays if there was no key date; it is never after the stage. Closed
	tasks stay. If the stage loses its date, so do the tasks that follow a rule, and those that would be due before
	year 1.

	Args:
		tasks: the tasks of that stage.
		old_stage_date, new_stage_date: the stage's key date before and after.
		calendar: working days of the document.
	"""
	moves = []
	for task in tasks:
		if TaskStatus(task.status) is not TaskStatus.OPEN:
			continue
		try:
			new_due_date = _moved_due_date(task, old_stage_date, new_stage_date, calendar)
		except OutOfCalendar:
			new_due_date = None
		if new_due_date != task.due_date:
			moves.append(TaskMove(task.key, task.due_date, new_due_date))
	return moves


def _moved_due_date(
	task: PlannedTask, old_stage_date: date | None, new_stage_date: date | None, calendar: WorkCalendar
) -> date | None:
	"""Return an open task's due date under the new key date of its stage."""
	if not task.set_manually:
		return task_due_date(new_stage_date, task.due_days_before, task.working_days, calendar)
	if task.due_date is None or new_stage_date is None:
		return task.due_date
	distance = (new_stage_date - old_stage_date).days if old_stage_date else 0
	return min(calendar.add_days(task.due_date, distance), new_stage_date)


def reopened_due_date(task: PlannedTask, stage_date: date | None, calendar: WorkCalendar) -> date | None:
	"""Return the due date of a reopened task: while it was closed it did not move with its stage.

	A task with a rule gets the date that the rule gives now. A date that was set manually stays, but is never after the
	stage.

	Args:
		task: the task as it was closed.
		stage_date: the stage's key date now.
		calendar: working days of the document.

	Raises:
		OutOfCalendar: the due date would be before year 1.
	"""
	return _moved_due_date(task, stage_date, stage_date, calendar)
