"""What got past the gate, what new documents may not, refusals that somebody swallows, faults of the gate itself."""

from types import SimpleNamespace

import frappe
import pytest
from frappe.core.doctype.deleted_document import deleted_document

from milestone_automation.engine.base import compat
from milestone_automation.engine.base.guard import GateError
from milestone_automation.engine.messages import alerts
from milestone_automation.engine.plans import catching_up, starting
from milestone_automation.engine.progress import gate, tasks
from milestone_automation.engine.store import watched
from tests.support.factories import (
	CLERK_ROLE,
	ORDER,
	READER_ROLE,
	events_of,
	make_document,
	make_workflow,
	plan_of,
	stage,
	stage_of,
	status_of,
	task,
	task_of,
	written,
)

pytestmark = pytest.mark.usefixtures("production_order")

TASK = "Sign the packing list"
RELEASED = stage("Released", reach_rule="Field Value", track_field="docstatus", track_value="1")


@pytest.fixture
def held(production_order):
	"""An order whose milestone Shipped is blocked by one task."""
	make_workflow(stages=[stage("Shipped", "Shipped")], tasks=[task("Shipped", TASK)])
	return make_document()


def ship_by_sql(order):
	frappe.db.set_value(ORDER, order.name, "status", "Shipped")


def log_of(order, event):
	return frappe.get_all(
		"Milestone Plan Log",
		{"plan": plan_of(order).name, "event": event},
		["name", "stage_name", "details", "told_on"],
	)


# What got past the gate freezes nothing


@pytest.mark.parametrize(
	"write",
	[
		lambda order: order.db_set("note", "checked"),
		lambda order: order.update({"note": "checked"}).save(),
		lambda order: order.submit(),
	],
	ids=["db_set", "save", "submit"],
)
def test_an_order_whose_value_got_past_the_gate_can_still_be_changed(held, write):
	ship_by_sql(held)
	write(frappe.get_doc(ORDER, held.name))
	assert frappe.db.get_value(ORDER, held.name, "status") == "Shipped"
	assert stage_of(held, "Shipped").status == "Reached"
	assert stage_of(held, "Shipped").reached_without_tasks_on
	(entry,) = log_of(held, "Reached Without Required Tasks")
	assert (entry.stage_name, entry.details) == ("Shipped", TASK)


def test_a_submitted_order_whose_value_got_past_the_gate_can_be_cancelled(held):
	held.submit()
	ship_by_sql(held)
	frappe.get_doc(ORDER, held.name).cancel()
	assert frappe.db.get_value(ORDER, held.name, "docstatus") == 2
	assert plan_of(held).status == "Cancelled"


def test_what_got_past_is_told_to_the_managers_of_the_workflow_once(held, make_user):
	make_user("manager@example.com", roles=["Milestone Manager", READER_ROLE])
	ship_by_sql(held)
	catching_up.run(ORDER)
	(entry,) = log_of(held, "Reached Without Required Tasks")
	for _job in range(2):
		alerts.send(entry.name)
	sent = frappe.get_all(
		"Milestone Message", {"plan": plan_of(held).name, "kind": "Notice"}, pluck="recipient"
	)
	assert sent.count("manager@example.com") == 1
	assert log_of(held, "Reached Without Required Tasks")[0].told_on


def test_a_value_set_by_sql_in_the_same_save_that_reaches_it_again_is_still_held(held):
	doc = frappe.get_doc(ORDER, held.name)
	doc.status = "Shipped"
	with pytest.raises(GateError, match=TASK):
		doc.save()
	assert status_of(held) == {"Shipped": "Open"}


def test_a_milestone_that_is_reopened_forgets_that_it_got_past_the_gate(held):
	ship_by_sql(held)
	catching_up.run(ORDER)
	frappe.db.set_value(ORDER, held.name, "status", "Open")
	catching_up.run(ORDER)
	row = stage_of(held, "Shipped")
	assert (row.status, row.reached_without_tasks_on) == ("Open", None)


def save_another(on_update) -> None:
	"""Save another document, whose `on_update` hook does something with the order."""
	other = frappe.get_doc({"doctype": "ToDo", "description": "Load the truck"}).insert()
	other.__dict__["on_update"] = on_update
	other.save()


