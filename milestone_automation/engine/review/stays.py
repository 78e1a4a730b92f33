"""How long documents had each value of a field, and which value came next.

A *stay* in `value_before` ends when a milestone is recorded, after `time_in_previous` seconds. If all stays count, the sums
of days that are over are stored (`roll_up`); they also say where to look for a percentile in an index. Without them the
database answers for one value after the other from an index alone: it jumps to the next value, adds up its entries, and
finds a percentile by walking to its place, without sorting. That is faster than one query that groups, which compares
every column of every row. If the user may read only some documents, or a period is chosen, the durations are read once,
as whole numbers, and sorted here.
"""

import functools
from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import frappe
from frappe.query_builder.functions import Count, Min, Sum
from frappe.utils import get_datetime
from pypika.terms import Parameter

from milestone_automation.engine.base import indexes
from milestone_automation.engine.review import percentiles, roll_up
from milestone_automation.engine.review.scope import Scope, are_alike, ends, exact, is_exactly, of_stays
from milestone_automation.engine.rules.working_days import WorkCalendar, working_seconds_between

MEDIAN, NINETIETH = 0.5, 0.9
# Number of rows that are read at a time.
PAGE = 20_000


@dataclass(frozen=True)
class Stays:
	"""The stays of one value, or of one step from value to value. Times in seconds.

	Attributes:
		key: (value,) or (from value, value).
		count: number of finished stays.
		total: their total time.
		at: percentiles by fraction (0.5 is the median), as `percentiles` defines them.
	"""

	key: tuple[str, ...]
	count: int
	total: int
	at: dict[float, float]

	@property
	def mean(self) -> float:
		"""Mean of the stays."""
		return self.total / self.count

	@property
	def median(self) -> float:
		"""Median of the stays."""
		return self.at[MEDIAN]

	@property
	def p90(self) -> float:
		"""90th percentile of the stays."""
		return self.at[NINETIETH]


@dataclass(frozen=True)
class Stay:
	"""One stay of one document, or its return to a value.

	Attributes:
		reference_name, value: the document and the value it had.
		next_value: the value it took then; None for a return, which has not to be over.
		since, until: when it got the value and the next one, naive, in the site's time zone; None for unknown.
		seconds: how long it had the value, in calendar or working time; None for unknown.
		user: who set the next value, or of a return the value.
	"""

	reference_name: str
	value: str
	next_value: str | None
	since: datetime | None
	until: datetime | None
	seconds: int | None
	user: str


def longest(
	scope: Scope,
	most: int,
	value: str | None = None,
	next_value: str | None = None,
	calendar: WorkCalendar | None = None,
) -> list[Stay]:
	"""Return finished stays, the longest first in calendar time.

	Args:
		scope: which milestones count.
		most: how many to return at most.
		value, next_value: only stays in this value, and before this one; None for all.
		calendar: counts working time; None for calendar time.
	"""
	milestone = frappe.qb.DocType("Milestone")
	query = frappe.qb.from_(milestone).select(
		milestone.reference_name,
		milestone.value_before,
		milestone.value,
		milestone.reached_on,
		milestone.time_in_previous,
		milestone.reached_by,
	)
	query = _between(of_stays(scope, query, milestone), milestone, value, next_value)
	query = (
		query.orderby(milestone.time_in_previous, order=frappe.qb.desc).orderby(milestone.name).limit(most)
	)
	return [
		Stay(
			name,
			before,
			after or "",
			get_datetime(until) - timedelta(seconds=float(seconds)),
			get_datetime(until),
			_duration(seconds, until, calendar),
			user or "",
		)
		for name, before, after, until, seconds, user in query.run()
	]


def count(scope: Scope, value: str | None = None, next_value: str | None = None) -> int:
	"""Return how many finished stays there are; those that `longest` lists, without its limit.

	Args:
		scope: which milestones count.
		value, next_value: only stays in this value, and before this one; None for all.
	"""
	milestone = frappe.qb.DocType("Milestone")
	query = of_stays(scope, frappe.qb.from_(milestone).select(Count("*")), milestone)
	return _between(query, milestone, value, next_value).run()[0][0]


def _between(query, milestone, value: str | None, next_value: str | None):
	if value is not None:
		query = query.where(is_exactly(milestone.value_before, value))
	return query if next_value is None else query.where(is_exactly(milestone.value, next_value))


def by_value(
	scope: Scope, calendar: WorkCalendar | None = None, fractions: tuple[float, ...] = (MEDIAN, NINETIETH)
) -> list[Stays]:
	"""Return the stays in each value.

	Args:
		scope: which milestones count.
		calendar: counts working time; None for calendar time.
		fractions: percentiles to find, as fractions.
	"""
	return _stays(scope, ("value_before",), calendar, fractions)


