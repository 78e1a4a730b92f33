"""The gate on every path that writes: refused while a required task is open, let through once it is done."""

import json

import frappe
import frappe.client
import pytest
from frappe.desk.form.save import savedocs
from frappe.model.workflow import apply_workflow

from milestone_automation import api
from milestone_automation.engine.base.guard import GateError
from milestone_automation.engine.progress import stages, tasks
from tests.support.factories import (
	CLERK_ROLE,
	ORDER,
	PARTNER_ROLE,
	ensure_production_order,
	events_of,
	make_document,
	make_workflow,
	member,
	plan_of,
	stage,
	stage_of,
	status_of,
	task,
	task_of,
	written,
)
from tests.support.transactions import end_transaction, fresh

pytestmark = pytest.mark.usefixtures("production_order")

TASK = "Sign the packing list"
TASKS = (task("Shipped", TASK),)


def held_order(**values):
	"""An order whose stage Shipped is held by one task of `erika@example.com`."""
	make_workflow(stages=[stage("Shipped", "Shipped")], tasks=TASKS)
	return make_document(**values)


def complete(title: str, order) -> None:
	tasks.complete(task_of(order, title).name)


def refusal(action, *arguments, **named) -> str:
	"""The text of the gate's refusal."""
	with pytest.raises(GateError) as refused:
		action(*arguments, **named)
	assert refused.value.http_status_code == 417
	return str(refused.value)


# Every way a document gets its value, in one process


def save(order):
	order.status = "Shipped"
	order.save()


def form_save(order):
	savedocs(json.dumps(order.as_dict() | {"status": "Shipped"}, default=str), "Save")


def form_update_after_submit(order):
	savedocs(json.dumps(order.as_dict() | {"status": "Shipped"}, default=str), "Update")


def client_set_value(order):
	frappe.client.set_value(ORDER, order.name, "status", "Shipped")


def client_save(order):
	frappe.client.save(json.dumps(order.as_dict() | {"status": "Shipped"}, default=str))


def db_set(order):
	order.db_set("status", "Shipped")


def db_set_of_a_dict(order):
	order.db_set({"status": "Shipped", "note": "gone"})


def save_without_validation(order):
	order.flags.ignore_validate = True
	save(order)


def save_ignoring_permissions(order):
	order.status = "Shipped"
	order.save(ignore_permissions=True)


PATHS = [
	save,
	form_save,
	client_set_value,
	client_save,
	db_set,
	db_set_of_a_dict,
	save_ignoring_permissions,
]


@pytest.mark.parametrize("path", PATHS)
def test_a_draft_is_refused_with_nothing_written_and_goes_through_once_the_task_is_done(path):
	order = held_order()
	before = written(order)
	text = refusal(path, frappe.get_doc(ORDER, order.name))
	assert "<b>Shipped</b> cannot be reached yet: one required task is open." in text
	assert TASK in text
	assert written(order) == before
	complete(TASK, order)
	path(frappe.get_doc(ORDER, order.name))
	assert frappe.db.get_value(ORDER, order.name, "status") == "Shipped"
	assert stage_of(order, "Shipped").status == "Reached"


FIRST_CUT = (stage("Cut", "Cut", -20), stage("Shipped", "Shipped"))


@pytest.mark.parametrize("path", PATHS)
def test_a_draft_is_refused_out_of_order_and_goes_through_once_its_turn_has_come(path):
	make_workflow(stages=FIRST_CUT, tasks=(), reached_in_order=1)
	order = make_document()
	before = written(order)
	text = refusal(path, frappe.get_doc(ORDER, order.name))
	assert (
		"<b>Shipped</b> cannot be reached yet: milestones are reached in order, and Cut comes first." in text
	)
	assert written(order) == before
	frappe.get_doc(ORDER, order.name).db_set("status", "Cut")
	path(frappe.get_doc(ORDER, order.name))
	assert status_of(order) == {"Cut": "Reached", "Shipped": "Reached"}


def test_what_one_save_reaches_together_is_in_order():
	released = stage("Released", reach_rule="Field Value", track_field="docstatus", track_value="1")
	make_workflow(stages=[stage("Cut", "Cut", -20), released], tasks=(), reached_in_order=1)
	order = make_document()
	order.status = "Cut"
	order.submit()
	assert status_of(order) == {"Cut": "Reached", "Released": "Reached"}


