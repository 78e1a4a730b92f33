"""The sweep over a moving clock: what goes to whom on which day, once."""

from collections import Counter

import frappe
import pytest
from frappe.desk.form.assign_to import add
from frappe.utils import now_datetime

from milestone_automation.engine.base import follow_ups
from milestone_automation.engine.messages import due_messages, outbox, sweep, user_changes
from milestone_automation.engine.plans import catching_up
from milestone_automation.engine.progress import answers, rescheduling, stages, tasks
from milestone_automation.engine.store import plan_rows
from tests.support.clock import at, forget_mail_account, sweep_at
from tests.support.factories import (
	CLERK_ROLE,
	collaborator,
	make_document,
	make_workflow,
	member,
	plan_of,
	stage,
	stage_of,
	task,
	task_of,
)

pytestmark = pytest.mark.usefixtures("production_order")

OLGA, OTTO, WANDA, ESTHER = (f"{name}@example.com" for name in ("olga", "otto", "wanda", "esther"))
MILL = "mill@example.org"
ESCALATION_ROLE = "Milestone Manager"


@pytest.fixture
def people(make_user):
	"""Olga and Otto own stages, Wanda has tasks, Esther is escalated to; the mill has no account."""
	for person in (OLGA, OTTO, WANDA):
		make_user(person, roles=[CLERK_ROLE])
	make_user(ESTHER, roles=[ESCALATION_ROLE, CLERK_ROLE])


def owned_by(user: str) -> dict:
	return {"owner_kind": "User", "owner_user": user}


def plan_for(stages, tasks=(), made_at="2030-06-01 09:00:00", document=None, **workflow):
	"""An order delivered on 2030-06-28 with a plan of these stages."""
	with at(made_at):
		make_workflow(stages=stages, tasks=tasks, **workflow)
		return make_document(**(document or {}))


def by_field(**values) -> dict:
	"""What of a stage's row gives it to the user in the order's field `responsible`."""
	return {"owner_kind": "User Field", "owner_field": "responsible"} | values


def days(first: int, last: int, hour: str = "07:00:00") -> dict[int, list]:
	"""Sweep once a day in June 2030; return the messages of the days that had any."""
	found = {day: sweep_at(f"2030-06-{day:02d} {hour}") for day in range(first, last + 1)}
	return {day: messages for day, messages in found.items() if messages}


def hours(first: int, last: int) -> dict[str, list]:
	"""Sweep every hour of some days in June 2030; return the messages of the hours ("08 16") that had any."""
	moments = [f"2030-06-{day:02d} {hour:02d}:00:00" for day in range(first, last + 1) for hour in range(24)]
	return {moment[8:13]: messages for moment in moments if (messages := sweep_at(moment))}


def set_zone(user: str, zone: str = "America/Los_Angeles") -> None:
	frappe.db.set_value("User", user, "time_zone", zone)


def assign(task_row, user: str) -> None:
	"""Give a task to somebody as the desk's "Assign To" does."""
	add({"doctype": "Milestone Task", "name": task_row.name, "assign_to": [user], "description": "x"})


def make_role(name: str) -> str:
	return frappe.get_doc({"doctype": "Role", "role_name": name, "desk_access": 1}).insert().name


def amend(order):
	order.reload()
	order.submit()
	order.reload()
	order.cancel()
	new = frappe.copy_doc(order)
	new.update({"amended_from": order.name, "docstatus": 0})
	return new.insert()


def test_messages_at_midnight_are_sent_at_midnight(people):
	frappe.db.set_single_value("Milestone Settings", "sweep_time", "00:00:00")
	plan_for([stage("Fabric", None, -20, **owned_by(OLGA))])
	assert list(hours(7, 8)) == ["08 00"]


