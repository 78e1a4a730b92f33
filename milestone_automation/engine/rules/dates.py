"""Key dates of stages and due dates of tasks: pure rules over plain values, no site needed.

The rules are those of the design, chapter "The domain rules":

- a stage's key date follows its rule; dates of a plan are in order;
- a task is due so many days before its stage, never after it; rolling off a day off goes earlier, never later;
- moving a key date moves open tasks by the same rule and never touches the others; what later stages do is a mode;
- what is reached stays where it is.

All dates are ``datetime.date``; days are whole. Errors carry the facts as attributes: the callers, which know
labels and languages, make the sentence the user reads.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from milestone_automation.engine.rules.vocabulary import KeyDateRule, ShiftMode, TaskStatus
from milestone_automation.engine.rules.working_days import WorkCalendar


class DatesOutOfOrder(ValueError):
	"""A stage's key date lies before that of an earlier stage.

	Attributes: ``index``, ``stage``, ``stage_date`` of the stage at fault (position from 0, name, date);
	``previous_index``, ``previous_stage``, ``previous_date`` of the earlier stage it may not lie before.
	"""

	def __init__(self, names: Sequence[str], dates: Sequence[date | None], index: int, previous_index: int):
		self.index, self.previous_index = index, previous_index
		self.stage, self.previous_stage = _name(names, index), _name(names, previous_index)
		self.stage_date, self.previous_date = dates[index], dates[previous_index]
		super().__init__(
			f"{self.stage} on {self.stage_date} lies before {self.previous_stage} on {self.previous_date}"
		)


class TaskAfterStage(ValueError):
	"""A task is due after its stage. Attributes: ``due_date``, ``stage_date``."""

	def __init__(self, due_date: date, stage_date: date):
		self.due_date, self.stage_date = due_date, stage_date
		super().__init__(f"Due on {due_date}, after its stage on {stage_date}")


class StageAlreadyReached(ValueError):
	"""A reached stage's key date was to be moved. Attributes: ``index``, ``stage`` (name)."""

	def __init__(self, index: int, stage: str):
		self.index, self.stage = index, stage
		super().__init__(f"{stage} is reached; its key date stays")


class ReachedInFuture(ValueError):
	"""A stage was to be reached on a day to come. Attributes: ``reached_on``, ``today``."""

	def __init__(self, reached_on: date, today: date):
		self.reached_on, self.today = reached_on, today
		super().__init__(f"{reached_on} is after today, {today}")


class ShiftAnswerNeeded(Exception):
	"""The workflow asks what later stages shall do, and they would have something to do.

	Attributes: ``choices``, for each answer (``ShiftMode.SHIFT_TOO``, ``ShiftMode.KEEP_ORDER``) the ``MoveResult``
	it leads to. Call ``move_stage`` again with the chosen mode.
	"""

	def __init__(self, choices: dict[ShiftMode, "MoveResult"]):
		self.choices = choices
		super().__init__("Later stages would move; choose how")


@dataclass(frozen=True)
class StageRule:
	"""How one stage gets its key date.

	Attributes:
		name: what people call the stage.
		rule: what to count from.
		offset_days: how many days from there; negative is before.
		working_days: whether these are working days, else calendar days.
		date_value: value of the document's date field, for ``KeyDateRule.DOCUMENT_DATE_FIELD``.
	"""

	name: str
	rule: KeyDateRule
	offset_days: int = 0
	working_days: bool = False
	date_value: date | None = None


@dataclass(frozen=True)
class TaskRule:
	"""How one task gets its due date.

	Attributes:
		key: what the caller knows the task by.
		stage: position of its stage in the plan, from 0.
		due_days_before: how many days before the stage's key date, 0 or more.
		working_days: whether these are working days, else calendar days.
	"""

	key: str
	stage: int
	due_days_before: int = 0
	working_days: bool = False


@dataclass(frozen=True)
class PlannedTask:
	"""A task of a running plan, as far as dates go.

	Attributes:
		key: what the caller knows the task by.
		due_date: when it is due now.
		status: only open tasks move.
		due_days_before, working_days: its rule, as in ``TaskRule``.
		set_by_hand: somebody gave it another date than the rule; it keeps its distance to the stage instead.
	"""

	key: str
	due_date: date | None
	status: TaskStatus = TaskStatus.OPEN
	due_days_before: int = 0
	working_days: bool = False
	set_by_hand: bool = False


