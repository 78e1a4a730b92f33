"""Answers to prompts: by API, by the links in mails, and by nobody else."""

import re

import frappe
import pytest

from milestone_automation import api
from milestone_automation.engine.base import guard
from milestone_automation.engine.people.signed_links import Purpose, make_token
from milestone_automation.engine.progress import answers, stages
from milestone_automation.links import answer_page, task_page, uploads
from tests.support.clock import at, forget_mail_account, sweep_at
from tests.support.factories import (
	CLERK_ROLE,
	ORDER,
	READER_ROLE,
	collaborator,
	ensure_production_order,
	key_dates,
	make_document,
	make_workflow,
	member,
	plan_of,
	stage,
	stage_of,
	status_of,
	task,
	task_of,
)

pytestmark = [pytest.mark.usefixtures("production_order"), pytest.mark.one_database]

OLGA, WANDA, MILL = "olga@example.com", "wanda@example.com", "mill@example.org"
ASKED = "2030-06-08 07:00:00"
LATER = "2030-06-08 10:00:00"
OLGAS = {"owner_kind": "User", "owner_user": OLGA}
# Evening of June 7 on the site, June 8 in Auckland.
EVENING = "2030-06-07 21:30:00"


@pytest.fixture
def guarded_order(production_order, make_doctype):
	"""DocType whose status is not for clerks."""
	rights = {"read": 1, "write": 1, "create": 1}
	return make_doctype(
		"Answered Order",
		[
			{"fieldname": "status", "fieldtype": "Data", "label": "Status", "permlevel": 1},
			{"fieldname": "delivery_date", "fieldtype": "Date"},
		],
		permissions=[{"role": role, **rights} for role in (CLERK_ROLE, "System Manager")],
	)


@pytest.fixture(autouse=True)
def links_without_login(guarded_order):
	"""What an answer does is the same with and without login; tests/doors has the setting."""
	frappe.db.set_single_value("Milestone Settings", "login_to_answer", 0)
	frappe.clear_document_cache("Milestone Settings", "Milestone Settings")


@pytest.fixture
def order(make_user, smtp):
	"""An order whose stage Cut was asked for by mail; its tasks belong to the mill and to Wanda."""
	forget_mail_account()
	make_user(OLGA, roles=[CLERK_ROLE])
	make_user(WANDA, roles=[READER_ROLE])
	for user in (OLGA, WANDA):
		frappe.defaults.set_user_default("milestone_mail", "Each", user=user)
	with at("2030-06-01 09:00:00"):
		make_workflow(
			stages=[
				stage("Cut", None, -20, **OLGAS),
				stage("Sewn", "Sewn", -20, **OLGAS),
				stage("Shipped", None, 0, **OLGAS),
			],
			tasks=[
				task(
					"Shipped",
					"Send patterns",
					days=20,
					description="Size 38\nto 44",
					**collaborator(MILL, "The Mill"),
				),
				task("Shipped", "Pack", days=20, completion_rule="All Of", **member(WANDA)),
			],
		)
		made = make_document(note="A secret")
	sweep_at(ASKED)
	smtp.deliver()
	return made


PAGES = {"answer_page": answer_page.answer_page, "task_page": task_page.task_page}


def form_of(smtp, recipient: str, page: str, about: str = "", **values) -> dict:
	"""The form a reader of the mail sends: the token of its first link to a page, and what they fill in."""
	texts = [
		mail.get_body(("plain",)).get_content()
		for mail in smtp.to(recipient)
		if about in str(mail["Subject"])
	]
	tokens = [found for text in texts for found in re.findall(rf"/{page}\?token=([\w.-]+)", text)]
	return {"token": tokens[0], **values}


def open_page(page: str, form: dict, moment: str = LATER, is_post: bool = False) -> dict:
	with at(moment):
		return PAGES[page](form, is_post)


def send_form(page: str, form: dict, moment: str = LATER) -> dict:
	return open_page(page, form, moment, is_post=True)


def test_opening_the_link_changes_nothing(order, smtp):
	form = form_of(smtp, OLGA, "milestone-answer", "Cut", answer="yes", reached_on="2030-06-08")
	assert [open_page("answer_page", form)["state"] for _time in range(3)] == ["ask"] * 3
	assert stage_of(order, "Cut").status == "Open"