@pytest.mark.parametrize("path", [save, form_update_after_submit, client_set_value, db_set])
def test_an_update_after_submit_is_refused_with_nothing_written(path):
	order = held_order()
	order.submit()
	before = written(order)
	assert TASK in refusal(path, frappe.get_doc(ORDER, order.name))
	assert written(order) == before
	complete(TASK, order)
	path(frappe.get_doc(ORDER, order.name))
	assert frappe.db.get_value(ORDER, order.name, ["docstatus", "status"]) == (1, "Shipped")
	assert stage_of(order, "Shipped").status == "Reached"


def test_a_save_that_skips_validation_is_refused_and_rolled_back_by_its_request():
	order = held_order()
	frappe.db.savepoint("request")
	before = written(order)
	assert TASK in refusal(save_without_validation, frappe.get_doc(ORDER, order.name))
	frappe.db.rollback(save_point="request")
	assert written(order) == before


def submit(order):
	order.submit()


def form_submit(order):
	savedocs(json.dumps(order.as_dict(), default=str), "Submit")


def client_submit(order):
	frappe.client.submit(json.dumps(order.as_dict(), default=str))


@pytest.mark.parametrize("path", [submit, form_submit, client_submit])
def test_submitting_is_refused_out_of_order(path):
	released = stage("Released", reach_rule="Field Value", track_field="docstatus", track_value="1")
	make_workflow(stages=[stage("Signed off"), released], tasks=(), reached_in_order=1)
	order = make_document()
	before = written(order)
	assert "Signed off comes first" in refusal(path, frappe.get_doc(ORDER, order.name))
	assert written(order) == before
	api.confirm_stage(plan_of(order).name, "Signed off")
	path(frappe.get_doc(ORDER, order.name))
	assert status_of(order) == {"Signed off": "Reached", "Released": "Reached"}


@pytest.mark.parametrize("path", [submit, form_submit, client_submit])
def test_submitting_is_refused_where_a_stage_is_reached_by_it(path):
	released = stage("Released", reach_rule="Field Value", track_field="docstatus", track_value="1")
	make_workflow(stages=[released], tasks=[task("Released", TASK)])
	order = make_document()
	before = written(order)
	text = refusal(path, frappe.get_doc(ORDER, order.name))
	assert "<b>Released</b> cannot be reached yet" in text
	assert written(order) == before
	complete(TASK, order)
	path(frappe.get_doc(ORDER, order.name))
	assert frappe.db.get_value(ORDER, order.name, "docstatus") == 1
	assert status_of(order) == {"Released": "Reached"}


def test_a_workflow_action_is_refused_with_nothing_written(approval):
	sent = stage("Sent", reach_rule="Field Value", track_field="state", track_value="On its way")
	make_workflow(stages=[sent], tasks=[task("Sent", TASK)])
	order = make_document()
	assert order.state == "Packing"
	before = written(order)
	assert TASK in refusal(apply_workflow, order.as_json(), "Send off")
	assert written(order) == before
	complete(TASK, order)
	apply_workflow(order.as_json(), "Send off")
	assert frappe.db.get_value(ORDER, order.name, ["state", "docstatus"]) == ("On its way", 1)
	assert status_of(order) == {"Sent": "Reached"}


def test_a_confirmation_is_refused_with_nothing_written():
	make_workflow(stages=[stage("Signed off")], tasks=[task("Signed off", TASK)])
	order = make_document()
	plan, before = plan_of(order).name, written(order)
	text = refusal(api.confirm_stage, plan, "Signed off")
	assert "<b>Signed off</b> cannot be reached yet: one required task is open." in text
	assert written(order) == before
	complete(TASK, order)
	answer = api.confirm_stage(plan, "Signed off")
	assert answer["stages"][0]["status"] == "Reached"
	assert answer["plan"]["status"] == "Completed"


def test_a_confirmation_is_refused_out_of_order():
	make_workflow(stages=[stage("Cut", "Cut", -20), stage("Signed off")], tasks=(), reached_in_order=1)
	order = make_document()
	plan, before = plan_of(order).name, written(order)
	assert "Cut comes first" in refusal(api.confirm_stage, plan, "Signed off")
	assert written(order) == before


# A value that is set by code


def test_db_set_writes_nothing_even_if_the_script_swallows_the_refusal():
	order = held_order()
	before = written(order)
	try:
		order.db_set("status", "Shipped")
	except Exception:
		frappe.clear_messages()
	assert written(order) == before


def script_on(doctype: str, event: str, code: str) -> None:
	script = {
		"doctype": "Server Script",
		"name": f"{doctype} {event}",
		"script_type": "DocType Event",
		"reference_doctype": doctype,
		"doctype_event": event,
		"script": code,
	}
	frappe.get_doc(script).insert()


