"""The path matrix: on every way a value can change, exactly one Milestone with the right values and the right person."""

import frappe
import pytest
from frappe.client import set_value
from frappe.core.doctype.data_import.data_import import start_import
from frappe.desk.doctype.bulk_update.bulk_update import submit_cancel_or_update_docs
from frappe.model.workflow import apply_workflow

from tests.support.tracking import Tracking
from tests.support.transactions import end_transaction

FIRST = ("status", "", "Ordered")


@pytest.fixture
def order(tracking):
	"""A tracked order with one milestone, inserted in a transaction before."""
	tracking.track()
	order = tracking.order(status="Ordered").insert()
	end_transaction()
	return order


def hook(doc, **handlers):
	"""Give one document handlers of its own, as its controller would have: `hook(doc, on_update=function)`."""
	for event, handler in handlers.items():
		doc.__dict__[event] = handler
	return doc


# Saves
# -----


def test_insert_makes_one_milestone_from_nothing_by_the_user_who_did_it(tracking, make_user, as_user):
	tracker = tracking.track()
	with as_user(make_user("recording.buyer@example.com")):
		order = tracking.order(status="Ordered").insert()
	(row,) = tracking.rows(order.name)
	assert (row.track_field, row.from_value, row.value) == ("status", "", "Ordered")
	assert (row.reached_by, row.owner) == ("recording.buyer@example.com",) * 2
	assert (row.milestone_tracker, row.source, row.cleared, row.undone) == (tracker, "Save", 0, 0)
	assert row.reached_on and row.time_in_previous is None and not row.reference_deleted


def test_insert_without_a_value_makes_none(tracking):
	tracking.track()
	assert tracking.changes(tracking.order().insert().name) == []


def test_save_makes_one_milestone_with_the_time_in_the_value_before(tracking, order, make_user, as_user):
	frappe.db.set_value("Milestone", {"reference_name": order.name}, "reached_on", "2026-01-01 08:00:00")
	with as_user(make_user("recording.buyer@example.com")):
		fresh = frappe.get_doc(order.doctype, order.name)
		fresh.status = "Shipped"
		fresh.save()
	rows = tracking.rows(order.name)
	assert tracking.changes(order.name) == [FIRST, ("status", "Ordered", "Shipped")]
	assert rows[1].reached_by == "recording.buyer@example.com"
	assert rows[1].time_in_previous > 24 * 3600


def test_save_without_a_change_makes_none(tracking, order):
	order.save()
	frappe.get_doc(order.doctype, order.name).save()
	order.reload()
	order.save()
	assert tracking.changes(order.name) == [FIRST]


def test_save_of_another_field_makes_none(tracking, order):
	order.note = "changed"
	order.save()
	assert tracking.changes(order.name) == [FIRST]


def test_two_saves_in_one_transaction_make_two(tracking, order):
	for status in ("In Production", "Shipped"):
		order.status = status
		order.save()
	assert tracking.changes(order.name) == [
		FIRST,
		("status", "Ordered", "In Production"),
		("status", "In Production", "Shipped"),
	]


def test_there_and_back_makes_two(tracking, order):
	for status in ("Shipped", "Ordered"):
		order.status = status
		order.save()
	assert tracking.changes(order.name)[1:] == [
		("status", "Ordered", "Shipped"),
		("status", "Shipped", "Ordered"),
	]


def test_two_fields_in_one_save_make_one_each(tracking):
	tracking.track("status", "pieces", "ship_date")
	order = tracking.order(status="Ordered", pieces=5).insert()
	order.update({"status": "Shipped", "ship_date": "2026-12-01"})
	order.save()
	assert sorted(tracking.changes(order.name)) == [
		("pieces", "", "5"),
		("ship_date", "", "2026-12-01"),
		("status", "", "Ordered"),
		("status", "Ordered", "Shipped"),
	]


def test_the_same_object_inserted_again_and_again_records_each_document(tracking):
	tracking.track()
	order, names = tracking.order(status="Ordered"), []
	for _copy in range(3):
		order.name = None
		names.append(order.insert().name)
	assert [tracking.changes(name) for name in names] == [[FIRST]] * 3


