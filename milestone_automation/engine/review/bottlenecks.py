"""For each value of a field: how long documents stay, how many have it now, and how often they return."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from milestone_automation.engine.base import clock
from milestone_automation.engine.review import standing, stays
from milestone_automation.engine.review.scope import Scope
from milestone_automation.engine.rules.working_days import WorkCalendar, working_seconds_between


@dataclass(frozen=True)
class Bottleneck:
	"""One value of the field. Times in seconds.

	Attributes:
		value: the value.
		stays: its finished stays; None if none has ended.
		share: their share of the time of all stays, from 0 to 1.
		open_now: number of documents that have the value now; 0 for a final value, which no document has ever left.
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
		calendar: counts in working time; None for calendar time.
	"""
	finished = {row.key[0]: row for row in stays.by_value(scope, calendar)}
	visits = standing.visits(scope)
	ages = _ages(scope, now, calendar)
	left = finished.keys() | stays.left(scope, ages.keys() - finished.keys())
	still_open = {value: ages[value] for value in ages if value in left}
	rework = {value: row.rework for value, row in visits.items()}
	return ranked({*finished, *visits, *ages} - {""}, finished, still_open, rework)


def ranked(
	values: Iterable[str],
	finished: Mapping[str, stays.Stays],
	ages: Mapping[str, list[int]],
	rework: Mapping[str, int],
) -> list[Bottleneck]:
	"""Return the bottlenecks, the largest share of time first.

	Args:
		values: all values.
		finished: their finished stays.
		ages: for how many seconds each document that has the value now has had it.
		rework: how often documents returned to it.
	"""
	total = sum(row.total for row in finished.values())
	rows = [
		Bottleneck(
			value=value,
			stays=finished.get(value),
			share=finished[value].total / total if value in finished and total else 0.0,
			rework=rework.get(value, 0),
			**_open_now(ages.get(value, [])),
		)
		for value in values
	]
	return sorted(rows, key=lambda row: (-row.share, row.value))


def _open_now(ages: list[int]) -> dict:
	return {
		"open_now": len(ages),
		"oldest": max(ages, default=None),
		"mean_age": sum(ages) / len(ages) if ages else None,
	}


def _ages(scope: Scope, now: datetime, calendar: WorkCalendar | None) -> dict[str, list[int]]:
	ages = defaultdict(list)
	for row in standing.present(scope):
		ages[row.value].append(seconds(row.since, now, calendar))
	return ages


def seconds(since: datetime, until: datetime, calendar: WorkCalendar | None = None) -> int:
	"""Return the seconds between two times, naive, in the site's time zone.

	Args:
		since, until: the times.
		calendar: counts working time; None for calendar time.
	"""
	if calendar:
		return working_seconds_between(since, until, calendar)
	return clock.seconds_between(since, until) or 0
