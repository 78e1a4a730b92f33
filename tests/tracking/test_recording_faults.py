"""A fault in recording, wherever it strikes, is logged with the tracker's name; the user's save goes through, whole."""

import sys
from contextlib import contextmanager

import frappe
import pytest

from milestone_automation.engine.tracking import registry

OWN_FILES = (
	"/engine/tracking/recorder.py",
	"/engine/tracking/stored_changes.py",
	"/engine/tracking/milestones.py",
	"/engine/tracking/conditions.py",
	"/engine/base/guard.py",
	"/engine/base/clock.py",
)
BROKEN_SQL = "selekt 1"
TRANSACTION_WORDS = ("savepoint", "release savepoint", "rollback")


class SimulatedFault(Exception):
	"""A statement that the database refuses."""


def is_of_recording() -> bool:
	"""Tell whether the statement about to run was asked for by the recorder, but not for its fault's log."""
	frame, own = sys._getframe(2), False
	while frame:
		if frame.f_code.co_name == "log_fault":
			return False
		own = own or frame.f_code.co_filename.endswith(OWN_FILES)
		frame = frame.f_back
	return own


@contextmanager
def faulty_database(nth: int, how):
	"""Let the nth statement of recording fail; yields the list of its statements."""
	database, original, statements = frappe.db, frappe.db.sql, []

	def sql(query, *arguments, **named):
		if is_of_recording():
			statements.append(str(query))
			if len(statements) == nth:
				how(original, str(query).strip().lower())
		return original(query, *arguments, **named)

	database.sql = sql
	try:
		yield statements
	finally:
		del database.sql


def simulated(original, query):
	raise SimulatedFault("this statement fails")


def real_error(original, query):
	"""A statement the database itself refuses: on PostgreSQL nothing runs after it but a rollback."""
	if not query.startswith(TRANSACTION_WORDS):
		original(BROKEN_SQL)


def insert_order(tracking):
	return tracking.order(status="Ordered", pieces=5).insert()


def save_order(tracking):
	order = frappe.get_doc(tracking.doctype, "FAULTY")
	order.update({"status": "Ordered", "pieces": 5})
	return order.save()


def submit_order(tracking):
	order = frappe.get_doc(tracking.doctype, "FAULTY")
	order.update({"status": "Ordered", "pieces": 5})
	order.submit()
	return order


def db_set_order(tracking):
	order = frappe.get_doc(tracking.doctype, "FAULTY")
	order.save()
	order.db_set({"status": "Ordered", "pieces": 5})
	return order


def rename_order(tracking):
	frappe.rename_doc(tracking.doctype, "FAULTY", "FAULTY-2")
	return frappe.get_doc(tracking.doctype, "FAULTY-2")


@pytest.fixture(autouse=True)
def no_logs_yet(tracking):
	forget_logs()


def forget_logs() -> None:
	"""MariaDB's table of Error Logs knows no rollback."""
	frappe.db.delete("Error Log")


def logs_of(tracker: str) -> list:
	return frappe.get_all("Error Log", {"method": ("like", f"%{tracker}%")}, ["method", "error"])


@pytest.fixture
def tracker(tracking):
	name = tracking.track("status", "pieces")
	tracking.order(status="Draft", pieces=1).insert(set_name="FAULTY")
	return name


@pytest.mark.parametrize("how", [simulated, real_error])
@pytest.mark.parametrize("act", [insert_order, save_order, submit_order, db_set_order])
def test_each_statement_failing_in_turn_leaves_the_save_whole_and_a_log(tracking, tracker, act, how):
	for nth in range(1, number_of_statements(tracking, act) + 1):
		forget_logs()
		frappe.db.savepoint("turn")
		with faulty_database(nth, how) as asked:
			order = act(tracking)
		assert_whole(tracking, tracker, order, failed=has_failed(how, asked[nth - 1]), at=asked[nth - 1])
		frappe.db.rollback(save_point="turn")


