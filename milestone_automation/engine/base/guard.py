"""Guards the saves of users against errors of this app: its changes are undone, the error is logged."""

import sqlite3
from collections.abc import Callable
from contextlib import contextmanager, suppress
from typing import NoReturn

import frappe
from frappe import _

from milestone_automation.engine.base import message_log


class GateError(frappe.ValidationError):
	"""A refusal by the gate. Always raised to the caller, so that the document keeps its value."""

	http_status_code = 417


class ConflictError(frappe.QueryDeadlockError):
	"""A user changed the same rows at the same time. Always raised to the caller, as the gate could not check them."""

	http_status_code = 409


# After a deadlock the database has undone changes of the user too, so the save must not go on.
PASSED_ON = (GateError, frappe.QueryDeadlockError)
# PostgreSQL: serialization failure, deadlock, lock not available.
CONFLICT_CODES = ("40001", "40P01", "55P03")
# Number of nested guards; each has its own savepoint.
DEPTH = "milestone_guard_depth"


def run_guarded(what: str, function: Callable, *args, on_fault: Callable | None = None):
	"""Call `function(*args)` inside a savepoint and return its result; on an error undo its writes and log it.

	Args:
		what: title of the Error Log; names the work and the document or rule.
		function: the function to call.
		on_fault: called after an error was undone and logged.

	Returns:
		The function's result; None after an error.

	Raises:
		GateError: passed on.
		frappe.QueryDeadlockError: passed on; a ConflictError is one.
		Exception: the error, where the transaction is lost with it.
	"""
	depth = getattr(frappe.local, DEPTH, 0)
	save_point = f"milestone_guard_{depth}"
	messages = message_log.count()
	is_open = False
	is_first = not has_transaction()
	written = is_first and _writes()
	setattr(frappe.local, DEPTH, depth + 1)
	try:
		frappe.db.savepoint(save_point)
		is_open = True
		result = function(*args)
		if not is_first or _writes() == written:
			_release(save_point)
	except GateError:
		# Whoever swallows the refusal must not keep what led to it.
		frappe.db.rollback(save_point=save_point)
		raise
	except PASSED_ON:
		raise
	except Exception as error:
		if is_conflict(error):
			raise_conflict(error)
		fault = frappe.get_traceback()
		if is_open:
			with suppress(Exception):
				frappe.db.rollback(save_point=save_point)
		_raise_if_nothing_can_follow(error)
		# The user does not see the messages of an error that is only logged.
		message_log.forget_after(messages)
		log_fault(what, fault)
		if on_fault:
			run_guarded(what, on_fault)
		return None
	finally:
		setattr(frappe.local, DEPTH, depth)
	return result


def run_alone(what: str, commit: Callable[[], None] | None, function: Callable, *args):
	"""Do one of several works of a job as `run_guarded` does. With a commit a conflict is logged too, and the next goes on.

	Args:
		what, function: as for `run_guarded`.
		commit: called after the work, which is then a transaction of its own; None leaves the transaction to the caller.

	Returns:
		The function's result; None after an error or a conflict.

	Raises:
		GateError, frappe.QueryDeadlockError: passed on where there is no commit.
	"""
	try:
		result = run_guarded(what, function, *args)
		if commit:
			commit()
		return result
	except PASSED_ON:
		if not commit:
			raise
		fault = frappe.get_traceback()
		frappe.db.rollback()
		log_fault(what, fault)
		return None


def run_logged(what: str, function: Callable, *args):
	"""Run `function(*args)`, which only reads or writes one statement; an error is logged. No savepoint is set.

	Args:
		what, function: as for `run_guarded`.

	Returns:
		The function's result; None after an error.

	Raises:
		GateError, frappe.QueryDeadlockError (ConflictError is one): passed on.
		Exception: the error, where the transaction is lost with it.
	"""
	messages = message_log.count()
	try:
		return function(*args)
	except PASSED_ON:
		raise
	except Exception as error:
		if is_conflict(error):
			raise_conflict(error)
		fault = frappe.get_traceback()
		_raise_if_nothing_can_follow(error)
		message_log.forget_after(messages)
		log_fault(what, fault)
		return None


def _raise_if_nothing_can_follow(error: Exception) -> None:
	"""Raise an error after which the transaction is of no use: no savepoint was set, or setting it failed.

	PostgreSQL then runs nothing more, and a commit stores nothing without a word. So the save must not go on.
	"""
	try:
		frappe.db.sql("select 1")
	except Exception:
		raise error from None


def is_conflict(error: Exception) -> bool:
	"""Tell whether the database refused a statement because somebody else is changing the same rows.

	Args:
		error: as the database's driver or Frappe raised it.
	"""
	if isinstance(error, (frappe.QueryDeadlockError, frappe.QueryTimeoutError)):
		return True
	if isinstance(error, sqlite3.OperationalError):
		return "locked" in str(error)
	return getattr(error, "pgcode", None) in CONFLICT_CODES


def raise_conflict(error: Exception) -> NoReturn:
	"""Raise the error that asks the user to try again.

	Args:
		error: what the database raised.

	Raises:
		ConflictError: always; the given error is its cause.
	"""
	if isinstance(error, ConflictError):
		raise error
	try:
		frappe.throw(
			_(
				"Somebody else changed the milestone plan at the same moment, so nothing was saved. Please try again."
			),
			exc=ConflictError,
			title=_("Please Try Again"),
		)
	except ConflictError as conflict:
		raise conflict from error


@contextmanager
def translate_conflicts():
	"""Turn conflicts with other users, as the database raises them, into a ConflictError.

	Raises:
		ConflictError: instead of the database's own error; any other error is passed on.
	"""
	try:
		yield
	except Exception as error:
		if is_conflict(error):
			raise_conflict(error)
		raise


def has_transaction() -> bool:
	"""Tell whether a transaction is open. On SQLite, Frappe opens the first one of a request with its first write.

	Until then a savepoint is the transaction: its release commits it, and lets others write again.
	"""
	if frappe.db.db_type != "sqlite":
		return True
	connection = frappe.db._conn
	return bool(connection and connection.in_transaction)


def _writes() -> tuple[int, int]:
	"""Return how much this connection has written: one count misses writes of no rows, the other those before a rollback."""
	connection = frappe.db._conn
	return frappe.db.transaction_writes, connection.total_changes if connection else 0


def _release(save_point: str) -> None:
	"""Release a savepoint. MariaDB drops it when the next one takes its name, which saves one statement."""
	if frappe.db.db_type != "mariadb":
		frappe.db.release_savepoint(save_point)


def log_fault(what: str, fault: str) -> None:
	"""Write an Error Log in its own savepoint; if that fails, write to the log file of the site.

	Args:
		what: title, cut to 140 characters.
		fault: traceback.
	"""
	save_point = f"milestone_{frappe.generate_hash(length=10)}"
	try:
		frappe.db.savepoint(save_point)
		frappe.log_error(title=what[:140], message=fault)
		frappe.db.release_savepoint(save_point)
	except Exception:
		with suppress(Exception):
			frappe.db.rollback(save_point=save_point)
		with suppress(Exception):
			frappe.logger("milestone_automation").error(f"{what}\n{fault}")
