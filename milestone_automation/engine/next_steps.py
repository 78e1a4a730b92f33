"""What reaching a stage starts. Each action runs in its own savepoint; a failed one is logged, the stage stays reached.

Actions are written in the workflow as a JSON list, each with the name of an action in `action` and its arguments.
Other apps add actions with the hook `milestone_actions`: {"Name": "dotted.path.of.function"}; the function gets
(doc, plan, stage, **arguments).
"""

import json

import frappe
from frappe import _

from milestone_automation.engine import guard, plan_log

# One action may reach a stage of another document, whose action reaches the next; a circle ends here.
MAX_DEPTH = 5
DEPTH_FLAG = "milestone_action_depth"


def run(plan, stage) -> None:
	"""Queue the actions of a reached stage: they run once the change that reached it is committed.

	Args:
		plan: the plan.
		stage: the stage reached.
	"""
	frappe.enqueue(
		"milestone_automation.engine.next_steps.run_now",
		queue="short",
		enqueue_after_commit=True,
		plan=plan.name,
		stage=stage.name,
		depth=(frappe.flags.get(DEPTH_FLAG) or 0) + 1,
	)


def run_now(plan: str, stage: str, depth: int = 1) -> None:
	"""Run the actions of a reached stage, in order. A job of the queue; safe to run again is up to the actions."""
	from milestone_automation.engine import plans

	plan = plans.load_by_name(plan)
	row = plan.stage(stage)
	if depth > MAX_DEPTH:
		guard.log_fault(f"Milestone plan {plan.name}: next steps go round in a circle", row.stage_name)
		return
	frappe.flags[DEPTH_FLAG] = depth
	try:
		for action in json.loads(row.next_actions or "[]"):
			what = f"Milestone plan {plan.name}: next step {action.get('action')} of {row.stage_name}"
			done = guard.run_guarded(what, _run_unless_refused, plan, row, dict(action))
			details = (
				_("{0}: done").format(action.get("action"))
				if done
				else _("{0}: failed").format(action.get("action"))
			)
			plan_log.write(plan, "Next Step", stage=row, details=details)
	finally:
		frappe.flags[DEPTH_FLAG] = depth - 1


def _run_unless_refused(plan, stage, action: dict) -> bool:
	"""Run one action. What the gate refuses to it is a failed action like any other, with its reason on record."""
	try:
		return _run_one(plan, stage, action)
	except guard.GateError as error:
		raise frappe.ValidationError(str(error)) from error


def _run_one(plan, stage, action: dict) -> bool:
	function = actions().get(action.pop("action", ""))
	if not function:
		frappe.throw(_("There is no such action. Known actions: {0}.").format(", ".join(sorted(actions()))))
	# Read anew: what an action before this one failed to save must not be saved now.
	doc = frappe.get_doc(plan.reference_type, plan.reference_name)
	frappe.get_attr(function)(doc, plan, stage, **action)
	return True


def actions() -> dict[str, str]:
	"""Return the known actions: name and dotted path of each, those of other apps too."""
	own = {
		"Set Value": f"{__name__}.set_value",
		"Apply Workflow Action": f"{__name__}.apply_workflow_action",
		"Submit": f"{__name__}.submit",
		"Assign": f"{__name__}.assign",
		"Notify": f"{__name__}.notify",
	}
	for name, paths in (frappe.get_hooks("milestone_actions") or {}).items():
		own[name] = paths[-1] if isinstance(paths, list) else paths
	return own


def set_value(doc, plan, stage, field: str, value) -> None:
	"""Set a field of the document and save it."""
	doc.set(field, value)
	doc.save(ignore_permissions=True)  # who may write workflows decides what follows


def apply_workflow_action(doc, plan, stage, workflow_action: str) -> None:
	"""Apply an action of the document's Frappe Workflow, with the rights of whoever reached the stage."""
	from frappe.model.workflow import apply_workflow

	apply_workflow(doc, workflow_action)


def submit(doc, plan, stage) -> None:
	"""Submit the document, with the rights of whoever reached the stage."""
	doc.submit()


def assign(doc, plan, stage, user: str, description: str = "") -> None:
	"""Assign the document to a user."""
	from frappe.desk.form import assign_to

	assign_to.add(
		{
			"assign_to": [user],
			"doctype": doc.doctype,
			"name": doc.name,
			"description": description or stage.stage_name,
		}
	)


def notify(doc, plan, stage, users: list[str], subject: str = "") -> None:
	"""Send a desk notification about the document."""
	from frappe.desk.doctype.notification_log.notification_log import enqueue_create_notification

	enqueue_create_notification(
		users,
		{
			"type": "Alert",
			"document_type": doc.doctype,
			"document_name": doc.name,
			"subject": subject or _("{0} was reached for {1}").format(stage.stage_name, doc.name),
			"from_user": frappe.session.user,
		},
	)
