"""Event logs as files really are: each is read right, or what was left out is told and counted."""

import csv
import io
import sqlite3
from random import Random
from zoneinfo import ZoneInfo

import pytest

from milestone_automation.engine.history.event_log import read_events
from milestone_automation.engine.history.log_events import (
	BadRow,
	ClockChange,
	Event,
	EventLogError,
	LogFormat,
)

pytestmark = pytest.mark.no_site

ROW = "A,Open,2020-01-01 10:00\n"
OBJECT_CENTRIC = (
	"{} is an object-centric event log (OCEL): an event can belong to many objects, and milestones need one case"
	" for each event. Flatten it to one object type, and import that as XES or CSV."
)


@pytest.fixture
def write(tmp_path):
	"""Function that writes a file and returns its path."""

	def write_file(content: str | bytes, name: str = "log.csv"):
		path = tmp_path / name
		path.write_bytes(content.encode() if isinstance(content, str) else content)
		return path

	return write_file


def read(path, **log_format) -> list[Event | BadRow]:
	return list(read_events(path, LogFormat(**log_format)))


def said(row: Event | BadRow) -> tuple:
	if isinstance(row, BadRow):
		return str(row.place), row.reason
	return row.place.line, row.case, row.value, row.moment.isoformat(sep=" ", timespec="minutes")


@pytest.mark.parametrize(
	("content", "line"),
	[
		("sep=;\r\ncase;activity;timestamp\r\nA;Open;2020-01-01 10:00\r\n", 3),
		('"sep=|"\ncase|activity|timestamp\nA|Open|2020-01-01 10:00\n', 3),
		("sep=\t\ncase\tactivity\ttimestamp\nA\tOpen\t2020-01-01 10:00\n", 3),
		("\ufeffsep=;\ncase;activity;timestamp\nA;Open;2020-01-01 10:00\n", 3),
		("\n  \n\ncase,activity,timestamp\n\n" + ROW, 6),
		('case,"acti\nvity",timestamp\n' + ROW, 3),
		('"Case\nID",activity,"time\r\nstamp"\n' + ROW, 4),
		('case;"a,b,c,d,e,f";activity;timestamp\nA;x;Open;2020-01-01 10:00\n', 2),
		('case;"said ""a,b,c,d,e""";activity;timestamp\nA;x;Open;2020-01-01 10:00\n', 2),
		("case,activity,timestamp\rA,Open,2020-01-01 10:00\r", 2),
	],
)
def test_unusual_headers_are_read(write, content, line):
	assert [said(row) for row in read(write(content))] == [(line, "A", "Open", "2020-01-01 10:00")]


def test_a_named_delimiter_wins_over_the_one_in_the_file(write):
	path = write("sep=,\ncase;activity;timestamp\nA;Open;2020-01-01 10:00\n")
	assert [row.value for row in read(path, delimiter=";")] == ["Open"]


def test_a_file_of_blank_lines_is_empty(write):
	for content in ("\n" * 100_000, "sep=;\n\n\n"):
		with pytest.raises(EventLogError) as refused:
			read(write(content))
		assert str(refused.value) == "log.csv is empty. Export the log again."


def test_rows_that_a_stray_quote_swallows_are_counted_line_by_line(write):
	path = write(
		"case,activity,timestamp,note\n"
		"A,Open,2020-01-01 10:00,ok\n"
		'B,Open,2020-01-01 10:00,"12 inch\n'
		"B,Done,2020-01-02 10:00,ok\n"
		"C,Open,2020-01-03 10:00,ok\n"
		'C,Done,2020-01-04 10:00,said "yes"\n'
		"D,Open,2020-01-05 10:00,ok\n"
	)
	reason = "swallowed by a quote that opens at line 3 and does not close there"
	assert [said(row) for row in read(path)] == [
		(2, "A", "Open", "2020-01-01 10:00"),
		(3, "B", "Open", "2020-01-01 10:00"),
		("line 4, case B", reason),
		("line 5, case C", reason),
		("line 6, case C", reason),
		(7, "D", "Open", "2020-01-05 10:00"),
	]


