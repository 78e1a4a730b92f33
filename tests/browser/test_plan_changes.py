"""What the panel offers when reality differs from the plan: skipped, early, on hold, asked ahead, proposed."""

import json

import pytest

from tests.browser.conftest import BUYER, CLERK, ORDER

pytestmark = pytest.mark.browser

# The clerk owns the first milestone; owners propose dates, and it is asked 30 days ahead whether they hold.
PLANNED = {
	"doctype": "Milestone Workflow",
	"workflow_name": "Planned in Steps",
	"document_type": ORDER,
	"enabled": 1,
	"priority": 9,
	"owners_propose": 1,
	"document_filters": '[["Sample Order", "order_no", "like", "STEPS-%"]]',
	"stages": [
		{
			"stage_name": name,
			"key_date_rule": "After Creation",
			"offset_days": days,
			"owner_kind": "User",
			"owner_user": CLERK,
			"check_in_days": 30,
		}
		for name, days in (("Sampled", 10), ("Produced", 40), ("Packed", 50))
	],
	"tasks": [
		{
			"stage": "Packed",
			"title": "Print the boxes",
			"assignee_kind": "Third-Party Collaborator",
			"collaborator_name": "Box Mill",
			"collaborator_email": "mill@example.org",
			"due_days_before": 5,
		}
	],
}
LINKS = """
import frappe
from milestone_automation.engine.people.signed_links import Purpose, make_token
task = frappe.get_doc("Milestone Task", {"reference_name": "STEPS-LINK"})
stage = frappe.get_doc("Milestone Plan Stage", {"parent": task.plan, "stage_name": "Sampled"})
frappe.db.set_single_value("Milestone Settings", "login_to_answer", 0)
frappe.db.commit()
print(make_token(Purpose.TASK, task.name, "mill@example.org"))
print(make_token(Purpose.ANSWER, stage.name, "clerk@example.com", str(stage.key_date)))
"""


@pytest.fixture(scope="module")
def planned(workflow, orders):
	orders.site.run(
		f"import frappe, json\nfrappe.get_doc(json.loads({json.dumps(PLANNED)!r})).insert()\nfrappe.db.commit()"
	)


@pytest.fixture
def panel(planned, make_order, visit):
	"""Function that opens a new order as the buyer, who manages plans, or as somebody else."""

	def open_panel(name: str, user: str = BUYER, is_new: bool = True):
		if is_new:
			make_order(name)
		page = visit(f"/app/sample-order/{name}", user=user)
		page.locator(".milestone-steps").wait_for()
		return page

	return open_panel


def choose(page, stage: str):
	page.locator(".milestone-step button", has_text=stage).click()


def press(page, action: str):
	page.locator(f".milestone-panel:visible [data-action={action}]").first.click()


def confirm(page, stage: str):
	choose(page, stage)
	press(page, "confirm")
	page.locator(".modal.show .btn-modal-primary:visible").click()
	page.locator(".milestone-step.is-reached", has_text=stage).wait_for()


def test_skipped_milestones_are_confirmed_with_a_date(panel, findings):
	page = panel("STEPS-SKIP")
	confirm(page, "Produced")
	notice = page.locator(".milestone-notice", has_text="Sampled was skipped")
	notice.wait_for()
	page.locator(".modal.show").wait_for(state="detached")
	page.wait_for_timeout(500)  # until the backdrop has faded
	assert findings(page, ".milestone-notice") == []
	press(page, "confirm_skipped")
	page.locator(".modal.show .btn-modal-primary:visible").click()
	page.locator(".milestone-step.is-reached", has_text="Sampled").wait_for()
	notice.wait_for(state="detached")


def test_later_milestones_move_with_the_actual_date(panel):
	page = panel("STEPS-EARLY")
	confirm(page, "Sampled")
	page.locator(".desk-alert", has_text="Sampled was reached 10 days early").wait_for()
	choose(page, "Produced")
	press(page, "move_with_actual")
	dialog = page.locator(".modal.show")
	dialog.locator(".milestone-consequences li", has_text="Packed").wait_for()
	assert "10 days early" in dialog.locator("textarea[data-fieldname=reason]").input_value()
	dialog.locator(".btn-modal-primary:visible").click()
	page.locator(".milestone-step", has_text="Packed").locator("s").wait_for()
	assert page.locator("[data-action=move_with_actual]:visible").count() == 0


# Both milestones go by the same field of the order.
DATED = {
	"doctype": "Milestone Workflow",
	"workflow_name": "Dated by the Order",
	"document_type": ORDER,
	"enabled": 1,
	"priority": 10,
	"document_filters": '[["Sample Order", "order_no", "like", "DATED-%"]]',
	"stages": [
		{
			"stage_name": name,
			"key_date_rule": "Document Date Field",
			"date_field": "ship_date",
			"offset_days": days,
		}
		for name, days in (("Made", -10), ("Sent", 0))
	],
}


