"""The time that is left until one thing happens to a case, learned from cases in the order things happened. Pure.

What is alike is counted together: cases that came to the same value, from the same value before, as often, at
about the same age. Where fewer than `SMALLEST_SAMPLE` such cases were seen to end, a coarser likeness counts (back-off).
Each group of like cases keeps who still waits and who was reached, and gives a survival curve of the latest ones.

How fine a likeness and how long a memory serve best differs from process to process, and in time. So a few
`STRATEGIES` answer side by side, each is held against what came (pinball loss, older losses fading), and for
each value the best so far speaks; corrected by `Calibration`; and only while it does better than two simple rules:
"no time is left" and "the median of all cases at this value".
"""

from bisect import insort
from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from math import inf, log2
from typing import NamedTuple

from milestone_automation.engine.review.calibration import Calibration, Correction, pinball
from milestone_automation.engine.review.drift import DriftDetector
from milestone_automation.engine.review.survival import SurvivalCurve, kaplan_meier

SMALLEST_SAMPLE = 20
LONGEST_MEMORY = 2000
# Ages that differ by less than this factor are alike; below a shortest age all are.
AGE_STEPS_PER_DOUBLING = 2
# A group counts visits up to this many and no further.
MOST_VISITS = 4
# A curve serves until so large a part of what it was made of is new.
CURVE_LIFETIME = 0.1
# Steps of a curve count at least so many cases as waiting (see `survival`).
SMALLEST_RISK_SET = 8
# Each outcome makes earlier ones count so much less in the choice of a strategy: the last 100 decide.
FADING = 0.99
# The same for the question whether to speak at all: that takes more evidence.
SLOW_FADING = 0.998
MARGIN = 1.0


class Silence(str, Enum):
	"""Why there is no forecast."""

	TOO_FEW = "Too few cases"
	UNSTABLE = "The process has just changed"
	NO_BETTER = "No better than a simple rule"
	TOO_OLD = "No case was this late before"


class Situation(NamedTuple):
	"""Where a case stands when it comes to a value.

	Attributes:
		value, previous: the value and the one before; None for none.
		visits: how often the case came to the value, up to `MOST_VISITS`.
		age_step: how old the case is, on a scale of ratios.
	"""

	value: Hashable
	previous: Hashable
	visits: int
	age_step: int

	def groups(self) -> tuple[tuple, ...]:
		"""Return the groups of like cases it belongs to, the narrowest first; `Strategy.levels` counts in them."""
		value, previous, visits, age = self
		return (0, value, previous, visits, age), (1, value, visits, age), (2, value, age), (3, value, visits), (4, value)


def situation(value: Hashable, previous: Hashable, visits: int, age: float, shortest_age: float) -> Situation:
	"""Describe where a case stands; `age` and `shortest_age` in the same unit."""
	step = int(AGE_STEPS_PER_DOUBLING * log2(1.0 + age / shortest_age))
	return Situation(value, previous, min(visits, MOST_VISITS), step)


class Strategy(NamedTuple):
	"""How like, and how recent, the cases are that count.

	Attributes:
		levels: which of `Situation.groups` to ask, in this order.
		memory: how many of the latest ended cases count.
	"""

	levels: tuple[int, ...]
	memory: int


BY_PATH, BY_AGE, BY_VISITS = (0, 1, 3, 4), (1, 2, 4), (3, 4)
STRATEGIES = (
	Strategy(BY_PATH, 60),
	Strategy(BY_PATH, 300),
	Strategy(BY_AGE, 60),
	Strategy(BY_AGE, 300),
	Strategy(BY_VISITS, 60),
	Strategy(BY_VISITS, 300),
	Strategy((4,), LONGEST_MEMORY),
)


class Quantiles(NamedTuple):
	"""Times by which a case is reached with a chance of 50 % and of 80 %."""

	p50: float
	p80: float

	def losses(self, outcome: float) -> tuple[float, float]:
		"""Return the pinball loss of each."""
		return pinball(outcome, self.p50, 0.5), pinball(outcome, self.p80, 0.8)


class Answer(NamedTuple):
	"""What one group of like cases says."""

	curve: SurvivalCurve
	quantiles: Quantiles


