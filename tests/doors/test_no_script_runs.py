"""Nothing that somebody wrote runs as script: in forms, lists, reports, Gantt, calendar, print, timeline and mails."""

import json
from urllib.parse import quote, urlencode

import frappe
import pytest

from milestone_automation import api
from milestone_automation.engine.base import bulk, clock, plain_text
from milestone_automation.engine.history.milestone_rows import MilestoneRow, Writer
from milestone_automation.engine.messages import letters, outbox
from milestone_automation.engine.people.directory import Recipient
from milestone_automation.engine.people.signed_links import Purpose, make_token
from milestone_automation.engine.rules.vocabulary import MessageKind, MilestoneSource
from tests.doors.conftest import ORDER, OWNER, PASSWORD, SUPPLIER
from tests.doors.written_texts import DOCTYPES, PLAIN_FIELDS
from tests.support.factories import make_document, make_workflow, stage, task, task_of

NAME = "DOOR-SCRIPT"
# Breaks out of attributes and of text; each part calls what the browser tells the test of.
BREAK_OUT = 'x" onfocus=fired(4) autofocus contenteditable x="'
TEXTS = {
	"tag": f"{BREAK_OUT}'><img src=x onerror=fired(1)>{{{{7*7}}}}",
	"unclosed": "<svg/onload=fired(2) x='<img src=x onerror=fired(3)",
	"script": "</textarea></title><script>fired(5)</script>&lt;img src=x onerror=fired(6)&gt; javascript:fired(7)",
}
# These name rows and fields; a form with another value shows nothing at all.
IDENTITIES = {
	"plan_stage", "workflow_stage", "workflow_task", "plan_key", "message_key", "mail_key", "import_key",
	"email_queue", "track_field", "date_field", "owner_field", "assignee_field", "supplier_field", "reference_name",
	"stage",
}  # fmt: skip


@pytest.fixture(scope="module")
def written(world):
	"""A document on which everybody has written what shall not run; returns the names of its rows by DocType."""

	with world.changing():
		rows = _make_rows()
		_write_as_people_do(rows)
	return rows


def _make_rows() -> dict:
	workflow = {
		"doctype": "Milestone Workflow",
		"workflow_name": "Script ' onfocus=fired(8) autofocus contenteditable x='",
		"document_type": ORDER,
		"enabled": 1,
		"document_filters": json.dumps([[ORDER, "title", "=", NAME]]),
		"description": TEXTS["tag"],
		"stages": [
			{
				"stage_name": f"Cut {TEXTS['tag']}",
				"key_date_rule": "Document Date Field",
				"date_field": "delivery_date",
				"owner_kind": "User",
				"owner_user": OWNER,
				"custom_message": "<p>{{ doc.title }}</p>" + TEXTS["tag"].replace("{{7*7}}", ""),
				"notify_users": "a@b.example",
			}
		],
		"tasks": [
			{
				"stage": f"Cut {TEXTS['tag']}",
				"title": TEXTS["tag"],
				"description": TEXTS["script"],
				"assignee_kind": "One Team Member",
				"assignee_user": SUPPLIER,
			}
		],
	}
	name = frappe.get_doc(workflow).insert().name
	frappe.get_doc(
		{"doctype": ORDER, "title": NAME, "status": "Open", "delivery_date": "2035-06-28"}
	).insert()
	plan = frappe.get_doc("Milestone Plan", {"reference_type": ORDER, "reference_name": NAME})
	task = frappe.db.get_value("Milestone Task", {"plan": plan.name})
	return {"Milestone Workflow": name, "Milestone Plan": plan.name, "Milestone Task": task}


def _write_as_people_do(rows: dict) -> None:
	"""As seen: a supplier's reason, a manager's reasons, the note of a link, an imported value."""
	plan = frappe.get_doc("Milestone Plan", rows["Milestone Plan"])
	stage, task = plan.stages[0].name, rows["Milestone Task"]
	frappe.set_user(SUPPLIER)
	api.complete_task(task)
	api.reopen_task(task, TEXTS["tag"])
	frappe.set_user("Administrator")
	api.reschedule_stage(plan.name, stage, "2035-07-05", TEXTS["script"])
	api.waive_task(task, TEXTS["unclosed"])
	api.reopen_task(task, TEXTS["unclosed"])
	api.answer_not_yet(plan.name, stage, "2035-07-06", TEXTS["tag"], TEXTS["unclosed"], "Keep Order")
	row = MilestoneRow(
		NAME, TEXTS["tag"], TEXTS["unclosed"], frappe.utils.now_datetime(), TEXTS["script"], None
	)
	Writer(ORDER, "status", ORDER, MilestoneSource.IMPORT).insert([row])
	about = {"plan": plan.name, "reference_type": ORDER, "reference_name": NAME, "stage_name": "x"}
	message = about | {"kind": "Prompt", "recipient": "x", "status": "Sent", "message": TEXTS["tag"]}
	bulk.insert_rows("Milestone Message", [message | {"message_key": "script"}])
	for doctype in DOCTYPES:
		_fill_every_text(doctype, rows, plan.name)


