"""The reports as a manager runs them: rows by hand, and only of documents the reader may see."""

import csv
import datetime
import io
import json
import re
from dataclasses import replace

import frappe
import openpyxl
import pytest
from frappe.core.doctype.report.report import get_report_module_dotted_path
from frappe.custom.doctype.property_setter.property_setter import make_property_setter
from frappe.desk.query_report import export_query, run
from frappe.utils import add_days, getdate, nowdate

from milestone_automation import api
from milestone_automation.engine.history.milestone_rows import MilestoneRow, Writer
from milestone_automation.engine.progress import rescheduling, stages, tasks
from milestone_automation.engine.review import (
	conformance,
	date_changes,
	on_time,
	plan_stages,
	responses,
	scorecard,
	stage_stays,
)
from milestone_automation.engine.review.blocked import Blocker
from milestone_automation.engine.review.plan_stages import StageRow
from milestone_automation.engine.rules import criteria
from milestone_automation.engine.rules.vocabulary import MilestoneSource
from milestone_automation.report.blocked_and_overdue import blocked_and_overdue
from tests.support.factories import (
	CLERK_ROLE,
	ORDER,
	SUPPLIER,
	make_document,
	make_workflow,
	plan_of,
	stage,
	task,
	task_of,
)

REPORTS = (
	"Milestone Timeline",
	"Milestone Bottlenecks",
	"Milestone Aging",
	"On-time Performance",
	"Supplier Scorecard",
	"Slip Trend",
	"Date Changes by Reason",
	"Blocked and Overdue",
	"Process Map",
	"Conformance",
	"Milestone Details",
	"Milestone Stays",
)
ON_A_FIELD = {"document_type": ORDER, "track_field": "status"}
ON_PLANS = {"workflow": "Production"}
MANAGER = "rita.manager@example.com"


def module_of(name: str):
	"""The module that Frappe runs for a report, by the name of its own that Frappe calls it."""
	return frappe.get_module(get_report_module_dotted_path("Milestone Automation", name))


def report(name: str, **filters) -> list[dict]:
	"""The rows of a report, as the desk gets them."""
	return [row for row in run(name, filters=filters or None, ignore_prepared_report=True)["result"] if row]


@pytest.fixture
def orders(production_order):
	"""Two orders: one shipped two days late after a move, one with its inspection blocked and overdue."""
	today = nowdate()
	make_workflow(
		stages=[
			stage("Cut", "Cut", -20),
			stage("Counted", days=-10),
			stage("Inspected", "Inspected", -7),
			stage("Shipped", "Shipped"),
		],
		tasks=[task("Inspected", "Book the inspector", days=2)],
	)
	supplier = frappe.get_doc({"doctype": SUPPLIER, "title": "Mills"}).insert().name
	dates = {"delivery_date": add_days(today, -2), "order_date": add_days(today, -60)}
	late = make_document(supplier=supplier, **dates)
	rescheduling.reschedule(plan_of(late).name, "Counted", add_days(today, -9), "Strike", answer="Keep Order")
	tasks.complete(task_of(late, "Book the inspector").name)
	for status in ("Cut", "Inspected", "Shipped"):
		late.status = status
		late.save()
	blocked = make_document(delivery_date=add_days(today, 3), order_date=add_days(today, -60))
	return frappe._dict(late=late, blocked=blocked, supplier=supplier)


FILE = {"kind": "File Is Attached", "label": "A photograph is attached"}


def inspected_order(*rows: dict, **values):
	"""An order to be inspected by Olga four days ago, which needs these criteria."""
	row = stage("Inspected", owner_kind="User", owner_user="olga@example.com", exit_criteria=json.dumps(rows))
	make_workflow("Inspection", stages=[row], tasks=(), priority=5)
	return make_document(**{"delivery_date": add_days(nowdate(), -4)} | values)


def filters_of(name: str) -> dict:
	on_a_field = ("Milestone Bottlenecks", "Milestone Aging", "Milestone Stays", "Process Map")
	return ON_A_FIELD if name in on_a_field else ON_PLANS


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_runs_and_every_row_fits_its_columns(orders, name):
	answer = run(name, filters=filters_of(name), ignore_prepared_report=True)
	fields = {column["fieldname"] for column in answer["columns"]}
	assert answer["result"]
	for row in answer["result"]:
		assert set(row) <= fields, set(row) - fields


