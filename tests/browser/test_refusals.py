"""A refusal of the gate is resolved where it is shown: done or waived, then saved or confirmed again."""

import json
import re

import pytest

from tests.browser.conftest import BUYER, CLERK, ORDER

pytestmark = pytest.mark.browser

# The clerk owns the milestone that is confirmed, and has one of the tasks before the other.
HELD = {
	"doctype": "Milestone Workflow",
	"workflow_name": "Held Orders",
	"document_type": ORDER,
	"enabled": 1,
	"priority": 9,
	"document_filters": '[["Sample Order", "order_no", "like", "HELD-%"]]',
	"stages": [
		{
			"stage_name": "Inspected",
			"key_date_rule": "After Creation",
			"offset_days": 5,
			"owner_kind": "User",
			"owner_user": CLERK,
		},
		{
			"stage_name": "Released",
			"key_date_rule": "After Creation",
			"offset_days": 20,
			"reach_rule": "Field Value",
			"track_field": "status",
			"track_value": "Released",
			"exit_criteria": json.dumps([{"kind": "File Is Attached", "label": "Certificate of origin"}]),
		},
	],
	"tasks": [
		{
			"stage": "Inspected",
			"title": "Book the inspector",
			"required": 1,
			"assignee_kind": "One Team Member",
			"assignee_user": CLERK,
		},
		{
			"stage": "Released",
			"title": "Packing list <i>signed</i>",
			"required": 1,
			"assignee_kind": "One Team Member",
			"assignee_user": CLERK,
		},
		{
			"stage": "Released",
			"title": "Labels approved",
			"required": 1,
			"assignee_kind": "One Team Member",
			"assignee_user": BUYER,
		},
	],
}


@pytest.fixture(scope="module")
def held(workflow, orders):
	orders.site.run(
		f"import frappe, json\nfrappe.get_doc(json.loads({json.dumps(HELD)!r})).insert()\nfrappe.db.commit()"
	)


@pytest.fixture
def order_page(held, make_order, visit):
	"""Function that opens a new order with a blocked milestone."""

	def open_order(name: str, user: str = BUYER, width: int = 1280):
		make_order(name)
		page = visit(f"/app/sample-order/{name}", user=user, width=width)
		page.locator(".milestone-steps").wait_for()
		return page

	return open_order


def status_of(name: str) -> str:
	return f"frappe.db.get_value('{ORDER}', '{name}', 'status')"


def open_dialog(page):
	"""The dialog that is open, once the fading has ended."""
	dialog = page.locator(".modal.show")
	dialog.locator(".milestone-refusal").wait_for()
	# One that gives way fades out; two that stay would be stacked.
	page.wait_for_function("document.querySelectorAll('.modal.show').length === 1")
	return dialog


def release(page):
	page.evaluate("cur_frm.set_value('status', 'Released')")
	page.locator(".primary-action:visible", has_text="Save").click()
	return open_dialog(page)


def press(dialog, label: str):
	dialog.get_by_role("button", name=re.compile(f"^{label}")).click()


def waive(dialog, title: str, reason: str):
	press(dialog, f"Waive {title}")
	dialog.locator("textarea").fill(reason)
	press(dialog, "Waive$")
	dialog.locator(".milestone-refusal-row.is-closed", has_text=title).wait_for()


def test_what_blocks_a_save_is_done_and_waived_in_one_dialog_and_saved_again(order_page, stored):
	page = order_page("HELD-SAVE")
	dialog = release(page)
	again = dialog.get_by_role("button", name="Save Again")
	assert again.is_disabled()
	assert dialog.locator(".milestone-refusal-row").count() == 3
	assert dialog.locator(".milestone-refusal i").count() == 0

	press(dialog, "Complete Labels approved")
	dialog.locator(".milestone-refusal-row.is-closed", has_text="Labels approved").wait_for()
	waive(dialog, "Packing list", "The forwarder has it")
	assert again.is_disabled()
	waive(dialog, "Certificate of origin", "Sent by courier")
	dialog.get_by_text("Nothing blocks Released").wait_for()
	again.click()

	page.locator(".milestone-step.is-reached", has_text="Released").wait_for()
	assert page.locator(".modal.show").count() == 0
	assert stored(status_of("HELD-SAVE")) == "Released"
	reasons = stored(
		"frappe.get_all('Milestone Plan Log', filters={'reference_name': 'HELD-SAVE', 'reason': ('is', 'set')},"
		" order_by='creation', pluck='reason')"
	)
	assert reasons == ["The forwarder has it", "Sent by courier"]


