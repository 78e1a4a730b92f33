"""History in from event logs: checks, bulk load, running again, and both real logs."""

import datetime
import gzip
import json
import xml.etree.ElementTree
from collections import Counter, defaultdict
from itertools import groupby

import frappe
import pytest
from frappe.utils import add_to_date, get_datetime, now_datetime
from frappe.utils.synchronization import filelock

from milestone_automation.engine.base import clock
from milestone_automation.engine.history.log_events import ClockChange, EventLogError, LogFormat
from milestone_automation.engine.history.log_import import ImportOptions, ImportStopped, run

DOCTYPE = "Imported Order"
UNREADABLE = 'the timestamp "{}" cannot be read; set --timestamp-format, or export times as ISO 8601'
FIELDS = [
	{"fieldname": "status", "fieldtype": "Select", "options": "Ordered\nShipped\nDelivered"},
	{"fieldname": "legacy_id", "fieldtype": "Data"},
	{"fieldname": "quantity", "fieldtype": "Int"},
]
LOG = """case,activity,timestamp,resource
A,Ordered,2024-01-01T08:00:00Z,zoe@example.com
B,Ordered,2024-01-01T09:00:00Z,Machine 7
A,Shipped,2024-01-03T08:00:00Z,zoe@example.com
A,Shipped,2024-01-04T08:00:00Z,zoe@example.com
B,Delivered,2024-01-02T09:00:00Z,
A,Delivered,2024-01-05T08:00:00Z,
"""
LARGE_LOG = "bpic2019_one_trace_per_variant.xes.gz"
SMALL_LOG = "receipt.xes.gz"


@pytest.fixture
def orders(make_doctype):
	"""A tracked DocType with documents A and B, made before the tracker: they have no milestones yet."""
	make_doctype(DOCTYPE, FIELDS, autoname="prompt")
	for name in ("A", "B"):
		frappe.get_doc(
			{"doctype": DOCTYPE, "name": name, "legacy_id": f"old-{name}", "status": "Ordered"}
		).insert()
	track(DOCTYPE, "status")
	return DOCTYPE


@pytest.fixture
def write_log(tmp_path):
	def write(text: str = LOG, name: str = "log.csv"):
		path = tmp_path / name
		path.write_text(text, encoding="utf-8")
		return path

	return write


def track(doctype, field):
	return (
		frappe.get_doc({"doctype": "Milestone Tracker", "document_type": doctype, "track_field": field})
		.insert()
		.name
	)


def options(**values):
	return ImportOptions(**{"doctype": DOCTYPE, "track_field": "status", **values})


def rows(name, *columns, doctype=DOCTYPE):
	return [
		tuple(row)
		for row in frappe.get_all(
			"Milestone",
			{"reference_type": doctype, "reference_name": name},
			list(columns or ("from_value", "value")),
			order_by="reached_on asc, idx asc, creation asc",
			as_list=True,
		)
	]


def local(text):
	moment = datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc)
	return moment.astimezone(clock.site_zone()).replace(tzinfo=None)


def test_changes_become_milestones_with_time_user_and_duration(orders, write_log, make_user):
	make_user("zoe@example.com")
	summary = run(write_log(), options())
	assert (summary.cases, summary.events, summary.changes, summary.added) == (2, 6, 5, 5)
	assert (summary.first, summary.last) == (local("2024-01-01T08:00"), local("2024-01-05T08:00"))
	assert rows("A", "from_value", "value", "reached_on", "reached_by", "owner", "time_in_previous") == [
		("", "Ordered", local("2024-01-01T08:00"), "zoe@example.com", "zoe@example.com", None),
		("Ordered", "Shipped", local("2024-01-03T08:00"), "zoe@example.com", "zoe@example.com", 2 * 86400),
		("Shipped", "Delivered", local("2024-01-05T08:00"), "", "Administrator", 2 * 86400),
	]
	assert rows("B", "reached_by", "owner", "source", "milestone_tracker", "track_field", "cleared")[0] == (
		"Machine 7",
		"Administrator",
		"Import",
		f"{DOCTYPE}-status",
		"status",
		0,
	)
	created = frappe.get_all("Milestone", {"reference_name": "A"}, ["creation", "reached_on"])
	assert all(get_datetime(row.creation) == get_datetime(row.reached_on) for row in created)


