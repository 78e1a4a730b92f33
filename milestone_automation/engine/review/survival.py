"""How long until something happens, estimated from cases where it did and cases where it has not yet. Pure.

The estimate is the product-limit curve of Kaplan and Meier (J. Am. Stat. Assoc. 53, 1958, 457-481): at each time
t at which d of the n cases still waiting were reached, the share that still waits is multiplied by 1 - d/n. A
case that still waits (censored) counts in n as long as it was watched and is never taken for a short one.

Two refinements, both standard:

- delayed entry (Klein and Moeschberger, Survival Analysis, 2nd ed. 2003, section 4.6): a case that was already
  waiting when the period under study began is counted in n only from the age it had then. So a curve can be made
  of the latest events alone and still see the long waits: it answers to a change at once.
- with delayed entry n can be tiny at the smallest ages, where one event would drag the whole curve down. Such
  steps are damped: n counts as at least `smallest_risk_set` (in the spirit of Lai and Ying, Ann. Stat. 19, 1991,
  417-442, who leave them out).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

# Sums of products of fractions: 0.2 may come out as 0.19999999999999996.
ROUNDING = 1e-12


@dataclass(frozen=True)
class SurvivalCurve:
	"""The share of cases that still wait, as a step function of the time waited.

	Attributes:
		times: when the curve falls, ascending; in the unit of the durations it was made of.
		reached: the share no longer waiting from that time on, ascending, from 0 to 1.
		samples: how many cases were seen to end.
	"""

	times: list[float] = field(default_factory=list)
	reached: list[float] = field(default_factory=list)
	samples: int = 0

	def reached_by(self, duration: float) -> float:
		"""Return the share of all cases reached within the duration (the duration itself included).

		Args:
			duration: time waited, in the unit of `times`.

		Returns:
			float: 0 to 1; 0 before the first case was reached.
		"""
		index = bisect_right(self.times, duration)
		return self.reached[index - 1] if index else 0.0

	def reached_before(self, duration: float) -> float:
		"""Return the share of all cases reached in less than the duration.

		Args:
			duration: time waited, in the unit of `times`.

		Returns:
			float: 0 to 1; 0 up to the first case that was reached.
		"""
		index = bisect_left(self.times, duration)
		return self.reached[index - 1] if index else 0.0

	def chance(self, duration: float, age: float = 0.0) -> float | None:
		"""Return the chance that a case which has waited `age` is reached within `duration`, both from its start.

		Args:
			duration: from the start of waiting, in the unit of `times`; not from `age`.
			age: how long the case has waited; 0 for one that has just come.

		Returns:
			float | None: from 0 to 1; None where no case that old was seen to end.
		"""
		waiting = 1.0 - self.reached_by(age) if age > 0 else 1.0
		if waiting <= ROUNDING:
			return None
		return max(0.0, 1.0 - (1.0 - self.reached_by(duration)) / waiting)

	def quantile(self, share: float, age: float = 0.0) -> float | None:
		"""Return the smallest time within which `share` of the cases are reached, of those that waited `age`.

		Args:
			share: more than 0, at most 1.
			age: how long the case has waited; only cases that waited longer count.

		Returns:
			float | None: the time from the start of waiting; None where the curve does not get that far.
		"""
		waiting = 1.0 - self.reached_by(age) if age > 0 else 1.0
		if waiting <= ROUNDING:
			return None
		index = bisect_left(self.reached, 1.0 - (1.0 - share) * waiting - ROUNDING)
		return self.times[index] if index < len(self.times) else None


def kaplan_meier(
	ended: Iterable[tuple[float, float]],
	waiting: Iterable[tuple[float, float]] = (),
	smallest_risk_set: int = 1,
) -> SurvivalCurve:
	"""Estimate a curve.

	Args:
		ended: of each case that was reached (age when it came under study, age when it was reached).
		waiting: of each case that still waits (age when it came under study, age now).
		smallest_risk_set: with delayed entry, what fewer cases than this count as.

	Returns:
		SurvivalCurve: empty where nothing ended.
	"""
	ended, waiting = list(ended), list(waiting)
	entries = sorted([start for start, _end in ended] + [start for start, _end in waiting])
	exits = sorted([end for _start, end in ended] + [end for _start, end in waiting])
	ends = sorted(end for _start, end in ended)
	times, reached, surviving = [], [], 1.0
	position = entered = gone = 0
	while position < len(ends):
		time, first = ends[position], position
		position = bisect_right(ends, time, first)
		# Who came under study at this very age is not at risk yet, except from the start.
		entered = bisect_left(entries, time, entered) if time > 0 else bisect_right(entries, 0.0)
		gone = bisect_left(exits, time, gone)
		at_risk = max(entered - gone, position - first, smallest_risk_set)
		surviving *= 1.0 - (position - first) / at_risk
		times.append(time)
		reached.append(1.0 - surviving)
	return SurvivalCurve(times, reached, len(ends))