def test_db_set_inside_the_hook_of_another_document_stops_that_document_too():
	order = held_order()
	script_on("Note", "After Save", f"frappe.get_doc('{ORDER}', doc.content).db_set('status', 'Shipped')")
	note = {"doctype": "Note", "title": "Ship it", "content": order.name}
	before = written(order)
	assert TASK in refusal(frappe.get_doc(note).insert)
	assert written(order) == before
	complete(TASK, order)
	frappe.get_doc(note | {"title": "Ship it now"}).insert()
	assert status_of(order) == {"Shipped": "Reached"}


def test_a_hook_that_swallows_the_refusal_has_written_nothing():
	order = held_order()
	script_on(
		"Note",
		"After Save",
		f"try:\n\tfrappe.get_doc('{ORDER}', doc.content).db_set('status', 'Shipped')\nexcept:\n\tpass",
	)
	before = written(order)
	frappe.get_doc({"doctype": "Note", "title": "Ship it", "content": order.name}).insert()
	assert written(order) == before


@pytest.mark.parametrize("event", ["Before Save", "After Save"])
def test_a_value_set_by_a_script_of_the_document_itself_is_refused(event):
	order = held_order()
	code = {
		"Before Save": "if doc.note == 'ship': doc.status = 'Shipped'",
		"After Save": "if doc.note == 'ship' and doc.status != 'Shipped': doc.db_set('status', 'Shipped')",
	}[event]
	script_on(ORDER, event, code)
	order = frappe.get_doc(ORDER, order.name)
	order.note = "ship"
	assert TASK in refusal(order.save)
	assert stage_of(order, "Shipped").status == "Open"


def test_the_gate_sees_a_task_opened_between_two_changes_of_one_document_in_memory():
	order = held_order()
	complete(TASK, order)
	kept = frappe.get_doc(ORDER, order.name)
	kept.note = "first"
	kept.save()
	kept.db_set("note", "second")
	tasks.reopen(task_of(order, TASK).name, "The list was wrong")
	assert TASK in refusal(kept.db_set, "status", "Shipped")
	assert frappe.db.get_value(ORDER, order.name, "status") == "Open"


def test_a_hook_that_opens_a_task_during_the_save_still_holds_the_stage():
	order = held_order()
	complete(TASK, order)
	script_on(
		ORDER,
		"After Save",
		f"frappe.call('milestone_automation.api.reopen_task', task='{task_of(order, TASK).name}', reason='Wrong')",
	)
	assert TASK in refusal(save, order)


# What holds, and what does not


@pytest.mark.parametrize("outcome", ["complete", "cancel", "waive"])
def test_completed_cancelled_and_waived_tasks_do_not_hold(outcome):
	order = held_order()
	arguments = [] if outcome == "complete" else ["The buyer does not ask for it"]
	getattr(tasks, outcome)(task_of(order, TASK).name, *arguments)
	save(order)
	assert status_of(order) == {"Shipped": "Reached"}


def test_tasks_that_are_not_required_do_not_hold():
	make_workflow(
		stages=[stage("Shipped", "Shipped")], tasks=[task("Shipped", "Take photographs", required=0)]
	)
	order = make_document()
	save(order)
	assert status_of(order) == {"Shipped": "Reached"}
	assert task_of(order, "Take photographs").status == "Open"


def test_a_reopened_task_holds_again():
	order = held_order()
	complete(TASK, order)
	tasks.reopen(task_of(order, TASK).name, "The list was wrong")
	assert TASK in refusal(save, order)


def test_a_task_made_required_later_holds():
	order = held_order()
	complete(TASK, order)
	name = tasks.add(plan_of(order).name, "Shipped", title="Weigh the boxes", required=1)
	assert "Weigh the boxes" in refusal(save, order)
	tasks.cancel(name, "No scales")
	order.reload()
	save(order)
	assert status_of(order) == {"Shipped": "Reached"}


def test_by_default_an_earlier_stage_does_not_hold_a_later_one():
	make_workflow(
		stages=[stage("Inspected", "Inspected", -7), stage("Shipped", "Shipped")],
		tasks=[task("Inspected", "Book the inspector")],
	)
	order = make_document()
	save(order)
	assert status_of(order) == {"Inspected": "Open", "Shipped": "Reached"}