@pytest.mark.parametrize("end", ['C,Done,2020-01-04 10:00,12"\n', "C,Done,2020-01-04 10:00,ok\n"])
def test_a_stray_quote_that_closes_well_or_never_is_noticed_too(write, end):
	content = (
		'case,activity,timestamp,note\nB,Open,2020-01-01 10:00,"12 inch\nB,Done,2020-01-02 10:00,ok\n' + end
	)
	event, *bad = read(write(content))
	assert event.case == "B"
	assert [row.place.line for row in bad] == [3, 4]


def test_a_stray_quote_before_the_columns_that_count_spoils_its_own_row(write):
	"""The case is from one line and the time from another."""
	path = write(
		"case,activity,timestamp\n"
		'A,"Open,2020-01-01 10:00\n'
		"B,Open,2020-01-02 10:00\n"
		'C,Open",2020-01-03 10:00\n'
		"D,Open,2020-01-04 10:00\n"
	)
	*bad, event = read(path)
	assert [row.place.line for row in bad] == [2, 3, 4]
	assert {row.reason for row in bad} == {
		"swallowed by a quote that opens at line 2 and does not close there"
	}
	assert event.case == "D"


def test_values_of_several_lines_are_no_swallowed_rows(write):
	path = write(
		'note,case,activity,timestamp\n"first\nsecond, with a comma\nthird",A,Open,2020-01-01 10:00\n'
		'ok,A,"By sea\nand rail",2020-01-02 10:00\n'
	)
	assert [said(row) for row in read(path)] == [
		(2, "A", "Open", "2020-01-01 10:00"),
		(5, "A", "By sea\nand rail", "2020-01-02 10:00"),
	]


SWALLOWED = "swallowed by a quote that opens at line {} and does not close there"


def test_an_inch_mark_among_quoted_values_loses_no_row_in_silence(write):
	path = write(
		'"case","activity","timestamp","note"\n'
		'"C1","Open","2020-01-01 10:00","5""\n'
		'"C2","Open","2020-01-02 10:00","x"\n'
		'"C3","Open","2020-01-03 10:00","x"\n'
	)
	assert [said(row) for row in read(path)] == [
		(2, "C1", "Open", "2020-01-01 10:00"),
		("line 3, case C2", SWALLOWED.format(2)),
		(4, "C3", "Open", "2020-01-03 10:00"),
	]


def test_of_a_thousand_rows_with_inch_marks_each_is_read_or_told(write):
	rows = "".join(f'"C{number}","Open","2020-01-01 10:00","5""\n' for number in range(1000))
	found = read(write('"case","activity","timestamp","note"\n' + rows))
	assert len({row.place.line for row in found}) == 1000


def test_a_swallowed_row_with_a_quoted_comma_is_told(write):
	path = write(
		"case,activity,timestamp,note\n"
		'C1,Open,2020-01-01 10:00,"12 inch\n'
		'C2,"Approve, final",2020-01-02 10:00,ok\n'
		"C3,Open,2020-01-03 10:00,ok\n"
	)
	assert [said(row) for row in read(path)] == [
		(2, "C1", "Open", "2020-01-01 10:00"),
		("line 3, case C2", SWALLOWED.format(2)),
		(4, "C3", "Open", "2020-01-03 10:00"),
	]


@pytest.mark.parametrize("second", ['C2,"Done",2020-01-02 10:00', 'C2,Done",2020-01-02 10:00'])
def test_two_rows_that_a_quote_makes_one_of_invent_no_event(write, second):
	path = write(f'case,activity,timestamp\nC1,"Open,2020-01-01 10:00\n{second}\nC3,Open,2020-01-03 10:00\n')
	assert [said(row) for row in read(path)] == [
		("line 2, case C1", SWALLOWED.format(2)),
		("line 3, case C2", SWALLOWED.format(2)),
		(4, "C3", "Open", "2020-01-03 10:00"),
	]


