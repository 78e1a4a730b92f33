"""Which gates there are, and how they are run: beside each other, each with what it complains about."""

import os
from argparse import Namespace
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..report import DevError, report
from . import complexity, imports, locale, packages, programs, release, scanners, scripts, style, suppressions
from .verdict import Verdict

ADVICE_SHOWN = 5
COMPLAINTS_SHOWN = 60
FLAGS = ("--fix", "--online")


@dataclass(frozen=True)
class Gate:
	"""One thing a change is held to: its name on the command line, and what finds the faults."""

	name: str
	check: Callable[[], Verdict]
	fix: Callable[[], None] | None = None
	online: bool = False


# The slowest first: the others run beside it.
GATES = [
	Gate("semgrep", scanners.semgrep),
	Gate("frapast", scanners.frapast),
	Gate("bandit", scanners.bandit),
	Gate("prettier", scripts.prettier, scripts.fix_with_prettier),
	Gate("eslint", scripts.eslint, scripts.fix_with_eslint),
	Gate("ruff", style.ruff_check, style.fix_with_ruff),
	Gate("format", style.ruff_format, style.format_with_ruff),
	Gate("imports", imports.contracts),
	Gate("complexity", complexity.radon),
	Gate("frappe-16", scanners.prefly),
	Gate("suppressions", suppressions.with_reasons),
	Gate("get-app", packages.installable),
	Gate("filters", packages.desk_filters),
	Gate("locale", locale.agreement, locale.write),
	Gate("marketplace", release.metadata),
	Gate("pip-audit", packages.vulnerabilities, online=True),
]


def lint(options: Namespace) -> int:
	"""`./dev lint [--fix] [--online] [--rules=FOLDER] [GATE ...]`: 0 when every gate is passed, else 1.

	Args:
		options: of `./dev`; `arguments` has flags and names of gates, none for all.

	Raises:
		DevError: there is no such flag or gate, or the programs cannot be installed.
	"""
	flags = {word for word in options.arguments if word.startswith("-")}
	gates = _chosen([word for word in options.arguments if word not in flags], flags)
	if "--fix" in flags:
		for gate in gates:
			if gate.fix:
				gate.fix()
	programs.prepare()
	with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
		passed = list(pool.map(_passes, gates))
	failed = [gate.name for gate, good in zip(gates, passed, strict=True) if not good]
	if failed:
		report.say(f"\n{len(failed)} of {len(gates)} gates refuse this: {', '.join(failed)}.")
		return 1
	report.say(f"All {len(gates)} gates passed ({report.total():.0f} s).")
	return 0


def _chosen(names: list[str], flags: set[str]) -> list[Gate]:
	"""The named gates, or all; and one more for each folder of semgrep rules."""
	folders = [flag.removeprefix("--rules=") for flag in sorted(flags) if flag.startswith("--rules=")]
	known = {gate.name: gate for gate in GATES}
	unknown = sorted(set(names) - set(known)) + sorted(
		flags - set(FLAGS) - {f"--rules={one}" for one in folders}
	)
	if unknown:
		raise DevError(f"Unknown: {', '.join(unknown)}. There are {', '.join([*FLAGS, *known])}.")
	chosen = [known[name] for name in names] or [
		gate for gate in GATES if not gate.online or "--online" in flags
	]
	return [
		Gate(f"semgrep, {one}", partial(scanners.semgrep, Path(one).resolve())) for one in folders
	] + chosen


def _passes(gate: Gate) -> bool:
	"""Is there no complaint? Says what there is."""
	verdict = Verdict()
	try:
		with report.step(gate.name):
			verdict = gate.check()
			if verdict.complaints:
				raise DevError
	except (DevError, OSError, KeyError, ValueError) as error:
		_say(_first(verdict.complaints, COMPLAINTS_SHOWN) or [f"{type(error).__name__}: {error}"])
		return False
	if verdict.left_out:
		report.say(f"    {gate.name} left out: {verdict.left_out}")
	_say_advice(gate, verdict.advice)
	return True


def _say(lines: list[str]) -> None:
	report.say("\n".join(f"    {line}" for line in lines))


def _say_advice(gate: Gate, advice: list[str]) -> None:
	if advice:
		_say([f"{gate.name}, not counted against you:", *_first(advice, ADVICE_SHOWN)])


def _first(lines: list[str], number: int) -> list[str]:
	return [*lines[:number], f"… and {len(lines) - number} more"] if len(lines) > number else lines
