"""Reading event logs: XES and CSV, good and bad."""

import datetime
import gzip
import resource
from collections import Counter
from zoneinfo import ZoneInfo

import pytest

from milestone_automation.engine.history.event_log import read_events
from milestone_automation.engine.history.event_spool import EventSpool
from milestone_automation.engine.history.log_events import BadRow, Event, EventLogError, LogFormat

pytestmark = pytest.mark.one_database

BERLIN = ZoneInfo("Europe/Berlin")
UNREADABLE = 'the timestamp "{}" cannot be read; set --timestamp-format, or export times as ISO 8601'

XES = """<?xml version="1.0" encoding="{encoding}" ?>
<log xmlns="http://www.xes-standard.org/" xes.version="1.0">
	<global scope="event"><string key="concept:name" value="UNKNOWN"/></global>
	<trace>
		<string key="concept:name" value="PO-1"/>
		<event>
			<string key="concept:name" value="Ordered &amp; paid"><string key="concept:name" value="nested"/></string>
			<date key="time:timestamp" value="2024-01-05T10:00:00.303+00:00"/>
			<string key="org:resource" value="Zoë"/>
		</event>
		<event>
			<string key="concept:name" value="Shipped"/>
			<date key="time:timestamp" value="2024-07-05T10:00:00Z"/>
		</event>
	</trace>
	<trace>
		<event>
			<string key="concept:name" value="Ordered"/>
			<date key="time:timestamp" value="2024-01-06T10:00:00"/>
		</event>
		<string key="concept:name" value="PO-2"/>
	</trace>
</log>
"""

CSV = """case:concept:name,concept:name,time:timestamp,org:resource
PO-1,Ordered,2024-01-05 10:00:00+00:00,zoe
PO-2,"Ordered, again",2024-01-05 11:00:00,
PO-1,"Shipped
by sea",2024-07-05T10:00:00Z,zoe
"""


@pytest.fixture
def write(tmp_path):
	"""Function that writes a log and returns its path: text, bytes, or either gzipped by its name."""

	def write_log(name: str, content: str | bytes, encoding: str = "utf-8"):
		content = content.encode(encoding) if isinstance(content, str) else content
		path = tmp_path / name
		path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
		return path

	return write_log


def read(path, **log_format):
	return list(read_events(path, LogFormat(site_zone=BERLIN, **log_format)))


def refusal(path, **log_format) -> str:
	with pytest.raises(EventLogError) as refused:
		read(path, **log_format)
	return str(refused.value)


def moments(events):
	return [(e.case, e.value, e.moment.isoformat(), e.resource) for e in events]


READ_XES = [
	("PO-1", "Ordered & paid", "2024-01-05T11:00:00.303000", "Zoë"),
	("PO-1", "Shipped", "2024-07-05T12:00:00", ""),
	("PO-2", "Ordered", "2024-01-06T10:00:00", ""),
]


@pytest.mark.parametrize("name", ["log.xes", "log.xes.gz", "no-name-that-tells"])
def test_xes_is_read_with_its_times_in_the_sites_zone(write, name):
	assert moments(read(write(name, XES.format(encoding="utf-8")))) == READ_XES


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-16"])
def test_xes_says_its_own_encoding(write, encoding):
	assert moments(read(write("log.xes", XES.format(encoding=encoding), encoding))) == READ_XES


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csv_is_read_in_utf8_and_by_byte_order_mark(write, name, encoding):
	assert moments(read(write(name, CSV, encoding))) == [
		("PO-1", "Ordered", "2024-01-05T11:00:00", "zoe"),
		("PO-2", "Ordered, again", "2024-01-05T11:00:00", ""),
		("PO-1", "Shipped\nby sea", "2024-07-05T12:00:00", "zoe"),
	]


def test_csv_columns_delimiter_times_and_encoding_can_be_named(write):
	text = "Auftrag;Zustand;Wann;Wer\nA1;geprüft;31.12.2023 23:30;Jörg\n"
	path = write("log.csv", text, "latin-1")
	events = read(
		path,
		case_key="auftrag",
		activity_key="Zustand",
		timestamp_key="Wann",
		resource_key="Wer",
		timestamp_format="%d.%m.%Y %H:%M",
		time_zone="UTC",
		encoding="latin-1",
	)
	assert moments(events) == [("A1", "geprüft", "2024-01-01T00:30:00", "Jörg")]


