"""Documents that somebody restores from *Deleted Document*: they come back as they were, most of them with a new name."""

import json

import frappe

# In a request, only these restore.
CALLS = frozenset(
	{
		"frappe.core.doctype.deleted_document.deleted_document.restore",
		"frappe.core.doctype.deleted_document.deleted_document.bulk_restore",
	}
)


def values_when_deleted(doc) -> dict | None:
	"""Return the values that a new document had when it was deleted; None for one that is not being restored.

	Frappe 15 gives no sign of it but the document's time of change, which is still that of the deleted one. It proves
	nothing by itself: a request, and a script that answers one, could send any; so there it must be the one that restores.

	Args:
		doc: any document, before or after its row was inserted. One query for a new document that comes with such a time.
	"""
	modified = getattr(doc, "_original_modified", None)
	if not modified or not (doc.is_new() or doc.flags.in_insert) or not _may_restore():
		return None
	deleted = frappe.qb.DocType("Deleted Document")
	query = frappe.qb.from_(deleted).select(deleted.data)
	query = query.where((deleted.deleted_doctype == doc.doctype) & (deleted.restored == 0))
	rows = query.where(deleted.data.like(f"%{modified}%")).run()
	candidates = [json.loads(data) for (data,) in rows]
	return next((values for values in candidates if values.get("modified") == str(modified)), None)


def _may_restore() -> bool:
	request = getattr(frappe.local, "request", None)
	if not request:
		return True
	# The newer API names the call in its path only.
	called = (frappe.local.form_dict or {}).get("cmd") or request.path.rpartition("/")[2]
	return called in CALLS
