"""Which Frappe the throwaway bench runs on, and how that Frappe gets there.

In this order: a bench that is named or stood in, a source that is named, the official
repository where it is reached, else the full copy of Frappe 15 on the package registry.
"""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from . import python_env, rename
from .paths import APP, PINS, ROOT, engine_home
from .processes import execute, require_space, run
from .report import DevError, report
from .stamps import Stamps, digest

OFFICIAL = os.environ.get("MILESTONE_OFFICIAL") or "https://github.com/frappe/frappe"
BRANCH = "version-15"
REACH_SECONDS = 6
WITH_PKG_RESOURCES = (
	"setuptools<81"  # Frappe 15's Dropbox and Google packages import it without asking for it
)
# From 26 on gunicorn brings no `packaging`, which Frappe 16 imports without asking for it.
INSTEAD_OF_GIT = {"gunicorn": "gunicorn<26"}
SNAPSHOT_PYTHONS = ["3.11", "3.12", "3.10"]


@dataclass
class Engine:
	"""A Frappe and the Python it runs with. `home` is our folder for it below `.bench/`."""

	key: str
	title: str
	why: str
	home: Path = field(init=False)

	def __post_init__(self):
		self.home = engine_home(self.key)
		self.stamps = Stamps(self.home / "stamps")

	@property
	def python(self) -> Path:
		return self.home / "env" / "bin" / "python"

	@property
	def tools(self) -> Path | None:
		"""Folder with the test tools, where they are not in the environment itself."""
		return None

	def default_database(self) -> str:
		return "postgres"

	def build(self) -> None:
		"""Make environment and sources; nothing to do when they are there."""
		raise NotImplementedError

	def version(self) -> str:
		source = (self.home / "apps" / "frappe" / "frappe" / "__init__.py").read_text()
		return re.search(r'^__version__ = "([^"]+)"', source, re.M).group(1)

	def recipe(self) -> list:
		"""Class and arguments from which `restore` makes this engine again in another process."""
		return [type(self).__name__, self.key, self.title, self.why]

	def identity(self) -> str:
		"""Changes whenever a site made with this engine should be made anew."""
		frappe = self.home / "apps" / "frappe"
		return digest(self.version(), self.stamps.read("source"), frappe / "frappe" / "patches.txt")

	@staticmethod
	def _add_path(python: Path, *folders: Path) -> None:
		"""Frappe and this app are imported from where they lie."""
		(python_env.site_packages(python) / "bench.pth").write_text(
			"".join(f"{folder}\n" for folder in folders)
		)

	def link_apps(self, apps: dict[str, Path]) -> None:
		"""The apps as a bench has them: Frappe looks for commands at `../apps/<app>` beside its sites.

		Args:
			apps: folder of the source by name of the app; a link that leads somewhere stays.
		"""
		folder = self.home / "apps"
		folder.mkdir(parents=True, exist_ok=True)
		for name, source in apps.items():
			link = folder / name
			if not link.exists():
				link.unlink(missing_ok=True)
				link.symlink_to(source)


class SnapshotEngine(Engine):
	"""Frappe 15.0.0-dev of August 2023, from the package registry."""

	def build(self) -> None:
		require_space(1500)
		key = digest(PINS / "engine.txt", PINS / "tests.txt", python_env.find_python(SNAPSHOT_PYTHONS))
		if not self.stamps.done("environment", key) or not self.python.exists():
			python_env.uv()
			with report.step("Python packages of Frappe and the tests"):
				self._build_environment(key)
			self.stamps.write("environment", key)
		self._build_source()
		self.link_apps({APP: ROOT})

	def _build_environment(self, key: str) -> None:
		with python_env.new_env(self.home / "env", key, python_env.find_python(SNAPSHOT_PYTHONS)) as python:
			python_env.install_pins(python, "engine", "tests", what="Installing Frappe's packages")
			self._add_path(python, self.home / "apps" / "frappe", ROOT)

	def _build_source(self) -> None:
		source, key = self.home / "apps" / "frappe", digest(*_pins_of(rename.PACKAGE), Path(rename.__file__))
		if self.stamps.done("source", key) and source.exists():
			return
		with report.step("Frappe's name turned back"):
			partial = self.home / "frappe.partial"
			shutil.rmtree(partial, ignore_errors=True)
			packages = python_env.site_packages(self.python)
			rename.turn_back(packages / rename.PACKAGE, partial / "frappe")
			(partial / "LICENSE").write_text(LICENSE_NOTE)
			shutil.rmtree(source, ignore_errors=True)
			source.parent.mkdir(parents=True, exist_ok=True)
			partial.rename(source)
			self.stamps.write("source", key)


