"""The grid: many documents of a workflow in rows, their milestones in columns."""

from typing import NamedTuple

import frappe
from frappe.utils import cint, getdate, nowdate
from pypika.functions import Count

from milestone_automation.desk import board, list_filters, my_work
from milestone_automation.engine.people import field_rights, readable, rights
from milestone_automation.engine.rules.vocabulary import PlanStatus, StageStatus
from milestone_automation.engine.store import forecasts

PLAN_COLUMNS = (
	"name",
	"reference_type",
	"reference_name",
	"status",
	"health",
	"later_stages",
	"owners_propose",
	"on_hold_since",
)
STAGE_COLUMNS = (
	"name",
	"parent",
	"stage_name",
	"status",
	"health",
	"planned_date",
	"key_date",
	"forecast_date",
	"chance",
	"chance_for",
	"reached_on",
	"stage_owner",
	"owner_kind",
	"owner_role",
)
# What says who may do what is read also where its value is not shown.
SHOWN_COLUMNS = ("health", "planned_date", "key_date", "forecast_date", "chance", "reached_on")
PAGE = 100
MOST_ROWS = 500


class View(NamedTuple):
	"""Which documents a grid has.

	Attributes:
		workflow: name of a Milestone Workflow.
		filters: on Milestone Plan, as `list_filters.parse` returns them.
		stage_owner: user id; documents with an open milestone of that user.
		from_date, to_date: documents with an open milestone in these days, the owner's if there is one.
	"""

	workflow: str
	filters: list
	stage_owner: str | None = None
	from_date: object = None
	to_date: object = None


def grid(view: View, start: int = 0, limit: int = PAGE) -> dict:
	"""Return documents of a workflow with their milestones; only those the user may see. At most nine SQL statements.

	Args:
		view: which documents.
		start: number of documents to leave out.
		limit: number of documents to return.

	Returns:
		dict: `columns`, names of the milestones in order; `rows`, each with plan, document, title, health and `cells`, as
		many as columns (None where the document has no such milestone); `total`, number of documents; `today`, the day
		on the site.

	Raises:
		frappe.PermissionError: the user does not work in the desk.
	"""
	rights.check_desk_user()
	plans = _plans(view, start, limit)
	stages = _stages([plan.name for plan in plans])
	columns = _columns(view.workflow, stages) if plans else []
	titles = _titles(plans)
	position = {name: index for index, name in enumerate(columns)}
	rows = {plan.name: _row(plan, titles, len(columns)) for plan in plans}
	cancelled = {plan.name for plan in plans if plan.status == PlanStatus.CANCELLED}
	shown_columns = set(SHOWN_COLUMNS) - field_rights.hidden("Milestone Plan Stage", "Milestone Plan")
	manages = rights.can_manage()
	for stage in stages:
		row = rows[stage.parent]
		may_act = manages or rights.owns_stage(stage, frappe.session.user)
		row["cells"][position[stage.stage_name]] = _cell(
			stage, shown_columns, may_act and stage.parent not in cancelled
		)
	return {
		"columns": columns,
		"rows": list(rows.values()),
		"total": _count(view, plans, start, limit),
		"today": nowdate(),
	}


def _plans(view: View, start: int, limit: int) -> list:
	plan = frappe.qb.DocType("Milestone Plan")
	query = _selected(view).select(*(plan[name] for name in PLAN_COLUMNS))
	# Databases do not agree where rows without a date come.
	query = query.orderby(plan.next_date.isnull()).orderby(plan.next_date)
	query = query.orderby(plan.reference_name).orderby(plan.name)
	return query.limit(limit).offset(start).run(as_dict=True)


def _count(view: View, plans: list, start: int, limit: int) -> int:
	"""Return how many documents there are; no query where the page says it."""
	if len(plans) < limit and (plans or not start):
		return start + len(plans)
	((count,),) = _selected(view).select(Count("*")).run()
	return count


