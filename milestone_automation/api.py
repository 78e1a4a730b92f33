"""The calls of Milestone Automation for the desk, for scripts and for other systems (see docs/api.md).

Every call says what each argument may be (see `door`), checks the caller's right on the document, then asks the engine.
What does not exist and what the caller may not see get the same answer. `stage` is the row name of a Milestone Plan
Stage; its milestone name is accepted too. Calls that change a plan return it as `get_plan` does.
"""

import frappe
from frappe import _
from frappe.utils import cint

from milestone_automation import door
from milestone_automation.desk import (
	acting,
	board,
	builder,
	calendar,
	cards,
	chart_calls,
	core_calls,
	grid,
	grid_export,
	grid_shift,
	log_download,
	my_work,
	panel,
	plan_actions,
	ready_workflows,
	timeline,
)
from milestone_automation.desk import tracked_fields as tracked_fields_of
from milestone_automation.desk import tracker as tracker_form
from milestone_automation.engine.people import directory, field_rights, rights
from milestone_automation.engine.plans import (
	bulk_cancel,
	bulk_start,
	ending,
	restoring,
	starting,
	version_move,
)
from milestone_automation.engine.progress import (
	answers,
	criterion_waivers,
	holding,
	next_steps,
	proposals,
	reschedule_preview,
	rescheduling,
	stages,
	tasks,
)
from milestone_automation.engine.progress.shifting import Shift
from milestone_automation.engine.review import log_export
from milestone_automation.engine.rules.vocabulary import (
	AssigneeKind,
	CompletionRule,
	ShiftMode,
	StepStatus,
)
from milestone_automation.engine.store import plan_log
from milestone_automation.engine.tracking import trackable
from milestone_automation.engine.workflows import past_versions

LATER_STAGES = door.choice((ShiftMode.SHIFT_TOO, ShiftMode.KEEP_ORDER))
TITLE = door.text(140)
WORKFLOW = door.document("Milestone Workflow")
# Far more than any plan has; what is too many says the engine.
DAYS = door.integer(-100_000, 100_000)
VERSION = door.integer(1, 10**6)
GRID = {
	"workflow": door.NAME,
	"filters": door.filters("Milestone Plan"),
	"stage_owner": door.NAME,
	"from_date": door.DATE,
	"to_date": door.DATE,
}
CELLS = door.records(2_000, plan=door.NAME, stage=door.NAME, key_date=door.or_none(door.DATE))


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(doctype=door.NAME, name=door.NAME)
def get_plan(doctype: str, name: str | int) -> dict:
	"""Return the plan of a document as the desk shows it.

	Args:
		doctype, name: the document.

	Returns:
		dict: plan (or None), stages with tasks and what the caller may do, workflows that could be started, today.

	Raises:
		frappe.PermissionError: the caller may not read the document, or does not work in the desk.
	"""
	return panel.build(panel.readable_document(doctype, name))


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(doctype=door.NAME, name=door.NAME, stage=door.NAME)
def get_stage(doctype: str, name: str | int, stage: str) -> dict:
	"""Return one stage of a document's plan with its tasks: `get_plan` leaves out those of other stages of a big plan.

	Args:
		doctype, name: the document.
		stage: row name or name of the stage.

	Returns:
		dict: `stage`, as in `get_plan`, and `user_names`.

	Raises:
		frappe.PermissionError: as `get_plan`.
		frappe.DoesNotExistError: the document has no plan, or the plan no such stage.
	"""
	return panel.tasks_of_stage(panel.readable_document(doctype, name), stage)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(workflow=door.NAME, doctype=door.NAME, name=door.NAME)
def preview_workflow(workflow: str, doctype: str, name: str | int) -> dict:
	"""Say what a workflow would make of a document, without writing anything.

	Args:
		workflow: name of a Milestone Workflow, enabled or not.
		doctype, name: the document.

	Returns:
		dict: stages with dates, tasks and assignees; full names of their owners; problems; whether the workflow matches the
		document.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not read the document or the workflow.
		frappe.ValidationError: the workflow is for another DocType.
	"""
	rights.check_manager()
	doc = rights.readable_document(doctype, name)
	workflow_doc = rights.readable_document("Milestone Workflow", workflow)
	starting.check_is_for(workflow_doc, doc)
	return panel.preview(workflow_doc, doc)


@frappe.whitelist(methods=["POST"])
@door.takes(doctype=door.NAME, name=door.NAME, workflow=door.NAME)
def start_plan(doctype: str, name: str | int, workflow: str | None = None) -> dict:
	"""Give a document its plan; of the one it has already, nothing changes.

	Args:
		doctype, name: the document; the caller must be allowed to write it.
		workflow: name of an enabled Milestone Workflow; the one that matches by default.

	Returns:
		dict: as `get_plan`.

	Raises:
		frappe.PermissionError: the caller may not read or write the document.
		frappe.ValidationError: no workflow matches, the workflow is disabled or for another DocType, or the document is
			cancelled.
		ConflictError: somebody else is starting its plan.
	"""
	doc = rights.readable_document(doctype, name)
	doc.check_permission("write")
	starting.start(doc, workflow, by_hand=True)
	return get_plan(doctype, name)


@frappe.whitelist(methods=["POST"])
@door.takes(workflow=door.NAME)
def start_plans(workflow: str) -> dict:
	"""Give plans to existing documents a workflow matches and the caller may read: a job in the background.

	It can be run again, and by others for the documents that they may read.

	Progress comes as realtime event `milestone_plans_progress`.

	Args:
		workflow: name of an enabled Milestone Workflow.

	Returns:
		dict: `job`, its id, and `documents`, how many it looks at.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not read the workflow.
		frappe.ValidationError: the workflow is disabled.
		QueueUnreachableError: the queue cannot be reached.
	"""
	rights.check_manager()
	return bulk_start.enqueue(rights.readable_document("Milestone Workflow", workflow))


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(workflow=door.NAME)
def start_plans_summary(workflow: str) -> dict:
	"""Return what the last `start_plans` of a workflow did: started, skipped with reasons, whether it still runs.

	Args:
		workflow: name of a Milestone Workflow.

	Returns:
		dict: empty where none ran in the last 7 days. Documents that the caller may not read are counted, but not named.

	Raises:
		frappe.PermissionError: the caller is not a manager.
	"""
	rights.check_manager()
	return bulk_start.summary(workflow)


@frappe.whitelist(methods=["POST"])
@door.takes(plan=door.NAME, stage=door.NAME, reached_on=door.DATE)
def confirm_stage(plan: str, stage: str, reached_on: str | None = None) -> dict:
	"""Confirm that a stage is reached.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage.
		reached_on: ISO date, today or past; today by default.

	Returns:
		dict: as `get_plan`.

	Raises:
		frappe.PermissionError: the caller may not see the plan, or neither owns the stage nor manages plans.
		frappe.DoesNotExistError: the plan has no such stage.
		GateError: required tasks are open, exit criteria not met, or an earlier stage comes first.
		frappe.ValidationError: it is reached already, the plan is cancelled, the date is in the future, or a field's value
			must reach it.
	"""
	plan_row = acting.plan_to_act_on(plan, stage)
	stages.confirm(plan, stage, reached_on)
	return get_plan(plan_row.reference_type, plan_row.reference_name)