def exported(monkeypatch, name: str, file_format: str) -> bytes:
	"""The file that the desk saves of a report with all its rows."""
	asked = {"report_name": name, "filters": json.dumps(filters_of(name)), "file_format_type": file_format}
	shown = json.dumps(list(range(1000)))
	monkeypatch.setattr(frappe.local, "form_dict", frappe._dict(asked, visible_idx=shown))
	export_query()
	return frappe.response.pop("filecontent")


@pytest.mark.one_database
def test_a_spreadsheet_has_what_people_read_and_no_keys_or_markup(orders, monkeypatch):
	# Documents of tests are named by keys.
	names = {orders.late.name, orders.blocked.name, orders.supplier}
	for name in REPORTS:
		rows = list(csv.reader(io.StringIO(exported(monkeypatch, name, "CSV").decode("utf-8-sig"))))
		assert len(rows) >= 2, name
		assert all(rows[0]), f"{name}: a column without a name"
		cells = [cell for row in rows for cell in row if cell not in names]
		assert [cell for cell in cells if re.search(r"[<{]|[0-9a-f]{10}", cell)] == [], name


@pytest.mark.one_database
def test_dates_and_numbers_stay_dates_and_numbers_in_excel(orders, monkeypatch):
	book = openpyxl.load_workbook(io.BytesIO(exported(monkeypatch, "Milestone Timeline", "Excel")))
	names, *rows = book.active.iter_rows(values_only=True)
	values = [dict(zip(names, row, strict=True)) for row in rows]
	late = next(row for row in values if row["Document"] == orders.late.name)
	# Frappe 17 itself writes every date as a text.
	is_text = int(frappe.__version__.split(".")[0]) >= 17
	assert isinstance(late["Last Reached On"], str if is_text else datetime.datetime)
	assert isinstance(late["Slip (Days)"], int)


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_on_nothing_is_empty(production_order, name):
	make_workflow()
	assert run(name, filters=filters_of(name), ignore_prepared_report=True)["result"] == []


@pytest.mark.parametrize("name", REPORTS)
def test_a_manager_who_may_read_no_document_gets_no_row(orders, make_user, as_user, name):
	user = make_user(MANAGER, ["Milestone Manager"])
	with as_user(user):
		assert report(name, **filters_of(name)) == []


@pytest.mark.parametrize("name", REPORTS)
def test_a_manager_who_may_read_one_document_gets_numbers_of_that_one(orders, make_user, as_user, name):
	user = make_user(MANAGER, ["Milestone Manager"])
	frappe.share.add_docshare(ORDER, orders.late.name, user, read=1)
	sewn = MilestoneRow(orders.blocked.name, "", "Sewn", datetime.datetime(2026, 3, 2, 9), "", None, 0)
	Writer(ORDER, "status", "", MilestoneSource.IMPORT).insert([sewn])
	with as_user(user):
		rows = report(name, **filters_of(name))
	seen = {row["reference_name"] for row in rows if row.get("reference_name")}
	assert seen <= {orders.late.name}
	if name == "On-time Performance":
		assert sum(row["reached"] for row in rows) == 3
	if name == "Milestone Bottlenecks":
		values = {row["value"] for row in rows}
		assert "Shipped" in values and "Sewn" not in values


def test_a_manager_who_may_not_read_the_supplier_sees_none_in_any_report(orders, make_user, as_user):
	user = make_user(MANAGER, ["Milestone Manager"])
	frappe.share.add_docshare(ORDER, orders.late.name, user, read=1)

	def suppliers() -> tuple[list, list, set]:
		with as_user(user):
			on_time_rows = report("On-time Performance", **ON_PLANS, group_by="Supplier")
			return (
				[row["group"] for row in on_time_rows if row["key"]],
				[row["supplier"] for row in report("Supplier Scorecard", **ON_PLANS)],
				{row["supplier"] for row in report("Milestone Details", **ON_PLANS)},
			)

	assert suppliers() == ([orders.supplier], [orders.supplier], {orders.supplier})
	make_property_setter(ORDER, "supplier", "permlevel", 3, "Int", validate_fields_for_doctype=False)
	frappe.clear_cache(doctype=ORDER)
	assert suppliers() == ([], [], {""})
	with as_user(user):
		guessed = report("Milestone Details", **ON_PLANS, group_by="Supplier", group=orders.supplier)
	assert guessed == []