class DateMove(NamedTuple):
	"""One stage's key date moved: position from 0, old and new date."""

	index: int
	old: date | None
	new: date | None


class TaskMove(NamedTuple):
	"""One task's due date moved: the task's key, old and new date."""

	key: str
	old: date | None
	new: date | None


@dataclass(frozen=True)
class MoveResult:
	"""What a move leads to: the key dates of all stages, and those that changed, in order of stages."""

	dates: list[date | None]
	changed: list[DateMove]


# Planning


def plan_dates(
	stages: Sequence[StageRule],
	created_on: date,
	calendar: WorkCalendar,
	standing: Sequence[date | None] = (),
) -> list[date | None]:
	"""Return the key date of each stage as its rule says, None where it gives none (yet).

	No date: set by hand; an empty date field; the stage before has no date, or there is no stage before. An offset
	of 0 is the very day counted from, even a day off. Order is not looked at: see ``check_order``.

	Args:
		stages: the rules, in order of the plan.
		created_on: day the document was created.
		calendar: working days of the document.
		standing: dates that stand already, by position; they are kept and counted from, only holes are filled.

	Raises: ``OutOfCalendar`` for a date before year 1 or after 9999.
	"""
	dates: list[date | None] = []
	for index, stage in enumerate(stages):
		kept = standing[index] if index < len(standing) else None
		previous = dates[-1] if dates else None
		dates.append(kept or _date_by_rule(stage, created_on, previous, calendar))
	return dates


def _date_by_rule(
	stage: StageRule, created_on: date, previous: date | None, calendar: WorkCalendar
) -> date | None:
	"""Return one stage's date; ``previous`` is the date of the stage before."""
	counted_from = {
		KeyDateRule.DOCUMENT_DATE_FIELD: stage.date_value,
		KeyDateRule.AFTER_PREVIOUS_MILESTONE: previous,
		KeyDateRule.AFTER_CREATION: created_on,
		KeyDateRule.SET_MANUALLY: None,
	}[KeyDateRule(stage.rule)]
	return counted_from and calendar.add_days(counted_from, stage.offset_days, stage.working_days)


def plan_task_dates(
	tasks: Iterable[TaskRule], dates: Sequence[date | None], calendar: WorkCalendar
) -> dict[str, date | None]:
	"""Return the due date of each task by its key; ``dates`` are the key dates of the stages."""
	return {
		task.key: task_due_date(dates[task.stage], task.due_days_before, task.working_days, calendar)
		for task in tasks
	}


def task_due_date(
	stage_date: date | None, days_before: int, working_days: bool, calendar: WorkCalendar
) -> date | None:
	"""Return when a task is due: never after its stage; None where the stage has no date.

	Calendar days are taken as they come. In working days the task is due on a working day: the ``days_before``-th
	one before the stage's date; 0 is that date itself, or the last working day before it where it is a day off.

	Raises: ``ValueError`` for negative ``days_before``, ``OutOfCalendar`` for a date before year 1.
	"""
	if days_before < 0:
		raise ValueError(f"A task is due 0 or more days before its stage, not {days_before}")
	if stage_date is None:
		return None
	if working_days and days_before == 0:
		return calendar.previous_working_day(stage_date)
	return calendar.add_days(stage_date, -days_before, working_days)


# Order


def in_order(dates: Sequence[date | None], reached: Sequence[bool] = ()) -> bool:
	"""Return whether no open stage lies before an earlier stage (see ``first_out_of_order``)."""
	return first_out_of_order(dates, reached) is None


def first_out_of_order(dates: Sequence[date | None], reached: Sequence[bool] = ()) -> tuple[int, int] | None:
	"""Return the first open stage that lies before an earlier stage, and the latest such earlier one.

	The same day is in order. Stages without a date are passed over. A reached stage is history and never at fault
	itself, yet the open ones after it may not lie before it.

	Args:
		dates: key dates by position.
		reached: by position, whether the stage is reached; what is missing counts as open.

	Returns: (position of the stage at fault, position of the earlier one), None if all is in order.
	"""
	latest: int | None = None
	for index, day in enumerate(dates):
		if day is None:
			continue
		if latest is None or day >= dates[latest]:
			latest = index
		elif not _is_reached(reached, index):
			return index, latest
	return None


