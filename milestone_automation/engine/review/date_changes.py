"""How key dates moved: the trend of each milestone, and the days moved for each reason."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

import frappe
from frappe.utils import get_datetime, getdate

from milestone_automation.engine.review.plan_stages import StageRow
from milestone_automation.engine.rules.vocabulary import DateChangeStatus

# Number of stages that are read at a time.
PAGE = 2_000


@dataclass(frozen=True)
class DateChange:
	"""One move of a key date.

	Attributes:
		stage: name of the stage's row.
		changed_on: when, naive, in the site's time zone.
		old, new: the dates; None for no date.
		reason, source, changed_by: reason given, what moved the date, user id.
	"""

	stage: str
	changed_on: datetime
	old: date | None
	new: date | None
	reason: str
	source: str
	changed_by: str

	@property
	def days(self) -> int | None:
		"""Days moved, negative for earlier; None if one of the dates is missing."""
		return (self.new - self.old).days if self.old and self.new else None


@dataclass
class ReasonTotal:
	"""Totals of one reason: number of moves, days moved later and earlier, number of documents."""

	reason: str
	count: int = 0
	days_out: int = 0
	days_in: int = 0
	documents: int = 0


def read(stages: Iterable[StageRow]) -> Iterator[DateChange]:
	"""Yield the date changes of some stages, oldest first within each page.

	Args:
		stages: rows that the user may see.
	"""
	names = [row.name for row in stages]
	for begin in range(0, len(names), PAGE):
		yield from _page(names[begin : begin + PAGE])


def _page(names: list[str]) -> Iterator[DateChange]:
	change = frappe.qb.DocType("Milestone Date Change")
	rows = (
		frappe.qb.from_(change)
		.select(
			change.plan_stage,
			change.changed_on,
			change.old_date,
			change.new_date,
			change.reason,
			change.source,
			change.changed_by,
			change.creation,
		)
		.where(change.plan_stage.isin(names))
		.where(change.status == DateChangeStatus.ACCEPTED.value)
		.orderby(change.changed_on)
		.orderby(change.creation)
		.run(as_dict=True)
	)
	for row in rows:
		yield DateChange(
			row.plan_stage,
			get_datetime(row.changed_on or row.creation),
			getdate(row.old_date) if row.old_date else None,
			getdate(row.new_date) if row.new_date else None,
			row.reason or "",
			row.source or "",
			row.changed_by or "",
		)


def within(changes: Iterable[DateChange], start: date | None, end: date | None) -> Iterator[DateChange]:
	"""Yield the date changes that were made in a period.

	Args:
		changes: the date changes.
		start, end: first and last date; None for no limit.
	"""
	for change in changes:
		day = change.changed_on.date()
		if (start is None or day >= start) and (end is None or day <= end):
			yield change


def by_reason(changes: Iterable[DateChange], document_of: dict[str, str]) -> list[ReasonTotal]:
	"""Return the totals of each reason, most days moved later first.

	Args:
		changes: the date changes; a date that was set first or removed counts without days.
		document_of: the document by row name of the stage.
	"""
	totals: dict[str, ReasonTotal] = {}
	documents = defaultdict(set)
	for change in changes:
		total = totals.setdefault(change.reason, ReasonTotal(change.reason))
		total.count += 1
		total.days_out += max(0, change.days or 0)
		total.days_in += max(0, -(change.days or 0))
		documents[change.reason].add(document_of.get(change.stage))
	for reason, total in totals.items():
		total.documents = len(documents[reason])
	return sorted(totals.values(), key=lambda total: (-total.days_out, -total.count, total.reason))


def trend(stage: StageRow, changes: Iterable[DateChange]) -> list[tuple[date, date]]:
	"""Return the points of a stage in a milestone trend chart: (date of report, key date then), oldest first.

	Args:
		stage: the stage.
		changes: its date changes, oldest first.
	"""
	points = [(stage.started, stage.planned)] if stage.started and stage.planned else []
	points += [(change.changed_on.date(), change.new) for change in changes if change.new]
	if stage.reached:
		points.append((stage.reached, stage.reached))
	return points
