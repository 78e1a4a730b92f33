"""The story of the app from an empty site: build a workflow, see its plan, be held, be released."""

import pytest

from tests.browser.conftest import BUYER, CLERK, ORDER

pytestmark = pytest.mark.browser

# A story of its own: the workflow built here must not take the orders of the other tests.
STORY = "Story Order"
MAKE_DOCTYPE = f"""
import frappe
source = frappe.get_doc("DocType", "{ORDER}").as_dict()
copy = frappe.copy_doc(frappe.get_doc("DocType", "{ORDER}"))
copy.name = "{STORY}"
copy.insert()
frappe.db.commit()
"""


def in_panel(page, action: str):
	return page.locator(f".milestone-panel:visible [data-action={action}]").first


def save(page):
	page.locator(".page-container:visible .standard-actions .primary-action:visible").click()


def build_workflow(page):
	page.goto("/app/milestone-workflow/new")
	page.get_by_text("Choose a document type first.").wait_for()
	page.locator("[data-fieldname=workflow_name] input:visible").fill("From Order to Release")
	document_type = page.locator(".form-layout [data-fieldname=document_type] input:visible")
	document_type.fill(STORY)
	document_type.press("Tab")
	page.get_by_role("button", name="Add Milestone").click()
	page.keyboard.type("Order accepted")
	page.keyboard.press("Tab")
	page.locator(".milestone-card").nth(0).locator("select[data-field=kind]").select_option("Acceptance")
	page.get_by_role("button", name="Add Milestone").click()
	page.keyboard.type("Released")
	page.keyboard.press("Tab")
	released = page.locator(".milestone-card").nth(1)
	released.locator("[data-field=offset_days]").fill("14")
	released.locator("select[data-field=reach_rule]").select_option("Field Value")
	released.locator("select[data-field=track_field]").select_option(label="Order Status")
	released.locator("select[data-field=track_value]").select_option("Released")
	released.get_by_role("button", name="Add Task").click()
	page.keyboard.type("Packing list signed")
	page.keyboard.press("Tab")
	task = released.locator(".milestone-task-row").nth(0)
	task.get_by_label("Required").check()
	task.locator("[data-field=due_days_before]").fill("2")
	task.locator("[data-field=due_days_before]").press("Tab")
	page.locator(".form-layout [data-fieldname=enabled] input:visible").check()
	save(page)
	page.get_by_role("heading", name="From Order to Release").or_(
		page.locator(".title-text", has_text="From Order to Release")
	).first.wait_for()
	page.wait_for_function("!cur_frm.is_new() && !cur_frm.is_dirty()")


def test_from_an_empty_site_to_a_held_and_released_order(orders, visit, make_order):
	orders.site.run(MAKE_DOCTYPE)
	page = visit("/app/milestone-workflow")
	build_workflow(page)

	assert page.get_by_text("An acceptance milestone cannot have tasks").is_visible()
	assert page.locator(".milestone-card").nth(0).get_by_role("button", name="Add Task").count() == 0
	saved = page.evaluate(
		"cur_frm.doc.tasks.map((task) => [task.stage, task.title, task.required, task.due_days_before])"
	)
	assert saved == [["Released", "Packing list signed", 1, 2]]

	make_order("STORY-1", doctype=STORY)
	page.goto("/app/story-order/STORY-1")
	page.locator(".milestone-steps").wait_for()
	in_panel(page, "confirm").click()
	page.locator(".modal.show .btn-modal-primary:visible").click()
	page.locator(".milestone-step.is-reached", has_text="Order accepted").wait_for()
	assert page.locator(".milestone-blocked").get_by_text("Packing list signed").is_visible()

	page.locator("select[data-fieldname=status]:visible").select_option("Released")
	save(page)
	refusal = page.locator(".modal.show .milestone-refusal")
	refusal.get_by_text("cannot be reached yet").wait_for()
	assert refusal.get_by_role("link", name="Packing list signed").is_visible()
	page.locator(".modal.show .btn-modal-close").click()
	page.locator(".modal.show").wait_for(state="detached")

	page.get_by_role("checkbox", name="Packing list signed").check()
	page.locator(".milestone-task.is-closed", has_text="Packing list signed").wait_for()
	save(page)
	page.locator(".milestone-step.is-reached", has_text="Released").wait_for()
	assert page.locator(".milestone-head .milestone-pill").inner_text() == "Done"


def test_a_user_with_few_rights_does_his_task_and_nothing_else(workflow, visit, make_order):
	make_order("FEW-1")
	page = visit("/app/sample-order/FEW-1", user=CLERK)
	page.locator(".milestone-steps").wait_for()

	assert in_panel(page, "confirm").count() == 0
	assert in_panel(page, "undo").count() == 0
	page.locator(".milestone-step button", has_text="Released").click()
	assert page.get_by_role("checkbox", name="Photos of the goods").is_disabled()
	page.get_by_role("checkbox", name="Packing list").check()
	page.locator(".milestone-task.is-closed", has_text="Packing list").wait_for()

	page.locator(".milestone-task", has_text="Packing list").locator("[data-toggle=dropdown]").click()
	assert page.locator("[data-action=waive]:visible").count() == 0


def test_a_manager_waives_with_a_reason_and_the_order_is_free(workflow, visit, make_order):
	make_order("WAIVE-1", status="Confirmed")
	page = visit("/app/sample-order/WAIVE-1", user=BUYER)
	page.locator(".milestone-step button", has_text="Released").click()
	page.locator(".milestone-task", has_text="Packing list").locator("[data-toggle=dropdown]").click()
	page.locator("[data-action=waive]:visible").click()
	page.locator(".modal.show textarea").fill("The supplier is certified")
	page.locator(".modal.show .btn-modal-primary:visible").click()
	page.locator(".milestone-task.is-closed", has_text="The supplier is certified").wait_for()

	assert page.locator(".milestone-blocked").count() == 0


def test_bulk_edit_in_the_list_is_held_too(workflow, visit, make_order, orders):
	make_order("BULK-1")
	page = visit("/app/sample-order")
	page.locator(".list-row", has_text="BULK-1").locator("input.list-row-checkbox").check()
	page.locator(".actions-btn-group button:visible").first.click()
	page.locator(".actions-btn-group .dropdown-item:visible", has_text="Edit").first.click()
	dialog = page.locator(".modal.show")
	dialog.locator("select[data-fieldname=field]").select_option("Order Status")
	dialog.locator("select[data-fieldname=value]").select_option("Released")
	dialog.locator(".btn-modal-primary:visible").click()
	page.get_by_text("is blocked by").first.wait_for()

	status = orders.site.run(f'import frappe; print(frappe.db.get_value("{ORDER}", "BULK-1", "status"))')
	assert status.strip().endswith("Open")
