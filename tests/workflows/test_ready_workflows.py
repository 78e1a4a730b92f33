"""Ready workflows: what is offered, and that each installs for any DocType and says what it did differently."""

import frappe
import pytest
from frappe.utils import comma_or

from milestone_automation import api
from milestone_automation.desk import ready_workflows
from milestone_automation.engine.plans import starting
from milestone_automation.engine.workflows import ready

pytestmark = pytest.mark.one_database

TITLES = {
	"customer_onboarding": "Customer Onboarding",
	"employee_onboarding": "Employee Onboarding",
	"issue_resolution": "Issue Resolution",
	"opportunity_follow_up": "Opportunity Follow-up",
	"project_delivery": "Project Delivery",
	"purchase_order_production": "Purchase Order Production",
	"sales_order_delivery": "Sales Order Delivery",
}
NAMES = list(TITLES)


@pytest.fixture
def order(make_doctype):
	"""A DocType with all the fields the purchase order workflow asks for."""
	return make_doctype(
		"Ready Order",
		[
			{"fieldname": "supplier", "fieldtype": "Link", "options": "Contact"},
			{
				"fieldname": "status",
				"fieldtype": "Select",
				"options": "Ordered\nAccepted\nProduction\nInspection\nShipped\nDelivered",
			},
			{"fieldname": "delivery_date", "fieldtype": "Date"},
			{"fieldname": "account_manager", "fieldtype": "Link", "options": "User"},
		],
	)


@pytest.fixture
def bare(make_doctype):
	"""A DocType with none of them."""
	permissions = [{"role": role, "read": 1, "create": 1} for role in ("System Manager", "Milestone Manager")]
	return make_doctype("Ready Note", [{"fieldname": "title", "fieldtype": "Data"}], permissions=permissions)


def test_ready_workflows_are_offered_with_their_titles():
	assert {one["name"]: one["title"] for one in ready.offer()} == TITLES


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("doctype", ["order", "bare"])
def test_each_installs_disabled_and_can_be_enabled_as_it_is(request, name, doctype):
	workflow = frappe.get_doc("Milestone Workflow", ready.install(name, request.getfixturevalue(doctype)))
	assert workflow.enabled == 0
	assert len(workflow.stages) == len(ready.read(name)["stages"]) >= 4
	assert workflow.stages[0].kind == "Acceptance"
	workflow.enabled = 1
	assert workflow.save().version == 1


@pytest.mark.parametrize("name", NAMES)
def test_each_makes_a_plan(order, name):
	workflow = ready.install(name, order)
	frappe.db.set_value("Milestone Workflow", workflow, "enabled", 1)
	frappe.clear_document_cache("Milestone Workflow", workflow)
	document = frappe.get_doc({"doctype": order, "delivery_date": frappe.utils.add_days(None, 120)}).insert()
	plan = frappe.get_doc("Milestone Plan", starting.start(document, workflow))
	content = ready.read(name)
	assert len(plan.stages) == len(content["stages"])
	assert frappe.db.count("Milestone Task", {"plan": plan.name}) == len(content["tasks"])


def test_the_order_workflow_uses_the_fields_there_are(order):
	workflow, _notes = ready.prepare("purchase_order_production", order)
	reached = {row.stage_name: (row.reach_rule, row.track_field, row.track_value) for row in workflow.stages}
	assert reached["PO Acceptance"] == ("Field Value", "status", "Accepted")
	assert reached["Delivery"] == ("Field Value", "status", "Delivered")
	assert reached["Final Inspection"] == ("Confirmation", None, None)
	assert {row.date_field for row in workflow.stages[2:]} == {"delivery_date"}


def test_an_owner_is_named_by_the_first_user_field_there_is(order, bare):
	workflow, _notes = ready.prepare("customer_onboarding", order)
	assert {(row.owner_kind, row.owner_field) for row in workflow.stages} == {
		("User Field", "account_manager")
	}
	workflow, _notes = ready.prepare("customer_onboarding", bare)
	assert {row.owner_kind for row in workflow.stages} == {"Document Creator"}


def test_what_the_doctype_lacks_falls_back_and_is_told(bare):
	workflow, notes = ready.prepare("purchase_order_production", bare)
	assert {row.reach_rule for row in workflow.stages} == {"Confirmation"}
	assert workflow.stages[5].key_date_rule == "Set Manually"
	assert (
		"Milestone 1 (PO Acceptance): Ready Note has no status = Accepted, so its owner confirms it." in notes
	)
	dates = ["schedule_date", "delivery_date", "required_by", "expected_delivery_date"]
	# Frappe 16 also sets a comma before "or".
	listed = comma_or(dates, add_quotes=False)
	assert (
		f"Milestone 6 (Delivery): Ready Note has no date field {listed}, so its key date is set manually."
		in notes
	)
	assert (
		"Task 1 (Send the confirmed list of materials): Ready Note has no field supplier for the supplier. Set the workflow's Supplier Field to the field that names the supplier. It has no assignee for now."
	) in notes


def test_roles_the_site_lacks_are_the_managers_instead(bare):
	frappe.db.delete("Role", {"name": "Purchase User"})

	workflow, notes = ready.prepare("purchase_order_production", bare)
	assert workflow.team_role == "Milestone Manager"
	assert (
		"Role Purchase User does not exist. Choose an existing role. "
		"Team: Users with Role is Milestone Manager instead."
	) in notes


def test_nothing_is_written_by_looking(bare):
	ready.prepare("purchase_order_production", bare)
	assert frappe.db.count("Milestone Workflow") == 0


def test_installed_twice_it_gets_a_number(bare):
	assert [ready.install("project_delivery", bare) for _time in range(3)] == [
		"Project Delivery",
		"Project Delivery 2",
		"Project Delivery 3",
	]


def test_an_unknown_name_is_refused():
	with pytest.raises(frappe.DoesNotExistError) as refusal:
		ready.install("../../../etc/passwd")
	assert str(refusal.value) == (
		f"Ready workflow ../../../etc/passwd does not exist. Choose one of: {', '.join(NAMES)}."
	)


def test_a_site_without_its_doctypes_must_choose_one():
	with pytest.raises(frappe.ValidationError) as refusal:
		ready.install("purchase_order_production")
	assert str(refusal.value) == (
		"This site has none of the document types Purchase Order. Choose the document type for the workflow Purchase Order Production."
	)


def test_a_doctype_that_cannot_have_plans_is_refused():
	with pytest.raises(frappe.ValidationError, match="Has Role is a child table"):
		ready.install("project_delivery", "Has Role")


def test_a_manager_installs_from_the_desk_and_others_may_not(bare, make_user, as_user):
	with as_user(make_user("mila@example.com", ["Milestone Manager"])):
		assert len(ready_workflows.get_ready_workflows()) == len(NAMES)
		answer = ready_workflows.install_ready_workflow("project_delivery", bare)
	assert answer["workflow"] == "Project Delivery"
	assert any("set manually" in note for note in answer["notes"])
	with as_user(make_user("dora@example.com", ["Report Manager"])):
		with pytest.raises(frappe.PermissionError):
			ready_workflows.get_ready_workflows()
		with pytest.raises(frappe.PermissionError):
			ready_workflows.install_ready_workflow("project_delivery", bare)
	assert frappe.db.count("Milestone Workflow") == 1


def test_installing_changes_something_so_it_is_post_only():
	allowed = frappe.allowed_http_methods_for_whitelisted_func
	assert allowed[api.install_ready_workflow] == ["POST"]
