"""Nobody reads through a workflow a field that they may not read, and nobody sends it to others."""

import json

import frappe
import pytest

from milestone_automation import api
from milestone_automation.engine.rules.vocabulary import PlanEvent
from milestone_automation.engine.store import plan_log
from milestone_automation.engine.workflows import custom_messages
from tests.support.guarded import (
	CLERK,
	MANAGER,
	ORDER,
	PRICER,
	make_order,
	make_workflow,
	stage,
	without_error_ids,
)

HIDDEN = "which you may not read. Ask somebody who may to write it."

# Each way to ask a document for its price.
CONDITIONS = (
	"doc.price == 4711",
	"doc.get('price') == 4711",
	"doc['price'] == 4711",
	"doc.get('price', 1) > 1 or doc.title == 'x'",
	"[row for row in doc.lines if row.cost > 5] != []",
	"any(row['cost'] > 5 for row in doc.lines)",
	"any(row.get('cost') for row in doc.lines)",
	"doc.lines[0].cost > 5",
)
# Ways that name no field: the language does not have them.
NAMELESS = (
	"'4711' in str(doc)",
	"doc.get('pri' + 'ce') == 4711",
	"doc[doc.title] == 4711",
	"4711 in doc.values()",
	"doc.as_dict().price == 4711",
	"f'{doc}' == ''",
	"max([doc])",
	"[x for x in doc]",
)
USES = (
	{"document_filters": json.dumps([["price", ">", 100]])},
	{"stages": [stage("Cut", reach_rule="Field Value", track_field="price", track_value="4711")]},
	{"stages": [stage("Cut") | {"date_field": "price_date"}]},
	{"stages": [stage("Cut", owner_kind="User Field", owner_field="price_owner")]},
	{"stages": [stage("Cut", custom_message="It costs {{ doc.price }}.")]},
	{"stages": [stage("Cut", custom_message="{{ doc.get_formatted('price') }}")]},
	{"stages": [stage("Cut", custom_message="{{ doc['price'] }}")]},
	{"stages": [stage("Cut", custom_message="{% for row in doc.lines %}{{ row.cost }}{% endfor %}")]},
	{
		"tasks": [
			{"stage": "Cut", "title": "Pay", "assignee_kind": "User Field", "assignee_field": "price_owner"}
		]
	},
)

pytestmark = [pytest.mark.usefixtures("guarded"), pytest.mark.one_database]


def draft(**values) -> dict:
	return {"document_type": ORDER, "workflow_name": "Draft", "enabled": 0, "stages": [stage("Cut")]} | values


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_preview_tells_nothing_of_a_price_the_manager_may_not_read(as_user, condition):
	order = make_order(price=4711, lines=[{"item": "x", "cost": 9}])
	with as_user(MANAGER):
		with pytest.raises(frappe.ValidationError, match=HIDDEN):
			api.preview_draft(draft(condition=condition), order.name)
		with pytest.raises(frappe.ValidationError, match=HIDDEN):
			make_workflow("Priced", condition=condition)
	with as_user(PRICER):
		assert api.preview_draft(draft(condition=condition), order.name)["matches"] in (True, False)


@pytest.mark.parametrize("condition", NAMELESS)
def test_a_condition_cannot_ask_for_a_field_without_naming_it(as_user, condition):
	order = make_order(price=4711)
	with as_user(MANAGER), pytest.raises(frappe.ValidationError, match="The condition "):
		api.preview_draft(draft(condition=condition), order.name)


@pytest.mark.parametrize("values", USES, ids=lambda values: json.dumps(values)[:60])
def test_no_part_of_a_workflow_uses_a_field_its_author_may_not_read(as_user, values):
	order = make_order(price=4711)
	with as_user(MANAGER):
		with pytest.raises(frappe.ValidationError, match=HIDDEN):
			api.preview_draft(draft(**values), order.name)
		answer = api.check_workflow(draft(**values))
		assert HIDDEN in json.dumps(answer)
		with pytest.raises(frappe.ValidationError, match=HIDDEN):
			make_workflow("Priced", **values)
	with as_user(PRICER):
		make_workflow("Priced", **values)


def test_what_somebody_with_more_rights_wrote_stays_when_others_change_the_rest(as_user):
	with as_user(PRICER):
		workflow = make_workflow(
			"Priced",
			condition="doc.price > 100",
			stages=[stage("Paid", reach_rule="Field Value", track_field="price", track_value="5")],
		)
	with as_user(MANAGER):
		workflow.reload()
		workflow.stages[0].remind_after_days = 2
		workflow.save()
		for change in ({"condition": "doc.price > 200"}, {"track_value": "6"}):
			workflow.reload()
			(workflow if "condition" in change else workflow.stages[0]).update(change)
			with pytest.raises(frappe.ValidationError, match=HIDDEN):
				workflow.save()


