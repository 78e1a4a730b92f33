"""Values from outside, parsed to their type. Each reader returns the value or raises ValueError or TypeError."""

import json
import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime

import frappe
from frappe.model import default_fields, table_fields

from milestone_automation.engine.base.field_types import DECIMAL_TYPES

# Columns of names, and of most texts people choose from a list.
NAME_LENGTH = 140
# Reasons, notes and descriptions.
TEXT_LENGTH = 4000
# Names in one list.
MOST_NAMES = 500
# Rows of one table of a document.
MOST_ROWS = 500
# What no database stores, or only some: NUL, and halves of surrogate pairs.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
ISO_DATE = re.compile(
	r"(\d{4}-\d{2}-\d{2})(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}:\d{2})?)?"
)
WHOLE_NUMBER = re.compile(r"[+-]?\d{1,18}")
FLAGS = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}


class FieldMisfit(ValueError):
	"""A value in a document does not fit its field; says the field's name."""


def is_storable(value) -> bool:
	"""Tell whether every text in a value, at any depth, can be stored. Keys count too.

	Args:
		value: anything that JSON can say; other values count as storable.
	"""
	pending = [value]
	while pending:
		item = pending.pop()
		if isinstance(item, str):
			if UNSTORABLE.search(item):
				return False
		elif isinstance(item, dict):
			pending += [*item.keys(), *item.values()]
		elif isinstance(item, list | tuple):
			pending += item
	return True


def as_text(value, most: int = TEXT_LENGTH) -> str:
	"""Return text of at most so many characters, without blanks at its ends.

	Args:
		value: a text; nothing else is taken for one.
		most: number of characters, counted before the blanks go.

	Raises:
		ValueError: it is no text, too long, or cannot be stored.
	"""
	if not isinstance(value, str) or len(value) > most or not is_storable(value):
		raise ValueError
	return value.strip()


def as_docname(value) -> str:
	"""Return the name of a document; numbers are names too.

	Args:
		value: text of at most 140 characters, or a whole number.

	Raises:
		ValueError: it is neither, or empty.
	"""
	name = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
	name = as_text(name, NAME_LENGTH)
	if not name:
		raise ValueError
	return name


def as_date(value) -> date:
	"""Return the day of an ISO date or datetime, in the digits of any script.

	Args:
		value: a date, a datetime, or text as YYYY-MM-DD, with or without a time.

	Raises:
		ValueError: it is none of these, or there is no such day.
	"""
	if isinstance(value, datetime):
		return value.date()
	if isinstance(value, date):
		return value
	match = ISO_DATE.fullmatch(with_plain_digits(as_text(value, NAME_LENGTH)))
	if not match:
		raise ValueError
	return date.fromisoformat(match[1])


def with_plain_digits(text: str) -> str:
	"""Write the decimal digits of any script as 0 to 9.

	Args:
		text: any text; other signs stay.
	"""
	return "".join(str(unicodedata.decimal(sign, sign)) for sign in text)


def as_integer(value, least: int, most: int) -> int:
	"""Return a whole number within bounds; text in any digits and 5.0 are numbers too.

	Args:
		value: a number or text.
		least, most: the bounds, themselves allowed.

	Raises:
		ValueError: it is no whole number, or out of bounds.
		OverflowError: it is infinite.
	"""
	if isinstance(value, str):
		text = with_plain_digits(value.strip())
		if not WHOLE_NUMBER.fullmatch(text):
			raise ValueError
		value = int(text)
	if not isinstance(value, int | float) or value != int(value) or not least <= value <= most:
		raise ValueError
	return int(value)


def as_flag(value) -> bool:
	"""Return yes or no: True, 1, "1" and "true", or False, 0, "0" and "false".

	Args:
		value: one of these; texts in any case.

	Raises:
		ValueError: it is anything else.
	"""
	flag = FLAGS.get(str(value).strip().lower()) if isinstance(value, int | float | str) else None
	return flag if flag is not None else _refuse()


def as_choice(value, choices) -> str:
	"""Return one of some values.

	Args:
		value: as somebody has sent it.
		choices: the values, as text.

	Raises:
		ValueError: it is none of them.
	"""
	return value if isinstance(value, str) and value in tuple(choices) else _refuse()


def as_json(value):
	"""Return what a JSON text says; what is no text is taken as it is.

	Args:
		value: JSON text, or what was parsed already.

	Raises:
		ValueError: it is no JSON, too deep, or has texts that cannot be stored.
	"""
	try:
		parsed = json.loads(value) if isinstance(value, str) else value
	except RecursionError as error:
		raise ValueError from error
	return parsed if is_storable(parsed) else _refuse()


