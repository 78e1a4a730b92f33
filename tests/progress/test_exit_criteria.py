"""Exit criteria on every path: refused while a required one is not met, let through once it is, waived or optional."""

import json

import frappe
import frappe.client
import pytest
from frappe.desk.form.save import savedocs

from milestone_automation import api
from milestone_automation.engine.base.guard import GateError
from milestone_automation.engine.plans import catching_up
from milestone_automation.engine.progress import answers, criterion_waivers, stages, tasks
from milestone_automation.engine.rules import criteria
from tests.support.documents import ensure_doctype
from tests.support.factories import (
	CLERK_ROLE,
	ORDER,
	READER_ROLE,
	SUPPLIER,
	events_of,
	make_document,
	make_workflow,
	plan_of,
	rights,
	stage,
	stage_of,
	status_of,
	task,
	task_of,
	written,
)
from tests.support.transactions import end_transaction

CERTIFICATE = "Exit Criteria Certificate"
CERTIFICATE_ROW = "Exit Criteria Certificate Row"
MEMO = "Exit Criteria Memo"

FILE = {"kind": "File Is Attached"}
COMMENT = {"kind": "Comment Was Given"}
NOTE = {"kind": "Field Is Set", "field": "note"}
PIECES = {"kind": "Condition Is Met", "condition": "doc.pieces > 10", "label": "More than ten pieces"}
PASSED = {"kind": "Other Document Exists", "doctype": CERTIFICATE, "link_field": "order_name"}


@pytest.fixture(autouse=True)
def doctypes(production_order):
	ensure_doctype(
		CERTIFICATE_ROW, [{"fieldname": "of_order", "fieldtype": "Link", "options": ORDER}], istable=1
	)
	ensure_doctype(
		CERTIFICATE,
		[
			{"fieldname": "title", "fieldtype": "Data"},
			{"fieldname": "order_name", "fieldtype": "Link", "options": ORDER},
			{"fieldname": "about_type", "fieldtype": "Link", "options": "DocType"},
			{"fieldname": "about", "fieldtype": "Dynamic Link", "options": "about_type"},
			{"fieldname": "result", "fieldtype": "Select", "options": "\nPassed\nFailed"},
			{"fieldname": "rows", "fieldtype": "Table", "options": CERTIFICATE_ROW},
		],
		is_submittable=True,
		permissions=[
			{"role": "System Manager", **rights("read", "write", "create", "submit", "cancel", "delete")}
		],
	)
	ensure_doctype(MEMO, [{"fieldname": "order_name", "fieldtype": "Link", "options": ORDER}])


def as_json(*rows: dict) -> str:
	return json.dumps(rows)


def shipping(*rows: dict, **values) -> dict:
	return stage("Shipped", "Shipped", exit_criteria=as_json(*rows), **values)


def order_with(*rows: dict, **workflow):
	"""An order whose stage Shipped has these criteria."""
	make_workflow(**{"stages": [shipping(*rows)], "tasks": ()} | workflow)
	return make_document()


def refusal(action, *arguments) -> str:
	with pytest.raises(GateError) as refused:
		action(*arguments)
	return str(refused.value)


def key_of(row: dict) -> str:
	return criteria.parse(as_json(row))[0].key


def ticks(order, name: str = "Shipped") -> dict[str, str]:
	"""What the panel says of each criterion of a stage."""
	answer = api.get_plan(ORDER, order.name)
	found = next(row for row in answer["stages"] if row["stage_name"] == name)
	return {row["text"]: row["state"] for row in found["criteria"]}


# What meets a criterion


def attach(order):
	values = {
		"file_name": "list.txt",
		"content": "x",
		"attached_to_doctype": ORDER,
		"attached_to_name": order.name,
	}
	return frappe.get_doc({"doctype": "File", **values}).insert()


def comment(order):
	return order.add_comment("Comment", "The buyer agrees")


def set_note(order):
	frappe.get_doc(ORDER, order.name).db_set("note", "Packed")


def set_pieces(order):
	doc = frappe.get_doc(ORDER, order.name)
	doc.pieces = 11
	doc.save()


def certify(order, **values):
	doc = frappe.get_doc({"doctype": CERTIFICATE, "order_name": order.name} | values).insert()
	doc.submit()
	return doc


