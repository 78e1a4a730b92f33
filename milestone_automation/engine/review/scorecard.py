"""How reliable each supplier is: on time, moved dates, days to answer, and a grade. Pure arithmetic."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from milestone_automation.engine.review.date_changes import DateChange
from milestone_automation.engine.review.on_time import Punctuality
from milestone_automation.engine.review.plan_stages import StageRow

# The least share of milestones reached on time for each grade.
GRADES = (("A", 0.95), ("B", 0.85), ("C", 0.7), ("D", 0.0))


@dataclass(frozen=True)
class Score:
	"""One supplier.

	Attributes:
		supplier: its name.
		punctuality: what was reached, and when.
		moved, moved_out: how often key dates moved, and how often to a later day.
		answer_days: mean days from prompt to answer; None where nobody was asked or answered.
	"""

	supplier: str
	punctuality: Punctuality
	moved: int
	moved_out: int
	answer_days: float | None

	@property
	def grade(self) -> str:
		"""A to D by the share reached on time; empty where nothing was reached yet."""
		rate = self.punctuality.rate
		return next((grade for grade, least in GRADES if rate >= least), "") if rate is not None else ""


def score(
	punctuality: Iterable[Punctuality],
	rows: Iterable[StageRow],
	changes: Iterable[DateChange],
	answer_days: dict[str, list[float]],
) -> list[Score]:
	"""Return the suppliers, best first.

	Args:
		punctuality: by supplier; documents without one do not count.
		rows: the stages it was measured on.
		changes: the moves of their dates.
		answer_days: days from prompt to answer, by name of the stage's row.
	"""
	supplier_of = {row.name: row.supplier for row in rows}
	moves, waited = defaultdict(list), defaultdict(list)
	for change in changes:
		if change.days:
			moves[supplier_of.get(change.stage)].append(change.days)
	for stage, days in answer_days.items():
		waited[supplier_of.get(stage)] += days
	found = [
		Score(
			group.group,
			group,
			len(moves[group.group]),
			sum(1 for days in moves[group.group] if days > 0),
			sum(waited[group.group]) / len(waited[group.group]) if waited[group.group] else None,
		)
		for group in punctuality
		if group.group
	]
	return sorted(found, key=lambda row: (-(row.punctuality.rate or 0), row.supplier))
