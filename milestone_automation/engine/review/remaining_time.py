"""The time that is left until one thing happens to a case, learned from cases in the order things happened. Pure.

What is alike is counted together: cases that came to the same value, from the same value before, as often, at
about the same age. Where fewer than `SMALLEST_SAMPLE` such cases were seen to end, a coarser likeness counts (back-off).
Each group of like cases keeps who still waits and who was reached, and gives a survival curve of the latest ones.

How fine a likeness and how long a memory serve best differs from process to process, and in time. So a few
`STRATEGIES` answer side by side, each is held against what came (pinball loss, older losses fading), and for
each value the best so far is forecast, corrected by `Calibration`; the median only while that has made it better.
The forecasts as a whole are held against two simple rules: "no time is left" and "the median of all cases at this
value". While either does clearly better, nothing is said.
"""

from bisect import insort
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from math import inf, log2
from typing import NamedTuple

from milestone_automation.engine.review.calibration import Calibration, Correction, pinball
from milestone_automation.engine.review.drift import DriftDetector
from milestone_automation.engine.review.survival import ROUNDING, SurvivalCurve, kaplan_meier

SMALLEST_SAMPLE = 20
LONGEST_MEMORY = 2000
# What a narrower group remembers; more than any strategy asks of it.
NARROW_MEMORY = 600
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
# From so many forecasts on, a simple rule that does better silences them, by more than a hundredth: less is chance.
ENOUGH_CHECKED = 100
CLEARLY = 1.01


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
		return (
			(0, value, previous, visits, age),
			(1, value, visits, age),
			(2, value, age),
			(3, value, visits),
			(4, value),
		)


def situation(value: Hashable, previous: Hashable, visits: int, age: float, shortest_age: float) -> Situation:
	"""Describe where a case stands; `age` and `shortest_age` in the same unit.

	Args:
		value, previous: the value that the case came to, and the one before; None for none.
		visits: how often it has come to this value, this time included: 1 or more.
		age: how long ago the case began; 0 or more, in the unit of the moments.
		shortest_age: younger cases than this are of one age; more than 0, in the same unit.
	"""
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


# The widest of `Situation.groups`.
BY_VALUE = 4
BY_PATH, BY_AGE, BY_VISITS = (0, 1, 3, BY_VALUE), (1, 2, BY_VALUE), (3, BY_VALUE)
STRATEGIES = (
	Strategy(BY_PATH, 60),
	Strategy(BY_PATH, 300),
	Strategy(BY_AGE, 60),
	Strategy(BY_AGE, 300),
	Strategy(BY_VISITS, 60),
	Strategy(BY_VISITS, 300),
	Strategy((BY_VALUE,), LONGEST_MEMORY),
)


class Quantiles(NamedTuple):
	"""Times by which a case is reached with a chance of 50 % and of 80 %."""

	p50: float
	p80: float

	def losses(self, outcome: float) -> tuple[float, float]:
		"""Return the pinball loss of each point, as (50 %, 80 %).

		Args:
			outcome: when it happened, in the unit of the points.
		"""
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
		"""End a visit; the group forgets the oldest of those that left when it is full.

		Args:
			visit: number of a visit that waits in this group.
			stay: moment when it began, moment when it ended, and whether the case was reached (else it left unseen).

		Raises:
			KeyError: the visit does not wait here.
		"""
		del self.waiting[visit]
		self.left.append(stay)
		self.ended += stay[2]

	def curve(self, memory: int, now: float) -> SurvivalCurve:
		"""Return the curve of the latest `memory` cases that ended, made anew when a tenth of it is new.

		Args:
			memory: how many ended cases the curve is made of at most; no more than the group remembers are there.
			now: the present moment, up to which those that wait were watched; not used while an earlier curve serves.

		Returns:
			SurvivalCurve: in times from the beginning of a visit; empty where none ended.
		"""
		ended, curve = self._kept.get(memory, (0, None))
		if curve is None or self.ended - ended >= max(1.0, CURVE_LIFETIME * curve.samples):
			curve = self._make_curve(memory, now)
			self._kept[memory] = self.ended, curve
		return curve

	def curve_of_today(self, memory: int, now: float) -> SurvivalCurve:
		"""Return the curve as of now; `curve` goes on as if nobody had asked.

		Args:
			memory, now: as for `curve`; those that wait were always watched up to `now`.
		"""
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
		"""Add a number, at full weight; all earlier ones then count `fading` times as much as before.

		Args:
			number: any number.
		"""
		self.total = self.total * self.fading + number
		self.weight = self.weight * self.fading + 1.0

	@property
	def mean(self) -> float:
		"""The mean; 0 for nothing yet."""
		return self.total / self.weight if self.weight else 0.0


