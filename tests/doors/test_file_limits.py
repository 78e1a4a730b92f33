"""A file of some kilobytes does not take the machine's memory or time: it is refused with the setting that allows more."""

import gzip
import tracemalloc

import pytest

from milestone_automation.commands.history import import_log
from milestone_automation.engine.history import log_import
from milestone_automation.engine.history.event_log import read_events
from milestone_automation.engine.history.event_spool import EventSpool
from milestone_automation.engine.history.log_events import Event, EventLogError, Limits, LogFormat

pytestmark = pytest.mark.no_site

MEGABYTE = 1_000_000
# Reading takes some megabytes of its own.
MOST_MEMORY = 40 * MEGABYTE
EVENT = '<event><string key="concept:name" value="Cut"/><date key="time:timestamp" value="2024-01-05T10:00:00Z"/></event>'
HEAD = "case,activity,timestamp\n"


@pytest.fixture
def packed(tmp_path):
	"""Function that packs parts of a log, each repeated, without ever holding it as a whole."""

	def pack(name: str, *parts: tuple[str, int]):
		path = tmp_path / name
		with gzip.open(path, "wb", compresslevel=9) as file:
			for text, times in parts:
				block, rest = divmod(times, 10_000)
				for _time in range(block):
					file.write(text.encode() * 10_000)
				file.write(text.encode() * rest)
		return path

	return pack


def read(path, **limits):
	"""Read a log to its end; returns how many events it has and the most memory it took."""
	tracemalloc.start()
	try:
		count = sum(isinstance(row, Event) for row in read_events(path, LogFormat(limits=Limits(**limits))))
		return count, tracemalloc.get_traced_memory()[1]
	finally:
		tracemalloc.stop()


def refused(path, **limits) -> str:
	with pytest.raises(EventLogError) as error:
		_count, memory = read(path, **limits)
		assert memory < MOST_MEMORY
	return str(error.value)


def test_an_attribute_of_fifty_megabytes_is_refused(packed):
	"""Seen: it did not end in 90 seconds, as the parser begins anew with every part."""
	path = packed(
		"long.xes.gz",
		("<log><trace><string key='x' value='", 1),
		("a", 50 * MEGABYTE),
		("'/></trace></log>", 1),
	)
	assert refused(path) == "A value at line 1 is longer than 100000 characters. Allow more with --max-value."
	assert "200000 characters" in refused(path, value=200_000)


def test_a_text_that_never_ends_is_no_value_and_does_no_harm(packed):
	path = packed("text.xes.gz", ("<log>", 1), ("a", 15 * MEGABYTE), ("</log>", 1))
	count, memory = read(path)
	assert (count, memory < MOST_MEMORY) == (0, True)


def test_a_small_file_that_unpacks_to_very_much_is_refused(packed):
	"""Seen: 1.2 MB took 2.4 GB of memory."""
	path = packed("bomb.xes.gz", ("<log>", 1), (f"<trace>{EVENT}</trace>", 300_000))
	assert path.stat().st_size < MEGABYTE / 5
	assert refused(path) == (
		"bomb.xes.gz unpacks to more than 100 times its size, which no log does. Unpack it to read it all the same."
	)


def test_a_large_file_is_refused_by_its_unpacked_size(packed, tmp_path):
	path = packed("large.csv.gz", (HEAD, 1), ("PO-1,Cut,2024-01-05\n", 60_000))
	message = "large.csv.gz unpacks to more than 1 MB. Allow more with --max-unpacked, or split the file."
	assert refused(path, unpacked=1) == message
	plain = tmp_path / "large.csv"
	plain.write_bytes(gzip.decompress(path.read_bytes()))
	assert refused(plain, unpacked=1) == message.replace(".gz", "")
	assert read(path, unpacked=2)[0] == 60_000


def test_elements_inside_each_other_are_counted(packed):
	path = packed("deep.xes.gz", ("<log>", 1), ("<list>", 1_000_000))
	assert (
		refused(path)
		== "At line 1, more than 100 elements stand inside each other. Allow more with --max-depth."
	)


def test_a_case_that_holds_all_events_is_refused_before_it_fills_the_memory(packed):
	path = packed("case.xes.gz", ("<log><trace>", 1), (EVENT, 12_000), ("</trace></log>", 1))
	assert (
		refused(path, events_per_case=10_000)
		== "The case ? has more than 10000 events. Allow more with --max-events-per-case."
	)
	assert read(path)[0] == 0, "events without a case are bad rows"


def test_attributes_nobody_asked_for_are_not_kept(packed):
	many = "".join(f'<string key="k{number}" value="{"v" * 50}"/>' for number in range(100))
	path = packed("keys.xes.gz", ("<log><trace><event>", 1), (many, 300), ("</event></trace></log>", 1))
	assert read(path)[1] < MOST_MEMORY


def test_a_line_and_a_value_of_csv_have_an_end(packed):
	line = packed("line.csv.gz", (HEAD, 1), ("a", 30 * MEGABYTE))
	assert refused(line) == "Line 2 is longer than 1000000 characters. Allow more with --max-line."
	header = packed("header.csv.gz", ("case,", 10 * MEGABYTE))
	assert refused(header) == "Line 1 is longer than 1000000 characters. Allow more with --max-line."
	value = packed("value.csv.gz", (HEAD, 1), ('PO-1,"', 1), ("a\n", 10 * MEGABYTE))
	assert refused(value) == (
		"value.csv.gz holds a value longer than 100000 characters, which begins at line 2. Close the quote there if"
		" one is open, or allow more with --max-value."
	)


def test_cases_and_values_are_counted_before_they_are_loaded(packed):
	log_format = LogFormat(limits=Limits(events_per_case=3, values=3))
	for name, rows, message in (
		("cases.csv.gz", "PO-1,Cut,2024-01-05\n" * 4, "The case PO-1 has more than 3 events."),
		(
			"values.csv.gz",
			"".join(f"PO-{number},Value {number},2024-01-05\n" for number in range(4)),
			"The activity has more than 3 different values. Name the right one with --activity-key.",
		),
	):
		with EventSpool() as spool:
			options = log_import.ImportOptions("ToDo", "status", log_format=log_format)
			with pytest.raises(EventLogError) as error:
				_fill(packed(name, (HEAD, 1), (rows, 1)), options, spool)
		assert str(error.value).startswith(message)


def _fill(path, options, spool) -> None:
	for row in read_events(path, options.log_format):
		spool.add(row)
	spool.finish()
	log_import.check_limits(spool, options.log_format.limits)


def test_every_limit_that_a_message_names_is_in_the_help():
	options = {option for parameter in import_log.params for option in parameter.opts}
	assert {"--max-unpacked", "--max-value", "--max-line", "--max-depth", "--max-events-per-case"} <= options
