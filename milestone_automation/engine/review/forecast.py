"""When an open case reaches what lies ahead of it, and the chance that it does so by a key date. Pure: no site.

Give a `Forecaster` the events of all cases in the order of time, and ask it about any open one:

	forecaster = Forecaster(targets=["Accepted", "Shipped", END])
	forecaster.observe("PO-1", "Ordered", 20_000.0)
	...
	forecast = forecaster.predict("PO-7", now=20_410.5)["Shipped"]
	forecast.p50, forecast.p80, forecast.chance_to_meet(20_420.0)

Moments are numbers on any axis that only goes up - days since 1970, or working days - and forecasts lie on the
same axis. Nothing here knows calendars, plans or documents.

How plans are to use it: one forecaster for each workflow, its targets the stages (what is `observe`d at a stage is
that it was reached); fed with the milestones since the last one it has seen, so the cost follows what changed. It
holds plain objects only and can be pickled. `Forecast.falls_below` says from when on a plan that nobody touches is
At Risk: until then it need not be looked at again.

It learns as it goes: a forecast rests on events observed before it only, and never changes afterwards. The method is
described in `remaining_time`, `survival`, `calibration`, `drift` and docs/forecast.md.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from math import ulp

from milestone_automation.engine.review.remaining_time import (
	Outlook,
	RemainingTime,
	Silence,
	Visit,
	situation,
)

# The target that is reached when a case is finished.
END = "(end)"
# On an axis of days: a minute.
SHORTEST_AGE = 1 / 1440


class NotInOrder(ValueError):
	"""An event lies before one already observed. Observe all anew, in the order of time."""


class UnknownCase(KeyError):
	"""The case was never observed, or is finished."""


@dataclass(frozen=True)
class Forecast:
	"""When an open case reaches one target.

	Attributes:
		target: what is ahead.
		since: when the case came to where it stands.
		outlook: the same in times from `since`.
	"""

	target: Hashable
	since: float
	outlook: Outlook

	@property
	def silence(self) -> Silence | None:
		"""Why nothing is said; None where something is."""
		return self.outlook.silence

	@property
	def samples(self) -> int:
		"""How many earlier cases it rests on."""
		return self.outlook.samples

	@property
	def p50(self) -> float | None:
		"""The moment by which it is reached with a chance of 50 %; None where silent."""
		return self._moment(self.outlook.p50)

	@property
	def p80(self) -> float | None:
		"""The moment by which it is reached with a chance of 80 %; None where silent or too far off to tell."""
		return self._moment(self.outlook.p80)

	def chance_to_meet(self, key_date: float) -> float | None:
		"""Return the chance, 0 to 1, that it is reached by the key date (that moment included); None where silent.

		Args:
			key_date: a moment on the axis of the forecaster.
		"""
		# A moment less another is rounded: the date of `p50` itself must not fall short of it.
		rounding = 4 * ulp(max(abs(key_date), abs(self.since)))
		return self.outlook.chance(key_date - self.since + rounding)

	def falls_below(self, key_date: float, chance: float) -> float | None:
		"""Return from when on, if nothing happens, the chance to meet the key date is below `chance`.

		Args:
			key_date: a moment on the axis of the forecaster.
			chance: more than 0, less than 1.

		Returns:
			float | None: at the latest the key date, at the earliest the moment of the forecast; None where silent.
		"""
		return self._moment(self.outlook.age_at_chance(key_date - self.since, chance))

	def _moment(self, duration: float | None) -> float | None:
		return None if duration is None else self.since + duration


@dataclass(frozen=True)
class AfterOthers:
	"""The forecast of what is never reached before others are: each of its chances is the smallest of theirs.

	Each target is forecast for itself, of other cases each time, so a shipment might be said to come before the
	inspection that it waits for. As it cannot, whoever waits for the later one waits for both.

	Attributes:
		forecasts: its own and those of the others; one or more, none of them silent.
	"""

	forecasts: tuple[Forecast, ...]

	@property
	def p50(self) -> float:
		"""The moment by which all are reached with a chance of 50 % each."""
		return max(forecast.p50 for forecast in self.forecasts)

	@property
	def p80(self) -> float | None:
		"""The moment by which all are reached with a chance of 80 % each; None where one is too far off to tell."""
		moments = [forecast.p80 for forecast in self.forecasts]
		return None if None in moments else max(moments)

	def chance_to_meet(self, key_date: float) -> float:
		"""Return the chance, 0 to 1, that it is reached by the key date (that moment included).

		Args:
			key_date: a moment on the axis of the forecaster.
		"""
		return min(forecast.chance_to_meet(key_date) for forecast in self.forecasts)

	def falls_below(self, key_date: float, chance: float) -> float:
		"""Return from when on, if nothing happens, the chance to meet the key date is below `chance`.

		Args:
			key_date, chance: as for `Forecast.falls_below`.
		"""
		return min(forecast.falls_below(key_date, chance) for forecast in self.forecasts)


@dataclass
class _OpenCase:
	started: float
	value: Hashable = None
	visits: dict[Hashable, int] = field(default_factory=dict)
	ahead: dict[Hashable, list[Visit]] = field(default_factory=dict)


class Forecaster:
	"""Learns from cases as they go, and forecasts those that are open."""

	def __init__(self, targets: Iterable[Hashable] = (END,), shortest_age: float = SHORTEST_AGE):
		"""Begin without cases.

		Args:
			targets: values whose first reaching is forecast; `END` for the end of the case.
			shortest_age: cases younger than this are of one age; in the unit of the moments.
		"""
		self._models: dict[Hashable, RemainingTime] = {target: RemainingTime() for target in targets}
		self._shortest_age = shortest_age
		self._open: dict[Hashable, _OpenCase] = {}
		self.latest: float | None = None

	def observe(self, case: Hashable, value: Hashable, moment: float) -> None:
		"""Learn that a case came to a value.

		Args:
			case: what makes it the same case in all events, for example the name of a plan.
			value: what it came to; if that is a target still ahead, the target is reached.
			moment: when, in the unit of the axis; not before the latest observed.

		Raises:
			NotInOrder: the moment lies before one already observed.
		"""
		self._go_on_to(moment)
		state = self._open.get(case)
		if state is None:
			state = self._open[case] = _OpenCase(moment, ahead={target: [] for target in self._models})
		if (visits := state.ahead.pop(value, None)) is not None:
			self._models[value].happen(visits, moment)
		times = state.visits[value] = state.visits.get(value, 0) + 1
		present_situation = situation(value, state.value, times, moment - state.started, self._shortest_age)
		state.value = value
		for target, earlier in state.ahead.items():
			earlier.append(self._models[target].come(present_situation, moment))

	def finish(self, case: Hashable, moment: float) -> None:
		"""Learn that a case ended: `END` is reached, what is still ahead never will be.

		Args:
			case: an open case.
			moment: when it ended.

		Raises:
			UnknownCase: the case was never observed, or has ended.
			NotInOrder: the moment lies before one already observed.
		"""
		state = self._close(case, moment)
		if (visits := state.ahead.pop(END, None)) is not None:
			self._models[END].happen(visits, moment)
		self._withdraw(state, moment)

	def withdraw(self, case: Hashable, moment: float) -> None:
		"""Learn that a case is followed no longer (cancelled, deleted): it counts as open until then.

		Args:
			case: an open case.
			moment: until when it was followed.

		Raises:
			UnknownCase: the case was never observed, or has ended.
			NotInOrder: the moment lies before one already observed.
		"""
		self._withdraw(self._close(case, moment), moment)

	def knows(self, case: Hashable) -> bool:
		"""Return whether a case is open: it was observed, and has not ended.

		Args:
			case: any case.
		"""
		return case in self._open

	def predict(self, case: Hashable, now: float) -> dict[Hashable, Forecast]:
		"""Return a forecast for each target that the case has not reached. Changes nothing.

		Args:
			case: an open case.
			now: the present moment, not before the latest observed.

		Raises:
			UnknownCase: the case was never observed, or has ended.
			NotInOrder: `now` lies before a moment already observed.
		"""
		state = self._find(case)
		if self.latest is not None and now < self.latest:
			raise NotInOrder(f"{now} lies before {self.latest}")
		forecasts = {}
		for target, visits in state.ahead.items():
			latest = visits[-1]
			forecasts[target] = Forecast(target, latest.moment, self._models[target].outlook(latest, now))
		return forecasts

	def first_words(self, case: Hashable, target: Hashable = END) -> Visit | None:
		"""Return the forecast that was made, said or not, when the case came to where it stands; None for a target reached.

		Args:
			case: an open case.
			target: one of the targets of this forecaster, or a value that is none.

		Raises:
			UnknownCase: the case was never observed, or has ended.
		"""
		visits = self._find(case).ahead.get(target)
		return visits[-1] if visits else None

	def is_said(self, visit: Visit, target: Hashable = END) -> bool:
		"""Tell whether a forecast made just now would be said.

		Args:
			visit: the visit with the forecast, as `first_words` returns it.
			target: what it forecasts; one of the targets of this forecaster.

		Raises:
			KeyError: it is none of the targets.
		"""
		return self._models[target].is_said(visit)

	def changed_on(self, target: Hashable = END) -> float | None:
		"""Return the moment when the process was last seen to change; None for never.

		Args:
			target: one of the targets of this forecaster; each is watched for itself.

		Raises:
			KeyError: it is none of the targets.
		"""
		return self._models[target].changed_on

	def _go_on_to(self, moment: float) -> None:
		if self.latest is not None and moment < self.latest:
			raise NotInOrder(f"{moment} lies before {self.latest}")
		self.latest = moment

	def _find(self, case: Hashable) -> _OpenCase:
		if case not in self._open:
			raise UnknownCase(case)
		return self._open[case]

	def _close(self, case: Hashable, moment: float) -> _OpenCase:
		self._find(case)
		self._go_on_to(moment)
		return self._open.pop(case)

	def _withdraw(self, state: _OpenCase, moment: float) -> None:
		for target, visits in state.ahead.items():
			self._models[target].withdraw(visits, moment)
