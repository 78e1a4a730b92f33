"""Some options of Select fields got clearer words; what a site has stored takes them over."""

from functools import partial

import frappe
from frappe.query_builder.functions import Length
from pypika.functions import Function

from milestone_automation.engine.messages.outbox import KEY_LENGTH, stored_key
from milestone_automation.patches import batches

RENAMED_KINDS = {"Held": "Blocked", "Held Owner": "Blocked (Owner)"}
RENAMED_OWNER_KINDS = {"Document Owner": "Document Creator"}
RENAMED_DATE_RULES = {"After Previous Stage": "After Previous Milestone", "Set by Hand": "Set Manually"}
RENAMED_EVENTS = {
	"Stage Reached": "Milestone Reached",
	"Stage Undone": "Milestone Undone",
	"Gate Warned": "Reached with Warning",
}
RENAMED = {
	("Milestone Workflow Stage", "owner_kind"): RENAMED_OWNER_KINDS,
	("Milestone Workflow Stage", "key_date_rule"): RENAMED_DATE_RULES,
	("Milestone Plan Stage", "owner_kind"): RENAMED_OWNER_KINDS,
	("Milestone Plan Stage", "key_date_rule"): RENAMED_DATE_RULES,
	("Milestone Date Change", "source"): {"Previous Stage": "Previous Milestone"},
	("Milestone Plan Log", "event"): RENAMED_EVENTS,
	("Milestone Message", "kind"): RENAMED_KINDS,
	("Milestone Message", "status"): {"Left Out": "Skipped"},
}


def execute() -> None:
	"""Rename the stored values. Running it again changes nothing."""
	for (doctype, column), words in RENAMED.items():
		for old, new in words.items():
			batches.update(doctype, {column: new}, partial(_has_value, column, old))
	for old, new in RENAMED_KINDS.items():
		_rename_keys(f"{old}|", f"{new}|")


def _has_value(column: str, value: str, table):
	return table[column] == value


def _rename_keys(old: str, new: str) -> None:
	"""Rename the kind in the keys of messages: under its old key a message would be sent a second time."""
	message = frappe.qb.DocType("Milestone Message")
	is_old = message.message_key.like(f"{old}%")
	is_long = Length(message.message_key) > KEY_LENGTH - (len(new) - len(old))
	rows = frappe.qb.from_(message).select(message.name, message.message_key, message.recipient)
	for name, key, recipient in rows.where(is_old & is_long).run():
		_old_kind, about, edition, occurrence = key.split("|")[:4]
		full_key = new + "|".join((about, edition, occurrence, recipient.lower()))
		frappe.qb.update(message).set(message.message_key, stored_key(full_key)).where(
			message.name == name
		).run()
	replaced = Function("REPLACE", message.message_key, old, new)
	batches.update(
		"Milestone Message", {"message_key": replaced}, lambda table: table.message_key.like(f"{old}%")
	)
