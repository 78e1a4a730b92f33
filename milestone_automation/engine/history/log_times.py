"""The times of an event log: which texts are one, in which time zone, and what a change of the clocks makes of them."""

import datetime
import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.parser import isoparse
from dateutil.zoneinfo import get_zonefile_instance
from frappe import _

from milestone_automation.engine.history.log_events import ClockChange, EventLogError, LogFormat

# A year, an Excel day, or seconds since 1970: nothing is guessed.
NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?")
# A month or a week: on which day is not said.
NO_DAY = re.compile(r"\d{4}-\d{2}|\d{4}-?W\d{2}", re.IGNORECASE)
# Where the year is first, nobody doubts which number is the month: as Disco and spreadsheets of East Asia write it.
YEAR_FIRST = re.compile(r"(\d{4})([/.-])(\d{1,2})\2(\d{1,2})(?:[T ](\d{1,2})(:.+))?")
# Other abbreviations of zones mean one thing here and another there.
UTC = re.compile(r" ?(?:UTC|GMT)$")
# No time is written in more.
MAX_TIME_LENGTH = 100


class Clock:
	"""Parses the times of a log into naive times of the site and exact instants."""

	EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
	MICROSECOND = datetime.timedelta(microseconds=1)

	def __init__(self, log_format: LogFormat):
		self.site_zone = log_format.site_zone
		self.file_zone = time_zone(log_format.time_zone) if log_format.time_zone else self.site_zone
		self.format = log_format.timestamp_format

	def read(self, text: str) -> tuple[datetime.datetime, int, ClockChange | None]:
		"""Return (naive time in the site's zone, microseconds since 1970 UTC, what a change of the clocks makes of it).

		A time that there was twice is taken for the first one, and one that there was never as if the clocks had not
		changed yet.

		Args:
			text: one timestamp of the file, without spaces around: by `timestamp_format`, else ISO 8601 with its day, or
				another writing with the year first.

		Raises:
			ValueError: it is not a time, or out of range.
		"""
		try:
			moment = self._parse(text)
			change = None
			if moment.tzinfo is None:
				moment = moment.replace(tzinfo=self.file_zone)
				change = clock_change(moment)
			local = moment.astimezone(self.site_zone).replace(tzinfo=None)
			return local, (moment - self.EPOCH) // self.MICROSECOND, change
		except OverflowError as error:
			raise ValueError(str(error)) from error

	def can_read(self, text: str) -> bool:
		"""Return whether a text is a time; of a long one only its beginning is looked at.

		Args:
			text: as for `read`.
		"""
		try:
			self.read(text[:MAX_TIME_LENGTH])
		except ValueError:
			return False
		return True

	def _parse(self, text: str) -> datetime.datetime:
		if self.format:
			return datetime.datetime.strptime(text, self.format)
		if NUMBER.fullmatch(text) or NO_DAY.fullmatch(text):
			raise ValueError(text)
		# Python 3.10 does not parse "Z" and some fractions of a second; isoparse does, but is slow.
		try:
			return datetime.datetime.fromisoformat(text)
		except ValueError:
			return isoparse(_as_iso(text))


def _as_iso(text: str) -> str:
	"""Return a time with the year first as ISO 8601 has it; any other text as it is."""
	text = UTC.sub("+00:00", text)
	if not (found := YEAR_FIRST.fullmatch(text)):
		return text
	year, _separator, month, day, hour, rest = found.groups()
	date = f"{year}-{month:0>2}-{day:0>2}"
	return f"{date}T{hour:0>2}{rest}" if hour else date


def clock_change(moment: datetime.datetime) -> ClockChange | None:
	"""Return what a change of the clocks makes of a local time; None if there was just one of it.

	Args:
		moment: with its time zone, and as it was read: the first of two.
	"""
	before, after = moment.utcoffset(), moment.replace(fold=1).utcoffset()
	if before == after:
		return None
	return ClockChange.TWICE if before > after else ClockChange.NEVER


def time_zone(name: str) -> datetime.tzinfo:
	"""Return a time zone by its IANA name.

	Args:
		name: for example "Europe/Paris".

	Raises:
		EventLogError: there is no such zone.
	"""
	try:
		return ZoneInfo(name)
	except (ZoneInfoNotFoundError, ValueError, OSError):
		return _time_zone_of_dateutil(name)


def _time_zone_of_dateutil(name: str) -> datetime.tzinfo:
	"""Return a time zone from the database of python-dateutil, for machines without one of their own."""
	if zone := get_zonefile_instance().get(name):
		return zone
	raise EventLogError(_('Unknown time zone "{0}". Use a name such as Europe/Paris.').format(name))
