"""Texts and dates in the language of the reader."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import frappe
from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from frappe.utils.jinja_globals import is_rtl


def direction() -> str:
	"""Return how the language of the moment is written, as HTML has it: "ltr" or "rtl"."""
	return "rtl" if is_rtl() else "ltr"


@contextmanager
def in_language(language: str) -> Iterator[None]:
	"""Translate texts and format dates in this language while the context is open.

	Args:
		language: code of a language, such as "de".
	"""
	previous = frappe.local.lang
	frappe.local.lang = language
	try:
		yield
	finally:
		frappe.local.lang = previous


def day_text(day: date | None) -> str:
	"""Return a date in words in the current language; an empty text without a date.

	Args:
		day: the date.

	Returns:
		str: such as "March 31, 2026".
	"""
	if not day:
		return ""
	try:
		locale = Locale.parse((frappe.local.lang or "en").replace("-", "_"))
	except (UnknownLocaleError, ValueError):
		locale = Locale("en")
	return format_date(day, "long", locale=locale)
