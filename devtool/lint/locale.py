"""Frappe 16 reads translations from `locale/`, Frappe 15 from `translations/`. Both say the same: one is made from the other."""

import csv
from collections.abc import Iterator
from pathlib import Path

from ..paths import APP, ROOT
from .verdict import Verdict

# The one source, with a row for each text in each language.
SOURCE = ROOT / APP / "translations"
LOCALE = ROOT / APP / "locale"
TEMPLATE = "main.pot"
# Languages whose plural forms gettext has to know; nothing here has a plural, but tools refuse a file without.
PLURAL_FORMS = {
	"de": "nplurals=2; plural=(n != 1);",
	"ar": (
		"nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 :"
		" n%100>=11 && n%100<=99 ? 4 : 5);"
	),
}


def agreement() -> Verdict:
	"""`locale/` is what `./dev lint locale --fix` makes of `translations/`."""
	faults = list(_row_faults())
	if faults:
		return Verdict(faults)
	wanted = files()
	present = {path.name for path in LOCALE.glob("*")}
	return Verdict(
		[
			f"{APP}/locale/{name} is not what translations/ says; ./dev lint locale --fix makes it anew"
			for name, text in sorted(wanted.items())
			if name not in present or (LOCALE / name).read_text(encoding="utf-8") != text
		]
		+ [f"{APP}/locale/{name} has no source in translations/" for name in sorted(present - set(wanted))]
	)


def write() -> None:
	"""Make `locale/` anew."""
	LOCALE.mkdir(exist_ok=True)
	for name, text in files().items():
		(LOCALE / name).write_text(text, encoding="utf-8")


def files() -> dict[str, str]:
	"""Name and content of each file of `locale/`."""
	texts = {path.stem: _translations(path) for path in sorted(SOURCE.glob("*.csv"))}
	every = sorted({message for one in texts.values() for message in one})
	made = {f"{language}.po": _catalog(one, language) for language, one in texts.items()}
	return made | {TEMPLATE: _catalog(dict.fromkeys(every, ""))}


def _translations(path: Path) -> dict[str, str]:
	return {row[0]: row[1] for row in _rows(path)}


def _rows(path: Path) -> list[list[str]]:
	with path.open(newline="", encoding="utf-8") as file:
		return [row for row in csv.reader(file) if row]


def _row_faults() -> Iterator[str]:
	"""A comma without quotes makes a third column, and Frappe takes that for a context."""
	for path in sorted(SOURCE.glob("*.csv")):
		seen: set[str] = set()
		for row in _rows(path):
			if len(row) != 2:
				yield f"{APP}/translations/{path.name}: {len(row)} columns instead of 2 for {row[0]!r}"
			if row[0] in seen:
				yield f"{APP}/translations/{path.name}: {row[0]!r} has two rows"
			seen.add(row[0])


def _catalog(texts: dict[str, str], language: str | None = None) -> str:
	"""A gettext catalog, without dates, so that the same translations always make the same file."""
	header = [f"Project-Id-Version: {APP}", "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8"]
	header.append("Content-Transfer-Encoding: 8bit")
	if language:
		header += [f"Language: {language}", f"Plural-Forms: {PLURAL_FORMS[language]}"]
	entries = [
		"# Made from translations/*.csv by ./dev lint locale --fix\n" + _entry("", "\n".join(header) + "\n")
	]
	entries += [_entry(message, text) for message, text in sorted(texts.items())]
	return "\n".join(entries)


def _entry(message: str, text: str) -> str:
	# gettext asks for the same line break at both ends.
	if message.endswith("\n") and not text.endswith("\n") and text:
		text += "\n"
	return f"msgid {_quoted(message)}\nmsgstr {_quoted(text)}\n"


def _quoted(text: str) -> str:
	escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("\r", "\\r")
	lines = [f'"{line}\\n"' for line in escaped.split("\n")]
	lines[-1] = lines[-1].removesuffix('\\n"') + '"'
	lines = [line for line in lines if line != '""'] or ['""']
	return lines[0] if len(lines) == 1 else "\n".join(['""', *lines])