def number_of_statements(tracking, act) -> int:
	"""How many statements recording takes when nothing fails and all that can be cached is."""
	for _round in range(2):
		frappe.db.savepoint("sound")
		with faulty_database(0, simulated) as statements:
			order = act(tracking)
		assert len(new_changes(tracking, order)) == 2
		frappe.db.rollback(save_point="sound")
	assert len(statements) >= 2, "the test finds none of the recorder's statements"
	return len(statements)


def has_failed(how, statement: str) -> bool:
	return how is simulated or not statement.strip().lower().startswith(TRANSACTION_WORDS)


def assert_whole(tracking, tracker, order, failed: bool, at: str) -> None:
	stored = frappe.db.get_value(order.doctype, order.name, ["status", "pieces"])
	assert tuple(stored) == ("Ordered", 5), at
	# Both fields or none.
	assert len(new_changes(tracking, order)) in ((0, 2) if failed else (2,)), at
	logs = logs_of(tracker)
	assert bool(logs) == failed, at
	assert all("could not be recorded" in log.method and "Traceback" in log.error for log in logs), at
	assert not frappe.local.message_log, at
	# The transaction goes on: what the user does next is stored and recorded.
	order.reload()
	order.status = "Delivered"
	order.save()
	assert tracking.changes(order.name, track_field="status")[-1] == ("status", "Ordered", "Delivered"), at
	assert tracking.is_unbroken(order.name), at


def new_changes(tracking, order) -> list:
	return [row for row in tracking.rows(order.name) if row.value in ("Ordered", "5")]


@pytest.mark.parametrize("how", [simulated, real_error])
def test_a_fault_while_the_history_follows_a_rename_leaves_the_rename_whole(tracking, tracker, how):
	def only_milestones(original, query):
		return how(original, query)

	frappe.db.savepoint("start")
	with failing_update_of_milestones(only_milestones) as statements:
		order = rename_order(tracking)
	assert statements
	assert order.name == "FAULTY-2" and not frappe.db.exists(tracking.doctype, "FAULTY")
	assert frappe.get_all("Error Log", {"method": ("like", "Milestones after a rename%")})
	assert not [message for message in frappe.local.message_log if "ilestone" in str(message)]


@contextmanager
def failing_update_of_milestones(how):
	database, original, statements = frappe.db, frappe.db.sql, []

	def sql(query, *arguments, **named):
		text = str(query).strip().lower()
		if text.startswith("update") and "tabmilestone" in text.split("set")[0]:
			statements.append(text)
			how(original, text)
		return original(query, *arguments, **named)

	database.sql = sql
	try:
		yield statements
	finally:
		del database.sql


def test_when_even_the_error_log_cannot_be_written_the_save_goes_through(tracking, tracker):
	database, original, refused = frappe.db, frappe.db.sql, []

	def sql(query, *arguments, **named):
		text = str(query).strip().lower()
		if text.startswith("insert") and ("tabmilestone" in text or "taberror log" in text):
			refused.append(text)
			return original(BROKEN_SQL)
		return original(query, *arguments, **named)

	database.sql = sql
	try:
		order = save_order(tracking)
	finally:
		del database.sql
	assert len(refused) >= 2
	assert frappe.db.get_value(order.doctype, order.name, "status") == "Ordered"
	assert new_changes(tracking, order) == []
	assert not frappe.local.message_log


@pytest.mark.parametrize("act", [insert_order, save_order, db_set_order])
def test_a_deadlock_is_passed_on_as_the_database_has_undone_the_users_work_too(tracking, tracker, act):
	def deadlock(original, query):
		raise frappe.QueryDeadlockError("the database gave up")

	for nth in range(1, number_of_statements(tracking, act) + 1):
		frappe.db.savepoint("turn")
		with faulty_database(nth, deadlock), pytest.raises(frappe.QueryDeadlockError):
			act(tracking)
		frappe.db.rollback(save_point="turn")
	assert not logs_of(tracker)


