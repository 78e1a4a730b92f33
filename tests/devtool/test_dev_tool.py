"""The developer's tool itself: which Frappe it takes, how it survives accidents, what it says."""

import ast
import graphlib
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from argparse import Namespace
from contextlib import nullcontext
from pathlib import Path

import pytest

from devtool import (
	benches,
	cli,
	clones,
	databases,
	engines,
	locks,
	paths,
	processes,
	python_env,
	rename,
	stamps,
	testing,
)
from devtool.report import DevError

pytestmark = pytest.mark.no_site

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
	"""A checkout of its own for the tool: nothing below the real .bench is touched."""
	state = tmp_path / "checkout" / ".bench"
	state.mkdir(parents=True)
	monkeypatch.setattr(engines, "ROOT", state.parent)
	monkeypatch.setattr(engines, "engine_home", lambda key: state / key)
	monkeypatch.setattr(benches, "STATE", state)
	monkeypatch.setattr(locks, "LOCKS", state / "locks")
	monkeypatch.setattr(clones, "LOCKS", state / "locks")
	monkeypatch.setattr(processes, "LOGS", state / "logs")
	monkeypatch.setattr(processes, "STATE", state)
	return state.parent


@pytest.fixture
def repository(tmp_path) -> str:
	"""A small git repository that looks like Frappe, as a file:// address."""
	folder = tmp_path / "official"
	(folder / "frappe").mkdir(parents=True)
	(folder / "frappe" / "__init__.py").write_text('__version__ = "15.99.0"\n')
	(folder / "frappe" / "patches.txt").write_text("")
	identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
	for command in (
		["init", "-q", "-b", "version-15"],
		["add", "-A"],
		[*identity, "commit", "-q", "-m", "first"],
	):
		subprocess.run(["git", *command], cwd=folder, check=True)
	return f"file://{folder}"


# Which Frappe


def test_a_named_bench_comes_before_everything(checkout, repository):
	engine = engines.choose(str(checkout), repository, repository)
	assert isinstance(engine, engines.BenchEngine)
	assert engine.why == "named with --bench"


def test_a_named_source_comes_before_the_official_repository(checkout, repository):
	engine = engines.choose(None, f"{repository}@version-15", "file:///nowhere")
	assert isinstance(engine, engines.SourceEngine)
	assert (engine.source, engine.branch, engine.why) == (repository, "version-15", "named with --frappe")


def test_the_bench_the_checkout_stands_in_is_found(checkout, repository, monkeypatch, tmp_path):
	(tmp_path / "bench" / "sites").mkdir(parents=True)
	(tmp_path / "bench" / "sites" / "apps.txt").write_text("frappe\n")
	monkeypatch.setattr(engines, "ROOT", tmp_path / "bench" / "apps" / "milestone_automation")
	engine = engines.choose(None, None, repository)
	assert isinstance(engine, engines.BenchEngine)
	assert engine.bench == (tmp_path / "bench").resolve()
	assert engine.why == "this checkout stands in it"


def test_the_official_repository_is_taken_when_it_is_reached(checkout, repository):
	engine = engines.choose(None, None, repository)
	assert isinstance(engine, engines.SourceEngine)
	assert engine.why == "the official repository is reached"


def test_the_package_registry_is_the_last_resort(checkout):
	engine = engines.choose(None, None, "file:///nowhere/frappe")
	assert isinstance(engine, engines.SnapshotEngine)
	assert "file:///nowhere/frappe is not reached" in engine.why


def test_what_was_built_once_stays_when_the_network_comes_back(checkout, repository):
	engines.choose(None, None, "file:///nowhere").stamps.write("source", "built")
	engine = engines.choose(None, None, repository)
	assert isinstance(engine, engines.SnapshotEngine)
	assert engine.why.startswith("built before")


def test_a_repository_is_cloned_and_its_version_read(checkout, repository):
	engine = engines.choose(None, f"{repository}@version-15")
	engine._build_source()
	assert engine.version() == "15.99.0"


def test_a_branch_that_is_not_there_fails_with_what_to_do(checkout, repository):
	engine = engines.choose(None, f"{repository}@version-99")
	with pytest.raises(DevError, match="Check the address and the branch"):
		engine._build_source()


def test_a_repository_that_is_no_frappe_is_refused(checkout, repository, tmp_path):
	subprocess.run(["git", "mv", "frappe", "other"], cwd=tmp_path / "official", check=True)
	identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
	subprocess.run(["git", *identity, "commit", "-q", "-m", "moved"], cwd=tmp_path / "official", check=True)
	with pytest.raises(DevError, match="The repository is no Frappe"):
		engines.choose(None, repository)._build_source()


