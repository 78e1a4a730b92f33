"""A next step never does what the person who wrote it could not do: asked when it is saved, and again when it runs."""

import json

import frappe
import pytest
from frappe.modules.utils import get_module_app

from milestone_automation import hooks
from milestone_automation.engine.plans import starting
from milestone_automation.engine.tracking import protected
from milestone_automation.engine.workflows import action_registry, step_actions
from tests.support.guarded import (
	ADMIN,
	CLERK,
	CLERK_ROLE,
	MANAGER,
	ORDER,
	OUTSIDER,
	PRICER,
	make_order,
	make_workflow,
	stage,
)
from tests.support.next_steps import reach, run_steps

pytestmark = pytest.mark.one_database

PAY = {"action": "Set Value", "field": "price", "value": 1}
NOTE = {"action": "Set Value", "field": "note", "value": "Cut"}


def steps(*actions: dict) -> str:
	return json.dumps(list(actions))


def with_steps(*actions: dict, **values) -> list[dict]:
	return [stage("Cut", next_actions=steps(*actions), **values)]


def stored_stage(order):
	plan = frappe.db.get_value("Milestone Plan", {"reference_name": order.name})
	return frappe.get_doc("Milestone Plan", plan).stages[0]


def run(order) -> list[str]:
	"""Reach the stage and do its job; returns what was logged."""
	row = stored_stage(order)
	reach(row.parent, row.name)
	return run_steps(row.parent)


def faults(text: str) -> list[str]:
	return frappe.get_all("Error Log", {"error": ("like", f"%{text}%")}, pluck="error")


# Over HTTP: three requests that made a manager System Manager


def test_a_manager_does_not_become_system_manager(served):
	client = served.client(MANAGER)
	workflow = {
		"workflow_name": "Become System Manager",
		"document_type": "User",
		"enabled": 1,
		"stages": [
			{
				"stage_name": "Promotion",
				"key_date_rule": "Set Manually",
				"next_actions": steps(
					{"action": "Set Value", "field": "roles", "value": [{"role": "System Manager"}]}
				),
			}
		],
	}
	answer = client.post("/api/resource/Milestone Workflow", json=workflow)
	assert answer.status_code in (403, 417), answer.text
	client.post(
		"/api/method/milestone_automation.api.start_plan",
		json={"doctype": "User", "name": MANAGER, "workflow": "Become System Manager"},
	)
	served.worker()

	with served.connect():
		assert not frappe.db.exists("Milestone Workflow", "Become System Manager")
		assert not frappe.db.exists("Milestone Plan", {"reference_type": "User"})
		assert "System Manager" not in frappe.get_roles(MANAGER)


def test_a_manager_sets_no_field_above_their_permission_level(served):
	workflow = {"workflow_name": "Cheap", "document_type": ORDER, "enabled": 1, "stages": with_steps(PAY)}
	answer = served.client(MANAGER).post("/api/resource/Milestone Workflow", json=workflow)
	assert answer.status_code == 417
	assert "You may not change price of Priced Order, so no next step of yours can." in answer.text


def test_nobody_names_the_author_of_a_step(served):
	client = served.client(MANAGER)
	rows = with_steps(NOTE, next_actions_by=ADMIN)
	workflow = {"workflow_name": "Forged", "document_type": ORDER, "enabled": 0, "stages": rows}
	assert client.post("/api/resource/Milestone Workflow", json=workflow).status_code == 200
	with served.connect():
		(row,) = frappe.get_doc("Milestone Workflow", "Forged").stages
	assert row.next_actions_by == MANAGER
	change = {
		"doctype": "Milestone Workflow Stage",
		"name": row.name,
		"fieldname": "next_actions_by",
		"value": ADMIN,
	}
	client.post("/api/method/frappe.client.set_value", json=change)
	with served.connect():
		assert frappe.db.get_value("Milestone Workflow Stage", row.name, "next_actions_by") == MANAGER