def _pins_of(package: str) -> list[str]:
	"""Version and hashes of one package in the engine's lock file."""
	found = re.search(rf"^{package}==.*(?:\n    --hash.*)+", (PINS / "engine.txt").read_text(), re.M)
	return found[0].split()


LICENSE_NOTE = """The MIT License

Copyright (c) 2016-2023 Frappe Technologies Pvt. Ltd. <developers@frappe.io>
(a copy from the package registry under another name, turned back inside this throwaway bench)
"""


class SourceEngine(Engine):
	"""Frappe from a source tree or a git repository."""

	def __init__(self, source: str, branch: str | None, why: str):
		self.source, self.branch = source, branch
		label = f"{source}@{branch}" if branch else source
		super().__init__(f"frappe-{digest(label)[:8]}", f"Frappe from {label}", why)

	def recipe(self) -> list:
		return [type(self).__name__, self.source, self.branch, self.why]

	def build(self) -> None:
		require_space(2500)
		self._build_source()
		self._build_environment()
		self.link_apps({APP: ROOT})

	def _build_source(self) -> None:
		target = self.home / "apps" / "frappe"
		if Path(self.source).is_dir() and not self.branch and not _is_bare_repository(Path(self.source)):
			self.link_apps({"frappe": Path(self.source).resolve()})
			return
		if self.stamps.done("source", self.source) and target.exists():
			return
		with report.step(f"git clone of {self.source}"):
			partial = self.home / "frappe.partial"
			shutil.rmtree(partial, ignore_errors=True)
			partial.parent.mkdir(parents=True, exist_ok=True)
			branch = ["--branch", self.branch] if self.branch else []
			hint = "Check the address and the branch, or name another source with --frappe."
			run(
				["git", "clone", "--depth", "1", *branch, self.source, partial],
				"git",
				what="git clone",
				hint=hint,
			)
			self._place(partial, target)
		self.stamps.write("source", self.source)

	@staticmethod
	def _place(partial: Path, target: Path) -> None:
		if not (partial / "frappe" / "__init__.py").exists():
			raise DevError(f"The repository is no Frappe: there is no frappe/__init__.py in {partial}.")
		shutil.rmtree(target, ignore_errors=True)
		target.parent.mkdir(parents=True, exist_ok=True)
		partial.rename(target)

	def _build_environment(self) -> None:
		source = self.home / "apps" / "frappe"
		key = digest(source / "pyproject.toml", PINS / "tests.txt")
		if self.stamps.done("environment", key) and self.python.exists():
			return
		python_env.uv()
		with report.step("Python packages of Frappe and the tests"):
			wanted = pythons_for((source / "pyproject.toml").read_text())
			with python_env.new_env(self.home / "env", key, python_env.find_python(wanted)) as python:
				packages = ["-e", source, WITH_PKG_RESOURCES, *self._overrides(source)]
				python_env.install(python, *packages, what="Installing Frappe's packages")
				python_env.install_pins(python, "tests", what="Installing the test tools")
				self._add_path(python, source, ROOT)
		self.stamps.write("environment", key)

	def _overrides(self, source: Path) -> list:
		"""Packages that Frappe takes from git come from the registry where git is not reached."""
		names = re.findall(r'"([A-Za-z0-9_.-]+)\s*@\s*git\+', (source / "pyproject.toml").read_text())
		if not names or reaches(OFFICIAL):
			return []
		report.say(f"  … git is not reached: {', '.join(names)} from the package registry instead")
		path = self.home / "overrides.txt"
		path.write_text("".join(f"{INSTEAD_OF_GIT.get(name, name)}\n" for name in names))
		return ["--override", path]


class BenchEngine(Engine):
	"""An official bench. Its environment and apps are used; its sites and files are left alone."""

	def __init__(self, bench: Path, why: str):
		self.bench = bench.resolve()
		super().__init__(f"bench-{digest(str(self.bench))[:8]}", f"the bench at {self.bench}", why)

	def recipe(self) -> list:
		return [type(self).__name__, str(self.bench), self.why]

	@property
	def python(self) -> Path:
		return self.bench / "env" / "bin" / "python"

	@property
	def tools(self) -> Path:
		return self.home / "tools"

	@property
	def config(self) -> dict:
		path = self.bench / "sites" / "common_site_config.json"
		return json.loads(path.read_text()) if path.exists() else {}

	def default_database(self) -> str:
		return self.config.get("db_type") or "mariadb"

	def build(self) -> None:
		if not self.python.exists() or not (self.bench / "apps" / "frappe").exists():
			raise DevError(
				f"{self.bench} is no bench: env/bin/python or apps/frappe is missing. Name a bench made by `bench init`."
			)
		self.link_apps(self._apps())
		(self.home / "bench.json").write_text(json.dumps(self.recipe()))
		key = digest(PINS / "tests.txt", os.readlink(self.python) if self.python.is_symlink() else "")
		if not self.stamps.done("environment", key) or not self.tools.exists():
			with report.step(f"test tools, beside the bench in {self.tools}"):
				python_env.install_aside(
					self.tools, "tests", str(self.python), what="Installing the test tools"
				)
			self.stamps.write("environment", key)

	def _apps(self) -> dict[str, Path]:
		listed = (self.bench / "sites" / "apps.txt").read_text().split()
		apps = {name: self.bench / "apps" / name for name in listed if (self.bench / "apps" / name).exists()}
		return {"frappe": self.bench / "apps" / "frappe"} | apps | {APP: ROOT}

	def identity(self) -> str:
		return digest(self.version(), *self._apps())


