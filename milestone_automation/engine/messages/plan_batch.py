"""Everything that the sweep needs of a batch of plans, read with a constant number of queries."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import frappe

from milestone_automation.engine.base import bulk, calendars, clock, guard, locks
from milestone_automation.engine.messages import sending_day
from milestone_automation.engine.people import assigned, assignees
from milestone_automation.engine.people.directory import Directory, Recipient
from milestone_automation.engine.rules import criteria, schedule
from milestone_automation.engine.rules.vocabulary import OwnerKind, PlanStatus, StageStatus, TaskStatus
from milestone_automation.engine.store import exit_criteria, sweep_requests, watched

PLAN_COLUMNS = (
	"name",
	"reference_type",
	"reference_name",
	"workflow",
	"status",
	"health",
	"current_stage",
	"next_date",
	"next_check",
	"earlier_tasks_block",
	"reached_in_order",
	"escalation_role",
	"escalate_after_days",
	"snapshot",
	"supplier_field",
	"shown_fields",
	"shown_fields_by",
	"on_hold_since",
	"document_created_on",
	"quiet_before",
)


@dataclass
class Batch:
	"""Some plans with everything that decides about their messages.

	Attributes:
		now: naive, in the site's time zone.
		at: time of day at which messages are sent, since midnight.
		active: names of the plans asked for that are active and could be locked, also of those that leave the batch.
		plans: rows of the plans, locked.
		stages, tasks: rows by name of the plan; open tasks have `assignees`, the rows of those who have not completed
			their part, and `people`, the names of these.
		rules: settings for messages by name of the plan.
		criteria: by row name of a stage, how its exit criteria stand; open stages with some only.
		directory: the recipients.
		told: keys of the messages that exist already.
	"""

	now: datetime
	at: timedelta
	active: set = field(default_factory=set)
	plans: list = field(default_factory=list)
	stages: dict = field(default_factory=dict)
	tasks: dict = field(default_factory=dict)
	rules: dict = field(default_factory=dict)
	criteria: dict = field(default_factory=dict)
	directory: Directory | None = None
	told: set = field(default_factory=set)

	def day(self, recipient: Recipient | None) -> date:
		"""Return the date whose messages are due for a recipient; without one, the date of the site.

		Args:
			recipient: whose time zone decides.
		"""
		return clock.message_day(self.now, recipient.zone if recipient else None, self.at)


@dataclass
class Changes:
	"""New values of rows by row name, collected for a batch and written together."""

	plans: dict = field(default_factory=lambda: defaultdict(dict))
	stages: dict = field(default_factory=lambda: defaultdict(dict))
	tasks: dict = field(default_factory=lambda: defaultdict(dict))

	def add(self, other: "Changes") -> None:
		"""Add the changes of one plan; of two values for one field the later one counts.

		Args:
			other: stays as it is.
		"""
		for collected, added in (
			(self.plans, other.plans),
			(self.stages, other.stages),
			(self.tasks, other.tasks),
		):
			for name, values in added.items():
				collected[name].update(values)

	def write(self) -> None:
		"""Write all changes, with one statement for rows that get the same values."""
		bulk.update_rows("Milestone Plan Stage", self.stages)
		bulk.update_rows("Milestone Task", self.tasks)
		bulk.update_rows("Milestone Plan", self.plans)


def read(names: list[str], now: datetime, lock: bool = True) -> Batch:
	"""Read a batch of plans with the queries that stand at the top of this module.

	Args:
		names: names of plans; those that are not active are skipped.
		now: naive, in the site's time zone.
		lock: whether to lock the plans until the end of the transaction; plans locked by others are then skipped.
	"""
	batch = Batch(now, sending_day.sweep_time())
	batch.plans = _plans(names, lock)
	batch.active = {plan.name for plan in batch.plans}
	_leave_those_behind(batch)
	locked_names = [plan.name for plan in batch.plans]
	if not locked_names:
		return batch
	stages = _rows("Milestone Plan Stage", "parent", locked_names, "idx", lock)
	tasks = _rows("Milestone Task", "plan", locked_names, "task_order", lock, status=TaskStatus.OPEN.value)
	_add_assignees(tasks)
	batch.stages, batch.tasks = _by(stages, "parent"), _by(tasks, "plan")
	_judge_criteria(batch)
	_find_owners(batch)
	batch.directory = Directory.read(*_named(batch, stages, tasks))
	batch.rules = _rules(batch.plans)
	batch.plans = [plan for plan in batch.plans if plan.name in batch.rules]
	return batch


def _plans(names: list[str], lock: bool) -> list:
	if not names:
		return []
	plan = frappe.qb.DocType("Milestone Plan")
	query = frappe.qb.from_(plan).select(*(plan[column] for column in PLAN_COLUMNS))
	query = query.where(plan.name.isin(names)).where(plan.status == PlanStatus.ACTIVE.value)
	query = query.orderby(plan.name)
	if lock and not locks.is_only_writer():
		query = query.for_update(skip_locked=True)
	return query.run(as_dict=True)


def _leave_those_behind(batch: Batch) -> None:
	"""Let plans catch up first whose document was changed without hooks: nobody is asked for what is reached already.

	Plans whose DocType cannot be read (because it was deleted, say) leave the batch too.
	"""
	for doctype, plans in _by(batch.plans, "reference_type").items():
		what = f"Milestone sweep: documents of {doctype}"
		behind = guard.run_guarded(what, watched.those_behind, doctype, plans)
		leaving = plans if behind is None else behind
		batch.plans = [plan for plan in batch.plans if plan not in leaving]
		for plan in behind or ():
			sweep_requests.catch_up(plan.name)


def _rows(doctype: str, column: str, names: list[str], order: str, lock: bool, **where) -> list:
	"""Return rows; with `lock` as they are committed now, not as of the start of the transaction."""
	table = frappe.qb.DocType(doctype)
	query = frappe.qb.from_(table).select(table.star).where(table[column].isin(names))
	for name, value in where.items():
		query = query.where(table[name] == value)
	if lock and frappe.db.db_type != "sqlite":
		query = query.for_update()
	return query.orderby(table[order]).run(as_dict=True)


def _add_assignees(tasks: list) -> None:
	rows = assigned.rows_by_task(task.name for task in tasks)
	for task in tasks:
		task.assignees = [row for row in rows[task.name] if not row.done]
		task.people = assigned.open_names(task.assignees)


def _by(rows: list, column: str) -> dict[str, list]:
	groups = defaultdict(list)
	for row in rows:
		groups[row[column]].append(row)
	return groups


def _judge_criteria(batch: Batch) -> None:
	"""Judge the exit criteria of open stages as documents, files and comments are now; no query where there are none.

	Where that fails for a DocType, what was found last counts.
	"""
	asking = [
		plan for plan in batch.plans if any(exit_criteria.has_open(row) for row in batch.stages[plan.name])
	]
	for doctype, plans in _by(asking, "reference_type").items():
		guard.run_guarded(f"Milestone sweep: exit criteria of {doctype}", _judge_criteria_in, batch, plans)


def _judge_criteria_in(batch: Batch, plans: list) -> None:
	stages = [[row for row in batch.stages[plan.name] if exit_criteria.has_open(row)] for plan in plans]
	plans_with_stages = [
		(plan.reference_type, plan.reference_name, rows) for plan, rows in zip(plans, stages, strict=True)
	]
	for rows, verdicts in zip(stages, exit_criteria.judge_many(plans_with_stages), strict=True):
		for stage, of_stage in zip(rows, verdicts, strict=True):
			batch.criteria[stage.name] = of_stage
			count = len(criteria.blocking(of_stage))
			if count != stage.open_criteria:
				stage.new_criteria = {"open_criteria": count}
				stage.open_criteria = count


def _find_owners(batch: Batch) -> None:
	"""Find the owners of open stages that have none, and of those that a supplier's contact owns.

	A user field may have been filled meanwhile, a contact may have changed.

	Plans of a DocType with an error, for example a deleted one, leave the batch.
	"""
	ownerless = [
		plan for plan in batch.plans if any(_has_no_owner(stage) for stage in batch.stages[plan.name])
	]
	for doctype, rows in _by(ownerless, "reference_type").items():
		what = f"Milestone sweep: owners of {doctype}"
		if not guard.run_guarded(what, _find_owners_in, batch, doctype, rows):
			batch.plans = [plan for plan in batch.plans if plan not in rows]


def _has_no_owner(stage) -> bool:
	# Contacts of a supplier come and go without a word to us.
	is_found_anew = stage.owner_kind == OwnerKind.SUPPLIER_CONTACT
	has_owner = stage.stage_owner or stage.outside_owner or stage.owner_role
	return (is_found_anew or not has_owner) and stage.status != StageStatus.REACHED


def _find_owners_in(batch: Batch, doctype: str, rows: list) -> bool:
	filters = {"name": ("in", [plan.reference_name for plan in rows])}
	documents = {str(row.name): row for row in frappe.get_all(doctype, filters=filters, fields=["*"])}
	documents_with_stages = [
		(
			frappe._dict(documents.get(plan.reference_name, {}), doctype=doctype),
			plan,
			[stage for stage in batch.stages[plan.name] if _has_no_owner(stage)],
		)
		for plan in rows
	]
	for (document, plan, stages), people in zip(
		documents_with_stages, assignees.prefetch_owners(documents_with_stages), strict=True
	):
		for stage in stages:
			owner = assignees.resolve_stage_owner(stage, document, plan, cache=people)
			if any((stage.get(name) or None) != value for name, value in owner.items()):
				stage.update(owner, new_owner=owner)
	return True


def _named(batch: Batch, stages: list, tasks: list) -> tuple[list, list]:
	"""Return the names and the roles of everybody whom these rows mention."""
	names = [name for stage in stages for name in (stage.stage_owner, stage.outside_owner)]
	names += [name for stage in stages for name in assignees.split_names(stage.notify_users)]
	names += [name for task in tasks for person in task.assignees for name in (person.user, person.email)]
	roles = [stage[column] for stage in stages for column in ("owner_role", "notify_role")]
	return names, roles + [plan.escalation_role for plan in batch.plans]


def _rules(plan_rows: list) -> dict[str, schedule.Rules]:
	"""Return the settings for messages of each plan, which differ by the calendar of its document only.

	Plans of a DocType with an error, for example a deleted one, are left out.
	"""
	settings = frappe.get_cached_doc("Milestone Settings")
	if not settings.get("quiet_on_days_off"):
		rules = schedule.rules_from(settings)
		return {plan.name: rules for plan in plan_rows}
	rules_by_plan = {}
	for doctype, rows in _by(plan_rows, "reference_type").items():
		what = f"Milestone sweep: calendars of {doctype}"
		rules_by_plan |= guard.run_guarded(what, _rules_in, settings, doctype, rows) or {}
	return rules_by_plan


def _rules_in(settings, doctype: str, rows: list) -> dict[str, schedule.Rules]:
	return {
		row.name: schedule.rules_from(settings, calendars.for_document(values))
		for row, values in zip(rows, _calendar_values(doctype, rows), strict=True)
	}


def _calendar_values(doctype: str, rows: list) -> list[dict]:
	"""Return the fields that decide about the calendar of the document of each row. One query."""
	meta = frappe.get_meta(doctype)
	columns = [column for column in ("company", "holiday_list") if meta.has_field(column)]
	if not columns:
		return [{} for _row in rows]
	filters = {"name": ("in", [row.reference_name for row in rows])}
	documents = frappe.get_all(doctype, filters=filters, fields=["name", *columns])
	values = {str(row.name): row for row in documents}
	return [values.get(row.reference_name, {}) for row in rows]
