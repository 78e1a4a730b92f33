"""Numbers of reports: what a stay is, percentiles, which milestones count, for whom."""

import datetime
import random
import statistics

import frappe
import pytest

from milestone_automation.engine.history.milestone_rows import MilestoneRow, Writer
from milestone_automation.engine.review import aging, bottlenecks, percentiles, standing, stays
from milestone_automation.engine.review.scope import Scope
from milestone_automation.engine.rules.vocabulary import MilestoneSource
from milestone_automation.engine.rules.working_days import WorkCalendar

CASE = "Review Case"
START = datetime.datetime(2026, 3, 2, 9)
HOUR = 3600


@pytest.fixture
def case(make_doctype) -> str:
	return make_doctype(CASE, [{"fieldname": "status", "fieldtype": "Data"}])


def write(*journeys: list[tuple[str, int]]) -> None:
	"""Write journeys: for each document its values, each with the hours it stood there before the next one."""
	rows = []
	for number, journey in enumerate(journeys):
		moment, before, stood = START, "", None
		for position, (value, hours) in enumerate(journey):
			rows.append(MilestoneRow(f"case-{number}", before, value, moment, "", stood, position))
			moment, before, stood = moment + datetime.timedelta(hours=hours), value, hours * HOUR
	Writer(CASE, "status", "", MilestoneSource.IMPORT).insert(rows)


def scope(**values) -> Scope:
	return Scope(CASE, "status", **values)


def hours(found: list[stays.Stays]) -> dict:
	return {row.key: (row.count, row.mean / HOUR, row.median / HOUR, row.p90 / HOUR) for row in found}


@pytest.mark.no_site
@pytest.mark.parametrize("count", [1, 2, 3, 10, 11])
@pytest.mark.parametrize("fraction", [0.0, 0.5, 0.8, 0.9, 1.0])
def test_a_percentile_lies_between_the_two_nearest_values_as_pandas_has_it(count, fraction):
	values = sorted(random.Random(count).sample(range(1000), count))
	by_position = (count - 1) * fraction
	below = values[int(by_position)]
	above = values[min(int(by_position) + 1, count - 1)]
	expected = below + (above - below) * (by_position - int(by_position))
	assert percentiles.percentile(values, fraction) == pytest.approx(expected)
	if fraction == 0.5:
		assert percentiles.percentile(values, fraction) == statistics.median(values)


@pytest.mark.no_site
def test_there_is_no_percentile_of_nothing():
	assert percentiles.percentile([], 0.5) is None


def test_each_value_has_the_stays_that_ended_in_it(case):
	write(
		[("Cut", 2), ("Sewn", 10), ("Shipped", 0)],
		[("Cut", 4), ("Sewn", 20), ("Shipped", 0)],
		[("Cut", 6), ("Sewn", 0)],
	)
	found = hours(stays.by_value(scope()))
	assert found == {
		("Cut",): (3, 4, 4, pytest.approx(5.6)),
		("Sewn",): (2, 15, 15, pytest.approx(19)),
	}


def test_each_step_has_the_stays_before_it(case):
	write([("Cut", 2), ("Sewn", 1), ("Cut", 8), ("Sewn", 0)], [("Cut", 4), ("Shipped", 0)])
	found = hours(stays.by_step(scope()))
	assert found == {
		("Cut", "Sewn"): (2, 5, 5, pytest.approx(7.4)),
		("Cut", "Shipped"): (1, 4, 4, 4),
		("Sewn", "Cut"): (1, 1, 1, 1),
	}


def test_reading_the_rows_and_walking_the_index_give_the_same_numbers(case):
	dice = random.Random(7)
	write(
		*(
			[(value, dice.randrange(1, 400)) for value in dice.choices(["Cut", "Sewn", "Packed"], k=6)]
			for _journey in range(60)
		)
	)
	far = datetime.date(2999, 1, 1)
	assert stays.by_value(scope()) == stays.by_value(scope(end=far))
	assert stays.by_step(scope()) == stays.by_step(scope(end=far))


