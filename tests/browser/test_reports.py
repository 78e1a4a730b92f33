"""Reports in the desk: filters, pictures, and the way from a number to what is behind it."""

import pytest

from tests.browser.conftest import BUYER, ORDER

pytestmark = pytest.mark.browser

# Orders that went their ways, some of them back and forth, and some that still stand somewhere.
HISTORY = f"""
import datetime, random
import frappe
from milestone_automation.engine.history.milestone_rows import MilestoneRow, Writer
from milestone_automation.engine.rules.vocabulary import MilestoneSource

dice = random.Random(5)
rows = []
for number in range(60):
	moment = datetime.datetime(2026, 3, 2, 9) + datetime.timedelta(days=dice.randrange(90))
	before, stood = "", None
	path = dice.choice([["Open", "Confirmed", "Released"]] * 4 + [["Open", "Confirmed", "Open", "Confirmed"], ["Open"]])
	for value in path:
		rows.append(MilestoneRow(f"HIST-{{number:03}}", before, value, moment, "", stood))
		stood = int(dice.lognormvariate(12, 0.8))
		moment, before = moment + datetime.timedelta(seconds=stood), value
Writer("{ORDER}", "status", "", MilestoneSource.IMPORT).insert(rows)
frappe.db.commit()
"""
MOVE = """
import frappe
from frappe.utils import add_days
from milestone_automation.engine.progress import rescheduling

frappe.get_doc({"doctype": "ORDER", "order_no": "TREND-1"}).insert()
plan = frappe.get_last_doc("Milestone Plan", {"reference_name": "TREND-1"})
day = plan.stages[1].key_date
rescheduling.reschedule(plan.name, "Released", add_days(day, 5), "Strike", answer="Keep Order")
frappe.db.commit()
""".replace("ORDER", ORDER)
FIELD = f"document_type={ORDER.replace(' ', '%20')}&track_field=status"


@pytest.fixture(scope="module")
def history(workflow, orders):
	"""Milestones of sixty orders."""
	orders.site.run(HISTORY)


@pytest.fixture(scope="module")
def moved_order(workflow, orders):
	"""An order whose release was moved by five days."""
	orders.site.run(MOVE)
	return "TREND-1"


def open_report(visit, name: str, query: str = "", **options):
	page = visit(f"/app/query-report/{name.replace(' ', '%20')}?{query}", **options)
	# Frappe asks for a report twice when its address holds filters, and draws it anew.
	page.wait_for_load_state("networkidle")
	page.locator(".report-wrapper .dt-scrollable").wait_for()
	return page


@pytest.mark.parametrize("width", [1280, 390])
def test_the_timeline_draws_planned_and_current_dates_of_each_order(moved_order, visit, findings, width):
	page = open_report(visit, "Milestone Timeline", user=BUYER, width=width)
	row = page.locator(f".milestone-picture-svg [data-name='{moved_order}']")
	row.wait_for()
	assert page.locator(".milestone-slip").count() >= 1
	assert page.locator(".milestone-today").count() == 1
	assert findings(page, ".milestone-picture") == []
	# Nothing is forecast without earlier orders, which is not a chance of 0 %.
	assert page.locator(".dt-row .dt-cell", has_text="0%").count() == 0


@pytest.mark.parametrize("width", [1280, 390])
def test_the_process_map_leads_from_an_arrow_to_its_milestones(history, visit, findings, width):
	page = open_report(visit, "Process Map", FIELD, width=width)
	arrow = page.locator(".milestone-step-arrow", has_text="Confirmed to Released")
	arrow.wait_for()
	assert findings(page, ".milestone-picture") == []
	arrow.focus()
	page.keyboard.press("Enter")
	page.wait_for_url("**/query-report/Milestone%20Stays?**")
	page.wait_for_function("frappe.query_report.report_name === 'Milestone Stays'")
	page.locator(".dt-row .dt-cell", has_text="Confirmed").first.wait_for()
	# The steps of sixty orders, without those that came to Confirmed and stayed.
	page.locator(".dt-row .dt-cell", has_text="Released").nth(9).wait_for()


def test_rare_steps_hide_behind_the_slider(history, visit):
	page = open_report(visit, "Process Map", FIELD)
	page.locator(".milestone-step-arrow").first.wait_for()
	before = page.locator(".milestone-step-arrow").count()
	slider = page.locator(".milestone-slider input")
	slider.evaluate(
		"(one) => { one.value = one.max; one.dispatchEvent(new Event('input', { bubbles: true })); }"
	)
	assert 1 <= page.locator(".milestone-step-arrow").count() < before


def test_a_number_leads_to_the_list_behind_it(history, visit):
	page = open_report(visit, "Milestone Bottlenecks", FIELD)
	row = page.locator(".dt-row", has=page.locator(".dt-cell", has_text="Confirmed")).first
	link = row.locator("a[href*='Milestone%20Stays']").first
	stays = int(link.inner_text())
	link.click()
	page.wait_for_url("**/query-report/Milestone%20Stays?**")
	page.locator(".dt-row .dt-cell", has_text="HIST-").first.wait_for()
	assert page.locator(".report-footer, .report-wrapper", has_text="HIST-").count()
	page.wait_for_function("(stays) => frappe.query_report.data?.length === stays", arg=stays)


@pytest.mark.parametrize("width", [1280, 390])
def test_aging_draws_open_orders_over_the_lines_of_their_value(history, visit, findings, width):
	page = open_report(visit, "Milestone Aging", FIELD, width=width)
	page.locator(".milestone-dot").first.wait_for()
	assert page.locator(".milestone-line-80").count() >= 1
	assert findings(page, ".milestone-picture") == []


def test_the_trend_has_a_line_for_each_milestone(moved_order, visit, findings):
	page = open_report(visit, "Slip Trend", f"reference_name={moved_order}", user=BUYER)
	page.locator(".milestone-trend").first.wait_for(state="attached")
	assert page.locator(".milestone-trend").count() == 2
	assert findings(page, ".milestone-picture") == []


@pytest.mark.parametrize(
	"name",
	[
		"Milestone Bottlenecks",
		"On-time Performance",
		"Date Changes by Reason",
		"Blocked and Overdue",
		"Conformance",
	],
)
def test_a_report_opens_with_its_filters_and_without_a_fault(history, moved_order, visit, name):
	page = visit(f"/app/query-report/{name.replace(' ', '%20')}?{FIELD if 'Bottle' in name else ''}")
	page.locator(".page-form .frappe-control:visible").first.wait_for()
	page.locator(".report-wrapper .dt-scrollable:visible, .msg-box:visible").first.wait_for()


def test_the_milestones_behind_a_report_are_saved_as_an_event_log(history, visit):
	page = open_report(visit, "Milestone Bottlenecks", FIELD)
	page.get_by_role("button", name="Export Event Log").click()
	dialog = page.locator(".modal-dialog", has_text="Export Event Log")
	dialog.locator("[data-fieldname='track_field'] select").wait_for()
	dialog.locator("[data-fieldname='log_format'] select").select_option("csv")
	with page.expect_download() as saved:
		dialog.get_by_role("button", name="Export", exact=True).click()
	assert saved.value.suggested_filename == "sample_order-status.csv"
	text = saved.value.path().read_text("utf-8-sig")
	assert text.startswith("case:concept:name,concept:name,time:timestamp,org:resource,")
	assert "HIST-007" in text