def check_order(names: Sequence[str], dates: Sequence[date | None], reached: Sequence[bool] = ()) -> None:
	"""Raise ``DatesOutOfOrder``, naming both stages, if an open stage lies before an earlier one."""
	fault = first_out_of_order(dates, reached)
	if fault:
		raise DatesOutOfOrder(names, dates, *fault)


def check_task_date(due_date: date | None, stage_date: date | None) -> None:
	"""Raise ``TaskAfterStage`` if a task is due after its stage; without both dates there is nothing to say."""
	if due_date and stage_date and due_date > stage_date:
		raise TaskAfterStage(due_date, stage_date)


def validate_reached_on(reached_on: date, today: date) -> None:
	"""Raise ``ReachedInFuture`` unless a stage was reached today or earlier; ``today`` is the user's day."""
	if reached_on > today:
		raise ReachedInFuture(reached_on, today)


# Moving


def move_stage(
	dates: Sequence[date | None],
	reached: Sequence[bool],
	index: int,
	new_date: date | None,
	mode: ShiftMode,
	calendar: WorkCalendar,
	working_days: bool = False,
	names: Sequence[str] = (),
) -> MoveResult:
	"""Return the plan's key dates after one of them moves. Nothing passed in is changed.

	Earlier and reached stages never move. Later open ones do as the mode says:

	- *Shift Too*: they move by the same distance, so that moving there and back gives the old dates. The distance
	  is counted in calendar days; with ``working_days`` in working days, if the old, the new and all dates that
	  move with them are working days. One date off counts all in calendar days: counted in working days it could
	  not find back. (What is left: a later stage on a day off, shifted onto a working day between two working
	  days, comes back by working days.) A later stage reached ahead of its turn stays, and those after it
	  do not move before it.
	- *Keep Order*: only those the new date would overtake move, onto that date.
	- *Ask*: as the other two where both come to the same, else ``ShiftAnswerNeeded``. Who has nobody to ask (an
	  import, a background job) takes Keep Order.

	A stage that gets its first date, or loses it, gives no distance: later ones then only keep order.

	Args:
		dates: key dates by position.
		reached: by position, whether the stage is reached.
		index: the stage to move.
		new_date: where to; None takes the date away.
		mode: what later stages do.
		calendar: working days of the document.
		working_days: whether the moved stage counts in working days.
		names: stage names for the errors.

	Raises: ``StageAlreadyReached``; ``DatesOutOfOrder`` if the new date lies before an earlier stage, reached or
		not; ``ShiftAnswerNeeded``; ``OutOfCalendar``.
	"""
	if _is_reached(reached, index):
		raise StageAlreadyReached(index, _name(names, index))
	_check_not_before_earlier(dates, index, new_date, names)
	if ShiftMode(mode) is ShiftMode.ASK:
		return _move_or_ask(dates, reached, index, new_date, calendar, working_days)
	moved = _set(dates, index, new_date)
	if ShiftMode(mode) is ShiftMode.SHIFT_TOO:
		moved = _shift_later(moved, dates[index], reached, index, calendar, working_days)
	return _result(dates, _push_later(moved, reached, index))


def _check_not_before_earlier(
	dates: Sequence[date | None], index: int, new_date: date | None, names: Sequence[str]
) -> None:
	"""Raise ``DatesOutOfOrder`` if the new date of a stage lies before the latest of the earlier ones."""
	dated = [earlier for earlier in range(index) if dates[earlier]]
	if not dated or new_date is None:
		return
	latest = max(dated, key=lambda earlier: (dates[earlier], earlier))
	if new_date < dates[latest]:
		raise DatesOutOfOrder(names, _set(dates, index, new_date), index, latest)


def _move_or_ask(dates, reached, index, new_date, calendar, working_days) -> MoveResult:
	"""Return the move if both modes come to the same, else raise ``ShiftAnswerNeeded``; arguments as above."""
	choices = {
		mode: move_stage(dates, reached, index, new_date, mode, calendar, working_days)
		for mode in (ShiftMode.SHIFT_TOO, ShiftMode.KEEP_ORDER)
	}
	if choices[ShiftMode.SHIFT_TOO] != choices[ShiftMode.KEEP_ORDER]:
		raise ShiftAnswerNeeded(choices)
	return choices[ShiftMode.KEEP_ORDER]


