"""`./dev test`: the suite on copies of a ready site."""

import os
import signal
from argparse import Namespace
from contextlib import suppress

from . import clones, debian, desk
from .background import Background
from .benches import Bench
from .locks import inherited
from .paths import ROOT
from .prepare import Run, ready_bench
from .processes import start
from .report import DevError, report
from .templates import Templates


def test(options: Namespace) -> int:
	"""Run pytest; without arguments the whole suite, spread over the cores.

	Args:
		options: of `./dev`: `random`, a seed or None, and `arguments`, those of pytest.

	Returns:
		int: exit code of pytest.
	"""
	with ready_bench(options) as bench:
		browsing = Background(lambda: prepare_browser_tests(bench)) if not options.arguments else None
		run = prepared_run(bench)
		if browsing:
			browsing.result()
		return run_pytest(run, random_order(options.random) + pytest_arguments(options.arguments))


def prepared_run(bench: Bench) -> Run:
	"""Templates of today; what killed runs left is gone.

	Args:
		bench: the main bench, its servers running.

	Raises:
		DevError: a template cannot be made; with the end of the log.
	"""
	clones.drop_leftovers(bench)
	templates = Templates(bench)
	return Run(bench, templates.bare(), templates.app())


def prepare_browser_tests(bench: Bench) -> None:
	"""Desk and browser, where they are to be had; the tests themselves say when they are left out.

	Args:
		bench: the main bench.
	"""
	try:
		desk.build(bench)
		if not desk.chromium():
			debian.install(["chromium"], needed_for="the browser tests")
	except DevError as error:
		report.say(f"  - browser tests will be left out: {error}")


def run_pytest(run: Run, arguments: list[str]) -> int:
	path = run.save()
	same_order_on_all_workers = {"PYTHONHASHSEED": "0"}
	# Frappe behaves otherwise where CI is set, so tests get it by another name.
	given = {"MILESTONE_RUN": str(path), "MILESTONE_CI": os.environ.get("CI", "")}
	environment = run.bench.environment() | same_order_on_all_workers | given
	report.say(f"  … pytest starts {report.total():.1f} s after ./dev")
	command = [str(run.bench.engine.python), "-m", "pytest", *arguments]
	try:
		return interruptible(command, environment)
	finally:
		path.unlink(missing_ok=True)
		clones.drop_leftovers(run.bench)


def interruptible(command: list[str], environment: dict, folder=ROOT) -> int:
	"""Ctrl-C reaches the child by the terminal, SIGTERM is handed on; this process waits for it to tidy up.

	Args:
		command: program and words.
		environment: all variables that it gets.
		folder: in which it runs.

	Returns:
		int: its exit code.
	"""
	options = {"pass_fds": inherited(), "preexec_fn": _listen_to_interrupts}
	process = start(command, cwd=folder, env=environment, **options)
	previous = signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGINT))
	try:
		while True:
			with suppress(KeyboardInterrupt):
				return process.wait()
	finally:
		signal.signal(signal.SIGTERM, previous)


def _listen_to_interrupts() -> None:
	"""A shell starts background jobs deaf to Ctrl-C, and children inherit that."""
	signal.signal(signal.SIGINT, signal.SIG_DFL)


def random_order(seed: str | None) -> list[str]:
	"""The files in a random order, the same for the same seed, and likewise the tests of each file.

	Args:
		seed: any text; None for the usual order.

	Returns:
		list: arguments for pytest.
	"""
	return ["--random-order-bucket=module", f"--random-order-seed={seed}"] if seed else []


def pytest_arguments(given: list[str]) -> list[str]:
	"""The whole suite runs on several workers; a picked part on one, so that its first test starts at once.

	Args:
		given: what was asked for; empty for the whole suite.

	Returns:
		list: arguments for pytest.
	"""
	if given:
		return given
	whole = ["tests", "--durations=10", "--durations-min=2"]
	workers = min(os.cpu_count() or 1, 4)
	return [*whole, "-n", str(workers), "--dist", "worksteal"] if workers > 1 else whole