def test_yes_marks_the_stage_reached_in_the_owners_name(order, smtp):
	form = form_of(smtp, OLGA, "milestone-answer", "Cut", answer="yes", reached_on="2030-06-07")
	page = send_form("answer_page", form)
	assert (page["state"], page["text"]) == ("done", "Cut is marked as reached on June 7, 2030.")
	row = stage_of(order, "Cut")
	assert (row.status, str(row.reached_on), row.reached_by_user) == ("Reached", "2030-06-07", OLGA)
	assert frappe.session.user == "Administrator"


def test_a_second_answer_is_met_kindly(order, smtp):
	form = form_of(smtp, OLGA, "milestone-answer", "Cut", answer="yes")
	send_form("answer_page", form)
	page = send_form("answer_page", form)
	assert page["state"] == "closed"
	assert page["text"] == "Cut was reached on June 8, 2030. Thank you, you do not need to do anything."


def test_no_moves_the_date_with_its_reason_and_asks_again_then(order, smtp):
	form = form_of(smtp, OLGA, "milestone-answer", "Cut")
	values = {"answer": "no", "new_date": "2030-06-08", "reason": "Supplier is late", "note": "No fabric yet"}
	refused = send_form("answer_page", form | values)
	assert (refused["state"], refused["values"]["note"]) == ("ask", "No fabric yet")
	assert refused["error"] == "Choose a date after today. You will not be asked again before that date."
	page = send_form("answer_page", form | values | {"new_date": "2030-06-20"})
	assert page["text"] == "Cut is now expected on June 20, 2030. You will be asked again then."
	change = frappe.get_last_doc("Milestone Date Change", {"stage_name": "Cut"})
	assert (change.reason, change.source, change.changed_by) == (
		"Supplier is late: No fabric yet",
		"Prompt",
		OLGA,
	)
	again = open_page("answer_page", form)
	assert (again["state"], "June 20, 2030" in again["text"]) == ("closed", True)
	assert ("Prompt", OLGA, "Cut") in sweep_at("2030-06-20 07:00:00")


def test_no_without_a_reason_is_refused(order, smtp):
	form = form_of(smtp, OLGA, "milestone-answer", "Cut", answer="no", new_date="2030-06-20")
	page = send_form("answer_page", form)
	assert (page["state"], page["error"]) == ("ask", "Enter a reason. It is stored in the log.")
	assert str(stage_of(order, "Cut").key_date) == "2030-06-08"


def test_yes_to_a_stage_reached_by_a_value_gives_the_document_that_value(order, smtp):
	form = form_of(smtp, OLGA, "milestone-answer", "Sewn", answer="yes", reached_on="2030-06-06")
	assert send_form("answer_page", form)["state"] == "done"
	order.reload()
	row = stage_of(order, "Sewn")
	assert (order.status, order.modified_by) == ("Sewn", OLGA)
	assert (row.status, str(row.reached_on)) == ("Reached", "2030-06-06")


def test_a_day_to_come_is_refused(order, smtp):
	for name in ("Cut", "Sewn"):
		form = form_of(smtp, OLGA, "milestone-answer", name, answer="yes", reached_on="2030-06-09")
		page = send_form("answer_page", form)
		assert page["state"] == "ask"
		assert "Date cannot be in the future" in page["error"]
		assert stage_of(order, name).status == "Open"


def test_an_expired_link_says_whom_to_ask(order, smtp):
	form = form_of(smtp, OLGA, "milestone-answer", "Cut", answer="yes")
	assert open_page("answer_page", form, "2030-06-22 10:00:00")["state"] == "ask"
	page = send_form("answer_page", form, "2030-06-23 10:00:00")
	assert page == {
		"state": "refused",
		"title": "This link has expired",
		"text": "This link was valid until June 22, 2030. Please answer in the Desk, or ask a Milestone Manager.",
	}
	assert stage_of(order, "Cut").status == "Open"


@pytest.mark.parametrize(
	"spoil", [lambda t: t[:-1], lambda t: "x" + t, lambda t: t.split(".")[0], lambda t: "", lambda t: "ä.ö"]
)
def test_a_link_that_was_touched_opens_nothing(order, smtp, spoil):
	form = form_of(smtp, OLGA, "milestone-answer", "Cut", answer="yes")
	page = send_form("answer_page", form | {"token": spoil(form["token"])})
	assert (page["state"], page["title"]) == ("refused", "This link does not work")
	assert "document" not in page