def test_tasks_of_earlier_open_stages_hold_where_the_workflow_says_so_and_are_named_with_their_stage():
	make_workflow(
		earlier_tasks_block=1,
		stages=[stage("Inspected", "Inspected", -7), stage("Shipped", "Shipped")],
		tasks=[task("Inspected", "Book the inspector"), task("Shipped", TASK)],
	)
	order = make_document()
	text = refusal(save, order)
	assert "<b>Shipped</b> cannot be reached yet: 2 required tasks are open." in text
	assert "(task of the earlier milestone Inspected)" in text
	complete(TASK, order)
	order.reload()
	assert "Book the inspector" in refusal(save, order)
	complete("Book the inspector", order)
	order.reload()
	save(order)
	assert status_of(order) == {"Inspected": "Open", "Shipped": "Reached"}


def test_a_later_stage_never_holds_an_earlier_one():
	make_workflow(
		earlier_tasks_block=1,
		stages=[stage("Inspected", "Inspected", -7), stage("Shipped", "Shipped")],
		tasks=[task("Shipped", TASK)],
	)
	order = make_document()
	order.status = "Inspected"
	order.save()
	assert status_of(order) == {"Inspected": "Reached", "Shipped": "Open"}


def warnings() -> list[str]:
	messages = [json.loads(one) if isinstance(one, str) else one for one in frappe.local.message_log]
	return [one["message"] for one in messages if one.get("title") == "Required Tasks Are Open"]


@pytest.mark.parametrize("path", [save, db_set, form_save])
def test_warn_lets_pass_shows_it_and_logs_it_once(path):
	make_workflow(stages=[stage("Shipped", "Shipped", gate_mode="Warn")], tasks=TASKS)
	order = make_document()
	path(order)
	assert status_of(order) == {"Shipped": "Reached"}
	assert warnings() == [f"<b>Shipped</b> is reached although required tasks are open: {TASK}."]
	assert events_of(order).count("Reached with Warning") == 1


def test_warn_logs_each_time_anew_when_the_stage_is_reached_again():
	make_workflow(stages=[stage("Shipped", "Shipped", gate_mode="Warn")], tasks=TASKS)
	order = make_document()
	for _round in range(2):
		save(order)
		order.status = "Open"
		order.save()
		end_transaction()
	assert events_of(order).count("Reached with Warning") == 2


def test_warn_on_confirmation_logs_once():
	make_workflow(stages=[stage("Signed off", gate_mode="Warn")], tasks=[task("Signed off", TASK)])
	order = make_document()
	stages.confirm(plan_of(order).name, "Signed off")
	assert status_of(order) == {"Signed off": "Reached"}
	assert events_of(order).count("Reached with Warning") == 1


def test_off_lets_pass_without_a_word():
	make_workflow(stages=[stage("Shipped", "Shipped", gate_mode="Off")], tasks=TASKS)
	order = make_document()
	save(order)
	assert status_of(order) == {"Shipped": "Reached"}
	assert warnings() == []
	assert "Reached with Warning" not in events_of(order)


def test_of_two_stages_reached_at_once_one_held_stage_refuses_both():
	make_workflow(
		stages=[
			stage("Noted", reach_rule="Field Value", track_field="note", track_value="ready", days=-2),
			stage("Shipped", "Shipped"),
		],
		tasks=TASKS,
	)
	order = make_document()
	before = written(order)
	order.note = "ready"
	assert TASK in refusal(save, order)
	assert written(order) == before


def test_an_order_that_has_the_value_already_saves_although_a_task_was_added_later():
	make_workflow(stages=[stage("Shipped", "Shipped"), stage("Paid")], tasks=[task("Paid", TASK)])
	order = make_document(status="Shipped")
	assert status_of(order) == {"Shipped": "Reached", "Paid": "Open"}
	order.note = "nothing to do with it"
	order.save()


def test_a_cancelled_plan_holds_nothing():
	order = held_order()
	api.cancel_plan(plan_of(order).name, "Not tracked any more")
	save(order)
	assert order.status == "Shipped"


# Who reads the refusal


def test_the_refusal_names_stage_task_assignee_and_what_a_manager_can_do(make_user, as_user):
	make_user("erika@example.com", [CLERK_ROLE], first_name="Erika", last_name="Muster")
	make_workflow(
		stages=[stage("Shipped", "Shipped")], tasks=[task("Shipped", TASK, **member("erika@example.com"))]
	)
	order = make_document()
	text = refusal(save, order)
	assert f">{TASK}</a>: Erika Muster</li>" in text
	assert "Complete the tasks, or waive them with a reason. Then save again." in text
	order.reload()
	with as_user("erika@example.com"):
		text = refusal(save, order)
	assert "Complete the tasks, or ask a Milestone Manager to waive them. Then save again." in text
	assert ">Sign the packing list</a>: Erika Muster</li>" in text


