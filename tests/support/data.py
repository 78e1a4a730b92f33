"""Event logs that lie beside the checkout; they are too large to be part of it."""

import os
from pathlib import Path

import pytest

from devtool.paths import ROOT


@pytest.fixture(scope="session")
def event_log_folder() -> Path:
	"""Folder with the real event logs; tests that need it are left out where it is missing."""
	folder = Path(os.environ.get("MILESTONE_EVENT_LOGS") or ROOT.parent / "shared" / "data")
	if not folder.is_dir() or not any(folder.glob("*.xes*")):
		pytest.skip(
			f"no event logs in {folder}: put them there, or name their folder in MILESTONE_EVENT_LOGS"
		)
	return folder
