"""Sites for tests: one for each pytest worker, rolled back after each test, and fresh ones for tests that commit."""

import functools
import io
import os
import shutil
import subprocess
import traceback
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import frappe
import pytest
import sqlparse
from frappe.utils import caching
from frappe.utils.background_jobs import get_redis_conn

from devtool.clones import SITE, CloneBench, new_clone
from devtool.prepare import Run
from devtool.web import worker_command

LASTING_CACHES = (
	"app_hooks", "installed_app", "app_modules", "module_app", "module_installed_app", "doctype_meta", "doctype_form_meta",
	"table_columns", "db_tables", "information_schema", "translations", "languages", "assets_json",
)  # fmt: skip


@pytest.fixture(scope="session")
def run() -> Run:
	"""What `./dev test` prepared."""
	path = os.environ.get("MILESTONE_RUN")
	if not path:
		pytest.exit(
			"These tests need a real site. Run them with: ./dev test [pytest arguments]", returncode=4
		)
	return Run.load(path)


@pytest.fixture(scope="session")
def workplace(run: Run):
	"""This worker's own bench folder. Its sites, queues and caches are nobody else's."""
	clone = new_clone(run.bench)
	yield clone
	os.chdir(run.bench.folder)
	clone.drop()


@pytest.fixture(scope="session")
def site(run: Run, workplace: CloneBench):
	"""The worker's site with the app, connected as Administrator for the whole session."""
	workplace.add_site(run.app, SITE)
	os.chdir(workplace.sites)
	# Frappe has it parse the name of every column it reads, a tenth of the suite's time: always the same few texts.
	sqlparse.format = functools.lru_cache(10_000)(sqlparse.format)
	connect(SITE)
	yield SITE
	frappe.destroy()


def connect(name: str) -> None:
	"""Connect this process to a site of its bench, as a command of bench would."""
	frappe.init(site=name, sites_path=".")
	frappe.connect()
	frappe.local.lang = "en"
	frappe.set_user("Administrator")


@pytest.fixture(autouse=True)
def clean_site(request):
	"""After each test the site is as before it, and this process remembers nothing of the test."""
	if request.node.get_closest_marker("no_site"):
		yield
		return
	request.getfixturevalue("site")

	sites, files = os.getcwd(), files_of_site()
	roll_back()
	with watched_metadata() as metadata, watched_commits(SITE) as commits:
		yield
	os.chdir(sites)  # pytest leaves the folder before it tidies up after Ctrl-C
	roll_back()
	empty_tables_without_transactions()
	for file in files_of_site() - files:
		file.unlink()
	forget_jobs()
	doctypes = known_doctypes()
	start_afresh()
	forget_caches(everything=metadata["changed"], doctypes=doctypes)
	if commits:
		pytest.fail(f"{COMMITTED}\n{commits[0]}", pytrace=False)


COMMITTED = (
	"This test has committed rows to the site that all tests of this worker share. "
	"Use scratch_site for what commits. The commit came from:"
)


def roll_back() -> None:
	"""Undo what was written since the last commit; on SQLite Frappe still counts these writes and keeps their values."""
	frappe.db.rollback()
	frappe.db.transaction_writes = 0
	frappe.db.value_cache.clear()


def start_afresh() -> None:
	"""Whatever Frappe remembers for the length of a request or process is as at its start; the connection stays."""
	site, database = frappe.local.site, frappe.local.db
	frappe.local.db = None  # destroy would close it
	frappe.destroy()
	frappe.init(site=site, sites_path=".")
	frappe.local.db = database
	database.value_cache.clear()
	caching._SITE_CACHE.clear()
	frappe.local.lang = "en"
	frappe.set_user("Administrator")


@contextmanager
def watched_metadata():
	"""Tells afterwards whether something cleared Frappe's caches, as every change of a DocType or its fields does.

	What is cached of one user goes after each test anyway.
	"""
	seen, original = {"changed": False}, frappe.clear_cache

	def clear_cache(user=None, *arguments, **named):
		seen["changed"] = seen["changed"] or not user
		doctypes = known_doctypes() if user else {}
		original(user, *arguments, **named)
		frappe.local.cache |= doctypes

	frappe.clear_cache = clear_cache
	try:
		yield seen
	finally:
		frappe.clear_cache = original


@contextmanager
def watched_commits(site: str):
	"""A list that gets the stack of every commit which keeps rows of the test on that site."""
	owner = next(kind for kind in type(frappe.local.db).__mro__ if "commit" in vars(kind))
	seen, original = [], owner.commit

	def commit(self, *arguments, **named):
		if self.transaction_writes and frappe.local.site == site and not _kept:
			seen.append("".join(traceback.format_stack(limit=12)[:-1]))
		return original(self, *arguments, **named)

	owner.commit = commit
	try:
		yield seen
	finally:
		owner.commit = original


_kept: list[str] = []


@contextmanager
def kept_out_of_rollback(what: str):
	"""Make something as Administrator that stays for all tests of this worker, and commit it.

	Raises RuntimeError when the test has written rows before: making tables commits or loses them, depending on
	whether a test before has made the thing already.
	"""
	before = frappe.session.user
	refuse_after_writes(what)
	roll_back()
	frappe.set_user("Administrator")
	_kept.append(what)
	try:
		yield
		frappe.db.commit()  # the DDL has committed on MariaDB anyway
	finally:
		_kept.remove(what)
		frappe.set_user(before)


