"""Eight processes write at once, each on its own connection: every change recorded once, none lost, none invented."""

import json
import re
import subprocess

import frappe
import pytest

from milestone_automation.engine.base import guard
from tests.support.factories import ORDER, ensure_production_order, make_document, make_workflow, stage

WRITERS = 8
CHANGES = 3

ONE_DOCUMENT_EACH = """
import random
import sys
import time

import frappe
import pytest

number, changes, doctype = int(sys.argv[-3]), int(sys.argv[-2]), sys.argv[-1]


def again(action):
	for attempt in range(200):
		try:
			return action()
		except Exception as error:
			frappe.db.rollback()
			known = ("TimestampMismatch", "Deadlock", "Timeout", "locked", "QueryDeadlock", "could not serialize")
			if not any(word in f"{type(error).__name__} {error}" for word in known):
				raise
			time.sleep(random.random() / 5)  # SQLite lets one write at a time and queues nobody
	raise SystemExit("gave up after 200 attempts")


def write(name, value):
	doc = frappe.get_doc(doctype, name)
	doc.stage = value
	doc.save()
	frappe.db.commit()
"""

SEPARATE = """
def make():
	doc = frappe.get_doc({"doctype": doctype, "stage": f"{number}-0"}).insert(set_name=f"WRITER-{number}")
	frappe.db.commit()


again(make)
for change in range(1, changes):
	again(lambda: write(f"WRITER-{number}", f"{number}-{change}"))
"""

SHARED = """
def set_value(value):
	frappe.get_doc(doctype, "SHARED", for_update=True).db_set("stage", value)
	frappe.db.commit()


def save(value):
	write("SHARED", value)


by_save_or_db_set = save if number % 2 else set_value
for change in range(changes):
	again(lambda: by_save_or_db_set(f"{number}-{change}"))
"""


def run_writers(tracking, code: str) -> None:
	"""Start all writers at once and wait for them; each must end well."""
	scratch = tracking.scratch
	frappe.db.commit()  # other processes read it
	options = {
		"cwd": scratch.workplace.sites,
		"env": scratch.workplace.environment(),
		"stdin": subprocess.PIPE,
		"stdout": subprocess.PIPE,
		"stderr": subprocess.STDOUT,
		"text": True,
	}
	writers = []
	for number in range(WRITERS):
		arguments = (number, CHANGES, tracking.doctype)
		command = scratch.workplace.python_command(scratch.name, "-", *arguments)
		writers.append(subprocess.Popen(command, **options))
		writers[-1].stdin.write(ONE_DOCUMENT_EACH + code)
		writers[-1].stdin.close()
	outputs = [(writer.stdout.read(), writer.wait()) for writer in writers]
	assert [code for _output, code in outputs] == [0] * WRITERS, json.dumps(outputs, indent=1)[-6000:]
	frappe.db.rollback()


def test_eight_writers_on_documents_of_their_own(committed_tracking):
	committed_tracking.track("stage")
	run_writers(committed_tracking, SEPARATE)
	for number in range(WRITERS):
		values = [f"{number}-{change}" for change in range(CHANGES)]
		expected = [("stage", old, new) for old, new in zip(["", *values], values, strict=False)]
		assert committed_tracking.changes(f"WRITER-{number}") == expected


def test_eight_writers_on_one_document_by_save_and_db_set(committed_tracking):
	"""All changes of the document form one chain: each starts from the value the one before it ended with."""
	tracking = committed_tracking
	tracking.track("stage")
	tracking.order(stage="start").insert(set_name="SHARED")
	run_writers(tracking, SHARED)
	changes = tracking.changes("SHARED")
	written = {f"{number}-{change}" for number in range(WRITERS) for change in range(CHANGES)}
	assert len(changes) == 1 + len(written)
	assert {new for _field, _old, new in changes} == written | {"start"}
	if frappe.db.db_type == "sqlite":
		return  # it locks no rows: Frappe lets two who read the same value both write, each from what it read
	followed_by = {old: new for _field, old, new in changes}
	assert len(followed_by) == len(changes), "two changes claim to start from the same value"
	value, length = "", 0
	while value in followed_by:
		value, length = followed_by[value], length + 1
	assert length == len(changes)
	assert value == frappe.db.get_value(tracking.doctype, "SHARED", "stage")


def _track(*fieldnames: str) -> None:
	"""Track fields of the order, whether or not it has a tracker."""
	rows = [{"track_field": fieldname} for fieldname in fieldnames]
	values = {"document_type": ORDER, "track_field": rows[0]["track_field"], "extra_fields": rows[1:]}
	name = frappe.db.get_value("Milestone Tracker", {"document_type": ORDER})
	tracker = frappe.get_doc("Milestone Tracker", name) if name else frappe.new_doc("Milestone Tracker")
	tracker.update(values)
	tracker.save()


def _changes(order, fieldname: str) -> list[tuple[str, str]]:
	"""What was recorded of a field, oldest first, as (from value, value)."""
	about = {"reference_name": order.name, "track_field": fieldname}
	rows = frappe.get_all("Milestone", about, ["from_value", "value"], order_by="reached_on, idx")
	return [(row.from_value or "", row.value) for row in rows]


@pytest.mark.parametrize("how", ["loaded before", "saved before", "with a plan", "by another copy"])
def test_what_somebody_else_has_recorded_meanwhile_is_not_recorded_again(scratch_site, how):
	"""A transaction sees the tables as they were at its first look, but it writes the row as it is."""
	scratch = scratch_site()
	with scratch.connect():
		ensure_production_order()
		if how == "with a plan":
			make_workflow(stages=[stage("Shipped", "Shipped")], tasks=[])
		_track("status", "note")
		order = make_document(status="Open")
		frappe.db.commit()  # the other process shall see it
		ours = frappe.get_doc(ORDER, order.name)
		if how == "saved before":
			ours.save()
			frappe.db.commit()  # as Frappe does at the end of a request
		# From here on the transaction sees no more of what others do.
		frappe.get_all("Milestone", {"reference_name": order.name})
		theirs = f"frappe.get_doc('{ORDER}', '{order.name}').db_set({{'status': 'Cut', 'note': 'theirs'}})"
		scratch.python(f"import frappe\n{theirs}\nfrappe.db.commit()")
		statuses = [("", "Open"), ("Open", "Cut"), ("Cut", "Sewn")]
		try:
			if how == "by another copy":
				frappe.get_doc(ORDER, order.name).db_set("pieces", 3)
			ours.db_set("status", "Sewn")
			frappe.db.commit()  # as above
		except Exception as error:
			# PostgreSQL at repeatable read and SQLite ask who comes second to try again.
			assert isinstance(error, guard.ConflictError) or re.search("serialize|locked", str(error)), error
			assert frappe.db.db_type != "mariadb"
			del statuses[-1]
		frappe.db.rollback()
		assert _changes(order, "status") == statuses
		assert _changes(order, "note") == [("", "theirs")]
