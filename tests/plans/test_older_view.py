"""A transaction that began before somebody else saved: what it locks is new, what it reads is old, and it knows so.

MariaDB and PostgreSQL show a transaction the tables as they were at its first look; MariaDB alone shows locked rows as
they are now. The others ask whoever comes second to try again.
"""

import frappe
import pytest

from milestone_automation.engine.base import guard
from milestone_automation.engine.history import reconcile
from milestone_automation.engine.plans import catching_up, following
from milestone_automation.engine.progress import stages
from tests.support.factories import (
	ORDER,
	ensure_production_order,
	key_dates,
	make_document,
	make_workflow,
	plan_of,
	stage,
	stage_of,
	status_of,
)

WAY = [stage("Cut", "Cut", -20), stage("Inspected", "Inspected", -7), stage("Shipped", "Shipped")]


@pytest.fixture
def elsewhere(scratch_site):
	"""A connected site whose orders follow a workflow."""
	scratch = scratch_site()
	with scratch.connect():
		ensure_production_order()
		make_workflow(stages=WAY, tasks=[])
		yield scratch


def make_order():
	"""An order that another process sees."""
	order = make_document(status="Open")
	frappe.db.commit()  # the other process shall see it
	return order


def begin_to_look(order) -> None:
	"""From here on the transaction sees nothing of what others commit."""
	frappe.db.rollback()
	frappe.get_all("Milestone Plan", {"reference_name": order.name})


def save_elsewhere(site, order, **values) -> None:
	site.python(
		f"import frappe\ndoc = frappe.get_doc({ORDER!r}, {order.name!r})\n"
		f"doc.update({values!r})\ndoc.save()\nfrappe.db.commit()"
	)


def do(function, *arguments) -> None:
	"""Do it as a job does: again where the database asks for it. Then commit."""
	try:
		function(*arguments)
	except Exception as error:
		assert guard.is_conflict(error), error
		assert frappe.db.db_type != "mariadb"
		frappe.db.rollback()
		function(*arguments)
	frappe.db.commit()  # as a job does


def changes_of(order, fieldname: str) -> list[tuple]:
	filters = {"reference_name": order.name, "track_field": fieldname}
	rows = frappe.get_all("Milestone", filters, ["from_value", "value"], order_by="reached_on, idx")
	return [(row.from_value or "", row.value) for row in rows]


def write_past_the_hooks(order, **values) -> None:
	frappe.db.set_value(ORDER, order.name, values)
	frappe.db.commit()  # as the code of another app does


def test_the_nightly_check_undoes_nothing_that_somebody_saved_since_it_began(elsewhere):
	order = make_order()
	write_past_the_hooks(order, status="Cut")
	begin_to_look(order)
	save_elsewhere(elsewhere, order, status="Shipped", delivery_date="2030-08-28")
	do(catching_up.run, ORDER)
	assert status_of(order)["Shipped"] == "Reached"
	assert frappe.parse_json(plan_of(order).snapshot)["delivery_date"] == "2030-08-28"
	assert key_dates(order)["Cut"] == "2030-08-08"
	assert not frappe.db.exists(
		"Milestone Plan Log", {"plan": plan_of(order).name, "event": "Milestone Undone"}
	)
	assert changes_of(order, "status") == [("", "Open"), ("Open", "Cut"), ("Cut", "Shipped")]


def test_a_plan_follows_the_document_as_it_is_now(elsewhere):
	order = make_order()
	save_elsewhere(elsewhere, order, status="Cut")
	begin_to_look(order)
	save_elsewhere(elsewhere, order, status="Shipped")
	do(following.settle, ORDER, order.name)
	assert status_of(order) == {"Cut": "Reached", "Inspected": "Open", "Shipped": "Reached"}


def test_a_document_that_has_left_its_workflow_meanwhile_gets_no_plan(elsewhere):
	frappe.db.set_value("Milestone Workflow", "Production", "condition", "doc.status == 'Cut'")
	frappe.clear_cache()
	order = make_order()
	assert plan_of(order) is None
	write_past_the_hooks(order, status="Cut")
	begin_to_look(order)
	write = f"frappe.db.set_value({ORDER!r}, {order.name!r}, 'status', 'Closed')"
	elsewhere.python(f"import frappe\n{write}\nfrappe.db.commit()")
	do(catching_up.follow_documents, ORDER, [order.name])
	assert plan_of(order) is None


def test_a_value_is_not_recorded_again_that_a_save_has_found_meanwhile(elsewhere):
	order = make_order()
	write_past_the_hooks(order, status="Cut")
	begin_to_look(order)
	save_elsewhere(elsewhere, order, status="Inspected")
	do(reconcile.run, ORDER)
	assert changes_of(order, "status") == [("", "Open"), ("Open", "Cut"), ("Cut", "Inspected")]


def test_a_reopened_milestone_takes_the_date_that_the_document_has_now(elsewhere):
	order = make_order()
	save_elsewhere(elsewhere, order, status="Shipped")
	save_elsewhere(elsewhere, order, delivery_date="2030-07-28")
	begin_to_look(order)
	save_elsewhere(elsewhere, order, delivery_date="2030-08-28")
	do(stages.undo, plan_of(order).name, stage_of(order, "Shipped").name, "Sent back")
	assert key_dates(order)["Shipped"] == "2030-08-28"
