"""Parses the values in Frappe's `Version` log, which are formatted and translated for the user."""

import datetime
import re

import frappe
from frappe.utils.dateutils import dateformats

from milestone_automation.engine.base import compat
from milestone_automation.engine.base.field_types import DECIMAL_TYPES
from milestone_automation.engine.tracking import registry

DURATION = re.compile(r"(?:(\d+)d)?\s*(?:(\d+)h)?\s*(?:(\d+)m)?\s*(?:(\d+)s)?")


class VersionReader:
	"""Parses the logged values of one field. A value that cannot be parsed stays a text."""

	def __init__(self, doctype: str, tracked: registry.TrackedField):
		"""Prepare for one field.

		Args:
			doctype: DocType of the documents.
			tracked: the field.
		"""
		self.doctype = doctype
		self.tracked = tracked
		self.known: dict[str, object] = {}
		self.readers = {
			"Date": _date,
			"Datetime": _datetime,
			"Select": self._option,
			**dict.fromkeys(DECIMAL_TYPES, _number),
			"Duration": _duration,
		}

	def read(self, value):
		"""Return a logged value as it was in the document, as far as possible.

		Args:
			value: old or new value in `Version.data`: text, number or None.
		"""
		reader = self.readers.get(self.tracked.fieldtype)
		if not reader or not isinstance(value, str) or not value:
			return value
		if value not in self.known:
			try:
				self.known[value] = reader(value)
			except (ValueError, TypeError, OverflowError):
				self.known[value] = value
		return self.known[value]

	def _option(self, value: str) -> str:
		"""Return the option of a translated text. The user's language is not logged, so all languages of users are tried."""
		docfield = frappe.get_meta(self.doctype).get_field(self.tracked.fieldname)
		options = [option.strip() for option in (docfield.options or "").split("\n")]
		if value in options:
			return value
		for language in _languages_of_users():
			for option in options:
				if option and frappe._(option, lang=language, context=docfield.parent) == value:
					return option
		return value


def _languages_of_users() -> list[str]:
	"""Return the languages of the site and its users, without English."""
	users = frappe.get_all(
		"User", filters={"language": ("is", "set")}, pluck="language", distinct=True, order_by=None
	)
	site = frappe.get_system_settings("language")
	return list(dict.fromkeys(language for language in (site, *users) if language and language != "en"))


def _date(value: str) -> datetime.date:
	return _read_moment(value, "").date()


def _datetime(value: str) -> datetime.datetime:
	time_format = (frappe.get_system_settings("time_format") or "HH:mm:ss").replace("HH", "%H")
	return _read_moment(value, " " + time_format.replace("mm", "%M").replace("ss", "%S"))


def _read_moment(value: str, time_format: str) -> datetime.datetime:
	"""Parse a date in the site's format, or in ISO 8601, which older versions logged."""
	site_format = dateformats.get(frappe.get_system_settings("date_format") or "yyyy-mm-dd", "%Y-%m-%d")
	for moment_format in (site_format + time_format, site_format + " %H:%M", site_format + " %H:%M:%S"):
		try:
			return datetime.datetime.strptime(value, moment_format)
		except ValueError:
			continue
	return datetime.datetime.fromisoformat(value)


def _number(value: str) -> float:
	"""Parse a number with the site's separators, with or without currency symbol or percent sign."""
	decimal, group = compat.separators(frappe.get_system_settings("number_format") or "#,###.##")
	if re.fullmatch(r"-?\d+\.\d+%", value):
		# A percentage is logged by Python, not in the site's format.
		return float(value[:-1])
	match = re.search(r"\d(?:[\d\s.,']*\d)?", value)
	if not match:
		raise ValueError(value)
	digits = match.group().replace(group, "") if group else match.group()
	number = float(digits.replace(decimal, ".") if decimal else digits)
	return -number if "-" in value[: match.start()] else number


def _duration(value: str) -> int:
	match = DURATION.fullmatch(value.strip())
	if not match or not any(match.groups()):
		raise ValueError(value)
	days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
	return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
