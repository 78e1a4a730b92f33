"""The stages of plans as reports read them, for documents that the user may read."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

import frappe
from frappe.utils import get_datetime, getdate

from milestone_automation.engine.people import field_rights, readable
from milestone_automation.engine.review.scope import is_among
from milestone_automation.engine.rules.vocabulary import Health, PlanStatus, StageStatus
from milestone_automation.engine.store import forecasts

# Number of plans that are read at a time.
PAGE = 2_000
PLAN_COLUMNS = (
	"name",
	"workflow",
	"reference_type",
	"reference_name",
	"status",
	"created_from",
	"creation",
	"amended_from",
	"supplier_field",
	"snapshot",
)
STAGE_COLUMNS = (
	"name",
	"parent",
	"idx",
	"stage_name",
	"status",
	"health",
	"stage_owner",
	"outside_owner_name",
	"owner_role",
	"planned_date",
	"key_date",
	"reached_on",
	"reached_at",
	"reached_by_user",
	"milestone",
	"open_required",
	"dependency",
	"predecessors",
	*forecasts.FIELDS,
)


@dataclass(frozen=True)
class StageRow:
	"""One stage of one plan.

	Attributes:
		name: row name.
		plan, workflow, reference_type, reference_name: its plan, workflow and document.
		position: position in the plan, from 1.
		stage_name, status, health, owner, role: as in the plan; empty strings for no owner or role.
		supplier: value of the document's supplier field at its last save; empty for none, and where the user may not read
			that field.
		started: date from which the plan counts.
		planned, due, reached: first key date, current key date, date it was reached; None for no date.
		reached_at: time at which that was recorded, naive, in the site's time zone; None if it is not reached.
		blocked_by: number of open required tasks.
		is_active: whether the plan is active.
		forecast: date by which it is reached with a chance of 50 %; None where nothing is said, or it is reached.
		forecast_p80: the same with a chance of 80 %.
		chance: to meet its key date, in per cent; None where nothing is said.
		dependency, predecessors: what the stage depends on, as in the plan.
		created: when the plan was made, naive, in the site's time zone; None for unknown.
		reached_by: user id of who reached it; empty for somebody without an account, and while it is open.
		milestone: name of the Milestone by which it is reached; empty for none.
		amended_from: name of the plan that the plan has taken over from an amended document; None for none.
	"""

	name: str
	plan: str
	workflow: str
	reference_type: str
	reference_name: str
	position: int
	stage_name: str
	status: str
	health: str
	owner: str
	role: str
	supplier: str
	started: date | None
	planned: date | None
	due: date | None
	reached: date | None
	reached_at: datetime | None
	blocked_by: int
	is_active: bool
	forecast: date | None = None
	forecast_p80: date | None = None
	chance: int | None = None
	dependency: str | None = None
	predecessors: str | None = None
	created: datetime | None = None
	reached_by: str = ""
	amended_from: str | None = None
	milestone: str = ""

	@property
	def depends_on(self) -> dict:
		"""What the stage depends on, as `Network.of` takes it."""
		return {
			"stage_name": self.stage_name,
			"dependency": self.dependency,
			"predecessors": self.predecessors,
		}

	@property
	def is_reached(self) -> bool:
		"""Whether the stage is reached."""
		return self.status == StageStatus.REACHED

	@property
	def is_skipped(self) -> bool:
		"""Whether it is open although a later stage is reached."""
		return self.health == Health.SKIPPED

	@property
	def is_waited_for(self) -> bool:
		"""Whether its date counts: it is open, neither skipped nor on hold, and its plan is active."""
		return self.is_active and not self.is_reached and self.health not in (Health.SKIPPED, Health.ON_HOLD)

	@property
	def slip(self) -> int | None:
		"""Days from the first key date to the current one; negative for earlier. None without both."""
		return (self.due - self.planned).days if self.due and self.planned else None

	@property
	def lateness(self) -> int | None:
		"""Days from the key date to the day it was reached; negative for early. None without both."""
		return (self.reached - self.due).days if self.reached and self.due else None


@dataclass(frozen=True)
class PlanFilter:
	"""Which plans a report reads.

	Attributes:
		workflow: name of a Milestone Workflow; None for all.
		reference_name: name of a document; None for all.
		running_only: read active plans only. Cancelled plans are never read.
	"""

	workflow: str | None = None
	reference_name: str | None = None
	running_only: bool = False


def read(plans: PlanFilter, user: str | None = None) -> Iterator[StageRow]:
	"""Yield the stages of the plans that a user may see, plan by plan and in order.

	Args:
		plans: which plans.
		user: user id; the session user by default.
	"""
	user = user or frappe.session.user
	for doctype in _reference_types(plans):
		condition = readable.condition(doctype, user)
		if condition is None:
			continue
		hidden = field_rights.hidden(doctype, user=user)
		for page in _pages(plans, doctype, condition):
			yield from _stages(page, hidden)


def before_amending(
	rows: Iterable[StageRow], moment: datetime, user: str | None = None
) -> dict[str, StageRow]:
	"""Return the milestones of amended documents as their plan of a moment has them, by row name of the present one.

	A plan that was taken over later begins with the amendment; what was before is in the plan of the amended document,
	under the same name. Two queries for each time that one of the documents was amended, none where none was.

	Args:
		rows: the milestones; of those whose plan was there at the moment, nothing is returned.
		moment: naive, in the site's time zone.
		user: user id; the session user by default.
	"""
	later = [row for row in rows if row.amended_from and row.created and row.created > moment]
	taken_over: dict[str, dict[str, str]] = defaultdict(dict)
	for row in later:
		taken_over[row.reference_type][row.plan] = row.amended_from
	old_stages: dict[tuple[str, str], StageRow] = {}
	for doctype, amended in taken_over.items():
		condition = readable.condition(doctype, user or frappe.session.user)
		if condition is not None:
			old_stages |= _stages_at(_plans_at(doctype, condition, amended, moment))
	by_row = {row.name: old_stages.get((row.plan, row.stage_name)) for row in later}
	return {name: old for name, old in by_row.items() if old}


def _stages_at(plans: dict) -> dict[tuple[str, str], StageRow]:
	"""Return the stages of earlier plans by name of the present plan and of the stage."""
	stages: dict[str, list[StageRow]] = defaultdict(list)
	for stage in _stages({plan.name: plan for plan in plans.values()}, set()) if plans else ():
		stages[stage.plan].append(stage)
	return {(now, old.stage_name): old for now, plan in plans.items() for old in stages[plan.name]}


def _plans_at(doctype: str, condition: str, amended: dict[str, str], moment: datetime) -> dict:
	"""Return the plan that counted at a moment by the name of the present one, which has taken it over in the end."""
	counted_plans, waiting = {}, dict(amended)
	while waiting:
		table, query = _plans_of(doctype, condition)
		rows = query.where(table.name.isin(sorted(set(waiting.values())))).run(as_dict=True)
		plans = {row.name: row for row in rows}
		steps = {now: plans[name] for now, name in waiting.items() if name in plans}
		counted_plans |= {now: plan for now, plan in steps.items() if get_datetime(plan.creation) <= moment}
		waiting = {
			now: plan.amended_from
			for now, plan in steps.items()
			if now not in counted_plans and plan.amended_from
		}
	return counted_plans


@dataclass(frozen=True)
class NextStage:
	"""The next milestone of a document's active plan, and what is forecast of it.

	Attributes:
		stage_name, health: as in the plan.
		due: key date; None for no date.
		forecast, forecast_p80: dates by which it is reached with a chance of 50 % and 80 %; None where nothing is said.
		chance: to meet the key date, in per cent; None where nothing is said.
	"""

	stage_name: str
	health: str
	due: date | None
	forecast: date | None
	forecast_p80: date | None
	chance: int | None


def next_stages(doctype: str, condition: str) -> dict[str, NextStage]:
	"""Return the next milestone of each document with an active plan, by name of the document; one query.

	Args:
		doctype: DocType of the documents.
		condition: SQL condition for those that the user may read, as `readable.condition` returns it.
	"""
	plan, stage = frappe.qb.DocType("Milestone Plan"), frappe.qb.DocType("Milestone Plan Stage")
	query = (
		frappe.qb.from_(plan)
		.join(stage)
		.on((stage.parent == plan.name) & (stage.stage_name == plan.current_stage))
		.select(
			plan.reference_name,
			stage.stage_name,
			stage.status,
			stage.health,
			stage.key_date,
			*(stage[name] for name in forecasts.FIELDS),
		)
		.where(plan.reference_type == doctype)
		.where(plan.status == PlanStatus.ACTIVE.value)
		.where(stage.parenttype == "Milestone Plan")
	)
	if condition:
		query = query.where(is_among(plan.reference_name, doctype, condition))
	return {
		row.reference_name: NextStage(
			row.stage_name,
			row.health or "",
			_day(row.key_date),
			_day(row.forecast_date),
			_day(row.forecast_p80),
			forecasts.chance_of(row),
		)
		for row in query.run(as_dict=True)
	}


def _reference_types(plans: PlanFilter) -> list[str]:
	if plans.workflow:
		document_type = frappe.db.get_value("Milestone Workflow", plans.workflow, "document_type")
		return [document_type] if document_type else []
	return frappe.get_all("Milestone Workflow", distinct=True, pluck="document_type", order_by=None)


def _pages(plans: PlanFilter, doctype: str, condition: str) -> Iterator[dict]:
	plan, query = _plans_of(doctype, condition)
	query = query.where(plan.status != PlanStatus.CANCELLED.value).orderby(plan.name).limit(PAGE)
	if plans.workflow:
		query = query.where(plan.workflow == plans.workflow)
	if plans.reference_name:
		query = query.where(plan.reference_name == plans.reference_name)
	if plans.running_only:
		query = query.where(plan.status == PlanStatus.ACTIVE.value)
	rows = query.run(as_dict=True)
	while rows:
		yield {row.name: row for row in rows}
		rows = query.where(plan.name > rows[-1].name).run(as_dict=True) if len(rows) == PAGE else []


def _plans_of(doctype: str, condition: str) -> tuple:
	"""Return the table of plans, and a query for those of a DocType's documents that a condition selects."""
	plan = frappe.qb.DocType("Milestone Plan")
	query = frappe.qb.from_(plan).select(*(plan[name] for name in PLAN_COLUMNS))
	query = query.where(plan.reference_type == doctype)
	return plan, query.where(is_among(plan.reference_name, doctype, condition)) if condition else query