def test_a_step_runs_in_the_job_with_the_rights_of_its_author(served):
	with served.connect():
		frappe.set_user(MANAGER)
		make_workflow("Noted", stages=with_steps(NOTE), condition="doc.title == 'Noted'")
		order = make_order(title="Noted")
		# The web server is another process.
		frappe.db.commit()  # nosemgrep: frappe-manual-commit
		row = stored_stage(order)
	answer = served.call(CLERK, "confirm_stage", plan=row.parent, stage=row.name)
	assert answer.status_code == 403
	assert served.call(MANAGER, "confirm_stage", plan=row.parent, stage=row.name).status_code == 200
	served.worker()
	with served.connect():
		changed = frappe.db.get_value(ORDER, order.name, ["note", "modified_by"])
	assert changed == ("Cut", MANAGER)


# Who is the author


@pytest.mark.usefixtures("guarded")
class TestAuthors:
	def test_who_changes_the_steps_is_their_author_and_who_changes_other_things_is_not(self, as_user):
		with as_user(PRICER):
			workflow = make_workflow("Authored", stages=with_steps(PAY))
		assert workflow.stages[0].next_actions_by == PRICER
		with as_user(MANAGER):
			workflow.reload()
			workflow.description = "Of paid orders"
			workflow.stages[0].remind_after_days = 3
			workflow.save()
		assert workflow.stages[0].next_actions_by == PRICER

	def test_a_copy_belongs_to_who_made_it_and_is_checked_with_their_rights(self, as_user):
		with as_user(PRICER):
			original = make_workflow("Original", stages=with_steps(PAY))
		with as_user(MANAGER):
			copy = frappe.copy_doc(original)
			copy.workflow_name = "Copy"
			with pytest.raises(frappe.ValidationError, match="You may not change price"):
				copy.insert()

	@pytest.mark.parametrize(
		"change",
		[
			{"reach_rule": "Field Value", "track_field": "status", "track_value": "Cut"},
			{"owner_kind": "User", "owner_user": MANAGER},
			{"gate_mode": "Off"},
		],
	)
	def test_who_changes_when_a_step_runs_answers_for_it(self, as_user, change):
		with as_user(PRICER):
			workflow = make_workflow("Timed", stages=with_steps(PAY))
		with as_user(MANAGER):
			workflow.reload()
			workflow.stages[0].update(change)
			with pytest.raises(frappe.ValidationError, match="You may not change price"):
				workflow.save()

	def test_who_changes_for_which_documents_a_step_runs_answers_for_it(self, as_user):
		with as_user(PRICER):
			workflow = make_workflow("Chosen", stages=with_steps(PAY), condition="doc.title == 'x'")
		with as_user(MANAGER):
			workflow.reload()
			workflow.condition = ""
			with pytest.raises(frappe.ValidationError, match="You may not change price"):
				workflow.save()

	def test_disabling_a_workflow_hands_its_steps_to_nobody(self, as_user):
		with as_user(PRICER):
			workflow = make_workflow("Off", stages=with_steps(PAY))
		with as_user(MANAGER):
			workflow.reload()
			workflow.enabled = 0
			workflow.stages[0].next_actions_by = ADMIN
			workflow.save()
		assert workflow.stages[0].next_actions_by == PRICER


# When it is saved


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize(
	("action", "message"),
	[
		(PAY, "You may not change price of Priced Order"),
		(NOTE | {"field": "pin"}, "has no field pin that a next step could set"),
		(
			NOTE | {"field": "lines", "value": [{"item": "x"}]},
			"has no field lines that a next step could set",
		),
		(NOTE | {"field": "owner"}, "has no field owner that a next step could set"),
		(NOTE | {"value": ["x"]}, "to one plain value, not to a list"),
		(NOTE | {"ignore_permissions": 1}, "ignore_permissions does not fit"),
		({"action": "Set Value", "value": 1}, "field does not fit"),
		({"action": "Submit"}, "You may not submit documents of Priced Order"),
		({"action": "Apply Workflow Action", "workflow_action": "Approve"}, "has no action Approve"),
		({"action": "Assign", "user": OUTSIDER}, f"{OUTSIDER} may not read documents of Priced Order"),
		(
			{"action": "Assign", "user": "nobody@guarded.example"},
			"User nobody@guarded.example does not exist",
		),
		({"action": "Notify", "users": [CLERK, OUTSIDER]}, f"{OUTSIDER} may not read documents"),
		({"action": "Notify", "users": CLERK}, "takes a list of users"),
		({"action": ["Submit"]}, "unknown action"),
	],
)
def test_a_step_its_author_could_not_take_is_refused_when_it_is_saved(as_user, action, message):
	with as_user(MANAGER), pytest.raises(frappe.ValidationError) as refused:
		make_workflow("Refused", stages=with_steps(action))
	assert message in str(refused.value)