def test_swallowed_rows_that_cannot_be_used_are_counted_too(write):
	path = write(
		"case,activity,timestamp,note\n"
		'C1,Open,2020-01-01 10:00,"12 inch\n'
		"C2,Open,soon,ok\n"
		",Open,2020-01-02 10:00,ok\n"
		"C3,Open,2020-01-03 10:00,ok\n"
		'C4,Open,2020-01-04 10:00,12"\n'
		"C5,Open,2020-01-05 10:00,ok\n"
	)
	assert [row.place.line for row in read(path) if isinstance(row, BadRow)] == [3, 4, 5, 6]


def test_a_quote_that_makes_one_value_of_two_columns_invents_no_event(write):
	"""All that follows has moved by a column: the activity would be a time, and the time that of something else."""
	path = write(
		'"case","size","activity","timestamp","closed"\n'
		'"C1","5"","Open","2020-01-01 10:00","2020-02-01 10:00"\n'
		'"C2","6 "" wide","Open","2020-01-02 10:00","2020-02-01 10:00"\n'
	)
	assert [said(row) for row in read(path)] == [
		("line 2, case C1", "a quote opens in it and does not close where its value ends"),
		(3, "C2", "Open", "2020-01-02 10:00"),
	]


@pytest.mark.parametrize(
	("row", "value"),
	[
		('x,A,"By sea\nand rail, fast",2020-01-02 10:00\n', "By sea\nand rail, fast"),
		('"5"" tube\nnote, with, many, commas",A,Open,2020-01-02 10:00\n', "Open"),
		('x,A,"said ""yes""\nand ""no""",2020-01-02 10:00\n', 'said "yes"\nand "no"'),
		('5" tube,A,Open,2020-01-02 10:00\n', "Open"),
		('"5" tube,A,Open,2020-01-02 10:00\n', "Open"),
		('x,A,Open,2020-01-02 10:00,"first\nsecond, with, many, commas\nthird"\n', "Open"),
		('x,A,Open,2020-01-02 10:00,"first\nsecond\n', "Open"),
		('"a\nb",A,Open,2020-01-02 10:00,"c\nd"\n', "Open"),
		('"a\nb",A,"Open\nor not, and why",2020-01-02 10:00,"c, ""d""\ne, f, g"\n', "Open\nor not, and why"),
	],
)
def test_values_with_line_breaks_and_quotes_stay_one_event(write, row, value):
	(event,) = read(write("note,case,activity,timestamp,remark\n" + row))
	assert (event.case, event.value, event.moment.day) == ("A", value, 2)


@pytest.mark.parametrize(
	"value", ["By sea\nand rail", 'said "yes"\nand "no"', "By sea,\nrail, and road", '"\n"']
)
def test_a_value_with_line_breaks_in_the_last_column_stays_one_event(write, value):
	quoted = value.replace('"', '""')
	(event,) = read(write(f'case,timestamp,activity\nA,2020-01-02 10:00,"{quoted}"\n'))
	assert (event.case, event.value) == ("A", value)


def test_a_value_with_line_breaks_between_the_time_and_the_case_stays_one_event(write):
	(event,) = read(write('timestamp,activity,case\n2020-01-02 10:00,"Open, or\n""not""",A\n'))
	assert (event.case, event.value) == ("A", 'Open, or\n"not"')


@pytest.mark.parametrize(
	"content",
	[
		'case,timestamp,activity\nC1,2020-01-01 10:00,"Open\nC2,2020-01-02 10:00,Done"\n',
		'timestamp,activity,case\n2020-01-01 10:00,"Open,C1\n2020-01-02 10:00,Done",C2\n',
	],
)
def test_rows_that_a_quote_makes_one_of_after_the_time_invent_no_event(write, content):
	first, second = map(said, read(write(content)))
	assert first[1] == second[1] == SWALLOWED.format(2)
	assert [first[0][:6], second] == ["line 2", ("line 3, case C2", SWALLOWED.format(2))]


