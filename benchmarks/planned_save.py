"""What a plan and its gate add to a tracked save: nobody tracks / recorded / planned, side by side on one site.

Run it with `./dev benchmark planned_save [--saves=40] [--rounds=7] [--stages=10] [--tasks=50]`. Three DocTypes alike: one
nobody tracks, one whose status is recorded, one whose status is recorded and whose documents have plans. The ways take
turns, a round of saves each; the median of all saves counts. Time is the whole `save()`, without commit; statements are
those of one save, without the ones that only begin and end savepoints.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import frappe
from _site import commit

PLAIN, TRACKED, PLANNED = "Benchmark Plain Order", "Benchmark Tracked Order", "Benchmark Planned Order"
GOAL = 2
CONTROL = ("savepoint", "release savepoint", "rollback to")


def main() -> None:
	"""Measure and print."""
	parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
	parser.add_argument("--saves", type=int, default=40)
	parser.add_argument("--rounds", type=int, default=7)
	parser.add_argument("--stages", type=int, default=10)
	parser.add_argument("--tasks", type=int, default=50)
	arguments = parser.parse_args()
	prepare(arguments.stages, arguments.tasks)
	seconds, counts = measure(arguments.saves, arguments.rounds)
	report({way: statistics.median(times) for way, times in seconds.items()}, counts)


def prepare(stages: int, tasks: int) -> None:
	"""Make the DocTypes, a tracker and a workflow; committed, so that they are read from the cache.

	Args:
		stages: of the workflow, 2 or more; each is reached by a value of its own.
		tasks: required ones, spread over all stages but the first.
	"""
	for doctype in (PLAIN, TRACKED, PLANNED):
		if not frappe.db.exists("DocType", doctype):
			make_doctype(doctype)
	frappe.get_doc(
		{"doctype": "Milestone Tracker", "document_type": TRACKED, "track_field": "status"}
	).insert()
	rows = [
		{"stage_name": f"Stage {number}", "key_date_rule": "After Creation", "offset_days": number}
		| {"reach_rule": "Field Value", "track_field": "status", "track_value": f"Value {number}"}
		for number in range(stages)
	]
	work = [
		{"stage": f"Stage {1 + number % (stages - 1)}", "title": f"Task {number}", "required": 1}
		for number in range(tasks)
	]
	workflow = {
		"doctype": "Milestone Workflow",
		"workflow_name": PLANNED,
		"document_type": PLANNED,
		"enabled": 1,
	}
	frappe.get_doc(workflow | {"stages": rows, "tasks": work}).insert()
	commit()  # from now on it is read from the cache


def make_doctype(name: str) -> None:
	fields = [{"fieldname": name, "label": name.title(), "fieldtype": "Data"} for name in ("status", "note")]
	rights = [{"role": "System Manager", "read": 1, "write": 1, "create": 1}]
	doctype = {"doctype": "DocType", "name": name, "module": "Custom", "custom": 1, "autoname": "hash"}
	frappe.get_doc(doctype | {"fields": fields, "permissions": rights}).insert()


def measure(saves: int, rounds: int) -> tuple[dict[str, list[float]], dict[str, int]]:
	"""Return the seconds of every save, and the statements of one, of each way.

	Args:
		saves: in each round.
		rounds: after a round that warms up.

	Returns:
		tuple: seconds and number of statements, each by way.
	"""
	ways = {
		"nobody tracks": lambda: saver(PLAIN, "status", ("A", "B")),
		"recorded": lambda: saver(TRACKED, "status", ("A", "B")),
		"planned": lambda: saver(PLANNED, "status", ("A", "B")),
		"planned, nothing relevant": lambda: saver(PLANNED, "note", ("A", "B")),
		"planned, reached and back": lambda: saver(PLANNED, "status", ("Value 0", "A")),
	}
	seconds: dict[str, list[float]] = {way: [] for way in ways}
	counts = {}
	for number in range(rounds + 1):
		for way, make in ways.items():
			save = make()
			save()
			times = timed(save, saves)
			if number:  # the first round warms up
				seconds[way] += times
			else:
				counts[way] = max(count_statements(save), count_statements(save))
			frappe.db.rollback()
	return seconds, counts


def saver(doctype: str, fieldname: str, values: tuple[str, str]) -> Callable[[], None]:
	"""Return a function that saves one document with the next of two values.

	Args:
		doctype: of the document, which is inserted now with status "A".
		fieldname: what is changed.
		values: that it takes in turn, the second one first.
	"""
	doc = frappe.get_doc({"doctype": doctype, "status": "A"}).insert()
	turn = [1]

	def save() -> None:
		doc.set(fieldname, values[turn[0] % 2])
		turn[0] += 1
		doc.save()

	return save


def timed(save: Callable[[], None], number: int) -> list[float]:
	times = []
	for _save in range(number):
		start = time.perf_counter()
		save()
		times.append(time.perf_counter() - start)
	return times


def count_statements(save: Callable[[], None]) -> int:
	database, original, statements = frappe.db, frappe.db.sql, []

	def sql(query, *arguments, **named):
		statements.append(str(query).strip().lower())
		return original(query, *arguments, **named)

	database.sql = sql
	try:
		save()
	finally:
		del database.sql
	return sum(1 for text in statements if not text.startswith(CONTROL))


def report(medians: dict[str, float], counts: dict[str, int]) -> None:
	plain = medians["nobody tracks"]
	print(f"{'way':<28}{'ms a save':>10}{'added ms':>10}{'statements':>12}")
	for way, median in medians.items():
		print(f"{way:<28}{median * 1000:>10.2f}{(median - plain) * 1000:>10.2f}{counts[way]:>12}")
	added = counts["planned"] - counts["recorded"]
	print(f"Plan and gate add {added} statements to a recorded save; the goal is at most {GOAL}.")


if __name__ == "__main__":
	main()
