"""Fields of workflow rows: defaults, and clearing the fields of options that were not chosen."""

from frappe.utils import cstr

# A larger number of days is a typing error.
MAX_DAYS = 3650


def fill_choices(row) -> None:
	"""Fill in the defaults of empty Select fields; Frappe does so for new documents only, not for rows added later.

	Args:
		row: a child row, which is changed.
	"""
	for field in row.meta.get("fields", {"fieldtype": "Select"}):
		if field.default and not row.get(field.fieldname):
			row.set(field.fieldname, field.default)


def drop_unused(row, fields_by_choice: dict) -> None:
	"""Trim the fields of the chosen option and clear those of the other options.

	Args:
		row: a child row.
		fields_by_choice: for each Select field, the fields that each of its options uses alone.
	"""
	for choice_field, choices in fields_by_choice.items():
		for choice, fieldnames in choices.items():
			for fieldname in fieldnames:
				is_chosen = row.get(choice_field) == choice
				row.set(fieldname, cstr(row.get(fieldname)).strip() if is_chosen else None)
