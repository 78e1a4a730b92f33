"""Locks between several `./dev` at the same time. The kernel drops them when their owner dies."""

import fcntl
import os
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from .paths import LOCKS
from .report import report


class FileLock:
	"""An flock on one file, shared or exclusive."""

	def __init__(self, path: Path):
		path.parent.mkdir(parents=True, exist_ok=True)
		self.path = path
		self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)

	def take(self, shared: bool = False, wait: bool = True) -> bool:
		mode = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
		try:
			fcntl.flock(self.descriptor, mode)
		except BlockingIOError:
			return False
		return True

	def release(self) -> None:
		if self.descriptor >= 0:
			os.close(self.descriptor)
			self.descriptor = -1


class _Held(threading.local):
	"""The locks this thread holds: gates run in several, which wait for each other as processes do."""

	def __init__(self):
		self.names: set[str] = set()


_held = _Held()
_kept: list[FileLock] = []


def keep_shared(path: Path) -> FileLock:
	"""Hold something for as long as this process, or a child that `inherited` it, lives.

	Args:
		path: of the lock's file, which is made.

	Returns:
		FileLock: held, shared; waits for whoever holds it alone.
	"""
	lock = FileLock(path)
	lock.take(shared=True)
	_kept.append(lock)
	return lock


def inherited() -> tuple[int, ...]:
	"""Descriptors for a long-running child, so that what this process holds outlives its being killed."""
	return tuple(lock.descriptor for lock in _kept if lock.descriptor >= 0)


def is_free(path: Path) -> bool:
	"""Tell whether nobody holds it, shared or alone.

	Args:
		path: of the lock's file, which is made.
	"""
	lock = FileLock(path)
	try:
		return lock.take(wait=False)
	finally:
		lock.release()


@contextmanager
def build_lock(name: str):
	"""Only one `./dev` builds at a time; the others say whom they wait for. Safe to enter twice.

	Args:
		name: of the lock; one for each thing that is built.
	"""
	if name in _held.names:
		yield
		return
	lock = FileLock(LOCKS / name)
	if not lock.take(wait=False):
		report.say(f"  … waiting for another ./dev ({_holder(lock)}) to finish its part")
		began = time.monotonic()
		lock.take()
		report.say(f"  … went on after {time.monotonic() - began:.0f} s")
	os.ftruncate(lock.descriptor, 0)
	os.pwrite(lock.descriptor, f"process {os.getpid()}: {' '.join(sys.argv[1:])}".encode(), 0)
	_held.names.add(name)
	try:
		yield
	finally:
		_held.names.discard(name)
		lock.release()


@contextmanager
def quiet_lock(name: str):
	"""The same lock without waiting or a word; yields whether it was got.

	Args:
		name: as for `build_lock`.
	"""
	if name in _held.names:
		yield True
		return
	lock = FileLock(LOCKS / name)
	try:
		yield lock.take(wait=False)
	finally:
		lock.release()


def _holder(lock: FileLock) -> str:
	return os.pread(lock.descriptor, 200, 0).decode(errors="replace").strip() or "just started"
