"""Who uses the private servers: the last one out stops them, unless `./dev start` keeps them."""

from contextlib import contextmanager

from .locks import FileLock, build_lock
from .paths import LOCKS, STATE
from .services import Service, all_services

KEEP = STATE / "keep-services"


@contextmanager
def services_in_use(names: list[str]):
	"""Start the named servers, hold them while the block runs, stop them after it if nobody else needs them."""
	from .services import service

	lease = FileLock(LOCKS / "services-lease")
	with build_lock():
		lease.take(shared=True)
		started = [service(name) for name in names]
		for one in started:
			one.start()
	try:
		yield {one.name: one for one in started}
	finally:
		lease.release()
		stop_if_unused()


def stop_if_unused() -> None:
	with build_lock():
		lease = FileLock(LOCKS / "services-lease")
		if not KEEP.exists() and lease.take(wait=False):
			stop_all()
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
	lease = FileLock(LOCKS / "services-lease")
	try:
		return not lease.take(wait=False)
	finally:
		lease.release()