@frappe.whitelist(methods=["POST"])
@door.takes(
	plan=door.NAME,
	stage=door.NAME,
	new_date=door.or_none(door.DATE),
	reason=door.TEXT,
	later_stages=LATER_STAGES,
	keep_anchored=door.FLAG,
	update_document=door.FLAG,
)
def reschedule_stage(
	plan: str,
	stage: str,
	new_date: str | None,
	reason: str,
	later_stages: str | None = None,
	keep_anchored: bool | int = False,
	update_document: bool | int = False,
) -> dict:
	"""Move a stage's key date.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage.
		new_date: ISO date.
		reason: why; required.
		later_stages: "Shift Too" or "Keep Order"; needed where the plan says "Ask".
		keep_anchored: 1 if later stages that are dated by a field of the document stay on that date.
		update_document: 1 to write the date to the field of the document that dates the stage.

	Returns:
		dict: as `get_plan`.

	Raises:
		frappe.PermissionError: as `confirm_stage`; or managers decide the dates of this plan, and the caller is none.
		frappe.ValidationError: there is no reason, the stage is reached, the date is before an earlier stage, or
			`later_stages` is missing.
	"""
	plan_row = acting.plan_to_act_on(plan, stage)
	acting.check_moves_dates(plan_row)
	rescheduling.reschedule(
		plan, stage, new_date, reason, answer=later_stages, keep_anchored=bool(keep_anchored)
	)
	if update_document:
		reschedule_preview.write_date(plan, stage)
	return get_plan(plan_row.reference_type, plan_row.reference_name)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(
	plan=door.NAME,
	stage=door.NAME,
	new_date=door.or_none(door.DATE),
	later_stages=LATER_STAGES,
	keep_anchored=door.FLAG,
	update_document=door.FLAG,
)
def preview_reschedule(
	plan: str,
	stage: str,
	new_date: str | None,
	later_stages: str | None = None,
	keep_anchored: bool | int = False,
	update_document: bool | int = False,
) -> dict:
	"""Say what `reschedule_stage` would change, without changing anything.

	Args:
		plan, stage, new_date, later_stages, keep_anchored, update_document: as in `reschedule_stage`.

	Returns:
		dict: `stages` and `tasks` that move, with old and new date; stages that stay (`stays`); `date_field`, the field of
		the document that `update_document` would write.

	Raises:
		frappe.PermissionError: as `confirm_stage`.
		frappe.ValidationError: as `reschedule_stage`.
	"""
	acting.plan_to_act_on(plan, stage)
	return reschedule_preview.preview(
		plan, stage, new_date, later_stages, bool(keep_anchored), update_document=bool(update_document)
	)


@frappe.whitelist(methods=["POST"])
@door.takes(plan=door.NAME, stage=door.NAME, new_date=door.DATE, reason=door.TEXT)
def propose_date(plan: str, stage: str, new_date: str, reason: str) -> dict:
	"""Propose a key date; a manager accepts or declines it. For the owner of the stage.

	Args:
		plan, stage: as in `reschedule_stage`.
		new_date: ISO date after today.
		reason: why; required.

	Returns:
		dict: as `get_plan`.

	Raises:
		frappe.PermissionError: as `confirm_stage`.
		frappe.ValidationError: there is no reason, the plan is cancelled, the stage is reached, or the date is not possible.
	"""
	plan_row = acting.plan_to_act_on(plan, stage)
	proposals.propose(plan, stage, new_date, reason)
	return get_plan(plan_row.reference_type, plan_row.reference_name)


@frappe.whitelist(methods=["POST"])
@door.takes(
	plan=door.NAME,
	stage=door.NAME,
	new_date=door.DATE,
	later_stages=LATER_STAGES,
	keep_anchored=door.FLAG,
)
def accept_date(
	plan: str,
	stage: str,
	new_date: str | None = None,
	later_stages: str | None = None,
	keep_anchored: bool | int = False,
) -> dict:
	"""Accept the proposed date of a stage, or move it to another one instead. Managers only.

	Args:
		plan, stage, later_stages, keep_anchored: as in `reschedule_stage`.
		new_date: ISO date; the proposed one by default.

	Returns:
		dict: as `get_plan`.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not see the plan.
		frappe.ValidationError: nothing is proposed, or the date is not possible.
	"""
	rights.check_manager()
	plan_row = acting.plan_to_act_on(plan, stage)
	proposals.accept(plan, stage, new_date, later_stages, bool(keep_anchored))
	return get_plan(plan_row.reference_type, plan_row.reference_name)


@frappe.whitelist(methods=["POST"])
@door.takes(plan=door.NAME, stage=door.NAME, reason=door.TEXT)
def decline_date(plan: str, stage: str, reason: str) -> dict:
	"""Decline the proposed date of a stage; who proposed it reads the reason. Managers only.

	Args:
		plan, stage: as in `confirm_stage`.
		reason: why; required.

	Returns:
		dict: as `get_plan`.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not see the plan.
		frappe.ValidationError: there is no reason, or nothing is proposed.
	"""
	rights.check_manager()
	plan_row = acting.plan_to_act_on(plan, stage)
	proposals.decline(plan, stage, reason)
	return get_plan(plan_row.reference_type, plan_row.reference_name)


@frappe.whitelist(methods=["POST"])
@door.takes(plan=door.NAME, stage=door.NAME, reason=door.TEXT)
def undo_stage(plan: str, stage: str, reason: str) -> dict:
	"""Open a reached stage again; the reason is required and kept.

	Args:
		plan, stage: as in `confirm_stage`.
		reason: why; shown in the history of the document.

	Returns:
		dict: as `get_plan`.

	Raises:
		frappe.PermissionError: as `confirm_stage`.
		frappe.ValidationError: there is no reason, the plan is cancelled, or the stage is not reached.
	"""
	plan_row = acting.plan_to_act_on(plan, stage)
	stages.undo(plan, stage, reason)
	return get_plan(plan_row.reference_type, plan_row.reference_name)


@frappe.whitelist(methods=["POST"])
@door.takes(task=door.NAME)
def complete_task(task: str) -> dict:
	"""Complete a task, or the caller's part of it where all assignees must.

	Args:
		task: name of the task.

	Returns:
		dict: as `get_plan`; for an assignee who may not see the plan only `task` and its `status`.

	Raises:
		frappe.PermissionError: the caller may not see the task, or is neither an assignee nor a manager nor the owner of
			its stage.
		frappe.ValidationError: the task is cancelled or waived, comes after open ones, or its plan is cancelled.
	"""
	return _act_on_task(task, tasks.complete)


