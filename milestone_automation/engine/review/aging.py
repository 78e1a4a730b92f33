"""How long open documents have had their current value, compared with how long earlier documents had it."""

from dataclasses import dataclass
from datetime import datetime

from milestone_automation.engine.base import clock
from milestone_automation.engine.review import plan_stages, standing, stays
from milestone_automation.engine.review.scope import Scope

# Percentiles that the chart shows as lines: 50, 80 and 95 % of earlier stays ended by then.
LINES = (0.5, 0.8, 0.95)


@dataclass(frozen=True)
class Aged:
	"""One open document.

	Attributes:
		reference_name, value: the document and its current value.
		age: how long it has had the value, in seconds.
		lines: percentiles of earlier stays in the value, in seconds by fraction (`LINES`); empty without any.
		next: the next milestone of its active plan, with what is forecast; None without a plan.
	"""

	reference_name: str
	value: str
	age: int
	lines: dict[float, float]
	next: plan_stages.NextStage | None = None

	@property
	def passed(self) -> float:
		"""The highest of `LINES` that the age exceeds; 0 if none."""
		return max((line for line, seconds in self.lines.items() if self.age > seconds), default=0.0)


def measure(scope: Scope, now: datetime, value: str | None = None) -> list[Aged]:
	"""Return the open documents, oldest first.

	Args:
		scope: which milestones count; its period limits the earlier stays only.
		now: the current time, naive, in the site's time zone.
		value: only documents in this value; None for all, but those in a final one, which no document has left.
	"""
	lines = {row.key[0]: row.at for row in stays.by_value(scope, fractions=LINES)}
	standing_now = standing.present(scope)
	present = {row.value for row in standing_now}
	left = lines.keys() | stays.left(scope, present - lines.keys() if value is None else ())
	ahead = plan_stages.next_stages(scope.reference_type, scope.condition)
	return [
		Aged(
			row.reference_name,
			row.value,
			clock.seconds_between(row.since, now) or 0,
			lines.get(row.value, {}),
			ahead.get(row.reference_name),
		)
		for row in standing_now
		if (row.value in left if value is None else row.value == value)
	]
