"""Moving a running plan to the newest version of its workflow, with a preview of the changes."""

import json

import frappe
from frappe import _
from frappe.utils import cint, getdate, now_datetime, nowdate

from milestone_automation.engine.base import bulk
from milestone_automation.engine.people import assignees, todos
from milestone_automation.engine.plans import plan_builder, version_diff
from milestone_automation.engine.plans.version_diff import StageMove, TaskMove, VersionDiff
from milestone_automation.engine.progress import (
	criterion_waivers,
	gate,
	proposals,
	rescheduling,
	task_people,
	tasks,
)
from milestone_automation.engine.rules import names, schedule, task_dates
from milestone_automation.engine.rules.vocabulary import (
	DateChangeSource,
	OwnerKind,
	PlanEvent,
	StageStatus,
	TaskStatus,
)
from milestone_automation.engine.store import plan_log, plan_rows, snapshots, sums, watched
from milestone_automation.engine.store.changing import changing
from milestone_automation.engine.workflows import authors

OWNER_FIELDS = frozenset(
	{"owner_kind", "owner_user", "owner_role", "owner_field", "owner_name", "owner_email"}
)


# Preview


def preview_move(plan: str) -> list[dict]:
	"""Return what moving a plan to its workflow's newest version would change; writes nothing.

	Args:
		plan: name of the plan.

	Returns:
		list[dict]: `change` (stage_added, stage_removed, stage_renamed, stage_changed, stage_reached, stage_blocked,
		date_moved, task_added, task_removed, task_changed, plan_changed), `stage`, `task` (or None) and `text`, a
		sentence for the user. Empty if nothing changes.

	Raises:
		frappe.DoesNotExistError: there is no such plan.
		frappe.ValidationError: the workflow is a draft with problems.
	"""
	return describe(version_diff.compute(plan_rows.load_by_name(plan)))


def describe(diff: VersionDiff) -> list[dict]:
	"""Return the changes of a diff, as `preview_move` does.

	Args:
		diff: as `version_diff.compute` returns it.

	Returns:
		list[dict]: see `preview_move`.
	"""
	changes = []
	for row in diff.removed_stages:
		changes.append(_change("stage_removed", row.stage_name, _("{0} is removed.").format(row.stage_name)))
	for move in diff.stages:
		changes += _describe_stage(move)
	for task in diff.removed_tasks:
		text = _("{0}: the open task {1} is cancelled.").format(task.stage_name, task.title)
		changes.append(_change("task_removed", task.stage_name, text, task.title))
	changes += [_describe_task(move) for move in diff.tasks]
	of_plan = [name for name in diff.plan_changes if name not in authors.AUTHOR_FIELDS]
	if of_plan:
		text = _("The plan changes: {0}.").format(_labels("Milestone Plan", of_plan))
		changes.append(_change("plan_changed", None, text))
	return changes


def _change(change: str, stage: str | None, text: str, task: str | None = None) -> dict:
	return {"change": change, "stage": stage, "task": task, "text": text}


def _describe_stage(move: StageMove) -> list[dict]:
	if not move.row:
		return [_change("stage_added", move.name, _describe_new_stage(move))]
	changes = []
	if "stage_name" in move.changed:
		text = _("{0} is now called {1}.").format(move.row.stage_name, move.name)
		changes.append(_change("stage_renamed", move.name, text))
	others = [name for name in move.changed if name not in ("stage_name", *authors.AUTHOR_FIELDS)]
	if others:
		text = _("{0} changes: {1}.").format(move.name, _labels("Milestone Plan Stage", others))
		changes.append(_change("stage_changed", move.name, text))
	if move.key_date != move.old_date:
		text = _("{0} moves from {1} to {2}.").format(move.name, _day(move.old_date), _day(move.key_date))
		changes.append(_change("date_moved", move.name, text))
	if move.is_fulfilled:
		changes.append(_describe_fulfilled(move))
	return changes


