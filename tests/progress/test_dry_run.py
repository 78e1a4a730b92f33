"""A dry run says what next steps would do, with the rights of their author, and leaves nothing behind and lets nothing out."""

import json

import frappe
import pytest
from frappe import realtime
from frappe.email.doctype.email_queue.email_queue import EmailQueue
from frappe.utils import background_jobs

from milestone_automation import api
from milestone_automation.engine.base import trial
from tests.support.factories import (
	CLERK_ROLE,
	ORDER,
	READER_ROLE,
	make_document,
	make_next_actions,
	make_workflow,
	stage,
	task,
	written,
)

pytestmark = pytest.mark.usefixtures("production_order")

MANAGER, CLERK = "mona@dry.example", "carl@dry.example"
NOTE = {"action": "Set Values", "fields": [{"field": "note", "value": "To be sewn"}]}


def draft(*actions, completed=(), tasks=(), **values) -> dict:
	"""A workflow that nobody has saved yet."""
	rows = [stage("Cut", "Cut", next_actions=make_next_actions(*actions)), stage("Shipped", "Shipped")]
	return {
		"doctype": "Milestone Workflow",
		"workflow_name": "Tried",
		"document_type": ORDER,
		"stages": rows,
		"tasks": list(tasks),
		"completed_actions": json.dumps(list(completed)),
	} | values


def tried(order, *actions, **values) -> list[dict]:
	return api.try_next_steps(draft(*actions, **values), order.name)["stages"][0]


@pytest.fixture
def left_the_site(monkeypatch):
	"""What would have left the site: jobs, mails, and messages to open desks."""
	out = []
	# Frappe 16 counts what waits before it adds a job.
	members = {"count": 0, "enqueue_call": lambda self, *given, **named: out.append("a job")}
	queue = type("Queue", (), members)
	# Below what a trial wraps.
	monkeypatch.setattr(background_jobs, "get_queue", lambda *_given, **_named: queue())
	monkeypatch.setattr(realtime, "emit_via_redis", lambda *_given, **_named: out.append("a message"))
	monkeypatch.setattr(EmailQueue, "send", lambda *_given, **_named: out.append("a mail"))
	return out


def test_every_step_says_what_it_would_do_and_nothing_is_done(left_the_site, make_user):
	make_user(CLERK, [CLERK_ROLE])
	make_workflow(tasks=[])
	order = make_document()
	frappe.db.after_commit.reset()
	left_the_site.clear()
	before, counts = written(order), rows_of_all_tables()
	left_for_the_commit = list(frappe.db.after_commit._functions)
	outcomes = tried(
		order,
		NOTE,
		{"action": "Add Tag", "tag": "Cut"},
		{"action": "Add Comment", "text": "Cut"},
		{"action": "Assign", "user": CLERK},
		{"action": "Notify", "users": [CLERK]},
		{"action": "Set Values", "fields": [{"field": "status", "value": "Cut"}], "when": "Blocked"},
		{"action": "Submit"},
		{
			"action": "Create Document",
			"document_type": ORDER,
			"fields": [{"field": "title", "formula": "doc.note + '!'"}],
		},
	)
	assert [one["is_done"] for one in outcomes] == [True] * 8, outcomes
	assert outcomes[0]["sentences"] == ["Note would change from empty to To be sewn."]
	assert outcomes[5]["sentences"] == ["Status would change from Open to Cut."]
	assert outcomes[6]["sentences"] == ["Document Status would change from Draft to Submitted."]
	assert outcomes[7]["sentences"] == ["A new Production Order would be created."]
	assert written(order) == before
	assert rows_of_all_tables() == counts
	assert list(frappe.db.after_commit._functions) == left_for_the_commit
	assert left_the_site == []
	assert not frappe.flags.get(trial.FLAG)
	frappe.enqueue("frappe.utils.now")
	assert left_the_site == ["a job"]


