"""Working days: a calendar of days off and counting with it.

All counting uses one function: the number of working days from 0001-01-01 up to a day, which is a sum of whole weeks
corrected by the listed dates. So counting ten thousand days costs as little as counting one: a binary search of about
22 steps. ``engine/base/calendars.py`` builds the calendar of a document from the data of the site.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property, lru_cache

DAYS_OF_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
LAST_ORDINAL = date.max.toordinal()


class NoWorkingDay(ValueError):
	"""All seven days of the week are off, so no date can be counted."""


class OutOfCalendar(ValueError):
	"""A counted date is before year 1 or after year 9999.

	Attributes: ``day`` (date to count from), ``days`` (number of days to count).
	"""

	def __init__(self, day: date, days: int):
		self.day, self.days = day, days
		super().__init__(f"{days} days from {day} is outside the calendar (years 1 to 9999)")


@dataclass(frozen=True)
class WorkCalendar:
	"""A calendar of working days. Immutable and hashable; a datetime counts as its date.

	Attributes:
		weekly_off: weekdays off in every week, Monday = 0 to Sunday = 6.
		holidays: further days off.
		extra_working_days: working days on a weekday that is off; a holiday on the same day wins.

	Raises:
		NoWorkingDay: seven weekdays are off.
		ValueError: a weekday is outside 0 to 6.
	"""

	weekly_off: frozenset[int] = frozenset()
	holidays: frozenset[date] = frozenset()
	extra_working_days: frozenset[date] = frozenset()

	def __post_init__(self):
		if not set(self.weekly_off) <= set(range(7)):
			raise ValueError(f"weekly_off takes 0 (Monday) to 6 (Sunday), not {sorted(self.weekly_off)}")
		if len(set(self.weekly_off)) == 7:
			raise NoWorkingDay("All seven days of the week are off; leave at least one working day")

	def is_working_day(self, day: date) -> bool:
		"""Return whether a day is a working day.

		Args:
			day: a date; of a datetime its date counts.
		"""
		ordinal = day.toordinal()
		return self._count(ordinal) > self._count(ordinal - 1)

	def next_working_day(self, day: date) -> date:
		"""Return this day if it is a working day, else the first working day after it.

		Args:
			day: a date; of a datetime its date counts.

		Raises:
			OutOfCalendar: no working day is left before the end of year 9999.
		"""
		return self._nth_working_day(self._count(day.toordinal() - 1) + 1, day, 0)

	def previous_working_day(self, day: date) -> date:
		"""Return this day if it is a working day, else the last working day before it.

		Args:
			day: a date; of a datetime its date counts.

		Raises:
			OutOfCalendar: there was no working day since the beginning of year 1.
		"""
		return self._nth_working_day(self._count(day.toordinal()), day, 0)

	def add_working_days(self, day: date, days: int) -> date:
		"""Return the date a number of working days after a day, which itself is not counted.

		Args:
			day: date to count from, a working day or not.
			days: number of working days: 1 is the first working day after ``day``, -1 the last one before it, 0 is
				``day`` itself even if it is a day off (see ``next_working_day`` and ``previous_working_day``).

		Raises:
			OutOfCalendar: the date would be before year 1 or after year 9999.
		"""
		if days == 0:
			return date.fromordinal(day.toordinal())
		if days > 0:
			return self._nth_working_day(self._count(day.toordinal()) + days, day, days)
		return self._nth_working_day(self._count(day.toordinal() - 1) + days + 1, day, days)

	def working_days_between(self, start: date, end: date) -> int:
		"""Return the number of working days from start to end, the inverse of ``add_working_days``.

		This counts the working days after ``start`` up to and including ``end``; if ``end`` is before ``start``, those
		from ``end`` up to the day before ``start``, as a negative number.

		Args:
			start, end: dates; of datetimes their dates count, so that parts of a day do not.
		"""
		before = 1 if end < start else 0
		return self._count(end.toordinal() - before) - self._count(start.toordinal() - before)

	def add_days(self, day: date, days: int, working_days: bool = False) -> date:
		"""Return the date a number of days after a day, in working days or in calendar days.

		Args:
			day: date to count from, which itself is not counted.
			days: how many; negative for before.
			working_days: whether only working days count, as in ``add_working_days``.

		Raises:
			OutOfCalendar: the date would be before year 1 or after year 9999.
		"""
		if working_days:
			return self.add_working_days(day, days)
		ordinal = day.toordinal() + days
		if not 1 <= ordinal <= LAST_ORDINAL:
			raise OutOfCalendar(day, days)
		return date.fromordinal(ordinal)

	def _count(self, ordinal: int) -> int:
		"""Return the number of working days from 0001-01-01 (a Monday) up to and including this day."""
		weeks, rest = divmod(ordinal, 7)
		regular = weeks * self._worked_before[7] + self._worked_before[rest]
		return regular - bisect_right(self._closed, ordinal) + bisect_right(self._opened, ordinal)

	def _nth_working_day(self, number: int, day: date, days: int) -> date:
		"""Return the working day with this number, as ``_count`` numbers them; `day` and `days` are for the error."""
		ordinal = bisect_left(range(1, LAST_ORDINAL + 1), number, key=self._count) + 1
		if number < 1 or ordinal > LAST_ORDINAL:
			raise OutOfCalendar(day, days)
		return date.fromordinal(ordinal)

	@cached_property
	def _worked_before(self) -> tuple[int, ...]:
		"""How many of the first 0 to 7 days of a week are working days."""
		return tuple(sum(day not in self.weekly_off for day in range(length)) for length in range(8))

	@cached_property
	def _closed(self) -> list[int]:
		"""Sorted ordinals of the holidays on weekdays that are not off."""
		return sorted({day.toordinal() for day in self.holidays if day.weekday() not in self.weekly_off})

	@cached_property
	def _opened(self) -> list[int]:
		"""Sorted ordinals of the working days on weekdays that are off."""
		holidays = {day.toordinal() for day in self.holidays}
		opened = {day.toordinal() for day in self.extra_working_days if day.weekday() in self.weekly_off}
		return sorted(opened - holidays)


def working_seconds_between(start: datetime, end: datetime, calendar: WorkCalendar) -> int:
	"""Return the seconds from start to end, without those on days off; negative if ``end`` is before ``start``.

	A working day counts from midnight to midnight. Fractions of a second are cut off.

	Args:
		start, end: naive datetimes in the same time zone, as Frappe stores them.
		calendar: the working days.
	"""
	whole_days = calendar._count(end.toordinal() - 1) - calendar._count(start.toordinal() - 1)
	elapsed = timedelta(days=whole_days) + _worked_today(end, calendar) - _worked_today(start, calendar)
	return int(elapsed.total_seconds())


def _worked_today(moment: datetime, calendar: WorkCalendar) -> timedelta:
	"""Return the time since midnight, zero on a day off."""
	if not calendar.is_working_day(moment):
		return timedelta()
	return moment - datetime.combine(moment.date(), time.min)


@lru_cache(maxsize=64)
def from_holiday_list(from_date: date, to_date: date, days: tuple[tuple[date, bool], ...]) -> WorkCalendar:
	"""Return the calendar of an ERP's Holiday List.

	From ``from_date`` to ``to_date`` exactly the listed days are off, as in ERPNext. Most lists end with the year but
	plans do not, so outside these dates the weekly pattern of the list continues: a weekday is off if more than half of
	its days are listed as weekly days off. The last results are cached.

	Args:
		from_date, to_date: first and last day of the list.
		days: date of each listed day and whether it is a weekly day off.
	"""
	listed = frozenset(day for day, _ in days)
	weekly = Counter(
		day.weekday() for day, is_weekly in set(days) if is_weekly and from_date <= day <= to_date
	)
	weekly_off = frozenset(
		weekday
		for weekday, listed_days in weekly.items()
		if 2 * listed_days > _occurrences(weekday, from_date, to_date)
	)
	if len(weekly_off) == 7:
		return WorkCalendar(holidays=listed)
	# Listed days among these stay off: a holiday wins over an extra working day.
	worked = (day for weekday in weekly_off for day in _weekdays(weekday, from_date, to_date))
	return WorkCalendar(weekly_off, listed, extra_working_days=frozenset(worked))


def _weekdays(weekday: int, from_date: date, to_date: date) -> list[date]:
	"""Return all dates of one weekday (Monday = 0) between two dates, both included."""
	first = from_date.toordinal() + (weekday - from_date.weekday()) % 7
	return [date.fromordinal(ordinal) for ordinal in range(first, to_date.toordinal() + 1, 7)]


def _occurrences(weekday: int, from_date: date, to_date: date) -> int:
	"""Return how often a weekday occurs between two dates, both included."""
	first = from_date.toordinal() + (weekday - from_date.weekday()) % 7
	return len(range(first, to_date.toordinal() + 1, 7))
