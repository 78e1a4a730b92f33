"""Throwaway copies of templates: a small bench folder of their own, own databases, own Redis databases.

A clone belongs to the process that holds the lock on its slot; the slots of all engines and databases are the same
few pairs of Redis databases. Whatever a killed run leaves is dropped by the next one of that engine and database,
because the kernel has let go of the lock.
"""

import shutil
from pathlib import Path

from .benches import MAIN_SLOTS, Bench, read_json
from .locks import FileLock
from .paths import LOCKS
from .processes import execute
from .report import DevError
from .services import REDIS_DATABASES, Redis
from .templates import SiteTemplate, copy_site

SITE = "test.localhost"


class CloneBench(Bench):
	"""A bench folder for one process; its sites are copies of templates."""

	def __init__(self, parent: Bench, slot: int, lock: FileLock):
		super().__init__(parent.engine, parent.database, clones_folder(parent) / str(slot), slot)
		self.parent = parent
		self.lock = lock
		self.prefix = f"{parent.database_prefix}c{slot}_"
		self.made = 0

	def prepare(self) -> None:
		self.empty()
		self.lay_out()

	def add_site(self, template: SiteTemplate, site: str) -> str:
		"""Copy a template to a site of this clone.

		Args:
			template: of the parent bench.
			site: name of the new site.

		Returns:
			str: that name.
		"""
		self.made += 1
		copy_site(self.parent, template.site, self, site, f"{self.prefix}{self.made}")
		return site

	def drop_site(self, site: str) -> None:
		name = read_json(self.sites / site / "site_config.json")["db_name"]
		self.database.drop(name)
		shutil.rmtree(self.sites / site, ignore_errors=True)

	def empty(self) -> None:
		"""Databases, Redis databases and files go."""
		for name in self.database.names(self.prefix):
			self.database.drop(name)
		flush_redis(self.redis_slot)
		shutil.rmtree(self.folder, ignore_errors=True)

	def drop(self) -> None:
		self.empty()
		self.lock.release()


def clones_folder(bench: Bench) -> Path:
	return bench.engine.home / f"clones-{bench.database.label}"


def slot_lock(slot: int) -> FileLock:
	"""Held by the owner of a clone: one for all engines and databases, because the Redis server is one.

	Args:
		slot: number of a pair of Redis databases, from `MAIN_SLOTS` on.

	Returns:
		FileLock: not taken yet.
	"""
	return FileLock(LOCKS / f"clone-{slot}")


def new_clone(bench: Bench) -> CloneBench:
	"""A clone in the first slot that nobody holds.

	Args:
		bench: the main bench that it is a light copy of; its servers run.

	Raises:
		DevError: all slots are taken.
	"""
	clone = CloneBench(bench, *take_slot())
	clone.prepare()
	return clone


def take_slot() -> tuple[int, FileLock]:
	"""Number and lock of a pair of Redis databases that nobody uses, in any engine and database."""
	for slot in range(MAIN_SLOTS, REDIS_DATABASES // 2):
		lock = slot_lock(slot)
		if lock.take(wait=False):
			return slot, lock
		lock.release()
	raise DevError("All slots for test sites are taken. Stop other test runs and run it again.")


def drop_leftovers(bench: Bench) -> int:
	"""Drop the clones that killed runs left.

	Args:
		bench: the main bench; clones of others stay.

	Returns:
		int: how many were dropped.
	"""
	dropped = 0
	for folder in clones_folder(bench).glob("*"):
		lock = slot_lock(int(folder.name))
		if lock.take(wait=False):
			CloneBench(bench, int(folder.name), lock).drop()
			dropped += 1
		lock.release()
	return dropped


def flush_redis(slot: int) -> None:
	server = Redis()
	server.obtain()
	program = server.program.with_name("redis-cli")
	program.chmod(0o755)
	for number in (2 * slot, 2 * slot + 1):
		command = [str(program), "-p", str(server.port), "-n", str(number), "flushdb"]
		execute(command, capture_output=True, check=True)