def test_every_event_records_repeats_too(orders, write_log):
	summary = run(write_log(), options(every_event=True))
	assert (summary.changes, summary.added) == (6, 6)
	assert rows("A") == [
		("", "Ordered"),
		("Ordered", "Shipped"),
		("Shipped", "Shipped"),
		("Shipped", "Delivered"),
	]


def test_running_again_adds_nothing_also_from_a_sorted_or_longer_export(orders, write_log):
	run(write_log(), options())
	again = run(write_log(), options())
	assert (again.added, again.already_there) == (0, 5)
	header, *lines = LOG.splitlines()
	assert run(write_log("\n".join([header, *sorted(lines)])), options()).added == 0
	longer = run(write_log(LOG + "B,Shipped,2024-01-09T08:00:00Z,\n"), options())
	assert (longer.added, longer.already_there) == (1, 5)
	assert rows("B")[-1] == ("Delivered", "Shipped")


def test_the_next_part_of_a_log_goes_on_where_the_last_one_ended(orders, write_log):
	run(write_log(), options())
	part = "case,activity,timestamp\nA,Delivered,2024-01-06T08:00:00Z\nA,Shipped,2024-01-07T08:00:00Z\n"
	assert run(write_log(part), options()).added == 1
	assert rows("A", "from_value", "value", "time_in_previous")[-1] == ("Delivered", "Shipped", 2 * 86400)
	assert run(write_log(part), options()).added == 0


def test_a_dry_run_counts_and_writes_nothing(orders, write_log):
	summary = run(write_log(), options(dry_run=True))
	assert (summary.added, summary.values) == (5, {"Delivered": 2, "Ordered": 2, "Shipped": 2})
	assert frappe.db.count("Milestone", {"reference_type": DOCTYPE}) == 0


def test_cases_match_documents_by_a_field(orders, write_log):
	log = LOG.replace("\nA,", "\nold-A,").replace("\nB,", "\nold-B,")
	assert run(write_log(log), options(case_field="legacy_id")).added == 5
	assert [value for _old, value in rows("A")] == ["Ordered", "Shipped", "Delivered"]


def test_cases_without_a_document_are_reported_and_left_out_unless_allowed(orders, write_log):
	log = LOG + "a,Ordered,2024-01-01T08:00:00Z,\nGone,Ordered,2024-01-01T08:00:00Z,\n"
	summary = run(write_log(log), options())
	assert (summary.missing_cases, summary.missing_examples, summary.added) == (2, ["Gone", "a"], 5)
	assert rows("Gone") == []
	assert run(write_log(log), options(allow_missing=True)).added == 2
	assert rows("Gone") == [("", "Ordered")]


def test_a_case_that_two_documents_claim_is_reported_and_left_out(orders, write_log):
	frappe.db.set_value(DOCTYPE, "B", "legacy_id", "old-A")
	summary = run(write_log(LOG.replace("\nA,", "\nold-A,")), options(case_field="legacy_id"))
	assert (summary.ambiguous_examples, summary.missing_examples, summary.added) == (["old-A"], ["B"], 0)


def test_bad_rows_are_reported_with_their_place_and_the_rest_is_loaded(orders, write_log):
	summary = run(write_log(LOG + "A,,2024-01-05,\nB,Shipped,someday,\n"), options())
	assert [(str(bad.place), bad.reason) for bad in summary.bad_examples] == [
		("line 8, case A", "no activity"),
		("line 9, case B", UNREADABLE.format("someday")),
	]
	assert (summary.bad_rows, summary.added) == (2, 5)


@pytest.mark.parametrize(
	("line", "message"),
	[
		("B,Shipped,someday,", f'Nothing was loaded: 1 rows cannot be used, the first at line 8, case B: {UNREADABLE.format("someday")}.'),
		("C,Shipped,2024-01-05,", "Nothing was loaded: 1 cases do not have exactly one document, the first is C."),
	],
)  # fmt: skip
def test_strict_stops_before_anything_is_loaded(orders, write_log, line, message):
	with pytest.raises(ImportStopped) as stopped:
		run(write_log(f"{LOG}{line}\n"), options(strict=True, batch_size=1))
	assert str(stopped.value) == message
	assert stopped.value.summary.cases in (2, 3)
	assert frappe.db.count("Milestone", {"reference_type": DOCTYPE}) == 0


