"""What conditions and custom messages may cost, and the functions both may call.

Both are written by people and evaluated in other people's saves and mails. So each step is counted, each value has a
greatest size, and nothing that could grow without bound (powers, repeated text, widths) is there at all.
"""

import datetime
import operator
from decimal import Decimal
from functools import wraps

import frappe
from frappe import _
from frappe.utils import data

# Steps of one evaluation: nodes looked at, rounds of loops, items compared.
MOST_STEPS = 20_000
# Characters of one text; items of one list, those of the lists inside it too.
MOST_TEXT = 20_000
MOST_ITEMS = 2_000
# Characters that weigh as much as an item: who prints a list prints its texts.
ITEM_TEXT = 1_000
# Characters that take a step to go through.
STEP_TEXT = 500
# Characters that a function of dates and numbers reads.
MOST_READ = 500
MOST_NUMBER = 10**24
# Digits a number is rounded to.
MOST_DIGITS = 12
# Of the HTML that tags are taken out of.
MOST_TAGS = 500
# Characters of what people write, levels of brackets in it.
MOST_WRITTEN = 10_000
MOST_DEPTH = 40

NUMBERS = (int, float, Decimal)
CONTAINERS = (list, tuple, set, dict)
DURATIONS = (datetime.timedelta,)


class BudgetExceeded(Exception):
	"""An expression or a text takes more steps, or makes larger values, than it may."""


class NotCalculable(TypeError):
	"""Values that cannot be calculated with: texts are neither repeated nor formatted by an operator."""


class Budget:
	"""Counts the steps of one evaluation."""

	def __init__(self, steps: int = MOST_STEPS):
		self.left = steps

	def spend(self, steps: int = 1) -> None:
		"""Take steps off.

		Args:
			steps: how many.

		Raises:
			BudgetExceeded: none are left.
		"""
		self.left -= steps
		if self.left < 0:
			raise BudgetExceeded(_("it takes too many steps"))

	def counted(self, items):
		"""Yield items, each for a step.

		Args:
			items: what is gone through.

		Raises:
			BudgetExceeded: no steps are left.
		"""
		for item in items:
			self.spend()
			yield item


def checked(value):
	"""Return a value that is not too large.

	Args:
		value: what an expression gives, of any type.

	Raises:
		BudgetExceeded: a text of more than 20,000 characters, a list of more than 2,000 items, a number above 10 to the
			power of 24.
	"""
	if isinstance(value, str | bytes):
		too_large = len(value) > MOST_TEXT
	elif isinstance(value, CONTAINERS):
		too_large = items_in(value) > MOST_ITEMS
	else:
		too_large = isinstance(value, int | Decimal) and abs(value) > MOST_NUMBER
	if too_large:
		raise BudgetExceeded(_("a value is too large"))
	return value


