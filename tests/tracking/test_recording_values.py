"""What is written down for a value of each kind, and which values are the same one."""

import datetime
import re

import frappe
import pytest
from frappe.custom.doctype.custom_field.custom_field import create_custom_field
from frappe.custom.doctype.property_setter.property_setter import make_property_setter
from frappe.utils import now_datetime

LONG = "x" * 200


@pytest.fixture
def recorded(tracking):
	"""Function `recorded(field, first, *more)`: insert with the first value, save each other; what was recorded."""

	def record(field, first, *more):
		tracking.track(field)
		order = tracking.order(**{field: first}).insert()
		for value in more:
			order.set(field, value)
			order.save()
		return [change[1:] for change in tracking.changes(order.name)]

	return record


@pytest.mark.parametrize(
	("field", "first", "again"),
	[
		("ship_date", datetime.date(2026, 12, 1), "2026-12-01"),
		("ship_date", "2026-12-01", datetime.date(2026, 12, 1)),
		("seen_at", "2026-12-01 08:00:00", datetime.datetime(2026, 12, 1, 8)),
		("seen_at", "2026-12-01 08:00:00", "2026-12-01 08:00:00.000000"),
		("cut_off", "08:30:00", datetime.timedelta(hours=8, minutes=30)),
		("paid", 1, "1"),
		("pieces", 5, "5"),
		("weight", 1.5, "1.5"),
		("price", 100, "100.00"),
		("status", "Ordered", "Ordered"),
		("note", None, ""),
	],
)
def test_the_same_value_in_another_type_is_no_change(recorded, field, first, again):
	assert len(recorded(field, first, again)) == (0 if first is None else 1)


@pytest.mark.parametrize(
	("field", "first", "second", "expected"),
	[
		("ship_date", "2026-12-01", "2026-12-24", ("2026-12-01", "2026-12-24")),
		(
			"seen_at",
			"2026-12-01 08:00:00",
			"2026-12-01 08:00:01",
			("2026-12-01 08:00:00", "2026-12-01 08:00:01"),
		),
		("cut_off", "08:30:00", "09:30:00", ("08:30:00", "09:30:00")),
		("paid", 0, 1, ("0", "1")),
		("pieces", 5, 0, ("5", "0")),
		("pieces", 1, 2147483647, ("1", "2147483647")),
		("weight", 0.5, 1.25, ("0.5", "1.25")),
		("price", 10, 99.99, ("10", "99.99")),
		("price", 1, 123456789012.0, ("1", "123456789012")),
		("status", "Ordered", "Shipped", ("Ordered", "Shipped")),
		("stage", "Zuschnitt", "Nähen 🧵✂️", ("Zuschnitt", "Nähen 🧵✂️")),
		("buyer", "Administrator", "Guest", ("Administrator", "Guest")),
		("stage", "a", "A", ("a", "A")),
	],
)
def test_a_change_is_written_down_by_the_fields_type(recorded, field, first, second, expected):
	assert recorded(field, first, second)[-1] == expected


def test_no_number_and_zero_are_one_value_until_there_is_a_number(recorded):
	assert recorded("pieces", None, 0, "0", 3, 0) == [("0", "3"), ("3", "0")]


def test_a_check_has_a_value_from_the_first_moment(recorded):
	assert recorded("paid", None, 1, 0) == [("", "0"), ("0", "1"), ("1", "0")]


@pytest.mark.parametrize("nothing", ["", None])
@pytest.mark.parametrize(
	"field, value", [("status", "Shipped"), ("ship_date", "2026-12-01"), ("stage", "Sewing")]
)
def test_a_cleared_value_is_recorded_and_marked(tracking, field, value, nothing):
	tracking.track(field)
	order = tracking.order(**{field: value}).insert()
	order.set(field, nothing)
	order.save()
	order.set(field, value)
	order.save()
	rows = tracking.rows(order.name)
	assert [(row.from_value or "", row.value or "", row.cleared) for row in rows] == [
		("", value, 0),
		(value, "", 1),
		("", value, 0),
	]


