"""What comes before what in a plan with branches, its dates, its critical path and its float."""

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milestone_automation.engine.rules import dates, network, order
from milestone_automation.engine.rules.network import Network
from milestone_automation.engine.rules.vocabulary import KeyDateRule, ShiftMode
from milestone_automation.engine.rules.working_days import WorkCalendar

START = date(2030, 1, 7)  # a Monday
WEEKENDS_OFF = WorkCalendar(weekly_off=frozenset({5, 6}))
EVERY_DAY = WorkCalendar()


def row(name: str, *predecessors: str, dependency: str = "", **values) -> dict:
	chosen = "Chosen Milestones" if predecessors else dependency
	return {
		"name": name,
		"stage_name": name,
		"dependency": chosen,
		"predecessors": "\n".join(predecessors),
		"status": "Open",
	} | values


# Fabric and trims are ordered side by side; sewing waits for both; the photographs need only the fabric.
GARMENT = [
	row("Ordered"),
	row("Fabric in", "Ordered"),
	row("Trims in", "Ordered"),
	row("Sewn", "Fabric in", "Trims in"),
	row("Photographed", "Fabric in"),
	row("Shipped", "Sewn", "Photographed"),
]


def names(rows) -> list[str]:
	return [one["stage_name"] for one in rows]


def with_reached(*reached: str) -> list[dict]:
	return [one | {"status": "Reached" if one["name"] in reached else "Open"} for one in GARMENT]


def test_stages_that_say_nothing_depend_on_the_one_before():
	chain = Network.of([row("Cut"), row("Sewn"), row("Shipped", dependency="Previous Milestone")])
	assert chain.is_chain
	assert chain.direct == [(), (0,), (1,)]
	assert list(chain.before(2)) == [0, 1]
	assert list(chain.all_after(0)) == [1, 2]


def test_a_stage_comes_after_all_that_those_it_depends_on_come_after():
	garment = Network.of(GARMENT)
	assert garment.direct == [(), (0,), (0,), (1, 2), (1,), (3, 4)]
	assert garment.before(3) == [0, 1, 2]
	assert garment.all_after(2) == [3, 5]
	assert garment.after[1] == [3, 4]


def test_a_stage_that_depends_on_nothing_starts_a_branch_of_its_own():
	both = Network.of([row("Cut"), row("Label printed", dependency="Nothing"), row("Packed")])
	assert both.direct == [(), (), (1,)]


def test_names_are_compared_without_case_and_unknown_ones_do_not_count():
	assert Network.of([row("Cut"), row("Sewn", " cut ", "Dyed")]).direct == [(), (0,)]


@pytest.mark.parametrize(
	("stages", "circle"),
	[
		([row("A", "B"), row("B", "A")], {"A", "B"}),
		([row("A", "A")], {"A"}),
		([row("A", "C"), row("B"), row("C", "B")], {"A", "B", "C"}),
	],
)
def test_a_circle_is_found_and_named_with_its_first_milestone_at_both_ends(stages, circle):
	found = network.cycle(stages)
	assert set(found) == circle
	assert found[0] == found[-1]


def test_branches_are_no_circle():
	assert network.cycle(GARMENT) == []


# Order


def test_only_what_comes_before_a_reached_milestone_is_skipped():
	stages = with_reached("Ordered", "Photographed")
	assert names(order.skipped(stages)) == ["Fabric in"]
	assert names(order.upcoming(stages)) == ["Trims in", "Sewn", "Shipped"]


def test_each_branch_has_a_next_milestone():
	assert names(order.next_ones(with_reached("Ordered"))) == ["Fabric in", "Trims in"]
	assert names(order.next_ones(with_reached("Ordered", "Fabric in"))) == ["Trims in", "Photographed"]
	assert names(order.next_ones(with_reached())) == ["Ordered"]


def test_milestones_of_another_branch_do_not_come_first():
	stages = with_reached("Ordered")
	assert names(order.earlier_open(stages, stages[4])) == ["Fabric in"]
	assert names(order.earlier_open(stages, stages[3])) == ["Fabric in", "Trims in"]


# Dates


def rules(*days: int) -> list[dates.StageRule]:
	first = dates.StageRule("first", KeyDateRule.AFTER_CREATION, days[0])
	return [first] + [
		dates.StageRule("later", KeyDateRule.AFTER_PREVIOUS_MILESTONE, number) for number in days[1:]
	]


def test_a_date_counts_from_the_latest_of_those_it_depends_on():
	planned = dates.plan_dates(rules(0, 10, 4, 5, 1, 2), START, EVERY_DAY, network=Network.of(GARMENT))
	assert [(day - START).days for day in planned] == [0, 10, 4, 15, 11, 17]


def test_a_date_that_counts_from_a_milestone_without_one_is_missing():
	undated = dates.StageRule("second", KeyDateRule.SET_MANUALLY)
	of_plan = [*rules(0, 10), undated, *rules(0, 5)[1:]]
	planned = dates.plan_dates(of_plan, START, EVERY_DAY, network=Network.of(GARMENT[:4]))
	assert planned[2:] == [None, None]


def days_after(*numbers: int) -> list[date]:
	return [START + timedelta(days=number) for number in numbers]