@dataclass
class TrackRecord:
	"""How forecasts at one value have done.

	Attributes:
		strategies: the loss of each of `STRATEGIES`.
		calibration: corrects what is forecast.
		durations: of all cases reached so far, ascending: what the second simple rule goes by.
	"""

	strategies: list[FadingMean] = field(default_factory=lambda: [FadingMean() for _ in STRATEGIES])
	calibration: Calibration = field(default_factory=Calibration)
	durations: list[float] = field(default_factory=list)

	def best(self, answers: list[Answer | None]) -> Answer | None:
		"""Return the answer of the strategy that has done best; the first of equals.

		Args:
			answers: of each of `STRATEGIES`, in their order; None where it had too few cases.

		Returns:
			Answer | None: None where no strategy answered.
		"""
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

	def forget(self) -> None:
		"""Begin anew after a change of the process; what is typical stays."""
		self.strategies = [FadingMean() for _ in STRATEGIES]
		self.calibration.forget()


@dataclass
class Contest:
	"""Forecasts against two simple rules, on the same cases: total pinball losses, of the 50 % and the 80 % point."""

	own: list[float] = field(default_factory=lambda: [0.0, 0.0])
	none_left: list[float] = field(default_factory=lambda: [0.0, 0.0])
	typical: list[float] = field(default_factory=lambda: [0.0, 0.0])
	checked: int = 0

	def observe(self, outcome: float, forecast: Quantiles, median: float) -> None:
		"""Add an outcome, what had been forecast, and the median by value at that time.

		Args:
			outcome: time from the visit until it happened.
			forecast: the times that were forecast at the visit.
			median: the median of all cases that had ended at this value by then, the second simple rule; same unit.
		"""
		self.checked += 1
		rules = (
			(self.own, forecast),
			(self.none_left, Quantiles(0.0, 0.0)),
			(self.typical, Quantiles(median, median)),
		)
		for totals, quantiles in rules:
			for index, loss in enumerate(quantiles.losses(outcome)):
				totals[index] += loss

	def is_lost(self) -> bool:
		"""Whether a simple rule has done better, at either point, over enough cases to tell."""
		if self.checked < ENOUGH_CHECKED:
			return False
		rivals = zip(self.own, self.none_left, self.typical, strict=True)
		return any(own > CLEARLY * min(none_left, typical) for own, none_left, typical in rivals)


