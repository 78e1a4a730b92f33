"""How often milestones of plans were undone, and when first, by the log of the plans."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import frappe
from frappe.query_builder.functions import Count, Min
from frappe.utils import get_datetime

from milestone_automation.engine.rules.vocabulary import PlanEvent


@dataclass(frozen=True)
class Undoings:
	"""How often a milestone was undone, and when first (naive, in the site's time zone)."""

	times: int
	first: datetime


def by_stage(plans: Collection[str] | None = None) -> dict[str, Undoings]:
	"""Return how stages were undone, by row name; without those that never were. One query.

	Args:
		plans: names of the plans that are asked for; all by default.
	"""
	log = frappe.qb.DocType("Milestone Plan Log")
	query = frappe.qb.from_(log).select(log.plan_stage, Count("*"), Min(log.done_on)).groupby(log.plan_stage)
	query = query.where(log.event == PlanEvent.MILESTONE_UNDONE.value)
	if plans is not None:
		query = query.where(log.plan.isin(sorted(plans)))
	return {stage: Undoings(times, get_datetime(first)) for stage, times, first in query.run()}


def times(plans: Collection[str]) -> dict[str, int]:
	"""Return how often stages of some plans were undone, by row name; without those that never were. One query."""
	return {stage: undone.times for stage, undone in by_stage(plans).items()}