@pytest.mark.parametrize("name", REPORTS)
def test_desk_users_without_the_role_may_not_run_a_report(orders, make_user, as_user, name):
	user = make_user("clara.clerk@example.com", ["Production Clerk"])
	with as_user(user), pytest.raises(frappe.PermissionError):
		run(name, filters=filters_of(name), ignore_prepared_report=True)


@pytest.mark.parametrize(
	"bad",
	[
		{"from_date": "yesterday"},
		{"from_date": "2026-13-01"},
		{"from_date": "2026-02-01", "to_date": "2026-01-01"},
		{"track_field": ["status"]},
		{"document_type": "Production Order' or '1'='1"},
	],
)
def test_a_filter_that_cannot_be_is_refused_in_words(orders, bad):
	with pytest.raises((frappe.ValidationError, frappe.PermissionError, frappe.DoesNotExistError)):
		report("Milestone Bottlenecks", **(ON_A_FIELD | bad))


def test_the_timeline_shows_planned_current_and_actual_dates(orders):
	rows = {row["reference_name"]: row for row in report("Milestone Timeline", **ON_PLANS)}
	late = rows[orders.late.name]
	assert late["slip"] == 3
	assert getdate(late["reached"]) == getdate(nowdate())
	assert [dot["name"] for dot in frappe.parse_json(late["stages"])] == [
		"Cut",
		"Counted",
		"Inspected",
		"Shipped",
	]
	assert rows[orders.blocked.name]["stage_name"] == "Cut"


def test_a_long_timeline_begins_with_what_is_due_first_and_says_that_there_is_more(orders, monkeypatch):
	monkeypatch.setattr(module_of("Milestone Timeline"), "MOST_DRAWN", 1)
	answer = run("Milestone Timeline", filters=ON_PLANS)
	rows = [row for row in answer["result"] if row]
	assert [row["reference_name"] for row in rows] == [orders.blocked.name, orders.late.name]
	assert [bool(row["stages"]) for row in rows] == [True, False]
	assert not answer["message"]

	monkeypatch.setattr(module_of("Milestone Timeline"), "MOST_ROWS", 1)
	answer = run("Milestone Timeline", filters=ON_PLANS)
	assert [row["reference_name"] for row in answer["result"] if row] == [orders.blocked.name]
	assert answer["message"] == ("The 1 of 2 documents that are due first. Choose filters to see the others.")


def test_long_details_and_stays_say_how_many_they_leave_out(orders, monkeypatch):
	for name in ("Milestone Details", "Milestone Stays"):
		monkeypatch.setattr(module_of(name), "MOST_ROWS", 1)
	details = run("Milestone Details", filters=ON_PLANS)
	stays = run("Milestone Stays", filters=ON_A_FIELD)

	assert len([row for row in details["result"] if row]) == 1
	assert details["message"] == "The first 1 of 8 milestones. Choose filters to see the others."
	assert len([row for row in stays["result"] if row]) == 1
	assert stays["message"].startswith("The longest 1 of ")


def test_on_time_performance_counts_with_tolerance(orders):
	def late(**filters):
		rows = report("On-time Performance", **ON_PLANS, group_by="Workflow", **filters)
		return [(row["group"], row["reached"], row["late"], row["overdue"]) for row in rows]

	# Of the four open milestones past their date one was skipped.
	assert late() == [("Production", 3, 3, 3)]
	assert late(late_days=5) == [("Production", 3, 2, 3)]


def test_date_changes_are_added_up_by_reason(orders):
	assert report("Date Changes by Reason", **ON_PLANS) == [
		{"reason": "Strike", "without_reason": 0, "count": 1, "documents": 1, "days_out": 3, "days_in": 0}
	]


