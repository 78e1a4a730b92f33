"""The grid of milestones: opened, filtered, edited in place, shifted with a preview, exported; by mouse and keyboard."""

import csv
import json
import os
import re

import pytest

from tests.browser.conftest import BUYER, CLERK, ORDER

pytestmark = pytest.mark.browser

WORKFLOW = "Sheet of Orders"
ORDERS = tuple(f"SHEET-{number}" for number in range(1, 7))
PLANNED = {
	"doctype": "Milestone Workflow",
	"workflow_name": WORKFLOW,
	"document_type": ORDER,
	"enabled": 1,
	"priority": 12,
	"document_filters": '[["Sample Order", "order_no", "like", "SHEET-%"]]',
	"stages": [
		{"stage_name": name, "key_date_rule": "After Creation", "offset_days": days}
		for name, days in (
			("Sample approved", 5), ("Fabric in house", 12), ("Cut", 20), ("Sewn", 30), ("Inspected", 40), ("Shipped", 45),
		)
	],
	"tasks": [{"stage": "Cut", "title": "Spread the cloth", "required": 1, "due_days_before": 2}],
}  # fmt: skip
LATER = """
import frappe
from frappe.utils import add_days, nowdate
from milestone_automation.engine.progress import rescheduling, stages
def plan(order):
	return frappe.db.get_value("Milestone Plan", {"reference_name": order})
stages.confirm(plan("SHEET-2"), "Sample approved", nowdate())
rescheduling.reschedule(plan("SHEET-3"), "Sewn", add_days(nowdate(), 36), "Strike", answer="Keep Order")
name = frappe.db.get_value("Milestone Plan Stage", {"parent": plan("SHEET-4"), "stage_name": "Inspected"})
frappe.db.set_value("Milestone Plan Stage", name, {"forecast_date": add_days(nowdate(), 44), "health": "At Risk"})
name = frappe.db.get_value("Milestone Plan Stage", {"parent": plan("SHEET-5"), "stage_name": "Sample approved"})
frappe.db.set_value("Milestone Plan Stage", name, {"key_date": add_days(nowdate(), -2), "health": "Late"})
frappe.db.set_value("Milestone Plan", plan("SHEET-5"), "health", "Late")
frappe.db.commit()
"""

SPEAKS = f"""
import frappe
frappe.db.set_value("User", "{BUYER}", "language", "{{}}")
frappe.db.commit()
frappe.clear_cache(user="{BUYER}")
"""


@pytest.fixture(scope="module")
def sheet(workflow, orders):
	"""Six orders of a workflow with six milestones: one begun, one moved, one at risk, one late."""
	orders.site.run(
		f"""
import frappe, json
frappe.get_doc(json.loads({json.dumps(PLANNED)!r})).insert()
for name in {ORDERS!r}:
	frappe.get_doc({{"doctype": "{ORDER}", "order_no": name}}).insert()
frappe.db.commit()
{LATER}"""
	)
	return WORKFLOW


@pytest.fixture
def grid(sheet, visit):
	"""Function that opens the grid of the orders."""

	def open_grid(user: str = BUYER, width: int = 1440):
		page = visit("/app/milestone-grid", user=user, width=width)
		field = page.locator(
			".page-form select[data-fieldname=workflow]:visible, .page-form [data-fieldname=workflow] select"
		)
		field.first.select_option(WORKFLOW)
		row(page, "SHEET-1").wait_for()
		return page

	return open_grid


def row(page, order: str):
	return page.locator(".milestone-sheet tbody tr", has_text=order)


def cell(page, order: str, stage: str):
	return row(page, order).locator(f'td[aria-label^="{stage}, "]')


def day_of(page, order: str, stage: str) -> str:
	return cell(page, order, stage).locator(".milestone-sheet-date").inner_text()


def keeping(page, text: str):
	"""The answer to what keeps a filter or view with this text: it is there again only after that."""
	return page.expect_response(
		lambda answer: "user_settings.save" in answer.url and text in (answer.request.post_data or "")
	)


