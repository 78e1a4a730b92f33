"""What is remembered while documents are saved, and what our own documents carry through a save: all in one place.

What counts is what is stored, so little is left to remember: plans that are locked anyway, the row an event has just
read for the next one, the milestones of this transaction, and what has to be done before it is committed. All of it
ends with the transaction, whether it is committed or rolled back; nothing is read from another process.
"""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum

import frappe

TRANSACTION = "milestone_transaction"
# Beside it, as a hook may commit inside: plans that `changing` holds open, by name.
PLANS_BEING_CHANGED = "milestone_plans_being_changed"
# Beside it too: documents of any DocType that are being inserted or saved, each with the moment it began.
WRITES = "milestone_writes"


class Mark(str, Enum):
	"""What a document of this app carries through its own save, beside its values."""

	BY_ENGINE = "milestone_by_engine"  # a task that the engine writes and no person
	WANTED_STATUS = "milestone_wanted_status"  # of a task: what its form asks for, with the reason
	CARRIED_OVER = "milestone_carried_over"  # a plan that an amended document takes along
	REFERENCE_DOC = "milestone_reference_doc"  # the document of a new plan
	REPLACED = "milestone_replaced"  # the cancelled plan that a new one follows
	DRAFT = "milestone_draft"  # what `plan_builder` made for a new plan
	NEW_ROWS = "milestone_new_rows"  # stages of a new plan, which are written in one statement
	WRITTEN_ELSEWHERE = "milestone_written_elsewhere"  # a workflow from a file: its next steps have no author


def mark(doc, what: Mark, value=True) -> None:
	"""Have a document carry something through its save.

	Args:
		doc: a document of this app.
		what: which mark.
		value: what it says.
	"""
	doc.flags[what.value] = value


def take_mark(doc, what: Mark):
	"""Remove a mark of a document and return what it said; None without one.

	Args:
		doc: a document of this app.
		what: which mark.
	"""
	return doc.flags.pop(what.value, None)


def marked(doc, what: Mark):
	"""Return what a mark of a document says; None without one.

	Args:
		doc: a document of this app.
		what: which mark.
	"""
	return doc.flags.get(what.value)


@dataclass
class RecordedHere:
	"""Milestones of one field of one document that this transaction has recorded.

	Attributes:
		value_before: the value the field had when the transaction began, as text.
		since: when that value was reached; None when unknown.
		names: the milestones, oldest first. A rollback to a savepoint may have taken some back.
		last_value: the value of the last one, as text.
	"""

	value_before: str
	since: datetime | None
	names: list[str] = field(default_factory=list)
	last_value: str = ""


@dataclass
class Save:
	"""The save of a document that is under way.

	Attributes:
		doc: gives the copy of the document that is saved; None once nobody holds it.
		recorded: how many milestones of each field this transaction had recorded when it began.
	"""

	doc: weakref.ref
	recorded: dict[str, int]


@dataclass
class Write:
	"""A document that is being inserted or saved.

	Attributes:
		doc: as of a `Save`.
		moment: when it began, as its `modified` says.
		place: of a document that is not new, where Frappe's list of saves has it until it is saved; else -1.
	"""

	doc: weakref.ref
	moment: datetime | str
	place: int

	def is_over_for(self, place: int) -> bool:
		"""Whether it has come to its end once Frappe's list has another save at a place: that is at the end of the list.

		Args:
			place: of the other save; -1 for none.
		"""
		return self.place >= place >= 0 or not self.is_under_way()

	def is_under_way(self) -> bool:
		"""Whether it has not come to its end, and somebody holds it."""
		doc = self.doc()
		if doc is None:
			return False
		saves = frappe.flags.currently_saving or ()
		is_listed = 0 <= self.place < len(saves) and saves[self.place] == (doc.doctype, doc.name)
		return is_listed or "__islocal" in doc.__dict__


