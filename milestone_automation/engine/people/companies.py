"""The companies that ask people from outside: of the documents that have one."""

from collections.abc import Iterable

import frappe
from frappe.utils import cstr

from milestone_automation.engine.people import rights


def of_documents(documents: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
	"""Return the company of each document that has one, with one query for each DocType.

	Args:
		documents: (DocType, name) pairs.
	"""
	companies, names_of = {}, {}
	for doctype, name in documents:
		names_of.setdefault(doctype, set()).add(name)
	for doctype, names in names_of.items():
		meta = rights.stored_meta(doctype)
		field = meta and meta.get_field("company")
		if not field or field.get("is_virtual"):
			continue
		rows = frappe.get_all(doctype, filters={"name": ("in", list(names))}, fields=["name", "company"])
		companies |= {(doctype, cstr(row.name)): row.company for row in rows if row.company}
	return companies