class Group:
	"""Like cases: since when they wait, and who was reached when."""

	__slots__ = ("_at_once", "_kept", "ended", "left", "waiting")

	def __init__(self, memory: int):
		"""Begin empty; `memory` is how many of those that left are remembered."""
		self.waiting: dict[int, float] = {}
		self.left: deque[tuple[float, float, bool]] = deque(maxlen=memory)
		self.ended = 0
		self._kept: dict[int, tuple[int, SurvivalCurve]] = {}
		self._at_once: tuple[float, dict[int, SurvivalCurve]] = (-inf, {})

	def leave(self, visit: int, stay: tuple[float, float, bool]) -> None:
		"""End a visit: `stay` is when it began, when it ended, and whether the case was reached (else it left unseen)."""
		del self.waiting[visit]
		self.left.append(stay)
		self.ended += stay[2]

	def curve(self, memory: int, now: float) -> SurvivalCurve:
		"""Return the curve of the latest `memory` cases that ended, made anew when a tenth of it is new."""
		ended, curve = self._kept.get(memory, (0, None))
		if curve is None or self.ended - ended >= max(1.0, CURVE_LIFETIME * curve.samples):
			curve = self._make_curve(memory, now)
			self._kept[memory] = self.ended, curve
		return curve

	def curve_of_today(self, memory: int, now: float) -> SurvivalCurve:
		"""Return the curve as of now; `curve` goes on as if nobody had asked."""
		if self._at_once[0] != now:
			self._at_once = now, {}
		curves = self._at_once[1]
		if memory not in curves:
			curves[memory] = self._make_curve(memory, now)
		return curves[memory]

	def _make_curve(self, memory: int, now: float) -> SurvivalCurve:
		ended, withdrawn, since = [], [], -inf
		for entered, left, was_reached in reversed(self.left):
			if len(ended) == memory:
				break
			(ended if was_reached else withdrawn).append((entered, left))
			since = left
		if len(ended) + len(withdrawn) == len(self.left) < (self.left.maxlen or inf):
			since = -inf  # all of history is in it: nobody entered late
		stays = [(max(0.0, since - entered), left - entered) for entered, left in ended]
		others = [(max(0.0, since - entered), left - entered) for entered, left in withdrawn]
		others += [(max(0.0, since - entered), now - entered) for entered in self.waiting.values()]
		return kaplan_meier(stays, others, 1 if since == -inf else SMALLEST_RISK_SET)


@dataclass
class FadingMean:
	"""A mean in which what came earlier counts less and less."""

	fading: float = FADING
	total: float = 0.0
	weight: float = 0.0

	def observe(self, number: float) -> None:
		"""Add a number."""
		self.total = self.total * self.fading + number
		self.weight = self.weight * self.fading + 1.0

	@property
	def mean(self) -> float:
		"""The mean; 0 for nothing yet."""
		return self.total / self.weight if self.weight else 0.0


def _slow_means() -> list[FadingMean]:
	return [FadingMean(SLOW_FADING), FadingMean(SLOW_FADING)]