OPEN_QUOTE = (
	"A quote opens in the header of log.csv, line {}, and does not close there. Close or remove it, or the rows after it"
	" are lost."
)
ROWS = "".join(f"C{number},Open,2020-01-01 10:00,ok\n" for number in range(60))


@pytest.mark.parametrize("end", ["", 'C60,Open,2020-01-01 10:00,12"\n'])
def test_an_inch_mark_in_the_header_loses_no_row(write, end):
	found = read(write('case,activity,timestamp,size 12"\n' + ROWS + end))
	assert [row.case for row in found] == [f"C{number}" for number in range(60 + bool(end))]


@pytest.mark.parametrize(
	("content", "line"),
	[
		('case,activity,timestamp,"note\n' + ROWS, 1),
		('\n\ncase,activity,timestamp,"note\n' + ROWS, 3),
		('case,activity,timestamp,"note\n' + ROWS[:100] + 'C,"Open",2020-01-01 10:00,ok\n' + ROWS, 1),
		('case,activity,timestamp,"note\nC1",Open,2020-01-01 10:00,ok\n' + ROWS, 1),
		('case,activity,timestamp,"note\nC1,Open,soon,ok"\n' + ROWS, 1),
		('case,activity,timestamp,"note\nC1,Open,2020-01-01 10:00,ok', 1),
		('"a\nb",case,activity,timestamp,"note\n' + ROWS, 2),
		('"case","size 5"","activity","timestamp","closed"\n' + ROWS, 1),
		('"case","activity","timestamp","size 5""\n"C0","Open","soon","x"\n' + ROWS, 1),
	],
)
def test_a_quote_that_opens_in_the_header_and_would_swallow_rows_is_refused(write, content, line):
	with pytest.raises(EventLogError) as refused:
		read(write(content))
	assert str(refused.value) == OPEN_QUOTE.format(line)


def test_a_header_of_quoted_names_with_other_delimiters_and_line_breaks_is_read(write):
	path = write('case;"a,b,c,d\ne,f";activity;timestamp\nA;x;Open;2020-01-01 10:00\n')
	assert [said(row) for row in read(path)] == [(3, "A", "Open", "2020-01-01 10:00")]


@pytest.mark.parametrize(
	"row", ["A\0,Done,2020-01-02 10:00,zoe", "A,Do\0ne,2020-01-02 10:00,zoe", "A,Done,2020-01-02 10:00,z\0e"]
)
def test_a_null_character_far_down_a_file_is_told(write, row):
	"""At the top of a file it makes it a binary one."""
	path = write("case,activity,timestamp,user\n" + "A,Open,2020-01-01 10:00,zoe\n" * 5_000 + row + "\n")
	*events, bad = read(path)
	assert len(events) == 5_000
	assert (bad.place.line, bad.reason) == (5_002, "a null character, which no database stores")


@pytest.mark.parametrize("column", ["activity", "case", "timestamp"])
def test_two_columns_of_one_name_are_refused_where_one_of_them_would_count(write, column):
	path = write(f"case,activity,timestamp,note,note, {column.title()} \n{ROW}")
	with pytest.raises(EventLogError) as refused:
		read(path)
	assert str(refused.value) == f'log.csv has more than one column "{column}". Rename all but the right one.'


def test_two_columns_of_one_name_that_nobody_needs_are_no_fault(write):
	assert len(read(write(f"case,activity,timestamp,note,note\n{ROW}"))) == 1


def test_a_value_of_more_than_the_csv_module_takes_is_refused_with_its_line(write):
	long_value = "x" * 131_073
	path = write(f"case,activity,timestamp,note\n{ROW}A,Done,2020-01-02 10:00,{long_value}\n")
	with pytest.raises(EventLogError) as refused:
		read(path)
	assert str(refused.value) == (
		"log.csv holds a value longer than 100000 characters, which begins at line 3. Close the quote there if one is"
		" open, or allow more with --max-value."
	)