def items_in(value) -> int:
	"""Return how many items a list has, with those of the lists inside it, however often one list is in it.

	Counting ends soon after `MOST_ITEMS`. A document or row counts as one item.

	Args:
		value: a list, tuple, set or dict.
	"""
	count, inside = 0, [value]
	while inside and count <= MOST_ITEMS:
		container = inside.pop()
		for item in _items_of(container):
			count += 1 + (len(item) // ITEM_TEXT if isinstance(item, str) else 0)
			if count > MOST_ITEMS:
				break
			if isinstance(item, CONTAINERS):
				inside.append(item)
	return count


def _items_of(container):
	if isinstance(container, frappe._dict):
		return ()
	return (*container, *container.values()) if isinstance(container, dict) else container


def cost(value) -> int:
	"""Return how many steps it takes to go through a value.

	Args:
		value: text or list, set, tuple or dict; anything else costs nothing.
	"""
	if isinstance(value, str):
		return len(value) // STEP_TEXT
	return items_in(value) // 10 if isinstance(value, CONTAINERS) else 0


def calculate(sign: str, left, right):
	"""Return what a calculation gives.

	Args:
		sign: one of `CALCULATIONS`.
		left, right: numbers, dates, durations; texts and lists may only be added.

	Raises:
		NotCalculable: these cannot be calculated with.
		BudgetExceeded: what comes out is too large.
	"""
	if sign != "+" and not (_is_measure(left) and _is_measure(right)):
		raise NotCalculable(_("{0} is for numbers and dates").format(sign))
	return checked(CALCULATIONS[sign](left, right))


def _is_measure(value) -> bool:
	return isinstance(value, (*NUMBERS, *DURATIONS, datetime.date, datetime.time))


CALCULATIONS = {
	"+": operator.add,
	"-": operator.sub,
	"*": operator.mul,
	"/": operator.truediv,
	"//": operator.floordiv,
	"%": operator.mod,
}


def replace(text: str, old: str, new: str) -> str:
	"""Return a text with all places replaced, if what comes out is not too large.

	Args:
		text: in which to replace.
		old, new: as of `str.replace`.

	Raises:
		BudgetExceeded: it is too large.
	"""
	if len(text) + text.count(old) * len(new) > MOST_TEXT:
		raise BudgetExceeded(_("a value is too large"))
	return text.replace(old, new)


def join(separator: str, parts) -> str:
	"""Return parts joined, if what comes out is not too large.

	Args:
		separator: between the parts.
		parts: texts.

	Raises:
		BudgetExceeded: there are too many parts, or what comes out is too large.
		TypeError: a part is no text.
	"""
	parts = checked(list(parts))
	if sum(len(part) for part in parts) + len(separator) * len(parts) > MOST_TEXT:
		raise BudgetExceeded(_("a value is too large"))
	return separator.join(parts)


def _rounded(number, digits=0):
	return round(number, _digits(digits))


def _digits(digits) -> int:
	if not isinstance(digits, int) or abs(digits) > MOST_DIGITS:
		raise BudgetExceeded(_("it asks for too many digits"))
	return digits


def _reads_little(function):
	"""Return a function that refuses long texts: dates and numbers have few characters, and take long to find in many."""

	@wraps(function)
	def bounded(*arguments, **named):
		if any(isinstance(one, str) and len(one) > MOST_READ for one in (*arguments, *named.values())):
			raise BudgetExceeded(_("a value is too large"))
		return function(*arguments, **named)

	return bounded


def _whole(value=0) -> int:
	return int(_short(value))


def _short(value):
	"""Return a value, if it is no text that takes long to read as a number."""
	if isinstance(value, str) and len(value) > 100:
		raise BudgetExceeded(_("a number is too long"))
	return value


def _strip_html(text) -> str:
	if data.cstr(text).count("<") > MOST_TAGS:
		raise BudgetExceeded(_("it has too many tags"))
	return data.strip_html(checked(data.cstr(text)))


def _flt(value, precision: int | None = None) -> float:
	return data.flt(_short(value), None if precision is None else _digits(precision))


def _fmt_money(amount, precision: int | None = None, currency: str | None = None) -> str:
	precision = None if precision is None else abs(_digits(precision))
	return data.fmt_money(checked(_short(amount)), precision, currency)


# By their names in expressions.
FUNCTIONS = {
	"abs": abs,
	"bool": bool,
	"float": lambda value=0.0: float(_short(value)),
	"int": _whole,
	"len": len,
	"max": max,
	"min": min,
	"round": _rounded,
	"str": lambda value="": str(value),
	"sum": lambda items: sum(items),
}

# Functions of frappe.utils that only reckon and format.
PLAIN_UTILS = (
	"getdate", "get_datetime", "get_time", "add_to_date", "add_days", "add_months", "add_years", "date_diff",
	"month_diff", "time_diff", "time_diff_in_seconds", "time_diff_in_hours", "now_datetime", "now", "nowdate", "today",
	"nowtime", "get_first_day", "get_last_day", "get_quarter_start", "get_quarter_ending", "get_first_day_of_week",
	"get_last_day_of_week", "get_year_start", "get_year_ending", "get_weekday", "get_date_str", "get_time_str",
	"get_datetime_str", "format_date", "formatdate", "format_time", "format_datetime", "format_duration",
	"global_date_format", "pretty_date", "floor", "ceil", "get_url_to_form", "get_link_to_form", "get_abbr",
)  # fmt: skip
UTILS = {name: _reads_little(getattr(data, name)) for name in PLAIN_UTILS if hasattr(data, name)} | {
	"cstr": data.cstr,
	"escape_html": data.escape_html,
	"cint": lambda value, default=0: data.cint(_short(value), default),
	"flt": _flt,
	"strip_html": _strip_html,
	"rounded": lambda number, precision=0: data.rounded(number, _digits(precision)),
	"fmt_money": _fmt_money,
}

TEXT_METHODS = frozenset(
	{
		"lower", "upper", "title", "capitalize", "strip", "lstrip", "rstrip", "startswith", "endswith", "find", "count",
		"isdigit", "isnumeric", "isalpha", "isspace", "split", "replace", "join",
	}
)  # fmt: skip
DATE_METHODS = frozenset({"weekday", "isoweekday", "isoformat", "date", "time", "total_seconds"})
DATE_VALUES = frozenset({"year", "month", "day", "hour", "minute", "second", "days", "seconds"})


def method(value, name: str):
	"""Return a method of a text, a date or a dict that may be called.

	Args:
		value: what an expression calls it on.
		name: of the method.

	Returns:
		Callable: bound to the value; `replace` and `join` as here.

	Raises:
		AttributeError: there is no such method, or it may not be called.
	"""
	if isinstance(value, str) and name in TEXT_METHODS:
		if name in ("replace", "join"):
			bounded = {"replace": replace, "join": join}[name]
			return lambda *arguments: bounded(value, *arguments)
		return getattr(value, name)
	if isinstance(value, (datetime.date, datetime.time, *DURATIONS)) and name in DATE_METHODS:
		return getattr(value, name)
	if isinstance(value, dict) and name == "get":
		return value.get
	raise AttributeError(f"{type(value).__name__} has no {name} to call here")


def utils() -> dict:
	"""Return the functions of `frappe.utils` by their names."""
	return frappe._dict(UTILS)
