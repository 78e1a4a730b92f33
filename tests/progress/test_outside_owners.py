"""A milestone whose owner is from outside: asked by mail, answered on a page, without any right to the document."""

import json
import re

import frappe
import pytest

from milestone_automation import api
from milestone_automation.engine.people.signed_links import Purpose, make_token
from milestone_automation.links import answer_page
from tests.support.clock import at, forget_mail_account, sweep_at
from tests.support.factories import (
	CLERK_ROLE,
	ORDER,
	SUPPLIER,
	collaborator,
	make_document,
	make_next_actions,
	make_workflow,
	plan_of,
	stage,
	stage_of,
	task,
	task_of,
)

pytestmark = [pytest.mark.usefixtures("production_order"), pytest.mark.one_database]

MILL, DYER = "mill@example.org", "dyer@example.org"
WEBSITE_USER = "weaver@example.org"
MADE, ASKED, LATER = "2030-06-01 09:00:00", "2030-06-08 07:00:00", "2030-06-08 10:00:00"
THIRD_PARTY = {"owner_kind": "Third-Party Collaborator", "owner_name": "The Mill", "owner_email": MILL}
OF_SUPPLIER = {"owner_kind": "Supplier Contact"}


@pytest.fixture(autouse=True)
def mails(smtp):
	forget_mail_account()
	return smtp


def make_contact(supplier: str, email: str, **values) -> str:
	contact = {
		"doctype": "Contact",
		"first_name": email.partition("@")[0].title(),
		"email_ids": [{"email_id": email, "is_primary": 1}],
		"links": [{"link_doctype": SUPPLIER, "link_name": supplier}],
	}
	return frappe.get_doc(contact | values).insert().name


def make_supplier(title: str, *emails: str) -> str:
	supplier = frappe.get_doc({"doctype": SUPPLIER, "title": title}).insert().name
	for email in emails:
		make_contact(supplier, email)
	return supplier


def plan_for(*stages, tasks=(), document=None, **workflow):
	with at(MADE):
		make_workflow(stages=stages, tasks=tasks, **workflow)
		return make_document(**(document or {}))


def texts_to(smtp, recipient: str) -> list[str]:
	smtp.deliver()
	return [mail.get_body(("plain",)).get_content() for mail in smtp.to(recipient)]


def link_from(smtp, recipient: str) -> str:
	return re.findall(r"/milestone-answer\?token=([\w.-]+)", "".join(texts_to(smtp, recipient)))[0]


def send(token: str, **form) -> dict:
	frappe.flags.currently_saving = []  # a request of its own
	with at(LATER):
		return answer_page.answer_page({"token": token, **form}, True)


def test_a_third_party_is_asked_by_mail_and_what_they_confirm_is_marked_as_theirs(smtp):
	order = plan_for(
		stage("Woven", None, -20, custom_message="Please weave {{ doc.pieces }}.", **THIRD_PARTY)
	)
	order.reload()
	with at("2030-06-02 09:00:00"):
		order.pieces = 500
		order.save()
	sweep_at(ASKED)
	token = link_from(smtp, MILL)
	assert "Please weave 500." in "".join(texts_to(smtp, MILL))
	assert "/app/" not in "".join(texts_to(smtp, MILL))

	page = send(token, answer="yes", reached_on="2030-06-07")

	assert (page["state"], page["text"], page["url"]) == (
		"done",
		"Woven is marked as reached on June 7, 2030.",
		"",
	)
	row = stage_of(order, "Woven")
	assert (row.status, row.reached_by_user, row.confirmed_by_outside) == ("Reached", None, "The Mill")
	assert frappe.db.get_value("Milestone", row.milestone, "reached_by") == MILL
	log = {"plan": plan_of(order).name, "event": "Milestone Reached"}
	assert frappe.db.get_value("Milestone Plan Log", log, "done_by") == MILL
	assert api.get_plan(ORDER, order.name)["stages"][0]["confirmed_by_outside"] == "The Mill"


