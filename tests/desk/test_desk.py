"""What the Desk asks besides the plan: only what the user may see, and mistakes at the row they are in."""

import re

import frappe
import pytest

from milestone_automation import api
from milestone_automation.desk import board, boot, builder, calendar, link_titles, my_work, timeline, tracker
from milestone_automation.engine.plans import starting
from milestone_automation.engine.progress import tasks
from milestone_automation.links import answer_page
from tests.support import factories

READER = "desk.reader@people.example"
STRANGER = "desk.stranger@people.example"


@pytest.fixture
def people(production_order, make_user):
	make_user(READER, [factories.READER_ROLE])
	# Works in the Desk, with no right to orders.
	make_user(STRANGER, ["Report Manager"])


@pytest.fixture
def order(people):
	"""An order with a running plan; the reader has the task that holds it."""
	tasks = [factories.task("Shipped", "Sign the packing list", days=1, **factories.member(READER))]
	factories.make_workflow("Desk Production", tasks=tasks)
	doc = frappe.get_doc(
		{"doctype": factories.ORDER, "delivery_date": frappe.utils.add_days(frappe.utils.nowdate(), 40)}
	).insert()
	starting.start(doc)
	return doc


def draft(**values) -> dict:
	stages = [factories.stage("Cut", "Cut", -20), factories.stage("Shipped", "Shipped")]
	return {
		"doctype": "Milestone Workflow",
		"workflow_name": "Draft",
		"document_type": factories.ORDER,
		"stages": stages,
		"tasks": [],
	} | values


def test_mistakes_of_a_draft_are_told_at_their_rows(people):
	tasks = [
		factories.task("Shipped", "Sign"),
		factories.task("Shipped", "Call", assignee_kind="Role"),
		factories.task("Nowhere", "Wait"),
	]

	told = builder.check_workflow(draft(tasks=tasks))

	assert told["general"] == []
	assert told["stages"] == [[], []]
	assert told["tasks"][0] == []
	assert told["tasks"][1] == ["Choose the role that gets it."]
	assert told["tasks"][2] == ["This workflow has no milestone Nowhere. Choose one of: Cut, Shipped."]


def test_checking_a_draft_stores_nothing(people):
	builder.check_workflow(draft())

	assert not frappe.db.exists("Milestone Workflow", "Draft")


def test_a_draft_is_previewed_before_it_is_saved(order):
	preview = builder.preview_draft(draft(), order.name)

	assert preview["matches"]
	assert [stage["stage_name"] for stage in preview["stages"]] == ["Cut", "Shipped"]


@pytest.mark.parametrize("call", ["check_workflow", "preview_draft"])
def test_building_is_for_managers(order, as_user, call):
	arguments = [draft()] if call == "check_workflow" else [draft(), order.name]
	with as_user(READER), pytest.raises(frappe.PermissionError):
		getattr(builder, call)(*arguments)


def test_everybody_sees_his_own_work_and_nobody_elses(order, as_user):
	with as_user(READER):
		mine = my_work.my_work()["tasks"]
	with as_user(STRANGER):
		none = my_work.my_work()

	assert [task["title"] for task in mine] == ["Sign the packing list"]
	assert none["tasks"] == none["stages"] == []


def test_who_owns_a_milestone_from_outside_answers_it_without_a_right_to_its_document(people, as_user):
	outside = {"owner_kind": "Third-Party Collaborator", "owner_email": STRANGER, "owner_name": "The Mill"}
	stages = [factories.stage("Woven", None, -20, **outside), factories.stage("Shipped", None)]
	factories.make_workflow("Desk Outside", stages=stages, tasks=[factories.task("Woven", "Sign")])
	order = factories.make_document(delivery_date=frappe.utils.add_days(frappe.utils.nowdate(), 40))
	row = factories.stage_of(order, "Woven")
	assert row.stage_owner == STRANGER

	with as_user(STRANGER):
		(mine,) = my_work.my_work()["stages"]
		token = re.search(r"token=([\w.-]+)", mine.pop("answer_url"))[1]
		page = answer_page.answer_page({"token": token, "answer": "yes"}, False)
		with pytest.raises(frappe.PermissionError):
			frappe.get_doc(order.doctype, order.name).check_permission("read")

	assert mine == {
		"name": row.name,
		"plan": row.parent,
		"stage_name": "Woven",
		"key_date": row.key_date,
		"reference_type": order.doctype,
		"reference_name": order.name,
	}
	assert (page["state"], page["stage"], page["shown"], page["url"]) == ("ask", "Woven", [], "")


