"""Who a task's assignees and a stage's owners are."""

import frappe
import pytest

from milestone_automation.engine.people import assignees
from milestone_automation.engine.people.assignees import resolve_stage_owner

DOCUMENT_FIELDS = [
	{"fieldname": "supplier", "fieldtype": "Link", "options": "Assignee Supplier"},
	{"fieldname": "vendor_type", "fieldtype": "Link", "options": "DocType"},
	{"fieldname": "vendor", "fieldtype": "Dynamic Link", "options": "vendor_type"},
	{"fieldname": "merchandiser", "fieldtype": "Link", "options": "User"},
	{"fieldname": "inspector_mail", "fieldtype": "Data"},
	{"fieldname": "inspectors", "fieldtype": "Table MultiSelect", "options": "User Group Member"},
]


@pytest.fixture
def order(make_doctype, make_user):
	"""A document with a supplier; two team members, one who left, and a portal user."""
	make_doctype("Assignee Supplier", [{"fieldname": "title", "fieldtype": "Data"}])
	make_doctype("Assignee Order", DOCUMENT_FIELDS)
	frappe.get_doc({"doctype": "Role", "role_name": "Test Buyer", "desk_access": 1}).insert()
	frappe.get_doc({"doctype": "Role", "role_name": "Test Portal", "desk_access": 0}).insert()
	make_user("anna@example.com", ["Test Buyer"])
	make_user("bert@example.com", ["Test Buyer"])
	make_user("gone@example.com", ["Test Buyer"])
	frappe.db.set_value("User", "gone@example.com", "enabled", 0)
	make_user("portal@example.com", ["Test Portal"], user_type="Website User")
	supplier = frappe.get_doc({"doctype": "Assignee Supplier"}).insert()
	return frappe.get_doc({"doctype": "Assignee Order", "supplier": supplier.name}).insert()


@pytest.fixture
def make_contact(order):
	def make(first_name, mails=(), user=None, of=None, **values):
		contact = frappe.get_doc({"doctype": "Contact", "first_name": first_name, "user": user, **values})
		for number, mail in enumerate(mails):
			contact.append("email_ids", {"email_id": mail, "is_primary": number == 0})
		contact.append("links", {"link_doctype": "Assignee Supplier", "link_name": of or order.supplier})
		return contact.insert().name

	return make


def people(row, doc, **plan):
	return assignees.resolve(row, doc, plan)


def users(row, doc, **plan):
	return [person["user"] for person in people(row, doc, **plan)]


# Whole team


def test_whole_team_is_the_enabled_system_users_with_the_role(order):
	assert people({"assignee_kind": "Whole Team"}, order, team_role="Test Buyer") == [
		{"user": "anna@example.com", "contact": None, "full_name": "Anna", "email": "anna@example.com"},
		{"user": "bert@example.com", "contact": None, "full_name": "Bert", "email": "bert@example.com"},
	]


def test_whole_team_leaves_website_users_out(order):
	assert people({"assignee_kind": "Whole Team"}, order, team_role="Test Portal") == []


def test_whole_team_of_role_and_group_names_everybody_once(order, make_user):
	make_user("carl@example.com", ["Test Portal"])
	members = [
		"bert@example.com",
		"gone@example.com",
		"portal@example.com",
		make_user("dora@example.com", ["Test Buyer"]),
	]
	group = frappe.get_doc({"doctype": "User Group", "name": "Test Buyers"})
	group.set("user_group_members", [{"user": user} for user in members])
	group.insert()
	task = {"assignee_kind": "Whole Team"}
	assert users(task, order, team_group="Test Buyers") == ["bert@example.com", "dora@example.com"]
	everybody = ["anna@example.com", "bert@example.com", "dora@example.com"]
	assert users(task, order, team_role="Test Buyer", team_group="Test Buyers") == everybody


def test_administrator_is_of_the_team_only_when_nobody_else_is(order):
	task = {"assignee_kind": "Whole Team"}
	frappe.get_doc("User", "Administrator").add_roles("Test Buyer", "Test Portal")
	assert users(task, order, team_role="Test Buyer") == ["anna@example.com", "bert@example.com"]
	assert users(task, order, team_role="Test Portal") == ["Administrator"]