def test_what_frappe_takes_from_git_comes_from_the_registry_where_git_is_not_reached(
	checkout, tmp_path, monkeypatch
):
	monkeypatch.setattr(engines, "reaches", lambda url: False)
	asked = ["gunicorn @ git+https://example.com/gunicorn@1", "pypika @ git+https://example.com/pypika", "rq"]
	(tmp_path / "pyproject.toml").write_text(f"dependencies = {json.dumps(asked)}")
	engine = engines.SourceEngine(str(tmp_path), None, "")
	engine.home.mkdir(parents=True)
	_option, path = engine._overrides(tmp_path)
	# Newer ones bring no `packaging`, which Frappe 16 imports without asking for it.
	assert path.read_text().split() == ["gunicorn<26", "pypika"]


def test_a_folder_that_is_no_bench_is_refused(checkout):
	with pytest.raises(DevError, match="is no bench: env/bin/python or apps/frappe is missing"):
		engines.choose(str(checkout), None).build()


@pytest.mark.parametrize(
	("text", "source", "branch"),
	[
		("https://example.com/frappe", "https://example.com/frappe", None),
		("https://example.com/frappe@version-16", "https://example.com/frappe", "version-16"),
		("https://example.com/frappe@feature/x", "https://example.com/frappe", "feature/x"),
		("git@example.com:frappe/frappe", "git@example.com:frappe/frappe", None),
		("git@example.com:frappe/frappe@develop", "git@example.com:frappe/frappe", "develop"),
		("https://user@example.com/frappe", "https://user@example.com/frappe", None),
	],
)
def test_source_and_branch_are_told_apart(text, source, branch):
	assert engines.split_source(text) == (source, branch)


@pytest.mark.parametrize(
	("text", "versions"),
	[
		('requires-python = ">=3.10,<3.14"', ["3.10", "3.11", "3.12", "3.13"]),
		('requires-python = ">=3.14,<3.15"', ["3.14"]),
		("", ["3.10", "3.11", "3.12", "3.13", "3.14"]),
	],
)
def test_the_pythons_a_frappe_accepts_are_read_from_it(text, versions):
	assert engines.pythons_for(text) == versions


def test_a_python_that_is_missing_is_named():
	with pytest.raises(DevError, match=r"This Frappe needs Python 3\.99; here is"):
		python_env.find_python(["3.99"])


def test_an_engine_is_the_same_again_in_another_process(checkout, repository):
	for engine in (
		engines.choose(str(checkout), None),
		engines.choose(None, repository),
		engines.choose(None, None, "file:///no"),
	):
		again = engines.restore(json.loads(json.dumps(engine.recipe())))
		assert (type(again), again.key, again.why) == (type(engine), engine.key, engine.why)


# Turning the name back


def test_names_are_turned_back_in_paths_and_texts_but_not_in_pictures(tmp_path):
	source, target = tmp_path / "criscostack", tmp_path / "frappe"
	(source / "utils").mkdir(parents=True)
	(source / "utils" / "brik_helper.py").write_text(
		"import criscostack  # Crisco, CRISCOSTACK_SITE, criscoerp\n"
	)
	(source / "criscostackclient.py").write_text("class CriscoClient: ...\n")
	(source / "logo.png").write_bytes(b"\x89PNG criscostack")
	(source / "notes.txt").write_bytes(b"\xff\xfe criscostack")
	assert rename.turn_back(source, target) == 2
	assert (target / "frappeclient.py").read_text() == "class FrappeClient: ...\n"
	assert (
		target / "utils" / "bench_helper.py"
	).read_text() == "import frappe  # Frappe, FRAPPE_SITE, erpnext\n"
	assert (target / "logo.png").read_bytes() == b"\x89PNG criscostack"
	assert (target / "notes.txt").read_bytes() == b"\xff\xfe criscostack"


# Accidents


def test_a_taken_port_is_left_to_its_owner():
	with socket.socket() as taken:
		taken.bind(("127.0.0.1", 0))
		taken.listen()
		port = taken.getsockname()[1]
		assert processes.free_port(port) > port


def test_two_servers_that_start_at_once_get_ports_of_their_own():
	with processes.listen(21700) as first, processes.listen(21700) as second:
		assert 21700 <= first.getsockname()[1] < second.getsockname()[1]


def test_a_step_that_was_killed_is_done_again(tmp_path):
	made = stamps.Stamps(tmp_path)
	assert not made.done("step", "key")
	made.write("step", "key")
	assert made.done("step", "key")
	assert not made.done("step", "another key")
	(tmp_path / "step.json").write_text("{half")
	assert not made.done("step", "key")


