"""How plans deviate from their workflow: skipped, out of order, repeated or late milestones. Pure arithmetic."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from itertools import groupby

from milestone_automation.engine.review.plan_stages import StageRow
from milestone_automation.engine.rules.network import Network
from milestone_automation.engine.store.undoings import Undoings


class Deviation(str, Enum):
	"""How a milestone deviates from its workflow."""

	SKIPPED = "Skipped"
	OUT_OF_ORDER = "Out of Order"
	REPEATED = "Repeated"
	LATE = "Late"


@dataclass(frozen=True)
class Finding:
	"""One deviation of one milestone.

	Attributes:
		deviation: its kind.
		stage: the stage.
		days: days late (Late), days between a later milestone and this one (Out of Order), days since a later one
			was reached (Skipped), days from the first time it was undone until it was reached again, or until today
			(Repeated).
		times: how often it was undone, for Repeated; else 1.
	"""

	deviation: Deviation
	stage: StageRow
	days: int
	times: int = 1


def check(rows: Iterable[StageRow], undone: Mapping[str, Undoings], today: date) -> Iterator[Finding]:
	"""Yield the deviations of all plans.

	Args:
		rows: stages, grouped by plan and in order.
		undone: how each stage was undone, by row name; without those that never were.
		today: the date by which open milestones are late.
	"""
	for _plan, stages in groupby(rows, key=lambda row: row.plan):
		yield from _of_plan(list(stages), undone, today)


def _of_plan(stages: list[StageRow], undone: Mapping[str, Undoings], today: date) -> Iterator[Finding]:
	network = Network.of([stage.depends_on for stage in stages])
	for index, stage in enumerate(stages):
		later = [stages[i].reached for i in network.all_after(index) if stages[i].reached]
		yield from _out_of_order(stage, min(later, default=None), today)
		if repeated := undone.get(stage.name):
			days = ((stage.reached or today) - repeated.first.date()).days
			yield Finding(Deviation.REPEATED, stage, max(0, days), repeated.times)
		if late := _days_late(stage, bool(later), today):
			yield Finding(Deviation.LATE, stage, late)


def _out_of_order(stage: StageRow, later: date | None, today: date) -> Iterator[Finding]:
	"""Yield that a stage was skipped, or reached after one that comes after it; `later` is when that was reached."""
	if not later:
		return
	if not stage.is_reached:
		yield Finding(Deviation.SKIPPED, stage, (today - later).days)
	elif stage.reached and later < stage.reached:
		yield Finding(Deviation.OUT_OF_ORDER, stage, (stage.reached - later).days)


def _days_late(stage: StageRow, is_skipped: bool, today: date) -> int:
	"""Return how many days a stage was or is late; 0 for a skipped one that is still open."""
	if not stage.due or (is_skipped and not stage.is_reached):
		return 0
	end = stage.reached or (today if stage.is_waited_for else stage.due)
	return max(0, (end - stage.due).days)
