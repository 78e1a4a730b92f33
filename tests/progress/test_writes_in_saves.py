"""Writes inside the save of a document, its own or another one: what SQL wrote on the way, and refusals that a hook swallows."""

import json

import frappe
import pytest

from milestone_automation.engine.base.guard import GateError
from milestone_automation.engine.progress import tasks
from tests.support.factories import (
	ORDER,
	events_of,
	make_document,
	make_workflow,
	plan_of,
	stage,
	stage_of,
	status_of,
	task,
	task_of,
)
from tests.support.transactions import end_transaction

pytestmark = pytest.mark.usefixtures("production_order")

TASK = "Sign the packing list"
RELEASED = stage("Released", reach_rule="Field Value", track_field="docstatus", track_value="1")


@pytest.fixture
def held(production_order):
	"""An order whose milestone Shipped is blocked by one task."""
	make_workflow(stages=[stage("Shipped", "Shipped")], tasks=[task("Shipped", TASK)])
	order = make_document()
	end_transaction()
	return order


def copy_of(order):
	return frappe.get_doc(ORDER, order.name)


def recorded(order) -> list[tuple[str, str]]:
	"""What was recorded of the status, oldest first, each step from the value before."""
	end_transaction()
	about = {"reference_name": order.name, "track_field": "status", "reference_deleted": 0}
	rows = frappe.get_all("Milestone", about, ["from_value", "value"], order_by="reached_on, idx, creation")
	return [(row.from_value or "", row.value) for row in rows]


def swallow(function, *arguments) -> None:
	try:
		function(*arguments)
	except GateError:
		frappe.clear_messages()


def once(function):
	"""A hook that does something the first time it is called."""
	calls = iter([function])
	return lambda: next(calls, lambda: None)()


# SQL on the way


def count_as_erpnext(order) -> None:
	frappe.db.set_value(ORDER, order.name, "status", "Shipped")
	copy_of(order).db_set("note", "all loaded")


@pytest.mark.parametrize("event", ["after_insert", "on_update", "on_change"])
def test_a_value_by_sql_in_the_insert_of_another_document_is_held_and_taken_back(held, event):
	receipt = frappe.get_doc({"doctype": "Note", "title": "All loaded"})
	receipt.__dict__[event] = once(lambda: count_as_erpnext(held))
	with pytest.raises(GateError, match=TASK):
		receipt.insert()
	assert frappe.db.get_value(ORDER, held.name, ["status", "note"]) == ("Open", None)
	assert status_of(held) == {"Shipped": "Open"}
	assert recorded(held) == [("", "Open")]


def test_what_got_past_the_gate_before_another_document_is_inserted_stops_nobody(held):
	frappe.db.set_value(ORDER, held.name, "status", "Shipped")
	receipt = frappe.get_doc({"doctype": "Note", "title": "All loaded"})
	receipt.__dict__["after_insert"] = lambda: copy_of(held).db_set("note", "all loaded")
	receipt.insert()
	assert frappe.db.get_value(ORDER, held.name, ["status", "note"]) == ("Shipped", "all loaded")
	assert stage_of(held, "Shipped").reached_without_tasks_on


@pytest.mark.parametrize("by_copy", [False, True], ids=["itself", "copy"])
@pytest.mark.parametrize("event", ["on_update", "on_change"])
def test_a_value_by_sql_and_a_db_set_in_its_own_save_is_held_and_taken_back(held, event, by_copy):
	doc = copy_of(held)

	def count():
		frappe.db.set_value(ORDER, held.name, "status", "Shipped")
		(copy_of(held) if by_copy else doc).db_set("note", "all loaded")

	doc.__dict__[event] = once(count)
	with pytest.raises(GateError, match=TASK):
		doc.update({"title": "x"}).save()
	assert frappe.db.get_value(ORDER, held.name, "status") == "Open"
	assert status_of(held) == {"Shipped": "Open"}


def test_what_got_past_the_gate_before_a_save_does_not_stop_a_db_set_of_its_hooks(held):
	frappe.db.set_value(ORDER, held.name, "status", "Shipped")
	end_transaction()
	doc = copy_of(held)
	doc.__dict__["on_update"] = lambda: copy_of(held).db_set("note", "all loaded")
	doc.update({"title": "x"}).save()
	assert frappe.db.get_value(ORDER, held.name, ["title", "note"]) == ("x", "all loaded")
	assert stage_of(held, "Shipped").reached_without_tasks_on


# Refusals inside a save


def test_what_a_refused_save_has_recorded_on_the_way_goes_with_it(held):
	doc = copy_of(held)
	doc.__dict__["on_update"] = lambda: (doc.db_set("status", "Cut"), doc.db_set("status", "Shipped"))
	swallow(doc.update({"note": "cut and loaded"}).save)
	assert frappe.db.get_value(ORDER, held.name, ["status", "note"]) == ("Open", None)
	assert recorded(held) == [("", "Open")]


@pytest.mark.parametrize("event", ["on_update", "on_submit"])
def test_a_save_whose_hook_swallows_a_refusal_is_stored_without_the_refused_value(held, event):
	doc = copy_of(held)
	doc.__dict__[event] = lambda: swallow(doc.db_set, "status", "Shipped")
	doc.update({"note": "cut", "status": "Cut"}).submit()
	assert frappe.db.get_value(ORDER, held.name, ["status", "note", "docstatus"]) == ("Cut", "cut", 1)
	assert recorded(held) == [("", "Open"), ("Open", "Cut")]
	assert json.loads(plan_of(held).snapshot)["status"] == "Cut"
	assert status_of(held) == {"Shipped": "Open"}


