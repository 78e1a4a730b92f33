"""For each value of a field: how long documents stay, how many have it now, and how often they return."""

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
		stays: its finished stays; None if none has ended.
		share: their share of the time of all stays, from 0 to 1.
		open_now: number of documents that have the value now.
		oldest: how long the oldest of them has had it; None without documents.
		mean_age: how long they have had it on average; None without documents.
		rework: how often a document returned to the value.
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
		scope: which milestones count; its period limits stays and rework only.
		now: the current time, naive, in the site's time zone.
		calendar: counts finished stays in working time; None for calendar time.
	"""
	finished = {row.key[0]: row for row in stays.by_value(scope, calendar)}
	visits = standing.visits(scope)
	ages = _ages(scope, now)
	total = sum(row.total for row in finished.values())
	rows = [
		Bottleneck(
			value=value,
			stays=finished.get(value),
			share=finished[value].total / total if value in finished and total else 0.0,
			open_now=len(ages[value]),
			oldest=max(ages[value], default=None),
			mean_age=sum(ages[value]) / len(ages[value]) if ages[value] else None,
			rework=visits[value].rework if value in visits else 0,
		)
		for value in sorted({*finished, *visits, *ages} - {""})
	]
	return sorted(rows, key=lambda row: (-row.share, row.value))


def _ages(scope: Scope, now: datetime) -> dict[str, list[int]]:
	ages = defaultdict(list)
	for row in standing.present(scope):
		ages[row.value].append(clock.seconds_between(row.since, now) or 0)
	return ages
