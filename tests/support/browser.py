"""A real Chromium on a real server."""

import os

import pytest

from devtool import debian
from devtool import desk as desk_build
from devtool.benches import ADMIN_PASSWORD
from devtool.engines import BenchEngine
from devtool.report import DevError

FLAGS = (
	"--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
	"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip


@pytest.fixture(scope="session")
def desk_assets(run):
	"""The Desk's JavaScript and CSS, built when a browser test first needs them."""
	if reason := desk_build.obstacle():
		pytest.skip(f"browser tests left out: {reason}")
	try:
		desk_build.build(run.bench)
	except DevError as error:
		if not isinstance(run.bench.engine, BenchEngine) or "No matching version found" not in str(error):
			raise
		pytest.skip("the Desk of this bench needs a package that the registry does not have")


@pytest.fixture(scope="session")
def browser(desk_assets):
	"""Playwright's browser on the machine's Chromium."""
	if not desk_build.chromium() and debian.can_install():
		debian.install(["chromium"], needed_for="browser tests")
	if not desk_build.chromium():
		pytest.skip("browser tests left out: there is no chromium (on Debian: apt-get install chromium)")
	# Playwright's own Node.js needs a library that a minimal Debian lacks.
	os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", desk_build.node()[0])
	from playwright.sync_api import sync_playwright  # noqa: PLC0415 - it reads the variable above

	with sync_playwright() as playwright:
		running = playwright.chromium.launch(
			executable_path=desk_build.chromium(), headless=True, args=list(FLAGS), timeout=180_000
		)
		yield running
		running.close()


# A page knows nothing of the pages before it. Panels are open unless it says otherwise: most tests look at what is in them.
NEW_PAGE = """
if (!sessionStorage.getItem("is_old_page")) {
	localStorage.clear();
	sessionStorage.setItem("is_old_page", "1");
}
const stored = Storage.prototype.getItem;
Storage.prototype.getItem = function (key) {
	const value = stored.call(this, key);
	return value === null && `${key}`.startsWith("milestone-panel:") ? "open:0" : value;
};
"""


def log_in(context, user: str, password: str):
	"""The answer to a login. PostgreSQL refuses one while the last page of the same user still writes: once more."""
	for _attempt in range(5):
		answer = context.request.post(
			"/api/method/login", form={"usr": user, "pwd": password}, timeout=90_000
		)
		if answer.ok or "could not serialize" not in answer.text():
			break
	return answer


@pytest.fixture(scope="module")
def contexts(browser, server):
	"""The browser of each user, by name: what the Desk loads once is in its cache for all tests of a file."""
	made = {}
	yield made
	for context in made.values():
		context.close()


@pytest.fixture
def desk(browser, server, contexts):
	"""Function `desk(user="Administrator", path="/app")`: a page of a logged-in user; closed after the test."""
	logged_in = set()

	def open_desk(user: str = "Administrator", path: str = "/app", password: str = ADMIN_PASSWORD):
		context = contexts.get(user) or new_context(browser, server)
		contexts[user] = context
		if user not in logged_in:
			answer = log_in(context, user, password)
			assert answer.ok, f"Login of {user} failed: {answer.text()[:300]}"
			logged_in.add(user)
		page = context.new_page()
		page.goto(path, wait_until="domcontentloaded")
		return page

	yield open_desk
	for user in logged_in:
		for page in contexts[user].pages:
			page.close()
		contexts[user].clear_cookies()


def new_context(browser, server):
	"""A browser that nobody has logged in to."""
	context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=server.url)
	context.set_default_timeout(90_000)  # two slow cores, and other work beside
	context.add_init_script(NEW_PAGE)
	return context
