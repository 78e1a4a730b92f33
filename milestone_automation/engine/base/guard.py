"""A fault of ours never breaks the user's save: it is undone, logged, and the save goes on."""

import sqlite3
from collections.abc import Callable
from contextlib import contextmanager, suppress
from typing import NoReturn

import frappe
from frappe import _


class GateError(frappe.ValidationError):
	"""A refusal by the gate. Never swallowed: the document keeps the value it had."""

	http_status_code = 417


class ConflictError(frappe.QueryDeadlockError):
	"""Somebody else changed the same rows at the same moment. Never swallowed: the gate could not look."""

	http_status_code = 409


# After a deadlock the database has already undone the user's own work too; going on would save half of it.
PASSED_ON = (GateError, frappe.QueryDeadlockError)
# PostgreSQL: serialization failure, deadlock, lock not available.
CONFLICT_CODES = ("40001", "40P01", "55P03")
# How many guards run inside each other; each has a savepoint of its own name.
DEPTH = "milestone_guard_depth"


def run_guarded(what: str, function: Callable, *args):
	"""Run `function(*args)` inside a savepoint; on an error undo its writes, log it, and return None.

	Args:
		what: names the work and the rule at fault; becomes the title of the Error Log.
		function: the work.

	Raises:
		GateError, frappe.QueryDeadlockError (ConflictError is one): passed on.
	"""
	depth = getattr(frappe.local, DEPTH, 0)
	save_point = f"milestone_guard_{depth}"
	messages = len(frappe.local.message_log or [])
	is_open = False
	setattr(frappe.local, DEPTH, depth + 1)
	try:
		frappe.db.savepoint(save_point)
		is_open = True
		result = function(*args)
		_release(save_point)
	except PASSED_ON:
		raise
	except Exception as error:
		if is_conflict(error):
			raise_conflict(error)
		fault = frappe.get_traceback()
		if is_open:
			with suppress(Exception):
				frappe.db.rollback(save_point=save_point)
		# What we swallow is not for the user's eyes either.
		frappe.local.message_log = (frappe.local.message_log or [])[:messages]
		log_fault(what, fault)
		return None
	finally:
		setattr(frappe.local, DEPTH, depth)
	return result


def is_conflict(error: Exception) -> bool:
	"""Tell whether the database refused because somebody else is at work on the same rows."""
	if isinstance(error, (frappe.QueryDeadlockError, frappe.QueryTimeoutError)):
		return True
	if isinstance(error, sqlite3.OperationalError):
		return "locked" in str(error)
	return getattr(error, "pgcode", None) in CONFLICT_CODES


def raise_conflict(error: Exception) -> NoReturn:
	"""Raise what the user reads when somebody else was at the same rows.

	Raises:
		ConflictError
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
def conflicts_told():
	"""Inside, what the database refuses because of somebody else becomes a ConflictError."""
	try:
		yield
	except Exception as error:
		if is_conflict(error):
			raise_conflict(error)
		raise


def _release(save_point: str) -> None:
	"""Release a savepoint. MariaDB forgets it when the next one takes its name, which saves a statement a save."""
	if frappe.db.db_type != "mariadb":
		frappe.db.release_savepoint(save_point)


def log_fault(what: str, fault: str) -> None:
	"""Write an Error Log, in a savepoint of its own; if even that fails, to the log file of the site.

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