def test_a_file_of_which_no_row_can_be_used_stops_with_the_first_reason(orders, write_log):
	with pytest.raises(ImportStopped) as stopped:
		run(write_log("case,activity,timestamp\nA,Ordered,05/01/2024\nB,Ordered,43831\n"), options())
	assert str(stopped.value) == (
		"Nothing was loaded: none of 2 rows can be used, the first at line 2, case A: "
		f"{UNREADABLE.format('05/01/2024')}."
	)
	assert stopped.value.summary.bad_rows == 2


def test_values_the_field_does_not_know_are_reported_and_loaded(orders, write_log):
	summary = run(write_log(LOG.replace("Shipped", "Afloat")), options())
	assert (summary.unknown_values, summary.added) == ({"Afloat": 2}, 5)


def test_what_the_site_records_itself_is_not_imported_twice(orders, write_log):
	order = frappe.get_doc(DOCTYPE, "B")
	order.status = "Shipped"
	order.save()
	table = frappe.qb.DocType("Milestone")
	frappe.qb.update(table).set(table.reached_on, local("2024-01-02T00:00")).where(
		table.reference_name == "B"
	).run()
	summary = run(write_log(), options())
	assert (summary.added, summary.already_recorded) == (4, 1)
	assert rows("B", "value", "source") == [("Ordered", "Import"), ("Shipped", "Save")]


def test_each_batch_is_committed_at_the_end_of_a_case(orders, write_log):
	counts = []
	run(
		write_log(),
		options(batch_size=1),
		commit=lambda: counts.append(frappe.db.count("Milestone", {"reference_type": DOCTYPE})),
	)
	assert counts == [3, 5]


def test_progress_tells_of_reading_and_loading(orders, write_log):
	told = []
	path = write_log()
	run(path, options(), progress=lambda *step: told.append(step))
	assert told[-1] == ("Loading", 6, 6)


def test_values_that_are_cut_and_times_that_were_not_one_moment_are_counted(orders, write_log):
	log = "case,activity,timestamp\n" + "".join(
		f"A,{value},{moment}\n"
		for value, moment in (
			("x" * 200, "2023-03-26 02:30"),
			("x" * 139 + "yz", "2023-10-29 02:30"),
			("x" * 140, "2023-10-29 02:40"),
		)
	)
	summary = run(write_log(log), options(log_format=LogFormat(time_zone="Europe/Berlin")))
	assert (summary.cut_values, summary.merged_values, len(summary.cut_examples)) == (2, 1, 2)
	assert summary.clock_changes == {ClockChange.NEVER: 1, ClockChange.TWICE: 2}


def test_long_values_and_markup_are_stored_as_the_recorder_stores_them(orders, write_log):
	log = f"case,activity,timestamp\nA,{'x' * 200},2024-01-01\nA,<script>1</script>ok ☃,2024-01-02\n"
	run(write_log(log), options())
	assert [value for _old, value in rows("A")] == ["x" * 139 + "…", "ok ☃"] or rows("A")[1][1].endswith(
		"ok ☃"
	)


@pytest.mark.parametrize(
	("changed", "message"),
	[
		({"doctype": "No Such"}, "DocType No Such does not exist. Choose the DocType of the documents to track."),
		({"track_field": "nothing"}, f"{DOCTYPE} has no field nothing. Choose one of its fields."),
		({"track_field": "legacy_id"}, f"No Milestone Tracker records legacy_id of {DOCTYPE}. Create one first, then import its history."),
		({"case_field": "nothing"}, f"""{DOCTYPE} has no field nothing. Choose the field with the case id of the log, or "name"."""),
		({"case_field": "quantity"}, "quantity is of type Int and cannot contain a case id. Choose a field of type Data, Link or Select."),
	],
)  # fmt: skip
def test_a_target_that_is_not_there_is_refused_with_advice(orders, write_log, changed, message):
	with pytest.raises(frappe.ValidationError) as refused:
		run(write_log(), options(**changed))
	assert str(refused.value) == message


def test_a_log_without_events_is_refused(orders, write_log):
	with pytest.raises(EventLogError) as refused:
		run(write_log("case,activity,timestamp\n"), options())
	assert str(refused.value) == "log.csv contains no events."


