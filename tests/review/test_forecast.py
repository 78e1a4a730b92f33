"""The forecast: learned from cases as they go, forecast for those that are open. Pure arithmetic, no site."""

import pickle
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milestone_automation.engine.review.calibration import Calibration, Correction, pinball
from milestone_automation.engine.review.drift import DriftDetector
from milestone_automation.engine.review.forecast import END, AfterOthers, Forecaster, NotInOrder, UnknownCase
from milestone_automation.engine.review.remaining_time import (
	SMALLEST_SAMPLE,
	Contest,
	FadingMean,
	Group,
	Medians,
	Quantiles,
	Silence,
)
from milestone_automation.engine.review.survival import kaplan_meier

pytestmark = pytest.mark.no_site

durations = st.floats(0.0, 100.0, allow_nan=False)
few_examples = settings(max_examples=25, deadline=None)  # each replays a history
histories = st.lists(durations, min_size=SMALLEST_SAMPLE, max_size=80)


def forecaster_after(lengths, targets=(END,), start=0.0) -> Forecaster:
	"""A forecaster that has seen one case a day: ordered, shipped half-way, finished after the given time."""
	forecaster = Forecaster(targets)
	events = []
	for number, length in enumerate(lengths):
		began = start + number
		events += [
			(began, number, 0, "Ordered"),
			(began + length / 2, number, 1, "Shipped"),
			(began + length, number, 2, None),
		]
	for moment, number, _position, value in sorted(events, key=lambda event: event[:3]):
		if value:
			forecaster.observe(number, value, moment)
		else:
			forecaster.finish(number, moment)
	return forecaster


def forecast_of_a_new_case(forecaster: Forecaster, age=0.0, target=END):
	came = forecaster.latest
	forecaster.observe("new", "Ordered", came)
	return forecaster.predict("new", came + age)[target], came


# ------------------------------------------------------------------------------------------------ survival curve


def test_the_curve_of_the_textbook_remission_times():
	"""Freireich 1963, group 6-MP; Klein and Moeschberger, table 4.1A: 21 patients, 12 of them censored."""
	ended = [6, 6, 6, 7, 10, 13, 16, 22, 23]
	waiting = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
	curve = kaplan_meier([(0.0, time) for time in ended], [(0.0, time) for time in waiting])
	surviving = [round(1 - curve.reached_by(time), 3) for time in (6, 7, 10, 13, 16, 22, 23)]
	assert surviving == [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]


def test_a_curve_by_hand_with_delayed_entry():
	# At 2 two of three wait, the third came under study at 3; at 5 two wait.
	curve = kaplan_meier([(0.0, 2.0), (3.0, 5.0)], [(0.0, 6.0)])
	assert curve.times == [2.0, 5.0]
	assert curve.reached == pytest.approx([0.5, 0.75])


def test_open_cases_make_the_forecast_later():
	ended = [(0.0, float(day)) for day in range(1, 11)]
	with_open = kaplan_meier(ended, [(0.0, 8.0)] * 10)
	assert kaplan_meier(ended).quantile(0.5) == 5.0
	# By 8, 8 of 20 were reached (0.4); at 9, one of the two still watched: 1 - 0.6 / 2 = 0.7.
	assert with_open.quantile(0.5) == 9.0


def test_a_share_that_the_curve_does_not_reach_is_not_made_up():
	assert kaplan_meier([(0.0, 1.0)], [(0.0, 2.0)] * 3).quantile(0.5) is None


def test_small_risk_sets_at_young_ages_are_damped():
	late_entries = [(5.0, 10.0)] * 20
	assert kaplan_meier([(0.0, 1.0), *late_entries]).reached_by(1.0) == 1.0
	assert kaplan_meier([(0.0, 1.0), *late_entries], smallest_risk_set=8).reached_by(1.0) == pytest.approx(
		1 / 8
	)


@given(st.lists(durations, min_size=1, max_size=40), st.lists(durations, max_size=40))
def test_a_curve_rises_from_0_to_at_most_1(ended, waiting):
	curve = kaplan_meier([(0.0, time) for time in ended], [(0.0, time) for time in waiting])
	assert curve.reached == sorted(curve.reached)
	assert all(0.0 <= share <= 1.0 + 1e-9 for share in curve.reached)


