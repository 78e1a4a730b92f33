"""How a Milestone stores the value of a field, and when two values are the same."""

import datetime
import hashlib
import json
import math
from decimal import ROUND_HALF_UP, Decimal

from frappe.utils import cint, cstr, flt, get_datetime, get_time, getdate, strip_html_tags

from milestone_automation.engine.base import plain_text
from milestone_automation.engine.base.field_types import DECIMAL_TYPES, HTML_TYPES, NUMBER_TYPES, WHOLE_TYPES

# Length of the Data columns `value` and `from_value` of Milestone.
MAX_LENGTH = 140
CUT_MARK = "…"

# What Frappe's columns keep of a number, on databases whose decimals are exact.
COLUMN_DIGITS = {
	**dict.fromkeys(DECIMAL_TYPES, Decimal("1e-9")),
	"Rating": Decimal("1e-2"),
}


def as_text(value, fieldtype: str = "Data") -> str:
	"""Return the value of a field as Milestone stores it.

	Args:
		value: value of the field in a document, of its Python type or as text.
		fieldtype: Frappe's field type; a Date given as text is the same date.

	Returns:
		str: at most 140 characters; empty for a cleared value; a longer text is cut and ends with "…". Dates and times
		are in ISO 8601 with a space between date and time, as the databases print them. No tag is left in it.
	"""
	if value is None:
		return ""
	text = _plain(value, fieldtype)
	if fieldtype in HTML_TYPES and "<" in text:
		text = strip_html_tags(text).strip() or text
	return cut(plain_text.clean(text))


def is_same(old, new, fieldtype: str = "Data") -> bool:
	"""Tell whether two values of a field are the same, compared by the field type and in full length.

	Args:
		old, new: values of the field in documents; None and an empty text are both no value.
		fieldtype: Frappe's field type.
	"""
	if old is new or old == new:
		return True
	return _plain(old, fieldtype) == _plain(new, fieldtype)


def fingerprint(value, fieldtype: str = "Data") -> str | None:
	"""Return a hash of a value of which `as_text` keeps a part only; None where the text is the whole value.

	Args:
		value: as for `as_text`.
		fieldtype: the Frappe field type.
	"""
	plain = _plain(value, fieldtype)
	if len(plain) <= MAX_LENGTH and (
		not plain_text.SUSPECT.search(plain) or as_text(value, fieldtype) == plain
	):
		return None
	return hashlib.blake2b(plain.encode(errors="replace"), digest_size=20).hexdigest()


def as_stored(value, fieldtype: str):
	"""Return a value as its column will keep it: a number with the column's digits, no value of a number as 0.

	Args:
		value: as a document holds it before it is written.
		fieldtype: the Frappe field type.
	"""
	if fieldtype not in NUMBER_TYPES:
		return value
	if fieldtype not in COLUMN_DIGITS:
		return cint(value)
	number = flt(value)
	if not math.isfinite(number):
		return value
	return float(Decimal(repr(number)).quantize(COLUMN_DIGITS[fieldtype], ROUND_HALF_UP))


def cut(text: str) -> str:
	"""Cut text to what a Data column holds, marking the cut.

	Args:
		text: of any length.

	Returns:
		str: at most 140 characters; one that was cut ends with "…".
	"""
	return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - len(CUT_MARK)] + CUT_MARK


def _plain(value, fieldtype: str) -> str:
	if value is None or value == "":
		# An empty number is stored as 0, so no value and 0 are the same.
		return "0" if fieldtype in NUMBER_TYPES else ""
	formatter = FORMATTERS.get(fieldtype)
	try:
		return formatter(value) if formatter else cstr(value)
	except Exception:
		# Old data or an object of a controller may not fit the type, but is still a value.
		return cstr(value)


def _number(value) -> str:
	if isinstance(value, Decimal):
		value = float(value)
	number = flt(value)
	return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _parse_time(value) -> datetime.time:
	if isinstance(value, datetime.timedelta):
		value = (datetime.datetime.min + value).time()
	return get_time(value)


def _json(value) -> str:
	"""Write JSON in one form: PostgreSQL gives it back as an object, MariaDB as the text that was stored."""
	content = json.loads(value) if isinstance(value, str) else value
	return json.dumps(content, sort_keys=True, ensure_ascii=False)


def _datetime(value) -> str:
	parsed = get_datetime(value)
	return parsed.isoformat(sep=" ") if parsed else ""


# Parsers of dates and times, given as Python values or as text.
DATE_PARSERS = {"Date": getdate, "Datetime": get_datetime, "Time": _parse_time}
FORMATTERS = {
	**dict.fromkeys(WHOLE_TYPES, lambda value: str(cint(value))),
	"Check": lambda value: str(cint(bool(cint(value)))),
	**dict.fromkeys(DECIMAL_TYPES, _number),
	"Date": lambda value: getdate(value).isoformat(),
	"Datetime": _datetime,
	"Time": lambda value: _parse_time(value).isoformat(),
	"JSON": _json,
}
