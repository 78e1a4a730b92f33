"""Where time goes: for each value of a tracked field, how long documents stay, how many stand there now, and rework."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from milestone_automation.engine.base import clock
from milestone_automation.engine.review import standing, stays
from milestone_automation.engine.review.scope import Scope
from milestone_automation.engine.rules.working_days import WorkCalendar


@dataclass(frozen=True)
class Bottleneck:
	"""One value of the field. Times in seconds.

	Attributes:
		value: the value.
		stays: its finished stays; None where none ended.
		share: their part, from 0 to 1, of the time of all stays.
		open_now: how many documents stand there now.
		oldest: how long the oldest of them has stood there; None for none.
		mean_age: how long they have stood there on average; None for none.
		rework: how often a document came to the value again.
	"""

	value: str
	stays: stays.Stays | None
	share: float
	open_now: int
	oldest: int | None
	mean_age: float | None
	rework: int


def measure(scope: Scope, now: datetime, calendar: WorkCalendar | None = None) -> list[Bottleneck]:
	"""Return the bottlenecks of a field, the largest share of time first.

	Args:
		scope: what counts. Its period limits stays and rework; what stands open is of now.
		now: the present moment, naive, in the site's time zone.
		calendar: count finished stays in working time by it.
	"""
	finished = {row.key[0]: row for row in stays.by_value(scope, calendar)}
	reached = standing.visits(scope)
	ages = _ages(scope, now)
	total = sum(row.total for row in finished.values())
	found = [
		Bottleneck(
			value=value,
			stays=finished.get(value),
			share=finished[value].total / total if value in finished and total else 0.0,
			open_now=len(ages[value]),
			oldest=max(ages[value], default=None),
			mean_age=sum(ages[value]) / len(ages[value]) if ages[value] else None,
			rework=reached[value].rework if value in reached else 0,
		)
		for value in sorted({*finished, *reached, *ages} - {""})
	]
	return sorted(found, key=lambda row: (-row.share, row.value))


def _ages(scope: Scope, now: datetime) -> dict[str, list[int]]:
	ages = defaultdict(list)
	for row in standing.present(scope):
		ages[row.value].append(clock.seconds_between(row.since, now) or 0)
	return ages