def shift_dialog(page):
	return page.locator(".modal.show", has_text="Shift")


def fill_days(page, days: int):
	dialog = shift_dialog(page)
	field = dialog.locator("input[data-fieldname=days]")
	field.fill(str(days))
	field.press("Tab")
	return dialog


def test_the_grid_has_a_row_for_each_document_and_a_column_for_each_milestone(grid, findings):
	page = grid()
	assert page.locator(".milestone-sheet tbody tr").count() == 6
	assert page.locator(".milestone-sheet-head").all_inner_texts() == [
		"Sample approved", "Fabric in house", "Cut", "Sewn", "Inspected", "Shipped",
	]  # fmt: skip
	assert "is-reached" in cell(page, "SHEET-2", "Sample approved").get_attribute("class")
	assert "planned" in cell(page, "SHEET-3", "Sewn").inner_text()
	assert "forecast" in cell(page, "SHEET-4", "Inspected").inner_text()
	assert "Late" in cell(page, "SHEET-5", "Sample approved").inner_text()
	assert findings(page, ".milestone-sheet") == []


def test_a_date_is_edited_in_place_with_reason_and_consequences(grid):
	page = grid()
	before = day_of(page, "SHEET-1", "Shipped")
	target = cell(page, "SHEET-1", "Inspected")
	target.click()
	target.press("Enter")
	dialog = page.locator(".modal.show", has_text="Reschedule Inspected")
	dialog.locator("input[data-fieldname=new_date]").wait_for()
	page.wait_for_function("window.cur_dialog && cur_dialog.get_value('new_date')")
	page.evaluate(
		"""() => { const dialog = cur_dialog;
			dialog.set_value("new_date", frappe.datetime.add_days(dialog.get_value("new_date"), 2)); }"""
	)
	dialog.locator(".milestone-consequences", has_text="Shipped").wait_for()
	dialog.locator("textarea[data-fieldname=reason]").fill("The inspector is ill")
	dialog.get_by_role("button", name="Reschedule").click()
	dialog.wait_for(state="detached")
	page.wait_for_function(
		"([before]) => ![...document.querySelectorAll('.milestone-sheet td')].some((one) =>"
		" one.getAttribute('aria-label').startsWith('Shipped, SHEET-1') && one.innerText.startsWith(before))",
		arg=[before],
	)
	assert "planned" in cell(page, "SHEET-1", "Inspected").inner_text()


def test_selected_milestones_are_shifted_after_a_preview(grid):
	page = grid()
	before = day_of(page, "SHEET-4", "Cut"), day_of(page, "SHEET-4", "Fabric in house")
	cell(page, "SHEET-1", "Cut").click()
	cell(page, "SHEET-4", "Cut").click(modifiers=["Shift"])
	page.get_by_text("3 milestones selected").first.wait_for()
	cell(page, "SHEET-2", "Fabric in house").click(modifiers=["ControlOrMeta"])
	page.get_by_role("button", name="Shift by Days").click()
	page.wait_for_timeout(500)
	dialog = fill_days(page, 3)
	preview = dialog.locator(".milestone-shift-preview")
	preview.get_by_text("SHEET-4").wait_for()
	assert preview.locator("details").count() == 4
	assert "4 milestones move" in preview.inner_text()
	assert day_of(page, "SHEET-4", "Cut") == before[0]

	dialog.locator("textarea[data-fieldname=reason]").fill("The cloth is late")
	dialog.get_by_role("button", name="Shift", exact=True).click()
	page.locator(".desk-alert", has_text="4 documents were shifted.").wait_for()
	cell(page, "SHEET-4", "Cut").get_by_text("planned").wait_for()
	assert day_of(page, "SHEET-4", "Cut") != before[0]
	assert day_of(page, "SHEET-4", "Fabric in house") == before[1]