def test_what_is_blocked_names_the_task_and_who_has_it(orders):
	rows = [row for row in report("Blocked and Overdue", **ON_PLANS) if row["title"]]
	assert [(row["reference_name"], row["stage_name"], row["title"], row["required"]) for row in rows] == [
		(orders.blocked.name, "Inspected", "Book the inspector", 1)
	]
	# Since the day after its due date; the milestone was blocked later, on its key date.
	assert (rows[0]["days"], rows[0]["since"]) == (6, getdate(add_days(nowdate(), -5)))


def test_a_name_with_a_comma_is_one_person_in_the_chart():
	person = {"stage": row(due=day(1)), "task": "task", "title": "Sew", "required": True, "due": day(1)}
	chart = blocked_and_overdue.get_chart([Blocker(**person, people=["Mills, Ltd."], days=1)])
	assert chart["data"]["labels"] == ["Mills, Ltd."]


def test_an_unmet_exit_criterion_is_listed_with_the_milestone_s_owner_until_it_is_met(orders, make_user):
	make_user("olga@example.com", [CLERK_ROLE])
	order = inspected_order(
		{"kind": "Field Is Set", "field": "note"}, {"kind": "Comment Was Given", "required": 0}, FILE
	)

	def listed() -> list[tuple]:
		rows = report("Blocked and Overdue", workflow="Inspection")
		return [(row["title"], row["required"], row["task"], row["days"], row["people"]) for row in rows]

	assert listed() == [
		("Note is set", 1, None, 4, "Olga"),
		("A photograph is attached", 1, None, 4, "Olga"),
	]
	plan = plan_of(order).name
	photograph = criteria.parse(json.dumps([FILE]))[0].key
	api.waive_criterion(plan, "Inspected", photograph, "The camera is broken")
	assert [title for title, *_others in listed()] == ["Note is set"]
	frappe.db.set_value(ORDER, order.name, "note", "Inspected by hand")
	# Past its key date, and nothing is in the way any more.
	assert listed() == [("", 0, None, 4, "Olga")]


def test_a_blocked_milestone_lists_its_criteria_though_it_is_not_overdue(orders, make_user):
	make_user("olga@example.com", [CLERK_ROLE])
	order = inspected_order(FILE, delivery_date=nowdate())
	frappe.db.set_value("Milestone Plan Stage", plan_of(order).stages[0].name, "health", "Blocked")
	[row] = report("Blocked and Overdue", workflow="Inspection")
	assert (row["title"], row["days"], row["due"]) == ("A photograph is attached", 0, getdate(nowdate()))


def test_the_report_names_no_document_type_to_who_may_read_only_some_of_it(orders, make_user, as_user):
	make_user("olga@example.com", [CLERK_ROLE])
	make_user(MANAGER, ["Milestone Manager", CLERK_ROLE])
	inspected_order({"kind": "Other Document Exists", "doctype": ORDER, "link_field": "amended_from"})
	with as_user(MANAGER):
		[row] = report("Blocked and Overdue", workflow="Inspection")
	assert row["title"] == f"{ORDER} exists and is submitted"
	permission = {"doctype": "User Permission", "user": MANAGER, "allow": SUPPLIER}
	frappe.get_doc(permission | {"for_value": orders.supplier}).insert()
	with as_user(MANAGER):
		# The order has no supplier, so it is not hidden from them.
		[row] = report("Blocked and Overdue", workflow="Inspection")
	assert row["title"] == "A document that not everybody may read exists"


def test_a_skipped_milestone_is_a_deviation_and_not_late_too(orders):
	rows = report("Conformance", **ON_PLANS)
	counted = [
		row for row in rows if row["reference_name"] == orders.late.name and row["stage_name"] == "Counted"
	]
	assert [row["deviation"] for row in counted] == ["Skipped"]


