"""Virtual environments and the packages in them: pinned, with hashes, installed by uv."""

import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

from .locks import build_lock
from .paths import PINS, STATE
from .processes import execute, run
from .report import DevError, report
from .stamps import Stamps, digest

TOOL_ENV = STATE / "tool-env"


def uv() -> Path:
	"""The pinned installer, in the tool's own environment; made on first use."""
	stamps, key = Stamps(STATE / "stamps"), digest(PINS / "tool.txt", sys.version)
	program = TOOL_ENV / "bin" / "uv"
	if stamps.done("tool", key) and program.exists():
		return program
	with build_lock("tool"), report.step("installer and linter (uv, ruff)"):
		if stamps.done("tool", key):
			return program
		shutil.rmtree(TOOL_ENV, ignore_errors=True)
		_make_tool_env()
		pip = [TOOL_ENV / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
		run(
			[*pip, "--require-hashes", "-r", PINS / "tool.txt"],
			"python",
			what="Installing uv and ruff",
			hint=NETWORK_HINT,
		)
		stamps.write("tool", key)
	return program


NETWORK_HINT = (
	"If the package registry was not reached, check the network or pip's index settings and run it again."
)


def _make_tool_env() -> None:
	"""Debian splits venv off into a package of its own, which a bare machine may lack."""
	if _has("ensurepip"):
		run([sys.executable, "-m", "venv", TOOL_ENV], "python", what="Making a virtual environment")
		return
	from .debian import install

	install(["python3-venv"], needed_for="making a virtual environment")
	run([sys.executable, "-m", "venv", TOOL_ENV], "python", what="Making a virtual environment")


def _has(module: str) -> bool:
	return not execute([sys.executable, "-c", f"import {module}"], capture_output=True).returncode


def uv_environment() -> dict:
	"""uv takes Pythons that are here, never downloads one; it honours the same certificate file as pip."""
	extra = {"UV_PYTHON_DOWNLOADS": "never", "UV_LINK_MODE": os.environ.get("UV_LINK_MODE", "hardlink")}
	certificates = os.environ.get("PIP_CERT") or os.environ.get("REQUESTS_CA_BUNDLE")
	if certificates and "SSL_CERT_FILE" not in os.environ:
		extra["SSL_CERT_FILE"] = certificates
	for theirs, ours in (("PIP_INDEX_URL", "UV_INDEX_URL"), ("PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL")):
		if os.environ.get(theirs) and not os.environ.get(ours):
			extra[ours] = os.environ[theirs]
	return os.environ | extra


@contextmanager
def new_env(link: Path, key: str, python: str):
	"""A fresh virtual environment; what `link` names is replaced when the block has filled it, not before.

	Args:
		link: where the environment is to be found.
		key: changes with what is installed; part of the folder's name.
		python: path or version of the Python.

	Yields:
		Path: its Python.

	Raises:
		DevError: it cannot be made.
	"""
	folder = link.with_name(f"{link.name}-{key[:8]}")
	shutil.rmtree(folder, ignore_errors=True)
	run([uv(), "venv", "--quiet", "--python", python, folder], "python", env=uv_environment())
	yield folder / "bin" / "python"
	replacement = link.with_name(f"{link.name}.partial")
	replacement.unlink(missing_ok=True)
	replacement.symlink_to(folder.name)
	if link.is_dir() and not link.is_symlink():
		shutil.rmtree(link)
	replacement.replace(link)
	_remove_older(link, folder)


def _remove_older(link: Path, current: Path) -> None:
	"""The environment before this one stays a while: another `./dev` may still run in it."""
	others = [folder for folder in link.parent.glob(f"{link.name}-*") if folder != current]
	for folder in sorted(others, key=lambda path: path.stat().st_mtime)[:-1]:
		shutil.rmtree(folder, ignore_errors=True)


def site_packages(python: Path) -> Path:
	return next((python.parent.parent / "lib").glob("python3*")) / "site-packages"


def install(python: Path, *arguments, what: str) -> None:
	command = [
		uv(),
		"pip",
		"install",
		"--build-constraints",
		PINS / "build.txt",
		"--python",
		python,
		*arguments,
	]
	run(command, "python", what=what, hint=NETWORK_HINT, env=uv_environment())


def install_pins(python: Path, *names: str, what: str) -> None:
	"""Install whole lock files as they stand: nothing is resolved, every hash is checked.

	Args:
		python: of the environment.
		*names: of lock files in `devtool/pins/`, without ending.
		what: how an error calls it.

	Raises:
		DevError: the registry is not reached, or a hash is another one.
	"""
	files = [argument for name in names for argument in ("-r", PINS / f"{name}.txt")]
	install(python, "--no-deps", "--require-hashes", *files, what=what)


def install_aside(target: Path, name: str, python: str = sys.executable, what: str = "") -> None:
	"""Install a lock file into a folder of its own, outside every environment.

	Args:
		target: the folder, replaced when all is there.
		name: of a lock file in `devtool/pins/`, without ending.
		python: for which the packages are chosen.
		what: how an error calls it.

	Raises:
		DevError: the registry is not reached, or a hash is another one.
	"""
	partial = target.with_name(target.name + ".partial")
	shutil.rmtree(partial, ignore_errors=True)
	arguments = ["--target", partial, "--no-deps", "--require-hashes", "-r", PINS / f"{name}.txt"]
	install(Path(python), *arguments, what=what or f"Installing {name}")
	shutil.rmtree(target, ignore_errors=True)
	partial.rename(target)


def find_python(wanted: list[str]) -> str:
	"""The first Python of the wanted versions ("3.11") that is on this machine; the running one first.

	Args:
		wanted: versions, the best first.

	Returns:
		str: its path.

	Raises:
		DevError: none is there.
	"""
	running = f"{sys.version_info[0]}.{sys.version_info[1]}"
	if running in wanted:
		return sys.executable
	for version in wanted:
		program = shutil.which(f"python{version}")
		if program and not execute([program, "-c", ""], capture_output=True).returncode:
			return program
	raise DevError(
		f"This Frappe needs Python {' or '.join(wanted)}; here is {running}. Install one of them and run it again."
	)