def test_fields_a_manager_may_not_read_are_not_offered(as_user):
	with as_user(MANAGER):
		assert "price" not in [field["value"] for field in api.fields_for(ORDER)]
	with as_user(PRICER):
		assert "price" in [field["value"] for field in api.fields_for(ORDER)]


# What others are sent


MESSAGE = "Price {{ doc.price }}, {% for row in doc.lines %}{{ row.item }} {{ row.cost }};{% endfor %}"
BLIND = "{% for pair in doc.items() %}{{ pair[1] }} {% endfor %}{{ doc }}"


def told(order, text: str, author: str | None) -> str:
	row = {"stage_name": "Cut", "key_date": None, "custom_message_by": author}
	return custom_messages.render(text, order, row)


def test_a_message_tells_only_what_its_author_may_read():
	order = make_order(price=4711, lines=[{"item": "Coat", "cost": 815263}])
	assert told(order, MESSAGE, PRICER) == "Price 4711.0, Coat 815263.0;"
	for author in (MANAGER, None):
		assert told(order, MESSAGE, author) == "Price , Coat ;"
		assert "4711" not in told(order, BLIND, author)
		assert "815263" not in told(order, BLIND, author)  # no part of a document's name, by any chance


def test_a_message_tells_nothing_of_a_document_its_author_may_not_read():
	order, own = make_order(title="Hidden"), make_order(title="Own")
	permission = {"user": MANAGER, "allow": ORDER, "for_value": own.name}
	frappe.get_doc({"doctype": "User Permission", **permission}).insert()
	assert told(own, "{{ doc.title }}", MANAGER) == "Own"
	assert told(order, "{{ doc.title }}", MANAGER) == ""


def test_who_wrote_a_message_is_kept_with_it_in_workflow_and_plan(as_user):
	with as_user(PRICER):
		workflow = make_workflow("Told", stages=[stage("Cut", custom_message="{{ doc.price }}")])
	with as_user(MANAGER):
		workflow.reload()
		workflow.stages[0].custom_message_by = "Administrator"
		workflow.stages[0].remind_after_days = 2
		workflow.save()
	order = make_order()
	plan = frappe.db.get_value("Milestone Plan", {"reference_name": order.name})
	(row,) = frappe.get_doc("Milestone Plan", plan).stages
	assert (workflow.stages[0].custom_message_by, row.custom_message_by) == (PRICER, PRICER)
	with as_user(MANAGER):
		workflow.reload()
		workflow.stages[0].custom_message = "Cut?"
		workflow.save()
	assert workflow.stages[0].custom_message_by == MANAGER


def test_the_oracle_over_http(served):
	with served.connect():
		order = make_order(price=4711)
		# The web server is another process.
		frappe.db.commit()  # nosemgrep: frappe-manual-commit
	answers = set()
	for price in (4711, 1):
		answer = served.call(
			MANAGER, "preview_draft", workflow=draft(condition=f"doc.price == {price}"), name=order.name
		)
		answers.add((answer.status_code, without_error_ids(answer.json()["_server_messages"])))
	((status, words),) = answers
	assert status == 417
	assert HIDDEN in words
	refused = served.call(CLERK, "preview_draft", workflow=draft(), name=order.name)
	assert refused.status_code == 403


def test_no_task_is_for_whom_a_hidden_field_names(as_user):
	make_workflow("Staffed", stages=[stage("Cut", owner_kind="User", owner_user=MANAGER)])
	order = make_order(price_owner=CLERK)
	plan = frappe.db.get_value("Milestone Plan", {"reference_name": order.name})
	given = {"plan": plan, "stage": "Cut", "title": "Pay", "assignee_kind": "User Field"}
	with as_user(MANAGER):
		with pytest.raises(frappe.ValidationError, match=HIDDEN):
			api.add_task(**given, assignee_field="price_owner")
		shown = api.add_task(**given, assignee_field="responsible")
		job = frappe.get_doc("Milestone Task", shown["stages"][0]["tasks"][0]["name"])
		job.assignee_field = "price_owner"
		with pytest.raises(frappe.ValidationError, match=HIDDEN):
			job.save()
	with as_user(PRICER):
		shown = api.add_task(**given, assignee_field="price_owner")
	assert [person["user"] for person in shown["stages"][0]["tasks"][1]["assignees"]] == [CLERK]


# What was recorded


@pytest.fixture
def recorded():
	"""An order whose price is tracked and reaches a stage, and its plan."""
	tracker = {"doctype": "Milestone Tracker", "document_type": ORDER, "track_field": "price"}
	frappe.get_doc(tracker | {"extra_fields": [{"track_field": "status"}]}).insert()
	dated = stage("Paid", date_field="price_date", reach_rule="Field Value", track_field="price")
	make_workflow("Priced", stages=[dated | {"track_value": "4711"}, stage("Cut")])
	order = make_order(price=1, price_date="2030-01-05")
	order.price = 4711
	order.status = "Cut"
	order.save()
	return order