def test_a_milestone_confirmed_and_undone_counts_once(orders):
	plan = plan_of(orders.blocked).name
	stages.confirm(plan, "Counted")
	stages.undo(plan, "Counted", "Miscounted")
	stages.confirm(plan, "Counted")
	rows = report("Milestone Bottlenecks", document_type=ORDER, track_field="milestone_stage")
	assert [(row["value"], row["open_now"], row["rework"]) for row in rows] == [("Counted", 0, 0)]
	undone = {"plan": plan, "event": "Milestone Undone"}
	frappe.db.set_value("Milestone Plan Log", undone, "done_on", add_days(nowdate(), -3))
	repeated = [row for row in report("Conformance", **ON_PLANS) if row["deviation"] == "Repeated"]
	assert [(row["stage_name"], row["times"], row["days"]) for row in repeated] == [("Counted", 1, 3)]


# What is behind a number


def behind(shown: str, **filters) -> list[dict]:
	return report("Milestone Details", **ON_PLANS, shown=shown, **filters)


@pytest.mark.parametrize("group", on_time.GROUPS)
@pytest.mark.parametrize("tolerance", [{}, {"early_days": 1, "late_days": 5}])
def test_every_number_of_on_time_performance_is_a_list_of_milestones(orders, group, tolerance):
	columns = {
		"reached": "Reached",
		"early": "Early",
		"on_time": "On Time",
		"late": "Late",
		"overdue": "Overdue",
	}
	rows = report("On-time Performance", **ON_PLANS, group_by=group, **tolerance)
	assert sum(row["reached"] + row["overdue"] for row in rows)
	for row in rows:
		of_group = {"group_by": group} | ({"group": row["key"]} if row["key"] else {"without_group": 1})
		lists = {column: len(behind(shown, **of_group, **tolerance)) for column, shown in columns.items()}
		assert lists == {column: row[column] for column in columns}


def test_every_number_of_a_supplier_is_a_list_of_milestones(orders):
	(row,) = report("Supplier Scorecard", **ON_PLANS)
	of_supplier = {"group_by": "Supplier", "group": row["supplier"]}
	assert len(behind("Late", **of_supplier)) == row["late"] == 3
	moved = behind("Date Moved", **of_supplier)
	assert sum(line["moves"] for line in moved) == row["moved"] == 1
	assert len(behind("Date Moved Out", **of_supplier)) == row["moved_out"] == 1


def test_a_supplier_has_the_moves_of_the_period(orders):
	def moved(**period):
		return [row["moved"] for row in report("Supplier Scorecard", **ON_PLANS, **period)]

	today = nowdate()
	assert moved(from_date=today, to_date=today) == [1]
	frappe.db.set_value("Milestone Date Change", {"reason": "Strike"}, "changed_on", add_days(today, -9))
	assert moved(from_date=today, to_date=today) == [0]


def test_every_reason_is_a_list_of_milestones(orders):
	plan = plan_of(orders.blocked).name
	rescheduling.reschedule(plan, "Shipped", add_days(nowdate(), 9), "Rain", answer="Keep Order")
	frappe.db.set_value("Milestone Date Change", {"reason": "Rain"}, "reason", "")
	rows = report("Date Changes by Reason", **ON_PLANS)
	assert len(rows) == 2
	for row in rows:
		chosen = {"without_reason": 1} if row["without_reason"] else {"reason": row["reason"]}
		lines = behind("Date Changed", **chosen)
		assert sum(line["changes"] for line in lines) == row["count"]
		assert sum(line["days_out"] for line in lines) == row["days_out"]


def test_every_number_of_bottlenecks_and_of_the_map_is_a_list(orders):
	moments = [datetime.datetime(2026, 3, day, 9) for day in (2, 3, 5, 9)]
	path, before = ("Cut", "Sewn", "Cut", ""), ""
	for number, (value, moment) in enumerate(zip(path, moments, strict=True)):
		stood = int((moment - moments[number - 1]).total_seconds()) if number else None
		row = MilestoneRow(orders.blocked.name, before, value, moment, "", stood, number)
		Writer(ORDER, "status", "", MilestoneSource.IMPORT).insert([row])
		before = value
	rows = report("Milestone Bottlenecks", **ON_A_FIELD)
	assert sum(row["rework"] for row in rows) == 1
	for row in rows:
		value = {"value": row["value"]}
		assert len(report("Milestone Stays", **ON_A_FIELD, **value)) == row["count"]
		assert len(report("Milestone Stays", **ON_A_FIELD, **value, returns_only=1)) == row["rework"]
		if row["open_now"]:
			assert len(report("Milestone Aging", **ON_A_FIELD, **value)) == row["open_now"]
	for row in report("Process Map", **ON_A_FIELD):
		step = {"value": row["from_value"]} | (
			{"next_value": row["value"]} if row["value"] else {"next_is_empty": 1}
		)
		stays = report("Milestone Stays", **ON_A_FIELD, **step)
		assert len(stays) == row["count"]
		assert sum(stay["days"] for stay in stays) / len(stays) == pytest.approx(row["mean"])


