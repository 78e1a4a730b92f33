"""Numbers of reports, side by side: bottlenecks and process map in the database against pm4py and DuckDB.

Run it with `./dev benchmark review [--milestones=1000000] [--rounds=3] [--peers=PYTHON]`. A seeded generator writes
journeys of orders through ten values with rework. The same numbers - count, mean, median, 90th percentile - are asked for
of each value (bottlenecks) and of each step from value to value (process map):

- ours: `engine.review.stays`, asked as a reader who sees everything, with the roll-up that the night before has left, and
  without it;
- pandas for the values, and pm4py's directly-follows graph with performance for the steps, of the same log as a data frame
  that is already in memory; and the same beginning with the log as a file, as ours begin with the log as it is stored;
- DuckDB: the same SQL on the same data frame, for comparison only.

Each time is the shortest of the rounds, which other work on the machine disturbs least.

pm4py (AGPL) and DuckDB are never dependencies of the app: they run in a Python of their own, named with --peers
(`python -m venv peers && peers/bin/pip install pm4py duckdb`). Without it only our own times are printed. The goal is
10 times faster than pm4py on MariaDB and PostgreSQL, never slower on SQLite. Numbers are compared, too.
"""

import argparse
import csv
import datetime
import json
import random
import tempfile
import time
from pathlib import Path

import frappe
from _site import commit

from devtool.processes import execute
from milestone_automation import roll_ups
from milestone_automation.engine.history.milestone_rows import MilestoneRow, Writer
from milestone_automation.engine.review import stays
from milestone_automation.engine.review.scope import Scope
from milestone_automation.engine.rules.vocabulary import MilestoneSource

DOCTYPE, FIELD = "Benchmark Journey", "status"
VALUES = (
	"Draft",
	"Ordered",
	"Accepted",
	"Cut",
	"Sewn",
	"Packed",
	"Inspected",
	"Shipped",
	"Delivered",
	"Paid",
)
# The last journeys are under way: their milestones are of days that no roll-up has.
NOW = frappe.utils.now_datetime().replace(microsecond=0)
START = NOW - datetime.timedelta(days=720)
BACK, SKIP = 0.08, 0.05
GOAL = 10

PEER = """
import json, sys, time
import pandas as pd

read = lambda: pd.read_csv(sys.argv[1], parse_dates=["time:timestamp"])
frame = read()
rounds = int(sys.argv[2])
try:
	import pm4py
except ImportError:
	pm4py = None
try:
	import duckdb
except ImportError:
	duckdb = None
NUMBERS = ["count", "mean", "median", ("p90", lambda seconds: seconds.quantile(0.9))]

def pairs_of(frame):
	ordered = frame.sort_values(["case:concept:name", "time:timestamp"], kind="stable")
	following = ordered.groupby("case:concept:name").shift(-1)
	return pd.DataFrame({"a": ordered["concept:name"], "b": following["concept:name"],
		"seconds": (following["time:timestamp"] - ordered["time:timestamp"]).dt.total_seconds()}).dropna()

def in_pandas(keys, frame=frame):
	return pairs_of(frame).groupby(keys)["seconds"].agg(NUMBERS)

def in_duckdb(keys):
	return duckdb.sql(f'''
		with pairs as (select "concept:name" as a, lead("concept:name") over w as b,
			epoch(lead("time:timestamp") over w) - epoch("time:timestamp") as seconds from frame
			window w as (partition by "case:concept:name" order by "time:timestamp"))
		select {keys}, count(*), avg(seconds), median(seconds), quantile_cont(seconds, 0.9)
		from pairs where b is not null group by {keys}''').fetchall()

ways = {
	("pandas", "values"): lambda: in_pandas(["a"]),
	("pandas, from the file", "values"): lambda: in_pandas(["a"], read()),
}
if pm4py:
	graph_of = lambda frame: pm4py.discover_performance_dfg(frame, perf_aggregation_key="all")
	ways["pm4py", "steps"] = lambda: graph_of(frame)
	ways["pm4py, from the file", "steps"] = lambda: graph_of(pm4py.format_dataframe(read()))
if duckdb:
	ways["DuckDB", "values"] = lambda: in_duckdb("a")
	ways["DuckDB", "steps"] = lambda: in_duckdb("a, b")
found = []
for (peer, what), way in ways.items():
	times = []
	for _round in range(rounds):
		begun = time.perf_counter()
		way()
		times.append(time.perf_counter() - begun)
	found.append([peer, what, min(times)])
values = {key: list(map(float, row)) for key, row in in_pandas("a").iterrows()}
steps = {f"{a} > {b}": list(map(float, row)) for (a, b), row in in_pandas(["a", "b"]).iterrows()}
print(json.dumps({"times": found, "values": values, "steps": steps}))
"""


