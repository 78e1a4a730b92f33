"""`./dev test`: the suite on copies of a ready site."""

import os
import subprocess
from argparse import Namespace

from . import clones
from .paths import ROOT
from .prepare import Run, ready_bench
from .report import report
from .templates import Templates


def test(options: Namespace) -> int:
	"""Run pytest; without arguments the whole suite, spread over the cores."""
	with ready_bench(options) as bench:
		clones.drop_leftovers(bench)
		templates = Templates(bench)
		run = Run(bench, templates.bare(), templates.app())
		return run_pytest(run, pytest_arguments(options.arguments))


def run_pytest(run: Run, arguments: list[str]) -> int:
	path = run.save()
	environment = run.bench.environment() | {"MILESTONE_RUN": str(path)}
	report.say(f"  … pytest starts {report.total():.1f} s after ./dev")
	command = [str(run.bench.engine.python), "-m", "pytest", *arguments]
	try:
		return interruptible(command, environment)
	finally:
		path.unlink(missing_ok=True)
		clones.drop_leftovers(run.bench)


def interruptible(command: list[str], environment: dict) -> int:
	"""Ctrl-C reaches the child by the terminal; this process waits for it to tidy up."""
	process = subprocess.Popen(command, cwd=ROOT, env=environment)
	while True:
		try:
			return process.wait()
		except KeyboardInterrupt:
			continue


def pytest_arguments(given: list[str]) -> list[str]:
	"""The whole suite runs on several workers; a picked part on one, so that its first test starts at once."""
	if given:
		return given
	workers = min(os.cpu_count() or 1, 4)
	return ["tests", "-n", str(workers), "--dist", "worksteal"] if workers > 1 else ["tests"]
