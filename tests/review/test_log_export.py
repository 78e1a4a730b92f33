"""Event logs out: what is written, who gets what, and that import-log reads it back exactly."""

import csv
import datetime
import gzip
import io
import json
import xml.etree.ElementTree
from zoneinfo import ZoneInfo

import frappe
import pytest
from frappe.utils import get_datetime

from milestone_automation import api
from milestone_automation.desk import log_download
from milestone_automation.engine.base import clock
from milestone_automation.engine.history import log_import, log_marks
from milestone_automation.engine.history.event_log import read_events
from milestone_automation.engine.history.log_events import LogFormat
from milestone_automation.engine.history.milestone_rows import MilestoneRow, Writer
from milestone_automation.engine.review import log_export
from milestone_automation.engine.review.log_export import ExportOptions
from milestone_automation.engine.rules.vocabulary import MilestoneSource
from tests.support.site import kept_out_of_rollback

DOCTYPE = "Exported Order"
FIELDS = [
	{"fieldname": "status", "fieldtype": "Data"},
	{"fieldname": "region", "fieldtype": "Data"},
	{"fieldname": "price", "fieldtype": "Data", "permlevel": 1},
]
READER_ROLE = "Exported Order Reader"
# Reads, and may not export.
VIEWER_ROLE = "Exported Order Viewer"
COMPARED = (
	"reference_name",
	"value",
	"from_value",
	"value_before",
	"reached_on",
	"reached_by",
	"time_in_previous",
	"cleared",
)
# Each would be lost or changed by a simple export: formulas, white space, markup, no value.
AWKWARD = (
	"=1+1",
	"'=1+1",
	"'",
	"-3",
	"+49 30",
	"@home",
	"\tTab first",
	" =SUM(A1)",
	"  spaces around  ",
	'say "yes"; then, go',
	"two\nlines",
	"A & B < C",
	"Ärger in 東京",
	"",
	"x" * 139 + "…",
)
START = datetime.datetime(2025, 3, 1, 8, 0, 0, 123456)
XES_NAMESPACE = "{http://www.xes-standard.org/}"


@pytest.fixture
def orders(site, make_doctype):
	for role in (READER_ROLE, VIEWER_ROLE):
		if not frappe.db.exists("Role", role):
			with kept_out_of_rollback(f"the role {role}"):
				frappe.get_doc({"doctype": "Role", "role_name": role, "desk_access": 1}).insert()
	make_doctype(
		DOCTYPE,
		FIELDS,
		autoname="prompt",
		permissions=[
			{"role": "System Manager", "read": 1, "write": 1, "create": 1, "delete": 1, "export": 1},
			{"role": READER_ROLE, "read": 1, "export": 1},
			{"role": VIEWER_ROLE, "read": 1, "export": 0},
		],
	)
	for name, region in (("A", "North"), ("B", "South"), ("=C", "North")):
		frappe.get_doc({"doctype": DOCTYPE, "name": name, "region": region}).insert()
	frappe.get_doc(
		{"doctype": "Milestone Tracker", "document_type": DOCTYPE, "track_field": "status"}
	).insert()
	return DOCTYPE


def record(name: str, *values: str, start=START, **changed) -> None:
	"""Record values of a document, a day apart."""
	rows, before = [], ""
	for position, value in enumerate(values):
		row = {
			"reference_name": name,
			"from_value": before,
			"value": value,
			"reached_on": start + datetime.timedelta(days=position),
			"reached_by": "zoe@example.com" if position % 2 else "",
			"time_in_previous": 86400 if position else None,
			"position": position,
		}
		rows.append(MilestoneRow(**row | changed))
		before = value
	Writer(DOCTYPE, "status", f"{DOCTYPE}-status", MilestoneSource.IMPORT).insert(rows)


