"""What a Milestone Tracker is refused for, and with which words."""

import frappe
import pytest

pytestmark = pytest.mark.one_database


@pytest.fixture
def order(make_doctype):
	return make_doctype(
		"Tracked Order",
		[
			{"fieldname": "status", "fieldtype": "Select", "options": "\nOpen\nShipped"},
			{"fieldname": "amount", "fieldtype": "Currency"},
			{"fieldname": "delivery_date", "fieldtype": "Date"},
			{"fieldname": "secret", "fieldtype": "Password"},
			{"fieldname": "terms_section", "fieldtype": "Section Break"},
			{"fieldname": "hint", "fieldtype": "HTML"},
			{"fieldname": "approve", "fieldtype": "Button"},
			{"fieldname": "roles", "fieldtype": "Table", "options": "Has Role"},
			{"fieldname": "tags", "fieldtype": "Table MultiSelect", "options": "Has Role"},
			{"fieldname": "signed", "fieldtype": "Signature"},
			{"fieldname": "age", "fieldtype": "Int", "is_virtual": 1},
		],
	)


@pytest.fixture
def build(order):
	"""Function `build(**values)`: a tracker of status, not inserted."""

	def make(extra_fields=(), **values):
		tracker = {"doctype": "Milestone Tracker", "document_type": order, "track_field": "status"}
		return frappe.get_doc(
			tracker | {"extra_fields": [{"track_field": name} for name in extra_fields]} | values
		)

	return make


@pytest.fixture
def refused(build):
	"""Function `refused(...)`: the message with which a tracker built so is refused."""

	def message(**values) -> str:
		tracker = build(**values)
		tracker.flags.ignore_links = True
		with pytest.raises(frappe.ValidationError) as refusal:
			tracker.insert()
		return str(refusal.value)

	return message


def test_a_sound_tracker_records_its_fields_each_once(build):
	tracker = build(
		["amount", "status", "amount", "docstatus", "owner"], condition="doc.amount > 100"
	).insert()
	assert tracker.tracked_fields() == ["status", "amount", "docstatus", "owner"]


@pytest.mark.parametrize(
	("doctype", "message"),
	[
		("Nowhere", "DocType Nowhere does not exist. Choose the DocType of the documents to track."),
		(
			"Has Role",
			"Has Role is a child table: its rows are saved with their parent. Track a field of the parent.",
		),
		(
			"System Settings",
			"System Settings is a Single DocType. Choose a DocType with documents.",
		),
		("RQ Job", "RQ Job is a virtual DocType without a table. Choose another DocType."),
		("Version", "Version is a log: its documents are written once. Choose the DocType the log is about."),
		(
			"Activity Log",
			"Activity Log is a log: its documents are written once. Choose the DocType the log is about.",
		),
		("Milestone", "Milestone belongs to Milestone Automation and cannot be tracked."),
		(
			"Milestone Tracker",
			"Milestone Tracker belongs to Milestone Automation and cannot be tracked.",
		),
		(
			"Milestone Task",
			"Milestone Task belongs to Milestone Automation and cannot be tracked.",
		),
	],
)
def test_a_doctype_that_cannot_be_tracked_is_refused(refused, doctype, message):
	assert refused(document_type=doctype) == message


@pytest.mark.parametrize("first", [True, False], ids=["as first field", "as one more field"])
@pytest.mark.parametrize(
	("field", "kind"),
	[
		("secret", "Password"),
		("terms_section", "Section Break"),
		("hint", "HTML"),
		("approve", "Button"),
		("roles", "Table"),
		("tags", "Table MultiSelect"),
		("signed", "Signature"),
		("age", "Int"),
	],
)
def test_a_field_without_a_stored_value_is_refused(refused, field, kind, first):
	values = {"track_field": field} if first else {"extra_fields": [field]}
	assert refused(**values) == (
		f"The field {field} of Tracked Order cannot be tracked: it is of type {kind} and has no stored value to compare."
	)


@pytest.mark.parametrize(
	("values", "shown"),
	[
		({"track_field": "state"}, "state"),
		({"extra_fields": ["Status"]}, "Status"),
		({"track_field": None}, "''"),
		({"extra_fields": ["<img src=x>"]}, "&lt;img src=x&gt;"),
	],
)
def test_an_unknown_field_is_refused(refused, values, shown):
	assert refused(**values) == f"Tracked Order has no field {shown}. Choose one of its fields."


@pytest.mark.parametrize(
	("condition", "message"),
	[
		(
			"doc.status = 'Open'",
			"The condition is not a Python expression: invalid syntax. Example: doc.status == 'Open'.",
		),
		(
			"doc.state == 'Open'",
			"The condition uses doc.state, but Tracked Order has no field state. Use the field's name, not its label.",
		),
		(
			"status == 'Open'",
			"The condition cannot be evaluated: name 'status' is not defined. It may use doc and frappe.utils only.",
		),
		(
			"doc.status and open(doc.roles)",
			"The condition cannot be evaluated: name 'open' is not defined. It may use doc and frappe.utils only.",
		),
		(
			"frappe.db.sql('select 1')",
			"The condition cannot be evaluated: frappe.db does not exist. It may use doc and frappe.utils only.",
		),
		(
			"doc.amount > frappe.utils.lots(3)",
			"The condition cannot be evaluated: frappe.utils.lots does not exist. It may use doc and frappe.utils only.",
		),
		(
			"doc.save()",
			"The condition uses doc.save, but Tracked Order has no field save. Use the field's name, not its label.",
		),
	],
)
def test_a_broken_condition_is_refused(refused, condition, message):
	assert refused(condition=condition) == message


@pytest.mark.parametrize(
	"condition", ["__import__('os').getcwd()", "doc.status.__class__", "'{0}'.format(doc)"]
)
def test_a_condition_safe_eval_never_runs_is_refused(refused, condition):
	assert refused(condition=condition).startswith("The condition cannot be evaluated: ")


@pytest.mark.parametrize(
	"condition",
	[
		"doc.amount > 100",
		"doc.status == 'Open'  # open ones",
		"doc.get('status') == 'Open' and doc.owner != 'Guest'",
		"doc.delivery_date < frappe.utils.nowdate()",
		"doc.amount / 0 > 1",
		"[row.role for row in doc.roles if row.role == 'x']",
		"round(doc.amount or 0) == int(5.5)",
	],
)
def test_a_condition_that_may_work_on_some_document_is_taken(build, condition):
	assert build(condition=condition).insert().condition == condition


def test_one_tracker_for_a_doctype(build):
	build().insert()
	# Who finds it first differs: Frappe by the name, or the database by its unique index.
	with pytest.raises(Exception, match=r"(?i)unique|duplicate|already"):
		build(track_field="amount").insert()
