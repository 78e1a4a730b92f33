"""Open documents by how long they have stood where they are, held against how long others stood there."""

from dataclasses import dataclass
from datetime import datetime

from milestone_automation.engine.base import clock
from milestone_automation.engine.review import standing, stays
from milestone_automation.engine.review.scope import Scope

# The lines of the picture: half, four of five, and nineteen of twenty earlier documents were gone by then.
LINES = (0.5, 0.8, 0.95)


@dataclass(frozen=True)
class Aged:
	"""One open document.

	Attributes:
		reference_name, value: the document, and where it stands.
		age: seconds it has stood there.
		lines: seconds of each of `LINES` for that value; empty where nothing ever left it.
	"""

	reference_name: str
	value: str
	age: int
	lines: dict[float, float]

	@property
	def passed(self) -> float:
		"""The highest of `LINES` that the document is older than; 0 for none."""
		return max((line for line, seconds in self.lines.items() if self.age > seconds), default=0.0)


def measure(scope: Scope, now: datetime) -> list[Aged]:
	"""Return the open documents, oldest first: those in a value that documents leave.

	Args:
		scope: what counts; its period limits what the lines are made of.
		now: the present moment, naive, in the site's time zone.
	"""
	lines = {row.key[0]: row.at for row in stays.by_value(scope, fractions=LINES)}
	return [
		Aged(row.reference_name, row.value, clock.seconds_between(row.since, now) or 0, lines[row.value])
		for row in standing.present(scope)
		if row.value in lines
	]
