"""The panel as a strip: one line that is there at once, says what is next, and opens per DocType."""

import pytest

from tests.browser.conftest import BUYER, CLERK

pytestmark = pytest.mark.browser


def strip_of(page):
	return page.locator(".milestone-panel:visible .milestone-head.is-strip")


@pytest.fixture
def visit_strip(visit):
	"""Function as `visit`, for somebody who has never opened a panel."""

	def open_page(path: str, **options):
		page = visit("/app/user-profile", **options)
		page.evaluate(
			"""() => ["Administrator", "buyer@example.com", "clerk@example.com"].forEach((user) =>
				localStorage.setItem(`milestone-panel:${user}:Sample Order`, "strip"))"""
		)
		page.goto(path, wait_until="domcontentloaded")
		return page

	return open_page


@pytest.mark.parametrize("width", [1280, 390])
def test_the_strip_is_one_line_that_says_what_is_next(workflow, visit_strip, make_order, width):
	make_order(f"STRIP-{width}")
	page = visit_strip(f"/app/sample-order/STRIP-{width}", user=BUYER, width=width)
	strip_of(page).wait_for()
	panel = page.locator(".milestone-panel:visible").first

	assert panel.bounding_box()["height"] == 44
	assert page.locator(".milestone-bead:visible").count() == 2
	assert "Order accepted" in strip_of(page).inner_text()
	assert page.locator(".milestone-steps:visible").count() == 0


def test_a_panel_that_was_opened_stays_open_for_its_doctype(workflow, visit_strip, make_order):
	make_order("OPEN-1")
	make_order("OPEN-2")
	page = visit_strip("/app/sample-order/OPEN-1", user=BUYER)
	strip_of(page).locator(".milestone-toggle").click()
	page.locator(".milestone-steps:visible").wait_for()
	page.evaluate("frappe.set_route('Form', 'Sample Order', 'OPEN-2')")
	page.wait_for_function("cur_frm.docname === 'OPEN-2' && cur_frm.milestone_panel?.data?.plan")
	page.locator(".milestone-panel:visible .milestone-step", has_text="Released").wait_for()

	assert strip_of(page).count() == 0


def test_the_only_task_that_blocks_is_completed_from_the_strip(workflow, visit_strip, make_order):
	make_order("DONE-1", status="Confirmed")
	page = visit_strip("/app/sample-order/DONE-1", user=BUYER)
	strip_of(page).wait_for()
	page.evaluate(
		"""() => frappe.xcall("milestone_automation.api.confirm_stage",
			{ plan: cur_frm.milestone_panel.data.plan.name, stage: "Order accepted" })"""
	)
	page.reload(wait_until="domcontentloaded")
	assert "1 task blocks" in strip_of(page).inner_text()
	strip_of(page).locator("[data-action=done]").click()
	strip_of(page).get_by_text("1 task blocks").wait_for(state="detached")


def test_a_plan_that_cannot_be_loaded_says_so_and_is_tried_again(workflow, visit_strip, make_order):
	make_order("FAIL-1")
	page = visit_strip("/app/sample-order/FAIL-1", user=CLERK)
	strip_of(page).wait_for()
	broken = "**/api/method/milestone_automation.api.get_plan*"
	page.route(broken, lambda route: route.abort())
	page.reload(wait_until="domcontentloaded")
	page.locator(".milestone-panel:visible", has_text="They could not be loaded.").wait_for()
	page.unroute(broken)
	page.locator(".milestone-panel:visible [data-action=retry]").click()
	strip_of(page).wait_for()
