"""The health of stages and plans: one set of pure rules for every page, mail and report.

The health of a stage is the first of these that applies:

1. *Done*: it is reached.
2. *Skipped*: a later stage is reached. It is no longer asked for.
3. *On Hold*: its plan is on hold.
4. *Blocked*: its key date is today or past, and required tasks are open or exit criteria not met. This comes before Late
   because others have to act first: the assignees, or whoever meets the criteria.
5. *Late*: its key date is past, and no task blocks it.
6. *At Risk*: an open task is overdue; or required tasks are open or exit criteria not met within the warning lead before
   the key date; or the forecast's chance to meet the key date is below a limit.
7. *On Track*: everything else. On the key date itself, with all required tasks done, the owner is being asked.

A stage without a key date is At Risk if a task is overdue, otherwise On Track.
"""

from collections.abc import Iterable
from datetime import date, timedelta

from milestone_automation.engine.rules.vocabulary import Health, StageStatus

WORST_FIRST = (Health.LATE, Health.BLOCKED, Health.AT_RISK, Health.ON_TRACK, Health.ON_HOLD, Health.SKIPPED)


def stage_health(
	status: StageStatus,
	key_date: date | None,
	today: date,
	open_required_tasks: int,
	warning_lead_days: int,
	overdue_open_tasks: int = 0,
	is_skipped: bool = False,
	is_on_hold: bool = False,
	chance: float | None = None,
	at_risk_below: float = 0,
) -> Health:
	"""Return the health of one stage.

	Args:
		status: status of the stage.
		key_date: its key date, if it has one.
		today: today's date.
		open_required_tasks: number of tasks and exit criteria that block the stage; also those of earlier open stages
			where the plan says so.
		warning_lead_days: calendar days before the key date within which open required tasks are a risk.
		overdue_open_tasks: number of open tasks, required or not, that are past their due date.
		is_skipped: whether a later stage is reached.
		is_on_hold: whether its plan is on hold.
		chance: forecast chance to meet the key date, in per cent; None where nothing is said.
		at_risk_below: limit of that chance; 0 for none.
	"""
	if StageStatus(status) is StageStatus.REACHED:
		return Health.DONE
	if is_skipped:
		return Health.SKIPPED
	if is_on_hold:
		return Health.ON_HOLD
	if key_date and key_date <= today and open_required_tasks:
		return Health.BLOCKED
	if key_date and key_date < today:
		return Health.LATE
	is_close = _is_close(key_date, today, warning_lead_days)
	is_unlikely = _is_unlikely(key_date, chance, at_risk_below)
	if any((overdue_open_tasks, open_required_tasks and is_close, is_unlikely)):
		return Health.AT_RISK
	return Health.ON_TRACK


def _is_unlikely(key_date: date | None, chance: float | None, at_risk_below: float) -> bool:
	return key_date is not None and chance is not None and chance < at_risk_below


def _is_close(key_date: date | None, today: date, warning_lead_days: int) -> bool:
	return key_date is not None and key_date - today <= timedelta(days=warning_lead_days or 0)


def plan_health(stages: Iterable[Health]) -> Health:
	"""Return the health of a plan: the worst health of its open stages, Done if all are reached.

	A plan is Skipped if nothing else of it is open.

	Args:
		stages: health of each stage. A plan without stages is On Track.
	"""
	healths = {Health(stage) for stage in stages}
	if healths == {Health.DONE}:
		return Health.DONE
	return next((health for health in WORST_FIRST if health in healths), Health.ON_TRACK)