# When it runs


@pytest.mark.usefixtures("guarded")
class TestRunning:
	def test_with_the_right_to_do_it_a_step_does_it(self, as_user):
		with as_user(PRICER):
			make_workflow("Paid", stages=with_steps(PAY))
		order = make_order()
		assert run(order) == ["Set Value: done"]
		order.reload()
		assert (order.price, order.modified_by) == (1, PRICER)

	def test_an_author_who_lost_the_right_no_longer_does_it(self, as_user, make_user):
		with as_user(PRICER):
			make_workflow("Paid", stages=with_steps(PAY))
		order = make_order(price=5)
		make_user(PRICER, [CLERK_ROLE])
		assert run(order) == ["Set Value: failed"]
		order.reload()
		assert order.price == 5
		assert faults("You may not change price")

	def test_a_step_of_an_author_without_any_right_says_why_it_failed(self, as_user, make_user):
		with as_user(MANAGER):
			make_workflow("Noted", stages=with_steps(NOTE))
		order = make_order()
		make_user(MANAGER, ["Milestone Manager"])
		assert run(order) == ["Set Value: failed"]
		error = frappe.db.get_value("Milestone Next Step", {"reference_name": order.name}, "error")
		assert "You may not change note of Priced Order" in error

	def test_a_disabled_author_does_nothing(self, as_user):
		with as_user(PRICER):
			make_workflow("Paid", stages=with_steps(NOTE))
		order = make_order()
		frappe.db.set_value("User", PRICER, "enabled", 0)
		assert run(order) == ["Set Value: failed"]
		assert faults("Nobody with an account is on record as the author")

	def test_a_step_without_author_does_nothing(self):
		make_workflow("Old", stages=with_steps(NOTE))
		order = make_order()
		frappe.db.set_value("Milestone Plan Stage", stored_stage(order).name, "next_actions_by", None)
		assert run(order) == ["Set Value: failed"]
		order.reload()
		assert order.note is None

	def test_a_document_the_author_may_not_read_stays_as_it_is(self, as_user):
		with as_user(MANAGER):
			make_workflow("Noted", stages=with_steps(NOTE))
		order = make_order()
		other = make_order(title="The manager's own")
		permission = {"user": MANAGER, "allow": ORDER, "for_value": other.name}
		frappe.get_doc({"doctype": "User Permission", **permission}).insert()
		assert run(order) == ["Set Value: failed"]
		assert run(other) == ["Set Value: done"]
		order.reload()
		assert order.note is None

	def test_assigning_shares_nothing(self, as_user, make_user):
		with as_user(MANAGER):
			make_workflow("Assigned", stages=with_steps({"action": "Assign", "user": CLERK}))
		order = make_order()
		make_user(CLERK, ["Priced Outsider"])
		assert run(order) == ["Assign: failed"]
		assert not frappe.db.exists("DocShare", {"share_name": order.name})
		assert not frappe.db.exists("ToDo", {"reference_name": order.name})

	def test_a_notification_goes_to_readers_only_and_is_plain_text(self, as_user, make_user):
		words = {"action": "Notify", "users": [CLERK], "subject": "<img src=x onerror=alert(1)>"}
		with as_user(MANAGER):
			make_workflow("Told", stages=with_steps(words))
		sent = []
		order = make_order()
		original = step_actions.make_notification_logs
		step_actions.make_notification_logs = lambda doc, users: sent.append((users, doc["subject"]))
		try:
			assert run(order) == ["Notify: done"]
			make_user(CLERK, ["Priced Outsider"])
			assert run(order)[-1] == "Notify: failed"
		finally:
			step_actions.make_notification_logs = original
		assert sent == [([CLERK], "&lt;img src=x onerror=alert(1)&gt;")]
		assert frappe.session.user == ADMIN

	def test_the_user_named_in_the_settings_runs_it_within_the_rights_of_the_author(self, as_user, make_user):
		make_user("robot@guarded.example", [CLERK_ROLE, "Priced Pricer"])
		with as_user(MANAGER):
			make_workflow("Noted", stages=with_steps(NOTE), condition="doc.title == 'n'")
		order = make_order(title="n")
		settings = frappe.get_doc("Milestone Settings")
		settings.next_steps_user = "robot@guarded.example"
		settings.save()
		assert run(order) == ["Set Value: done"]
		order.reload()
		assert order.modified_by == "robot@guarded.example"
		# More than the author may do it does not do, though it could.
		row = stored_stage(order)
		frappe.db.set_value("Milestone Plan Stage", row.name, "next_actions", steps(PAY))
		assert run(order)[-1] == "Set Value: failed"

	def test_only_a_system_manager_names_that_user(self, as_user):
		with as_user(MANAGER):
			settings = frappe.get_doc("Milestone Settings")
			settings.next_steps_user = PRICER
			settings.save()
		assert not frappe.db.get_single_value("Milestone Settings", "next_steps_user", cache=False)

	@pytest.mark.parametrize("user", [ADMIN, "Guest"])
	def test_an_account_without_limits_is_no_such_user(self, user):
		settings = frappe.get_doc("Milestone Settings")
		settings.next_steps_user = user
		with pytest.raises(frappe.ValidationError, match=f"Next steps cannot run as {user}"):
			settings.save()