def test_a_link_for_a_task_answers_for_no_stage(order, smtp):
	form = form_of(smtp, MILL, "milestone-task", answer="yes")
	assert send_form("answer_page", form)["state"] == "refused"


def test_the_link_of_an_owner_who_was_replaced_or_disabled_answers_no_more(order, smtp):
	form = form_of(smtp, OLGA, "milestone-answer", "Cut", answer="yes")
	frappe.db.set_value("User", OLGA, "enabled", 0)
	assert send_form("answer_page", form) == {
		"state": "refused",
		"title": "This link no longer works",
		"text": "The account it was sent to is disabled.",
	}
	frappe.db.set_value("User", OLGA, "enabled", 1)
	frappe.db.set_value(
		"Milestone Plan Stage", stage_of(order, "Cut").name, {"stage_owner": WANDA, "owner_user": WANDA}
	)
	page = send_form("answer_page", form)
	assert (page["state"], page["text"]) == ("refused", "Cut is now owned by Wanda.")
	assert stage_of(order, "Cut").status == "Open"


def test_only_owner_and_managers_answer_by_api(order, as_user, make_user):
	plan, manager = (
		plan_of(order).name,
		make_user("manager@example.com", roles=["Milestone Manager", CLERK_ROLE]),
	)
	for user in ("Guest", WANDA):
		with as_user(user), pytest.raises(frappe.PermissionError):
			answers.answer_reached(plan, "Cut")
		with as_user(user), pytest.raises(frappe.PermissionError):
			answers.answer_not_yet(plan, "Cut", "2040-01-01", "Because")
	with as_user(manager), at(LATER):
		answers.answer_not_yet(plan, "Cut", "2030-06-11", "Because")
	with as_user(OLGA), at("2030-06-11 09:00:00"):
		answers.answer_reached(plan, "Cut")
	assert stage_of(order, "Cut").status == "Reached"


@pytest.fixture
def olga(make_user):
	return make_user(OLGA, roles=[CLERK_ROLE])


def plan_for(*stages, tasks=(), **values):
	"""An order made on June 1, with a plan of these stages."""
	with at("2030-06-01 09:00:00"):
		make_workflow(stages=stages, tasks=tasks)
		return make_document(**values)


def link_to(doc, stage_name: str, user: str = OLGA, moment: str = LATER, **values) -> dict:
	"""The form behind the link that a user was sent about a stage."""
	row = stage_of(doc, stage_name)
	with at(moment):
		token = make_token(Purpose.ANSWER, row.name, user, str(row.key_date or ""))
	return {"token": token, **values}


# What the document does


def test_yes_to_a_stage_the_document_went_past_does_not_take_it_back(olga):
	order = plan_for(stage("Cut", "Cut", -20, **OLGAS), stage("Sewn", "Sewn", -20, **OLGAS))
	forms = [link_to(order, name, answer="yes", reached_on="2030-06-05") for name in ("Sewn", "Cut")]
	assert [send_form("answer_page", form)["state"] for form in forms] == ["done", "done"]
	order.reload()
	assert (order.status, status_of(order)) == ("Sewn", {"Cut": "Reached", "Sewn": "Reached"})
	assert str(stage_of(order, "Cut").reached_on) == "2030-06-05"


def test_yes_to_a_stage_the_document_went_past_asks_the_gate(olga):
	order = plan_for(
		stage("Cut", "Cut", -20, **OLGAS),
		stage("Sewn", "Sewn", -20, **OLGAS),
		tasks=[task("Cut", "Fabric", **member(OLGA))],
	)
	order.reload()
	order.status = "Sewn"
	order.save()
	page = send_form("answer_page", link_to(order, "Cut", answer="yes"))
	assert (page["state"], "one required task is open" in page["error"]) == ("ask", True)
	assert status_of(order) == {"Cut": "Open", "Sewn": "Reached"}


