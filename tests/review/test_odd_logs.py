"""Numbers of reports on logs as they really are, against a count by hand, and pandas where it is installed.

Events at one time, cases of one event, cases out of order, several time zones, events without activity, twice the same
event: each log goes through the import, and every number of Bottlenecks, Process Map and Aging is compared.
"""

import csv
import random
import statistics
from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import frappe
import pytest

from milestone_automation.engine.base import clock
from milestone_automation.engine.history import log_import
from milestone_automation.engine.history.event_log import read_events
from milestone_automation.engine.history.log_events import BadRow, Event, LogFormat
from milestone_automation.engine.history.log_import import ImportOptions
from milestone_automation.engine.review import aging, bottlenecks, stays
from milestone_automation.engine.review.scope import Scope

CASE = "Odd Case"
START = datetime(2026, 3, 2, 9, tzinfo=timezone.utc)
ZONES = [timezone.utc, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8))]
VALUES = ["Open", "In Work", "Checked", "Done"]
FRACTIONS = (0.5, 0.8, 0.9, 0.95)


@pytest.fixture
def tracked(make_doctype) -> str:
	make_doctype(CASE, [{"fieldname": "status", "fieldtype": "Data"}])
	frappe.get_doc({"doctype": "Milestone Tracker", "document_type": CASE, "track_field": "status"}).insert()
	return CASE


def usual(dice: random.Random):
	"""Rows (case, value, moment) of forty cases with some rework."""
	for number in range(40):
		moment = START + timedelta(hours=dice.randrange(500))
		for value in dice.choices(VALUES, k=dice.randrange(2, 8)):
			yield f"case-{number}", value, moment
			moment += timedelta(seconds=dice.randrange(1, 900_000))


def with_ties(dice: random.Random):
	"""As usual, and a third of the events at the time of the one before."""
	last = {}
	for case, value, moment in usual(dice):
		if case in last and dice.random() < 0.33:
			moment = last[case]
		last[case] = moment
		yield case, value, moment


def single_events(dice: random.Random):
	"""As usual, and as many cases again of one event each."""
	yield from usual(dice)
	for number in range(40):
		yield f"single-{number}", dice.choice(VALUES), START + timedelta(hours=number)


def out_of_order(dice: random.Random):
	"""As usual, in no order at all."""
	rows = list(usual(dice))
	dice.shuffle(rows)
	return rows


def several_zones(dice: random.Random):
	"""As usual, each time written in another time zone."""
	for case, value, moment in usual(dice):
		yield case, value, moment.astimezone(dice.choice(ZONES))


def without_activity(dice: random.Random):
	"""As usual, and every seventh event without its activity, which no tool can use."""
	for number, (case, value, moment) in enumerate(usual(dice)):
		yield case, value if number % 7 else "", moment


def twice_the_same(dice: random.Random):
	"""As usual, and some events twice."""
	for row in usual(dice):
		yield row
		if dice.random() < 0.2:
			yield row


LOGS = (usual, with_ties, single_events, out_of_order, several_zones, without_activity, twice_the_same)


def write(path, rows) -> None:
	with path.open("w", newline="") as file:
		writer = csv.writer(file)
		writer.writerow(["case:concept:name", "concept:name", "time:timestamp"])
		writer.writerows((case, value, moment.isoformat()) for case, value, moment in rows)


def cases_of(path) -> tuple[dict, int]:
	"""The events of each case in the order of time, and of the file where that is the same; and how many are bad."""
	cases, bad = defaultdict(list), 0
	for row in read_events(path, LogFormat()):
		if isinstance(row, BadRow):
			bad += 1
		else:
			cases[row.case].append(row)
	return {case: sorted(events, key=lambda event: event.instant) for case, events in cases.items()}, bad


def without_repeats(events: list[Event]) -> list[Event]:
	"""What an import records by default: changes."""
	return [
		event for number, event in enumerate(events) if not number or event.value != events[number - 1].value
	]


def percentile(values: list[float], fraction: float) -> float:
	"""By the definition of the Python library, which calls it inclusive."""
	if len(values) == 1:
		return values[0]
	return statistics.quantiles(values, n=100, method="inclusive")[round(fraction * 100) - 1]


