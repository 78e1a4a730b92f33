"""History in, side by side: the bulk import against saving document by document.

Run it with `./dev benchmark history_in [--events=2000] [--rounds=3]`. Four ways to get the same history into one site,
taking turns:

- bulk: `milestones import-log` of a log of ten times as many events (its fixed costs count, too: reading, checking);
- saves: every event as a save of its document, recorded by the tracker - what a replay of history costs;
- milestones: every event as a `Milestone` document of its own, inserted without saving any other document;
- rows: `frappe.db.bulk_insert` of the very rows that the import has written, with nothing read, checked or compared.

Printed are events a second and how many times faster the bulk import is. The goals: 30 times against saves, and at most twice the
time of the rows.
"""

import argparse
import csv
import datetime
import statistics
import tempfile
import time
from pathlib import Path

import frappe
from _site import commit

from milestone_automation.engine.history.log_import import ImportOptions, run

DOCTYPE = "Benchmark Order"
STATUSES = ("Ordered", "Accepted", "Production", "Inspection", "Shipped", "Delivered")
START = datetime.datetime(2024, 1, 1, 8)
BULK_FACTOR = 10
GOAL = 30
GOAL_ROWS = 2


def main() -> None:
	"""Measure and print."""
	parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
	parser.add_argument("--events", type=int, default=2000, help="saved one by one, in each round")
	parser.add_argument("--rounds", type=int, default=3)
	arguments = parser.parse_args()
	make_doctype()
	seconds: dict[str, list[float]] = {"bulk": [], "saves": [], "milestones": [], "rows": []}
	for number in range(arguments.rounds):
		events = make_events(arguments.events, f"{number}")
		many = make_events(arguments.events * BULK_FACTOR, f"bulk-{number}")
		seconds["bulk"].append(import_in_bulk(many) / len(many))
		seconds["rows"].append(insert_rows(f"bulk-{number}-") / len(many))
		seconds["saves"].append(save_documents(events) / len(events))
		seconds["milestones"].append(insert_milestones(events) / len(events))
	print_table({way: statistics.median(times) for way, times in seconds.items()})


def make_doctype() -> None:
	"""Make a plain DocType with a tracker."""
	frappe.get_doc(
		{
			"doctype": "DocType",
			"name": DOCTYPE,
			"module": "Custom",
			"custom": 1,
			"autoname": "prompt",
			"fields": [{"fieldname": "status", "label": "Status", "fieldtype": "Data"}],
			"permissions": [{"role": "System Manager", "read": 1, "write": 1, "create": 1}],
		}
	).insert()
	tracker = {"doctype": "Milestone Tracker", "document_type": DOCTYPE, "track_field": "status"}
	frappe.get_doc(tracker).insert()
	commit()  # the benchmark works as a command does


def make_events(count: int, prefix: str) -> list[tuple[str, str, datetime.datetime]]:
	"""Make (case, value, moment); each value differs from the one before it in its case.

	Args:
		count: of events; six of them are a case.
		prefix: of the case ids, so that rounds have cases of their own.
	"""
	length = len(STATUSES)
	return [
		(
			f"{prefix}-{number // length}",
			STATUSES[number % length],
			START + datetime.timedelta(hours=number % length),
		)
		for number in range(count)
	]


def import_in_bulk(events) -> float:
	"""Import the events from a CSV file; return the seconds that took, without writing the file.

	Args:
		events: as `make_events` returns them.

	Raises:
		SystemExit: not every event became a milestone.
	"""
	with tempfile.TemporaryDirectory() as folder:
		path = Path(folder) / "log.csv"
		with path.open("w", newline="", encoding="utf-8") as stream:
			writer = csv.writer(stream)
			writer.writerow(("case", "activity", "timestamp"))
			writer.writerows((case, value, moment.isoformat()) for case, value, moment in events)
		began = time.perf_counter()
		options = ImportOptions(DOCTYPE, "status", allow_missing=True)
		summary = run(path, options, commit=commit)
		took = time.perf_counter() - began
	if summary.added != len(events):
		raise SystemExit(f"The import recorded {summary.added} of {len(events)} events.")
	return took


def save_documents(events) -> float:
	"""Save a document once an event, a commit a case; return the seconds that took.

	Args:
		events: as `make_events` returns them.

	Raises:
		SystemExit: not every save became a milestone.
	"""
	began = time.perf_counter()
	document = None
	for case, value, _moment in events:
		if document is None or document.name != case:
			commit()  # a case is what the import keeps together, too
			document = frappe.get_doc({"doctype": DOCTYPE, "name": case, "status": value}).insert()
		else:
			document.status = value
			document.save()
	commit()  # as above
	took = time.perf_counter() - began
	recorded = frappe.db.count("Milestone", {"reference_type": DOCTYPE, "source": "Save"})
	if recorded % len(events):
		raise SystemExit(f"The saves recorded {recorded} milestones instead of a multiple of {len(events)}.")
	return took


def insert_milestones(events) -> float:
	"""Insert a Milestone document an event, a commit a case; return the seconds that took.

	Args:
		events: as `make_events` returns them.
	"""
	began = time.perf_counter()
	for number, (case, value, moment) in enumerate(events, 1):
		frappe.get_doc(
			{
				"doctype": "Milestone",
				"reference_type": DOCTYPE,
				"reference_name": f"single-{case}",
				"track_field": "status",
				"value": value,
				"milestone_tracker": f"{DOCTYPE}-status",
				"reached_on": moment,
				"source": "Import",
			}
		).insert()
		if number % len(STATUSES) == 0:
			commit()  # as above
	commit()  # as above
	return time.perf_counter() - began


def insert_rows(prefix: str) -> float:
	"""Insert the imported rows of some cases once more, under other names; return the seconds that took.

	Args:
		prefix: of the cases, as they were imported. The copies are deleted afterwards.
	"""
	columns = frappe.get_meta("Milestone").get_valid_columns()
	filters = {"reference_type": DOCTYPE, "reference_name": ("like", f"{prefix}%")}
	rows = frappe.get_all("Milestone", filters, columns, as_list=True, order_by=None)
	other = {"name": "again-", "reference_name": "again-", "import_key": "again-"}
	values = [
		tuple(f"{other[column]}{value}" if column in other else value for column, value in pairs)
		for pairs in (zip(columns, row, strict=True) for row in rows)
	]
	began = time.perf_counter()
	frappe.db.bulk_insert("Milestone", columns, values, chunk_size=1000)
	commit()  # as the import does
	took = time.perf_counter() - began
	frappe.db.delete("Milestone", {**filters, "reference_name": ("like", f"again-{prefix}%")})
	commit()  # the next round finds the table as this one did
	return took


def print_table(seconds: dict[str, float]) -> None:
	"""Print events a second of each way, and how many times faster the bulk import is.

	Args:
		seconds: an event takes, by way; "bulk", "saves" and "rows" are there.
	"""
	print(f"{'way':<12} {'ms an event':>12} {'events a second':>16} {'bulk is faster':>15}")
	for way, each in seconds.items():
		print(f"{way:<12} {each * 1000:>12.3f} {1 / each:>16,.0f} {each / seconds['bulk']:>14.1f}x")
	ratio = seconds["saves"] / seconds["bulk"]
	of_rows = seconds["bulk"] / seconds["rows"]
	print(
		f"goal: at most {GOAL_ROWS}x the rows: {'reached' if of_rows <= GOAL_ROWS else 'MISSED'} ({of_rows:.1f}x)"
	)
	print(f"goal: at least {GOAL}x against saves: {'reached' if ratio >= GOAL else 'MISSED'} ({ratio:.0f}x)")


main()
