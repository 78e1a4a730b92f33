"""What the tool says: steps with their times, failures with what to do next."""

import sys
import threading
import time
from contextlib import contextmanager


class DevError(Exception):
	"""Something the user can act on. The text says what is wrong and what to do."""


class Report:
	"""Prints one line per finished step, and shows what is under way while it takes long."""

	def __init__(self, quiet: bool = False):
		self.started = time.monotonic()
		self.quiet = quiet
		self.lock = threading.Lock()
		self.active: dict[str, float] = {}
		self.tty = sys.stderr.isatty()

	def say(self, text: str) -> None:
		with self.lock:
			self._wipe()
			print(text, file=sys.stderr, flush=True)

	def _wipe(self) -> None:
		if self.tty:
			print("\r\033[K", end="", file=sys.stderr)

	@contextmanager
	def step(self, title: str):
		"""Time one step; steps of several threads may overlap.

		Args:
			title: what is under way; shown with seconds when it ends, well or not.
		"""
		begin = self.active[title] = time.monotonic()
		ticker = threading.Thread(target=self._tick, args=(title, begin), daemon=True)
		ticker.start()
		try:
			yield
		except BaseException:
			self.active.pop(title, None)
			self.say(f"  ✗ {title} ({time.monotonic() - begin:.1f} s)")
			raise
		self.active.pop(title, None)
		self.say(f"  ✓ {title} ({time.monotonic() - begin:.1f} s)")

	def _tick(self, title: str, begin: float) -> None:
		pause, told = (0.5 if self.tty else 15), False
		while title in self.active and self.active[title] == begin:
			if self.tty:
				with self.lock:
					names = ", ".join(
						f"{name} {time.monotonic() - t:.0f} s" for name, t in self.active.items()
					)
					print(f"\r\033[K  … {names}"[:150], end="", file=sys.stderr, flush=True)
			elif told:
				self.say(f"  … {title}, {time.monotonic() - begin:.0f} s so far")
			told = True
			time.sleep(pause)

	def total(self) -> float:
		return time.monotonic() - self.started


report = Report()
