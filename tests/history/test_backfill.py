"""Milestones from before a tracker was made, out of Frappe's Version log."""

import json

import frappe
import pytest
from frappe.utils import add_to_date, get_datetime, now_datetime

from milestone_automation.engine.history import backfill
from milestone_automation.engine.history.version_values import VersionReader
from milestone_automation.engine.tracking.registry import TrackedField

DOCTYPE = "Backfilled Order"
FIELDS = [
	{"fieldname": "status", "fieldtype": "Select", "options": "\nOpen\nShipped\nDelivered"},
	{"fieldname": "due", "fieldtype": "Date"},
	{"fieldname": "price", "fieldtype": "Currency"},
	{"fieldname": "seen_at", "fieldtype": "Datetime"},
	{"fieldname": "note", "fieldtype": "Data"},
]


@pytest.fixture
def doctype(make_doctype):
	return make_doctype(DOCTYPE, FIELDS, track_changes=1)


def make_tracker(*fields, doctype=DOCTYPE, **values):
	first, *more = fields
	tracker = {"doctype": "Milestone Tracker", "document_type": doctype, "track_field": first, **values}
	return frappe.get_doc({**tracker, "extra_fields": [{"track_field": name} for name in more]}).insert().name


def make_order(doctype=DOCTYPE, **values):
	return frappe.get_doc({"doctype": doctype, **values}).insert()


def change(order, **values):
	order = frappe.get_doc(order.doctype, order.name)
	order.update(values)
	order.save()
	return order


def move_history(order, days):
	"""Move a document and its versions into the past; keeps their order."""
	for name in (order.doctype, "Version"):
		table = frappe.qb.DocType(name)
		own = table.name == order.name if name == order.doctype else table.docname == order.name
		for row_name, creation in frappe.qb.from_(table).select(table.name, table.creation).where(own).run():
			moved = add_to_date(creation, days=-days)
			frappe.qb.update(table).set(table.creation, moved).where(table.name == row_name).run()


def history(name, fieldname="status", *columns):
	return [
		tuple(row)
		for row in frappe.get_all(
			"Milestone",
			{"reference_name": name, "track_field": fieldname},
			list(columns or ("from_value", "value", "source")),
			order_by="reached_on asc, idx asc, creation asc",
			as_list=True,
		)
	]


def test_every_logged_change_becomes_a_milestone_with_time_user_and_duration(doctype, make_user, as_user):
	order = make_order(status="Open")
	with as_user(make_user("buyer@example.com", roles=["System Manager"])):
		order = change(order, status="Shipped")
	order = change(order, note="no change of status")
	order = change(order, status="Delivered")
	move_history(order, 30)
	tracker = make_tracker("status")

	summary = backfill.run(tracker)

	assert (summary.documents, summary.added, summary.by_field) == (1, 3, {"status": 3})
	assert history(order.name) == [
		("", "Open", "Backfill"),
		("Open", "Shipped", "Backfill"),
		("Shipped", "Delivered", "Backfill"),
	]
	created = get_datetime(frappe.db.get_value(DOCTYPE, order.name, "creation"))
	logged = frappe.get_all("Version", {"docname": order.name}, pluck="creation", order_by="creation")
	versions = [get_datetime(moment) for moment in logged]
	rows = history(order.name, "status", "reached_on", "reached_by", "milestone_tracker", "owner", "creation")
	assert rows[0][:3] == (created, "Administrator", tracker)
	assert [row[0] for row in rows[1:]] == [versions[0], versions[2]]
	assert rows[1][1] == rows[1][3] == "buyer@example.com"
	assert all(get_datetime(row[4]) == row[0] for row in rows)
	assert [row[0] for row in history(order.name, "status", "time_in_previous")] == [
		None,
		int((versions[0] - created).total_seconds()),
		int((versions[2] - versions[0]).total_seconds()),
	]


def test_running_again_adds_nothing_also_after_a_rename(doctype):
	order = change(make_order(status="Open"), status="Shipped")
	tracker = make_tracker("status")
	assert backfill.run(tracker).added == 2
	again = backfill.run(tracker)
	assert (again.added, again.already_there) == (0, 2)
	frappe.rename_doc(DOCTYPE, order.name, "renamed-order")
	assert backfill.run(tracker).added == 0
	assert len(history("renamed-order")) == 2