def ship_as_erpnext_counts(order) -> None:
	"""The value by SQL, then the status by `db_set` of a fresh copy, as ERPNext writes its percentages."""
	frappe.db.set_value(ORDER, order.name, "status", "Shipped")
	frappe.get_doc(ORDER, order.name).db_set("note", "all loaded")


def test_a_value_by_sql_in_the_save_of_another_document_is_held_and_taken_back(held):
	before = written(held)

	def swallow():
		with pytest.raises(GateError, match=TASK):
			ship_as_erpnext_counts(held)

	save_another(swallow)
	after = written(held)
	assert after["document"].pop("modified") and before["document"].pop("modified")
	assert after == before
	tasks.complete(task_of(held, TASK).name)
	save_another(lambda: ship_as_erpnext_counts(held))
	assert status_of(held) == {"Shipped": "Reached"}
	assert not stage_of(held, "Shipped").reached_without_tasks_on


def test_what_got_past_the_gate_before_another_document_is_saved_stops_nobody(held):
	ship_by_sql(held)
	frappe.db.set_value(ORDER, held.name, "modified", "2026-01-02 10:00:00", update_modified=False)
	save_another(lambda: frappe.get_doc(ORDER, held.name).db_set("note", "all loaded"))
	assert frappe.db.get_value(ORDER, held.name, ["status", "note"]) == ("Shipped", "all loaded")
	assert stage_of(held, "Shipped").reached_without_tasks_on


# Refusals that somebody swallows


def save_all(orders, **flags) -> list[str]:
	"""Ship all orders, as loops in public apps do: whatever is refused is left out, and the rest goes on."""
	failed = []
	for name in orders:
		try:
			doc = frappe.get_doc(ORDER, name)
			doc.update({"status": "Shipped", "note": "shipped together"})
			doc.flags.update(flags)
			doc.save()
		except Exception:
			failed.append(name)
	return failed


@pytest.mark.parametrize(
	"flags",
	[
		{},
		{"ignore_validate": True},
		{"ignore_permissions": True},
		{"ignore_validate_update_after_submit": True},
		{"ignore_mandatory": True, "ignore_links": True, "ignore_version": True},
	],
	ids=lambda flags: "+".join(flags) or "none",
)
@pytest.mark.parametrize("submitted", [False, True], ids=["draft", "submitted"])
def test_a_loop_that_swallows_the_refusal_keeps_the_held_order_and_ships_the_others(held, flags, submitted):
	free = make_document()
	tasks.complete(task_of(free, TASK).name)
	if submitted:
		held.submit()
		free.submit()
	before = written(held)
	assert save_all([held.name, free.name], **flags) == [held.name]
	assert written(held) == before
	assert frappe.db.get_value(ORDER, free.name, ["status", "note"]) == ("Shipped", "shipped together")
	assert status_of(free) == {"Shipped": "Reached"}


@pytest.mark.parametrize("event", ["before_save", "on_update", "on_change"])
def test_a_value_that_a_hook_sets_late_is_taken_back_when_the_refusal_is_swallowed(held, event):
	doc = frappe.get_doc(ORDER, held.name)
	set_value = {
		"before_save": lambda: doc.set("status", "Shipped"),
		"on_update": lambda: doc.db_set("status", "Shipped"),
		"on_change": lambda: doc.get("status") == "Shipped" or doc.db_set("status", "Shipped"),
	}[event]
	doc.__dict__[event] = set_value
	before = written(held)
	doc.note = "shipped by a hook"
	with pytest.raises(GateError, match=TASK):
		doc.save()
	assert written(held) == before


def test_a_refused_db_set_inside_another_save_takes_back_only_its_own_document(held):
	note = frappe.get_doc({"doctype": "Note", "title": "Ship it", "content": held.name})

	def ship_and_go_on():
		try:
			frappe.get_doc(ORDER, held.name).db_set("status", "Shipped")
		except GateError:
			frappe.clear_messages()

	note.__dict__["after_insert"] = ship_and_go_on
	before = written(held)
	note.insert()
	assert frappe.db.get_value("Note", note.name, "content") == held.name
	assert written(held) == before


