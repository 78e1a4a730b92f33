"""The times in each value, added up: for days that are over from stored sums, for the others from their milestones.

A *Milestone Roll Up* has for each step from value to value over a range of days the total time and how many stays were
how long, in classes of 6 to 13 % as in an HDR histogram (hdrhistogram.org): the highest bit of the seconds and the three
bits after it. The classes of all ranges together say in which one a percentile lies, and how far behind its beginning;
there it is read from an index, exactly.

What is stored counts only while no note of `closed_days` says that its days have changed. Then, and for the last days, the
milestones themselves are read.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import frappe
from frappe.utils import getdate

from milestone_automation.engine.review.scope import Scope, beginning, of_stays
from milestone_automation.engine.tracking import closed_days

# Bits after the highest one that tell classes apart.
FINE = 3
# Where more milestones are in days without sums, and more than this part of all, indexes answer faster than reading them.
MOST_READ, MOST_READ_OF_ALL = 30_000, 0.05
# Days without sums are read in so many queries at most.
MOST_GAPS = 12
# Rows that are read at a time while days are added up.
PAGE = 20_000

Step = tuple[str, str]


@dataclass
class Sums:
	"""The stays of one step, or of one value, added up.

	Attributes:
		total: their time in seconds.
		classes: how many of them are in each class of `class_of`.
	"""

	total: int = 0
	classes: Counter = field(default_factory=Counter)

	def add(self, total: int, classes: Iterable[tuple[int, int]]) -> None:
		"""Add stays.

		Args:
			total: their time in seconds.
			classes: how many of them are in each class.
		"""
		self.total += total
		for number, count in classes:
			self.classes[number] += count

	@property
	def count(self) -> int:
		"""Number of stays."""
		return self.classes.total()

	def find(self, place: int) -> tuple[int, int]:
		"""Return in which class the stay at a place lies, and how far behind the shortest one of that class.

		Args:
			place: among all stays in order of their time, from 0.
		"""
		for number in sorted(self.classes):
			if place < self.classes[number]:
				return number, place
			place -= self.classes[number]
		raise IndexError(place)


def class_of(seconds: int) -> int:
	"""Return the class of a time: with each, longer times have the same class or a higher one.

	Args:
		seconds: whole seconds; what is below one has the class 0.
	"""
	if seconds < 1:
		return 0
	bits = seconds.bit_length()
	if bits <= FINE:
		return seconds
	shift = bits - FINE - 1
	return (shift << FINE) + (seconds >> shift)


def least(number: int) -> int | None:
	"""Return the shortest time of a class in seconds; None for the class 0, which has no beginning.

	Args:
		number: of the class, as `class_of` returns it.
	"""
	if number <= 0:
		return None
	if number < 1 << (FINE + 1):
		return number
	shift = (number >> FINE) - 1
	return (number - (shift << FINE)) << shift


def by_step(scope: Scope) -> dict[Step, Sums] | None:
	"""Return the stays before each step from value to value; None where too little is stored to be of use.

	Args:
		scope: one that `is_whole`.
	"""
	stored, changed = stored_ranges(scope.reference_type, scope.track_field)
	usable = without_overlaps(stored_range for stored_range in stored if not stored_range.is_in(changed))
	gaps = _gaps(usable)
	if not usable or len(gaps) > MOST_GAPS:
		return None
	steps: dict[Step, Sums] = {}
	for stored_range in usable:
		for before, after, total, classes in json.loads(stored_range.numbers):
			steps.setdefault((before, after), Sums()).add(
				total, zip(classes[::2], classes[1::2], strict=True)
			)
	added_up = sum(sums.count for sums in steps.values())
	left = max(MOST_READ, int(MOST_READ_OF_ALL * added_up))
	if _expected(usable, gaps, added_up) > left:
		return None
	for start, until in gaps:
		read = _add_gap(steps, scope, start, until, left)
		if read is None:
			return None
		left -= read
	return steps


@dataclass(frozen=True)
class Range:
	"""One row of *Milestone Roll Up*.

	Attributes:
		name: of the row.
		first, last: its first and last day.
		numbers: the sums as JSON; empty for a note that the days have changed.
	"""

	name: str
	first: date
	last: date
	numbers: str

	def is_in(self, others: Iterable["Range"]) -> bool:
		"""Whether one of its days is in one of other ranges.

		Args:
			others: the other ranges.
		"""
		return any(self.first <= other.last and other.first <= self.last for other in others)


def stored_ranges(reference_type: str, track_field: str) -> tuple[list[Range], list[Range]]:
	"""Return what is stored of a field. One query.

	Args:
		reference_type: DocType of the documents.
		track_field: the tracked field.

	Returns:
		tuple: the sums, and the notes that days have changed.
	"""
	row = frappe.qb.DocType(closed_days.DOCTYPE)
	query = frappe.qb.from_(row).select(row.name, row.first_day, row.last_day, row.numbers)
	query = query.where(row.reference_type == reference_type).where(row.track_field == track_field)
	ranges = [
		Range(name, getdate(first), getdate(last), numbers or "")
		for name, first, last, numbers in query.run()
	]
	return [found for found in ranges if found.numbers], [found for found in ranges if not found.numbers]


def without_overlaps(ranges: Iterable[Range]) -> list[Range]:
	"""Return ranges in order, none of which has a day of another one; of two the one that begins first, or is longer.

	Args:
		ranges: in any order.
	"""
	chosen: list[Range] = []
	for found in sorted(ranges, key=lambda found: (found.first, -found.last.toordinal())):
		if not chosen or found.first > chosen[-1].last:
			chosen.append(found)
	return chosen


def _gaps(ranges: list[Range]) -> list[tuple[date | None, date | None]]:
	"""Return from which day to before which one no range of these, in order, has the milestones; None for no limit."""
	starts = [None, *(found.last + timedelta(days=1) for found in ranges)]
	ends = [*(found.first for found in ranges), None]
	return [gap for gap in zip(starts, ends, strict=True) if gap[0] is None or gap[0] != gap[1]]


def _expected(ranges: list[Range], gaps: list[tuple[date | None, date | None]], added_up: int) -> float:
	"""Return how many stays there may be between ranges that have `added_up` of them: as many a day as there."""
	days = sum((found.last - found.first).days + 1 for found in ranges)
	between = sum((until - start).days for start, until in gaps if start and until)
	return added_up / days * between


def _add_gap(
	steps: dict[Step, Sums], scope: Scope, start: date | None, until: date | None, most: int
) -> int | None:
	"""Add the stays of some days to those of steps; return how many were read, None where there are more than `most`."""
	milestone = frappe.qb.DocType("Milestone")
	moment = milestone.reached_on
	query = _stays(scope, milestone)
	if start is None:
		# One without a time counts too; no range has it.
		query = query.where((moment < beginning(until)) | moment.isnull())
	else:
		query = query.where(moment >= beginning(start))
		query = query.where(moment < beginning(until)) if until else query
	rows = query.limit(most + 1).run()
	if len(rows) > most:
		return None
	add_rows(steps, rows)
	return len(rows)


def _stays(scope: Scope, milestone):
	query = frappe.qb.from_(milestone).select(
		milestone.value_before, milestone.value, milestone.time_in_previous
	)
	return of_stays(scope, query, milestone)


def add_rows(steps: dict[Step, Sums], rows: Iterable[tuple]) -> None:
	"""Add single stays to those of steps.

	Args:
		steps: what is added to.
		rows: value before, value after and seconds of each.
	"""
	for before, after, seconds in rows:
		sums = steps.get((before, after or ""))
		if sums is None:
			sums = steps[before, after or ""] = Sums()
		seconds = int(seconds)
		sums.total += seconds
		sums.classes[class_of(seconds)] += 1


def added_up(scope: Scope, first: date, last: date) -> str:
	"""Return the numbers of some days, to be stored: JSON of a list for each step.

	Day by day, and in pages where a day has many, to save memory.

	Args:
		scope: one that `is_whole`.
		first, last: the days.
	"""
	steps: dict[Step, Sums] = {}
	for number in range((last - first).days + 1):
		for rows in _pages(scope, first + timedelta(days=number)):
			add_rows(steps, rows)
	numbers = json.dumps(
		[
			[*step, sums.total, [number for pair in sorted(sums.classes.items()) for number in pair]]
			for step, sums in sorted(steps.items())
		],
		separators=(",", ":"),
	)
	# Frappe doubles "%" in a value for SQLite that also has an apostrophe.
	return numbers.replace("'", "\\u0027").replace("%", "\\u0025")


def _pages(scope: Scope, day: date) -> Iterator[list[tuple]]:
	milestone = frappe.qb.DocType("Milestone")
	query = _stays(replace(scope, start=day, end=day), milestone).select(milestone.name)
	query = query.orderby(milestone.name).limit(PAGE)
	rows = query.run()
	while rows:
		yield [row[:3] for row in rows]
		rows = query.where(milestone.name > rows[-1][3]).run() if len(rows) == PAGE else []