def test_what_moves_when_the_date_goes_to_the_document_too_is_shown_at_the_tick(orders, make_order, visit):
	orders.site.run(
		f"import frappe, json\nfrappe.get_doc(json.loads({json.dumps(DATED)!r})).insert()\nfrappe.db.commit()"
	)
	make_order("DATED-1", ship_date="2035-06-20")
	page = visit("/app/sample-order/DATED-1")
	page.locator(".milestone-steps").wait_for()
	choose(page, "Sent")
	press(page, "reschedule")
	dialog = page.locator(".modal.show")
	day = dialog.locator("input[data-fieldname=new_date]")
	day.fill(page.evaluate("frappe.datetime.str_to_user('2035-06-25')"))
	day.press("Tab")
	dialog.locator(".milestone-consequences li", has_text="Sent").wait_for()
	assert dialog.locator(".milestone-consequences li", has_text="Made").count() == 0
	dialog.get_by_label("Also change Ship Date of the document").check()
	dialog.locator(".milestone-consequences li", has_text="Made").wait_for()
	dialog.locator("textarea[data-fieldname=reason]").fill("The ship is late")
	dialog.locator(".btn-modal-primary:visible").click()
	page.locator(".milestone-step", has_text="Made").locator("s").wait_for()


def test_a_plan_is_put_on_hold_and_resumed(panel, findings):
	page = panel("STEPS-HOLD")
	page.locator(".milestone-panel:visible [data-focus=plan-menu]").click()
	page.locator("[data-action=hold]:visible").click()
	page.locator(".modal.show textarea[data-fieldname=reason]").fill("The mill is on strike")
	page.locator(".modal.show .btn-modal-primary:visible").click()
	notice = page.locator(".milestone-notice", has_text="The mill is on strike")
	notice.wait_for()
	assert "Required tasks still block" in notice.inner_text()
	page.locator(".modal.show").wait_for(state="detached")
	page.wait_for_timeout(500)  # until the backdrop has faded
	assert findings(page, ".milestone-notice") == []
	notice.locator("[data-action=resume]").click()
	page.locator(".modal.show input[data-fieldname=shift_dates]").check()
	page.locator(".modal.show", has_text="No date moves.").wait_for()
	page.locator(".modal.show .btn-modal-primary:visible").click()
	notice.wait_for(state="detached")


def test_an_owner_says_on_track_and_proposes_and_a_manager_accepts(panel):
	page = panel("STEPS-OWN", user=CLERK)
	press(page, "on_track")
	page.locator(".milestone-facts", has_text="Confirmed on Track On").wait_for()
	assert page.locator("[data-action=on_track]:visible").count() == 0
	assert page.locator("[data-action=reschedule]:visible").count() == 0
	press(page, "propose_date")
	dialog = page.locator(".modal.show")
	later = page.evaluate(
		"frappe.datetime.str_to_user(frappe.datetime.add_days(frappe.datetime.get_today(), 15))"
	)
	dialog.locator("input[data-fieldname=new_date]").fill(later)
	dialog.locator("input[data-fieldname=new_date]").press("Tab")
	dialog.locator("textarea[data-fieldname=reason]").fill("The yarn is late")
	dialog.locator(".btn-modal-primary:visible").click()
	page.locator(".milestone-facts", has_text="The yarn is late").wait_for()

	page = panel("STEPS-OWN", is_new=False)
	press(page, "accept_date")
	dialog = page.locator(".modal.show")
	dialog.locator(".milestone-consequences li", has_text="Packed").wait_for()
	dialog.locator(".btn-modal-primary:visible").click()
	moved = page.locator(".milestone-step", has_text="Sampled")
	moved.locator("s").wait_for()
	assert later in moved.inner_text()


def test_the_pages_behind_mails_take_a_proposal_and_an_answer(panel, orders, visit, make_order):
	make_order("STEPS-LINK")
	task_token, answer_token = orders.site.run(LINKS).split()[-2:]
	page = visit(f"/milestone-answer?token={answer_token}&answer=on_track")
	page.get_by_role("heading", name="Is Sampled still on track?").wait_for()
	page.get_by_role("button", name="Yes, it is on track").click()
	page.get_by_text("You will be asked again then").wait_for()

	page = visit(f"/milestone-task?token={task_token}")
	page.get_by_text("Not possible by then?").click()
	page.locator("#comment").fill("No cardboard")
	later = page.evaluate("new Date(Date.now() + 60 * 86400000).toISOString().slice(0, 10)")
	page.locator("#new_date").fill(later)
	page.get_by_role("button", name="Propose Date").click()
	page.get_by_text("was proposed. You will be told").wait_for()
