"""Forecasts held against what came, and corrected by it, as it comes. Pure.

`pinball` is the loss that a quantile minimises (Koenker and Bassett, Econometrica 46, 1978, 33-50).

`Calibration` is conformal prediction for distributions (Chernozhukov, Wüthrich, Zhu, PNAS 118, 2021), made
adaptive by a window of the latest outcomes (as Gibbs and Candès, NeurIPS 2021, let the level follow the misses).
Each outcome says at which level of its own forecast it fell. Had the forecasts been right, these levels would be
spread evenly; where 80 % of them lie below 0.9, the time to name for 80 % is the forecast's 90 % point. The
classic step rule of Gibbs and Candès was tried and swung too far: outcomes arrive late, many at once.

A `Correction` of the upper half only leaves the median as it is: by the time an outcome is known, the cases whose median
it would correct may be of another kind, and of most event logs the uncorrected median was the better one.
"""

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, replace

# The level of the median.
MIDDLE = 0.5
# Just beyond an outcome's level, or that outcome itself is not within.
JUST_ABOVE = 1e-9


def pinball(outcome: float, forecast: float, share: float) -> float:
	"""Return the loss of a quantile forecast: `share` a unit too early, 1 - `share` a unit too late.

	Args:
		outcome: what came.
		forecast: what had been forecast, in the same unit.
		share: which quantile that was, 0 to 1: 0.8 for the time by which 80 % should be reached.

	Returns:
		float: 0 or more, in the unit of the outcome.
	"""
	miss = outcome - forecast
	return share * miss if miss >= 0 else (share - 1.0) * miss


@dataclass(frozen=True)
class Correction:
	"""What outcomes so far make of a forecast's levels; stays as it is when more outcomes come.

	Attributes:
		levels: at which levels of their forecasts the outcomes fell, ascending, each from 0 to 1.
		prior: how many evenly spread outcomes are counted beside them.
		begin: levels up to this one are right as they are: 0, or `MIDDLE`.
	"""

	levels: list[float]
	prior: int
	begin: float = 0.0

	def of_upper_half(self) -> "Correction":
		"""Return the correction that leaves the median, and what lies below it, as it is."""
		return replace(self, begin=MIDDLE)

	def share_at(self, level: float) -> float:
		"""Return which share of outcomes falls below this level of a forecast; ascending, 0 to 1.

		Args:
			level: of the forecast, 0 to 1.
		"""
		if level < self.begin:
			return level
		share = (bisect_left(self.levels, level) + self.prior * level) / (len(self.levels) + self.prior)
		return max(self.begin, share)

	def level_for(self, share: float) -> float:
		"""Return the level of a forecast below which this share of outcomes falls: `share_at` the other way.

		Just above 1 means later than the forecast knows of.

		Args:
			share: of the outcomes, 0 to 1.

		Returns:
			float: 0 to just above 1.
		"""
		if share <= self.begin:
			return share
		levels, prior = self.levels, self.prior
		wanted = share * (len(levels) + prior)
		low, high = 0, len(levels)
		while low < high:  # the first outcome up to which enough of them and of the prior lie
			middle = (low + high) // 2
			if middle + 1 + prior * levels[middle] < wanted:
				low = middle + 1
			else:
				high = middle
		level = min((wanted - low) / prior, levels[low] + JUST_ABOVE if low < len(levels) else 1.0)
		return max(self.begin, level)


class Calibration:
	"""The levels at which the latest outcomes fell."""

	def __init__(self, window: int = 200, prior: int = 50):
		"""Begin without outcomes.

		Args:
			window: how many of the latest outcomes count.
			prior: as in `Correction`: few outcomes correct little.
		"""
		self.prior = prior
		self._levels: deque[float] = deque(maxlen=window)
		self._correction: Correction | None = None

	def observe(self, level: float) -> None:
		"""Add the level, from 0 to 1, below which the forecast had put the outcome.

		Args:
			level: `SurvivalCurve.reached_before` of the outcome, by the curve that was forecast.
		"""
		self._levels.append(level)
		self._correction = None

	def forget(self) -> None:
		"""Begin anew: the outcomes so far say nothing about those to come."""
		self._levels.clear()
		self._correction = None

	def correction(self) -> Correction:
		"""Return what the outcomes so far make of a forecast."""
		if self._correction is None:
			self._correction = Correction(sorted(self._levels), self.prior)
		return self._correction