@pytest.mark.parametrize("number", ["43831.4166", "43831,4166", "1577872800", "20200101", "2020", "1.5e9"])
@pytest.mark.parametrize("name", ["log.csv", "log.xes"])
def test_numbers_for_times_are_told_and_nothing_is_guessed(write, number, name):
	content = f"case;activity;timestamp\nA;Open;{number}\n"
	if name == "log.xes":
		content = (
			'<log><trace><string key="concept:name" value="A"/><event><string key="concept:name" value="Open"/>'
			f'<int key="time:timestamp" value="{number}"/></event></trace></log>'
		)
	(bad,) = read(write(content, name))
	assert bad.reason == (
		f'the timestamp "{number}" is a number; set --timestamp-format, or export times as ISO 8601'
	)


def test_a_number_is_a_time_where_its_format_is_named(write):
	(event,) = read(write("case,activity,timestamp\nA,Open,20200105\n"), timestamp_format="%Y%m%d")
	assert event.moment.day == 5


@pytest.mark.parametrize("text", ["2020-01", "2020-W05", "2020W05", "2020-w05"])
@pytest.mark.parametrize("name", ["log.csv", "log.xes"])
def test_a_month_or_a_week_is_no_day_and_none_is_guessed(write, text, name):
	content = f"case,activity,timestamp\nA,Open,{text}\n"
	if name == "log.xes":
		content = (
			'<log><trace><string key="concept:name" value="A"/><event><string key="concept:name" value="Open"/>'
			f'<date key="time:timestamp" value="{text}"/></event></trace></log>'
		)
	(bad,) = read(write(content, name))
	assert bad.reason == f'the timestamp "{text}" names no day'


@pytest.mark.parametrize(
	("text", "day"), [("2020-01-05", 5), ("2020-W01-5", 3), ("2020-01-05T24:00", 6), ("20200105T1000", 5)]
)
def test_a_time_that_names_its_day_in_another_way_is_read(write, text, day):
	(event,) = read(write(f"case,activity,timestamp\nA,Open,{text}\n"))
	assert (event.moment.day, event.clock_change) == (day, None)


@pytest.mark.parametrize(
	("text", "moment"),
	[
		# As Disco writes it.
		("2026/02/01 10:00:00.250", "2026-02-01T10:00:00.250000"),
		("2026/2/1 9:03", "2026-02-01T09:03:00"),
		("2026.02.01", "2026-02-01T00:00:00"),
		("2026-2-1 9:03:07", "2026-02-01T09:03:07"),
		("2026-02-01 10:00:00 UTC", "2026-02-01T10:00:00"),
		("2026/02/01 10:00 GMT", "2026-02-01T10:00:00"),
	],
)
def test_a_time_with_the_year_first_is_read_however_it_is_written(write, text, moment):
	(event,) = read(write(f"case,activity,timestamp\nA,Open,{text}\n"))
	assert event.moment.isoformat() == moment


@pytest.mark.parametrize(
	"text", ["05/01/2026", "5.1.2026 10:00", "2026/13/01", "2026-01/05", "2026-01-05 10:00 CET"]
)
def test_a_time_that_could_be_two_is_told_with_the_option_to_use(write, text):
	(bad,) = read(write(f"case,activity,timestamp\nA,Open,{text}\n"))
	assert bad.reason == (
		f'the timestamp "{text}" cannot be read; set --timestamp-format, or export times as ISO 8601'
	)


