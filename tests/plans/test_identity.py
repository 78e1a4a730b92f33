"""A name alone is not a document: deleted without events, named anew, merged, renamed, and fields that go."""

import frappe
import pytest
from frappe.custom.doctype.custom_field import custom_field
from frappe.utils import get_datetime, now_datetime, nowdate

from milestone_automation import api
from milestone_automation.engine.messages import due_messages, plan_batch
from milestone_automation.engine.people import user_texts
from milestone_automation.engine.plans import catching_up
from milestone_automation.engine.progress import tasks
from milestone_automation.engine.review import standing
from milestone_automation.engine.review.scope import Scope
from tests.support.factories import (
	ORDER,
	SUPPLIER,
	events_of,
	make_document,
	make_workflow,
	member,
	plan_of,
	stage,
	status_of,
	task,
	task_of,
)
from tests.support.transactions import end_transaction

pytestmark = pytest.mark.usefixtures("production_order")

TASK = "Sign the packing list"


@pytest.fixture
def order():
	make_workflow(
		stages=[stage("Cut", "Cut", -20), stage("Shipped", "Shipped")], tasks=[task("Shipped", TASK)]
	)
	made = make_document()
	end_transaction()
	return made


def delete_by_sql(order):
	frappe.db.delete(ORDER, {"name": order.name})


def insert_again(order, **values):
	return frappe.get_doc(
		{"doctype": ORDER, "status": "Open", "delivery_date": "2031-01-01", **values}
	).insert(set_name=order.name)


# Deleted without events


def test_the_plan_of_an_order_deleted_by_sql_ends_with_the_nightly_check(order):
	plan = plan_of(order)
	delete_by_sql(order)
	assert plan_batch.read([plan.name], now_datetime()).plans == []
	catching_up.run(ORDER)
	plan.reload()
	assert (plan.status, plan.plan_key) == ("Cancelled", None)
	assert frappe.get_all("Milestone Task", {"plan": plan.name}, pluck="status") == ["Cancelled"]
	(entry,) = frappe.get_all(
		"Milestone Plan Log", {"plan": plan.name, "event": "Plan Cancelled"}, pluck="reason"
	)
	assert entry == f"{ORDER} {order.name} was deleted."
	assert frappe.get_all("Milestone", {"reference_name": order.name}, pluck="reference_deleted") == [1]


def test_what_is_done_with_the_plan_of_a_deleted_order_is_answered_in_words(order):
	plan = plan_of(order)
	delete_by_sql(order)
	with pytest.raises(frappe.ValidationError, match="no longer exists") as refused:
		api.reschedule_stage(plan.name, "Shipped", "2030-07-01", "Later", "Keep Order")
	assert not isinstance(refused.value, frappe.DoesNotExistError)


def test_an_order_deleted_without_its_trash_events_takes_its_plan_along(order):
	plan = plan_of(order).name
	frappe.delete_doc(ORDER, order.name, ignore_on_trash=True, force=True)
	assert not frappe.db.exists("Milestone Plan", plan)
	assert not frappe.get_all("Milestone Task", {"plan": plan})


def test_a_new_order_of_the_same_name_starts_without_the_history_of_the_deleted_one(order):
	old_plan = plan_of(order).name
	tasks.complete(task_of(order, TASK).name)
	order.reload()
	order.update({"status": "Cut"}).save()
	end_transaction()
	delete_by_sql(order)
	again = insert_again(order)
	assert plan_of(again).name != old_plan
	assert status_of(again) == {"Cut": "Open", "Shipped": "Open"}
	rows = frappe.get_all(
		"Milestone", {"reference_name": order.name, "reference_deleted": 0}, ["from_value", "value"]
	)
	assert [(row.from_value, row.value) for row in rows] == [("", "Open")]
	assert frappe.db.get_value("Milestone Plan", old_plan, "status") == "Cancelled"


