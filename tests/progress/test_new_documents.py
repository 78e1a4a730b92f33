"""New documents whose hooks give them a blocked value, as receipts do that are submitted on insert."""

import frappe
import pytest

from milestone_automation.engine.base import compat
from milestone_automation.engine.base.guard import GateError
from milestone_automation.engine.progress import tasks
from tests.support.factories import (
	ORDER,
	ensure_production_order,
	make_document,
	make_workflow,
	stage,
	status_of,
	task,
	task_of,
)

pytestmark = pytest.mark.usefixtures("production_order")

TASK = "Sign the packing list"
VALUES = {"doctype": ORDER, "status": "Open", "delivery_date": "2030-06-28"}


@pytest.fixture
def workflow(production_order):
	"""Shipped is blocked by one task."""
	return make_workflow(stages=[stage("Shipped", "Shipped")], tasks=[task("Shipped", TASK)])


def by_db_set(order) -> None:
	order.db_set("status", "Shipped")


def by_another_copy(order) -> None:
	frappe.get_doc(ORDER, order.name).db_set("status", "Shipped")


def by_another_copy_and_reload(order) -> None:
	by_another_copy(order)
	order.load_from_db()


def by_saving_another_copy(order) -> None:
	frappe.get_doc(ORDER, order.name).update({"status": "Shipped"}).save()


def by_sql(order) -> None:
	frappe.db.set_value(ORDER, order.name, "status", "Shipped")


def by_sql_and_reload(order) -> None:
	by_sql(order)
	order.reload()


def by_db_update(order) -> None:
	order.status = "Shipped"
	order.db_update()


WITH_HOOKS = (by_db_set, by_another_copy, by_another_copy_and_reload, by_saving_another_copy)
WITHOUT_HOOKS = (by_sql, by_sql_and_reload, by_db_update)


def swallow(function):
	"""Do it as apps do that go on whatever is refused."""

	def swallowed(order):
		try:
			function(order)
		except GateError:
			frappe.clear_messages()

	return swallowed


def new_order(event: str, function, docstatus: int):
	"""An order that is not inserted yet, with a hook that does something the first time it is called."""
	order = frappe.get_doc(VALUES | {"docstatus": docstatus})
	calls = iter([function])
	order.__dict__[event] = lambda: next(calls, lambda _order: None)(order)
	return order


def stored_status(order) -> str | None:
	return frappe.db.get_value(ORDER, order.name, "status")


@pytest.mark.parametrize("docstatus", [0, 1], ids=["draft", "submitted on insert"])
@pytest.mark.parametrize("event", ["after_insert", "on_update", "on_change"])
@pytest.mark.parametrize("way", [*WITH_HOOKS, *WITHOUT_HOOKS], ids=lambda way: way.__name__)
@pytest.mark.usefixtures("workflow")
def test_a_new_order_that_its_hook_gives_a_blocked_value_is_refused(way, event, docstatus):
	order = new_order(event, way, docstatus)
	with pytest.raises(GateError, match="One required task comes before <b>Shipped</b>"):
		order.insert()
	assert stored_status(order) != "Shipped"
	assert "Shipped" not in frappe.get_all("Milestone", {"reference_name": order.name}, pluck="value")


@pytest.mark.parametrize("way", [*WITH_HOOKS, *WITHOUT_HOOKS], ids=lambda way: way.__name__)
@pytest.mark.usefixtures("workflow")
def test_a_receipt_that_its_submission_gives_a_blocked_value_is_refused(way):
	order = new_order("on_submit", way, docstatus=1)
	with pytest.raises(GateError, match="One required task comes before <b>Shipped</b>"):
		order.insert()
	assert stored_status(order) is None or stored_status(order) == "Open"


@pytest.mark.parametrize("event", ["after_insert", "on_update", "on_submit", "on_change"])
@pytest.mark.parametrize("way", WITH_HOOKS, ids=lambda way: way.__name__)
@pytest.mark.usefixtures("workflow")
def test_a_receipt_whose_hook_swallows_the_refusal_is_stored_without_the_value(way, event):
	order = new_order(event, swallow(way), docstatus=1).insert()
	assert frappe.db.get_value(ORDER, order.name, ["status", "docstatus"]) == ("Open", 1)
	assert status_of(order) == {"Shipped": "Open"}
	assert "Shipped" not in frappe.get_all("Milestone", {"reference_name": order.name}, pluck="value")


@pytest.mark.parametrize("way", [*WITH_HOOKS, *WITHOUT_HOOKS], ids=lambda way: way.__name__)
@pytest.mark.usefixtures("workflow")
def test_an_order_inserted_and_submitted_in_one_request_is_held_when_it_is_submitted(way):
	order = new_order("on_submit", way, docstatus=0).insert()
	with pytest.raises(GateError, match=TASK):
		order.submit()
	assert stored_status(order) == "Open"