@frappe.whitelist(methods=["POST"])
@door.takes(tasks_to_complete=door.NAMES)
def complete_tasks(tasks_to_complete: list[str] | str) -> dict:
	"""Complete several tasks; each by itself, so one that cannot be completed keeps no other from it.

	Args:
		tasks_to_complete: names of tasks, as a list or its JSON.

	Returns:
		dict: `completed`, a list of names; `failed`, a list of {task, reason}.
	"""
	result = {"completed": [], "failed": []}
	for name in tasks_to_complete:
		frappe.db.savepoint("milestone_complete")
		try:
			_check_can_act_on_task(name)
			tasks.complete(name)
			result["completed"].append(name)
		except Exception as error:
			frappe.db.rollback(save_point="milestone_complete")
			frappe.clear_messages()
			result["failed"].append({"task": name, "reason": str(error)})
	return result


@frappe.whitelist(methods=["POST"])
@door.takes(task=door.NAME, reason=door.TEXT)
def reopen_task(task: str, reason: str) -> dict:
	"""Open a closed task again; the reason is required and kept.

	Who completed a task may reopen it; a waived or cancelled one only a manager or the owner of its stage.

	Args:
		task: name of the task.
		reason: why; required.

	Returns:
		dict: as of `complete_task`.

	Raises:
		frappe.PermissionError: as `complete_task`; or it is waived or cancelled, and the caller just an assignee.
		frappe.ValidationError: there is no reason, it is open, or its stage is reached, gone, or no longer takes tasks.
	"""
	row = _check_can_act_on_task(task)
	if row.status in ("Waived", "Cancelled") and not rights.can_direct_task(row):
		frappe.throw(
			_("Only the owner of the milestone or a Milestone Manager may reopen a task that is {0}.").format(
				_(row.status)
			),
			frappe.PermissionError,
		)
	return _act_on_task(task, tasks.reopen, reason)


@frappe.whitelist(methods=["POST"])
@door.takes(task=door.NAME)
def undo_complete_task(task: str) -> dict:
	"""Open a task again that the caller completed by mistake a moment ago; needs no reason.

	Args:
		task: name of the task.

	Returns:
		dict: as of `complete_task`.

	Raises:
		frappe.PermissionError: as `complete_task`.
		frappe.ValidationError: the caller completed nothing of it in the last 30 seconds, or as `reopen_task`.
	"""
	return _act_on_task(task, tasks.undo_complete)


@frappe.whitelist(methods=["POST"])
@door.takes(task=door.NAME, reason=door.TEXT)
def waive_task(task: str, reason: str) -> dict:
	"""Let a required task no longer hold its stage. System Manager and Milestone Manager only, with a reason.

	Args:
		task: name of an open task.
		reason: why; required.

	Returns:
		dict: as of `complete_task`.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not see the task.
		frappe.ValidationError: there is no reason, or the task is not open.
	"""
	rights.check_manager()
	return _act_on_task(task, tasks.waive, reason)


@frappe.whitelist(methods=["POST"])
@door.takes(plan=door.NAME, stage=door.NAME, criterion=door.NAME, reason=door.TEXT)
def waive_criterion(plan: str, stage: str, criterion: str, reason: str) -> dict:
	"""Let an exit criterion no longer hold its stage. System Manager and Milestone Manager only, with a reason.

	Args:
		plan, stage: where it is.
		criterion: its `key`, as `get_plan` returns it.
		reason: why; kept.

	Returns:
		dict: as `get_plan`.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not see the plan.
		frappe.DoesNotExistError: the plan has no such stage, or the stage no such criterion.
		frappe.ValidationError: there is no reason, the stage is reached, or the criterion is met or waived already.
	"""
	rights.check_manager()
	plan_row = acting.plan_to_act_on(plan, stage)
	criterion_waivers.waive(plan, stage, criterion, reason)
	return get_plan(plan_row.reference_type, plan_row.reference_name)


@frappe.whitelist(methods=["POST"])
@door.takes(plan=door.NAME, stage=door.NAME, criterion=door.NAME, reason=door.TEXT)
def reopen_criterion(plan: str, stage: str, criterion: str, reason: str) -> dict:
	"""Take back the waiver of an exit criterion, with a reason. For managers and the owner of the stage.

	Args:
		plan, stage, criterion, reason: as in `waive_criterion`.

	Returns:
		dict: as `get_plan`.

	Raises:
		frappe.PermissionError: as `confirm_stage`.
		frappe.DoesNotExistError: the plan has no such stage, or the stage no such criterion.
		frappe.ValidationError: there is no reason, the stage is reached, or the criterion is not waived.
	"""
	plan_row = acting.plan_to_act_on(plan, stage)
	criterion_waivers.reopen(plan, stage, criterion, reason)
	return get_plan(plan_row.reference_type, plan_row.reference_name)


@frappe.whitelist(methods=["POST"])
@door.takes(task=door.NAME, reason=door.TEXT)
def cancel_task(task: str, reason: str) -> dict:
	"""Cancel a task that is no longer needed. System Manager and Milestone Manager only, with a reason.

	Args:
		task: name of an open task.
		reason: why; required.

	Returns:
		dict: as of `complete_task`.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not see the task.
		frappe.ValidationError: there is no reason, or the task is not open.
	"""
	rights.check_manager()
	return _act_on_task(task, tasks.cancel, reason)


@frappe.whitelist(methods=["POST"])
@door.takes(
	plan=door.NAME,
	stage=door.NAME,
	title=TITLE,
	required=door.FLAG,
	due_date=door.DATE,
	due_days_before=DAYS,
	description=door.TEXT,
	assignee_kind=door.choice(AssigneeKind),
	assignee_user=door.NAME,
	assignee_role=door.NAME,
	assignee_field=door.NAME,
	collaborator_name=TITLE,
	collaborator_email=TITLE,
	completion_rule=door.choice(CompletionRule),
)
def add_task(
	plan: str,
	stage: str,
	title: str,
	required: bool | int = 0,
	due_date: str | None = None,
	due_days_before: int | None = None,
	description: str | None = None,
	assignee_kind: str | None = None,
	assignee_user: str | None = None,
	assignee_role: str | None = None,
	assignee_field: str | None = None,
	collaborator_name: str | None = None,
	collaborator_email: str | None = None,
	completion_rule: str | None = None,
) -> dict:
	"""Add a task to a running plan.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage; not an acceptance, not reached.
		title: what is to be done.
		required: 1 if it shall hold its stage.
		due_date: ISO date, not after the stage. Without it, `due_days_before` days before the stage.
		due_days_before: whole number of days; counted only where there is no `due_date`.
		description: further text.
		assignee_kind: Whole Team, All Supplier Contacts, One Team Member, Third-Party Collaborator, Role, User Field.
		assignee_user, assignee_role, assignee_field, collaborator_name, collaborator_email: as the kind needs.
		completion_rule: "Any Of" (default) or "All Of" the assignees.

	Returns:
		dict: as `get_plan`.

	Raises:
		frappe.PermissionError: as `confirm_stage`.
		frappe.ValidationError: the stage takes no tasks or is reached, or the task would be due after it.
	"""
	plan_row = acting.plan_to_act_on(plan, stage)
	task_values = {
		"title": title,
		"required": cint(required),
		"due_date": due_date,
		"due_days_before": due_days_before,
		"description": description,
		"assignee_kind": assignee_kind,
		"assignee_user": assignee_user,
		"assignee_role": assignee_role,
		"assignee_field": assignee_field,
		"collaborator_name": collaborator_name,
		"collaborator_email": collaborator_email,
		"completion_rule": completion_rule,
	}
	tasks.add(plan, stage, **{key: value for key, value in task_values.items() if value is not None})
	return get_plan(plan_row.reference_type, plan_row.reference_name)


