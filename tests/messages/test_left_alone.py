"""Twenty-four running plans that nobody touches for twenty-four days: few mails, and nothing important missing in them."""

from collections import defaultdict
from datetime import date, timedelta

import frappe
import pytest

from tests.support.clock import at, forget_mail_account, sweep_at
from tests.support.factories import CLERK_ROLE, SUPPLIER, make_document, make_workflow, stage, task

pytestmark = [pytest.mark.usefixtures("production_order"), pytest.mark.one_database]

PLANS, DAYS = 24, 24
FIRST_DAY = date(2030, 6, 3)
PAUSE = 4
MERCHANDISER, BUYER, MANAGER = (f"{name}@example.com" for name in ("merchandiser", "buyer", "manager"))
SUPPLIERS = ("Anatolia Knitwear", "Bengal Apparel", "Cordillera Cotton", "Delta Garments")
TEAM, MANAGERS = "Garment Team", "Milestone Manager"
BY_MERCHANDISER = {"owner_kind": "User Field", "owner_field": "responsible", "remind_after_days": 1}
# As the workflow of the demo: stages of one merchandiser, tasks of a team and of suppliers without accounts.
STAGES = (
	stage("Materials Ready", None, -35, remind_every_days=3, remind_at_most=3, **BY_MERCHANDISER),
	stage("Production Finished", "Inspected", -21, remind_every_days=2, remind_at_most=5, **BY_MERCHANDISER),
	stage("Final Inspection", None, -14, remind_every_days=1, remind_at_most=5, **BY_MERCHANDISER),
	stage("Shipment", "Shipped", -7, remind_every_days=1, remind_at_most=5, **BY_MERCHANDISER),
	stage("Delivery", "Closed", 0, remind_every_days=2, remind_at_most=5, **BY_MERCHANDISER),
)
OF_TEAM = {"assignee_kind": "Whole Team"}
OF_SUPPLIER = {"assignee_kind": "All Supplier Contacts"}
TASKS = (
	task("Materials Ready", "Send the confirmed list of materials", days=3, **OF_SUPPLIER),
	task("Production Finished", "Report the progress of production", days=7, required=0, **OF_SUPPLIER),
	task("Final Inspection", "Book the inspector", days=7, **OF_TEAM),
	task("Final Inspection", "Attach the inspection report", **OF_TEAM),
	task("Shipment", "Book the carrier", days=5, **OF_TEAM),
	task("Shipment", "Send packing list and commercial invoice", days=2, **OF_SUPPLIER),
	task("Delivery", "Check the customs papers", days=3, required=0, **OF_TEAM),
)


@pytest.fixture
def running_plans(make_user, smtp):
	"""The plans, the first dates of half of them within the next days; earlier tasks block later milestones of some."""
	forget_mail_account()
	frappe.get_doc({"doctype": "Role", "role_name": TEAM, "desk_access": 1}).insert()
	for user, roles in ((MERCHANDISER, [TEAM]), (BUYER, [TEAM]), (MANAGER, [MANAGERS])):
		make_user(user, roles=[CLERK_ROLE, *roles])
	with at(f"{FIRST_DAY - timedelta(days=2)} 09:00:00"):
		for name in SUPPLIERS:
			_make_supplier(name)
		make_workflow(
			stages=STAGES,
			tasks=TASKS,
			team_role=TEAM,
			supplier_field="supplier",
			escalation_role=MANAGERS,
			escalate_after_days=3,
		)
		for number in range(PLANS):
			make_document(
				delivery_date=str(FIRST_DAY + timedelta(days=8 + 2 * number)),
				supplier=SUPPLIERS[number % len(SUPPLIERS)],
				responsible=MERCHANDISER,
			)


def _make_supplier(name: str) -> None:
	frappe.get_doc({"doctype": SUPPLIER, "name": name, "title": name}).insert(set_name=name)
	links = [{"link_doctype": SUPPLIER, "link_name": name}]
	emails = [{"email_id": _address(name), "is_primary": 1}]
	values = {"doctype": "Contact", "first_name": name, "links": links, "email_ids": emails}
	frappe.get_doc(values).insert()


def _address(supplier: str) -> str:
	return f"{supplier.split()[0].lower()}@example.org"


def _messages() -> list:
	return frappe.get_all(
		"Milestone Message",
		fields=["kind", "recipient", "plan_stage", "task", "for_date", "status", "email_queue", "mail_key"],
	)


def _days_of_mails(rows: list) -> dict[str, list[date]]:
	"""The days on which each person got a mail."""
	days = defaultdict(list)
	for row in rows:
		if row.mail_key:
			days[row.recipient].append(date.fromisoformat(row.mail_key[:10]))
	return {person: sorted(found) for person, found in days.items()}


def _most_in_a_week(days: list[date]) -> int:
	return max(sum(first <= day < first + timedelta(days=7) for day in days) for first in days)


def test_nobody_gets_more_than_two_mails_a_week_and_nothing_important_is_missed(running_plans, smtp):
	for day in range(DAYS):
		sweep_at(f"{FIRST_DAY + timedelta(days=day)} 07:00:00")
	smtp.deliver()
	rows = _messages()
	people = {MERCHANDISER, BUYER, MANAGER, *(_address(name) for name in SUPPLIERS)}
	days = _days_of_mails(rows)
	assert {person: len(found) for person, found in days.items()} == dict.fromkeys(people, 6)
	assert {person: len(smtp.to(person)) for person in people} == dict.fromkeys(people, 6)
	assert {person: _most_in_a_week(found) for person, found in days.items()} == dict.fromkeys(people, 2)

	# What came up in the last days may still wait for the next mail.
	settled = FIRST_DAY + timedelta(days=DAYS - 1 - PAUSE)
	for kinds in (("Prompt", "Reminder"), ("Blocked",), ("Blocked (Owner)",), ("Escalation",)):
		of_kind = [row for row in rows if row.kind in kinds]
		asked = {_about(row) for row in of_kind if row.for_date <= settled}
		assert len(asked) > 0
		assert asked - _mailed(of_kind) == set(), kinds
	assert _late_tasks(settled) - _mailed(rows) == set()


def _about(row) -> tuple[str, str]:
	"""(person, task or milestone) of a message."""
	return row.recipient, row.task or row.plan_stage


def _mailed(rows: list) -> set[tuple[str, str]]:
	return {_about(row) for row in rows if row.email_queue}


def _late_tasks(before: date) -> set[tuple[str, str]]:
	"""(person, task) of the open tasks that were due before a day."""
	names = frappe.get_all("Milestone Task", {"status": "Open", "due_date": ("<", before)}, pluck="name")
	assert len(names) > PLANS
	rows = frappe.get_all("Milestone Task Assignee", {"parent": ("in", names)}, ["parent", "user", "email"])
	return {(row.user or row.email, row.parent) for row in rows}
