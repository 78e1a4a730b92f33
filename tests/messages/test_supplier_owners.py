"""Milestones of a supplier's contact: found anew by each sweep, for all plans with the same few statements."""

import frappe
import pytest
from frappe.utils import now_datetime

from milestone_automation.engine.messages import plan_batch
from tests.support.factories import SUPPLIER, make_document, make_workflow, plan_of, stage

pytestmark = pytest.mark.usefixtures("production_order")


def make_order(number: int):
	supplier = frappe.get_doc({"doctype": SUPPLIER, "title": f"Mill {number}"}).insert().name
	for contact in range(2):
		doc = frappe.get_doc({"doctype": "Contact", "first_name": f"Contact {number}-{contact}"})
		doc.append("email_ids", {"email_id": f"c{contact}@mill{number}.example", "is_primary": 1})
		doc.append("links", {"link_doctype": SUPPLIER, "link_name": supplier})
		doc.is_primary_contact = contact
		doc.insert()
	return make_document(supplier=supplier)


def test_the_number_of_statements_does_not_grow_with_the_plans(count_queries):
	make_workflow(stages=[stage("Woven", None, -9, owner_kind="Supplier Contact")], tasks=[])
	orders = [make_order(number) for number in range(8)]
	plans = [plan_of(order).name for order in orders]
	plan_batch.read(plans, now_datetime(), lock=False)  # meta is read once
	counts, owners = [], {}
	for some in (plans[:2], plans):
		with count_queries() as counted:
			batch = plan_batch.read(some, now_datetime(), lock=False)
		counts.append(counted.count)
		owners = {name: batch.stages[name][0].outside_owner for name in some}
	assert counts[0] == counts[1], counted
	assert owners == {plan: f"c1@mill{number}.example" for number, plan in enumerate(plans)}


def test_a_contact_that_comes_or_goes_changes_the_owner_of_its_own_suppliers_milestone_only():
	make_workflow(stages=[stage("Woven", None, -9, owner_kind="Supplier Contact")], tasks=[])
	orders = [make_order(number) for number in range(2)]
	plans = [plan_of(order).name for order in orders]
	frappe.delete_doc("Contact", frappe.db.get_value("Contact", {"email_id": "c1@mill0.example"}))
	batch = plan_batch.read(plans, now_datetime(), lock=False)
	assert [batch.stages[plan][0].outside_owner for plan in plans] == ["c0@mill0.example", "c1@mill1.example"]
