"""Differences between Frappe 15 and 16. No other module depends on a version."""

from collections.abc import Callable

import frappe

from milestone_automation.engine.base import message_log

try:
	from frappe.utils.number_format import NumberFormat
except ImportError:
	from frappe.utils.data import get_number_format_info

	NumberFormat = None

# Keys of `cached` as Frappe 15 writes them for this site.
CACHE_KEYS = "milestone_cache_keys"


def cached(key: str, generator: Callable):
	"""Return a value cached for the site; `generator` makes it if it is missing.

	Frappe 16 keeps it in the process (client cache, no Redis call when warm). Frappe 15 keeps it in Redis and in memory
	for the rest of the request (one Redis call). While a report reads a replica, which may lag behind, the value is made
	from the primary database.

	Args:
		key: cache key, without the site.
		generator: called without arguments; must not return None, which is not cached.
	"""
	client_cache = getattr(frappe, "client_cache", None)
	if client_cache is None:
		value = _kept_for_request(key)
		if value is not None:
			return value
	if getattr(frappe.local, "primary_db", None):
		generator = frappe.write_only()(generator)
	if client_cache is not None:
		return client_cache.get_value(key, generator=generator)
	return redis_cache().get_value(key, generator)


def _kept_for_request(key: str):
	"""Return what Frappe 15 keeps in memory for the rest of the request; None for nothing. A save asks a dozen times."""
	names = getattr(frappe.local, CACHE_KEYS, None)
	if names is None:
		names = {}
		setattr(frappe.local, CACHE_KEYS, names)
	if key not in names:
		names[key] = redis_cache().make_key(key)
	return frappe.local.cache.get(names[key])


def forget(key: str) -> None:
	"""Delete a value of `cached`, for all processes.

	Args:
		key: as in `cached`.
	"""
	client_cache = getattr(frappe, "client_cache", None)
	if client_cache is not None:
		client_cache.delete_value(key)
	else:
		redis_cache().delete_value(key)


def redis_cache():
	"""Return Frappe's Redis wrapper: an object on Frappe 15 and later, a function on early snapshots of 15."""
	return frappe.cache if hasattr(frappe.cache, "get_value") else frappe.cache()


def asks_for_linked_rows() -> bool:
	"""Tell whether Frappe asks for the right to what a row links to before a list shows fields of it; 16 does."""
	return int(frappe.__version__.partition(".")[0]) >= 16


def may(doctype: str, right: str, doc, user: str | None = None) -> bool:
	"""Tell whether a user has a right to a document. The session user gets no message about it.

	Frappe 16 says why not, though it was only asked, and only of a document that exists: whoever may not know that would
	read it there.

	Args:
		doctype, right: as for `frappe.has_permission`.
		doc: the document or its name, in the type it is kept in.
		user: the session user by default.

	Raises:
		frappe.DoesNotExistError: there is no such document. Its message stays for the caller to clear.
	"""
	messages = message_log.count()
	is_permitted = frappe.has_permission(doctype, right, doc=doc, user=user)
	message_log.forget_after(messages)
	return bool(is_permitted)


def after_transaction(function: Callable) -> None:
	"""Call `function` after the current transaction, whether it commits or rolls back.

	Args:
		function: called without arguments.
	"""
	frappe.db.after_commit.add(function)
	frappe.db.after_rollback.add(function)


def saves_under_way() -> list[tuple[str, str | None]]:
	"""Return DocType and name of the documents that are being saved right now, outermost first.

	Frappe knows no name of one that is being inserted, and never forgets it.
	"""
	return [(doctype, name and str(name)) for doctype, name in frappe.flags.currently_saving or ()]


# Frappe's flags for what a site takes over from elsewhere. Python code of an app can set them; scripts of a site, web
# requests and the API cannot: Server Scripts have a `frappe.flags` of their own.
BROUGHT_IN = ("in_import", "in_patch", "in_migrate", "in_install", "in_setup_wizard")


def is_brought_in() -> bool:
	"""Tell whether documents are being brought in: by Data Import, a patch, a migration, an app, the setup wizard."""
	return any(frappe.flags.get(flag) for flag in BROUGHT_IN)