def test_thirty_days_of_one_order(people, smtp):
	forget_mail_account()
	for user in (OLGA, OTTO, WANDA):
		frappe.defaults.set_user_default("milestone_mail", "Each", user=user)
	order = plan_for(
		[
			stage(
				"Fabric",
				None,
				-20,
				**owned_by(OLGA),
				remind_after_days=2,
				remind_every_days=1,
				remind_at_most=2,
			),
			stage("Sewing", None, -10, **owned_by(OTTO), notify_users="boss@example.org"),
			stage("Shipping", None, 0, **owned_by(OLGA)),
		],
		[
			task("Fabric", "Order fabric", days=2, **member(WANDA)),
			task("Sewing", "Send patterns", days=1, **collaborator(MILL, "The Mill")),
			task("Sewing", "Take photographs", days=4, required=0, **member(WANDA)),
		],
		escalation_role=ESCALATION_ROLE,
		escalate_after_days=4,
	)
	story = days(1, 6)
	with at("2030-06-07 10:00:00"):
		tasks.complete(task_of(order, "Order fabric").name, by=WANDA)
	story |= days(7, 11)
	with at("2030-06-11 12:00:00"):
		stages.confirm(plan_of(order).name, "Fabric")
	story |= days(12, 19)
	with at("2030-06-19 15:00:00"):
		tasks.complete(task_of(order, "Send patterns").name, by=MILL)
	story["19, the task done"] = sweep_at("2030-06-19 15:00:00")
	with at("2030-06-20 09:00:00"):
		rescheduling.reschedule(
			plan_of(order).name,
			"Sewing",
			"2030-06-24",
			"Fabric is late",
			source="Prompt",
			answer="Keep Order",
		)
	story |= days(20, 24)
	with at("2030-06-24 16:00:00"):
		stages.confirm(plan_of(order).name, "Sewing")
	story |= days(25, 30)
	assert story == {
		5: [("Task Due", WANDA, "Order fabric"), ("Warning", OLGA, "Fabric")],
		8: [("Prompt", OLGA, "Fabric")],
		10: [("Reminder", OLGA, "Fabric")],
		11: [("Reminder", OLGA, "Fabric")],
		13: [("Task Due", WANDA, "Take photographs")],
		15: [
			("Task Overdue", WANDA, "Take photographs"),
			("Warning", "boss@example.org", "Sewing"),
			("Warning", OTTO, "Sewing"),
		],
		16: [("Task Due", MILL, "Send patterns")],
		18: [
			("Blocked", MILL, "Send patterns"),
			("Blocked (Owner)", OTTO, "Sewing"),
		],
		"19, the task done": [("Prompt", "boss@example.org", "Sewing"), ("Prompt", OTTO, "Sewing")],
		20: [("Task Due", WANDA, "Take photographs")],
		21: [("Task Overdue", WANDA, "Take photographs")],
		24: [("Prompt", "boss@example.org", "Sewing"), ("Prompt", OTTO, "Sewing")],
		28: [("Prompt", OLGA, "Shipping")],
	}
	smtp.deliver()
	told = Counter(recipient for messages in story.values() for _kind, recipient, _about in messages)
	# To the mill "Blocked" waited, as it had not reacted to the mail before, and then was over.
	assert Counter(message.recipients[0] for message in smtp.messages) == told - Counter([MILL])
	outbox.update_sent()
	channels = frappe.get_all("Milestone Message", fields=["recipient", "channel", "status"], as_list=True)
	no_account = {MILL, "boss@example.org"}
	assert set(channels) == {
		(person, "Mail" if person in no_account else "Mail and Notification", "Sent") for person in told
	} | {(MILL, "Digest", "Skipped")}


def test_what_is_current_is_what_was_told_and_still_holds(people):
	order = plan_for(
		[
			stage(
				"Cut", None, -20, **owned_by(OLGA), remind_after_days=2, remind_every_days=1, remind_at_most=9
			)
		],
		escalation_role=ESCALATION_ROLE,
		escalate_after_days=3,
	)
	plan = plan_of(order).name

	def due(moment: str) -> list[str]:
		with at(moment):
			found, _quiet, _waiting = due_messages.current([plan], frappe.utils.now_datetime())
		filters = {"message_key": ("in", sorted(found))}
		return sorted(frappe.get_all("Milestone Message", filters, pluck="kind"))

	days(8, 12)
	assert due("2030-06-12 08:00:00") == ["Escalation", "Prompt", "Reminder"]
	frappe.db.set_single_value("Milestone Settings", "quiet_on_days_off", 1)
	assert due("2030-06-15 08:00:00") == []
	with at("2030-06-17 07:00:00"):
		stages.confirm(plan, "Cut")
	assert due("2030-06-17 08:00:00") == []


def test_nothing_goes_out_twice_and_nothing_before_its_time_of_day(people):
	plan_for([stage("Cut", None, -20, **owned_by(OLGA))])
	assert sweep_at("2030-06-08 06:59:59") == []
	assert sweep_at("2030-06-08 07:00:00") == [("Prompt", OLGA, "Cut")]
	assert sweep_at("2030-06-08 08:00:00") == []
	assert days(9, 30) == {}