def test_an_insert_tried_again_after_a_rollback_is_recorded(tracking):
	tracking.track()
	order = tracking.order(status="Ordered")
	frappe.db.savepoint("before_insert")
	order.insert()
	frappe.db.rollback(save_point="before_insert")
	order.insert()
	assert tracking.changes(order.name) == [FIRST]


# Submittable documents
# ---------------------


def test_submit_update_after_submit_and_cancel_make_one_each(tracking):
	tracking.track("docstatus", "status")
	order = tracking.order(status="Ordered").insert()
	order.submit()
	order.status = "Shipped"
	order.save()
	order.cancel()
	changes = tracking.changes(order.name)
	assert [change for change in changes if change[0] == "docstatus"] == [
		("docstatus", "", "0"),
		("docstatus", "0", "1"),
		("docstatus", "1", "2"),
	]
	assert [change for change in changes if change[0] == "status"] == [
		FIRST,
		("status", "Ordered", "Shipped"),
	]


def test_submit_that_changes_the_field_makes_one(tracking, order):
	order.status = "Shipped"
	order.submit()
	assert tracking.changes(order.name) == [FIRST, ("status", "Ordered", "Shipped")]


def test_cancel_that_changes_the_field_in_on_cancel_makes_one(tracking, order):
	order.submit()
	hook(order, on_cancel=lambda: order.db_set("status", "Draft"))
	order.cancel()
	assert tracking.changes(order.name) == [FIRST, ("status", "Ordered", "Draft")]


def test_an_amended_document_starts_its_own_history(tracking, order):
	order.submit()
	order.cancel()
	amended = frappe.copy_doc(order)
	amended.amended_from = order.name
	amended.docstatus = 0
	amended.insert()
	assert amended.name != order.name
	assert tracking.changes(amended.name) == [FIRST]
	assert tracking.changes(order.name) == [FIRST]


# Rename and delete
# -----------------


def test_rename_takes_the_history_along(tracking, order):
	old = order.name
	order.status = "Shipped"
	order.save()
	frappe.rename_doc(order.doctype, old, "PO-RENAMED")
	assert tracking.changes(old) == []
	assert tracking.changes("PO-RENAMED") == [FIRST, ("status", "Ordered", "Shipped")]
	renamed = frappe.get_doc(order.doctype, "PO-RENAMED")
	renamed.status = "Delivered"
	renamed.save()
	assert tracking.changes("PO-RENAMED")[-1] == ("status", "Shipped", "Delivered")
	assert tracking.rows("PO-RENAMED")[-1].time_in_previous is not None


def test_merging_rename_keeps_both_histories_and_marks_neither_deleted(tracking, order):
	other = tracking.order(status="Shipped").insert()
	frappe.rename_doc(order.doctype, order.name, other.name, merge=True)
	assert tracking.changes(order.name) == []
	assert sorted(tracking.changes(other.name, reference_deleted=0)) == [FIRST, ("status", "", "Shipped")]


def test_delete_makes_none_and_marks_what_there_is(tracking, order):
	frappe.delete_doc(order.doctype, order.name)
	(row,) = tracking.rows(order.name)
	assert (row.value, row.reference_deleted) == ("Ordered", 1)


def test_a_new_document_with_a_deleted_ones_name_starts_afresh(tracking):
	tracking.track()
	first = tracking.order(status="Shipped").insert(set_name="PO-AGAIN")
	frappe.delete_doc(first.doctype, first.name)
	tracking.order(status="Shipped").insert(set_name="PO-AGAIN")
	assert tracking.changes("PO-AGAIN", reference_deleted=0) == [("status", "", "Shipped")]
	assert tracking.changes("PO-AGAIN", reference_deleted=1) == [("status", "", "Shipped")]
	assert tracking.rows("PO-AGAIN", reference_deleted=0)[0].time_in_previous is None


# db_set
# ------


def test_db_set_on_a_loaded_document_makes_one(tracking, order):
	frappe.get_doc(order.doctype, order.name).db_set("status", "Shipped")
	assert tracking.changes(order.name) == [FIRST, ("status", "Ordered", "Shipped")]


def test_db_set_after_insert_of_the_same_object_makes_one(tracking, order):
	order.db_set("status", "Shipped")
	assert tracking.changes(order.name) == [FIRST, ("status", "Ordered", "Shipped")]


