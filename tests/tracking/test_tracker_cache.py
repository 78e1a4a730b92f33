"""What is cached of trackers is never stale: not in this transaction, not after it, not in another process."""

import json

import frappe
import pytest

from milestone_automation.engine.tracking import registry
from tests.support.tracking import STATUSES

SAVE_ELSEWHERE = """
import json
import frappe

doctype, name, status, stage = {doctype!r}, {name!r}, {status!r}, {stage!r}
order = frappe.get_doc(doctype, name)
order.update({{"status": status, "stage": stage}})
order.save()
frappe.db.commit()
made = {{"reference_name": name, "value": ("in", (status, stage))}}
print(json.dumps(sorted(frappe.get_all("Milestone", made, pluck="value"))))
"""


@pytest.fixture
def elsewhere(committed_tracking):
	"""Function `elsewhere(name, "a")`: save status and stage in another process; what it recorded."""
	statuses = iter(STATUSES.strip().splitlines())

	def save(name, stage):
		status = next(statuses)
		values = {"doctype": committed_tracking.doctype, "name": name, "status": status, "stage": stage}
		output = committed_tracking.scratch.python(SAVE_ELSEWHERE.format(**values))
		recorded = json.loads(output.strip().splitlines()[-1])
		return ["status" if value == status else "stage" for value in recorded]

	return save


def save_here(tracking, name, status, stage):
	order = frappe.get_doc(tracking.doctype, name)
	order.update({"status": status, "stage": stage})
	order.save()
	return order


def recorded_here(tracking, name, *made_values) -> list:
	return sorted(field for field, _old, new in tracking.changes(name) if new in made_values)


def the_tracker():
	return frappe.get_last_doc("Milestone Tracker")


def test_a_new_tracker_counts_at_once_here_and_elsewhere_once_committed(committed_tracking, elsewhere):
	order = committed_tracking.order(stage="start").insert()
	frappe.db.commit()  # for the other process
	assert elsewhere(order.name, "a") == []
	committed_tracking.track("stage")
	save_here(committed_tracking, order.name, "Draft", "b")
	assert recorded_here(committed_tracking, order.name, "b") == ["stage"]
	frappe.db.commit()  # as above
	assert elsewhere(order.name, "c") == ["stage"]


def test_a_process_that_reads_the_rules_before_the_commit_reads_them_anew_after_it(
	committed_tracking, elsewhere
):
	if frappe.db.db_type == "sqlite":
		pytest.skip("SQLite lets nobody else write while this transaction is open")
	order = committed_tracking.order(stage="start").insert()
	frappe.db.commit()  # for the other process
	committed_tracking.track("stage")
	assert elsewhere(order.name, "a") == []  # fills the shared cache with what is committed
	frappe.db.commit()  # as above
	assert elsewhere(order.name, "b") == ["stage"]
	save_here(committed_tracking, order.name, "Delivered", "c")
	assert recorded_here(committed_tracking, order.name, "c") == ["stage"]


def test_a_tracker_that_is_rolled_back_leaves_no_trace_here_or_elsewhere(committed_tracking, elsewhere):
	order = committed_tracking.order(stage="start").insert()
	frappe.db.commit()  # for the other process
	committed_tracking.track("stage")
	save_here(committed_tracking, order.name, "Draft", "a")
	assert recorded_here(committed_tracking, order.name, "a") == ["stage"]
	frappe.db.rollback()
	save_here(committed_tracking, order.name, "Draft", "b")
	assert recorded_here(committed_tracking, order.name, "a", "b") == []
	frappe.db.rollback()
	assert elsewhere(order.name, "c") == []


def test_a_changed_field_counts_here_at_once_and_is_forgotten_with_the_rollback(
	committed_tracking, elsewhere
):
	committed_tracking.track("stage")
	order = committed_tracking.order(stage="start").insert()
	frappe.db.commit()  # for the other process
	tracker = the_tracker()
	tracker.track_field = "status"
	tracker.save()
	save_here(committed_tracking, order.name, "Shipped", "a")
	assert recorded_here(committed_tracking, order.name, "Shipped", "a") == ["status"]
	frappe.db.rollback()
	save_here(committed_tracking, order.name, "Shipped", "a")
	assert recorded_here(committed_tracking, order.name, "Shipped", "a") == ["stage"]
	frappe.db.rollback()
	assert elsewhere(order.name, "b") == ["stage"]


