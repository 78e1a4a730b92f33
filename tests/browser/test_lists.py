"""Lists, titles and prints: what people read is documents, milestones and dates, and several plans are acted on at once."""

import json

import pytest

from tests.browser.conftest import BUYER, ORDER

pytestmark = pytest.mark.browser

# Tracked by the workflow; the first milestone is confirmed, the second reached by the status.
LISTED = {
	"doctype": "Milestone Workflow",
	"workflow_name": "Listed Orders",
	"document_type": ORDER,
	"enabled": 1,
	"priority": 9,
	"document_filters": '[["Sample Order", "order_no", "like", "LIST-%"]]',
	"stages": [
		{"stage_name": "Accepted", "key_date_rule": "After Creation", "offset_days": 5},
		{
			"stage_name": "Confirmed",
			"key_date_rule": "After Creation",
			"offset_days": 20,
			"reach_rule": "Field Value",
			"track_field": "status",
			"track_value": "Confirmed",
		},
	],
	"tasks": [{"stage": "Accepted", "title": "Check the price", "required": 0}],
}
CONFIRM = """
import frappe
order = frappe.get_doc("Sample Order", "{name}")
order.status = "Confirmed"
order.save()
frappe.db.commit()
"""


@pytest.fixture(scope="module")
def listed(workflow, orders):
	orders.site.run(
		f"import frappe, json\nfrappe.get_doc(json.loads({json.dumps(LISTED)!r})).insert()\nfrappe.db.commit()"
	)


def plan_of(name: str) -> str:
	return f"frappe.db.get_value('Milestone Plan', {{'reference_name': '{name}'}})"


def choose(page, *names: str):
	"""Tick rows of a list and open its Actions."""
	for name in names:
		page.locator(".list-row", has_text=name).locator("input.list-row-checkbox").check()
	page.locator(".actions-btn-group button:visible").first.click()


def act(page, label: str):
	page.locator(".actions-btn-group .dropdown-item:visible", has_text=label).first.click()
	dialog = page.locator(".modal.show")
	dialog.locator(".btn-modal-primary:visible").wait_for()
	return dialog


@pytest.mark.parametrize("width", [1280, 390])
def test_a_milestone_is_called_by_its_document_and_change(listed, make_order, visit, orders, stored, width):
	name = make_order(f"LIST-MS-{width}")
	orders.site.run(CONFIRM.format(name=name))
	title = f"{name} · Order Status: Open → Confirmed"
	page = visit(f"/app/milestone?reference_name={name}", width=width)
	row = page.locator(".list-row", has_text=title)
	row.wait_for()
	shown = page.locator(".list-row-head").inner_text() if width > 1000 else ""
	if width > 1000:
		assert [word for word in ("Reached On", "Reached By") if word not in shown] == []
		assert "You" in row.inner_text()
		assert not [word for word in ("Document Type", "ID") if word in shown.split("\n")]
	assert row.locator("input.list-row-checkbox").count() == 1
	record = stored(f"frappe.db.get_value('Milestone', {{'reference_name': '{name}', 'value': 'Confirmed'}})")
	assert record not in page.locator(".list-row-container").first.inner_text()
	row.get_by_role("link", name=title).click()
	# Frappe 16 on a phone has the second one only.
	page.locator(".title-text:visible, .title-text-form:visible", has_text=title).first.wait_for()


def test_current_milestones_of_several_plans_are_confirmed(listed, make_order, visit, stored):
	names = [make_order(f"LIST-OK-{number}") for number in (1, 2)]
	page = visit("/app/milestone-plan?reference_name=%5B%22like%22%2C%22LIST-OK-%25%22%5D", user=BUYER)
	choose(page, *names)
	dialog = act(page, "Confirm Current Milestones")
	dialog.locator(".btn-modal-primary:visible").click()
	page.locator(".desk-alert", has_text="2 plans changed").wait_for()

	for name in names:
		assert (
			stored(f"frappe.db.get_value('Milestone Plan', {plan_of(name)}, 'current_stage')") == "Confirmed"
		)

	# Now the status has to change: the refusal names each document. The list is drawn anew after each change.
	page.reload(wait_until="networkidle")
	choose(page, *names)
	dialog = act(page, "Confirm Current Milestones")
	dialog.locator(".btn-modal-primary:visible").click()
	message = page.locator(".modal.show .msgprint")
	message.get_by_text("Change the document instead").first.wait_for()
	assert message.get_by_role("link", name=names[0]).count() == 1