def _shift_later(dates, old_date, reached, index, calendar, working_days) -> list[date | None]:
	"""Return the dates with all open ones after ``index`` moved as far as that one moved from ``old_date``."""
	new_date = dates[index]
	if old_date is None or new_date is None:
		return list(dates)
	later = [i for i in range(index + 1, len(dates)) if dates[i] and not _is_reached(reached, i)]
	moving = [old_date, new_date, *(dates[i] for i in later)]
	in_working_days = working_days and all(map(calendar.is_working_day, moving))
	distance = (
		calendar.working_days_between(old_date, new_date) if in_working_days else (new_date - old_date).days
	)
	shifted = list(dates)
	for i in later:
		shifted[i] = calendar.add_days(dates[i], distance, in_working_days)
	return shifted


def _push_later(dates: Sequence[date | None], reached: Sequence[bool], index: int) -> list[date | None]:
	"""Return the dates with open ones after ``index`` that lie before a stage from ``index`` on pushed onto it."""
	pushed = list(dates)
	latest = pushed[index]
	for i in range(index + 1, len(pushed)):
		if pushed[i] is None:
			continue
		if not _is_reached(reached, i):
			pushed[i] = max(pushed[i], latest or pushed[i])
		latest = max(pushed[i], latest or pushed[i])
	return pushed


def move_tasks(
	tasks: Iterable[PlannedTask],
	old_stage_date: date | None,
	new_stage_date: date | None,
	calendar: WorkCalendar,
) -> list[TaskMove]:
	"""Return the tasks of one stage whose due date changes when the stage's key date moves.

	Open tasks get their date by the same rule from the new key date. One set by hand keeps its distance to the
	stage in calendar days, and where there was no distance its date; either way it is never after the stage.
	Completed, cancelled and waived tasks stay. A stage without a date leaves the tasks of the rule without one.

	Args:
		tasks: the tasks of that stage.
		old_stage_date, new_stage_date: the stage's key date before and after.
		calendar: working days of the document.

	Raises: ``OutOfCalendar``.
	"""
	moves = []
	for task in tasks:
		if TaskStatus(task.status) is not TaskStatus.OPEN:
			continue
		new_due_date = _moved_due_date(task, old_stage_date, new_stage_date, calendar)
		if new_due_date != task.due_date:
			moves.append(TaskMove(task.key, task.due_date, new_due_date))
	return moves


def _moved_due_date(
	task: PlannedTask, old_stage_date: date | None, new_stage_date: date | None, calendar: WorkCalendar
) -> date | None:
	"""Return an open task's due date under the new key date of its stage."""
	if not task.set_by_hand:
		return task_due_date(new_stage_date, task.due_days_before, task.working_days, calendar)
	if task.due_date is None or new_stage_date is None:
		return task.due_date
	distance = (new_stage_date - old_stage_date).days if old_stage_date else 0
	return min(calendar.add_days(task.due_date, distance), new_stage_date)


def reopened_due_date(task: PlannedTask, stage_date: date | None, calendar: WorkCalendar) -> date | None:
	"""Return the due date of a task that is opened again: closed tasks did not follow the moves of their stage.

	One by rule gets the date its rule gives now. One set by hand keeps its date, but is never after the stage.

	Args:
		task: as it was closed.
		stage_date: the stage's key date now.
		calendar: working days of the document.

	Raises: ``OutOfCalendar``.
	"""
	return _moved_due_date(task, stage_date, stage_date, calendar)


# Small helpers


def _is_reached(reached: Sequence[bool], index: int) -> bool:
	"""Return whether a stage is reached; a position nobody told about is open."""
	return index < len(reached) and bool(reached[index])


def _name(names: Sequence[str], index: int) -> str:
	"""Return a stage's name, its number in the plan where nobody told the name."""
	return names[index] if index < len(names) else f"Stage {index + 1}"


def _set(dates: Sequence[date | None], index: int, new_date: date | None) -> list[date | None]:
	"""Return the dates with one of them replaced."""
	return [new_date if i == index else day for i, day in enumerate(dates)]


def _result(old: Sequence[date | None], new: list[date | None]) -> MoveResult:
	"""Return the new dates together with what changed."""
	pairs = zip(old, new, strict=True)
	return MoveResult(new, [DateMove(i, *pair) for i, pair in enumerate(pairs) if pair[0] != pair[1]])