def test_the_key_of_a_tree_changes_with_names_and_contents(tmp_path):
	(tmp_path / "a.json").write_text("1")
	before = stamps.digest_tree(tmp_path, ["**/*.json"])
	(tmp_path / "a.json").rename(tmp_path / "b.json")
	renamed = stamps.digest_tree(tmp_path, ["**/*.json"])
	(tmp_path / "b.json").write_text("2")
	assert len({before, renamed, stamps.digest_tree(tmp_path, ["**/*.json"])}) == 3


def test_a_second_thread_waits_for_the_lock_and_the_same_one_enters_twice(checkout):
	inside, order = threading.Event(), []

	def second():
		inside.wait(10)
		with locks.build_lock("x"):
			order.append("second")

	thread = threading.Thread(target=second)
	thread.start()
	with locks.build_lock("x"), locks.build_lock("x"):
		inside.set()
		thread.join(0.3)
		order.append("first")
	thread.join(10)
	assert order == ["first", "second"]


def test_a_second_process_waits_for_the_lock_and_says_for_whom(checkout):
	code = f"""
	import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv = ["dev", "build"]
	from pathlib import Path
	from devtool import locks; locks.LOCKS = Path({str(locks.LOCKS)!r})
	with locks.build_lock("x"):
		print("held", flush=True); sys.stdin.read()
	"""
	holder = subprocess.Popen(
		[sys.executable, "-c", textwrap.dedent(code)],
		stdin=subprocess.PIPE,
		stdout=subprocess.PIPE,
		text=True,
	)
	assert holder.stdout.readline() == "held\n"
	second = locks.FileLock(locks.LOCKS / "x")
	assert not second.take(wait=False)
	assert locks._holder(second) == f"process {holder.pid}: build"
	holder.send_signal(signal.SIGKILL)
	holder.wait()
	assert second.take(wait=False), "the lock of a killed process is free"
	second.release()


def test_a_failing_program_shows_the_end_of_its_log_and_what_to_do(checkout):
	script = "import sys; print('one'); print('two', file=sys.stderr); sys.exit(3)"
	with pytest.raises(DevError) as caught:
		processes.run([sys.executable, "-c", script], "x", what="Cooking", hint="Turn the stove on.")
	message = str(caught.value)
	assert message.startswith("Cooking failed (exit code 3). The end of ")
	assert "| one" in message
	assert "| two" in message
	assert message.endswith("Turn the stove on.")


def test_a_missing_program_is_named(checkout):
	with pytest.raises(DevError, match=r"the program no-such-program is missing\. Install it\."):
		processes.run(["no-such-program"], "x", what="Cooking", hint="Install it.")


def test_a_full_disk_is_said_before_a_long_build(checkout):
	with pytest.raises(DevError, match="The disk is too full: building the bench takes about 999999999 MB"):
		processes.require_space(999_999_999)


def test_a_disk_that_fills_up_is_said_with_the_failure(checkout):
	script = "print('cp: error writing x: No space left on device'); raise SystemExit(1)"
	with pytest.raises(DevError, match=r"The disk is full: \d+ MB left"):
		processes.run([sys.executable, "-c", script], "x")


def test_a_process_that_ignores_the_first_signal_is_ended(checkout):
	code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
	stubborn = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
	stubborn.stdout.readline()
	processes.end(stubborn.pid, seconds=1)
	assert not processes.alive(stubborn.pid)


def test_a_server_dies_with_the_process_that_started_it(checkout, tmp_path):
	code = f"""
	import sys; sys.path.insert(0, {str(ROOT)!r})
	from pathlib import Path
	from devtool import processes; processes.LOGS = Path({str(tmp_path)!r})
	child = processes.spawn(["sleep", "60"], "x", die_with_parent=True)
	print(child.pid, flush=True)
	sys.stdin.read()
	"""
	parent = subprocess.Popen(
		[sys.executable, "-c", textwrap.dedent(code)],
		stdin=subprocess.PIPE,
		stdout=subprocess.PIPE,
		text=True,
	)
	child = int(parent.stdout.readline())
	assert processes.alive(child)
	parent.kill()
	parent.wait()
	limit = time.monotonic() + 30
	while processes.alive(child) and time.monotonic() < limit:
		time.sleep(0.02)
	assert not processes.alive(child)


def test_a_closed_home_is_told_from_an_open_one(tmp_path):
	tmp_path.chmod(0o755)
	closed = tmp_path / "closed" / "inside"
	closed.mkdir(parents=True)
	(tmp_path / "closed").chmod(0o700)
	assert not paths.reachable_by_all(closed)


# What is used side by side


