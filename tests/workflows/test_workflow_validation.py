"""What a Milestone Workflow is refused for, and with which words; what its save brings about."""

import html
import json

import frappe
import pytest

from milestone_automation import api
from milestone_automation.engine.plans import bulk_cancel, starting
from milestone_automation.engine.progress import stages
from milestone_automation.engine.workflows import validation

pytestmark = pytest.mark.one_database

ORDER_FIELDS = [
	{"fieldname": "title", "fieldtype": "Data"},
	{"fieldname": "status", "fieldtype": "Select", "options": "\nOrdered\nAccepted\nInspected\nShipped"},
	{"fieldname": "rush", "fieldtype": "Check"},
	{"fieldname": "pieces", "fieldtype": "Int"},
	{"fieldname": "delivery_date", "fieldtype": "Date"},
	{"fieldname": "packed_at", "fieldtype": "Datetime"},
	{"fieldname": "merchandiser", "fieldtype": "Link", "options": "User"},
	{"fieldname": "buyer_mail", "fieldtype": "Data", "options": "Email"},
	{"fieldname": "currency", "fieldtype": "Link", "options": "Currency"},
	{"fieldname": "supplier", "fieldtype": "Link", "options": "Contact"},
	{"fieldname": "secret", "fieldtype": "Password"},
	{"fieldname": "team", "fieldtype": "Table MultiSelect", "options": "User Group Member"},
	{"fieldname": "lines", "fieldtype": "Table", "options": "Has Role"},
]


@pytest.fixture
def order(make_doctype):
	"""DocType of orders that can be submitted."""
	return make_doctype("Validated Order", ORDER_FIELDS, is_submittable=True)


@pytest.fixture
def note(make_doctype):
	"""DocType without dates, suppliers or submission."""
	return make_doctype("Validated Note", [{"fieldname": "title", "fieldtype": "Data"}])


@pytest.fixture
def build(order):
	"""Function `build(stages=[...], tasks=[...], **values)`: a workflow, not inserted. Stages and tasks are dicts
	of what differs from a sound row; without any there are Inspection and Delivery."""

	def make(stages=None, tasks=(), **values):
		rows = [{"stage_name": "Inspection"}, {"stage_name": "Delivery"}] if stages is None else stages
		workflow = {
			"doctype": "Milestone Workflow",
			"workflow_name": "Garment orders",
			"document_type": order,
		}
		return frappe.get_doc(
			workflow
			| {"stages": [{"key_date_rule": "After Creation"} | row for row in rows]}
			| {"tasks": [{"stage": "Inspection", "title": "Book inspector"} | row for row in tasks]}
			| values
		)

	return make


@pytest.fixture
def refused(build):
	"""Function `refused(...)`: the message with which a workflow built so is refused."""

	def message(*arguments, **values) -> str:
		# A disabled one is a draft, which may have problems.
		with pytest.raises(frappe.ValidationError) as refusal:
			build(*arguments, **({"enabled": 1} | values)).insert()
		return str(refusal.value)

	return message


def told() -> list[str]:
	"""What the user was told, newest last."""
	messages = [json.loads(m) if isinstance(m, str) else m for m in frappe.local.message_log]
	return [message["message"] for message in messages]


def stored(doc):
	"""Return a document as the database has it."""
	return frappe.get_doc(doc.doctype, doc.name)


def test_a_sound_workflow_is_taken_as_version_1(build):
	workflow = build(tasks=[{}], enabled=1).insert()
	assert workflow.version == 1
	assert workflow.stages[0].gate_mode == "Block"


# Document type


@pytest.mark.parametrize(
	("doctype", "message"),
	[
		(
			"No Such DocType",
			"DocType No Such DocType does not exist. Choose the DocType of the documents to track.",
		),
		(
			"Has Role",
			"Has Role is a child table: its rows are saved with their parent. Track a field of the parent.",
		),
		(
			"System Settings",
			"System Settings is a Single DocType. Choose a DocType with documents.",
		),
		(
			"RQ Job",
			"RQ Job is a virtual DocType without a table. Choose another DocType.",
		),
		(
			"Error Log",
			"Error Log is a log: its documents are written once. Choose the DocType the log is about.",
		),
		("Milestone", "Milestone belongs to Milestone Automation and cannot be tracked."),
		(
			"Milestone Plan",
			"Milestone Plan belongs to Milestone Automation and cannot be tracked.",
		),
	],
)
def test_a_doctype_whose_documents_cannot_have_plans_is_refused(build, doctype, message):
	workflow = build(document_type=doctype)
	workflow.flags.ignore_links = True
	with pytest.raises(frappe.ValidationError) as refusal:
		workflow.insert()
	assert str(refusal.value) == message


def test_document_type_stays_once_there_are_plans(build, note, make_plan):
	workflow = build().insert()
	make_plan(workflow, "Completed")
	workflow.document_type = note
	with pytest.raises(frappe.ValidationError) as refusal:
		workflow.save()
	assert str(refusal.value) == (
		"Plans were made from Garment orders for documents of Validated Order, so its document type cannot be changed. Create another workflow for Validated Note."
	)


