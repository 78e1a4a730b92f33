"""A step is done when its stamp says so. The stamp is written last, so a killed step is simply done again."""

import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path


class Stamps:
	"""Stamp files of one folder: name of the step to the key it was done for."""

	def __init__(self, folder: Path):
		self.folder = folder

	def done(self, name: str, key: str) -> bool:
		return self.read(name) == key

	def read(self, name: str) -> str | None:
		try:
			return json.loads((self.folder / f"{name}.json").read_text())["key"]
		except (OSError, ValueError, KeyError):
			return None

	def write(self, name: str, key: str) -> None:
		self.folder.mkdir(parents=True, exist_ok=True)
		partial = self.folder / f".{name}.partial"
		partial.write_text(json.dumps({"key": key, "at": time.strftime("%Y-%m-%d %H:%M:%S")}))
		partial.replace(self.folder / f"{name}.json")

	def forget(self, name: str) -> None:
		(self.folder / f"{name}.json").unlink(missing_ok=True)


def digest(*parts: object) -> str:
	"""One short key over texts, paths (their content) and everything else (its text)."""
	total = hashlib.sha256()
	for part in parts:
		total.update(part.read_bytes() if isinstance(part, Path) else str(part).encode())
		total.update(b"\0")
	return total.hexdigest()[:16]


def digest_tree(folder: Path, patterns: Iterable[str]) -> str:
	"""Key over the names and contents of the matching files of a folder.

	Args:
		folder: its path.
		patterns: as `Path.glob` takes them, from this folder on.
	"""
	files = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
	return digest(*(item for path in files for item in (str(path.relative_to(folder)), path)))