def test_after_three_days_off_each_message_goes_out_once_and_reminders_do_not_pile_up(people):
	plan_for(
		[
			stage(
				"Cut", None, -20, **owned_by(OLGA), remind_after_days=1, remind_every_days=1, remind_at_most=9
			)
		],
		[task("Cut", "Order fabric", days=0, required=0, **member(WANDA))],
	)
	assert sweep_at("2030-06-08 07:00:00") == [("Prompt", OLGA, "Cut"), ("Task Due", WANDA, "Order fabric")]
	assert sweep_at("2030-06-12 11:00:00") == [
		("Reminder", OLGA, "Cut"),
		("Task Overdue", WANDA, "Order fabric"),
	]
	assert days(13, 15) == {13: [("Reminder", OLGA, "Cut")], 15: [("Reminder", OLGA, "Cut")]}


def test_what_was_answered_while_the_scheduler_was_off_is_not_asked(people):
	order = plan_for(
		[stage("Cut", None, -20, **owned_by(OLGA)), stage("Sewn", None, -19, **owned_by(OTTO))],
		[task("Sewn", "Send patterns", **member(WANDA))],
	)
	with at("2030-06-09 12:00:00"):
		stages.confirm(plan_of(order).name, "Cut")
		tasks.complete(task_of(order, "Send patterns").name, by=WANDA)
	assert sweep_at("2030-06-11 07:00:00") == [("Prompt", OTTO, "Sewn")]


def test_a_prompt_waits_for_required_tasks_and_goes_at_once_when_the_last_is_done(people):
	order = plan_for(
		[stage("Cut", None, -20, **owned_by(OLGA))],
		[task("Cut", "Order fabric", **member(WANDA)), task("Cut", "Mark it", **member(OTTO))],
	)
	with at("2030-06-08 07:00:00"):
		sweep.sweep_plan(plan_of(order).name)
		assert plan_of(order).health == "Blocked"
	with at("2030-06-08 15:10:00"):
		tasks.complete(task_of(order, "Order fabric").name, by=WANDA)
		sweep.sweep_plan(plan_of(order).name)
		assert stage_of(order, "Cut").prompted_on is None
		tasks.complete(task_of(order, "Mark it").name, by=OTTO)
		sweep.sweep_plan(plan_of(order).name)
	assert str(stage_of(order, "Cut").prompted_on) == "2030-06-08 15:10:00"


def test_a_stage_held_again_after_its_prompt_is_asked_for_again(people):
	order = plan_for(
		[stage("Cut", None, -20, **owned_by(OLGA))], [task("Cut", "Order fabric", **member(WANDA))]
	)
	fabric = task_of(order, "Order fabric").name
	held = [("Blocked", WANDA, "Order fabric"), ("Blocked (Owner)", OLGA, "Cut")]
	assert sweep_at("2030-06-08 07:00:00") == held
	with at("2030-06-08 08:00:00"):
		tasks.complete(fabric, by=WANDA)
	assert sweep_at("2030-06-08 08:00:00") == [("Prompt", OLGA, "Cut")]
	with at("2030-06-08 09:00:00"):
		tasks.reopen(fabric, "The wrong fabric")
	assert sweep_at("2030-06-08 09:00:00") == held
	with at("2030-06-08 10:00:00"):
		tasks.complete(fabric, by=WANDA)
	assert sweep_at("2030-06-08 10:00:00") == [("Prompt", OLGA, "Cut")]


def test_a_new_owner_is_asked_and_the_old_one_no_more(people):
	order = plan_for(
		[stage("Cut", None, -20, owner_kind="User Field", owner_field="responsible", remind_after_days=2)],
	)
	with at("2030-06-02 09:00:00"):
		order.reload()
		order.responsible = OLGA
		order.save()
	assert sweep_at("2030-06-08 07:00:00") == [("Prompt", OLGA, "Cut")]
	with at("2030-06-09 09:00:00"):
		order.reload()
		order.responsible = OTTO
		order.save()
	assert sweep_at("2030-06-09 09:00:00") == [("Prompt", OTTO, "Cut")]
	assert sweep_at("2030-06-10 07:00:00") == [("Reminder", OTTO, "Cut")]


