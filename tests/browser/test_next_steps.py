"""Next steps in the builder: written as sentences, with pickers, by keyboard too, and tried on a document."""

import json

import pytest

pytestmark = pytest.mark.browser

RELEASED = ".milestone-card >> nth=1"


@pytest.fixture
def builder(workflow, visit):
	page = visit(f"/app/milestone-workflow/{workflow}")
	page.locator(".milestone-card").first.wait_for()
	page.locator(".milestone-card").nth(1).get_by_role("button", name="Show or Hide Details").first.click()
	return page


def steps_of(page, stage: int = 1) -> list:
	text = page.evaluate("(stage) => cur_frm.doc.stages[stage].next_actions || '[]'", stage)
	return json.loads(text)


def open_dialog(page, place):
	place.get_by_role("button", name="Add Next Step").click()
	dialog = page.locator(".milestone-step-dialog.show")
	dialog.locator(".milestone-mapping-row").first.wait_for()
	return dialog


def apply(page, dialog):
	dialog.get_by_role("button", name="Apply", exact=True).click()
	dialog.wait_for(state="hidden")


def add_confirmed(page, value: str = "Confirmed", **choices):
	dialog = open_dialog(page, page.locator(RELEASED))
	dialog.get_by_label("Field", exact=True).select_option("status")
	dialog.get_by_label("Value", exact=True).select_option(value)
	if when := choices.get("when"):
		dialog.locator("[data-fieldname=when] select").select_option(when)
	if condition := choices.get("condition"):
		dialog.locator("[data-fieldname=condition] textarea").fill(condition)
	apply(page, dialog)


def sentences(page) -> list[str]:
	return page.locator(f"{RELEASED} >> .milestone-step-sentence").all_inner_texts()


def test_a_step_is_written_as_a_sentence_edited_moved_and_removed(builder):
	add_confirmed(builder, when="Overdue", condition="doc.status == 'Open'")
	first = {
		"action": "Set Values",
		"when": "Overdue",
		"condition": "doc.status == 'Open'",
		"fields": [{"field": "status", "value": "Confirmed"}],
	}
	assert steps_of(builder) == [first]
	assert sentences(builder) == [
		"When Released is overdue: set Order Status to Confirmed, if doc.status == 'Open'"
	]

	card = builder.locator(RELEASED)
	dialog = open_dialog(builder, card)
	dialog.locator("[data-fieldname=action] select").select_option("Add Tag")
	dialog.get_by_label("Tag", exact=True).fill("late")
	apply(builder, dialog)
	card.get_by_role("button", name="Move Up").last.click()
	assert [step["action"] for step in steps_of(builder)] == ["Add Tag", "Set Values"]

	card.get_by_role("button", name="Edit Next Step").last.click()
	dialog = builder.locator(".milestone-step-dialog.show")
	dialog.locator("[data-fieldname=when] select").select_option("Reached")
	apply(builder, dialog)
	assert sentences(builder)[1].startswith("When Released is reached: set Order Status")
	card.get_by_role("button", name="Remove Next Step").first.click()
	assert [step["action"] for step in steps_of(builder)] == ["Set Values"]


def test_a_new_document_is_mapped_field_by_field(builder):
	dialog = open_dialog(builder, builder.locator(RELEASED))
	dialog.locator("[data-fieldname=action] select").select_option("Create Document")
	doctype = dialog.locator("[data-fieldname=document_type] input")
	doctype.fill("ToDo")
	dialog.locator(".awesomplete :is(li, [role=option])", has_text="ToDo").first.click()
	dialog.get_by_label("Field", exact=True).locator("option[value=description]").wait_for(state="attached")
	dialog.get_by_label("Field", exact=True).select_option("description")
	dialog.get_by_label("Set to", exact=True).select_option("formula")
	dialog.get_by_label("Formula", exact=True).fill("doc.order_no + ' is out'")
	dialog.get_by_role("button", name="Add Field").click()
	dialog.get_by_label("Field", exact=True).nth(1).select_option("allocated_to")
	dialog.get_by_label("Set to", exact=True).nth(1).select_option("from")
	dialog.get_by_label("Field to Copy", exact=True).select_option("merchandiser")
	apply(builder, dialog)
	(step,) = steps_of(builder)
	assert step["document_type"] == "ToDo"
	assert step["fields"] == [
		{"field": "description", "formula": "doc.order_no + ' is out'"},
		{"field": "allocated_to", "from": "merchandiser"},
	]
	assert "create a new ToDo with Description to doc.order_no + ' is out'" in sentences(builder)[0]


def test_a_mistake_is_shown_at_its_step(builder):
	add_confirmed(builder)
	add_confirmed(builder, condition="doc.colour == 1")
	rows = builder.locator(f"{RELEASED} >> [data-step]")
	rows.nth(1).locator(".milestone-problems", has_text="has no field colour").wait_for()
	assert rows.nth(0).locator(".milestone-problems").count() == 0