def test_plans_are_cancelled_with_a_reason_and_shifted(listed, make_order, visit, stored, becomes):
	kept, dropped = make_order("LIST-KEPT"), make_order("LIST-DROP")
	before = stored(f"str(frappe.db.get_value('Milestone Plan', {plan_of(kept)}, 'next_date'))")
	page = visit("/app/milestone-plan?workflow=Listed Orders", user=BUYER)
	choose(page, kept)
	dialog = act(page, "Shift Current Milestones")
	dialog.locator("input[data-fieldname=days]").fill("3")
	dialog.locator("input[data-fieldname=days]").press("Tab")
	dialog.locator(".milestone-shift-preview").get_by_text(kept).wait_for()
	dialog.locator("textarea[data-fieldname=reason]").fill("The mill is late")
	dialog.locator(".btn-modal-primary:visible:not(.disabled)").click()
	page.locator(".desk-alert", has_text="1 plan changed").wait_for()
	after = stored(f"str(frappe.db.get_value('Milestone Plan', {plan_of(kept)}, 'next_date'))")
	assert stored(f"frappe.utils.date_diff('{after}', '{before}')") == 3

	page.locator(".modal.show").wait_for(state="detached")
	page.reload(wait_until="networkidle")  # the list is drawn anew after each change
	choose(page, dropped)
	dialog = act(page, "Cancel Plans")
	dialog.locator("textarea[data-fieldname=reason]").fill("Ordered elsewhere")
	dialog.locator(".btn-modal-primary:visible").click()
	assert becomes(f"frappe.db.get_value('Milestone Plan', {plan_of(dropped)}, 'status')", "Cancelled")


@pytest.mark.parametrize("print_format", ["Milestone Plan", "Milestone Status Report"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_printed_plan_fits_its_page(listed, make_order, visit, stored, print_format, width):
	name = make_order(f"LIST-PRINT-{print_format[-4:].strip()}-{width}")
	plan = stored(plan_of(name))
	page = visit(f"/printview?doctype=Milestone Plan&name={plan}&format={print_format}", width=width)
	table = page.locator(".print-format table")
	table.wait_for()
	assert table.evaluate("(table) => table.scrollWidth <= table.closest('.print-format').clientWidth")
	too_wide = (
		"(cells) => cells.filter((cell) => cell.scrollWidth > cell.clientWidth).map((cell) => cell.innerText)"
	)
	assert table.locator("th, td").evaluate_all(too_wide) == []
	one_line = "(days) => days.every((day) => day.getClientRects().length === 1)"
	days = table.locator(".milestone-day")
	assert days.count() > 3
	assert days.evaluate_all(one_line)
	assert page.locator(".print-format", has_text=name).count() == 1
	assert page.get_by_text("Check the price").count() == (1 if print_format == "Milestone Plan" else 0)


def test_the_status_report_opens_from_the_panel(listed, make_order, visit):
	name = make_order("LIST-MENU")
	page = visit(f"/app/sample-order/{name}", user=BUYER)
	page.locator(".milestone-panel:visible [data-focus=plan-menu]").click()
	with page.expect_popup() as opened:
		page.locator("[data-action=print]:visible").click()
	opened.value.get_by_text("Status Report").wait_for()
	assert name in opened.value.locator(".print-format").inner_text()


def test_tasks_are_seen_by_status_on_a_board(listed, make_order, visit):
	make_order("LIST-CARD")
	page = visit("/app/milestone-task/view/kanban/Milestone Tasks", user=BUYER)
	column = page.locator(".kanban-column[data-column-value=Open]")
	column.locator(".kanban-card", has_text="LIST-CARD").wait_for()
	assert page.locator(".kanban-column[data-column-value=Waived]").count() == 1


# What people read of each form; the row's own name, a hash, is in the address only.
NAMED = {
	"Milestone Plan": "LIST-HASH: Listed Orders",
	"Milestone Task": "Check the price · LIST-HASH",
	"Milestone Date Change": "LIST-HASH · Accepted",
}


@pytest.mark.parametrize("doctype", NAMED)
def test_a_form_is_called_by_its_title_in_breadcrumbs_tab_and_links(
	listed, make_order, visit, stored, orders, doctype
):
	if not stored("frappe.db.exists('Sample Order', 'LIST-HASH')"):
		make_order("LIST-HASH")
		orders.site.run(
			f"""
import frappe
from milestone_automation import api
plan = {plan_of("LIST-HASH")}
api.reschedule_stage(plan, "Accepted", frappe.utils.add_days(frappe.utils.nowdate(), 6), "The mill is late")
frappe.db.commit()
"""
		)
	name = stored(f"frappe.db.get_value('{doctype}', {{'reference_name': 'LIST-HASH'}})")
	plan = stored(plan_of("LIST-HASH"))
	page = visit(f"/app/{doctype.lower().replace(' ', '-')}/{name}")
	page.locator(".form-layout:visible [data-fieldname=reference_name] >> text=LIST-HASH").first.wait_for()
	page.wait_for_function("(title) => document.title === title", arg=NAMED[doctype])

	page.wait_for_function(
		"(title) => [...document.querySelectorAll('#navbar-breadcrumbs, .navbar-breadcrumbs')].pop()"
		".innerText.trim().endsWith(title)",
		arg=NAMED[doctype],
	)
	# Frappe 16 offers the name for copying; Frappe shows a link by its name until it has been told the title.
	page.add_style_tag(content=".form-name-copy { display: none; }")
	page.wait_for_function(
		"(names) => !names.some((one) => document.body.innerText.includes(one))", arg=[name, plan]
	)
