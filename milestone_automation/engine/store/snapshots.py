"""What a plan remembers of its document: the values of the fields it watches, as texts that can be compared."""

import hashlib
import json

from frappe.utils import cstr

from milestone_automation.engine.base import values
from milestone_automation.engine.people import assignees
from milestone_automation.engine.tracking.registry import STANDARD_WATCHED, field_type


def take(doc, fieldnames, row: dict | None = None) -> dict[str, str]:
	"""Return the values of a document's fields as a plan remembers them.

	Args:
		doc: the document.
		fieldnames: those it does not have are left out.
		row: stored values, which count where the document in memory has others.
	"""
	row = row or {}
	return {
		name: _watched_text(doc, name, row[name] if name in row else doc.get(name))
		for name in fieldnames
		if name in STANDARD_WATCHED or doc.meta.has_field(name)
	}


def is_unlike(snapshot: str | None, doc) -> bool:
	"""Tell whether a document has other values than a plan remembers.

	Args:
		snapshot: of the plan, JSON.
		doc: the document.
	"""
	remembered = json.loads(snapshot or "{}")
	return any(remembered[name] != value for name, value in take(doc, remembered).items())


def field_text(doctype: str, fieldname: str, value) -> str:
	"""Return a value of a document's field as its column keeps it, and as plans compare it.

	Args:
		doctype, fieldname: the field.
		value: as a document holds it, or as its column has it.
	"""
	fieldtype = field_type(doctype, fieldname)
	return values.as_text(values.as_stored(value, fieldtype), fieldtype).strip()


def _watched_text(doc, fieldname: str, value) -> str:
	"""Return what a plan remembers of a field: people in a table, and texts longer than a value, by their hash."""
	if isinstance(value, list | tuple):
		return _hash("\n".join(assignees.names_in_field(doc, fieldname)))
	return column_text(doc.doctype, fieldname, value)


def column_text(doctype: str, fieldname: str, value) -> str:
	"""Return what a plan remembers of a field that has a column; texts longer than a value by their hash.

	Args:
		doctype, fieldname: the field.
		value: as in `field_text`.
	"""
	text = cstr(value)
	return _hash(text) if len(text) > values.MAX_LENGTH else field_text(doctype, fieldname, value)


def _hash(text: str) -> str:
	return hashlib.sha256(text.encode()).hexdigest()
