"""How often milestones are reached on time, in groups. Pure arithmetic on stage rows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date

from milestone_automation.engine.review import percentiles
from milestone_automation.engine.review.plan_stages import StageRow

GROUPS: dict[str, Callable[[StageRow], str]] = {
	"Workflow": lambda row: row.workflow,
	"Milestone": lambda row: row.stage_name,
	"Owner": lambda row: row.owner,
	"Role": lambda row: row.role,
	"Supplier": lambda row: row.supplier,
	"Month": lambda row: row.reached.strftime("%Y-%m") if row.reached else "",
}


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
	def rate(self) -> float | None:
		"""Share of the reached milestones that were not late, from 0 to 1; None if none is reached."""
		return (self.early + self.on_time) / self.reached if self.reached else None

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
		if row.due and _is_within(row.reached or row.due, start, end):
			punctuality = groups.setdefault(key(row), Punctuality(key(row)))
			_count(punctuality, row, today, tolerance)
	return [groups[name] for name in sorted(groups) if groups[name].reached or groups[name].overdue]


def _is_within(day: date, start: date | None, end: date | None) -> bool:
	return (start is None or day >= start) and (end is None or day <= end)


def _count(punctuality: Punctuality, row: StageRow, today: date, tolerance: Tolerance) -> None:
	if row.lateness is None:
		punctuality.overdue += int(row.is_waited_for and row.due < today)
		return
	punctuality.days.append(row.lateness)
	if row.lateness > tolerance.late:
		punctuality.late += 1
	elif row.lateness < -tolerance.early:
		punctuality.early += 1
	else:
		punctuality.on_time += 1