def _stages(plans: dict, hidden: set[str]) -> Iterator[StageRow]:
	stage = frappe.qb.DocType("Milestone Plan Stage")
	rows = (
		frappe.qb.from_(stage)
		.select(*(stage[name] for name in STAGE_COLUMNS))
		.where(stage.parenttype == "Milestone Plan")
		.where(stage.parent.isin(list(plans)))
		.orderby(stage.parent)
		.orderby(stage.idx)
		.run(as_dict=True)
	)
	suppliers = {name: _supplier(plan, hidden) for name, plan in plans.items()}
	for row in rows:
		yield _row(row, plans[row.parent], suppliers[row.parent])


def _supplier(plan, hidden: set[str]) -> str:
	fieldname = plan.supplier_field or "supplier"
	return "" if fieldname in hidden else json.loads(plan.snapshot or "{}").get(fieldname) or ""


def _row(stage, plan, supplier: str) -> StageRow:
	return StageRow(
		name=stage.name,
		plan=plan.name,
		workflow=plan.workflow,
		reference_type=plan.reference_type,
		reference_name=plan.reference_name,
		position=stage.idx,
		stage_name=stage.stage_name,
		status=stage.status,
		health=stage.health or "",
		owner=stage.stage_owner or stage.outside_owner_name or "",
		role=stage.owner_role or "",
		supplier=supplier,
		started=_day(plan.created_from),
		planned=_day(stage.planned_date),
		due=_day(stage.key_date),
		reached=_day(stage.reached_on),
		reached_at=get_datetime(stage.reached_at) if stage.reached_at else None,
		blocked_by=stage.open_required or 0,
		is_active=plan.status == PlanStatus.ACTIVE,
		forecast=_day(stage.forecast_date),
		forecast_p80=_day(stage.forecast_p80),
		chance=forecasts.chance_of(stage),
		dependency=stage.dependency,
		predecessors=stage.predecessors,
		created=get_datetime(plan.creation),
		reached_by=stage.reached_by_user or "",
		amended_from=plan.amended_from or None,
		milestone=stage.milestone or "",
	)


def _day(value) -> date | None:
	return getdate(value) if value else None