def test_a_name_taken_again_by_sql_is_another_document(order):
	old_plan = plan_of(order)
	frappe.db.set_value(ORDER, order.name, "creation", "2099-01-01", update_modified=False)
	catching_up.run(ORDER)
	old_plan.reload()
	assert (old_plan.status, old_plan.plan_key) == ("Cancelled", None)


def test_an_older_creation_set_by_a_migration_script_ends_nothing(order):
	frappe.db.set_value(ORDER, order.name, "creation", "2001-01-01", update_modified=False)
	catching_up.run(ORDER)
	assert plan_of(order).status == "Active"


def test_plans_of_a_doctype_that_is_gone_end(make_doctype, monkeypatch):
	doctype = make_doctype(
		"Vanishing Order",
		[
			{"fieldname": "status", "fieldtype": "Select", "options": "\nOpen\nShipped"},
			{"fieldname": "day", "fieldtype": "Date"},
		],
	)
	make_workflow(
		"Vanishing", document_type=doctype, stages=[stage("Shipped", "Shipped", date_field="day")], tasks=[]
	)
	doc = frappe.get_doc({"doctype": doctype, "status": "Open", "day": "2030-01-01"}).insert()
	plan = plan_of(doc)
	exists = frappe.db.exists

	def without_it(dt, dn=None, *arguments, **named):
		return None if (dt, dn) == ("DocType", doctype) else exists(dt, dn, *arguments, **named)

	monkeypatch.setattr(frappe.db, "exists", without_it)
	catching_up.follow_plan(plan.name)
	plan.reload()
	assert plan.status == "Cancelled"


# Merged


def test_a_merge_keeps_both_histories_apart(order):
	other = make_document()
	other.update({"status": "Cut"}).save()
	end_transaction()
	frappe.rename_doc(ORDER, other.name, order.name, merge=True, force=True)
	rows = frappe.get_all(
		"Milestone", {"reference_name": order.name}, ["value", "merged_from"], order_by="reached_on"
	)
	assert [row.value for row in rows if row.merged_from == other.name] == ["Open", "Cut"]
	assert [row.value for row in rows if not row.merged_from] == ["Open"]
	kept = frappe.get_doc(ORDER, order.name)
	kept.update({"status": "Cut"}).save()
	last = frappe.get_all(
		"Milestone",
		{"reference_name": order.name, "value": "Cut", "merged_from": ("is", "not set")},
		["from_value"],
	)
	assert [row.from_value for row in last] == ["Open"]
	assert [(row.reference_name, row.value) for row in standing.present(Scope(ORDER, "status"))] == [
		(order.name, "Cut")
	]


# Renamed


def test_a_renamed_supplier_is_no_change_of_the_orders_that_track_it(order):
	tracker = frappe.get_doc("Milestone Tracker", {"document_type": ORDER})
	tracker.append("extra_fields", {"track_field": "supplier"})
	tracker.save()
	supplier = frappe.get_doc({"doctype": SUPPLIER, "title": "Weavers"}).insert()
	order = make_document(supplier=supplier.name)
	end_transaction()
	new = frappe.rename_doc(SUPPLIER, supplier.name, "Weavers and Sons", force=True)
	order.reload()
	order.update({"note": "looked at"}).save()
	end_transaction()
	catching_up.run(ORDER)
	rows = frappe.get_all(
		"Milestone", {"reference_name": order.name, "track_field": "supplier"}, ["from_value", "value"]
	)
	assert [(row.from_value, row.value) for row in rows] == [("", new)]


