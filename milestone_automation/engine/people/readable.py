"""Which documents a user may read, as SQL: Frappe takes such conditions as text and wants no other form.

Every text here is Frappe's own or this module's; names and values are quoted by the database's driver.
"""

import re

import frappe
from frappe.model.db_query import DatabaseQuery, requires_owner_constraint
from pypika.terms import Criterion

# How Frappe asks whether the column of a User Permission is empty.
EMPTY_COLUMN = re.compile(r"ifnull\((`tab[^`]+`\.`[^`]+`), ''\)=''")


class Condition(Criterion):
	"""A condition of this module as part of a query of the query builder, whose own values are bound."""

	def __init__(self, text: str):
		"""Take the condition as SQL text.

		Args:
			text: the condition; percent signs in it are written by their code.
		"""
		super().__init__()
		self.text = without_percent_signs(text)

	def nodes_(self):
		"""Yield the parts, as pypika asks for them."""
		yield self

	def get_sql(self, **kwargs) -> str:
		"""Return the condition as SQL text."""
		return f"({self.text})"


def rows(doctype: str):
	"""Return a query of the query builder for the rows of a DocType that the session user may see, as a list shows them.

	Unlike a list's own filters, whatever is added to it is bound: Frappe writes filters into its SQL as text, and on
	PostgreSQL changes numbers in that text.

	Args:
		doctype: a DocType with a table of its own.

	Raises:
		frappe.PermissionError: the DocType no longer exists.
	"""
	query = frappe.qb.from_(frappe.qb.DocType(doctype))
	condition_text = condition(doctype, frappe.session.user)
	if condition_text is None:
		raise frappe.PermissionError
	return query.where(Condition(condition_text)) if condition_text else query


def names(doctype: str, where: str) -> str:
	"""Return the query for the names, as text, of a DocType's documents that a condition selects.

	Args:
		doctype: a DocType with a table of its own.
		where: condition in SQL, not empty; of this module or of Frappe, as it is not quoted.
	"""
	# The name of a DocType, and a condition from here or of Frappe's own.
	return f"select {name_as_text(doctype)} as name from `tab{doctype}` where {where}"  # nosec B608


def condition(doctype: str, user: str) -> str | None:
	"""Return Frappe's own list condition for a DocType: owner, user permissions, shares, hooks and scripts.

	Empty when nothing restricts the user, None when the DocType is gone.

	Args:
		doctype: a DocType with a table of its own; may be gone.
		user: user id.
	"""
	try:
		meta = frappe.get_meta(doctype)
	except frappe.DoesNotExistError:
		frappe.clear_last_message()
		return None
	role_rights = frappe.permissions.get_role_permissions(meta, user=user)
	if not role_rights.get("read"):
		return shared(doctype, user)
	match = _for_indexes(DatabaseQuery(doctype, user=user).build_match_conditions())
	if "read" not in (role_rights.get("if_owner") or {}) or requires_owner_constraint(role_rights):
		return match
	# Frappe drops "if owner" where another rule lets the user select documents, which is less than reading them.
	owned = f"(`tab{doctype}`.`owner` = {quoted(user)} or {shared(doctype, user)})"
	return f"{owned} and ({match})" if match else owned


def shared(doctype: str, user: str) -> str:
	"""Return the condition for documents somebody shared with the user or with everybody.

	Args:
		doctype: DocType of the documents.
		user: user id.
	"""
	return f"{name_as_text(doctype)} in ({shared_names(doctype, user)})"


def shared_names(doctype: str, user: str) -> str:
	"""Return the query for the names of documents somebody shared with the user or with everybody.

	Args:
		doctype: DocType of the documents.
		user: user id.
	"""
	share = "`tabDocShare`"
	with_user = f"({share}.`user` = {quoted(user)} or {share}.everyone = 1)"
	return (
		# A constant and the name of a DocType; all else is quoted.
		f"select {share}.share_name as name from {share}"  # nosec B608
		f" where {share}.share_doctype = {quoted(doctype)} and {share}.`read` = 1 and {with_user}"
	)


def _for_indexes(match: str) -> str:
	"""Return a condition of Frappe's with its tests for empty columns written so that an index serves them.

	A text of a user cannot look like such a test: its quotes are doubled or escaped.
	"""
	return EMPTY_COLUMN.sub(r"(\1 is null or \1='')", match)


def name_as_text(doctype: str) -> str:
	"""Return a DocType's name column as text: rows keep names as text, some DocTypes number them.

	Args:
		doctype: a DocType with a table of its own.

	Returns:
		str: the column in SQL.
	"""
	column = f"`tab{doctype}`.name"
	if (frappe.get_meta(doctype).autoname or "").lower() != "autoincrement":
		return column
	return f"concat({column}, '')" if frappe.db.db_type == "mariadb" else f"cast({column} as varchar)"


def quoted(text: str) -> str:
	"""Return a text as an SQL literal. Percent signs stay single.

	Args:
		text: any text; the database's driver escapes it.
	"""
	return frappe.db.escape(text, percent=False)


def without_percent_signs(condition: str) -> str:
	"""Write each percent sign in a text of a condition as its code.

	Frappe 16 formats lists' SQL with values and so reads a sign in "50% wool" as a place for one; Frappe 15 does not,
	and there a doubled sign would stay double.

	Args:
		condition: in SQL for the site's database.
	"""
	if "%" not in condition:
		return condition
	inside = r"[^'\\]|''|\\." if frappe.db.db_type == "mariadb" else r"[^']|''"
	return re.sub(f"'(?:{inside})*'", lambda text: _percent_by_code(text[0]), condition)


def _percent_by_code(text: str) -> str:
	parts = [f"'{part}'" for part in text[1:-1].split("%")]
	if len(parts) == 1:
		return text
	if frappe.db.db_type == "mariadb":
		return f"concat({', char(37 using ascii), '.join(parts)})"
	sign = "chr(37)" if frappe.db.db_type == "postgres" else "char(37)"
	return f"({f' || {sign} || '.join(parts)})"
