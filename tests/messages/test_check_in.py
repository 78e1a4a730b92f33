"""Check-ins: the owner is asked ahead of the date whether it holds, once, and answers in one of three ways."""

import frappe
import pytest

from milestone_automation import api
from milestone_automation.engine.people.signed_links import Purpose, make_token
from milestone_automation.links import answer_page
from tests.support.clock import at, sweep_at
from tests.support.factories import (
	CLERK_ROLE,
	events_of,
	key_dates,
	make_document,
	make_workflow,
	member,
	plan_of,
	stage,
	stage_of,
	status_of,
	task,
)

pytestmark = [pytest.mark.usefixtures("production_order"), pytest.mark.one_database]

OLGA, OTTO, WANDA = "olga@example.com", "otto@example.com", "wanda@example.com"
ASKED = ("Check-In", OLGA, "Cut")


@pytest.fixture
def order(make_user):
	"""An order to be cut by Olga on 2030-06-28 and checked a week before; Otto is notified."""
	for person in (OLGA, OTTO, WANDA):
		make_user(person, roles=[CLERK_ROLE])
	frappe.db.set_single_value("Milestone Settings", "login_to_answer", 0)
	frappe.clear_document_cache("Milestone Settings", "Milestone Settings")
	cut = stage(
		"Cut", owner_kind="User", owner_user=OLGA, notify_users=OTTO, check_in_days=7, warning_lead_days=1
	)
	with at("2030-06-01 09:00:00"):
		make_workflow(stages=[cut], tasks=[task("Cut", "Order the cloth", days=1, **member(WANDA))])
		return make_document()


def asked_on(first: int, last: int) -> list[int]:
	"""Days of June 2030 on which a check-in was sent, sweeping twice a day."""
	found = []
	for day in range(first, last + 1):
		told = sweep_at(f"2030-06-{day:02d} 07:00:00") + sweep_at(f"2030-06-{day:02d} 15:00:00")
		found += [day for message in told if message == ASKED]
		assert not [message for message in told if message[0] == "Check-In" and message != ASKED]
	return found


def answer(order, moment: str, call: str, as_user, **values):
	with at(moment), as_user(OLGA):
		getattr(api, call)(plan_of(order).name, "Cut", **values)


def actions_of(order, moment: str, as_user) -> list[str]:
	with at(moment), as_user(OLGA):
		return api.get_plan(order.doctype, order.name)["stages"][0]["actions"]


def test_the_owner_alone_is_asked_once_so_many_days_ahead(order):
	assert asked_on(10, 27) == [21]
	subject = frappe.db.get_value("Milestone Message", {"kind": "Check-In"}, "subject")
	assert subject.startswith("Is Cut still on track? Production Order")


def test_after_an_outage_it_is_asked_late_and_never_once_the_date_has_come(order):
	assert asked_on(25, 27) == [25]


def test_a_date_that_has_come_is_prompted_for_and_not_checked(order):
	assert asked_on(28, 30) == []


def test_on_track_is_kept_and_logged_once_and_asked_no_more(order, as_user):
	assert "on_track" not in actions_of(order, "2030-06-20 10:00:00", as_user)
	assert "on_track" in actions_of(order, "2030-06-21 10:00:00", as_user)
	for _time in range(2):
		answer(order, "2030-06-21 10:00:00", "answer_on_track", as_user)
	assert str(stage_of(order, "Cut").on_track_on) == "2030-06-21"
	assert events_of(order).count("Confirmed on Track") == 1
	assert "on_track" not in actions_of(order, "2030-06-22 10:00:00", as_user)
	assert asked_on(22, 27) == []


def test_who_sets_a_date_is_not_asked_whether_it_holds_before_long(order, as_user):
	assert asked_on(21, 21) == [21]
	answer(
		order, "2030-06-21 10:00:00", "answer_not_yet", as_user, new_date="2030-06-26", reason="Early cloth"
	)
	assert asked_on(22, 25) == []


def test_a_date_moved_far_is_checked_again(order, as_user):
	assert asked_on(15, 21) == [21]
	answer(
		order, "2030-06-21 10:00:00", "answer_not_yet", as_user, new_date="2030-07-04", reason="Late cloth"
	)
	assert key_dates(order) == {"Cut": "2030-07-04"}
	assert asked_on(22, 30) == [27]


def test_a_date_that_somebody_else_moved_is_checked_again(order):
	assert asked_on(15, 21) == [21]
	with at("2030-06-21 12:00:00"):
		api.reschedule_stage(plan_of(order).name, "Cut", "2030-06-27", "The buyer wants it")
	assert asked_on(22, 26) == [22]


def test_on_track_is_said_of_one_date_and_asked_again_for_another(order, as_user):
	assert asked_on(21, 21) == [21]
	answer(order, "2030-06-21 10:00:00", "answer_on_track", as_user)
	with at("2030-06-22 12:00:00"):
		api.reschedule_stage(plan_of(order).name, "Cut", "2030-06-27", "The buyer wants it")
	assert asked_on(23, 26) == [23]


def test_a_date_that_has_passed_is_not_on_track(order, as_user):
	with pytest.raises(frappe.ValidationError, match="has no key date to come"):
		answer(order, "2030-06-29 10:00:00", "answer_on_track", as_user)


def page(order, moment: str, is_post: bool = True, **form) -> dict:
	row = stage_of(order, "Cut")
	with at(moment):
		token = make_token(Purpose.ANSWER, row.name, OLGA, str(row.key_date))
		return answer_page.answer_page({"token": token, **form}, is_post)


def test_the_page_behind_the_mail_asks_before_it_writes(order):
	shown = page(order, "2030-06-21 10:00:00", is_post=False, answer="on_track")
	assert (shown["state"], shown["answer"]) == ("ask", "on_track")
	assert not stage_of(order, "Cut").on_track_on
	done = page(order, "2030-06-21 10:00:00", answer="on_track")
	assert done["state"] == "done"
	assert str(stage_of(order, "Cut").on_track_on) == "2030-06-21"


def test_the_page_does_not_offer_on_track_for_a_date_that_has_passed(order):
	assert page(order, "2030-06-29 10:00:00", is_post=False, answer="on_track")["answer"] == "yes"


def test_already_reached_is_an_answer_too(order, as_user):
	with at("2030-06-21 09:00:00"), as_user(WANDA):
		name = frappe.db.get_value("Milestone Task", {"plan": plan_of(order).name})
		api.complete_task(name)
	done = page(order, "2030-06-21 10:00:00", answer="yes", reached_on="2030-06-20")
	assert done["state"] == "done"
	assert status_of(order) == {"Cut": "Reached"}
	assert str(stage_of(order, "Cut").reached_on) == "2030-06-20"
	assert asked_on(22, 27) == []


def test_the_check_in_is_part_of_the_version_and_of_new_plans(order):
	workflow = frappe.get_doc("Milestone Workflow", "Production")
	workflow.stages[0].check_in_days = 3
	workflow.save()
	assert workflow.version == 2
	assert stage_of(make_document(), "Cut").check_in_days == 3
	assert stage_of(order, "Cut").check_in_days == 7