def test_loading_costs_a_few_queries_a_batch(orders, write_log, count_queries):
	lines = [
		f"{case},{value},2024-01-{day:02d}"
		for case in "AB"
		for day, value in enumerate(["Ordered", "Shipped"] * 10, 1)
	]
	path = write_log("\n".join(["case,activity,timestamp", *lines]))
	with count_queries() as queries:
		assert run(path, options()).added == 40
	# DocType and its fields may have to be read; the load itself is four: documents, milestones, keys, insert.
	assert len([text for text in queries.statements if "Milestone" in text and "tab" in text]) <= 8, str(
		queries
	)


SETUP = """
import frappe
from tests.support.documents import ensure_doctype
ensure_doctype("Log Case", [{"fieldname": "activity", "fieldtype": "Data"}], autoname="prompt")
frappe.get_doc({"doctype": "Milestone Tracker", "document_type": "Log Case", "track_field": "activity"}).insert()
frappe.db.commit()
"""


def read_independently(path) -> dict[str, list[str]]:
	"""The values of each case, in order, read without any of our own code."""
	cases = {}
	with gzip.open(path) as stream:
		for _event, element in xml.etree.ElementTree.iterparse(stream):
			if element.tag.rpartition("}")[2] == "trace":
				name, values = read_trace(element)
				cases[name] = values
				element.clear()
	return cases


def read_trace(trace) -> tuple[str, list[str]]:
	name, values = "", []
	for child in trace:
		if child.get("key") == "concept:name":
			name = child.get("value")
		elif child.tag.rpartition("}")[2] == "event":
			values += [one.get("value") for one in child if one.get("key") == "concept:name"]
	return name, values


def changes_of(values):
	return [value for value, _repeats in groupby(values)]


@pytest.mark.parametrize(("log", "events"), [(SMALL_LOG, 8_577), (LARGE_LOG, 338_247)])
def test_a_whole_log_has_the_same_counts_per_value_and_case_as_its_file(
	event_log_folder, scratch_site, log, events
):
	cases = read_independently(event_log_folder / log)
	site = scratch_site()
	site.python(SETUP)
	command = [
		"milestones",
		"import-log",
		event_log_folder / log,
		"--doctype",
		"Log Case",
		"--field",
		"activity",
	]
	done = site.bench(*command, "--every-event", "--allow-missing")
	assert f"Milestones       {events:>10,}   recorded" in done.stdout
	milestone = frappe.qb.DocType("Milestone")
	count = frappe.query_builder.functions.Count("*")
	with site.connect():

		def counts_by(column):
			query = frappe.qb.from_(milestone).select(column, count).where(milestone.source == "Import")
			return dict(query.groupby(column).run())

		assert counts_by(milestone.value) == Counter(value for values in cases.values() for value in values)
		assert counts_by(milestone.reference_name) == {case: len(values) for case, values in cases.items()}


