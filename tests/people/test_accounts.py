"""An account that is made later for an address that was asked from outside is the same person."""

import frappe
import pytest
from frappe.utils import add_days, nowdate

from milestone_automation.desk import my_work
from milestone_automation.engine.base import follow_ups
from milestone_automation.engine.people import rights
from milestone_automation.engine.people.signed_links import Purpose, make_token
from milestone_automation.links import answer_page, portal_page
from tests.support.factories import (
	collaborator,
	make_document,
	make_workflow,
	plan_of,
	stage,
	stage_of,
	task,
	task_of,
)

MILL = "later@mill.example"
OWNED = {"owner_kind": "Third-Party Collaborator", "owner_name": "The Mill", "owner_email": MILL}


@pytest.fixture
def order(production_order):
	make_workflow(
		stages=[stage("Woven", None, -9, **OWNED)],
		tasks=[task("Woven", "Send patterns", 2, **collaborator(MILL, "The Mill"))],
	)
	return make_document(delivery_date=add_days(nowdate(), 30))


def work_off() -> None:
	for name in frappe.get_all("Milestone Follow Up", pluck="name", order_by="creation"):
		follow_ups.do(name)


def test_what_was_asked_of_the_address_is_the_accounts(order, make_user, as_user):
	make_user(MILL, user_type="Website User")
	# Before any job has run, too.
	assert rights.owns_stage(stage_of(order, "Woven"), MILL)
	assert rights.is_assigned(task_of(order, "Send patterns"), MILL)
	with as_user(MILL):
		assert [row["what"] for row in portal_page.portal_page({}, False)["open"]] == [
			"Send patterns",
			"Woven",
		]
	work_off()
	row = stage_of(order, "Woven")
	assert (row.stage_owner, row.outside_owner, row.outside_owner_name) == (MILL, None, None)
	assert [one.user for one in task_of(order, "Send patterns").assignees] == [MILL]
	with as_user(MILL):
		assert [row["what"] for row in portal_page.portal_page({}, False)["open"]] == [
			"Send patterns",
			"Woven",
		]


def test_the_link_that_the_address_got_still_answers(order, make_user, as_user):
	row = stage_of(order, "Woven")
	token = make_token(Purpose.ANSWER, row.name, MILL, str(row.key_date))
	make_user(MILL, user_type="Website User")
	work_off()
	with as_user("Guest"):
		page = answer_page.answer_page({"token": token, "answer": "on_track"}, True)
	assert "is still expected on" in page["text"]
	assert stage_of(order, "Woven").on_track_on


def test_an_account_for_the_desk_finds_it_in_my_milestones_with_a_todo(order, make_user, as_user):
	make_user(MILL, roles=["Production Reader"])
	work_off()
	with as_user(MILL):
		found = my_work.my_work()
	assert [row["title"] for row in found["tasks"]] == ["Send patterns"]
	assert [row["stage_name"] for row in found["stages"]] == ["Woven"]
	todo = {"reference_name": task_of(order, "Send patterns").name, "allocated_to": MILL}
	assert frappe.db.exists("ToDo", todo)


def test_a_disabled_account_and_another_address_take_over_nothing(order, make_user):
	make_user("other@mill.example", user_type="Website User")
	make_user(MILL, user_type="Website User", enabled=0)
	work_off()
	assert stage_of(order, "Woven").outside_owner == MILL
	assert not task_of(order, "Send patterns").assignees[0].user
	plan = plan_of(order)
	assert not rights.owns_stage(plan.stages[0], "other@mill.example")
