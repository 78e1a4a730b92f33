"""The pictures of the documentation, made from the demo's data: `./dev screenshots [NAME ...]`.

Each picture is a function that brings a page to where it is worth a picture. Without names all are made.
"""

import os
import sys
from collections.abc import Callable
from contextlib import contextmanager

from . import desk, web
from .benches import ADMIN_PASSWORD
from .clones import CloneBench, new_clone
from .paths import ROOT
from .prepare import Run
from .processes import execute
from .report import DevError, report

FOLDER = ROOT / "docs" / "images"
SITE = "pictures.localhost"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")
DESKTOP, TALL, PHONE = (1280, 860), (1280, 1240), (390, 844)
WORKFLOW = "Purchase Order Production"

FILL = """
import frappe
frappe.db.set_single_value("System Settings", "setup_complete", 1)
frappe.db.set_value("User", "Administrator", {"first_name": "Ada", "full_name": "Ada Admin"})
frappe.db.commit()
from milestone_automation.demo import story as demo
demo.load()
frappe.db.commit()
from frappe.utils.password import update_password
for user, *_names in demo.USERS:
	update_password(user, "PASSWORD")
frappe.db.commit()
frappe.clear_cache()
for wanted in ({"health": "Blocked"}, {"current_stage": "Shipment"}, {"current_stage": "Final Inspection"}, {}):
	plans = frappe.get_all(
		"Milestone Plan",
		{"status": "Active", "reference_type": "Garment Order", **wanted},
		order_by="reference_name desc", limit=1, pluck="reference_name",
	)
	if plans:
		break
print("ORDER", plans[0])
""".replace("PASSWORD", ADMIN_PASSWORD)


class Studio:
	"""A page on a served site, and the order everything is shown on."""

	def __init__(self, page, order: str):
		self.page = page
		self.order = order

	def open(self, path: str, wait_for: str) -> None:
		self.page.goto(path, wait_until="domcontentloaded")
		self.page.locator(wait_for).first.wait_for()
		self.settle()

	def settle(self) -> None:
		self.page.wait_for_load_state("networkidle")
		self.page.wait_for_timeout(900)

	def open_order(self) -> None:
		self.open(f"/app/garment-order/{self.order}", ".milestone-head")
		strip = self.page.locator(".milestone-head.is-strip:visible .milestone-toggle")
		if strip.count():
			strip.click()
			self.page.locator(".milestone-steps:visible").wait_for()


def panel(studio: Studio) -> None:
	studio.open_order()


def panel_dark(studio: Studio) -> None:
	studio.open_order()
	studio.page.evaluate(
		"""() => {
			document.documentElement.setAttribute("data-theme", "dark");
			document.documentElement.setAttribute("data-theme-mode", "dark");
		}"""
	)
	studio.settle()


def panel_phone(studio: Studio) -> None:
	studio.open_order()


def panel_arabic(studio: Studio) -> None:
	studio.open_order()


def reschedule(studio: Studio) -> None:
	studio.open_order()
	studio.page.locator(".milestone-panel [data-action=reschedule]").click()
	studio.settle()


def refusal(studio: Studio) -> None:
	studio.open_order()
	value = studio.page.evaluate(
		"cur_frm.milestone_panel.data.stages.find((stage) => stage.status !== 'Reached').track_value"
	)
	studio.page.evaluate("(value) => cur_frm.set_value('status', value)", value)
	studio.page.locator(".standard-actions .primary-action:visible").click()
	studio.page.locator(".modal.show .milestone-refusal").wait_for()
	studio.settle()


def timeline(studio: Studio) -> None:
	studio.open_order()
	studio.page.locator("[data-focus=plan-menu]").click()
	studio.page.locator("[data-action=history]:visible").click()
	studio.settle()


def builder(studio: Studio) -> None:
	studio.open(f"/app/milestone-workflow/{WORKFLOW}", ".milestone-card")
	studio.page.locator(".milestone-builder").evaluate("(element) => element.scrollIntoView()")
	studio.page.mouse.wheel(0, -190)
	studio.settle()