def durations(cases: dict) -> dict:
	"""Seconds before each step, by value and next value."""
	steps = defaultdict(list)
	for events in cases.values():
		for event, following in pairwise(events):
			steps[event.value, following.value].append((following.instant - event.instant) // 1_000_000)
	return steps


def numbers(seconds: list[int]) -> tuple:
	return (
		len(seconds),
		pytest.approx(sum(seconds) / len(seconds)),
		pytest.approx(percentile(seconds, 0.5)),
		pytest.approx(percentile(seconds, 0.9)),
	)


def imported(path, **options) -> log_import.ImportSummary:
	return log_import.run(path, ImportOptions(CASE, "status", allow_missing=True, **options))


@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("every_event", [False, True])
def test_every_number_of_an_odd_log_is_as_counted_by_hand(tracked, tmp_path, log, every_event):
	path = tmp_path / "log.csv"
	write(path, log(random.Random(11)))
	cases, bad = cases_of(path)
	if not every_event:
		cases = {case: without_repeats(events) for case, events in cases.items()}
	done = imported(path, every_event=every_event)
	assert (done.bad_rows, done.added) == (bad, sum(len(events) for events in cases.values()))
	scope = Scope(CASE, "status")
	steps = durations(cases)
	by_value = defaultdict(list)
	for (value, _next), seconds in steps.items():
		by_value[value] += seconds
	found = {row.key: (row.count, row.mean, row.median, row.p90) for row in stays.by_step(scope)}
	assert found == {key: numbers(seconds) for key, seconds in steps.items()}
	check_bottlenecks(scope, cases, by_value)
	check_aging(scope, cases, by_value)


def check_bottlenecks(scope: Scope, cases: dict, by_value: dict) -> None:
	now = datetime(2026, 12, 1)
	everything = sum(sum(seconds) for seconds in by_value.values())
	visits = [(case, event.value) for case, events in cases.items() for event in events]
	last = [events[-1].value for events in cases.values()]
	for row in bottlenecks.measure(scope, now):
		seconds = by_value.get(row.value)
		assert row.share == pytest.approx(sum(seconds or ()) / everything)
		assert row.open_now == last.count(row.value)
		of_value = [visit for visit in visits if visit[1] == row.value]
		assert row.rework == len(of_value) - len(set(of_value))
		if seconds:
			stood = row.stays
			assert (stood.count, stood.mean, stood.median, stood.p90) == numbers(seconds)


def check_aging(scope: Scope, cases: dict, by_value: dict) -> None:
	# The clocks change between some events and now.
	now = datetime(2026, 12, 1)
	instant = now.replace(tzinfo=clock.site_zone()).timestamp()
	found = {row.reference_name: row for row in aging.measure(scope, now)}
	assert set(found) == {case for case, events in cases.items() if events[-1].value in by_value}
	for case, row in found.items():
		last = cases[case][-1]
		assert (row.value, row.age) == (last.value, int(instant - last.instant / 1_000_000))
		lines = {line: pytest.approx(percentile(by_value[last.value], line)) for line in aging.LINES}
		assert row.lines == lines


@pytest.mark.parametrize("log", LOGS)
def test_every_number_of_an_odd_log_equals_pandas(tracked, tmp_path, log):
	pandas = pytest.importorskip("pandas", reason="pandas is not installed; it is no dependency of the app")
	path = tmp_path / "log.csv"
	write(path, log(random.Random(5)))
	imported(path, every_event=True)
	frame = pandas.read_csv(path)
	frame["time"] = pandas.to_datetime(frame["time:timestamp"], utc=True)
	frame = frame.dropna().sort_values(["case:concept:name", "time"], kind="stable")
	following = frame.groupby("case:concept:name")[["concept:name", "time"]].shift(-1)
	frame["next"], frame["seconds"] = (
		following["concept:name"],
		(following["time"] - frame["time"]).dt.total_seconds(),
	)
	pairs = frame.dropna()
	for keys, found in ((["concept:name"], stays.by_value), (["concept:name", "next"], stays.by_step)):
		theirs = {
			key: (
				len(group),
				*(pytest.approx(number) for number in [group.mean(), *group.quantile(FRACTIONS)]),
			)
			for key, group in pairs.groupby(keys)["seconds"]
		}
		rows = found(Scope(CASE, "status"), fractions=FRACTIONS)
		assert {row.key: (row.count, row.mean, *row.at.values()) for row in rows} == theirs


def test_a_repeated_import_changes_no_number(tracked, tmp_path):
	path = tmp_path / "log.csv"
	write(path, with_ties(random.Random(3)))
	imported(path)
	before = stays.by_step(Scope(CASE, "status"))
	again = imported(path, log_format=replace(LogFormat(), time_zone="Asia/Tokyo"))
	assert again.added == 0
	assert stays.by_step(Scope(CASE, "status")) == before
