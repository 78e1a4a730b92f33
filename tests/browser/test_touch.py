"""What fingers hit: everything to press in our own parts is at least 24 px wide and high, and no form jumps when they arrive."""

import pytest

from tests.browser.conftest import BUYER, SHIFTS

pytestmark = pytest.mark.browser

# Links in running text are left out, as in WCAG 2.5.8. A box may be smaller than the place that it can be hit at.
TOO_SMALL = """(selector) => {
	const LEAST = 24;
	const is_hit = (element, x, y) => {
		const there = document.elementFromPoint(x, y);
		const label = there && there.closest("label");
		return there === element || element.contains(there) || (label && label.control === element);
	};
	const small = (element) => {
		const { left, top, width, height } = element.getBoundingClientRect();
		const [x, y] = [left + width / 2, top + height / 2];
		if (width >= LEAST - 0.5 && height >= LEAST - 0.5) return false;
		if (!document.elementFromPoint(x, y)) return false;
		const reach = LEAST / 2 - 1;
		const corners = [[0, -reach], [0, reach], [-reach, 0], [reach, 0]];
		return element.type !== "checkbox" || !corners.every(([dx, dy]) => is_hit(element, x + dx, y + dy));
	};
	return [...document.querySelectorAll(`:is(${selector}) :is(button, a[href], select, input, [role=button])`)]
		.filter((element) => element.checkVisibility() && element.getBoundingClientRect().height)
		.filter((element) => element.tagName !== "A" || getComputedStyle(element).display !== "inline")
		.filter(small)
		.map((element) => element.outerHTML.slice(0, 160));
}"""
PAGES = {
	"/app/sample-order/TOUCH-1": ".milestone-panel",
	"/app/milestone-workflow/Order to Release": ".milestone-builder",
	"/app/milestone-board": ".milestone-board",
	"/app/milestone-grid": ".milestone-sheet",
	"/app/my-milestones": ".milestone-work",
}


@pytest.fixture
def touched(workflow, make_order, stored):
	if not stored("frappe.db.exists('Sample Order', 'TOUCH-1')"):
		make_order("TOUCH-1")


@pytest.mark.parametrize("path", PAGES)
def test_whatever_is_pressed_is_large_enough_for_a_finger(touched, visit, path):
	page = visit(path, user=BUYER, width=390)
	page.locator(f"{PAGES[path]} :is(button, a, input)").first.wait_for()
	page.wait_for_timeout(500)

	assert page.evaluate(TOO_SMALL, PAGES[path]) == []


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize(
	("path", "arrived"),
	[
		("/app/sample-order/TOUCH-1", ".milestone-head.is-strip"),
		("/app/milestone-workflow/Order to Release", ".milestone-card"),
	],
)
def test_a_form_does_not_jump_when_our_part_arrives(touched, visit, path, arrived, width):
	page = visit("/app/user-profile", user=BUYER, width=width)
	page.add_init_script("localStorage.setItem('milestone-panel:buyer@example.com:Sample Order', 'strip')")
	page.add_init_script(SHIFTS)
	page.goto(path, wait_until="domcontentloaded")
	page.locator(f"{arrived}:visible").first.wait_for()
	page.wait_for_timeout(1500)

	assert page.evaluate("window.shifts") < 0.1
