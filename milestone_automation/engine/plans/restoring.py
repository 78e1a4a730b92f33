"""Taking back the cancellation of a plan, and what a new plan takes over from the cancelled one it replaces."""

from datetime import timedelta

import frappe
from frappe import _
from frappe.utils import cint

from milestone_automation.engine.base import bulk, stored_rows
from milestone_automation.engine.people import assigned, todos
from milestone_automation.engine.plans import following
from milestone_automation.engine.progress import criterion_waivers
from milestone_automation.engine.progress.stages import CONFIRMED_FIELD
from milestone_automation.engine.rules import names
from milestone_automation.engine.rules.vocabulary import (
	PlanEvent,
	PlanStatus,
	ReachRule,
	StageStatus,
	TaskStatus,
)
from milestone_automation.engine.store import plan_log, plan_rows, watched
from milestone_automation.engine.store.changing import changing

# Plans cancelled before tasks and log entry got the same time stamp: their tasks were cancelled shortly before.
OLD_TOLERANCE = timedelta(seconds=60)
CONFIRMED_FIELDS = (
	"status",
	"health",
	"reached_on",
	"reached_by_user",
	"confirmed_by_outside",
	"reached_at",
	"milestone",
)
CLOSED_FIELDS = ("status", "closed_on", "closed_by", "reason")


def undo_cancel(plan: str, reason: str) -> None:
	"""Take back the cancellation of a plan: the tasks that were cancelled with it are open again.

	What changed in the document since then is followed as if it were saved now. Dates that were proposed stay declined.

	Args:
		plan: name of the plan.
		reason: why; required.

	Raises:
		frappe.ValidationError: the plan is not cancelled, was replaced, or its document is cancelled or gone.
		GateError: the document has reached a milestone meanwhile whose required tasks are open again.
	"""
	reason = plan_log.check_reason(reason)
	reference = frappe.db.get_value("Milestone Plan", plan, ["reference_type", "reference_name"])
	doc = stored_rows.locked_document(*reference) if reference else None
	with changing(plan) as plan:
		if doc:
			plan._reference_doc = doc
		_check_can_restore(plan, doc)
		task_names = _tasks_cancelled_with(plan)
		values = {"status": TaskStatus.OPEN.value, **dict.fromkeys(("closed_on", "closed_by", "reason"))}
		bulk.update_rows("Milestone Task", {name: values for name in task_names})
		todos.assign(task_names)
		plan.forget_tasks()
		plan.set_plan(status=PlanStatus.ACTIVE.value)
		criterion_waivers.count_open(plan)
		plan_log.write(plan, PlanEvent.CANCELLATION_UNDONE, reason=reason)
		changed = watched.changed_values(plan, doc)
		if changed:
			following.follow(plan, doc, changed, written=changed, is_end=True)


def _check_can_restore(plan: plan_rows.Plan, doc) -> None:
	if plan.status != PlanStatus.CANCELLED:
		frappe.throw(_("The plan is not cancelled, so there is nothing to undo."))
	document = plan_rows.load(plan.reference_type, plan.reference_name)
	if not document or document.name != plan.name:
		frappe.throw(_("A newer plan has replaced this one. Cancel Plan there, or keep it."))
	if not doc:
		frappe.throw(_("The document of this plan no longer exists."))
	if cint(plan.reference_doc().docstatus) == 2:
		frappe.throw(_("The document is cancelled. Amend it; the amendment takes over the plan."))


def _tasks_cancelled_with(plan: plan_rows.Plan) -> list[str]:
	"""Return the tasks that were cancelled together with a plan, not those that were cancelled before."""
	filters = {"plan": plan.name, "event": PlanEvent.PLAN_CANCELLED.value}
	entry = frappe.get_all(
		"Milestone Plan Log", filters=filters, fields=["done_on", "done_by"], order_by="done_on desc", limit=1
	)
	if not entry:
		return []
	cancelled = [
		task
		for task in plan_rows.task_rows(plan.name, lock=True)
		if task.status == TaskStatus.CANCELLED and task.closed_on and task.closed_by == entry[0].done_by
	]
	end = entry[0].done_on
	together = [task.name for task in cancelled if task.closed_on == end]
	return together or [task.name for task in cancelled if end - OLD_TOLERANCE <= task.closed_on < end]