def test_the_first_contact_of_the_documents_supplier_owns_it_and_follows_the_document(smtp):
	mill, dyer = make_supplier("The Mill", MILL), make_supplier("The Dyer", DYER)
	order = plan_for(stage("Woven", None, -20, **OF_SUPPLIER), document={"supplier": mill})
	assert (stage_of(order, "Woven").outside_owner, stage_of(order, "Woven").outside_owner_name) == (
		MILL,
		"Mill",
	)

	order.reload()
	with at("2030-06-02 09:00:00"):
		order.supplier = dyer
		order.save()

	assert stage_of(order, "Woven").outside_owner == DYER
	sweep_at(ASKED)
	assert texts_to(smtp, MILL) == []
	assert send(link_from(smtp, DYER), answer="yes")["state"] == "done"


def test_a_contact_that_comes_later_is_found_when_the_date_comes(smtp):
	mill = make_supplier("The Mill")
	order = plan_for(stage("Woven", None, -20, **OF_SUPPLIER), document={"supplier": mill})
	assert stage_of(order, "Woven").outside_owner is None
	make_contact(mill, MILL)
	sweep_at(ASKED)
	assert send(link_from(smtp, MILL), answer="yes")["state"] == "done"


def test_another_date_from_outside_is_proposed_and_nobody_is_asked_until_it_is_decided(smtp):
	order = plan_for(stage("Woven", None, -20, **THIRD_PARTY))
	sweep_at(ASKED)
	page = send(link_from(smtp, MILL), answer="no", new_date="2030-06-12", reason="Material is late")
	assert page["text"].startswith("June 12, 2030 is proposed for Woven.")
	row = stage_of(order, "Woven")
	assert (str(row.key_date), str(row.proposed_date), row.awaits_decision) == ("2030-06-08", "2030-06-12", 1)
	with at(LATER):
		api.accept_date(plan_of(order).name, "Woven")
	assert str(stage_of(order, "Woven").key_date) == "2030-06-12"
	change = {"plan": plan_of(order).name, "status": "Accepted"}
	assert frappe.db.get_value("Milestone Date Change", change, "proposed_by") == MILL


def test_on_track_is_on_record_with_who_said_so(smtp):
	order = plan_for(stage("Woven", None, -10, check_in_days=10, **THIRD_PARTY))
	sweep_at(ASKED)
	assert send(link_from(smtp, MILL), answer="on_track")["state"] == "done"
	log = {"plan": plan_of(order).name, "event": "Confirmed on Track"}
	assert frappe.db.get_value("Milestone Plan Log", log, "done_by") == MILL


def test_open_required_tasks_hold_them_as_everybody_and_they_read_no_titles(smtp):
	others = task("Woven", "Secret price list", 1, **collaborator(DYER))
	order = plan_for(stage("Woven", None, -20, **THIRD_PARTY), tasks=[others])
	sweep_at(ASKED)
	assert "Secret price list" not in "".join(texts_to(smtp, MILL))
	with at(LATER):
		token = make_token(Purpose.ANSWER, stage_of(order, "Woven").name, MILL, "2030-06-08")
	page = send(token, answer="yes")
	assert page["state"] == "ask"
	assert "Woven" in page["error"]
	assert "Secret price list" not in page["error"]
	assert stage_of(order, "Woven").status == "Open"

	with at(LATER):
		api.complete_task(task_of(order, "Secret price list").name)
	assert send(token, answer="yes")["state"] == "done"


def test_a_website_user_answers_as_themselves(smtp, make_user):
	make_user(WEBSITE_USER, roles=[], user_type="Website User")
	values = THIRD_PARTY | {"owner_email": WEBSITE_USER}
	order = plan_for(stage("Woven", None, -20, **values))
	assert stage_of(order, "Woven").stage_owner == WEBSITE_USER
	sweep_at(ASKED)
	assert send(link_from(smtp, WEBSITE_USER), answer="yes")["state"] == "done"
	row = stage_of(order, "Woven")
	assert (row.reached_by_user, row.confirmed_by_outside) == (WEBSITE_USER, None)


