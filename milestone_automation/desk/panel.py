"""The plan of a document for the desk: one dict, read with at most five queries; with exit criteria, one more for each."""

from collections import defaultdict

import frappe
from frappe import _
from frappe.utils import cint, getdate, nowdate

from milestone_automation.engine.base import calendars, compat
from milestone_automation.engine.people import assigned, criterion_texts, field_rights, rights
from milestone_automation.engine.plans import plan_builder
from milestone_automation.engine.progress import (
	critical_path,
	gate,
	proposals,
	rescheduling,
	stage_dates,
	stages,
)
from milestone_automation.engine.rules import criteria, schedule, task_order
from milestone_automation.engine.rules.criteria import CriterionState
from milestone_automation.engine.rules.vocabulary import (
	Health,
	PlanStatus,
	StageKind,
	StageStatus,
	TaskStatus,
)
from milestone_automation.engine.store import exit_criteria, forecasts, plan_rows
from milestone_automation.engine.tracking import registry
from milestone_automation.engine.workflows import matching

STAGE_COLUMNS = (
	"name",
	"stage_name",
	"kind",
	"status",
	"health",
	"planned_date",
	"key_date",
	"forecast_date",
	"forecast_p80",
	"date_field",
	"reached_on",
	"reached_by_user",
	"confirmed_by_outside",
	"reached_without_tasks_on",
	"stage_owner",
	"outside_owner_name",
	"owner_role",
	"open_required",
	"gate_mode",
	"reach_rule",
	"track_field",
	"track_value",
	"custom_message",
	"on_track_on",
)
TASK_COLUMNS = (
	"name",
	"title",
	"description",
	"status",
	"required",
	"due_date",
	"assignee_kind",
	"completion_rule",
	"closed_on",
	"closed_by",
	"reason",
)


def readable_document(doctype: str, name):
	"""Return a document that the user may read, without its child rows, which the panel does not need.

	Args:
		doctype, name: the document.

	Raises:
		frappe.PermissionError: there is none, or the session user may not see it.
	"""
	stored_name = rights.stored_name(doctype, name)
	may_look = rights.is_desk_user(frappe.session.user) and stored_name is not None
	if not may_look or not frappe.has_permission(doctype, "read"):
		rights.refuse_hidden(doctype, name)
	row = frappe.db.get_value(doctype, stored_name, "*", as_dict=True)
	doc = row and frappe.get_doc({"doctype": doctype, **row})
	if not doc or not compat.may(doctype, "read", doc):
		rights.refuse_hidden(doctype, name)
	return doc


def build(doc) -> dict:
	"""Return the plan of a readable document for the session user (see docs/api.md for the shape).

	Args:
		doc: the document, which the session user may read.
	"""
	rules = registry.for_doctype(doc.doctype)
	answer = {
		"plan": None,
		"workflows": [],
		"may": {"manage": rights.can_manage(), "start": False},
		"today": nowdate(),
		"stages": [],
	}
	if not rules or not rules.has_workflow:
		return answer
	plan = plan_rows.load(doc.doctype, doc.name)
	if plan:
		plan._reference_doc = doc
		answer["plan"] = _plan(plan)
		cancelled = plan.status == PlanStatus.CANCELLED and cint(doc.docstatus) != 2
		answer["may"]["undo_cancel"] = cancelled and rights.can_manage()
		answer["stages"] = _stages(plan)
		answer["user_names"] = _user_names(answer["stages"])
	if not plan or plan.status == PlanStatus.CANCELLED:
		answer["workflows"] = _startable(doc)
		answer["may"]["start"] = bool(answer["workflows"])
	return answer


def _user_names(stages: list[dict]) -> dict[str, str]:
	"""Return the full names of the users in stages and tasks; a form knows only the users of its document."""
	users = {stage[field] for stage in stages for field in ("stage_owner", "reached_by_user")}
	users |= {stage["proposal"]["proposed_by"] for stage in stages if stage["proposal"]}
	users |= {one["waived_by"] for stage in stages for one in stage["criteria"]}
	users |= {task["closed_by"] for stage in stages for task in stage["tasks"]}
	return _full_names(users)


def _full_names(users: set[str | None]) -> dict[str, str]:
	users = sorted(user for user in users if user)
	if not users:
		return {}
	fields, filters = ["name", "full_name"], {"name": ("in", users)}
	return dict(frappe.get_all("User", filters=filters, fields=fields, as_list=True, order_by=None))


def _startable(doc) -> list[dict]:
	if cint(doc.docstatus) == 2 or not compat.may(doc.doctype, "write", doc):
		return []
	names = matching.candidates(doc.doctype)
	return [{"name": name} for name in names if matching.matches(matching.template(name), doc)]


