"""The order of a plan's stages: which ones are skipped, and which must be reached before another one.

An open stage is *skipped* when a stage that comes after it is reached. Nobody is asked for it, and it is not late: its
date no longer says anything. It can be confirmed with the day on which it was reached.
"""

from collections.abc import Sequence

from milestone_automation.engine.rules.network import Network
from milestone_automation.engine.rules.vocabulary import StageStatus


def skipped(stages: Sequence) -> list:
	"""Return the skipped stages of a plan, in order.

	Args:
		stages: its rows of Milestone Plan Stage, in order.
	"""
	passed = _passed(stages)
	return [stage for position, stage in enumerate(stages) if position in passed and _is_open(stage)]


def upcoming(stages: Sequence) -> list:
	"""Return the open stages of a plan that are not skipped, in order.

	Args:
		stages: its rows of Milestone Plan Stage, in order.
	"""
	passed = _passed(stages)
	return [stage for position, stage in enumerate(stages) if position not in passed and _is_open(stage)]


def next_ones(stages: Sequence) -> list:
	"""Return the upcoming stages that no other upcoming one comes before, in order: in a chain the first.

	Args:
		stages: the plan's rows of Milestone Plan Stage, in order.
	"""
	network, passed = Network.of(stages), _passed(stages)
	waiting: set[int] = set()  # stages that are upcoming, or come after one
	next_stages = []
	for position, stage in enumerate(stages):
		comes_after = not waiting.isdisjoint(network.direct[position])
		if _is_open(stage) and position not in passed and not comes_after:
			next_stages.append(stage)
		if comes_after or (_is_open(stage) and position not in passed):
			waiting.add(position)
	return next_stages


def _passed(stages: Sequence):
	"""Return the positions of the stages that come before a reached one."""
	network = Network.of(stages)
	reached = [position for position, stage in enumerate(stages) if not _is_open(stage)]
	if network.is_chain:
		return range(reached[-1]) if reached else range(0)
	return {earlier for position in reached for earlier in network.before(position)}


def reached_before(stages: Sequence, stage) -> list:
	"""Return the reached stages before another one, also indirectly, in order.

	Args:
		stages: rows of Milestone Plan Stage, in order.
		stage: one of them: the row itself, or one with its `name`.

	Raises:
		StopIteration: the stage is none of them.
	"""
	return [row for row in _before(stages, stage) if not _is_open(row)]


def earlier_open(stages: Sequence, stage, together: Sequence = ()) -> list:
	"""Return the open stages before another one, in order.

	Args:
		stages: rows of Milestone Plan Stage, in order.
		stage: one of them.
		together: stages that the same write reaches; they count as reached.

	Raises:
		StopIteration: the stage is none of them.
	"""
	being_reached = {row.get("name") for row in together}
	return [row for row in _before(stages, stage) if _is_open(row) and row.get("name") not in being_reached]


def _before(stages: Sequence, stage) -> list:
	name = stage.get("name")
	position = next(i for i, row in enumerate(stages) if row is stage or (name and row.get("name") == name))
	return [stages[i] for i in Network.of(stages).before(position)]


def _is_open(stage) -> bool:
	return stage.get("status") != StageStatus.REACHED
