"""What the desk shows of a document's plan: one dict, at most five queries."""

import frappe
from frappe import _
from frappe.utils import cint, getdate, nowdate

from milestone_automation.engine.people import assigned, rights
from milestone_automation.engine.plans import plan_builder
from milestone_automation.engine.progress import gate, stages
from milestone_automation.engine.rules.vocabulary import PlanStatus, StageKind, StageStatus, TaskStatus
from milestone_automation.engine.store import plan_rows
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
	"reached_on",
	"reached_by_user",
	"stage_owner",
	"owner_role",
	"open_required",
	"gate_mode",
	"reach_rule",
	"track_field",
	"track_value",
	"custom_message",
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
	"""Return a document without its child rows, which the panel never needs, after checking the right to read it.

	Raises:
		frappe.DoesNotExistError, frappe.PermissionError
	"""
	if not frappe.has_permission(doctype, "read"):
		raise_not_permitted(doctype, name)
	row = frappe.db.get_value(doctype, name, "*", as_dict=True)
	if not row:
		frappe.throw(_("{0} {1} not found").format(_(doctype), name), frappe.DoesNotExistError)
	doc = frappe.get_doc({"doctype": doctype, **row})
	if not frappe.has_permission(doctype, "read", doc=doc):
		raise_not_permitted(doctype, name)
	return doc


def raise_not_permitted(doctype: str, name) -> None:
	frappe.throw(_("You may not see {0} {1}.").format(_(doctype), name), frappe.PermissionError)


def build(doc) -> dict:
	"""Return the plan of a readable document for the session user (see docs/api.md for the shape)."""
	own = registry.for_doctype(doc.doctype)
	answer = {
		"plan": None,
		"workflows": [],
		"may": {"manage": rights.can_manage(), "start": False},
		"today": nowdate(),
		"stages": [],
	}
	if not own or not own.has_workflow:
		return answer
	plan = plan_rows.load(doc.doctype, doc.name)
	if plan:
		plan._reference_doc = doc
		answer["plan"] = _plan(plan)
		answer["stages"] = _stages(plan)
		answer["user_names"] = _user_names(answer["stages"])
	if not plan or plan.status == PlanStatus.CANCELLED:
		answer["workflows"] = _startable(doc)
		answer["may"]["start"] = bool(answer["workflows"])
	return answer


def _user_names(stages: list[dict]) -> dict[str, str]:
	"""Return the full names of the users the stages and tasks speak of: a form knows its own users only."""
	users = {stage[field] for stage in stages for field in ("stage_owner", "reached_by_user")}
	users |= {task["closed_by"] for stage in stages for task in stage["tasks"]}
	users.discard(None)
	return dict(
		frappe.get_all(
			"User",
			filters={"name": ("in", list(users))},
			fields=["name", "full_name"],
			as_list=True,
			order_by=None,
		)
	)


def _startable(doc) -> list[dict]:
	if cint(doc.docstatus) == 2 or not frappe.has_permission(doc.doctype, "write", doc=doc):
		return []
	names = matching.candidates(doc.doctype)
	return [
		{"name": name}
		for name in names
		if matching.matches(frappe.get_cached_doc("Milestone Workflow", name), doc)
	]


def _plan(plan: plan_rows.Plan) -> dict:
	shown = {
		name: plan.get(name)
		for name in (
			"name",
			"workflow",
			"workflow_version",
			"status",
			"health",
			"current_stage",
			"strict_order",
			"later_stages",
		)
	}
	shown["newest_version"] = frappe.get_cached_value("Milestone Workflow", plan.workflow, "version")
	return shown


def _stages(plan: plan_rows.Plan) -> list[dict]:
	tasks = plan_rows.task_rows(plan.name)
	people = assigned.rows_by_task(task.name for task in tasks)
	may_see_tasks = rights.is_desk_user(frappe.session.user)
	is_manager = rights.can_manage()
	shown = []
	for row in plan.stages:
		own = [task for task in tasks if task.plan_stage == row.name]
		# The document is readable, or nobody would be here: what is left of can_act_on_stage costs no query.
		may_act = is_manager or rights.owns_stage(row, frappe.session.user)
		may_act = may_act and plan.status != PlanStatus.CANCELLED
		visible = [t for t in own if may_see_tasks or _is_assigned(people[t.name])]
		stage = {name: row.get(name) for name in STAGE_COLUMNS}
		stage.update(
			actions=_stage_actions(plan, row, may_act),
			tasks=[_task(t, people[t.name], row, may_act, plan) for t in visible],
			hidden_tasks=len(own) - len(visible),
			held_by=_held_by(
				plan, row, visible_names={t.name for t in tasks if may_see_tasks}, tasks=tasks, people=people
			),
		)
		shown.append(stage)
	return shown


def _is_assigned(people: list) -> bool:
	return any(person.user == frappe.session.user for person in people)


def _stage_actions(plan: plan_rows.Plan, stage, may_act: bool) -> list[str]:
	if not may_act:
		return []
	if stage.status == StageStatus.REACHED:
		return ["undo"]
	actions = ["reschedule"]
	if stage.kind != StageKind.ACCEPTANCE:
		actions.append("add_task")
	if not stages.waits_for_value(plan, stage):
		actions.insert(0, "confirm")
	return actions


def _held_by(plan, stage, visible_names: set, tasks: list, people: dict) -> list[dict]:
	"""Return the open required tasks that hold an open stage, by earlier stages too in strict order."""
	if stage.status == StageStatus.REACHED:
		return []
	rows = {row.name for row in gate.holding_stages(plan, stage)}
	return [
		{
			"task": task.name,
			"title": task.title,
			"stage_name": task.stage_name,
			"assignees": assigned.open_names(people[task.name]),
		}
		for task in tasks
		if task.plan_stage in rows
		and task.required
		and task.status == TaskStatus.OPEN
		and task.name in visible_names
	]


def _task(task, people: list, stage, may_act_on_stage: bool, plan) -> dict:
	shown = {name: task.get(name) for name in TASK_COLUMNS}
	shown.update(
		overdue=bool(
			task.status == TaskStatus.OPEN and task.due_date and getdate(task.due_date) < getdate(nowdate())
		),
		assignees=[
			{"user": p.user, "full_name": p.full_name, "email": p.email, "done": p.done} for p in people
		],
		actions=[],
	)
	if plan.status != PlanStatus.CANCELLED and (may_act_on_stage or _is_assigned(people)):
		shown["actions"] = _task_actions(task, stage)
	return shown


def _task_actions(task, stage) -> list[str]:
	if task.status == TaskStatus.OPEN:
		return ["complete", "waive", "cancel"] if rights.can_manage() else ["complete"]
	return [] if stage.status == StageStatus.REACHED else ["reopen"]


def preview(workflow, doc) -> dict:
	"""Return what a workflow would make of a document, as plain values for the desk."""
	draft = plan_builder.build(workflow, doc)
	return {
		"matches": matching.matches(workflow, doc),
		"problems": draft.problems,
		"stages": [
			{**{name: stage.get(name) for name in (*STAGE_COLUMNS, "reached_on")}, "tasks": stage["tasks"]}
			for stage in draft.stages
		],
	}