@pytest.mark.parametrize(("log", "longest"), [(SMALL_LOG, 30), (LARGE_LOG, 12)])
def test_a_sample_replayed_as_saves_and_the_same_sample_imported_agree_with_the_log(
	event_log_folder, make_doctype, tmp_path, log, longest
):
	"""200 cases as real documents, saved once an event, beside the bulk import of the same log."""
	make_doctype("Replayed Case", [{"fieldname": "activity", "fieldtype": "Data"}], autoname="prompt")
	make_doctype("Imported Case", [{"fieldname": "activity", "fieldtype": "Data"}], autoname="prompt")
	cases = {
		name: values
		for name, values in read_independently(event_log_folder / log).items()
		if len(values) <= longest
	}
	sample = dict(list(cases.items())[:: len(cases) // 200][:200])
	assert len(sample) == 200
	frappe.db.bulk_insert(
		"Imported Case", ["name", "creation", "modified"], [(name, *[now_datetime()] * 2) for name in sample]
	)
	for doctype in ("Replayed Case", "Imported Case"):
		track(doctype, "activity")

	for name, values in sample.items():
		document = frappe.get_doc({"doctype": "Replayed Case", "name": name, "activity": values[0]}).insert()
		for value in values[1:]:
			document.activity = value
			document.save()
	summary = run(event_log_folder / log, ImportOptions("Imported Case", "activity"))

	recorded = {doctype: defaultdict(list) for doctype in ("Replayed Case", "Imported Case")}
	for row in frappe.get_all(
		"Milestone",
		{"reference_type": ("in", list(recorded))},
		["reference_type", "reference_name", "from_value", "value"],
		order_by="reached_on asc, idx asc, creation asc",
	):
		recorded[row.reference_type][row.reference_name].append((row.from_value, row.value))
	expected = {
		name: list(zip(["", *changes_of(values)], changes_of(values), strict=False))
		for name, values in sample.items()
	}
	assert recorded["Replayed Case"] == expected
	assert recorded["Imported Case"] == expected
	assert summary.added == sum(map(len, expected.values()))


KILLED = """
import os, sys
import frappe
from milestone_automation.engine.history.log_import import ImportOptions, run
batches = []
def commit():
	frappe.db.commit()
	batches.append(1)
	if len(batches) == 3:
		print(frappe.db.count("Milestone", {"source": "Import"}), flush=True)
		os._exit(0)
run(sys.argv[-1], ImportOptions("Log Case", "activity", allow_missing=True, batch_size=1000), commit=commit)
"""


def test_an_import_killed_half_way_is_completed_by_running_it_again(event_log_folder, scratch_site):
	site = scratch_site()
	site.python(SETUP)
	log = event_log_folder / SMALL_LOG
	loaded = int(site.python(KILLED, log))
	assert 3000 <= loaded < 4000
	command = [
		"milestones",
		"import-log",
		log,
		"--doctype",
		"Log Case",
		"--field",
		"activity",
		"--allow-missing",
	]
	done = site.bench(*command)
	assert f"Already there    {loaded:>10,}" in done.stdout
	expected = {name: len(changes_of(values)) for name, values in read_independently(log).items()}
	counted = site.python(
		"import frappe, json\n"
		"rows = frappe.get_all('Milestone', {'source': 'Import'}, pluck='reference_name')\n"
		"print(json.dumps({name: rows.count(name) for name in set(rows)}))"
	)
	assert json.loads(counted) == expected
	assert "Milestones                0   recorded" in site.bench(*command).stdout


@pytest.mark.one_database
def test_the_command_reports_and_stops_with_a_message(scratch_site, write_log):
	site = scratch_site()
	site.python(SETUP)
	command = [
		"milestones",
		"import-log",
		write_log(LOG + "A,,2024,\n"),
		"--doctype",
		"Log Case",
		"--field",
		"activity",
	]
	dry = site.bench(*command, "--dry-run", "--allow-missing")
	assert "Milestones                5   would be recorded" in dry.stdout
	assert "    line 8, case A: no activity" in dry.stdout
	told = json.loads(site.bench(*command, "--dry-run", "--allow-missing", "--json").stdout)
	assert (told["added"], told["bad_rows"], told["dry_run"]) == (5, 1, True)
	assert told["bad_examples"] == [{"place": "line 8, case A", "reason": "no activity"}]
	strict = site.bench(*command, "--strict", check=False)
	assert strict.returncode == 1
	assert (
		"Nothing was loaded: 1 rows cannot be used, the first at line 8, case A: no activity."
		in strict.stderr
	)
	unusable = site.bench(
		*command[:2],
		write_log("case,activity,timestamp\nA,Open,43831\n", "days.csv"),
		*command[3:],
		check=False,
	)
	assert unusable.returncode == 1
	assert "Bad rows                  1   left out" in unusable.stdout
	assert "Nothing was loaded: none of 1 rows can be used, the first at line 2, case A" in unusable.stderr
	wrong = site.bench(*command, "--doctype", "Nothing", check=False)
	assert (wrong.returncode, "DocType Nothing does not exist." in wrong.stderr) == (1, True)
	with site.connect(), filelock("milestone-history"):
		second = site.bench(*command, check=False)
	assert second.returncode == 1
	assert "Another import, backfill or reconcile is running on this site." in second.stderr
	assert (
		site.python("import frappe; print(frappe.db.count('Milestone', {'source': 'Import'}))").strip() == "0"
	)


def test_milestones_after_an_import_know_how_long_the_last_value_stood(orders, write_log):
	start = add_to_date(now_datetime(), days=-3)
	run(
		write_log(f"case,activity,timestamp\nA,Ordered,{start.isoformat()}\n"),
		options(log_format=LogFormat()),
	)
	order = frappe.get_doc(DOCTYPE, "A")
	order.status = "Shipped"
	order.save()
	(*_before, (seconds, reached_on)) = rows("A", "time_in_previous", "reached_on")
	assert seconds == clock.seconds_between(start, get_datetime(reached_on))
