"""Reliability of suppliers: on-time rate, moved dates, days to answer, and a grade. Pure arithmetic."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from milestone_automation.engine.review.date_changes import DateChange
from milestone_automation.engine.review.on_time import Punctuality
from milestone_automation.engine.review.plan_stages import StageRow

# Grade, and the lowest on-time rate for it.
GRADES = (("A", 0.95), ("B", 0.85), ("C", 0.7), ("D", 0.0))


@dataclass(frozen=True)
class Score:
	"""One supplier.

	Attributes:
		supplier: its name.
		punctuality: its milestones.
		moved, moved_out: number of moved key dates, and of those moved to a later date.
		answer_days: mean days from prompt to answer; None without an answer.
	"""

	supplier: str
	punctuality: Punctuality
	moved: int
	moved_out: int
	answer_days: float | None

	@property
	def grade(self) -> str:
		"""A to D by the on-time rate; empty where nothing was due."""
		rate = self.punctuality.rate
		return next((grade for grade, lowest in GRADES if rate >= lowest), "") if rate is not None else ""


def score(
	punctuality: Iterable[Punctuality],
	rows: Iterable[StageRow],
	changes: Iterable[DateChange],
	answer_days: dict[str, list[float]],
) -> list[Score]:
	"""Return the suppliers, best first.

	Args:
		punctuality: one group for each supplier; documents without supplier do not count.
		rows: the stages it was measured on.
		changes: their date changes in the period.
		answer_days: days from prompt to answer, by row name of the stage.
	"""
	supplier_of = {row.name: row.supplier for row in rows}
	moves, waited = defaultdict(list), defaultdict(list)
	for change in changes:
		if change.days:
			moves[supplier_of.get(change.stage)].append(change.days)
	for stage, days in answer_days.items():
		waited[supplier_of.get(stage)] += days
	scores = [
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
	return sorted(scores, key=lambda row: (-(row.punctuality.rate or 0), row.supplier))