def test_document_type_may_change_while_there_are_no_plans(build, note):
	workflow = build().insert()
	workflow.document_type = note
	assert workflow.save().document_type == note


# Names of stages


def test_a_stage_needs_a_name(refused):
	assert refused([{"stage_name": "Inspection"}, {"stage_name": "  "}]) == "Milestone 2: Enter a name."


def test_stage_names_are_unique_whatever_their_case(refused):
	assert refused([{"stage_name": "Inspection"}, {"stage_name": " inspection"}]) == (
		"Milestone 2 (inspection): Milestone 1 already has this name. Names must be unique within a workflow."
	)


def test_a_draft_may_be_without_stages(build):
	assert build([], enabled=0).insert().name == "Garment orders"


def test_a_draft_is_saved_with_its_problems_and_enabled_without_them(build):
	draft = build([{"stage_name": "Delivery", "owner_kind": "User"}], enabled=0).insert()
	assert told()[-1] == (
		"Saved as a draft. Before it can be enabled:<br>Milestone 1 (Delivery): Choose the user who owns it."
	)
	draft.enabled = 1
	with pytest.raises(frappe.ValidationError, match="Choose the user who owns it"):
		draft.save()
	draft.reload()
	assert draft.enabled == 0
	draft.stages[0].update({"owner_kind": "User", "owner_user": "Administrator"})
	draft.enabled = 1
	draft.save()
	assert frappe.db.get_value("Milestone Workflow", draft.name, "enabled") == 1


def test_a_draft_may_have_an_owner_from_outside_without_an_address(build):
	owner = {"stage_name": "Delivery", "owner_kind": "Third-Party Collaborator"}
	draft = build([owner], enabled=0).insert()
	draft.enabled = 1
	with pytest.raises(frappe.ValidationError, match="Enter the e-mail address of its owner"):
		draft.save()


def test_not_even_a_draft_asks_for_what_cannot_be_evaluated(build):
	with pytest.raises(frappe.ValidationError):
		build(enabled=0, condition="open('/etc/passwd')").insert()
	assert not frappe.db.exists("Milestone Workflow", "Garment orders")


def test_no_plan_is_started_or_moved_by_a_draft_with_problems(build, order):
	workflow = build(enabled=1).insert()
	doc = frappe.get_doc({"doctype": order, "title": "One"}).insert()
	plan = frappe.db.get_value("Milestone Plan", {"reference_name": doc.name})
	assert plan
	workflow.enabled = 0
	workflow.stages[1].owner_kind = "User"
	workflow.save()
	for call in (api.preview_new_version, api.move_to_new_version):
		with pytest.raises(frappe.ValidationError, match="Choose the user who owns it"):
			call(plan)
	assert frappe.db.get_value("Milestone Plan", plan, "workflow_version") == 1


def test_an_enabled_workflow_needs_a_stage(refused):
	assert refused([], enabled=1) == (
		"A workflow without milestones cannot be enabled. Add at least one milestone."
	)


def test_all_faults_are_said_at_once(refused):
	message = refused([{"stage_name": ""}, {"stage_name": "Delivery", "owner_kind": "User"}])
	assert message == "Milestone 1: Enter a name.<br>Milestone 2 (Delivery): Choose the user who owns it."


def test_names_in_messages_carry_no_markup(refused):
	message = refused([{"stage_name": "<b>Ship</b>", "owner_kind": "User"}])
	assert message == "Milestone 1 (&lt;b&gt;Ship&lt;/b&gt;): Choose the user who owns it."


def test_tasks_follow_a_stage_renamed_in_the_form(build):
	workflow = build(tasks=[{}, {"stage": "Delivery", "title": "Call carrier"}]).insert()
	workflow.stages[0].stage_name = "Final inspection"
	workflow.save()
	assert [task.stage for task in stored(workflow).tasks] == ["Final inspection", "Delivery"]


def test_tasks_follow_two_stages_that_swap_their_names(build):
	workflow = build(tasks=[{}, {"stage": "Delivery", "title": "Call carrier"}]).insert()
	workflow.stages[0].stage_name, workflow.stages[1].stage_name = "Delivery", "Inspection"
	workflow.save()
	assert [task.stage for task in stored(workflow).tasks] == ["Delivery", "Inspection"]


def test_a_task_moved_to_another_stage_in_the_same_save_stays_there(build):
	workflow = build(tasks=[{}]).insert()
	workflow.stages[0].stage_name = "Final inspection"
	workflow.tasks[0].stage = "Delivery"
	workflow.save()
	assert stored(workflow).tasks[0].stage == "Delivery"


def test_a_task_writes_its_stage_as_the_stage_does(build):
	assert build(tasks=[{"stage": " inspection "}]).insert().tasks[0].stage == "Inspection"


# Acceptance


