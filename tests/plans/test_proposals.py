"""Proposed dates: by owners who may not move them and by outside parties; accepted, changed or declined by managers."""

import frappe
import pytest

from milestone_automation import api
from milestone_automation.engine.messages import alerts
from milestone_automation.engine.people.signed_links import Purpose, make_token
from milestone_automation.engine.review import date_changes, plan_stages
from milestone_automation.links import answer_page, task_page
from milestone_automation.patches.v1_1 import accept_date_changes, decline_proposals_of_cancelled_plans
from tests.support.clock import at, sweep_at
from tests.support.factories import (
	CLERK_ROLE,
	collaborator,
	key_dates,
	make_document,
	make_workflow,
	plan_of,
	stage,
	stage_of,
	task,
	task_of,
)
from tests.support.next_steps import without_commits

pytestmark = pytest.mark.usefixtures("production_order")

OLGA, MANAGER, MILL = "olga@example.com", "manager@example.com", "mill@example.org"
NOW = "2030-06-03 10:00:00"


@pytest.fixture
def order(make_user):
	"""An order of Olga's, to be cut on 2030-06-10 and shipped on 2030-06-28; the mill has a task by 2030-06-07."""
	make_user(OLGA, roles=[CLERK_ROLE])
	make_user(MANAGER, roles=["Milestone Manager", CLERK_ROLE])
	frappe.db.set_single_value("Milestone Settings", "login_to_answer", 0)
	frappe.clear_document_cache("Milestone Settings", "Milestone Settings")
	owned = {"owner_kind": "User", "owner_user": OLGA}
	with at("2030-06-01 09:00:00"):
		make_workflow(
			owners_propose=1,
			escalation_role="Milestone Manager",
			stages=[stage("Cut", days=-18, **owned), stage("Shipped", **owned)],
			tasks=[task("Cut", "Weave the cloth", days=3, required=0, **collaborator(MILL))],
		)
		return make_document()


@pytest.fixture
def act(order, as_user):
	"""Function `act(user, call, **values)`: a call about the milestone Cut, as a user."""

	def run(user, call, moment=NOW, **values):
		with at(moment), as_user(user):
			return getattr(api, call)(plan_of(order).name, "Cut", **values)

	return run


def changes_of(order) -> list[tuple]:
	fields = ["stage_name", "new_date", "status", "source", "proposed_by", "proposed_date", "answered_by"]
	rows = frappe.get_all(
		"Milestone Date Change", {"plan": plan_of(order).name}, fields, order_by="new_date, stage_name"
	)
	return [tuple(str(value or "") for value in row.values()) for row in rows]


def propose(act, new_date="2030-06-14", **values):
	return act(OLGA, "propose_date", new_date=new_date, reason="The loom broke", **values)


def test_an_owner_proposes_and_does_not_move(order, act):
	with pytest.raises(frappe.PermissionError, match="Propose the date instead"):
		act(OLGA, "reschedule_stage", new_date="2030-06-14", reason="The loom broke")
	shown = propose(act)["stages"][0]
	assert shown["actions"] == ["confirm", "propose_date", "add_task"]
	assert (str(shown["proposal"]["proposed_date"]), shown["proposal"]["reason"]) == (
		"2030-06-14",
		"The loom broke",
	)
	assert key_dates(order)["Cut"] == "2030-06-10"
	assert changes_of(order) == [("Cut", "2030-06-14", "Proposed", "Proposal", OLGA, "2030-06-14", "")]


def test_a_manager_moves_dates_as_ever(order, act):
	act(
		MANAGER, "reschedule_stage", new_date="2030-06-14", reason="The loom broke", later_stages="Keep Order"
	)
	assert key_dates(order)["Cut"] == "2030-06-14"


def test_accepting_moves_the_date_and_keeps_who_proposed_and_who_answered(order, act):
	propose(act)
	offered = api.get_plan(order.doctype, order.name)
	assert {"accept_date", "decline_date", "reschedule"} <= set(offered["stages"][0]["actions"])
	act(MANAGER, "accept_date", later_stages="Shift Too")
	assert key_dates(order) == {"Cut": "2030-06-14", "Shipped": "2030-07-02"}
	assert changes_of(order) == [
		("Cut", "2030-06-14", "Accepted", "Proposal", OLGA, "2030-06-14", MANAGER),
		("Shipped", "2030-07-02", "Accepted", "Proposal", "", "", ""),
	]
	row = stage_of(order, "Cut")
	assert (row.proposed_date, row.proposal) == (None, None)
	with pytest.raises(frappe.ValidationError, match="No date is proposed for Cut"):
		act(MANAGER, "accept_date")


