"""A finding may be suppressed where the code is right: by its rule's id, with the reason on the line above."""

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from ..paths import APP, ROOT
from .scanners import RULES
from .verdict import Verdict

FOLDERS = (APP, "devtool", "benchmarks", "tests")
# The word of each program, and what has to follow it.
WORDS = {
	"nosemgrep": r"nosemgrep: (?P<ids>[a-z0-9-]+(, [a-z0-9-]+)*)$",
	"nosec": r"nosec (?P<ids>B\d{3}(, B\d{3})*)$",
	"frapast": r"frapast: ignore (?P<ids>FR-[A-Z0-9]+-\d{3}( FR-[A-Z0-9]+-\d{3})*)$",
	"preflight": r"preflight: ignore\[(?P<ids>[a-z0-9, -]+)\]$",
	"noqa": r"noqa: (?P<ids>[A-Z]+\d+(, [A-Z]+\d+)*)( - .+)?$",
}
MARK = re.compile(rf"#\s*({'|'.join(WORDS)})\b.*$")


def with_reasons() -> Verdict:
	"""Each suppression names a rule that exists, and says why."""
	files = [ROOT / "dev", *(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))]
	rules = semgrep_ids()
	return Verdict(
		[
			f"{path.relative_to(ROOT)}:{number}: {fault}"
			for path in files
			for number, fault in faults_of(path, rules)
		]
	)


def semgrep_ids() -> set[str]:
	"""Every id of a rule in `semgrep/`."""
	texts = [path.read_text() for path in RULES.glob("*.yml")]
	return {one for text in texts for one in re.findall(r"^  - id: (\S+)$", text, re.MULTILINE)}


def faults_of(path: Path, rules: set[str]) -> Iterator[tuple[int, str]]:
	"""Line and fault of each suppression in a Python file that is none.

	Args:
		path: of the file.
		rules: ids of our semgrep rules, see `semgrep_ids`.

	Raises:
		tokenize.TokenError, SyntaxError: the file is no Python.
	"""
	with tokenize.open(path) as file:
		tokens = list(tokenize.generate_tokens(file.readline))
	comments = {token.start[0]: token for token in tokens if token.type == tokenize.COMMENT}
	for number, token in comments.items():
		above = comments.get(number - 1)
		has_reason = bool(above and not above.line[: above.start[1]].strip())
		if found := MARK.search(token.string):
			yield from ((number, fault) for fault in _faults(found, has_reason, rules))


def _faults(found: re.Match, has_reason: bool, rules: set[str]) -> Iterator[str]:
	word, text = found[1], found[0].lstrip("# ")
	form = re.match(WORDS[word], text)
	if not form:
		yield f"“{text}” suppresses nothing or too much: name the rule alone, and say why on the line above"
		return
	if word == "nosemgrep" and (unknown := set(form["ids"].split(", ")) - rules):
		yield f"there is no rule {', '.join(sorted(unknown))}"
	if not has_reason and " - " not in text:
		yield f"“{text}” needs its reason, on the line above"
