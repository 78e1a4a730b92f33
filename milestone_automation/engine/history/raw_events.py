"""One event as it stands in a log, XES or CSV: whether it can be used, and if not why."""

from typing import NamedTuple

from frappe import _

from milestone_automation.engine.history import log_marks
from milestone_automation.engine.history.log_events import BadRow, Event
from milestone_automation.engine.history.log_times import MAX_TIME_LENGTH, NO_DAY, NUMBER, Clock

NULL = "\0"

# Length of Milestone's Data columns.
MAX_CASE_LENGTH = 140
# Of longer texts only so much is kept: a milestone holds 140 characters of a value.
KEPT_LENGTH = 1000
# 3,000 years.
MAX_SECONDS = 10**11


class Marks(NamedTuple):
	"""What a log exported by this app says beyond others, see `log_marks`."""

	from_value: str | None = None
	seconds: str | None = None
	cleared: str | None = None


MARK_KEYS = (log_marks.FROM_VALUE, log_marks.SECONDS_IN_PREVIOUS, log_marks.CLEARED)


class RawEvent:
	"""The raw texts of one event and their position."""

	__slots__ = ("activity", "case", "marks", "place", "resource", "timestamp")

	def __init__(self, case, activity, timestamp, resource, place, marks: Marks):
		self.case = (case or "").strip()[:KEPT_LENGTH]
		self.activity = (activity or "")[:KEPT_LENGTH]
		self.timestamp = (timestamp or "").strip()
		self.resource = (resource or "").strip()[:KEPT_LENGTH]
		self.place = place
		self.marks = marks
		if not self.is_exact:
			self.activity = self.activity.strip()

	@property
	def is_exact(self) -> bool:
		"""Whether this app exported the event."""
		return self.marks.from_value is not None

	def read(self, clock: Clock) -> Event | BadRow:
		"""Return the event; what is wrong with it if it cannot be used.

		Args:
			clock: reads its time.
		"""
		if reason := self._problem():
			return BadRow(self.place, reason)
		try:
			moment, instant, clock_change = clock.read(self.timestamp[:MAX_TIME_LENGTH])
		except ValueError:
			return self._unreadable_time()
		try:
			return Event(
				self.case,
				self.activity,
				moment,
				instant,
				self.resource,
				self.place,
				*self._previous(),
				clock_change=clock_change,
			)
		except ValueError:
			return BadRow(
				self.place, _('"{0}" is not a number of seconds').format((self.marks.seconds or "")[:40])
			)

	def _problem(self) -> str | None:
		if not self.case:
			return _("no case id")
		if len(self.case) > MAX_CASE_LENGTH:
			return _("the case id is longer than {0} characters").format(MAX_CASE_LENGTH)
		if NULL in self.case + self.activity + self.resource:
			return _("a null character, which no database stores")
		was_cleared = self.is_exact and self.marks.cleared == log_marks.TRUE
		if not self.activity and not was_cleared:
			return _("no activity")
		return None if self.timestamp else _("no timestamp")

	def _unreadable_time(self) -> BadRow:
		if NUMBER.fullmatch(self.timestamp):
			reason = _('the timestamp "{0}" is a number; set --timestamp-format, or export times as ISO 8601')
		elif NO_DAY.fullmatch(self.timestamp):
			reason = _('the timestamp "{0}" names no day')
		else:
			reason = _(
				'the timestamp "{0}" cannot be read; set --timestamp-format, or export times as ISO 8601'
			)
		return BadRow(self.place, reason.format(self.timestamp[:40]))

	def _previous(self) -> tuple[str | None, int | None]:
		if not self.is_exact:
			return None, None
		seconds = int(self.marks.seconds) if self.marks.seconds else None
		if seconds is not None and not 0 <= seconds <= MAX_SECONDS:
			raise ValueError
		return self.marks.from_value[:KEPT_LENGTH], seconds
