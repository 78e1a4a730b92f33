"""The programs that the gates run: pinned, with hashes, in an environment of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

from .. import python_env
from ..locks import build_lock
from ..paths import PINS, ROOT, STATE
from ..processes import execute
from ..report import DevError, report
from ..stamps import Stamps, digest
from .verdict import Verdict

LINT_ENV = STATE / "lint-env"


def program(name: str) -> Path:
	"""A program of `devtool/pins/lint.txt`.

	Args:
		name: of the program.

	Returns:
		Path: where it lies; installed if that was not done yet.

	Raises:
		DevError: it cannot be installed.
	"""
	prepare()
	return LINT_ENV / "bin" / name


def prepare() -> None:
	"""Install what is pinned, on first use and when a pin changes."""
	if not _installed():
		with build_lock("lint-env"):
			if not _installed():
				_install()


def _key() -> str:
	return digest(PINS / "lint.txt", sys.version)


def _installed() -> bool:
	return Stamps(STATE / "stamps").done("lint", _key()) and (LINT_ENV / "bin" / "python").exists()


def _install() -> None:
	step = report.step("semgrep, import-linter, radon, bandit, frapast, prefly (first use only)")
	with step, python_env.new_env(LINT_ENV, _key(), sys.executable) as python:
		python_env.install_pins(python, "lint", what="Installing the linters")
	Stamps(STATE / "stamps").write("lint", _key())


def output_of(command: list, **environment: str) -> subprocess.CompletedProcess:
	"""Run a program in the checkout's folder; hand back what it printed, whatever its exit code.

	Args:
		command: program and words.
		**environment: variables that it gets besides ours.
	"""
	kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
	path = f"{LINT_ENV / 'bin'}{os.pathsep}{os.environ['PATH']}"
	return execute(
		command,
		cwd=ROOT,
		env=kept | {"PATH": path, "NO_COLOR": "1", "COLUMNS": "160"} | environment,
		stdin=subprocess.DEVNULL,
		capture_output=True,
		text=True,
	)


def json_of(command: list, **environment: str):
	"""What a program prints as JSON. Exit code 1 means findings; more means that the program itself failed.

	Args:
		command: program and words.
		**environment: as for `output_of`.

	Raises:
		DevError: it failed, or printed something else.
	"""
	done = output_of(command, **environment)
	try:
		if done.returncode > 1:
			raise ValueError(f"exit code {done.returncode}")
		return json.loads(done.stdout)
	except ValueError as error:
		name = Path(command[0]).name
		raise DevError(f"{name} did not work ({error}):\n{(done.stderr or done.stdout)[-2000:]}") from error


def verdict_of(command: list, **environment: str) -> Verdict:
	"""A program that says everything itself: its output is the complaint when it fails.

	Args:
		command: program and words.
		**environment: as for `output_of`.

	Returns:
		Verdict: without complaints if its exit code is 0.
	"""
	done = output_of(command, **environment)
	if not done.returncode:
		return Verdict()
	text = (done.stdout + done.stderr).strip() or f"exit code {done.returncode}"
	return Verdict(text.splitlines())