def test_a_refused_save_leaves_the_rows_of_its_tables_as_they_were(make_doctype):
	row = make_doctype("Refused Row", [{"fieldname": "item", "fieldtype": "Data"}], istable=1)
	doctype = make_doctype(
		"Refused Order",
		[
			{"fieldname": "status", "fieldtype": "Select", "options": "Open\nShipped"},
			{"fieldname": "day", "fieldtype": "Date"},
			{"fieldname": "rows", "fieldtype": "Table", "options": row},
		],
	)
	make_workflow(
		"Refused",
		document_type=doctype,
		stages=[stage("Shipped", "Shipped", date_field="day")],
		tasks=[task("Shipped", TASK)],
	)
	order = frappe.get_doc({"doctype": doctype, "day": "2030-01-01", "rows": [{"item": "Shirt"}]}).insert()

	def stored():
		return frappe.get_all(row, {"parent": order.name}, ["name", "item", "idx"])

	before = stored()
	doc = frappe.get_doc(doctype, order.name)
	doc.status, doc.rows[0].item = "Shipped", "Trousers"
	doc.append("rows", {"item": "Socks"})
	doc.flags.ignore_validate = True
	with pytest.raises(GateError, match=TASK):
		doc.save()
	assert frappe.db.get_value(doctype, order.name, "status") == "Open"
	assert stored() == before


# New documents


def insert(**values):
	return make_document(status="Shipped", **values)


def submit_on_insert():
	return make_document(docstatus=1)


def insert_and_submit():
	order = frappe.get_doc(
		{"doctype": ORDER, "status": "Open", "delivery_date": "2030-06-28", "docstatus": 1}
	)
	order.flags.ignore_validate = True
	return order.insert()


def test_what_a_clerk_creates_at_a_blocked_value_is_refused_with_words(make_user, as_user):
	make_workflow(
		stages=[stage("Shipped", "Shipped")],
		tasks=[task("Shipped", TASK), task("Shipped", "Weigh it")],
	)
	make_user("clerk@example.com", roles=[CLERK_ROLE])
	with as_user("clerk@example.com"), pytest.raises(GateError) as refused:
		insert()
	assert "2 required tasks come before <b>Shipped</b>." in str(refused.value)
	assert "Save it with another Status first, so that its tasks are created." in str(refused.value)
	assert not frappe.get_all(ORDER, {"status": "Shipped"})


@pytest.mark.parametrize("create", [submit_on_insert, insert_and_submit])
def test_submitting_on_insert_is_refused_where_submitting_reaches_a_blocked_milestone(create):
	make_workflow(stages=[RELEASED], tasks=[task("Released", TASK)])
	with pytest.raises(GateError, match="Save it as a draft first"):
		create()
	assert not frappe.get_all(ORDER, {"docstatus": 1})


def test_a_copy_of_a_shipped_order_is_refused(held):
	tasks.complete(task_of(held, TASK).name)
	held.reload()
	held.update({"status": "Shipped"}).save()
	with pytest.raises(GateError, match="One required task comes before <b>Shipped</b>"):
		frappe.copy_doc(held).insert()
	assert frappe.get_all(ORDER, {"status": "Shipped"}, pluck="name") == [held.name]


@pytest.mark.usefixtures("held")
def test_a_new_document_whose_hook_sets_a_blocked_value_does_not_keep_it():
	order = frappe.get_doc({"doctype": ORDER, "status": "Open", "delivery_date": "2030-06-28"})
	order.__dict__["after_insert"] = lambda: order.db_set("status", "Shipped")
	with pytest.raises(GateError):
		order.insert()
	assert frappe.db.get_value(ORDER, order.name, "status") == "Open"
	assert "Shipped" not in frappe.get_all("Milestone", {"reference_name": order.name}, pluck="value")


@pytest.mark.parametrize("flag", ["in_import", "in_patch"])
def test_what_is_brought_in_is_accepted_as_reached_and_logged(held, flag):
	frappe.flags[flag] = True
	try:
		order = insert()
	finally:
		frappe.flags[flag] = False
	assert status_of(order) == {"Shipped": "Reached"}
	assert [row.details for row in log_of(order, "Accepted as Reached")] == [TASK]


def ship_and_delete(order) -> str:
	"""Complete the order's task, ship and delete it; return the name of its row among the deleted documents."""
	tasks.complete(task_of(order, TASK).name)
	order.reload()
	order.update({"status": "Shipped"}).save()
	frappe.delete_doc(ORDER, order.name)
	return frappe.db.get_value("Deleted Document", {"deleted_doctype": ORDER, "deleted_name": order.name})


