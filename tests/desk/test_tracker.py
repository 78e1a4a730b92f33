"""The form of a tracker: what it shows of recorded milestones."""

import frappe
import pytest
from frappe.utils import formatdate

from milestone_automation.desk import tracker
from tests.support.factories import ORDER, make_document

pytestmark = pytest.mark.usefixtures("production_order")


def test_recorded_values_are_shown_as_on_the_form_of_their_document():
	fields = [{"track_field": "inspection_date"}, {"track_field": "docstatus"}]
	about = {"document_type": ORDER, "track_field": "status", "extra_fields": fields}
	name = frappe.get_doc({"doctype": "Milestone Tracker", **about}).insert().name
	order = make_document(inspection_date=None)
	order.inspection_date = "2026-12-24"
	order.save()

	last = {row.track_field: row for row in tracker.recorded(name)["last"]}

	assert (last["inspection_date"].from_value, last["inspection_date"].value) == (
		"",
		formatdate("2026-12-24"),
	)
	assert last["docstatus"].value == "Draft"
