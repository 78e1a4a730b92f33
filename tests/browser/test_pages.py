"""Workspace, lists, pages and the form of a tracker."""

import re
import time

import pytest

from tests.browser.conftest import BUYER, CLERK, ORDER, PASSWORD

pytestmark = pytest.mark.browser


def test_the_workspace_shows_cards_charts_and_shortcuts(workflow, visit):
	page = visit("/app/milestone-automation")
	for label in (
		"My Tasks Due",
		"My Milestones Due",
		"Late Plans",
		"Blocked Plans",
		"Milestones Due This Week",
		"Plans at Risk",
		"On Time This Month",
	):
		page.locator(".number-widget-box", has_text=label).wait_for()
	for label in ("Running Plans by Health", "Open Tasks by Milestone", "Date Changes per Week"):
		page.locator(".dashboard-widget-box", has_text=label).wait_for()

	page.locator(".shortcut-widget-box", has_text="My Milestones and Tasks").wait_for()


def test_every_user_finds_what_waits_for_him(workflow, visit, make_order, findings):
	make_order("MINE-1")
	page = visit("/app/my-milestones", user=CLERK)
	row = page.locator(".milestone-work .milestone-task", has_text="MINE-1")
	row.get_by_role("checkbox").click()  # the row may be gone before anybody sees the tick
	row.wait_for(state="detached")

	assert findings(page, ".milestone-work") == []
	assert findings(page, "[data-page-route='my-milestones'] .page-form") == []


def test_every_user_chooses_how_often_mails_come(workflow, visit):
	page = visit("/app/my-milestones", user=CLERK)
	mails = page.locator("select[data-fieldname=mail_preference]")
	for choice in ("Bell Only", "Daily"):
		mails.select_option(choice)
		page.locator(".desk-alert", has_text="Saved").last.wait_for()
		page.reload()
		page.wait_for_function(
			"choice => document.querySelector('select[data-fieldname=mail_preference]')?.value === choice",
			arg=choice,
		)


def test_the_board_has_a_column_for_each_milestone(workflow, visit, make_order, findings):
	make_order("BOARD-1")
	page = visit("/app/milestone-board", user=BUYER)
	page.locator("select[data-fieldname=workflow]:visible").select_option(workflow)
	page.locator(".milestone-column", has_text="Order accepted").get_by_text("BOARD-1").wait_for()

	assert page.locator(".milestone-column").count() >= 2
	assert findings(page, ".milestone-board") == []


def test_several_tasks_are_completed_at_once(workflow, visit, make_order):
	make_order("MANY-1")
	page = visit("/app/milestone-task?reference_name=MANY-1&status=Open", user=BUYER)
	page.locator(".list-row", has_text="Packing list").wait_for()
	page.locator(".list-check-all:visible").check()
	page.locator(".actions-btn-group button:visible").first.click()
	page.locator(".actions-btn-group .dropdown-item:visible", has_text="Complete").first.click()

	page.locator(".desk-alert", has_text="2 tasks completed").wait_for()


# A calendar opens on this month: at its end, what is due in two weeks is not in sight.
DUE_TODAY = """
import frappe
frappe.db.set_value("Milestone Task", {{"reference_name": "{0}"}}, "due_date", frappe.utils.nowdate())
plan = frappe.db.get_value("Milestone Plan", {{"reference_name": "{0}"}})
frappe.db.set_value("Milestone Plan Stage", {{"parent": plan}}, "key_date", frappe.utils.nowdate())
frappe.db.commit()
"""


@pytest.mark.parametrize("view", ["calendar/default", "gantt"])
@pytest.mark.parametrize("doctype", ["milestone-task", "milestone-plan"])
def test_calendar_and_gantt_show_what_is_planned(workflow, visit, make_order, orders, doctype, view):
	name = f"CAL-{doctype}-{view[:3]}"
	make_order(name)
	orders.site.run(DUE_TODAY.format(name))
	page = visit(f"/app/{doctype}/view/{view}")
	page.locator(".fc-event:visible, .gantt .bar-wrapper:visible").first.wait_for()
	labels = page.locator(".gantt .bar-label").all_text_contents()
	assert bool(labels) is (view == "gantt")
	assert [label for label in labels if re.search("[0-9a-f]{10}", label)] == []