def _fill_every_text(doctype: str, rows: dict, plan: str) -> None:
	if doctype == "Milestone Settings":
		return
	fields = [
		field
		for name, field in PLAIN_FIELDS
		if name == doctype and field not in IDENTITIES | {"workflow_name"}
	]
	filters = _rows_of_document(doctype, rows, plan)
	names = frappe.get_all(doctype, filters=filters, pluck="name") if filters else []
	texts = list(TEXTS.values())
	for number, name in enumerate(names):
		rows.setdefault(doctype, name)
		values = {field: texts[(number + place) % len(texts)][:140] for place, field in enumerate(fields)}
		bulk.update_rows(doctype, {name: values})


def _rows_of_document(doctype: str, rows: dict, plan: str) -> dict | None:
	by_doctype = {
		"Milestone": {"reference_name": NAME},
		"Milestone Plan": {"name": plan},
		"Milestone Plan Stage": {"parent": plan},
		"Milestone Task Assignee": {"parent": rows["Milestone Task"]},
		"Milestone Workflow": {"name": rows["Milestone Workflow"]},
		"Milestone Workflow Stage": {"parent": rows["Milestone Workflow"]},
		"Milestone Workflow Task": {"parent": rows["Milestone Workflow"]},
	}
	by_doctype |= {
		name: {"plan": plan} for name in ("Milestone Task", "Milestone Date Change", "Milestone Plan Log")
	}
	by_doctype["Milestone Message"] = {"plan": plan}
	return by_doctype.get(doctype)


@pytest.fixture
def watch(desk, written):
	"""Function that opens a page and returns what ran in it of what somebody wrote."""

	def open_page(path: str, user: str = "Administrator", wait: str | None = None) -> list:
		page = desk(user, "/app/todo") if user == "Administrator" else desk(user, "/app/todo", PASSWORD)
		fired = []
		page.expose_function("fired", lambda number=None: fired.append((path, number)))
		page.on("dialog", lambda dialog: (fired.append((path, dialog.message)), dialog.dismiss()))
		page.goto(path, wait_until="load")
		if wait:
			page.locator(wait).first.wait_for()
		page.wait_for_load_state("networkidle")
		# What an image that fails calls comes after all that.
		page.wait_for_timeout(300)
		return fired

	return open_page


LISTS = (
	"Milestone Task",
	"Milestone Plan",
	"Milestone Plan Log",
	"Milestone Date Change",
	"Milestone Message",
	"Milestone",
)


def slug(doctype: str) -> str:
	return doctype.lower().replace(" ", "-")


def _shows(watch, path: str, wait: str) -> None:
	assert watch(path, wait=wait) == []


@pytest.mark.browser
@pytest.mark.parametrize("doctype", [*LISTS, "Milestone Workflow"])
def test_lists_and_report_views_run_nothing(watch, doctype):
	_shows(watch, f"/app/{slug(doctype)}/view/list?status=", ".list-row-container, .no-result")
	_shows(watch, f"/app/{slug(doctype)}/view/report", ".dt-row, .no-result")


@pytest.mark.browser
@pytest.mark.parametrize("doctype", [*LISTS, "Milestone Workflow"])
def test_forms_run_nothing(watch, written, doctype):
	name = written.get(doctype)
	assert name, f"no row of {doctype} was written"
	_shows(watch, f"/app/{slug(doctype)}/{quote(name, safe='')}", ".form-page:visible")


@pytest.mark.browser
@pytest.mark.parametrize("doctype", ["Milestone Task", "Milestone Plan"])
@pytest.mark.parametrize("view", ["calendar/default", "gantt"])
def test_calendar_and_gantt_run_nothing(watch, doctype, view):
	_shows(watch, f"/app/{slug(doctype)}/view/{view}", ".fc-view:visible, .gantt:visible, .no-result:visible")


@pytest.mark.browser
def test_the_form_of_the_document_with_panel_and_timeline_runs_nothing(watch):
	_shows(watch, f"/app/door-order/{NAME}", ".milestone-steps")


@pytest.mark.browser
@pytest.mark.parametrize(
	("path", "user"),
	[
		("/app/my-milestones", OWNER),
		("/app/milestone-board", "Administrator"),
		("/app/milestone-grid", "Administrator"),
	],
)
def test_our_pages_run_nothing(watch, path, user):
	assert watch(path, user, ".page-body:visible") == []