def main() -> None:
	"""Seed, measure, compare, print."""
	parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
	parser.add_argument("--milestones", type=int, default=1_000_000)
	parser.add_argument("--rounds", type=int, default=3)
	parser.add_argument("--explain", action="store_true", help="print the database's plans of our queries")
	parser.add_argument("--peers", help="a Python with pm4py and DuckDB")
	arguments = parser.parse_args()
	journeys = make_journeys(arguments.milestones)
	begun = time.perf_counter()
	count = seed(journeys)
	print(
		f"{count:,} milestones written in {time.perf_counter() - begun:.1f} s on {frappe.db.db_type}",
		flush=True,
	)
	commit()
	refresh_statistics()
	unaided, *expected = measure(arguments.rounds)
	begun = time.perf_counter()
	ranges = roll_ups.refresh(frappe.utils.now_datetime(), commit)
	print(f"rolled up in {ranges} ranges of days in {time.perf_counter() - begun:.1f} s", flush=True)
	ours, values, steps = measure(arguments.rounds)
	assert [values, steps] == expected, "the roll-up differs from the milestones"
	for what, seconds in ours.items():
		print(f"ours, {what}: {seconds:.3f} s; without the roll-up {unaided[what]:.3f} s", flush=True)
	if arguments.explain:
		explain()
	if arguments.peers:
		compare(arguments, journeys, ours, values, steps)


def make_journeys(milestones: int) -> list[list[tuple[str, datetime.datetime]]]:
	"""Return seeded journeys, each a list of (value, moment), with so many milestones in all.

	Args:
		milestones: at least so many; the last journey may have more.
	"""
	dice = random.Random(42)
	journeys, written = [], 0
	while written < milestones:
		journey, place = [], 0
		moment = START + datetime.timedelta(seconds=dice.randrange(720 * 86400))
		while place < len(VALUES) and moment <= NOW:
			journey.append((VALUES[place], moment))
			moment += datetime.timedelta(seconds=int(dice.lognormvariate(11, 1)))
			turn = dice.random()
			place += -1 if turn < BACK and place else 2 if turn > 1 - SKIP else 1
		journeys.append(journey)
		written += len(journey)
	return journeys


def seed(journeys) -> int:
	"""Write the journeys as milestones; return how many.

	Args:
		journeys: as `make_journeys` returns them.
	"""
	writer = Writer(DOCTYPE, FIELD, "", MilestoneSource.IMPORT)
	return writer.insert(_rows(journeys))


def _rows(journeys):
	for number, journey in enumerate(journeys):
		before, since = "", None
		for value, moment in journey:
			stood = int((moment - since).total_seconds()) if since else None
			yield MilestoneRow(f"J{number:07}", before, value, moment, "", stood)
			before, since = value, moment


def refresh_statistics() -> None:
	"""Let the database know what it holds, as its own housekeeping does over night."""
	if frappe.db.db_type == "postgres":
		connection = frappe.db.get_connection()
		connection.set_isolation_level(0)
		# Commits are asynchronous here: until they are on disk, vacuum cannot mark their pages as visible to all.
		time.sleep(2)
		connection.cursor().execute('vacuum analyze "tabMilestone"')
		connection.close()
	elif frappe.db.db_type == "mariadb":
		frappe.db.sql("analyze table `tabMilestone`")