def recorded() -> list[tuple]:
	rows = frappe.get_all(
		"Milestone",
		{"reference_type": DOCTYPE},
		list(COMPARED),
		order_by="reference_name asc, reached_on asc, idx asc",
	)
	return sorted((*(_plain(row[column]) for column in COMPARED),) for row in rows)


def _plain(value) -> str:
	if isinstance(value, datetime.datetime):
		return value.isoformat()
	return "" if value is None else str(value)


def exported(log_format: str = "csv", **options) -> str:
	file = io.StringIO()
	log_export.write(file, ExportOptions(DOCTYPE, "status", log_format, **options))
	return file.getvalue()


def rows_of(text: str) -> list[dict]:
	return list(csv.DictReader(io.StringIO(text)))


def values_of(text: str) -> dict[str, list[str]]:
	cases: dict[str, list[str]] = {}
	for row in rows_of(text):
		cases.setdefault(row["case:concept:name"], []).append(row["concept:name"])
	return cases


def forget_milestones() -> None:
	frappe.db.delete("Milestone", {"reference_type": DOCTYPE})


@pytest.mark.parametrize("name", ["log.xes", "log.csv", "log.xes.gz", "log.csv.gz"])
def test_a_log_comes_back_exactly(orders, tmp_path, name):
	record("A", *AWKWARD)
	record("=C", "Open", "Open", "", "Open")
	# Not what follows from the other events: a value skipped in passing, and a time nobody knows.
	record("B", "Open")
	record("B", "Done", start=START + datetime.timedelta(days=9), from_value="Packed", time_in_previous=0)
	before = recorded()
	log_format = "xes" if ".xes" in name else "csv"
	summary = log_export.to_file(tmp_path / name, ExportOptions(DOCTYPE, "status", log_format))
	assert (summary.cases, summary.events) == (3, len(before))
	forget_milestones()
	done = log_import.run(tmp_path / name, log_import.ImportOptions(DOCTYPE, "status"))
	assert (done.added, done.bad_rows, done.missing_cases) == (len(before), 0, 0)
	assert recorded() == before


@pytest.mark.parametrize("log_format", ["xes", "csv"])
def test_importing_an_export_where_it_comes_from_adds_nothing(orders, tmp_path, log_format):
	record("A", "Open", "", "Open", "Open")
	path = tmp_path / f"log.{log_format}"
	log_export.to_file(path, ExportOptions(DOCTYPE, "status", log_format))
	done = log_import.run(path, log_import.ImportOptions(DOCTYPE, "status"))
	assert (done.added, done.already_there) == (0, 4)


def test_times_that_a_clock_change_skips_or_repeats_come_back(orders, tmp_path, monkeypatch):
	monkeypatch.setattr(clock, "site_zone", lambda: ZoneInfo("Europe/Berlin"))
	record("A", "Skipped", start=datetime.datetime(2025, 3, 30, 2, 30))
	record("B", "Repeated", start=datetime.datetime(2025, 10, 26, 2, 30))
	record("=C", "Local mean time", start=datetime.datetime(1880, 1, 1, 12, 0))
	before = recorded()
	log_export.to_file(tmp_path / "log.xes", ExportOptions(DOCTYPE, "status"))
	written = (tmp_path / "log.xes").read_text()
	assert 'value="2025-03-30T02:30:00"' in written
	assert 'value="2025-10-26T02:30:00+02:00"' in written
	# XML has no offsets of 53 minutes and 28 seconds.
	assert 'value="1880-01-01T11:06:32+00:00"' in written
	forget_milestones()
	log_import.run(tmp_path / "log.xes", log_import.ImportOptions(DOCTYPE, "status"))
	assert recorded() == before


@pytest.mark.parametrize("value", [value for value in AWKWARD if value])
def test_no_cell_is_taken_for_a_formula(value):
	cell = log_marks.guarded(value)
	assert not cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d"))
	assert log_marks.unguarded(cell) == value