def test_a_reached_stage_and_a_cancelled_plan_take_no_answer(order, as_user):
	plan = plan_of(order).name
	with as_user(OLGA), at(LATER):
		answers.answer_reached(plan, "Sewn")
		order.reload()
		order.status = "Inspected"
		order.save()
		with pytest.raises(frappe.ValidationError, match=r"Sewn was already reached on"):
			answers.answer_reached(plan, "Sewn")
	assert frappe.db.get_value(ORDER, order.name, "status") == "Inspected"
	other = make_document()
	plan = plan_of(other).name
	api.cancel_plan(plan, "Not made")
	with as_user(OLGA), at(LATER), pytest.raises(frappe.ValidationError, match="is cancelled"):
		answers.answer_reached(plan, "Sewn")
	assert frappe.db.get_value(ORDER, other.name, "status") == "Open"


def make_dispatch(allowed: str) -> None:
	"""Frappe's own workflow for orders: "Send off", for one role, submits what is in packing."""
	for state in ("Packing", "On its way"):
		if not frappe.db.exists("Workflow State", state):
			frappe.get_doc({"doctype": "Workflow State", "workflow_state_name": state}).insert()
	if not frappe.db.exists("Workflow Action Master", "Send off"):
		frappe.get_doc({"doctype": "Workflow Action Master", "workflow_action_name": "Send off"}).insert()
	states = [("Packing", "0"), ("On its way", "1")]
	values = {
		"doctype": "Workflow",
		"workflow_name": "Dispatch",
		"document_type": ORDER,
		"is_active": 1,
		"workflow_state_field": "state",
		"send_email_alert": 0,
		"states": [{"state": name, "doc_status": code, "allow_edit": CLERK_ROLE} for name, code in states],
		"transitions": [
			{"state": "Packing", "action": "Send off", "next_state": "On its way", "allowed": allowed}
		],
	}
	frappe.get_doc(values).insert()


def sent_by_state() -> dict:
	return stage("Sent", days=-20, reach_rule="Field Value", track_field="state", track_value="On its way")


def test_yes_under_a_workflow_of_frappe_takes_its_action(olga):
	make_dispatch(allowed=CLERK_ROLE)
	order = plan_for(sent_by_state() | OLGAS)
	page = send_form("answer_page", link_to(order, "Sent", answer="yes", reached_on="2030-06-06"))
	assert page["state"] == "done", page
	order.reload()
	assert (order.state, order.docstatus, order.modified_by) == ("On its way", 1, OLGA)
	row = stage_of(order, "Sent")
	assert (row.status, str(row.reached_on)) == ("Reached", "2030-06-06")


def test_yes_under_a_workflow_without_an_action_of_theirs_says_the_state(olga):
	make_dispatch(allowed="System Manager")
	order = plan_for(sent_by_state() | OLGAS)
	page = send_form("answer_page", link_to(order, "Sent", answer="yes"))
	assert (page["state"], page["error"]) == (
		"ask",
		f"Production Order {order.name} is in the state Packing, and you have no action that leads to"
		f" On its way. Apply the action in Production Order {order.name} itself, or ask somebody who can.",
	)
	order.reload()
	assert (order.state, order.docstatus) == ("Packing", 0)


def test_yes_that_reaches_nothing_is_not_thanked_for(guarded_order, make_user):
	make_user(OLGA, roles=[CLERK_ROLE])
	with at("2030-06-01 09:00:00"):
		make_workflow("Guarded", [stage("Cut", "Cut", -20, **OLGAS)], [], document_type=guarded_order)
		values = {"doctype": guarded_order, "status": "Open", "delivery_date": "2030-06-28"}
		guarded = frappe.get_doc(values).insert()
	page = send_form("answer_page", link_to(guarded, "Cut", answer="yes"))
	assert (page["state"], page["error"]) == (
		"ask",
		"Nothing was saved: setting Status to Cut did not reach Cut. You may not be allowed to change this field."
		f" Please change it in Answered Order {guarded.name} itself, or ask somebody who can.",
	)
	assert frappe.db.get_value(guarded_order, guarded.name, "status") == "Open"
	assert frappe.db.get_value(guarded_order, guarded.name, "modified_by") == "Administrator"