def test_documents_that_cannot_move_are_told_before_and_the_rest_moves(grid):
	page = grid()
	cell(page, "SHEET-3", "Fabric in house").click()
	cell(page, "SHEET-2", "Cut").click(modifiers=["ControlOrMeta"])
	page.get_by_role("button", name="Shift by Days").click()
	page.wait_for_timeout(500)
	dialog = fill_days(page, -10)
	dialog.locator(".milestone-refused", has_text="SHEET-3").get_by_text(
		"Choose that day or a later one"
	).first.wait_for()
	assert dialog.locator(".milestone-shift-preview details").count() <= 1
	dialog.locator(".btn-modal-close:visible").click()


def test_the_keyboard_alone_selects_and_opens(grid):
	page = grid()
	first = page.locator('.milestone-sheet td[data-at="1:1"]')
	first.focus()
	page.keyboard.press("ArrowDown")
	page.keyboard.press("ArrowRight")
	assert page.evaluate("document.activeElement.dataset.at") == "2:2"
	page.keyboard.press("Shift+ArrowDown")
	page.keyboard.press("Shift+ArrowRight")
	page.get_by_text("4 milestones selected").first.wait_for()
	page.keyboard.press("Escape")
	assert page.locator('.milestone-sheet td[aria-selected="true"]').count() == 0
	page.keyboard.press(" ")
	assert page.locator('.milestone-sheet td[aria-selected="true"]').count() == 1
	page.keyboard.press("Control+Home")
	page.keyboard.press("ArrowRight")
	page.keyboard.press("Enter")
	assert page.locator('.milestone-sheet td[aria-selected="true"]').count() >= 4
	assert page.locator('.milestone-sheet [tabindex="0"]').count() == 1


def test_filters_are_kept_and_views_are_saved(grid):
	page = grid()
	field = page.locator(".page-form input[data-fieldname=document]")
	with keeping(page, "SHEET-5"):
		field.fill("SHEET-5")
		field.press("Tab")
	row(page, "SHEET-1").wait_for(state="detached")
	assert page.locator(".milestone-sheet tbody tr").count() == 1
	page.get_by_role("button", name="Views").click()
	page.get_by_text("Save This View").first.click()
	dialog = page.locator(".modal.show")
	dialog.locator("input[data-fieldname=name]").fill("Fifth")
	with keeping(page, "Fifth"):
		dialog.get_by_role("button", name="Save").click()
	dialog.wait_for(state="detached")

	page.reload(wait_until="domcontentloaded")
	row(page, "SHEET-5").wait_for()
	assert page.locator(".milestone-sheet tbody tr").count() == 1
	field.fill("nothing like it")
	field.press("Tab")
	page.get_by_text("No document matches these filters.").wait_for()
	page.get_by_role("button", name="Clear Filters").click()
	row(page, "SHEET-1").wait_for()
	page.get_by_role("button", name="Views").click()
	page.get_by_text("Fifth").first.click()
	row(page, "SHEET-1").wait_for(state="detached")
	row(page, "SHEET-5").wait_for()
	page.evaluate(
		"frappe.model.user_settings.save('Milestone Plan', 'Milestone Grid', { last: {}, views: {} })"
	)
	page.wait_for_timeout(500)


def test_other_fields_are_filtered_as_in_a_list(grid):
	page = grid()
	page.locator(".milestone-sheet-filters .filter-button").click()
	popover = page.locator(".filter-popover")
	popover.locator(".filter-box").first.wait_for()
	page.evaluate(
		"""() => { const { more } = document.querySelector("#page-milestone-grid").grid.filters;
			more.clear_filters(); return more.add_filters([["Milestone Plan Stage", "status", "=", "Reached"]]); }"""
	)
	page.wait_for_function(
		"document.querySelector('#page-milestone-grid').grid.filters.more.get_filters().some((one) => one[3] === 'Reached')"
	)
	page.evaluate("document.querySelector('#page-milestone-grid').grid.filters.more.apply()")
	row(page, "SHEET-1").wait_for(state="detached")
	assert [text.splitlines()[0] for text in page.locator(".milestone-sheet tbody th").all_inner_texts()] == [
		"SHEET-2"
	]
	page.evaluate("frappe.model.user_settings.save('Milestone Plan', 'Milestone Grid', { last: {} })")
	page.wait_for_timeout(500)


