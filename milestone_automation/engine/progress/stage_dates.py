"""Key dates of the stages of a plan as they stand, and what dates a stage: its rule and its document. Reads only."""

from frappe import _
from frappe.utils import cint, getdate

from milestone_automation.engine.rules import dates, task_dates
from milestone_automation.engine.rules.vocabulary import KeyDateRule, StageStatus, TaskStatus
from milestone_automation.engine.rules.working_days import WorkCalendar
from milestone_automation.engine.store import plan_rows


def key_dates(plan) -> list:
	"""Return the key date of each stage of a plan, in order.

	Args:
		plan: the plan.

	Returns:
		list: a date each; None for a stage without one.
	"""
	return [getdate(row.key_date) if row.key_date else None for row in plan.stages]


def counting_day(row, key_date):
	"""Return the day from which stages count that come after one: when it was reached, else its key date, if any.

	Args:
		row: row of the stage.
		key_date: its key date, or the one that it gets.
	"""
	day = row.reached_on or key_date
	return getdate(day) if day else None


def old_and_new(plan, old_dates: list, new_dates: list) -> list[tuple]:
	"""Return each stage of a plan with its dates before and after, in order.

	Args:
		plan: the plan.
		old_dates, new_dates: key dates of all stages before and after.
	"""
	return list(zip(plan.stages, old_dates, new_dates, strict=True))


# The document


def is_anchored(stage) -> bool:
	"""Tell whether the key date of a stage comes from a date field of the document.

	Args:
		stage: row of a plan or workflow, with `key_date_rule`.
	"""
	return stage.key_date_rule == KeyDateRule.DOCUMENT_DATE_FIELD


def document_date(plan, stage, failed: list[int] | None = None):
	"""Return the key date that a stage's rule gives for the document as it is now; None without a possible date.

	Args:
		plan: the plan, whose document is read once.
		stage: row of the stage.
		failed: gets an entry if the date would be outside the calendar.

	Returns:
		date | None: not moved for earlier stages; None also for one that is dated by hand or counts from others.
	"""
	failed = [] if failed is None else failed
	rule = stage_rule(stage, plan.reference_doc())
	# The days off of a document take a query.
	calendar = plan_rows.calendar_of(plan) if rule.working_days else WorkCalendar()
	return dates.plan_dates([rule], getdate(plan.created_from), calendar, failed=failed)[0]


def differing_document_date(plan, stage):
	"""Return the date that the document gives an open stage whose key date is another one, else None.

	Args:
		plan: the plan.
		stage: row of the stage; a reached one, and one that no date field dates, has none.
	"""
	if stage.status == StageStatus.REACHED or not is_anchored(stage):
		return None
	day = document_date(plan, stage)
	return day if day and day != (stage.key_date and getdate(stage.key_date)) else None


def date_label(plan, stage) -> str:
	"""Return the label of the document's field that dates a stage.

	Args:
		plan: the plan.
		stage: row of a stage with a `date_field`.

	Returns:
		str: translated; the field's name where it has no label.
	"""
	return _(plan.reference_doc().meta.get_label(stage.date_field) or stage.date_field)


# What the date rules are given


# Many systems use 9999-12-31 for "no end"; no date can be counted from it.
OPEN_END = 9999


def stage_rule(row, doc) -> dates.StageRule:
	"""Return the date rule of a stage with the value of its date field in the document.

	Args:
		row: row of a plan or workflow stage.
		doc: the document.
	"""
	value = doc.get(row.date_field) if row.date_field else None
	day = getdate(value) if value else None
	return dates.StageRule(
		name=row.stage_name,
		rule=KeyDateRule(row.key_date_rule),
		offset_days=row.offset_days or 0,
		working_days=bool(row.working_days),
		date_value=day if day and day.year < OPEN_END else None,
	)


def planned_task(task) -> task_dates.PlannedTask:
	"""Return a task for the date rules.

	Args:
		task: Milestone Task, document or row.
	"""
	return task_dates.PlannedTask(
		key=task.name,
		due_date=task.due_date and getdate(task.due_date),
		status=TaskStatus(task.status),
		due_days_before=cint(task.due_days_before),
		working_days=bool(task.working_days),
		set_manually=bool(task.due_by_hand),
	)