def test_what_the_recorder_wrote_is_not_written_twice(doctype):
	order = change(make_order(status="Open"), status="Shipped")
	tracker = make_tracker("status")
	order = change(order, status="Delivered")
	young = change(make_order(status="Open"), status="Shipped")

	summary = backfill.run(tracker)

	assert (summary.added, summary.already_recorded) == (2, 3)
	assert history(order.name) == [
		("", "Open", "Backfill"),
		("Open", "Shipped", "Backfill"),
		("Shipped", "Delivered", "Save"),
	]
	assert history(young.name) == [("", "Open", "Save"), ("Open", "Shipped", "Save")]


def test_milestones_adopted_from_core_are_not_written_twice(doctype):
	order = change(make_order(status="Open"), status="Shipped")
	tracker = make_tracker("status")
	order = change(order, status="Delivered")
	milestone = frappe.qb.DocType("Milestone")
	frappe.qb.update(milestone).set(milestone.from_value, None).where(
		milestone.reference_name == order.name
	).run()
	assert backfill.run(tracker).added == 2
	assert [row[1] for row in history(order.name)] == ["Open", "Shipped", "Delivered"]


def test_a_dry_run_counts_and_writes_nothing(doctype):
	order = change(make_order(status="Open"), status="Shipped")
	summary = backfill.run(make_tracker("status"), dry_run=True)
	assert (summary.added, history(order.name)) == (2, [])


@pytest.fixture
def site_writes():
	"""Function `site_writes(date_format, number_format)`: how the site shows dates and numbers in this test."""

	def forget_settings():
		frappe.clear_document_cache("System Settings", "System Settings")
		if hasattr(frappe.local, "system_settings"):
			del frappe.local.system_settings

	def set_formats(date_format, number_format):
		for name, value in (("date_format", date_format), ("number_format", number_format)):
			frappe.db.set_value("System Settings", None, name, value)
			frappe.db.set_default(name, value)
		forget_settings()

	yield set_formats
	frappe.db.rollback()
	forget_settings()


def test_values_come_back_from_how_the_user_saw_them(doctype, site_writes):
	site_writes("dd.mm.yyyy", "#.###,##")
	order = make_order(due="2024-01-05", price=1234.5, seen_at="2024-01-05 10:00:00")
	order = change(order, due="2024-02-03", price=7, seen_at="2024-01-06 11:30:00")
	logged = json.loads(frappe.get_last_doc("Version", {"docname": order.name}).data)["changed"]
	assert ["due", "05.01.2024", "03.02.2024"] in logged
	backfill.run(make_tracker("due", "price", "seen_at"))
	assert [row[1] for row in history(order.name, "due")] == ["2024-01-05", "2024-02-03"]
	assert [row[1] for row in history(order.name, "price")] == ["1234.5", "7"]
	assert [row[1] for row in history(order.name, "seen_at")] == [
		"2024-01-05 10:00:00",
		"2024-01-06 11:30:00",
	]


@pytest.mark.parametrize(
	("fieldtype", "logged", "value"),
	[
		("Currency", "€ 1,234.50", 1234.5),
		("Currency", "-$ 7.00", -7.0),
		("Float", "0.125", 0.125),
		("Percent", "12.5%", 12.5),
		("Duration", "1d 2h 3m", 93780),
		("Duration", "forever", "forever"),
		("Date", "never", "never"),
		("Date", None, None),
		("Int", 5, 5),
		("Data", "as it is", "as it is"),
	],
)
def test_logged_values_are_read_by_type_and_kept_when_they_cannot_be(site_writes, fieldtype, logged, value):
	site_writes("yyyy-mm-dd", "#,###.##")
	assert VersionReader("ToDo", TrackedField("status", fieldtype)).read(logged) == value


def test_a_translated_option_is_turned_back(doctype):
	frappe.get_doc(
		{"doctype": "Translation", "language": "de", "source_text": "Shipped", "translated_text": "Versandt"}
	).insert()
	frappe.db.set_value("User", "Guest", "language", "de")
	reader = VersionReader(DOCTYPE, TrackedField("status", "Select"))
	assert (reader.read("Versandt"), reader.read("Open"), reader.read("?")) == ("Shipped", "Open", "?")