def restore(recipe: list) -> Engine:
	"""The engine a `recipe` describes.

	Args:
		recipe: as `Engine.recipe` returns it, also out of JSON.

	Raises:
		KeyError: there is no such kind of engine.
	"""
	name, *arguments = recipe
	if name == "BenchEngine":
		return BenchEngine(Path(arguments[0]), arguments[1])
	return {"SnapshotEngine": SnapshotEngine, "SourceEngine": SourceEngine}[name](*arguments)


def pythons_for(pyproject: str) -> list[str]:
	"""The Python versions a Frappe accepts, best first, from its `requires-python`.

	Args:
		pyproject: text of its `pyproject.toml`; without `requires-python` 3.10 to 3.14 are taken.

	Returns:
		list: for example ["3.10", "3.11"].
	"""
	text = (re.search(r'requires-python\s*=\s*"([^"]+)"', pyproject) or ["", ">=3.10"])[1]
	low = int((re.search(r">=\s*3\.(\d+)", text) or ["", "10"])[1])
	high = re.search(r"<\s*=?\s*3\.(\d+)", text)
	last = int(high[1]) - (0 if "<=" in text else 1) if high else 14
	return [f"3.{minor}" for minor in range(low, last + 1)]


def _is_bare_repository(folder: Path) -> bool:
	return (folder / "HEAD").exists() and (folder / "objects").exists()


def reaches(url: str) -> bool:
	"""Tell whether git reaches this repository; asked for `REACH_SECONDS` at most.

	Args:
		url: of a Frappe, as its branch is asked for; False also where there is no git.
	"""
	if not shutil.which("git"):
		return False
	quiet = os.environ | {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true"}
	try:
		command = ["git", "ls-remote", "--heads", url, BRANCH]
		done = execute(command, capture_output=True, timeout=REACH_SECONDS, env=quiet)
	except subprocess.TimeoutExpired:
		return False
	return done.returncode == 0


def bench_around(folder: Path) -> Path | None:
	"""Return the official bench this checkout is an app of: `<bench>/apps/<checkout>`.

	Args:
		folder: of the checkout.

	Returns:
		Path | None: None where it stands in none.
	"""
	bench = folder.parent.parent
	return bench if folder.parent.name == "apps" and (bench / "sites" / "apps.txt").exists() else None


def choose(bench: str | None, frappe: str | None, official: str = OFFICIAL) -> Engine:
	"""Take the first engine that is to be had.

	Args:
		bench: path of an official bench; None for none.
		frappe: path or URL of a Frappe, with `@branch` or without; None for none.
		official: URL of the official repository.
	"""
	if bench:
		return BenchEngine(Path(bench), "named with --bench")
	if frappe:
		return SourceEngine(*split_source(frappe), "named with --frappe")
	if around := bench_around(ROOT):
		return BenchEngine(around, "this checkout stands in it")
	return _official_or_snapshot(official)


def _official_or_snapshot(official: str) -> Engine:
	"""What was taken first stays, so that a lost network does not change the engine under a warm bench."""
	official_engine = SourceEngine(official, BRANCH, "the official repository is reached")
	if official_engine.stamps.read("environment"):
		return official_engine
	snapshot = SnapshotEngine("snapshot", "Frappe 15.0.0-dev from the package registry", "")
	if snapshot.stamps.read("source"):
		snapshot.why = "built before; ./dev clean to choose anew"
		return snapshot
	if reaches(official):
		return official_engine
	snapshot.why = f"no --bench or --frappe was named and {official} is not reached"
	return snapshot


def split_source(text: str) -> tuple[str, str | None]:
	"""`PATH`, `URL` or `URL@branch` to source and branch. The @ of `git@host:` is no branch.

	Args:
		text: what was given with `--frappe`.

	Returns:
		tuple: path or URL, and the branch; None where none is named.
	"""
	if Path(text).is_dir():
		return str(Path(text).resolve()), None
	place = re.match(r"[\w+]+://[^/]*/|[^/]+:|", text)[0]
	path, at, branch = text[len(place) :].rpartition("@")
	return (place + path, branch) if at else (text, None)