def test_a_manager_chooses_another_day(order, act):
	propose(act)
	act(MANAGER, "accept_date", new_date="2030-06-12", later_stages="Keep Order")
	assert key_dates(order) == {"Cut": "2030-06-12", "Shipped": "2030-06-28"}
	assert changes_of(order) == [("Cut", "2030-06-12", "Accepted", "Proposal", OLGA, "2030-06-14", MANAGER)]


def test_a_date_that_was_moved_there_meanwhile_is_accepted_as_it_is(order, act):
	propose(act)
	act(MANAGER, "reschedule_stage", new_date="2030-06-14", reason="Known", later_stages="Keep Order")
	act(MANAGER, "accept_date")
	assert sorted(row[1:4] for row in changes_of(order)) == [
		("2030-06-14", "Accepted", "Form"),
		("2030-06-14", "Accepted", "Proposal"),
	]


def test_declining_needs_a_reason_and_changes_no_date(order, act):
	propose(act)
	with pytest.raises(frappe.MandatoryError):
		act(MANAGER, "decline_date", reason=" ")
	act(MANAGER, "decline_date", reason="The ship will not wait")
	assert key_dates(order)["Cut"] == "2030-06-10"
	assert changes_of(order) == [("Cut", "2030-06-14", "Declined", "Proposal", OLGA, "2030-06-14", MANAGER)]


def test_a_newer_proposal_replaces_the_one_before(order, act):
	propose(act)
	propose(act, "2030-06-15")
	assert [row[1:3] for row in changes_of(order)] == [
		("2030-06-14", "Declined"),
		("2030-06-15", "Proposed"),
	]


def test_a_new_version_without_the_milestone_settles_its_proposal(order, act):
	propose(act)
	workflow = frappe.get_doc("Milestone Workflow", plan_of(order).workflow)
	workflow.tasks, workflow.stages = [], workflow.stages[1:]
	workflow.save()
	api.move_to_new_version(plan_of(order).name)
	fields = ["status", "answered_by", "answer"]
	(answered,) = frappe.get_all("Milestone Date Change", {"plan": plan_of(order).name}, fields)
	assert answered == {
		"status": "Declined",
		"answered_by": "Administrator",
		"answer": "The milestone is no longer in the plan.",
	}


def test_reaching_the_milestone_settles_its_proposal(order, act):
	propose(act)
	act(OLGA, "confirm_stage", reached_on="2030-06-03")
	assert [row[2] for row in changes_of(order)] == ["Declined"]
	assert stage_of(order, "Cut").proposal is None


@pytest.mark.parametrize("day", ("2030-06-03", "2030-06-10", "2020-01-01"))
def test_what_is_no_new_day_to_come_is_not_proposed(order, act, day):
	with pytest.raises(frappe.ValidationError):
		propose(act, day)
	assert changes_of(order) == []


def test_reports_count_accepted_dates_only(order, act):
	def counted():
		rows = list(plan_stages.read(plan_stages.PlanFilter(workflow="Production")))
		return [(one.days, one.source) for one in date_changes.read(rows)]

	propose(act)
	assert counted() == []
	act(MANAGER, "decline_date", reason="No")
	assert counted() == []
	propose(act)
	act(MANAGER, "accept_date", later_stages="Keep Order")
	assert counted() == [(4, "Proposal")]


def told(order, event: str) -> list[tuple]:
	entry = frappe.db.get_value("Milestone Plan Log", {"plan": plan_of(order).name, "event": event})
	for _job in range(2):
		alerts.send(entry)
	filters = {"plan": plan_of(order).name, "kind": "Notice"}
	return sorted(frappe.get_all("Milestone Message", filters, ["recipient", "subject"], as_list=True))


def test_the_managers_are_told_of_a_proposal_once_and_the_owner_of_the_answer(order, act):
	propose(act)
	subject = f"A date is proposed for Cut of Production Order {order.name}"
	assert told(order, "Date Proposed") == [(MANAGER, subject)]
	act(MANAGER, "decline_date", reason="No")
	answer = (OLGA, f"Your date for Cut of Production Order {order.name} was declined")
	assert told(order, "Date Declined") == sorted([(MANAGER, subject), answer])


def test_an_answer_to_a_prompt_proposes_and_nobody_is_reminded_until_it_is_decided(order, act):
	assert ("Prompt", OLGA, "Cut") in sweep_at("2030-06-10 07:00:00")
	row = stage_of(order, "Cut")
	with at("2030-06-10 10:00:00"):
		token = make_token(Purpose.ANSWER, row.name, OLGA, str(row.key_date))
		form = {"token": token, "answer": "no", "new_date": "2030-06-14", "note": "The loom broke"}
		done = answer_page.answer_page(form, True)
	assert done["state"] == "done"
	assert "A Milestone Manager decides" in done["text"]
	assert key_dates(order)["Cut"] == "2030-06-10"
	assert [row[2:5] for row in changes_of(order)] == [("Proposed", "Proposal", OLGA)]
	messages = [sweep_at(f"2030-06-{day} 07:00:00") for day in (11, 12)]
	assert not [one for some in messages for one in some if one[2] == "Cut" and one[0] != "Escalation"]