def test_a_disabled_owner_gets_nothing_and_a_manager_stands_in(people):
	plan_for([stage("Cut", None, -20, **owned_by(OLGA))], [task("Cut", "Look", required=0, **member(WANDA))])
	frappe.db.set_value("User", OLGA, "enabled", 0)
	frappe.db.set_value("User", WANDA, "enabled", 0)
	assert sweep_at("2030-06-08 07:00:00") == [("Prompt", ESTHER, "Cut")]
	assert days(9, 12) == {}


def test_everybody_gets_a_message_at_their_own_time_of_day(people):
	frappe.db.set_value("User", OLGA, "time_zone", "Pacific/Auckland")
	frappe.db.set_value("User", OTTO, "time_zone", "America/Los_Angeles")
	plan_for(
		[stage("Cut", None, -20, **owned_by(OLGA), notify_users=f"{OTTO}\n{WANDA}", remind_after_days=2)]
	)
	hours = [f"2030-06-{day:02d} {hour:02d}:00:00" for day in range(7, 11) for hour in (6, 7, 15, 16, 20, 21)]
	found = {hour[8:13]: messages for hour in hours if (messages := sweep_at(hour))}
	assert found == {
		"07 21": [("Prompt", OLGA, "Cut")],
		"08 07": [("Prompt", WANDA, "Cut")],
		"08 16": [("Prompt", OTTO, "Cut")],
		"09 21": [("Reminder", OLGA, "Cut")],
		"10 07": [("Reminder", WANDA, "Cut")],
		"10 16": [("Reminder", OTTO, "Cut")],
	}


def test_quiet_days_push_messages_on_and_pull_announcements_forward(people):
	frappe.db.set_single_value("Milestone Settings", "quiet_on_days_off", 1)
	# 2030-06-08 is a Saturday.
	plan_for(
		[stage("Cut", None, -20, **owned_by(OLGA)), stage("Sewn", None, -19, **owned_by(OTTO))],
		[task("Sewn", "Send patterns", required=0, **member(WANDA))],
	)
	assert days(1, 30) == {
		7: [("Task Due", WANDA, "Send patterns")],
		10: [("Prompt", OLGA, "Cut"), ("Prompt", OTTO, "Sewn"), ("Task Overdue", WANDA, "Send patterns")],
	}


def test_a_stage_without_date_is_asked_for_when_the_one_before_is_reached(people):
	order = plan_for(
		[
			stage("Cut", None, -20, **owned_by(OLGA)),
			stage("Sewn", key_date_rule="Set Manually", **owned_by(OTTO)),
		]
	)
	with at("2030-06-03 23:00:00"):
		stages.confirm(plan_of(order).name, "Cut")
		sweep.sweep_plan(plan_of(order).name)
	assert str(stage_of(order, "Sewn").date_asked_on) == "2030-06-03"
	assert sweep_at("2030-06-04 07:00:00") == []


def test_only_the_first_open_stage_is_asked_for_where_its_tasks_block_later_ones(people):
	order = plan_for(
		[stage("Cut", None, -20, **owned_by(OLGA)), stage("Sewn", None, -19, **owned_by(OTTO))],
		earlier_tasks_block=1,
	)
	assert days(8, 11) == {8: [("Prompt", OLGA, "Cut")]}
	with at("2030-06-11 12:00:00"):
		stages.confirm(plan_of(order).name, "Cut")
	assert sweep_at("2030-06-11 12:00:00") == [("Prompt", OTTO, "Sewn")]


def test_a_stage_left_open_is_escalated_once(people):
	plan_for(
		[stage("Cut", None, -20, **owned_by(OLGA))], escalation_role=ESCALATION_ROLE, escalate_after_days=2
	)
	assert days(8, 30) == {8: [("Prompt", OLGA, "Cut")], 10: [("Escalation", ESTHER, "Cut")]}


def test_messages_switched_off_leave_health_kept(people):
	frappe.db.set_single_value("Milestone Settings", "messages_enabled", 0)
	order = plan_for([stage("Cut", None, -20, **owned_by(OLGA))])
	assert days(1, 12) == {}
	assert plan_of(order).health == "Late"


def test_a_plan_at_fault_is_logged_and_the_others_go_on(people):
	bad, good = plan_for([stage("Cut", None, -20, **owned_by(OLGA))]), make_document()
	frappe.db.set_value("Milestone Plan Stage", stage_of(bad, "Cut").name, "warning_lead_days", 10**9)
	assert sweep_at("2030-06-08 07:00:00") == [("Prompt", OLGA, "Cut")]
	assert stage_of(good, "Cut").prompted_on
	assert frappe.db.exists("Error Log", {"method": ("like", f"%{bad.name}%")})


