"""`./dev lint`, `./dev benchmark`, `./dev screenshots`: what else a pull request is looked at with."""

import json
import os
import shutil
import subprocess
from argparse import Namespace
from pathlib import Path

from . import desk, python_env
from .paths import APP, ROOT, STATE
from .prepare import ready_bench
from .processes import run
from .report import DevError, report
from .stamps import Stamps, digest
from .testing import interruptible, prepared_run

LINT_SOURCE = Path(__file__).with_name("lint")


def lint(options: Namespace) -> int:
	"""Every linter the checkout is configured for; `--fix` lets them correct what they can."""
	fix = "--fix" in options.arguments
	python_env.uv()
	ruff = python_env.TOOL_ENV / "bin" / "ruff"
	commands = [
		[ruff, "check", *(["--fix"] if fix else []), "."],
		[ruff, "format", *([] if fix else ["--check"]), "."],
	]
	commands += script_linters(fix)
	failed = [command for command in commands if _lint_with(command)]
	return 1 if failed else 0


def _lint_with(command: list) -> int:
	words = [str(part) for part in command]
	report.say(f"$ {Path(words[0]).name} {' '.join(words[1:])}"[:150])
	return subprocess.call(words, cwd=ROOT)


def script_linters(fix: bool) -> list[list]:
	"""prettier and eslint, where the checkout has a configuration for them."""
	files = sorted(str(path.relative_to(ROOT)) for path in _script_files())
	programs = {
		"prettier": [".prettierrc*", "prettier.config.*"],
		"eslint": [".eslintrc*", "eslint.config.*"],
	}
	wanted = [
		name for name, patterns in programs.items() if any(any(ROOT.glob(pattern)) for pattern in patterns)
	]
	if not wanted or not files:
		return []
	if reason := desk.obstacle():
		report.say(f"  - {' and '.join(wanted)} left out: {reason}")
		return []
	folder = _lint_modules()
	options = {"prettier": ["--write" if fix else "--check"], "eslint": ["--fix"] if fix else []}
	scripts = [file for file in files if file.endswith((".js", ".mjs"))]
	start = {name: [desk.node()[0], folder / _program(folder, name)] for name in wanted}
	return [[*start[name], *options[name], *(files if name == "prettier" else scripts)] for name in wanted]


def _program(folder: Path, name: str) -> Path:
	package = json.loads((folder / name / "package.json").read_text())
	entry = package["bin"] if isinstance(package["bin"], str) else package["bin"][name]
	return Path(name) / entry


def _script_files() -> list[Path]:
	folders = (ROOT / APP, ROOT / "devtool" / "desk")
	found = [
		path
		for folder in folders
		for suffix in ("js", "css", "scss")
		for path in folder.glob(f"**/*.{suffix}")
	]
	return [path for path in found if not {"node_modules", "dist", "lib"} & set(path.parts)]


def _lint_modules() -> Path:
	target = STATE / "lint"
	stamps, key = (
		Stamps(target / "stamps"),
		digest(LINT_SOURCE / "package.json", LINT_SOURCE / "package-lock.json"),
	)
	if not stamps.done("modules", key):
		with report.step("prettier and eslint"):
			shutil.rmtree(target, ignore_errors=True)
			target.mkdir(parents=True)
			for name in ("package.json", "package-lock.json"):
				shutil.copy(LINT_SOURCE / name, target)
			program, npm = desk.node()
			environment = os.environ | {"PATH": f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}"}
			options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
			run([*npm, "ci", *options], "npm", what="npm", cwd=target, env=environment)
			stamps.write("modules", key)
	return target / "node_modules"


def benchmark(options: Namespace) -> int:
	"""Run the named benchmarks, or all, one after the other on fresh copies of the app template."""
	available = {
		path.stem: path
		for path in sorted((ROOT / "benchmarks").glob("*.py"))
		if not path.stem.startswith("_")
	}
	named = [name for name in options.arguments if not name.startswith("-")]
	unknown = [name for name in named if Path(name).stem not in available]
	if unknown or not available:
		raise DevError(
			f"No such benchmark: {', '.join(unknown) or 'benchmarks/ is empty'}. There are: {', '.join(available) or 'none'}."
		)
	rest = [argument for argument in options.arguments if argument.startswith("-")]
	with ready_bench(options) as bench:
		prepared = prepared_run(bench)
		chosen = [available[Path(name).stem] for name in named] or list(available.values())
		codes = [on_fresh_site(prepared, path, rest) for path in chosen]
	return max(codes)


def on_fresh_site(prepared, script: Path, arguments: list[str]) -> int:
	"""Run a Python file connected to a copy of the app template, from the checkout's folder."""
	from .clones import SITE, new_clone

	clone = new_clone(prepared.bench)
	try:
		clone.add_site(prepared.app, SITE)
		report.say(
			f"\n{script.relative_to(ROOT)} on {prepared.bench.database.kind}, Frappe {prepared.bench.engine.version()}"
		)
		environment = clone.environment() | {"MILESTONE_ROOT": str(ROOT)}
		return interruptible(clone.python_command(SITE, script, *arguments), environment, clone.sites)
	finally:
		clone.drop()


def screenshots(options: Namespace) -> int:
	"""Make the pictures of the documentation anew."""
	module = Path(__file__).with_name("screenshots.py")
	if not module.exists():
		raise DevError("There is no devtool/screenshots.py yet.")
	with ready_bench(options) as bench:
		desk.build(bench)
		path = prepared_run(bench).save()
		try:
			environment = bench.environment() | {"MILESTONE_RUN": str(path)}
			command = [str(bench.engine.python), "-m", "devtool.screenshots", *options.arguments]
			return interruptible(command, environment)
		finally:
			path.unlink(missing_ok=True)