# --------------------------------------------------------------------------------------------------- calibration


def test_pinball_costs_more_on_the_side_that_matters():
	assert pinball(10.0, 8.0, 0.8) == pytest.approx(1.6)
	assert pinball(8.0, 10.0, 0.8) == pytest.approx(0.4)


def test_without_outcomes_nothing_is_corrected():
	correction = Calibration().correction()
	assert correction.level_for(0.8) == pytest.approx(0.8)
	assert correction.share_at(0.3) == pytest.approx(0.3)


def test_outcomes_that_come_later_than_forecast_raise_the_level():
	calibration = Calibration(window=200, prior=50)
	for _ in range(200):
		calibration.observe(0.9)
	assert calibration.correction().level_for(0.8) == pytest.approx(0.9, abs=1e-6)


@given(st.lists(st.floats(0.0, 1.0), max_size=60), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_a_correction_keeps_levels_in_order(levels, one, other):
	calibration = Calibration()
	for level in levels:
		calibration.observe(level)
	correction = calibration.correction()
	low, high = sorted((one, other))
	# A little above 1: later than the forecast knows of.
	assert 0.0 <= correction.level_for(low) <= correction.level_for(high) <= 1.0 + 1e-8
	assert correction.share_at(low) <= correction.share_at(high)
	assert correction.share_at(correction.level_for(low)) >= low - 1e-6


# --------------------------------------------------------------------------------------------------------- drift


def test_noise_around_one_mean_is_no_drift():
	numbers, detector = random.Random(11), DriftDetector()
	assert not any(detector.observe(numbers.random()) for _ in range(2000))


@pytest.mark.parametrize("mean_after", [0.1, 0.9])
def test_a_moved_mean_is_drift_in_either_direction(mean_after):
	numbers, detector = random.Random(11), DriftDetector()
	assert not any(detector.observe(numbers.random()) for _ in range(200))
	assert any(detector.observe(mean_after) for _ in range(40))


def test_after_a_change_nothing_is_said_until_enough_cases_ended():
	forecaster = forecaster_after([10.0 + number % 5 for number in range(100)])
	model = forecaster._models[END]
	model.changed_on, model._since_change = forecaster.latest, SMALLEST_SAMPLE - 1
	forecast, _came = forecast_of_a_new_case(forecaster)
	assert forecast.silence is Silence.UNSTABLE
	forecaster.finish("new", forecaster.latest)
	assert forecast.p50 is None and forecast.chance_to_meet(1e6) is None


# ---------------------------------------------------------------------------------------------------- forecasting


@few_examples
@given(histories, st.floats(0.0, 50.0))
def test_p50_is_never_after_p80_and_neither_before_now(lengths, age):
	forecast, came = forecast_of_a_new_case(forecaster_after(lengths), age)
	if forecast.silence is None:
		assert forecast.p50 >= came + age - 1e-6
		assert forecast.p80 is None or forecast.p50 <= forecast.p80


@few_examples
@given(histories, st.floats(0.0, 50.0), st.lists(st.floats(0.0, 200.0), min_size=2, max_size=6))
def test_the_chance_rises_with_the_key_date(lengths, age, days):
	forecast, came = forecast_of_a_new_case(forecaster_after(lengths), age)
	if forecast.silence is None:
		chances = [forecast.chance_to_meet(came + day) for day in sorted(days)]
		assert chances == sorted(chances)
		assert all(0.0 <= chance <= 1.0 for chance in chances)


@few_examples
@given(histories)
def test_the_chance_at_p50_is_a_half_and_at_p80_four_fifths_at_least(lengths):
	forecast, _came = forecast_of_a_new_case(forecaster_after(lengths))
	if forecast.silence is None:
		assert forecast.chance_to_meet(forecast.p50) >= 0.5 - 1e-6
		assert forecast.p80 is None or forecast.chance_to_meet(forecast.p80) >= 0.8 - 1e-6


def test_a_regular_process_is_forecast_to_the_day():
	forecast, came = forecast_of_a_new_case(forecaster_after([10.0] * 60))
	assert forecast.p50 == pytest.approx(came + 10.0)
	assert forecast.chance_to_meet(came + 9.0) < 0.2
	assert forecast.chance_to_meet(came + 11.0) > 0.8


def test_who_has_waited_longer_is_forecast_later():
	lengths = [5.0, 20.0] * 40
	fresh, came = forecast_of_a_new_case(forecaster_after(lengths))
	assert fresh.p50 == pytest.approx(came + 5.0)
	old, came = forecast_of_a_new_case(forecaster_after(lengths), age=8.0)
	assert old.p50 == pytest.approx(came + 20.0)


def test_below_the_smallest_sample_nothing_is_said():
	forecast, _came = forecast_of_a_new_case(forecaster_after([10.0] * (SMALLEST_SAMPLE - 1)))
	assert forecast.silence is Silence.TOO_FEW
	forecast, _came = forecast_of_a_new_case(forecaster_after([10.0] * SMALLEST_SAMPLE))
	assert forecast.silence is None and forecast.samples == SMALLEST_SAMPLE


def test_of_a_case_older_than_all_before_nothing_is_said():
	forecast, _came = forecast_of_a_new_case(forecaster_after([10.0] * 60), age=40.0)
	assert forecast.silence is Silence.TOO_OLD


def test_a_simple_rule_that_does_better_silences_the_forecast():
	contest = Contest()
	for _ in range(99):
		contest.observe(0.0, Quantiles(5.0, 9.0), 0.0)
	assert not contest.is_lost()
	contest.observe(0.0, Quantiles(5.0, 9.0), 0.0)
	assert contest.is_lost()


@pytest.mark.parametrize(("median", "is_lost"), [(10.09, False), (10.11, True)])
def test_a_simple_rule_that_does_better_by_less_than_a_hundredth_does_not(median, is_lost):
	contest = Contest()
	for _ in range(100):
		contest.observe(20.0, Quantiles(20.0 - median, 18.0), 10.0)
	assert contest.is_lost() is is_lost


def test_the_median_is_corrected_only_while_that_has_made_it_better():
	medians = Medians()
	assert not medians.are_better_corrected
	medians.observe(10.0, plain=4.0, corrected=9.0)
	assert medians.are_better_corrected
	medians.observe(10.0, plain=10.0, corrected=30.0)
	assert not medians.are_better_corrected


@given(st.lists(st.floats(0.0, 1.0), max_size=60), st.floats(0.01, 0.99))
def test_a_correction_of_the_upper_half_leaves_the_median_and_stays_in_order(levels, share):
	upper = Correction(sorted(levels), 50).of_upper_half()
	assert upper.level_for(0.5) == 0.5 and upper.share_at(0.4) == 0.4
	assert upper.level_for(share) >= upper.level_for(share / 2)
	assert upper.share_at(share) >= upper.share_at(share / 2)
	assert upper.share_at(upper.level_for(share)) >= share - 1e-9


def test_a_later_stage_is_forecast_until_it_is_reached():
	forecaster = forecaster_after([10.0] * 60, targets=("Shipped", END))
	shipped, came = forecast_of_a_new_case(forecaster, target="Shipped")
	assert shipped.p50 == pytest.approx(came + 5.0)
	forecaster.observe("new", "Shipped", came + 4.0)
	assert set(forecaster.predict("new", came + 4.0)) == {END}


def test_what_comes_after_others_is_never_forecast_before_them():
	inspected, came = forecast_of_a_new_case(forecaster_after([4.0, 20.0] * 40))
	shipped, _came = forecast_of_a_new_case(forecaster_after([10.0] * 80))
	late = came + 12.0
	assert shipped.chance_to_meet(late) > inspected.chance_to_meet(late)
	both = AfterOthers((shipped, inspected))
	assert both.p50 == max(shipped.p50, inspected.p50)
	assert both.p80 == max(shipped.p80, inspected.p80)
	assert both.chance_to_meet(late) == inspected.chance_to_meet(late)
	assert both.falls_below(late, 0.5) == min(
		shipped.falls_below(late, 0.5), inspected.falls_below(late, 0.5)
	)


@few_examples
@given(st.lists(histories, min_size=1, max_size=3), st.floats(0.0, 40.0))
def test_dates_and_chances_of_what_comes_after_others_agree(several, days):
	forecasts = [forecast_of_a_new_case(forecaster_after(lengths))[0] for lengths in several]
	both = AfterOthers(tuple(forecast for forecast in forecasts if not forecast.silence))
	if both.forecasts:
		key_date = both.p50 + days
		assert both.chance_to_meet(key_date) >= 0.5 - 1e-9


def test_a_withdrawn_case_is_no_ended_one():
	forecaster = Forecaster()
	for number in range(60):
		forecaster.observe(number, "Ordered", float(number))
		forecaster.withdraw(number, number + 0.5)
	forecast, _came = forecast_of_a_new_case(forecaster)
	assert forecast.silence is Silence.TOO_FEW


def test_the_moment_from_which_a_plan_is_at_risk_is_known_ahead():
	forecaster = forecaster_after([5.0, 20.0] * 40)
	forecast, came = forecast_of_a_new_case(forecaster)
	falls = forecast.falls_below(came + 10.0, 0.5)
	assert forecast.chance_to_meet(came + 10.0) >= 0.5
	assert came < falls <= came + 10.0
	later = forecaster.predict("new", falls + 0.01)[END]
	assert later.chance_to_meet(came + 10.0) < 0.5


@few_examples
@given(histories, st.lists(durations, min_size=1, max_size=30))
def test_what_comes_later_never_changes_a_forecast(lengths, later):
	forecaster = forecaster_after(lengths)
	forecast, came = forecast_of_a_new_case(forecaster)
	before = (forecast.p50, forecast.p80, forecast.silence, forecast.chance_to_meet(came + 7.0))
	for number, length in enumerate(later):
		forecaster.observe(f"later-{number}", "Ordered", forecaster.latest)
		forecaster.finish(f"later-{number}", forecaster.latest + length)
	assert (forecast.p50, forecast.p80, forecast.silence, forecast.chance_to_meet(came + 7.0)) == before


@few_examples
@given(histories)
def test_asking_changes_nothing(lengths):
	asked, unasked = forecaster_after(lengths), forecaster_after(lengths)
	for forecaster in (asked, unasked):
		forecaster.observe("new", "Ordered", forecaster.latest)
	asked.predict("new", asked.latest + 3.0)
	for forecaster in (asked, unasked):
		forecaster.observe("next", "Ordered", forecaster.latest)
	now = asked.latest
	assert asked.predict("next", now) == unasked.predict("next", now)
	assert asked.first_words("next").answer == unasked.first_words("next").answer


def test_recent_cases_count_more_than_old_ones():
	forecast, came = forecast_of_a_new_case(forecaster_after([30.0] * 400 + [10.0] * 200))
	assert forecast.p50 == pytest.approx(came + 10.0)


def test_a_group_remembers_who_waits_and_forgets_who_left_long_ago():
	group = Group(memory=30)
	for number in range(50):
		group.waiting[number] = float(number)
		group.leave(number, (float(number), number + 1.0, True))
	assert not group.waiting and group.ended == 50
	assert group.curve(60, 100.0).samples == 30


def test_older_losses_fade():
	mean = FadingMean(fading=0.5)
	for number in (8.0, 0.0, 0.0, 0.0):
		mean.observe(number)
	assert mean.mean < 1.0


def test_events_out_of_order_and_unknown_cases_are_refused():
	forecaster = forecaster_after([1.0] * 3)
	with pytest.raises(NotInOrder):
		forecaster.observe("late", "Ordered", forecaster.latest - 1.0)
	with pytest.raises(UnknownCase):
		forecaster.predict("nobody", forecaster.latest)
	with pytest.raises(UnknownCase):
		forecaster.finish("nobody", forecaster.latest)


def test_a_forecaster_can_be_stored_and_goes_on_as_before():
	forecaster = forecaster_after([float(number % 9) for number in range(80)])
	forecaster.observe("new", "Ordered", forecaster.latest)
	again = pickle.loads(pickle.dumps(forecaster))
	now = forecaster.latest + 1.0
	assert again.predict("new", now) == forecaster.predict("new", now)