@pytest.mark.parametrize("quiet", [0, 1])
def test_plans_of_a_doctype_that_is_gone_end_and_the_others_go_on(people, quiet):
	frappe.db.set_single_value("Milestone Settings", "quiet_on_days_off", quiet)
	bad = plan_for([stage("Cut", None, -18, **by_field())])
	good = make_document(responsible=OLGA)
	gone = plan_of(bad).name
	key = plan_rows.plan_key("Gone Thing", bad.name)
	frappe.db.set_value("Milestone Plan", gone, {"reference_type": "Gone Thing", "plan_key": key})
	assert sweep_at("2030-06-10 07:00:00") == [("Prompt", OLGA, "Cut")]
	assert stage_of(good, "Cut").prompted_on
	catching_up.follow_plan(gone)  # the job the sweep has asked for
	assert frappe.db.get_value("Milestone Plan", gone, "status") == "Cancelled"


def test_a_batch_of_plans_costs_the_same_number_of_queries_whatever_its_size(people, count_queries):
	plan_for([stage("Cut", None, -20, **owned_by(OLGA))], [task("Cut", "Order fabric", **member(WANDA))])
	with at("2030-06-01 09:00:00"):
		orders = [make_document() for _number in range(30)]
	names = [plan_of(order).name for order in orders]
	with at("2030-06-04 07:00:00"):
		sweep.handle(names, now_datetime())
		with count_queries() as few:
			sweep.handle(names[:3], now_datetime())
		with count_queries() as many:
			sweep.handle(names, now_datetime())
	assert few.count == many.count
	assert many.count <= 12


# Who may read what


@pytest.fixture
def nora(make_user) -> str:
	"""A user who may not read orders, the only one with the role Outsider."""
	return make_user("nora@example.com", roles=[make_role("Outsider")])


def texts(smtp, address: str) -> str:
	smtp.deliver()
	return "\n".join(mail.get_body(("plain",)).get_content() for mail in smtp.to(address))


def logged() -> str:
	return "\n".join(frappe.get_all("Notification Log", pluck="email_content"))


def test_who_may_not_read_the_document_gets_nothing_of_its_content(people, nora, make_user, smtp):
	forget_mail_account()
	role = make_role("Mill Visitor")
	make_user("role@example.com", roles=[role])
	words = {"custom_message": "Note: {{ doc.note }}", "notify_role": role}
	notified = {"notify_users": "boss@example.org"}
	plan_for(
		[stage("Cut", None, -20, **words, **notified, **by_field())],
		document={"responsible": nora, "note": "A secret"},
	)
	assert [who for kind, who, _about in sweep_at("2030-06-08 07:00:00") if kind == "Prompt"] == [
		"boss@example.org",
		nora,
		"role@example.com",
	]
	for person in (nora, "role@example.com", "boss@example.org"):
		told = texts(smtp, person)
		assert "The key date of Cut is today" in told
		assert "secret" not in told
		assert "answer=yes" not in told
	assert "secret" not in logged()


def test_who_may_read_the_document_gets_its_words_and_buttons(people, smtp):
	forget_mail_account()
	plan_for(
		[stage("Cut", None, -20, custom_message="Note: {{ doc.note }}", **owned_by(OLGA))],
		document={"note": "A secret"},
	)
	sweep_at("2030-06-08 07:00:00")
	told = texts(smtp, OLGA)
	assert "Note: A secret" in told
	assert "answer=yes" in told


def test_a_stand_in_who_may_not_read_the_document_gets_nothing_of_its_content(people, make_user, smtp):
	forget_mail_account()
	make_user(ESTHER, roles=["Milestone Manager"])
	plan_for(
		[stage("Cut", None, -20, custom_message="Note: {{ doc.note }}", **owned_by(OLGA))],
		document={"note": "A secret"},
	)
	frappe.db.set_value("User", OLGA, "enabled", 0)
	assert sweep_at("2030-06-08 07:00:00") == [("Prompt", ESTHER, "Cut")]
	assert "secret" not in texts(smtp, ESTHER) + logged()


