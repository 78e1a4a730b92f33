"""The workspace: what needs its user today, numbers of what the user may read, and the weekly summary."""

import json

import frappe
import pytest
from frappe.core.doctype.report.report import get_report_module_dotted_path
from frappe.desk.desktop import get_desktop_page
from frappe.desk.query_report import run
from frappe.utils import add_days, getdate, nowdate

from devtool.paths import ROOT
from milestone_automation import api, uninstall
from milestone_automation.desk import cards, weekly_mail
from milestone_automation.engine.progress import rescheduling
from milestone_automation.engine.rules.vocabulary import Health
from milestone_automation.patches.v1_1 import name_readers_of_mailed_reports
from milestone_automation.report.milestone_weekly_summary import milestone_weekly_summary
from tests.support.factories import (
	ORDER,
	READER_ROLE,
	make_document,
	make_workflow,
	plan_of,
	stage,
	task,
)

pytestmark = pytest.mark.one_database

APP = ROOT / "milestone_automation"
SUMMARY = weekly_mail.REPORT


@pytest.fixture
def orders(production_order):
	"""Three orders: one late, one due soon and moved this week, one shipped late today."""
	today = nowdate()
	make_workflow(
		stages=[stage("Cut", "Cut", -20), stage("Shipped", "Shipped")],
		tasks=[task("Shipped", "Book the truck", days=1, required=0)],
	)
	dates = {"order_date": add_days(today, -60)}
	late = make_document(delivery_date=add_days(today, 18), **dates)
	soon = make_document(delivery_date=add_days(today, 22), **dates)
	shipped = make_document(delivery_date=add_days(today, -1), **dates)
	rescheduling.reschedule(plan_of(soon).name, "Shipped", add_days(today, 30), "Strike", answer="Keep Order")
	for status in ("Cut", "Shipped"):
		shipped.status = status
		shipped.save()
	return frappe._dict(late=late, soon=soon, shipped=shipped)


@pytest.fixture
def reader(orders, make_user):
	"""A manager who may read the late order only."""
	user = make_user("nora.reader@example.com", ["Milestone Manager"])
	frappe.share.add_docshare(ORDER, orders.late.name, user, read=1)
	return user


def values_of_chart() -> dict[str, int]:
	chart = api.plans_by_health()
	return dict(zip(chart["labels"], chart["datasets"][0]["values"], strict=True)) if chart["labels"] else {}


def sections(**filters) -> dict[str, list[tuple]]:
	found: dict[str, list[tuple]] = {}
	for row in run(SUMMARY, filters=filters or None, ignore_prepared_report=True)["result"]:
		found.setdefault(row["section"], []).append(
			(row.get("reference_name"), row["stage_name"], row.get("days"))
		)
	return found


def test_each_health_keeps_its_place_and_color_in_the_chart(orders):
	before = values_of_chart()
	assert list(before) == ["On Track", "At Risk", "Blocked", "Late", "Skipped", "On Hold"]
	assert (before["Late"], sum(before.values())) == (1, 2)
	frappe.db.set_value("Milestone Plan", plan_of(orders.late).name, "health", Health.BLOCKED.value)
	after = values_of_chart()
	assert list(after) == list(before)
	assert (after["Late"], after["Blocked"]) == (0, before["Blocked"] + 1)
	chart = json.loads(
		(APP / "dashboard_chart/running_plans_by_health/running_plans_by_health.json").read_text()
	)
	colors = json.loads(chart["custom_options"])["colors"]
	assert len(set(colors)) == len(cards.CHARTED_HEALTH)
	assert frappe.db.exists("Dashboard Chart Source", chart["source"])


def test_numbers_are_of_documents_that_the_user_may_read(orders, reader, as_user):
	assert api.on_time_this_month() != cards.NO_NUMBER
	with as_user(reader):
		assert values_of_chart() == {
			"On Track": 0,
			"At Risk": 0,
			"Blocked": 0,
			"Late": 1,
			"Skipped": 0,
			"On Hold": 0,
		}
		card = api.on_time_this_month()
		assert card["value"] == 0.0 if overdue_this_month() else card == cards.NO_NUMBER