@pytest.mark.parametrize(
	"write",
	[lambda order: order.db_set, lambda order: lambda values: order.update(values).save()],
	ids=["db_set", "save"],
)
def test_an_order_that_comes_under_a_workflow_at_its_blocked_value_is_refused(write):
	urgent = 'doc.note == "urgent"'
	make_workflow(stages=[stage("Shipped", "Shipped")], tasks=[task("Shipped", TASK)], condition=urgent)
	order = make_document()
	with pytest.raises(GateError, match="One required task comes before <b>Shipped</b>"):
		write(order)({"status": "Shipped", "note": "urgent"})
	assert frappe.db.get_value(ORDER, order.name, ["status", "note"]) == ("Open", None)


@pytest.mark.parametrize(
	"write",
	[lambda order: order.db_set("note", "x"), lambda order: order.update({"note": "x"}).save()],
	ids=["db_set", "save"],
)
def test_an_order_shipped_before_there_was_a_workflow_can_be_changed_and_has_reached_it(write):
	order = make_document(status="Shipped")
	make_workflow(stages=[stage("Shipped", "Shipped")], tasks=[task("Shipped", TASK)])
	write(frappe.get_doc(ORDER, order.name))
	assert frappe.db.get_value(ORDER, order.name, "note") == "x"
	assert status_of(order) == {"Shipped": "Reached"}


# Amendments


def amend(order, **values):
	new = frappe.copy_doc(order)
	return new.update({"amended_from": order.name, "docstatus": 0} | values)


@pytest.mark.usefixtures("workflow")
def test_a_copy_that_says_it_amends_a_shipped_order_which_is_not_cancelled_is_refused():
	order = make_document()
	tasks.complete(task_of(order, TASK).name)
	order.reload()
	order.update({"status": "Shipped"}).save()
	with pytest.raises(GateError, match="One required task comes before <b>Shipped</b>"):
		amend(order).insert()


def test_an_amendment_of_an_order_from_before_the_workflow_is_new_to_the_gate():
	order = make_document()
	order.submit()
	order.cancel()
	make_workflow(stages=[stage("Shipped", "Shipped")], tasks=[task("Shipped", TASK)])
	with pytest.raises(GateError, match="One required task comes before <b>Shipped</b>"):
		amend(order, status="Shipped").insert()
	assert status_of(amend(order).insert()) == {"Shipped": "Open"}


# What counts as brought in


@pytest.mark.usefixtures("workflow")
@pytest.mark.parametrize("flag", compat.BROUGHT_IN)
def test_a_script_of_the_site_that_says_it_imports_does_not_pass_the_gate(flag):
	script = {"doctype": "Server Script", "name": "Says it imports", "script_type": "API"}
	code = f"frappe.flags.{flag} = True\nfrappe.get_doc({VALUES | {'status': 'Shipped'}!r}).insert()"
	script = frappe.get_doc(script | {"api_method": "says_it_imports", "script": code}).insert()
	with pytest.raises(GateError, match="One required task comes before <b>Shipped</b>"):
		script.execute_method()
	assert not frappe.db.exists(ORDER, {"status": "Shipped"})
	assert not frappe.flags.get(flag)


# A workflow that is being changed


def test_a_workflow_changed_in_the_same_transaction_is_judged_by_its_new_rules(workflow):
	frappe.get_cached_doc("Milestone Workflow", workflow.name)
	workflow.new_documents = "Accept as Reached"
	workflow.save()
	assert status_of(make_document(status="Shipped")) == {"Shipped": "Reached"}
	workflow.new_documents = "Refuse"
	workflow.append("tasks", task("Shipped", "Weigh it"))
	workflow.save()
	with pytest.raises(GateError, match="2 required tasks come before <b>Shipped</b>"):
		make_document(status="Shipped")


def test_a_changed_workflow_counts_also_where_somebody_else_reads_the_old_one_meanwhile(scratch_site):
	scratch = scratch_site()
	with scratch.connect():
		ensure_production_order()
		made = make_workflow(stages=[stage("Shipped", "Shipped")], tasks=[])
		frappe.db.commit()  # the other process reads it
		made.append("tasks", task("Shipped", TASK))
		made.save()
		scratch.python(f"import frappe\nfrappe.get_cached_doc('Milestone Workflow', {made.name!r})")
		with pytest.raises(GateError, match="One required task comes before <b>Shipped</b>"):
			make_document(status="Shipped")
		assert [row.title for row in plan_tasks(make_document())] == [TASK]


def plan_tasks(order):
	return frappe.get_all("Milestone Task", {"reference_name": order.name}, ["title"])
