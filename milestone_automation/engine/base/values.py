"""How a field's value is written down in a Milestone, and when two values are the same one. Pure."""

import datetime
import html
import re
from decimal import Decimal

from frappe.utils import cint, cstr, flt, get_datetime, get_time, getdate, strip_html_tags
from frappe.utils.html_utils import sanitize_html

# Width of a Data column: `value` and `from_value` of Milestone.
MAX_LENGTH = 140
CUT_MARK = "…"

# PostgreSQL refuses NUL in text; the other control characters have no place in a list view either.
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

# What a browser takes for the start of a tag.
TAG_START = re.compile(r"<[a-zA-Z/!?]")
A_TAG = "<b></b>"

NUMBER_TYPES = frozenset({"Int", "Check", "Long Int", "Float", "Currency", "Percent", "Rating", "Duration"})


def as_text(value, fieldtype: str = "Data") -> str:
	"""Write a field's value as Milestone stores it.

	Args:
		value: the value as a document holds it (any Python type, or text of that type).
		fieldtype: the Frappe field type; decides how text is read (a Date given as text is the same date).

	Returns:
		str: at most 140 characters. Empty for a cleared value; a longer one is cut and ends with "…". Dates and
		times are ISO 8601 with a blank between date and time, as Frappe's databases print them. HTML is sanitized.
	"""
	if value is None:
		return ""
	return cut(clean(_plain(value, fieldtype)))


def is_same(old, new, fieldtype: str = "Data") -> bool:
	"""Tell whether two values of a field are the same one, compared by the field's type and in full length.

	Args:
		old, new: values as documents hold them; None and the empty text are both "no value".
		fieldtype: the Frappe field type.
	"""
	if old is new or old == new:
		return True
	return _plain(old, fieldtype) == _plain(new, fieldtype)


def cut(text: str) -> str:
	"""Cut text to what a Data column holds, marking the cut. HTML is reduced to its text: half a tag is none."""
	if len(text) > MAX_LENGTH and "<" in text:
		text = strip_html_tags(text).strip() or html.escape(text)
	return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - len(CUT_MARK)] + CUT_MARK


def clean(text: str) -> str:
	"""Drop control characters and what HTML could do harm where milestones are shown."""
	text = CONTROL_CHARACTERS.sub("", text)
	if not TAG_START.search(text):
		return text
	# Frappe leaves JSON and a tag that never ends alone; browsers do not. With a tag before it, it does its work.
	cleaned = sanitize_html(A_TAG + text).removeprefix(A_TAG)
	# Nothing left would read like a cleared value.
	return cleaned or html.escape(text)


def _plain(value, fieldtype: str) -> str:
	if value is None or value == "":
		# A number field that was never filled is 0 in the database, so no value and 0 are one.
		return "0" if fieldtype in NUMBER_TYPES else ""
	reader = READERS.get(fieldtype)
	try:
		return reader(value) if reader else cstr(value)
	except Exception:
		# What cannot be read as its type (old data, a controller's own object) is still a value.
		return cstr(value)


def _number(value) -> str:
	if isinstance(value, Decimal):
		value = float(value)
	number = flt(value)
	return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _datetime(value) -> str:
	moment = get_datetime(value)
	return moment.isoformat(sep=" ") if moment else ""


def _time(value) -> str:
	if isinstance(value, datetime.timedelta):
		value = (datetime.datetime.min + value).time()
	return get_time(value).isoformat()


READERS = {
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
	"Time": _time,
}
