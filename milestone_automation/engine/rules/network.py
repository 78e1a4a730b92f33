"""Which stages of a plan come before which: pure rules, no site needed.

A stage comes after those it depends on. By default that is the stage before it in the list, so that a plan is a chain.
A stage can depend on chosen earlier stages instead, or on nothing, so that branches run in parallel. A stage stands in
the list after all that it depends on.

The *float* of a stage is the number of days by which it can move before the last date of the plan has to move; the stages
without any are its *critical path* (Kelley and Walker 1959, "Critical-Path Planning and Scheduling").
"""

from collections.abc import Sequence
from datetime import date
from functools import cached_property, lru_cache
from graphlib import CycleError, TopologicalSorter

from milestone_automation.engine.rules import names
from milestone_automation.engine.rules.vocabulary import Dependency
from milestone_automation.engine.rules.working_days import OutOfCalendar, WorkCalendar


class Network:
	"""The dependencies of a plan's stages, by position in the list.

	Attributes:
		direct: for each stage, the positions of the stages it depends on, ascending.
	"""

	def __init__(self, direct: Sequence[Sequence[int]]):
		self.direct = [tuple(sorted(set(positions))) for positions in direct]
		self._moving_along: dict[int, list[int]] = {}
		self._before: dict[int, list[int]] = {}

	@classmethod
	def chain(cls, length: int) -> "Network":
		"""Return the dependencies of stages that each depend on the one before.

		Args:
			length: number of stages.
		"""
		return cls([(position - 1,) if position else () for position in range(length)])

	@classmethod
	def of(cls, stages: Sequence) -> "Network":
		"""Return the dependencies of the rows of a plan or workflow.

		Args:
			stages: rows with `stage_name`, `dependency` and `predecessors`, in order. A name that no earlier stage has does
				not count.
		"""
		return _network(
			tuple(
				(stage.get("stage_name"), stage.get("dependency"), stage.get("predecessors"))
				for stage in stages
			)
		)

	def __len__(self) -> int:
		"""Return the number of stages."""
		return len(self.direct)

	@cached_property
	def is_chain(self) -> bool:
		"""Whether each stage depends on exactly the one before."""
		return all(positions == ((i - 1,) if i else ()) for i, positions in enumerate(self.direct))

	def before(self, position: int) -> Sequence[int]:
		"""Return the positions of all stages before a stage, also indirectly, ascending.

		Args:
			position: of the stage in the list, from 0.
		"""
		if self.is_chain:
			return range(position)
		if position not in self._before:
			needed = set(self.direct[position])
			for earlier in reversed(range(position)):
				if earlier in needed:
					needed.update(self.direct[earlier])
			self._before[position] = sorted(needed)
		return self._before[position]

	@cached_property
	def after(self) -> list[list[int]]:
		"""For each stage, the positions of the stages that depend on it directly, ascending."""
		after: list[list[int]] = [[] for _position in self.direct]
		for position, positions in enumerate(self.direct):
			for earlier in positions:
				after[earlier].append(position)
		return after

	def all_after(self, position: int) -> Sequence[int]:
		"""Return the positions of all stages after a stage, also indirectly, ascending; of `moving_along` those that move.

		Args:
			position: of the stage in the list, from 0.
		"""
		if position in self._moving_along:
			return self._moving_along[position]
		if self.is_chain:
			return range(position + 1, len(self))
		reached = {position}
		for later in range(position + 1, len(self)):
			if reached.intersection(self.direct[later]):
				reached.add(later)
		return sorted(reached - {position})

	def moving_along(self, position: int, others: Sequence[int]) -> "Network":
		"""Return these dependencies for a move in which other stages move along with one, whatever they depend on.

		Args:
			position: the stage that is moved.
			others: positions of the stages that move along.
		"""
		network = Network(self.direct)
		network._moving_along[position] = sorted(set(others) - {position})
		return network


@lru_cache(maxsize=256)
def _network(rows: tuple[tuple, ...]) -> Network:
	"""Return the dependencies of rows given as name, dependency and predecessors. One plan asks for its own many times."""
	if all((dependency or Dependency.PREVIOUS) == Dependency.PREVIOUS for _name, dependency, _names in rows):
		return Network.chain(len(rows))
	places: dict[str, int] = {}
	direct = []
	for position, (name, dependency, predecessors) in enumerate(rows):
		direct.append(_direct(dependency, predecessors, position, places))
		places.setdefault(names.key(name), position)
	return Network(direct)


def _direct(dependency, predecessors, position: int, places: dict[str, int]) -> list[int]:
	dependency = dependency or Dependency.PREVIOUS
	if dependency == Dependency.NOTHING:
		return []
	if dependency == Dependency.CHOSEN:
		keys = [names.key(name) for name in names.lines(predecessors)]
		return [places[key] for key in keys if key in places]
	return [position - 1] if position else []


def cycle(stages: Sequence) -> list[str]:
	"""Return the names of stages that depend on each other in a circle, the first one again at the end; [] for none.

	Args:
		stages: as `Network.of`; here also the names of later stages count.
	"""
	places = {names.key(stage.get("stage_name")): i for i, stage in reversed(list(enumerate(stages)))}
	graph = {
		i: _direct(stage.get("dependency"), stage.get("predecessors"), i, places)
		for i, stage in enumerate(stages)
	}
	try:
		TopologicalSorter(graph).prepare()
	except CycleError as error:
		return [stages[i].get("stage_name") for i in error.args[1]]
	return []


# Float


def floats(
	network: Network,
	key_dates: Sequence[date | None],
	leads: Sequence[tuple[int, bool] | None],
	calendar: WorkCalendar,
) -> list[int | None]:
	"""Return by how many calendar days each stage can move before the last date of the plan has to move.

	Going back from the last date: a stage can be as late as its successors allow, each less the days it counts from the
	stages before it. A stage whose date does not count from them only may not come before them.

	Args:
		network: the dependencies.
		key_dates: key dates by position.
		leads: by position, the days that a stage counts from those before it and whether they are working days; None
			where its date does not count from them.
		calendar: working days of the document.

	Returns:
		list: 0 for a stage on the critical path; None for one without a date.
	"""
	dated = [day for day in key_dates if day]
	latest: list[date | None] = [None] * len(network)
	for position in reversed(range(len(network))):
		ends = [_latest_before(latest[i], leads[i], calendar) for i in network.after[position] if latest[i]]
		latest[position] = min(ends, default=max(dated, default=None))
	pairs = zip(latest, key_dates, strict=True)
	return [max((late - day).days, 0) if late and day else None for late, day in pairs]


def _latest_before(latest: date, lead: tuple[int, bool] | None, calendar: WorkCalendar) -> date:
	"""Return how late a stage may be whose successor may be on a date at the latest."""
	if not lead or not lead[0]:
		return latest
	days, working_days = lead
	try:
		return calendar.add_days(latest, -days, working_days)
	except OutOfCalendar:
		return latest