@pytest.mark.parametrize("status", [None, "Sewn"], ids=["confirmed", "by value"])
def test_the_next_stage_counts_from_the_day_that_was_answered(olga, as_user, status):
	order = plan_for(
		stage("Sewn", status, key_date_rule="Set Manually", **OLGAS),
		stage("Packed", key_date_rule="After Previous Milestone", days=5, **OLGAS),
	)
	with at("2030-06-10 10:00:00"), as_user(OLGA):
		answers.answer_reached(plan_of(order).name, "Sewn", "2030-06-06")
	assert key_dates(order)["Packed"] == "2030-06-11"
	assert str(stage_of(order, "Sewn").reached_on) == "2030-06-06"


# Days


@pytest.fixture
def ahead(olga):
	"""An order whose owner, in Auckland, was asked on the morning of June 8, when it was June 7 on the site."""
	frappe.db.set_value("User", OLGA, "time_zone", "Pacific/Auckland")
	made = plan_for(stage("Cut", None, -20, **OLGAS), stage("Sewn", "Sewn", -20, **OLGAS))
	assert ("Prompt", OLGA, "Cut") in sweep_at(EVENING)
	return made


@pytest.mark.parametrize("name", ["Cut", "Sewn"])
def test_who_is_ahead_of_the_site_answers_on_their_own_day(ahead, name):
	form = link_to(ahead, name, moment=EVENING, answer="yes")
	assert open_page("answer_page", form, EVENING)["today"] == "2030-06-08"
	refused = send_form("answer_page", form | {"reached_on": "2030-06-09"}, EVENING)
	assert "Date cannot be in the future" in refused["error"]
	page = send_form("answer_page", form, EVENING)
	assert (page["state"], page["text"]) == ("done", f"{name} is marked as reached on June 8, 2030.")
	assert str(stage_of(ahead, name).reached_on) == "2030-06-08"


def test_not_yet_for_their_own_today_is_refused(ahead):
	form = link_to(ahead, "Cut", moment=EVENING, answer="no", new_date="2030-06-08", reason="Late")
	page = send_form("answer_page", form, EVENING)
	assert (page["state"], page["tomorrow"]) == ("ask", "2030-06-09")
	assert page["error"] == "Choose a date after today. You will not be asked again before that date."


def test_not_yet_with_the_date_it_has_is_refused(order, as_user):
	sentence = "Cut is already expected on June 8, 2030. Choose another date."
	with as_user(OLGA), at("2030-06-05 10:00:00"), pytest.raises(frappe.ValidationError, match=sentence):
		answers.answer_not_yet(plan_of(order).name, "Cut", "2030-06-08", "Because")


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
@pytest.mark.parametrize("name", ["Cut", "Sewn"])
def test_odd_dates_are_refused_with_a_sentence(order, as_user, day, name):
	sentence = "This date is not valid. Enter a date between the years 1900 and 2999."
	for answer in ("yes", "no"):
		form = link_to(order, name, answer=answer, reached_on=day, new_date=day, reason="Late")
		page = send_form("answer_page", form)
		assert (page["state"], page["error"]) == ("ask", sentence)
	plan = plan_of(order).name
	for call in (
		lambda: answers.answer_reached(plan, name, day),
		lambda: answers.answer_not_yet(plan, name, day, "Late"),
		lambda: api.confirm_stage(plan, "Cut", day),
	):
		with as_user(OLGA), at(LATER), pytest.raises(frappe.ValidationError, match=sentence):
			call()


# What the page says


def test_an_answer_at_the_same_moment_as_somebody_elses_is_asked_for_again(olga, monkeypatch):
	order = plan_for(stage("Cut", None, -20, **OLGAS))
	form = link_to(order, "Cut", answer="yes", reached_on="2030-06-07")
	monkeypatch.setattr(stages, "confirm", lambda *_given, **_by: guard.raise_conflict(Exception()))
	page = send_form("answer_page", form)
	assert (page["state"], page["values"]["reached_on"]) == ("ask", "2030-06-07")
	assert page["error"].endswith("so nothing was saved. Please try again.")


def test_a_refusal_in_a_documents_words_is_no_script(olga, monkeypatch):
	def refuse(*_given, **_by):
		frappe.throw('"<img src=x onerror=alert(1)>"')

	order = plan_for(stage("Cut", None, -20, **OLGAS))
	form = link_to(order, "Cut", answer="yes")
	monkeypatch.setattr(stages, "confirm", refuse)
	page = send_form("answer_page", form)
	assert (page["state"], "onerror" in page["error"]) == ("ask", False)