def _plan(plan: plan_rows.Plan) -> dict:
	values = {
		name: plan.get(name)
		for name in (
			"name",
			"workflow",
			"workflow_version",
			"status",
			"health",
			"current_stage",
			"earlier_tasks_block",
			"reached_in_order",
			"later_stages",
			"owners_propose",
			"gate_failed_on",
			"on_hold_since",
			"hold_reason",
		)
	}
	values["newest_version"] = frappe.get_cached_value("Milestone Workflow", plan.workflow, "version")
	return values


# A plan with more tasks shows those of its current stage only; the others are read when their stage is opened.
TASKS_AT_ONCE = 100
# How many of the tasks that block a stage are named; the others are counted.
NAMED_BLOCKING = 10
# The same for a stage of such a plan that is not opened.
NAMED_UNOPENED = 3


def _stages(plan: plan_rows.Plan) -> list[dict]:
	tasks, verdicts, branches = _Tasks(plan), _verdicts(plan), _branches(plan)
	all_at_once = len(tasks.rows) <= TASKS_AT_ONCE
	return [
		_stage(plan, row, tasks, verdicts, shows_tasks=all_at_once or row.stage_name == plan.current_stage)
		| branches[row.name]
		for row in plan.stages
	]


def _branches(plan: plan_rows.Plan) -> dict[str, dict]:
	"""Return the float of each stage in days, and the names of the stages it depends on, None for just the one before."""
	floats = critical_path.floats(plan.stages, lambda: plan_rows.calendar_of(plan))
	branches = {}
	for position, (row, direct) in enumerate(zip(plan.stages, plan.network().direct, strict=True)):
		is_usual = direct == ((position - 1,) if position else ())
		names = None if is_usual else [plan.stages[i].stage_name for i in direct]
		branches[row.name] = {"float": floats[position], "depends_on": names}
	return branches


def _verdicts(plan: plan_rows.Plan) -> dict[str, list]:
	"""Return how the exit criteria of each open stage stand now; no query where there are none."""
	is_over = plan.status == PlanStatus.CANCELLED
	verdict_lists = (
		[[] for _row in plan.stages] if is_over else exit_criteria.of_open_stages(plan, plan.stages)
	)
	return {row.name: verdicts for row, verdicts in zip(plan.stages, verdict_lists, strict=True)}


def tasks_of_stage(doc, stage: str) -> dict:
	"""Return one stage of the plan of a readable document, with its tasks, as `build` does.

	Args:
		doc: the document.
		stage: row name or name of the stage.

	Returns:
		dict: `stage`, and `user_names`, full names by user id.

	Raises:
		frappe.DoesNotExistError: the document has no plan, or the plan no such stage.
	"""
	plan = plan_rows.load(doc.doctype, doc.name)
	if not plan:
		frappe.throw(
			_("{0} {1} has no milestone plan.").format(_(doc.doctype), doc.name), frappe.DoesNotExistError
		)
	plan._reference_doc = doc
	stage_row = plan.stage(stage)
	row = (
		_stage(plan, stage_row, _Tasks(plan), _verdicts(plan), shows_tasks=True)
		| _branches(plan)[stage_row.name]
	)
	return {"stage": row, "user_names": _user_names([row])}


class _Tasks:
	"""The tasks of a plan by stage, read once, with what the session user may see of them."""

	def __init__(self, plan: plan_rows.Plan):
		self.rows = plan_rows.task_rows(plan.name)
		self.assignees = assigned.rows_by_task(task.name for task in self.rows)
		self.sees_all = rights.is_desk_user(frappe.session.user)
		self.by_stage = defaultdict(list)
		for task in self.rows:
			self.by_stage[task.plan_stage].append(task)
		still_open = [task for task in self.rows if task.status == TaskStatus.OPEN]
		self.waiting = task_order.waiting(still_open, still_open)
		self.blocking = [
			task for task in self.rows if task.required and task.status == TaskStatus.OPEN and self.sees_all
		]


def _stage(plan: plan_rows.Plan, row, tasks: _Tasks, verdicts: dict, shows_tasks: bool) -> dict:
	may_act = _may_act(plan, row)
	of_stage = tasks.by_stage[row.name]
	visible = [task for task in of_stage if tasks.sees_all or _is_assigned(tasks.assignees[task.name])]
	blocking = _blocked_by(plan, row, tasks)
	most_named = NAMED_BLOCKING if shows_tasks else NAMED_UNOPENED
	return {
		**{name: row.get(name) for name in STAGE_COLUMNS},
		"chance": forecasts.chance_of(row),
		**_of_document(plan, row),
		"actions": _stage_actions(plan, row, may_act),
		**_shown_tasks(plan, visible, tasks, shows_tasks),
		"hidden_tasks": len(of_stage) - len(visible),
		"blocked_by": [_blocking(plan, task, tasks) for task in blocking[:most_named]],
		"blocking_tasks": len(blocking),
		"criteria": [_criterion(plan, verdict, may_act) for verdict in verdicts[row.name]],
		**_blocking_criteria(plan, row, verdicts, most_named),
		"proposal": proposals.shown(row),
		"with_actual": _with_actual(plan, row) if may_act and not proposals.must_propose(plan) else None,
		"comes_after": [other.stage_name for other in _comes_after(plan, row)],
	}