def test_db_set_after_save_of_the_same_object_starts_from_the_saved_value(tracking, order):
	order.status = "In Production"
	order.save()
	order.db_set("status", "Shipped")
	assert tracking.changes(order.name)[1:] == [
		("status", "Ordered", "In Production"),
		("status", "In Production", "Shipped"),
	]


def test_db_set_twice_makes_two(tracking, order):
	loaded = frappe.get_doc(order.doctype, order.name)
	loaded.db_set("status", "In Production")
	loaded.db_set("status", "Shipped")
	loaded.db_set("status", "Shipped")
	assert tracking.changes(order.name)[1:] == [
		("status", "Ordered", "In Production"),
		("status", "In Production", "Shipped"),
	]


def test_db_set_of_several_fields_makes_one_each(tracking):
	tracking.track("status", "pieces")
	order = tracking.order(status="Ordered", pieces=1).insert()
	order.db_set({"status": "Shipped", "pieces": 2, "note": "sent"})
	assert sorted(tracking.changes(order.name)[2:]) == [
		("pieces", "1", "2"),
		("status", "Ordered", "Shipped"),
	]


def test_db_set_of_another_field_makes_none(tracking, order):
	loaded = frappe.get_doc(order.doctype, order.name)
	loaded.db_set("note", "changed")
	order.db_set("note", "changed again")
	assert tracking.changes(order.name) == [FIRST]


def test_db_set_after_reload_starts_from_what_somebody_else_saved(tracking, order):
	order.save()
	other = frappe.get_doc(order.doctype, order.name)
	other.status = "In Production"
	other.save()
	order.reload()
	order.db_set("status", "Shipped")
	assert tracking.changes(order.name)[1:] == [
		("status", "Ordered", "In Production"),
		("status", "In Production", "Shipped"),
	]


def test_db_set_after_a_rolled_back_save_starts_from_what_is_stored(tracking, order):
	frappe.db.savepoint("before_save")
	order.status = "In Production"
	order.save()
	frappe.db.rollback(save_point="before_save")
	order.db_set("status", "Shipped")
	assert tracking.changes(order.name) == [FIRST, ("status", "Ordered", "Shipped")]


def test_db_set_after_a_rolled_back_db_set_is_recorded_again(tracking, order):
	frappe.db.savepoint("before_save")
	order.db_set("status", "Shipped")
	frappe.db.rollback(save_point="before_save")
	order.db_set("status", "Shipped")
	assert tracking.changes(order.name) == [FIRST, ("status", "Ordered", "Shipped")]


def test_db_set_after_a_refused_save_starts_from_what_is_stored(tracking, order):
	order.status = "No Such Status"
	with pytest.raises(frappe.ValidationError):
		order.save()
	order.db_set("status", "Shipped")
	assert tracking.changes(order.name) == [FIRST, ("status", "Ordered", "Shipped")]


def test_db_set_after_a_save_that_nobody_tracked_starts_from_the_saved_value(tracking):
	order = tracking.order(status="Draft").insert()
	order.status = "Ordered"
	order.save()
	tracking.track()
	order.db_set("status", "Shipped")
	assert tracking.changes(order.name) == [("status", "Ordered", "Shipped")]


# Inside the document's own hooks
# -------------------------------


@pytest.mark.parametrize("event", ["after_insert", "on_update"])
def test_db_set_of_the_field_while_inserting_makes_one_from_nothing(tracking, event):
	tracking.track()
	order = tracking.order(status="Ordered")
	hook(order, **{event: lambda: order.db_set("status", "Shipped")})
	order.insert()
	assert tracking.changes(order.name) == [("status", "", "Shipped")]


@pytest.mark.parametrize("event", ["validate", "after_insert", "on_update"])
def test_db_set_of_another_field_while_inserting_keeps_the_milestone(tracking, event):
	tracking.track()
	order = tracking.order(status="Ordered")
	hook(order, **{event: lambda: order.db_set("note", "from a hook")})
	order.insert()
	assert tracking.changes(order.name) == [FIRST]


@pytest.mark.parametrize("event", ["validate", "before_save", "on_update"])
def test_db_set_of_the_field_while_saving_makes_one_to_the_final_value(tracking, order, event):
	order.status = "In Production"
	hook(order, **{event: lambda: order.db_set("status", "Shipped")})
	order.save()
	assert frappe.db.get_value(order.doctype, order.name, "status") == "Shipped"
	assert tracking.changes(order.name) == [FIRST, ("status", "Ordered", "Shipped")]


