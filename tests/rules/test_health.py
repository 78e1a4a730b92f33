"""Health of stages and plans: which of several truths wins, and the days on which one turns into the next."""

from datetime import date, timedelta

import pytest

from milestone_automation.engine.rules.health import plan_health, stage_health
from milestone_automation.engine.rules.vocabulary import Health, StageStatus

TODAY = date(2026, 6, 10)


def health(days_to_key_date: int | None, **facts) -> Health:
	"""Return the health of an open stage whose key date is so many days off, with a warning lead of 3 days."""
	key_date = None if days_to_key_date is None else TODAY + timedelta(days=days_to_key_date)
	facts = {"open_required_tasks": 0, "warning_lead_days": 3} | facts
	return stage_health(StageStatus.OPEN, key_date, TODAY, **facts)


@pytest.mark.parametrize(
	("days_to_key_date", "expected"),
	[
		(-30, Health.BLOCKED),
		(-1, Health.BLOCKED),
		(0, Health.BLOCKED),
		(1, Health.AT_RISK),
		(3, Health.AT_RISK),
		(4, Health.ON_TRACK),
		(None, Health.ON_TRACK),
	],
)
def test_required_tasks_open_make_a_stage_at_risk_within_the_lead_and_blocked_on_its_day(
	days_to_key_date, expected
):
	assert health(days_to_key_date, open_required_tasks=1) is expected


@pytest.mark.parametrize(
	("days_to_key_date", "expected"),
	[(-1, Health.LATE), (0, Health.ON_TRACK), (1, Health.ON_TRACK), (None, Health.ON_TRACK)],
)
def test_a_stage_that_nothing_holds_is_late_from_the_day_after_its_key_date(days_to_key_date, expected):
	assert health(days_to_key_date) is expected


def test_an_overdue_task_puts_a_stage_at_risk_however_far_its_key_date():
	assert health(100, overdue_open_tasks=1) is Health.AT_RISK
	assert health(None, overdue_open_tasks=1) is Health.AT_RISK


def test_an_overdue_task_that_is_not_required_does_not_hide_that_the_stage_is_late():
	assert health(-1, overdue_open_tasks=1) is Health.LATE


@pytest.mark.parametrize(
	("chance", "expected"),
	[(0, Health.AT_RISK), (49, Health.AT_RISK), (50, Health.ON_TRACK), (None, Health.ON_TRACK)],
)
def test_a_small_chance_to_meet_the_key_date_puts_a_stage_at_risk(chance, expected):
	assert health(10, chance=chance, at_risk_below=50) is expected


def test_with_the_limit_at_0_no_chance_is_a_risk():
	assert health(10, chance=0, at_risk_below=0) is Health.ON_TRACK


def test_without_a_key_date_a_chance_says_nothing():
	assert health(None, chance=0, at_risk_below=50) is Health.ON_TRACK


def test_with_no_warning_lead_open_tasks_are_no_risk_before_the_day_itself():
	assert health(1, open_required_tasks=2, warning_lead_days=0) is Health.ON_TRACK
	assert health(1, open_required_tasks=2, warning_lead_days=None) is Health.ON_TRACK


def test_a_skipped_stage_is_neither_late_nor_blocked():
	assert health(-5, is_skipped=True) is Health.SKIPPED
	assert health(-5, is_skipped=True, open_required_tasks=1, overdue_open_tasks=1) is Health.SKIPPED
	assert plan_health([Health.SKIPPED, Health.DONE]) is Health.SKIPPED
	assert plan_health([Health.SKIPPED, Health.ON_TRACK]) is Health.ON_TRACK


def test_a_reached_stage_is_done_whatever_else_is_true():
	yesterday = TODAY - timedelta(days=1)
	assert stage_health("Reached", yesterday, TODAY, 3, 3, 3, chance=0, at_risk_below=50) is Health.DONE
	assert stage_health("Reached", None, TODAY, 0, 0) is Health.DONE


@pytest.mark.parametrize(
	("stages", "expected"),
	[
		([Health.ON_TRACK, Health.AT_RISK, Health.BLOCKED, Health.LATE, Health.DONE], Health.LATE),
		([Health.AT_RISK, Health.BLOCKED, Health.ON_TRACK], Health.BLOCKED),
		([Health.DONE, Health.ON_TRACK, Health.AT_RISK], Health.AT_RISK),
		([Health.DONE, Health.ON_TRACK], Health.ON_TRACK),
		([Health.DONE, Health.DONE], Health.DONE),
		([], Health.ON_TRACK),
		(["Done", "Late"], Health.LATE),
	],
)
def test_a_plan_is_as_well_as_the_worst_of_its_open_stages(stages, expected):
	assert plan_health(stages) is expected


def test_an_unknown_status_or_health_is_refused():
	with pytest.raises(ValueError, match="'Reachd' is not a valid StageStatus"):
		stage_health("Reachd", None, TODAY, 0, 0)
	with pytest.raises(ValueError, match="'Fine' is not a valid Health"):
		plan_health(["Fine"])
