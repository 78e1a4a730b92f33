"""The percentiles of all reports: linear interpolation between the two nearest values.

This is Hyndman and Fan's type 7 (The American Statistician 50, 1996), the default of pandas, NumPy and Excel's
PERCENTILE.INC. Half of an even number of values is the mean of the two in the middle.
"""

from collections.abc import Callable, Sequence
from math import floor


def place(count: int, fraction: float) -> tuple[int, float]:
	"""Return where a percentile lies among sorted values.

	Args:
		count: number of values, 1 or more.
		fraction: 0.5 for the median, 0.9 for the 90th percentile.

	Returns:
		tuple: position of the value below (from 0), and how far it is to the next one, from 0 to less than 1.
	"""
	exact = (count - 1) * fraction
	below = floor(exact)
	return below, exact - below


def between(below: float, above: float, part: float) -> float:
	"""Return the value that lies `part` of the way from one value to the next.

	Args:
		below, above: two neighbours among sorted values.
		part: 0 for the first, 1 for the second.
	"""
	return below + (above - below) * part


def percentile(values: Sequence[float], fraction: float) -> float | None:
	"""Return a percentile of sorted values; None without values.

	Args:
		values: in ascending order; others give a wrong answer.
		fraction: as in `place`.
	"""
	if not values:
		return None
	return seek(len(values), fraction, lambda first, how_many: values[first : first + how_many])


def seek(count: int, fraction: float, read: Callable[[int, int], Sequence[float]]) -> float:
	"""Return a percentile of values that are sorted elsewhere, reading one or two of them.

	Args:
		count: number of values, 1 or more.
		fraction: as in `place`.
		read: `read(first, how_many)` returns that many values in order, from a position on.
	"""
	below, part = place(count, fraction)
	values = read(below, 2 if part else 1)
	return float(values[0]) if not part else between(float(values[0]), float(values[1]), part)