WAYS = [
	pytest.param(FILE, "A file is attached", attach, id="file"),
	pytest.param(COMMENT, "A comment was given", comment, id="comment"),
	pytest.param(NOTE, "Note is set", set_note, id="field"),
	pytest.param(PIECES, "More than ten pieces", set_pieces, id="condition"),
	pytest.param(PASSED, f"{CERTIFICATE} exists and is submitted", certify, id="document"),
]


# Every way a document gets its value


def save(order):
	order.status = "Shipped"
	order.save()


def form_save(order):
	savedocs(json.dumps(order.as_dict() | {"status": "Shipped"}, default=str), "Save")


def client_set_value(order):
	frappe.client.set_value(ORDER, order.name, "status", "Shipped")


def client_save(order):
	frappe.client.save(json.dumps(order.as_dict() | {"status": "Shipped"}, default=str))


def db_set(order):
	order.db_set("status", "Shipped")


def answer_by_mail(order):
	answers.answer_reached(plan_of(order).name, "Shipped")


PATHS = [save, form_save, client_set_value, client_save, db_set]


@pytest.mark.parametrize(("row", "text", "meet"), WAYS)
@pytest.mark.parametrize("path", [save, db_set])
def test_refused_with_nothing_written_and_let_through_once_it_is_met(path, row, text, meet):
	order = order_with(row)
	assert ticks(order) == {text: "Open"}
	before = written(order)
	said = refusal(path, frappe.get_doc(ORDER, order.name))
	assert "<b>Shipped</b> cannot be reached yet: one exit criterion is not met." in said
	assert text in said
	assert written(order) == before
	meet(order)
	assert ticks(order) == {text: "Met"}
	path(frappe.get_doc(ORDER, order.name))
	assert status_of(order) == {"Shipped": "Reached"}


@pytest.mark.parametrize("path", PATHS)
def test_every_path_asks(path):
	order = order_with(FILE)
	before = written(order)
	assert "A file is attached" in refusal(path, frappe.get_doc(ORDER, order.name))
	assert written(order) == before
	attach(order)
	path(frappe.get_doc(ORDER, order.name))
	assert status_of(order) == {"Shipped": "Reached"}


def test_an_answer_by_mail_or_link_asks_too():
	order = order_with(FILE, stages=[stage("Shipped", exit_criteria=as_json(FILE))])
	assert "A file is attached" in refusal(answer_by_mail, order)
	attach(order)
	answer_by_mail(order)
	assert status_of(order) == {"Shipped": "Reached"}


@pytest.mark.parametrize(("row", "text", "meet"), WAYS)
def test_confirming_by_hand_asks(row, text, meet):
	order = order_with(row, stages=[stage("Shipped", exit_criteria=as_json(row))])
	plan = plan_of(order).name
	assert text in refusal(api.confirm_stage, plan, "Shipped")
	meet(order)
	api.confirm_stage(plan, "Shipped")
	assert status_of(order) == {"Shipped": "Reached"}


def test_submitting_asks():
	released = stage(
		"Released",
		reach_rule="Field Value",
		track_field="docstatus",
		track_value="1",
		exit_criteria=as_json(FILE),
	)
	order = order_with(stages=[released])
	assert "A file is attached" in refusal(order.submit)
	attach(order)
	frappe.get_doc(ORDER, order.name).submit()
	assert status_of(order) == {"Released": "Reached"}


# What is stored counts


def test_a_field_set_in_the_same_save_counts():
	order = order_with(NOTE, PIECES)
	order.update({"note": "Packed", "pieces": 11, "status": "Shipped"})
	order.save()
	assert status_of(order) == {"Shipped": "Reached"}


def test_a_field_cleared_in_the_same_save_does_not():
	order = order_with(NOTE)
	set_note(order)
	order.reload()
	order.update({"note": "", "status": "Shipped"})
	assert "Note is set" in refusal(order.save)


def test_a_value_only_in_memory_does_not_count_for_a_db_set():
	order = order_with(NOTE)
	order.note = "Never saved"
	assert "Note is set" in refusal(order.db_set, "status", "Shipped")
	order.db_set({"status": "Shipped", "note": "Saved"})
	assert status_of(order) == {"Shipped": "Reached"}