def test_a_value_that_is_cleared_is_a_step_and_ends_no_stay_afterwards(case):
	write([("Cut", 2), ("", 5), ("Sewn", 0)], [("Cut", 4), ("Sewn", 0)])
	far = datetime.date(2999, 1, 1)
	for end in (None, far):
		assert hours(stays.by_value(scope(end=end))) == {("Cut",): (2, 3, 3, pytest.approx(3.8))}
		assert hours(stays.by_step(scope(end=end))) == {
			("Cut", ""): (1, 2, 2, 2),
			("Cut", "Sewn"): (1, 4, 4, 4),
		}


def test_values_that_look_odd_are_counted_each(case):
	odd = ["100 %", "50 % wool", "'quoted'", "\\", "%s", "Ägypten", "zu Ende", "0"]
	write([*((value, number + 1) for number, value in enumerate(odd)), ("Done", 0)])
	found = hours(stays.by_value(scope()))
	assert found == {(value,): (1, n + 1, n + 1, n + 1) for n, value in enumerate(odd)}
	assert [row.key for row in stays.by_step(scope())] == sorted(zip(odd, [*odd[1:], "Done"], strict=True))


@pytest.mark.parametrize("flag", ["undone", "passing", "reference_deleted"])
def test_what_does_not_count_is_in_no_number(case, flag):
	write([("Cut", 2), ("Sewn", 0)], [("Cut", 100), ("Sewn", 0)])
	frappe.db.set_value("Milestone", {"reference_name": "case-1", "value": "Sewn"}, flag, 1)
	for end in (None, datetime.date(2999, 1, 1)):
		assert hours(stays.by_value(scope(end=end))) == {("Cut",): (1, 2, 2, 2)}


def test_a_period_counts_the_stays_that_ended_in_it_with_both_days(case):
	write([("Cut", 24), ("Sewn", 24), ("Packed", 24), ("Shipped", 0)])
	day = datetime.date(2026, 3, 4)
	assert [row.key for row in stays.by_value(scope(start=day, end=day))] == [("Sewn",)]


def test_a_condition_counts_the_documents_it_selects(case):
	write([("Cut", 2), ("Sewn", 0)], [("Cut", 100), ("Sewn", 0)])
	for number in (0, 1):
		doc = frappe.get_doc({"doctype": CASE, "status": "Sewn"})
		doc.name = f"case-{number}"
		doc.db_insert()
	found = stays.by_value(scope(condition=f"`tab{CASE}`.name = 'case-1'"))
	assert hours(found) == {("Cut",): (1, 100, 100, 100)}


def test_working_time_leaves_days_off_out(case):
	# Monday 9:00 to the Monday after, 9:00.
	write([("Cut", 7 * 24), ("Sewn", 0)])
	weekend = WorkCalendar(frozenset({5, 6}))
	assert hours(stays.by_value(scope(), weekend)) == {("Cut",): (1, 120, 120, 120)}


def test_numbers_of_a_field_without_milestones_are_empty(case):
	assert stays.by_value(scope()) == stays.by_step(scope()) == []
	assert stays.by_value(scope(end=datetime.date(2999, 1, 1))) == []


def test_percentiles_read_two_rows_each_however_many_there_are(case, count_queries):
	write(*([("Cut", n + 1), ("Sewn", 0)] for n in range(200)))
	with count_queries() as queries:
		found = stays.by_value(scope())
	assert found[0].count == 200
	# What is stored of it, the value, that there is no other, its sum and two percentiles; MariaDB is asked for the index.
	assert queries.count == 6 + (frappe.db.db_type == "mariadb"), str(queries)


def test_rework_is_how_often_documents_came_to_a_value_again(case):
	write([("Cut", 1), ("Sewn", 1), ("Cut", 1), ("Sewn", 1), ("Cut", 0)], [("Cut", 0)])
	found = standing.visits(scope())
	assert {value: (row.count, row.first, row.rework) for value, row in found.items()} == {
		"Cut": (4, 2, 2),
		"Sewn": (2, 1, 1),
	}


def test_rework_of_a_period_counts_returns_to_values_of_before_it(case):
	write([("Cut", 24), ("Sewn", 24), ("Cut", 24), ("Packed", 24), ("Packed", 0)], [("Packed", 0)])
	march_4 = scope(start=datetime.date(2026, 3, 4))
	found = standing.visits(march_4)
	assert {value: (row.count, row.rework) for value, row in found.items()} == {
		"Cut": (1, 1),
		"Packed": (2, 1),
	}
	for value, visits in found.items():
		assert len(standing.returns(march_4, value)) == visits.rework