def test_a_gap_in_the_log_leaves_the_duration_open(doctype):
	order = make_order(status="Open")
	frappe.db.set_value(DOCTYPE, order.name, "status", "Shipped")
	order = change(order, status="Delivered")
	assert frappe.db.count("Version", {"docname": order.name}) == 1
	order = change(order, status="Open")
	frappe.db.set_value(DOCTYPE, order.name, "status", "Shipped")
	order = change(order, status="Delivered")
	summary = backfill.run(make_tracker("status"))
	assert summary.gaps == 1
	assert history(order.name, "status", "from_value", "value", "time_in_previous") == [
		("", "Shipped", None),
		("Shipped", "Delivered", 0),
		("Delivered", "Open", 0),
		("Shipped", "Delivered", None),
	]


def test_documents_out_of_the_trackers_condition_get_nothing(doctype):
	watched, other = make_order(status="Open", note="watch"), make_order(status="Open")
	summary = backfill.run(make_tracker("status", condition="doc.note == 'watch'"))
	assert (summary.documents, summary.out_of_condition, summary.added) == (2, 1, 1)
	assert (len(history(watched.name)), len(history(other.name))) == (1, 0)


def test_an_empty_first_value_is_no_milestone(doctype):
	empty, later = make_order(), change(make_order(), status="Open")
	backfill.run(make_tracker("status"))
	assert history(empty.name) == []
	assert history(later.name) == [("", "Open", "Backfill")]


def test_without_track_changes_the_known_value_is_dated_by_the_last_change(make_doctype):
	name = make_doctype("Unlogged Order", [{"fieldname": "status", "fieldtype": "Data"}])
	untouched = make_order(name, status="Open")
	changed = change(make_order(name, status="Open"), status="Shipped")
	frappe.db.set_value(
		name, changed.name, "creation", add_to_date(now_datetime(), days=-9), update_modified=False
	)
	summary = backfill.run(make_tracker("status", doctype=name))
	assert (summary.added, summary.uncertain) == (2, 1)
	assert history(untouched.name, "status", "reached_on") == [(get_datetime(untouched.creation),)]
	assert history(changed.name, "status", "value", "reached_on") == [
		("Shipped", get_datetime(changed.modified))
	]


def test_foreign_entries_in_the_log_are_passed_over(doctype):
	order = change(make_order(status="Open"), status="Shipped")
	for data in ("", "no json", "[]", '{"changed": [["status"]]}', '{"changed": 7}'):
		version = frappe.get_doc(
			{"doctype": "Version", "ref_doctype": DOCTYPE, "docname": order.name, "data": data}
		)
		version.insert()
	assert backfill.run(make_tracker("status")).added == 2


def test_the_work_is_done_in_batches_with_a_few_queries_each(doctype, count_queries, monkeypatch):
	for _number in range(7):
		change(make_order(status="Open"), status="Shipped")
	tracker = make_tracker("status")
	monkeypatch.setattr(backfill, "DOCUMENTS_PER_BATCH", 3)
	told = []
	with count_queries() as queries:
		assert backfill.run(tracker, progress=lambda *done: told.append(done)).added == 14
	assert told == [(3, 7), (6, 7), (7, 7)]
	# Per batch: documents, versions, milestones, insert, and whether its new users exist.
	assert queries.count <= 2 + 3 * 5 + 1 + 3, str(queries)


def test_an_unknown_tracker_is_refused():
	with pytest.raises(frappe.DoesNotExistError) as refused:
		backfill.run("No Such Tracker")
	assert str(refused.value) == (
		"Milestone Tracker No Such Tracker does not exist. Choose one from the list of trackers."
	)


@pytest.mark.one_database
def test_the_command_backfills_and_reports(scratch_site):
	site = scratch_site()
	site.python(
		"""
import frappe
todo = frappe.get_doc({"doctype": "ToDo", "description": "x", "status": "Open"}).insert()
todo.status = "Closed"
todo.save()
frappe.get_doc({"doctype": "Milestone Tracker", "document_type": "ToDo", "track_field": "status"}).insert()
frappe.db.commit()
"""
	)
	dry = site.bench("milestones", "backfill", "ToDo-status", "--dry-run").stdout
	assert "would be recorded" in dry
	done = site.bench("milestones", "backfill", "ToDo-status").stdout
	assert (
		site.python("import frappe; print(frappe.db.count('Milestone', {'source': 'Backfill'}))").strip()
		!= "0"
	)
	assert "recorded" in done
	refused = site.bench("milestones", "backfill", "Nothing", check=False)
	assert refused.returncode == 1
	assert "Milestone Tracker Nothing does not exist." in refused.stderr
	said = site.bench("milestones", "reconcile").stdout.splitlines()
	assert said[-1] == "ToDo-status: 0 milestones found later"
