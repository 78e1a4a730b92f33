"""How a stage and a plan are doing: one set of pure rules for every page, mail and report.

The health of a stage is the first of these that is true:

1. *Done*: it is reached.
2. *Blocked*: its key date has come (today or earlier) and required tasks are open. No prompt goes out then, so
   this comes before Late: the assignees are the ones to act, not the stage's owner.
3. *Late*: its key date is past, and nothing holds it.
4. *At Risk*: an open task is overdue; or required tasks are open with the key date at most the warning lead away;
   or the forecast lies after the key date.
5. *On Track*: everything else. On the key date itself with all required tasks done the owner is being asked.

Without a key date only an overdue task says anything: At Risk. Source: the design, "Plans" and "Prompts".
"""

from collections.abc import Iterable
from datetime import date, timedelta

from milestone_automation.engine.rules.vocabulary import Health, StageStatus

WORST_FIRST = (Health.LATE, Health.BLOCKED, Health.AT_RISK, Health.ON_TRACK)


def stage_health(
	status: StageStatus,
	key_date: date | None,
	today: date,
	open_required_tasks: int,
	warning_lead_days: int,
	forecast_date: date | None = None,
	overdue_open_tasks: int = 0,
) -> Health:
	"""Return the health of one stage, by the rules on top of this module.

	Args:
		status: of the stage.
		key_date: its key date, if it has one.
		today: the day to judge by.
		open_required_tasks: how many tasks hold the stage. With strict order the caller counts those of earlier
			open stages too.
		warning_lead_days: calendar days before the key date from which on open required tasks are a risk.
		forecast_date: when it will probably be reached, if there is history enough to tell.
		overdue_open_tasks: how many open tasks, required or not, are past their due date.
	"""
	if StageStatus(status) is StageStatus.REACHED:
		return Health.DONE
	if key_date and key_date <= today and open_required_tasks:
		return Health.BLOCKED
	if key_date and key_date < today:
		return Health.LATE
	if overdue_open_tasks or _is_endangered(
		key_date, today, open_required_tasks, warning_lead_days, forecast_date
	):
		return Health.AT_RISK
	return Health.ON_TRACK


def _is_endangered(
	key_date: date | None,
	today: date,
	open_required_tasks: int,
	warning_lead_days: int,
	forecast_date: date | None,
) -> bool:
	"""Return whether the key date itself is in danger; arguments as above."""
	if key_date is None:
		return False
	is_close = key_date - today <= timedelta(days=warning_lead_days or 0)
	return bool(open_required_tasks and is_close) or bool(forecast_date and forecast_date > key_date)


def plan_health(stages: Iterable[Health]) -> Health:
	"""Return the health of a plan: the worst of its open stages (Late, Blocked, At Risk, On Track), else Done.

	A plan without stages is On Track: there is nothing it could have done.
	"""
	found = {Health(stage) for stage in stages}
	if found == {Health.DONE}:
		return Health.DONE
	return next((health for health in WORST_FIRST if health in found), Health.ON_TRACK)