def _shown_tasks(plan: plan_rows.Plan, visible: list, tasks: _Tasks, shows_tasks: bool) -> dict:
	if not shows_tasks:
		return {"tasks": [], "more_tasks": len(visible)}
	return {"tasks": _tasks(plan, visible, tasks), "more_tasks": 0}


def _tasks(plan: plan_rows.Plan, shown_tasks: list, tasks: _Tasks) -> list[dict]:
	return [_task(task, tasks.assignees[task.name], plan, tasks.waiting) for task in shown_tasks]


def _criterion(plan: plan_rows.Plan, verdict: criteria.Verdict, may_act: bool) -> dict:
	waiver = verdict.waiver if verdict.state is CriterionState.WAIVED else None
	actions = ["reopen_criterion"] if may_act and verdict.waiver else []
	if rights.can_manage() and verdict.state in (CriterionState.OPEN, CriterionState.BROKEN):
		actions = ["waive_criterion"]
	return {
		"key": verdict.criterion.key,
		"text": criterion_texts.describe(verdict.criterion, plan.reference_type),
		"required": int(verdict.criterion.required),
		"state": verdict.state.value,
		"waived_by": waiver and waiver["by"],
		"waived_on": waiver and waiver["on"],
		"reason": waiver and waiver["reason"],
		"actions": actions,
	}


def _blocking_criteria(plan: plan_rows.Plan, stage, verdicts: dict, most_named: int) -> dict:
	"""Return what exit criteria block an open stage; where the plan says so also those of earlier stages."""
	if stage.status == StageStatus.REACHED:
		return {"open_criteria": 0, "blocked_by_criteria": [], "blocking_criteria": 0}
	rows = gate.blocking_stages(plan, stage)
	blocking_verdicts = [verdict for row in rows for verdict in criteria.blocking(verdicts[row.name])]
	shown_criteria = [
		{
			"key": verdict.criterion.key,
			"text": criterion_texts.describe(verdict.criterion, plan.reference_type),
			"stage_name": verdict.stage_name,
			"actions": ["waive_criterion"] if rights.can_manage() else [],
		}
		for verdict in blocking_verdicts[:most_named]
	]
	own_criteria = len(criteria.blocking(verdicts[stage.name]))
	return {
		"open_criteria": own_criteria,
		"blocked_by_criteria": shown_criteria,
		"blocking_criteria": len(blocking_verdicts),
	}


def _with_actual(plan: plan_rows.Plan, stage) -> dict | None:
	"""Return to which date the next stage would move with the one that was reached early or late."""
	offer = plan.status == PlanStatus.ACTIVE and rescheduling.date_with_actual(plan, stage)
	if not offer:
		return None
	reached, new_date = offer
	days = (getdate(reached.reached_on) - getdate(reached.key_date)).days
	return {
		"stage_name": reached.stage_name,
		"reached_on": reached.reached_on,
		"days": days,
		"new_date": new_date,
	}


def _of_document(plan: plan_rows.Plan, stage) -> dict:
	"""Return what a stage says of the document's own values, without those of fields the user may not read."""
	hidden = field_rights.hidden(plan.reference_type)
	day = stage_dates.differing_document_date(plan, stage)
	values = {"document_date": None if stage.date_field in hidden else day}
	return values | ({"track_value": None} if stage.track_field in hidden else {})


def _comes_after(plan: plan_rows.Plan, stage) -> list:
	"""Return the stages that must be reached before an open one."""
	return gate.stages_in_the_way(plan, stage)[:NAMED_BLOCKING] if stage.status != StageStatus.REACHED else []


def _may_act(plan: plan_rows.Plan, stage) -> bool:
	"""Tell whether the user may act on a stage. The document is readable, so this needs no query."""
	owns = rights.can_manage() or rights.owns_stage(stage, frappe.session.user)
	return owns and plan.status != PlanStatus.CANCELLED


def _is_assigned(assignees: list) -> bool:
	return any(row.user == frappe.session.user for row in assignees)