def test_a_committed_change_of_any_kind_reaches_another_process(committed_tracking, elsewhere):
	committed_tracking.track("stage")
	order = committed_tracking.order(stage="start").insert()
	frappe.db.commit()  # for the other process
	assert elsewhere(order.name, "a") == ["stage"]
	tracker = the_tracker()
	tracker.append("extra_fields", {"track_field": "status"})
	tracker.save()
	frappe.db.commit()  # as above
	assert sorted(elsewhere(order.name, "b")) == ["stage", "status"]
	tracker.db_set("disabled", 1)
	frappe.db.commit()  # as above
	assert elsewhere(order.name, "c") == []
	frappe.delete_doc("Milestone Tracker", tracker.name, force=True)
	frappe.db.commit()  # as above
	assert elsewhere(order.name, "d") == []


def test_a_rollback_to_a_savepoint_takes_the_tracker_back(tracking):
	order = tracking.order(stage="start").insert()
	frappe.db.savepoint("before_tracker")
	tracking.track("stage")
	frappe.db.rollback(save_point="before_tracker")
	save_here(tracking, order.name, "Draft", "a")
	assert recorded_here(tracking, order.name, "a") == []


def test_a_renamed_tracker_records_on_under_its_new_name(tracking):
	old = tracking.track("stage")
	order = tracking.order(stage="start").insert()
	new = frappe.rename_doc("Milestone Tracker", old, "Tracker of Orders", force=True)
	save_here(tracking, order.name, "Draft", "a")
	rows = tracking.rows(order.name)
	assert [(row.value, row.milestone_tracker) for row in rows] == [("start", new), ("a", new)]


def test_a_deleted_tracker_records_no_more_and_its_milestones_stay(tracking):
	name = tracking.track("stage")
	order = tracking.order(stage="start").insert()
	frappe.delete_doc("Milestone Tracker", name, force=True)
	save_here(tracking, order.name, "Draft", "a")
	assert tracking.changes(order.name) == [("stage", "", "start")]


def test_a_tracker_turned_to_another_doctype_lets_go_of_the_old_one(tracking):
	name = tracking.track("status")
	order = tracking.order(status="Ordered").insert()
	tracker = frappe.get_doc("Milestone Tracker", name)
	tracker.document_type = "ToDo"
	tracker.save()
	save_here(tracking, order.name, "Shipped", "a")
	todo = frappe.get_doc({"doctype": "ToDo", "description": "tracked now"}).insert()
	assert tracking.changes(order.name) == [("status", "", "Ordered")]
	assert tracking.changes(todo.name, "ToDo") == [("status", "", "Open")]


def test_a_tracker_read_while_a_document_is_saved_is_the_same_as_in_the_database(tracking):
	name = tracking.track("status", "stage", condition="doc.pieces >= 0")
	stored = frappe.get_doc("Milestone Tracker", name)
	read = []
	order = tracking.order(status="Ordered")
	order.__dict__["on_update"] = lambda: read.append(frappe.get_doc("Milestone Tracker", name))
	order.insert()
	assert read[0].as_dict(convert_dates_to_str=True) == stored.as_dict(convert_dates_to_str=True)
	assert read[0].tracked_fields() == ["status", "stage"]


def test_a_tracker_changed_inside_a_documents_hook_is_saved_whole(tracking):
	name = tracking.track("status", "stage")
	order = tracking.order(status="Ordered", stage="a")

	def drop_extra_fields():
		tracker = frappe.get_doc("Milestone Tracker", name)
		tracker.set("extra_fields", [])
		tracker.save()

	order.__dict__["on_update"] = drop_extra_fields
	order.insert()
	assert frappe.get_doc("Milestone Tracker", name).tracked_fields() == ["status"]
	assert frappe.db.count("Milestone Tracker Field", {"parent": name}) == 0
	assert tracking.changes(order.name) == [("status", "", "Ordered")]


def test_that_there_is_no_rule_is_cached_too(tracking, count_queries):
	assert registry.for_doctype("Note") is None
	with count_queries() as queries:
		assert registry.for_doctype("Note") is None
		assert registry.for_doctype(tracking.doctype) is None
	assert queries.count == 0, str(queries)