# By milestone of a workflow


def test_every_number_of_the_milestones_of_a_workflow_is_a_list(orders):
	stages.undo(plan_of(orders.late).name, "Shipped", "Came back")
	rows = report("Milestone Bottlenecks", **ON_PLANS)
	# Of the late order Cut and Inspected are reached, and Shipped waits; of the other one Cut does.
	numbers = {row["value"]: (row["count"], row["open_now"], row["rework"]) for row in rows}
	assert numbers == {"Cut": (1, 1, 0), "Inspected": (1, 0, 0), "Shipped": (0, 1, 1)}
	for row in rows:
		assert len(report("Milestone Stays", **ON_PLANS, value=row["value"])) == row["count"]
		assert len(report("Milestone Stays", **ON_PLANS, value=row["value"], open_only=1)) == row["open_now"]
		undone = report("Milestone Stays", **ON_PLANS, value=row["value"], returns_only=1)
		assert [line["value"] for line in undone] == [row["value"]] * row["rework"]
	earlier = {**ON_PLANS, "to_date": "2020-01-01"}
	assert {(row["count"], row["rework"]) for row in report("Milestone Bottlenecks", **earlier)} == {(0, 0)}
	assert report("Milestone Stays", **earlier, returns_only=1) == []


def test_rework_counts_what_was_undone_in_the_plans_of_the_workflow_only(orders, count_queries):
	stages.undo(plan_of(orders.late).name, "Shipped", "Came back")
	rows = list(plan_stages.read(plan_stages.PlanFilter()))
	workflow = plan_of(orders.late).workflow
	chosen = plan_stages.PlanFilter(workflow)
	assert [one.stage.stage_name for one in stage_stays.undoings(rows, chosen)] == ["Shipped"]
	others = plan_stages.PlanFilter("Another Workflow")
	with count_queries() as counted:
		assert stage_stays.undoings(rows, others) == []
	(asked,) = counted.statements
	assert "workflow" in asked, "the log of other plans is not read"


def moments(*hours: int | None) -> list[datetime.datetime | None]:
	start = datetime.datetime(2026, 5, 4, 9)
	return [None if hour is None else start + datetime.timedelta(hours=hour) for hour in hours]


def reached_stages(*hours: int | None, **values) -> list[StageRow]:
	"""Stages reached so many hours after the plan was made; None for open."""
	created = moments(0)[0]
	return [
		row(number, created=created, reached_at=at, reached=at and at.date(), **values)
		for number, at in enumerate(moments(*hours), 1)
	]