def test_tasks_are_named_to_their_assignees_and_to_who_may_read_the_document(people, nora, smtp):
	forget_mail_account()
	plan_for(
		[stage("Cut", None, -20, **owned_by(OLGA))],
		[task("Cut", "Order fabric", **collaborator(MILL, "The Mill"))],
		escalation_role="Outsider",
		escalate_after_days=2,
	)
	assert days(8, 10)[10] == [("Escalation", nora, "Cut")]
	told = texts(smtp, nora)
	assert "Cut should have been reached by June 8, 2030." in told
	assert "Order fabric" not in told
	assert "The Mill" not in told
	assert "Order fabric" in texts(smtp, MILL)
	assert "Order fabric" in texts(smtp, OLGA)


# Several time zones


def test_an_owner_in_another_zone_is_told_of_held_on_the_day_itself(people):
	set_zone(OLGA)
	plan_for([stage("Cut", None, -20, **owned_by(OLGA))], [task("Cut", "Fabric", **member(WANDA))])
	hours(7, 7)
	assert hours(8, 9) == {
		"08 07": [("Blocked", WANDA, "Fabric")],
		"08 16": [("Blocked (Owner)", OLGA, "Cut")],
	}


def test_reminders_of_held_reach_the_assignees_of_all_zones(people):
	set_zone(OTTO)
	every_two_days = {"remind_after_days": 2, "remind_every_days": 2, "remind_at_most": 3}
	plan_for(
		[stage("Cut", None, -20, **owned_by(OLGA), **every_two_days)],
		[task("Cut", "Fabric", **member(WANDA)), task("Cut", "Trims", **member(OTTO))],
	)
	held = {hour: [row for row in messages if row[0] == "Blocked"] for hour, messages in hours(8, 16).items()}
	for person, hour, title in ((WANDA, "07", "Fabric"), (OTTO, "16", "Trims")):
		got = [moment for moment, messages in held.items() if ("Blocked", person, title) in messages]
		assert got == [f"{day} {hour}" for day in ("08", "10", "12", "16")]


def test_a_task_of_a_reached_stage_is_announced_to_everybody_on_the_day_itself(people, make_user):
	role = make_role("Fabric Team")
	for person in (OTTO, WANDA):
		make_user(person, roles=[CLERK_ROLE, role])
	set_zone(OTTO)
	order = plan_for(
		[
			stage("Cut", None, -20, task_lead_days=3, **owned_by(OLGA)),
			stage("Later", None, 0, **owned_by(OLGA)),
		],
		[task("Cut", "Look", required=0, assignee_kind="Role", assignee_role=role)],
	)
	with at("2030-06-02 09:00:00"):
		stages.confirm(plan_of(order).name, "Cut")
	assert hours(4, 8) == {"05 07": [("Task Due", WANDA, "Look")], "05 16": [("Task Due", OTTO, "Look")]}


# Who comes late


def test_a_stand_in_is_asked_when_the_owner_is_disabled_after_the_prompt(people):
	plan_for([stage("Cut", None, -20, **owned_by(OLGA))])
	assert days(8, 10) == {8: [("Prompt", OLGA, "Cut")]}
	with at("2030-06-10 12:00:00"):
		user = frappe.get_doc("User", OLGA)
		user.enabled = 0
		user.save()
	assert days(11, 30) == {11: [("Prompt", ESTHER, "Cut")]}


def test_an_owner_enabled_later_owns_the_stage_and_may_answer(people, as_user):
	frappe.db.set_value("User", OTTO, "enabled", 0)
	order = plan_for([stage("Cut", None, -20, **by_field())], document={"responsible": OTTO})
	assert days(8, 9) == {8: [("Prompt", ESTHER, "Cut")]}
	with at("2030-06-09 12:00:00"):
		user = frappe.get_doc("User", OTTO)
		user.enabled = 1
		user.save()
	assert days(10, 12) == {10: [("Prompt", OTTO, "Cut")]}
	assert stage_of(order, "Cut").stage_owner == OTTO
	with at("2030-06-12 10:00:00"), as_user(OTTO):
		answers.answer_reached(plan_of(order).name, "Cut")
	assert stage_of(order, "Cut").status == "Reached"


