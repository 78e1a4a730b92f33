"""What the browser tests share: a DocType of orders, people, and a page that tells on its errors."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from devtool.paths import STATE

# What Frappe's own workspace editor throws now and then while its charts load.
FOREIGN_FAULT = "Failed to execute 'removeChild' on 'Node'"
AXE_VERSION = "4.10.3"
PASSWORD = "Browser-pw-2026"
BUYER = "buyer@example.com"
CLERK = "clerk@example.com"
ORDER = "Sample Order"

# Sums up in `window.shifts` how far what is seen moves by itself; from 0.1 on people notice it.
SHIFTS = """
window.shifts = 0;
new PerformanceObserver((list) => {
	for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""

SET_UP = f"""
import frappe
from frappe.utils.password import update_password

frappe.db.set_single_value("System Settings", "setup_complete", 1)
if frappe.db.has_column("Installed Application", "is_setup_complete"):
	frappe.db.set_value("Installed Application", {{"app_name": "frappe"}}, "is_setup_complete", 1)
if not frappe.db.exists("Role", "Order Clerk"):
	frappe.get_doc({{"doctype": "Role", "role_name": "Order Clerk", "desk_access": 1}}).insert()
for email, roles in (("{BUYER}", ["Order Clerk", "Milestone Manager"]), ("{CLERK}", ["Order Clerk"])):
	user = frappe.get_doc({{
		"doctype": "User", "email": email, "first_name": email.partition("@")[0].title(),
		"send_welcome_email": 0, "user_type": "System User",
	}})
	user.flags.no_welcome_mail = True
	user.insert()
	user.add_roles(*roles)
	update_password(email, "{PASSWORD}")
rights = {{"read": 1, "write": 1, "create": 1, "delete": 1, "report": 1}}
frappe.get_doc({{
	"doctype": "DocType", "name": "{ORDER}", "module": "Custom", "custom": 1, "autoname": "field:order_no",
	"track_changes": 1, "editable_grid": 1,
	"fields": [
		{{"fieldname": "order_no", "label": "Order No", "fieldtype": "Data", "reqd": 1, "unique": 1, "in_list_view": 1}},
		{{"fieldname": "status", "label": "Order Status", "fieldtype": "Select", "in_list_view": 1,
			"options": "Open\\nConfirmed\\nReleased", "default": "Open", "allow_bulk_edit": 1}},
		{{"fieldname": "ship_date", "label": "Ship Date", "fieldtype": "Date"}},
		{{"fieldname": "merchandiser", "label": "Merchandiser", "fieldtype": "Link", "options": "User"}},
	],
	"permissions": [{{"role": "System Manager", **rights}}, {{"role": "Order Clerk", **rights}}],
}}).insert()
frappe.db.commit()
"""

WORKFLOW = {
	"doctype": "Milestone Workflow",
	"workflow_name": "Order to Release",
	"document_type": ORDER,
	"enabled": 1,
	"stages": [
		{
			"stage_name": "Order accepted",
			"kind": "Acceptance",
			"key_date_rule": "After Creation",
			"offset_days": 1,
		},
		{
			"stage_name": "Released",
			"key_date_rule": "After Previous Milestone",
			"offset_days": 14,
			"reach_rule": "Field Value",
			"track_field": "status",
			"track_value": "Released",
		},
	],
	"tasks": [
		{
			"stage": "Released",
			"title": "Packing list <b>signed</b>",
			"required": 1,
			"assignee_kind": "One Team Member",
			"assignee_user": CLERK,
			"due_days_before": 2,
		},
		{
			"stage": "Released",
			"title": "Photos of the goods",
			"assignee_kind": "One Team Member",
			"assignee_user": BUYER,
		},
	],
}


@pytest.fixture(scope="module")
def orders(server):
	"""The served site, with the DocType of orders and two people."""
	server.site.run(SET_UP)
	return server


@pytest.fixture(scope="module")
def workflow(orders):
	"""The name of an enabled workflow for orders; its last milestone is held by a required task."""
	orders.site.run(
		f"import frappe, json\nfrappe.get_doc(json.loads({json.dumps(WORKFLOW)!r})).insert()\nfrappe.db.commit()"
	)
	return WORKFLOW["workflow_name"]


@pytest.fixture
def make_order(orders):
	"""Function that makes an order on the served site and returns its name."""

	def make(name: str, **values) -> str:
		document = {"doctype": ORDER, "order_no": name} | values
		orders.site.run(
			f"import frappe, json\nfrappe.get_doc(json.loads({json.dumps(document)!r})).insert()\nfrappe.db.commit()"
		)
		return name

	return make


@pytest.fixture
def stored(orders):
	"""Function that runs an expression on the served site and returns its value."""

	def read(expression: str):
		return json.loads(
			orders.site.run(f"import frappe, json\nprint(json.dumps({expression}))").splitlines()[-1]
		)

	return read


@pytest.fixture
def becomes(stored):
	"""Function that tells whether an expression on the served site has a value within half a minute."""

	def wait(expression: str, value) -> bool:
		end = time.monotonic() + 30
		while stored(expression) != value and time.monotonic() < end:
			time.sleep(0.3)
		return stored(expression) == value

	return wait


@pytest.fixture
def visit(desk, request):
	"""Function `visit(path, user="Administrator", width=1280)`: a page that fails the test on errors of our own."""
	pages = []

	def open_page(path: str, user: str = "Administrator", width: int = 1280):
		own = {} if user == "Administrator" else {"password": PASSWORD}
		page = desk(user, path, **own)
		page.set_viewport_size({"width": width, "height": 900})
		page.faults = []
		page.asked = []
		page.on("pageerror", lambda error: page.faults.append(str(error)))
		page.on("request", lambda request: page.asked.append(request.url))
		pages.append(page)
		# Frappe draws a page anew while it loads: what is clicked or typed before would be gone.
		page.wait_for_load_state("networkidle")
		return page

	yield open_page
	if folder := os.environ.get("MILESTONE_SCREENSHOTS"):
		for number, page in enumerate(pages):
			page.screenshot(path=f"{folder}/{request.node.name}-{number}.png")
	for page in pages:
		faults = [fault for fault in page.faults if FOREIGN_FAULT not in fault]
		assert not faults, f"Errors in the console of {page.url}: {faults}"


@pytest.fixture(scope="session")
def axe_script() -> Path:
	"""axe-core, from npm, beside the other things the tool fetches."""
	folder = STATE / "axe"
	script = folder / "node_modules" / "axe-core" / "axe.min.js"
	if not script.exists():
		if not shutil.which("npm"):
			pytest.skip("accessibility is not checked: there is no npm to fetch axe-core with")
		folder.mkdir(parents=True, exist_ok=True)
		command = [
			"npm",
			"install",
			"--no-audit",
			"--no-fund",
			"--prefix",
			str(folder),
			f"axe-core@{AXE_VERSION}",
		]
		done = subprocess.run(command, capture_output=True, text=True)
		if done.returncode:
			pytest.skip(f"accessibility is not checked: axe-core cannot be fetched: {done.stderr[-300:]}")
	return script


@pytest.fixture
def findings(axe_script):
	"""Function `findings(page, selector)`: what axe-core calls serious or critical within an element."""

	def find(page, selector: str) -> list[str]:
		page.add_script_tag(path=str(axe_script))
		return page.evaluate(
			"""async (selector) => {
				// Colours that are still fading are nobody's mistake.
				const moving = document.getAnimations().filter((one) => one.playState === "running");
				const short = moving.filter((one) => one.effect.getComputedTiming().endTime < 2000);
				const over = Promise.all(short.map((one) => one.finished.catch(() => {})));
				await Promise.race([over, new Promise((resolve) => setTimeout(resolve, 3000))]);
				// The colour of a description is Frappe's.
				const context = { include: [selector], exclude: [".text-extra-muted"] };
				const result = await axe.run(context, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] });
				return result.violations
					.filter((one) => ["serious", "critical"].includes(one.impact))
					.map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 200)).join(" | ")}`);
			}""",
			selector,
		)

	return find
