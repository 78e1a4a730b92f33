"""Somebody from outside on a phone, without an account, with nothing but the link in a mail."""

import json
import os

import pytest

from tests.browser.conftest import ORDER
from tests.support.files import pdf

pytestmark = pytest.mark.browser

MILL = "mill@example.org"
WORKFLOW = {
	"doctype": "Milestone Workflow",
	"workflow_name": "With a Mill",
	"document_type": ORDER,
	"enabled": 1,
	"priority": 9,
	"shown_fields": "order_no\nship_date",
	"document_filters": '[["Sample Order", "order_no", "like", "MILL-%"]]',
	"stages": [
		{
			"stage_name": "Fabric woven",
			"key_date_rule": "After Creation",
			"offset_days": 2,
			"owner_kind": "Third-Party Collaborator",
			"owner_name": "The Mill",
			"owner_email": MILL,
		}
	],
	"tasks": [
		{
			"stage": "Fabric woven",
			"title": "Send the lab dips",
			"required": 1,
			"assignee_kind": "Third-Party Collaborator",
			"collaborator_name": "The Mill",
			"collaborator_email": MILL,
		}
	],
}
LINK = f"""
from milestone_automation.engine.people.signed_links import Purpose, make_token
print(make_token(Purpose.PERSON, "", "{MILL}"))
"""


SPEAKS = """
import frappe
frappe.db.set_single_value("System Settings", "language", "{}")
frappe.clear_cache()
frappe.db.commit()
"""


@pytest.fixture(scope="module")
def token(orders, workflow):
	"""The token of the mill's own page; its workflow is there."""
	code = f"import frappe, json\nfrappe.get_doc(json.loads({json.dumps(WORKFLOW)!r})).insert()\nfrappe.db.commit()"
	orders.site.run(code)
	return orders.site.run(LINK).split()[-1]


@pytest.fixture
def phone(browser, orders):
	"""A phone that has never been here, on the served site."""
	context = browser.new_context(
		base_url=orders.url, viewport={"width": 390, "height": 800}, has_touch=True, bypass_csp=True
	)
	context.set_default_timeout(90_000)
	yield context.new_page()
	context.close()


def picture(page, name: str) -> None:
	if folder := os.environ.get("MILESTONE_SCREENSHOTS"):
		page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_a_mill_sends_its_file_and_says_that_the_fabric_is_woven(
	orders, token, make_order, phone, findings, tmp_path
):
	make_order("MILL-0001", ship_date="2031-03-04")
	lab_dips = tmp_path / "Lab dips.pdf"
	lab_dips.write_bytes(pdf("lab dips"))

	phone.goto(f"/milestones?token={token}")
	rows = phone.locator(".milestone-list > li")
	assert [row.split("\n")[0] for row in rows.all_inner_texts()] == [
		"Send the lab dips",
		"Fabric woven",
	]
	shown = rows.first.inner_text().split("\n")
	assert shown[shown.index("Order No") + 1] == "MILL-0001"
	assert findings(phone, ".milestone-card") == []
	assert phone.evaluate("document.documentElement.scrollWidth") <= 390
	picture(phone, "outside-list")

	phone.get_by_role("link", name="Open task").click()
	phone.locator("#file").set_input_files(lab_dips)
	picture(phone, "outside-task")
	phone.get_by_role("button", name="Mark as done").click()
	phone.get_by_text("is marked as done").wait_for()

	phone.goto(f"/milestones?token={token}")
	phone.get_by_role("heading", name="Done").wait_for()
	phone.get_by_role("link", name="Answer").click()
	phone.get_by_role("button", name="Yes, it has been reached").click()
	phone.get_by_text("is marked as reached on").wait_for()

	phone.goto(f"/milestones?token={token}")
	phone.get_by_text("Nothing is open for you.").wait_for()
	done = phone.locator(".milestone-list.is-done > li").all_inner_texts()
	assert sorted(row.split("\n")[0] for row in done) == ["Fabric woven", "Send the lab dips"]
	picture(phone, "outside-done")
	said = orders.site.run(
		"import frappe\n"
		"print(frappe.get_all('File', {'attached_to_doctype': 'Milestone Task'}, ['file_name', 'is_private']))\n"
		"print(frappe.get_all('Milestone Plan Stage', {'stage_name': 'Fabric woven'}, pluck='confirmed_by_outside'))"
	)
	assert "'file_name': 'Lab dips.pdf', 'is_private': 1" in said
	assert "['The Mill']" in said


def test_who_reads_arabic_reads_the_pages_from_right_to_left(orders, token, make_order, phone, findings):
	make_order("MILL-0002", ship_date="2031-03-04")
	orders.site.run(SPEAKS.format("ar"))
	try:
		phone.goto(f"/milestones?token={token}")
		for page in ("list", "task", "answer"):
			card = phone.locator(".milestone-card")
			card.wait_for()
			assert card.evaluate("(one) => getComputedStyle(one).direction") == "rtl"
			assert phone.evaluate("document.documentElement.scrollWidth") <= 390
			assert findings(phone, ".milestone-card") == []
			picture(phone, f"outside-{page}-ar")
			link = {"list": "milestone-task", "task": "milestone-answer"}.get(page)
			if link:
				phone.goto(f"/milestones?token={token}")
				phone.locator(f'a[href*="/{link}?"]').last.click()
				phone.wait_for_url(f"**/{link}?**")
	finally:
		orders.site.run(SPEAKS.format("en"))
