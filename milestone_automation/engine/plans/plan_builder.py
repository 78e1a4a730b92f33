"""The plan that a workflow gives a document: stages with dates, tasks with assignees. Writes nothing.

The preview in the desk and the creation of a plan use the same function.
"""

from dataclasses import dataclass, field

import frappe
from frappe import _
from frappe.utils import getdate, nowdate

from milestone_automation.engine.base import calendars
from milestone_automation.engine.people import assignees
from milestone_automation.engine.progress import stage_dates
from milestone_automation.engine.rules import dates, task_dates
from milestone_automation.engine.rules.network import Network
from milestone_automation.engine.rules.vocabulary import OUTSIDE_OWNERS, ReachRule, StageStatus
from milestone_automation.engine.rules.working_days import OutOfCalendar
from milestone_automation.engine.store import watched

# Fields that a plan stage copies from the workflow's row.
STAGE_FIELDS = (
	"stage_name",
	"kind",
	"owner_kind",
	"owner_user",
	"owner_role",
	"owner_field",
	"owner_name",
	"owner_email",
	"notify_users",
	"notify_role",
	"dependency",
	"predecessors",
	"key_date_rule",
	"date_field",
	"offset_days",
	"working_days",
	"reach_rule",
	"track_field",
	"track_value",
	"gate_mode",
	"exit_criteria",
	"custom_message",
	"custom_message_by",
	"warning_lead_days",
	"task_lead_days",
	"check_in_days",
	"remind_after_days",
	"remind_every_days",
	"remind_at_most",
	"next_actions",
	"next_actions_by",
)
TASK_FIELDS = (
	"title",
	"description",
	"required",
	*assignees.ASSIGNEE_RULE_FIELDS,
	"completion_rule",
	"after_tasks",
	"due_days_before",
	"working_days",
)
PLAN_FIELDS = (
	"earlier_tasks_block",
	"reached_in_order",
	"new_documents",
	"imported_documents",
	"later_stages",
	"owners_propose",
	"escalation_role",
	"escalate_after_days",
	"team_role",
	"team_group",
	"supplier_field",
	"shown_fields",
	"shown_fields_by",
	"completed_actions",
	"completed_actions_by",
)


@dataclass
class PlanDraft:
	"""A plan before it is written.

	Attributes:
		workflow, version: name and version of the workflow.
		plan: field values of Milestone Plan.
		stages: field values of Milestone Plan Stage, each with `tasks`, field values of Milestone Task.
		problems: sentences about dates that had to be moved and tasks without assignees.
		date_problems: those of them that are about dates of stages; they come first.
	"""

	workflow: str
	version: int
	plan: dict
	stages: list[dict]
	problems: list[str] = field(default_factory=list)
	date_problems: list[str] = field(default_factory=list)


def build(workflow, doc, today=None) -> PlanDraft:
	"""Work out the plan that a workflow gives a document; writes nothing.

	Args:
		workflow: the Milestone Workflow document.
		doc: the document.
		today: date on which stages whose value the document has count as reached; today by default.
	"""
	today = getdate(today or nowdate())
	calendar = calendars.for_document(doc)
	draft = PlanDraft(workflow.name, workflow.version or 1, {f: workflow.get(f) for f in PLAN_FIELDS}, [])
	draft.plan["created_from"] = getdate(doc.creation) if doc.get("creation") else today
	reached_on = [today if watched.holds_value(row, doc) else None for row in workflow.stages]
	key_dates = _key_dates(workflow, doc, draft, calendar, reached_on)
	people = assignees.prefetch(workflow.tasks, doc, workflow, stages=workflow.stages)
	for row, key_date, day in zip(workflow.stages, key_dates, reached_on, strict=True):
		stage = _stage(workflow, row, doc, key_date, day, people)
		stage["document_date_moved"] = int(waits_for_document(row, key_date, doc, calendar, day))
		if row.owner_kind in OUTSIDE_OWNERS and not (stage["stage_owner"] or stage["outside_owner"]):
			draft.problems.append(
				_("No owner was found for {0} ({1}).").format(row.stage_name, _(row.owner_kind))
			)
		if stage["status"] == StageStatus.OPEN:
			stage["tasks"] = _tasks(workflow, row, key_date, doc, calendar, people, draft)
		draft.stages.append(stage)
	return draft


def waits_for_document(row, key_date, doc, calendar, reached_on=None) -> bool:
	"""Tell whether the document gives an open stage another date than it can have for now: it goes there when it can.

	Args:
		row: row of a workflow or plan, with the date rule of the stage.
		key_date: the key date that it has.
		doc: the document.
		calendar: working days of the document.
		reached_on: day on which it was reached; None for an open one.
	"""
	if reached_on or not stage_dates.is_anchored(row):
		return False
	(document_date,) = dates.plan_dates([stage_dates.stage_rule(row, doc)], getdate(), calendar, failed=[])
	return bool(document_date) and document_date != key_date


