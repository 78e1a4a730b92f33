"""Next steps: the actions that run when a stage is reached.

Each action runs in its own savepoint; an error is logged and the stage stays reached. A workflow defines actions as a
JSON list of objects with the name in `action` and the arguments. Other apps add actions with the hook
`milestone_actions`: {"Name": "dotted.path.of.function"}; the function is called with (doc, plan, stage, **arguments).

A step runs with the rights of whoever wrote it, or as the user that a System Manager has named in the settings; then both
must be allowed to do it.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import frappe
from frappe import _
from frappe.utils import cint

from milestone_automation.engine.base import guard, jobs
from milestone_automation.engine.rules.vocabulary import PlanEvent
from milestone_automation.engine.store import plan_log, plan_rows
from milestone_automation.engine.workflows import action_registry

# An action may reach a stage of another document, whose actions reach the next; a loop ends here.
MAX_DEPTH = 5
DEPTH_FLAG = "milestone_action_depth"
# Actions that leave the document as it is.
READING = ("Assign", "Notify")


def run(plan, stage) -> None:
	"""Queue the actions of a reached stage; they run after the commit.

	Args:
		plan: row of the plan.
		stage: row of the reached stage.
	"""
	jobs.queue_once(
		"milestone_automation.engine.progress.next_steps.run_now",
		# A stage that was undone and is reached again has its steps again.
		f"milestone-next-steps-{stage.name}-{stage.reached_on}",
		plan=plan.name,
		stage=stage.name,
		depth=(frappe.flags.get(DEPTH_FLAG) or 0) + 1,
	)


def run_now(plan: str, stage: str, depth: int = 1) -> None:
	"""Background job: run the actions of a reached stage in order.

	Args:
		plan: name of the plan.
		stage: row name of the stage.
		depth: 1, or one more than the job whose action reached the stage.
	"""
	plan = plan_rows.load_by_name(plan)
	row = plan.stage(stage)
	if depth > MAX_DEPTH:
		guard.log_fault(f"Milestone plan {plan.name}: next steps run in a loop", row.stage_name)
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
			plan_log.write(plan, PlanEvent.NEXT_STEP, stage=row, details=details)
	finally:
		frappe.flags[DEPTH_FLAG] = depth - 1


def _run_unless_refused(plan, stage, action: dict) -> bool:
	"""Run one action. A refusal by the gate counts as an error of the action."""
	try:
		_run_one(plan, stage, action)
	except guard.GateError as error:
		raise frappe.ValidationError(str(error)) from error
	return True


def _run_one(plan, stage, action: dict) -> None:
	"""Run one action for its author.

	Raises:
		frappe.PermissionError: nobody is on record as its author, or the author may not do it.
	"""
	service = _service_user()
	author = _author(stage, is_stood_in_for=bool(service))
	with _in_name_of(author):
		_check_may(action, plan)
	with _in_name_of(service or author):
		if service:
			_check_may(action, plan)
		# Read again: changes that an earlier action failed to save must not be saved now.
		doc = frappe.get_doc(plan.reference_type, plan.reference_name)
		action_registry.run(action, doc, plan, stage)


def _service_user() -> str | None:
	"""Return in whose name steps run instead of their author's, or None."""
	user = frappe.get_cached_doc("Milestone Settings").get("next_steps_user")
	if user and not cint(frappe.db.get_value("User", user, "enabled")):
		frappe.throw(
			_(
				"Next steps cannot run as {0}. Choose an enabled user that has just the rights they need."
			).format(user),
			frappe.PermissionError,
		)
	return user


def _author(stage, is_stood_in_for: bool) -> str:
	author = stage.get("next_actions_by")
	is_enabled = author and cint(frappe.db.get_value("User", author, "enabled"))
	if not author or not (is_enabled or is_stood_in_for):
		frappe.throw(
			_(
				"Nobody with an account is on record as the author of this step. Save it again in the workflow."
			),
			frappe.PermissionError,
		)
	return author


def _check_may(action: dict, plan) -> None:
	"""Refuse what the session user could not do."""
	doc = frappe.get_doc(plan.reference_type, plan.reference_name)
	doc.check_permission("read" if action.get("action") in READING else "write")
	fault = next(action_registry.problems(action, plan.reference_type), None)
	if fault:
		frappe.throw(fault, frappe.PermissionError)


@contextmanager
def _in_name_of(user: str) -> Iterator[None]:
	"""Inside, the job runs as this user."""
	before = frappe.session.user
	frappe.set_user(user)
	try:
		yield
	finally:
		frappe.set_user(before)
