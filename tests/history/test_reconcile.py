"""Changes made behind Frappe's back are found, once, by one query a field."""

import datetime

import frappe
import pytest
from frappe.utils import add_to_date, get_datetime, now_datetime

from milestone_automation.engine.history import reconcile
from milestone_automation.engine.history.milestone_rows import MilestoneRow, Writer
from milestone_automation.engine.rules.vocabulary import MilestoneSource
from milestone_automation.engine.tracking import registry
from milestone_automation.engine.tracking.milestones import insert

FIELDS = [
	{"fieldname": "status", "fieldtype": "Select", "options": "\nOpen\nopen\nShipped\nDelivered"},
	{"fieldname": "due", "fieldtype": "Date"},
	{"fieldname": "price", "fieldtype": "Currency"},
	{"fieldname": "seen_at", "fieldtype": "Datetime"},
	{"fieldname": "paid", "fieldtype": "Check"},
	{"fieldname": "note", "fieldtype": "Small Text"},
]
DOCTYPE = "Reconciled Order"


@pytest.fixture
def tracked(make_doctype):
	"""Function `tracked("status", "due", condition=...)`: a tracker of these fields; returns its name."""
	make_doctype(DOCTYPE, FIELDS)

	def track(field, *more, **values):
		tracker = frappe.get_doc(
			{
				"doctype": "Milestone Tracker",
				"document_type": DOCTYPE,
				"track_field": field,
				"extra_fields": [{"track_field": name} for name in more],
				**values,
			}
		)
		return tracker.insert().name

	return track


def make_order(**values):
	return frappe.get_doc({"doctype": DOCTYPE, **values}).insert()


def set_by_sql(name, fieldname, value):
	table = frappe.qb.DocType(DOCTYPE)
	frappe.qb.update(table).set(table[fieldname], value).where(table.name == name).run()


def milestones(name, *fields, **filters):
	rows = frappe.get_all(
		"Milestone",
		filters={"reference_type": DOCTYPE, "reference_name": name, **filters},
		fields=list(fields or ("from_value", "value", "source")),
		order_by="reached_on asc, creation asc",
		as_list=True,
	)
	return tuple(row[0] if len(fields) == 1 else tuple(row) for row in rows)


def test_a_change_by_sql_is_recorded_as_found_later_with_the_time_of_finding(tracked):
	tracker = tracked("status")
	order = make_order(status="Open")
	set_by_sql(order.name, "status", "Shipped")
	before = now_datetime()
	assert reconcile.run() == {tracker: 1}
	(found,) = frappe.get_all("Milestone", {"reference_name": order.name, "source": "Reconcile"}, ["*"])
	assert (found.from_value, found.value, found.track_field) == ("Open", "Shipped", "status")
	assert (found.milestone_tracker, found.cleared, found.undone) == (tracker, 0, 0)
	assert before <= get_datetime(found.reached_on) <= now_datetime()
	assert found.time_in_previous is not None


def test_a_change_by_db_set_value_takes_time_and_user_from_the_document(tracked, make_user, as_user):
	tracked("status")
	order = make_order(status="Open")
	with as_user(make_user("sneaky@example.com")):
		frappe.db.set_value(DOCTYPE, order.name, "status", "Shipped")
	modified = frappe.db.get_value(DOCTYPE, order.name, "modified")
	reconcile.run()
	assert milestones(order.name, "value", "reached_on", "reached_by", source="Reconcile") == (
		("Shipped", get_datetime(modified), "sneaky@example.com"),
	)


def test_running_again_and_saving_afterwards_record_nothing_twice(tracked):
	tracker = tracked("status", "due", "price", "seen_at", "paid", "note")
	order = make_order(
		status="Open", due="2024-01-05", price=12.5, seen_at="2024-01-05 10:00:00", note="x" * 200
	)
	for fieldname, value in (
		("status", "Shipped"),
		("due", "2024-01-06"),
		("price", 13),
		("seen_at", "2024-01-05 11:00:00.5"),
		("paid", 1),
		("note", "y" * 140),
	):
		set_by_sql(order.name, fieldname, value)
	assert reconcile.run() == {tracker: 6}
	assert reconcile.run() == {tracker: 0}
	frappe.get_doc(DOCTYPE, order.name).save()
	assert reconcile.run() == {tracker: 0}
	assert milestones(order.name, "value", source="Reconcile", track_field="seen_at") == (
		"2024-01-05 11:00:00.500000",
	)


def test_unchanged_documents_of_every_type_are_not_found(tracked):
	tracker = tracked("status", "due", "price", "seen_at", "paid", "note")
	make_order(
		status="Open", due="2024-01-05", price=1234567.891, seen_at=now_datetime(), note="<b>bold</b> ☃ " * 20
	)
	make_order()
	assert reconcile.run() == {tracker: 0}


def test_a_field_cleared_or_changed_in_case_only_is_found(tracked):
	tracker = tracked("status", "due")
	cleared, lowered = make_order(status="Open", due="2024-01-05"), make_order(status="Open")
	set_by_sql(cleared.name, "status", None)
	set_by_sql(cleared.name, "due", None)
	set_by_sql(lowered.name, "status", "open")
	assert reconcile.run() == {tracker: 3}
	assert milestones(
		cleared.name, "from_value", "value", "cleared", source="Reconcile", track_field="status"
	) == (("Open", "", 1),)
	assert milestones(lowered.name, source="Reconcile") == (("Open", "open", "Reconcile"),)
	assert reconcile.run() == {tracker: 0}


