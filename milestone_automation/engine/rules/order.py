"""The order of a plan's stages: which ones are skipped, and which must be reached before another one.

An open stage is *skipped* when a later one is reached. Nobody is asked for it, and it is not late: its date says nothing
any more. It can be confirmed with the day on which it was reached.
"""

from collections.abc import Sequence

from milestone_automation.engine.rules.vocabulary import StageStatus


def skipped(stages: Sequence) -> list:
	"""Return the skipped stages of a plan, in order.

	Args:
		stages: its rows of Milestone Plan Stage, in order.
	"""
	return [stage for stage in stages[: last_reached(stages) + 1] if _is_open(stage)]


def last_reached(stages: Sequence) -> int:
	"""Return the index of the last reached stage; -1 if none is. Open stages before it are skipped."""
	return max((index for index, stage in enumerate(stages) if not _is_open(stage)), default=-1)


def earlier_open(stages: Sequence, stage, together: Sequence = ()) -> list:
	"""Return the open stages before another one, in order.

	Args:
		stages: rows of Milestone Plan Stage, in order.
		stage: one of them.
		together: stages that the same write reaches; they count as reached.
	"""
	being_reached = {row.get("name") for row in together}
	return [
		row
		for row in stages
		if row.get("idx") < stage.get("idx") and _is_open(row) and row.get("name") not in being_reached
	]


def _is_open(stage) -> bool:
	return stage.get("status") != StageStatus.REACHED
