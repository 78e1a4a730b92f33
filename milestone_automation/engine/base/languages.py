"""Texts and dates in the language of the person who reads them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import frappe
from babel import Locale, UnknownLocaleError
from babel.dates import format_date


@contextmanager
def in_language(language: str) -> Iterator[None]:
	"""Inside, `_` and dates speak this language."""
	before = frappe.local.lang
	frappe.local.lang = language
	try:
		yield
	finally:
		frappe.local.lang = before


def day_text(day: date | None) -> str:
	"""Return a date in words, in the current language; empty for none."""
	if not day:
		return ""
	try:
		locale = Locale.parse((frappe.local.lang or "en").replace("-", "_"))
	except (UnknownLocaleError, ValueError):
		locale = Locale("en")
	return format_date(day, "long", locale=locale)
