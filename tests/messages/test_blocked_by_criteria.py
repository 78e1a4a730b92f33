"""Exit criteria in messages: no prompt while one is not met, the owner is told and reminded, the prompt lists them."""

import json

import frappe
import pytest

from milestone_automation.engine.store import sweep_requests
from tests.support.clock import at, sweep_at
from tests.support.factories import (
	CLERK_ROLE,
	ORDER,
	make_document,
	make_workflow,
	plan_of,
	stage,
	stage_of,
)
from tests.support.transactions import end_transaction

pytestmark = pytest.mark.usefixtures("production_order")

OLGA = "olga@example.com"
CRITERIA = json.dumps(
	[{"kind": "Field Is Set", "field": "note"}, {"kind": "File Is Attached", "required": 0}]
)


@pytest.fixture
def order(make_user):
	"""An order to be cut by Olga on 2030-06-28; its note has to be written before."""
	make_user(OLGA, roles=[CLERK_ROLE])
	row = stage(
		"Cut",
		owner_kind="User",
		owner_user=OLGA,
		exit_criteria=CRITERIA,
		remind_after_days=2,
		warning_lead_days=3,
	)
	with at("2030-06-01 09:00:00"):
		make_workflow(stages=[row], tasks=())
		return make_document()


def kinds(told: list[tuple]) -> list[str]:
	return [kind for kind, recipient, _about in told if recipient == OLGA]


def text_of(kind: str) -> str:
	return frappe.get_all(
		"Milestone Message", {"kind": kind, "recipient": OLGA}, pluck="message", order_by="creation desc"
	)[0]


def test_the_owner_is_warned_told_reminded_and_asked_once_it_is_met(order):
	assert kinds(sweep_at("2030-06-24 15:00:00")) == []
	assert kinds(sweep_at("2030-06-25 15:00:00")) == ["Warning"]
	assert stage_of(order, "Cut").health == "At Risk"
	assert "✗ Note is set" in text_of("Warning")
	assert kinds(sweep_at("2030-06-28 15:00:00")) == ["Blocked (Owner)"]
	assert (stage_of(order, "Cut").health, stage_of(order, "Cut").open_criteria) == ("Blocked", 1)
	assert "✗ Note is set" in text_of("Blocked (Owner)")
	assert "✗ A file is attached (optional)" in text_of("Blocked (Owner)")
	assert kinds(sweep_at("2030-06-29 15:00:00")) == []
	assert kinds(sweep_at("2030-06-30 15:00:00")) == ["Blocked (Owner)"]
	# Past all hooks: the plan is swept every day while it waits.
	frappe.db.set_value(ORDER, order.name, "note", "Packed")
	assert kinds(sweep_at("2030-07-01 15:00:00")) == ["Prompt"]
	assert "✓ Note is set" in text_of("Prompt")
	assert stage_of(order, "Cut").open_criteria == 0


def test_what_is_taken_away_after_the_prompt_blocks_again(order):
	frappe.db.set_value(ORDER, order.name, "note", "Packed")
	assert kinds(sweep_at("2030-06-28 15:00:00")) == ["Prompt"]
	frappe.db.set_value(ORDER, order.name, "note", "")
	frappe.db.set_value("Milestone Plan", plan_of(order).name, "next_check", "2030-06-29")
	assert kinds(sweep_at("2030-06-29 15:00:00")) == ["Blocked (Owner)"]


@pytest.fixture
def requested(monkeypatch):
	"""Names of the plans of which a sweep was asked for."""
	found = []
	monkeypatch.setattr(sweep_requests, "request", found.append)
	return found


def asked_by(requested, action) -> list[str]:
	end_transaction()
	requested.clear()
	action()
	return list(dict.fromkeys(requested))


def test_a_save_a_file_and_nothing_else_has_the_plan_checked(order, requested):
	plan = plan_of(order).name
	order.reload()
	order.title = "Nothing a plan watches"
	assert asked_by(requested, order.save) == [plan]
	about = {"attached_to_doctype": ORDER, "attached_to_name": order.name}
	file = frappe.get_doc({"doctype": "File", "file_name": "a.txt", "content": "a"} | about)
	assert asked_by(requested, file.insert) == [plan]
	assert asked_by(requested, file.delete) == [plan]
	# No stage asks for comments.
	assert asked_by(requested, lambda: order.add_comment("Comment", "Hello")) == []


def test_other_documents_have_the_plans_checked_that_ask_for_them(make_doctype, requested):
	link = {"fieldname": "order_name", "fieldtype": "Link", "options": ORDER}
	passport = make_doctype("Message Criteria Passport", [link], is_submittable=True)
	row = {"kind": "Other Document Exists", "doctype": passport, "link_field": "order_name"}
	make_workflow(stages=[stage("Cut", exit_criteria=json.dumps([row]))], tasks=())
	order, other = make_document(), make_document()
	plan, plan_of_other = plan_of(order).name, plan_of(other).name
	doc = frappe.get_doc({"doctype": passport, "order_name": order.name})
	assert asked_by(requested, doc.insert) == [plan]
	doc.order_name = other.name
	assert set(asked_by(requested, doc.save)) == {plan, plan_of_other}
	assert asked_by(requested, doc.submit) == [plan_of_other]
	assert asked_by(requested, doc.cancel) == [plan_of_other]
	assert asked_by(requested, doc.delete) == [plan_of_other]
