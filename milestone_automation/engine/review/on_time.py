"""How often milestones are reached on time, in groups. Pure arithmetic on stage rows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import Enum

from milestone_automation.engine.review import percentiles
from milestone_automation.engine.review.plan_stages import StageRow


def _month(row: StageRow) -> str:
	"""Return when a stage was reached; what is overdue counts against the month in which it was due."""
	day = row.reached or row.due
	return day.strftime("%Y-%m") if day else ""


GROUPS: dict[str, Callable[[StageRow], str]] = {
	"Workflow": lambda row: row.workflow,
	"Milestone": lambda row: row.stage_name,
	"Owner": lambda row: row.owner,
	"Role": lambda row: row.role,
	"Supplier": lambda row: row.supplier,
	"Month": _month,
}


class Result(str, Enum):
	"""How a milestone stands against its key date."""

	EARLY = "Early"
	ON_TIME = "On Time"
	LATE = "Late"
	OVERDUE = "Overdue"


@dataclass(frozen=True)
class Tolerance:
	"""How many days early and late still count as on time, 0 or more each."""

	early: int = 0
	late: int = 0


@dataclass
class Punctuality:
	"""Punctuality of one group.

	Attributes:
		group: its name.
		early, on_time, late: number of reached milestones.
		overdue: number of open milestones past their key date, without those skipped or on hold.
		days: for each reached milestone, days from its key date; negative for early.
	"""

	group: str
	early: int = 0
	on_time: int = 0
	late: int = 0
	overdue: int = 0
	days: list[int] = field(default_factory=list)

	@property
	def reached(self) -> int:
		"""Number of reached milestones that had a key date."""
		return self.early + self.on_time + self.late

	@property
	def due(self) -> int:
		"""Number of milestones that were reached or should have been."""
		return self.reached + self.overdue

	@property
	def rate(self) -> float | None:
		"""Share of the due milestones that were reached in time, from 0 to 1; None if none is due."""
		return (self.early + self.on_time) / self.due if self.due else None

	@property
	def mean_days(self) -> float | None:
		"""Mean of `days`; None without days."""
		return sum(self.days) / len(self.days) if self.days else None

	@property
	def median_days(self) -> float | None:
		"""Median of `days`; None without days."""
		return percentiles.percentile(sorted(self.days), 0.5)


def measure(
	rows: Iterable[StageRow],
	group: str,
	today: date,
	tolerance: Tolerance = Tolerance(),
	start: date | None = None,
	end: date | None = None,
) -> list[Punctuality]:
	"""Return the punctuality of each group, by name.

	Args:
		rows: stages; those without a key date do not count.
		group: one of `GROUPS`.
		today: the date by which open milestones are overdue.
		tolerance: what still counts as on time.
		start, end: first and last date that a milestone was reached or was due; None for no limit.
	"""
	key = GROUPS[group]
	groups: dict[str, Punctuality] = {}
	for row in rows:
		if is_counted(row, start, end):
			punctuality = groups.setdefault(key(row), Punctuality(key(row)))
			_count(punctuality, row, today, tolerance)
	return [groups[name] for name in sorted(groups) if groups[name].reached or groups[name].overdue]


def is_counted(row: StageRow, start: date | None = None, end: date | None = None) -> bool:
	"""Tell whether a stage has a key date, and was reached or was due in a period.

	Args:
		row: the stage.
		start, end: first and last date; None for no limit.
	"""
	day = row.due and (row.reached or row.due)
	return bool(day) and (start is None or day >= start) and (end is None or day <= end)


def result_of(row: StageRow, today: date, tolerance: Tolerance = Tolerance()) -> Result | None:
	"""Return how a stage stands against its key date; None without one, and for what is open and not overdue.

	Args:
		row: the stage.
		today: the date by which open milestones are overdue.
		tolerance: what still counts as on time.
	"""
	if row.lateness is None:
		return Result.OVERDUE if row.is_waited_for and row.due and row.due < today else None
	if row.lateness > tolerance.late:
		return Result.LATE
	return Result.EARLY if row.lateness < -tolerance.early else Result.ON_TIME


def _count(punctuality: Punctuality, row: StageRow, today: date, tolerance: Tolerance) -> None:
	result = result_of(row, today, tolerance)
	if row.lateness is not None:
		punctuality.days.append(row.lateness)
	punctuality.early += int(result is Result.EARLY)
	punctuality.on_time += int(result is Result.ON_TIME)
	punctuality.late += int(result is Result.LATE)
	punctuality.overdue += int(result is Result.OVERDUE)