# Actions of other apps


def write_note(doc, plan, stage, words: str, loud: int = 0):
	"""The action of another app: writes as whoever runs it."""
	doc.note = words.upper() if loud else words
	doc.save()


def only_quietly(arguments: dict, doctype: str):
	"""What the other app says of a step, as its author."""
	if arguments.get("loud"):
		yield f"{frappe.session.user} may not shout in {doctype}."


@pytest.fixture
def other_app(monkeypatch, guarded):
	module = "milestone_automation.engine.workflows.action_registry"
	# Frappe calls functions of installed apps only: ours stands for the other app.
	monkeypatch.setattr(action_registry, "write_note", write_note, raising=False)
	monkeypatch.setattr(action_registry, "only_quietly", only_quietly, raising=False)
	declared = {
		"Write a Note": f"{module}.write_note",
		"Write Quietly": {"function": f"{module}.write_note", "problems": f"{module}.only_quietly"},
		"Lost": f"{module}.no_such_function",
		"Submit": f"{module}.write_note",
	}
	monkeypatch.setattr(hooks, "milestone_actions", declared, raising=False)
	frappe.clear_cache()
	yield
	monkeypatch.undo()
	frappe.clear_cache()


@pytest.mark.usefixtures("other_app")
class TestOtherApps:
	@pytest.mark.parametrize(
		("step", "message"),
		[
			({"action": "Write a Note"}, "The next step Write a Note takes words, loud; words does not fit."),
			({"action": "Write a Note", "words": "x", "price": 1}, "price does not fit"),
			({"action": "Write a Note", "words": "x", "doc": "User"}, "doc does not fit"),
			({"action": "Write a Note", "words": ["x"]}, "words has to be a text."),
			({"action": "Write a Note", "words": "x", "loud": "very"}, "loud has to be a number."),
			(
				{"action": "Write Quietly", "words": "x", "loud": 1},
				f"{MANAGER} may not shout in Priced Order.",
			),
			({"action": "Lost", "words": "x"}, "no_such_function of this next step cannot be found"),
		],
	)
	def test_what_a_step_says_is_checked_when_the_workflow_is_saved(self, as_user, step, message):
		with as_user(MANAGER), pytest.raises(frappe.ValidationError) as refused:
			make_workflow("Other", stages=with_steps(step))
		assert message in str(refused.value)

	def test_a_step_runs_as_its_author_and_is_checked_again(self, as_user, make_user):
		with as_user(MANAGER):
			make_workflow("Other", stages=with_steps({"action": "Write a Note", "words": "Cut"}))
		order = make_order()
		assert run(order) == ["Write a Note: done"]
		assert frappe.db.get_value(ORDER, order.name, ["note", "modified_by"]) == ("Cut", MANAGER)
		loud = steps({"action": "Write Quietly", "words": "x", "loud": 1})
		frappe.db.set_value("Milestone Plan Stage", stored_stage(order).name, "next_actions", loud)
		assert run(order)[-1] == "Write Quietly: failed"
		make_user(MANAGER, ["Milestone Manager"])
		note = steps({"action": "Write a Note", "words": "Sewn"})
		frappe.db.set_value("Milestone Plan Stage", stored_stage(order).name, "next_actions", note)
		assert run(order)[-1] == "Write a Note: failed"
		assert frappe.db.get_value(ORDER, order.name, "note") == "Cut"

	def test_none_stands_in_for_one_of_ours(self, as_user):
		with as_user(MANAGER), pytest.raises(frappe.ValidationError, match="You may not submit"):
			make_workflow("Other", stages=with_steps({"action": "Submit"}))


