"""A submittable order with a field of every kind that matters, trackers on it, and its milestones in order."""

import frappe
import pytest

from .documents import ensure_doctype
from .transactions import end_transaction

ORDER = "Recorded Order"
STATUSES = "\nDraft\nOrdered\nIn Production\nShipped\nDelivered"
ORDER_FIELDS = (
	{"fieldname": "status", "fieldtype": "Select", "options": STATUSES, "allow_on_submit": 1},
	{"fieldname": "stage", "fieldtype": "Data", "allow_on_submit": 1},
	{"fieldname": "workflow_state", "fieldtype": "Data", "allow_on_submit": 1},
	{"fieldname": "note", "fieldtype": "Long Text", "allow_on_submit": 1},
	{"fieldname": "ship_date", "fieldtype": "Date"},
	{"fieldname": "seen_at", "fieldtype": "Datetime"},
	{"fieldname": "cut_off", "fieldtype": "Time"},
	{"fieldname": "paid", "fieldtype": "Check"},
	{"fieldname": "pieces", "fieldtype": "Int"},
	{"fieldname": "weight", "fieldtype": "Float"},
	{"fieldname": "price", "fieldtype": "Currency"},
	{"fieldname": "buyer", "fieldtype": "Link", "options": "User"},
)


class Tracking:
	"""Makes the order's DocType, trackers and orders on the site at hand, and reads what was recorded."""

	doctype = ORDER

	def doctype_ready(self) -> str:
		everyone = {"role": "All", "read": 1, "write": 1, "create": 1, "submit": 1, "cancel": 1, "amend": 1}
		manager = everyone | {"role": "System Manager", "delete": 1, "import": 1, "export": 1}
		return ensure_doctype(
			ORDER,
			[dict(field) for field in ORDER_FIELDS],
			is_submittable=True,
			permissions=(manager, everyone),
			allow_rename=1,
			allow_import=1,
		)

	def track(self, field: str = "status", *more: str, **values) -> str:
		"""A tracker of the order's fields; returns its name."""
		self.doctype_ready()
		rows = [{"track_field": name} for name in more]
		tracker = {"doctype": "Milestone Tracker", "document_type": ORDER, "track_field": field}
		return frappe.get_doc(tracker | {"extra_fields": rows} | values).insert().name

	def order(self, **values):
		"""An order, not inserted."""
		self.doctype_ready()
		return frappe.get_doc({"doctype": ORDER} | values)

	def changes(self, name, doctype: str = ORDER, **filters) -> list[tuple]:
		"""All that was recorded of a document, oldest first, as (field, from value, value)."""
		return [
			(row.track_field, row.from_value or "", row.value or "")
			for row in self.rows(name, doctype, **filters)
		]

	def is_unbroken(self, name, doctype: str = ORDER) -> bool:
		"""Whether each change of each field starts from the value the one before it ended with."""
		last: dict[str, str] = {}
		for field, old, new in self.changes(name, doctype, reference_deleted=0):
			if last.setdefault(field, old) != old:
				return False
			last[field] = new
		return True

	def rows(self, name, doctype: str = ORDER, **filters) -> list:
		"""The milestones of a document, oldest first, as somebody finds them after the commit."""
		end_transaction()
		found = frappe.get_all(
			"Milestone",
			filters={"reference_type": doctype, "reference_name": str(name)} | filters,
			fields=["*"],
			order_by="reached_on asc, idx asc, creation asc",
		)
		return list(found)


@pytest.fixture
def tracking(site):
	"""Trackers and orders on the worker's site; all is rolled back after the test but the DocType."""
	tracking = Tracking()
	tracking.doctype_ready()
	return tracking


@pytest.fixture
def committed_tracking(scratch_site):
	"""The same on a site of its own, connected: for paths that commit. `committed_tracking.scratch` is the site."""
	scratch = scratch_site()
	with scratch.connect():
		tracking = Tracking()
		tracking.scratch = scratch
		tracking.doctype_ready()
		yield tracking
