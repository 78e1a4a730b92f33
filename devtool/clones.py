"""Throwaway copies of templates: a small bench folder of their own, own databases, own Redis databases.

A clone belongs to the process that holds the lock on its folder. Whatever a killed run leaves is dropped
by the next one, because the kernel has let go of the lock.
"""

import shutil
import subprocess
from pathlib import Path

from .benches import Bench
from .locks import FileLock
from .report import DevError
from .services import Redis
from .templates import Template, copy_site, engine_database_prefix

SITE = "test.localhost"
SLOTS_PER_KIND = 160  # Redis has 1024 databases, a clone takes two
KINDS = ("postgres", "mariadb", "sqlite")


class CloneBench(Bench):
	"""A bench folder for one process; its sites are copies of templates."""

	def __init__(self, parent: Bench, slot: int, lock: FileLock):
		super().__init__(parent.engine, parent.database, clones_folder(parent) / str(slot), slot)
		self.parent = parent
		self.lock = lock
		self.prefix = f"{engine_database_prefix(parent.engine)}c{slot}_"
		self.made = 0

	def prepare(self) -> None:
		self.empty()
		self.lay_out()
		self._link(self.sites / "assets", self.parent.sites / "assets")

	def add_site(self, template: Template, site: str) -> str:
		"""Copy a template; returns the site's name."""
		self.made += 1
		copy_site(self.parent, template.site, self, site, f"{self.prefix}{self.made}")
		return site

	def drop_site(self, site: str) -> None:
		from .benches import read_json

		name = read_json(self.sites / site / "site_config.json")["db_name"]
		self.database.drop(name)
		shutil.rmtree(self.sites / site, ignore_errors=True)

	def empty(self) -> None:
		"""Databases, Redis databases and files go; the lock file stays."""
		for name in self.database.names(self.prefix):
			self.database.drop(name)
		flush_redis(self.redis_slot)
		for path in self.folder.iterdir():
			if path.name == "lock":
				continue
			shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

	def drop(self) -> None:
		self.empty()
		shutil.rmtree(self.folder, ignore_errors=True)
		self.lock.release()


def clones_folder(bench: Bench) -> Path:
	return bench.engine.home / f"clones-{bench.database.kind}"


def new_clone(bench: Bench) -> CloneBench:
	"""Take the first slot that nobody holds."""
	first = 1 + SLOTS_PER_KIND * KINDS.index(bench.database.kind)
	for slot in range(first, first + SLOTS_PER_KIND):
		lock = FileLock(clones_folder(bench) / str(slot) / "lock")
		if lock.take(wait=False) and lock.current():
			clone = CloneBench(bench, slot, lock)
			clone.prepare()
			return clone
		lock.release()
	raise DevError("All slots for test sites are taken. Stop other test runs and run it again.")


def drop_leftovers(bench: Bench) -> int:
	"""Drop what killed runs left; returns how many."""
	dropped = 0
	for folder in clones_folder(bench).glob("*"):
		lock = FileLock(folder / "lock")
		if lock.take(wait=False) and lock.current():
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
		subprocess.run(command, capture_output=True, check=True)