def test_an_acceptance_stage_takes_no_tasks(refused):
	stages = [{"stage_name": "PO Acceptance", "kind": "Acceptance"}, {"stage_name": "Delivery"}]
	tasks = [{"stage": "PO Acceptance", "title": "Sign"}, {"stage": "PO Acceptance", "title": "Send back"}]
	assert refused(stages, tasks) == (
		"Milestone 1 (PO Acceptance): An acceptance milestone cannot have tasks, but has Sign, Send back. "
		"Move them to another milestone, or make this one Standard."
	)


def test_a_stage_with_tasks_cannot_become_an_acceptance(build):
	workflow = build(tasks=[{}], enabled=1).insert()
	workflow.stages[0].kind = "Acceptance"
	with pytest.raises(frappe.ValidationError, match=r"Milestone 1 \(Inspection\): An acceptance milestone"):
		workflow.save()


# Owners


def test_an_owner_is_an_enabled_user(refused, make_user):
	gone = make_user("gone@example.com", enabled=0)
	assert refused([{"stage_name": "Inspection", "owner_kind": "User", "owner_user": gone}]) == (
		"Milestone 1 (Inspection): The user gone@example.com is disabled. Choose an enabled user."
	)


@pytest.mark.parametrize(
	("owner", "message"),
	[
		({"owner_kind": "User"}, "Choose the user who owns it."),
		({"owner_kind": "Role"}, "Choose the role that owns it."),
		(
			{"owner_kind": "Role", "owner_role": "All"},
			"Every user has the role All, including website users. Choose another role.",
		),
		({"owner_kind": "User Field"}, "Choose the field of Validated Order that names its owner."),
		(
			{"owner_kind": "User Field", "owner_field": "buyer"},
			"Validated Order has no field buyer. Choose a field that names a user.",
		),
		(
			{"owner_kind": "User Field", "owner_field": "pieces"},
			"The field pieces of Validated Order does not name a user. Choose a Link to User, or a Data field with an e-mail address.",
		),
		(
			{"owner_kind": "User Field", "owner_field": "lines"},
			"The field lines of Validated Order does not name a user. Choose a Link to User, or a Data field with an e-mail address.",
		),
		(
			{"owner_kind": "User Field", "owner_field": "supplier"},
			"The field supplier of Validated Order does not name a user. Choose a Link to User, or a Data field with an e-mail address.",
		),
	],
)
def test_an_owner_kind_needs_its_value(refused, owner, message):
	assert refused([{"stage_name": "Inspection"} | owner]) == f"Milestone 1 (Inspection): {message}"


@pytest.mark.parametrize("field", ["merchandiser", "buyer_mail", "owner", "team"])
def test_an_owner_field_links_to_users_or_holds_an_address(build, field):
	stage = {"stage_name": "Inspection", "owner_kind": "User Field", "owner_field": field}
	assert build([stage]).insert().stages[0].owner_field == field


def test_what_another_owner_kind_left_behind_is_dropped(build):
	stage = {
		"stage_name": "Inspection",
		"owner_kind": "Role",
		"owner_role": "System Manager",
		"owner_user": "Guest",
	}
	assert not build([stage]).insert().stages[0].owner_user


def test_also_notify_takes_users_and_addresses_one_a_line(build, make_user):
	anna = make_user("anna@example.com")
	stage = {"stage_name": "Inspection", "notify_users": f" {anna}, lab@example.org\n\n{anna};Administrator"}
	assert build([stage]).insert().stages[0].notify_users == f"{anna}\nlab@example.org\nAdministrator"


def test_also_notify_refuses_what_is_neither_user_nor_address(refused):
	assert refused([{"stage_name": "Inspection", "notify_users": "lab@example.org\nthe boss"}]) == (
		"Milestone 1 (Inspection): the boss is neither a user nor an e-mail address. Enter one per line in Also Notify."
	)


def test_also_notify_refuses_a_disabled_user(refused, make_user):
	gone = make_user("gone@example.com", enabled=0)
	assert refused([{"stage_name": "Inspection", "notify_users": gone}]) == (
		"Milestone 1 (Inspection): The user gone@example.com is disabled. Remove it from Also Notify."
	)


# Key dates


@pytest.mark.parametrize(
	("rule", "message"),
	[
		(
			{"key_date_rule": "Document Date Field"},
			"Choose the date field of Validated Order from which its key date is counted.",
		),
		(
			{"key_date_rule": "Document Date Field", "date_field": "due"},
			"Validated Order has no field due. Choose one of its date fields.",
		),
		(
			{"key_date_rule": "Document Date Field", "date_field": "pieces"},
			"The field pieces of Validated Order is of type Int. Choose a Date or Datetime field.",
		),
		(
			{"key_date_rule": "After Previous Milestone"},
			"The first milestone has no previous milestone. Count its key date from a date field or from the document's creation, or set it manually.",
		),
		(
			{"key_date_rule": "After Creation", "offset_days": -1},
			"-1 days would put its key date before the date it counts from. Set Days to 0 or more.",
		),
		(
			{"key_date_rule": "After Creation", "offset_days": 20261201},
			"20261201 days are too many. Set Days to at most 3650.",
		),
	],
)
def test_a_key_date_rule_needs_what_it_counts_from(refused, rule, message):
	assert refused([{"stage_name": "Inspection"} | rule]) == f"Milestone 1 (Inspection): {message}"


