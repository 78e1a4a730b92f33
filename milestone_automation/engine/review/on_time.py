"""How often milestones are reached on time, by whatever they are grouped by. Pure arithmetic on stage rows."""

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
	"""What a group reached, and when.

	Attributes:
		group: its name.
		early, on_time, late: how many milestones.
		days: days after the key date of each milestone; negative for before.
		overdue: how many are open and past their key date.
	"""

	group: str
	early: int = 0
	on_time: int = 0
	late: int = 0
	overdue: int = 0
	days: list[int] = field(default_factory=list)

	@property
	def reached(self) -> int:
		"""How many milestones with a key date were reached."""
		return self.early + self.on_time + self.late

	@property
	def rate(self) -> float | None:
		"""Share, from 0 to 1, of the reached ones that were not late; None where none was reached."""
		return (self.early + self.on_time) / self.reached if self.reached else None

	@property
	def mean_days(self) -> float | None:
		"""Mean of the days after the key date."""
		return sum(self.days) / len(self.days) if self.days else None

	@property
	def median_days(self) -> float | None:
		"""Median of the days after the key date."""
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
		today: the day by which open ones are overdue.
		tolerance: what still counts as on time.
		start, end: count what was reached, or was due, from one day to another, both included.
	"""
	key = GROUPS[group]
	groups: dict[str, Punctuality] = {}
	for row in rows:
		if row.due and _is_within(row.reached or row.due, start, end):
			found = groups.setdefault(key(row), Punctuality(key(row)))
			_count(found, row, today, tolerance)
	return [groups[name] for name in sorted(groups) if groups[name].reached or groups[name].overdue]


def _is_within(day: date, start: date | None, end: date | None) -> bool:
	return (start is None or day >= start) and (end is None or day <= end)


def _count(found: Punctuality, row: StageRow, today: date, tolerance: Tolerance) -> None:
	if row.lateness is None:
		found.overdue += int(row.is_active and not row.is_reached and row.due < today)
		return
	found.days.append(row.lateness)
	if row.lateness > tolerance.late:
		found.late += 1
	elif row.lateness < -tolerance.early:
		found.early += 1
	else:
		found.on_time += 1