def test_a_team_nobody_described_is_nobody(order):
	assert people({"assignee_kind": "Whole Team"}, order) == []


# All supplier contacts


def test_supplier_contacts_with_and_without_account(order, make_contact):
	named = make_contact("Petra", ["petra@supplier.example"], user="portal@example.com")
	mailed = make_contact("Quentin", ["quentin@supplier.example"], last_name="Qi")
	assert people({"assignee_kind": "All Supplier Contacts"}, order) == [
		{
			"user": "portal@example.com",
			"contact": named,
			"full_name": "Portal",
			"email": "portal@example.com",
		},
		{"user": None, "contact": mailed, "full_name": "Quentin Qi", "email": "quentin@supplier.example"},
	]


def test_contacts_of_another_supplier_are_not_asked(order, make_contact):
	other = frappe.get_doc({"doctype": "Assignee Supplier"}).insert()
	make_contact("Olga", ["olga@other.example"], of=other.name)
	assert people({"assignee_kind": "All Supplier Contacts"}, order) == []


def test_a_contact_who_shares_an_address_is_asked_once(order, make_contact):
	first = make_contact("Petra", ["team@supplier.example"])
	make_contact("Quentin", ["team@supplier.example"])
	make_contact("Unreachable")
	found = people({"assignee_kind": "All Supplier Contacts"}, order)
	assert [(person["contact"], person["email"]) for person in found] == [(first, "team@supplier.example")]


def test_a_contact_whose_address_is_that_of_an_account_is_that_user(order, make_contact):
	make_contact("Petra", ["portal@example.com"])
	assert users({"assignee_kind": "All Supplier Contacts"}, order) == ["portal@example.com"]


def test_a_contact_whose_account_is_disabled_is_left_out(order, make_contact):
	make_contact("Gone", ["gone@supplier.example"], user="gone@example.com")
	assert people({"assignee_kind": "All Supplier Contacts"}, order) == []


def test_a_contact_without_main_address_is_asked_at_another_one(order, make_contact):
	contact = make_contact("Rosa", ["rosa@supplier.example"])
	frappe.db.set_value("Contact", contact, "email_id", None)
	found = people({"assignee_kind": "All Supplier Contacts"}, order)
	assert [person["email"] for person in found] == ["rosa@supplier.example"]


def test_supplier_in_a_field_of_another_name_and_kind(order, make_contact):
	contact = make_contact("Petra", ["petra@supplier.example"])
	order.update({"vendor_type": "Assignee Supplier", "vendor": order.supplier, "supplier": None})
	task = {"assignee_kind": "All Supplier Contacts"}
	assert [person["contact"] for person in people(task, order, supplier_field="vendor")] == [contact]
	assert people(task, order) == []
	assert people(task, order, supplier_field="no_such_field") == []


# One team member, third party, role, field


def test_one_team_member(order):
	assert users({"assignee_kind": "One Team Member", "assignee_user": "anna@example.com"}, order) == [
		"anna@example.com"
	]


@pytest.mark.parametrize("user", ["gone@example.com", "Guest", "nobody", None])
def test_a_team_member_who_cannot_work_is_nobody(order, user):
	assert people({"assignee_kind": "One Team Member", "assignee_user": user}, order) == []


def test_third_party_collaborator_needs_no_account(order):
	task = {
		"assignee_kind": "Third-Party Collaborator",
		"collaborator_name": "Lab North",
		"collaborator_email": "Lab@North.example",
	}
	expected = {"user": None, "contact": None, "full_name": "Lab North", "email": "lab@north.example"}
	assert people(task, order) == [expected]


def test_third_party_collaborator_with_an_account_is_that_user(order):
	task = {"assignee_kind": "Third-Party Collaborator", "collaborator_email": "Portal@example.com"}
	assert users(task, order) == ["portal@example.com"]
	assert people(task | {"collaborator_email": "gone@example.com"}, order) == []