def _stage_actions(plan: plan_rows.Plan, stage, may_act: bool) -> list[str]:
	if not may_act:
		return []
	if stage.status == StageStatus.REACHED:
		return ["undo"]
	actions = _date_actions(plan, stage)
	if stage.kind != StageKind.ACCEPTANCE:
		actions.append("add_task")
	if not stages.waits_for_value(plan, stage):
		actions.insert(0, "confirm")
	return actions


def _date_actions(plan: plan_rows.Plan, stage) -> list[str]:
	actions = ["propose_date" if proposals.must_propose(plan) else "reschedule"]
	if _asks_whether_on_track(plan, stage):
		actions.append("on_track")
	if stage.proposal and rights.can_manage():
		actions += ["accept_date", "decline_date"]
	return actions


def _asks_whether_on_track(plan: plan_rows.Plan, stage) -> bool:
	"""Tell whether the check-in of an open stage waits for its answer."""
	first, today = schedule.check_in_from(stage), getdate(nowdate())
	is_time = bool(first) and first <= today <= getdate(stage.key_date)
	is_asked = is_time and not plan.on_hold_since and stage.health != Health.SKIPPED
	return is_asked and not schedule.has_checked_in(stage)


def _blocked_by(plan, stage, tasks: _Tasks) -> list:
	"""Return the open required tasks that block an open stage; where the plan says so also those of earlier stages."""
	if stage.status == StageStatus.REACHED:
		return []
	stages = {row.name for row in gate.blocking_stages(plan, stage)}
	return [task for task in tasks.blocking if task.plan_stage in stages]


def _blocking(plan: plan_rows.Plan, task, tasks: _Tasks) -> dict:
	assignees = tasks.assignees[task.name]
	return {
		"task": task.name,
		"title": task.title,
		"stage_name": task.stage_name,
		"assignees": assigned.open_names(assignees),
		"actions": _task_actions(plan, task, assignees, tasks.waiting),
	}


def _task(task, assignees: list, plan: plan_rows.Plan, waiting: dict) -> dict:
	values = {name: task.get(name) for name in TASK_COLUMNS}
	first = waiting.get(task.name, [])
	values.update(
		waits_for=[other.title for other in first],
		overdue=bool(
			task.status == TaskStatus.OPEN
			and task.due_date
			and getdate(task.due_date) < getdate(nowdate())
			and not plan.on_hold_since
		),
		assignees=[
			{name: row.get(name) for name in ("user", "full_name", "email", "done")} for row in assignees
		],
		actions=_task_actions(plan, task, assignees, waiting),
	)
	return values


def _task_actions(plan: plan_rows.Plan, task, assignees: list, waiting: dict) -> list[str]:
	stage = plan.stage(task.plan_stage)
	if plan.status == PlanStatus.CANCELLED or not (_may_act(plan, stage) or _is_assigned(assignees)):
		return []
	if task.status == TaskStatus.OPEN:
		actions = [] if waiting.get(task.name) else ["complete"]
		return [*actions, "waive", "cancel"] if rights.can_manage() else actions
	return [] if stage.status == StageStatus.REACHED else ["reopen"]


def preview(workflow, doc) -> dict:
	"""Return what a workflow would make of a document, as plain values for the desk.

	Args:
		workflow: Milestone Workflow, stored or of a form.
		doc: the document, which the session user may read.

	Returns:
		dict: `matches`, whether the workflow is for it; `problems`, sentences; `stages`, with dates, `tasks`, `float` in days
		and `criteria`; `user_names`, full names of their owners by user id.
	"""
	draft = plan_builder.build(workflow, doc)
	plan_builder.take_from_history(draft.stages, doc)
	plan_builder.settle_dates(draft, workflow, doc)
	floats = critical_path.floats(draft.stages, lambda: calendars.for_document(doc))
	return {
		"matches": matching.matches(workflow, doc),
		"problems": draft.problems,
		"user_names": _full_names({stage.get("stage_owner") for stage in draft.stages}),
		"stages": [
			{
				**{name: stage.get(name) for name in (*STAGE_COLUMNS, "reached_on")},
				"tasks": stage["tasks"],
				"float": days,
				"criteria": verdicts,
			}
			for stage, days, verdicts in zip(
				draft.stages, floats, _preview_criteria(draft.stages, doc), strict=True
			)
		],
	}


def _preview_criteria(stages: list[dict], doc) -> list[list[dict]]:
	open_stages = [stage if exit_criteria.has_open(stage) else {} for stage in stages]
	return [
		[
			{
				"text": criterion_texts.describe(verdict.criterion, doc.doctype),
				"required": int(verdict.criterion.required),
				"state": verdict.state.value,
			}
			for verdict in verdicts
		]
		for verdicts in exit_criteria.judge(doc.doctype, doc.name, open_stages)
	]