def test_an_expired_link_of_what_is_done_says_so_and_no_more(order, smtp):
	answer = form_of(smtp, OLGA, "milestone-answer", "Cut", answer="yes")
	job = form_of(smtp, MILL, "milestone-task", action="complete")
	for page, form in (("answer_page", answer), ("task_page", job)):
		send_form(page, form)
	later = "2030-07-23 10:00:00"
	expired = (
		"This link was valid until June 22, 2030. Please answer in the Desk, or ask a Milestone Manager."
	)
	assert open_page("answer_page", answer, later)["text"] == expired
	done = {"state": "refused", "title": "Nothing to do", "text": "This task is done. Thank you."}
	assert open_page("task_page", job, later) == done
	not_taken = done | {"text": "This task is done. Thank you. What you have sent was not taken."}
	assert send_form("task_page", job | {"action": "comment", "comment": "Late"}, later) == not_taken


def test_an_owner_without_right_to_the_document_reads_why(make_user):
	nora = make_user("nora@example.com", roles=["Website Manager"])
	order = plan_for(
		stage("Cut", None, -20, owner_kind="User Field", owner_field="responsible"), responsible=nora
	)
	page = send_form("answer_page", link_to(order, "Cut", nora, answer="yes"))
	assert (page["state"], page["title"]) == ("refused", "You may not read this document")
	assert page["text"] == (
		"You do not have permission to read the document, so you cannot answer."
		" Please ask a System Manager for permission, or a Milestone Manager to answer for you."
	)
	assert "document" not in page
	assert stage_of(order, "Cut").status == "Open"


# The task of somebody without an account


def test_a_collaborator_sees_the_task_and_nothing_else(order, smtp):
	page = open_page("task_page", form_of(smtp, MILL, "milestone-task"))
	assert page == {
		"state": "ask",
		"task_title": "Send patterns",
		"description": "Size 38\nto 44",
		"due": "June 8, 2030",
		"is_overdue": False,
		"is_open": True,
		"document": f"Production Order {order.name}",
		"tomorrow": "2030-06-09",
		"asked_by": "Requested by Olga",
		"colleagues": [],
		"shown": [],
		"file_types": ",".join(f".{ending}" for ending in uploads.allowed_types()),
		"megabytes": uploads.most_megabytes(),
	}


def test_a_collaborator_marks_the_task_done_and_comments(order, smtp):
	form = form_of(smtp, MILL, "milestone-task", action="complete", comment="Sent <b>today</b>")
	page = send_form("task_page", form)
	assert (page["state"], page["text"]) == ("done", "The task Send patterns is marked as done.")
	done = task_of(order, "Send patterns")
	assert (done.status, done.closed_by) == ("Completed", MILL)
	comment = frappe.get_last_doc(
		"Comment", {"reference_doctype": "Milestone Task", "reference_name": done.name}
	)
	assert (comment.content, comment.comment_email) == ("Sent &lt;b&gt;today&lt;/b&gt;", MILL)
	sent_twice = send_form("task_page", form)
	assert sent_twice["text"] == "This task is done. Thank you. Your comment was sent."
	assert frappe.db.count("Comment", {"reference_name": done.name, "comment_type": "Comment"}) == 1


def test_a_task_that_is_no_longer_theirs_opens_no_more(order, smtp):
	form = form_of(smtp, MILL, "milestone-task", action="complete")
	frappe.db.delete("Milestone Task Assignee", {"email": MILL})
	page = send_form("task_page", form)
	assert (page["state"], page["text"]) == ("refused", "If you have questions, please ask Olga.")
	assert "task_title" not in page
	assert task_of(order, "Send patterns").status == "Open"


def test_a_users_link_completes_their_part(order, smtp):
	form = form_of(smtp, WANDA, "milestone-task", action="complete")
	assert send_form("task_page", form)["state"] == "done"
	assert task_of(order, "Pack").closed_by == WANDA


# In a real browser's way: GET and POST over HTTP


