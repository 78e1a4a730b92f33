"""Key dates of stages: pure rules over plain values, no site needed; `task_dates` has those for tasks.

The rules:

- a stage's key date follows its rule; it is never before that of a stage it comes after (`network`);
- what later stages do when a key date moves is a mode;
- a reached stage never moves.

All dates are ``datetime.date``, without a time. Errors carry the facts as attributes; the caller, who knows labels and
languages, writes the sentence for the user.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from milestone_automation.engine.rules.network import Network
from milestone_automation.engine.rules.vocabulary import KeyDateRule, ShiftMode
from milestone_automation.engine.rules.working_days import OutOfCalendar, WorkCalendar

# Without days off, so that working days are calendar days.
EVERY_DAY = WorkCalendar()


class DatesOutOfOrder(ValueError):
	"""A stage's key date is before that of an earlier stage.

	Attributes: ``index``, ``stage``, ``stage_date`` of the stage that is out of order (position from 0, name, date);
	``previous_index``, ``previous_stage``, ``previous_date`` of the earlier stage; ``is_reached``, whether that date is
	the day on which the earlier stage was reached.
	"""

	def __init__(
		self,
		names: Sequence[str],
		dates: Sequence[date | None],
		index: int,
		previous_index: int,
		is_reached: bool = False,
	):
		self.index, self.previous_index, self.is_reached = index, previous_index, is_reached
		self.stage, self.previous_stage = _name(names, index), _name(names, previous_index)
		self.stage_date, self.previous_date = dates[index], dates[previous_index]
		super().__init__(
			f"{self.stage} on {self.stage_date} is before {self.previous_stage} on {self.previous_date}"
		)


class StageAlreadyReached(ValueError):
	"""The key date of a reached stage cannot be moved. Attributes: ``index``, ``stage`` (name)."""

	def __init__(self, index: int, stage: str):
		self.index, self.stage = index, stage
		super().__init__(f"{stage} is reached; its key date cannot be moved")


class ReachedInFuture(ValueError):
	"""A stage cannot be reached on a date in the future. Attributes: ``reached_on``, ``today``."""

	def __init__(self, reached_on: date, today: date):
		self.reached_on, self.today = reached_on, today
		super().__init__(f"{reached_on} is after today, {today}")


class ShiftAnswerNeeded(Exception):
	"""The workflow asks what later stages do, and the answer makes a difference.

	Attributes: ``choices``, the ``MoveResult`` of each mode (``ShiftMode.SHIFT_TOO``, ``ShiftMode.KEEP_ORDER``). Call
	``move_stage`` again with the chosen mode.
	"""

	def __init__(self, choices: dict[ShiftMode, "MoveResult"]):
		self.choices = choices
		super().__init__("Later stages depend on this date; choose a mode")


@dataclass(frozen=True)
class StageRule:
	"""How one stage gets its key date.

	Attributes:
		name: name of the stage.
		rule: what to count from.
		offset_days: number of days from that date; negative is before it.
		working_days: whether to count working days instead of calendar days.
		date_value: value of the document's date field, for ``KeyDateRule.DOCUMENT_DATE_FIELD``.
	"""

	name: str
	rule: KeyDateRule
	offset_days: int = 0
	working_days: bool = False
	date_value: date | None = None


class DateMove(NamedTuple):
	"""The key date of one stage moved: position from 0, old and new date."""

	index: int
	old: date | None
	new: date | None


@dataclass(frozen=True)
class MoveResult:
	"""The key dates of all stages after a move, and the changes, both in the order of stages."""

	dates: list[date | None]
	changed: list[DateMove]


# Planning


def plan_dates(
	stages: Sequence[StageRule],
	created_on: date,
	calendar: WorkCalendar,
	fixed_dates: Sequence[date | None] = (),
	failed: list[int] | None = None,
	network: Network | None = None,
) -> list[date | None]:
	"""Return the key date of each stage by its rule, None where the rule gives none.

	A stage has no date when it is set manually, when its date field is empty, or when it counts from previous stages
	of which one has no date, or from none. It counts from the latest of them. An offset of 0 is the start date itself, even if it is a day off. The order of
	the dates is not checked, see ``first_out_of_order``.

	Args:
		stages: the rules, in the order of the plan.
		created_on: date on which the document was created.
		calendar: working days of the document.
		fixed_dates: dates that are already set, by position; they are kept and only missing dates are worked out.
		failed: gets the positions of the stages whose date would be outside the calendar; they have no date then.
		network: which stages come before which; a chain by default.

	Raises:
		OutOfCalendar: a date would be before year 1 or after year 9999, and there is no list for it.
	"""
	network = network or Network.chain(len(stages))
	dates: list[date | None] = []
	for index, stage in enumerate(stages):
		fixed = fixed_dates[index] if index < len(fixed_dates) else None
		previous = latest_of([dates[earlier] for earlier in network.direct[index]])
		try:
			dates.append(fixed or _date_by_rule(stage, created_on, previous, calendar))
		except OutOfCalendar:
			if failed is None:
				raise
			failed.append(index)
			dates.append(None)
	return dates


def latest_of(days: Sequence[date | None]) -> date | None:
	"""Return the latest of the dates from which a stage counts; None if there are none, or one is missing.

	Args:
		days: key dates of the stages that it depends on; None for one that has no date.
	"""
	return max(days) if days and all(days) else None


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


# Order


def first_out_of_order(
	dates: Sequence[date | None], reached: Sequence[bool] = (), network: Network | None = None
) -> tuple[int, int] | None:
	"""Return the first open stage that is dated before an earlier stage, and that earlier stage.

	Two stages on the same date are in order. Stages without a date are ignored. A reached stage is never reported,
	but open stages after it may not be dated before it.

	Args:
		dates: key dates by position.
		reached: by position, whether the stage is reached; missing positions count as open.
		network: which stages come before which; a chain by default.

	Returns:
		tuple: position of the stage that is out of order and position of the earlier stage with the latest date; None
		if all dates are in order.
	"""
	network = network or Network.chain(len(dates))
	latest: list[int | None] = []  # by position, the latest of the stages up to it
	for index, day in enumerate(dates):
		before = [latest[earlier] for earlier in network.direct[index] if latest[earlier] is not None]
		earlier = max(before, key=lambda i: (dates[i], i), default=None)
		if day is None:
			latest.append(earlier)
		elif earlier is None or day >= dates[earlier]:
			latest.append(index)
		elif not _is_true(reached, index):
			return index, earlier
		else:
			latest.append(earlier)
	return None


def validate_reached_on(reached_on: date, today: date) -> None:
	"""Refuse a date in the future.

	Args:
		reached_on: date on which a stage was reached.
		today: today's date for the user.

	Raises:
		ReachedInFuture: it is after today.
	"""
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
	reached_on: Sequence[date | None] = (),
	anchored: Sequence[bool] = (),
	network: Network | None = None,
) -> MoveResult:
	"""Return the plan's key dates after one of them moves. The arguments stay unchanged.

	Earlier and reached stages, and those of other branches, never move. Later open stages follow the mode:

	- *Shift Too*: they move by the same distance, so that moving back restores the old dates. The distance is counted
	  in calendar days. With ``working_days`` it is counted in working days if the old date, the new date and all dates
	  that move along are working days; otherwise moving back would not restore them. (One exception remains: a later
	  stage on a day off that lands on a working day moves back by working days.) A later stage that is already reached
	  stays, and the stages after it do not move before it.
	- *Keep Order*: only stages that would be dated before the new date move, to that date.
	- *Ask*: as above where both modes give the same dates, otherwise ``ShiftAnswerNeeded``. Callers without a user to
	  ask (an import, a background job) use Keep Order.

	A stage that gets its first date or loses its date has no distance: later stages then only keep the order. So do
	anchored stages: their date comes from elsewhere, and does not move along.

	For the stage that moves, a reached stage counts by the day on which it was reached, so a plan can be pulled ahead
	after an early milestone.

	Args:
		dates: key dates by position.
		reached: by position, whether the stage is reached.
		index: position of the stage to move.
		new_date: its new key date; None removes the date.
		mode: what later stages do.
		calendar: working days of the document.
		working_days: whether the stage counts working days.
		names: stage names, for the errors.
		reached_on: by position, the day on which a stage was reached; its key date counts where there is none.
		anchored: by position, whether the date of a stage comes from elsewhere; missing positions count as not.
		network: which stages come before which; a chain by default.

	Raises:
		StageAlreadyReached: the stage is reached.
		DatesOutOfOrder: the new date is before that of an earlier stage, reached or not.
		ShiftAnswerNeeded: the mode is Ask and the two other modes differ.
		OutOfCalendar: a date would be before year 1 or after year 9999.
	"""
	if _is_true(reached, index):
		raise StageAlreadyReached(index, _name(names, index))
	network = network or Network.chain(len(dates))
	_check_not_before_earlier(dates, reached_on, index, new_date, names, network)
	if ShiftMode(mode) is ShiftMode.ASK:
		options = {
			"working_days": working_days,
			"reached_on": reached_on,
			"anchored": anchored,
			"network": network,
		}
		return _move_or_ask(dates, reached, index, new_date, calendar, options)
	moved_dates = _with_date(dates, index, new_date)
	if ShiftMode(mode) is ShiftMode.SHIFT_TOO:
		stays = [_is_true(reached, i) or _is_true(anchored, i) for i in range(len(dates))]
		later = [i for i in network.all_after(index) if not stays[i]]
		moved_dates = _shift_later(moved_dates, dates[index], later, index, calendar, working_days)
	return _result(dates, _push_later(moved_dates, reached, reached_on, index, network))


def _check_not_before_earlier(
	dates: Sequence[date | None],
	reached_on: Sequence[date | None],
	index: int,
	new_date: date | None,
	names: Sequence[str],
	network: Network,
) -> None:
	"""Raise ``DatesOutOfOrder`` if the new date of a stage is before the latest date of the earlier stages."""
	actual = [_reached_on(reached_on, i) or day for i, day in enumerate(dates)]
	dated = [earlier for earlier in network.before(index) if actual[earlier]]
	if not dated or new_date is None:
		return
	latest = max(dated, key=lambda earlier: (actual[earlier], earlier))
	if new_date < actual[latest]:
		is_reached = bool(_reached_on(reached_on, latest))
		raise DatesOutOfOrder(names, _with_date(actual, index, new_date), index, latest, is_reached)


def counting_days(
	reached_on: Sequence[date | None], reached: Sequence[bool], network: Network
) -> list[date | None]:
	"""Return by position the day on which a stage was reached; None for an open one that is not skipped.

	A skipped stage counts by the first stage that was reached after it: its key date no longer says anything.

	Args:
		reached_on: by position, the day on which a stage was reached; None where there is none.
		reached: by position, whether the stage is reached.
		network: which stages come before which.
	"""
	# By position, position and day of the first reached stage from it on.
	next_reached: dict[int, tuple[int, date]] = {}
	days: list[date | None] = [None] * len(reached_on)
	for position in reversed(range(len(reached_on))):
		day = reached_on[position] if _is_true(reached, position) else None
		later = min((next_reached[i] for i in network.after[position] if i in next_reached), default=None)
		if day:
			later = position, day
		if later:
			next_reached[position] = later
		days[position] = later[1] if later and (day or not _is_true(reached, position)) else None
	return days


def counting_dates(dates: Sequence[date | None], reached_on: Sequence[date | None]) -> list[date | None]:
	"""Return the dates before which nothing later is dated: a stage that was reached early counts by that day.

	Args:
		dates: key dates by position.
		reached_on: by position, the day on which a stage was reached; None or missing for an open one.
	"""
	return [_counting(day, _reached_on(reached_on, i)) for i, day in enumerate(dates)]


def _counting(day: date | None, reached_on: date | None) -> date | None:
	"""Return the day before which nothing later than one stage is dated, see ``counting_dates``."""
	return min(day, reached_on) if day and reached_on else day


def _move_or_ask(dates, reached, index, new_date, calendar, options: dict) -> MoveResult:
	"""Return the move if both modes give the same dates, else raise ``ShiftAnswerNeeded``."""
	choices = {
		mode: move_stage(dates, reached, index, new_date, mode, calendar, **options)
		for mode in (ShiftMode.SHIFT_TOO, ShiftMode.KEEP_ORDER)
	}
	if choices[ShiftMode.SHIFT_TOO] != choices[ShiftMode.KEEP_ORDER]:
		raise ShiftAnswerNeeded(choices)
	return choices[ShiftMode.KEEP_ORDER]


def _shift_later(dates, old_date, later, index, calendar, working_days) -> list[date | None]:
	"""Return the dates with those of the later stages moved by the distance that the stage at ``index`` moved."""
	new_date = dates[index]
	if old_date is None or new_date is None:
		return list(dates)
	later = [i for i in later if dates[i]]
	moving = [old_date, new_date, *(dates[i] for i in later)]
	in_working_days = working_days and all(calendar.is_working_day(day) for day in moving)
	distance = (
		calendar.working_days_between(old_date, new_date) if in_working_days else (new_date - old_date).days
	)
	shifted = list(dates)
	for i in later:
		shifted[i] = calendar.add_days(dates[i], distance, in_working_days)
	return shifted


def moved_along(
	day: date, old: date, new: date, calendar: WorkCalendar = EVERY_DAY, working_days: bool = False
) -> date:
	"""Return a date moved by the distance from another date's old value to its new one.

	Args:
		day: the date that moves along.
		old, new: the other date before and after.
		calendar: working days of the document.
		working_days: count the distance in working days, if all three dates are ones.

	Raises:
		OutOfCalendar: the date would be before year 1 or after year 9999.
	"""
	in_working_days = working_days and all(calendar.is_working_day(one) for one in (day, old, new))
	distance = calendar.working_days_between(old, new) if in_working_days else (new - old).days
	return calendar.add_days(day, distance, in_working_days)


def put_in_order(
	dates: Sequence[date | None],
	reached: Sequence[bool],
	reached_on: Sequence[date | None],
	network: Network | None = None,
) -> list[date | None]:
	"""Return the dates with open stages moved later where an earlier stage, as it counts, is after them.

	Args:
		dates: key dates by position.
		reached: by position, whether the stage is reached.
		reached_on: by position, the day on which a stage was reached.
		network: which stages come before which; a chain by default.
	"""
	network = network or Network.chain(len(dates))
	return _push(list(dates), reached, reached_on, range(len(dates)), {}, network)


def _push_later(
	dates: Sequence[date | None],
	reached: Sequence[bool],
	reached_on: Sequence[date | None],
	index: int,
	network: Network,
) -> list[date | None]:
	"""Return the dates with the open stages after ``index`` moved later where they would be out of order."""
	latest = {index: _counting(dates[index], _reached_on(reached_on, index))}
	return _push(list(dates), reached, reached_on, network.all_after(index), latest, network)


def _push(pushed, reached, reached_on, positions, latest: dict, network: Network) -> list[date | None]:
	"""Move open stages at some positions, ascending, later where they would be before one of those they depend on.

	Args:
		pushed: key dates; changed.
		reached: by position, whether the stage is reached.
		reached_on: by position, the day by which a reached or skipped stage counts.
		positions: of the stages that may move.
		latest: by position, the latest date of the stages up to it; changed.
		network: which stages come before which.
	"""
	for i in positions:
		before = [latest[earlier] for earlier in network.direct[i] if latest.get(earlier)]
		limit = max(before, default=None)
		if pushed[i] and not _is_true(reached, i):
			pushed[i] = max(pushed[i], limit or pushed[i])
		counting = _counting(pushed[i], _reached_on(reached_on, i))
		latest[i] = max([day for day in (counting, limit) if day], default=None)
	return pushed


# Small helpers


def _is_true(flags: Sequence[bool], index: int) -> bool:
	"""Return the flag of a stage; a missing position counts as False."""
	return index < len(flags) and bool(flags[index])


def _reached_on(days: Sequence[date | None], index: int) -> date | None:
	"""Return the day on which a stage was reached; None for a missing position."""
	return days[index] if index < len(days) else None


def _name(names: Sequence[str], index: int) -> str:
	"""Return the name of a stage, its number where the name is missing."""
	return names[index] if index < len(names) else f"Stage {index + 1}"


def _with_date(dates: Sequence[date | None], index: int, new_date: date | None) -> list[date | None]:
	"""Return the dates with one of them replaced."""
	return [new_date if i == index else day for i, day in enumerate(dates)]


def _result(old: Sequence[date | None], new: list[date | None]) -> MoveResult:
	"""Return the new dates together with what changed."""
	pairs = zip(old, new, strict=True)
	return MoveResult(new, [DateMove(i, *pair) for i, pair in enumerate(pairs) if pair[0] != pair[1]])
