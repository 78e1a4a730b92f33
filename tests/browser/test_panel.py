"""The panel on a document: what it costs, how it looks on a phone, how it is worked without a mouse."""

import pytest

from tests.browser.conftest import BUYER

pytestmark = pytest.mark.browser


def asked_of_us(page) -> list[str]:
	return [url for url in page.asked if "/api/method/milestone_automation" in url]


def test_a_form_asks_once_and_loads_the_panel_once(workflow, visit, make_order):
	make_order("COST-1")
	page = visit("/app/sample-order/COST-1")
	page.locator(".milestone-steps").wait_for()
	page.wait_for_timeout(1500)

	assert len(asked_of_us(page)) == 1, asked_of_us(page)


def test_a_doctype_without_workflow_costs_nothing(workflow, visit):
	page = visit("/app/user/Administrator")
	page.locator(".form-layout:visible").first.wait_for()
	page.wait_for_timeout(1500)

	assert asked_of_us(page) == []
	assert not [url for url in page.asked if "milestone_panel" in url or "milestone_desk" in url]


def test_titles_of_users_are_text_and_never_html(workflow, visit, make_order):
	make_order("TEXT-1")
	page = visit("/app/sample-order/TEXT-1")
	page.locator(".milestone-step button", has_text="Released").click()

	assert page.locator(".milestone-task label", has_text="b>signed").is_visible()
	assert page.locator(".milestone-task label b").count() == 0


def test_a_phone_shows_all_of_it_without_scrolling_sideways(workflow, visit, make_order):
	make_order("PHONE-1")
	page = visit("/app/sample-order/PHONE-1", width=390)
	page.locator(".milestone-steps").wait_for()

	panel = page.locator(".milestone-panel:visible").first
	assert panel.evaluate("(element) => element.scrollWidth <= element.clientWidth")
	assert panel.bounding_box()["width"] <= 390


def test_the_panel_is_worked_with_the_keyboard_alone(workflow, visit, make_order):
	make_order("KEYS-1")
	page = visit("/app/sample-order/KEYS-1", user=BUYER)
	step = page.locator(".milestone-step button", has_text="Released")
	step.focus()
	page.keyboard.press("Enter")
	assert step.get_attribute("aria-pressed") == "true"
	box = page.get_by_role("checkbox", name="Photos of the goods")
	box.focus()
	page.keyboard.press("Space")
	page.locator(".milestone-task.is-closed", has_text="Photos of the goods").wait_for()

	assert page.evaluate("document.activeElement.dataset.focus").startswith("tick-")


def test_a_date_moves_with_a_reason_and_the_planned_one_stays_in_sight(workflow, visit, make_order):
	make_order("MOVE-1")
	page = visit("/app/sample-order/MOVE-1", user=BUYER)
	page.locator(".milestone-step button", has_text="Released").click()
	page.locator(".milestone-panel:visible [data-action=reschedule]").first.click()
	dialog = page.locator(".modal.show")
	later = page.evaluate(
		"frappe.datetime.str_to_user(frappe.datetime.add_days(frappe.datetime.get_today(), 30))"
	)
	dialog.locator("input[data-fieldname=new_date]").fill(later)
	dialog.locator("input[data-fieldname=new_date]").press("Tab")
	dialog.locator("textarea[data-fieldname=reason]").fill("The mill is late")
	dialog.locator(".btn-modal-primary:visible").click()

	moved = page.locator(".milestone-step", has_text="Released")
	moved.locator("s").wait_for()
	assert later in moved.inner_text()


def test_the_form_of_a_plan_moves_a_date_by_the_same_dialog(workflow, visit, make_order):
	make_order("FORM-1")
	page = visit("/app/sample-order/FORM-1", user=BUYER)
	page.locator(".milestone-steps").wait_for()
	page.locator(".milestone-panel:visible [data-focus=plan-menu]").click()
	page.locator("[data-action=open_plan]:visible").click()
	grid = page.locator("[data-fieldname=stages]:visible")
	grid.locator(".grid-row", has_text="Released").wait_for()
	assert grid.locator(".grid-add-row:visible, .grid-remove-rows:visible").count() == 0
	grid.locator(".grid-row", has_text="Released").locator(".btn-open-row").click()
	grid.locator(".milestone-reschedule:visible").click()
	dialog = page.locator(".modal.show")
	later = page.evaluate(
		"frappe.datetime.str_to_user(frappe.datetime.add_days(frappe.datetime.get_today(), 40))"
	)
	dialog.locator("input[data-fieldname=new_date]").fill(later)
	dialog.locator("input[data-fieldname=new_date]").press("Tab")
	dialog.locator("textarea[data-fieldname=reason]").fill("The mill is late")
	dialog.locator(".btn-modal-primary:visible").click()

	page.locator("[data-fieldname=stages]:visible .grid-row", has_text=later).first.wait_for()