def test_the_desk_gets_the_refusal_as_data_too():
	order = held_order()
	refusal(save, order)
	data = frappe.local.response["milestone_gate"]
	assert (data["doctype"], data["name"], data["stage"], data["count"]) == (ORDER, order.name, "Shipped", 1)
	assert [row["title"] for row in data["tasks"]] == [TASK]
	assert data["tasks"][0]["actions"] == ["complete", "waive"]
	assert data["advice"] == "Complete the tasks, or waive them with a reason."


def test_the_data_say_what_the_reader_may_do_with_each_task(make_user, as_user):
	make_user("erika@example.com", [CLERK_ROLE])
	make_user("clerk@example.com", [CLERK_ROLE])
	make_workflow(
		stages=[stage("Shipped", "Shipped")],
		tasks=[
			task("Shipped", TASK, **member("erika@example.com")),
			task("Shipped", "Load the truck", after_tasks=TASK, **member("erika@example.com")),
			task("Shipped", "Print the labels", **member("clerk@example.com")),
		],
	)
	order = make_document()
	actions = {}
	for user in ("erika@example.com", "clerk@example.com"):
		with as_user(user):
			refusal(save, frappe.get_doc(ORDER, order.name))
		rows = frappe.local.response["milestone_gate"]["tasks"]
		actions[user] = {row["title"]: row["actions"] for row in rows}
	assert actions == {
		"erika@example.com": {TASK: ["complete"], "Load the truck": [], "Print the labels": []},
		"clerk@example.com": {TASK: [], "Load the truck": [], "Print the labels": ["complete"]},
	}


def test_a_refused_confirmation_does_not_ask_to_save():
	make_workflow(stages=[stage("Checked")], tasks=[task("Checked", TASK)])
	order = make_document()
	text = refusal(stages.confirm, plan_of(order).name, "Checked")
	assert "Complete the tasks, or waive them with a reason. Then try again." in text
	assert "save" not in text


def test_a_website_user_reads_only_how_many_tasks_are_open(make_user, as_user):
	make_user("partner@example.com", [PARTNER_ROLE], user_type="Website User")
	assert frappe.db.get_value("User", "partner@example.com", "user_type") == "Website User"
	make_user("erika@example.com", [CLERK_ROLE], first_name="Erika", last_name="Muster")
	make_workflow(
		stages=[stage("Shipped", "Shipped")], tasks=[task("Shipped", TASK, **member("erika@example.com"))]
	)
	order = make_document()
	with as_user("partner@example.com"):
		text = refusal(save, frappe.get_doc(ORDER, order.name))
	assert "one required task is open" in text
	assert TASK not in text and "Erika" not in text
	assert frappe.local.response["milestone_gate"]["tasks"] == []
	assert frappe.local.response["milestone_gate"]["count"] == 1


def test_an_import_says_one_line_with_the_document_also_to_who_may_not_see_the_tasks(make_user, as_user):
	make_user("partner@example.com", [PARTNER_ROLE], user_type="Website User")
	order = held_order()
	frappe.flags.in_import = True
	try:
		text = refusal(save, frappe.get_doc(ORDER, order.name))
		with as_user("partner@example.com"):
			hidden = refusal(save, frappe.get_doc(ORDER, order.name))
	finally:
		frappe.flags.in_import = False
	assert text.endswith(f">{ORDER} {order.name}</a>: <b>Shipped</b> is blocked by {TASK}.")
	assert hidden.endswith("</a>: <b>Shipped</b> cannot be reached yet: one required task is open.")
	assert TASK not in hidden
	assert "milestone_gate" not in frappe.local.response


def test_a_line_names_three_things_that_block_and_counts_the_others():
	make_workflow(
		stages=[stage("Shipped", "Shipped")], tasks=[task("Shipped", f"Task {number}") for number in range(5)]
	)
	order = make_document()
	frappe.flags.in_import = True
	try:
		text = refusal(save, order)
	finally:
		frappe.flags.in_import = False
	assert text.endswith("is blocked by Task 0, Task 1, Task 2, 2 more.")


def test_titles_and_names_are_escaped_in_the_refusal():
	make_workflow(
		stages=[stage("<i>Shipped</i>", "Shipped")],
		tasks=[task("<i>Shipped</i>", "<script>alert(1)</script>")],
	)
	order = make_document()
	text = refusal(save, order)
	assert "<script>" not in text and "<i>" not in text


