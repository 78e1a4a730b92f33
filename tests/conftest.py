"""Every test runs on a copy of a ready site; see docs/development.md for the fixtures."""

import importlib
import os
from contextlib import contextmanager

import pytest
import pytest_rerunfailures
from hypothesis import HealthCheck, settings

from devtool.prepare import Run
from tests.support.browser import browser, contexts, desk, desk_assets  # noqa: F401 - fixtures
from tests.support.counting import count_queries, count_redis_calls  # noqa: F401 - fixtures
from tests.support.data import event_log_folder  # noqa: F401 - a fixture
from tests.support.documents import as_user, make_doctype, make_user  # noqa: F401 - fixtures
from tests.support.erpnext import erpnext, erpnext_site  # noqa: F401 - fixtures
from tests.support.factories import production_order  # noqa: F401 - a fixture
from tests.support.mail import smtp  # noqa: F401 - a fixture
from tests.support.server import live_server, server  # noqa: F401 - fixtures
from tests.support.site import clean_site, run, scratch_site, site, workplace  # noqa: F401 - fixtures
from tests.support.tracking import committed_tracking, tracking  # noqa: F401 - fixtures

MARKERS = {
	"no_site": "needs no site: pure logic, or the developer's tool itself",
	"one_database": "says nothing that depends on the database; .ci/run has it on the first one only",
	"browser": "drives a real browser; left out where there is none",
}

# Faults of packages that Frappe brings, told once for each worker.
FOREIGN_WARNINGS = (
	"ignore:invalid escape sequence",
	"ignore:'crypt' is deprecated:DeprecationWarning",
	"ignore:pkg_resources is deprecated",
	"ignore:Deprecated call to `pkg_resources",
	"ignore:datetime.datetime.utc:DeprecationWarning",
)


# The same examples in every run, however slow the machine is. Longer searches choose for themselves.
settings.register_profile(
	"suite", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")


def pytest_make_parametrize_id(val, argname):
	"""Bytes make unreadable names, which may differ from worker to worker: a gzip header holds the time."""
	return argname if isinstance(val, bytes) else None


@contextmanager
def where_bench_commands_run():
	"""In Frappe 16, importing some modules opens a log in `../logs`."""
	before, prepared = os.getcwd(), os.environ.get("MILESTONE_RUN")
	if prepared:
		os.chdir(Run.load(prepared).bench.sites)
	yield
	os.chdir(before)


@pytest.hookimpl(hookwrapper=True)
def pytest_collection():
	with where_bench_commands_run():
		yield


# The conftest.py of a folder named on the command line is imported before anything is collected.
with where_bench_commands_run():
	importlib.import_module("frappe.utils.pdf")


def pytest_collection_modifyitems(items):
	for item in items:
		if "desk" in item.fixturenames or "browser" in item.fixturenames:
			item.add_marker("browser")
			# Frappe redraws a page while it loads; what was clicked or typed just then on a slow machine is gone: once
			# more. Only a fault of the machine goes away by that; pytest counts what was run again.
			item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
	"""What is run once more starts on a new site: documents of the first try would be in its way.

	The plugin keeps what the tests of a file share, and holds back how it is ended.
	"""
	if getattr(item, "execution_count", 1) < 2:
		return
	held_back = pytest_rerunfailures.suspended_finalizers
	for node in [node for node in reversed(held_back) if node is not item.session]:
		finalizers, _fault = held_back.pop(node)
		while finalizers:
			finalizers.pop()()


def pytest_configure(config):
	for text in FOREIGN_WARNINGS:
		config.addinivalue_line("filterwarnings", text)
	for name, text in MARKERS.items():
		config.addinivalue_line("markers", f"{name}: {text}")
