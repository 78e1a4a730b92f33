"""Which milestones a report counts: one field of one DocType, documents that the user may read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

import frappe
from frappe.query_builder.functions import Cast, Max, Min
from pypika.terms import Criterion, Term

from milestone_automation.engine.people import field_rights, readable


@dataclass(frozen=True)
class Scope:
	"""Which milestones count.

	Undone milestones, values that a save only passed through and deleted documents never count.

	Attributes:
		reference_type: DocType of the documents.
		track_field: the tracked field.
		condition: SQL condition on that DocType's table for the documents that the user may read; empty for all.
		start, end: first and last date that counts; None for no limit.
	"""

	reference_type: str
	track_field: str
	condition: str = ""
	start: date | None = None
	end: date | None = None

	@property
	def is_whole(self) -> bool:
		"""Whether every milestone of the field counts, so that indexes alone can answer."""
		return not (self.condition or self.start or self.end)

	def since_ever(self) -> "Scope":
		"""Return this scope without the beginning of its period."""
		return replace(self, start=None)

	def apply(self, query, milestone):
		"""Return a query with the conditions of this scope.

		Args:
			query: a query of the query builder.
			milestone: its table `Milestone`.
		"""
		query = (
			query.where(milestone.reference_type == self.reference_type)
			.where(milestone.track_field == self.track_field)
			.where(milestone.reference_deleted == 0)
			.where(milestone.undone == 0)
			.where(milestone.passing == 0)
		)
		if self.start:
			query = query.where(milestone.reached_on >= beginning(self.start))
		if self.end:
			query = query.where(milestone.reached_on < beginning(self.end + timedelta(days=1)))
		if self.condition:
			query = query.where(is_among(milestone.reference_name, self.reference_type, self.condition))
		return query


def beginning(day: date) -> datetime | str:
	"""Return the first moment of a day, for a condition on a time.

	SQLite compares times as text, in which a time without a fraction stands before the same one with zeros.

	Args:
		day: the day.
	"""
	return f"{day} 00:00:00" if frappe.db.db_type == "sqlite" else datetime.combine(day, time.min)


def of_reader(reference_type: str, track_field: str, start=None, end=None, user: str | None = None) -> Scope:
	"""Return the scope of a report for a user.

	Args:
		reference_type: DocType of the documents.
		track_field: the tracked field.
		start, end: first and last date that counts; None for no limit.
		user: user id; the session user by default.

	Raises:
		frappe.PermissionError: the user may read no document of the DocType, or not this field.
	"""
	condition = readable.condition(reference_type, user or frappe.session.user)
	if condition is None or track_field in field_rights.hidden(reference_type, user=user):
		raise frappe.PermissionError
	return Scope(reference_type, track_field, condition, start, end)


def of_stays(scope: Scope, query, milestone):
	"""Restrict a query to finished stays; the first value of a document ends none, and some durations are unknown.

	Args:
		scope: which milestones count.
		query: a query of the query builder.
		milestone: its table `Milestone`.
	"""
	query = scope.apply(query, milestone)
	return query.where(milestone.value_before != "").where(milestone.time_in_previous.isnotnull())


def exact(column: Term) -> Term:
	"""Return a text column that is compared byte by byte: for MariaDB "open" and "Open" are the same, "é" and "e" too.

	Args:
		column: the column; its index does not serve the comparison.
	"""
	return Cast(column, "binary") if frappe.db.db_type == "mariadb" else column


def ends(*columns: Term) -> list[Term]:
	"""Return what a query of groups selects to tell whether each has one text only: the first ones, then the last ones.

	Nothing where the database compares byte by byte itself: there comparing every text again would only take time.

	Args:
		columns: the text columns that it groups by.
	"""
	if frappe.db.db_type != "mariadb":
		return []
	return [end(exact(column)) for end in (Min, Max) for column in columns]


def are_alike(texts: Sequence) -> bool:
	"""Tell from the selected `ends` of a group whether it has one text only.

	Args:
		texts: what the database returned for `ends`: all first texts, then all last ones; empty if it compares bytes.
	"""
	half = len(texts) // 2
	return texts[:half] == texts[half:]


def is_exactly(column: Term, value: str) -> Criterion:
	"""Return the criterion that a text column has exactly this value; its index serves it.

	Args:
		column: the column.
		value: the value.
	"""
	is_equal = column == value
	return is_equal & (exact(column) == value) if frappe.db.db_type == "mariadb" else is_equal


class is_among(Criterion):
	"""Criterion that a document is among those of an SQL condition, which Frappe made."""

	def __init__(self, name: Term, doctype: str, condition: str):
		"""Create the criterion.

		Args:
			name: column with document names.
			doctype: their DocType.
			condition: SQL condition on its table.
		"""
		super().__init__()
		self.name, self.doctype, self.condition = name, doctype, condition

	def nodes_(self):
		"""Yield this node and its parts, for pypika."""
		yield self
		yield from self.name.nodes_()

	def get_sql(self, **kwargs) -> str:
		"""Return the condition as SQL text."""
		kwargs.pop("with_alias", None)
		return f"{self.name.get_sql(**kwargs)} in ({readable.names(self.doctype, self.condition)})"