def test_more_than_ten_tasks_are_counted_not_listed():
	make_workflow(
		stages=[stage("Shipped", "Shipped")],
		tasks=[task("Shipped", f"Task {number}") for number in range(12)],
	)
	order = make_document()
	text = refusal(save, order)
	assert "12 required tasks are open" in text
	assert text.count("<li>") == 11
	assert "<li>and 2 more</li>" in text


# Over the wire: a real server, real transactions


@pytest.fixture
def held_on_server(server):
	"""Function: a committed order on the served site, held by one task; removed with all that hangs on it."""
	made = []

	def make():
		ensure_production_order()
		if not frappe.db.exists("Milestone Workflow", "Production"):
			make_workflow(stages=[stage("Shipped", "Shipped")], tasks=TASKS)
		order = make_document()
		frappe.db.commit()  # the server shall see it
		made.append(order)
		return order

	with server.site.connect():
		yield make
		frappe.db.rollback()
		for order in made:
			frappe.delete_doc(ORDER, order.name, force=True)
		if made:
			frappe.delete_doc("Milestone Workflow", "Production", force=True)
		frappe.db.commit()  # as above


def test_rest_put_answers_417_with_stage_and_task_and_writes_nothing(server, held_on_server):
	order = held_on_server()
	before = written(order)
	client = server.login()
	answer = client.put(f"/api/resource/{ORDER}/{order.name}", json={"status": "Shipped"})
	assert answer.status_code == 417
	assert answer.json()["exc_type"] == "GateError"
	assert "Sign the packing list" in answer.text and "cannot be reached yet" in answer.text
	assert answer.json()["milestone_gate"]["stage"] == "Shipped"
	fresh()
	assert written(order) == before
	client.call("milestone_automation.api.complete_task", task=task_of(order, TASK).name)
	assert client.put(f"/api/resource/{ORDER}/{order.name}", json={"status": "Shipped"}).status_code == 200
	fresh()
	assert status_of(order) == {"Shipped": "Reached"}


def test_form_save_over_the_wire_answers_417_and_writes_nothing(server, held_on_server):
	order = held_on_server()
	before = written(order)
	doc = json.dumps(order.as_dict() | {"status": "Shipped"}, default=str)
	answer = server.login().post(
		"/api/method/frappe.desk.form.save.savedocs", json={"doc": doc, "action": "Save"}
	)
	assert answer.status_code == 417
	fresh()
	assert written(order) == before


def test_list_bulk_edit_changes_only_orders_that_nothing_holds(server, held_on_server):
	held, free = held_on_server(), held_on_server()
	complete(TASK, free)
	frappe.db.commit()  # the server shall see it
	before = written(held)
	answer = server.login().bulk_edit(ORDER, [held.name, free.name], {"status": "Shipped"})
	assert answer == [held.name]
	fresh()
	assert written(held) == before
	assert status_of(free) == {"Shipped": "Reached"}


def test_a_script_that_swallows_the_refusal_and_commits_has_changed_nothing(held_on_server):
	order = held_on_server()
	before = written(order)
	try:
		frappe.get_doc(ORDER, order.name).db_set("status", "Shipped", commit=True)
	except Exception:
		frappe.db.commit()  # what the scenario is about
	fresh()
	assert written(order) == before


def test_a_data_import_reports_the_row_that_is_held_and_imports_the_other(held_on_server):
	held, free = held_on_server(), held_on_server()
	complete(TASK, free)
	before = written(held)
	rows = [["ID", "Status"], [held.name, "Shipped"], [free.name, "Shipped"]]
	csv = "\n".join(",".join(row) for row in rows)
	file = frappe.get_doc(
		{"doctype": "File", "file_name": "orders.csv", "content": csv, "is_private": 1}
	).insert()
	job = {"doctype": "Data Import", "reference_doctype": ORDER, "import_type": "Update Existing Records"}
	job = frappe.get_doc(job | {"import_file": file.file_url}).insert()
	frappe.db.commit()  # a refused row rolls back
	job.get_importer().import_data()
	logs = frappe.get_all("Data Import Log", {"data_import": job.name}, ["docname", "success", "messages"])
	by_success = {bool(row.success): row for row in logs}
	assert by_success[True].docname == free.name
	assert "is blocked by Sign the packing list" in by_success[False].messages
	fresh()
	assert written(held) == before
	assert status_of(free) == {"Shipped": "Reached"}