def overdue_this_month() -> int:
	"""How many milestones of the orders are overdue since a day of this month: one, but on its first two days none."""
	return int(getdate(add_days(nowdate(), -2)).month == getdate(nowdate()).month)


def test_on_time_this_month_is_the_last_line_of_the_report_it_leads_to(orders, frozen_month):
	"""Seen: the card left out what is overdue, and the report showed that before all months."""
	card, overdue = api.on_time_this_month(), overdue_this_month()
	expected = round(100 / (2 + overdue), 1)
	assert (card["value"], card["fieldtype"], card["precision"]) == (expected, "Percent", 1)
	assert card["route"] == ["query-report", "On-time Performance"]
	rows = run(card["route"][1], filters={"group_by": "Month"}, ignore_prepared_report=True)["result"]
	month = [row for row in rows if isinstance(row, dict)][-1]
	assert (month["group"], month["overdue"]) == (getdate(nowdate()).strftime("%Y-%m"), overdue)
	assert round(month["rate"], 1) == card["value"]


@pytest.fixture
def frozen_month(orders):
	"""Of the shipped order, one milestone was in time and one a day late, both reached this month."""
	plan = plan_of(orders.shipped)
	today = getdate(nowdate())
	for row, key_date in zip(plan.stages, (today, add_days(today, -1)), strict=True):
		frappe.db.set_value(row.doctype, row.name, {"reached_on": today, "key_date": key_date})


def test_my_cards_count_what_waits_for_the_user_today(orders, make_user, as_user):
	user = make_user("olga.owner@example.com", [READER_ROLE])
	with as_user(user):
		assert [api.my_tasks_due()["value"], api.my_milestones_due()["value"]] == [0, 0]
	plan = plan_of(orders.late)
	for row, key_date in zip(plan.stages, (nowdate(), add_days(nowdate(), 1)), strict=True):
		frappe.db.set_value(
			row.doctype, row.name, {"stage_owner": user, "owner_role": "", "key_date": key_date}
		)
	name = frappe.db.get_value("Milestone Task", {"plan": plan.name})
	frappe.db.set_value("Milestone Task", name, "due_date", add_days(nowdate(), -3))
	row = frappe.get_doc("Milestone Task", name).append("assignees", {"user": user, "done": 0})
	row.name, row.parenttype, row.parentfield = "workspace-assignee", "Milestone Task", "assignees"
	row.db_insert()
	with as_user(user):
		assert api.my_milestones_due() == {"value": 1, "fieldtype": "Int", "route": ["my-milestones"]}
		assert api.my_tasks_due()["value"] == 1


def test_milestones_due_this_week_are_counted_each_also_several_of_one_plan(orders, reader, as_user):
	def count() -> int:
		return api.milestones_due_this_week()["value"]

	rows = plan_of(orders.late).stages
	for row in rows:
		frappe.db.set_value(row.doctype, row.name, {"key_date": add_days(nowdate(), 30), "health": "Late"})
	before = count()
	for row in rows:
		frappe.db.set_value(row.doctype, row.name, "key_date", nowdate())
	open_rows = [row for row in rows if row.status == "Open"]
	assert len(open_rows) == 2
	assert count() == before + 2
	with as_user(reader):
		assert count() == 2
	frappe.db.set_value(rows[0].doctype, open_rows[0].name, "health", "Skipped")
	assert count() == before + 1


def test_every_section_of_the_summary_is_a_list_of_milestones(orders):
	counts = {
		entry["label"]: entry["value"]
		for entry in run(SUMMARY, ignore_prepared_report=True)["report_summary"]
	}
	assert sum(counts.values())
	for section, label in milestone_weekly_summary.labels().items():
		filters = {"section": section.value}
		rows = run("Milestone Details", filters=filters, ignore_prepared_report=True)["result"]
		assert len([row for row in rows if row]) == counts[label]