@pytest.mark.parametrize(
	("text", "change"),
	[
		("2023-10-29 02:30", ClockChange.TWICE),
		("2023-10-29 01:59", None),
		("2023-10-29 03:00", None),
		("2023-03-26 02:30", ClockChange.NEVER),
		("2023-03-26 03:00", None),
		("2023-10-29T02:30:00+02:00", None),
		("2023-10-29T00:30:00Z", None),
	],
)
@pytest.mark.parametrize("named", [True, False])
def test_a_time_that_the_clocks_showed_twice_or_never_is_told_from_others(write, text, change, named):
	zones = {"time_zone": "Europe/Berlin"} if named else {"site_zone": ZoneInfo("Europe/Berlin")}
	(event,) = read(write(f"case,activity,timestamp\nA,Open,{text}\n"), **zones)
	assert event.clock_change is change


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_byte_order_mark_is_refused_by_its_name_and_read_when_told(write, encoding):
	path = write(f"case,activity,timestamp\n{ROW}".encode(encoding))
	with pytest.raises(EventLogError) as refused:
		read(path)
	assert str(refused.value) == (
		"log.csv looks like UTF-16 without a byte order mark. Save it as UTF-8, or say"
		f" --encoding {encoding} if it is CSV."
	)
	assert [said(row) for row in read(path, encoding=encoding)] == [(2, "A", "Open", "2020-01-01 10:00")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_wide_characters_with_a_byte_order_mark_are_read(write, encoding):
	path = write(f"case,activity,timestamp\n{ROW}".encode(encoding))
	assert [said(row) for row in read(path)] == [(2, "A", "Open", "2020-01-01 10:00")]


@pytest.mark.parametrize(
	"content",
	[f"case,activity,timestamp\nA\0{ROW}", b"\0\0\0\0case", "case,activity,timestamp\n\0\n" + ROW * 99],
)
def test_null_characters_at_the_top_make_a_binary_file(write, content):
	with pytest.raises(EventLogError) as refused:
		read(write(content))
	assert str(refused.value) == "log.csv is a binary file. Event logs are read as XES or CSV."


@pytest.mark.parametrize(
	("content", "rows"),
	[
		("case,activity,timestamp\n", []),
		("case,activity,timestamp", []),
		(f"case,activity,timestamp,,\n{ROW}", [(2, "A", "Open", "2020-01-01 10:00")]),
		("case,activity,timestamp\nA,Open,2020-01-01 10:00,,,\n", [(2, "A", "Open", "2020-01-01 10:00")]),
		("case,activity,timestamp\r\rA,Open,2020-01-01 10:00\r", [(3, "A", "Open", "2020-01-01 10:00")]),
		('case,activity,timestamp,note\rA,Open,2020-01-01 10:00,"5""\rB,Open,2020-01-02 10:00,x\r', [
			(2, "A", "Open", "2020-01-01 10:00"), ("line 3, case B", SWALLOWED.format(2)),
		]),
		(f"case,activity,timestamp\nB;Open;2020-01-02 10:00\n{ROW}", [
			("line 2, case B;Open;2020-01-02 10:00", "no activity"), (3, "A", "Open", "2020-01-01 10:00"),
		]),
	],
)  # fmt: skip
def test_odd_ends_delimiters_and_empty_files_are_read_or_told(write, content, rows):
	assert [said(row) for row in read(write(content))] == rows


@pytest.mark.parametrize(
	("name", "content"),
	[
		("log.json", '{"ocel:global-event": {}, "ocel:events": {}}'),
		("log.jsonocel", '\n{\n "objectTypes": [], "eventTypes": [], "objects": [], "events": []}'),
		(
			"log.xmlocel",
			'<?xml version="1.0"?><log><global scope="event"/><global scope="object"/><events/></log>',
		),
		("log.xml", "<log><object-types/><event-types/><objects/><events/></log>"),
		("log.csv", "ocel:eid,ocel:timestamp,ocel:activity,ocel:type:order\n1,2020-01-01,Open,A\n"),
	],
)
def test_an_object_centric_log_is_named_as_one(write, name, content):
	with pytest.raises(EventLogError) as refused:
		read(write(content, name))
	assert str(refused.value) == OBJECT_CENTRIC.format(name)


@pytest.mark.parametrize(
	("table", "column", "message"),
	[
		("object_map_type", "ocel_type", OBJECT_CENTRIC.format("log.sqlite")),
		# The first version of the standard.
		('"EVENTS"', '"ocel:eid"', OBJECT_CENTRIC.format("log.sqlite")),
		("orders", "ocel_type", "log.sqlite is a binary file. Event logs are read as XES or CSV."),
	],
)
def test_an_object_centric_database_is_named_as_one(tmp_path, table, column, message):
	path = tmp_path / "log.sqlite"
	with sqlite3.connect(path) as database:
		database.execute(f"CREATE TABLE {table} ({column} TEXT)")
	database.close()
	with pytest.raises(EventLogError) as refused:
		read(path)
	assert str(refused.value) == message


def test_other_json_is_named_as_json(write):
	with pytest.raises(EventLogError) as refused:
		read(write('[{"case": "A"}]', "log.json"))
	assert str(refused.value) == "log.json is JSON. Event logs are read as XES or CSV."


@pytest.mark.parametrize(
	("name", "events", "bad"),
	[
		("blank_first_line.csv", 1, 0),
		("comma_in_quotes_semicolonheader.csv", 1, 0),
		("dayfirst.csv", 0, 2),
		("dst.csv", 3, 0),
		("excel_sep.csv", 2, 0),
		("prefixed_ns.xes", 1, 0),
		("quoted_header_newline.csv", 1, 0),
		("same_case_two_traces.xes", 2, 0),
		("stray_quote.csv", 500, 500),
	],
)
def test_every_event_of_an_awkward_file_is_read_or_told(event_log_folder, name, events, bad):
	rows = read(event_log_folder / "awkward" / name)
	counts = {kind: sum(isinstance(row, kind) for row in rows) for kind in (Event, BadRow)}
	assert counts == {Event: events, BadRow: bad}


COLUMNS = ("case", "activity", "timestamp", "note", "size")
PLAIN = ("Open", "x y", "5", "b/c")
ODD = ("a", '5"', '"x"', ",", ";", "\n", "b, c", '""', '"', 'size 5" x 3"', '"\n"', "\r\n")


def a_log(chance: Random, texts: tuple[str, ...]) -> tuple[str, set[tuple[str, str, int]]]:
	"""A file as the csv module writes it, and its events: case, value, day."""
	columns = chance.sample(COLUMNS, k=len(COLUMNS))
	rows = [
		{
			"case": f"C{day}",
			"activity": "".join(chance.choices(texts, k=2)).strip() or "Open",
			"timestamp": f"2020-01-{day:02} 10:00",
			"note": "".join(chance.choices(texts, k=chance.randrange(4))),
			"size": "".join(chance.choices(texts, k=chance.randrange(3))),
		}
		for day in range(1, chance.randrange(3, 9))
	]
	file = io.StringIO()
	writer = csv.DictWriter(
		file,
		columns,
		quoting=chance.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
		lineterminator=chance.choice(("\n", "\r\n")),
	)
	writer.writeheader()
	writer.writerows(rows)
	return file.getvalue(), {(row["case"], row["activity"], day) for day, row in enumerate(rows, 1)}


def events_of(rows: list[Event | BadRow]) -> set[tuple[str, str, int]]:
	return {(row.case, row.value, row.moment.day) for row in rows if isinstance(row, Event)}


@pytest.mark.parametrize("seed", range(100))
def test_a_file_that_is_well_written_is_read_whole_whatever_is_in_it(write, seed):
	content, events = a_log(Random(seed), ODD)
	rows = read(write(content))
	assert (events_of(rows), len(rows)) == (events, len(events))


@pytest.mark.parametrize("seed", range(200))
def test_a_stray_quote_anywhere_loses_no_row_in_silence_and_invents_no_event(write, seed):
	chance = Random(seed)
	content, events = a_log(chance, PLAIN)
	at = chance.randrange(len(content))
	try:
		rows = read(write(content[:at] + '"' + content[at:]))
	except EventLogError as refused:
		assert "opens in the header" in str(refused) or "has no column" in str(refused)
		return
	found = {(case.replace('"', ""), value.replace('"', ""), day) for case, value, day in events_of(rows)}
	assert found <= events
	assert len(rows) >= len(events)
