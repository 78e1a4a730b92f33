"""What the patches make of a site that was installed before: run twice, they change nothing more."""

import frappe
import pytest

from milestone_automation import api
from milestone_automation.desk import kanban
from milestone_automation.engine.messages import outbox
from milestone_automation.engine.rules.schedule import Audience, MessagePlan
from milestone_automation.engine.rules.vocabulary import MessageKind
from milestone_automation.patches import batches
from milestone_automation.patches.v1_1 import (
	forget_digest_choice,
	make_kanban_board,
	rename_select_values,
	take_over_by_accounts,
)
from tests.support.factories import (
	collaborator,
	make_document,
	make_plan,
	make_workflow,
	stage,
	task,
	task_of,
)
from tests.support.next_steps import without_commits

pytestmark = pytest.mark.usefixtures("production_order", "uncommitted")

OLD_KINDS = {MessageKind.BLOCKED: "Held", MessageKind.BLOCKED_OWNER: "Held Owner"}
# The last two keys are cut: one before the patch already, one by the longer word.
RECIPIENTS = ("olga@example.com", f"{'o' * 110}@example.com", f"{'o' * 95}@example.com")


@pytest.fixture
def uncommitted(site):
	"""What a patch commits is rolled back with the test."""
	with without_commits():
		yield


def store_old_message(kind: MessageKind, recipient: str) -> tuple[str, str]:
	"""Insert a message as it was stored before the patch; return its name and the key it must have afterwards."""
	message = MessagePlan(
		kind, Audience.STAGE, "f3a9c0d2e4b61728", first_day=None, edition="f3a9c0d2e4b61728/1"
	)
	new_key = message.key(recipient)
	old_key = new_key.replace(kind.value, OLD_KINDS[kind], 1)
	doc = frappe.get_doc(
		{"doctype": "Milestone Message", "recipient": recipient, "message_key": outbox.stored_key(old_key)}
	)
	doc.insert(ignore_permissions=True)  # test set-up
	doc.db_set({"kind": OLD_KINDS[kind], "status": "Left Out"})
	return doc.name, outbox.stored_key(new_key)


def test_stored_values_of_renamed_options_follow():
	plan = make_plan()
	old_values = {"owner_kind": "Document Owner", "key_date_rule": "After Previous Stage"}
	frappe.db.set_value("Milestone Plan Stage", plan.stages[0].name, old_values)
	frappe.db.set_value("Milestone Plan Stage", plan.stages[1].name, "key_date_rule", "Set by Hand")
	log = frappe.get_last_doc("Milestone Plan Log", {"plan": plan.name})
	log.db_set("event", "Gate Warned")

	for _run in range(2):
		rename_select_values.execute()

		plan.reload()
		assert plan.stages[0].owner_kind == "Document Creator"
		assert [row.key_date_rule for row in plan.stages] == [
			"After Previous Milestone",
			"Set Manually",
			"Document Date Field",
		]
		assert frappe.db.get_value("Milestone Plan Log", log.name, "event") == "Reached with Warning"


@pytest.mark.parametrize("recipient", RECIPIENTS)
@pytest.mark.parametrize("kind", OLD_KINDS)
def test_a_message_sent_before_the_patch_keeps_its_identity(kind, recipient):
	name, key = store_old_message(kind, recipient)

	for _run in range(2):
		rename_select_values.execute()

		stored = frappe.db.get_value("Milestone Message", name, ["kind", "status", "message_key"])
		assert stored == (kind.value, "Skipped", key)


def test_other_messages_keep_their_keys():
	key = "Prompt|f3a9c0d2e4b61728|f3a9c0d2e4b61728/1|0|held|olga@example.com"
	doc = frappe.get_doc(
		{"doctype": "Milestone Message", "recipient": "olga@example.com", "message_key": key}
	)
	doc.insert(ignore_permissions=True)  # test set-up

	rename_select_values.execute()

	assert frappe.db.get_value("Milestone Message", doc.name, "message_key") == key


def test_who_had_chosen_one_mail_a_day_goes_on_like_everybody():
	frappe.defaults.set_user_default("milestone_digest", "1")

	for _run in range(2):
		forget_digest_choice.execute()

		assert not frappe.db.exists("DefaultValue", {"defkey": "milestone_digest"})
		assert api.get_mail_preference() == "Daily"


def test_accounts_made_for_an_address_before_own_what_was_asked_of_it(make_user):
	mill = "mill-with-account@example.org"
	owner = {"owner_kind": "Third-Party Collaborator", "owner_name": "The Mill", "owner_email": mill}
	make_workflow(
		stages=[stage("Woven", None, -9, **owner)], tasks=[task("Woven", "Patterns", **collaborator(mill))]
	)
	order = make_document()
	make_user(mill, user_type="Website User")
	frappe.db.delete("Milestone Follow Up")

	for _run in range(2):
		take_over_by_accounts.execute()

		row = frappe.get_last_doc("Milestone Plan", {"reference_name": order.name}).stages[0]
		assert (row.stage_owner, row.outside_owner) == (mill, None)
		assert task_of(order, "Patterns").assignees[0].user == mill


def test_sites_from_before_get_the_board_of_tasks_once():
	kanban.remove()  # as before

	for _run in range(2):
		make_kanban_board.execute()

		assert frappe.db.count("Kanban Board", {"reference_doctype": "Milestone Task"}) == 1


def test_a_patch_of_a_large_table_shows_progress_and_goes_on_after_a_kill(monkeypatch, capsys):
	plan = make_plan()
	filters = {"parent": plan.name, "offset_days": 7777}
	frappe.db.set_value("Milestone Plan Stage", {"parent": plan.name}, "offset_days", 7777)
	monkeypatch.setattr(batches, "ROWS", 2)

	def renumber():
		batches.update("Milestone Plan Stage", {"offset_days": 8888}, lambda row: row.offset_days == 7777)

	def killed(*_given):
		raise KeyboardInterrupt

	with monkeypatch.context() as killing:
		killing.setattr(batches, "update_progress_bar", killed)
		with pytest.raises(KeyboardInterrupt):
			renumber()
	assert frappe.db.count("Milestone Plan Stage", filters) == len(plan.stages) - 2

	for _run in range(2):
		renumber()

		assert frappe.db.count("Milestone Plan Stage", filters) == 0
	assert "Updating Milestone Plan Stage" in capsys.readouterr().out