def test_a_shipped_order_that_was_deleted_is_restored_as_it_was(held):
	deleted = ship_and_delete(held)
	deleted_document.restore(deleted)
	order = frappe.get_doc(ORDER, frappe.db.get_value("Deleted Document", deleted, "new_name"))
	assert order.status == "Shipped"
	assert status_of(order) == {"Shipped": "Reached"}
	assert [row.details for row in log_of(order, "Accepted as Reached")] == [TASK]


def test_an_order_that_was_deleted_before_it_was_shipped_is_not_restored_as_shipped(held):
	frappe.delete_doc(ORDER, held.name)
	data = frappe.parse_json(
		frappe.db.get_value("Deleted Document", {"deleted_doctype": ORDER, "deleted_name": held.name}, "data")
	)
	with pytest.raises(GateError, match="One required task comes before <b>Shipped</b>"):
		frappe.get_doc({**data, "status": "Shipped"}).insert()


RESTORE = "frappe.core.doctype.deleted_document.deleted_document.restore"


@pytest.mark.parametrize(
	"restoring",
	[(f"/api/method/{RESTORE}", {"cmd": RESTORE}), (f"/api/v2/method/{RESTORE}", {})],
	ids=["api", "newer api"],
)
def test_a_request_that_sends_what_was_deleted_as_a_new_order_is_refused(held, monkeypatch, restoring):
	deleted = ship_and_delete(held)
	data = frappe.parse_json(frappe.db.get_value("Deleted Document", deleted, "data"))
	request = SimpleNamespace(method="POST", path="/api/method/frappe.client.insert")
	monkeypatch.setattr(frappe.local, "request", request, raising=False)
	monkeypatch.setattr(frappe.local, "form_dict", frappe._dict(cmd="frappe.client.insert"))
	pretending = frappe.get_doc(data)
	pretending.flags.from_restore = True  # as a script of the site can
	with pytest.raises(GateError, match="One required task comes before <b>Shipped</b>"):
		pretending.insert()
	request.path, form = restoring
	frappe.local.form_dict = frappe._dict(form)
	assert status_of(frappe.get_doc(data).insert()) == {"Shipped": "Reached"}


def test_a_workflow_that_refuses_what_is_brought_in_refuses_what_is_restored_too(held):
	workflow = plan_of(held).workflow
	deleted = ship_and_delete(held)
	frappe.db.set_value("Milestone Workflow", workflow, "imported_documents", "Refuse")
	frappe.clear_document_cache("Milestone Workflow", workflow)
	with pytest.raises(GateError, match="One required task comes before <b>Shipped</b>"):
		deleted_document.restore(deleted)


def test_a_document_from_before_the_workflow_is_accepted_when_its_plan_is_started(make_user):
	order = insert()
	make_workflow(stages=[stage("Shipped", "Shipped")], tasks=[task("Shipped", TASK)])
	starting.start(order)
	assert status_of(order) == {"Shipped": "Reached"}
	assert "Accepted as Reached" in events_of(order)


def test_the_workflow_may_choose_the_other_way_for_each():
	make_workflow(
		stages=[stage("Shipped", "Shipped")],
		tasks=[task("Shipped", TASK)],
		new_documents="Accept as Reached",
		imported_documents="Refuse",
	)
	assert status_of(insert()) == {"Shipped": "Reached"}
	frappe.flags.in_import = True
	try:
		with pytest.raises(GateError, match="One required task comes before <b>Shipped</b>"):
			insert()
	finally:
		frappe.flags.in_import = False


def test_a_new_document_is_held_by_the_tasks_of_earlier_milestones_where_the_workflow_says_so():
	make_workflow(
		stages=[stage("Cut", "Cut", -20), stage("Shipped", "Shipped")],
		tasks=[task("Cut", "Order the cloth")],
		earlier_tasks_block=1,
	)
	with pytest.raises(GateError, match="One required task comes before <b>Shipped</b>"):
		insert()


