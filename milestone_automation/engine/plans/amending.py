"""Amendments: the new document takes over the plan of the amended one, with its tasks and dates."""

import json

import frappe
from frappe import _
from frappe.model import data_fieldtypes

from milestone_automation.engine.base import bulk, guard
from milestone_automation.engine.base.save_state import Mark, mark
from milestone_automation.engine.people import todos
from milestone_automation.engine.plans import ending, following
from milestone_automation.engine.progress import criterion_waivers, proposals, stages
from milestone_automation.engine.rules import schedule
from milestone_automation.engine.rules.vocabulary import (
	PlanEvent,
	PlanStatus,
	ReachRule,
	StageStatus,
	TaskStatus,
)
from milestone_automation.engine.store import plan_log, plan_rows, sums, watched
from milestone_automation.engine.store.changing import changing


def carry_over(doc) -> None:
	"""Copy the plan of the amended document for its amendment, then apply what is different in the amendment.

	A stage that was reached by a value which the amendment does not have (an approval, for example) is open again. A plan
	that a user cancelled stays cancelled.

	Args:
		doc: the amendment, just inserted.

	Raises:
		GateError: a changed value would reach a stage that open required tasks block.
	"""
	watched.forget_loaded(doc.doctype, doc.name)
	old = plan_rows.load(doc.doctype, doc.amended_from)
	reason = _reason_of_cancelling(old)
	new = frappe.copy_doc(frappe.get_doc("Milestone Plan", old.name))
	new.update(
		{
			"reference_name": doc.name,
			"plan_key": plan_rows.plan_key(doc.doctype, doc.name),
			"amended_from": old.name,
			"status": PlanStatus.CANCELLED.value if reason else PlanStatus.ACTIVE.value,
			"title": f"{doc.name}: {old.workflow}"[:140],
			"snapshot": old.snapshot,
			"document_created_on": doc.creation,
		}
	)
	for stage in new.stages:
		# Nobody has been told about the amendment yet.
		stage.update({**schedule.FRESH_STAMPS, "asked_round": 0, "recipients_waiting": 0})
		# What is proposed for the amended document is answered there.
		stage.update(proposals.NONE_PENDING)
	mark(new, Mark.CARRIED_OVER)
	new.insert(ignore_permissions=True)  # the plan comes along for everybody who may amend the document
	_copy_tasks(old, new)
	event = PlanEvent.PLAN_CANCELLED if reason else PlanEvent.PLAN_STARTED
	details = _("Carried over from {0}.").format(doc.amended_from)
	plan_log.write(new, event, reason=reason, details=details)
	if new.on_hold_since and not reason:
		plan_log.write(new, PlanEvent.PLAN_PUT_ON_HOLD, reason=new.hold_reason)
	with changing(new.name) as plan:
		# The amended document has had its end already, and its next steps with it.
		plan.was_completed_before = all(old.reached_flags())
		if plan.status != PlanStatus.CANCELLED:
			sums.count_open_tasks(plan)
			criterion_waivers.count_open(plan)
			_apply_amendment(plan, doc)


def _reason_of_cancelling(plan: plan_rows.Plan) -> str:
	"""Return why a user cancelled a plan; empty if it is not cancelled, or was cancelled with its document."""
	ended_with_document = json.loads(plan.snapshot or "{}").get("docstatus") == ending.CANCELLED_DOCUMENT
	if plan.status != PlanStatus.CANCELLED or ended_with_document:
		return ""
	filters = {"plan": plan.name, "event": PlanEvent.PLAN_CANCELLED.value}
	reasons = frappe.get_all(
		"Milestone Plan Log", filters=filters, pluck="reason", order_by="done_on desc", limit=1
	)
	return reasons[0] if reasons else ""


def _copy_tasks(old: plan_rows.Plan, new) -> None:
	"""Copy the tasks of a plan with a constant number of statements.

	Tasks that were cancelled with the document are open again.
	"""
	stage_of = {old_row.name: new_row.name for old_row, new_row in zip(old.stages, new.stages, strict=True)}
	sources = plan_rows.task_rows(old.name)
	if not sources:
		return
	rows = [_copied_task(source, new, stage_of.get(source.plan_stage)) for source in sources]
	names = bulk.insert_rows("Milestone Task", rows)
	copies = dict(zip([source.name for source in sources], names, strict=True))
	people = _copied_columns("Milestone Task Assignee")
	rows = frappe.get_all(
		"Milestone Task Assignee",
		filters={"parenttype": "Milestone Task", "parent": ("in", list(copies))},
		fields=[*people, "parent", "parenttype", "parentfield", "idx"],
	)
	bulk.insert_rows("Milestone Task Assignee", [{**row, "parent": copies[row.parent]} for row in rows])
	todos.assign(names)


def _copied_task(source, new, plan_stage: str | None) -> dict:
	row = {name: source.get(name) for name in _copied_columns("Milestone Task")}
	row.update(
		plan=new.name,
		plan_stage=plan_stage,
		reference_name=new.reference_name,
		workflow_task=source.workflow_task,
		status=source.status,
	)
	ended_with_document = source.status == TaskStatus.CANCELLED and source.reason == ending.cancelled_reason()
	if ended_with_document and plan_stage and new.status != PlanStatus.CANCELLED:
		row["status"] = TaskStatus.OPEN.value
	if row["status"] != TaskStatus.OPEN:
		row.update(closed_on=source.closed_on, closed_by=source.closed_by, reason=source.reason)
	return row


def _copied_columns(doctype: str) -> list[str]:
	"""Return the columns of a DocType that are copied."""
	fields = frappe.get_meta(doctype).fields
	return [field.fieldname for field in fields if field.fieldtype in data_fieldtypes and not field.no_copy]


def _apply_amendment(plan: plan_rows.Plan, doc) -> None:
	plan._reference_doc = doc
	changed = watched.changed_values(plan, doc)
	for stage in plan.stages:
		if _has_lost_value(plan, stage, doc, changed):
			plan.set_stage(stage, milestone=None)  # it belongs to the amended document
			reason = _("{0} does not have the value that reached the milestone.").format(doc.name)
			stages.mark_open(plan, stage, reason)
	if not changed:
		return
	try:
		following.follow(plan, doc, changed, written=changed, is_end=True)
	except guard.GateError:
		# The tasks that the refusal names are rolled back with the amendment, so say what to do instead.
		frappe.msgprint(
			_("First save the amendment with the values of {0}. Its tasks are then open.").format(
				doc.amended_from
			)
		)
		raise


def _has_lost_value(plan: plan_rows.Plan, stage, doc, changed: dict) -> bool:
	"""Tell whether a stage was reached by a value that the amendment neither has nor has passed."""
	by_value = stage.status == StageStatus.REACHED and stage.reach_rule == ReachRule.FIELD_VALUE
	if not by_value or stage.track_field not in changed:
		return False
	later_or_same = [
		row for row in plan.stages if row.idx >= stage.idx and row.track_field == stage.track_field
	]
	return not any(watched.holds_value(row, doc) for row in later_or_same)