@frappe.whitelist(methods=["POST"])
@door.takes(plan=door.NAME, reason=door.TEXT)
def cancel_plan(plan: str, reason: str) -> dict:
	"""Cancel a plan and its open tasks. System Manager and Milestone Manager only; the reason is kept.

	Args:
		plan: name of the plan; one that is cancelled already stays as it is.
		reason: why; required.

	Returns:
		dict: as `get_plan`.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not see the plan.
		frappe.MandatoryError: there is no reason.
	"""
	rights.check_manager()
	reason = plan_log.check_reason(reason)
	plan_row = acting.readable_plan(plan, lock=True)
	ending.cancel_by_hand(plan_row, reason)
	return get_plan(plan_row.reference_type, plan_row.reference_name)


@frappe.whitelist(methods=["POST"])
@door.takes(plan=door.NAME, reason=door.TEXT)
def undo_cancel_plan(plan: str, reason: str) -> dict:
	"""Take back the cancellation of a plan, with its tasks. For those who may cancel it; the reason is kept.

	Args:
		plan: name of the cancelled plan.
		reason: why; required.

	Returns:
		dict: as `get_plan`.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not see the plan.
		frappe.ValidationError: there is no reason, the plan is not cancelled, was replaced, or its document is cancelled or
			gone.
		GateError: the document has reached a milestone meanwhile whose required tasks are open again.
	"""
	rights.check_manager()
	plan_row = acting.readable_plan(plan, lock=True)
	restoring.undo_cancel(plan, reason)
	return get_plan(plan_row.reference_type, plan_row.reference_name)


@frappe.whitelist(methods=["POST"])
@door.takes(step=door.NAME)
def run_next_step_again(step: str) -> dict:
	"""Have a next step that failed or waits run now, in the background; as ever it runs with the rights of its author.

	Args:
		step: name of a Milestone Next Step.

	Returns:
		dict: its `status`.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not see the step.
		frappe.ValidationError: the step is done, runs, or was skipped.
	"""
	rights.check_manager()
	if not rights.can_read_document(next_steps.DOCTYPE, step):
		rights.refuse_hidden(next_steps.DOCTYPE, step)
	next_steps.run_again(step)
	return {"status": StepStatus.PENDING.value}


@frappe.whitelist(methods=["POST"])
@door.takes(plan=door.NAME, reason=door.TEXT)
def hold_plan(plan: str, reason: str) -> dict:
	"""Put a plan on hold: nobody is asked or reminded; the gate holds. Managers only; the reason is kept.

	Args:
		plan: name of an active plan.
		reason: why; required.

	Returns:
		dict: as `get_plan`.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not see the plan.
		frappe.ValidationError: there is no reason, the plan is not active, or it is on hold already.
	"""
	rights.check_manager()
	plan_row = acting.readable_plan(plan)
	holding.put_on_hold(plan, reason)
	return get_plan(plan_row.reference_type, plan_row.reference_name)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(plan=door.NAME, keep_anchored=door.FLAG)
def preview_resume(plan: str, keep_anchored: bool | int = False) -> dict:
	"""Say what `resume_plan` with shifted dates would change, without changing anything.

	Args:
		plan, keep_anchored: as in `resume_plan`.

	Returns:
		dict: `days` on hold; `stages`, `stays` and `tasks` as in `preview_reschedule`.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not see the plan.
		frappe.ValidationError: the plan is not on hold.
	"""
	rights.check_manager()
	acting.readable_plan(plan)
	return holding.preview_resume(plan, bool(keep_anchored))


@frappe.whitelist(methods=["POST"])
@door.takes(plan=door.NAME, shift_dates=door.FLAG, keep_anchored=door.FLAG)
def resume_plan(plan: str, shift_dates: bool | int = False, keep_anchored: bool | int = False) -> dict:
	"""Resume a plan that is on hold. Managers only.

	Args:
		plan: name of the plan.
		shift_dates: 1 to move the dates of open stages by the days on hold.
		keep_anchored: 1 if stages that are dated by a field of the document stay on that date.

	Returns:
		dict: as `get_plan`.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not see the plan.
		frappe.ValidationError: the plan is not on hold.
	"""
	rights.check_manager()
	plan_row = acting.readable_plan(plan)
	holding.resume(plan, bool(shift_dates), bool(keep_anchored))
	return get_plan(plan_row.reference_type, plan_row.reference_name)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(plan=door.NAME)
def preview_new_version(plan: str) -> list:
	"""Say what moving a plan to its workflow's newest version would change; writes nothing.

	Args:
		plan: name of the plan.

	Returns:
		list[dict]: `change`, `stage`, `task` and `text`, see `version_move.preview_move`; empty if nothing changes.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not see the plan.
		frappe.ValidationError: the workflow is a draft with problems.
	"""
	rights.check_manager()
	acting.readable_plan(plan)
	return version_move.preview_move(plan)


@frappe.whitelist(methods=["POST"])
@door.takes(plan=door.NAME)
def move_to_new_version(plan: str) -> dict:
	"""Move a plan to its workflow's newest version; what is reached and completed stays.

	Args:
		plan: name of the plan.

	Returns:
		dict: as `get_plan`.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not see the plan.
		frappe.ValidationError: the plan is cancelled, or the workflow has no stages or is a draft with problems.
	"""
	rights.check_manager()
	plan_row = acting.readable_plan(plan)
	version_move.move(plan)
	return get_plan(plan_row.reference_type, plan_row.reference_name)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(doctype=door.NAME)
def fields_for(doctype: str) -> list:
	"""Return the fields of a DocType a tracker or workflow may use, by label.

	Args:
		doctype: DocType of the documents; fields that the caller may not read are left out.

	Returns:
		list[dict]: value (field name), label, fieldtype, options.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not read documents of the DocType.
		frappe.ValidationError: its documents cannot be tracked.
	"""
	rights.check_manager()
	rights.check_reads_doctype(doctype)
	trackable.check_doctype(doctype)
	return trackable.trackable_fields(doctype, hidden=field_rights.hidden(doctype))


