"""Rows that no longer belong to anything: somebody deleted plans, tasks or documents without their events."""

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

import frappe
from frappe.query_builder.functions import Count
from frappe.utils import now_datetime

from milestone_automation.engine.base import follow_ups
from milestone_automation.engine.history import reconcile

# Names of one statement; SQLite refuses a statement with many thousands.
BATCH = 500
# So old is a follow-up that the hourly run cannot do.
OLDEST_FOLLOW_UP = timedelta(days=1)


class Orphans(NamedTuple):
	"""Rows of one kind.

	Attributes:
		count: how many.
		what: which rows, as the end of a sentence that begins with their number.
		mend: deletes or marks them, batch by batch.
	"""

	count: int
	what: str
	mend: Callable[[], None]


class Link(NamedTuple):
	"""What the rows of a DocType belong to.

	Attributes:
		doctype: of the rows.
		field: with the name of what they belong to.
		owner: the DocType of that.
		only: another field and its value, where not all rows belong to such an owner.
	"""

	doctype: str
	field: str
	owner: str
	only: tuple[str, str] | None = None


# What deleting a row here leaves behind comes further down.
LINKS = (
	Link("Milestone Task", "plan", "Milestone Plan"),
	Link("Milestone Plan Stage", "parent", "Milestone Plan"),
	Link("Milestone Date Change", "plan", "Milestone Plan"),
	Link("Milestone Message", "plan", "Milestone Plan"),
	Link("Milestone Plan Log", "plan", "Milestone Plan"),
	Link("Milestone Next Step", "plan", "Milestone Plan"),
	Link("Milestone Baseline", "plan", "Milestone Plan"),
	Link("Milestone Baseline", "workflow", "Milestone Workflow"),
	Link("Milestone Workflow Stage", "parent", "Milestone Workflow"),
	Link("Milestone Workflow Task", "parent", "Milestone Workflow"),
	Link("Milestone Tracker Field", "parent", "Milestone Tracker"),
	Link("Milestone Task Assignee", "parent", "Milestone Task"),
	Link("ToDo", "reference_name", "Milestone Task", ("reference_type", "Milestone Task")),
)


def find() -> list[Orphans]:
	"""Return the orphans of each kind of which there are any. Changes nothing; a query for each kind."""
	orphans_by_kind = [_of_link(link) for link in LINKS]
	orphans_by_kind += [_of_documents(doctype) for doctype in _recorded_doctypes()]
	orphans_by_kind.append(_left_follow_ups())
	return [orphans for orphans in orphans_by_kind if orphans.count]


def _of_link(link: Link) -> Orphans:
	row = frappe.qb.DocType(link.doctype)
	((count,),) = _rows_without_owner(link).select(Count(row.name)).run()
	return Orphans(count, f"rows of {link.doctype} have no {link.owner}", lambda: _delete(link))


def _rows_without_owner(link: Link):
	row, owner = frappe.qb.DocType(link.doctype), frappe.qb.DocType(link.owner).as_("owning")
	query = frappe.qb.from_(row).left_join(owner).on(owner.name == row[link.field])
	query = query.where(owner.name.isnull()).where(row[link.field] != "")
	return query.where(row[link.only[0]] == link.only[1]) if link.only else query


def _delete(link: Link) -> None:
	row = frappe.qb.DocType(link.doctype)
	while names := _rows_without_owner(link).select(row.name).limit(BATCH).run(pluck=True):
		frappe.db.delete(link.doctype, {"name": ("in", names)})


def _recorded_doctypes() -> list[str]:
	"""Return the DocTypes with milestones whose documents should be there."""
	milestone = frappe.qb.DocType("Milestone")
	query = frappe.qb.from_(milestone).select(milestone.reference_type).distinct()
	doctypes = query.where(milestone.reference_deleted == 0).run(pluck=True)
	return sorted(doctype for doctype in doctypes if doctype and _has_rows(doctype))


def _has_rows(doctype: str) -> bool:
	"""Tell whether the documents of a DocType are rows of a table of its own, or the DocType is gone with them."""
	if not frappe.db.exists("DocType", doctype, cache=True):
		return True
	meta = frappe.get_meta(doctype)
	return not (meta.issingle or meta.get("is_virtual"))


def _of_documents(doctype: str) -> Orphans:
	return Orphans(
		len(reconcile.deleted_documents(doctype)),
		f"documents of {doctype} are gone, and their milestones still count",
		lambda: reconcile.mark_gone(doctype),
	)


def _left_follow_ups() -> Orphans:
	filters = {"creation": ("<", now_datetime() - OLDEST_FOLLOW_UP)}
	return Orphans(
		frappe.db.count(follow_ups.DOCTYPE, filters),
		f"rows of {follow_ups.DOCTYPE} have waited for more than a day; the Error Log may say why",
		_do_follow_ups,
	)


def _do_follow_ups() -> None:
	_forget_unknown_follow_ups()
	follow_ups.run_left()


def _forget_unknown_follow_ups() -> None:
	"""Delete work that this version of the app does not know and would fail to do for ever."""
	for row in frappe.get_all(follow_ups.DOCTYPE, fields=["name", "work"]):
		if row.work not in follow_ups.WORKS:
			frappe.db.delete(follow_ups.DOCTYPE, {"name": row.name})
