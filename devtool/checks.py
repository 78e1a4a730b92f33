"""`./dev benchmark` and `./dev screenshots`: what else a pull request is looked at with."""

import os
from argparse import Namespace
from pathlib import Path

from . import desk
from .paths import ROOT
from .prepare import ready_bench
from .report import DevError, report
from .testing import interruptible, prepared_run


def benchmark(options: Namespace) -> int:
	"""Run the named benchmarks, or all, one after the other on fresh copies of the app template.

	What is not a benchmark's name but a file, or begins with a dash, goes to the benchmark.

	Args:
		options: of `./dev`; `arguments` has names, files and options.

	Returns:
		int: the highest exit code.

	Raises:
		DevError: there is no benchmark of a name.
	"""
	words = [word for word in options.arguments if not word.startswith("-")]
	files = [word for word in words if not _is_benchmark(word) and Path(word).is_file()]
	chosen = _chosen([word for word in words if word not in files])
	rest = [argument for argument in options.arguments if argument.startswith("-")]
	rest += [os.path.abspath(file) for file in files]  # a benchmark runs in another folder
	with ready_bench(options) as bench:
		prepared = prepared_run(bench)
		return max(on_fresh_site(prepared, path, rest) for path in chosen)


def _is_benchmark(name: str) -> bool:
	file = ROOT / "benchmarks" / f"{Path(name).stem}.py"
	return Path(name).suffix in ("", ".py") and file.is_file()


def _chosen(names: list[str]) -> list[Path]:
	"""The benchmarks of these names, or all."""
	files = sorted(path for path in (ROOT / "benchmarks").glob("*.py") if not path.stem.startswith("_"))
	available = {path.stem: path for path in files}
	unknown = [name for name in names if Path(name).stem not in available]
	if unknown or not available:
		raise DevError(
			f"No such benchmark: {', '.join(unknown) or 'benchmarks/ is empty'}. There are: {', '.join(available) or 'none'}."
		)
	return [available[Path(name).stem] for name in names] or files


def on_fresh_site(prepared, script: Path, arguments: list[str]) -> int:
	"""Run a Python file connected to a copy of the app template, from the checkout's folder.

	Args:
		prepared: `prepare.Run` with the templates.
		script: path of the file, below the checkout.
		arguments: what the script gets.

	Returns:
		int: its exit code.
	"""
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
	"""Make the pictures of the documentation anew.

	Args:
		options: of `./dev`; `arguments` has names of pictures, none for all.

	Returns:
		int: 1 where a picture could not be made.

	Raises:
		DevError: the Desk cannot be built.
	"""
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