@pytest.mark.parametrize("field", ["delivery_date", "packed_at", "creation"])
def test_a_key_date_may_count_before_a_date_of_the_document(build, field):
	rule = {"key_date_rule": "Document Date Field", "date_field": field, "offset_days": -7}
	assert build([{"stage_name": "Inspection"} | rule]).insert().stages[0].offset_days == -7


def test_a_stage_counted_from_the_same_date_with_fewer_days_is_refused(refused):
	stages = [
		{"stage_name": "Inspection", "offset_days": 10},
		{"stage_name": "Shipment", "key_date_rule": "After Previous Milestone", "offset_days": 5},
		{"stage_name": "Delivery", "offset_days": 12},
	]
	assert refused(stages) == (
		"Milestone 3 (Delivery): Its key date would always come before that of Milestone 2 (Shipment). "
		"Move it up in the list, or change the days of one of them."
	)


def test_stages_counted_from_different_dates_are_taken_in_any_order(build):
	stages = [
		{"stage_name": "Inspection", "offset_days": 10},
		{"stage_name": "Packing", "offset_days": 2, "working_days": 1},
		{"stage_name": "Delivery", "key_date_rule": "Document Date Field", "date_field": "delivery_date"},
	]
	assert len(build(stages).insert().stages) == 3


# Reached when


@pytest.mark.parametrize(
	("field", "value", "message"),
	[
		(
			"",
			"",
			"Choose the field of Validated Order whose value reaches it, or have it confirmed by its owner.",
		),
		("state", "x", "Validated Order has no field state. Choose one of its fields."),
		(
			"secret",
			"x",
			"The field secret of Validated Order cannot be tracked: it is of type Password and has no stored value "
			"to compare.",
		),
		("status", "", "Enter the value of status that reaches it."),
		("status", "Lost", "status can never be Lost. Choose one of: Ordered, Accepted, Inspected, Shipped."),
		("rush", "yes", "rush can never be yes. Choose one of: 0, 1."),
		("docstatus", "3", "docstatus can never be 3. Choose 0 (draft) or 1 (submitted)."),
		("pieces", "many", "pieces is of type Int and can never be many. Choose a value of that type."),
		(
			"delivery_date",
			"soon",
			"delivery_date is of type Date and can never be soon. Choose a value of that type.",
		),
		(
			"currency",
			"Talers",
			"currency is a link to Currency, but Talers does not exist. Choose an existing one.",
		),
	],
)
def test_a_field_value_must_be_one_the_field_can_have(refused, field, value, message):
	stage = {"stage_name": "Shipped", "reach_rule": "Field Value", "track_field": field, "track_value": value}
	assert refused([stage]) == f"Milestone 1 (Shipped): {message}"


@pytest.mark.parametrize(
	("field", "value", "stored"),
	[
		("status", " Shipped ", "Shipped"),
		("rush", 0, "0"),
		("docstatus", 1, "1"),
		("pieces", "5.0", "5"),
		("delivery_date", "2026-1-5", "2026-01-05"),
		("title", "Anything", "Anything"),
	],
)
def test_a_field_value_is_stored_as_documents_are_compared_with_it(build, field, value, stored):
	stage = {"stage_name": "Shipped", "reach_rule": "Field Value", "track_field": field, "track_value": value}
	assert build([stage]).insert().stages[0].track_value == stored


def test_docstatus_is_refused_where_documents_cannot_be_submitted(refused, note):
	stage = {
		"stage_name": "Done",
		"reach_rule": "Field Value",
		"track_field": "docstatus",
		"track_value": "1",
	}
	assert refused([stage], document_type=note) == (
		"Milestone 1 (Done): Documents of Validated Note cannot be submitted, so docstatus never changes. "
		"Choose another field."
	)


def test_a_workflow_state_must_be_one_of_the_doctypes_workflow(refused, order, make_approval):
	make_approval(order, "title", ["Draft", "Approved"])
	stage = {
		"stage_name": "Approval",
		"reach_rule": "Field Value",
		"track_field": "title",
		"track_value": "Okay",
	}
	assert refused([stage]) == (
		"Milestone 1 (Approval): title can never be Okay. Choose one of: Draft, Approved."
	)


def test_two_stages_of_one_value_are_taken_with_a_warning(build):
	shipped = {"reach_rule": "Field Value", "track_field": "status", "track_value": "Shipped"}
	build([{"stage_name": "First shipment"} | shipped, {"stage_name": "Second shipment"} | shipped]).insert()
	assert told()[0] == (
		"Milestone 2 (Second shipment): It is reached by the same value as Milestone 1 (First shipment), status Shipped. The document has to get this value a second time."
	)


def test_a_confirmed_stage_keeps_no_field_and_value(build):
	stage = {"stage_name": "Sign-off", "track_field": "status", "track_value": "Shipped"}
	row = build([stage]).insert().stages[0]
	assert (row.track_field, row.track_value) == (None, None)


# Reminders, messages, next steps