def test_what_a_hook_takes_away_during_the_save_is_seen():
	order = order_with(FILE)
	attach(order)
	script = {
		"doctype": "Server Script",
		"name": "Take the file away",
		"script_type": "DocType Event",
		"reference_doctype": ORDER,
		"doctype_event": "After Save",
		"script": f"frappe.get_doc('File', {{'attached_to_name': '{order.name}'}}).delete()",
	}
	frappe.get_doc(script).insert()
	order.reload()
	assert "A file is attached" in refusal(save, order)


@pytest.mark.parametrize(
	("values", "is_met"),
	[({"note": "  "}, False), ({"note": "x"}, True)],
)
def test_blanks_are_no_value(values, is_met):
	order = order_with(NOTE)
	order.update(values)
	order.save()
	assert ticks(order) == {"Note is set": "Met" if is_met else "Open"}


def test_zero_is_no_number():
	order = order_with({"kind": "Field Is Set", "field": "pieces"})
	assert ticks(order) == {"Pieces is set": "Open"}
	set_pieces(order)
	assert ticks(order) == {"Pieces is set": "Met"}


def test_a_condition_may_ask_for_no_field():
	order = order_with(PIECES | {"condition": "1 + 1 == 2"}, FILE | {"required": 0})
	assert ticks(order)["More than ten pieces"] == "Met"


def test_a_condition_that_fails_on_a_value_is_not_met():
	order = order_with(PIECES | {"condition": "doc.note.lower() == 'packed'"})
	assert ticks(order) == {"More than ten pieces": "Open"}
	set_note(order)
	assert ticks(order) == {"More than ten pieces": "Met"}


# Other documents


def test_a_draft_or_a_cancelled_document_does_not_count():
	order = order_with(PASSED)
	doc = frappe.get_doc({"doctype": CERTIFICATE, "order_name": order.name}).insert()
	assert "is submitted" in refusal(save, frappe.get_doc(ORDER, order.name))
	doc.submit()
	assert set(ticks(order).values()) == {"Met"}
	doc.cancel()
	assert "is submitted" in refusal(save, frappe.get_doc(ORDER, order.name))


def test_a_document_of_another_order_does_not_count():
	order = order_with(PASSED)
	certify(make_document())
	assert "is submitted" in refusal(save, order)


def test_the_condition_is_asked_of_the_other_document():
	order = order_with(PASSED | {"condition": "doc.result == 'Passed'"})
	certify(order, result="Failed")
	assert "is submitted" in refusal(save, frappe.get_doc(ORDER, order.name))
	certify(order, result="Passed")
	save(frappe.get_doc(ORDER, order.name))
	assert status_of(order) == {"Shipped": "Reached"}


def test_a_dynamic_link_counts_for_its_own_doctype_only():
	order = order_with(PASSED | {"link_field": "about"})
	certify(order, about_type="User", about="Administrator")
	assert set(ticks(order).values()) == {"Open"}
	certify(order, about_type=ORDER, about=order.name)
	assert set(ticks(order).values()) == {"Met"}


@pytest.mark.parametrize("condition", ["", "doc.result == 'Passed'"])
def test_a_link_in_the_rows_of_a_document_counts(condition):
	order = order_with(PASSED | {"link_field": "rows.of_order", "condition": condition})
	certify(make_document(), result="Passed")
	assert set(ticks(order).values()) == {"Open"}
	certify(make_document(), result="Passed", rows=[{"of_order": order.name}])
	assert set(ticks(order).values()) == {"Met"}


def test_a_document_that_is_never_submitted_only_has_to_be_there():
	order = order_with({"kind": "Other Document Exists", "doctype": MEMO, "link_field": "order_name"})
	assert ticks(order) == {f"{MEMO} exists": "Open"}
	frappe.get_doc({"doctype": MEMO, "order_name": order.name}).insert()
	assert ticks(order) == {f"{MEMO} exists": "Met"}


# Optional, waived, off


def test_what_is_optional_is_shown_and_blocks_nothing():
	order = order_with(FILE | {"required": 0})
	assert ticks(order) == {"A file is attached": "Open"}
	save(order)
	assert status_of(order) == {"Shipped": "Reached"}