def test_a_long_text_is_cut_with_a_mark_and_a_change_behind_the_cut_is_still_a_change(recorded):
	first, second = recorded("note", LONG, LONG + "y")
	assert first[1] == second[0] == second[1] == "x" * 139 + "…"


def test_exactly_as_long_as_the_column_is_not_cut(recorded):
	assert recorded("note", "y" * 140) == [("", "y" * 140)]


@pytest.mark.parametrize(
	"text",
	[
		"<script>alert(1)</script>",
		"<img src=x onerror=alert(1)>",
		"<b>bold</b> & <i>more</i>",
		"<svg/onload=alert(1)>" + LONG,
		'<a href="https://example.com/' + LONG + '">link</a>',
		"<img src=x onerror=alert(1)//",
		"<svg/onload=alert(1)",
		'["<img src=x onerror=alert(1)>"]',
		'"<script>alert(1)</script>"',
		"a < b",
		"<",
		"&lt;script&gt;",
		"<!-- only a comment -->",
		"{{ frappe.session.user }}",
		"'; drop table tabToDo; --",
		"%(name)s %s %",
		"\\x00 \\ \u202e \u200b",
		"👩‍👩‍👧‍👦" * 60,
	],
)
def test_harmful_and_odd_text_is_recorded_harmless_and_never_raises(tracking, text):
	tracking.track("note")
	order = tracking.order(note="start").insert()
	order.db_set("note", text)
	(row,) = tracking.rows(order.name, from_value="start")
	assert row.value and not row.cleared and len(row.value) <= 140
	assert not re.search(r"<script|<[^>]*\bon\w+\s*=", row.value, re.IGNORECASE)
	assert not re.search(r"<[a-z/!][^>]*$", row.value, re.IGNORECASE), "a tag is cut in the middle"
	assert not errors_logged()


def test_text_that_only_looks_like_html_stays_as_it_is(recorded):
	assert recorded("stage", "a < b & c > d", "1<2")[-1] == ("a < b & c > d", "1<2")


def test_a_null_byte_is_left_out(tracking):
	tracking.track("note")
	order = tracking.order(note="start").insert()
	frappe.db.savepoint("before_null")
	try:
		order.db_set("note", "nu\x00ll")
	except Exception:
		# These databases refuse it themselves: the user's save fails with or without a tracker.
		frappe.db.rollback(save_point="before_null")
		assert frappe.db.db_type in ("postgres", "sqlite")
		return
	assert tracking.changes(order.name)[-1] == ("note", "start", "null")


def test_a_translated_select_is_stored_as_it_is_in_the_document(tracking, make_user, as_user):
	tracking.track()
	for source, translated in (("Shipped", "Versandt"), ("Ordered", "Bestellt")):
		values = {
			"doctype": "Translation",
			"language": "de",
			"source_text": source,
			"translated_text": translated,
		}
		frappe.get_doc(values).insert()
	with as_user(make_user("recording.german@example.com", language="de")):
		frappe.local.lang = "de"
		assert frappe._("Shipped") == "Versandt"
		order = tracking.order(status="Ordered").insert()
		order.status = "Shipped"
		order.save()
	assert tracking.changes(order.name) == [("status", "", "Ordered"), ("status", "Ordered", "Shipped")]


