"""What a manager wants to know once a week: what is late or will be, what comes next, what was reached and moved."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum

import frappe
from frappe.utils import getdate

from milestone_automation.engine.review.plan_stages import StageRow
from milestone_automation.engine.rules.vocabulary import DateChangeStatus, Health

DAYS = 7


class Section(Enum):
	"""Sections of the summary, in their order. A milestone that is open stands in the first that fits."""

	LATE = "late"
	BLOCKED = "blocked"
	AT_RISK = "at risk"
	NEXT = "due in the next days"
	REACHED = "reached in the last days"
	MOVED = "moved in the last days"


@dataclass(frozen=True)
class Line:
	"""One milestone in one section.

	Attributes:
		section: where it stands.
		stage: the milestone.
		days: days late, days until the key date, days after the key date it was reached, or days it moved; None if unknown.
	"""

	section: Section
	stage: StageRow
	days: int | None


def summarize(rows: Iterable[StageRow], days_moved: dict[str, int], today: date) -> dict[Section, list[Line]]:
	"""Return the lines of each section, most urgent first.

	Args:
		rows: stages that the user may see.
		days_moved: days that each stage moved in the last days, by row name, as `moved_since` returns them.
		today: the last of the past days.
	"""
	lines: dict[Section, list[Line]] = {section: [] for section in Section}
	for row in rows:
		for section, days in _places(row, days_moved, today):
			lines[section].append(Line(section, row, days))
	for section, of_section in lines.items():
		of_section.sort(key=lambda line: _urgency(section, line))
	return lines


def stages_in(rows: Iterable[StageRow], section: Section, today: date) -> list[StageRow]:
	"""Return the milestones of one section, most urgent first.

	Args:
		rows: stages that the user may see.
		section: the section.
		today: the last of the past days.
	"""
	days_moved = moved_since(today - timedelta(days=DAYS - 1))
	return [line.stage for line in summarize(rows, days_moved, today)[section]]


def _urgency(section: Section, line: Line) -> tuple:
	days = line.days or 0
	return (days if section is Section.NEXT else -days, line.stage.reference_name, line.stage.position)


def _places(row: StageRow, days_moved: dict[str, int], today: date):
	if row.is_reached:
		if row.reached and today - timedelta(days=DAYS) < row.reached <= today:
			yield Section.REACHED, row.lateness
	elif row.is_waited_for and (place := _place_of_open(row, today)):
		yield place
	if row.name in days_moved:
		yield Section.MOVED, days_moved[row.name]


def _place_of_open(row: StageRow, today: date) -> tuple[Section, int | None] | None:
	until_due = (row.due - today).days if row.due else None
	if until_due is not None and until_due < 0:
		return Section.LATE, -until_due
	if row.health == Health.BLOCKED:
		return Section.BLOCKED, until_due
	if row.health == Health.AT_RISK:
		return Section.AT_RISK, until_due
	if until_due is not None and until_due <= DAYS:
		return Section.NEXT, until_due
	return None


def moved_since(day: date) -> dict[str, int]:
	"""Return by how many days stages moved since a day, by row name; one query.

	Args:
		day: the first day that counts.
	"""
	change = frappe.qb.DocType("Milestone Date Change")
	rows = (
		frappe.qb.from_(change)
		.select(change.plan_stage, change.old_date, change.new_date)
		.where(change.status == DateChangeStatus.ACCEPTED.value)
		.where(change.changed_on >= datetime.combine(day, time.min))
		.where(change.old_date.isnotnull())
		.where(change.new_date.isnotnull())
		.run()
	)
	days_moved: dict[str, int] = {}
	for stage, old, new in rows:
		days_moved[stage] = days_moved.get(stage, 0) + (getdate(new) - getdate(old)).days
	return days_moved
