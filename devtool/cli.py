"""The commands of `./dev`."""

import argparse
import json
import os
import shutil
import sys
import time

from . import engines, leases
from .benches import main_bench
from .databases import BenchDatabase
from .paths import STATE, outside_home
from .processes import describe_os_error, execute
from .report import DevError, report

DESCRIPTION = "A real Frappe site in one command, for trying this app and for working on it."


def parser() -> argparse.ArgumentParser:
	shared = argparse.ArgumentParser(add_help=False)
	shared.add_argument(
		"--db",
		choices=["postgres", "mariadb", "sqlite"],
		help="database, private to this checkout (default: postgres)",
	)
	shared.add_argument("--bench", metavar="PATH", help="use the Frappe of an official bench")
	shared.add_argument(
		"--frappe", metavar="PATH-or-URL[@branch]", help="use this Frappe source tree or git repository"
	)
	main = argparse.ArgumentParser(prog="./dev", description=DESCRIPTION, allow_abbrev=False)
	commands = main.add_subparsers(dest="command", metavar="COMMAND", required=True)
	for name, (function, text, takes) in COMMANDS.items():
		one = commands.add_parser(name, help=text, description=text, parents=[shared], allow_abbrev=False)
		one.set_defaults(function=function, takes=takes)
		if name == "demo":
			one.add_argument(
				"--port",
				type=int,
				default=8000,
				help="port of the web server (default: 8000, or the next free one)",
			)
		if name == "test":
			one.add_argument(
				"--random", metavar="SEED", help="files, and the tests of each file, in a random order"
			)
		if name == "soak":
			one.add_argument("--minutes", type=float, default=5, help="how long (default: 5)")
			one.add_argument("--workers", type=int, default=8, help="how many people at once (default: 8)")
			one.add_argument("--seed", type=int, default=1, help="of all chance (default: 1)")
			one.add_argument(
				"--machine",
				type=int,
				nargs="?",
				const=400,
				metavar="CASES",
				help="instead, drive plans through so many random cases of 25 moves (400 without a number)",
			)
		if takes:
			one.usage = f"./dev {name} [--db ...] [--bench ...] [--frappe ...] {takes}"
	return main


def main() -> int:
	options, rest = parse(sys.argv[1:])
	options.arguments = rest
	try:
		return options.function(options) or 0
	except DevError as error:
		print(f"\n./dev: {error}", file=sys.stderr)
		return 1
	except OSError as error:
		print(f"\n./dev: {describe_os_error(error)}", file=sys.stderr)
		return 1
	except KeyboardInterrupt:
		print("\n./dev: stopped. What was half-built is repaired by the next ./dev.", file=sys.stderr)
		return 130


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
	"""Our options come first; from the first argument that is not ours on, everything goes to the command.

	Args:
		arguments: words after `./dev`.

	Returns:
		tuple: our options, and the words for the command.

	Raises:
		SystemExit: argparse has said what is wrong, or has shown the help.
	"""
	main_parser = parser()
	if not arguments or arguments[0] not in COMMANDS or not COMMANDS[arguments[0]][2]:
		return main_parser.parse_args(arguments), []
	ours, rest = [arguments[0]], arguments[1:]
	options = {"--db", "--bench", "--frappe"} | ({"--random"} if arguments[0] == "test" else set())
	while rest and rest[0].split("=")[0] in options:
		ours, rest = (ours + rest[:1], rest[1:]) if "=" in rest[0] else (ours + rest[:2], rest[2:])
	if rest[:1] in (["-h"], ["--help"]) and arguments[0] != "bench":
		return main_parser.parse_args([*ours, "--help"]), []
	return main_parser.parse_args(ours), rest[1:] if rest[:1] == ["--"] else rest


def start(options: argparse.Namespace) -> int:
	from .prepare import ensure_dev_site, ready_bench

	leases.keep()
	with ready_bench(options) as bench:
		site = ensure_dev_site(bench)
		report.say(f"Ready in {report.total():.0f} s: site {site}; servers stay up until ./dev stop.")
	return 0


def stop(options: argparse.Namespace) -> int:
	from . import demo

	leases.KEEP.unlink(missing_ok=True)
	if demo.stop():
		report.say("Stopped the demo.")
	if leases.in_use():
		report.say("Another ./dev still uses the servers; they stop when it ends.")
		return 0
	stopped = leases.stop_all()
	report.say("Stopped: " + (", ".join(one.title for one in stopped) or "nothing was running") + ".")
	return 0


def clean(options: argparse.Namespace) -> int:
	"""Everything the tool ever made goes, also what lies outside the checkout.

	Args:
		options: of `./dev`; none of them matters.

	Raises:
		DevError: another `./dev` is at work here.
	"""
	leases.KEEP.unlink(missing_ok=True)
	if leases.in_use():
		raise DevError("Another ./dev is at work here. End it (./dev status names it) and run it again.")
	drop_from_benches()
	leases.stop_all()
	for folder in (outside_home(), STATE):
		shutil.rmtree(folder, ignore_errors=True)
	report.say("Cleaned: .bench/ and the servers' data are gone.")
	return 0


def drop_from_benches() -> None:
	"""Databases that lie on the server of an official bench would outlive `.bench/`."""
	for file in STATE.glob("bench-*/bench.json"):
		engine = engines.restore(json.loads(file.read_text()))
		if not (engine.home / "benches" / BenchDatabase.label).exists():
			continue
		try:
			database = BenchDatabase(engine.config, engine.bench)
			for name in database.names(main_bench(engine, database).database_prefix):
				database.drop(name)
		except DevError as error:
			report.say(f"  - databases of this checkout on the server of {engine.bench} stay: {error}")