def test_a_step_of_the_completed_plan_is_kept_with_the_workflow(builder):
	dialog = open_dialog(builder, builder.locator(".milestone-completion"))
	assert not dialog.locator("[data-fieldname=when] select").is_visible()
	dialog.get_by_label("Field", exact=True).select_option("status")
	dialog.get_by_label("Value", exact=True).select_option("Released")
	apply(builder, dialog)
	(step,) = json.loads(builder.evaluate("cur_frm.doc.completed_actions"))
	assert step["when"] == "Plan Completed"
	assert builder.locator(".milestone-completion .milestone-step-sentence").inner_text() == (
		"When the plan is completed: set Order Status to Released"
	)


def test_a_step_is_written_by_keyboard_alone(builder):
	builder.locator(RELEASED).get_by_role("button", name="Add Next Step").focus()
	builder.keyboard.press("Enter")
	dialog = builder.locator(".milestone-step-dialog.show")
	dialog.locator(".milestone-mapping-row").first.wait_for()
	for _press in range(12):
		if builder.evaluate("document.activeElement.dataset.part") == "field":
			break
		builder.keyboard.press("Tab")
	for _press in range(40):
		if builder.evaluate("document.activeElement.value") == "status":
			break
		builder.keyboard.press("ArrowDown")
	assert builder.evaluate("document.activeElement.value") == "status"
	builder.keyboard.press("Tab")
	builder.keyboard.press("Tab")
	builder.keyboard.press("C")
	dialog.get_by_role("button", name="Apply", exact=True).focus()
	builder.keyboard.press("Enter")
	dialog.wait_for(state="hidden")
	assert steps_of(builder)[0]["fields"] == [{"field": "status", "value": "Confirmed"}]
	assert builder.evaluate("document.activeElement.dataset.do") == "add_step"


def try_them(page):
	page.get_by_role("button", name="Try Next Steps on a Document").click()
	dialog = page.locator(".modal.show", has_text="Try Next Steps")
	dialog.locator(".milestone-tried li").first.wait_for()
	return dialog


def test_a_dry_run_says_what_would_happen_and_changes_nothing(builder, make_order, stored):
	make_order("DRY-RUN-1")
	add_confirmed(builder)
	add_confirmed(builder, value="Open", condition="doc.ship_date")
	dialog = try_them(builder)
	outcomes = dialog.locator(".milestone-tried li").all_inner_texts()
	assert "Order Status would change from Open to Confirmed." in outcomes[0]
	assert "The document does not meet its condition." in outcomes[1]
	assert stored(f"frappe.db.get_value({'Sample Order'!r}, 'DRY-RUN-1', 'status')") == "Open"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_steps_and_their_dialog(builder, findings, theme, make_order):
	make_order(f"AXE-STEPS-{theme}")
	builder.evaluate("(theme) => document.documentElement.setAttribute('data-theme', theme)", theme)
	add_confirmed(builder, condition="doc.status == 'Open'")
	assert findings(builder, ".milestone-builder") == []
	tried = try_them(builder)
	assert findings(builder, ".modal.show .milestone-preview") == []
	tried.locator(".btn-modal-close").click()
	tried.wait_for(state="hidden")
	builder.locator(RELEASED).get_by_role("button", name="Edit Next Step").click()
	builder.locator(".milestone-step-dialog.show .milestone-mapping-row").first.wait_for()
	# The close button above is Frappe's.
	assert findings(builder, ".milestone-step-dialog.show .modal-body") == []


@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_is_wider_than_the_screen(workflow, visit, width, make_order, tmp_path, request):
	make_order(f"WIDE-{width}")
	page = visit(f"/app/milestone-workflow/{workflow}", width=width)
	page.locator(".milestone-card").first.wait_for()
	page.locator(".milestone-card").nth(1).get_by_role("button", name="Show or Hide Details").first.click()
	add_confirmed(page, condition="doc.status == 'Open'")
	folder = request.config.rootpath / ".bench" / "pictures"
	folder.mkdir(parents=True, exist_ok=True)
	page.locator(f"{RELEASED} >> .milestone-next-steps").scroll_into_view_if_needed()
	page.screenshot(path=folder / f"steps-{width}.png")
	page.locator(RELEASED).get_by_role("button", name="Edit Next Step").click()
	dialog = page.locator(".milestone-step-dialog.show")
	dialog.locator(".milestone-mapping-row").first.wait_for()
	page.wait_for_timeout(400)
	page.screenshot(path=folder / f"dialog-{width}.png")
	box = dialog.locator(".milestone-mapping-row").first.bounding_box()
	assert box["x"] + box["width"] <= width
	dialog.get_by_role("button", name="Apply", exact=True).click()
	dialog.wait_for(state="hidden")
	tried = try_them(page)
	page.wait_for_timeout(400)
	page.screenshot(path=folder / f"tried-{width}.png")
	assert tried.locator(".milestone-tried").bounding_box()["width"] <= width
	assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