REPLACED = """
import frappe
from milestone_automation.engine.plans import ending, starting
from milestone_automation.engine.store import plan_rows
plan = plan_rows.load("Sample Order", "FORM-2", lock=True)
ending.cancel_by_hand(plan, "Ordered anew")
starting.start(frappe.get_doc("Sample Order", "FORM-2"), by_hand=True)
frappe.db.commit()
print(plan.name)
"""


def test_the_form_of_an_earlier_plan_works_nothing_of_the_present_one(workflow, orders, visit, make_order):
	make_order("FORM-2")
	earlier = orders.site.run(REPLACED).splitlines()[-1]
	page = visit(f"/app/milestone-plan/{earlier}", user=BUYER)
	page.locator(".milestone-summary", has_text="The document has another plan by now").wait_for()
	assert page.locator(".milestone-panel:visible [data-action]").count() == 0
	page.locator(".milestone-summary:visible a").click()
	page.locator(".milestone-steps:visible").wait_for()
	assert not page.url.endswith(earlier)


def test_a_forecast_is_shown_with_its_chance_in_panel_and_board(workflow, orders, visit, make_order):
	make_order("FORECAST-1")
	orders.site.run(
		"import frappe\n"
		"row = frappe.get_doc('Milestone Plan', {'reference_name': 'FORECAST-1'}).stages[0]\n"
		"values = {'forecast_date': '2031-06-28', 'chance': 62, 'chance_for': row.key_date}\n"
		"frappe.db.set_value('Milestone Plan Stage', row.name, values)\n"
		"frappe.db.commit()"
	)
	page = visit("/app/sample-order/FORECAST-1")
	page.locator(".milestone-step button", has_text="Order accepted").click()
	day = page.evaluate("frappe.datetime.str_to_user('2031-06-28')")
	shown = page.locator(".milestone-facts div", has_text="Forecast").inner_text()
	assert f"{day} (62 %)" in " ".join(shown.split())

	page = visit("/app/milestone-board")
	card = page.locator(".milestone-board-card", has_text="FORECAST-1")
	assert f"Forecast: {day}" in card.inner_text()


def test_the_history_comes_when_it_is_asked_for(workflow, visit, make_order):
	make_order("PAST-1")
	page = visit("/app/sample-order/PAST-1")
	page.locator(".milestone-panel:visible [data-focus=plan-menu]").click()
	page.locator("[data-action=history]:visible").click()

	page.locator(".new-timeline", has_text="started the plan").wait_for()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_panel(workflow, visit, make_order, findings, theme):
	make_order(f"AXE-{theme}")
	page = visit(f"/app/sample-order/AXE-{theme}")
	page.locator(".milestone-step button", has_text="Released").click()
	page.evaluate("(theme) => document.documentElement.setAttribute('data-theme', theme)", theme)
	page.wait_for_timeout(300)

	assert findings(page, ".milestone-panel") == []


def test_right_to_left_keeps_everything_inside(workflow, visit, make_order):
	make_order("RTL-1")
	page = visit("/app/sample-order/RTL-1")
	page.locator(".milestone-steps").wait_for()
	page.evaluate("document.documentElement.setAttribute('dir', 'rtl')")

	panel = page.locator(".milestone-panel:visible").first
	assert panel.evaluate("(element) => element.scrollWidth <= element.clientWidth")
	first, last = page.locator(".milestone-step").first, page.locator(".milestone-step").last
	assert first.bounding_box()["x"] > last.bounding_box()["x"]


def test_right_to_left_names_follow_each_other_and_arrows_point_ahead(workflow, visit, make_order):
	make_order("RTL-2")
	page = visit("/app/sample-order/RTL-2", user=BUYER)
	page.locator(".milestone-steps").wait_for()
	page.evaluate("frappe.boot.lang = 'ar'; document.documentElement.setAttribute('dir', 'rtl')")
	page.locator(".milestone-step button", has_text="Released").click()
	title, assignee = page.locator(".milestone-blocked bdi").all()
	assert title.bounding_box()["x"] > assignee.bounding_box()["x"]

	page.locator(".milestone-panel:visible [data-action=reschedule]").first.click()
	later = page.evaluate(
		"frappe.datetime.str_to_user(frappe.datetime.add_days(frappe.datetime.get_today(), 30))"
	)
	page.locator(".modal.show input[data-fieldname=new_date]").fill(later)
	page.locator(".modal.show input[data-fieldname=new_date]").press("Tab")
	moved = page.locator(".modal.show .milestone-consequences li").first
	moved.locator("b").wait_for()
	assert "←" in moved.inner_text()
	name, day = moved.locator("bdi").first, moved.locator("b")
	assert name.bounding_box()["x"] > day.bounding_box()["x"]
