"""Reads the events of an XES log.

The usual reader, pm4py, is licensed under AGPL, needs pandas and keeps the whole log in memory. XES is parsed with
expat, which gives line numbers, builds no tree, and allows to refuse a document type declaration before any of its
entities is read.
"""

from collections.abc import Iterator
from xml.parsers import expat

from frappe import _

from milestone_automation.engine.history.log_events import (
	ACTIVITY_COLUMNS,
	CASE_COLUMNS,
	CHUNK_SIZE,
	OCEL_PREFIX,
	RESOURCE_COLUMNS,
	TIMESTAMP_COLUMNS,
	BadRow,
	Event,
	EventLogError,
	LogFormat,
	Place,
	object_centric,
	too_many_events,
)
from milestone_automation.engine.history.log_times import Clock
from milestone_automation.engine.history.raw_events import MARK_KEYS, Marks, RawEvent

# Parts that only an object-centric log has.
OCEL_TAGS = frozenset({"events", "objects", "object-types", "event-types"})


def read(stream, log_format: LogFormat, clock: Clock, name: str, tick) -> Iterator[Event | BadRow]:
	"""Read an XES log event by event, in the order of the file.

	Args:
		stream: the file, unpacked, at its start.
		log_format: names of keys, time zone and so on.
		clock: reads its times.
		name: name of the file, for messages.
		tick: called without arguments while bytes are read.

	Yields:
		Event | BadRow: one of them for every event of the file.

	Raises:
		EventLogError: it is not XES, or asks for more than its limits allow.
	"""
	parser = _XesParser(log_format, name)
	try:
		while chunk := stream.read1(CHUNK_SIZE):
			parser.feed(chunk)
			tick()
			for row in parser.take():
				yield row.read(clock)
		parser.close()
	except (expat.ExpatError, LookupError) as error:
		# LookupError: an encoding that Python does not know.
		raise EventLogError(
			_("{0} is not valid XML: {1}. Copy or export it again.").format(name, str(error))
		) from error
	for row in parser.take():
		yield row.read(clock)


class _XesParser:
	"""Collects the events of the traces parsed so far. Nested attributes are ignored."""

	def __init__(self, log_format: LogFormat, name: str):
		self.name = name
		self.case_key = log_format.case_key or "concept:name"
		self.event_case_key = log_format.case_key or CASE_COLUMNS[0]
		self.activity_key = log_format.activity_key or ACTIVITY_COLUMNS[0]
		self.timestamp_key = log_format.timestamp_key or TIMESTAMP_COLUMNS[0]
		self.resource_key = log_format.resource_key or RESOURCE_COLUMNS[0]
		self.wanted = {
			self.event_case_key,
			self.activity_key,
			self.timestamp_key,
			self.resource_key,
			*MARK_KEYS,
		}
		self.limits = log_format.limits
		self.max_depth, self.max_value = self.limits.depth, self.limits.value
		self.fed = 0
		self.ready: list[RawEvent] = []
		self.waiting: list[RawEvent] = []
		self.depth = 0
		self.case: str | None = None
		self.trace_depth = self.event_depth = 0
		self.event: dict[str, str] | None = None
		self.position = 0
		self.parser = expat.ParserCreate()
		self.parser.StartElementHandler = self._start
		self.parser.EndElementHandler = self._end
		self.parser.StartDoctypeDeclHandler = self._refuse_doctype
		self.parser.buffer_text = True

	def feed(self, chunk: bytes) -> None:
		self.parser.Parse(chunk, False)
		self.fed += len(chunk)
		# What the parser has taken and not understood yet is one tag.
		if self.fed - max(self.parser.CurrentByteIndex, 0) > self.limits.value + CHUNK_SIZE:
			self._refuse_value()

	def close(self) -> None:
		self.parser.Parse(b"", True)

	def take(self) -> list[RawEvent]:
		ready, self.ready = self.ready, []
		return ready

	def _refuse_doctype(self, *_args) -> None:
		raise EventLogError(
			_(
				"The XML declares a document type, which XES logs do not need and which can hide an attack. Remove it."
			)
		)

	def _refuse_value(self) -> None:
		raise EventLogError(
			_("A value at line {0} is longer than {1} characters. Allow more with --max-value.").format(
				self.parser.CurrentLineNumber, self.limits.value
			)
		)

	def _refuse_element(self) -> None:
		if self.depth <= self.limits.depth:
			self._refuse_value()
		raise EventLogError(
			_(
				"At line {0}, more than {1} elements stand inside each other. Allow more with --max-depth."
			).format(self.parser.CurrentLineNumber, self.limits.depth)
		)

	def _check_top(self, tag: str, attributes: dict[str, str]) -> None:
		if self.depth == 1 and tag != "log":
			raise EventLogError(
				_("The XML is not an XES log: it begins with <{0}>, not with <log>.").format(tag)
			)
		if self.depth == 2 and _is_object_centric(tag, attributes):
			raise EventLogError(object_centric(self.name))

	def _start(self, tag: str, attributes: dict[str, str]) -> None:
		self.depth += 1
		# Here, as a call for each of some million elements takes time.
		if self.depth > self.max_depth or len(attributes.get("value", "")) > self.max_value:
			self._refuse_element()
		if self.event is not None:
			if self.depth == self.event_depth + 1 and attributes.get("key") in self.wanted:
				self.event[attributes["key"]] = attributes.get("value", "")
			return
		self._start_outside_event(tag.rpartition(":")[2], attributes)

	def _start_outside_event(self, tag: str, attributes: dict[str, str]) -> None:
		if self.depth <= 2:
			self._check_top(tag, attributes)
		if tag == "event":
			self._start_event()
		elif tag == "trace" and self.depth == 2:
			self.trace_depth, self.case, self.position = self.depth, None, 0
		elif (
			self.trace_depth and self.depth == self.trace_depth + 1 and attributes.get("key") == self.case_key
		):
			self.case = attributes.get("value", "")

	def _start_event(self) -> None:
		self.event, self.event_depth = {}, self.depth
		self.position += 1
		self.line = self.parser.CurrentLineNumber

	def _end(self, _tag: str) -> None:
		if self.event is not None and self.depth == self.event_depth:
			self._end_event()
		elif self.trace_depth and self.depth == self.trace_depth:
			self._end_trace()
		self.depth -= 1

	def _end_event(self) -> None:
		event, self.event = self.event, None
		self.waiting.append(
			RawEvent(
				None,
				event.get(self.activity_key),
				event.get(self.timestamp_key),
				event.get(self.resource_key),
				Place(self.line, "", self.position),
				Marks(*(event.get(key) for key in MARK_KEYS)),
			)
		)
		if not self.trace_depth:
			self.case = event.get(self.event_case_key, "")
			self._end_trace()
		elif len(self.waiting) > self.limits.events_per_case:
			raise EventLogError(too_many_events(self.case or "", self.limits))

	def _end_trace(self) -> None:
		"""Give the events of a trace their case id, which may come after the events."""
		case = (self.case or "").strip()
		for row in self.waiting:
			row.case = case
			row.place = row.place._replace(case=case)
		self.ready += self.waiting
		self.waiting = []
		self.trace_depth = 0


def _is_object_centric(tag: str, attributes: dict[str, str]) -> bool:
	"""Return whether a part of a <log> is one that only object-centric logs have."""
	return (
		tag in OCEL_TAGS
		or attributes.get("scope") == "object"
		or attributes.get("key", "").startswith(OCEL_PREFIX)
	)