def test_events_order_by_true_time_when_summer_time_ends(write):
	# 02:30 comes twice in that night; the second is an hour later.
	rows = "case,activity,timestamp\nA,first,2024-10-27T02:30:00+02:00\nA,second,2024-10-27T02:10:00+01:00\n"
	first, second = read(write("log.csv", rows))
	assert second.instant - first.instant == 40 * 60 * 1_000_000
	assert second.moment < first.moment


@pytest.mark.parametrize(
	("row", "place", "reason"),
	[
		(",Ordered,2024-01-05,", "line 2", "no case id"),
		("A,,2024-01-05,", "line 2, case A", "no activity"),
		("A,Ordered,,", "line 2, case A", "no timestamp"),
		("A,Ordered", "line 2, case A", "no timestamp"),
		("A,Ordered,5/1/24,", "line 2, case A", UNREADABLE.format("5/1/24")),
		("A,Ordered,2024-02-30,", "line 2, case A", UNREADABLE.format("2024-02-30")),
		("A,Ordered,0001-01-01T00:00:00+14:00,", "line 2, case A", UNREADABLE.format("0001-01-01T00:00:00+14:00")),
		("A" * 141 + ",Ordered,2024-01-05,", "line 2, case " + "A" * 40, "the case id is longer than 140 characters"),
	],
)  # fmt: skip
def test_a_bad_csv_row_is_named_with_its_place_and_the_rest_is_read(write, row, place, reason):
	header = "case,activity,timestamp,resource\n"
	bad, good = read(write("log.csv", f"{header}{row}\nB,Ordered,2024-01-05,zoe\n"))
	assert isinstance(bad, BadRow)
	assert (str(bad.place), bad.reason) == (place, reason)
	assert (good.case, str(good.place)) == ("B", "line 3, case B")


def test_a_bad_xes_event_is_named_with_line_case_and_number(write):
	broken = XES.format(encoding="utf-8").replace("2024-07-05T10:00:00Z", "soon")
	rows = read(write("log.xes", broken))
	assert [type(row) for row in rows] == [Event, BadRow, Event]
	assert str(rows[1].place) == "line 11, case PO-1, event 2"
	assert rows[1].reason == UNREADABLE.format("soon")


def test_a_trace_without_name_is_bad_event_by_event(write):
	log = XES.format(encoding="utf-8").replace('value="PO-1"', 'value=""')
	rows = read(write("log.xes", log))
	assert [row.reason for row in rows if isinstance(row, BadRow)] == ["no case id", "no case id"]


def test_events_outside_of_traces_name_their_case_themselves(write):
	log = (
		'<log><event><string key="case:concept:name" value="A"/><string key="concept:name" value="Ordered"/>'
		'<date key="time:timestamp" value="2024-01-05"/></event></log>'
	)
	assert moments(read(write("log.xes", log))) == [("A", "Ordered", "2024-01-05T00:00:00", "")]


@pytest.mark.parametrize(
	("name", "content", "message"),
	[
		("empty.xes", b"", "empty.xes is empty. Export the log again."),
		("blank.csv", b" \n\n", "blank.csv is empty. Export the log again."),
		("packed.gz", gzip.compress(b""), "packed.gz is empty. Export the log again."),
		("log.xes", b"case,activity\n", "log.xes is not XML, so it is not an XES log. Export it again."),
		("log.xes", b"<html><body/></html>", "The XML is not an XES log: it begins with <html>, not with <log>."),
		("book.xlsx", b"PK\x03\x04\x00", "book.xlsx is a ZIP archive or a spreadsheet. Unpack it, or save it as CSV."),
		("blob.bin", b"\x7fELF\x00\x01", "blob.bin is a binary file. Event logs are read as XES or CSV."),
		(
			"log.csv",
			b"id,state,at\n1,Open,2024-01-01\n",
			'log.csv has no column "case:concept:name". It has: id, state, at. Set the right one with --case-key.',
		),
	],
)  # fmt: skip
def test_what_is_no_event_log_is_refused_with_advice(write, tmp_path, name, content, message):
	path = tmp_path / name
	path.write_bytes(content)
	assert refusal(path) == message