@dataclass
class Transaction:
	"""What is remembered until the running transaction ends.

	Attributes:
		database: the connection whose transaction it is.
		at_end: what is to be done before the commit, by a key that keeps it from being done twice.
		milestones: what was recorded, by document (DocType and name) and field.
		milestones_before_db_set: how many of them each field had when a `db_set` began, by document.
		saves: those under way, outermost first, by DocType and document; one that has failed may still be there.
		db_sets_in_save: documents with a `db_set` under way inside their own save, by DocType and document.
		redo: by document, what gives its row back what its save has written, should that save come to its end.
		plans: plans loaded with their lock, by DocType and document; None for a document without a plan.
		rows: stored rows just read, by DocType and document.
		rows_before: stored rows read before a `db_set` wrote, by DocType and document.
		outdated: documents of which this transaction's view of the tables lacks milestones, by DocType and document.
		days_given: the day on which a stage was reached as somebody gave it, by the stage's row name.
		plans_brought_in: names of the plans this transaction has started of documents that were brought in.
		plan_writes: how often this transaction has written each plan, by name.
		changed_rules: rules that this transaction has changed, as it reads them, by cache key; None until it does.
	"""

	database: object
	at_end: dict = field(default_factory=dict)
	milestones: dict[tuple, dict[str, RecordedHere]] = field(default_factory=dict)
	milestones_before_db_set: dict[tuple, dict[str, int]] = field(default_factory=dict)
	saves: dict[tuple, list["Save"]] = field(default_factory=dict)
	db_sets_in_save: set[tuple] = field(default_factory=set)
	redo: dict[tuple, Callable] = field(default_factory=dict)
	plans: dict[tuple, object] = field(default_factory=dict)
	rows: dict[tuple, dict] = field(default_factory=dict)
	rows_before: dict[tuple, dict] = field(default_factory=dict)
	outdated: set[tuple] = field(default_factory=set)
	days_given: dict[str, date] = field(default_factory=dict)
	plans_brought_in: set[str] = field(default_factory=set)
	plan_writes: dict[str, int] = field(default_factory=dict)
	changed_rules: dict[str, object] = field(default_factory=dict)


def transaction() -> Transaction:
	"""Return what is remembered of the running transaction."""
	state = getattr(frappe.local, TRANSACTION, None)
	if state is None or state.database is not frappe.local.db:
		state = Transaction(frappe.local.db)
		setattr(frappe.local, TRANSACTION, state)
		frappe.db.before_commit.add(_finish)
		frappe.db.after_rollback.add(_forget)
	return state


@contextmanager
def set_aside() -> Iterator[None]:
	"""Inside, nothing is remembered of the running transaction; afterwards what was remembered before."""
	remembered = {name: getattr(frappe.local, name, None) for name in (TRANSACTION, PLANS_BEING_CHANGED)}
	_put_back({TRANSACTION: None, PLANS_BEING_CHANGED: {}})
	try:
		yield
	finally:
		_put_back(remembered | {PLANS_BEING_CHANGED: remembered[PLANS_BEING_CHANGED] or {}})


def _put_back(values: dict) -> None:
	for name, value in values.items():
		setattr(frappe.local, name, value)


def is_remembering() -> bool:
	"""Tell whether there is anything to remember of the running transaction yet."""
	return getattr(frappe.local, TRANSACTION, None) is not None


def changed_rules() -> dict[str, object]:
	"""Return the rules that this transaction has changed; it begins to remember nothing for that."""
	state = getattr(frappe.local, TRANSACTION, None)
	return state.changed_rules if state else {}


def key_of(doc) -> tuple[str, str]:
	"""Return by what a document is remembered.

	Args:
		doc: any document.

	Returns:
		tuple: DocType, and name as text.
	"""
	return doc.doctype, str(doc.name)