def _describe_fulfilled(move: StageMove) -> dict:
	if move.comes_after:
		text = _(
			"{0} stays open although the document has the value for it: milestones are reached in order, and {1} comes first."
		).format(move.name, ", ".join(move.comes_after))
		return _change("stage_blocked", move.name, text)
	if move.unmet and not move.blocked_by:
		text = _(
			"{0} stays open although the document has the value for it: {1} exit criteria are not met. Confirm it once they are."
		).format(move.name, move.unmet)
		return _change("stage_blocked", move.name, text)
	if not move.blocked_by:
		text = _("{0} is reached: the document has the value for it.").format(move.name)
		return _change("stage_reached", move.name, text)
	text = _(
		"{0} stays open although the document has the value for it: {1} required tasks are open. Confirm it once they are done."
	).format(move.name, move.blocked_by)
	return _change("stage_blocked", move.name, text)


def _describe_new_stage(move: StageMove) -> str:
	if move.is_reached:
		return _("{0} is new and already reached.").format(move.name)
	return _("{0} is new, key date: {1}.").format(move.name, _day(move.key_date))


def _describe_task(move: TaskMove) -> dict:
	if not move.task:
		text = _("{0}: the task {1} is new.").format(move.stage.name, move.template.title)
		return _change("task_added", move.stage.name, text, move.template.title)
	labels = _labels("Milestone Task", ["stage_name" if name == "stage" else name for name in move.changed])
	text = _("{0}: the task {1} changes: {2}.").format(move.stage.name, move.template.title, labels)
	return _change("task_changed", move.stage.name, text, move.template.title)


def _day(day) -> str:
	return frappe.format(day, "Date") if day else _("no date")


def _labels(doctype: str, fieldnames) -> str:
	meta = frappe.get_meta(doctype)
	return ", ".join(_(meta.get_label(name)) for name in fieldnames)


# Move


def move(plan: str) -> list[dict]:
	"""Move a plan to its workflow's newest version. Reached stages and closed tasks stay the same.

	Stages that the workflow no longer has are removed and their open tasks cancelled; new stages get dates and tasks;
	other stages and tasks take over the changes. A key date moves only if its rule changed and nobody set it manually, or
	if the order requires it. A stage whose changed rule fits the document is reached if the gate allows it.

	Args:
		plan: name of the plan.

	Returns:
		list[dict]: the changes, as in `preview_move`.

	Raises:
		frappe.ValidationError: the plan is cancelled, or the workflow has no stages.
	"""
	with changing(plan) as plan:
		plan.check_is_active()
		diff = version_diff.compute(plan)
		_check_has_stages(diff)
		changes = describe(diff)
		_move_stages(diff)
		_move_dates(diff)
		_move_tasks(diff)
		_set_version(diff)
		criterion_waivers.count_open(plan)
		details = "\n".join(change["text"] for change in changes)
		plan_log.write(plan, PlanEvent.PLAN_MOVED_TO_NEW_VERSION, details=details)
		_reach_fulfilled(diff)
		return changes


def _check_has_stages(diff: VersionDiff) -> None:
	if not diff.stages:
		frappe.throw(
			_("The workflow {0} has no milestones. Add milestones, or cancel the plan.").format(
				diff.plan.workflow
			)
		)


def _reason(diff: VersionDiff) -> str:
	return _("The plan was moved to version {0} of its workflow.").format(diff.workflow.version)


def _move_stages(diff: VersionDiff) -> None:
	removed = [row.name for row in diff.removed_stages]
	_cancel_tasks(diff)
	for row in diff.removed_stages:
		proposals.withdraw(diff.plan, row, _("The milestone is no longer in the plan."))
	if removed:
		frappe.db.delete("Milestone Plan Stage", {"name": ("in", removed)})
		diff.plan.stages = [row for row in diff.plan.stages if row.name not in removed]
	for idx, stage_move in enumerate(diff.stages, 1):
		if stage_move.row:
			_update_stage(diff, stage_move, idx)
	diff.plan.set_plan(**diff.plan_changes)
	_insert_stages(diff)