def test_each_engine_and_database_has_a_bench_redis_databases_and_names_of_its_own(checkout, repository):
	chosen = [engines.choose(None, None, ""), engines.choose(None, repository, "")]
	kinds = [databases.PostgresDatabase(), databases.MariaDatabase(), databases.SqliteDatabase()]
	made = [benches.main_bench(engine, database) for engine in chosen for database in kinds]
	for values in (
		{one.redis_slot for one in made},
		{one.folder for one in made},
		{one.database_prefix for one in made},
	):
		assert len(values) == len(made), values
	again = [benches.main_bench(one.engine, one.database) for one in reversed(made)]
	assert [one.redis_slot for one in again] == [one.redis_slot for one in reversed(made)]


def test_clones_take_redis_databases_that_no_other_clone_or_bench_uses(checkout):
	first, first_lock = clones.take_slot()
	second, second_lock = clones.take_slot()
	assert len({first, second}) == 2
	assert min(first, second) >= benches.MAIN_SLOTS
	first_lock.release()
	assert clones.take_slot()[0] == first
	second_lock.release()


# What is said and passed on


def test_pytest_arguments_are_passed_on_as_they_are():
	options, rest = cli.parse(["test", "--db", "mariadb", "tests/test_x.py", "-k", "a or b", "--db"])
	assert (options.db, rest) == ("mariadb", ["tests/test_x.py", "-k", "a or b", "--db"])


def test_a_random_order_is_asked_for_by_its_seed():
	options, rest = cli.parse(["test", "--random", "7", "tests/test_x.py", "--random", "8"])
	assert (options.random, rest) == ("7", ["tests/test_x.py", "--random", "8"])
	assert testing.random_order(options.random) == ["--random-order-bucket=module", "--random-order-seed=7"]
	assert testing.random_order(cli.parse(["test"])[0].random) == []


def test_options_of_bench_commands_are_not_ours():
	options, rest = cli.parse(["bench", "--db=postgres", "--site", "x.localhost", "migrate", "--help"])
	assert (options.db, rest) == ("postgres", ["--site", "x.localhost", "migrate", "--help"])


def test_the_whole_suite_runs_on_several_workers_and_a_part_on_one():
	assert testing.pytest_arguments(["-k", "gate"]) == ["-k", "gate"]
	whole = testing.pytest_arguments([])
	assert whole[0] == "tests"
	assert "-n" in whole or os.cpu_count() == 1


def test_an_unknown_command_lists_the_known_ones(capsys):
	with pytest.raises(SystemExit):
		cli.parse(["dmeo"])
	assert "demo" in capsys.readouterr().err


def test_python_without_a_file_says_what_to_name():
	with pytest.raises(DevError, match=r"Name the Python file: \./dev python FILE"):
		cli.python(Namespace(arguments=[]))


def test_no_two_modules_of_the_tool_import_each_other():
	imports = {path.stem: _imported(path) for path in (ROOT / "devtool").glob("*.py")}
	assert "locks" in imports["leases"]
	graphlib.TopologicalSorter(imports).prepare()  # raises CycleError, which names the modules


def _imported(path: Path) -> set[str]:
	"""Modules of the tool that a module imports, also within functions."""
	found = set()
	for node in ast.walk(ast.parse(path.read_text())):
		if isinstance(node, ast.ImportFrom) and node.level == 1:
			found |= {node.module} if node.module else {one.name for one in node.names}
	return found


def test_no_committed_file_of_the_tool_names_a_registry_or_a_place_on_this_machine():
	forbidden = (
		"pypi" + ".org",
		"npmjs" + ".org",
		"files.pythonhosted" + ".org",
		"/ro" + "ot/",
		"/wo" + "rk/",
	)
	listed = subprocess.run(
		["git", "ls-files", "dev", "devtool", ".ci", ".github", "tests"],
		cwd=ROOT,
		capture_output=True,
		text=True,
	)
	for name in listed.stdout.split():
		path = ROOT / name
		found = [word for word in forbidden if path.exists() and word in path.read_text(errors="replace")]
		assert not found, f"{name} names {found}"


def test_a_longer_search_runs_the_fuzz_tests_with_its_numbers(monkeypatch):
	taken = []
	monkeypatch.setattr(testing, "ready_bench", lambda options: nullcontext())
	monkeypatch.setattr(testing, "prepared_run", lambda bench: None)
	monkeypatch.setattr(testing, "run_pytest", lambda run, arguments: taken.extend(arguments))
	monkeypatch.setattr(sys, "argv", ["./dev", "fuzz", "70", "5"])
	for name in ("MILESTONE_FUZZ_EXAMPLES", "MILESTONE_FUZZ_SEED"):
		monkeypatch.setenv(name, "")
	assert cli.main() == 0
	assert taken[0] == "tests/doors/test_fuzz.py"
	assert (os.environ["MILESTONE_FUZZ_EXAMPLES"], os.environ["MILESTONE_FUZZ_SEED"]) == ("70", "5")