def test_a_move_takes_only_its_own_branch_along():
	planned = days_after(0, 10, 4, 15, 11, 17)
	moved = dates.move_stage(
		planned,
		[],
		4,
		START + timedelta(days=14),
		ShiftMode.SHIFT_TOO,
		EVERY_DAY,
		network=Network.of(GARMENT),
	)
	assert moved.dates == days_after(0, 10, 4, 15, 14, 20)


def test_a_milestone_may_be_dated_before_one_of_another_branch_but_not_before_its_own():
	planned = days_after(0, 10, 4, 15, 11, 17)
	garment = Network.of(GARMENT)
	moved = dates.move_stage(
		planned, [], 2, START + timedelta(days=1), ShiftMode.KEEP_ORDER, EVERY_DAY, network=garment
	)
	assert moved.dates == days_after(0, 10, 1, 15, 11, 17)
	with pytest.raises(dates.DatesOutOfOrder) as refused:
		dates.move_stage(planned, [], 4, START, ShiftMode.KEEP_ORDER, EVERY_DAY, network=garment)
	assert refused.value.previous_index == 1


# Float


def test_the_longest_branch_is_the_critical_path_and_the_others_have_float():
	planned = days_after(0, 10, 4, 15, 11, 17)
	leads = [None, (10, False), (4, False), (5, False), (1, False), (2, False)]
	assert network.floats(Network.of(GARMENT), planned, leads, EVERY_DAY) == [0, 0, 6, 0, 4, 0]


def test_a_branch_that_ends_early_has_float_until_the_last_date_of_the_plan():
	stages = [row("Cut"), row("Label printed", dependency="Nothing"), row("Shipped", "Cut")]
	assert network.floats(Network.of(stages), days_after(0, 3, 9), [None, None, (9, False)], EVERY_DAY) == [
		0,
		6,
		0,
	]


def test_float_counts_back_in_working_days_where_the_milestone_does():
	stages = [
		row("Cut"),
		row("Sewn", "Cut"),
		row("Trims in", dependency="Nothing"),
		row("Packed", "Sewn", "Trims in"),
	]
	planned = [START, date(2030, 1, 11), date(2030, 1, 9), date(2030, 1, 14)]
	leads = [None, (4, True), None, (1, True)]
	# Packed on Monday the 14th counts one working day: those before it may be as late as Friday the 11th.
	assert network.floats(Network.of(stages), planned, leads, WEEKENDS_OFF) == [0, 0, 2, 0]


def test_a_milestone_without_a_date_has_no_float():
	assert network.floats(Network.chain(2), [START, None], [None, None], EVERY_DAY) == [0, None]


# Random networks against the definition

# A busy machine may be slow; nothing here is about time.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def random_plans(draw):
	size = draw(st.integers(1, 7))
	direct = [
		draw(st.lists(st.integers(0, position - 1), unique=True, max_size=3)) if position else []
		for position in range(size)
	]
	leads = [draw(st.integers(0, 9)) for _position in range(size)]
	return Network(direct), leads


@patient
@given(random_plans(), st.integers(0, 6), st.integers(0, 30))
def test_moving_a_milestone_by_its_float_keeps_the_last_date_and_by_one_day_more_does_not(plan, index, extra):
	of_plan, leads = plan
	index %= len(of_plan)

	def planned(delay: int) -> list[int]:
		days: list[int] = []
		for position, direct in enumerate(of_plan.direct):
			start = max((days[earlier] for earlier in direct), default=0)
			days.append(start + leads[position] + (delay if position == index else 0))
		return days

	before = planned(0)
	found = network.floats(of_plan, days_after(*before), [(days, False) for days in leads], EVERY_DAY)[index]
	assert max(planned(found)) == max(before)
	assert max(planned(found + 1 + extra)) > max(before)


@patient
@given(random_plans(), st.integers(0, 6), st.integers(0, 40))
def test_after_every_move_each_milestone_is_on_or_after_those_it_depends_on(plan, index, distance):
	of_plan, leads = plan
	index %= len(of_plan)
	days: list[int] = []
	for position, direct in enumerate(of_plan.direct):
		days.append(max((days[earlier] for earlier in direct), default=0) + leads[position])
	old = days_after(*days)
	new = old[index] + timedelta(days=distance)
	for mode in (ShiftMode.SHIFT_TOO, ShiftMode.KEEP_ORDER):
		moved = dates.move_stage(old, [], index, new, mode, EVERY_DAY, network=of_plan).dates
		assert dates.first_out_of_order(moved, network=of_plan) is None
		untouched = set(range(len(of_plan))) - set(of_plan.all_after(index)) - {index}
		assert all(moved[position] == old[position] for position in untouched)


@patient
@given(st.lists(st.integers(0, 60), min_size=1, max_size=8), st.integers(0, 7), st.integers(0, 60))
def test_a_chain_said_in_words_moves_as_one_that_is_not(days, index, target):
	index %= len(days)
	old = days_after(*sorted(days))
	named = [row(str(i), *([str(i - 1)] if i else [])) for i in range(len(days))]
	new = max(START + timedelta(days=target), old[index - 1] if index else START)
	for mode in (ShiftMode.SHIFT_TOO, ShiftMode.KEEP_ORDER):
		of_names = dates.move_stage(old, [], index, new, mode, EVERY_DAY, network=Network.of(named))
		assert of_names == dates.move_stage(old, [], index, new, mode, EVERY_DAY)
