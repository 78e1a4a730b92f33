"""Who uses the private servers: the last one out stops them, unless `./dev start` keeps them."""

import sys
from contextlib import contextmanager

from .locks import FileLock, build_lock, is_free, keep_shared, quiet_lock
from .paths import LOCKS, ROOT, STATE
from .processes import spawn
from .services import Service, all_services, service

KEEP = STATE / "keep-services"
LEASE = LOCKS / "services-lease"


@contextmanager
def services_in_use(names: list[str]):
	"""Start the named servers, hold them while the block runs, stop them after it if nobody else needs them.

	Args:
		names: of servers: "redis", "postgres" or "mariadb".

	Raises:
		DevError: one of them cannot be installed or does not start.
	"""
	with build_lock("services"):
		lease = keep_shared(LEASE)
		for name in names:
			service(name).start()
	spawn([sys.executable, "-m", "devtool.keeper"], "keeper", cwd=ROOT)
	try:
		yield
	finally:
		lease.release()
		stop_if_unused()


def stop_if_unused() -> None:
	"""Whoever holds the lock is about to use the servers, or stops them himself: there is nothing to wait for."""
	with quiet_lock("services") as held:
		if not held or KEEP.exists():
			return
		lease = FileLock(LEASE)
		try:
			if lease.take(wait=False):
				stop_all()
		finally:
			lease.release()


def keep() -> None:
	KEEP.parent.mkdir(parents=True, exist_ok=True)
	KEEP.write_text("")


def stop_all() -> list[Service]:
	"""Stop every server; returns those that ran."""
	running = [one for one in all_services() if one.running()]
	for one in all_services():
		one.stop()
	return running


def in_use() -> bool:
	return not is_free(LEASE)