def status(options: argparse.Namespace) -> int:
	from .services import all_services

	if not STATE.exists():
		print("Nothing is built here. ./dev demo or ./dev test builds it.")
		return 0
	for one in all_services():
		print(f"{one.title:<11}", f"runs on port {one.port}" if one.running() else "does not run")
	print(
		"Kept up by ./dev start" if leases.KEEP.exists() else "Not kept up: servers end with the last ./dev"
	)
	print("In use by another ./dev" if leases.in_use() else "Not in use")
	return 0


def demo(options: argparse.Namespace) -> int:
	from .demo import demo

	return demo(options)


def build(options: argparse.Namespace) -> int:
	from . import desk
	from .prepare import ready_bench

	with ready_bench(options) as main:
		desk.build(main, fresh="--force" in options.arguments)
	report.say(f"The Desk is up to date ({report.total():.1f} s).")
	return 0


def lint(options: argparse.Namespace) -> int:
	from .lint.gates import lint

	return lint(options)


def docs(options: argparse.Namespace) -> int:
	from .docs import docs

	return docs(options)


def benchmark(options: argparse.Namespace) -> int:
	from .checks import benchmark

	return benchmark(options)


def screenshots(options: argparse.Namespace) -> int:
	from .checks import screenshots

	return screenshots(options)


def bench(options: argparse.Namespace) -> int:
	from .prepare import ensure_dev_site, ready_bench

	if options.arguments[:1] == ["build"]:
		return build(options)  # the engine of last resort brings no bundler of its own
	with ready_bench(options) as main:
		named = "--site" in options.arguments[:1]
		site = None if named else ensure_dev_site(main)
		command = main.command(*options.arguments, site=site)
		return execute(command, cwd=main.sites, env=main.environment()).returncode


def python(options: argparse.Namespace) -> int:
	from .prepare import ensure_dev_site, ready_bench

	if not options.arguments:
		raise DevError(
			"Name the Python file: ./dev python FILE [arguments]. A single - reads standard input."
		)
	source, *rest = options.arguments
	with ready_bench(options) as main:
		path = source if source == "-" else os.path.abspath(source)
		command = main.python_command(ensure_dev_site(main), path, *rest)
		return execute(command, cwd=main.sites, env=main.environment()).returncode


def test(options: argparse.Namespace) -> int:
	from .testing import test

	return test(options)


def fuzz(options: argparse.Namespace) -> int:
	"""The fuzz tests with as many examples as asked for; a seed of today's, or the one a failure has printed.

	Args:
		options: of `./dev`; `arguments` has the number of examples (2500 without) and the seed.

	Returns:
		int: exit code of pytest.
	"""
	from .testing import test

	examples, chosen = [*options.arguments, "", ""][:2]
	os.environ["MILESTONE_FUZZ_EXAMPLES"] = examples or "2500"
	os.environ["MILESTONE_FUZZ_SEED"] = chosen or str(int(time.time()))
	report.say(
		f"Seed {os.environ['MILESTONE_FUZZ_SEED']}, {os.environ['MILESTONE_FUZZ_EXAMPLES']} examples a test."
	)
	options.arguments, options.random = ["tests/doors/test_fuzz.py", "-n", "0", "-q"], None
	return test(options)


def soak(options: argparse.Namespace) -> int:
	"""The history checker of the suite, or its state machine of plans, for longer.

	Args:
		options: of `./dev`: `minutes`, `workers` and `seed`, or `machine`, the number of cases, and `seed`.

	Returns:
		int: exit code of pytest.
	"""
	from .testing import test

	options.random = None
	if options.machine:
		os.environ["MILESTONE_MACHINE_EXAMPLES"] = str(options.machine)
		seed = f"--hypothesis-seed={options.seed}"
		options.arguments = ["tests/plans/test_plan_state_machine.py", seed, "-n", "0", "-q", "-s"]
		return test(options)
	for name in ("minutes", "workers", "seed"):
		os.environ[f"MILESTONE_SOAK_{name.upper()}"] = str(getattr(options, name))
	options.arguments = ["tests/story/test_history_checker.py", "-n", "0", "-q", "-s"]
	return test(options)


COMMANDS = {
	"demo": (demo, "build everything, load demo data and serve the Desk", ""),
	"test": (
		test,
		"run the suite on copies of a ready site (takes pytest's arguments)",
		"[--random SEED] [PYTEST ARGUMENTS]",
	),
	"fuzz": (fuzz, "send thousands of odd requests to a real server", "[EXAMPLES [SEED]]"),
	"soak": (soak, "many people change documents over HTTP at once, then a checker judges the tables", ""),
	"start": (start, "build what is missing and leave the servers running", ""),
	"stop": (stop, "end what start or demo left running", ""),
	"status": (status, "say what is built and what runs", ""),
	"bench": (
		bench,
		"any bench command, on the developer's site unless --site names one",
		"[--site SITE] COMMAND ...",
	),
	"python": (
		python,
		"run a Python file with the site connected; rolled back unless it commits",
		"FILE [ARGUMENTS]",
	),
	"build": (build, "bring the Desk's JavaScript and CSS up to date", "[--force]"),
	"benchmark": (benchmark, "run benchmarks/ on a fresh site", "[NAME ...] [FILE ...] [OPTIONS]"),
	"lint": (
		lint,
		"run every gate, or the named ones; --fix corrects what can be, --online asks for known vulnerabilities",
		"[--fix] [--online] [--rules=FOLDER] [GATE ...]",
	),
	"docs": (docs, "build the documentation site from docs/; a warning is an error", ""),
	"screenshots": (screenshots, "make the pictures of the documentation anew", "[ARGUMENTS]"),
	"clean": (clean, "delete everything the tool has made", ""),
}