def test_a_renamed_user_is_followed_in_all_texts_that_hold_users(make_user):
	make_user("old.name@example.com", roles=["System Manager"])
	step = {"action": "notify", "users": ["old.name@example.com"]}
	make_workflow(
		stages=[stage("Shipped", "Shipped", notify_users="old.name@example.com\nother@example.com")], tasks=[]
	)
	order = make_document()
	plan = plan_of(order)
	for table in ("Milestone Workflow Stage", "Milestone Plan Stage"):
		frappe.db.set_value(table, {"stage_name": "Shipped"}, "next_actions", frappe.as_json([step]))
	frappe.db.set_value("Milestone Plan Log", {"plan": plan.name}, "done_by", "old.name@example.com")
	frappe.rename_doc("User", "old.name@example.com", "new.name@example.com", force=True)
	for table in ("Milestone Workflow Stage", "Milestone Plan Stage"):
		row = frappe.db.get_value(table, {"stage_name": "Shipped"}, ["notify_users", "next_actions"])
		assert row[0] == "new.name@example.com\nother@example.com"
		assert "old.name" not in row[1] and "new.name@example.com" in row[1]
	assert frappe.db.get_value("Milestone Plan Log", {"plan": plan.name}, "done_by") == "new.name@example.com"


def test_a_message_sent_under_the_old_name_of_a_user_is_not_sent_again(make_user):
	make_user("old.name@example.com")
	row = frappe.get_doc(
		{
			"doctype": "Milestone Message",
			"kind": "Prompt",
			"message_key": "Prompt|a|a/1|0|old.name@example.com",
		}
	)
	row.db_insert()
	user_texts.rename("old.name@example.com", "new@example.com")
	assert (
		frappe.db.get_value("Milestone Message", row.name, "message_key") == "Prompt|a|a/1|0|new@example.com"
	)


def test_a_user_deleted_by_force_is_not_mailed_as_an_outsider(make_user):
	make_user("gone@example.com", roles=["System Manager"])
	make_workflow(
		stages=[stage("Shipped", "Shipped", notify_users="gone@example.com")],
		tasks=[task("Shipped", TASK, **member("gone@example.com"))],
	)
	order = make_document(delivery_date=frappe.utils.nowdate())
	end_transaction()
	frappe.delete_doc("User", "gone@example.com", force=True, ignore_on_trash=True)
	plan = plan_of(order)
	assert plan.stages[0].notify_users == ""
	batch = plan_batch.read([plan.name], now_datetime())
	told = {
		delivery.recipient.identity
		for due, waiting in due_messages.deliveries_in(batch).values()
		for delivery in [*due, *waiting]
		if delivery.recipient
	}
	assert "gone@example.com" not in told


# Fields that go


def test_a_tracked_custom_field_that_is_removed_is_told_at_once_on_tracker_and_workflow(make_doctype):
	doctype = make_doctype(
		"Customised Order",
		[
			{"fieldname": "day", "fieldtype": "Date"},
			{"fieldname": "phase", "fieldtype": "Select", "options": "\nOpen\nShipped"},
		],
	)
	shipped = stage(
		"Shipped", reach_rule="Field Value", track_field="phase", track_value="Shipped", date_field="day"
	)
	workflow = make_workflow("Customised", document_type=doctype, stages=[shipped], tasks=[])
	# Not inserted, as a column that comes and goes would commit: only its removal is played.
	field = frappe.get_doc({"doctype": "Custom Field", "dt": doctype, "fieldname": "phase"})
	for _time in range(2):
		field.run_method("on_trash")
	text = "The field phase of Customised Order no longer exists. Choose another field."
	tracker = frappe.db.get_value("Milestone Tracker", {"document_type": doctype})
	for user_doctype, name in (("Milestone Workflow", workflow.name), ("Milestone Tracker", tracker)):
		about = {"reference_doctype": user_doctype, "reference_name": name, "content": text}
		assert len(frappe.get_all("Comment", about)) == 1, about
	assert any(text in str(message) for message in frappe.message_log)


def make_customised(doctype: str, fieldname: str) -> tuple[str, str]:
	"""A workflow of a DocType that watches a field, and the tracker that comes with it; returns their names."""
	shipped = stage(
		"Shipped",
		reach_rule="Field Value",
		track_field=fieldname,
		track_value="Shipped",
		key_date_rule="After Creation",
		date_field=None,
	)
	workflow = make_workflow("Customised", document_type=doctype, stages=[shipped], tasks=[])
	return workflow.name, frappe.db.get_value("Milestone Tracker", {"document_type": doctype})