def test_role_includes_website_users_but_nobody_disabled(order):
	assert users({"assignee_kind": "Role", "assignee_role": "Test Buyer"}, order) == [
		"anna@example.com",
		"bert@example.com",
	]
	assert users({"assignee_kind": "Role", "assignee_role": "Test Portal"}, order) == ["portal@example.com"]
	assert users({"assignee_kind": "Role", "assignee_role": "No Such Role"}, order) == []


def test_roles_that_frappe_gives_by_account(order):
	everybody = users({"assignee_kind": "Role", "assignee_role": "All"}, order)
	desk = users({"assignee_kind": "Role", "assignee_role": "Desk User"}, order)
	assert {"anna@example.com", "portal@example.com"} <= set(everybody)
	assert "anna@example.com" in desk and "portal@example.com" not in desk
	assert not {"Guest", "gone@example.com"} & set(everybody + desk)


def test_user_field_with_id_or_address(order):
	task = {"assignee_kind": "User Field", "assignee_field": "merchandiser"}
	assert people(task, order) == []
	order.merchandiser = "bert@example.com"
	assert users(task, order) == ["bert@example.com"]
	order.inspector_mail = "Lab@North.example, anna@example.com"
	found = people({"assignee_kind": "User Field", "assignee_field": "inspector_mail"}, order)
	assert [(person["user"], person["email"]) for person in found] == [
		(None, "lab@north.example"),
		("anna@example.com", "anna@example.com"),
	]


def test_user_field_that_is_a_table_of_users(order):
	order.set(
		"inspectors",
		[{"user": user} for user in ("bert@example.com", "gone@example.com", "anna@example.com")],
	)
	task = {"assignee_kind": "User Field", "assignee_field": "inspectors"}
	assert users(task, order) == ["bert@example.com", "anna@example.com"]


def test_no_assignee_kind_is_nobody(order, count_queries):
	with count_queries() as queries:
		assert people({"assignee_kind": None}, order) == []
	assert queries.count == 0


def test_five_hundred_tasks_take_the_queries_of_one_of_each_kind(order, make_contact, count_queries):
	make_contact("Petra", ["petra@supplier.example"])
	order.merchandiser = "bert@example.com"
	kinds = [
		{"assignee_kind": "Whole Team"},
		{"assignee_kind": "All Supplier Contacts"},
		{"assignee_kind": "One Team Member", "assignee_user": "anna@example.com"},
		{"assignee_kind": "Third-Party Collaborator", "collaborator_email": "lab@north.example"},
		{"assignee_kind": "Role", "assignee_role": "Test Buyer"},
		{"assignee_kind": "User Field", "assignee_field": "merchandiser"},
	]
	plan = {"team_role": "Test Buyer"}

	def count(tasks):
		with count_queries() as queries:
			cache = assignees.prefetch(tasks, order, plan)
			found = [assignees.resolve(task, order, plan, cache=cache) for task in tasks]
		assert all(found)
		return queries.count

	assert count(kinds) == count(kinds * 84) == 4


# Stages


def test_owner_of_a_stage(order):
	order.merchandiser = "bert@example.com"

	def owner_of(**stage):
		return resolve_stage_owner(stage, order, {})["stage_owner"]

	assert owner_of(owner_kind="Document Creator") == "Administrator"
	assert owner_of(owner_kind="User", owner_user="anna@example.com") == "anna@example.com"
	assert owner_of(owner_kind="User", owner_user="gone@example.com") is None
	assert owner_of(owner_kind="User Field", owner_field="merchandiser") == "bert@example.com"
	assert owner_of(owner_kind="Role", owner_role="Test Buyer") is None


def test_fifty_stages_take_the_queries_of_one(order, count_queries):
	stages = [
		{"owner_kind": "User", "owner_user": "anna@example.com"},
		{"owner_kind": "Document Creator"},
	] * 25
	with count_queries() as queries:
		cache = assignees.prefetch([], order, {}, stages=stages)
		owners = [assignees.resolve_stage_owner(stage, order, {}, cache=cache) for stage in stages]
	assert {owner["stage_owner"] for owner in owners} == {"anna@example.com", "Administrator"}
	assert queries.count == 1
