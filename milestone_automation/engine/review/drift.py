"""When a process no longer runs as it did: a change of mean in a stream of numbers from 0 to 1. Pure.

Page-Hinkley: the cumulative-sum test of Page (Biometrika 41, 1954, 100-115) against the running mean, in both
directions, as used on data streams (Gama et al., A Survey on Concept Drift Adaptation, ACM Computing Surveys 46,
2014, section 3.2.1).
"""


class DriftDetector:
	"""Watches a stream and tells when its mean has moved."""

	def __init__(self, tolerance: float = 0.1, threshold: float = 8.0, warm_up: int = 30):
		"""Begin without numbers.

		Args:
			tolerance: a move of the mean that is still taken for none.
			threshold: how much more than the tolerance has to add up, over all numbers since the last quiet one.
			warm_up: how many numbers make a mean that can be trusted.
		"""
		self.tolerance, self.threshold, self.warm_up = tolerance, threshold, warm_up
		self._begin()

	def observe(self, number: float) -> bool:
		"""Add a number; where it shows that the mean has moved, the detector begins anew.

		Args:
			number: from 0 to 1.

		Returns:
			bool: whether the mean has moved, up or down.
		"""
		self.count += 1
		self.mean += (number - self.mean) / self.count
		self.rise = max(0.0, self.rise + number - self.mean - self.tolerance)
		self.fall = max(0.0, self.fall + self.mean - number - self.tolerance)
		if self.count <= self.warm_up or max(self.rise, self.fall) <= self.threshold:
			return False
		self._begin()
		return True

	def _begin(self) -> None:
		self.count, self.mean, self.rise, self.fall = 0, 0.0, 0.0, 0.0