@pytest.mark.browser
@pytest.mark.parametrize(
	"doctype", ["Milestone Task", "Milestone Plan", "Milestone Plan Log", "Milestone Message"]
)
def test_prints_run_nothing(watch, written, doctype):
	_shows(watch, f"/printview?{urlencode({'doctype': doctype, 'name': written[doctype]})}", ".print-format")


@pytest.mark.browser
def test_link_pages_run_nothing(watch, world, written):
	with world.changing():
		stage = frappe.get_doc("Milestone Plan", written["Milestone Plan"]).stages[0]
		answer = make_token(Purpose.ANSWER, stage.name, "Administrator", str(stage.key_date))
		task = make_token(Purpose.TASK, written["Milestone Task"], SUPPLIER)
	_shows(watch, f"/milestone-answer?token={answer}&answer=no", ".milestone-card")
	_shows(watch, f"/milestone-task?token={task}", ".milestone-card")


@pytest.mark.browser
def test_what_is_stored_uncleaned_runs_in_no_screen_of_ours(watch, world, written):
	"""Texts of before this rule, or by SQL: our screens escape what they show."""
	raw = {"title": TEXTS["tag"], "stage_name": TEXTS["tag"][:140], "reason": TEXTS["unclosed"]}
	with world.changing():
		before = _store_raw(raw, written["Milestone Plan"])
	try:
		_show_what_is_raw(watch)
	finally:
		with world.changing():
			for doctype, name, field, value in before:
				frappe.db.set_value(doctype, name, field, value, update_modified=False)


def _store_raw(raw: dict[str, str], plan: str) -> list[tuple]:
	"""Store texts as they must not be; returns DocType, name, field and value of what was there."""
	before = []
	for doctype, field in (
		("Milestone Plan Stage", "stage_name"), ("Milestone Task", "title"), ("Milestone Task", "reason"),
		("Milestone Plan", "title"), ("Milestone Plan Log", "reason"), ("Milestone Date Change", "reason"),
	):  # fmt: skip
		filters = {"parent": plan} if field == "stage_name" else {"reference_name": NAME}
		for row in frappe.get_all(doctype, filters, ["name", field]):
			before.append((doctype, row.name, field, row[field]))
		frappe.db.set_value(doctype, filters, field, raw[field], update_modified=False)
	return before


def _show_what_is_raw(watch) -> None:
	_shows(watch, f"/app/door-order/{NAME}", ".milestone-steps")
	_shows(watch, "/app/milestone-board", ".page-body:visible")
	_shows(watch, "/app/milestone-grid", ".milestone-sheet td:visible")
	assert watch("/app/my-milestones", OWNER, ".page-body:visible") == []
	_shows(watch, "/app/milestone-task/view/calendar/default", ".fc-view:visible, .no-result:visible")


def test_a_workflows_name_ends_no_attribute(production_order):
	"""Seen: Frappe prints the names of linked documents into attributes of lists and forms."""
	with pytest.raises(frappe.NameError, match="cannot contain"):
		make_workflow(f"Named {BREAK_OUT}")
	workflow = make_workflow("Buyer's workflow")
	with pytest.raises(frappe.NameError, match="cannot contain"):
		frappe.rename_doc("Milestone Workflow", workflow.name, BREAK_OUT)


def test_no_mail_and_no_notification_runs_anything(production_order, make_user, smtp):
	user = make_user("script@example.com", roles=["System Manager"])
	make_workflow(
		stages=[
			stage("Cut", None, -20, owner_kind="User", owner_user=user, custom_message=TEXTS["tag"][:90])
		],
		tasks=[task("Cut", TEXTS["tag"], description=TEXTS["script"])],
	)
	doc = make_document()
	plan = frappe.get_doc("Milestone Plan", {"reference_name": doc.name})
	row, job = plan.stages[0], task_of(doc, plain_text.clean(TEXTS["tag"]))
	recipient = Recipient(user, TEXTS["tag"], user, "en", "UTC", is_desk_user=True)
	for kind in MessageKind:
		if kind not in letters._COMPOSERS:
			continue
		letter = letters.Letter(
			kind, recipient, plan.as_dict(), row.as_dict(), clock.today_of_user(), tasks=[job]
		)
		job.people = [TEXTS["tag"]]
		letter.may_answer, letter.owners, letter.previous_stage = True, [TEXTS["tag"]], TEXTS["tag"]
		letter.log = frappe._dict(
			done_on=frappe.utils.now_datetime(),
			event="Reached Without Required Tasks",
			reason=TEXTS["script"],
			details=TEXTS["script"],
		)
		content = letters.compose(letter)
		html = frappe.render_template("templates/emails/milestone_message.html", {"content": content})
		for text in (html, outbox.log_text(content)):
			for harm in ("<img", "<svg", "<script"):
				assert harm not in text, (kind, harm)
