"""The current values of documents, and how often each value was reached."""

from dataclasses import dataclass
from datetime import datetime

import frappe
from frappe.query_builder.functions import Count, Max, Min
from frappe.utils import get_datetime

from milestone_automation.engine.review import scope as scopes
from milestone_automation.engine.review.scope import Scope


@dataclass(frozen=True)
class Visits:
	"""How often one value was reached.

	Attributes:
		value: the value.
		count: how often it was reached in the period.
		first: how many of these were the first time of their document, ever.
	"""

	value: str
	count: int
	first: int

	@property
	def rework(self) -> int:
		"""How often a document returned to the value, which it may have had before the period."""
		return self.count - self.first


@dataclass(frozen=True)
class Standing:
	"""Current value of a document, and since when (naive, in the site's time zone)."""

	reference_name: str
	value: str
	since: datetime


def visits(scope: Scope) -> dict[str, Visits]:
	"""Return how often each value was reached, by value, with one query on an index; with two where a period begins.

	Args:
		scope: which milestones count.

	Returns:
		dict: the empty text is the key of cleared fields.
	"""
	counts = _visits(scope)
	if not all(scopes.are_alike(texts) for _value, _count, _documents, *texts in counts):
		counts = _visits(scope, is_exact=True)
	first = _first_visits(scope) if scope.start else None
	return {
		value or "": Visits(value or "", count, documents if first is None else first.get(value or "", 0))
		for value, count, documents, *_texts in counts
	}


def _visits(scope: Scope, is_exact: bool = False) -> list[tuple]:
	"""Return each value, number of visits and documents, and the `ends` of the texts that the database takes for it.

	Args:
		scope: which milestones count.
		is_exact: tell values apart that the database takes for the same, which it cannot do on the index.
	"""
	milestone = frappe.qb.DocType("Milestone")
	key = scopes.exact(milestone.value) if is_exact else milestone.value
	value = Min(milestone.value) if is_exact else milestone.value
	query = frappe.qb.from_(milestone).select(value, Count("*"), Count(milestone.reference_name).distinct())
	return scope.apply(query.select(*scopes.ends(milestone.value)), milestone).groupby(key).run()


def _first_visits(scope: Scope) -> dict[str, int]:
	"""Return how many documents reached each value in the period for the first time."""
	milestone = frappe.qb.DocType("Milestone")
	exact = scopes.exact(milestone.value)
	first = frappe.qb.from_(milestone).select(
		Min(milestone.value).as_("value"), Min(milestone.reached_on).as_("first_reached_on")
	)
	first = scope.since_ever().apply(first, milestone).groupby(exact, milestone.reference_name)
	query = frappe.qb.from_(first).select(Min(first.value), Count("*")).groupby(scopes.exact(first.value))
	rows = query.where(first.first_reached_on >= scopes.beginning(scope.start)).run()
	return {value or "": count for value, count in rows}


def returns(scope: Scope, value: str) -> list[tuple[str, datetime, str]]:
	"""Return when documents came to a value again: document, time (naive, in the site's time zone) and user.

	Args:
		scope: which milestones count.
		value: the value.
	"""
	milestone, ever = frappe.qb.DocType("Milestone"), scope.since_ever()
	again = frappe.qb.from_(milestone).select(milestone.reference_name)
	again = ever.apply(again, milestone).where(scopes.is_exactly(milestone.value, value))
	again = again.groupby(milestone.reference_name)
	query = (
		ever.apply(frappe.qb.from_(milestone), milestone)
		.select(milestone.reference_name, milestone.reached_on, milestone.reached_by)
		.where(scopes.is_exactly(milestone.value, value))
		.where(milestone.reference_name.isin(again.having(Count("*") > 1)))
		.orderby(milestone.reference_name)
		.orderby(milestone.reached_on)
		.orderby(milestone.idx)
		.orderby(milestone.creation)
	)
	rows, seen = [], set()
	for name, reached_on, user in query.run():
		reached_on = get_datetime(reached_on)
		if name in seen and (scope.start is None or reached_on.date() >= scope.start):
			rows.append((name, reached_on, user or ""))
		seen.add(name)
	return rows


def present(scope: Scope) -> list[Standing]:
	"""Return the current value of each document, longest first, with one query; ignores the period of the scope.

	Of several milestones with the same time, the one written last counts.

	Args:
		scope: which milestones count.
	"""
	milestone, last = frappe.qb.DocType("Milestone"), frappe.qb.DocType("Milestone").as_("last")
	scope = Scope(scope.reference_type, scope.track_field, scope.condition)
	latest = frappe.qb.from_(last).select(last.reference_name, Max(last.reached_on).as_("reached_on"))
	latest = scope.apply(latest, last).where(last.merged_from.isnull()).groupby(last.reference_name)
	query = (
		frappe.qb.from_(milestone)
		.join(latest)
		.on((latest.reference_name == milestone.reference_name) & (latest.reached_on == milestone.reached_on))
		.select(milestone.reference_name, milestone.value, milestone.reached_on)
	)
	query = (
		scope.apply(query, milestone)
		.where(milestone.merged_from.isnull())
		.orderby(milestone.idx)
		.orderby(milestone.creation)
	)
	standing = {
		name: Standing(name, value or "", get_datetime(reached_on)) for name, value, reached_on in query.run()
	}
	return sorted(standing.values(), key=lambda row: (row.since, row.reference_name))
