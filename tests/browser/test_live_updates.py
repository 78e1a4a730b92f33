"""What one session saves is seen in the pages of others at once, by whoever may read it."""

import json

import pytest
import requests

from tests.browser.conftest import BUYER, CLERK, ORDER, PASSWORD

STRANGER = "stranger@example.com"
SET_UP_STRANGER = f"""
import frappe
from frappe.utils.password import update_password

frappe.get_doc({{"doctype": "Role", "role_name": "Stranger", "desk_access": 1}}).insert()
user = frappe.get_doc({{
	"doctype": "User", "email": "{STRANGER}", "first_name": "Stranger", "send_welcome_email": 0,
	"roles": [{{"role": "Stranger"}}],
}})
user.flags.no_welcome_mail = True
user.insert()
update_password("{STRANGER}", "{PASSWORD}")
frappe.db.commit()
"""
LISTEN = "window.heard = []; frappe.realtime.socket.onAny((event, ...given) => heard.push([event, ...given]))"
HEARD = """(name) => ["doc_update", "list_update"].every((event) =>
	heard.some(([one, values]) => one === event && values.name === name)
)"""
SUBSCRIBE = f"""(name) => {{
	frappe.realtime.emit("doctype_subscribe", "{ORDER}");
	frappe.realtime.emit("doc_subscribe", "{ORDER}", name);
	frappe.realtime.emit("doc_open", "{ORDER}", name);
}}"""


@pytest.fixture(scope="module")
def server(live_server):
	return live_server


@pytest.fixture
def live(visit):
	"""Function `live(path, user)`: a page that listens; fails the test on refused requests and errors in the console."""
	pages = []

	def open_page(path: str, user: str = "Administrator"):
		page = visit(path, user)
		page.refused = []
		page.on("requestfailed", lambda request: page.refused.append(request.url))
		page.on("response", lambda answer: answer.status >= 400 and page.refused.append(answer.url))
		page.on("console", lambda text: text.type == "error" and page.refused.append(text.text))
		page.wait_for_function("frappe.realtime.socket && frappe.realtime.socket.connected")
		pages.append(page)
		return page

	yield open_page
	assert [page.refused for page in pages] == [[] for _page in pages]


def save(server, name: str, **values) -> None:
	"""Another session saves an order."""
	answer = server.login(CLERK, PASSWORD).put(f"/api/resource/{ORDER}/{name}", json=values)
	assert answer.ok, answer.text[:500]


def test_a_list_and_a_form_show_what_another_session_saves(workflow, server, live, make_order):
	make_order("LIVE-1")
	form = live("/app/sample-order/LIVE-1", BUYER)
	form.locator(".milestone-steps").wait_for()
	orders = live("/app/sample-order")
	orders.locator(".list-row", has_text="LIVE-1").wait_for()

	save(server, "LIVE-1", status="Confirmed")

	orders.locator(".list-row", has_text="LIVE-1").get_by_text("Confirmed").first.wait_for()
	form.wait_for_function("cur_frm.doc.status === 'Confirmed'")


def test_a_panel_shows_a_task_that_another_session_completes(workflow, server, live, make_order, stored):
	make_order("LIVE-2")
	plan = stored("frappe.db.get_value('Milestone Plan', {'reference_name': 'LIVE-2'})")
	pages = [live(f"/app/{path}", BUYER) for path in ("sample-order/LIVE-2", f"milestone-plan/{plan}")]
	for page in pages:
		page.locator(".milestone-step button:visible", has_text="Released").click()
		page.locator(".milestone-task:visible:not(.is-closed)", has_text="Packing list").wait_for()

	task = stored(f"frappe.db.get_value('Milestone Task', {{'plan': '{plan}', 'required': 1}})")
	server.login(CLERK, PASSWORD).call("milestone_automation.api.complete_task", task=task)

	for page in pages:
		page.locator(".milestone-task.is-closed:visible", has_text="Packing list").wait_for()


def test_a_job_that_was_asked_for_says_when_it_is_done(workflow, server, live, make_order):
	make_order("LIVE-4")
	page = live(f"/app/milestone-tracker/{ORDER}-status")
	page.get_by_role("button", name="Record Past Changes").click()
	page.locator(".modal.show .btn-primary:visible").click()
	page.locator(".desk-alert", has_text="Started.").wait_for()

	server.worker()

	page.locator(".desk-alert", has_text="milestones recorded from").wait_for()
	page.locator(".modal.show").wait_for(state="detached")


def test_who_may_not_read_a_document_hears_nothing_of_it(workflow, server, live, make_order):
	server.site.run(SET_UP_STRANGER)
	make_order("LIVE-3")
	pages = [live("/app/user-profile", user) for user in (STRANGER, BUYER)]
	for page in pages:
		page.evaluate(LISTEN)
		page.evaluate(SUBSCRIBE, "LIVE-3")
	stranger, buyer = pages
	# A page does not say when it has been let into a room.
	for status in ["Confirmed", "Open"] * 10:
		save(server, "LIVE-3", status=status)
		buyer.wait_for_timeout(300)
		if buyer.evaluate(HEARD, "LIVE-3"):
			break
	assert buyer.evaluate(HEARD, "LIVE-3"), buyer.evaluate("heard")
	save(server, "LIVE-3", ship_date="2030-01-01")
	server.site.run(f"import frappe\nfrappe.publish_realtime('done', {{}}, user='{STRANGER}')")
	stranger.wait_for_function("heard.some(([event]) => event === 'done')")

	assert [event for event, *given in stranger.evaluate("heard") if "LIVE-3" in str(given)] == []


def test_a_page_of_elsewhere_is_refused_though_the_cookie_goes_with_it(server):
	sid = server.login().cookies["sid"]
	assert joined(server, server.url, sid).startswith("40/")
	for origin in ("http://elsewhere.example", "null"):
		assert joined(server, origin, sid).startswith("44/")


def joined(server, origin: str, sid: str) -> str:
	"""What socket.io answers who asks for the site's events: "40…" to come in, "44…" to stay out."""
	port = json.loads((server.site.path / "site_config.json").read_text())["socketio_port"]
	browser = requests.Session()
	browser.headers.update({"Origin": origin, "Cookie": f"sid={sid}"})
	browser.params = {"EIO": 4, "transport": "polling"}
	address = f"http://127.0.0.1:{port}/socket.io/"
	browser.params["sid"] = browser.get(address, timeout=30).text.partition('"sid":"')[2].partition('"')[0]
	browser.post(address, data=f"40/{server.site.name},", timeout=30)
	return browser.get(address, timeout=30).text
