"""Stops the servers when nobody uses them any more, also after a `./dev` that was killed.

Runs beside the servers as a process of its own: `python -m devtool.keeper`. Ends with them.
"""

import time

from .leases import KEEP, stop_if_unused
from .locks import FileLock
from .paths import LOCKS
from .services import all_services

PAUSE_SECONDS = 2


def main() -> None:
	"""Run until no server is left; a second keeper ends at once by itself."""
	lock = FileLock(LOCKS / "keeper")
	if not lock.take(wait=False):
		return
	while any(one.running() for one in all_services()):
		time.sleep(PAUSE_SECONDS)
		if not KEEP.exists():
			stop_if_unused()


if __name__ == "__main__":
	main()
