"""What a workflow makes of a document: stages with dates, tasks with assignees. Reads, never writes.

The preview in the desk and the making of a plan use the same function, so the preview is what comes.
"""

import hashlib
from dataclasses import dataclass, field

import frappe
from frappe import _
from frappe.utils import cstr, getdate, nowdate

from milestone_automation.engine import assignees, calendars, dates, values
from milestone_automation.engine.rules import field_type
from milestone_automation.engine.vocabulary import KeyDateRule, ReachRule, ShiftMode, StageStatus

# What a plan stage takes over from the workflow's row as it stands.
STAGE_FIELDS = (
	"stage_name",
	"kind",
	"owner_kind",
	"owner_user",
	"owner_role",
	"owner_field",
	"notify_users",
	"notify_role",
	"key_date_rule",
	"date_field",
	"offset_days",
	"working_days",
	"reach_rule",
	"track_field",
	"track_value",
	"gate_mode",
	"custom_message",
	"warning_lead_days",
	"task_lead_days",
	"remind_after_days",
	"remind_every_days",
	"remind_at_most",
	"next_actions",
)
TASK_FIELDS = (
	"title",
	"description",
	"required",
	*assignees.RULE_FIELDS,
	"completion_rule",
	"due_days_before",
	"working_days",
)
PLAN_FIELDS = (
	"strict_order",
	"later_stages",
	"escalation_role",
	"escalate_after_days",
	"team_role",
	"team_group",
	"supplier_field",
)


# 9999-12-31 is how many systems say "no end"; nobody plans for it, and no day lies after it.
OPEN_END = 9999


@dataclass
class PlanDraft:
	"""A plan before it is written: rows of Milestone Plan Stage, each with its rows of Milestone Task."""

	workflow: str
	version: int
	plan: dict
	stages: list[dict]
	problems: list[str] = field(default_factory=list)


def build(workflow, doc, today=None) -> PlanDraft:
	"""Work out the plan a workflow gives a document.

	Args:
		workflow: the Milestone Workflow document.
		doc: the document to plan for.
		today: the day on which stages already true count as reached; the site's today by default.

	Returns:
		PlanDraft: nothing of it is written. `problems` are whole sentences: dates that had to be moved to keep the
		order, tasks nobody is there for.
	"""
	today = getdate(today or nowdate())
	calendar = calendars.for_document(doc)
	draft = PlanDraft(workflow.name, workflow.version or 1, {f: workflow.get(f) for f in PLAN_FIELDS}, [])
	draft.plan["created_from"] = getdate(doc.creation) if doc.get("creation") else today
	key_dates = _key_dates(workflow, doc, draft, calendar)
	people = assignees.prefetch(workflow.tasks, doc, workflow, stages=workflow.stages)
	for row, key_date in zip(workflow.stages, key_dates, strict=True):
		stage = _stage(row, doc, key_date, today, people)
		if stage["status"] == StageStatus.OPEN:
			stage["tasks"] = _tasks(workflow, row, key_date, doc, calendar, people, draft)
		draft.stages.append(stage)
	return draft


def stage_rule(row, doc) -> dates.StageRule:
	"""Return a stage's date rule with the document's date in it."""
	value = doc.get(row.date_field) if row.date_field else None
	day = getdate(value) if value else None
	return dates.StageRule(
		name=row.stage_name,
		rule=KeyDateRule(row.key_date_rule),
		offset_days=row.offset_days or 0,
		working_days=bool(row.working_days),
		date_value=day if day and day.year < OPEN_END else None,
	)


def _key_dates(workflow, doc, draft: PlanDraft, calendar) -> list:
	rules = [stage_rule(row, doc) for row in workflow.stages]
	key_dates = dates.plan_dates(rules, draft.plan["created_from"], calendar)
	while fault := dates.first_out_of_order(key_dates):
		late, early = fault
		draft.problems.append(
			_("{0} would be due on {1}, before {2} on {3}. It was moved to {3}.").format(
				rules[late].name,
				frappe.format(key_dates[late], "Date"),
				rules[early].name,
				frappe.format(key_dates[early], "Date"),
			)
		)
		key_dates = dates.move_stage(
			key_dates, [], late, key_dates[early], ShiftMode.KEEP_ORDER, calendar
		).dates
	return key_dates


def _stage(row, doc, key_date, today, people) -> dict:
	stage = {name: row.get(name) for name in STAGE_FIELDS}
	stage.update(
		workflow_stage=row.name,
		planned_date=key_date,
		key_date=key_date,
		stage_owner=assignees.resolve_stage_owner(row, doc, cache=people),
		status=StageStatus.OPEN.value,
		tasks=[],
	)
	if holds_value(row, doc):
		stage.update(status=StageStatus.REACHED.value, reached_on=today, health="Done")
	return stage


def holds_value(stage, doc) -> bool:
	"""Tell whether the document has the very value that reaches a stage."""
	if stage.reach_rule != ReachRule.FIELD_VALUE or not stage.track_field:
		return False
	return field_text(doc, stage.track_field) == (stage.track_value or "").strip()


def field_text(doc, fieldname: str) -> str:
	"""Return a document's field as plans compare and keep it."""
	value, fieldtype = doc.get(fieldname), field_type(doc.doctype, fieldname)
	if value is None and fieldtype in values.NUMBER_TYPES:
		value = 0  # as the database will have it
	return values.as_text(value, fieldtype).strip()


def _watched_text(doc, fieldname: str) -> str:
	"""Return what a plan remembers of a field: people in a table, and texts longer than a value, by their hash."""
	value = doc.get(fieldname)
	is_table = isinstance(value, list | tuple)
	text = "\n".join(assignees.names_in_field(doc, fieldname)) if is_table else cstr(value)
	if is_table or len(text) > values.MAX_LENGTH:
		return hashlib.sha256(text.encode()).hexdigest()
	return field_text(doc, fieldname)


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
			due_date=dates.task_due_date(
				key_date, row.due_days_before or 0, bool(row.working_days), calendar
			),
			assignees=assignees.resolve(row, doc, workflow, cache=people),
		)
		if row.assignee_kind and not task["assignees"]:
			draft.problems.append(
				_("Nobody was found for the task {0} ({1}).").format(row.title, _(row.assignee_kind))
			)
		tasks.append(task)
	return tasks


STANDARD_COLUMNS = ("docstatus", "owner")


def watched_fields(stages, tasks, plan) -> list[str]:
	"""Return the document's fields a plan acts on: values that reach stages, dates, owners, assignees, supplier."""
	watched = {*STANDARD_COLUMNS, plan.get("supplier_field") or "supplier"}
	for stage in stages:
		watched.update((stage.get("track_field"), stage.get("date_field"), stage.get("owner_field")))
	watched.update(task.get("assignee_field") for task in tasks)
	return sorted(name for name in watched if name)


def snapshot(doc, fieldnames) -> dict[str, str]:
	"""Return the values of a document's fields as a plan remembers them."""
	return {
		name: _watched_text(doc, name)
		for name in fieldnames
		if name in STANDARD_COLUMNS or doc.meta.has_field(name)
	}
