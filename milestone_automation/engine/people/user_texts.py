"""Texts that hold users, where Frappe knows no link: who did or waived what, whom to notify, arguments of next steps, keys
of messages."""

import json

import frappe

from milestone_automation.engine.base import bulk
from milestone_automation.engine.people.assignees import split_names

NOTIFIED = ("Milestone Workflow Stage", "Milestone Plan Stage")
WITH_USERS = (
	("Milestone Workflow Stage", "next_actions"),
	("Milestone Workflow", "completed_actions"),
	("Milestone Plan", "completed_actions"),
	("Milestone Plan Stage", "next_actions"),
	("Milestone Next Step", "arguments"),
	("Milestone Plan Stage", "waived_criteria"),
)

OWNED_BY_ADDRESS = {
	"Milestone Workflow Stage": ("owner_email",),
	"Milestone Plan Stage": ("owner_email", "outside_owner"),
}
# Who did something, or was told: Data, as rows with a link to a user would keep that user from being deleted.
DONE_BY = {
	"Milestone": ("reached_by",),
	"Milestone Date Change": ("changed_by", "proposed_by", "answered_by"),
	"Milestone Plan Log": ("done_by",),
	"Milestone Task": ("closed_by",),
	"Milestone Next Step": ("author",),
	"Milestone Message": ("recipient",),
}


def rename(old: str, new: str) -> None:
	"""Let the texts follow a user who has a new name.

	Args:
		old, new: ids of the user.
	"""
	for doctype, columns in DONE_BY.items():
		table = frappe.qb.DocType(doctype)
		for column in columns:
			frappe.qb.update(table).set(table[column], new).where(table[column] == old).run()
	_replace_notified(old, new)
	_rename_in_json(old, new)
	_rename_in_message_keys(old, new)


def forget(user: str) -> None:
	"""Take a deleted user off the lists of people to notify, and off the milestones they own as people from outside do.

	By the address alone it would count as an outsider.

	Args:
		user: id that the user had.
	"""
	_replace_notified(user, None)
	for doctype, columns in OWNED_BY_ADDRESS.items():
		table = frappe.qb.DocType(doctype)
		for column in columns:
			frappe.qb.update(table).set(table[column], None).where(table[column] == user.lower()).run()


def _replace_notified(old: str, new: str | None) -> None:
	for table in NOTIFIED:
		changes = {}
		for row in _rows_with(table, "notify_users", old):
			names = split_names(row.notify_users)
			new_names = [new if name.lower() == old.lower() else name for name in names]
			if new_names != names:
				changes[row.name] = {"notify_users": "\n".join(name for name in new_names if name)}
		bulk.update_rows(table, changes)


def _rename_in_json(old: str, new: str) -> None:
	for table, column in WITH_USERS:
		rows = _rows_with(table, column, old)
		bulk.update_rows(table, {row.name: {column: _renamed(row[column], old, new)} for row in rows})


def _renamed(text: str, old: str, new: str) -> str:
	"""Return JSON with another name wherever one of its texts is the old one."""
	return text.replace(json.dumps(old), json.dumps(new))


def _rename_in_message_keys(old: str, new: str) -> None:
	"""Let the keys of messages follow, or the user would get again what was sent under the old name."""
	filters = {"message_key": ("like", f"%|{old.lower()}")}
	rows = frappe.get_all("Milestone Message", filters=filters, fields=["name", "message_key"])
	changes = {
		row.name: {"message_key": row.message_key[: -len(old)] + new.lower()}
		for row in rows
		if row.message_key.endswith(f"|{old.lower()}")
	}
	bulk.update_rows("Milestone Message", changes)


def _rows_with(table: str, fieldname: str, user: str) -> list:
	filters = {fieldname: ("like", f"%{user}%")}
	return frappe.get_all(table, filters=filters, fields=["name", fieldname])
