"""Debian's packages, where the tool may install them."""

import os
import shutil
from pathlib import Path

from .locks import build_lock
from .processes import run
from .report import DevError, report


def can_install() -> bool:
	return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: list[str], needed_for: str) -> None:
	"""Install Debian packages without letting them start a service of their own.

	Args:
		packages: names of Debian packages.
		needed_for: ends a sentence that says what for.

	Raises:
		DevError: only root can install, or apt-get failed.
	"""
	names = " ".join(packages)
	if not can_install():
		raise DevError(
			f"{names} is needed for {needed_for}. Install it (on Debian: apt-get install {names}) and run it again."
		)
	with build_lock("apt"), report.step(f"Debian packages: {names}"):
		quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
		hint = f"Install {names} by hand and run it again."
		options = ["-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]
		with services_held_back():
			run(["apt-get", "update", "-q"], "apt", check=False, env=quiet)
			run(
				["apt-get", "install", *options, *packages],
				"apt",
				what="apt-get install",
				hint=hint,
				env=quiet,
			)


class services_held_back:
	"""Debian asks policy-rc.d before it starts a freshly installed service; ours says no meanwhile."""

	path = Path("/usr/sbin/policy-rc.d")

	def __enter__(self):
		self.ours = not self.path.exists()
		if self.ours:
			self.path.write_text("#!/bin/sh\nexit 101\n")
			self.path.chmod(0o755)

	def __exit__(self, *_):
		if self.ours:
			self.path.unlink()