@pytest.mark.parametrize("event", ["validate", "before_save", "on_update"])
def test_db_set_of_another_field_while_saving_keeps_one(tracking, order, event):
	order.status = "Shipped"
	hook(order, **{event: lambda: order.db_set("note", "from a hook")})
	order.save()
	assert tracking.changes(order.name) == [FIRST, ("status", "Ordered", "Shipped")]


def test_db_set_twice_in_on_update_records_the_way_the_value_went_once(tracking, order):
	def set_twice():
		order.db_set("status", "In Production")
		order.db_set("status", "Shipped")

	hook(order, on_update=set_twice).save()
	assert tracking.changes(order.name)[1:] == [
		("status", "Ordered", "In Production"),
		("status", "In Production", "Shipped"),
	]


def test_db_set_in_on_submit_and_on_update_after_submit_makes_one_each(tracking, order):
	hook(order, on_submit=lambda: order.db_set("status", "In Production"))
	order.submit()
	hook(order, on_update_after_submit=lambda: order.db_set("status", "Shipped"))
	order.save()
	assert tracking.changes(order.name)[1:] == [
		("status", "Ordered", "In Production"),
		("status", "In Production", "Shipped"),
	]


def test_a_save_inside_its_own_on_update_makes_one(tracking, order):
	saves = []

	def save_once_more():
		saves.append(1)
		if len(saves) == 1:
			order.note = "saved once more"
			order.save()

	order.status = "Shipped"
	hook(order, on_update=save_once_more).save()
	assert len(saves) == 2
	assert tracking.changes(order.name) == [FIRST, ("status", "Ordered", "Shipped")]


def test_a_save_inside_its_own_after_insert_makes_one(tracking):
	tracking.track()
	order = tracking.order(status="Ordered")
	hook(order, after_insert=lambda: order.save())
	order.insert()
	assert tracking.changes(order.name) == [FIRST]


def test_a_hook_that_saves_another_copy_of_the_document_keeps_the_order_of_events(tracking, order):
	def save_a_copy():
		copy = frappe.get_doc(order.doctype, order.name)
		if copy.status == "In Production":
			copy.status = "Shipped"
			copy.save()

	order.status = "In Production"
	hook(order, on_update=save_a_copy).save()
	assert frappe.db.get_value(order.doctype, order.name, "status") == "Shipped"
	assert tracking.changes(order.name)[1:] == [
		("status", "Ordered", "In Production"),
		("status", "In Production", "Shipped"),
	]


def test_a_hook_that_saves_another_tracked_document_records_both(tracking, order):
	other = tracking.order(status="Ordered").insert()
	todo_tracker = {"doctype": "Milestone Tracker", "document_type": "ToDo", "track_field": "status"}
	frappe.get_doc(todo_tracker).insert()

	def save_others():
		other.status = "Delivered"
		other.save()
		frappe.get_doc({"doctype": "ToDo", "description": order.name, "reference_name": None}).insert()

	order.status = "Shipped"
	hook(order, on_update=save_others).save()
	todo = frappe.get_last_doc("ToDo", {"description": order.name}).name
	assert tracking.changes(order.name) == [FIRST, ("status", "Ordered", "Shipped")]
	assert tracking.changes(other.name) == [FIRST, ("status", "Ordered", "Delivered")]
	assert tracking.changes(todo, "ToDo") == [("status", "", "Open")]


# Transactions
# ------------


def test_rollback_leaves_nothing(tracking):
	tracking.track()
	order = tracking.order(status="Ordered").insert()
	order.status = "Shipped"
	order.save()
	frappe.db.rollback()
	assert tracking.changes(order.name) == []


def test_rollback_to_a_savepoint_takes_back_only_what_came_after(tracking, order):
	frappe.db.savepoint("before_shipping")
	order.status = "Shipped"
	order.save()
	frappe.db.rollback(save_point="before_shipping")
	assert tracking.changes(order.name) == [FIRST]
	order.reload()
	order.status = "Shipped"
	order.save()
	assert tracking.changes(order.name) == [FIRST, ("status", "Ordered", "Shipped")]