def test_their_link_ends_with_their_part(smtp):
	mill, dyer = make_supplier("The Mill", MILL), make_supplier("The Dyer", DYER)
	order = plan_for(stage("Woven", None, -20, **OF_SUPPLIER), document={"supplier": mill})
	sweep_at(ASKED)
	token = link_from(smtp, MILL)
	with at(LATER):
		order.reload()
		order.supplier = dyer
		order.save()
	page = send(token, answer="yes")
	assert page["state"] == "refused"
	assert "document" not in page
	assert stage_of(order, "Woven").status == "Open"


def test_nothing_of_a_document_goes_out_that_the_author_of_the_message_may_not_read(smtp, make_user):
	plan_for(stage("Woven", None, -20, custom_message="It says {{ doc.note }}.", **THIRD_PARTY))
	make_user("author@example.com", roles=["Milestone Manager"])
	frappe.db.set_value(
		"Milestone Plan Stage", {"stage_name": "Woven"}, "custom_message_by", "author@example.com"
	)
	sweep_at(ASKED)
	assert "It says" not in "".join(texts_to(smtp, MILL))
	assert link_from(smtp, MILL)


def test_a_refusal_names_no_exit_criterion_and_no_other_milestone(smtp):
	asked = json.dumps([{"key": "note", "kind": "Field Is Set", "field": "note", "required": 1}])
	order = plan_for(
		stage("Secret fitting", None, -25),
		stage("Woven", None, -20, exit_criteria=asked, **THIRD_PARTY),
		reached_in_order=1,
	)
	with at(LATER):
		token = make_token(Purpose.ANSWER, stage_of(order, "Woven").name, MILL, "2030-06-08")
	page = send(token, answer="yes")
	assert page["error"] == (
		"Woven cannot be reached yet: something that comes before it is still open. Nothing was saved."
	)
	assert stage_of(order, "Woven").status == "Open"


def test_who_has_an_account_logs_in_before_a_yes_starts_next_steps(smtp, make_user):
	make_user(WEBSITE_USER, roles=[], user_type="Website User")
	steps = make_next_actions({"action": "Set Value", "field": "note", "value": "Woven"})
	values = THIRD_PARTY | {"owner_email": WEBSITE_USER}
	order = plan_for(stage("Woven", None, -20, next_actions=steps, **values))
	sweep_at(ASKED)
	token = link_from(smtp, WEBSITE_USER)
	assert send(token, answer="yes")["state"] == "login"
	assert stage_of(order, "Woven").status == "Open"


def test_an_account_that_was_deleted_answers_no_more(smtp, make_user):
	make_user(WEBSITE_USER, roles=[], user_type="Website User")
	values = THIRD_PARTY | {"owner_email": WEBSITE_USER}
	order = plan_for(stage("Woven", None, -20, **values))
	sweep_at(ASKED)
	token = link_from(smtp, WEBSITE_USER)
	frappe.db.delete("User", {"name": WEBSITE_USER})
	assert send(token, answer="yes")["state"] == "refused"
	assert stage_of(order, "Woven").status == "Open"


def test_another_contact_of_the_supplier_is_asked_once_the_old_one_is_gone(smtp):
	mill = make_supplier("The Mill", MILL)
	order = plan_for(stage("Woven", None, -20, **OF_SUPPLIER), document={"supplier": mill})
	frappe.db.delete("Dynamic Link", {"parenttype": "Contact", "link_name": mill})
	make_contact(mill, DYER)
	sweep_at(ASKED)
	assert texts_to(smtp, MILL) == []
	assert stage_of(order, "Woven").outside_owner == DYER
	assert send(link_from(smtp, DYER), answer="yes")["state"] == "done"