def test_a_waiver_lets_through_is_on_record_and_can_be_taken_back():
	order = order_with(FILE, COMMENT)
	plan, file = plan_of(order).name, key_of(FILE)
	api.waive_criterion(plan, "Shipped", file, "The list was faxed")
	shown = api.get_plan(ORDER, order.name)["stages"][0]
	assert [(row["state"], row["reason"]) for row in shown["criteria"]] == [
		("Waived", "The list was faxed"),
		("Open", None),
	]
	said = refusal(save, frappe.get_doc(ORDER, order.name))
	assert "A file is attached" not in said
	api.reopen_criterion(plan, "Shipped", file, "It was never sent")
	comment(order)
	assert "A file is attached" in refusal(save, frappe.get_doc(ORDER, order.name))
	api.waive_criterion(plan, "Shipped", file, "It was sent after all")
	save(frappe.get_doc(ORDER, order.name))
	assert status_of(order) == {"Shipped": "Reached"}
	log = frappe.get_all(
		"Milestone Plan Log",
		{"plan": plan, "event": ("like", "Exit Criterion%")},
		["event", "reason", "details"],
		order_by="done_on, creation",
	)
	assert [(row.event, row.reason, row.details) for row in log] == [
		("Exit Criterion Waived", "The list was faxed", "A file is attached"),
		("Exit Criterion Waiver Undone", "It was never sent", "A file is attached"),
		("Exit Criterion Waived", "It was sent after all", "A file is attached"),
	]


def test_what_cannot_be_waived():
	order = order_with(FILE, COMMENT)
	plan = plan_of(order).name
	attach(order)
	waive = criterion_waivers.waive
	for arguments in (
		(key_of(FILE), "It is met"),
		(key_of(NOTE), "It is not there"),
		(key_of(COMMENT), " "),
	):
		with pytest.raises(frappe.ValidationError):
			waive(plan, "Shipped", *arguments)
	with pytest.raises(frappe.ValidationError, match="is not waived"):
		criterion_waivers.reopen(plan, "Shipped", key_of(COMMENT), "Why not")
	comment(order)
	save(frappe.get_doc(ORDER, order.name))
	with pytest.raises(frappe.ValidationError, match="already reached"):
		waive(plan, "Shipped", key_of(FILE), "Too late")


def test_only_managers_waive_and_owners_take_back(make_user, as_user):
	make_user("olga@example.com", [CLERK_ROLE])
	make_user("otto@example.com", [CLERK_ROLE])
	order = order_with(stages=[shipping(FILE, owner_kind="User", owner_user="olga@example.com")])
	plan = plan_of(order).name
	for person in ("olga@example.com", "otto@example.com"):
		with as_user(person), pytest.raises(frappe.PermissionError):
			api.waive_criterion(plan, "Shipped", key_of(FILE), "I say so")
	api.waive_criterion(plan, "Shipped", key_of(FILE), "The list was faxed")
	with as_user("otto@example.com"), pytest.raises(frappe.PermissionError):
		api.reopen_criterion(plan, "Shipped", key_of(FILE), "Not my business")
	with as_user("olga@example.com"):
		api.reopen_criterion(plan, "Shipped", key_of(FILE), "It was not")
	assert ticks(order) == {"A file is attached": "Open"}


def test_a_warning_is_shown_and_logged():
	order = order_with(stages=[shipping(FILE, gate_mode="Warn")])
	save(order)
	assert status_of(order) == {"Shipped": "Reached"}
	assert "Reached with Warning" in events_of(order)


def test_a_gate_that_is_off_asks_nothing():
	order = order_with(stages=[shipping(FILE, gate_mode="Off")])
	save(order)
	assert status_of(order) == {"Shipped": "Reached"}
	assert "Reached with Warning" not in events_of(order)


def test_criteria_of_earlier_milestones_block_where_their_tasks_do():
	rows = [stage("Inspected", "Inspected", -7, exit_criteria=as_json(COMMENT)), shipping(FILE)]
	order = order_with(stages=rows, earlier_tasks_block=1)
	said = refusal(save, frappe.get_doc(ORDER, order.name))
	assert "2 exit criteria are not met" in said
	assert "A comment was given (of the earlier milestone Inspected)" in said
	attach(order)
	assert "A comment was given" in refusal(save, frappe.get_doc(ORDER, order.name))
	comment(order)
	save(frappe.get_doc(ORDER, order.name))
	assert status_of(order)["Shipped"] == "Reached"


