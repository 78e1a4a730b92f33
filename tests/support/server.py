"""A real web server on a site of its own."""

import json
import re
import subprocess
from contextlib import contextmanager

import pytest
import requests

from devtool import realtime, web
from devtool.benches import ADMIN_PASSWORD

from .site import ScratchSite, burst_worker


class Client(requests.Session):
	"""A logged-in browser without a screen: relative addresses, CSRF token sent along."""

	def __init__(self, url: str):
		super().__init__()
		self.base = url

	def request(self, method, url, *arguments, **named):
		url = self.base + url if url.startswith("/") else url
		return super().request(method, url, *arguments, **named)

	def login(self, user: str, password: str) -> "Client":
		# PostgreSQL refuses a login while the last request of the same user still writes: once more.
		for _attempt in range(5):
			answer = self.post("/api/method/login", data={"usr": user, "pwd": password})
			if answer.ok or "could not serialize" not in answer.text:
				break
		if not answer.ok:
			pytest.fail(f"Login of {user} failed with {answer.status_code}: {answer.text[:500]}")
		token = re.search(r'csrf_token\s*=\s*"([0-9a-f]+)"', self.get("/app").text)
		if token:
			self.headers["X-Frappe-CSRF-Token"] = token[1]
		self.headers["Accept"] = "application/json"
		return self

	def call(self, method: str, **arguments):
		"""A whitelisted method by POST; returns its message, fails loudly."""
		answer = self.post(f"/api/method/{method}", json=arguments)
		answer.raise_for_status()
		return answer.json().get("message")

	def bulk_edit(self, doctype: str, names: list[str], values: dict) -> list[str]:
		"""Change several documents as a list does; returns those that failed."""
		return self.call(
			"frappe.desk.doctype.bulk_update.bulk_update.submit_cancel_or_update_docs",
			doctype=doctype,
			docnames=json.dumps(names),
			action="update",
			data=json.dumps(values),
		)


class Server:
	"""A running site: `.url`, `.site` (a ScratchSite), `.login()`, `.worker()`; `.live` serves live updates, or is None."""

	def __init__(self, site: ScratchSite, workers: int = 2, live: bool = False):
		self.site = site
		found = realtime.serve(site.workplace, site.name) if live else None
		self.live, variables = found or (None, {})
		self.process, self.port = web.serve(site.workplace, site.name, 21800, workers, **variables)
		self.url = f"http://127.0.0.1:{self.port}"

	def login(self, user: str = "Administrator", password: str = ADMIN_PASSWORD) -> Client:
		return Client(self.url).login(user, password)

	def guest(self) -> Client:
		return Client(self.url)

	def worker(self) -> subprocess.CompletedProcess:
		"""Run every waiting background job, then return."""
		return burst_worker(self.site.workplace)

	def stop(self) -> None:
		for process in filter(None, (self.process, self.live)):
			web.stop(process)


@pytest.fixture(scope="module")
def server(run, workplace, site):
	"""One server for the tests of a file; what they write through it stays, so each uses names of its own."""
	with served(run, workplace) as running:
		yield running


@pytest.fixture(scope="module")
def live_server(run, workplace, site, desk_assets):
	"""The same with live updates. A file whose pages need them takes it by the name `server`."""
	with served(run, workplace, live=True) as running:
		if not running.live:
			pytest.skip("live updates are not served; see .bench/logs/realtime.log")
		yield running


@contextmanager
def served(run, workplace, **options):
	# All workers share one Redis, whose events name their site only.
	name = workplace.add_site(run.app, f"served-{workplace.redis_slot}-{workplace.made + 1}.localhost")
	running = Server(ScratchSite(workplace, name), **options)
	try:
		yield running
	finally:
		running.stop()
		workplace.drop_site(name)