@pytest.mark.parametrize(
	"event", ["Before Insert", "Before Validate", "Before Save", "After Insert", "After Save"]
)
def test_a_server_script_on_milestone_that_throws_does_not_refuse_the_users_save(tracking, tracker, event):
	script = {
		"doctype": "Server Script",
		"name": f"Refuses milestones {event}",
		"script_type": "DocType Event",
		"reference_doctype": "Milestone",
		"doctype_event": event,
		"script": "frappe.throw('No milestones today.')",
	}
	frappe.get_doc(script).insert()
	order = save_order(tracking)
	assert frappe.db.get_value(order.doctype, order.name, "status") == "Ordered"
	assert new_changes(tracking, order) == []
	(log,) = logs_of(tracker)
	assert "No milestones today." in log.error
	assert not frappe.local.message_log


def test_a_server_script_sees_each_milestone_as_a_document(tracking, tracker):
	script = {
		"doctype": "Server Script",
		"name": "Notes milestones",
		"script_type": "DocType Event",
		"reference_doctype": "Milestone",
		"doctype_event": "After Insert",
		"script": "frappe.get_doc({'doctype': 'ToDo', 'description': doc.track_field + ' ' + doc.value}).insert()",
	}
	frappe.get_doc(script).insert()
	save_order(tracking)
	assert sorted(frappe.get_all("ToDo", pluck="description")) == ["pieces 5", "status Ordered"]


def test_a_server_script_that_saves_the_document_again_on_its_milestone_ends(tracking, tracker):
	script = {
		"doctype": "Server Script",
		"name": "Ships what is ordered",
		"script_type": "DocType Event",
		"reference_doctype": "Milestone",
		"doctype_event": "After Insert",
		"script": (
			"if doc.value == 'Ordered':\n"
			"\tfrappe.db.set_value('ToDo', 'none', 'status', 'Closed')\n"
			"\torder = frappe.get_doc(doc.reference_type, doc.reference_name)\n"
			"\torder.db_set('status', 'Shipped')"
		),
	}
	frappe.get_doc(script).insert()
	save_order(tracking)
	assert frappe.db.get_value(tracking.doctype, "FAULTY", "status") == "Shipped"
	assert sorted(tracking.changes("FAULTY", track_field="status")) == [
		("status", "", "Draft"),
		("status", "Draft", "Ordered"),
		("status", "Ordered", "Shipped"),
	]


@pytest.mark.parametrize(
	("condition", "fault"),
	[
		("doc.pieces / (doc.pieces - 5) > 0", "ZeroDivisionError"),
		("doc.status.year", "AttributeError"),
	],
)
def test_a_condition_that_breaks_at_run_time_is_logged_and_the_save_goes_through(tracking, condition, fault):
	name = tracking.track("status", condition=condition)
	order = insert_order(tracking)
	assert frappe.db.exists(order.doctype, order.name)
	assert tracking.changes(order.name) == []
	(log,) = logs_of(name)
	assert fault in log.error
	assert not frappe.local.message_log


def test_a_condition_that_throws_a_message_keeps_it_from_the_user_but_not_the_users_own(tracking):
	tracking.track("status", condition="frappe.utils.getdate(doc.stage)")
	frappe.msgprint("Of the user.")
	order = tracking.order(status="Ordered", stage="no date at all").insert()
	assert tracking.changes(order.name) == []
	assert [str(message).count("Of the user.") for message in frappe.local.message_log] == [1]


def test_a_tracker_deleted_by_sql_under_cached_rules_does_not_break_the_save(tracking, tracker):
	rows = frappe.get_all("Milestone Tracker", {"name": tracker})
	assert rows
	frappe.db.delete("Milestone Tracker", {"name": tracker})
	order = save_order(tracking)
	assert frappe.db.get_value(order.doctype, order.name, "status") == "Ordered"


def test_a_broken_field_list_in_the_database_does_not_break_the_save(tracking, tracker):
	frappe.db.set_value("Milestone Tracker Field", {"parent": tracker}, "track_field", "no_such_field")
	frappe.db.set_value("Milestone Tracker", tracker, "condition", "doc.")
	registry.clear()
	order = save_order(tracking)
	assert frappe.db.get_value(order.doctype, order.name, "status") == "Ordered"
	assert logs_of(tracker)