@pytest.mark.usefixtures("recorded")
class TestRecordedValues:
	def test_the_form_of_a_plan_says_no_value_of_a_field_its_reader_may_not_read(self, recorded, as_user):
		plan = frappe.db.get_value("Milestone Plan", {"reference_name": recorded.name})
		frappe.db.set_value("Milestone Plan Stage", {"parent": plan}, "value_before", "4712")
		frappe.db.set_value("Milestone Plan", plan, "snapshot", '{"price": "4712"}')
		with as_user(MANAGER):
			doc = frappe.get_doc("Milestone Plan", plan)
			doc.apply_fieldlevel_read_permissions()
			assert "4712" not in doc.as_json()
			rows = frappe.get_list("Milestone Plan Stage", fields=["*"], parent_doctype="Milestone Plan")
			assert "4712" not in frappe.as_json(rows)
			shown = api.get_plan(ORDER, recorded.name)["stages"][0]
			assert shown["track_value"] is None
		with as_user(PRICER):
			assert api.get_plan(ORDER, recorded.name)["stages"][0]["track_value"] == "4711"

	def test_the_date_a_hidden_field_gives_is_not_shown(self, recorded, as_user):
		name = frappe.db.get_value("Milestone Plan Stage", {"stage_name": "Paid"})
		frappe.db.set_value("Milestone Plan Stage", name, {"status": "Open", "key_date": "2030-03-03"})
		for user, day in ((MANAGER, "None"), (PRICER, "2030-01-05")):
			with as_user(user):
				assert str(api.get_plan(ORDER, recorded.name)["stages"][0]["document_date"]) == day

	def test_whom_a_site_lets_read_milestones_sees_those_of_fields_and_documents_they_may_read(
		self, recorded, as_user, make_user
	):
		frappe.permissions.add_permission("Milestone", "Milestone Manager", 0)
		make_user("lone@levels.example", ["Milestone Manager"])
		seen = {}
		for user in (MANAGER, PRICER, "lone@levels.example"):
			with as_user(user):
				rows = frappe.get_list("Milestone", ["name", "track_field"], limit=0)
				seen[user] = {row.track_field for row in rows}
				for row in frappe.get_all("Milestone", ["name"]):
					doc = frappe.get_doc("Milestone", row.name)
					assert frappe.has_permission("Milestone", doc=doc) == (row.name in {r.name for r in rows})
		assert seen == {MANAGER: {"status"}, PRICER: {"status", "price"}, "lone@levels.example": set()}

	def test_the_text_of_a_message_is_for_whom_it_was_sent_to(self, recorded, as_user):
		about = {"reference_type": ORDER, "reference_name": recorded.name, "kind": "Prompt"}
		plan = frappe.db.get_value("Milestone Plan", {"reference_name": recorded.name})
		text = {"message": "It costs 4712.", "message_key": "levels", "plan": plan}
		sent = frappe.get_doc({"doctype": "Milestone Message", **about, **text}).insert()
		with as_user(MANAGER):
			doc = frappe.get_doc("Milestone Message", sent.name)
			doc.check_permission("read")
			doc.apply_fieldlevel_read_permissions()
			assert not doc.get("message")
			listed = frappe.get_list("Milestone Message", {"name": sent.name}, ["name", "message"])
			assert "4712" not in frappe.as_json(listed)

	def test_a_step_that_waits_is_told_in_the_timeline(self, recorded, as_user):
		plan = frappe.get_doc("Milestone Plan", {"reference_name": recorded.name})
		for event in PlanEvent:
			plan_log.write(plan, event, stage=plan.stages[0], details="Set Value")
		with as_user(CLERK):
			text = frappe.as_json(api.get_timeline(ORDER, recorded.name))
		assert "is no longer tried" in text


def test_a_form_is_sent_no_milestones_of_fields_its_reader_may_not_read(served):
	with served.connect():
		tracker = {"doctype": "Milestone Tracker", "document_type": ORDER, "track_field": "price"}
		made = frappe.get_doc(tracker | {"extra_fields": [{"track_field": "status"}]}).insert()
		order = make_order(price=4711)
		# The web server is another process.
		frappe.db.commit()  # nosemgrep: frappe-manual-commit
	for user, fields in ((CLERK, {"status"}), (PRICER, {"status", "price"})):
		asked = {"doctype": ORDER, "name": order.name}
		for call in ("frappe.desk.form.load.getdoc", "frappe.desk.form.load.get_docinfo"):
			answer = served.client(user).get(f"/api/method/{call}", params=asked)
			assert {row["track_field"] for row in answer.json()["docinfo"]["milestones"]} == fields
	with served.connect():
		frappe.db.delete("Milestone", {"milestone_tracker": made.name})
		made.delete()
		# As above.
		frappe.db.commit()  # nosemgrep: frappe-manual-commit
