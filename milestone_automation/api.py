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
		dict: stages with dates, tasks and assignees; problems; whether the workflow matches the document.
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

	Returns:
		dict: the job's id, and how many documents it looks at.
	"""
	rights.check_manager()
	return bulk_start.enqueue(rights.readable_document("Milestone Workflow", workflow))


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(workflow=door.NAME)
def start_plans_summary(workflow: str) -> dict:
	"""Return what the last `start_plans` of a workflow did: started, skipped with reasons, whether it still runs."""
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

	Raises:
		GateError: required tasks are open.
	"""
	found = acting.plan_to_act_on(plan, stage)
	stages.confirm(plan, stage, reached_on)
	return get_plan(found.reference_type, found.reference_name)


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
	"""
	found = acting.plan_to_act_on(plan, stage)
	acting.check_moves_dates(found)
	rescheduling.reschedule(
		plan, stage, new_date, reason, answer=later_stages, keep_anchored=bool(keep_anchored)
	)
	if update_document:
		reschedule_preview.write_date(plan, stage)
	return get_plan(found.reference_type, found.reference_name)


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
	"""
	found = acting.plan_to_act_on(plan, stage)
	proposals.propose(plan, stage, new_date, reason)
	return get_plan(found.reference_type, found.reference_name)


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
	"""
	rights.check_manager()
	found = acting.plan_to_act_on(plan, stage)
	proposals.accept(plan, stage, new_date, later_stages, bool(keep_anchored))
	return get_plan(found.reference_type, found.reference_name)


@frappe.whitelist(methods=["POST"])
@door.takes(plan=door.NAME, stage=door.NAME, reason=door.TEXT)
def decline_date(plan: str, stage: str, reason: str) -> dict:
	"""Decline the proposed date of a stage; who proposed it reads the reason. Managers only."""
	rights.check_manager()
	found = acting.plan_to_act_on(plan, stage)
	proposals.decline(plan, stage, reason)
	return get_plan(found.reference_type, found.reference_name)


@frappe.whitelist(methods=["POST"])
@door.takes(plan=door.NAME, stage=door.NAME, reason=door.TEXT)
def undo_stage(plan: str, stage: str, reason: str) -> dict:
	"""Open a reached stage again; the reason is required and kept."""
	found = acting.plan_to_act_on(plan, stage)
	stages.undo(plan, stage, reason)
	return get_plan(found.reference_type, found.reference_name)


@frappe.whitelist(methods=["POST"])
@door.takes(task=door.NAME)
def complete_task(task: str) -> dict:
	"""Complete a task, or the caller's part of it where all assignees must."""
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
	"""Open a task again that the caller completed by mistake a moment ago; needs no reason."""
	return _act_on_task(task, tasks.undo_complete)


