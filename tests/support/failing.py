"""Lets the 1st, 2nd, 3rd ... call of some work fail until none is left, and looks each time at what was written.

A call is a statement to the database, or a command to Redis.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import frappe
import redis

from milestone_automation.engine.base import save_state
from milestone_automation.engine.rules.vocabulary import MilestoneSource

BROKEN_SQL = "selekt 1"
# Going back is what follows on a failure.
ROLLBACK = "rollback"
SAVE_POINT = "before_the_turn"
# What the app writes for a document, beside the document.
TABLES = (
	"Milestone",
	"Milestone Plan",
	"Milestone Plan Stage",
	"Milestone Task",
	"Milestone Task Assignee",
	"Milestone Date Change",
	"Milestone Plan Log",
	"Milestone Message",
	"Milestone Follow Up",
	"Milestone Next Step",
	"Milestone Roll Up",
	"ToDo",
	"Email Queue",
	"Notification Log",
)
# Other in every run.
VARIABLE = {
	"name", "parent", "plan", "stage", "plan_stage", "task", "message_key", "import_key", "email_queue", "creation",
	"modified", "reference_name", "plan_key", "link", "message", "message_id", "due_notified", "milestone", "proposal", "snapshot",
	"document_name", "_assign", "email_content", "_comments", "title", "description", "gate_failed_on",
}  # fmt: skip
# A turn takes some statements; work with more is too large for such a loop.
MOST_TURNS = 600


class Fault:
	"""One call that fails.

	Attributes:
		nth: which one, from 1.
		calls: those so far.
		struck: the call that failed; None while none has.
		logs: titles of the Error Logs that were written meanwhile.
	"""

	def __init__(self, nth: int):
		self.nth = nth
		self.calls: list[str] = []
		self.struck: str | None = None
		self.logs: list[str] = []

	def strikes(self, call: str) -> bool:
		"""Note a call and tell whether it is the one that fails."""
		if self.struck or call.lower().startswith(ROLLBACK):
			return False
		self.calls.append(call)
		if len(self.calls) != self.nth:
			return False
		self.struck = call
		return True


class FailingCursor:
	"""Stands before the connection's cursor. The database itself refuses the statement, with all that follows on it."""

	def __init__(self, cursor, fault: Fault):
		self.__dict__.update(cursor=cursor, fault=fault)

	def execute(self, query, *arguments, **named):
		if self.fault.strikes(str(query).strip()):
			return self.cursor.execute(BROKEN_SQL)
		return self.cursor.execute(query, *arguments, **named)

	def executemany(self, query, *arguments, **named):
		if self.fault.strikes(str(query).strip()):
			return self.cursor.execute(BROKEN_SQL)
		return self.cursor.executemany(query, *arguments, **named)

	def __getattr__(self, name):
		return getattr(self.cursor, name)

	def __setattr__(self, name, value):
		setattr(self.cursor, name, value)

	def __iter__(self):
		return iter(self.cursor)


@contextmanager
def failing_statement(nth: int) -> Iterator[Fault]:
	"""Inside, the nth statement of this connection fails."""
	fault, cursor = Fault(nth), frappe.db._cursor
	frappe.db._cursor = FailingCursor(cursor, fault)
	try:
		yield fault
	finally:
		frappe.db._cursor = cursor


@contextmanager
def failing_redis_call(nth: int) -> Iterator[Fault]:
	"""Inside, the nth command to Redis fails, as if it were away for a moment."""
	fault = Fault(nth)
	originals = [
		(owner, name, getattr(owner, name))
		for owner, name in ((redis.Redis, "execute_command"), (redis.client.Pipeline, "execute"))
	]
	for owner, name, original in originals:
		setattr(owner, name, _failing(original, fault))
	try:
		yield fault
	finally:
		for owner, name, original in originals:
			setattr(owner, name, original)


def _failing(original, fault: Fault):
	def call(self, *arguments, **named):
		if fault.strikes(" ".join(map(str, arguments))[:200] or "pipeline"):
			raise redis.exceptions.ConnectionError("Redis is away")
		return original(self, *arguments, **named)

	return call


def written(doctypes: tuple[str, ...] = (), telling: tuple[str, ...] = ()) -> dict[str, list]:
	"""What is stored in the tables of the app and in some more, without what differs from run to run.

	Args:
		doctypes: of documents beside the app's.
		telling: columns that count all the same.
	"""
	left_out = VARIABLE.difference(telling)
	return {
		doctype: sorted(_values(row, left_out) for row in _rows(doctype)) for doctype in (*TABLES, *doctypes)
	}


