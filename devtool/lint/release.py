"""What the marketplace asks of an app: its entry, its words, its pictures. `marketplace.json` holds them all."""

import json
import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from ..paths import APP, ROOT
from ..report import DevError
from .verdict import Verdict

FILE = ROOT / "marketplace.json"
TEXTS = ("name", "title", "description", "repo", "logo_url", "website", "documentation", "category")
CATEGORIES = {"Applications", "Compliance", "Developer Tools", "Extensions", "Integrations", "Utilities"}
SHORTEST, LONGEST = 40, 80
LOGO_PIXELS = 200
PLACEHOLDER = "example.com"
DOCUMENTS = ("README.md", "CHANGELOG.md", "SECURITY.md", "license.txt", "docs/releasing.md")


def metadata() -> Verdict:
	"""Everything a listing needs is there and fits; addresses that are still placeholders are only named."""
	listing = json.loads(FILE.read_text())
	complaints = [
		*_entry_faults(listing["entry"]),
		*_word_faults(listing),
		*_picture_faults(listing),
		*_missing(),
	]
	return Verdict(
		complaints, [f"marketplace.json: {name} is a placeholder" for name in placeholders(listing)]
	)


def placeholders(listing: dict) -> list[str]:
	"""Names of the addresses nobody has filled in yet.

	Args:
		listing: content of `marketplace.json`.
	"""
	addresses = listing["entry"] | listing["contact"]
	return sorted(name for name, value in addresses.items() if PLACEHOLDER in str(value))


def _entry_faults(entry: dict) -> Iterator[str]:
	yield from (f"marketplace.json: entry.{name} is missing" for name in TEXTS if not entry.get(name))
	if entry.get("category") not in CATEGORIES:
		yield f"marketplace.json: entry.category is none of {', '.join(sorted(CATEGORIES))}"
	if not entry.get("categories") or not isinstance(entry.get("stars"), int):
		yield "marketplace.json: entry.categories needs a value, entry.stars a number"
	if entry.get("releases") != f"apps/{entry.get('name')}.json" or entry.get("name") != APP:
		yield f"marketplace.json: entry.name and entry.releases have to be {APP} and apps/{APP}.json"


def _word_faults(listing: dict) -> Iterator[str]:
	"""One description and one address, wherever they stand."""
	description, email = listing["entry"]["description"], listing["contact"]["email"]
	if not SHORTEST <= len(description) <= LONGEST:
		yield f"marketplace.json: the description has {len(description)} characters, not {SHORTEST} to {LONGEST}"
	for name in ("pyproject.toml", f"{APP}/hooks.py"):
		text = (ROOT / name).read_text()
		yield from (
			f"{name}: “{word}” of marketplace.json is missing"
			for word in (description, email)
			if word not in text
		)
	if not re.search(r'^frappe = ">=\d[^"]*,<\d[^"]*"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE):
		yield "pyproject.toml: [tool.bench.frappe-dependencies] gives no range for frappe"


def _picture_faults(listing: dict) -> Iterator[str]:
	logo = ROOT / listing["logo"]
	width, height = size_of_png(logo) if logo.exists() else (0, 0)
	if width != height or width < LOGO_PIXELS:
		yield f"{listing['logo']}: {width} x {height} pixels; a square of at least {LOGO_PIXELS} is needed"
	files = [*listing["screenshots"], listing["text"]]
	yield from (f"{name} is missing" for name in files if not (ROOT / name).exists())


def size_of_png(path: Path) -> tuple[int, int]:
	"""Width and height in pixels, from the first chunk of the file.

	Args:
		path: of the picture.

	Raises:
		struct.error: it is too short to be a PNG.
	"""
	width, height = struct.unpack(">II", path.read_bytes()[16:24])
	return width, height


def _missing() -> Iterator[str]:
	yield from (f"{name} is missing" for name in DOCUMENTS if not (ROOT / name).exists())


def notes_of(version: str) -> str:
	"""Return the section of the changelog for a version, without its heading.

	Args:
		version: for example "1.2.0".

	Raises:
		DevError: there is no such section, or it is empty.
	"""
	text = (ROOT / "CHANGELOG.md").read_text()
	found = re.search(
		rf"^## \[{re.escape(version)}\][^\n]*\n(.*?)(?=^## \[|\Z)", text, re.MULTILINE | re.DOTALL
	)
	if not found or not found[1].strip():
		raise DevError(f"CHANGELOG.md has no section [{version}].")
	return found[1].strip()


def check_version(version: str) -> None:
	"""Refuse a version that code, changelog and listing are not ready to be released as.

	Args:
		version: for example "1.2.0".

	Raises:
		DevError: says what is missing.
	"""
	code = re.search(r'^__version__ = "(.+)"', (ROOT / APP / "__init__.py").read_text(), re.MULTILINE)
	if not code or code[1] != version:
		raise DevError(f'{APP}/__init__.py does not say __version__ = "{version}".')
	notes_of(version)
	if names := placeholders(json.loads(FILE.read_text())):
		raise DevError(f"marketplace.json: fill in {', '.join(names)}.")


def main() -> int:
	"""`python -m devtool.lint.release VERSION [--notes]`, for the release workflow."""
	version = sys.argv[1]
	try:
		if "--notes" in sys.argv[2:]:
			print(notes_of(version))
			return 0
		check_version(version)
	except DevError as error:
		print(f"Not ready: {error}", file=sys.stderr)
		return 1
	print(version)
	return 0


if __name__ == "__main__":
	sys.exit(main())
