"""Numbers of all plans whose documents the user may read, for cards and charts: one query for each DocType."""

from collections import Counter
from collections.abc import Iterator
from datetime import date

import frappe
from frappe.query_builder import Case
from frappe.query_builder.functions import Count, Sum

from milestone_automation.engine.people import readable
from milestone_automation.engine.review.scope import is_among
from milestone_automation.engine.rules.vocabulary import Health, PlanStatus, StageStatus


def active_by_health() -> Counter:
	"""Return how many active plans have each health."""
	plan = frappe.qb.DocType("Milestone Plan")
	totals: Counter = Counter()
	for conditions in _readable_plans(plan):
		query = frappe.qb.from_(plan).select(plan.health, Count("*")).where(conditions)
		query = query.where(plan.status == PlanStatus.ACTIVE.value).groupby(plan.health)
		for health, count in query.run():
			totals[health or ""] += count
	return totals


def due_between(first: date, last: date) -> int:
	"""Return how many open milestones of active plans have their key date in a period, skipped ones left out.

	Args:
		first, last: first and last day of the period.
	"""
	plan, stage = frappe.qb.DocType("Milestone Plan"), frappe.qb.DocType("Milestone Plan Stage")
	due = 0
	for conditions in _readable_plans(plan):
		query = (
			frappe.qb.from_(stage)
			.join(plan)
			.on(stage.parent == plan.name)
			.select(Count("*"))
			.where(stage.status == StageStatus.OPEN.value)
			.where(stage.key_date[first:last])
			.where(stage.health.notin((Health.SKIPPED.value, Health.ON_HOLD.value)))
			.where(plan.status == PlanStatus.ACTIVE.value)
			.where(conditions)
		)
		due += query.run()[0][0]
	return due


def reached_since(day: date) -> tuple[int, int]:
	"""Return how many milestones with a key date were reached since a day, and how many of them in time.

	Args:
		day: the first day that counts.
	"""
	plan, stage = frappe.qb.DocType("Milestone Plan"), frappe.qb.DocType("Milestone Plan Stage")
	in_time = Case().when(stage.reached_on <= stage.key_date, 1).else_(0)
	reached = punctual = 0
	for conditions in _readable_plans(plan):
		query = (
			frappe.qb.from_(stage)
			.join(plan)
			.on(stage.parent == plan.name)
			.select(Count("*"), Sum(in_time))
			.where(stage.status == StageStatus.REACHED.value)
			.where(stage.reached_on >= day)
			.where(stage.key_date.isnotnull())
			.where(plan.status != PlanStatus.CANCELLED.value)
			.where(conditions)
		)
		((count, on_time),) = query.run()
		reached, punctual = reached + count, punctual + int(on_time or 0)
	return reached, punctual


def _readable_plans(plan) -> Iterator:
	"""Yield the condition for the plans of each DocType of which the user may read documents."""
	types = frappe.get_all("Milestone Workflow", distinct=True, pluck="document_type", order_by=None)
	for doctype in types:
		condition = readable.condition(doctype, frappe.session.user)
		if condition is None:
			continue
		is_type = plan.reference_type == doctype
		yield is_type & is_among(plan.reference_name, doctype, condition) if condition else is_type