def test_a_copy_whose_refusal_is_swallowed_in_a_save_takes_back_its_own_write_only(held):
	doc = copy_of(held)

	def cut_and_load():
		copy_of(held).db_set("status", "Cut")
		swallow(copy_of(held).db_set, "status", "Shipped")

	doc.__dict__["on_update"] = cut_and_load
	doc.update({"note": "cut"}).save()
	assert frappe.db.get_value(ORDER, held.name, ["status", "note"]) == ("Cut", "cut")
	assert recorded(held) == [("", "Open"), ("Open", "Cut")]


def test_a_task_completed_in_what_was_rolled_back_does_not_open_the_gate_where_validation_is_skipped(held):
	held.submit()
	end_transaction()
	frappe.db.savepoint("attempt")
	tasks.complete(task_of(held, TASK).name)
	copy_of(held).db_set("note", "x")
	frappe.db.rollback(save_point="attempt")
	doc = copy_of(held).update({"status": "Shipped"})
	doc.flags.ignore_validate = True
	with pytest.raises(GateError, match=TASK):
		doc.save()
	assert frappe.db.get_value(ORDER, held.name, "status") == "Open"


@pytest.mark.parametrize("in_save", [False, True], ids=["db_set", "in its save"])
def test_a_refused_write_leaves_fields_of_every_kind_as_they_were(make_doctype, in_save):
	kinds = {
		"rules": ("JSON", json.dumps({"a": [1]})),
		"score": ("Rating", 0.4),
		"took": ("Duration", 300),
		"at": ("Time", "08:00:00"),
		"secret": ("Password", "open sesame"),
		"place": ("Geolocation", '{"type": "x"}'),
		"day": ("Date", "2030-01-01"),
	}
	fields = [{"fieldname": name, "fieldtype": kind} for name, (kind, _value) in kinds.items()]
	status = {"fieldname": "status", "fieldtype": "Select", "options": "Open\nShipped"}
	doctype = make_doctype("Order of Many Kinds", [status, *fields])
	make_workflow(
		"Kinds",
		document_type=doctype,
		stages=[stage("Shipped", "Shipped", date_field="day")],
		tasks=[task("Shipped", TASK)],
	)
	given = {name: value for name, (_kind, value) in kinds.items()}
	name = frappe.get_doc({"doctype": doctype, "status": "Open", **given}).insert().name
	end_transaction()

	def stored():
		return frappe.get_all(doctype, {"name": name}, ["*"])

	before, doc = stored(), frappe.get_doc(doctype, name)
	if in_save:
		doc.__dict__["on_update"] = lambda: doc.db_set("status", "Shipped")
	with pytest.raises(GateError, match=TASK):
		doc.save() if in_save else doc.db_set("status", "Shipped")
	assert stored() == before


# New documents


def test_a_new_document_refused_while_another_is_saved_says_what_it_is(held):
	note = frappe.get_doc({"doctype": "Note", "title": "Make it"})
	note.__dict__["after_insert"] = lambda: make_document(status="Shipped")
	with pytest.raises(GateError, match=f"{ORDER}: One required task comes before <b>Shipped</b>"):
		note.insert()


def bring_in(csv: str) -> list:
	job = {"doctype": "Data Import", "reference_doctype": ORDER, "import_type": "Insert New Records"}
	job = frappe.get_doc(job | {"submit_after_import": 1}).insert()
	file = {"doctype": "File", "file_name": "orders.csv", "content": csv, "is_private": 1}
	job.import_file = frappe.get_doc(file).insert().file_url
	job.save()
	frappe.get_attr("frappe.core.doctype.data_import.importer.Importer")(ORDER, data_import=job).import_data()
	return frappe.get_all("Data Import Log", {"data_import": job.name}, ["success", "messages", "exception"])


def test_what_is_imported_and_submitted_is_accepted_as_reached(monkeypatch):
	monkeypatch.setattr(frappe.db, "commit", end_transaction)
	make_workflow(stages=[RELEASED], tasks=[task("Released", TASK)])
	log = bring_in("Title,Status,Delivery Date\nThe old one,Open,2030-06-28\n")
	name = frappe.db.get_value(ORDER, {"title": "The old one", "docstatus": 1})
	assert name, log
	order = frappe.get_doc(ORDER, name)
	assert status_of(order) == {"Released": "Reached"}
	assert "Accepted as Reached" in events_of(order)
	assert not frappe.get_all("Milestone Task", {"reference_name": name})


def test_an_imported_document_is_held_once_it_is_in(monkeypatch):
	make_workflow(stages=[RELEASED], tasks=[task("Released", TASK)])
	monkeypatch.setitem(frappe.flags, "in_import", True)
	order = make_document()
	end_transaction()
	with pytest.raises(GateError, match=TASK):
		copy_of(order).submit()


def test_an_import_that_is_to_be_refused_is_refused_when_it_submits(monkeypatch):
	make_workflow(stages=[RELEASED], tasks=[task("Released", TASK)], imported_documents="Refuse")
	monkeypatch.setitem(frappe.flags, "in_import", True)
	order = make_document()
	with pytest.raises(GateError, match=TASK):
		order.submit()
