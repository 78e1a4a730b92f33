"""Throwaway copies of a template: a small bench folder of their own, own database, own Redis databases.

A clone belongs to the process that holds the lock on its folder. Whatever a killed run leaves is dropped
by the next one, because the kernel has let go of the lock.
"""

import shutil
import subprocess
from pathlib import Path

from .benches import Bench, read_json
from .locks import FileLock
from .report import DevError
from .services import Redis
from .templates import Template, copy_site, engine_database_prefix

SITE = "test.localhost"
SLOTS = range(1, 500)


class Clone(Bench):
	"""A bench with one site, copied from a template."""

	site = SITE

	def __init__(self, bench: Bench, slot: int, lock: FileLock):
		super().__init__(bench.engine, bench.database, clones_folder(bench) / str(slot), slot)
		self.parent = bench
		self.lock = lock
		self.db_name = f"{engine_database_prefix(bench.engine)}c{slot}"

	def fill(self, template: Template) -> None:
		self.empty()
		self.lay_out()
		assets = self.sites / "assets"
		if not assets.exists() and (self.parent.sites / "assets").exists():
			assets.symlink_to(self.parent.sites / "assets")
		copy_site(self.parent, template.site, self, SITE, self.db_name)

	def empty(self) -> None:
		"""Database, Redis databases and files go; the lock file stays."""
		self.database.drop(self.db_name)
		flush_redis(self.redis_slot)
		for path in self.folder.iterdir() if self.folder.exists() else ():
			if path.name == "lock":
				continue
			shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

	def drop(self) -> None:
		self.empty()
		shutil.rmtree(self.folder, ignore_errors=True)
		self.lock.release()


def clones_folder(bench: Bench) -> Path:
	return bench.engine.home / f"clones-{bench.database.kind}"


def new_clone(bench: Bench, template: Template) -> Clone:
	"""Copy a template into the first slot that nobody holds."""
	for slot in slots_of(bench):
		lock = FileLock(clones_folder(bench) / str(slot) / "lock")
		if lock.take(wait=False) and lock.path.exists():
			clone = Clone(bench, slot, lock)
			clone.fill(template)
			return clone
		lock.release()
	raise DevError("All slots for test sites are taken. Stop other test runs and run it again.")


def slots_of(bench: Bench) -> range:
	"""Slots are numbered apart by database kind, since all share one Redis."""
	third = len(SLOTS) // 3
	start = 1 + third * ("postgres", "mariadb", "sqlite").index(bench.database.kind)
	return range(start, start + third)


def drop_leftovers(bench: Bench) -> int:
	"""Drop what killed runs left; returns how many."""
	dropped = 0
	for folder in clones_folder(bench).glob("*"):
		lock = FileLock(folder / "lock")
		if lock.take(wait=False):
			Clone(bench, int(folder.name), lock).drop()
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


def site_config(clone: Clone) -> dict:
	return read_json(clone.sites / SITE / "site_config.json")