def builder_start(studio: Studio) -> None:
	studio.open("/app/milestone-workflow/new", "[data-fieldname=workflow_name] input")
	studio.page.evaluate("cur_frm.set_value('document_type', 'Garment Order')")
	studio.page.locator(".milestone-offers").wait_for()
	studio.settle()


def compare(studio: Studio) -> None:
	builder(studio)
	studio.page.evaluate("milestone_automation.workflow_files.compare(cur_frm)")
	studio.page.locator(".modal.show .milestone-changes").wait_for()
	studio.settle()


def builder_details(studio: Studio) -> None:
	builder(studio)
	card = studio.page.locator(".milestone-card").nth(2)
	card.locator("> .milestone-card-head [data-do=toggle]").click()
	card.evaluate("(element) => element.scrollIntoView({ block: 'center' })")
	studio.settle()


def preview(studio: Studio) -> None:
	builder(studio)
	studio.page.locator("[data-do=preview]").click()
	studio.page.locator(".modal.show .milestone-preview-stages").wait_for()
	studio.settle()


def ready_workflows(studio: Studio) -> None:
	studio.open("/app/milestone-workflow", ".list-row")
	studio.page.get_by_role("button", name="Ready Workflows").click()
	studio.settle()


def workspace(studio: Studio) -> None:
	studio.open("/app/milestone-automation", ".number-widget-box")
	studio.page.wait_for_timeout(1500)


def my_work(studio: Studio) -> None:
	studio.open("/app/my-milestones", ".milestone-work h2")


def board(studio: Studio) -> None:
	studio.open("/app/milestone-board", ".milestone-board-card")


def grid(studio: Studio) -> None:
	studio.open("/app/milestone-grid", ".milestone-sheet td")
	cells = studio.page.locator(".milestone-sheet td.may-move")
	cells.nth(1).click()
	cells.nth(6).click(modifiers=["Shift"])


def plans(studio: Studio) -> None:
	studio.open("/app/milestone-plan", ".list-row")


def tasks(studio: Studio) -> None:
	studio.open("/app/milestone-task", ".list-row")


def calendar(studio: Studio) -> None:
	studio.open("/app/milestone-plan/view/calendar/default", ".fc-event")


def gantt(studio: Studio) -> None:
	studio.open("/app/milestone-task/view/gantt", ".bar-wrapper")


def tracker(studio: Studio) -> None:
	studio.open("/app/milestone-tracker", ".list-row")
	studio.page.locator(".list-row .list-subject a").first.click()
	studio.page.locator(".form-layout:visible table.table-sm tbody tr").first.wait_for()
	studio.settle()


def task(studio: Studio) -> None:
	studio.open_order()
	studio.page.locator(".milestone-blocked a").first.click()
	studio.page.locator(".form-layout:visible [data-fieldname=title]").first.wait_for()
	studio.settle()


BUYER = "buyer@garments.example"
# name: (function, width and height, language of the Administrator); shown to the Administrator, some to the buyer
SHOWN_TO = {"my-work": BUYER}
PICTURES: dict[str, tuple[Callable[[Studio], None], tuple[int, int], str]] = {
	"panel": (panel, DESKTOP, "en"),
	"panel-dark": (panel_dark, DESKTOP, "en"),
	"panel-phone": (panel_phone, PHONE, "en"),
	"panel-arabic": (panel_arabic, DESKTOP, "ar"),
	"panel-german": (panel, DESKTOP, "de"),
	"reschedule": (reschedule, DESKTOP, "en"),
	"refusal": (refusal, DESKTOP, "en"),
	"timeline": (timeline, DESKTOP, "en"),
	"builder": (builder, TALL, "en"),
	"builder-start": (builder_start, DESKTOP, "en"),
	"builder-details": (builder_details, TALL, "en"),
	"compare": (compare, DESKTOP, "en"),
	"preview": (preview, DESKTOP, "en"),
	"ready-workflows": (ready_workflows, DESKTOP, "en"),
	"workspace": (workspace, TALL, "en"),
	"my-work": (my_work, DESKTOP, "en"),
	"board": (board, DESKTOP, "en"),
	"grid": (grid, DESKTOP, "en"),
	"plans": (plans, DESKTOP, "en"),
	"tasks": (tasks, DESKTOP, "en"),
	"calendar": (calendar, DESKTOP, "en"),
	"gantt": (gantt, DESKTOP, "en"),
	"tracker": (tracker, DESKTOP, "en"),
	"task": (task, DESKTOP, "en"),
}