def as_names(value) -> list[str]:
	"""Return a list of names, given as such or as its JSON.

	Args:
		value: at most 500 names.

	Raises:
		ValueError: it is no such list, or one of them is no name.
	"""
	names = as_json(value)
	if not isinstance(names, list) or len(names) > MOST_NAMES:
		raise ValueError
	return [as_docname(name) for name in names]


def as_records(value, readers: dict[str, Callable], most: int) -> list[dict]:
	"""Return a list of objects with known values, given as such or as its JSON; what an object lacks is None.

	Args:
		value: the list.
		readers: by name of the value; each returns it parsed, or raises.
		most: number of objects.

	Raises:
		ValueError: it is no such list, has too many objects, or one of them has a value of another name.
		TypeError, OverflowError: as the readers raise them.
	"""
	rows = as_json(value)
	if not isinstance(rows, list) or len(rows) > most:
		raise ValueError
	return [_as_record(row, readers) for row in rows]


def _as_record(row, readers: dict[str, Callable]) -> dict:
	if not isinstance(row, dict) or not readers.keys() >= row.keys():
		raise ValueError
	return {name: read(row.get(name)) for name, read in readers.items()}


def as_document(value, doctype: str) -> dict:
	"""Return the values of a document that somebody is still writing, with its rows. Unknown keys are left out.

	Args:
		value: a dict or its JSON.
		doctype: of the document.

	Raises:
		FieldMisfit: says which field.
		ValueError: it is no dict, or no JSON of one.
	"""
	document = as_json(value)
	if not isinstance(document, dict):
		raise ValueError
	values = {
		name: _scalar(document[name]) for name in default_fields if name in document and name != "doctype"
	}
	for field in frappe.get_meta(doctype).fields:
		if field.fieldname in document:
			values[field.fieldname] = _as_field(document[field.fieldname], field)
	return values


def _as_field(value, field):
	try:
		if field.fieldtype in table_fields:
			return [as_document(row, field.options) for row in _rows(value)]
		return as_stored(value, field.fieldtype)
	except FieldMisfit:
		raise
	except (ValueError, TypeError, OverflowError) as error:
		raise FieldMisfit(field.fieldname) from error


def _rows(value) -> list:
	rows = value or []
	return rows if isinstance(rows, list) and len(rows) <= MOST_ROWS else _refuse()


def _scalar(value):
	return value if value is None or isinstance(value, str | int | float | date) else _refuse()


def as_stored(value, fieldtype: str):
	"""Return a value that a column of this type can hold; numbers and dates as such, no value as None.

	Args:
		value: a text, number, date or None; a JSON value of another kind is refused.
		fieldtype: Frappe's field type.

	Raises:
		ValueError, TypeError, OverflowError: it does not fit the type.
	"""
	value = _scalar(value)
	if value is None or value == "":
		return None
	reader = FIELD_READERS.get(fieldtype)
	return reader(value) if reader else str(value)


def as_number(value) -> float:
	"""Return a number; text in any digits is one too.

	Args:
		value: a number or text.

	Raises:
		ValueError: it is no number, or not below 10 to the power of 18.
		TypeError: it is neither a number nor text.
	"""
	number = float(with_plain_digits(value.strip()) if isinstance(value, str) else value)
	return number if abs(number) < 10**18 else _refuse()


def as_moment(value) -> datetime:
	"""Return an ISO date or datetime as a moment; a day alone begins at midnight.

	Args:
		value: a date, a datetime, or text as YYYY-MM-DD, with or without a time. A time zone in a text is dropped.

	Raises:
		ValueError: it is none of these.
	"""
	if isinstance(value, datetime):
		return value
	if isinstance(value, date):
		return datetime(value.year, value.month, value.day)
	text = with_plain_digits(as_text(value, NAME_LENGTH))
	if not ISO_DATE.fullmatch(text):
		raise ValueError
	return datetime.fromisoformat(text.replace("Z", "+00:00")).replace(tzinfo=None)


def _refuse():
	raise ValueError


MOST = 10**9
FIELD_READERS: dict[str, Callable] = {
	"Int": lambda value: as_integer(value, -MOST, MOST),
	"Check": lambda value: int(as_flag(value)),
	**dict.fromkeys(DECIMAL_TYPES, as_number),
	"Date": as_date,
	"Datetime": as_moment,
}