def left(scope: Scope, values: Collection[str]) -> set[str]:
	"""Return those of some values that a document has ever left: of any other, nobody knows whether it is not the last.

	It counts also where nobody knows for how long the document had the value, as of one from before it was recorded.

	Args:
		scope: which milestones count; its period does not matter.
		values: those asked for; no query without any.
	"""
	if not values:
		return set()
	milestone = frappe.qb.DocType("Milestone")
	query = frappe.qb.from_(milestone).select(Min(milestone.value_before))
	query = replace(scope, start=None, end=None).apply(query, milestone)
	query = query.where(milestone.value_before != "").where(milestone.value_before.isin(sorted(values)))
	left_values = {value for (value,) in query.groupby(exact(milestone.value_before)).run()}
	return left_values & set(values)


def by_step(
	scope: Scope, calendar: WorkCalendar | None = None, fractions: tuple[float, ...] = (MEDIAN, NINETIETH)
) -> list[Stays]:
	"""Return the stays before each step from one value to another.

	Args:
		scope, calendar, fractions: as in `by_value`.
	"""
	return _stays(scope, ("value_before", "value"), calendar, fractions)


def _stays(scope: Scope, columns: tuple[str, ...], calendar, fractions) -> list[Stays]:
	if scope.is_whole and not calendar:
		for answer in (_from_roll_up, _from_index):
			stays = answer(scope, columns, fractions)
			if stays is not None:
				return stays
	return _from_rows(scope, columns, calendar, fractions)


def _from_roll_up(scope: Scope, columns: tuple[str, ...], fractions) -> list[Stays] | None:
	"""Return the stays from stored sums; None where too little is stored, or another than the rows say."""
	steps = roll_up.by_step(scope)
	if steps is None:
		return None
	of_keys: dict[tuple[str, ...], roll_up.Sums] = {}
	for step, sums in steps.items():
		of_keys.setdefault(step[: len(columns)], roll_up.Sums()).add(sums.total, sums.classes.items())
	index = indexes.to_force("Milestone", (*indexes.COUNTED, *columns, "time_in_previous"))
	stays = []
	for key, sums in sorted(of_keys.items()):
		read = functools.partial(_read_class, scope, columns, key, index, sums)
		try:
			at = {fraction: percentiles.seek(sums.count, fraction, read) for fraction in fractions}
		except LookupError:
			return None
		stays.append(Stays(key, sums.count, sums.total, at))
	return stays


def _read_class(
	scope: Scope,
	columns: tuple[str, ...],
	key: tuple[str, ...],
	index: str | None,
	sums: "roll_up.Sums",
	first: int,
	how_many: int,
) -> list[float]:
	"""Return sorted durations of one key by position, walking the index from the beginning of their class only."""
	number, behind = sums.find(first)
	least = roll_up.least(number)
	statement = _class_statement(frappe.db.db_type, columns, index, least is not None)
	exact_key = key if frappe.db.db_type == "mariadb" else ()
	bound = () if least is None else (least,)
	values = (scope.reference_type, scope.track_field, *key, *exact_key, *bound, how_many, behind)
	rows = frappe.db.sql(statement, values)
	if len(rows) < how_many:
		raise LookupError(key)
	return [seconds for (seconds,) in rows]


@functools.cache
def _class_statement(db_type: str, columns: tuple[str, ...], index: str | None, has_least: bool) -> str:
	"""Return the text of a query for durations from a place on; building it costs more than it takes.

	Args:
		db_type: that of the site, by which the text is kept.
		columns: of the key.
		index: to be named; None where the database finds it.
		has_least: whether durations begin at a value.

	Returns:
		str: SQL with a `%s` for DocType, field, each column, again each of them on MariaDB, the shortest duration, how
			many there are to be, and how many to leave out.
	"""
	milestone, given = frappe.qb.DocType("Milestone"), Parameter("%s")
	duration = milestone.time_in_previous
	query = frappe.qb.from_(milestone)
	query = Scope(given, given).apply(query.force_index(index) if index else query, milestone)
	for column in columns:
		query = query.where(milestone[column] == given)
	for column in columns if db_type == "mariadb" else ():
		query = query.where(exact(milestone[column]) == given)
	query = query.where(duration >= given) if has_least else query.where(duration.isnotnull())
	return query.select(duration).orderby(duration).limit(given).offset(given).get_sql()