@frappe.whitelist(methods=["POST"])
@door.takes(task=door.NAME, reason=door.TEXT)
def waive_task(task: str, reason: str) -> dict:
	"""Let a required task no longer hold its stage. System Manager and Milestone Manager only, with a reason."""
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
	"""
	rights.check_manager()
	found = acting.plan_to_act_on(plan, stage)
	criterion_waivers.waive(plan, stage, criterion, reason)
	return get_plan(found.reference_type, found.reference_name)


@frappe.whitelist(methods=["POST"])
@door.takes(plan=door.NAME, stage=door.NAME, criterion=door.NAME, reason=door.TEXT)
def reopen_criterion(plan: str, stage: str, criterion: str, reason: str) -> dict:
	"""Take back the waiver of an exit criterion; the reason is required and kept. Arguments as in `waive_criterion`."""
	found = acting.plan_to_act_on(plan, stage)
	criterion_waivers.reopen(plan, stage, criterion, reason)
	return get_plan(found.reference_type, found.reference_name)


@frappe.whitelist(methods=["POST"])
@door.takes(task=door.NAME, reason=door.TEXT)
def cancel_task(task: str, reason: str) -> dict:
	"""Cancel a task that is not needed any more. System Manager and Milestone Manager only, with a reason."""
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
		assignee_kind: Whole Team, All Supplier Contacts, One Team Member, Third-Party Collaborator, Role, User Field.
		assignee_user, assignee_role, assignee_field, collaborator_name, collaborator_email: as the kind needs.
		completion_rule: "Any Of" (default) or "All Of" the assignees.
	"""
	found = acting.plan_to_act_on(plan, stage)
	given = {
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
	tasks.add(plan, stage, **{key: value for key, value in given.items() if value is not None})
	return get_plan(found.reference_type, found.reference_name)


@frappe.whitelist(methods=["POST"])
@door.takes(plan=door.NAME, reason=door.TEXT)
def cancel_plan(plan: str, reason: str) -> dict:
	"""Cancel a plan and its open tasks. System Manager and Milestone Manager only; the reason is kept."""
	rights.check_manager()
	reason = plan_log.check_reason(reason)
	found = acting.readable_plan(plan, lock=True)
	ending.cancel_by_hand(found, reason)
	return get_plan(found.reference_type, found.reference_name)


@frappe.whitelist(methods=["POST"])
@door.takes(plan=door.NAME, reason=door.TEXT)
def undo_cancel_plan(plan: str, reason: str) -> dict:
	"""Take back the cancellation of a plan, with its tasks. For those who may cancel it; the reason is kept."""
	rights.check_manager()
	found = acting.readable_plan(plan, lock=True)
	restoring.undo_cancel(plan, reason)
	return get_plan(found.reference_type, found.reference_name)


@frappe.whitelist(methods=["POST"])
@door.takes(step=door.NAME)
def run_next_step_again(step: str) -> dict:
	"""Have a next step that failed or waits run now, in the background; as ever it runs with the rights of its author.

	Args:
		step: name of a Milestone Next Step.

	Returns:
		dict: its `status`.
	"""
	rights.check_manager()
	if not rights.can_read_document(next_steps.DOCTYPE, step):
		rights.refuse_hidden(next_steps.DOCTYPE, step)
	next_steps.run_again(step)
	return {"status": StepStatus.PENDING.value}


@frappe.whitelist(methods=["POST"])
@door.takes(plan=door.NAME, reason=door.TEXT)
def hold_plan(plan: str, reason: str) -> dict:
	"""Put a plan on hold: nobody is asked or reminded; the gate holds. Managers only; the reason is kept."""
	rights.check_manager()
	found = acting.readable_plan(plan)
	holding.put_on_hold(plan, reason)
	return get_plan(found.reference_type, found.reference_name)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(plan=door.NAME, keep_anchored=door.FLAG)
def preview_resume(plan: str, keep_anchored: bool | int = False) -> dict:
	"""Say what `resume_plan` with shifted dates would change, without changing anything.

	Args:
		plan, keep_anchored: as in `resume_plan`.

	Returns:
		dict: `days` on hold; `stages`, `stays` and `tasks` as in `preview_reschedule`.
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
	"""
	rights.check_manager()
	found = acting.readable_plan(plan)
	holding.resume(plan, bool(shift_dates), bool(keep_anchored))
	return get_plan(found.reference_type, found.reference_name)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(plan=door.NAME)
def preview_new_version(plan: str) -> list:
	"""Say what moving a plan to its workflow's newest version would change."""
	rights.check_manager()
	acting.readable_plan(plan)
	return version_move.preview_move(plan)


@frappe.whitelist(methods=["POST"])
@door.takes(plan=door.NAME)
def move_to_new_version(plan: str) -> dict:
	"""Move a plan to its workflow's newest version; what is reached and completed stays."""
	rights.check_manager()
	found = acting.readable_plan(plan)
	version_move.move(plan)
	return get_plan(found.reference_type, found.reference_name)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(doctype=door.NAME)
def fields_for(doctype: str) -> list:
	"""Return the fields of a DocType a tracker or workflow may use, by label.

	Returns:
		list[dict]: value (field name), label, fieldtype, options.
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
	"""
	rights.check_manager()
	rights.readable_document("Milestone Workflow", workflow).check_permission("write")
	bulk_cancel.check_reads_all(workflow)
	return bulk_cancel.cancel_all(workflow, plan_log.check_reason(reason))


@frappe.whitelist(methods=["POST"])
@door.takes(plans=door.NAMES, reached_on=door.DATE)
def confirm_current_milestones(plans: list[str] | str, reached_on: str | None = None) -> dict:
	"""Confirm that the current milestone of several plans is reached, see `desk.plan_actions.confirm_current`."""
	return plan_actions.confirm_current(plans, reached_on)


@frappe.whitelist(methods=["POST"])
@door.takes(plans=door.NAMES, reason=door.TEXT)
def cancel_selected_plans(plans: list[str] | str, reason: str) -> dict:
	"""Cancel several plans, see `desk.plan_actions.cancel`. System Manager and Milestone Manager only."""
	rights.check_manager()
	return plan_actions.cancel(plans, reason)


@frappe.whitelist(methods=["POST"])
@door.takes(plan=door.NAME, stage=door.NAME, reached_on=door.DATE)
def answer_reached(plan: str, stage: str, reached_on: str | None = None) -> None:
	"""Answer a prompt with yes, see `answers.answer_reached`."""
	answers.answer_reached(plan, stage, reached_on)


@frappe.whitelist(methods=["POST"])
@door.takes(plan=door.NAME, stage=door.NAME)
def answer_on_track(plan: str, stage: str) -> None:
	"""Answer a check-in with yes: the key date holds, see `answers.answer_on_track`."""
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
	"""Answer a prompt with no and a new key date, see `answers.answer_not_yet`."""
	answers.answer_not_yet(plan, stage, new_date, reason, note, later_stages)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes()
def date_reasons() -> list[str]:
	"""Return the reasons for a new date that the site offers, in its order."""
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
	"""
	if frappe.session.user == "Guest":
		raise frappe.PermissionError
	frappe.defaults.set_user_default(directory.MAIL_DEFAULT, directory.MailPreference(preference).value)
	return get_mail_preference()


# What the Desk asks; arguments, answers and errors stand with each function of `desk/`.


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(doctype=door.NAME, name=door.NAME)
def get_timeline(doctype: str, name: str | int) -> list[dict]:
	"""Return the history of a document's plan, see `desk.timeline.timeline`."""
	return timeline.timeline(doctype, name)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes()
def get_my_work() -> dict:
	"""Return what waits for the caller, see `desk.my_work.my_work`."""
	return my_work.my_work()


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(workflow=door.NAME)
def get_board(workflow: str) -> dict:
	"""Return the running plans of a workflow by milestone, see `desk.board.board`."""
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
	"""Return documents of a workflow with their milestones, see `desk.grid.grid`."""
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
	"""Return a grid as a file, see `desk.grid_export.export`."""
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
	"""Say what `shift_stages` would change, without changing anything, see `desk.grid_shift.preview`."""
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
	"""Shift milestones of several documents by some days, see `desk.grid_shift.shift`."""
	by = Shift(days, bool(working_days), later_stages, bool(keep_anchored))
	return grid_shift.shift(cells, by, reason)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes()
def workflows_with_plans() -> list[str]:
	"""Return the workflows the board can show, see `desk.board.workflows_with_plans`."""
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
	"""Return due tasks for Frappe's calendar, see `desk.calendar.task_events`."""
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
	"""Return key dates for Frappe's calendar, see `desk.calendar.stage_events`."""
	return calendar.stage_events(start, end, filters)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(filters=door.UNUSED)
def on_time_this_month(filters: str | dict | None = None) -> dict | str:
	"""Return the number of the card *On Time This Month*, see `desk.cards.on_time_this_month`."""
	return cards.on_time_this_month()


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(filters=door.UNUSED)
def my_tasks_due(filters: str | dict | None = None) -> dict:
	"""Return the number of the card *My Tasks Due*, see `desk.cards.my_tasks_due`."""
	return cards.my_tasks_due()


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(filters=door.UNUSED)
def my_milestones_due(filters: str | dict | None = None) -> dict:
	"""Return the number of the card *My Milestones Due*, see `desk.cards.my_milestones_due`."""
	return cards.my_milestones_due()


@frappe.whitelist(methods=["GET", "POST"])
@door.takes()
def plans_by_health() -> dict:
	"""Return the chart *Running Plans by Health*, see `desk.cards.plans_by_health`."""
	return cards.plans_by_health()


@frappe.whitelist(methods=["POST"])
@door.takes(workflow=WORKFLOW)
def check_workflow(workflow: dict | str) -> dict:
	"""Return what is wrong with a workflow that is being built, see `desk.builder.check_workflow`."""
	return builder.check_workflow(workflow)


@frappe.whitelist(methods=["POST"])
@door.takes(workflow=WORKFLOW, name=door.NAME)
def preview_draft(workflow: dict | str, name: str | int) -> dict:
	"""Say what a workflow that is being built would make of a document, see `desk.builder.preview_draft`."""
	return builder.preview_draft(workflow, name)


@frappe.whitelist(methods=["POST"])
@door.takes(workflow=WORKFLOW, name=door.NAME)
def try_next_steps(workflow: dict | str, name: str | int) -> dict:
	"""Say what next steps of a workflow that is being built would do to a document, see `desk.builder.try_next_steps`."""
	return builder.try_next_steps(workflow, name)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(doctype=door.NAME)
def get_step_actions(doctype: str) -> dict:
	"""Return what next steps of documents can do, see `desk.builder.get_step_actions`."""
	return builder.get_step_actions(doctype)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(workflow=door.NAME, earlier=VERSION, later=VERSION)
def compare_versions(workflow: str, earlier: int | None = None, later: int | None = None) -> dict:
	"""Say what changed between two versions of a workflow, see `past_versions.compare`."""
	rights.check_manager()
	return past_versions.compare(rights.readable_document("Milestone Workflow", workflow), earlier, later)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes()
def get_ready_workflows() -> list:
	"""Return the ready workflows to choose from, see `desk.ready_workflows.get_ready_workflows`."""
	return ready_workflows.get_ready_workflows()


@frappe.whitelist(methods=["POST"])
@door.takes(name=door.NAME, document_type=door.NAME)
def install_ready_workflow(name: str, document_type: str | None = None) -> dict:
	"""Make a workflow of a ready one, see `desk.ready_workflows.install_ready_workflow`."""
	return ready_workflows.install_ready_workflow(name, document_type)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(tracker=door.NAME, limit=door.integer(1, 500))
def recorded(tracker: str, limit: int = 10) -> dict:
	"""Return what a tracker has recorded, see `desk.tracker.recorded`."""
	return tracker_form.recorded(tracker, limit)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(doctype=door.NAME)
def tracked_fields(doctype: str) -> list[dict]:
	"""Return the fields whose milestones a report can count, see `desk.tracked_fields`."""
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
	"""Export milestones as an event log, see `desk.log_download.export_log`."""
	return log_download.export_log(doctype, track_field, log_format, from_date, to_date)


@frappe.whitelist(methods=["POST"])
@door.takes(tracker=door.NAME)
def start_backfill(tracker: str) -> None:
	"""Make milestones from the history of a tracker's documents, see `desk.tracker.start_backfill`."""
	tracker_form.start_backfill(tracker)


# What Frappe asks about our DocTypes where it does not check enough itself (hooks.py); see `desk.core_calls`.


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(
	doctype=door.NAME,
	txt=door.TEXT,
	searchfield=door.UNUSED,
	start=door.integer(0, 10**6),
	page_length=door.integer(0, 1000),
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
	"""Return rows of one of our DocTypes for a link field, see `desk.core_calls.search_links`."""
	return core_calls.search_links(doctype, txt, start, page_length, filters, as_dict)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(
	text=door.TEXT,
	start=door.integer(0, 10**6),
	limit=door.integer(0, 1000),
	doctype=door.AS_FRAPPE_TAKES_IT,
)
def global_search(text: str, start: int = 0, limit: int = 20, doctype: str | None = "") -> list:
	"""Return what the search of the Desk finds, see `desk.core_calls.global_search`."""
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
	"""Return how many rows a user may see, see `desk.core_calls.get_count`."""
	return core_calls.get_count(doctype, filters, debug, cache)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(
	doctype=door.NAME,
	current_filters=door.or_none(door.AS_FRAPPE_TAKES_IT),
	field=door.NAME,
)
def get_group_by_count(doctype: str, current_filters: str | list | dict | None, field: str) -> list[dict]:
	"""Return how often each value of a field occurs in a list, see `desk.core_calls.get_group_by_count`."""
	return core_calls.get_group_by_count(doctype, current_filters, field)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(doctype=door.NAME, docname=door.NAME)
def get_linked_with(doctype: str, docname: str | int) -> dict:
	"""Return what is linked with a document, see `desk.core_calls.get_linked_with`."""
	return core_calls.get_linked_with(doctype, docname)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(
	doctype=door.NAME,
	field=door.NAME,
	names=door.AS_FRAPPE_TAKES_IT,
)
def get_data_for_custom_field(doctype: str, field: str, names: str | list | None = None) -> dict:
	"""Return the values of a report's column, see `desk.core_calls.get_data_for_custom_field`."""
	return core_calls.get_data_for_custom_field(doctype, field, names)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(
	doctype=door.NAME,
	workflow_state_field=door.NAME,
	states=door.AS_FRAPPE_TAKES_IT,
)
def get_workflow_state_count(doctype: str, workflow_state_field: str, states: str | list) -> list | None:
	"""Return how many documents are in each state, see `desk.core_calls.get_workflow_state_count`."""
	return core_calls.get_workflow_state_count(doctype, workflow_state_field, states)


@frappe.whitelist(methods=["GET", "POST"])
@door.takes(doctype=door.NAME, tag=door.TEXT)
def get_tagged_docs(doctype: str, tag: str) -> list:
	"""Return the names of documents with a tag, see `desk.core_calls.get_tagged_docs`."""
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
	"""Return the data of a dashboard chart, see `desk.chart_calls.get_chart`."""
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