def _cancel_tasks(diff: VersionDiff) -> None:
	"""Cancel the open tasks that are removed, with their to-dos."""
	values = {
		"status": TaskStatus.CANCELLED.value,
		"closed_on": now_datetime(),
		"closed_by": frappe.session.user,
		"reason": _reason(diff),
	}
	names = [task.name for task in diff.removed_tasks]
	bulk.update_rows("Milestone Task", dict.fromkeys(names, values))
	todos.cancel(names)
	diff.plan.forget_tasks()


def _update_stage(diff: VersionDiff, stage_move: StageMove, idx: int) -> None:
	row, template = stage_move.row, stage_move.template
	values = {name: template.get(name) for name in stage_move.changed if name != "stage_name"}
	if "stage_name" in stage_move.changed:
		values["stage_name"] = stage_move.name
	if template:
		values["workflow_stage"] = template.name
	# Also of a reached stage: what it depends on is skipped while it is open.
	values["predecessors"] = _predecessors(diff, stage_move)
	if template:
		values["dependency"] = template.dependency
	if stage_move.waits is not None:
		values["document_date_moved"] = int(stage_move.waits)
	if OWNER_FIELDS.intersection(stage_move.changed) or _has_other_supplier(diff, template):
		values |= assignees.resolve_stage_owner(template, diff.plan.reference_doc(), diff.workflow)
	if "stage_name" in values:
		of_stage = frappe.get_all("Milestone Task", filters={"plan_stage": row.name}, pluck="name")
		bulk.update_rows("Milestone Task", {name: {"stage_name": values["stage_name"]} for name in of_stage})
	diff.plan.set_stage(row, idx=idx, **values)


def _has_other_supplier(diff: VersionDiff, template) -> bool:
	"""Tell whether a stage is owned by a contact of the supplier, and another field of the document names it now."""
	is_of_supplier = template and template.owner_kind == OwnerKind.SUPPLIER_CONTACT
	return bool(is_of_supplier) and "supplier_field" in diff.plan_changes


def _predecessors(diff: VersionDiff, stage_move: StageMove) -> str | None:
	"""Return the names of what a stage depends on, as the plan has them: a reached stage may keep its old name."""
	if stage_move.template:
		now = {move.template.stage_name: move.name for move in diff.stages if move.template}
	else:
		now = {move.row.stage_name: move.name for move in diff.stages if move.row}
	before = names.lines((stage_move.template or stage_move.row).predecessors)
	return "\n".join(now.get(name, name) for name in before) or None


def _insert_stages(diff: VersionDiff) -> None:
	"""Insert the new stages, read them as stored, and put the plan's stages into the new order."""
	rows = []
	for idx, stage_move in enumerate(diff.stages, 1):
		if not stage_move.row:
			row = {name: value for name, value in stage_move.new_row.items() if name != "tasks"}
			row["predecessors"] = _predecessors(diff, stage_move)
			row.update(planned_date=stage_move.key_date, key_date=stage_move.key_date, idx=idx)
			row["document_date_moved"] = int(bool(stage_move.waits))
			rows.append(
				{**row, "parent": diff.plan.name, "parenttype": "Milestone Plan", "parentfield": "stages"}
			)
	names = bulk.insert_rows("Milestone Plan Stage", rows)
	inserted = plan_rows.stage_rows(names)
	for stage_move in diff.stages:
		stage_move.row = stage_move.row or inserted.pop(0)
	diff.plan.stages = [stage_move.row for stage_move in diff.stages]


def _move_dates(diff: VersionDiff) -> None:
	new_dates = {
		stage_move.row.name: stage_move.key_date
		for stage_move in diff.stages
		if stage_move.key_date != stage_move.old_date
	}
	rescheduling.change_dates(diff.plan, new_dates, _reason(diff), DateChangeSource.WORKFLOW_VERSION)


def _move_tasks(diff: VersionDiff) -> None:
	people = assignees.prefetch(diff.workflow.tasks, diff.plan.reference_doc(), diff.workflow)
	calendar = plan_rows.calendar_of(diff.plan)
	due_dates = {task.name: task.due_date for task in plan_rows.task_rows(diff.plan.name)}
	changes = {}
	for task_move in diff.tasks:
		if task_move.task:
			name = task_move.task.name
			changes[name] = _changed_values(task_move, due_dates[name], calendar)
	bulk.update_rows("Milestone Task", changes)
	_reassign(diff, people)
	todos.update_open(changes, text=True)
	tasks.insert_tasks(diff.plan, [_new_task(diff, m, people, calendar) for m in diff.tasks if not m.task])
	diff.plan.forget_tasks()