@frappe.whitelist(methods=["POST"])
@door.takes(workflow=door.NAME, reason=door.TEXT)
def cancel_plans(workflow: str, reason: str) -> dict:
	"""Cancel all running plans of a workflow, so that it can be deleted. System Manager and Milestone Manager only.

	Args:
		workflow: name of the Milestone Workflow.
		reason: kept in each plan's log; required.

	Returns:
		dict: plans (how many), in_background (whether a job does it).

	Raises:
		frappe.PermissionError: the caller is not a manager, may not write the workflow, or may not read a document of one
			of the plans.
		frappe.MandatoryError: there is no reason.
	"""
	rights.check_manager()
	rights.readable_document("Milestone Workflow", workflow).check_permission("write")
	bulk_cancel.check_reads_all(workflow)
	return bulk_cancel.cancel_all(workflow, plan_log.check_reason(reason))


@frappe.whitelist(methods=["POST"])
@door.takes(plans=door.NAMES, reached_on=door.DATE)
def confirm_current_milestones(plans: list[str] | str, reached_on: str | None = None) -> dict:
	"""Confirm that the current milestone of several plans is reached, see `desk.plan_actions.confirm_current`.

	Args:
		plans: names of plans, as a list or its JSON.
		reached_on: ISO date, today or past; today by default.

	Returns:
		dict: `done` and `refused`; a plan that refuses keeps no other from it.

	Raises:
		ConflictError: somebody else changed one of the plans at the same moment; then nothing has changed.
	"""
	return plan_actions.confirm_current(plans, reached_on)


@frappe.whitelist(methods=["POST"])
@door.takes(plans=door.NAMES, reason=door.TEXT)
def cancel_selected_plans(plans: list[str] | str, reason: str) -> dict:
	"""Cancel several plans, see `desk.plan_actions.cancel`. System Manager and Milestone Manager only.

	Args:
		plans: names of plans, as a list or its JSON.
		reason: kept in the log of each; required.

	Returns:
		dict: `done` and `refused`; a plan that refuses keeps no other from it.

	Raises:
		frappe.PermissionError: the caller is not a manager.
		frappe.MandatoryError: there is no reason.
	"""
	rights.check_manager()
	return plan_actions.cancel(plans, reason)


@frappe.whitelist(methods=["POST"])
@door.takes(plan=door.NAME, stage=door.NAME, reached_on=door.DATE)
def answer_reached(plan: str, stage: str, reached_on: str | None = None) -> None:
	"""Answer a prompt with yes, see `answers.answer_reached`.

	Args:
		plan, stage, reached_on: as in `confirm_stage`.

	Raises:
		frappe.PermissionError: the caller neither owns the stage nor manages plans.
		GateError, frappe.ValidationError: as `confirm_stage`; also where the document refuses the value that reaches the
			stage.
	"""
	answers.answer_reached(plan, stage, reached_on)


@frappe.whitelist(methods=["POST"])
@door.takes(plan=door.NAME, stage=door.NAME)
def answer_on_track(plan: str, stage: str) -> None:
	"""Answer a check-in with yes: the key date holds, see `answers.answer_on_track`.

	Args:
		plan, stage: as in `confirm_stage`.

	Raises:
		frappe.PermissionError: the caller neither owns the stage nor manages plans.
		frappe.ValidationError: the plan is cancelled, the stage is reached already, or its key date is not to come.
	"""
	answers.answer_on_track(plan, stage)


@frappe.whitelist(methods=["POST"])
@door.takes(
	plan=door.NAME,
	stage=door.NAME,
	new_date=door.DATE,
	reason=door.TEXT,
	note=door.TEXT,
	later_stages=LATER_STAGES,
)
def answer_not_yet(
	plan: str,
	stage: str,
	new_date: str,
	reason: str | None = None,
	note: str | None = None,
	later_stages: str | None = None,
) -> None:
	"""Answer a prompt with no and a new key date, see `answers.answer_not_yet`.

	Args:
		plan, stage: as in `confirm_stage`.
		new_date: ISO date after today, other than the key date; proposed only where managers decide.
		reason: one of `date_reasons` or another text; reason or note is required, but for a first date.
		note: further text.
		later_stages: "Shift Too" or "Keep Order"; needed where the plan says "Ask".

	Raises:
		frappe.PermissionError: the caller neither owns the stage nor manages plans.
		frappe.ValidationError: there is no reason, the date is not possible, or `later_stages` is missing.
	"""
	answers.answer_not_yet(plan, stage, new_date, reason, note, later_stages)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes()
def date_reasons() -> list[str]:
	"""Return the reasons for a new date that the site offers, in its order.

	Raises:
		frappe.PermissionError: the caller does not work in the desk.
	"""
	rights.check_desk_user()
	return answers.reasons()


@frappe.whitelist(methods=["GET", "POST"])
@door.takes()
def get_mail_preference() -> str:
	"""Return how often the session user gets mails: "Each", "Daily" (unless chosen otherwise) or "Bell Only"."""
	return directory.mail_preference(frappe.session.user).value


@frappe.whitelist(methods=["POST"])
@door.takes(preference=door.choice(directory.MailPreference))
def set_mail_preference(preference: str) -> str:
	"""Choose how often the session user gets mails.

	Args:
		preference: "Each" at once, at most one a day ("Daily"), or none ("Bell Only").

	Returns:
		str: what holds now.

	Raises:
		frappe.PermissionError: the caller is not logged in.
	"""
	if frappe.session.user == "Guest":
		raise frappe.PermissionError
	frappe.defaults.set_user_default(directory.MAIL_DEFAULT, directory.MailPreference(preference).value)
	return get_mail_preference()


# What the Desk asks; arguments, answers and errors stand with each function of `desk/`.


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(doctype=door.NAME, name=door.NAME)
def get_timeline(doctype: str, name: str | int) -> list[dict]:
	"""Return the history of a document's plan, see `desk.timeline.timeline`.

	Args:
		doctype, name: the document.

	Returns:
		list[dict]: the latest first, as Frappe's `additional_timeline_content` has them.

	Raises:
		frappe.PermissionError: the caller may not read it.
	"""
	return timeline.timeline(doctype, name)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes()
def get_my_work() -> dict:
	"""Return what waits for the caller, see `desk.my_work.my_work`.

	Raises:
		frappe.PermissionError: the caller does not work in the desk.
	"""
	return my_work.my_work()


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(workflow=door.NAME)
def get_board(workflow: str) -> dict:
	"""Return the running plans of a workflow by milestone, see `desk.board.board`.

	Args:
		workflow: name of a Milestone Workflow.

	Raises:
		frappe.PermissionError: the caller does not work in the desk.
	"""
	return board.board(workflow)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(**GRID, start=door.integer(0, 10**6), limit=door.integer(1, grid.MOST_ROWS))