@pytest.mark.parametrize(
	("reminders", "message"),
	[
		(
			{"remind_every_days": 2, "remind_at_most": 3},
			"There is no first reminder. Set Follow-up Reminder After Days, or set Then Every Days and At Most Times to 0.",
		),
		(
			{"remind_after_days": 1, "remind_every_days": 2},
			"Reminders every 2 days need an end. Set At Most Times.",
		),
		(
			{"remind_after_days": 1, "remind_at_most": 3},
			"3 reminders need days between them. Set Then Every Days.",
		),
	],
)
def test_reminders_need_a_beginning_a_distance_and_an_end(refused, reminders, message):
	assert refused([{"stage_name": "Inspection"} | reminders]) == f"Milestone 1 (Inspection): {message}"


def test_one_reminder_needs_its_day_only(build):
	assert (
		build([{"stage_name": "Inspection", "remind_after_days": 2}]).insert().stages[0].remind_after_days
		== 2
	)


@pytest.mark.parametrize(
	("text", "message"),
	[
		(
			"Ready, {{ doc.name }?",
			"The custom message has an error in line 1: unexpected '}'. Example: {{ doc.name }}.",
		),
		(
			"Ready, {{ doc.colour }}?",
			"The custom message uses doc.colour, but Validated Order has no field colour. "
			"Use the field's name, not its label.",
		),
	],
)
def test_a_broken_custom_message_is_refused(refused, text, message):
	assert html.unescape(refused([{"stage_name": "Inspection", "custom_message": text}])) == (
		f"Milestone 1 (Inspection): {message}"
	)


def test_a_message_for_the_user_says_nothing_twice(refused):
	refused([{"stage_name": "Inspection", "custom_message": "{{ doc.colour }}"}])
	assert len(told()) == 1


@pytest.mark.parametrize(
	("actions", "message"),
	[
		(
			"Submit",
			"Next Steps must be a JSON list. Example: "
			'[{"action": "Set Value", "field": "status", "value": "Approved"}].',
		),
		('["Submit"]', 'Each of its Next Steps needs an action, for example {"action": "Submit"}.'),
		(
			'[{"action": "Submit"}, {"action": "Explode"}]',
			"Its Next Steps contain the unknown action Explode. Choose one of: Set Value, Set Values, Apply Workflow Action, Submit, Create Document, Start Plan, Start Next Plan, Assign, Add Tag, Add Comment, Notify, Call Method, Webhook.",
		),
		(
			'[{"field": "status"}]',
			'Each of its Next Steps needs an action, for example {"action": "Submit"}.',
		),
	],
)
def test_next_steps_are_a_json_list_of_actions(refused, actions, message):
	assert (
		refused([{"stage_name": "Inspection", "next_actions": actions}])
		== f"Milestone 1 (Inspection): {message}"
	)


# Tasks


@pytest.mark.parametrize(
	("task", "message"),
	[
		({"title": " "}, "Task 1: Enter a title."),
		({"stage": ""}, "Task 1 (Book inspector): Choose the milestone it belongs to."),
		(
			{"stage": "Customs"},
			"Task 1 (Book inspector): This workflow has no milestone Customs. Choose one of: Inspection, Delivery.",
		),
		(
			{"due_days_before": -1},
			"Task 1 (Book inspector): A task is never due after its milestone. "
			"Set Due Days Before Milestone to 0 or more.",
		),
		(
			{"due_days_before": 99999},
			"Task 1 (Book inspector): 99999 days are too many. Set Due Days Before Milestone to at most 3650.",
		),
		(
			{"assignee_kind": "One Team Member"},
			"Task 1 (Book inspector): Choose the team member who gets it.",
		),
		({"assignee_kind": "Role"}, "Task 1 (Book inspector): Choose the role that gets it."),
		(
			{"assignee_kind": "User Field"},
			"Task 1 (Book inspector): Choose the field of Validated Order that names who gets it.",
		),
		(
			{"assignee_kind": "User Field", "assignee_field": "status"},
			"Task 1 (Book inspector): The field status of Validated Order does not name a user. Choose a Link to User, or a Data field with an e-mail address.",
		),
		(
			{"assignee_kind": "Third-Party Collaborator"},
			"Task 1 (Book inspector): Enter the collaborator's e-mail address.",
		),
		(
			{"assignee_kind": "Third-Party Collaborator", "collaborator_email": "lab"},
			"Task 1 (Book inspector): lab is not a valid e-mail address. Enter the collaborator's address, for example name@example.com.",
		),
		(
			{
				"assignee_kind": "Third-Party Collaborator",
				"collaborator_email": "a@example.com, b@example.com",
			},
			"Task 1 (Book inspector): a@example.com, b@example.com is not a valid e-mail address. Enter the collaborator's address, for example name@example.com.",
		),
		(
			{"assignee_kind": "Whole Team"},
			"Task 1 (Book inspector): It is for the whole team, but the workflow has no team. Set the team's role or user group.",
		),
	],
)
def test_a_task_is_refused_with_what_to_do(refused, task, message):
	assert refused(tasks=[task]) == message


