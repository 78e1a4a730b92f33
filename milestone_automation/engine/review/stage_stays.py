"""How long plans take for each milestone of a workflow: since those it depends on were reached, or since the plan began.

A milestone that was skipped took no time: what comes after it counts from before it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby

import frappe
from frappe.utils import get_datetime

from milestone_automation.engine.review import bottlenecks, stays
from milestone_automation.engine.review.bottlenecks import Bottleneck
from milestone_automation.engine.review.plan_stages import PlanFilter, StageRow
from milestone_automation.engine.rules.network import Network
from milestone_automation.engine.rules.vocabulary import PlanEvent, PlanStatus
from milestone_automation.engine.rules.working_days import WorkCalendar

NOON = time(12)


@dataclass(frozen=True)
class StageStay:
	"""The time that one plan took for one milestone, or has taken until now.

	Attributes:
		stage: the milestone.
		since: when those it depends on were reached, or the plan began; naive, in the site's time zone.
		until: when it was reached; None while it is open.
	"""

	stage: StageRow
	since: datetime
	until: datetime | None

	def seconds(self, now: datetime, calendar: WorkCalendar | None = None) -> int:
		"""Return how long it took, or has taken until now.

		Args:
			now: the current time, naive, in the site's time zone.
			calendar: counts working time; None for calendar time.
		"""
		return bottlenecks.seconds(self.since, self.until or now, calendar)

	def ended_in(self, start: date | None, end: date | None) -> bool:
		"""Tell whether it is over, and ended in a period.

		Args:
			start, end: first and last date; None for no limit.
		"""
		day = self.until and self.until.date()
		return bool(day) and (start is None or day >= start) and (end is None or day <= end)


def find(rows: Iterable[StageRow]) -> Iterator[StageStay]:
	"""Yield the time for each milestone that is reached, or is open with all before it reached.

	Args:
		rows: stages, grouped by plan and in order.
	"""
	for _plan, stages in groupby(rows, key=lambda row: row.plan):
		yield from _of_plan(list(stages))


def _of_plan(stages: list[StageRow]) -> Iterator[StageStay]:
	network = Network.of([stage.depends_on for stage in stages])
	# When each stage was over for those after it; None while they wait for it.
	over: list[datetime | None] = []
	for stage, before in zip(stages, network.direct, strict=True):
		ends = [over[position] for position in before]
		begun = None if None in ends else max(ends, default=stage.created)
		over.append(_over(stage, begun))
		if reached := _reached_at(stage):
			since = max([end for end in ends if end], default=_began(stage, reached))
			yield StageStay(stage, min(since, reached), reached)
		elif begun and stage.is_waited_for:
			yield StageStay(stage, begun, None)


def _over(stage: StageRow, begun: datetime | None) -> datetime | None:
	if stage.is_reached:
		return _reached_at(stage) or begun
	return begun if stage.is_skipped else None


def _reached_at(stage: StageRow) -> datetime | None:
	"""Return when a stage was reached, however much later that was recorded; noon where only the day is known.

	None where it is open, or was reached before its plan began and nobody knows when.
	"""
	if stage.reached and (stage.reached_at or stage.milestone):
		is_day_of_record = stage.reached_at and stage.reached_at.date() == stage.reached
		return stage.reached_at if is_day_of_record else datetime.combine(stage.reached, NOON)
	return None


def _began(stage: StageRow, reached: datetime) -> datetime:
	"""Return from when on the first stage of a plan counts: of one reached before the plan, from its document's day."""
	if stage.created and stage.created <= reached:
		return stage.created
	return datetime.combine(stage.started, NOON) if stage.started else reached


@dataclass(frozen=True)
class Undoing:
	"""A milestone that was undone.

	Attributes:
		stage: the milestone.
		done_on: when, naive, in the site's time zone.
		done_by: user id or e-mail address of who did it; empty for unknown.
	"""

	stage: StageRow
	done_on: datetime
	done_by: str


def measure(
	rows: Iterable[StageRow],
	plans: PlanFilter,
	now: datetime,
	calendar: WorkCalendar | None = None,
	start: date | None = None,
	end: date | None = None,
) -> list[Bottleneck]:
	"""Return the bottlenecks of the milestones of a workflow, the largest share of time first.

	Args:
		rows: stages of its plans, grouped by plan and in order.
		plans: which plans these are.
		now: the current time, naive, in the site's time zone.
		calendar: counts in working time; None for calendar time.
		start, end: first and last date on which milestones were reached or undone; None for no limit.
	"""
	rows = list(rows)
	rework = Counter(undoing.stage.stage_name for undoing in undoings(rows, plans, start, end))
	finished, ages = defaultdict(list), defaultdict(list)
	for stay in find(rows):
		if stay.until is None:
			ages[stay.stage.stage_name].append(stay.seconds(now, calendar))
		elif stay.ended_in(start, end):
			finished[stay.stage.stage_name].append(stay.seconds(now, calendar))
	measured = {name: stays.of_durations((name,), sorted(seconds)) for name, seconds in finished.items()}
	return bottlenecks.ranked({*finished, *ages, *rework}, measured, ages, rework)


def undoings(
	rows: Iterable[StageRow], plans: PlanFilter, start: date | None = None, end: date | None = None
) -> list[Undoing]:
	"""Return when milestones were undone, the latest first; one query.

	Args:
		rows: the milestones that count.
		plans: which plans they are of; the log of others is not read.
		start, end: first and last date; None for no limit.
	"""
	log, plan = frappe.qb.DocType("Milestone Plan Log"), frappe.qb.DocType("Milestone Plan")
	query = frappe.qb.from_(log).join(plan).on(plan.name == log.plan)
	query = query.select(log.plan_stage, log.done_on, log.done_by)
	query = query.where(log.event == PlanEvent.MILESTONE_UNDONE.value)
	query = query.where(plan.status != PlanStatus.CANCELLED.value)
	if plans.workflow:
		query = query.where(plan.workflow == plans.workflow)
	if plans.reference_name:
		query = query.where(plan.reference_name == plans.reference_name)
	if start:
		query = query.where(log.done_on >= datetime.combine(start, time.min))
	if end:
		query = query.where(log.done_on < datetime.combine(end, time.min) + timedelta(days=1))
	stages = {row.name: row for row in rows}
	undone_rows = query.orderby(log.done_on, order=frappe.qb.desc).orderby(log.name).run()
	return [
		Undoing(stages[name], get_datetime(done_on), done_by or "")
		for name, done_on, done_by in undone_rows
		if name in stages
	]