def get_grid(
	workflow: str,
	filters: str | list | dict | None = None,
	stage_owner: str | None = None,
	from_date: str | None = None,
	to_date: str | None = None,
	start: int = 0,
	limit: int = grid.PAGE,
) -> dict:
	"""Return documents of a workflow with their milestones, see `desk.grid.grid`.

	Args:
		workflow: name of a Milestone Workflow.
		filters: on Milestone Plan, each as [field, operator, value]; a list or its JSON.
		stage_owner: user id; documents with an open milestone of that user.
		from_date, to_date: ISO dates; documents with an open milestone in these days.
		start: number of documents to leave out.
		limit: number of documents to return, at most 500.

	Raises:
		frappe.PermissionError: the caller does not work in the desk.
		frappe.ValidationError: says which filter cannot be used.
	"""
	view = grid.View(workflow, filters or [], stage_owner, from_date, to_date)
	return grid.grid(view, start, limit)


@frappe.whitelist(methods=["POST"])
@door.takes(**GRID, file_format=door.choice(grid_export.FORMATS))
def export_grid(
	workflow: str,
	filters: str | list | dict | None = None,
	stage_owner: str | None = None,
	from_date: str | None = None,
	to_date: str | None = None,
	file_format: str = "xlsx",
) -> dict:
	"""Return a grid as a file, see `desk.grid_export.export`.

	Args:
		workflow, filters, stage_owner, from_date, to_date: as in `get_grid`.
		file_format: "xlsx" or "csv".

	Returns:
		dict: `file_name`, and `content` in base64.

	Raises:
		frappe.PermissionError: the caller does not work in the desk, or may not export plans.
		frappe.ValidationError: there are too many documents, or none.
	"""
	view = grid.View(workflow, filters or [], stage_owner, from_date, to_date)
	return grid_export.export(view, file_format)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(
	cells=CELLS, days=DAYS, working_days=door.FLAG, later_stages=LATER_STAGES, keep_anchored=door.FLAG
)
def preview_shift(
	cells: list | str,
	days: int,
	working_days: bool | int = False,
	later_stages: str | None = None,
	keep_anchored: bool | int = False,
) -> dict:
	"""Say what `shift_stages` would change, without changing anything, see `desk.grid_shift.preview`.

	Args:
		cells, days, working_days, later_stages, keep_anchored: as in `shift_stages`.

	Returns:
		dict: `documents`, what would move in each, and `refused` as of `shift_stages`.

	Raises:
		frappe.ValidationError: no milestone is chosen.
	"""
	return grid_shift.preview(cells, Shift(days, bool(working_days), later_stages, bool(keep_anchored)))


@frappe.whitelist(methods=["POST"])
@door.takes(
	cells=CELLS,
	days=DAYS,
	reason=door.TEXT,
	working_days=door.FLAG,
	later_stages=LATER_STAGES,
	keep_anchored=door.FLAG,
)
def shift_stages(
	cells: list | str,
	days: int,
	reason: str,
	working_days: bool | int = False,
	later_stages: str | None = None,
	keep_anchored: bool | int = False,
) -> dict:
	"""Shift milestones of several documents by some days, see `desk.grid_shift.shift`.

	Args:
		cells: chosen milestones, a list of objects or its JSON, each with `plan`, `stage` and `key_date` as the caller sees
			it.
		days: whole number; less than 0 for earlier.
		reason: why; required, stored with each date change.
		working_days: 1 to count working days, else calendar days.
		later_stages: "Shift Too" or "Keep Order"; needed where a plan says "Ask".
		keep_anchored: 1 if later stages that are dated by a field of the document stay on that date.

	Returns:
		dict: `moved`, names of the plans, and `refused`, each with `plan`, `reference_name` and `reason`.

	Raises:
		frappe.ValidationError: there is no reason, or no milestone is chosen.
		ConflictError: somebody else changed one of the plans at the same moment; then nothing has moved.
	"""
	by = Shift(days, bool(working_days), later_stages, bool(keep_anchored))
	return grid_shift.shift(cells, by, reason)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes()
def workflows_with_plans() -> list[str]:
	"""Return the workflows the board can show, see `desk.board.workflows_with_plans`.

	Raises:
		frappe.PermissionError: the caller does not work in the desk.
	"""
	return board.workflows_with_plans()


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(
	start=door.DATE,
	end=door.DATE,
	filters=door.filters("Milestone Task"),
	doctype=door.UNUSED,
	fields=door.UNUSED,
	field_map=door.UNUSED,
)
def task_events(
	start: str,
	end: str,
	filters: str | list | dict | None = None,
	doctype: str | None = None,
	fields: str | list | None = None,
	field_map: str | dict | None = None,
) -> list[dict]:
	"""Return due tasks for Frappe's calendar, see `desk.calendar.task_events`.

	Args:
		start, end: ISO dates, first and last day.
		filters: on Milestone Task, as the list has them.
		doctype, fields, field_map: sent along by Frappe's calendar, not used.

	Raises:
		frappe.ValidationError: says which filter cannot be used.
	"""
	return calendar.task_events(start, end, filters)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(
	start=door.DATE,
	end=door.DATE,
	filters=door.filters("Milestone Plan"),
	doctype=door.UNUSED,
	fields=door.UNUSED,
	field_map=door.UNUSED,
)
def stage_events(
	start: str,
	end: str,
	filters: str | list | dict | None = None,
	doctype: str | None = None,
	fields: str | list | None = None,
	field_map: str | dict | None = None,
) -> list[dict]:
	"""Return key dates for Frappe's calendar, see `desk.calendar.stage_events`.

	Args:
		start, end: ISO dates, first and last day.
		filters: on Milestone Plan, as the list has them.
		doctype, fields, field_map: sent along by Frappe's calendar, not used.

	Raises:
		frappe.ValidationError: says which filter cannot be used.
	"""
	return calendar.stage_events(start, end, filters)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(filters=door.UNUSED)
def on_time_this_month(filters: str | dict | None = None) -> dict | str:
	"""Return the number of the card *On Time This Month*, see `desk.cards.on_time_this_month`.

	Args:
		filters: sent along by Frappe, not used.

	Raises:
		frappe.PermissionError: the caller does not work in the desk.
	"""
	return cards.on_time_this_month()


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(filters=door.UNUSED)
def milestones_due_this_week(filters: str | dict | None = None) -> dict:
	"""Return the number of the card *Milestones Due This Week*, see `desk.cards.milestones_due_this_week`.

	Args:
		filters: sent along by Frappe, not used.

	Raises:
		frappe.PermissionError: the caller does not work in the desk.
	"""
	return cards.milestones_due_this_week()


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(filters=door.UNUSED)
def my_tasks_due(filters: str | dict | None = None) -> dict:
	"""Return the number of the card *My Tasks Due*, see `desk.cards.my_tasks_due`.

	Args:
		filters: sent along by Frappe, not used.

	Raises:
		frappe.PermissionError: the caller does not work in the desk.
	"""
	return cards.my_tasks_due()


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(filters=door.UNUSED)
def my_milestones_due(filters: str | dict | None = None) -> dict:
	"""Return the number of the card *My Milestones Due*, see `desk.cards.my_milestones_due`.

	Args:
		filters: sent along by Frappe, not used.

	Raises:
		frappe.PermissionError: the caller does not work in the desk.
	"""
	return cards.my_milestones_due()


