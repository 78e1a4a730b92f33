"""One step in a thread beside the others."""

import threading
from collections.abc import Callable


class Background:
	"""A step in a thread; `result` waits for it and raises what it raised."""

	def __init__(self, work: Callable[[], object]):
		self.error: BaseException | None = None
		self.work = work
		self.thread = threading.Thread(target=self._run, daemon=True)
		self.thread.start()

	def _run(self) -> None:
		try:
			self.work()
		except BaseException as error:
			self.error = error

	def result(self) -> None:
		while self.thread.is_alive():
			self.thread.join(0.2)
		if self.error:
			raise self.error