@pytest.mark.parametrize("place", ["owner", "notify"])
def test_a_new_member_of_a_role_is_told_what_holds(people, make_user, place):
	role = make_role("Cutting Room")
	make_user(ESTHER, roles=[CLERK_ROLE, role])
	values = owned_by(OLGA) | {"notify_role": role}
	if place == "owner":
		values = {"owner_kind": "Role", "owner_role": role}
	plan_for([stage("Cut", None, -20, **values)])
	assert ("Prompt", ESTHER, "Cut") in days(8, 10)[8]
	with at("2030-06-10 12:00:00"):
		make_user(OTTO, roles=[CLERK_ROLE, role])
	assert days(11, 30) == {11: [("Prompt", OTTO, "Cut")]}


def test_a_new_member_of_the_escalation_role_is_escalated_to(people, make_user):
	plan_for(
		[stage("Cut", None, -20, **owned_by(OLGA))], escalation_role=ESCALATION_ROLE, escalate_after_days=2
	)
	assert days(8, 12) == {8: [("Prompt", OLGA, "Cut")], 10: [("Escalation", ESTHER, "Cut")]}
	with at("2030-06-12 12:00:00"):
		make_user(OTTO, roles=[ESCALATION_ROLE, CLERK_ROLE])
	assert days(13, 20) == {13: [("Escalation", OTTO, "Cut")]}


def test_a_user_saved_without_such_a_change_costs_nothing(people, count_queries):
	user = frappe.get_doc("User", OLGA)
	user.bio = "Cuts"
	user.save()
	with count_queries() as queries:
		user_changes.on_user_change(user)
	assert queries.count == 0, str(queries)


def test_a_fault_does_not_break_the_save_of_a_user(people, monkeypatch):
	monkeypatch.setattr(follow_ups, "add", lambda *_given, **_named: 1 / 0)
	user = frappe.get_doc("User", OLGA)
	user.enabled = 0
	user.save()
	assert frappe.db.get_value("User", OLGA, "enabled") == 0
	assert frappe.db.exists("Error Log", {"method": ("like", f"Milestone sweep%{OLGA}%")})


def test_a_task_assigned_in_the_desk_while_held_is_told_once(people):
	order = plan_for(
		[stage("Cut", None, -20, remind_after_days=3, **owned_by(OLGA))],
		[task("Cut", "Fabric", **member(WANDA))],
	)
	days(8, 10)
	with at("2030-06-10 10:00:00"):
		assign(task_of(order, "Fabric"), OTTO)
	# On the 11th Wanda is reminded. Otto has just been told.
	assert days(11, 30) == {11: [("Blocked", OTTO, "Fabric"), ("Blocked", WANDA, "Fabric")]}


def test_a_task_added_while_held_is_told_though_the_queued_job_was_lost(people):
	order = plan_for([stage("Cut", None, -20, **owned_by(OLGA))], [task("Cut", "Fabric", **member(WANDA))])
	days(8, 10)
	with at("2030-06-10 10:00:00"):
		tasks.add(plan_of(order).name, "Cut", title="Trims", required=1, **member(OTTO))
	assert days(11, 20) == {11: [("Blocked", OTTO, "Trims")]}


def test_of_a_block_each_assignee_hears_their_own_tasks_and_the_owner_all_of_them(people, smtp):
	forget_mail_account()
	plan_for(
		[stage("Cut", None, -20, notify_users=ESTHER, remind_after_days=1, **owned_by(OLGA))],
		[task("Cut", "Fabric", **member(WANDA)), task("Cut", "Trims", **member(OTTO))],
	)
	assert days(8, 9) == {
		8: [("Blocked", OTTO, "Trims"), ("Blocked", WANDA, "Fabric"), ("Blocked (Owner)", OLGA, "Cut")],
		9: [("Blocked", OTTO, "Trims"), ("Blocked", WANDA, "Fabric")],
	}
	told = {person: texts(smtp, person) for person in (OLGA, OTTO, WANDA)}
	named = {person: [title for title in ("Fabric", "Trims") if title in told[person]] for person in told}
	assert named == {OLGA: ["Fabric", "Trims"], OTTO: ["Trims"], WANDA: ["Fabric"]}


@pytest.mark.parametrize("other", ["site", "America/Los_Angeles"])
def test_a_new_owner_gets_one_message_on_a_reminders_day(people, other):
	"""With a recipient in another zone the reminder is not over yet: the new owner gets none of it all the same."""
	if other != "site":
		set_zone(WANDA, other)
	order = plan_for(
		[stage("Cut", None, -20, remind_after_days=2, notify_users=WANDA, **by_field())],
		document={"responsible": OLGA},
	)
	hours(8, 9)
	with at("2030-06-10 06:00:00"):
		order.reload()
		order.responsible = OTTO
		order.save()
	hours(10, 12)
	filters = {"recipient": OTTO, "status": ("!=", "Skipped")}
	assert frappe.get_all("Milestone Message", filters, pluck="kind") == ["Prompt"]
	assert frappe.db.count("Milestone Message", {"recipient": WANDA, "kind": "Reminder"}) == 1


