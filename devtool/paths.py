"""Where things are. Everything made by the tool is below `.bench/`, or in one folder named there."""

import hashlib
import os
import tempfile
from pathlib import Path

APP = "milestone_automation"
ROOT = Path(os.environ.get("MILESTONE_ROOT") or Path(__file__).resolve().parent.parent)
STATE = ROOT / ".bench"
LOGS = STATE / "logs"
LOCKS = STATE / "locks"
PINS = Path(__file__).resolve().parent / "pins"
CHECKOUT = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]


def reachable_by_all(folder: Path) -> bool:
	"""Tell whether an unprivileged user can walk into this folder.

	Args:
		folder: it and all folders above it count.
	"""
	folder = folder.resolve()
	return all(parent.stat().st_mode & 0o001 for parent in (folder, *folder.parents) if parent.exists())


def services_home() -> Path:
	"""Folder of the services: below the checkout, or outside where root's checkout is closed to others."""
	if os.geteuid() != 0 or reachable_by_all(ROOT):
		return STATE / "services"
	return outside_home()


def outside_home() -> Path:
	"""The folder that stands in for `.bench/services` when an unprivileged user cannot reach the checkout."""
	# The servers' data outlives a restart there; each service makes its folder for its own user alone.
	parent = Path("/var/tmp") if os.path.isdir("/var/tmp") else Path(tempfile.gettempdir())  # nosec B108
	return parent / f"milestone-automation-{CHECKOUT}"


def engine_home(key: str) -> Path:
	return STATE / key
