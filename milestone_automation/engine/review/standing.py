"""The current values of documents, and how often each value was reached."""

from dataclasses import dataclass
from datetime import datetime

import frappe
from frappe.query_builder.functions import Count, Max
from frappe.utils import get_datetime

from milestone_automation.engine.review.scope import Scope


@dataclass(frozen=True)
class Visits:
	"""How often one value was reached.

	Attributes:
		value: the value.
		count: how often it was reached.
		documents: by how many documents.
	"""

	value: str
	count: int
	documents: int

	@property
	def rework(self) -> int:
		"""How often a document returned to the value."""
		return self.count - self.documents


@dataclass(frozen=True)
class Standing:
	"""Current value of a document, and since when (naive, in the site's time zone)."""

	reference_name: str
	value: str
	since: datetime


def visits(scope: Scope) -> dict[str, Visits]:
	"""Return how often each value was reached, by value, with one query on an index."""
	milestone = frappe.qb.DocType("Milestone")
	query = frappe.qb.from_(milestone).select(
		milestone.value, Count("*"), Count(milestone.reference_name).distinct()
	)
	rows = scope.apply(query, milestone).groupby(milestone.value).run()
	return {value or "": Visits(value or "", count, documents) for value, count, documents in rows}


def returns(scope: Scope, value: str) -> list[tuple[str, datetime, str]]:
	"""Return when documents came to a value again: document, time (naive, in the site's time zone) and user.

	Args:
		scope: which milestones count.
		value: the value.
	"""
	milestone = frappe.qb.DocType("Milestone")
	again = frappe.qb.from_(milestone).select(milestone.reference_name)
	again = scope.apply(again, milestone).where(milestone.value == value).groupby(milestone.reference_name)
	query = (
		scope.apply(frappe.qb.from_(milestone), milestone)
		.select(milestone.reference_name, milestone.reached_on, milestone.reached_by)
		.where(milestone.value == value)
		.where(milestone.reference_name.isin(again.having(Count("*") > 1)))
		.orderby(milestone.reference_name)
		.orderby(milestone.reached_on)
		.orderby(milestone.idx)
		.orderby(milestone.creation)
	)
	rows, seen = [], set()
	for name, reached_on, user in query.run():
		if name in seen:
			rows.append((name, get_datetime(reached_on), user or ""))
		seen.add(name)
	return rows


def present(scope: Scope) -> list[Standing]:
	"""Return the current value of each document, longest first, with one query; ignores the period of the scope.

	Of several milestones with the same time, the one written last counts.
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
