"""Turns the name of the full Frappe copy on the package registry back to `frappe`."""

import shutil
from pathlib import Path

PACKAGE = "criscostack"
NAMES = (
	("criscostack", "frappe"),
	("CRISCOSTACK", "FRAPPE"),
	("Crisco", "Frappe"),
	("criscoerp", "erpnext"),
	("Criscoerp", "ERPNext"),
)
BINARY = {
	".png",
	".jpg",
	".jpeg",
	".gif",
	".ico",
	".woff",
	".woff2",
	".ttf",
	".eot",
	".otf",
	".pdf",
	".zip",
	".gz",
	".mp3",
	".pyc",
}


def turned_back(text: str) -> str:
	for wrong, right in NAMES:
		text = text.replace(wrong, right)
	return text


def turn_back(source: Path, target: Path) -> int:
	"""Copy a package folder with all names turned back.

	Args:
		source: the package as the registry has it.
		target: the new folder.

	Returns:
		int: how many files changed.
	"""
	changed = 0
	for path in sorted(source.rglob("*")):
		if path.is_dir() or path.suffix == ".pyc" or path.name == ".DS_Store":
			continue
		new = target / turned_back(str(path.relative_to(source)))
		new.parent.mkdir(parents=True, exist_ok=True)
		changed += _copy(path, new)
	_restore_bench_helper(target)
	return changed


def _copy(path: Path, new: Path) -> bool:
	"""Copy one file, its text turned back; files that are no text are copied as they are."""
	if path.suffix not in BINARY:
		try:
			text = path.read_bytes().decode()
		except UnicodeDecodeError:
			text = ""
		if (right := turned_back(text)) != text:
			new.write_bytes(right.encode())
			return True
	shutil.copyfile(path, new)
	return False


def _restore_bench_helper(target: Path) -> None:
	"""The command-line helper came out under another name, which Frappe's own commands do not know."""
	wrong = target / "utils" / "brik_helper.py"
	if wrong.exists():
		shutil.copyfile(wrong, wrong.with_name("bench_helper.py"))
