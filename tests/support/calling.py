"""Asks whitelisted calls in this process, as a request does: hooks after the login first, all that was written taken back."""

import importlib
import inspect
import json
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import frappe
from frappe import handler
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

SAVE_POINT = "before_the_call"
OURS = "milestone_automation."


class Answer(NamedTuple):
	"""What a call answered.

	Attributes:
		status: as the web server would send it.
		text: answer and messages.
		fault: traceback of an error.
		is_our_fault: whether it is an error that is no refusal, with code of the app on its way.
	"""

	status: int
	text: str
	fault: str = ""
	is_our_fault: bool = False


def calls_of_frappe() -> dict[str, Callable]:
	"""Every whitelisted function of the installed Frappe by its path; methods of documents are not among them."""
	root, found = Path(frappe.__file__).parent, {}
	for file in sorted(root.rglob("*.py")):
		parts = file.relative_to(root.parent).with_suffix("").parts
		if "tests" in parts or parts[-1].startswith("test_") or "whitelist(" not in file.read_text():
			continue
		name = ".".join(part for part in parts if part != "__init__")
		try:
			module = importlib.import_module(name)
		except ImportError:
			continue  # it needs what is not installed, so nobody can call it either
		for attribute, value in vars(module).items():
			if inspect.isfunction(value) and value in frappe.whitelisted and _is_of(value, name):
				found[f"{name}.{attribute}"] = value
	return found


def _is_of(function: Callable, module: str) -> bool:
	return unwrapped(function).__module__ == module


def unwrapped(function: Callable) -> Callable:
	"""The function that a decorator such as `frappe.read_only`, which keeps no name, is around."""
	if hasattr(function, "__wrapped__"):
		return unwrapped(function.__wrapped__)
	cells = [cell.cell_contents for cell in function.__closure__ or ()]
	inner = next((value for value in cells if inspect.isfunction(value)), None)
	return unwrapped(inner) if inner else function


def parameters(function: Callable) -> dict[str, inspect.Parameter]:
	"""The named parameters of a function."""
	kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
	named = inspect.signature(unwrapped(function)).parameters
	return {name: one for name, one in named.items() if one.kind in kinds}


@contextmanager
def kept_in_transaction():
	"""Inside, no call ends the transaction, waits for the network, or leaves a job."""

	def rollback(*arguments, save_point=None, **named):
		original_rollback(save_point=save_point or SAVE_POINT)

	original_rollback, local = frappe.db.rollback, ("request", "form_dict", "response")
	before = {name: getattr(frappe.local, name, None) for name in local}
	refused = OSError("Tests reach no network.")
	with (
		patch.object(frappe.db, "commit"),
		patch.object(frappe.db, "rollback", rollback),
		patch.object(frappe, "enqueue"),
		patch("requests.sessions.Session.request", side_effect=refused),
		patch("smtplib.SMTP.__init__", side_effect=refused),
	):
		try:
			yield
		finally:
			frappe.set_user("Administrator")
			for name, value in before.items():
				setattr(frappe.local, name, value)


def ask(path: str, form: dict, user: str) -> Answer:
	"""Ask a call as a user by POST; inside `kept_in_transaction`.

	Args:
		path: of the function.
		form: its arguments.
		user: user id.
	"""
	if frappe.session.user != user:
		frappe.set_user(user)
	frappe.local.request = Request(EnvironBuilder(path=f"/api/method/{path}", method="POST").get_environ())
	frappe.local.form_dict = frappe._dict(form)
	frappe.local.response = frappe._dict(docs=[])
	frappe.local.message_log = []
	frappe.db.savepoint(SAVE_POINT)
	status, fault, is_ours, found = 200, "", False, None
	try:
		for hook in frappe.get_hooks("auth_hooks"):
			frappe.get_attr(hook)()
		found = handler.execute_cmd(path)
	except Exception as error:
		status = getattr(error, "http_status_code", 500)
		found, fault = str(error), frappe.get_traceback()
		frames = (frame for frame, _line in traceback.walk_tb(error.__traceback__))
		is_ours = any(frame.f_globals.get("__name__", "").startswith(OURS) for frame in frames)
	finally:
		told = {"message": found, "response": frappe.local.response, "log": frappe.local.message_log}
		text = json.dumps(told, default=_as_text)
		frappe.db.rollback(save_point=SAVE_POINT)
		frappe.local.message_log = []
	return Answer(status, text, fault, is_ours and status >= 500)


def _as_text(value) -> object:
	if hasattr(value, "as_dict"):
		return value.as_dict()
	if hasattr(value, "get_data"):
		return value.get_data(as_text=True)
	return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