def comments_on(user_doctype: str, name: str) -> list[str]:
	about = {"comment_type": "Comment", "reference_doctype": user_doctype, "reference_name": name}
	return frappe.get_all("Comment", about, pluck="content")


def test_a_watched_field_that_is_renamed_is_told_at_once(make_doctype):
	doctype = make_doctype(
		"Renaming Order", [{"fieldname": "phase", "fieldtype": "Select", "options": "\nOpen\nShipped"}]
	)
	workflow, tracker = make_customised(doctype, "phase")
	# The column stays: what the rename of a custom field writes besides would commit.
	frappe.db.set_value("DocField", {"parent": doctype, "fieldname": "phase"}, "fieldname", "step")
	field = frappe.get_doc({"doctype": "Custom Field", "dt": doctype, "fieldname": "step"})
	for _time in range(2):
		field.run_method("on_change")
	text = "The field phase of Renaming Order no longer exists. Choose another field."
	assert comments_on("Milestone Workflow", workflow) == [text]
	assert comments_on("Milestone Tracker", tracker) == [text]


def test_a_custom_field_renamed_or_removed_in_frappe_is_told_and_the_document_still_saved(scratch_site):
	scratch = scratch_site()
	with scratch.connect():
		if not hasattr(custom_field, "rename_fieldname"):
			pytest.skip("This Frappe renames no custom field.")
		options = {"fieldtype": "Select", "options": "\nOpen\nShipped"}
		phase = {"fieldname": "phase", "label": "Phase", **options}
		custom_field.create_custom_field("ToDo", phase, is_system_generated=False)
		workflow, tracker = make_customised("ToDo", "phase")
		todo = frappe.get_doc({"doctype": "ToDo", "description": "Ship it", "phase": "Open"}).insert()
		frappe.db.commit()
		custom_field.rename_fieldname("ToDo-phase", "step")
		text = "The field phase of ToDo no longer exists. Choose another field."
		assert comments_on("Milestone Workflow", workflow) == [text]
		assert comments_on("Milestone Tracker", tracker) == [text]
		frappe.clear_cache()
		todo = frappe.get_doc("ToDo", todo.name)
		todo.status = "Closed"
		todo.save()
		assert not frappe.get_all("Error Log", {"method": ("like", "%ilestone%")}, pluck="method")
		frappe.delete_doc("Custom Field", "ToDo-phase")
		assert comments_on("Milestone Workflow", workflow) == [text]
		todo.save()


# Brought in without messages


def test_an_import_that_mutes_mails_sends_nothing_for_the_past(order, make_user):
	make_user("owner@example.com", roles=["System Manager"])
	frappe.flags.mute_emails = True
	try:
		past = make_document(delivery_date="2020-01-01")
		frappe.flags.mute_emails = False
		told = make_document(delivery_date="2020-01-01")
	finally:
		frappe.flags.mute_emails = False
	plans = [plan_of(past).name, plan_of(told).name]
	batch = plan_batch.read(plans, now_datetime())
	due = due_messages.deliveries_in(batch)
	assert due[plans[0]][0] == []
	assert due[plans[1]][0]


def test_a_date_that_comes_after_a_muted_import_is_asked_for_as_ever(order):
	frappe.flags.mute_emails = True
	try:
		muted = make_document(delivery_date="2020-01-01")
	finally:
		frappe.flags.mute_emails = False
	plan = plan_of(muted)
	api.reschedule_stage(plan.name, "Shipped", nowdate(), "A new date", "Keep Order")
	# At noon, for before the hour of the messages nobody is asked yet.
	batch = plan_batch.read([plan.name], get_datetime(f"{nowdate()} 12:00:00"))
	assert due_messages.deliveries_in(batch)[plan.name][0]
	assert "Plan Started" in events_of(muted)