def is_muted() -> bool:
	"""Tell whether documents are brought in without messages: in any such way, and by an import that sends none."""
	flags = ("mute_emails", *(flag for flag in BROUGHT_IN if flag != "in_import"))
	return any(frappe.flags.get(flag) for flag in flags)


# What the list of a DocType, and Bulk Update, call for many documents: (call, method of a document).
BULK_CALLS = {
	("milestone_automation.api.confirm_current_milestones", None),
	("frappe.desk.doctype.bulk_update.bulk_update.submit_cancel_or_update_docs", None),
	("frappe.model.workflow.bulk_workflow_approval", None),
	("run_doc_method", "bulk_update"),
}


def saves_many() -> bool:
	"""Tell whether many documents are saved one after the other: by bulk edit, an action of a list, or Data Import."""
	form = frappe.local.form_dict or {}
	method = form.get("method") if form.get("cmd") == "run_doc_method" else None
	return bool(frappe.flags.in_import) or (form.get("cmd"), method) in BULK_CALLS


def is_saving(doctype: str, name) -> bool:
	"""Tell whether a document is being saved right now.

	Args:
		doctype, name: the document, its name in the type it is kept in.
	"""
	return (doctype, name) in (frappe.flags.currently_saving or [])


def is_saving_again(doctype: str, name) -> bool:
	"""Tell whether a document is saved inside another save of the same document, by a hook of it.

	Args:
		doctype, name: as in `is_saving`.
	"""
	return (frappe.flags.currently_saving or []).count((doctype, name)) > 1


def desk_route(path: str) -> str:
	"""Return the address of a page of the Desk, which Frappe 16 moved from `/app` to `/desk`.

	Args:
		path: what follows, such as `milestone-automation`.
	"""
	return f"/desk/{path}" if _major_version() >= 16 else f"/app/{path}"


def account_page_has_menu() -> bool:
	"""Tell whether the page of a website user's account shows the menu of the website; that of Frappe 16 has none."""
	return _major_version() < 16


def remove_desktop(app: str) -> None:
	"""Delete an app's icons on the desktop and its sidebars, which Frappe 16 leaves behind when it is uninstalled.

	By query: in developer mode a deleted document takes its file in the app along.

	Args:
		app: name of the app.
	"""
	if _major_version() < 16:
		return
	for doctype in ("Desktop Icon", "Workspace Sidebar"):
		names = frappe.get_all(doctype, filters={"app": app}, pluck="name")
		for child in frappe.get_meta(doctype).get_table_fields():
			frappe.db.delete(child.options, {"parenttype": doctype, "parent": ("in", names or [""])})
		frappe.db.delete(doctype, {"app": app})


def open_pdf(content: bytes) -> None:
	"""Open a PDF as Frappe 16 does before it keeps one; earlier ones keep PDFs without looking into them.

	Args:
		content: of the file.

	Raises:
		Exception: of pypdf, which has many, or RecursionError: it cannot be read, and Frappe would fail at it.
	"""
	look_into = getattr(frappe.get_module("frappe.core.doctype.file.file"), "pdf_contains_js", None)
	if look_into:
		look_into(content)


def linked_rows(found: list | dict) -> list[dict]:
	"""Return the rows of one DocType in what *Links* of a form found; Frappe 17 counts beside them what it hides.

	Args:
		found: of that DocType.
	"""
	return found["docs"] if isinstance(found, dict) else found


def only_linked_rows(found: list | dict, names: set[str]) -> list | dict:
	"""Return what *Links* of a form found with some of its rows only, and not a word of others; empty without any.

	Args:
		found: as in `linked_rows`.
		names: of the rows that stay.
	"""
	rows = [row for row in linked_rows(found) if row["name"] in names]
	return {"docs": rows, "hidden_count": 0} if rows and isinstance(found, dict) else rows


def _major_version() -> int:
	return int(frappe.__version__.split(".")[0])


def separators(number_format: str) -> tuple[str, str]:
	"""Return what stands before the decimals and between the thousands in a number format such as `#.###,##`.

	Args:
		number_format: as in System Settings.
	"""
	if NumberFormat:
		parsed = NumberFormat.from_string(number_format)
		return parsed.decimal_separator, parsed.thousands_separator
	decimal, group, _precision = get_number_format_info(number_format)
	return decimal, group
