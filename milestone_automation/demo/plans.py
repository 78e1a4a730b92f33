"""Plans of the demo: a ready workflow for its orders, and some orders whose shipment is blocked by a required task.

`story.load` calls it after the orders are created.
"""

import click
import frappe
from frappe.utils import add_days, getdate, nowdate

from milestone_automation.demo import sample_orders
from milestone_automation.engine.people.rights import MANAGER_ROLE
from milestone_automation.engine.plans import bulk_start
from milestone_automation.engine.progress import stages, tasks
from milestone_automation.engine.store import plan_rows
from milestone_automation.engine.store.changing import refresh
from milestone_automation.engine.workflows import ready

READY = "purchase_order_production"
BLOCKING_TASK = "Send packing list and commercial invoice"
INSPECTION = "Final Inspection"
SHOWN_TO_SUPPLIERS = "style\nquantity\nship_date"
# Stages of the ready workflow that are confirmed there, and reached by a status in the demo.
REACHED_BY_STATUS = {"Materials Ready": "Production"}


def load(order_doctype: str, supplier_doctype: str, team_role: str) -> list[str]:
	"""Create contacts, workflow and plans, unless the workflow exists.

	Args:
		order_doctype, supplier_doctype: DocTypes of the demo.
		team_role: role of its users.

	Returns:
		list[str]: names of the orders whose shipment is blocked.
	"""
	if not workflow_of(order_doctype):
		make_contacts(supplier_doctype)
		make_workflow(order_doctype, team_role)
		result = bulk_start.run(workflow_of(order_doctype))
		click.echo(f"{result['started']} plans started.")
		work_on_tasks(order_doctype)
		confirm_inspections(order_doctype)
	return block_orders(order_doctype)


def workflow_of(order_doctype: str) -> str | None:
	"""Return the name of the workflow of the demo, or None.

	Args:
		order_doctype: DocType of the demo's orders.
	"""
	return frappe.db.get_value("Milestone Workflow", {"document_type": order_doctype})


def clear(order_doctype: str) -> None:
	"""Delete the plans, the workflow and the contacts of the demo.

	Args:
		order_doctype: DocType of the demo's orders.
	"""
	workflow = workflow_of(order_doctype)
	for plan in frappe.get_all("Milestone Plan", {"reference_type": order_doctype}, pluck="name"):
		frappe.delete_doc("Milestone Plan", plan, force=True)
	if workflow:
		frappe.delete_doc("Milestone Workflow", workflow, force=True)
	for _supplier, email, *_habits in sample_orders.SUPPLIERS:
		for contact in frappe.get_all("Contact", {"email_id": email}, pluck="name"):
			frappe.delete_doc("Contact", contact, force=True)


def make_contacts(supplier_doctype: str) -> None:
	"""Create one contact, without a user, for each supplier.

	Args:
		supplier_doctype: DocType of the demo's suppliers; one whose address has a contact already gets none.
	"""
	for supplier, email, *_habits in sample_orders.SUPPLIERS:
		if frappe.db.exists("Contact", {"email_id": email}):
			continue
		contact = frappe.get_doc(
			{
				"doctype": "Contact",
				"first_name": supplier.split()[0],
				"last_name": "Sales",
				"links": [{"link_doctype": supplier_doctype, "link_name": supplier}],
			}
		)
		contact.add_email(email, is_primary=True)
		contact.insert()


def make_workflow(order_doctype: str, team_role: str) -> None:
	"""Install the ready workflow for purchase orders with the users of the demo, and enable it.

	Args:
		order_doctype: DocType of the demo's orders.
		team_role: role of its users.
	"""
	workflow = frappe.get_doc("Milestone Workflow", ready.install(READY, order_doctype))
	workflow.update({"enabled": 1, "team_role": team_role, "escalation_role": MANAGER_ROLE})
	workflow.shown_fields = SHOWN_TO_SUPPLIERS
	for stage in workflow.stages:
		stage.update({"owner_kind": "User Field", "owner_field": "merchandiser"})
		if stage.stage_name in REACHED_BY_STATUS:
			by_status = {"track_field": "status", "track_value": REACHED_BY_STATUS[stage.stage_name]}
			stage.update({"reach_rule": "Field Value", **by_status})
	workflow.save()


def work_on_tasks(order_doctype: str) -> None:
	"""Complete two of three tasks that were due in the past.

	Args:
		order_doctype: DocType of the demo's orders.
	"""
	due = frappe.get_all(
		"Milestone Task",
		filters={"reference_type": order_doctype, "status": "Open", "due_date": ("<", nowdate())},
		order_by="due_date, reference_name, title",
		pluck="name",
	)
	for number, task in enumerate(due):
		if number % 3:
			tasks.complete(task)


def confirm_inspections(order_doctype: str) -> None:
	"""Confirm the inspection of shipped orders, the only stage without a status.

	Args:
		order_doctype: DocType of the demo's orders.
	"""
	shipped = {"status": ("in", ["Shipped", "Delivered"])}
	for name in frappe.get_all(order_doctype, filters=shipped, pluck="name"):
		plan = plan_rows.load(order_doctype, name)
		if plan and plan.stage(INSPECTION).status != "Reached":
			complete_tasks_of(plan, INSPECTION)
			day = plan.stage("Shipment").reached_on or nowdate()
			stages.confirm(plan.name, INSPECTION, add_days(day, -1))


def complete_tasks_of(plan: plan_rows.Plan, *stage_names: str, except_title: str = "") -> None:
	"""Complete the open tasks of some stages, except those with a title.

	Args:
		plan: the plan.
		stage_names: names of the stages.
		except_title: title of the tasks that stay open.
	"""
	for task in plan_rows.task_rows(plan.name):
		if task.stage_name in stage_names and task.status == "Open" and task.title != except_title:
			tasks.complete(task.name)


def block_orders(order_doctype: str) -> list[str]:
	"""Block the shipment of inspected orders, which is due today, by a missing packing list; return the orders.

	Args:
		order_doctype: DocType of the demo's orders.

	Returns:
		list[str]: names of at most `sample_orders.INSPECTED` orders, the newest first.
	"""
	limit = sample_orders.INSPECTED
	filters = {"status": "Inspection"}
	inspected = frappe.get_all(order_doctype, filters, order_by="name desc", limit=limit, pluck="name")
	plans = [plan_rows.load(order_doctype, name) for name in inspected]
	for plan in plans:
		if plan:
			_block(order_doctype, plan)
	return [plan.reference_name for plan in plans if plan]


def _block(order_doctype: str, plan: plan_rows.Plan) -> None:
	earlier = ("Materials Ready", "Production Finished", INSPECTION, "Shipment")
	complete_tasks_of(plan, *earlier, except_title=BLOCKING_TASK)
	if plan.stage(INSPECTION).status != "Reached":
		stages.confirm(plan.name, INSPECTION)
	ship_today(order_doctype, plan)
	for task in plan_rows.task_rows(plan.name):
		if task.title == BLOCKING_TASK and task.status == "Completed":
			tasks.reopen(task.name, "Two cartons are missing on it.")
	refresh(plan.name)


def ship_today(order_doctype: str, plan: plan_rows.Plan) -> None:
	"""Move the dates of an order so that its shipment is due today.

	Args:
		order_doctype: DocType of the demo's orders.
		plan: the plan of one of them.
	"""
	today = getdate(nowdate())
	late = (today - getdate(plan.stage("Shipment").key_date)).days
	if late:
		order = frappe.get_doc(order_doctype, plan.reference_name)
		order.update({"ship_date": today, "delivery_date": add_days(order.delivery_date, late)})
		order.save()