@dataclass
class TrackRecord:
	"""How forecasts at one value have done.

	Attributes:
		strategies: the loss of each of `STRATEGIES`.
		own, none_left, typical: the losses of what was forecast, and of the two simple rules, on the same cases.
		calibration: corrects what is forecast.
		durations: of all cases reached so far, ascending: what the second simple rule goes by.
		checked: how many forecasts were held against what came.
	"""

	strategies: list[FadingMean] = field(default_factory=lambda: [FadingMean() for _ in STRATEGIES])
	own: list[FadingMean] = field(default_factory=_slow_means)
	none_left: list[FadingMean] = field(default_factory=_slow_means)
	typical: list[FadingMean] = field(default_factory=_slow_means)
	calibration: Calibration = field(default_factory=Calibration)
	durations: list[float] = field(default_factory=list)
	checked: int = 0

	def best(self, answers: list[Answer | None]) -> Answer | None:
		"""Return the answer of the strategy that has done best; the first of equals."""
		ranked = [
			(loss.mean, number)
			for number, (loss, answer) in enumerate(zip(self.strategies, answers, strict=True))
			if answer is not None
		]
		return answers[min(ranked)[1]] if ranked else None

	def median(self) -> float | None:
		"""Return the median of all cases so far; None where there are too few to forecast, too."""
		if len(self.durations) < SMALLEST_SAMPLE:
			return None
		return self.durations[(len(self.durations) - 1) // 2]

	def is_worth_saying(self) -> bool:
		"""Whether the forecasts at this value have been better than both simple rules."""
		return self.checked >= SMALLEST_SAMPLE and all(
			own.mean <= MARGIN * min(none.mean, typical.mean)
			for own, none, typical in zip(self.own, self.none_left, self.typical, strict=True)
		)

	def forget(self) -> None:
		"""Begin anew after a change of the process; what is typical stays."""
		for loss in self.strategies:
			loss.total = loss.weight = 0.0
		self.calibration.forget()


@dataclass
class Visit:
	"""A case at a value: what was forecast then, to be held against what comes.

	Attributes:
		number: of the visit; groups know it by that.
		moment: when the case came.
		situation: where it stood.
		groups: the groups of like cases it is counted in, the narrowest first.
		answers: quantiles that each strategy gave.
		answer: the curve of the best strategy, and the quantiles forecast; None where too few cases had ended.
		median: the median by value at that time.
	"""

	number: int
	moment: float
	situation: Situation
	groups: list[Group]
	answers: list[Quantiles | None]
	answer: Answer | None
	median: float | None


class RemainingTime:
	"""The time until one thing happens: learned visit by visit, forecast for any open one."""

	def __init__(self) -> None:
		"""Begin without cases."""
		self._groups: dict[tuple, Group] = {}
		self._records: dict[Hashable, TrackRecord] = {}
		self._drift = DriftDetector()
		self._visits = 0
		self.changed_on: float | None = None
		self._since_change = 0

	def come(self, situation: Situation, moment: float) -> Visit:
		"""A case comes to a value, and what is to happen has not happened yet."""
		groups = [self._group(key) for key in situation.groups()]
		record = self._records.setdefault(situation.value, TrackRecord())
		answers = [_ask(strategy, groups, Group.curve, moment) for strategy in STRATEGIES]
		best = record.best(answers)
		if best:
			best = Answer(best.curve, corrected(best.curve, record.calibration.correction()))
		self._visits += 1
		for group in groups:
			group.waiting[self._visits] = moment
		quantiles = [answer and answer.quantiles for answer in answers]
		return Visit(self._visits, moment, situation, groups, quantiles, best, record.median())

	def happen(self, visits: Iterable[Visit], moment: float) -> None:
		"""It happens to a case: hold all its forecasts against that, and count its visits as ended."""
		middles = []
		for visit in visits:
			duration = moment - visit.moment
			self._end(visit, moment, True)
			record = self._records[visit.situation.value]
			if visit.answer:
				curve = visit.answer.curve
				middles.append((curve.reached_before(duration) + curve.reached_by(duration)) / 2)
				record.calibration.observe(curve.reached_before(duration))
			_check(record, visit, duration)
			insort(record.durations, duration)
		# One number a case: its visits all end late together, or early.
		if middles:
			self._since_change += 1
			if self._drift.observe(sum(middles) / len(middles)):
				self._begin_anew(moment)

	def withdraw(self, visits: Iterable[Visit], moment: float) -> None:
		"""The case ends otherwise: its visits were watched until now, and count no further."""
		for visit in visits:
			self._end(visit, moment, False)

	def _begin_anew(self, moment: float) -> None:
		self.changed_on, self._since_change = moment, 0
		for record in self._records.values():
			record.forget()

	def _end(self, visit: Visit, moment: float, is_reached: bool) -> None:
		stay = (visit.moment, moment, is_reached)
		for group in visit.groups:
			group.leave(visit.number, stay)

	def _group(self, key: tuple) -> Group:
		group = self._groups.get(key)
		if group is None:
			group = self._groups[key] = Group(LONGEST_MEMORY if key[0] == 4 else 600)
		return group


def _ask(strategy: Strategy, groups: list[Group], curve_of, now: float) -> Answer | None:
	for level in strategy.levels:
		group = groups[level]
		if group.ended >= SMALLEST_SAMPLE:
			curve = curve_of(group, strategy.memory, now)
			p80 = curve.quantile(0.8)
			if p80 is not None:
				return Answer(curve, Quantiles(curve.quantile(0.5), p80))
	return None


def corrected(curve: SurvivalCurve, correction: Correction) -> Quantiles:
	most = curve.reached[-1]
	p50, p80 = (curve.quantile(min(correction.level_for(share), most)) for share in (0.5, 0.8))
	return Quantiles(p50, p80)


def _check(record: TrackRecord, visit: Visit, duration: float) -> None:
	for loss, quantiles in zip(record.strategies, visit.answers, strict=True):
		if quantiles is not None:
			loss.observe(sum(quantiles.losses(duration)))
	if visit.answer and visit.median is not None:
		record.checked += 1
		for means, quantiles in (
			(record.own, visit.answer.quantiles),
			(record.none_left, Quantiles(0.0, 0.0)),
			(record.typical, Quantiles(visit.median, visit.median)),
		):
			for mean, loss in zip(means, quantiles.losses(duration), strict=True):
				mean.observe(loss)