# Which documents have plans at all


def test_every_named_doctype_of_the_site_is_protected_and_says_why(site):
	named = [name for name in protected.REASON_OF if frappe.db.exists("DocType", name)]
	assert len(named) > 60
	for name in named:
		assert protected.why(name), name


def test_of_frappes_own_doctypes_only_work_has_plans(site):
	rows = frappe.get_all("DocType", {"istable": 0, "custom": 0}, ["name", "module"])
	own = [row.name for row in rows if get_module_app(row.module) == "frappe"]
	open_ones = {name for name in own if not protected.is_protected(name)}
	assert open_ones <= protected.WORK
	assert {"ToDo", "Event", "Note", "Contact", "Address"} <= open_ones


@pytest.mark.parametrize(
	"doctype", ["User", "Server Script", "Webhook", "File", "System Settings", "Milestone Task"]
)
def test_no_workflow_is_made_for_a_protected_doctype_not_even_by_administrator(site, doctype):
	with pytest.raises(frappe.ValidationError):
		make_workflow(
			"Protected", stages=[{"stage_name": "A", "key_date_rule": "Set Manually"}], document_type=doctype
		)


def test_a_workflow_from_before_starts_no_plan_and_its_step_changes_nothing(guarded):
	workflow = make_workflow("Before", stages=with_steps(NOTE))
	order = make_order()
	row = stored_stage(order)
	frappe.db.set_value("Milestone Workflow", "Before", "document_type", "Note")
	frappe.db.set_value("Milestone Workflow", "Before", "document_type", "User")
	frappe.clear_cache()
	workflow.clear_cache()
	user = frappe.get_doc("User", CLERK)
	with pytest.raises(frappe.ValidationError, match="User contains accounts, passwords or keys"):
		starting.start(user, "Before")
	frappe.db.set_value("Milestone Plan", row.parent, {"reference_type": "User", "reference_name": CLERK})
	step = steps({"action": "Set Value", "field": "first_name", "value": "Owned"})
	frappe.db.set_value("Milestone Plan Stage", row.name, "next_actions", step)
	reach(row.parent, row.name)
	run_steps(row.parent)
	assert frappe.db.get_value("User", CLERK, "first_name") != "Owned"


def test_only_a_system_manager_tracks_a_protected_doctype(guarded, as_user, make_user):
	frappe.permissions.add_permission("Milestone Tracker", "Milestone Manager", 0)
	frappe.permissions.update_permission_property("Milestone Tracker", "Milestone Manager", 0, "write", 1)
	frappe.permissions.update_permission_property("Milestone Tracker", "Milestone Manager", 0, "create", 1)
	tracker = {"doctype": "Milestone Tracker", "document_type": "User", "track_field": "enabled"}
	with (
		as_user(MANAGER),
		pytest.raises(frappe.PermissionError, match="Only a System Manager may track User"),
	):
		frappe.get_doc(tracker).insert()
	frappe.get_doc(tracker).insert()
