"""How a Milestone stores the value of a field, and when two values are the same."""

import datetime
from decimal import Decimal

from frappe.utils import cint, cstr, flt, get_datetime, get_time, getdate, strip_html_tags

from milestone_automation.engine.base import plain_text

# Length of the Data columns `value` and `from_value` of Milestone.
MAX_LENGTH = 140
CUT_MARK = "…"

# Of these, a value is what their text says.
HTML_TYPES = frozenset({"Text Editor", "HTML Editor", "HTML"})
NUMBER_TYPES = frozenset({"Int", "Check", "Long Int", "Float", "Currency", "Percent", "Rating", "Duration"})


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


def cut(text: str) -> str:
	"""Cut text to what a Data column holds, marking the cut."""
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


def _datetime(value) -> str:
	parsed = get_datetime(value)
	return parsed.isoformat(sep=" ") if parsed else ""


# Parsers of dates and times, given as Python values or as text.
DATE_PARSERS = {"Date": getdate, "Datetime": get_datetime, "Time": _parse_time}
FORMATTERS = {
	"Int": lambda value: str(cint(value)),
	"Long Int": lambda value: str(cint(value)),
	"Check": lambda value: str(cint(bool(cint(value)))),
	"Float": _number,
	"Currency": _number,
	"Percent": _number,
	"Rating": _number,
	"Duration": _number,
	"Date": lambda value: getdate(value).isoformat(),
	"Datetime": _datetime,
	"Time": lambda value: _parse_time(value).isoformat(),
}