def test_a_task_for_a_disabled_user_is_refused(refused, make_user):
	gone = make_user("gone@example.com", enabled=0)
	assert refused(tasks=[{"assignee_kind": "One Team Member", "assignee_user": gone}]) == (
		"Task 1 (Book inspector): The user gone@example.com is disabled. Choose an enabled user."
	)


def test_a_collaborators_address_may_have_capitals(build):
	task = {"assignee_kind": "Third-Party Collaborator", "collaborator_email": "Lab@Example.org"}
	assert build(tasks=[task]).insert().tasks[0].collaborator_email == "Lab@Example.org"


def test_a_task_for_nobody_is_taken(build):
	assert not build(tasks=[{}]).insert().tasks[0].assignee_kind


def test_a_task_for_the_whole_team_needs_its_role_or_group(build):
	workflow = build(tasks=[{"assignee_kind": "Whole Team"}], team_role="System Manager").insert()
	assert workflow.tasks[0].assignee_kind == "Whole Team"


def test_supplier_contacts_need_a_supplier_field(refused, note):
	tasks = [{"assignee_kind": "All Supplier Contacts"}]
	assert refused(tasks=tasks, document_type=note) == (
		"Task 1 (Book inspector): Validated Note has no field supplier for the supplier. Set the workflow's Supplier Field to the field that names the supplier."
	)


def test_a_supplier_field_is_a_link(refused):
	assert refused(supplier_field="title") == (
		"The Supplier Field title of Validated Order must be a link to Supplier."
	)


def test_an_empty_supplier_field_stands_for_supplier(build):
	assert build(tasks=[{"assignee_kind": "All Supplier Contacts"}]).insert().tasks


def test_team_and_escalation_roles_are_not_those_of_everybody(refused):
	assert refused(team_role="All", escalation_role="Guest") == (
		"Team: Users with Role: Every user has the role All, including website users. Choose another role.<br>"
		"Escalate to Role: Every user has the role Guest, including website users. Choose another role."
	)


# Which documents


@pytest.mark.parametrize(
	("filters", "message"),
	[
		(
			"status = Open",
			'The filters must be a JSON list of [field, operator, value]. Example: [["status", "=", "Open"]].',
		),
		(
			'[["status"]]',
			'The filters must be a JSON list of [field, operator, value]. Example: [["status", "=", "Open"]].',
		),
		(
			'[["colour", "=", "red"]]',
			"The filters use colour, but Validated Order has no such field. Use the field's name, not its label.",
		),
		(
			'[["Has Role", "role", "=", "x"]]',
			"The filters use a field of Has Role. Only fields of Validated Order itself can be used.",
		),
		(
			'[["status", "descendants of", "x"]]',
			"The filter on status uses descendants of, which cannot be applied to one document. Use one of: =, !=, >, <, >=, <=, in, not in, like, not like, is, between.",
		),
		(
			'[["delivery_date", ">", "soon"]]',
			"The filter on delivery_date compares it with soon, which does not fit the field.",
		),
	],
)
def test_filters_are_refused_with_what_to_write(refused, filters, message):
	assert refused(document_filters=filters) == message


@pytest.mark.parametrize(
	("condition", "message"),
	[
		(
			"doc.status ==",
			"The condition is not a Python expression: invalid syntax. Example: doc.status == 'Open'.",
		),
		(
			"doc.colour == 'red'",
			"The condition uses doc.colour, but Validated Order has no field colour. "
			"Use the field's name, not its label.",
		),
		(
			"open('x')",
			"The condition cannot be evaluated: name 'open' is not defined. It may use doc and frappe.utils only.",
		),
	],
)
def test_a_broken_condition_is_refused(refused, condition, message):
	assert refused(condition=condition) == message


def test_blanks_around_a_condition_do_no_harm(build):
	assert build(condition="\n doc.pieces > 5 ").insert().condition == "doc.pieces > 5"


def test_rows_are_in_the_order_of_the_list(build):
	workflow = build([{"stage_name": name} for name in "ABC"]).insert()
	workflow.stages = [workflow.stages[2], workflow.stages[0], workflow.stages[1]]
	workflow.save()
	assert [(row.idx, row.stage_name) for row in stored(workflow).stages] == [(1, "C"), (2, "A"), (3, "B")]


# Version


def test_a_change_of_substance_counts_the_version_up(build):
	workflow = build(tasks=[{}]).insert()
	workflow.stages[0].offset_days = 1
	workflow.stages[1].offset_days = 3
	assert workflow.save().version == 2
	workflow.tasks[0].required = 1
	assert workflow.save().version == 3
	workflow.append("stages", {"stage_name": "Payment", "key_date_rule": "Set Manually"})
	assert workflow.save().version == 4
	workflow.remove(workflow.tasks[0])
	assert workflow.save().version == 5


def test_a_change_without_substance_leaves_the_version(build):
	workflow = build(tasks=[{}]).insert()
	workflow.update({"enabled": 1, "priority": 5, "description": "For the big buyers", "version": 9})
	assert workflow.save().version == 1
	assert stored(workflow).save().version == 1


# Tracker


