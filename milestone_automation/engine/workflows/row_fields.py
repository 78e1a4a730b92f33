"""Fields of workflow rows: defaults, and values of choices that were not taken."""

from frappe.utils import cstr

# Further off than this is a typing error, and a date no calendar has.
MOST_DAYS = 3650


def fill_choices(row) -> None:
	"""Give every choice left open its default: Frappe does so for new documents only, not for rows added later."""
	for field in row.meta.get("fields", {"fieldtype": "Select"}):
		if field.default and not row.get(field.fieldname):
			row.set(field.fieldname, field.default)


def drop_unused(row, fields_by_choice: dict) -> None:
	"""Trim and keep the fields of the choice made; empty those of the other choices.

	Args:
		row: a child row.
		fields_by_choice: by the field of the choice: for each choice, the fields it alone uses.
	"""
	for choice_field, choices in fields_by_choice.items():
		for choice, fieldnames in choices.items():
			for fieldname in fieldnames:
				kept = row.get(choice_field) == choice
				row.set(fieldname, cstr(row.get(fieldname)).strip() if kept else None)
