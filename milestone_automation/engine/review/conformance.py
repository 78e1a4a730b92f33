"""How plans deviate from their workflow: skipped, out of order, repeated or late milestones. Pure arithmetic."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from itertools import groupby

from milestone_automation.engine.review.plan_stages import StageRow
from milestone_automation.engine.rules.network import Network


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
			was reached (Skipped); None for Repeated.
		times: how often it was undone, for Repeated; else 1.
	"""

	deviation: Deviation
	stage: StageRow
	days: int | None
	times: int = 1


def check(rows: Iterable[StageRow], undone: Mapping[str, int], today: date) -> Iterator[Finding]:
	"""Yield the deviations of all plans.

	Args:
		rows: stages, grouped by plan and in order.
		undone: how often each stage was undone, by row name.
		today: the date by which open milestones are late.
	"""
	for _plan, stages in groupby(rows, key=lambda row: row.plan):
		yield from _of_plan(list(stages), undone, today)


def _of_plan(stages: list[StageRow], undone: Mapping[str, int], today: date) -> Iterator[Finding]:
	network = Network.of([_dependency(stage) for stage in stages])
	for index, stage in enumerate(stages):
		later = [stages[i].reached for i in network.all_after(index) if stages[i].reached]
		if later and not stage.is_reached:
			yield Finding(Deviation.SKIPPED, stage, (today - min(later)).days)
		elif later and stage.reached and min(later) < stage.reached:
			yield Finding(Deviation.OUT_OF_ORDER, stage, (stage.reached - min(later)).days)
		if undone.get(stage.name):
			yield Finding(Deviation.REPEATED, stage, None, undone[stage.name])
		late = _days_late(stage, bool(later), today)
		if late:
			yield Finding(Deviation.LATE, stage, late)


def _dependency(stage: StageRow) -> dict:
	return {
		"stage_name": stage.stage_name,
		"dependency": stage.dependency,
		"predecessors": stage.predecessors,
	}


def _days_late(stage: StageRow, is_skipped: bool, today: date) -> int:
	"""Return how many days a stage was or is late; 0 for a skipped one that is still open."""
	if not stage.due or (is_skipped and not stage.is_reached):
		return 0
	end = stage.reached or (today if stage.is_waited_for else stage.due)
	return max(0, (end - stage.due).days)