def make_reached_by(field, value="Shipped"):
	return {"stage_name": field, "reach_rule": "Field Value", "track_field": field, "track_value": value}


def test_enabling_makes_a_tracker_for_the_fields_stages_wait_for(build, order):
	build(
		[make_reached_by("status"), make_reached_by("rush", "1"), {"stage_name": "Sign-off"}], enabled=1
	).insert()
	tracker = frappe.get_doc("Milestone Tracker", {"document_type": order})
	assert tracker.tracked_fields() == ["status", "rush"]
	assert told()[-1] == (
		"Changes of Status, Rush in Validated Order are now recorded: "
		f"the Milestone Tracker {tracker.name} was made for this workflow."
	)


def test_enabling_extends_the_tracker_there_is(build, order):
	tracker = frappe.get_doc(
		{"doctype": "Milestone Tracker", "document_type": order, "track_field": "status"}
	).insert()
	build([make_reached_by("status"), make_reached_by("rush", "1")], enabled=1).insert()
	assert stored(tracker).tracked_fields() == ["status", "rush"]
	assert told()[-1] == (
		f"Changes of Rush in Validated Order are now recorded too: the Milestone Tracker {tracker.name} was extended."
	)


def test_a_disabled_tracker_stays_disabled_and_is_warned_of(build, order):
	tracker = {"doctype": "Milestone Tracker", "document_type": order, "track_field": "status", "disabled": 1}
	name = frappe.get_doc(tracker).insert().name
	build([make_reached_by("status")], enabled=1).insert()
	assert frappe.db.get_value("Milestone Tracker", name, "disabled") == 1
	assert told()[-1] == (
		f"Status of Validated Order is not recorded: the Milestone Tracker {name} is disabled. "
		"Enable it so that no milestone is missed."
	)


def test_a_draft_makes_no_tracker(build, order):
	build([make_reached_by("status")]).insert()
	assert not frappe.db.exists("Milestone Tracker", {"document_type": order})


MANAGED = (
	{"role": "System Manager", "read": 1, "write": 1, "create": 1},
	{"role": "Milestone Manager", "read": 1, "write": 0, "create": 0, "delete": 0},
)


@pytest.fixture
def readable(make_doctype):
	"""A DocType whose documents Milestone Managers may read and nothing more."""
	fields = [{"fieldname": "status", "fieldtype": "Select", "options": "\nOpen\nShipped"}]
	return make_doctype("Readable Order", fields, permissions=MANAGED)


def test_a_milestone_manager_enables_a_workflow_though_trackers_are_not_his(
	build, readable, make_user, as_user
):
	with as_user(make_user("mila@example.com", ["Milestone Manager"])):
		build([make_reached_by("status")], enabled=1, document_type=readable).insert()
	assert frappe.db.exists("Milestone Tracker", {"document_type": readable})


# Rights


def test_a_milestone_manager_makes_no_workflow_for_documents_he_may_not_read(build, make_user, as_user):
	mila = make_user("mila@example.com", ["Milestone Manager"])
	with as_user(mila), pytest.raises(frappe.PermissionError) as refusal:
		build().insert()
	assert str(refusal.value) == (
		"You may not read documents of Validated Order, so you cannot create a workflow for them. Ask a System Manager."
	)


def test_next_steps_are_given_by_those_who_may_write_the_documents(build, readable, make_user, as_user):
	steps = '[{"action": "Set Value", "field": "status", "value": "Shipped"}]'
	workflow = build(document_type=readable).insert()
	mila = make_user("mila@example.com", ["Milestone Manager"])
	with as_user(mila):
		workflow.stages[0].next_actions = steps
		with pytest.raises(frappe.PermissionError) as refusal:
			workflow.save()
	assert str(refusal.value) == (
		"You may not write documents of Readable Order, so you cannot give them next steps. Ask a System Manager."
	)
	workflow = stored(workflow)
	workflow.stages[0].next_actions = steps
	workflow.save()
	with as_user(mila):
		workflow.stages[0].custom_message = "Ready?"
		assert workflow.save().stages[0].next_actions == steps


def test_others_make_no_workflows(build, readable, make_user, as_user):
	with as_user(make_user("dora@example.com", ["Report Manager"])), pytest.raises(frappe.PermissionError):
		build(document_type=readable).insert()


# Switch off, delete


def test_a_workflow_can_be_switched_off_though_its_field_is_gone(build):
	workflow = build([make_reached_by("status")], enabled=1).insert()
	frappe.db.set_value("Milestone Workflow Stage", workflow.stages[0].name, "track_field", "long_gone")
	workflow = stored(workflow)
	workflow.enabled = 0
	assert workflow.save().enabled == 0
	workflow.enabled = 1
	with pytest.raises(frappe.ValidationError, match="has no field long_gone"):
		workflow.save()