def test_a_stage_held_again_is_not_escalated_again(people):
	order = plan_for(
		[stage("Cut", None, -20, **owned_by(OLGA))],
		[task("Cut", "Fabric", **member(WANDA))],
		escalation_role=ESCALATION_ROLE,
		escalate_after_days=2,
	)
	fabric = task_of(order, "Fabric").name
	with at("2030-06-07 12:00:00"):
		tasks.complete(fabric, by=WANDA)
	assert days(8, 11) == {8: [("Prompt", OLGA, "Cut")], 10: [("Escalation", ESTHER, "Cut")]}
	with at("2030-06-12 05:00:00"):
		tasks.reopen(fabric, "x")
	assert days(12, 14) == {12: [("Blocked", WANDA, "Fabric"), ("Blocked (Owner)", OLGA, "Cut")]}
	with at("2030-06-15 05:00:00"):
		tasks.complete(fabric, by=WANDA)
	assert days(15, 20) == {15: [("Prompt", OLGA, "Cut")]}


# Made anew


def test_of_an_amendment_everybody_is_told_anew(people):
	order = plan_for(
		[stage("Cut", None, -20, remind_after_days=2, **owned_by(OLGA))],
		[task("Cut", "Look", required=0, due_days_before=0, **member(WANDA))],
	)
	assert days(7, 9) == {
		7: [("Task Due", WANDA, "Look")],
		8: [("Prompt", OLGA, "Cut")],
		9: [("Task Overdue", WANDA, "Look")],
	}
	with at("2030-06-09 10:00:00"):
		amend(order)
	assert days(10, 14) == {
		10: [("Prompt", OLGA, "Cut"), ("Task Overdue", WANDA, "Look")],
		12: [("Reminder", OLGA, "Cut")],
	}


def test_what_announces_a_date_to_an_amendment_keeps_clear_of_quiet_days(people):
	frappe.db.set_single_value("Milestone Settings", "quiet_on_days_off", 1)
	order = plan_for(
		[stage("Cut", None, 0, **owned_by(OLGA))],
		[task("Cut", "Look", days=18, required=0, **member(WANDA))],
	)
	with at("2030-06-03 09:00:00"):
		amend(order)
	# Due on Monday the 10th.
	assert days(4, 10) == {7: [("Task Due", WANDA, "Look")]}


def test_other_days_off_give_plans_another_day(people):
	frappe.db.set_single_value("Milestone Settings", "quiet_on_days_off", 1)
	plan_for(
		[stage("Cut", None, 0, **owned_by(OLGA))],
		[task("Cut", "Look", days=19, required=0, **member(WANDA))],
	)
	assert days(1, 3) == {}
	with at("2030-06-03 12:00:00"):
		settings = frappe.get_doc("Milestone Settings")
		settings.update({"off_friday": 1, "off_sunday": 0})
		settings.save()
	# Due on Sunday the 9th: with Friday and Saturday off it is announced on Thursday.
	assert days(4, 8) == {6: [("Task Due", WANDA, "Look")]}


def test_a_date_taken_away_again_is_asked_for_again(people):
	order = plan_for(
		[
			stage("Cut", None, -20, **owned_by(OLGA)),
			stage("Sewn", key_date_rule="Set Manually", **owned_by(OTTO)),
		]
	)
	plan = plan_of(order).name
	asked = [("No Next Date", OTTO, "Sewn")]
	with at("2030-06-03 12:00:00"):
		stages.confirm(plan, "Cut")
	assert sweep_at("2030-06-03 13:00:00") == asked
	with at("2030-06-03 14:00:00"):
		rescheduling.reschedule(plan, "Sewn", "2030-06-20", "x")
		stages.undo(plan, "Cut", "x")
	assert sweep_at("2030-06-03 14:00:00") == []
	with at("2030-06-04 12:00:00"):
		rescheduling.reschedule(plan, "Sewn", None, "x")
		stages.confirm(plan, "Cut")
	assert sweep_at("2030-06-04 13:00:00") == asked
	assert days(5, 8) == {}
