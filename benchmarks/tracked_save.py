"""What recording adds to a save: nobody tracks / core's own recorder / ours, side by side on one site.

Run it with `./dev benchmark tracked_save [--saves=60] [--rounds=15]`. One document's field changes with every save. The ways
take turns, a round of saves each; the median of all saves counts. "Without the app" runs none of this app's hooks, and
"core" neither: its own `MilestoneTracker.apply` records, as on a site without the app. Time is the whole `save()`, without
commit. The goal: ours adds at most 0.4 of what core adds.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import contextmanager

import frappe
import frappe.automation.doctype.milestone.milestone as core_milestone
import frappe.automation.doctype.milestone_tracker.milestone_tracker as core_tracker
from _site import commit
from frappe.model.base_document import get_controller

from milestone_automation.engine.tracking import registry, trackable

DOCTYPE = "ToDo"
OWN = ("Milestone", "Milestone Tracker")
GOAL = 0.4


def main() -> None:
	"""Measure and print."""
	parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
	parser.add_argument("--saves", type=int, default=60)
	parser.add_argument("--rounds", type=int, default=15)
	arguments = parser.parse_args()
	frappe.flags.in_test = False
	seconds, counts = measure(arguments.saves, arguments.rounds)
	report({way: statistics.median(times) for way, times in seconds.items()}, counts)


def measure(saves: int, rounds: int) -> tuple[dict[str, list[float]], dict[str, int]]:
	"""Return the seconds of every save, and the statements of one, of each way.

	Args:
		saves: in each round.
		rounds: after a round that warms up.

	Returns:
		tuple: seconds and number of statements, each by way.
	"""
	ways = {"without the app": bare, "nobody tracks": untracked, "core": by_core, "ours": by_us}
	seconds: dict[str, list[float]] = {way: [] for way in ways}
	counts = {}
	for number in range(rounds + 1):
		for way, setting in ways.items():
			with setting() as save:
				times = timed(save, saves)
				if number:  # the first round warms up
					seconds[way] += times
				else:
					counts[way] = count_statements(save)
			frappe.db.rollback()
	return seconds, counts


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
		statements.append(query)
		return original(query, *arguments, **named)

	database.sql = sql
	try:
		save()
	finally:
		del database.sql
	return len(statements)


@contextmanager
def bare():
	"""No tracker, no hook of ours."""
	with no_tracker(), without_our_hooks():
		yield document_to_save()


@contextmanager
def untracked():
	"""The app is there, but nobody tracks the DocType."""
	with no_tracker():
		yield document_to_save()


@contextmanager
def by_core():
	"""Core's own controllers record, and none of our hooks runs."""
	tracker = make_tracker()
	controllers = frappe.controllers[frappe.local.site]
	before = {doctype: get_controller(doctype) for doctype in OWN}
	controllers.update(
		{"Milestone": core_milestone.Milestone, "Milestone Tracker": core_tracker.MilestoneTracker}
	)
	try:
		with without_our_hooks():
			yield document_to_save()
	finally:
		controllers.update(before)
		drop_tracker(tracker)


@contextmanager
def by_us():
	tracker = make_tracker()
	yield document_to_save()
	drop_tracker(tracker)


@contextmanager
def no_tracker():
	commit()  # rules count as committed
	yield


def make_tracker():
	tracker = frappe.get_doc(
		{"doctype": "Milestone Tracker", "document_type": DOCTYPE, "track_field": "status"}
	)
	tracker.insert()
	commit()  # from now on it is read from the cache
	return tracker


def drop_tracker(tracker) -> None:
	frappe.db.rollback()
	frappe.db.delete("Milestone Tracker", {"name": tracker.name})
	registry.clear()
	trackable.clear_core_map(DOCTYPE)
	commit()  # as above


@contextmanager
def without_our_hooks():
	hooks = frappe.get_doc_hooks()
	frappe.local.doc_events_hooks = {
		doctype: {
			event: [path for path in paths if not path.startswith("milestone_automation.")]
			for event, paths in events.items()
		}
		for doctype, events in hooks.items()
	}
	try:
		yield
	finally:
		frappe.local.doc_events_hooks = hooks


def document_to_save() -> Callable[[], None]:
	"""Return a function that changes the field of one document and saves it."""
	document = frappe.get_doc({"doctype": DOCTYPE, "description": "saved again and again"}).insert()
	frappe.flags.currently_saving = []

	def save() -> None:
		document.status = "Closed" if document.status == "Open" else "Open"
		document.save()

	return save


def report(medians: dict[str, float], counts: dict[str, int]) -> None:
	base = medians["without the app"]
	print(f"{frappe.db.db_type}, Frappe {frappe.__version__}, one save of {DOCTYPE} (median)")
	for way, seconds in medians.items():
		added = seconds - base
		print(f"{way:16}{seconds * 1000:9.3f} ms   +{added * 1000:6.3f} ms{counts[way]:5} statements")
	ratio = (medians["ours"] - base) / (medians["core"] - base)
	print(f"ours adds {ratio:.2f} of what core adds (goal: at most {GOAL})")


if __name__ == "__main__":
	main()