def _from_index(scope: Scope, columns: tuple[str, ...], fractions) -> list[Stays] | None:
	"""Return the stays from an index on the columns and the time; None where the index takes two values for the same."""
	index = indexes.to_force("Milestone", (*indexes.COUNTED, *columns, "time_in_previous"))
	milestone = frappe.qb.DocType("Milestone")
	duration = milestone.time_in_previous
	behind = [milestone[column] for column in columns[1:]]
	texts = ends(*(milestone[column] for column in columns))
	stays = []
	for value in _values(scope):
		if _is_misread(value):
			return None
		query = _in_value(scope, value, index).select(Count("*"), Sum(duration), *behind, *texts)
		for count, total, *rest in query.groupby(*behind).run():
			if count:
				if not are_alike(rest[len(behind) :]) or any(
					_is_misread(after) for after in rest[: len(behind)]
				):
					return None
				key = (value, *rest[: len(behind)])
				read = _walk(scope, columns, key, index, count)
				at = {fraction: percentiles.seek(count, fraction, read) for fraction in fractions}
				stays.append(Stays(key, count, int(total), at))
	return sorted(stays, key=lambda row: row.key)


def _is_misread(value: str) -> bool:
	"""Tell whether Frappe asks SQLite for another text: it doubles "%" in one that has an apostrophe too."""
	return frappe.db.db_type == "sqlite" and "'" in value and "%" in value


def _values(scope: Scope) -> Iterator[str]:
	"""Yield the values that documents had: the next is the smallest of those behind it in the index."""
	milestone = frappe.qb.DocType("Milestone")
	query = scope.apply(frappe.qb.from_(milestone).select(Min(milestone.value_before)), milestone)
	value = ""
	while value is not None:
		((value,),) = query.where(milestone.value_before > value).run()
		if value is not None:
			yield value


def _in_value(scope: Scope, value: str, index: str | None):
	"""Return a query, without what it selects, of the stays in one value."""
	milestone = frappe.qb.DocType("Milestone")
	query = frappe.qb.from_(milestone)
	query = scope.apply(query.force_index(index) if index else query, milestone)
	return query.where(milestone.value_before == value).where(milestone.time_in_previous.isnotnull())


def _walk(
	scope: Scope, columns: tuple[str, ...], key: tuple[str, ...], index: str | None, count: int
) -> Callable[[int, int], Sequence[float]]:
	"""Return a function that reads sorted durations of one key by position, from the nearer end of the index."""
	milestone = frappe.qb.DocType("Milestone")
	duration = milestone.time_in_previous
	query = _in_value(scope, key[0], index).select(duration)
	for column, value in zip(columns[1:], key[1:], strict=True):
		query = query.where(milestone[column] == value)

	def read(first: int, how_many: int) -> list[float]:
		behind = count - first - how_many
		if behind < first:
			rows = (
				query.orderby(duration, order=frappe.qb.desc).limit(how_many).offset(behind).run(pluck=True)
			)
			return rows[::-1]
		return query.orderby(duration).limit(how_many).offset(first).run(pluck=True)

	return read


def _from_rows(scope: Scope, columns: tuple[str, ...], calendar, fractions) -> list[Stays]:
	durations: dict[tuple[str, ...], array] = {}
	for key, seconds in _rows(scope, columns, calendar):
		durations.setdefault(key, array("q")).append(seconds)
	return [of_durations(key, sorted(seconds), fractions) for key, seconds in sorted(durations.items())]


def of_durations(
	key: tuple[str, ...], seconds: list[int], fractions: tuple[float, ...] = (MEDIAN, NINETIETH)
) -> Stays:
	"""Return the numbers of some stays.

	Args:
		key: as in `Stays`.
		seconds: how long each was, sorted; one or more.
		fractions: percentiles to find, as fractions.
	"""
	at = {fraction: percentiles.percentile(seconds, fraction) for fraction in fractions}
	return Stays(key, len(seconds), sum(seconds), at)


def _rows(scope: Scope, columns: tuple[str, ...], calendar) -> Iterator[tuple[tuple[str, ...], int]]:
	"""Yield key and duration of every stay, one page at a time to save memory."""
	milestone = frappe.qb.DocType("Milestone")
	query = frappe.qb.from_(milestone).select(
		milestone.name,
		milestone.time_in_previous,
		milestone.reached_on,
		*(milestone[column] for column in columns),
	)
	query = of_stays(scope, query, milestone).orderby(milestone.name).limit(PAGE)
	rows = query.run()
	while rows:
		for _name, seconds, reached_on, *key in rows:
			yield tuple(key), _duration(seconds, reached_on, calendar)
		rows = query.where(milestone.name > rows[-1][0]).run() if len(rows) == PAGE else ()


def _duration(seconds, reached_on, calendar: WorkCalendar | None) -> int:
	if not calendar:
		return int(seconds)
	reached_on = get_datetime(reached_on)
	return working_seconds_between(reached_on - timedelta(seconds=float(seconds)), reached_on, calendar)