def rows_of_all_tables() -> dict[str, int]:
	doctypes = (ORDER, "Comment", "ToDo", "Tag", "Tag Link", "Notification Log", "Milestone", "Milestone Plan",
		"Milestone Next Step", "Milestone Plan Log", "Email Queue", "Error Log", "Version", "DocShare")  # fmt: skip
	return {doctype: frappe.db.count(doctype) for doctype in doctypes}


def test_what_would_not_be_done_says_why():
	make_workflow(stages=[stage("Cut", "Cut")], tasks=[task("Cut", "Sharpen the knives")])
	order = make_document(pieces=3)
	outcomes = tried(
		order,
		{**NOTE, "condition": "doc.pieces > 100"},
		{"action": "Set Values", "fields": [{"field": "status", "value": "No such status"}]},
		{"action": "Set Values", "fields": [{"field": "status", "value": "Cut"}]},
		{"action": "Fly"},
		NOTE,
	)
	assert [one["is_done"] for one in outcomes] == [False, False, False, False, True]
	texts = ["".join(one["sentences"]) for one in outcomes]
	assert texts[0] == "The document does not meet its condition."
	assert "cannot be" in texts[1]
	assert "Sharpen the knives" in texts[2]
	assert texts[3].startswith("Unknown action. Choose one of: ")


def test_a_later_step_sees_what_an_earlier_one_would_have_done():
	order = make_document()
	second = {"action": "Set Values", "fields": [{"field": "title", "from": "note"}], "condition": "doc.note"}
	assert [one["is_done"] for one in tried(order, NOTE, second)] == [True, True]


def test_it_is_tried_with_the_rights_of_who_wrote_it(make_user, as_user):
	make_user(MANAGER, ["Milestone Manager", READER_ROLE])
	stored = make_workflow(
		"Stored", stages=[stage("Cut", "Cut", next_actions=make_next_actions(NOTE))], tasks=[], enabled=0
	)
	order = make_document()
	with as_user(MANAGER):
		(mine,) = tried(order, NOTE)
		(administrators,) = api.try_next_steps(stored.as_dict(), order.name)["stages"][0]
		assert frappe.session.user == MANAGER
	assert not mine["is_done"]
	assert "You may not change note" in mine["sentences"][0]
	assert administrators["is_done"]


def hide_notes_from_a_manager(make_user) -> None:
	make_user(MANAGER, ["Milestone Manager", CLERK_ROLE])
	frappe.get_doc({
		"doctype": "Property Setter", "doctype_or_field": "DocField", "doc_type": ORDER, "field_name": "note",
		"property": "permlevel", "property_type": "Int", "value": "1",
	}).insert()  # fmt: skip
	frappe.clear_cache(doctype=ORDER)


def test_what_the_reader_may_not_see_is_not_told(make_user, as_user):
	hide_notes_from_a_manager(make_user)
	stored = make_workflow(
		"Stored", stages=[stage("Cut", "Cut", next_actions=make_next_actions(NOTE))], tasks=[], enabled=0
	)
	order = make_document()
	with as_user(MANAGER):
		(outcome,) = api.try_next_steps(stored.as_dict(), order.name)["stages"][0]
	assert outcome == {"is_done": True, "sentences": ["It would be done."]}


def test_what_the_reader_may_not_see_is_not_told_by_what_is_made_of_it(make_user, as_user):
	hide_notes_from_a_manager(make_user)
	values = [
		{"field": "title", "value": "Known"},
		{"field": "title", "from": "note"},
		{"field": "title", "formula": "doc.note + '!'"},
		# Its value before is the note.
		{"field": "title", "value": "Known again"},
		# Frappe's refusal names the value.
		{"field": "status", "from": "note"},
	]
	steps = [{"action": "Set Values", "fields": [one]} for one in values]
	stored = make_workflow(
		"Stored", stages=[stage("Cut", "Cut", next_actions=make_next_actions(*steps))], tasks=[], enabled=0
	)
	order = make_document(title="Coat", note="Secret")
	with as_user(MANAGER):
		outcomes = api.try_next_steps(stored.as_dict(), order.name)["stages"][0]
	assert [one["is_done"] for one in outcomes] == [True, True, True, True, False]
	said = ["".join(one["sentences"]) for one in outcomes]
	assert said[0].endswith(" would change from Coat to Known.")
	assert said[1:4] == ["It would be done."] * 3
	assert said[4] == (
		f"It would not be done. You may not read all fields of {ORDER}, so only Administrator is told why."
	)
	assert "Secret" in tried(order, steps[-1])[0]["sentences"][0]