def taken(rows: list[StageRow], now: int) -> list[tuple]:
	(now,) = moments(now)
	return [
		(stay.stage.stage_name, stay.seconds(now) // 3600, stay.until is None)
		for stay in stage_stays.find(rows)
	]


def test_a_milestone_takes_from_the_one_before_it_or_from_the_start_of_the_plan():
	assert taken(reached_stages(5, 12, None, None), now=30) == [
		("Stage 1", 5, False),
		("Stage 2", 7, False),
		("Stage 3", 18, True),
	]


def test_a_milestone_of_a_branch_takes_from_the_last_of_those_it_depends_on():
	rows = reached_stages(5, 12, 8, 20)
	rows[2] = replace(rows[2], dependency="Nothing")
	rows[3] = replace(rows[3], dependency="Chosen Milestones", predecessors="Stage 1\nStage 3")
	assert [hours for _name, hours, _open in taken(rows, now=30)] == [5, 7, 8, 12]


def test_a_skipped_milestone_takes_no_time_and_one_out_of_order_less_than_none_never():
	rows = reached_stages(5, None, 12)
	rows[1] = replace(rows[1], health="Skipped")
	assert taken(rows, now=30) == [("Stage 1", 5, False), ("Stage 3", 7, False)]
	assert [hours for _name, hours, _open in taken(reached_stages(9, 4), now=30)] == [9, 0]


def test_milestones_from_before_their_plan_take_the_days_between_them_however_late_they_are_recorded():
	"""Seen: plans for existing orders were nothing but the seconds in which somebody confirmed one of their milestones."""
	made = datetime.datetime(2026, 5, 30, 10)
	rows = [
		row(1, created=made, started=day(1), reached=day(3), milestone="m"),
		row(
			2, created=made, started=day(1), reached=day(10), reached_at=made + datetime.timedelta(seconds=16)
		),
		row(3, created=made, started=day(1), reached=day(11), milestone="m"),
		row(4, created=made, started=day(1)),
	]
	now = datetime.datetime(2026, 5, 30, 12)
	found = [
		(stay.seconds(now) / 86_400, stay.until and stay.until.date()) for stay in stage_stays.find(rows)
	]
	assert found == [(2, day(3)), (7, day(10)), (1, day(11)), (19, None)]


@pytest.mark.no_site
def test_a_milestone_reached_nobody_knows_when_takes_no_time():
	made = datetime.datetime(2026, 5, 4, 9)
	rows = [row(1, created=made, reached=day(4)), row(2, created=made)]
	assert [stay.stage.stage_name for stay in stage_stays.find(rows)] == ["Stage 2"]


def test_the_second_period_has_values_of_its_own_and_every_number(production_order):
	def write(case: str, *journey: tuple[str, int]) -> None:
		before, last = "", None
		for value, day_of_may in journey:
			moment = datetime.datetime(2026, 5, day_of_may, 9)
			stood = int((moment - last).total_seconds()) if last else None
			entry = MilestoneRow(case, before, value, moment, "", stood, 0)
			Writer(ORDER, "status", "", MilestoneSource.IMPORT).insert([entry])
			before, last = value, moment

	write("early", ("Dyed", 1), ("Cut", 3), ("Sewn", 6))
	write("late", ("Cut", 20), ("Sewn", 25))
	period = {"from_date": "2026-05-15", "to_date": "2026-05-30"}
	earlier = {"compare_from": "2026-05-01", "compare_to": "2026-05-14"}
	rows = {row["value"]: row for row in report("Milestone Bottlenecks", **ON_A_FIELD, **period, **earlier)}
	cut, dyed = rows["Cut"], rows["Dyed"]
	assert (cut["median"], cut["median_before"], cut["median_change"]) == (5, 3, 2)
	assert (cut["mean_change"], cut["p90_change"], cut["share_before"]) == (2, 2, pytest.approx(60))
	assert (dyed["count"], dyed["median"], dyed["count_before"], dyed["median_before"]) == (0, None, 1, 2)
	with pytest.raises(frappe.ValidationError, match="ends before it begins"):
		report("Milestone Bottlenecks", **ON_A_FIELD, compare_from="2026-05-14", compare_to="2026-05-01")


# Answers


def test_days_to_answer_count_what_somebody_answered_only(orders, make_user, as_user):
	olga = make_user("olga@example.com", [CLERK_ROLE])
	plan = plan_of(orders.blocked)
	name = plan.stages[1].name
	frappe.db.set_value("Milestone Plan Stage", name, "stage_owner", olga)
	prompt = {"doctype": "Milestone Message", "kind": "Prompt", "recipient": olga, "message_key": "asked"}
	prompt |= {"plan": plan.name, "plan_stage": name, "sent_on": add_days(nowdate(), -6), "status": "Sent"}
	frappe.get_doc(prompt).insert(ignore_permissions=True)  # test set-up

	def answered() -> list[float]:
		stages_read = list(plan_stages.read(plan_stages.PlanFilter("Production", orders.blocked.name)))
		return [round(days) for days in responses.days(stages_read).get(name, [])]

	def move(source: str, changed_by: str, days_ago: int) -> None:
		values = {"source": source, "changed_by": changed_by, "status": "Accepted", "plan": plan.name}
		values |= {"doctype": "Milestone Date Change", "plan_stage": name}
		change = frappe.get_doc(values | {"changed_on": add_days(nowdate(), -days_ago)})
		change.insert(ignore_permissions=True)  # test set-up

	for source in ("Previous Milestone", "Workflow Version", "On Hold", "Import"):
		move(source, olga, 5)
	move("Form", "Administrator", 5)
	assert answered() == []
	move("Form", olga, 2)
	assert answered() == [4]
	move("Prompt", "Administrator", 3)
	assert answered() == [3]


# Pure rules


def row(position: int = 1, **values) -> StageRow:
	defaults = {
		"name": f"row-{position}",
		"plan": "plan",
		"workflow": "Production",
		"reference_type": ORDER,
		"reference_name": "PO-1",
		"position": position,
		"stage_name": f"Stage {position}",
		"status": "Reached" if values.get("reached") else "Open",
		"health": "",
		"owner": "",
		"role": "",
		"supplier": "",
		"started": datetime.date(2026, 1, 1),
		"planned": values.get("due"),
		"due": None,
		"reached": None,
		"reached_at": None,
		"blocked_by": 0,
		"is_active": True,
	}
	return StageRow(**(defaults | values))


def day(number: int) -> datetime.date:
	return datetime.date(2026, 5, number)


@pytest.mark.no_site
@pytest.mark.parametrize(
	("reached", "early_days", "late_days", "expected"),
	[
		(day(10), 0, 0, (0, 1, 0)),
		(day(12), 0, 0, (0, 0, 1)),
		(day(12), 0, 2, (0, 1, 0)),
		(day(8), 0, 0, (1, 0, 0)),
		(day(8), 2, 0, (0, 1, 0)),
	],
)
def test_tolerance_is_inclusive(reached, early_days, late_days, expected):
	rows = [row(due=day(10), reached=reached)]
	found = on_time.measure(rows, "Milestone", day(20), on_time.Tolerance(early_days, late_days))
	assert [(group.early, group.on_time, group.late) for group in found] == [expected]


@pytest.mark.no_site
def test_what_was_never_delivered_is_late_in_the_rate_and_the_grade_of_a_supplier():
	rows = [row(1, supplier="Mills", due=day(1), reached=day(1))]
	rows += [row(number, supplier="Mills", due=day(1)) for number in range(2, 22)]
	(group,) = on_time.measure(rows, "Supplier", day(30))
	(score,) = scorecard.score([group], rows, [], {})
	assert (group.reached, group.overdue, group.rate, score.grade) == (1, 20, 1 / 21, "D")


@pytest.mark.no_site
def test_out_of_order_costs_the_days_after_the_later_one():
	rows = [row(1, due=day(1), reached=day(9)), row(2, due=day(10), reached=day(4))]
	found = list(conformance.check(rows, {}, day(20)))
	assert [(finding.deviation.value, finding.days) for finding in found] == [
		("Out of Order", 5),
		("Late", 8),
	]


@pytest.mark.no_site
def test_a_trend_goes_from_the_first_date_over_each_move_to_the_day_it_was_reached():
	moves = [
		date_changes.DateChange("row-1", datetime.datetime(2026, 4, 2, 9), day(1), day(5), "", "Form", ""),
		date_changes.DateChange("row-1", datetime.datetime(2026, 4, 9, 9), day(5), day(3), "", "Form", ""),
	]
	found = date_changes.trend(row(due=day(3), planned=day(1), reached=day(4)), moves)
	assert found == [
		(datetime.date(2026, 1, 1), day(1)),
		(datetime.date(2026, 4, 2), day(5)),
		(datetime.date(2026, 4, 9), day(3)),
		(day(4), day(4)),
	]


def test_a_supplier_is_graded_by_what_was_on_time_and_its_moves_are_counted(orders):
	rows = report("Supplier Scorecard", **ON_PLANS)
	assert [
		(row["supplier"], row["grade"], row["reached"], row["moved"], row["moved_out"]) for row in rows
	] == [(orders.supplier, "D", 3, 1, 1)]
