"""Sites for tests: one for each pytest worker, rolled back after each test, and fresh ones for tests that commit."""

import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from devtool.clones import SITE, CloneBench, new_clone
from devtool.prepare import Run

LASTING_CACHES = (
	"app_hooks", "installed_app", "app_modules", "module_app", "module_installed_app", "doctype_meta", "doctype_form_meta",
	"table_columns", "db_tables", "information_schema", "translations", "merged_translations", "lang", "assets_json",
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
	import frappe

	workplace.add_site(run.app, SITE)
	os.chdir(workplace.sites)
	connect(SITE)
	yield SITE
	frappe.destroy()


def connect(name: str) -> None:
	"""Connect this process to a site of its bench, as a command of bench would."""
	import frappe

	frappe.init(site=name, sites_path=".")
	frappe.connect()
	frappe.local.lang = "en"
	frappe.set_user("Administrator")


@pytest.fixture(autouse=True)
def clean_site(request):
	"""After each test the site is as before it: rows rolled back, caches of rolled-back rows forgotten."""
	if request.node.get_closest_marker("no_site"):
		yield
		return
	request.getfixturevalue("site")
	import frappe

	sites = os.getcwd()
	frappe.db.rollback()
	with watched_metadata() as metadata:
		yield
	os.chdir(sites)  # pytest leaves the folder before it tidies up after Ctrl-C
	frappe.db.rollback()
	if frappe.db.db_type == "mariadb":
		# There the log is a table without transactions, so what one test logs would stay for the next.
		frappe.db.delete("Error Log")
		frappe.db.rollback()
	restore_session()
	forget_caches(everything=metadata["changed"])


def restore_session() -> None:
	import frappe

	frappe.set_user("Administrator")
	frappe.local.lang = "en"
	frappe.local.message_log = []
	frappe.local.error_log = []
	frappe.local.request = None
	frappe.local.form_dict = frappe._dict()
	frappe.local.response = frappe._dict({"docs": []})
	frappe.local.locked_documents = []
	for name in list(frappe.local.flags):
		if name not in INITIAL_FLAGS:
			del frappe.local.flags[name]
	frappe.local.flags.update(
		{"currently_saving": []} | dict.fromkeys(INITIAL_FLAGS - {"currently_saving"}, False)
	)


INITIAL_FLAGS = {
	"currently_saving", "in_install_db", "in_install_app", "in_import", "in_test", "mute_messages", "ignore_links",
	"mute_emails", "has_dataurl", "new_site", "read_only",
}  # fmt: skip


@contextmanager
def watched_metadata():
	"""Tells afterwards whether something cleared Frappe's caches, as every change of a DocType or its fields does."""
	import frappe

	seen, original = {"changed": False}, frappe.clear_cache

	def clear_cache(*arguments, **named):
		seen["changed"] = True
		return original(*arguments, **named)

	frappe.clear_cache = clear_cache
	try:
		yield seen
	finally:
		frappe.clear_cache = original


def forget_caches(everything: bool) -> None:
	"""Cached copies of rolled-back rows go. What describes DocTypes stays unless the test changed it: it is slow to read."""
	import frappe

	frappe.local.cache = {}
	frappe.local.role_permissions = {}
	frappe.local.valid_columns = {}
	if everything:
		frappe.clear_cache()
	else:
		_forget_volatile(frappe.cache() if callable(frappe.cache) else frappe.cache)
	if hasattr(frappe, "client_cache"):
		frappe.client_cache.clear_cache()
	frappe.local.cache = {}


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

	@contextmanager
	def connect(self):
		"""Switch this process to the site for the length of the block, then back to the worker's own."""
		import frappe

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
	from devtool.web import worker_command

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
