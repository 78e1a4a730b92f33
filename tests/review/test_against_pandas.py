"""Each figure of Bottlenecks, Process Map and Aging equals pandas' on real event logs, and the map pm4py's.

Logs, as CSV or XES, are in the folder that the variable MILESTONE_EVENT_LOGS names, or in `shared/data` beside the
project. pandas, and pm4py where it is installed, run in the Python that MILESTONE_PEERS names:
neither is a dependency of the app or of its other tests.
"""

import datetime
import json
import os
import subprocess
import sys
from pathlib import Path

import frappe
import pytest

from devtool.paths import ROOT
from milestone_automation.engine.base import clock
from milestone_automation.engine.history import log_import
from milestone_automation.engine.review import aging, bottlenecks, standing, stays
from milestone_automation.engine.review.scope import Scope

CASE = "Pandas Case"
PEER = os.environ.get("MILESTONE_PEERS") or sys.executable
ENDINGS = (".csv", ".csv.gz", ".xes", ".xes.gz")
FRACTIONS = aging.LINES

# Reads a log by its own means, so that a fault of ours in reading shows too. Times are whole seconds, as in the database.
SCRIPT = """
import gzip, json, sys, xml.etree.ElementTree as tree
import pandas as pd

path, fractions = sys.argv[1], json.loads(sys.argv[2])

def events(file):
	case = None
	for moment, element in tree.iterparse(file, ("start", "end")):
		tag = element.tag.rpartition("}")[2]
		if moment == "start" or tag not in ("event", "trace"):
			continue
		named = {one.get("key"): one.get("value") for one in element if one.get("key")}
		if tag == "event":
			pending.append((named.get("concept:name"), named.get("time:timestamp")))
		else:
			case = named["concept:name"]
			for value, when in pending:
				yield case, value, when
			pending.clear()
			element.clear()

pending = []
if ".xes" in path:
	with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
		frame = pd.DataFrame(events(file), columns=["case", "value", "at"])
else:
	frame = pd.read_csv(path, dtype=str, keep_default_na=False)
	names = {"case:concept:name": "case", "concept:name": "value", "time:timestamp": "at"}
	frame = frame.rename(columns=names)[["case", "value", "at"]]
frame["at"] = pd.to_datetime(frame["at"], utc=True, format="ISO8601")
frame = frame.sort_values(["case", "at"], kind="stable").reset_index(drop=True)
of_case = frame.groupby("case", sort=False)
frame["next"] = of_case["value"].shift(-1)
frame["seconds"] = (of_case["at"].shift(-1) - frame["at"]).dt.total_seconds() // 1
pairs = frame.dropna(subset=["next"])

def numbers(keys):
	return [[list(key), [len(group), group.mean(), *(group.quantile(f) for f in fractions)]]
		for key, group in pairs.groupby(keys)["seconds"]]

last = of_case.tail(1)
answer = {
	"values": numbers(["value"]),
	"steps": numbers(["value", "next"]),
	"visits": [[value, len(group), len(group) - group["case"].nunique()] for value, group in frame.groupby("value")],
	"standing": [[case, value, at.timestamp()] for case, value, at in zip(last["case"], last["value"], last["at"])],
	"pm4py": None,
}
try:
	import pm4py
except ImportError:
	pass
else:
	log = frame.rename(columns={"case": "case:concept:name", "value": "concept:name", "at": "time:timestamp"})
	graph, _start, _end = pm4py.discover_dfg(log)
	answer["pm4py"] = [[list(step), count] for step, count in graph.items()]
print(json.dumps(answer))
"""


def logs() -> list[Path]:
	"""The logs that are named, or found beside the project."""
	folder = Path(os.environ.get("MILESTONE_EVENT_LOGS") or ROOT.parent / "shared" / "data")
	return [file for file in sorted(folder.glob("*")) if file.name.endswith(ENDINGS)]


def peer_of(log: Path) -> dict:
	"""What pandas says of a log."""
	if subprocess.run([PEER, "-c", "import pandas"], capture_output=True, check=False).returncode:
		pytest.skip("There is no pandas. Name a Python that has it by MILESTONE_PEERS.")
	asked = [PEER, "-c", SCRIPT, str(log), json.dumps(FRACTIONS)]
	return json.loads(subprocess.run(asked, capture_output=True, check=True, text=True).stdout)


@pytest.fixture(params=logs() or [None], ids=lambda log: log.name if log else "no log")
def log(request, make_doctype) -> Path:
	if request.param is None:
		pytest.skip("There are no event logs. Name their folder by MILESTONE_EVENT_LOGS.")
	make_doctype(CASE, [{"fieldname": "status", "fieldtype": "Data"}])
	frappe.get_doc({"doctype": "Milestone Tracker", "document_type": CASE, "track_field": "status"}).insert()
	return request.param


def numbers_of(found: list[stays.Stays]) -> dict:
	return {row.key: [row.count, row.mean, *(row.at[fraction] for fraction in FRACTIONS)] for row in found}


def by_key(rows: list) -> dict:
	return {tuple(key): pytest.approx(numbers) for key, numbers in rows}


def test_every_figure_of_a_log_equals_pandas(log):
	expected = peer_of(log)
	log_import.run(log, log_import.ImportOptions(CASE, "status", allow_missing=True, every_event=True))
	whole, read = Scope(CASE, "status"), Scope(CASE, "status", end=datetime.date(2999, 1, 1))
	for scope in (whole, read):
		assert numbers_of(stays.by_value(scope, None, FRACTIONS)) == by_key(expected["values"])
		steps = numbers_of(stays.by_step(scope, None, FRACTIONS))
		assert steps == by_key(expected["steps"])
		visits = {value: (row.count, row.rework) for value, row in standing.visits(scope).items()}
		assert visits == {value: (count, rework) for value, count, rework in expected["visits"]}
	if expected["pm4py"] is not None:
		counts = {tuple(step): count for step, count in expected["pm4py"]}
		assert {key: numbers[0] for key, numbers in steps.items()} == counts
	now = datetime.datetime(2030, 1, 1)
	ends = {case: (value, at) for case, value, at in expected["standing"]}
	left = {key[0] for key, _numbers in expected["values"]}
	zone = clock.site_zone()
	aged = {row.reference_name: (row.value, row.age) for row in aging.measure(whole, now)}
	moment = now.replace(tzinfo=zone).timestamp()
	assert aged == {
		case: (value, pytest.approx(moment - at, abs=1))
		for case, (value, at) in ends.items()
		if value in left
	}
	open_now = {row.value: row.open_now for row in bottlenecks.measure(whole, now)}
	for value, count in open_now.items():
		assert count == sum(1 for last, _at in ends.values() if last == value and value in left)