ALIKE = ("open", "Open", "ópen", "open ", "OPEN")


def test_values_that_differ_in_case_accent_or_a_space_are_told_apart_for_everybody(case):
	write(*([(value, 2 * number + 1), ("Sewn", 0)] for number, value in enumerate(ALIKE)))
	expected = {(value,): (1, 2 * n + 1, 2 * n + 1, 2 * n + 1) for n, value in enumerate(ALIKE)}
	for end in (None, datetime.date(2999, 1, 1)):
		assert hours(stays.by_value(scope(end=end))) == expected
		assert {row.key for row in stays.by_step(scope(end=end))} == {(value, "Sewn") for value in ALIKE}
		visits = standing.visits(scope(end=end))
		assert {value: row.count for value, row in visits.items()} == dict.fromkeys(ALIKE, 1) | {"Sewn": 5}
	begun = standing.visits(scope(start=START.date()))
	assert {(value, row.rework) for value, row in begun.items()} == {(value, 0) for value in (*ALIKE, "Sewn")}
	for value in ALIKE:
		assert stays.count(scope(), value) == len(stays.longest(scope(), 10, value)) == 1
		assert standing.returns(scope(), value) == []
	assert stays.left(scope(), {*ALIKE, "Sewn"}) == set(ALIKE)
	assert stays.left(scope(), {"open"}) == {"open"}


def test_steps_to_values_that_differ_in_case_are_told_apart(case):
	write([("Cut", 1), ("sewn", 0)], [("Cut", 2), ("Sewn", 0)])
	for end in (None, datetime.date(2999, 1, 1)):
		assert hours(stays.by_step(scope(end=end))) == {
			("Cut", "Sewn"): (1, 2, 2, 2),
			("Cut", "sewn"): (1, 1, 1, 1),
		}


def test_a_document_in_a_final_value_is_not_open(case):
	write([("Cut", 2), ("Sewn", 30), ("Shipped", 0)], [("Cut", 2), ("Sewn", 0)])
	now = START + datetime.timedelta(days=2)
	april = datetime.date(2026, 4, 1)
	for period in ({}, {"start": april}):
		measured = bottlenecks.measure(scope(**period), now)
		assert {row.value: row.open_now for row in measured if row.open_now} == {"Sewn": 1}
		assert [row.value for row in aging.measure(scope(**period), now)] == ["Sewn"]


def test_a_value_that_was_left_after_an_unknown_time_is_not_final(case):
	write([("Cut", 2), ("Sewn", 0)], [("Cut", 0)])
	frappe.db.set_value("Milestone", {"reference_name": "case-0", "value": "Sewn"}, "time_in_previous", None)
	now = START + datetime.timedelta(days=2)
	for period in ({}, {"start": datetime.date(2026, 4, 1)}):
		measured = bottlenecks.measure(scope(**period), now)
		assert {row.value: row.open_now for row in measured if row.open_now} == {"Cut": 1}
		assert [(row.value, row.lines) for row in aging.measure(scope(**period), now)] == [("Cut", {})]


def test_how_long_documents_have_had_a_value_counts_in_working_time_too(case):
	# On Friday at 9:00 one stands in Cut, which another one has left.
	write([("Cut", 1), ("Sewn", 0)], [("Sewn", 4 * 24), ("Cut", 0)])
	monday = START + datetime.timedelta(days=7)
	(cut,) = [
		row
		for row in bottlenecks.measure(scope(), monday, WorkCalendar(frozenset({5, 6})))
		if row.value == "Cut"
	]
	assert (cut.oldest, cut.mean_age) == (24 * HOUR, 24 * HOUR)


def test_a_document_stands_at_its_last_value_since_it_was_reached(case):
	write([("Cut", 30), ("Sewn", 0)], [("Cut", 5), ("Sewn", 0), ("Packed", 0)])
	found = {row.reference_name: (row.value, row.since) for row in standing.present(scope())}
	assert found == {
		"case-0": ("Sewn", START + datetime.timedelta(hours=30)),
		"case-1": ("Packed", START + datetime.timedelta(hours=5)),
	}
