"""The demo's workflow, and plans for its orders: one order is held by a required task.

Called by `demo.load` once the orders are there. Stages the history already has are reached; what is ahead has tasks.
"""

import click
import frappe
from frappe.utils import add_days, getdate, nowdate

from milestone_automation import demo_data
from milestone_automation.engine import bulk_start, plans, sweep, tasks

WORKFLOW = "Garment Order to Delivery"
HOLDING_TASK = "Send the packing list"
INSPECTOR = {"collaborator_name": "Ines Inspector", "collaborator_email": "ines@inspection.example"}


def load(order_doctype: str, supplier_doctype: str, team_role: str) -> str | None:
	"""Make contacts, workflow and plans. Does nothing where the workflow exists already.

	Args:
		order_doctype, supplier_doctype: the demo's DocTypes.
		team_role: the role of the demo's team.

	Returns:
		str | None: name of the order that is held by a required task.
	"""
	if not frappe.db.exists("Milestone Workflow", WORKFLOW):
		make_contacts(supplier_doctype)
		make_workflow(order_doctype, team_role)
		result = bulk_start.run(WORKFLOW)
		click.echo(f"{result['started']} plans started.")
		work_on_tasks(order_doctype)
	return hold_an_order(order_doctype)


def clear() -> None:
	"""Remove the demo's plans, workflow and contacts."""
	for plan in frappe.get_all("Milestone Plan", {"workflow": WORKFLOW}, pluck="name"):
		frappe.delete_doc("Milestone Plan", plan, force=True)
	if frappe.db.exists("Milestone Workflow", WORKFLOW):
		frappe.delete_doc("Milestone Workflow", WORKFLOW, force=True)
	for _supplier, email, *_habits in demo_data.SUPPLIERS:
		for contact in frappe.get_all("Contact", {"email_id": email}, pluck="name"):
			frappe.delete_doc("Contact", contact, force=True)


def make_contacts(supplier_doctype: str) -> None:
	"""Make one contact, without a user, for each supplier."""
	for supplier, email, *_habits in demo_data.SUPPLIERS:
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
	"""Make the workflow from order to delivery, and switch it on."""
	frappe.get_doc(
		{
			"doctype": "Milestone Workflow",
			"workflow_name": WORKFLOW,
			"document_type": order_doctype,
			"enabled": 1,
			"team_role": team_role,
			"supplier_field": "supplier",
			"escalation_role": "Milestone Manager",
			"stages": [
				_stage("PO Acceptance", "Accepted", "order_date", 3, kind="Acceptance", owner_field="buyer"),
				_stage("Production Started", "Production", "order_date", 10),
				_stage("Final Inspection", "Inspection", "ship_date", -5),
				_stage("Shipped", "Shipped", "ship_date", 0),
				_stage("Delivered", "Delivered", "delivery_date", 0, owner_field="buyer"),
			],
			"tasks": [
				_task(
					"Production Started",
					"Approve the lab dips",
					4,
					"User Field",
					assignee_field="merchandiser",
				),
				_task(
					"Production Started", "Confirm fabric is booked", 2, "All Supplier Contacts", required=1
				),
				_task(
					"Final Inspection", "Approve the size set", 7, "User Field", assignee_field="merchandiser"
				),
				_task(
					"Final Inspection",
					"Send the inspection report",
					0,
					"Third-Party Collaborator",
					required=1,
					**INSPECTOR,
				),
				_task("Shipped", HOLDING_TASK, 2, "All Supplier Contacts", required=1),
				_task(
					"Shipped",
					"Sign the commercial invoice",
					1,
					"One Team Member",
					required=1,
					assignee_user=demo_data.BUYER,
				),
				_task("Shipped", "Book the vessel", 10, "Whole Team"),
				_task("Delivered", "Count the goods", 0, "User Field", assignee_field="buyer", required=1),
			],
		}
	).insert()


def _stage(
	name: str, status: str, date_field: str, offset_days: int, owner_field="merchandiser", **values
) -> dict:
	return {
		"stage_name": name,
		"key_date_rule": "Document Date Field",
		"date_field": date_field,
		"offset_days": offset_days,
		"owner_kind": "User Field",
		"owner_field": owner_field,
		"reach_rule": "Field Value",
		"track_field": "status",
		"track_value": status,
		"custom_message": f"Is {{{{ doc.style }}}} ({{{{ doc.name }}}}) at '{name}' yet?",
		"remind_after_days": 2,
		"remind_every_days": 2,
		"remind_at_most": 3,
		**values,
	}


def _task(stage: str, title: str, days_before: int, kind: str, required: int = 0, **assignee) -> dict:
	return {
		"stage": stage,
		"title": title,
		"due_days_before": days_before,
		"assignee_kind": kind,
		"required": required,
		**assignee,
	}


def work_on_tasks(order_doctype: str) -> None:
	"""Complete what would be done by now: of tasks due in the past, all but every third."""
	due = frappe.get_all(
		"Milestone Task",
		filters={"reference_type": order_doctype, "status": "Open", "due_date": ("<", nowdate())},
		order_by="due_date, reference_name, title",
		pluck="name",
	)
	for number, task in enumerate(due):
		if number % 3:
			tasks.complete(task)


def hold_an_order(order_doctype: str) -> str | None:
	"""Return an inspected order that ships today and cannot: its packing list is missing. Makes it so if need be."""
	held = frappe.get_all(
		order_doctype, filters={"status": "Inspection"}, order_by="name desc", limit=1, pluck="name"
	)
	if not held:
		return None
	order = frappe.get_doc(order_doctype, held[0])
	today = getdate(nowdate())
	if getdate(order.ship_date) != today:
		order.update({"ship_date": today, "delivery_date": add_days(today, 16)})
		order.save()
	for task in frappe.get_all(
		"Milestone Task",
		filters={"reference_type": order_doctype, "reference_name": order.name},
		fields=["name", "title", "status"],
	):
		is_holding = task.title == HOLDING_TASK
		if task.status == "Open" and not is_holding:
			tasks.complete(task.name)
		elif task.status == "Completed" and is_holding:
			tasks.reopen(task.name, "Two cartons are missing on it.")
	plan = plans.load(order_doctype, order.name)
	if plan:
		plans.refresh(plan.name)
		sweep.request(plan.name)
	return order.name
