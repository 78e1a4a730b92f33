"""Realtime events of messages wait until their savepoint holds."""

from collections.abc import Iterator
from contextlib import contextmanager

import frappe

HELD_BACK = "milestone_events_held_back"


@contextmanager
def events_held_back(log) -> Iterator[None]:
	"""Inside, what is published after commit is held back until it is certain that a Notification Log is kept.

	Frappe forgets such events with a transaction that is undone, but not with a savepoint, as of a plan at fault.
	"""
	# Frappe makes the list with the first event and removes it with the last.
	before, own = len(getattr(frappe.local, "_realtime_log", [])), []
	try:
		yield
	finally:
		published = getattr(frappe.local, "_realtime_log", [])
		own[:], published[before:] = published[before:], []
	held_back = getattr(frappe.local, HELD_BACK, None)
	if held_back is None:
		held_back = []
		setattr(frappe.local, HELD_BACK, held_back)
		frappe.db.before_commit.add(publish_kept)
		frappe.db.after_rollback.add(_forget_events)
	held_back.append((log.name, own))


def publish_kept() -> None:
	"""Publish the events of the notifications that are there; runs right before the commit."""
	held_back = getattr(frappe.local, HELD_BACK, None) or []
	_forget_events()
	names = [name for name, _events in held_back]
	kept = frappe.get_all("Notification Log", {"name": ("in", names)}, pluck="name") if names else []
	# Numbers or texts, as the database likes it.
	kept = {str(name) for name in kept}
	for name, events in held_back:
		for event, message, room in events if str(name) in kept else []:
			frappe.publish_realtime(event, message, room=room, after_commit=True)


def _forget_events() -> None:
	if hasattr(frappe.local, HELD_BACK):
		delattr(frappe.local, HELD_BACK)