def _rows(doctype: str) -> list:
	# That the gate could not be asked is noted where a fault of its own let the save go on.
	filters = {"event": ("!=", "Gate Check Failed")} if doctype == "Milestone Plan Log" else {}
	return frappe.get_all(doctype, filters=filters, fields=["*"], limit_page_length=0)


def _values(row, left_out: set[str]) -> str:
	return str(sorted((name, str(value)) for name, value in row.items() if name not in left_out))


def each_call_fails(
	act: Callable[[], object],
	doctypes: tuple[str, ...],
	parts: tuple = (),
	refusal: type[Exception] | None = None,
	failing=failing_statement,
	loose: tuple[str, ...] = (),
	telling: tuple[str, ...] = (),
) -> int:
	"""Do something again and again, each time with the next call failing, until it takes no more.

	After each turn all is stored or nothing. An error takes all back, as the end of a request does.

	Args:
		act: the work; it never commits.
		doctypes: of documents whose rows count, beside those of the app.
		parts: groups of tables that the app may leave as they were, whole, with an Error Log: a fault of its own
			bookkeeping does not refuse the user's save.
		refusal: what the work raises when nothing fails; then nothing may ever be stored.
		loose: tables of which some rows may be missing, with an Error Log.
		failing: which calls fail: `failing_statement` or `failing_redis_call`.
		telling: columns that count although they differ from run to run elsewhere.

	Returns:
		int: how many calls the work takes.
	"""
	look = partial(written, doctypes, telling)
	before = look()
	after = _undisturbed(act, look, refusal, failing)
	assert (after == before) == bool(refusal), "the work writes nothing, or what it may not"
	for nth in range(1, MOST_TURNS):
		fault, error, found = _turn(act, nth, look, failing)
		if not fault.struck:
			assert found == after, _told(fault, after, found)
			return nth - 1
		if error:
			assert found == before, _told(fault, before, found)
		else:
			assert not refusal, f"nothing was refused after {fault.struck}"
			if fault.logs:
				found |= {table: after[table] for table in loose}
			_assert_whole_parts(fault, before, after, found, parts)
	raise AssertionError("the work does not end")


def _undisturbed(act, look, refusal, failing) -> dict:
	# Twice, so that everything is cached that can be.
	for _time in range(2):
		_fault, error, after = _turn(act, 0, look, failing)
		assert isinstance(error, refusal or type(None)), repr(error)
	return after


def _turn(act, nth: int, look, failing) -> tuple:
	frappe.db.savepoint(SAVE_POINT)
	error = None
	with failing(nth) as fault:
		try:
			act()
		except Exception as raised:
			error = raised
		else:
			# All is stored by now: an error here would tell the user the opposite.
			frappe.db.after_commit.run()
	if error:
		frappe.db.rollback(save_point=SAVE_POINT)
	found = look()
	fault.logs = frappe.get_all("Error Log", pluck="method")
	frappe.db.rollback(save_point=SAVE_POINT)
	frappe.db.release_savepoint(SAVE_POINT)
	_forget()
	return fault, error, found


def _forget() -> None:
	"""Forget what a process keeps for one request only."""
	frappe.db.delete("Error Log")  # on MariaDB it knows no rollback
	for name in ("document_cache", "cache"):
		if hasattr(frappe.local, name):
			setattr(frappe.local, name, {})
	setattr(frappe.local, save_state.TRANSACTION, None)
	frappe.local.message_log = []
	frappe.local.locked_documents = []
	frappe.flags.currently_saving = []
	for callbacks in ("before_commit", "after_commit", "before_rollback", "after_rollback"):
		getattr(frappe.db, callbacks).reset()


def _assert_whole_parts(fault, before, after, found, parts) -> None:
	missing = []
	for part in (*parts, tuple(table for table in found if not any(table in part for part in parts))):
		part_before, part_after, part_found = (
			{table: state[table] for table in part} for state in (before, after, found)
		)
		if part_found == part_after or (fault.logs and _caught_up(part_found) == _caught_up(part_after)):
			continue
		assert part in parts and part_found == part_before, _told(fault, part_after, part_found)
		missing.append(part)
	assert fault.logs or not missing, f"{missing} is missing without a log, after {fault.struck}"


def _caught_up(state: dict[str, list]) -> dict[str, list]:
	# What the recorder could not note down is recorded after it, by the plan it reaches a stage of.
	was, now = (str(("source", source.value)) for source in (MilestoneSource.SAVE, MilestoneSource.RECONCILE))
	return {table: sorted(row.replace(was, now) for row in rows) for table, rows in state.items()}


def _told(fault, wanted, found) -> str:
	differing = {table: (wanted[table], found[table]) for table in wanted if wanted[table] != found[table]}
	return f"after call {fault.nth}, {fault.struck!r}: wanted and found {differing}"
