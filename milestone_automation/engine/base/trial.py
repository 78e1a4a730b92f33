"""Trying something: all it writes is undone, and nothing leaves the site while it is tried.

What the database takes part in ends with a savepoint. The rest is kept from happening: jobs, mails, messages to open
desks, requests to other servers, and what Frappe puts aside for its search. Code of other apps that reaches outside by
other ways cannot be held back, so nothing of theirs is to be tried.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import wraps

import frappe
import requests
from frappe import _, realtime
from frappe.utils import CallbackManager, background_jobs

from milestone_automation.engine.base import message_log, save_state

FLAG = "milestone_trial"
CALLBACKS = ("before_commit", "after_commit", "before_rollback", "after_rollback")
# Methods that end a transaction.
ENDING = ("commit", "rollback")
REALTIME = "_realtime_log"


class _NoQueue:
	"""Takes every job and runs none."""

	count = 0  # Frappe 16 asks whether there is room

	def enqueue_call(self, *_arguments, **_named) -> None:
		"""Forget a job."""


def is_under_way() -> bool:
	"""Tell whether something is being tried at this moment."""
	return bool(frappe.flags.get(FLAG))


@contextmanager
def undone() -> Iterator[None]:
	"""Undo what is done inside, and let none of it out of the site."""
	_hold_back()
	save_point = f"milestone_trial_{frappe.generate_hash(length=8)}"
	messages = message_log.count()
	frappe.db.savepoint(save_point)
	try:
		with save_state.set_aside(), _quiet_flags(), _quiet_database(save_point):
			try:
				yield
			finally:
				with suppress(Exception):
					frappe.db.rollback(save_point=save_point)
				# As after any rollback: caches forget what was never stored.
				frappe.db.after_rollback.run()
	finally:
		try:
			frappe.db.release_savepoint(save_point)
		except Exception:
			# After a deadlock the database has dropped the savepoint: nothing of the transaction is kept.
			frappe.db.rollback()
		message_log.forget_after(messages)


@contextmanager
def _quiet_flags() -> Iterator[None]:
	flags, conf = frappe.flags.copy(), frappe.local.conf
	log = getattr(frappe.local, REALTIME, None)
	frappe.flags.update({FLAG: True, "mute_emails": True})
	# Texts for the search are put aside in Redis, where no rollback reaches them.
	frappe.local.conf = frappe._dict(conf, disable_global_search=1)
	if log is not None:
		delattr(frappe.local, REALTIME)
	try:
		yield
	finally:
		frappe.flags.clear()
		frappe.flags.update(flags)
		frappe.local.conf = conf
		if log is not None:
			setattr(frappe.local, REALTIME, log)
		elif hasattr(frappe.local, REALTIME):
			delattr(frappe.local, REALTIME)


@contextmanager
def _quiet_database(save_point: str) -> Iterator[None]:
	"""Give the connection callbacks of its own, and keep who tries to commit from it."""
	database = frappe.local.db
	callbacks_before = {name: getattr(database, name) for name in CALLBACKS}
	own_endings = {name: vars(database)[name] for name in ENDING if name in vars(database)}
	for name in CALLBACKS:
		setattr(database, name, CallbackManager())
	rollback = database.rollback
	database.commit = lambda *_arguments, **_named: None
	database.rollback = lambda *, save_point=None, _to=save_point, **_named: rollback(
		save_point=save_point or _to
	)
	try:
		yield
	finally:
		for name in ENDING:
			delattr(database, name)
		vars(database).update(own_endings)
		for name, callbacks in callbacks_before.items():
			setattr(database, name, callbacks)


def _hold_back() -> None:
	"""Teach what leads out of the site to ask whether something is tried. Other threads and requests go on as ever."""
	_wrap(background_jobs, "get_queue", lambda: _NoQueue())
	_wrap(realtime, "emit_via_redis", lambda: None)
	_wrap(requests.sessions.Session, "send", _refuse_request)


def _refuse_request():
	frappe.throw(_("A request to another server is not tried."))


def _wrap(owner, name: str, instead) -> None:
	original = getattr(owner, name)
	if getattr(original, FLAG, False):
		return

	@wraps(original)
	def asked(*arguments, **named):
		is_tried = getattr(frappe.local, "flags", None) and frappe.local.flags.get(FLAG)
		return instead() if is_tried else original(*arguments, **named)

	setattr(asked, FLAG, True)
	setattr(owner, name, asked)