def _key_dates(workflow, doc, draft: PlanDraft, calendar, reached_on: list) -> list:
	"""Return the key dates, in order: a stage that the document has reached counts by the day, if that is earlier."""
	rules = [stage_dates.stage_rule(row, doc) for row in workflow.stages]
	failed: list[int] = []
	network = Network.of(workflow.stages)
	key_dates = _dates_by_rule(rules, draft.plan["created_from"], calendar, network, reached_on, failed)
	problems = [
		_("{0} has no key date: it would be outside the calendar (years 1 to 9999).").format(
			rules[index].name
		)
		for index in failed
	]
	reached = [bool(day) for day in reached_on]
	days = dates.counting_days(reached_on, reached, network)
	counting = dates.counting_dates(key_dates, days)
	while fault := dates.first_out_of_order(counting, reached, network):
		late, early = fault
		problems.append(
			_("{0} would be due on {1}, before {2} on {3}. It was moved to {3}.").format(
				rules[late].name,
				frappe.format(key_dates[late], "Date"),
				rules[early].name,
				frappe.format(counting[early], "Date"),
			)
		)
		key_dates[late] = counting[late] = counting[early]
	draft.problems[: len(draft.date_problems)] = problems
	draft.date_problems = problems
	return key_dates


def _dates_by_rule(
	rules: list, created_on, calendar, network: Network, reached_on: list, failed: list[int]
) -> list:
	"""Return the key dates by rule: what comes after a stage that was reached without one counts from that day."""
	key_dates = dates.plan_dates(rules, created_on, calendar, failed=failed, network=network)
	counted_from = [day or actual for day, actual in zip(key_dates, reached_on, strict=True)]
	if counted_from == key_dates:
		return key_dates
	dated = dates.plan_dates(rules, created_on, calendar, counted_from, failed=[], network=network)
	return [
		key_date if actual else day
		for key_date, day, actual in zip(key_dates, dated, reached_on, strict=True)
	]


def _stage(workflow, row, doc, key_date, reached_on, people) -> dict:
	stage = {name: row.get(name) for name in STAGE_FIELDS}
	stage.update(
		workflow_stage=row.name,
		planned_date=key_date,
		key_date=key_date,
		**assignees.resolve_stage_owner(row, doc, workflow, cache=people),
		status=StageStatus.OPEN.value,
		tasks=[],
	)
	if reached_on:
		stage.update(status=StageStatus.REACHED.value, reached_on=reached_on, health="Done")
	return stage


def _due_date(row, key_date, calendar, problems: list[str] | None = None):
	try:
		return task_dates.task_due_date(key_date, row.due_days_before or 0, bool(row.working_days), calendar)
	except OutOfCalendar:
		text = _("The task {0} has no due date: it would be before year 1.").format(row.title)
		if problems is not None:
			problems.append(text)
		return None


def _tasks(workflow, stage_row, key_date, doc, calendar, people, draft) -> list[dict]:
	tasks = []
	for row in workflow.tasks:
		if row.stage != stage_row.stage_name:
			continue
		task = {name: row.get(name) for name in TASK_FIELDS}
		task.update(
			workflow_task=row.name,
			stage_name=stage_row.stage_name,
			task_order=row.idx,
			due_date=_due_date(row, key_date, calendar, draft.problems),
			assignees=assignees.resolve(row, doc, workflow, cache=people),
		)
		if row.assignee_kind and not task["assignees"]:
			draft.problems.append(
				_("No assignee was found for the task {0} ({1}).").format(row.title, _(row.assignee_kind))
			)
		tasks.append(task)
	return tasks


def settle_dates(draft: PlanDraft, workflow, doc) -> None:
	"""Date the stages anew, with all that is known by now about what the document has reached, and when.

	Args:
		draft: as `build` gives it, with the stages that history or another plan marks as reached; changed.
		workflow: the Milestone Workflow document.
		doc: the document.
	"""
	calendar = calendars.for_document(doc)
	reached_on = [stage.get("reached_on") for stage in draft.stages]
	key_dates = _key_dates(workflow, doc, draft, calendar, reached_on)
	for row, stage, day in zip(workflow.stages, draft.stages, key_dates, strict=True):
		if stage["key_date"] == day:
			continue
		waits = waits_for_document(row, day, doc, calendar, stage.get("reached_on"))
		stage.update(planned_date=day, key_date=day, document_date_moved=int(waits))
		for task in stage["tasks"]:
			if not task.get("closed_on"):
				task["due_date"] = _due_date(frappe._dict(task), day, calendar)


def take_from_history(stages: list[dict], doc) -> None:
	"""Mark stages that the document's milestones show as reached, with their dates.

	These are the stage whose value the document has, and earlier stages with a milestone. They get no tasks.

	Args:
		stages: as `build` gives them; changed.
		doc: the document.
	"""
	reached = [index for index, stage in enumerate(stages) if stage["status"] == StageStatus.REACHED]
	if not reached:
		return
	rows = frappe.get_all(
		"Milestone",
		filters={
			"reference_type": doc.doctype,
			"reference_name": str(doc.name),
			"reference_deleted": 0,
			"undone": 0,
			"merged_from": ("is", "not set"),
		},
		fields=["name", "track_field", "value", "reached_on", "from_value"],
		order_by="reached_on",
	)
	latest = {(row.track_field, row.value): row for row in rows}
	for stage in stages[: reached[-1] + 1]:
		row = latest.get((stage["track_field"], (stage["track_value"] or "").strip()))
		if row and stage["reach_rule"] == ReachRule.FIELD_VALUE:
			stage.update(
				status=StageStatus.REACHED.value,
				health="Done",
				reached_on=getdate(row.reached_on),
				milestone=row.name,
				value_before=row.from_value,
				tasks=[],
			)