def measure(rounds: int):
	"""Return our times by what is asked for, in seconds, and the numbers of values and steps.

	Args:
		rounds: of which the shortest time counts.

	Returns:
		tuple: times by "values" and "steps", and `Stays` of each.
	"""
	scope = Scope(DOCTYPE, FIELD)
	times, found = {}, {}
	for what, ask in (("values", stays.by_value), ("steps", stays.by_step)):
		for _round in range(rounds):
			begun = time.perf_counter()
			found[what] = ask(scope)
			seconds = time.perf_counter() - begun
			times[what] = min(seconds, times.get(what, seconds))
	return times, found["values"], found["steps"]


def explain() -> None:
	"""Print how the database answers: one query of each kind."""
	scope = Scope(DOCTYPE, FIELD)
	asked: list[str] = []
	original = frappe.db.sql
	frappe.db.sql = lambda query, *values, **named: (
		asked.append((query, values)),
		original(query, *values, **named),
	)[1]
	try:
		stays.by_value(scope)
	finally:
		frappe.db.sql = original
	word = "explain (analyze, buffers)" if frappe.db.db_type == "postgres" else "analyze"
	for query, values in [(query, values) for query, values in asked if query.startswith("SELECT")][:3]:
		print(query)
		for row in original(f"{word} {query}", *values):
			print("  ", *row)


def compare(arguments, journeys, ours: dict[str, float], values, steps) -> None:
	"""Run the peers on the same log, print ratios, and hold every number against pandas'.

	Args:
		arguments: of the command line: `peers`, a Python, and `rounds`.
		journeys: as they were written.
		ours: our times in seconds, by "values" and "steps".
		values, steps: our `Stays`.

	Raises:
		subprocess.CalledProcessError: the peers did not run.
		AssertionError: a number differs.
	"""
	with tempfile.TemporaryDirectory() as folder:
		log = Path(folder) / "log.csv"
		with log.open("w", newline="") as file:
			writer = csv.writer(file)
			writer.writerow(["case:concept:name", "concept:name", "time:timestamp"])
			for number, journey in enumerate(journeys):
				writer.writerows((f"J{number:07}", value, moment.isoformat()) for value, moment in journey)
		command = [arguments.peers, "-c", PEER, str(log), str(arguments.rounds)]
		printed = execute(command, check=True, capture_output=True).stdout
		answer = json.loads(printed.splitlines()[-1])
	for peer, what, seconds in answer["times"]:
		goal = "" if peer == "DuckDB" else f" (goal {GOAL})"
		print(f"{peer}, {what}: {seconds:.3f} s, {seconds / ours[what]:.1f} x ours{goal}")
	check({row.key[0]: row for row in values}, answer["values"])
	check({" > ".join(row.key): row for row in steps}, answer["steps"])
	print(f"{len(answer['values'])} values and {len(answer['steps'])} steps: every number equals pandas'")


def check(ours: dict, theirs: dict) -> None:
	"""Stop at the first number that differs.

	Args:
		ours: `Stays` by name of the value or step.
		theirs: count, mean, median and 90th percentile in seconds, by the same names.

	Raises:
		AssertionError: names it; times may differ by a millisecond.
	"""
	assert ours.keys() == theirs.keys(), ours.keys() ^ theirs.keys()
	for key, (count, *numbers) in theirs.items():
		row = ours[key]
		assert row.count == count, (key, row.count, count)
		for name, mine, other in zip(
			("mean", "median", "p90"), (row.mean, row.median, row.p90), numbers, strict=True
		):
			assert abs(mine - other) < 1e-3, (key, name, mine, other)


if __name__ == "__main__":
	main()