def main(names: list[str]) -> int:
	unknown = set(names) - set(PICTURES)
	if unknown:
		raise DevError(f"There is no picture {', '.join(unknown)}. There are: {', '.join(PICTURES)}.")
	if not desk.chromium():
		raise DevError("Pictures need Chromium. On Debian: apt-get install chromium")
	FOLDER.mkdir(parents=True, exist_ok=True)
	run = Run.load(os.environ["MILESTONE_RUN"])
	clone = new_clone(run.bench)
	try:
		clone.add_site(run.app, SITE)
		order = fill(clone)
		with served(clone) as url, chromium() as browser:
			failed = [name for name in names or PICTURES if not take(browser, url, clone, name, order)]
	finally:
		clone.drop()
	if failed:
		report.say(f"Not made: {', '.join(failed)}")
	return 1 if failed else 0


def fill(clone: CloneBench) -> str:
	"""Load the demo; return the order that is shown: one that is held, if there is one.

	Args:
		clone: with the site `SITE`.

	Returns:
		str: name of the order.

	Raises:
		DevError: the demo's data cannot be made.
	"""
	with report.step("Demo data"):
		printed = python(clone, FILL)
	return printed.rpartition("ORDER ")[2].strip()


def python(clone: CloneBench, code: str) -> str:
	command = clone.python_command(SITE, "-")
	done = execute(
		command, input=code, capture_output=True, text=True, cwd=clone.sites, env=clone.environment()
	)
	if done.returncode:
		raise DevError(f"The demo's data cannot be made:\n{done.stderr[-3000:]}")
	return done.stdout


@contextmanager
def served(clone: CloneBench):
	process, port = web.serve(clone, SITE, 21900, 2)
	try:
		yield f"http://127.0.0.1:{port}"
	finally:
		web.stop(process)


@contextmanager
def chromium():
	from playwright.sync_api import sync_playwright

	with sync_playwright() as playwright:
		browser = playwright.chromium.launch(executable_path=desk.chromium(), args=list(FLAGS))
		yield browser
		browser.close()


def take(browser, url: str, clone: CloneBench, name: str, order: str) -> bool:
	"""Take one picture; say it and go on when it cannot be made.

	Args:
		browser: Playwright's.
		url: of the served site.
		clone: whose site it is.
		name: of the picture, one of `PICTURES`.
		order: name of the order that is shown.

	Returns:
		bool: whether it was made.

	Raises:
		DevError: the login fails.
	"""
	from playwright.sync_api import Error

	function, (width, height), language = PICTURES[name]
	set_language(clone, language)
	context = browser.new_context(viewport={"width": width, "height": height}, base_url=url)
	context.set_default_timeout(25_000)
	try:
		answer = context.request.post(
			"/api/method/login", form={"usr": SHOWN_TO.get(name, "Administrator"), "pwd": ADMIN_PASSWORD}
		)
		if not answer.ok:
			raise DevError(f"The login fails: {answer.text()[:300]}")
		studio = Studio(context.new_page(), order)
		function(studio)
		studio.page.screenshot(path=FOLDER / f"{name}.png")
		report.say(f"docs/images/{name}.png")
	except Error as error:
		report.say(f"docs/images/{name}.png: {error.message.splitlines()[0]} ({studio.page.url})")
		return False
	finally:
		context.close()
	return True


_language = "en"


def set_language(clone: CloneBench, language: str) -> None:
	global _language
	if language != _language:
		python(
			clone,
			f"""
import frappe
frappe.db.set_value("User", "Administrator", "language", "{language}")
frappe.db.commit()
frappe.clear_cache(user="Administrator")
""",
		)
		_language = language


if __name__ == "__main__":
	sys.exit(main(sys.argv[1:]))