def test_an_autoincremented_document_is_recorded_under_its_number(make_doctype, tracking):
	if frappe.db.db_type == "sqlite":
		pytest.skip("Frappe's own autoincrement does not work on SQLite: no such column ..._id_seq")
	doctype = make_doctype(
		"Recorded Number", [{"fieldname": "stage", "fieldtype": "Data"}], autoname="autoincrement"
	)
	frappe.get_doc(
		{"doctype": "Milestone Tracker", "document_type": doctype, "track_field": "stage"}
	).insert()
	number = frappe.get_doc({"doctype": doctype, "stage": "one"}).insert()
	number.stage = "two"
	number.save()
	frappe.get_doc(doctype, number.name).db_set("stage", "three")
	assert [change[1:] for change in tracking.changes(number.name, doctype)] == [
		("", "one"),
		("one", "two"),
		("two", "three"),
	]
	frappe.delete_doc(doctype, number.name)
	assert {row.reference_deleted for row in tracking.rows(number.name, doctype)} == {1}


def test_times_are_of_the_site_and_in_order(tracking):
	tracking.track()
	before = now_datetime()
	order = tracking.order(status="Ordered").insert()
	order.status = "Shipped"
	order.save()
	first, second = (row.reached_on for row in tracking.rows(order.name))
	assert before <= first <= second <= now_datetime()


# When the field itself changes
# -----------------------------


@pytest.fixture
def custom_field(committed_tracking):
	"""A tracked custom field on the order; the site is thrown away after the test."""
	field = {"fieldname": "quality_grade", "label": "Quality", "fieldtype": "Data", "allow_on_submit": 1}
	create_custom_field(committed_tracking.doctype, field)
	committed_tracking.track("status", "quality_grade")
	return frappe.get_doc("Custom Field", {"dt": committed_tracking.doctype, "fieldname": "quality_grade"})


def test_a_custom_field_is_recorded_and_its_removal_leaves_the_others_recorded(
	committed_tracking, custom_field
):
	order = committed_tracking.order(status="Ordered", quality_grade="A").insert()
	order.quality_grade = "B"
	order.save()
	assert committed_tracking.changes(order.name, track_field="quality_grade") == [
		("quality_grade", "", "A"),
		("quality_grade", "A", "B"),
	]
	frappe.delete_doc("Custom Field", custom_field.name)
	frappe.clear_cache(doctype=committed_tracking.doctype)
	fresh = frappe.get_doc(committed_tracking.doctype, order.name)
	fresh.status = "Shipped"
	fresh.save()
	fresh.db_set("status", "Delivered")
	assert committed_tracking.changes(order.name, track_field="status") == [
		("status", "", "Ordered"),
		("status", "Ordered", "Shipped"),
		("status", "Shipped", "Delivered"),
	]
	assert len(committed_tracking.rows(order.name, track_field="quality_grade")) == 2


def test_a_property_setter_that_changes_the_type_changes_how_values_compare(committed_tracking):
	committed_tracking.track("note")
	order = committed_tracking.order(note="1.50").insert()
	make_property_setter(committed_tracking.doctype, "note", "fieldtype", "Small Text", "Data")
	order.reload()
	order.note = "1.5"
	order.save()
	assert committed_tracking.changes(order.name) == [("note", "", "1.50"), ("note", "1.50", "1.5")]


def test_the_history_and_the_tracker_follow_a_renamed_doctype(committed_tracking):
	if frappe.db.db_type == "sqlite":
		pytest.skip("Frappe's own rename of a DocType fails on SQLite: its DDL would commit implicitly")
	tracker = committed_tracking.track()
	order = committed_tracking.order(status="Ordered").insert()
	frappe.rename_doc("DocType", committed_tracking.doctype, "Renamed Order", force=True)
	assert frappe.db.get_value("Milestone Tracker", tracker, "document_type") == "Renamed Order"
	renamed = frappe.get_doc("Renamed Order", order.name)
	renamed.status = "Shipped"
	renamed.save()
	assert committed_tracking.changes(order.name, "Renamed Order") == [
		("status", "", "Ordered"),
		("status", "Ordered", "Shipped"),
	]
	assert committed_tracking.changes(order.name) == []


def errors_logged() -> list:
	return frappe.get_all("Error Log", {"method": ("like", "Milestone%")}, ["method", "error"])