def test_a_formula_in_any_column_is_text_in_a_spreadsheet(orders):
	record("=C", "+1", "=HYPERLINK(0)", reached_by="@zoe")
	row = rows_of(exported())[1]
	assert (row["case:concept:name"], row["concept:name"]) == ("'=C", "'=HYPERLINK(0)")
	assert (row["org:resource"], row["milestone_from_value"]) == ("'@zoe", "'+1")


def test_xes_has_its_parts_in_the_order_of_the_standard(orders):
	record("A", "Open", "")
	log = xml.etree.ElementTree.fromstring(exported("xes"))
	tags = [element.tag.removeprefix(XES_NAMESPACE) for element in log]
	assert tags == ["extension"] * 3 + ["global"] * 2 + ["classifier", "string", "trace"]
	assert log.get("xes.version") == "1849.2016"
	trace = log.find(f"{XES_NAMESPACE}trace")
	first, second = (
		[(a.tag.removeprefix(XES_NAMESPACE), a.get("key"), a.get("value")) for a in event]
		for event in trace.iter(f"{XES_NAMESPACE}event")
	)
	moment = START.replace(tzinfo=clock.site_zone()).isoformat()
	assert first == [
		("string", "concept:name", "Open"),
		("date", "time:timestamp", moment),
		("string", "milestone_from_value", ""),
	]
	assert second[2:] == [
		("string", "org:resource", "zoe@example.com"),
		("string", "milestone_from_value", "Open"),
		("int", "milestone_seconds_in_previous", "86400"),
		("boolean", "milestone_cleared", "true"),
	]


def test_characters_that_xml_cannot_carry_are_replaced(orders, tmp_path):
	record("A", "Open")
	frappe.db.set_value("Milestone", {"reference_type": DOCTYPE}, "value", "Bell\x07 and \ufffe")
	for log_format in ("xes", "csv"):
		path = tmp_path / f"log.{log_format}"
		log_export.to_file(path, ExportOptions(DOCTYPE, "status", log_format))
		(event,) = read_events(path, LogFormat())
		assert event.value == "Bell\ufffd and \ufffd"


def test_pages_split_no_document_and_lose_none(orders, monkeypatch):
	for name in ("A", "a", "Á", "B", "=C", "ZZ"):
		record(name, "Open", "Done", "Open", "Done")
	whole = values_of(exported())
	assert whole == {name: ["Open", "Done"] * 2 for name in ("A", "a", "Á", "B", "'=C", "ZZ")}
	for page in (1, 2, 3, 5, 8):
		monkeypatch.setattr(log_export, "PAGE", page)
		assert values_of(exported()) == whole


def test_what_reports_do_not_count_is_not_exported(orders):
	record("A", "Open", "Packed", "Done", "Closed")
	for value, flag in (("Packed", "passing"), ("Done", "undone"), ("Closed", "reference_deleted")):
		frappe.db.set_value("Milestone", {"reference_type": DOCTYPE, "value": value}, flag, 1)
	assert values_of(exported()) == {"A": ["Open"]}


def test_an_event_does_not_come_from_a_value_that_was_only_passed_through(orders):
	record("A", "Open", "Packed", "Done")
	frappe.db.set_value("Milestone", {"reference_type": DOCTYPE, "value": "Packed"}, "passing", 1)
	frappe.db.set_value("Milestone", {"reference_type": DOCTYPE, "value": "Done"}, "value_before", "Open")
	assert [row["milestone_from_value"] for row in rows_of(exported())] == ["", "Open"]


def test_period_and_filters_choose_events_and_documents(orders):
	record("A", "Open", "Packed", "Done")
	record("B", "Open")
	record("=C", "Open")
	day = START.date() + datetime.timedelta(days=1)
	assert values_of(exported(start=day, end=day)) == {"A": ["Packed"]}
	assert set(values_of(exported(filters={"region": "North"}))) == {"A", "'=C"}
	assert set(values_of(exported(filters=[[DOCTYPE, "region", "!=", "North"]]))) == {"B"}
	assert set(values_of(exported(filters={"name": ["in", ["A", "B"]], "region": "South"}))) == {"B"}


