"""Eight processes write at once, each on its own connection: every change recorded once, none lost, none invented."""

import json
import subprocess

import frappe

WRITERS = 8
CHANGES = 3

ONE_DOCUMENT_EACH = """
import random
import sys
import time

import frappe

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