def test_who_wants_no_mail_and_has_no_account_is_asked_through_others(smtp, make_user):
	manager = make_user("manager@example.com", roles=["Milestone Manager", CLERK_ROLE])
	frappe.get_doc({"doctype": "Email Unsubscribe", "email": MILL, "global_unsubscribe": 1}).insert()
	plan_for(stage("Woven", None, -20, **THIRD_PARTY))
	sweep_at(ASKED)
	assert texts_to(smtp, MILL) == []
	assert link_from(smtp, manager)


def test_an_undone_milestone_is_theirs_again(smtp):
	order = plan_for(stage("Woven", None, -20, **THIRD_PARTY), stage("Shipped"))
	sweep_at(ASKED)
	token = link_from(smtp, MILL)
	send(token, answer="yes")
	with at(LATER):
		api.undo_stage(plan_of(order).name, "Woven", "It was the sample")
	row = stage_of(order, "Woven")
	assert (row.status, row.confirmed_by_outside, row.outside_owner) == ("Open", None, MILL)
	assert send(token, answer="yes")["state"] == "done"


@pytest.mark.parametrize(
	("values", "sentence"),
	[
		({"owner_email": ""}, "Enter the e-mail address of its owner."),
		({"owner_email": "the mill"}, "the mill is not a valid e-mail address."),
		(
			{"reach_rule": "Field Value", "track_field": "status", "track_value": "Cut"},
			"Its owner is from outside and cannot change the document.",
		),
	],
)
def test_what_cannot_work_is_said_when_the_workflow_is_saved(values, sentence):
	with pytest.raises(frappe.ValidationError, match=re.escape(sentence)):
		make_workflow(stages=[stage("Woven", None, -20, **{**THIRD_PARTY, **values})], tasks=())


def test_a_supplier_needs_a_field_that_names_it():
	with pytest.raises(frappe.ValidationError, match="has no field vendor"):
		make_workflow(stages=[stage("Woven", None, -20, **OF_SUPPLIER)], tasks=(), supplier_field="vendor")


def test_a_running_plan_gets_another_owner_with_the_next_version(smtp):
	order = plan_for(stage("Woven", None, -20, **THIRD_PARTY))
	workflow = frappe.get_doc("Milestone Workflow", "Production")
	workflow.stages[0].owner_email = DYER
	workflow.save()
	with at(MADE):
		api.move_to_new_version(plan_of(order).name)
	assert stage_of(order, "Woven").outside_owner == DYER


def test_the_next_version_takes_the_supplier_from_another_field(make_doctype):
	link = {"fieldtype": "Link", "options": SUPPLIER}
	doctype = make_doctype(
		"Two Supplier Order", [{"fieldname": name, **link} for name in ("supplier", "dyer")]
	)
	mill, dyer = make_supplier("The Mill", MILL), make_supplier("The Dyer", DYER)
	by_hand = {"stage_name": "Dyed", "key_date_rule": "Set Manually", **OF_SUPPLIER}
	workflow = make_workflow("Dyeing", stages=[by_hand], tasks=(), document_type=doctype)
	order = frappe.get_doc({"doctype": doctype, "supplier": mill, "dyer": dyer}).insert()
	assert stage_of(order, "Dyed").outside_owner == MILL
	workflow.supplier_field = "dyer"
	workflow.save()
	api.move_to_new_version(plan_of(order).name)
	assert stage_of(order, "Dyed").outside_owner == DYER


def test_who_sends_a_message_outside_becomes_its_author_and_nobody_else(make_user, as_user):
	manager = make_user("manager@example.com", roles=["Milestone Manager", CLERK_ROLE])
	make_workflow(
		stages=[
			stage("Woven", None, -20, custom_message="For {{ doc.note }}", **THIRD_PARTY),
			stage("Cut", None, -10, custom_message="For {{ doc.note }}"),
		],
		tasks=(),
	)
	with as_user(manager):
		workflow = frappe.get_doc("Milestone Workflow", "Production")
		workflow.stages[0].owner_email = DYER
		workflow.condition = "doc.pieces > 0"
		workflow.save()
	assert [row.custom_message_by for row in workflow.stages] == [manager, "Administrator"]