def test_users_of_the_website_get_no_number(production_order, make_user, as_user):
	user = make_user("wanda.web@example.com", [], user_type="Website User")
	for call in (
		api.on_time_this_month,
		api.milestones_due_this_week,
		api.my_tasks_due,
		api.my_milestones_due,
		api.plans_by_health,
	):
		with as_user(user), pytest.raises(frappe.PermissionError) as refused:
			call()
		assert str(refused.value) == "Only users of the Desk may see this."


def test_everything_the_workspace_shows_is_there():
	workspace = json.loads((APP / "workspace/milestone_automation/milestone_automation.json").read_text())
	blocks = json.loads(workspace["content"])
	shown = {
		block["data"][key]
		for block in blocks
		for key in ("number_card_name", "chart_name")
		if key in block["data"]
	}
	listed = {row["number_card_name"] for row in workspace["number_cards"]}
	listed |= {row["chart_name"] for row in workspace["charts"]}
	assert shown == listed
	files = {
		json.loads(path.read_text())["name"]
		for kind in ("number_card", "dashboard_chart")
		for path in (APP / kind).glob("*/*.json")
	}
	assert listed == files
	shortcuts = [block["data"]["shortcut_name"] for block in blocks if block["type"] == "shortcut"]
	assert sorted(shortcuts) == sorted(row["label"] for row in workspace["shortcuts"])
	reports = {row["link_to"] for row in workspace["links"] if row.get("link_type") == "Report"}
	# These two are the lists behind the numbers of the others, which lead to them.
	reports |= {"Milestone Stays", "Milestone Details"}
	assert reports == {json.loads(path.read_text())["name"] for path in (APP / "report").glob("*/*.json")}


def test_a_manager_finds_an_answer_to_each_question_and_others_no_report_they_may_not_run(
	orders, reader, make_user, as_user
):
	"""Seen: the reports were a list of names at the foot of the page, and none says which question it answers."""
	questions = {
		"Is this month better than last?": "On-time Performance",
		"Where does the time go?": "Milestone Bottlenecks",
		"Which supplier is on time?": "Supplier Scorecard",
		"Why do dates slip?": "Date Changes by Reason",
		"What blocks, and who has too much?": "Blocked and Overdue",
		"When will it really be done?": "milestone-grid",
	}
	with as_user(reader):
		assert questions.items() <= shortcuts_of_workspace().items()
	with as_user(make_user("only.reads@example.com", [READER_ROLE])):
		assert questions.keys() & shortcuts_of_workspace().keys() == {"When will it really be done?"}


def shortcuts_of_workspace() -> dict[str, str]:
	page = json.dumps({"name": "Milestone Automation", "title": "Milestone Automation"})
	return {row.label: row.link_to for row in get_desktop_page(page)["shortcuts"]["items"]}


# ------------------------------------------------------------------------------------------ the weekly summary


def test_the_summary_tells_each_milestone_once_and_what_moved(orders):
	found = sections()
	assert found["Late"] == [(orders.late.name, "Cut", 2)]
	assert found["Due in the Next 7 Days"] == [(orders.soon.name, "Cut", 2)]
	assert found["Reached in the Last 7 Days"] == [
		(orders.shipped.name, "Cut", 21),
		(orders.shipped.name, "Shipped", 1),
	]
	assert found["Moved in the Last 7 Days"] == [(orders.soon.name, "Shipped", 8)]


def test_a_long_section_is_cut_and_counted(orders, monkeypatch):
	module = frappe.get_module(get_report_module_dotted_path("Milestone Automation", SUMMARY))
	monkeypatch.setattr(module, "SHOWN", 1)
	assert sections()["Reached in the Last 7 Days"] == [
		(orders.shipped.name, "Cut", 21),
		(None, "1 more", None),
	]


