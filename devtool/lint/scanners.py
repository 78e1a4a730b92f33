"""Scanners for security, for Frappe's rules of the trade, and for what the next Frappe no longer has.

The rules in `semgrep/` restate, under the same ids, what Frappe's reviewers and the marketplace look for: a program
that passes here passes there. Both of them leave out the folder `tests`.
"""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ..paths import APP, ROOT, STATE
from .programs import json_of, program
from .verdict import Verdict

RULES = Path(__file__).with_name("semgrep")
NOT_OURS = (".bench", "node_modules", "sites")
# Scores of frapast: its own words for them are critical (60), high (40), medium (20).
HIGH, MEDIUM = 40, 20


def semgrep(rules: Path = RULES) -> Verdict:
	"""Rules over the whole repository; a file that cannot be read is a complaint, too.

	Args:
		rules: folder of semgrep rules; without it our own.
	"""
	excluded = [word for name in NOT_OURS for word in ("--exclude", name)]
	# A busy machine takes longer than the 5 seconds that semgrep gives a rule and a file.
	quiet = ["--json", "--quiet", "--metrics", "off", "--disable-version-check", "--timeout", "60"]
	answer = json_of(
		[program("semgrep"), "scan", "--config", rules, *quiet, *excluded, "."],
		SEMGREP_SETTINGS_FILE=str(STATE / "semgrep-settings.yml"),
		SEMGREP_LOG_FILE=str(STATE / "logs" / "semgrep.log"),
	)
	broken = [f"{error.get('path', '')}: {error.get('message', error['type'])}" for error in answer["errors"]]
	blocking = [one for one in answer["results"] if _is_blocking(one["extra"])]
	advice = [one for one in answer["results"] if one not in blocking]
	return Verdict(broken + _told(blocking), _told(advice))


def _is_blocking(extra: dict) -> bool:
	"""Critical or major, in the marketplace's words for what semgrep calls error and high."""
	return extra["severity"] in ("ERROR", "HIGH", "CRITICAL") or extra["metadata"].get("is_blocking") is True


def _told(findings: Iterable[dict]) -> list[str]:
	return [
		f"{one['path']}:{one['start']['line']}: {one['check_id'].rpartition('.')[2]}: {one['extra']['message'].strip()}"
		for one in findings
	]


def bandit() -> Verdict:
	"""Nothing in the app, nothing above low in the tool and the benchmarks."""
	folders = (APP, "devtool", "benchmarks")
	answer = json_of([program("bandit"), "--quiet", "--format", "json", "--recursive", *folders])
	broken = [f"{error['filename']}: {error['reason']}" for error in answer["errors"]]
	findings = [
		f"{one['filename']}:{one['line_number']}: {one['test_id']}: {one['issue_text']}"
		for one in answer["results"]
		if one["filename"].startswith(APP) or one["issue_severity"] != "LOW"
	]
	return Verdict(broken + findings)


def frapast() -> Verdict:
	"""Nothing critical or high in the app."""
	options = ["--severity", "--limit", "0", "--format", "json"]
	found = json_of([program("frapast"), "scan", APP, *options])["candidates"]
	high = [one for one in found if one["severity"]["score"] >= HIGH]
	medium = [one for one in found if MEDIUM <= one["severity"]["score"] < HIGH]
	return Verdict(_candidates(high), _candidates(medium))


def _candidates(found: list[dict]) -> list[str]:
	return [f"{one['file']}:{one['line']}: {one['rule_id']}: {one['evidence']}" for one in found]


def prefly() -> Verdict:
	"""Nothing that Frappe 16 removes or warns of. It reads whole checkouts, with every bench in them: so it gets a copy."""
	options = ["--target", "v16", "--severity", "warning", "--fail-on", "never", "--format", "json"]
	with tempfile.TemporaryDirectory(dir=STATE) as folder:
		shutil.copytree(ROOT / APP, Path(folder, APP))
		shutil.copy(ROOT / "pyproject.toml", folder)
		answer = json_of([program("preflight"), *options, "--path", folder])
	unread = [f"{path}: cannot be read" for path in answer["unparsable_files"] + answer["unreadable_files"]]
	return Verdict(unread + [_said_by_prefly(one) for one in answer["findings"]])


def _said_by_prefly(finding: dict) -> str:
	return f"{finding['file']}:{finding['line']}: {finding['rule']}: {finding['message']} {finding['replacement'] or ''}"
