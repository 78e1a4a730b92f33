"""The milestones behind the numbers of reports: how each stands, how often its date moved, how long answers took."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from milestone_automation.engine.review import date_changes, on_time, responses
from milestone_automation.engine.review.date_changes import DateChange
from milestone_automation.engine.review.on_time import Result, Tolerance
from milestone_automation.engine.review.plan_stages import StageRow


@dataclass(frozen=True)
class Detail:
	"""One milestone of one plan.

	Attributes:
		stage: the milestone.
		result: how it stands against its key date; None if that is open.
		is_counted: whether it has a key date, and was reached or was due in the period.
		changes: changes of its date in the period.
		answer_days: days from each prompt to its answer in the period.
	"""

	stage: StageRow
	result: Result | None
	is_counted: bool
	changes: list[DateChange] = field(default_factory=list)
	answer_days: list[float] = field(default_factory=list)

	@property
	def moves(self) -> list[int]:
		"""Days that its date was moved by, negative for earlier."""
		return [change.days for change in self.changes if change.days]

	@property
	def days_out(self) -> int:
		"""Days that its date was moved later."""
		return sum(days for days in self.moves if days > 0)

	@property
	def days_in(self) -> int:
		"""Days that its date was moved earlier."""
		return -sum(days for days in self.moves if days < 0)


def _is(result: Result) -> Callable[[Detail], bool]:
	return lambda detail: detail.is_counted and detail.result is result


# What a report counts, and which milestones are behind it.
SHOWN: dict[str, Callable[[Detail], bool]] = {
	"All": lambda detail: True,
	"Reached": lambda detail: detail.is_counted and detail.stage.lateness is not None,
	"Reached or Overdue": lambda detail: detail.is_counted and detail.result is not None,
	**{result.value: _is(result) for result in Result},
	"Date Changed": lambda detail: bool(detail.changes),
	"Date Moved": lambda detail: bool(detail.moves),
	"Date Moved Out": lambda detail: detail.days_out > 0,
	"Answered": lambda detail: bool(detail.answer_days),
}


@dataclass(frozen=True)
class Selection:
	"""Which milestones are listed.

	Attributes:
		shown: one of `SHOWN`.
		group_by, group: one of `on_time.GROUPS`, and the group; None for all groups.
		reason: reason of date changes, empty for those without; None for all.
		start, end: first and last date that counts; None for no limit.
	"""

	shown: str = "All"
	group_by: str = "Milestone"
	group: str | None = None
	reason: str | None = None
	start: date | None = None
	end: date | None = None


def find(rows: list[StageRow], chosen: Selection, today: date, tolerance: Tolerance) -> Iterator[Detail]:
	"""Yield the milestones of a selection, in the order of the rows.

	Args:
		rows: stages that the user may see.
		chosen: which of them.
		today: the date by which open milestones are overdue.
		tolerance: what still counts as on time.
	"""
	key = on_time.GROUPS[chosen.group_by]
	rows = [row for row in rows if chosen.group is None or key(row) == chosen.group]
	changes = list(date_changes.read(rows))
	answers = responses.days(rows, chosen.start, chosen.end)
	by_stage = _by_stage(date_changes.within(changes, chosen.start, chosen.end), chosen.reason)
	for row in rows:
		detail = Detail(
			row,
			on_time.result_of(row, today, tolerance),
			on_time.is_counted(row, chosen.start, chosen.end),
			by_stage.get(row.name, []),
			answers.get(row.name, []),
		)
		if SHOWN[chosen.shown](detail):
			yield detail


def _by_stage(changes: Iterable[DateChange], reason: str | None) -> dict[str, list[DateChange]]:
	by_stage = defaultdict(list)
	for change in changes:
		if reason is None or change.reason == reason:
			by_stage[change.stage].append(change)
	return by_stage
