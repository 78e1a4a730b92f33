"""What several tests of running plans need."""

import frappe
import pytest

from tests.support.factories import ORDER


@pytest.fixture
def approval():
	"""Frappe's own Workflow on orders, with its states in the field `state`."""
	for state in ("Packing", "On its way"):
		if not frappe.db.exists("Workflow State", state):
			frappe.get_doc({"doctype": "Workflow State", "workflow_state_name": state}).insert()
	if not frappe.db.exists("Workflow Action Master", "Send off"):
		frappe.get_doc({"doctype": "Workflow Action Master", "workflow_action_name": "Send off"}).insert()
	transition = {
		"state": "Packing",
		"action": "Send off",
		"next_state": "On its way",
		"allowed": "System Manager",
	}
	states = [
		{"state": "Packing", "doc_status": "0", "allow_edit": "System Manager"},
		{"state": "On its way", "doc_status": "1", "allow_edit": "System Manager"},
	]
	workflow = {
		"doctype": "Workflow",
		"workflow_name": "Dispatch",
		"document_type": ORDER,
		"is_active": 1,
		"workflow_state_field": "state",
		"send_email_alert": 0,
		"states": states,
		"transitions": [transition],
	}
	return frappe.get_doc(workflow).insert()