def refuse_after_writes(what: str) -> None:
	if frappe.db.transaction_writes:
		raise RuntimeError(f"Make {what} before the test writes anything: it starts a new transaction.")


def empty_tables_without_transactions() -> None:
	"""MariaDB has a few, such as the Error Log: what one test writes there would stay for the next."""
	if frappe.db.db_type != "mariadb":
		return
	for table in _tables_without_transactions(frappe.conf.db_name):
		frappe.db.sql(f"DELETE FROM `{table}`")  # a name the database itself has given
	frappe.db.rollback()


@functools.cache
def _tables_without_transactions(database: str) -> list[str]:
	query = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s AND engine <> 'InnoDB'"
	return frappe.db.sql_list(query, database)


def files_of_site() -> set[Path]:
	"""What was uploaded to the worker's site: files stay when their rows are rolled back."""
	return {path for path in Path(SITE).glob("*/files/**/*") if path.is_file()}


def forget_jobs() -> None:
	"""Background jobs of one test are not run by the worker of another."""
	get_redis_conn().flushdb()


def known_doctypes() -> dict:
	"""What this process has read of DocTypes, which takes a sixth of the suite's time."""
	cache = frappe.local.cache.items()  # keys are bytes or text, by the version of Frappe
	return {key: value for key, value in cache if "|doctype_meta" in frappe.safe_decode(key)}


def forget_caches(everything: bool, doctypes: dict | None = None) -> None:
	"""Cached copies of rolled-back rows go. What describes DocTypes stays unless the test changed it: it is slow to read."""
	if everything:
		frappe.clear_cache()
	_forget_volatile(frappe.cache() if callable(frappe.cache) else frappe.cache)
	if hasattr(frappe, "client_cache"):
		frappe.client_cache.clear_cache()
	frappe.local.cache = {}
	if not everything:
		frappe.local.cache |= doctypes or {}
	frappe.local.role_permissions = {}
	frappe.local.valid_columns = {}


def _forget_volatile(cache) -> None:
	stale = [key for key in cache.keys("*") if not key.decode().partition("|")[2].startswith(LASTING_CACHES)]
	if stale:
		super_delete = cache.connection_pool and cache.execute_command
		super_delete("DEL", *stale)


class ScratchSite:
	"""A site of its own for one test: commit, migrate, uninstall as you like. Dropped afterwards."""

	def __init__(self, workplace: CloneBench, name: str):
		self.workplace = workplace
		self.name = name
		self.path = workplace.sites / name

	def bench(self, *arguments: object, check: bool = True) -> subprocess.CompletedProcess:
		"""A bench command on this site, e.g. `bench("migrate")`."""
		done = self.workplace.capture(*arguments, site=self.name)
		if check and done.returncode:
			pytest.fail(
				f"bench {' '.join(map(str, arguments))} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
			)
		return done

	def python(self, code: str, *arguments: object) -> str:
		"""Run Python with this site connected, in a process of its own; returns what it printed."""
		command = self.workplace.python_command(self.name, "-", *arguments)
		options = {"cwd": self.workplace.sites, "env": self.workplace.environment()}
		done = subprocess.run(command, input=code, capture_output=True, text=True, **options)
		if done.returncode:
			pytest.fail(f"Python on {self.name} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
		return done.stdout

	def run(self, code: str) -> str:
		"""Run Python with this site connected, in this process, which is much faster; returns what it printed."""
		with self.connect(), redirect_stdout(io.StringIO()) as printed:
			exec(compile(code, "<test>", "exec"), {})
		return printed.getvalue()

	@contextmanager
	def connect(self):
		"""Switch this process to the site for the length of the block, then back to the worker's own."""
		before = frappe.local.site
		frappe.destroy()
		connect(self.name)
		try:
			yield self
		finally:
			frappe.db.rollback()
			frappe.destroy()
			connect(before)

	def worker(self) -> subprocess.CompletedProcess:
		"""Run every background job that waits in this bench, then return."""
		return burst_worker(self.workplace)


def burst_worker(workplace: CloneBench) -> subprocess.CompletedProcess:
	command = worker_command(workplace, burst=True)
	options = {"cwd": workplace.sites, "env": workplace.environment()}
	return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


class ScratchSites:
	"""Makes scratch sites and drops them."""

	def __init__(self, run: Run, workplace: CloneBench):
		self.run, self.workplace = run, workplace
		self.sites: list[ScratchSite] = []

	def __call__(self, template: str = "app") -> ScratchSite:
		"""`app`: with this app installed; `bare`: Frappe alone."""
		source = {"app": self.run.app, "bare": self.run.bare}[template]
		name = f"scratch-{self.workplace.made + 1}.localhost"
		self.sites.append(ScratchSite(self.workplace, self.workplace.add_site(source, name)))
		return self.sites[-1]

	def drop(self) -> None:
		for one in self.sites:
			self.workplace.drop_site(one.name)
		self.sites.clear()


@pytest.fixture
def scratch_site(run: Run, workplace: CloneBench, site: str):
	"""Function that makes a fresh site: `scratch_site()` or `scratch_site("bare")`."""
	sites = ScratchSites(run, workplace)
	yield sites
	sites.drop()


def program_missing(*names: str) -> bool:
	return not any(shutil.which(name) or Path("/usr/sbin", name).exists() for name in names)