def test_tasks_and_criteria_are_told_together():
	order = order_with(FILE, tasks=[task("Shipped", "Sign the packing list")])
	said = refusal(save, frappe.get_doc(ORDER, order.name))
	assert "one required task is open" in said
	assert "one exit criterion is not met" in said
	assert "Complete the tasks and meet the exit criteria" in said
	tasks.complete(task_of(order, "Sign the packing list").name)
	assert "Sign the packing list" not in refusal(save, frappe.get_doc(ORDER, order.name))


# New and existing documents


def test_a_new_document_is_refused_unless_it_meets_them():
	make_workflow(stages=[shipping(NOTE)], tasks=())
	with pytest.raises(GateError, match="Note is set"):
		make_document(status="Shipped")
	order = make_document(status="Shipped", note="Packed")
	assert status_of(order) == {"Shipped": "Reached"}
	assert "Accepted as Reached" not in events_of(order)


def test_what_is_brought_in_is_accepted_and_logged():
	make_workflow(stages=[shipping(NOTE)], tasks=())
	frappe.flags.in_import = True
	order = make_document(status="Shipped")
	frappe.flags.in_import = False
	assert status_of(order) == {"Shipped": "Reached"}
	assert "Accepted as Reached" in events_of(order)


def test_plans_for_existing_documents_count_what_is_not_met():
	order = make_document()
	make_workflow(stages=[shipping(NOTE, FILE)], tasks=())
	api.start_plan(ORDER, order.name)
	assert stage_of(order, "Shipped").open_criteria == 2


def test_what_got_past_the_gate_is_reached_and_told():
	order = order_with(FILE)
	end_transaction()
	frappe.db.set_value(ORDER, order.name, "status", "Shipped")
	catching_up.run(ORDER)
	assert status_of(order) == {"Shipped": "Reached"}
	assert "Reached Without Exit Criteria" in events_of(order)


# The life of a plan


def test_undoing_a_milestone_asks_again():
	order = order_with(stages=[stage("Shipped", exit_criteria=as_json(FILE))])
	file = attach(order)
	plan = plan_of(order).name
	api.confirm_stage(plan, "Shipped")
	file.delete()
	stages.undo(plan, "Shipped", "By mistake")
	assert stage_of(order, "Shipped").open_criteria == 1
	assert "A file is attached" in refusal(api.confirm_stage, plan, "Shipped")


def test_a_new_version_brings_its_criteria_and_keeps_waivers_of_the_same_rule():
	order = order_with(FILE, COMMENT)
	plan = plan_of(order)
	api.waive_criterion(plan.name, "Shipped", key_of(FILE), "The list was faxed")
	workflow = frappe.get_doc("Milestone Workflow", plan.workflow)
	workflow.stages[0].exit_criteria = as_json(NOTE, FILE | {"label": "Packing list"})
	workflow.save()
	assert workflow.version == 2
	texts = [row["text"] for row in api.preview_new_version(plan.name)]
	assert texts == ["Shipped changes: Exit Criteria."]
	api.move_to_new_version(plan.name)
	assert ticks(order) == {"Note is set": "Open", "Packing list": "Waived"}
	assert stage_of(order, "Shipped").open_criteria == 1


def test_a_new_version_does_not_reach_what_is_not_met():
	order = order_with(stages=[stage("Shipped", "Sewn", exit_criteria=as_json(FILE))])
	order.status = "Cut"
	order.save()
	workflow = frappe.get_doc("Milestone Workflow", plan_of(order).workflow)
	workflow.stages[0].track_value = "Cut"
	workflow.save()
	plan = plan_of(order).name
	[said] = [row["text"] for row in api.preview_new_version(plan) if row["change"] == "stage_blocked"]
	assert "1 exit criteria are not met" in said
	api.move_to_new_version(plan)
	assert status_of(order) == {"Shipped": "Open"}


def test_a_plan_started_again_keeps_its_waivers():
	order = order_with(FILE)
	plan = plan_of(order).name
	api.waive_criterion(plan, "Shipped", key_of(FILE), "The list was faxed")
	api.cancel_plan(plan, "By mistake")
	assert ticks(order) == {}
	api.start_plan(ORDER, order.name)
	assert ticks(order) == {"A file is attached": "Waived"}


def test_an_amendment_takes_its_waivers_along():
	order = order_with(FILE, COMMENT)
	order.submit()
	api.waive_criterion(plan_of(order).name, "Shipped", key_of(FILE), "The list was faxed")
	comment(order)
	order.cancel()
	amended = frappe.copy_doc(order)
	amended.amended_from = order.name
	amended.insert()
	assert ticks(amended) == {"A file is attached": "Waived", "A comment was given": "Open"}
	assert stage_of(amended, "Shipped").open_criteria == 1