def _changed_values(task_move: TaskMove, due_date, calendar) -> dict:
	"""Return the new field values of a task.

	Args:
		task_move: the move, with the task as it was before the stages moved.
		due_date: due date of the task now; it may have moved with its old stage.
		calendar: working days of the document.
	"""
	template = task_move.template
	values = {name: template.get(name) for name in task_move.changed if name != "stage"}
	values.update(
		workflow_task=template.name,
		plan_stage=task_move.stage.row.name,
		stage_name=task_move.stage.row.stage_name,
	)
	new_date = _due_date(task_move, due_date, calendar)
	if new_date != (getdate(due_date) if due_date else None):
		values.update(due_date=new_date, **schedule.FRESH_TASK_STAMPS)
	return values


def _due_date(task_move: TaskMove, due_date, calendar):
	"""Return the due date by the new rule; a date that was set manually stays, but is never after the stage.

	Args:
		task_move: the move.
		due_date: due date of the task now; if the task changes its stage, its date before the move counts.
		calendar: working days of the document.
	"""
	task, template, key_date = task_move.task, task_move.template, task_move.stage.key_date
	manual_date = task and task.due_by_hand and (task.due_date if "stage" in task_move.changed else due_date)
	if manual_date:
		return min(getdate(manual_date), key_date) if key_date else getdate(manual_date)
	return task_dates.task_due_date(
		key_date, cint(template.due_days_before), bool(template.working_days), calendar
	)


def _new_task(diff: VersionDiff, task_move: TaskMove, people, calendar) -> dict:
	template = task_move.template
	return {
		**{name: template.get(name) for name in plan_builder.TASK_FIELDS},
		"workflow_task": template.name,
		"plan_stage": task_move.stage.row.name,
		"stage_name": task_move.stage.row.stage_name,
		"task_order": template.idx,
		"due_date": _due_date(task_move, None, calendar),
		"assignees": assignees.resolve(template, diff.plan.reference_doc(), diff.workflow, cache=people),
	}


def _reassign(diff: VersionDiff, people) -> None:
	"""Give changed tasks the assignees that the workflow names now."""
	moves = [m for m in diff.tasks if m.task and set(assignees.ASSIGNEE_RULE_FIELDS).intersection(m.changed)]
	doc = diff.plan.reference_doc()
	if moves:
		task_people.replace_assignees(
			{m.task.name: assignees.resolve(m.template, doc, diff.workflow, cache=people) for m in moves}
		)


def _reach_fulfilled(diff: VersionDiff) -> None:
	"""Mark the stages as reached whose value the document has now; as in a new plan, no next steps run."""
	plan = diff.plan
	fulfilled = [move.row for move in diff.stages if move.becomes_reached]
	if fulfilled:
		sums.count_open_tasks(plan)
	for row in fulfilled:
		gate.check_stage(plan, row)
		proposals.withdraw(plan, row, _("The milestone was reached."))
		plan.set_stage(
			row,
			status=StageStatus.REACHED.value,
			health="Done",
			reached_on=getdate(nowdate()),
			open_criteria=0,
		)
		plan_log.write(plan, PlanEvent.MILESTONE_REACHED, stage=row)


def _set_version(diff: VersionDiff) -> None:
	"""Set the version and the watched fields; old values stay, so that changes not acted on are still found."""
	plan, doc = diff.plan, diff.plan.reference_doc()
	old_snapshot = json.loads(plan.snapshot or "{}")
	fieldnames = watched.watched_fields(plan.stages, plan_rows.task_rows(plan.name), plan)
	new_snapshot = snapshots.take(doc, fieldnames)
	snapshot = {name: old_snapshot.get(name, value) for name, value in new_snapshot.items()}
	plan.set_plan(workflow_version=diff.workflow.version, snapshot=json.dumps(snapshot))