def test_my_tasks_are_the_open_ones_by_due_date_and_those_without_one_come_last(people, as_user):
	titles = ("Pack", "Weigh", "Label", "Sign")
	rows = [factories.task("Shipped", title, **factories.member(READER)) for title in titles]
	factories.make_workflow("Desk Order of Tasks", tasks=rows)
	doc = frappe.get_doc(
		{"doctype": factories.ORDER, "delivery_date": frappe.utils.add_days(frappe.utils.nowdate(), 40)}
	).insert()
	starting.start(doc)
	days = {"Pack": None, "Weigh": "2031-01-02", "Label": "2031-01-01", "Sign": "2031-01-03"}
	for title, day in days.items():
		frappe.db.set_value("Milestone Task", {"title": title, "reference_name": doc.name}, "due_date", day)
	with as_user(READER):
		tasks.complete(task_named("Sign", doc))
		shown = [task["title"] for task in my_work.my_work()["tasks"]]

	assert shown == ["Label", "Weigh", "Pack"]


def task_named(title: str, doc) -> str:
	return frappe.db.get_value("Milestone Task", {"title": title, "reference_name": doc.name})


def test_a_user_without_roles_of_his_own_has_no_milestones_by_role(make_user, as_user):
	make_user("plain@example.com")
	frappe.db.set_value("User", "plain@example.com", "user_type", "System User")
	with as_user("plain@example.com"):
		assert my_work._my_stages() == []


def test_the_timeline_is_for_those_who_may_read_the_document(order, as_user):
	with as_user(READER):
		entries = timeline.timeline(order.doctype, order.name)

	assert any("started the plan" in entry["content"] for entry in entries)
	with as_user(STRANGER), pytest.raises(frappe.PermissionError):
		timeline.timeline(order.doctype, order.name)


def test_the_timeline_escapes_what_users_wrote(order):
	plan = frappe.db.get_value("Milestone Plan", {"reference_name": order.name})
	name = tasks.add(plan, "Shipped", title="Sign & <b>seal</b>")
	tasks.cancel(name, "<script>alert(2)</script>")

	told = " ".join(entry["content"] for entry in timeline.timeline(order.doctype, order.name))

	assert "<script" not in told and "<b>seal" not in told
	assert "\u2039b&gt;seal" in told


def test_calendars_show_only_plans_the_user_may_see(order, as_user):
	days = (frappe.utils.nowdate(), frappe.utils.add_days(frappe.utils.nowdate(), 60))
	with as_user(READER):
		seen = calendar.stage_events(*days), calendar.task_events(*days)
	with as_user(STRANGER):
		hidden = calendar.stage_events(*days), calendar.task_events(*days)

	assert {event["name"] for event in seen[0]} and [task.title for task in seen[1]]
	assert hidden == ([], [])


def test_a_form_is_sent_the_titles_of_linked_plans_that_its_reader_may_read(order, as_user):
	plan = frappe.get_doc("Milestone Plan", {"reference_name": order.name})
	task = frappe.get_last_doc("Milestone Task", {"plan": plan.name})
	sent = {}
	for user in (READER, STRANGER):
		frappe.local.response.pop("_link_titles", None)
		with as_user(user):
			link_titles.send(task)
		sent[user] = frappe.local.response.pop("_link_titles", None)

	assert sent == {READER: {f"Milestone Plan::{plan.name}": plan.title}, STRANGER: None}


def test_the_board_has_no_column_for_those_who_see_no_plan(order, as_user):
	with as_user(READER):
		columns = board.board("Desk Production")
	with as_user(STRANGER):
		nothing = board.board("Desk Production")

	assert columns["stages"] == ["Cut", "Inspected", "Shipped"]
	assert [plan.reference_name for plan in columns["plans"]] == [order.name]
	assert [plan.owner_name for plan in columns["plans"]] == [frappe.utils.get_fullname(order.owner)]
	assert nothing["stages"] == nothing["plans"] == []


def test_boot_names_doctypes_with_a_workflow_without_sql_when_warm(order, count_queries):
	boot.extend_bootinfo(frappe._dict())
	bootinfo = frappe._dict()
	with count_queries() as queries:
		boot.extend_bootinfo(bootinfo)

	assert factories.ORDER in bootinfo.milestone_doctypes
	assert queries.count == 0, str(queries)


def test_backfill_is_for_system_managers(people, as_user):
	with as_user(READER), pytest.raises(frappe.PermissionError):
		tracker.start_backfill("any tracker")


@pytest.mark.parametrize("events", [api.task_events, api.stage_events])
def test_sql_in_the_dates_of_the_calendar_is_refused(order, as_user, events):
	attack = "j1'or't'--"
	with as_user(STRANGER):
		for start, end in ((attack, "2030-07-01"), ("2030-06-01", attack)):
			with pytest.raises(frappe.ValidationError, match="must be a date, written as YYYY-MM-DD"):
				events(start, end)
		with pytest.raises(
			frappe.ValidationError, match="creation compares it with a value that does not fit"
		):
			events("2030-06-01", "2030-07-01", [["creation", "between", ["2030-06-01", attack]]])