@dataclass
class Medians:
	"""The median as the curves say it against the corrected one, on the same cases: total pinball losses."""

	plain: float = 0.0
	corrected: float = 0.0

	def observe(self, outcome: float, plain: float, corrected: float) -> None:
		"""Add an outcome and both medians that could have been forecast; all times from the visit.

		Args:
			outcome: when it happened.
			plain, corrected: the medians.
		"""
		self.plain += pinball(outcome, plain, 0.5)
		self.corrected += pinball(outcome, corrected, 0.5)

	@property
	def are_better_corrected(self) -> bool:
		"""Whether correcting the median, too, has done better so far."""
		return self.corrected < self.plain


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
		medians: of that curve, as it is and corrected; None without an answer.
		median: the median by value at that time.
	"""

	number: int
	moment: float
	situation: Situation
	groups: list[Group]
	answers: list[Quantiles | None]
	answer: Answer | None
	medians: tuple[float, float] | None
	median: float | None

	def leave_groups(self, moment: float, was_reached: bool) -> None:
		"""End the visit in its groups; a case not reached was watched until then.

		Args:
			moment: when the visit ended.
			was_reached: whether what was forecast happened then; False for a case that was withdrawn.

		Raises:
			KeyError: the visit has left its groups already.
		"""
		stay = (self.moment, moment, was_reached)
		for group in self.groups:
			group.leave(self.number, stay)


@dataclass(frozen=True)
class Outlook:
	"""What is to be said of an open case. Times count from its visit (`Visit.moment`).

	Attributes:
		silence: why nothing is said; None where something is.
		p50, p80: times by which it happens with a chance of 50 % and of 80 %; None where silent, and p80 also
			where too few waited so long.
		samples: how many ended cases it rests on.
		curve, correction, age: what `chance` goes by.
	"""

	silence: Silence | None = None
	p50: float | None = None
	p80: float | None = None
	samples: int = 0
	curve: SurvivalCurve = field(default_factory=SurvivalCurve)
	correction: Correction = field(default_factory=lambda: Correction([], 1))
	age: float = 0.0

	def chance(self, duration: float) -> float | None:
		"""Return the chance, 0 to 1, that it happens within the duration; None where silent.

		Args:
			duration: from the visit, in the unit of the moments; not from now.
		"""
		if self.silence:
			return None
		return max(0.0, 1.0 - (1.0 - self._happened_by(duration)) / self._waiting)

	def age_at_chance(self, duration: float, chance: float) -> float | None:
		"""Return from which age on, if nothing happens, the chance to make `duration` is below `chance`.

		Args:
			duration: until the date to be met, from the visit.
			chance: more than 0, less than 1.

		Returns:
			float | None: a time from the visit, at most `duration`; `age` where it is below already; None where silent.
		"""
		now = self.chance(duration)
		if now is None or now < chance:
			return None if now is None else self.age
		most_waiting = (1.0 - self._happened_by(duration)) / (1.0 - chance)
		later = (time for time in self.curve.times if self.age < time < duration)
		return next((time for time in later if 1.0 - self._happened_by(time) < most_waiting), duration)

	@property
	def _waiting(self) -> float:
		return _still_waiting(self.curve, self.correction, self.age)

	def _happened_by(self, duration: float) -> float:
		return _happened(self.curve, self.correction, duration)


class RemainingTime:
	"""The time until one thing happens: learned visit by visit, forecast for any open one."""

	def __init__(self) -> None:
		"""Begin without cases."""
		self._groups: dict[tuple, Group] = {}
		self._records: dict[Hashable, TrackRecord] = {}
		self._contest = Contest()
		self._medians = Medians()
		self._drift = DriftDetector()
		self._visits = 0
		self._since_change = 0
		self.changed_on: float | None = None

	def come(self, situation: Situation, moment: float) -> Visit:
		"""Learn that a case came to a value while what is to happen has not happened yet.

		Args:
			situation: where the case stands now.
			moment: when it came; not before any earlier moment.

		Returns:
			Visit: with the forecast made at this moment; to be given to `happen` or `withdraw` later.
		"""
		groups = [self._group(key) for key in situation.groups()]
		record = self._records.setdefault(situation.value, TrackRecord())
		answers = [_ask(strategy, groups, Group.curve, moment) for strategy in STRATEGIES]
		best = record.best(answers)
		medians = None
		if best:
			corrected = _corrected(best.curve, record.calibration.correction())
			medians = (best.quantiles.p50, corrected.p50)
			best = Answer(best.curve, _corrected(best.curve, self._correction(record)))
		self._visits += 1
		for group in groups:
			group.waiting[self._visits] = moment
		quantiles = [answer and answer.quantiles for answer in answers]
		return Visit(self._visits, moment, situation, groups, quantiles, best, medians, record.median())

	def happen(self, visits: Iterable[Visit], moment: float) -> None:
		"""Learn that it happened to a case: hold all its forecasts against that, and count its visits as ended.

		Args:
			visits: all that `come` returned for the case.
			moment: when it happened.

		Raises:
			KeyError: one of the visits has ended already.
		"""
		middles = [level for visit in visits if (level := self._happen(visit, moment)) is not None]
		# One number a case: its visits all end late together, or early.
		if middles:
			self._since_change += 1
			if self._drift.observe(sum(middles) / len(middles)):
				self._begin_anew(moment)

	def withdraw(self, visits: Iterable[Visit], moment: float) -> None:
		"""Learn that a case ended otherwise: its visits were watched until now, and count no further.

		Args:
			visits: all that `come` returned for the case.
			moment: when it ended.

		Raises:
			KeyError: one of the visits has ended already.
		"""
		for visit in visits:
			visit.leave_groups(moment, was_reached=False)

	def outlook(self, visit: Visit, now: float) -> Outlook:
		"""Return what is to be said now of a case whose latest visit is given. Changes nothing.

		Args:
			visit: where it stands since `visit.moment`.
			now: the present moment, not before the visit's.
		"""
		if silence := self._silence():
			return Outlook(silence)
		record = self._records[visit.situation.value]
		answers = [_ask(strategy, visit.groups, Group.curve_of_today, now) for strategy in STRATEGIES]
		best = record.best(answers)
		if best is None:
			return Outlook(Silence.TOO_FEW)
		return _outlook(best.curve, self._correction(record), now - visit.moment)

	def is_said(self, visit: Visit) -> bool:
		"""Tell whether the forecast made as the visit began would have been said just then.

		Args:
			visit: as `come` returned it. Whether a simple rule does better is judged as of now.
		"""
		return visit.answer is not None and self._silence() is None

	def _correction(self, record: TrackRecord) -> Correction:
		correction = record.calibration.correction()
		return correction if self._medians.are_better_corrected else correction.of_upper_half()

	def _silence(self) -> Silence | None:
		if self.changed_on is not None and self._since_change < SMALLEST_SAMPLE:
			return Silence.UNSTABLE
		return Silence.NO_BETTER if self._contest.is_lost() else None

	def _happen(self, visit: Visit, moment: float) -> float | None:
		"""End a visit. Returns the level of its forecast at which the outcome fell, the middle where it jumps."""
		duration = moment - visit.moment
		visit.leave_groups(moment, was_reached=True)
		record = self._records[visit.situation.value]
		insort(record.durations, duration)
		for loss, quantiles in zip(record.strategies, visit.answers, strict=True):
			if quantiles is not None:
				loss.observe(sum(quantiles.losses(duration)))
		if visit.answer is None:
			return None
		self._medians.observe(duration, *visit.medians)
		if visit.median is not None:
			self._contest.observe(duration, visit.answer.quantiles, visit.median)
		curve = visit.answer.curve
		below = curve.reached_before(duration)
		record.calibration.observe(below)
		return (below + curve.reached_by(duration)) / 2

	def _begin_anew(self, moment: float) -> None:
		self.changed_on, self._since_change = moment, 0
		for record in self._records.values():
			record.forget()

	def _group(self, key: tuple) -> Group:
		group = self._groups.get(key)
		if group is None:
			memory = LONGEST_MEMORY if key[0] == BY_VALUE else NARROW_MEMORY
			group = self._groups[key] = Group(memory)
		return group


def _ask(
	strategy: Strategy,
	groups: list[Group],
	curve_of: Callable[[Group, int, float], SurvivalCurve],
	now: float,
) -> Answer | None:
	for level in strategy.levels:
		group = groups[level]
		if group.ended >= SMALLEST_SAMPLE:
			curve = curve_of(group, strategy.memory, now)
			p80 = curve.quantile(0.8)
			if p80 is not None:
				return Answer(curve, Quantiles(curve.quantile(0.5), p80))
	return None


def _corrected(curve: SurvivalCurve, correction: Correction) -> Quantiles:
	most = curve.reached[-1]
	p50, p80 = (curve.quantile(min(correction.level_for(share), most)) for share in (0.5, 0.8))
	return Quantiles(p50, p80)


def _happened(curve: SurvivalCurve, correction: Correction, duration: float) -> float:
	return correction.share_at(curve.reached_by(duration))


def _still_waiting(curve: SurvivalCurve, correction: Correction, age: float) -> float:
	# Who has just come may still be reached at once.
	return 1.0 - _happened(curve, correction, age) if age > 0 else 1.0


def _outlook(curve: SurvivalCurve, correction: Correction, age: float) -> Outlook:
	"""Look ahead from an age: of the cases still open then, when were half of them reached, and 80 %?"""
	waiting = _still_waiting(curve, correction, age)
	if waiting <= ROUNDING or age >= curve.times[-1]:
		return Outlook(Silence.TOO_OLD)
	p50, p80 = (
		curve.quantile(max(ROUNDING, correction.level_for(1.0 - (1.0 - share) * waiting)))
		for share in (0.5, 0.8)
	)
	if p50 is None:
		return Outlook(Silence.TOO_OLD)
	p50 = max(p50, age)
	p80 = p80 if p80 is None else max(p80, age)
	return Outlook(None, p50, p80, curve.samples, curve, correction, age)