def rename(doctype: str, old, new, merge: bool) -> None:
	"""Let what is remembered of a document go by its new name; what is read from the database is read again.

	Args:
		doctype: of the document.
		old, new: its names.
		merge: whether it was merged into another document, whose history stays apart from its own.
	"""
	state = getattr(frappe.local, TRANSACTION, None)
	old_key, new_key = (doctype, str(old)), (doctype, str(new))
	if not state or old_key == new_key:
		return
	for remembered in (state.plans, state.rows, state.rows_before):
		remembered.pop(old_key, None)
		remembered.pop(new_key, None)
	if not merge:
		recorded = state.milestones.pop(old_key, None)
		state.milestones.pop(new_key, None)
		if recorded:
			state.milestones[new_key] = recorded


def redo(doc) -> None:
	"""At the end of a document's save, store again what of it was taken back: a hook has swallowed a refusal on the way.

	Args:
		doc: the document; nothing happens inside a `db_set` of one of its hooks.
	"""
	state = getattr(frappe.local, TRANSACTION, None)
	key = key_of(doc)
	if state and key in state.redo and key not in state.db_sets_in_save:
		state.redo.pop(key)()


def note_write(doc) -> None:
	"""Note that a document is being inserted or saved: Frappe tells of none when that began, and of no new one when it ends.

	Args:
		doc: any document, before it is written.
	"""
	place = _place_in_saves(doc)
	begun = [write for write in getattr(frappe.local, WRITES, ()) if not write.is_over_for(place)]
	setattr(frappe.local, WRITES, [*begun, Write(weakref.ref(doc), doc.modified, place)])


def other_writes(doc) -> list[datetime | str]:
	"""Return since when other documents are being inserted or saved; empty where none is.

	One whose save has failed counts on, if somebody has swallowed its error and still holds it.

	Args:
		doc: the document that is left out.
	"""
	begun = [
		(write.doc(), write.moment) for write in getattr(frappe.local, WRITES, ()) if write.is_under_way()
	]
	return [moment for other, moment in begun if other is not None and key_of(other) != key_of(doc)]


def _place_in_saves(doc) -> int:
	"""Return where Frappe's list of saves has a document; its latest entry, which is near the end, or -1.

	Frappe never removes the entry of an insert, so in a long job the list is not to be searched for what is no longer there.
	"""
	saves = frappe.flags.currently_saving or ()
	if doc.is_new():
		return -1
	if saves and saves[-1] == (doc.doctype, doc.name):
		return len(saves) - 1
	return next((i for i in reversed(range(len(saves))) if saves[i] == (doc.doctype, doc.name)), -1)


def before_commit(key: tuple, function: Callable, *arguments) -> None:
	"""Have something done once, just before the running transaction is committed; not if it is rolled back.

	Args:
		key: what is to be done; a second request with the same key changes nothing.
		function: called with the arguments; must handle its own faults.
	"""
	transaction().at_end.setdefault(key, (function, arguments))


def withdraw(key: tuple) -> bool:
	"""Have something not done before the commit after all; tell whether it was to be done.

	Args:
		key: as in `before_commit`.
	"""
	return is_remembering() and transaction().at_end.pop(key, None) is not None


def _finish() -> None:
	"""Do what has to be done before the commit, also what comes up on the way."""
	state = getattr(frappe.local, TRANSACTION, None)
	try:
		while state and state.at_end:
			function, arguments = state.at_end.pop(next(iter(state.at_end)))
			function(*arguments)
	finally:
		_forget()


def _forget() -> None:
	setattr(frappe.local, TRANSACTION, None)


def plans_being_changed() -> dict:
	"""Return the plans that `changing` holds open now, by name."""
	if not hasattr(frappe.local, PLANS_BEING_CHANGED):
		setattr(frappe.local, PLANS_BEING_CHANGED, {})
	return getattr(frappe.local, PLANS_BEING_CHANGED)


def plan_writes() -> dict[str, int]:
	"""Return how often each plan was written, so that a plan in memory knows whether it is the newest."""
	return transaction().plan_writes