def test_a_missing_file_is_named(tmp_path):
	assert refusal(tmp_path / "gone.xes") == f"Cannot read {tmp_path}/gone.xes: No such file or directory."


def test_a_gzip_that_was_cut_off_is_refused(write):
	whole = write("log.xes.gz", XES.format(encoding="utf-8") + " " * 100_000)
	whole.write_bytes(whole.read_bytes()[:-20])
	assert refusal(whole).startswith("log.xes.gz is truncated or damaged (Compressed file ended")


def test_xml_that_was_cut_off_is_refused_with_its_line(write):
	text = XES.format(encoding="utf-8")
	message = refusal(write("log.xes", text[: text.index("</trace>")]))
	assert (
		message == "log.xes is not valid XML: no element found: line 15, column 1. Copy or export it again."
	)


def test_csv_in_another_encoding_is_refused_with_the_option_to_use(write):
	message = refusal(write("log.csv", "case,activity,timestamp\nA,geprüft,2024-01-01\n", "latin-1"))
	assert message.startswith("log.csv has another encoding ('utf-8' codec can't decode")
	assert message.endswith("Set the right one with --encoding.")


def test_unknown_time_zone_and_encoding_are_named(write):
	path = write("log.csv", CSV)
	assert refusal(path, time_zone="Mars/Olympus").startswith('Unknown time zone "Mars/Olympus".')
	assert refusal(path, encoding="klingon") == 'Unknown encoding "klingon".'


@pytest.mark.parametrize(
	"declaration",
	[
		'<!DOCTYPE log [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
		'<!DOCTYPE log [<!ENTITY secret SYSTEM "file:///etc/passwd">]>',
		'<!DOCTYPE log SYSTEM "http://127.0.0.1:1/log.dtd">',
	],
)
def test_entity_bombs_and_external_entities_are_refused_unread(write, declaration):
	message = refusal(write("log.xes", f'<?xml version="1.0"?>{declaration}<log><trace>&b;</trace></log>'))
	assert message.startswith("The XML declares a document type")


def test_progress_ends_at_the_size_of_the_file(write):
	path = write("log.xes.gz", XES.format(encoding="utf-8"))
	told = []
	list(read_events(path, LogFormat(), lambda done, total: told.append((done, total))))
	assert told[-1] == (path.stat().st_size, path.stat().st_size)


def test_the_spool_gives_cases_back_whole_and_in_order_of_time(write):
	rows = [
		"case,activity,timestamp",
		"B,b2,2024-01-02",
		"A,a1,2024-01-01",
		"B,b1,2024-01-01",
		"A,a2,2024-01-01",
	]
	with EventSpool() as spool:
		for event in read(write("log.csv", "\n".join(rows))):
			spool.add(event)
		spool.finish()
		spool.set_documents([("A", "Doc A"), ("B", "Doc B")])
		cases = [(case, name, [e.value for e in events]) for case, name, events in spool.by_case()]
		assert spool.counts() == (2, 4)
		assert spool.span() == (datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 2))
	assert cases == [("A", "Doc A", ["a1", "a2"]), ("B", "Doc B", ["b1", "b2"])]


@pytest.mark.parametrize(
	("name", "events", "cases", "values"),
	[("receipt.xes.gz", 8_577, 1_434, 27), ("bpic2019_one_trace_per_variant.xes.gz", 338_247, 11_973, 42)],
)
def test_real_logs_are_read_completely_in_little_memory(event_log_folder, name, events, cases, values):
	before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
	found, names = Counter(), set()
	for event in read_events(event_log_folder / name, LogFormat()):
		found[event.value] += 1
		names.add(event.case)
	assert (found.total(), len(names), len(found)) == (events, cases, values)
	grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
	assert grown < 50, f"reading took {grown:.0f} MB"