def take_over(stages: list[dict], cancelled: plan_rows.Plan) -> None:
	"""Mark in a new plan what people confirmed, completed and waived in the cancelled plan that it replaces.

	Args:
		stages: field values of Milestone Plan Stage with their `tasks`, as `plan_builder.build` gives them; changed.
		cancelled: the plan of the same document and workflow that was cancelled.
	"""
	old_stages, closed = _paired_stages(stages, cancelled), _closed_tasks(stages, cancelled)
	confirmed = _confirmed(cancelled)
	for stage in stages:
		old = old_stages.get(stage["workflow_stage"])
		if old and old.waived_criteria:
			# Waivers of rules that the workflow no longer has count for nothing.
			stage["waived_criteria"] = old.waived_criteria
		tasks = [task for task in stage["tasks"] if task["workflow_task"] in closed]
		for task in tasks:
			task.update(closed[task["workflow_task"]])
		if old and old.name in confirmed:
			stage.update({name: old.get(name) for name in CONFIRMED_FIELDS}, tasks=tasks)


def _paired_stages(stages: list[dict], cancelled: plan_rows.Plan) -> dict:
	"""Return the old stage by the row of the workflow from which a new one was made."""
	return _paired(
		[(stage["workflow_stage"], _key(stage["stage_name"])) for stage in stages],
		[(row.workflow_stage, _key(row.stage_name), row) for row in cancelled.stages],
	)


def _paired(new: list[tuple], old: list[tuple]) -> dict:
	"""Return old rows by row of the workflow: the same one, else one that is gone and was called the same.

	Args:
		new: row of the workflow and what it is called, of each new row.
		old: likewise, with the old row.
	"""
	by_link = {link: row for link, _name, row in old if link}
	links = {link for link, _name in new}
	by_name = {name: row for link, name, row in old if link and link not in links}
	old_by_link = {link: by_link.get(link) or by_name.get(name) for link, name in new}
	return {link: row for link, row in old_by_link.items() if row}


def _key(*texts: str) -> tuple[str, ...]:
	return tuple(names.key(text) for text in texts)


def _confirmed(plan: plan_rows.Plan) -> set[str]:
	"""Return the row names of the stages that people have confirmed, also of those that a value would have reached."""
	reached = {row.milestone: row for row in plan.stages if row.status == StageStatus.REACHED}
	filters = {"name": ("in", [name for name in reached if name]), "track_field": CONFIRMED_FIELD}
	by_hand = frappe.get_all("Milestone", filters, pluck="name") if any(reached) else []
	by_rule = [row for row in plan.stages if _is_confirmed(row)]
	return {row.name for row in (*by_rule, *(reached[name] for name in by_hand))}


def _is_confirmed(stage) -> bool:
	return stage.status == StageStatus.REACHED and stage.reach_rule == ReachRule.CONFIRMATION


def _closed_tasks(stages: list[dict], cancelled: plan_rows.Plan) -> dict[str, dict]:
	"""Return how the completed and waived tasks of a plan were closed, with their assignees, by row of the workflow."""
	new = [
		(task["workflow_task"], _key(stage["stage_name"], task["title"]))
		for stage in stages
		for task in stage["tasks"]
	]
	rows = [
		task
		for task in plan_rows.task_rows(cancelled.name)
		if task.workflow_task and task.status in (TaskStatus.COMPLETED, TaskStatus.WAIVED)
	]
	people = assigned.rows_by_task([task.name for task in rows])
	paired = _paired(new, [(task.workflow_task, _key(task.stage_name, task.title), task) for task in rows])
	return {
		link: {
			**{name: task.get(name) for name in CLOSED_FIELDS},
			"assignees": [
				{name: row.get(name) for name in ("user", "contact", "full_name", "email", "done", "done_on")}
				for row in people[task.name]
			],
		}
		for link, task in paired.items()
	}