def test_a_renamed_document_keeps_what_it_has():
	order = order_with(FILE, COMMENT, PASSED)
	for meet in (attach, comment, certify):
		meet(order)
	plan_of(order)
	frappe.rename_doc(ORDER, order.name, "Renamed by criteria", force=True)
	renamed = frappe.get_doc(ORDER, "Renamed by criteria")
	assert set(ticks(renamed).values()) == {"Met"}


def test_a_deleted_document_no_longer_counts():
	order = order_with({"kind": "Other Document Exists", "doctype": MEMO, "link_field": "order_name"})
	memo = frappe.get_doc({"doctype": MEMO, "order_name": order.name}).insert()
	memo.delete()
	assert f"{MEMO} exists" in refusal(save, frappe.get_doc(ORDER, order.name))


# What is gone


def test_a_criterion_about_a_lost_field_is_broken_and_can_be_waived():
	order = order_with(NOTE)
	plan = plan_of(order)
	lost = as_json(NOTE | {"field": "gone"})
	frappe.db.set_value("Milestone Plan Stage", plan.stages[0].name, "exit_criteria", lost)
	assert ticks(order) == {"gone is set": "Broken"}
	said = refusal(save, frappe.get_doc(ORDER, order.name))
	assert "(cannot be checked: what it asks for no longer exists)" in said
	api.waive_criterion(plan.name, "Shipped", criteria.parse(lost)[0].key, "The field is gone")
	save(frappe.get_doc(ORDER, order.name))
	assert status_of(order) == {"Shipped": "Reached"}


@pytest.mark.parametrize(
	"lost",
	[
		PASSED | {"doctype": "Gone With The Wind"},
		PASSED | {"link_field": "gone"},
		PASSED | {"link_field": "rows.gone"},
		PASSED | {"condition": "doc.gone == 1"},
		PIECES | {"condition": "doc.gone == 1"},
	],
)
def test_whatever_is_lost_is_broken(lost):
	order = order_with(FILE)
	frappe.db.set_value("Milestone Plan Stage", plan_of(order).stages[0].name, "exit_criteria", as_json(lost))
	assert list(ticks(order).values()) == ["Broken"]


# Who sees what


@pytest.fixture
def hidden_field():
	"""The field `note` for managers' eyes only."""
	setter = {
		"doctype_or_field": "DocField",
		"doc_type": ORDER,
		"field_name": "note",
		"property": "permlevel",
		"property_type": "Int",
		"value": "7",
	}
	made = frappe.get_doc({"doctype": "Property Setter", **setter}).insert()
	frappe.clear_cache(doctype=ORDER)
	yield
	made.delete()
	frappe.clear_cache(doctype=ORDER)


def test_the_refusal_and_the_panel_name_no_field_the_reader_may_not_read(hidden_field, make_user, as_user):
	make_user("clerk@example.com", [CLERK_ROLE])
	order = order_with(NOTE)
	with as_user("clerk@example.com"):
		said = refusal(save, frappe.get_doc(ORDER, order.name))
		assert "Note" not in said
		assert "A field that not everybody may read is set" in said
		assert ticks(order) == {"A field that not everybody may read is set": "Open"}
		assert "Note" not in json.dumps(frappe.local.response.get("milestone_gate"))


def test_the_refusal_names_no_other_document(make_user, as_user):
	make_user("clerk@example.com", [CLERK_ROLE])
	order = order_with(PASSED)
	frappe.get_doc({"doctype": CERTIFICATE, "order_name": order.name, "title": "Secret"}).insert()
	with as_user("clerk@example.com"):
		said = refusal(save, frappe.get_doc(ORDER, order.name))
	assert "A document that not everybody may read exists" in said
	assert "Secret" not in said
	assert CERTIFICATE not in said


@pytest.fixture
def limited(make_user):
	"""A clerk and manager who sees the orders of one supplier only."""
	mill = frappe.get_doc({"doctype": SUPPLIER, "title": "Mill"}).insert()
	make_user("limited@example.com", [CLERK_ROLE, "Milestone Manager"])
	permission = {"doctype": "User Permission", "user": "limited@example.com", "allow": SUPPLIER}
	frappe.get_doc(permission | {"for_value": mill.name}).insert()
	return frappe._dict(user="limited@example.com", supplier=mill.name)