def test_an_assignee_is_offered_what_they_may_do_and_no_waiver(order_page, stored):
	page = order_page("HELD-CLERK", user=CLERK)
	dialog = release(page)
	assert dialog.get_by_role("button", name="Complete Packing list").count() == 1
	assert dialog.get_by_role("button", name="Complete Labels approved").count() == 0
	assert dialog.locator("[data-do=waive]").count() == 0
	assert "ask a Milestone Manager to waive them" in dialog.inner_text()

	press(dialog, "Complete Packing list")
	dialog.locator(".milestone-refusal-row.is-closed", has_text="Packing list").wait_for()
	assert dialog.get_by_role("button", name="Save Again").is_disabled()
	press(dialog, "Close")
	dialog.wait_for(state="detached")
	assert stored(status_of("HELD-CLERK")) == "Open"


def test_a_confirmation_that_is_refused_is_confirmed_again(order_page):
	page = order_page("HELD-CONFIRM", user=CLERK)
	page.locator(".milestone-step button", has_text="Inspected").click()
	page.locator(".milestone-panel:visible [data-action=confirm]").first.click()
	page.locator(".modal.show .btn-modal-primary:visible").click()
	dialog = open_dialog(page)
	assert dialog.get_by_role("button", name="Save Again").count() == 0
	press(dialog, "Complete Book the inspector")
	dialog.get_by_text("Nothing blocks Inspected").wait_for()
	press(dialog, "Confirm Again")

	page.locator(".milestone-step.is-reached", has_text="Inspected").wait_for()
	assert page.locator(".modal.show").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_user_resolves_it_with_keys_and_a_screen_reader(order_page, findings, theme):
	page = order_page(f"HELD-PHONE-{theme}", width=390)
	page.evaluate("(theme) => document.documentElement.setAttribute('data-theme', theme)", theme)
	dialog = release(page)
	assert dialog.locator(".modal-body").evaluate("(body) => body.scrollWidth <= body.clientWidth")
	assert findings(page, ".milestone-refusal") == []
	for button in dialog.locator(".milestone-refusal button").all():
		assert button.bounding_box()["height"] >= 24
	assert page.evaluate("document.activeElement.dataset.do") == "complete"

	page.keyboard.press("Enter")
	dialog.locator(".milestone-refusal-row.is-closed").wait_for()
	said = dialog.locator("[role=status]").text_content()
	assert "Completed." in said and "Nothing blocks" not in said
	assert page.evaluate("document.activeElement.dataset.do") == "complete"
	page.keyboard.press("Tab")
	page.keyboard.press("Enter")
	page.keyboard.type("Late")
	assert findings(page, ".milestone-refusal") == []
	page.keyboard.press("Tab")
	page.keyboard.press("Enter")
	dialog.locator(".milestone-refusal-row.is-closed >> nth=1").wait_for()
	assert dialog.locator(".milestone-refusal-row.is-closed", has_text="Waived").count() == 1


def test_a_waiver_without_a_reason_is_not_sent(order_page):
	page = order_page("HELD-REASON")
	dialog = release(page)
	press(dialog, "Waive Labels approved")
	press(dialog, "Waive$")
	assert dialog.locator("textarea[aria-invalid=true]").evaluate("(box) => box === document.activeElement")
	press(dialog, "Cancel")
	assert dialog.locator("textarea").count() == 0
	assert dialog.locator(".milestone-refusal-row.is-closed").count() == 0


def test_bulk_edit_says_one_line_for_each_document(held, make_order, visit, stored):
	names = [make_order(f"HELD-BULK-{number}") for number in (1, 2)]
	page = visit(f"/app/sample-order/{names[0]}", user=BUYER)
	page.locator(".milestone-steps").wait_for()
	page.evaluate(
		"""(docnames) => { frappe.call("frappe.desk.doctype.bulk_update.bulk_update.submit_cancel_or_update_docs",
			{ doctype: "Sample Order", docnames, action: "update", data: { status: "Released" } }); }""",
		names,
	)
	message = page.locator(".modal.show .msgprint")
	message.get_by_text(names[1]).wait_for()
	lines = [line for line in message.inner_text().splitlines() if line.strip()]
	assert [line.partition(":")[0] for line in lines] == [f"{ORDER} {name}" for name in names]
	assert all("Released is blocked by" in line and "Labels approved" in line for line in lines)
	assert stored(status_of(names[0])) == "Open"


def test_what_has_nothing_to_resolve_is_said_by_frappe(held, visit):
	page = visit("/app/sample-order/new-sample-order-1", user=BUYER)
	page.locator(".form-layout:visible").first.wait_for()
	page.evaluate(
		"""() => { frappe.call("frappe.client.insert",
			{ doc: { doctype: "Sample Order", order_no: "HELD-NEW", status: "Released" } }); }"""
	)
	message = page.locator(".modal.show .msgprint")
	message.get_by_text("required tasks come before").wait_for()
	assert page.locator(".milestone-refusal").count() == 0