def test_nothing_to_export_is_said_and_leaves_no_file(orders, tmp_path):
	path = tmp_path / "log.xes"
	with pytest.raises(frappe.ValidationError) as refused:
		log_export.to_file(path, ExportOptions(DOCTYPE, "status"))
	assert str(refused.value) == (
		f"There are no milestones of status of {DOCTYPE} to export, or you may not read their documents."
	)
	assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(orders, tmp_path):
	record("A", "Open")
	path = tmp_path / "nowhere" / "log.xes"
	with pytest.raises(frappe.ValidationError) as refused:
		log_export.to_file(path, ExportOptions(DOCTYPE, "status"))
	assert str(refused.value) == f"Cannot write {path}: No such file or directory."


# ------------------------------------------------------------------------------------------------- the desk


@pytest.fixture
def manager(orders, make_user):
	"""A Milestone Manager who may read document A only."""
	user = make_user("lea.log@example.com", roles=["Milestone Manager", READER_ROLE])
	values = {"user": user, "allow": DOCTYPE, "for_value": "A"}
	frappe.get_doc({"doctype": "User Permission", **values}).insert()
	return user


def test_a_manager_gets_the_documents_that_she_may_read(manager, as_user):
	record("A", "Open", "Done")
	record("B", "Open")
	with as_user(manager):
		answer = api.export_log(DOCTYPE, "status", "csv")
		assert log_export.count(ExportOptions(DOCTYPE, "status")) == 2
	assert answer["events"] == 2
	assert answer["file_name"] == "exported_order-status.csv"
	assert values_of(answer["content"]) == {"A": ["Open", "Done"]}


def test_who_may_not_export_the_documents_gets_no_log(orders, make_user, as_user):
	record("A", "Open")
	clerk = make_user("carl.clerk@example.com", roles=[READER_ROLE])
	with as_user(clerk), pytest.raises(frappe.PermissionError) as refused:
		api.export_log(DOCTYPE, "status")
	assert str(refused.value) == "Only a System Manager or Milestone Manager may do this. Ask one of them."
	manager = make_user("mia.manager@example.com", roles=["Milestone Manager", VIEWER_ROLE])
	with as_user(manager), pytest.raises(frappe.PermissionError) as refused:
		api.export_log(DOCTYPE, "status")
	assert str(refused.value) == f"You are not allowed to export {DOCTYPE} doctype"


def test_a_field_that_the_manager_may_not_read_is_not_exported(manager, as_user):
	with as_user(manager), pytest.raises(frappe.PermissionError):
		api.export_log(DOCTYPE, "price")


def test_a_large_log_becomes_a_private_file_of_the_user(manager, as_user, monkeypatch):
	record("A", "Open", "Done")
	record("B", "Open")
	queued = []
	monkeypatch.setattr(log_download, "DIRECT_EVENTS", 1)
	monkeypatch.setattr(
		frappe, "enqueue", lambda *_given, **values: "request" in values and queued.append(values)
	)
	with as_user(manager):
		assert api.export_log(DOCTYPE, "status", "csv") == {"events": 2, "in_background": True}
		frappe.db.after_commit.run()
		(values,) = queued
		frappe.get_attr(values["method"])(request=values["request"])
	note = frappe.get_last_doc("Notification Log", {"for_user": manager})
	assert note.subject == "The event log exported_order-status.csv.gz is ready."
	file = frappe.get_doc("File", note.document_name)
	assert (file.owner, file.is_private, file.file_name) == (manager, 1, "exported_order-status.csv.gz")
	with open(file.get_full_path(), "rb") as stream:
		assert values_of(gzip.decompress(stream.read()).decode("utf-8-sig")) == {"A": ["Open", "Done"]}
	file.delete()