# Other ways in
# -------------


def test_client_set_value_by_a_low_rights_user_makes_one(tracking, order, make_user, as_user):
	with as_user(make_user("recording.buyer@example.com")):
		set_value(order.doctype, order.name, "status", "Shipped")
	assert tracking.changes(order.name) == [FIRST, ("status", "Ordered", "Shipped")]
	assert tracking.rows(order.name)[-1].reached_by == "recording.buyer@example.com"


def test_in_import_flag_changes_nothing(tracking, order):
	frappe.flags.in_import = True
	order.status = "Shipped"
	order.save()
	assert tracking.changes(order.name) == [FIRST, ("status", "Ordered", "Shipped")]


def test_ignored_validations_change_nothing(tracking, order):
	order.status = "Shipped"
	order.flags.ignore_validate = order.flags.ignore_permissions = order.flags.ignore_mandatory = True
	order.save()
	assert tracking.changes(order.name) == [FIRST, ("status", "Ordered", "Shipped")]


def test_a_workflow_action_makes_one(tracking):
	tracking.track("workflow_state", "docstatus")
	make_workflow(tracking.doctype)
	order = tracking.order().insert()
	assert order.workflow_state == "Pending"
	order = apply_workflow(order, "Approve")
	assert order.docstatus == 1
	assert sorted(tracking.changes(order.name)) == [
		("docstatus", "", "0"),
		("docstatus", "0", "1"),
		("workflow_state", "", "Pending"),
		("workflow_state", "Pending", "Approved"),
	]


def make_workflow(doctype: str):
	for doctype_of_word, field, words in (
		("Workflow State", "workflow_state_name", ("Pending", "Approved")),
		("Workflow Action Master", "workflow_action_name", ("Approve",)),
	):
		for word in words:
			if not frappe.db.exists(doctype_of_word, word):
				frappe.get_doc({"doctype": doctype_of_word, field: word}).insert()
	workflow = {
		"doctype": "Workflow",
		"workflow_name": "Approval of Recorded Orders",
		"document_type": doctype,
		"workflow_state_field": "workflow_state",
		"is_active": 1,
		"send_email_alert": 0,
		"states": [
			{"state": "Pending", "doc_status": "0", "allow_edit": "System Manager"},
			{"state": "Approved", "doc_status": "1", "allow_edit": "System Manager"},
		],
		"transitions": [
			{
				"state": "Pending",
				"action": "Approve",
				"next_state": "Approved",
				"allowed": "System Manager",
				"allow_self_approval": 1,
			}
		],
	}
	return frappe.get_doc(workflow).insert()


def test_bulk_edit_makes_one_a_document(committed_tracking):
	committed_tracking.track()
	names = [committed_tracking.order(status="Ordered").insert().name for _order in range(3)]
	failed = submit_cancel_or_update_docs(
		committed_tracking.doctype, frappe.as_json(names), "update", frappe.as_json({"status": "Shipped"})
	)
	assert failed == []
	for name in names:
		assert committed_tracking.changes(name) == [FIRST, ("status", "Ordered", "Shipped")]


def test_bulk_submit_and_cancel_make_one_a_document(committed_tracking):
	committed_tracking.track("docstatus")
	name = committed_tracking.order().insert().name
	for action in ("submit", "cancel"):
		assert submit_cancel_or_update_docs(committed_tracking.doctype, frappe.as_json([name]), action) == []
	assert committed_tracking.changes(name) == [
		("docstatus", "", "0"),
		("docstatus", "0", "1"),
		("docstatus", "1", "2"),
	]


def test_data_import_of_a_csv_makes_one_a_row_for_new_and_for_updated_documents(committed_tracking):
	committed_tracking.track("status", "ship_date")
	existing = committed_tracking.order(status="Ordered").insert().name
	run_import("Insert New Records", "status,ship_date,stage\nDraft,2026-12-01,new-1\n,,new-2\n")
	run_import("Update Existing Records", f"name,status\n{existing},Shipped\n")
	first = frappe.db.get_value(committed_tracking.doctype, {"stage": "new-1"})
	second = frappe.db.get_value(committed_tracking.doctype, {"stage": "new-2"})
	assert sorted(committed_tracking.changes(first)) == [
		("ship_date", "", "2026-12-01"),
		("status", "", "Draft"),
	]
	assert committed_tracking.changes(second) == []
	assert committed_tracking.changes(existing) == [FIRST, ("status", "Ordered", "Shipped")]