@frappe.whitelist(methods=["GET", "POST"])
@door.takes()
def plans_by_health() -> dict:
	"""Return the chart *Running Plans by Health*, see `desk.cards.plans_by_health`.

	Raises:
		frappe.PermissionError: the caller does not work in the desk.
	"""
	return cards.plans_by_health()


@frappe.whitelist(methods=["POST"])
@door.takes(workflow=WORKFLOW)
def check_workflow(workflow: dict | str) -> dict:
	"""Return what is wrong with a workflow that is being built, see `desk.builder.check_workflow`.

	Args:
		workflow: the Milestone Workflow document of the form with its rows, as a dict or its JSON.

	Returns:
		dict: `general`, `stages`, `tasks`, `steps` and `completed`, each with sentences.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not read documents of its DocType.
	"""
	return builder.check_workflow(workflow)


@frappe.whitelist(methods=["POST"])
@door.takes(workflow=WORKFLOW, name=door.NAME)
def preview_draft(workflow: dict | str, name: str | int) -> dict:
	"""Say what a workflow that is being built would make of a document, see `desk.builder.preview_draft`.

	Args:
		workflow: as in `check_workflow`.
		name: of a document of its DocType.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not read the document.
	"""
	return builder.preview_draft(workflow, name)


@frappe.whitelist(methods=["POST"])
@door.takes(workflow=WORKFLOW, name=door.NAME)
def try_next_steps(workflow: dict | str, name: str | int) -> dict:
	"""Say what next steps of a workflow that is being built would do to a document, see `desk.builder.try_next_steps`.

	Args:
		workflow: as in `check_workflow`.
		name: of a document of its DocType.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not read the document.
		frappe.ValidationError: its steps cannot be read.
	"""
	return builder.try_next_steps(workflow, name)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(doctype=door.NAME)
def get_step_actions(doctype: str) -> dict:
	"""Return what next steps of documents can do, see `desk.builder.get_step_actions`.

	Args:
		doctype: DocType of the workflow's documents.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not read documents of the DocType.
	"""
	return builder.get_step_actions(doctype)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(workflow=door.NAME, earlier=VERSION, later=VERSION)
def compare_versions(workflow: str, earlier: int | None = None, later: int | None = None) -> dict:
	"""Say what changed between two versions of a workflow, see `past_versions.compare`.

	Args:
		workflow: name of the Milestone Workflow.
		earlier: number of the older version; by default the one before `later`.
		later: number of the newer version; by default the present one.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not read the workflow.
		frappe.ValidationError: the history does not have one of the versions.
	"""
	rights.check_manager()
	return past_versions.compare(rights.readable_document("Milestone Workflow", workflow), earlier, later)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes()
def get_ready_workflows() -> list:
	"""Return the ready workflows to choose from, see `desk.ready_workflows.get_ready_workflows`.

	Raises:
		frappe.PermissionError: the caller may not create workflows.
	"""
	return ready_workflows.get_ready_workflows()


@frappe.whitelist(methods=["POST"])
@door.takes(name=door.NAME, document_type=door.NAME)
def install_ready_workflow(name: str, document_type: str | None = None) -> dict:
	"""Make a workflow of a ready one, see `desk.ready_workflows.install_ready_workflow`.

	Args:
		name: of the ready workflow, as `get_ready_workflows` returns it.
		document_type: DocType of its documents; by default the first it is meant for that this site has.

	Returns:
		dict: `workflow`, its name, and `notes`, sentences about what is different because the DocType lacks something.

	Raises:
		frappe.PermissionError: the caller may not create workflows.
		frappe.ValidationError: documents of the DocType cannot have plans.
	"""
	return ready_workflows.install_ready_workflow(name, document_type)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(tracker=door.NAME, limit=door.integer(1, 500))
def recorded(tracker: str, limit: int = 10) -> dict:
	"""Return what a tracker has recorded, see `desk.tracker.recorded`.

	Args:
		tracker: name of the Milestone Tracker.
		limit: number of milestones to return; at most 50 are.

	Raises:
		frappe.PermissionError: the caller may not read the tracker.
	"""
	return tracker_form.recorded(tracker, limit)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(doctype=door.NAME)
def tracked_fields(doctype: str) -> list[dict]:
	"""Return the fields whose milestones a report can count, see `desk.tracked_fields`.

	Args:
		doctype: DocType of the documents.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not read documents of the DocType.
	"""
	rights.check_manager()
	rights.check_reads_doctype(doctype)
	return tracked_fields_of.tracked_fields(doctype)


@frappe.whitelist(methods=["POST"])
@door.takes(
	doctype=door.NAME,
	track_field=door.NAME,
	log_format=door.choice(log_export.WRITERS),
	from_date=door.DATE,
	to_date=door.DATE,
)
def export_log(
	doctype: str,
	track_field: str,
	log_format: str = "xes",
	from_date: str | None = None,
	to_date: str | None = None,
) -> dict:
	"""Export milestones as an event log, see `desk.log_download.export_log`.

	Args:
		doctype: DocType of the documents; the caller needs the right to export it.
		track_field: the tracked field.
		log_format: "xes" or "csv".
		from_date, to_date: ISO dates, first and last day of the milestones; None for no limit.

	Returns:
		dict: `events`, how many; `content` and `file_name`, or for many events `in_background`.

	Raises:
		frappe.PermissionError: the caller is not a manager, or may not read or export the documents.
		frappe.ValidationError: there is nothing to export.
	"""
	return log_download.export_log(doctype, track_field, log_format, from_date, to_date)


@frappe.whitelist(methods=["POST"])
@door.takes(tracker=door.NAME)
def start_backfill(tracker: str) -> None:
	"""Make milestones from the history of a tracker's documents, see `desk.tracker.start_backfill`.

	Args:
		tracker: name of the Milestone Tracker.

	Raises:
		frappe.PermissionError: the caller is not a System Manager, or may not write the tracker.
		QueueUnreachableError: the queue cannot be reached.
	"""
	tracker_form.start_backfill(tracker)