def test_documents_older_than_the_tracker_are_left_alone_and_younger_ones_found(tracked):
	old = make_order(status="Open")
	tracker = tracked("status")
	bulk = [
		(name, add_to_date(now_datetime(), seconds=5), add_to_date(now_datetime(), seconds=5), "Open")
		for name in ("bulk-1", "bulk-2")
	]
	frappe.db.bulk_insert(DOCTYPE, ["name", "creation", "modified", "status"], bulk)
	frappe.db.bulk_insert(
		DOCTYPE, ["name", "creation", "modified", "status"], [("bulk-3", *bulk[0][1:3], None)]
	)
	assert reconcile.run() == {tracker: 2}
	assert milestones(old.name) == ()
	assert milestones("bulk-1") == (("", "Open", "Reconcile"),)
	assert milestones("bulk-3") == ()
	assert reconcile.run() == {tracker: 0}


def test_each_tracked_field_costs_one_query_and_deleted_documents_one_more(tracked, count_queries):
	tracker = tracked("status", "due", "price")
	for _number in range(5):
		make_order(status="Open", due="2024-01-05")
	registry.all_rules()
	# Asked once in a transaction; on Frappe 15 saving has asked already.
	frappe.db.exists("DocType", DOCTYPE, cache=True)
	with count_queries() as queries:
		assert reconcile.run(DOCTYPE) == {tracker: 0}
	assert queries.count == 4, str(queries)


def test_the_trackers_condition_holds_here_too(tracked):
	tracker = tracked("status", condition="doc.note == 'watch'")
	watched, other = make_order(status="Open", note="watch"), make_order(status="Open", note="watch")
	for order in (watched, other):
		set_by_sql(order.name, "status", "Shipped")
	set_by_sql(other.name, "note", "leave")
	assert reconcile.run() == {tracker: 1}
	assert milestones(other.name) == (("", "Open", "Save"),)


def test_milestones_of_a_deleted_document_do_not_count_for_a_new_one_of_its_name(tracked):
	tracker = tracked("status")
	order = make_order(status="Shipped")
	name = order.name
	order.delete()
	now = add_to_date(now_datetime(), seconds=5)
	frappe.db.bulk_insert(DOCTYPE, ["name", "creation", "modified", "status"], [(name, now, now, "Open")])
	assert reconcile.run() == {tracker: 1}
	assert milestones(name, reference_deleted=0) == (("", "Open", "Reconcile"),)


def test_the_milestones_of_a_document_deleted_by_sql_are_marked_and_those_of_others_stay(
	tracked, count_queries
):
	tracked("status")
	gone, here = make_order(status="Open"), make_order(status="Open")
	frappe.db.delete(DOCTYPE, {"name": gone.name})
	# What an event log tells of a document that was never here.
	imported = {
		"reference_type": DOCTYPE,
		"reference_name": "OLD-1",
		"track_field": "status",
		"value": "Open",
	}
	insert([{**imported, "import_key": "a-key-of-the-log"}])
	for _night in range(2):
		reconcile.run(DOCTYPE)
	assert milestones(gone.name, "reference_deleted") == (1,)
	assert milestones(here.name, "reference_deleted") == (0,)
	assert milestones("OLD-1", "reference_deleted") == (0,)
	with count_queries() as counted:
		reconcile.mark_gone(DOCTYPE)
	assert counted.count == 1, str(counted)


def test_of_several_milestones_of_one_instant_the_last_in_order_counts(tracked):
	tracker = tracked("status")
	order = make_order(status="Open")
	later = add_to_date(now_datetime(), days=1)
	values = ["Shipped", "Delivered", "Open"]
	Writer(DOCTYPE, "status", tracker, MilestoneSource.IMPORT).insert(
		MilestoneRow(order.name, "", value, later, "", None, position)
		for position, value in enumerate(values)
	)
	assert reconcile.run() == {tracker: 0}


def test_a_fault_in_one_tracker_is_logged_by_name_and_the_others_go_on(tracked, make_doctype):
	make_doctype("Reconciled Case", [{"fieldname": "state", "fieldtype": "Data"}])
	broken = tracked("status", "note")
	healthy = frappe.get_doc(
		{"doctype": "Milestone Tracker", "document_type": "Reconciled Case", "track_field": "state"}
	).insert()
	order = make_order(status="Open", note="a")
	case = frappe.get_doc({"doctype": "Reconciled Case", "state": "Open"}).insert()
	frappe.db.set_value("Reconciled Case", case.name, "state", "Closed")
	set_by_sql(order.name, "note", "b")
	frappe.db.set_value("Milestone Tracker", broken, "track_field", "no_such_column")
	registry.clear()
	assert reconcile.run() == {broken: 1, healthy.name: 1}
	titles = frappe.get_all("Error Log", {"method": ("like", f"%{broken}%")}, pluck="method")
	assert titles == [f"Milestone Tracker {broken}: no_such_column could not be reconciled"]


def test_disabled_trackers_are_left_out(tracked):
	tracker = tracked("status")
	order = make_order(status="Open")
	set_by_sql(order.name, "status", "Shipped")
	doc = frappe.get_doc("Milestone Tracker", tracker)
	doc.disabled = 1
	doc.save()
	assert reconcile.run() == {}
	assert milestones(order.name) == (("", "Open", "Save"),)


def test_a_modified_time_in_the_future_is_not_believed(tracked):
	tracked("status")
	order = make_order(status="Open")
	set_by_sql(order.name, "status", "Shipped")
	set_by_sql(order.name, "modified", now_datetime() + datetime.timedelta(days=30))
	reconcile.run()
	(reached_on,) = milestones(order.name, "reached_on", source="Reconcile")
	assert get_datetime(reached_on) <= now_datetime()
