"""When the open milestones of a workflow's plans will be reached, learned from the milestones that its plans reached.

All plans of a workflow are replayed in the order of time: when each began, when it reached which milestone. What was
undone, and values that a save only passed through, are not stored as reached and so do not count; a cancelled plan
counts as open until it was cancelled, a plan on hold until then. A milestone that was already reached when its plan began, at an unknown time,
teaches nothing, and neither does what came before it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from math import floor

import frappe
from frappe.utils import get_datetime, getdate

from milestone_automation.engine.review.forecast import AfterOthers, Forecast, Forecaster
from milestone_automation.engine.review.remaining_time import Silence
from milestone_automation.engine.rules import order
from milestone_automation.engine.rules.network import Network
from milestone_automation.engine.rules.vocabulary import PlanStatus, StageStatus
from milestone_automation.engine.store import forecasts

# Ended plans that are learned from, the latest; replaying takes about a second for each thousand milestones.
ENDED_PLANS = 1_000
# Plans whose stages are read at a time.
PAGE = 2_000
START = "(start)"
EPOCH = datetime(1970, 1, 1)
NOON = time(12)
A_SECOND = 1 / 86_400
A_DAY = timedelta(days=1)
# In so many plans a milestone may be passed over until it is no longer one that others wait for.
RARELY = 0.05
STAGE_COLUMNS = (
	"name",
	"parent",
	"idx",
	"stage_name",
	"workflow_stage",
	"dependency",
	"predecessors",
	"status",
	"key_date",
	"reached_on",
	"reached_at",
	"milestone",
	*forecasts.FIELDS,
)


@dataclass
class Forecasts:
	"""What is new about the open milestones of a workflow.

	Attributes:
		changes: by name of the plan and row name of the stage, the values of `forecasts.FIELDS` where they differ from
			those stored; None, and no chance, where nothing can be said.
		again_on: on which day they are to be worked out again if no plan changes; None for never.
	"""

	changes: dict[str, dict[str, dict]] = field(default_factory=lambda: defaultdict(dict))
	again_on: date | None = None


def measure(workflow: str, now: datetime, at_risk_below: int) -> Forecasts:
	"""Return the new forecasts of a workflow's active plans.

	Args:
		workflow: name of a Milestone Workflow.
		now: naive, in the site's time zone.
		at_risk_below: percentage below which the chance to meet a key date is a risk; 0 for never.
	"""
	new = Forecasts()
	plans = _plans(workflow)
	if not any(plan.status == PlanStatus.ACTIVE for plan in plans):
		return new
	stages = _stages([plan.name for plan in plans])
	forecaster = _learn(plans, stages, now)
	passed_over = _passed_over(stages.values())
	days = []
	for plan in plans:
		if plan.status == PlanStatus.ACTIVE:
			predicted = _in_order(stages[plan.name], _predict(forecaster, plan.name, now), passed_over)
			days += _compare(stages[plan.name], predicted, at_risk_below, new)
	# What is due by now was worked out just now.
	new.again_on = max(min(days), now.date() + A_DAY) if days else None
	return new


# Reading


def _plans(workflow: str) -> list:
	"""Return the active plans of a workflow, and the latest that ended."""
	plan = frappe.qb.DocType("Milestone Plan")
	query = (
		frappe.qb.from_(plan)
		.select(plan.name, plan.status, plan.created_from, plan.creation, plan.modified, plan.on_hold_since)
		.where(plan.workflow == workflow)
	)
	active = query.where(plan.status == PlanStatus.ACTIVE.value).run(as_dict=True)
	ended = query.where(plan.status != PlanStatus.ACTIVE.value).orderby(
		plan.created_from, order=frappe.qb.desc
	)
	return active + ended.orderby(plan.name).limit(ENDED_PLANS).run(as_dict=True)


def _stages(plans: list[str]) -> dict[str, list]:
	"""Return the stages of each plan, in order."""
	stage = frappe.qb.DocType("Milestone Plan Stage")
	query = frappe.qb.from_(stage).select(*(stage[name] for name in STAGE_COLUMNS))
	query = query.where(stage.parenttype == "Milestone Plan").orderby(stage.parent).orderby(stage.idx)
	stages = defaultdict(list)
	for start in range(0, len(plans), PAGE):
		for row in query.where(stage.parent.isin(plans[start : start + PAGE])).run(as_dict=True):
			stages[row.parent].append(row)
	return stages


# Learning


def _learn(plans: list, stages: dict[str, list], now: datetime) -> Forecaster:
	"""Return a forecaster that has seen all plans, in the order of time."""
	forecaster = Forecaster({_identity(row): None for rows in stages.values() for row in rows})
	events = [event for plan in plans for event in _events(plan, stages[plan.name], now)]
	for moment, plan, _position, value in sorted(events, key=lambda event: event[:3]):
		if value is None:
			forecaster.withdraw(plan, moment)
		else:
			forecaster.observe(plan, value, moment)
	return forecaster


def _events(plan, stages: list, now: datetime) -> list[tuple]:
	"""Return (moment, plan, position, value) of what happened to a plan; its end has no value."""
	steps = _steps(plan, stages)
	if steps and (ended := _ended_at(plan)):
		steps.append((max(steps[-1][0], ended), None))
	return [
		(_in_days(min(moment, now)), plan.name, position, value)
		for position, (moment, value) in enumerate(steps)
	]


def _ended_at(plan) -> datetime | None:
	"""Return from when on a plan is watched no longer: it ended, or is on hold and waits for nothing."""
	if plan.on_hold_since:
		return datetime.combine(getdate(plan.on_hold_since), NOON)
	return get_datetime(plan.modified) if plan.status != PlanStatus.ACTIVE else None


def _steps(plan, stages: list) -> list[tuple]:
	"""Return (moment, value) of the start of a plan and of the stages it reached, from when on that is known."""
	reached = [row for row in stages if row.status == StageStatus.REACHED and row.reached_on]
	reached.sort(key=lambda row: (_reached_at(row), row.idx))
	unknown = [index for index, row in enumerate(reached) if not (row.reached_at or row.milestone)]
	dated_stages = reached[unknown[-1] + 1 :] if unknown else reached
	steps = [(_reached_at(row), _identity(row)) for row in dated_stages]
	if unknown:
		return steps
	began = datetime.combine(getdate(plan.created_from or plan.creation), time.min)
	# Milestones from before the plan, which it took from its document's history.
	return [(min([began, *(moment for moment, _value in steps)]), START), *steps]


def _reached_at(stage) -> datetime:
	"""Return when a stage was reached; noon where only the day is known, for example of an earlier day confirmed today."""
	recorded = stage.reached_at and get_datetime(stage.reached_at)
	day = getdate(stage.reached_on)
	return recorded if recorded and recorded.date() == day else datetime.combine(day, NOON)


def _identity(stage) -> str:
	"""Return what makes a stage the same one in all plans, also after it was given another name."""
	return stage.workflow_stage or stage.stage_name


# Forecasting


def _predict(forecaster: Forecaster, plan: str, now: datetime) -> dict[str, Forecast]:
	"""Return the forecasts of a plan by identity of the stage."""
	return forecaster.predict(plan, _in_days(now)) if forecaster.knows(plan) else {}


def _passed_over(plans: Iterable[list]) -> set[tuple[str, str]]:
	"""Return the pairs of an earlier and a later stage of which plans often reached the later one without the earlier."""
	reached: Counter = Counter()
	without: Counter = Counter()
	for earlier, later in _pairs(plans):
		pair = (_identity(earlier), _identity(later))
		reached[pair] += 1
		without[pair] += _is_missing(earlier, later)
	return {pair for pair, number in without.items() if number > RARELY * reached[pair]}


def _pairs(plans: Iterable[list]) -> Iterator[tuple]:
	"""Yield each reached stage of each plan with each stage that comes before it, as (earlier, later)."""
	for stages in plans:
		network = Network.of(stages)
		for position, row in enumerate(stages):
			if row.status == StageStatus.REACHED and row.reached_on:
				yield from ((stages[earlier], row) for earlier in network.before(position))


def _is_missing(earlier, later) -> bool:
	"""Tell whether a stage was not reached yet when one that comes after it was."""
	if earlier.status != StageStatus.REACHED or not earlier.reached_on:
		return True
	return getdate(earlier.reached_on) > getdate(later.reached_on)


def _in_order(
	stages: list, predicted: dict[str, Forecast], passed_over: set[tuple[str, str]]
) -> dict[str, Forecast | AfterOthers]:
	"""Return the forecasts of a plan, none of them before that of a stage which comes first."""
	network, in_order = Network.of(stages), {}
	skipped = {_identity(row) for row in order.skipped(stages)}
	for position, row in enumerate(stages):
		own = predicted.get(_identity(row))
		if own is None or own.silence:
			in_order[_identity(row)] = own
			continue
		earlier = {_identity(stages[number]) for number in network.before(position)} - skipped
		waited_for = (
			predicted[name]
			for name in sorted(earlier & predicted.keys())
			if not predicted[name].silence and (name, _identity(row)) not in passed_over
		)
		in_order[_identity(row)] = AfterOthers((own, *waited_for))
	return in_order


def _compare(
	stages: list, predicted: dict[str, Forecast | AfterOthers | None], at_risk_below: int, new: Forecasts
) -> list[date]:
	"""Add the forecasts of a plan that differ from the stored ones; return the days on which they are to be renewed."""
	skipped = order.skipped(stages)
	days = []
	for row in stages:
		is_open = row.status != StageStatus.REACHED and row not in skipped
		forecast = predicted.get(_identity(row)) if is_open else None
		if isinstance(forecast, AfterOthers):
			values = _values(row, forecast)
			days += _days_to_look_again(row, forecast, at_risk_below)
		else:
			values = _values_in_silence(row, forecast, at_risk_below)
		if not forecasts.is_same(row, values):
			new.changes[row.parent][row.name] = values
	return days


def _values_in_silence(stage, forecast: Forecast | None, at_risk_below: int) -> dict:
	"""Return no values; but a risk does not pass because the stage waits longer than any before: its chance only falls."""
	if forecast and forecast.silence is Silence.TOO_OLD and forecasts.is_risk(stage, at_risk_below):
		return {**forecasts.NOTHING, "chance": stage.chance, "chance_for": stage.chance_for}
	return forecasts.NOTHING


def _values(stage, forecast: AfterOthers) -> dict:
	key_date = getdate(stage.key_date) if stage.key_date else None
	# Whole per cent, rounded down: below the limit is below it as a number on the screen, too.
	chance = floor(forecast.chance_to_meet(_end_of(key_date)) * 100 + 1e-6) if key_date else 0
	return {
		"forecast_date": _day(forecast.p50),
		"forecast_p80": _day(forecast.p80) if forecast.p80 is not None else None,
		"chance": chance,
		"chance_for": key_date,
	}


def _days_to_look_again(stage, forecast: AfterOthers, at_risk_below: int) -> list[date]:
	"""Return when a forecast is out of date: its day is past, or the chance falls below the limit."""
	days = [_day(forecast.p50) + A_DAY]
	if stage.key_date and 0 < at_risk_below < 100:
		days.append(_day(forecast.falls_below(_end_of(getdate(stage.key_date)), at_risk_below / 100)))
	return days


# Days since 1970


def _in_days(moment: datetime) -> float:
	return (moment - EPOCH) / A_DAY


def _end_of(day: date) -> float:
	return float((day - EPOCH.date() + A_DAY).days)


def _day(moment: float) -> date:
	# A sum of times may fall short of midnight by less than a second.
	return EPOCH.date() + timedelta(days=floor(moment + A_SECOND))