def run_import(kind: str, content: str) -> None:
	file = {"doctype": "File", "file_name": f"{frappe.generate_hash(length=8)}.csv", "content": content}
	file = frappe.get_doc(file).insert()
	data_import = {
		"doctype": "Data Import",
		"reference_doctype": "Recorded Order",
		"import_type": kind,
		"import_file": file.file_url,
		"mute_emails": 1,
	}
	data_import = frappe.get_doc(data_import).insert()
	frappe.db.commit()  # the import rolls back whatever fails
	start_import(data_import.name)
	data_import.reload()
	assert data_import.status == "Success", frappe.get_all("Data Import Log", fields=["*"])


def test_rest_post_and_put_make_one_each_by_the_caller(server, make_user):
	tracking = Tracking()
	with server.site.connect():
		tracking.doctype_ready()
		if not frappe.db.exists("Milestone Tracker", {"document_type": tracking.doctype}):
			tracking.track()
		make_user("recording.rest@example.com", new_password="Rest-pw-2026-x")
		frappe.db.commit()  # the server reads it from a process of its own
	client = server.login("recording.rest@example.com", "Rest-pw-2026-x")
	path = f"/api/resource/{tracking.doctype}"
	made = client.post(path, json={"status": "Ordered"})
	assert made.status_code == 200, made.text
	name = made.json()["data"]["name"]
	for values in (
		{"status": "Shipped"},
		{"status": "Shipped", "note": "no change"},
		{"status": "No Such Status"},
	):
		answer = client.put(f"{path}/{name}", json=values)
		assert answer.ok == (values["status"] == "Shipped"), answer.text
	with server.site.connect():
		assert tracking.changes(name) == [FIRST, ("status", "Ordered", "Shipped")]
		assert {row.reached_by for row in tracking.rows(name)} == {"recording.rest@example.com"}


# What the tracker says
# ---------------------


def test_a_condition_decides_with_the_new_values(tracking):
	tracking.track(condition="doc.pieces > 10")
	order = tracking.order(status="Ordered", pieces=5).insert()
	order.update({"status": "In Production", "pieces": 50})
	order.save()
	order.db_set("status", "Shipped")
	order.db_set({"status": "Delivered", "pieces": 1})
	assert tracking.changes(order.name) == [
		("status", "Ordered", "In Production"),
		("status", "In Production", "Shipped"),
	]


def test_a_condition_can_change_nothing_and_its_fault_is_logged_with_the_trackers_name(tracking):
	tracker = tracking.track(condition="10 / doc.pieces > 1")
	order = tracking.order(status="Ordered", pieces=0).insert()
	assert tracking.changes(order.name) == []
	logs = frappe.get_all("Error Log", {"method": ("like", f"%{tracker}%")}, ["method", "error"])
	assert logs and all("ZeroDivisionError" in log.error for log in logs)
	assert not frappe.message_log


def test_a_disabled_tracker_records_nothing_and_makes_good_for_it_once_it_is_enabled(tracking, order):
	tracker = frappe.get_doc("Milestone Tracker", {"document_type": order.doctype})
	tracker.disabled = 1
	tracker.save()
	order.status = "In Production"
	order.save()
	tracker.disabled = 0
	tracker.save()
	order.status = "Shipped"
	order.save()
	assert tracking.changes(order.name) == [
		FIRST,
		("status", "Ordered", "In Production"),
		("status", "In Production", "Shipped"),
	]
	assert [row.source for row in tracking.rows(order.name)] == ["Save", "Reconcile", "Save"]


def test_only_the_tracked_doctype_and_documents_are_concerned(tracking, order):
	other = tracking.order(status="Draft").insert()
	order.status = "Shipped"
	order.save()
	assert tracking.changes(other.name) == [("status", "", "Draft")]


def test_milestones_of_a_milestone_are_never_made(tracking, order):
	milestone = frappe.get_doc("Milestone", {"reference_name": order.name})
	milestone.db_set("undone", 1)
	assert frappe.db.count("Milestone", {"reference_type": "Milestone"}) == 0