def test_the_summary_comes_with_the_app_and_is_switched_off():
	(mail,) = frappe.get_all("Auto Email Report", {"report": SUMMARY}, ["enabled", "frequency", "user"])
	assert (mail.enabled, mail.frequency, mail.user) == (0, "Weekly", "Administrator")


def test_a_mailed_summary_shows_what_its_user_may_read(orders, reader):
	mail = frappe.get_doc("Auto Email Report", {"report": SUMMARY})
	assert orders.soon.name in mail.get_report_content()
	mail = frappe.get_doc("Auto Email Report", mail.name)
	mail.user = reader
	mail.save()
	content = frappe.get_doc("Auto Email Report", mail.name).get_report_content()
	assert orders.late.name in content
	assert orders.soon.name not in content
	assert orders.shipped.name not in content


def test_nobody_mails_or_sees_what_another_user_may_read(orders, make_user, as_user):
	manager = make_user("mara.manager@example.com", ["Milestone Manager", "Report Manager"])
	mail = frappe.get_doc("Auto Email Report", {"report": SUMMARY})
	with as_user(manager):
		for act in (mail.save, lambda: run(SUMMARY, filters={"for_user": "Administrator"})):
			with pytest.raises(frappe.PermissionError) as refused:
				act()
			assert str(refused.value) == "You may see your own summary only."


@pytest.fixture
def reports() -> list[str]:
	return frappe.get_all("Report", {"module": "Milestone Automation"}, pluck="name", order_by="name")


FILTERS = {"document_type": ORDER, "track_field": "status", "workflow": "Production"}


def test_every_mailed_report_shows_what_its_user_may_read(orders, reader, reports):
	told = {}
	for user in ("Administrator", reader):
		for report in reports:
			mail = frappe.get_doc(
				{"doctype": "Auto Email Report", "report": report, "user": user, "email_to": "x@example.com",
				"frequency": "Weekly", "day_of_week": "Monday", "format": "CSV", "filters": json.dumps(FILTERS)}
			).insert()  # fmt: skip
			told[user, report] = str(
				frappe.get_doc("Auto Email Report", mail.name).get_report_content() or ""
			)
			mail.delete()
	hidden = (orders.soon.name, orders.shipped.name)
	assert any(name in told["Administrator", report] for report in reports for name in hidden)
	assert not [report for report in reports if any(name in told[reader, report] for name in hidden)]


def test_nobody_mails_a_report_of_what_another_user_may_read(make_user, as_user, reports):
	with as_user(make_user("mira.manager@example.com", ["Milestone Manager", "Report Manager"])):
		for report in reports:
			mail = {
				"doctype": "Auto Email Report",
				"report": report,
				"user": "Administrator",
				"format": "CSV",
			}
			mail |= {"email_to": "x@example.com", "frequency": "Weekly", "day_of_week": "Monday"}
			with pytest.raises(frappe.PermissionError, match="own summary only"):
				frappe.get_doc(mail).insert()
			with pytest.raises(frappe.PermissionError, match="own summary only"):
				run(report, filters=FILTERS | {"for_user": "Administrator"})


def test_mails_from_before_get_their_reader(reader):
	mail = frappe.get_doc("Auto Email Report", {"report": SUMMARY})
	mail.db_set({"user": reader, "filters": '{"workflow": "Production"}'})
	for _turn in range(2):
		name_readers_of_mailed_reports.execute()
		stored = json.loads(frappe.db.get_value("Auto Email Report", mail.name, "filters"))
		assert stored == {"workflow": "Production", "for_user": reader}


def test_an_uninstalled_app_takes_its_mails_along():
	weekly_mail.remove()
	assert not frappe.db.exists("Auto Email Report", {"report": SUMMARY})
	weekly_mail.make()
	weekly_mail.make()
	assert frappe.db.count("Auto Email Report", {"report": SUMMARY}) == 1
	assert uninstall.weekly_mail is weekly_mail