def _selected(view: View):
	plan = frappe.qb.DocType("Milestone Plan")
	query = readable.rows("Milestone Plan").where(plan.workflow == view.workflow)
	query = list_filters.apply(query, "Milestone Plan", view.filters)
	if view.stage_owner or view.from_date or view.to_date:
		query = query.where(plan.name.isin(_plans_with_stage(view)))
	return query


def _plans_with_stage(view: View):
	"""Return the query for the plans with an open milestone that fits."""
	stage = frappe.qb.DocType("Milestone Plan Stage")
	query = frappe.qb.from_(stage).select(stage.parent).where(stage.parenttype == "Milestone Plan")
	query = query.where(stage.status == StageStatus.OPEN.value)
	if view.stage_owner == frappe.session.user:
		query = query.where(my_work.is_owner(stage))
	elif view.stage_owner:
		query = query.where(stage.stage_owner == view.stage_owner)
	if view.from_date:
		query = query.where(stage.key_date >= view.from_date)
	if view.to_date:
		query = query.where(stage.key_date <= view.to_date)
	return query


def _stages(plans: list[str]) -> list:
	if not plans:
		return []
	stage = frappe.qb.DocType("Milestone Plan Stage")
	query = (
		frappe.qb.from_(stage)
		.select(*(stage[name] for name in STAGE_COLUMNS))
		.where(stage.parent.isin(plans))
	)
	return query.where(stage.parenttype == "Milestone Plan").orderby(stage.idx).run(as_dict=True)


def _columns(workflow: str, stages: list) -> list[str]:
	"""Return the milestones of a workflow in order, with those that plans of another version have at their place."""
	columns = board.stage_names(workflow)
	before: dict[str, str | None] = {}
	for stage in stages:
		if stage.stage_name not in columns:
			previous = before.get(stage.parent)
			columns.insert(columns.index(previous) + 1 if previous else 0, stage.stage_name)
		before[stage.parent] = stage.stage_name
	return columns


def _titles(plans: list) -> dict:
	"""Return the titles of the documents that have one that the user may read, by DocType and name."""
	types: dict[str, list] = {}
	for plan in plans:
		types.setdefault(plan.reference_type, []).append(plan.reference_name)
	return {
		(doctype, str(name)): title
		for doctype, names in types.items()
		for name, title in _titles_of(doctype, names)
		if title and title != str(name)
	}


def _titles_of(doctype: str, names: list) -> list:
	meta = rights.stored_meta(doctype)
	field = meta and meta.get_field(meta.get("title_field"))
	if not field or field.get("is_virtual") or field.fieldname in field_rights.hidden(doctype):
		return []
	table = frappe.qb.DocType(doctype)
	names = [rights.stored_name(doctype, name) for name in names]
	return (
		readable.rows(doctype).select(table.name, table[field.fieldname]).where(table.name.isin(names)).run()
	)


def _row(plan, titles: dict, columns: int) -> dict:
	values = {
		"plan": plan.name,
		"reference_type": plan.reference_type,
		"reference_name": plan.reference_name,
		"title": titles.get((plan.reference_type, plan.reference_name)),
		"status": plan.status,
		"health": plan.health,
		"later_stages": plan.later_stages,
		"proposes": int(bool(cint(plan.owners_propose)) and not rights.can_manage()),
		"on_hold": int(bool(plan.on_hold_since)),
		"cells": [None] * columns,
	}
	hidden = field_rights.hidden("Milestone Plan")
	return {name: value for name, value in values.items() if name not in hidden}


def _cell(stage, shown_columns: set[str], may_act: bool) -> dict:
	"""Return what a cell shows, without what is empty; a planned date only where it is not the current one."""
	is_reached = stage.status == StageStatus.REACHED
	cell = {name: stage.get(name) for name in shown_columns if name != "chance"}
	if "chance" in shown_columns:
		cell["chance"] = forecasts.chance_of(stage)
	if is_reached:
		cell.pop("forecast_date", None)
	if cell.get("planned_date") and stage.key_date and getdate(stage.planned_date) == getdate(stage.key_date):
		cell.pop("planned_date")
	if may_act and not is_reached:
		cell["may"] = 1
	return {"stage": stage.name} | {name: value for name, value in cell.items() if value is not None}