def test_a_job_that_fails_tells_its_user_why(manager, as_user):
	with as_user(manager):
		log_download.export_in_background({"document_type": DOCTYPE, "track_field": "status"})
	note = frappe.get_last_doc("Notification Log", {"for_user": manager})
	assert note.subject == (
		"The event log could not be exported: There are no milestones of status of Exported Order to export,"
		" or you may not read their documents."
	)


# ---------------------------------------------------------------------------------------------- the command

SETUP = f"""
import frappe
from tests.support.documents import ensure_doctype
ensure_doctype("{DOCTYPE}", [{{"fieldname": "status", "fieldtype": "Data"}}], autoname="prompt")
frappe.get_doc({{"doctype": "Milestone Tracker", "document_type": "{DOCTYPE}", "track_field": "status"}}).insert()
for name in ("A", "B"):
	doc = frappe.get_doc({{"doctype": "{DOCTYPE}", "name": name, "status": "Open"}}).insert()
	frappe.db.commit()  # a value that is left in its own transaction is only passing
	doc.status = ""
	doc.save()
frappe.db.commit()
"""


@pytest.mark.one_database
def test_the_command_writes_a_log_that_another_site_takes(scratch_site, tmp_path):
	site = scratch_site()
	site.python(SETUP)
	log = tmp_path / "log.xes.gz"
	done = site.bench("milestones", "export-log", DOCTYPE, "status", "--output", log)
	assert "Cases                     2\nEvents                    4" in done.stdout
	filtered = tmp_path / "filtered.csv"
	site.bench(
		"milestones",
		"export-log",
		DOCTYPE,
		"status",
		"--output",
		filtered,
		"--filters",
		json.dumps({"name": "B"}),
	)
	assert set(values_of(filtered.read_text("utf-8-sig"))) == {"B"}
	wrong = site.bench("milestones", "export-log", DOCTYPE, "status", "--output", "log.xlsx", check=False)
	assert (
		wrong.returncode,
		"Name a file that ends with .xes, .xes.gz, .csv or .csv.gz." in wrong.stderr,
	) == (
		2,
		True,
	)
	late = ("--since", "2999-01-01", "--output", tmp_path / "empty.xes")
	empty = site.bench("milestones", "export-log", DOCTYPE, "status", *late, check=False)
	assert empty.returncode == 1
	assert f"There are no milestones of status of {DOCTYPE} to export" in empty.stderr
	with site.connect():
		before = recorded()
		forget_milestones()
		frappe.db.commit()
	site.bench("milestones", "import-log", log, "--doctype", DOCTYPE, "--field", "status")
	with site.connect():
		assert recorded() == before
		assert [row[1] for row in before] == ["", "Open", "", "Open"]


# ---------------------------------------------------------------------------------------------------- pm4py


@pytest.mark.parametrize("name", ["log.xes", "log.csv"])
def test_pm4py_opens_a_log(orders, tmp_path, name):
	pm4py = pytest.importorskip("pm4py", reason="pm4py is not installed; it is no dependency of the app")
	pandas = pytest.importorskip("pandas")
	record("A", "Open", "Done")
	record("=C", "Open", "", "Open")
	path = tmp_path / name
	log_export.to_file(path, ExportOptions(DOCTYPE, "status", path.suffix[1:]))
	if path.suffix == ".xes":
		log = pm4py.read_xes(str(path))
	else:
		log = pm4py.format_dataframe(pandas.read_csv(path, keep_default_na=False))
	assert len(log) == 5
	assert set(log["case:concept:name"]) == ({"A", "=C"} if path.suffix == ".xes" else {"A", "'=C"})
	edges, starts, _ends = pm4py.discover_dfg(log)
	assert edges == {("Open", "Done"): 1, ("Open", ""): 1, ("", "Open"): 1}
	assert starts == {"Open": 2}
	times = [
		get_datetime(moment).replace(tzinfo=None)
		for moment in log["time:timestamp"].dt.tz_convert(clock.site_zone())
	]
	assert min(times) == START