def test_a_new_document_is_refused_out_of_order_and_an_imported_one_has_skipped_what_came_before():
	make_workflow(
		stages=[stage("Cut", "Cut", -20), stage("Shipped", "Shipped")], tasks=(), reached_in_order=1
	)
	with pytest.raises(
		GateError, match="Milestones are reached in order, and <b>Cut</b> comes before <b>Shipped</b>"
	):
		insert()
	frappe.flags.in_import = True
	try:
		order = insert()
	finally:
		frappe.flags.in_import = False
	assert status_of(order) == {"Cut": "Open", "Shipped": "Reached"}
	assert stage_of(order, "Cut").health == "Skipped"


def test_what_is_reached_out_of_order_past_the_gate_is_on_record_and_told(make_user):
	make_user("manager@example.com", roles=["Milestone Manager", READER_ROLE])
	make_workflow(
		stages=[stage("Cut", "Cut", -20), stage("Shipped", "Shipped")], tasks=(), reached_in_order=1
	)
	order = make_document()
	ship_by_sql(order)
	catching_up.run(ORDER)
	(entry,) = log_of(order, "Reached Out of Order")
	assert (entry.stage_name, entry.details) == ("Shipped", "Cut")
	alerts.send(entry.name)
	filters = {"plan": plan_of(order).name, "kind": "Notice", "recipient": "manager@example.com"}
	assert "was reached out of order" in frappe.db.get_value("Milestone Message", filters, "subject")


def test_a_default_value_with_required_tasks_is_refused_when_the_workflow_is_saved(make_doctype):
	doctype = make_doctype(
		"Defaulted Order",
		[
			{"fieldname": "status", "fieldtype": "Select", "options": "Draft\nShipped"},
			{"fieldname": "day", "fieldtype": "Date"},
		],
	)
	with pytest.raises(frappe.ValidationError, match="New documents have this value by default"):
		make_workflow(
			"Defaulted",
			document_type=doctype,
			stages=[stage("Drafted", "Draft", date_field="day")],
			tasks=[task("Drafted", TASK)],
		)


# Faults of the gate


def test_a_fault_inside_the_gate_lets_the_save_go_on_and_is_logged_shown_and_told(held, monkeypatch):
	def fail(*arguments, **named):
		raise RuntimeError("the gate is broken")

	monkeypatch.setattr(gate, "check", fail)
	doc = frappe.get_doc(ORDER, held.name)
	doc.note = "saved all the same"
	doc.save()
	monkeypatch.undo()
	assert frappe.db.get_value(ORDER, held.name, "note") == "saved all the same"
	(entry,) = log_of(held, "Gate Check Failed")
	assert plan_of(held).gate_failed_on
	alerts.send(entry.name)
	assert frappe.get_all("Milestone Message", {"plan": plan_of(held).name, "kind": "Notice"})
	assert frappe.get_all("Error Log", {"method": ("like", f"Milestone gate of {ORDER} {held.name}%")})


# Held while something else is saved


def ship_from_a_note(order):
	note = frappe.get_doc({"doctype": "Note", "title": f"Ship {order.name}"})
	note.__dict__["after_insert"] = lambda: frappe.get_doc(ORDER, order.name).db_set("status", "Shipped")
	note.insert(ignore_permissions=True)


def test_a_refusal_met_on_another_document_names_the_one_that_holds_with_a_link(held):
	with pytest.raises(GateError) as refused:
		ship_from_a_note(held)
	text = str(refused.value)
	assert f"{ORDER} {held.name}</a>: <b>Shipped</b> cannot be reached yet" in text
	assert compat.desk_route(f"production-order/{held.name}") in text


def test_who_may_not_read_the_document_that_holds_is_told_whom_to_ask(held, make_user, as_user):
	make_user("stranger@example.com", roles=["Desk User"] if frappe.db.exists("Role", "Desk User") else [])
	with as_user("stranger@example.com"), pytest.raises(GateError) as refused:
		ship_from_a_note(held)
	assert held.name not in str(refused.value)
	assert TASK not in str(refused.value)
	assert str(refused.value).startswith("Another document cannot reach its next milestone yet")
	assert "milestone_gate" not in (frappe.local.response or {})


def test_the_plan_is_known_as_it_is_stored_after_a_refusal(held):
	with pytest.raises(GateError):
		frappe.get_doc(ORDER, held.name).db_set("status", "Shipped")
	plan = watched.loaded(frappe.get_doc(ORDER, held.name))
	assert [row.status for row in plan.stages] == ["Open"]