def test_a_tracker_offers_fields_by_label_and_shows_what_it_recorded(workflow, visit, make_order, orders):
	make_order("TRACK-1")
	orders.site.run(
		f"""
import frappe
if not frappe.db.exists("Milestone Tracker", {{"document_type": "{ORDER}"}}):
	frappe.get_doc({{"doctype": "Milestone Tracker", "document_type": "{ORDER}", "track_field": "status"}}).insert()
tracker = frappe.get_doc("Milestone Tracker", {{"document_type": "{ORDER}"}})
tracker.append("extra_fields", {{"track_field": "ship_date"}})
tracker.save()
frappe.db.commit()
frappe.get_doc("{ORDER}", "TRACK-1").update({{"status": "Confirmed", "ship_date": "2026-12-24"}}).save()
frappe.db.commit()
"""
	)
	page = visit("/app/milestone-tracker")
	page.locator(".list-row", has_text=ORDER).locator("a").first.click()
	field = page.locator("select[data-fieldname=track_field]:visible")
	field.locator("option", has_text="Order Status").wait_for(state="attached")
	page.get_by_text("TRACK-1").first.wait_for()

	page.wait_for_function(
		"(select) => select.selectedOptions[0]?.text === 'Order Status'", arg=field.element_handle()
	)
	shown = page.evaluate("frappe.datetime.str_to_user('2026-12-24')")
	assert shown != "2026-12-24"
	page.locator(".form-page:visible td", has_text=shown).first.wait_for()
	page.locator(".form-page:visible .show-all").click()
	page.locator(".list-row:visible a", has_text=f"TRACK-1 · Ship Date: {shown}").click()
	page.locator(".page-head:visible .title-text", has_text=shown).wait_for()
	page.locator("[data-fieldname=value]:visible .control-value", has_text=shown).wait_for()


def test_a_ready_workflow_is_imported_switched_off(workflow, visit, orders):
	page = visit("/app/milestone-workflow")
	page.get_by_role("button", name="Ready Workflows").click()
	dialog = page.locator(".modal.show")
	document_type = dialog.locator("input[data-fieldname=document_type]")
	# The first workflow is chosen at once, and with it a DocType that fits it; that comes a moment later.
	dialog.locator("[data-fieldname=about] p").first.wait_for()
	page.wait_for_timeout(800)
	document_type.fill(ORDER)
	document_type.press("Tab")
	dialog.get_by_role("button", name="Import").click()
	page.get_by_text("but is disabled").first.wait_for()


BLANK = """() => cur_frm.fields
	.filter((one) => one.df.fieldtype !== "Table" && one.disp_status !== "None" && one.$input_wrapper)
	.filter((one) => one.df.label && !one.$wrapper.text().includes(__(one.df.label)))
	.map((one) => one.df.fieldname)"""


@pytest.mark.parametrize(
	"doctype",
	["Milestone Settings", "Milestone Tracker", "Milestone Workflow", "Milestone Baseline", "Milestone Task"],
)
def test_a_form_opens_to_its_last_field_without_an_error(workflow, visit, doctype):
	"""Seen: *Milestone Settings* stopped at its Time field, and everything below was blank."""
	slug = doctype.lower().replace(" ", "-")
	page = visit(f"/app/{slug}" if doctype == "Milestone Settings" else f"/app/{slug}/new")
	page.wait_for_function("() => window.cur_frm && cur_frm.fields_dict && cur_frm.layout")
	page.wait_for_timeout(1500)
	end = time.monotonic() + 30
	while (blank := page.evaluate(BLANK)) and time.monotonic() < end:
		page.wait_for_timeout(300)
	assert blank == []


OUTSIDE = "weaver@example.com"
ASKED_FROM_OUTSIDE = f"""
import frappe
from frappe.utils.password import update_password

user = frappe.get_doc({{
	"doctype": "User", "email": "{OUTSIDE}", "first_name": "Wanda", "send_welcome_email": 0, "user_type": "System User",
}})
user.flags.no_welcome_mail = True
user.insert()
user.add_roles("Newsletter Manager")
update_password("{OUTSIDE}", "{PASSWORD}")
frappe.get_doc({{
	"doctype": "Milestone Workflow", "workflow_name": "Asked from Outside", "document_type": "{ORDER}", "enabled": 1,
	"priority": 9, "document_filters": '[["{ORDER}", "order_no", "like", "WOVEN-%"]]',
	"stages": [{{
		"stage_name": "Fabric woven", "key_date_rule": "After Creation", "offset_days": 2,
		"owner_kind": "Third-Party Collaborator", "owner_name": "Wanda", "owner_email": "{OUTSIDE}",
	}}],
}}).insert()
frappe.db.commit()
"""


@pytest.fixture(scope="module")
def asked_from_outside(orders, workflow):
	"""A workflow that asks somebody who has an account of the Desk and no right to orders."""
	orders.site.run(ASKED_FROM_OUTSIDE)


@pytest.mark.parametrize("width", [1280, 390])
def test_who_owns_a_milestone_from_outside_finds_where_to_answer(
	asked_from_outside, visit, make_order, findings, width
):
	name = make_order(f"WOVEN-{width}")
	page = visit("/app/my-milestones", user=OUTSIDE, width=width)
	row = page.locator(".milestone-work .milestone-task", has_text=name)
	row.get_by_role("link", name="Answer").wait_for()
	assert row.get_by_role("link", name=name).count() == 0, "the document is not theirs to open"
	assert findings(page, ".milestone-work") == []
	assert page.evaluate("document.documentElement.scrollWidth") <= width
	row.get_by_role("link", name="Answer").click()
	page.get_by_text("Has Fabric woven been reached?").wait_for()