@pytest.fixture
def make_plan(order):
	"""Function: a plan of a workflow, as bare as the database takes it."""

	def make(workflow, status: str) -> str:
		document = frappe.get_doc({"doctype": order, "title": "T"}).insert()
		plan = frappe.get_doc(
			{
				"doctype": "Milestone Plan",
				"reference_type": order,
				"reference_name": document.name,
				"workflow": workflow.name,
				"status": status,
				"plan_key": frappe.generate_hash(length=10),
			}
		)
		plan.set_new_name()
		plan.db_insert()
		return plan.name

	return make


def test_a_workflow_is_not_deleted_while_its_plans_run(build, make_plan):
	workflow = build().insert()
	make_plan(workflow, "Active")
	make_plan(workflow, "Completed")
	with pytest.raises(frappe.ValidationError) as refusal:
		workflow.delete()
	assert str(refusal.value) == (
		"Plans of the workflow Garment orders are running. Disable the workflow instead: its plans go on and no new ones are started. Or cancel its plans first."
	)


def test_a_workflow_is_not_deleted_while_finished_plans_refer_to_it(build, make_plan):
	workflow = build().insert()
	make_plan(workflow, "Completed")
	with pytest.raises(frappe.ValidationError) as refusal:
		workflow.delete()
	assert str(refusal.value) == (
		"Finished plans refer to the workflow Garment orders. Disable it instead, or delete those plans first."
	)


@pytest.fixture
def start_plan(order):
	"""Function: a real plan of a workflow for a new order."""

	def start(workflow) -> str:
		document = frappe.get_doc({"doctype": order, "title": "T"}).insert()
		return starting.start(document, workflow.name)

	return start


def test_a_disabled_workflow_lets_its_plans_go_on(build, start_plan, order):
	workflow = build(enabled=1).insert()
	plan = start_plan(workflow)
	workflow.enabled = 0
	workflow.save()
	stages.confirm(plan, "Inspection")
	assert frappe.db.get_value("Milestone Plan", plan, ["status", "current_stage"]) == ("Active", "Delivery")
	newcomer = frappe.get_doc({"doctype": order, "title": "T"}).insert()
	assert not frappe.db.exists("Milestone Plan", {"reference_name": newcomer.name})


def test_managers_cancel_all_plans_of_a_workflow_with_a_reason(build, start_plan, order, make_user, as_user):
	workflow = build(enabled=1).insert()
	plans = [start_plan(workflow), start_plan(workflow)]
	with as_user(make_user("dora@example.com", ["Report Manager"])), pytest.raises(frappe.PermissionError):
		api.cancel_plans(workflow.name, "Season is over")
	manager = make_user("mila@example.com", ["Milestone Manager"])
	for document in frappe.get_all(order, pluck="name"):
		frappe.share.add(order, document, manager)
	with as_user(manager):
		with pytest.raises(frappe.MandatoryError):
			api.cancel_plans(workflow.name, " ")
		answer = api.cancel_plans(workflow.name, "Season is over")
	assert answer == {"plans": 2, "in_background": False}
	assert {frappe.db.get_value("Milestone Plan", plan, "status") for plan in plans} == {"Cancelled"}
	reasons = frappe.get_all("Milestone Plan Log", {"event": "Plan Cancelled"}, pluck="reason")
	assert reasons == ["Season is over"] * 2


def test_many_plans_are_cancelled_in_the_background(build, start_plan, monkeypatch):

	monkeypatch.setattr(bulk_cancel, "AT_ONCE", 1)
	workflow = build(enabled=1).insert()
	plans = [start_plan(workflow), start_plan(workflow)]
	assert bulk_cancel.cancel_all(workflow.name, "Over") == {"plans": 2, "in_background": True}
	assert bulk_cancel.running(workflow.name) == plans


def test_a_workflow_without_plans_is_deleted(build):
	build().insert().delete()
	assert not frappe.db.exists("Milestone Workflow", "Garment orders")


def test_a_workflow_of_50_stages_and_500_tasks_is_checked_without_a_query_for_each(build, count_queries):
	stages = [
		{"stage_name": f"Stage {n}", "owner_kind": "User", "owner_user": "Administrator"} for n in range(50)
	]
	tasks = [
		{
			"stage": f"Stage {n % 50}",
			"title": f"Task {n}",
			"assignee_kind": "Role",
			"assignee_role": "System Manager",
		}
		for n in range(500)
	]
	workflow = build(stages, tasks)
	validation.tidy(workflow)
	validation.check(workflow)
	with count_queries() as queries:
		validation.check(workflow)
	assert queries.count == 2, str(queries)


@pytest.fixture
def make_approval():
	"""Function `make_approval(doctype, field, states)`: an active Workflow of Frappe that keeps its state there."""

	def make(doctype: str, field: str, states: list[str]) -> None:
		for state in states:
			if not frappe.db.exists("Workflow State", state):
				frappe.get_doc({"doctype": "Workflow State", "workflow_state_name": state}).insert()
		frappe.get_doc(
			{
				"doctype": "Workflow",
				"workflow_name": f"Approval of {doctype}",
				"document_type": doctype,
				"is_active": 1,
				"workflow_state_field": field,
				"states": [
					{"state": state, "doc_status": "0", "allow_edit": "System Manager"} for state in states
				],
			}
		).insert()

	return make
