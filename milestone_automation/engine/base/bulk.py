"""Insert and update many rows with few statements."""

import json

import frappe
from frappe.utils import now
from pypika.terms import Field

from milestone_automation.engine.base import plain_text
from milestone_automation.engine.base.field_types import NUMBER_TYPES, TIME_TYPES

# With Frappe's ten hex digits, 400,000 rows of one table have a 7 % chance of a collision; with sixteen none.
NAME_LENGTH = 16


def insert_rows(doctype: str, rows: list[dict]) -> list[str]:
	"""Insert rows without document events, one statement for every thousand rows.

	Only for rows that the engine made and checked. Missing names, owners and time stamps are filled in.

	Args:
		doctype: DocType or child table whose names are hashes.
		rows: field values of each row; missing fields get their default.

	Returns:
		list[str]: names of the rows, in the same order.
	"""
	if not rows:
		return []
	stamp, user = now(), frappe.session.user
	standard = {
		"creation": stamp,
		"modified": stamp,
		"owner": user,
		"modified_by": user,
		"docstatus": 0,
		"idx": 0,
	}
	defaults = {**standard, **_defaults(doctype)}
	columns = list(dict.fromkeys([*standard, *(column for row in rows for column in row)]))
	columns = ["name", *(column for column in columns if column != "name")]
	meta = frappe.get_meta(doctype)
	complete = [{"name": new_name(), **plain_text.clean_values(meta, row)} for row in rows]
	values = [[row[c] if row.get(c) is not None else defaults.get(c) for c in columns] for row in complete]
	frappe.db.bulk_insert(doctype, columns, values, chunk_size=1000)
	return [row["name"] for row in complete]


def new_name() -> str:
	"""Return a name for a row that is inserted without the document layer."""
	return frappe.generate_hash(length=NAME_LENGTH)


def _defaults(doctype: str) -> dict:
	"""Return the default of each field that has one, and 0 for numbers, whose columns are NOT NULL."""
	defaults = {}
	for field in frappe.get_meta(doctype).fields:
		if field.fieldtype in NUMBER_TYPES:
			defaults[field.fieldname] = frappe.utils.cint(field.default)
		elif field.default and field.fieldtype not in TIME_TYPES:  # words such as "Today"
			defaults[field.fieldname] = field.default
	return defaults


def update_rows(doctype: str, changes: dict[str, dict]) -> None:
	"""Update rows without document events: one statement for all rows that get the same values.

	Args:
		doctype: DocType of the rows.
		changes: new field values by row name; rows without values are skipped.
	"""
	for names, values in _groups(doctype, changes):
		_update(frappe.qb.DocType(doctype), names, values).run()


def update_with_children(
	doctype: str, name: str, values: dict, child_doctype: str, changes: dict[str, dict]
) -> None:
	"""Update a row and some of its child rows without document events, the row and the last group of them in one statement.

	A group is all child rows that get the same values; each other one takes a statement as in `update_rows`. SQLite knows
	no statement that writes two tables, so there the row takes one of its own.

	Args:
		doctype, name, values: the row and its new field values, one or more.
		child_doctype: DocType of the child rows.
		changes: new field values by name of the child row.
	"""
	*others, last = _groups(child_doctype, changes) or [([], {})]
	parent, child = frappe.qb.DocType(doctype), frappe.qb.DocType(child_doctype)
	for names, child_values in others:
		_update(child, names, child_values).run()
	((_names, values),) = _groups(doctype, {name: values})
	names, child_values = last
	if not names:
		_update(parent, [name], values).run()
	elif frappe.db.db_type == "mariadb":
		query = frappe.qb.update(parent).join(child).on(child.parent == parent.name)
		query = query.where(parent.name == name).where(child.name.isin(names))
		for table, new_values in ((parent, values), (child, child_values)):
			for column, value in new_values.items():
				query = query.set(_OfTable(column, table=table), value)
		query.run()
	elif frappe.db.db_type == "postgres":
		query = frappe.qb.with_(_update(child, names, child_values), "children")
		_set(query.update(parent).where(parent.name == name), parent, values).run()
	else:
		_update(child, names, child_values).run()
		_update(parent, [name], values).run()


class _OfTable(Field):
	"""A column that names its table also where it is set: in an UPDATE of two tables both may have it."""

	def get_sql(self, **kwargs) -> str:
		return super().get_sql(**{**kwargs, "with_namespace": True})


def _update(table, names: list[str], values: dict):
	return _set(frappe.qb.update(table).where(table.name.isin(names)), table, values)


def _set(query, table, values: dict):
	for column, value in values.items():
		query = query.set(table[column], value)
	return query


def _groups(doctype: str, changes: dict[str, dict]) -> list[tuple[list[str], dict]]:
	"""Return row names and values to write, cleaned: rows that get the same together."""
	groups: dict[str, tuple[list[str], dict]] = {}
	meta = frappe.get_meta(doctype)
	for name, values in changes.items():
		if values:
			values = plain_text.clean_values(meta, values)
			key = json.dumps(values, default=str, sort_keys=True)
			groups.setdefault(key, ([], values))[0].append(name)
	return list(groups.values())