def test_only_managers_try_and_only_on_documents_they_may_read(make_user, as_user):
	make_user(CLERK, [CLERK_ROLE])
	make_user(MANAGER, ["Milestone Manager"])
	order = make_document()
	for user in (CLERK, MANAGER):
		with as_user(user), pytest.raises(frappe.PermissionError):
			tried(order, NOTE)


def test_what_reaches_outside_is_only_checked():
	order = make_document()
	outcomes = tried(order, {"action": "Call Method", "method": "frappe.utils.now"})
	assert not outcomes[0]["is_done"]
	with trial.undone(), pytest.raises(frappe.ValidationError, match="not tried"):
		frappe.integrations.utils.make_get_request("http://127.0.0.1:9/")


def test_a_hook_that_commits_stores_nothing():
	order = make_document()
	with trial.undone():
		frappe.db.set_value(ORDER, order.name, "note", "committed")
		frappe.db.commit()
		frappe.db.rollback()
		frappe.db.set_value(ORDER, order.name, "note", "committed again")
	assert frappe.db.get_value(ORDER, order.name, "note") is None


def test_steps_of_the_completed_plan_are_tried_too():
	order = make_document()
	answer = api.try_next_steps(draft(completed=[NOTE]), order.name)
	assert answer["stages"] == [[], []]
	assert [one["is_done"] for one in answer["completed"]] == [True]


def test_the_next_plan_is_tried_as_if_the_plan_were_completed():
	order = make_document()
	make_workflow("Shipping", stages=[stage("Shipped", "Shipped")], tasks=[], condition="doc.pieces == 99")
	following = [{"action": "Start Next Plan", "workflow": "Shipping"}]
	would_start = {"is_done": True, "sentences": ["The plan Shipping would be started."]}
	assert api.try_next_steps(draft(completed=following), order.name)["completed"] == [would_start]

	production = make_workflow("Production", tasks=[], completed_actions=json.dumps(following))
	api.start_plan(ORDER, order.name, "Production")
	assert api.try_next_steps(json.loads(production.as_json()), order.name)["completed"] == [would_start]
	plans = frappe.get_all("Milestone Plan", {"reference_name": order.name}, ["workflow", "status"])
	assert plans == [{"workflow": "Production", "status": "Active"}]
	of_itself = draft(completed=[{"action": "Start Next Plan", "workflow": "Production"}], enabled=1)
	(refused,) = api.try_next_steps(of_itself, order.name)["completed"]
	assert refused["sentences"] == ["The next plan is of another workflow than Production. Choose one."]


def test_the_builder_learns_what_steps_can_do_and_where_their_mistakes_are():
	known = api.get_step_actions(ORDER)
	names = [one["name"] for one in known["actions"]]
	assert {"Set Values", "Create Document", "Webhook"} <= {*names}
	(making,) = [one for one in known["actions"] if one["name"] == "Create Document"]
	assert making["arguments"][0] == {"name": "document_type", "kind": "Document Type", "is_required": True}
	wrong = {**NOTE, "condition": "doc.colour"}
	answer = api.check_workflow(draft(NOTE, wrong, completed=[wrong], enabled=1))
	assert list(answer["steps"][0]) == [2]
	assert "has no field colour" in answer["steps"][0][2][0]
	assert list(answer["completed"]) == [1]
	assert answer["general"] == answer["stages"][0] == []