def test_an_outside_party_proposes_on_the_page_of_its_task(order, act):
	name = task_of(order, "Weave the cloth").name
	with at(NOW):
		form = {"token": make_token(Purpose.TASK, name, MILL), "action": "propose", "new_date": "2030-06-11"}
		assert "say why" in task_page.task_page(form, True)["error"]
		done = task_page.task_page(form | {"comment": "The yarn is late"}, True)
	assert "was proposed" in done["text"]
	assert changes_of(order) == [("Cut", "2030-06-14", "Proposed", "Proposal", MILL, "2030-06-14", "")]
	act(MANAGER, "accept_date", later_stages="Keep Order")
	answer = (MILL, f"Your date for Cut of Production Order {order.name} was accepted")
	assert answer in told(order, "Date Accepted")


def test_the_owner_is_asked_as_ever_while_a_proposal_of_somebody_else_waits(order, act):
	name = task_of(order, "Weave the cloth").name
	with at(NOW):
		form = {"token": make_token(Purpose.TASK, name, MILL), "action": "propose", "new_date": "2030-06-11"}
		task_page.task_page(form | {"comment": "The yarn is late"}, True)
	assert ("Prompt", OLGA, "Cut") in sweep_at("2030-06-10 07:00:00")


def test_cancelling_the_plan_declines_what_is_proposed_and_taking_it_back_does_not_bring_it_back(order, act):
	propose(act)
	plan, why = plan_of(order).name, "The plan was cancelled. If it goes on, please propose the date again."
	api.cancel_plan(plan, "Ordered elsewhere")
	answer = frappe.db.get_value("Milestone Date Change", {"plan": plan}, ["status", "answered_by", "answer"])
	assert answer == ("Declined", "Administrator", why)
	logged = frappe.db.get_value(
		"Milestone Plan Log", {"plan": plan, "event": "Date Declined"}, ["stage_name", "reason", "details"]
	)
	assert logged == ("Cut", why, "2030-06-14")
	((recipient, _subject),) = told(order, "Date Declined")
	assert recipient == OLGA

	api.undo_cancel_plan(plan, "Ordered here after all")
	row = stage_of(order, "Cut")
	assert (row.proposal, row.proposed_date, row.awaits_decision) == (None, None, 0)
	propose(act)
	assert [row[2] for row in changes_of(order)].count("Proposed") == 1


def test_an_amendment_has_no_proposal_of_the_amended_document(order, act):
	propose(act)
	frappe.get_doc(order.doctype, order.name).submit()
	cancelled = frappe.get_doc(order.doctype, order.name)
	cancelled.cancel()
	amended = frappe.copy_doc(cancelled)
	amended.update({"amended_from": order.name, "docstatus": 0})
	amended.insert()
	row = stage_of(amended, "Cut")
	assert (row.proposal, row.proposed_date, row.awaits_decision) == (None, None, 0)


def test_without_the_rule_owners_move_their_dates(order, act):
	frappe.db.set_value("Milestone Plan", plan_of(order).name, "owners_propose", 0)
	act(OLGA, "reschedule_stage", new_date="2030-06-14", reason="The loom broke", later_stages="Keep Order")
	assert key_dates(order)["Cut"] == "2030-06-14"


def test_the_patch_says_that_older_changes_are_in_effect(order, act):
	act(MANAGER, "reschedule_stage", new_date="2030-06-14", reason="Late", later_stages="Keep Order")
	propose(act, "2030-06-20")
	frappe.db.set_value("Milestone Date Change", {"source": "Form"}, "status", None)
	with without_commits():
		for _run in range(2):
			accept_date_changes.execute()
	assert sorted(row[2] for row in changes_of(order)) == ["Accepted", "Proposed"]


def test_the_patch_declines_what_older_versions_left_proposed_in_cancelled_plans(order, act):
	propose(act)
	plan = plan_of(order).name
	frappe.db.set_value("Milestone Plan", plan, "status", "Cancelled")
	with without_commits():
		for _run in range(2):
			decline_proposals_of_cancelled_plans.execute()

	row = stage_of(order, "Cut")
	assert (row.proposal, row.proposed_date, row.awaits_decision) == (None, None, 0)
	assert [row[2] for row in changes_of(order)] == ["Declined"]


def test_the_patch_leaves_proposals_of_running_plans(order, act):
	propose(act)
	with without_commits():
		decline_proposals_of_cancelled_plans.execute()

	assert stage_of(order, "Cut").proposal
	assert [row[2] for row in changes_of(order)] == ["Proposed"]