def test_the_grid_is_exported(grid, tmp_path):
	page = grid()
	page.locator(".menu-btn-group:visible button").first.click()
	with page.expect_download() as download:
		page.locator(".menu-btn-group:visible .dropdown-item", has_text="Export to CSV").click()
	path = tmp_path / "grid.csv"
	download.value.save_as(path)
	rows = list(csv.reader(path.open(encoding="utf-8-sig", newline="")))
	assert rows[0][:5] == ["Document", "Title", "Status", "Health", "Sample approved: Planned"]
	assert sorted(line[0] for line in rows[1:]) == list(ORDERS)


def test_a_reader_selects_nothing_he_may_not_move(grid):
	page = grid(user=CLERK)
	cell(page, "SHEET-1", "Cut").dblclick()
	page.locator(".desk-alert", has_text="Only the owner of a milestone").wait_for()
	assert page.locator('.milestone-sheet td[aria-selected="true"]').count() == 0
	assert page.get_by_role("button", name="Shift by Days").count() == 0


def test_a_grid_that_cannot_be_loaded_says_so_and_tries_again(grid):
	page = grid()
	page.route("**/api/method/milestone_automation.api.get_grid", lambda route: route.abort())
	page.locator(".page-head button", has_text=re.compile("Refresh")).or_(
		page.get_by_title("Refresh")
	).first.click()
	page.get_by_text("The grid could not be loaded.").wait_for()
	page.unroute("**/api/method/milestone_automation.api.get_grid")
	page.get_by_role("button", name="Try Again").click()
	row(page, "SHEET-1").wait_for()


def test_it_opens_from_a_workflow_and_the_list_of_plans(sheet, visit):
	page = visit(f"/app/milestone-workflow/{WORKFLOW}", user=BUYER, width=1440)
	page.get_by_role("button", name="View", exact=True).first.click()
	page.get_by_text("Milestone Grid").locator("visible=true").first.click()
	row(page, "SHEET-1").wait_for()
	page.goto("/app/milestone-plan", wait_until="domcontentloaded")
	page.get_by_role("button", name="View", exact=True).locator("visible=true").first.click()
	page.get_by_text("Milestone Grid").locator("visible=true").first.click()
	row(page, "SHEET-1").wait_for()


@pytest.mark.parametrize(("width", "language", "theme"), [
	(1440, "en", "light"), (1024, "en", "light"), (390, "en", "light"), (1440, "en", "dark"), (1440, "ar", "light"),
	(390, "ar", "dark"), (1440, "de", "light"),
])  # fmt: skip
def test_it_fits_every_screen(grid, orders, findings, width, language, theme):
	page = grid(width=width)
	page.evaluate(
		"""([language, theme]) => {
			document.documentElement.setAttribute("data-theme", theme);
			document.documentElement.setAttribute("data-theme-mode", theme);
		}""",
		[language, theme],
	)
	if language != "en":
		orders.site.run(SPEAKS.format(language))
		page.reload(wait_until="domcontentloaded")
		row(page, "SHEET-1").wait_for()
		page.evaluate("(theme) => document.documentElement.setAttribute('data-theme', theme)", theme)
	scroll = page.locator(".milestone-sheet-scroll")
	name = page.locator(".milestone-sheet tbody th").first
	before = name.bounding_box()["x"]
	scroll.evaluate("(one) => { one.scrollLeft = one.dir === 'rtl' || document.dir === 'rtl' ? -400 : 400; }")
	assert name.bounding_box()["x"] == pytest.approx(before, abs=2)
	scroll.evaluate("(one) => { one.scrollLeft = 0; }")
	target = page.locator(".milestone-sheet td.may-move").nth(3)
	target.click()
	if folder := os.environ.get("MILESTONE_SCREENSHOTS"):
		page.screenshot(path=f"{folder}/grid-{width}-{language}-{theme}.png")
	serious = findings(page, ".milestone-sheet")
	if language != "en":
		orders.site.run(SPEAKS.format("en"))
	assert serious == []