def test_who_reads_only_some_documents_of_a_type_is_not_told_that_one_exists(limited, make_user, as_user):
	make_user("clerk@example.com", [CLERK_ROLE])
	following = {"kind": "Other Document Exists", "doctype": ORDER, "link_field": "amended_from"}
	make_workflow(stages=[shipping(following)], tasks=())
	order = make_document(supplier=limited.supplier)
	text, shown = "A document that not everybody may read exists", f"{ORDER} exists and is submitted"
	with as_user("clerk@example.com"):
		assert ticks(order) == {shown: "Open"}
		assert shown in refusal(save, frappe.get_doc(ORDER, order.name))
	with as_user(limited.user):
		assert ticks(order) == {text: "Open"}
		said = refusal(save, frappe.get_doc(ORDER, order.name))
		assert text in said
		assert shown not in said + json.dumps(frappe.local.response.get("milestone_gate"))
		api.waive_criterion(plan_of(order).name, "Shipped", key_of(following), "Not this time")
	details = frappe.get_all("Milestone Plan Log", {"event": "Exit Criterion Waived"}, pluck="details")
	assert details == [text]


def test_a_label_is_its_author_s_word_to_everybody(limited, as_user):
	following = {"kind": "Other Document Exists", "doctype": ORDER, "link_field": "amended_from"}
	make_workflow(stages=[shipping(following | {"label": "The copy is out"})], tasks=())
	order = make_document(supplier=limited.supplier)
	with as_user(limited.user):
		assert ticks(order) == {"The copy is out": "Open"}


def test_the_plan_s_own_rows_do_not_tell_a_reader_what_is_asked(as_user, make_user):
	make_user("reader@example.com", [READER_ROLE])
	plan = plan_of(order_with(PIECES)).name
	with as_user("reader@example.com"):
		form = frappe.get_doc("Milestone Plan", plan)
		form.apply_fieldlevel_read_permissions()
		rows = frappe.get_list("Milestone Plan Stage", fields=["*"], parent_doctype="Milestone Plan")
		assert [row.name for row in rows]
		assert "doc.pieces" not in form.as_json() + frappe.as_json(rows)


def test_a_reader_sees_ticks_and_can_do_nothing(make_user, as_user):
	make_user("reader@example.com", [READER_ROLE])
	order = order_with(FILE)
	with as_user("reader@example.com"):
		[row] = api.get_plan(ORDER, order.name)["stages"][0]["criteria"]
	assert (row["state"], row["actions"]) == ("Open", [])
	[row] = api.get_plan(ORDER, order.name)["stages"][0]["criteria"]
	assert row["actions"] == ["waive_criterion"]


def test_a_plan_that_a_manager_makes_in_the_form_has_its_criteria(as_user, make_user):
	make_user("mia@example.com", ["Milestone Manager", CLERK_ROLE])
	order = make_document()
	workflow = make_workflow(stages=[shipping(FILE)], tasks=())
	plan = {"doctype": "Milestone Plan", "reference_type": ORDER, "reference_name": order.name}
	with as_user("mia@example.com"):
		frappe.get_doc(plan | {"workflow": workflow.name}).insert()
	assert "A file is attached" in refusal(save, frappe.get_doc(ORDER, order.name))


def test_labels_are_escaped():
	order = order_with(FILE | {"label": "<img src=x onerror=alert(1)>"})
	assert "<img" not in refusal(save, order)


# Cost


def test_a_plan_without_criteria_asks_for_no_file_comment_or_document(count_queries):
	def statements(*rows):
		name = f"Cost {len(rows)}"
		make_workflow(name, stages=[stage("Cut", "Cut", -3), shipping(*rows)], tasks=(), priority=len(rows))
		order = make_document()
		order.note = "one"
		order.save()
		order.reload()
		order.status = "Cut"
		with count_queries() as queries:
			order.save()
			api.get_plan(ORDER, order.name)
		return queries.statements

	without = statements()
	assert not [text for text in without if "tabFile" in text or "tabComment" in text]
	# Only the stage about to be reached is asked for what it needs; the panel asks once for each.
	assert len(statements(FILE, COMMENT)) - len(without) <= 3