# What Frappe asks about our DocTypes where it does not check enough itself (hooks.py); see `desk.core_calls`.


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(
	doctype=door.NAME,
	txt=door.TEXT,
	searchfield=door.UNUSED,
	start=door.integer(0, 10**6),
	# Frappe 16 asks for so many when it looks up a name that was typed or chosen.
	page_length=door.integer(0, 25_000),
	filters=door.AS_FRAPPE_TAKES_IT,
	as_dict=door.FLAG,
)
def search_links(
	doctype: str,
	txt: str = "",
	searchfield: str | None = None,
	start: int = 0,
	page_length: int = 10,
	filters: str | list | dict | None = None,
	as_dict: bool | int = False,
) -> list:
	"""Return rows of one of our DocTypes for a link field, see `desk.core_calls.search_links`.

	Args:
		doctype: one of our DocTypes.
		txt: what was typed.
		searchfield: sent along by Frappe, not used.
		start, page_length: number of rows to leave out, and to return.
		filters: of the link field.
		as_dict: 1 for rows as dicts, else lists: name and what describes it.

	Raises:
		frappe.PermissionError: no DocType of ours.
		frappe.ValidationError: says which filter cannot be used.
	"""
	return core_calls.search_links(doctype, txt, start, page_length, filters, as_dict)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(
	text=door.TEXT,
	start=door.integer(0, 10**6),
	limit=door.integer(0, 1000),
	doctype=door.AS_FRAPPE_TAKES_IT,
)
def global_search(text: str, start: int = 0, limit: int = 20, doctype: str | None = "") -> list:
	"""Return what the search of the Desk finds, see `desk.core_calls.global_search`.

	Args:
		text: what was typed.
		start, limit: number of results to leave out, and to return, of each DocType.
		doctype: the only DocType to search; all by default.
	"""
	return core_calls.global_search(text, start, limit, doctype)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(
	doctype=door.NAME,
	filters=door.AS_FRAPPE_TAKES_IT,
	debug=door.FLAG,
	cache=door.FLAG,
)
def get_count(
	doctype: str,
	filters: str | list | dict | None = None,
	debug: bool | int = False,
	cache: bool | int = False,
) -> int | None:
	"""Return how many rows a user may see, see `desk.core_calls.get_count`.

	Args:
		doctype: DocType of the list.
		filters: of the list.
		debug, cache: for Frappe, which answers for other apps' DocTypes.

	Raises:
		frappe.PermissionError: asked by the name of our call for a DocType that is not ours, or for a Single of ours.
		frappe.ValidationError: says which filter cannot be used.
	"""
	return core_calls.get_count(doctype, filters, debug, cache)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(
	doctype=door.NAME,
	current_filters=door.or_none(door.AS_FRAPPE_TAKES_IT),
	field=door.NAME,
)
def get_group_by_count(doctype: str, current_filters: str | list | dict | None, field: str) -> list[dict]:
	"""Return how often each value of a field occurs in a list, see `desk.core_calls.get_group_by_count`.

	Args:
		doctype: DocType of the list.
		current_filters: of the list.
		field: name of the field, or "assigned_to".

	Raises:
		frappe.PermissionError, frappe.ValidationError: as `get_count`.
	"""
	return core_calls.get_group_by_count(doctype, current_filters, field)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(doctype=door.NAME, docname=door.NAME)
def get_linked_with(doctype: str, docname: str | int) -> dict:
	"""Return what is linked with a document, see `desk.core_calls.get_linked_with`.

	Args:
		doctype, docname: the document.

	Raises:
		frappe.PermissionError: as `get_count`; or the caller may not read the document, which is ours.
	"""
	return core_calls.get_linked_with(doctype, docname)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(
	doctype=door.NAME,
	field=door.NAME,
	names=door.AS_FRAPPE_TAKES_IT,
)
def get_data_for_custom_field(doctype: str, field: str, names: str | list | None = None) -> dict:
	"""Return the values of a report's column, see `desk.core_calls.get_data_for_custom_field`.

	Args:
		doctype, field: what the column shows.
		names: of the rows, as a list or its JSON; all that the caller may see by default.

	Raises:
		frappe.PermissionError: as `get_count`.
		frappe.ValidationError: there is no such field to read, or `names` is no list.
	"""
	return core_calls.get_data_for_custom_field(doctype, field, names)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(
	doctype=door.NAME,
	workflow_state_field=door.NAME,
	states=door.AS_FRAPPE_TAKES_IT,
)
def get_workflow_state_count(doctype: str, workflow_state_field: str, states: str | list) -> list | None:
	"""Return how many documents are in each state, see `desk.core_calls.get_workflow_state_count`.

	Args:
		doctype: DocType of the list.
		workflow_state_field: field with the state.
		states: those to count, as a list or its JSON.

	Raises:
		frappe.PermissionError: as `get_count`; or the DocType is ours, and the caller is no System Manager.
		frappe.ValidationError: there is no such field to read, or `states` is no list.
	"""
	return core_calls.get_workflow_state_count(doctype, workflow_state_field, states)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(doctype=door.NAME, tag=door.TEXT)
def get_tagged_docs(doctype: str, tag: str) -> list:
	"""Return the names of documents with a tag, see `desk.core_calls.get_tagged_docs`.

	Args:
		doctype: DocType of the documents.
		tag: text of the tag.

	Raises:
		frappe.PermissionError: as `get_count`.
	"""
	return core_calls.get_tagged_docs(doctype, tag)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(
	chart_name=door.NAME,
	chart=door.AS_FRAPPE_TAKES_IT,
	no_cache=door.AS_FRAPPE_TAKES_IT,
	filters=door.AS_FRAPPE_TAKES_IT,
	from_date=door.AS_FRAPPE_TAKES_IT,
	to_date=door.AS_FRAPPE_TAKES_IT,
	timespan=door.AS_FRAPPE_TAKES_IT,
	time_interval=door.AS_FRAPPE_TAKES_IT,
	heatmap_year=door.AS_FRAPPE_TAKES_IT,
	refresh=door.AS_FRAPPE_TAKES_IT,
)
def get_chart(
	chart_name: str | None = None,
	chart: str | dict | None = None,
	no_cache: bool | int | None = None,
	filters: str | list | dict | None = None,
	from_date: str | None = None,
	to_date: str | None = None,
	timespan: str | None = None,
	time_interval: str | None = None,
	heatmap_year: str | int | None = None,
	refresh: bool | int | None = None,
) -> dict | None:
	"""Return the data of a dashboard chart, see `desk.chart_calls.get_chart`.

	Args:
		chart_name: of a stored Dashboard Chart.
		chart: the chart itself, where none is stored.
		no_cache, filters, from_date, to_date, timespan, time_interval, heatmap_year, refresh: as Frappe takes them.

	Raises:
		frappe.PermissionError: it shows rows that the caller may not see.
		frappe.ValidationError: says what of a chart does not fit.
	"""
	return chart_calls.get_chart(dict(locals()))


def _check_can_act_on_task(task: str):
	row = rights.visible_task(task)
	if not rights.can_act_on_task(row):
		frappe.throw(
			_("Only an assignee of the task, the owner of its milestone or a Milestone Manager may do this."),
			frappe.PermissionError,
		)
	return row


def _act_on_task(task: str, action, *args) -> dict:
	row = _check_can_act_on_task(task)
	action(task, *args)
	reads = rights.can_read_document(row.reference_type, row.reference_name)
	if not reads or not rights.is_desk_user(frappe.session.user):
		# An assignee from outside sees the task only.
		return {"task": task, "status": frappe.db.get_value("Milestone Task", task, "status")}
	return get_plan(row.reference_type, row.reference_name)