@pytest.fixture
def served(server, make_user):
	"""Links to a stage and a task of an order on the served site: (answer token, task token, names)."""
	with server.site.connect():
		ensure_production_order()
		make_user(OLGA, roles=[CLERK_ROLE])
		if not frappe.db.exists("Milestone Workflow", "Served"):
			make_workflow(
				"Served",
				stages=[stage("Cut", None, -20, owner_kind="User", owner_user=OLGA)],
				tasks=[task("Cut", "Send patterns", required=0, **collaborator(MILL, "The Mill"))],
			)
		order = make_document()
		row, job = stage_of(order, "Cut"), task_of(order, "Send patterns")
		frappe.db.commit()  # the web server is another process
		return {
			"answer": make_token(Purpose.ANSWER, row.name, OLGA, str(row.key_date)),
			"task": make_token(Purpose.TASK, job.name, MILL),
			"stage": row.name,
			"job": job.name,
		}


def value_of(server, doctype: str, name: str, field: str):
	with server.site.connect():
		return frappe.db.get_value(doctype, name, field)


def test_over_http_get_asks_and_post_acts_for_guests(server, served):
	guest = server.guest()
	for method in (guest.get, guest.head):
		assert method(f"/milestone-answer?token={served['answer']}&answer=yes").status_code == 200
	assert value_of(server, "Milestone Plan Stage", served["stage"], "status") == "Open"
	page = guest.get(f"/milestone-answer?token={served['answer']}")
	assert "Has Cut been reached?" in page.text
	assert "noindex" in page.text
	done = guest.post(
		"/milestone-answer", data={"token": served["answer"], "answer": "yes", "reached_on": ""}
	)
	assert "Cut is marked as reached on" in done.text, done.text[-3000:]
	assert value_of(server, "Milestone Plan Stage", served["stage"], "reached_by_user") == OLGA
	assert "You do not need to do anything" in guest.get(
		f"/milestone-answer?token={served['answer']}"
	).text.replace("you", "You")
	assert "This link does not work" in guest.get("/milestone-answer?token=nonsense").text


def test_over_http_a_collaborator_completes_a_task(server, served):
	guest = server.guest()
	assert "Send patterns" in guest.get(f"/milestone-task?token={served['task']}").text
	form = {"token": served["task"], "action": "complete", "comment": "Done <script>alert(1)</script>"}
	answer = guest.post("/milestone-task", data=form)
	assert "is marked as done" in answer.text, answer.text[-3000:]
	assert value_of(server, "Milestone Task", served["job"], "closed_by") == MILL


def test_over_http_a_logged_in_user_needs_the_forms_own_token(server, served):
	client = server.login()
	client.headers.pop("X-Frappe-CSRF-Token", None)
	client.headers["Accept"] = "text/html"
	form = {"token": served["answer"], "answer": "yes"}
	forged = client.post("/milestone-answer", data=form)
	assert "is marked as reached" not in forged.text, forged.text
	page = client.get(f"/milestone-answer?token={served['answer']}").text
	form["csrf_token"] = re.search(r'name="csrf_token" value="(\w+)"', page)[1]
	assert "is marked as reached" in client.post("/milestone-answer", data=form).text
	assert value_of(server, "Milestone Plan Stage", served["stage"], "reached_by_user") == OLGA
	assert client.get("/api/method/frappe.auth.get_logged_user").json()["message"] == "Administrator"


@pytest.mark.parametrize("title", ["&lt;/title&gt;&lt;script&gt;alert(2)", "</title><script>alert(2)"])
def test_over_http_no_text_becomes_script(server, served, title):
	with server.site.connect():
		frappe.db.set_value("Milestone Plan Stage", served["stage"], "stage_name", title)
		frappe.db.set_value("Milestone Task", served["job"], "title", title)
		frappe.db.commit()  # the web server is another process
	form = {
		"token": served["answer"],
		"reached_on": '"><script>alert(1)</script>',
		"new_date": '"><script>alert(1)</script>',
		"note": "</textarea><script>alert(1)</script>",
	}
	guest = server.guest()
	for answer in ("yes", "no"):
		text = guest.get("/milestone-answer", params=form | {"answer": answer}).text
		assert "alert(1)" not in text
		assert "<script>alert" not in text
		text = guest.post("/milestone-answer", data=form | {"answer": answer}).text
		assert "alert(1)" in text
		assert "<script>alert" not in text
	text = guest.get("/milestone-task", params={"token": served["task"]}).text
	assert "alert(2)" in text
	assert "<script>alert" not in text
