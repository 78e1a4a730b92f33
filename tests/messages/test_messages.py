"""Where messages go and what is kept of them: mail, notifications, digest, and people who want less."""

import json

import frappe
import pytest
from frappe.realtime import flush_realtime_log, get_user_room
from frappe.utils import now_datetime
from frappe.utils.background_jobs import get_redis_connection_without_auth

from milestone_automation import api
from milestone_automation.engine.messages import digest, last_mails, outbox, sending_day, sweep
from milestone_automation.engine.progress import answers, holding, stages, tasks
from milestone_automation.engine.store import watched
from milestone_automation.engine.workflows import custom_messages
from tests.support.clock import at, forget_mail_account, sweep_at
from tests.support.factories import (
	CLERK_ROLE,
	ORDER,
	collaborator,
	make_document,
	make_workflow,
	member,
	plan_of,
	stage,
	task,
	task_of,
)

pytestmark = pytest.mark.usefixtures("production_order")

OLGA, MILL = "olga@example.com", "mill@example.org"
OWNED = {"owner_kind": "User", "owner_user": OLGA}
DAY = "2030-06-08 07:00:00"


@pytest.fixture
def order(make_user, smtp):
	"""An order with a stage of Olga's and a task of the mill's on the same day."""
	forget_mail_account()
	make_user(OLGA, roles=[CLERK_ROLE])
	with at("2030-06-01 09:00:00"):
		make_workflow(
			stages=[stage("Cut", None, -20, **OWNED)],
			tasks=[task("Cut", "Send patterns", required=0, **collaborator(MILL, "The Mill"))],
		)
		return make_document()


def plain(mail) -> str:
	"""The plain text part of a mail."""
	return mail.get_body(("plain",)).get_content().replace("\r\n", "\n")


def in_order(mails: list) -> list[str]:
	"""The plain text of a person's mails, in order of time."""
	return [plain(mail) for mail in sorted(mails, key=lambda mail: mail["Date"].datetime)]


def row(recipient: str, kind: str = "Prompt"):
	return frappe.get_last_doc("Milestone Message", {"recipient": recipient, "kind": kind})


def test_a_prompt_is_a_mail_a_notification_and_a_row_that_says_why(order, smtp):
	sweep_at(DAY)
	smtp.deliver()
	kept = row(OLGA)
	assert (kept.channel, kept.status, str(kept.for_date)) == (
		"Mail and Notification",
		"Queued",
		"2030-06-08",
	)
	assert kept.why == "You get this message because you own this milestone."
	assert "token=" not in kept.message
	log = frappe.get_last_doc("Notification Log", {"for_user": OLGA})
	assert (log.type, log.document_type, log.document_name) == ("Alert", ORDER, order.name)
	assert log.subject == f"Has Cut been reached? Production Order {order.name}"
	(mail,) = smtp.to(OLGA)
	assert mail["Subject"] == log.subject


def test_a_collaborators_mail_names_the_task_and_nothing_else_of_the_document(order, smtp):
	frappe.db.set_value(ORDER, order.name, {"note": "A secret", "title": "Another"})
	sweep_at("2030-06-07 07:00:00")
	smtp.deliver()
	(mail,) = smtp.to(MILL)
	body = mail.get_body(("plain",)).get_content() + mail.get_body(("html",)).get_content()
	assert mail["Subject"] == "Task due on June 8, 2030: Send patterns"
	assert "milestone-task?token=" in body
	assert "/app/" not in body
	assert "secret" not in body
	assert "Another" not in body
	assert row(MILL, "Task Due").channel == "Mail"


def test_several_tasks_of_one_person_make_one_mail_and_a_row_each(order, smtp):
	with at("2030-06-02 09:00:00"):
		tasks.add(plan_of(order).name, "Cut", title="Send trims", **collaborator(MILL))
	sweep_at("2030-06-07 07:00:00")
	smtp.deliver()
	(mail,) = smtp.to(MILL)
	assert mail["Subject"] == f"2 tasks of Production Order {order.name} are due soon"
	assert frappe.db.count("Milestone Message", {"recipient": MILL}) == 2


def test_who_wants_no_notification_mails_gets_none(order, smtp):
	frappe.db.set_value("Notification Settings", OLGA, "enable_email_notifications", 0)
	sweep_at(DAY)
	smtp.deliver()
	assert smtp.to(OLGA) == []
	assert (row(OLGA).channel, row(OLGA).status) == ("Notification", "Sent")


def test_who_muted_notifications_gets_mail_only(order, smtp):
	frappe.db.set_value("Notification Settings", OLGA, "enabled", 0)
	sweep_at(DAY)
	assert frappe.db.count("Notification Log", {"for_user": OLGA}) == 0
	assert row(OLGA).channel == "Mail"


@pytest.mark.parametrize("is_global", [1, 0])
def test_an_unsubscribed_address_gets_nothing_and_the_log_says_so(order, smtp, is_global):
	about = {} if is_global else {"reference_doctype": ORDER, "reference_name": order.name}
	frappe.get_doc(
		{"doctype": "Email Unsubscribe", "email": MILL, "global_unsubscribe": is_global, **about}
	).insert()
	sweep_at("2030-06-07 07:00:00")
	smtp.deliver()
	assert smtp.to(MILL) == []
	assert row(MILL, "Task Due").status == "Skipped"
	assert "unsubscribed" in row(MILL, "Task Due").why or "wants no mail" in row(MILL, "Task Due").why
	assert sweep_at("2030-06-07 08:00:00") == []


@pytest.mark.parametrize("address", ["Mill@Example.org", MILL])
@pytest.mark.parametrize("is_second", [False, True])
def test_a_contact_who_unsubscribed_gets_nothing_at_any_of_their_addresses(order, smtp, address, is_second):
	first = [{"email_id": "first@example.org", "is_primary": 1}] if is_second else []
	emails = [*first, {"email_id": address, "is_primary": int(not is_second)}]
	values = {"doctype": "Contact", "first_name": "Mill", "unsubscribed": 1, "email_ids": emails}
	contact = frappe.get_doc(values).insert()
	frappe.db.set_value("Contact Email", contact.email_ids[-1].name, "email_id", address)
	if not is_second:
		frappe.db.set_value("Contact", contact.name, "email_id", address)
	sweep_at("2030-06-07 07:00:00")
	smtp.deliver()
	assert smtp.to(MILL) == []
	assert row(MILL, "Task Due").status == "Skipped"


@pytest.mark.parametrize("is_global", [1, 0])
def test_unsubscribing_counts_however_the_address_is_written(order, smtp, is_global):
	about = {} if is_global else {"reference_doctype": ORDER, "reference_name": order.name}
	values = {"doctype": "Email Unsubscribe", "email": MILL, "global_unsubscribe": is_global, **about}
	made = frappe.get_doc(values).insert()
	frappe.db.set_value("Email Unsubscribe", made.name, "email", "Mill@Example.org")
	sweep_at("2030-06-07 07:00:00")
	smtp.deliver()
	assert smtp.to(MILL) == []
	assert row(MILL, "Task Due").status == "Skipped"


@pytest.mark.parametrize(
	("state", "status"),
	[
		("Sent", "Sent"),
		("Error", "Failed"),
		("Expired", "Failed"),
		(None, "Failed"),
		("Not Sent", "Queued"),
		("Sending", "Queued"),
	],
)
def test_what_became_of_a_mail_is_noted(order, smtp, state, status):
	sweep_at(DAY)
	mail = row(OLGA).email_queue
	if state:
		frappe.db.set_value("Email Queue", mail, "status", state)
	else:
		frappe.db.delete("Email Queue", {"name": mail})
	outbox.update_sent()
	assert row(OLGA).status == status


# One mail a day


def choose(preference: str, *users: str) -> None:
	for user in users:
		frappe.defaults.set_user_default("milestone_mail", preference, user=user)


def test_a_digest_holds_all_messages_of_the_day(order, smtp):
	with at("2030-06-01 10:00:00"):
		second = make_document()
	sweep_at("2030-06-07 07:00:00")
	assert sorted(kind for kind, *_rest in sweep_at(DAY)) == ["Prompt", "Prompt"]
	smtp.deliver()
	(mail,) = smtp.to(OLGA)
	assert mail["Subject"] == "Your milestones of June 8, 2030"
	body = mail.get_body(("plain",)).get_content()
	assert f"Has Cut been reached? Production Order {second.name}" in body
	assert body.count("answer=yes") == 2
	assert (row(OLGA).status, row(OLGA).channel) == ("Queued", "Digest")
	assert row(OLGA, "Digest").email_queue == row(OLGA).email_queue
	assert sweep_at("2030-06-08 08:00:00") == []


def test_who_chose_each_gets_each_message_by_mail(order, smtp):
	choose("Each", OLGA)
	with at("2030-06-01 10:00:00"):
		make_document()
	sweep_at(DAY)
	smtp.deliver()
	assert [mail["Subject"][:22] for mail in smtp.to(OLGA)] == ["Has Cut been reached? "] * 2


def test_who_chose_bell_only_gets_no_mail(order, smtp):
	choose("Bell Only", OLGA)
	sweep_at(DAY)
	smtp.deliver()
	assert smtp.to(OLGA) == []
	assert (row(OLGA).channel, row(OLGA).status) == ("Notification", "Sent")
	assert frappe.db.count("Notification Log", {"for_user": OLGA}) == 1


def test_people_without_account_get_one_mail_a_day_to_their_address(order, smtp):
	with at("2030-06-01 10:00:00"):
		second = make_document()
	sweep_at("2030-06-07 07:00:00")
	smtp.deliver()
	(mail,) = smtp.to(MILL)
	assert mail["Subject"] == "Your milestones of June 7, 2030"
	assert plain(mail).count("milestone-task?token=") == 2
	assert second.name in plain(mail)
	assert "my-milestones" not in plain(mail)


def test_what_comes_after_the_mail_of_the_day_waits_for_the_next_and_rings_the_bell(order, smtp):
	sweep_at(DAY)
	with at("2030-06-08 09:00:00"):
		stages.confirm(plan_of(order).name, "Cut")
		make_document()
	sweep_at("2030-06-08 10:00:00")
	assert row(OLGA).status == "Waiting for Digest"
	assert frappe.db.count("Notification Log", {"for_user": OLGA}) == 2
	sweep_at("2030-06-09 06:00:00")
	smtp.deliver()
	assert len(smtp.to(OLGA)) == 1
	sweep_at("2030-06-09 07:00:00")
	smtp.deliver()
	assert len(smtp.to(OLGA)) == 2


def mails_until(last: int, smtp) -> list[str]:
	"""The days of June 2030 on which Olga's mails left, of a sweep a day from the 8th on."""
	found = []
	for day in range(8, last + 1):
		sweep_at(f"2030-06-{day:02d} 07:00:00")
		before = len(smtp.to(OLGA))
		smtp.deliver()
		found += [day] * (len(smtp.to(OLGA)) - before)
	return found


@pytest.fixture
def five_orders(make_user, smtp):
	"""Five orders of Olga's, one due each day from 2030-06-08 on."""
	forget_mail_account()
	make_user(OLGA, roles=[CLERK_ROLE])
	with at("2030-06-01 09:00:00"):
		make_workflow(stages=[stage("Cut", None, -20, **OWNED)], tasks=[])
		return [make_document(delivery_date=f"2030-06-{day}") for day in (28, 29)] + [
			make_document(delivery_date=f"2030-07-0{day}") for day in (1, 2, 3)
		]


def test_who_does_not_react_gets_the_next_mail_four_days_later_with_all_that_is_new(five_orders, smtp):
	assert mails_until(15, smtp) == [8, 12]
	assert plain(smtp.to(OLGA)[1]).count("Has Cut been reached?") == 3


def test_who_reacts_gets_a_mail_every_day(five_orders, smtp):
	sweep_at(DAY)
	with at("2030-06-08 12:00:00"):
		stages.confirm(plan_of(five_orders[0]).name, "Cut")
	assert mails_until(10, smtp) == [8, 9]


def test_the_site_may_send_a_mail_every_day_all_the_same(five_orders, smtp):
	frappe.db.set_single_value("Milestone Settings", "mail_pause_days", 1)
	assert mails_until(13, smtp) == [8, 9, 11, 12, 13]


def test_what_asks_for_something_since_today_is_on_top(five_orders, smtp):
	frappe.db.set_value(
		"Milestone Plan Stage", {"parent": plan_of(five_orders[1]).name}, "warning_lead_days", 2
	)
	with at("2030-06-01 12:00:00"):
		tasks.add(plan_of(five_orders[2]).name, "Cut", title="Fabric", required=1, **member(OLGA))
	frappe.db.set_value(
		"Milestone Plan Stage", {"parent": plan_of(five_orders[2]).name}, "warning_lead_days", 3
	)
	sweep_at(DAY)
	smtp.deliver()
	(mail,) = smtp.to(OLGA)
	body = plain(mail)
	assert body.index("New today") < body.index("Has Cut been reached?") < body.index("Still open")
	assert body.index("Still open") < body.index("is at risk")


def test_every_mail_leads_to_the_page_where_mails_are_chosen(five_orders, smtp):
	mails_until(12, smtp)
	single, bundle = smtp.to(OLGA)
	for mail in (single, bundle):
		html = mail.get_body(("html",)).get_content()
		assert "/my-milestones" in html
		assert "Choose how often you get mails" in plain(mail)


def test_what_was_answered_before_the_digest_goes_out_is_left_out(order, smtp):
	with at(DAY):
		sweep.sweep_plan(plan_of(order).name)
		assert row(OLGA).status == "Waiting for Digest"
		stages.confirm(plan_of(order).name, "Cut")
		digest.run(now_datetime())
	smtp.deliver()
	assert smtp.to(OLGA) == []
	assert row(OLGA).status == "Skipped"


def test_what_waits_for_a_plan_on_hold_goes_out_when_it_is_resumed(order, smtp):
	with at(DAY):
		sweep.sweep_plan(plan_of(order).name)
		holding.put_on_hold(plan_of(order).name, "The mill is on strike")
		digest.run(now_datetime())
		assert row(OLGA).status == "Waiting for Digest"
		holding.resume(plan_of(order).name)
		digest.run(now_datetime())
	smtp.deliver()
	assert len(smtp.to(OLGA)) == 1


def test_what_waits_for_a_plan_that_cannot_be_read_now_is_kept(order, smtp, monkeypatch):
	def fail(*_arguments):
		raise ValueError("not now")

	with at(DAY):
		sweep.sweep_plan(plan_of(order).name)
		with monkeypatch.context() as patched:
			patched.setattr(watched, "those_behind", fail)
			digest.run(now_datetime())
		assert row(OLGA).status == "Waiting for Digest"
		digest.run(now_datetime())
	smtp.deliver()
	assert len(smtp.to(OLGA)) == 1


def test_a_mail_that_failed_is_no_mail_of_its_day(order, smtp):
	with at(DAY):
		sweep.sweep_plan(plan_of(order).name)
		digest.run(now_datetime())
		frappe.db.set_value("Email Queue", row(OLGA).email_queue, "status", "Error")
		outbox.update_sent()
		assert (row(OLGA).status, row(OLGA).mail_key) == ("Failed", None)
		assert last_mails.read([OLGA], now_datetime()).days == {}


OTTO, WANDA = "otto@example.com", "wanda@example.com"


@pytest.fixture
def readers(make_user, smtp):
	"""Olga, Otto and Wanda get one mail a day, also if they do not react."""
	forget_mail_account()
	frappe.db.set_single_value("Milestone Settings", "mail_pause_days", 1)
	for user in (OLGA, OTTO, WANDA):
		make_user(user, roles=[CLERK_ROLE])


def plan_with(stages: list, tasks=(), **values):
	with at("2030-06-01 09:00:00"):
		make_workflow(stages=stages, tasks=list(tasks))
		return make_document(**values)


def sweep_plan_at(moment: str, order) -> None:
	"""What the job after a change does: messages are made, no digest goes out."""
	with at(moment):
		sweep.sweep_plan(plan_of(order).name)


def test_a_digest_does_not_ask_for_what_was_answered_not_yet(readers, smtp, as_user):
	order = plan_with([stage("Cut", None, -20, **OWNED)])
	sweep_plan_at("2030-06-08 15:00:00", order)
	with at("2030-06-08 16:00:00"), as_user(OLGA):
		answers.answer_not_yet(plan_of(order).name, "Cut", "2030-06-20", "Late")
	sweep_at("2030-06-09 07:00:00")
	smtp.deliver()
	assert smtp.to(OLGA) == []
	assert row(OLGA).status == "Skipped"
	assert row(OLGA).why.endswith("Not sent: it no longer applies.")


def test_a_digest_asks_the_owner_of_today(readers, smtp):
	by_field = {"owner_kind": "User Field", "owner_field": "responsible"}
	order = plan_with([stage("Cut", None, -20, **by_field)], responsible=OLGA)
	sweep_plan_at(DAY, order)
	with at(DAY):
		order.reload()
		order.responsible = OTTO
		order.save()
	sweep_at("2030-06-08 07:10:00")
	smtp.deliver()
	assert smtp.to(OLGA) == []
	assert "Has Cut been reached?" in plain(smtp.to(OTTO)[0])


def test_a_digest_does_not_say_held_and_ask_for_the_same_milestone(readers, smtp):
	order = plan_with([stage("Cut", None, -20, **OWNED)], [task("Cut", "Fabric", **member(WANDA))])
	sweep_plan_at(DAY, order)
	with at(DAY):
		tasks.complete(task_of(order, "Fabric").name, by=WANDA)
	sweep_plan_at(DAY, order)
	sweep_at("2030-06-08 07:10:00")
	smtp.deliver()
	(mail,) = smtp.to(OLGA)
	assert "Has Cut been reached?" in plain(mail)
	assert "blocked by open tasks" not in plain(mail)


def test_a_digest_has_a_line_and_a_link_for_each_task_that_is_open(readers, smtp):
	jobs = [task("Cut", f"Job {number}", **member(WANDA)) for number in (1, 2, 3)]
	order = plan_with([stage("Cut", None, -20, **OWNED)], jobs)
	sweep_plan_at("2030-06-07 07:00:00", order)
	with at("2030-06-07 07:00:00"):
		tasks.complete(task_of(order, "Job 2").name, by=WANDA)
	sweep_at("2030-06-07 07:10:00")
	smtp.deliver()
	(mail,) = smtp.to(WANDA)
	assert f"2 tasks of Production Order {order.name} are due soon" in plain(mail)
	html = mail.get_body(("html",)).get_content()
	for body in (plain(mail), html):
		assert "Job 1" in body
		assert "Job 2" not in body
		assert "Job 3" in body
		assert body.count("milestone-task?token=") == 2


def test_a_digest_still_reminds_who_has_not_answered(readers, smtp):
	order = plan_with(
		[stage("Cut", None, -20, remind_after_days=1, remind_every_days=1, remind_at_most=5, **OWNED)]
	)
	sweep_at(DAY)
	sweep_at("2030-06-09 07:00:00")
	sweep_plan_at("2030-06-10 07:00:00", order)
	sweep_at("2030-06-10 07:10:00")
	smtp.deliver()
	bodies = in_order(smtp.to(OLGA))
	assert ["This is reminder" in body for body in bodies] == [False, True, True]
	assert all("milestone-answer?token=" in body for body in bodies)


def test_a_digest_reminds_of_held_tasks_in_words_of_today(readers, smtp):
	cut = stage("Cut", None, -20, remind_after_days=2, **OWNED)
	order = plan_with([cut], [task("Cut", "Fabric", **member(WANDA))])
	sweep_at(DAY)
	sweep_at("2030-06-10 07:00:00")
	smtp.deliver()
	subject = f"Cut of Production Order {order.name} is waiting for your tasks"
	bodies = in_order(smtp.to(WANDA))
	assert [f"Reminder: {subject}" in body for body in bodies] == [False, True]
	assert all(subject in body and "- Fabric, due on June 8, 2030" in body for body in bodies)


def test_on_a_quiet_day_a_digest_waits_for_the_next_working_day(readers, smtp):
	frappe.db.set_single_value("Milestone Settings", "quiet_on_days_off", 1)
	order = plan_with([stage("Cut", None, -21, **OWNED)], [task("Cut", "Fabric", **member(WANDA))])
	sweep_at("2030-06-07 07:00:00")
	with at("2030-06-07 15:00:00"):
		tasks.complete(task_of(order, "Fabric").name, by=WANDA)
	sweep_plan_at("2030-06-07 15:00:00", order)
	for day, mails in ((8, 1), (9, 1), (10, 2)):
		sweep_at(f"2030-06-{day:02d} 07:00:00")
		smtp.deliver()
		assert len(smtp.to(OLGA)) == mails
	assert ["Has Cut been reached?" in body for body in in_order(smtp.to(OLGA))] == [False, True]


@pytest.mark.parametrize("address", [OLGA, "Olga@Example.com"])
def test_a_digest_is_silent_about_documents_its_reader_has_unsubscribed_from(readers, smtp, address):
	order = plan_with([stage("Cut", None, -20, **OWNED)])
	with at("2030-06-01 10:00:00"):
		second = make_document()
	about = {"reference_doctype": ORDER, "reference_name": order.name}
	made = frappe.get_doc({"doctype": "Email Unsubscribe", "email": address, **about}).insert()
	frappe.db.set_value("Email Unsubscribe", made.name, "email", address)
	sweep_at(DAY)
	smtp.deliver()
	(mail,) = smtp.to(OLGA)
	assert second.name in plain(mail)
	assert order.name not in plain(mail)
	kept = frappe.get_last_doc("Milestone Message", {"reference_name": order.name, "kind": "Prompt"})
	assert (kept.channel, kept.status, "unsubscribed" in kept.why) == ("Notification", "Sent", True)


def test_validity_of_many_digests_is_looked_up_at_once(readers, count_queries):
	def queries(orders: int) -> int:
		for _number in range(orders):
			with at("2030-06-01 10:00:00"):
				made.append(make_document())
		for order in made:
			sweep_plan_at("2030-06-08 06:59:00", order)
		with at(DAY):
			found = digest._readers(now_datetime(), sending_day.sweep_time())
			with count_queries() as counted:
				digest._read_current(found, now_datetime())
		return counted.count

	made = [plan_with([stage("Cut", None, -21, **OWNED)])]
	assert queries(1) == queries(6)


def test_two_mails_a_day_there_are_not(order, smtp):
	frappe.db.set_single_value("Milestone Settings", "mail_pause_days", 1)
	with at("2030-06-01 10:00:00"):
		make_document(delivery_date="2030-06-29")
	sweep_at(DAY)
	with at("2030-06-08 12:00:00"):
		make_document(delivery_date="2030-06-20")
	sweep_at("2030-06-08 12:00:00")
	sweep_at("2030-06-09 07:00:00")
	smtp.deliver()
	assert sorted(mail["Subject"] for mail in smtp.to(OLGA)) == [
		f"Has Cut been reached? Production Order {order.name}",
		"Your milestones of June 9, 2030",
	]


def test_a_user_chooses_for_themselves_and_guests_for_nobody(make_user, as_user):
	make_user(OLGA, roles=[CLERK_ROLE])
	with as_user(OLGA):
		assert api.get_mail_preference() == "Daily"
		assert api.set_mail_preference("Bell Only") == "Bell Only"
		assert api.get_my_work()["mail_preference"] == "Bell Only"
	with as_user("Guest"), pytest.raises(frappe.PermissionError):
		api.set_mail_preference("Each")


def test_members_of_a_task_are_told_by_the_task_form(make_user, order, smtp):
	with at("2030-06-02 09:00:00"):
		name = tasks.add(plan_of(order).name, "Cut", title="Look", **member(OLGA))
	sweep_at("2030-06-07 07:00:00")
	log = frappe.get_last_doc("Notification Log", {"for_user": OLGA, "type": "Alert"})
	assert (log.document_type, log.document_name) == ("Milestone Task", name)


def test_a_site_without_mail_account_notifies_on_the_desk(make_user):
	forget_mail_account()
	make_user(OLGA, roles=[CLERK_ROLE])
	with at("2030-06-01 09:00:00"):
		make_workflow(
			stages=[stage("Cut", None, -20, notify_users=MILL, **OWNED)],
			tasks=[],
		)
		make_document()
	assert len(sweep_at(DAY)) == 2
	assert (row(OLGA).channel, row(OLGA).status) == ("Notification", "Sent")
	assert row(OLGA).why.endswith("No mail: this site has no outgoing e-mail account.")
	assert row(MILL).status == "Skipped"
	assert sweep_at("2030-06-08 08:00:00") == []
	assert frappe.db.count("Error Log", {"method": ("like", "Milestone%")}) == 0


def test_owners_and_those_to_notify_are_told_apart(make_user, smtp):
	forget_mail_account()
	make_user(OLGA, roles=[CLERK_ROLE])
	with at("2030-06-01 09:00:00"):
		make_workflow(stages=[stage("Cut", None, -20, notify_users=MILL, **OWNED)], tasks=[])
		make_document()
	sweep_at(DAY)
	smtp.deliver()
	(mail,) = smtp.to(MILL)
	body = mail.get_body(("plain",)).get_content()
	assert "Olga has been asked. You do not need to do anything." in body
	assert "token=" not in body
	assert row(MILL).why == "You get this message because this milestone's workflow notifies you."


@pytest.fixture
def toasts(site):
	"""What the server has shown on open desks: a function that returns it since it was last asked."""
	connection = get_redis_connection_without_auth()
	listener = connection.pubsub(ignore_subscribe_messages=True)
	listener.subscribe("events")
	listener.get_message(timeout=10)  # that it listens

	def shown() -> list[dict]:
		# Redis keeps the order, so what was shown before comes before this.
		last = {"event": "asked", "number": frappe.generate_hash()}
		connection.publish("events", json.dumps(last))
		found = []
		while last not in found:
			event = listener.get_message(timeout=10)
			assert event, "Redis does not answer"
			found.append(json.loads(event["data"]))
		return [one for one in found if one["event"] == "msgprint" and one["namespace"] == site]

	assert shown() == []
	yield shown
	listener.close()


def commit_events() -> None:
	"""What is published when Frappe commits a transaction."""
	frappe.db.before_commit.run()
	flush_realtime_log()


def test_who_is_at_the_desk_sees_the_prompt_at_once_but_not_before_it_is_certain(order, smtp, toasts):
	sweep_at(DAY)
	assert toasts() == []
	commit_events()
	(toast,) = toasts()
	assert toast["room"] == get_user_room(OLGA)
	assert toast["message"] == {
		"message": f"Has Cut been reached? Production Order {order.name}",
		"alert": 1,
		"indicator": "blue",
	}


def test_nothing_pops_up_of_a_plan_whose_messages_were_undone(order, smtp, monkeypatch):
	with at("2030-06-01 10:00:00"):
		second = make_document()
	broken, keep = order.name, outbox.keep

	def keep_or_break(letter, values):
		if letter.plan["reference_name"] == broken:
			raise ValueError("broken")
		keep(letter, values)

	monkeypatch.setattr(outbox, "keep", keep_or_break)
	published = []
	monkeypatch.setattr("frappe.realtime.emit_via_redis", lambda *event: published.append(event))
	assert ("Prompt", OLGA, "Cut") in sweep_at(DAY)
	commit_events()
	own = [event for event in published if event[2] == get_user_room(OLGA)]
	assert [event for event, _message, _room in own] == ["notification", "msgprint"]
	assert second.name in own[1][1]["message"]
	assert frappe.db.count("Notification Log", {"for_user": OLGA, "type": "Alert"}) == 1


# Custom messages

CUT = {"stage_name": "Cut", "key_date": None}


@pytest.mark.parametrize(
	("text", "title"),
	[
		("{{ doc.title | safe }}", '"<img src=x onerror=alert(1)>"'),
		("{{ doc.title | safe }}", "<img src=x onerror=alert(1)"),
		('"<img src=x onerror=alert(1)>"', "x"),
		('{"a": "<script>alert(1)</script>"}', "x"),
	],
)
def test_a_text_in_quotes_is_cleaned_as_any_other(text, title):
	shown = custom_messages.render(text, make_document(title=title), CUT)
	assert "onerror" not in shown
	assert "<script" not in shown


def test_harmless_words_and_tags_stay_as_they_were_written():
	order = make_document(title="Shirts")
	for text in ("<b>{{ doc.title }}</b>, please", "{{ doc.title }} & more", '"Shirts"', "12"):
		expected = text.replace("{{ doc.title }}", "Shirts")
		assert custom_messages.render(text, order, CUT).replace("&amp;", "&") == expected


NAMES_OF_METHODS = ("items", "keys", "values", "get", "copy", "update")


@pytest.mark.parametrize("fieldname", NAMES_OF_METHODS)
def test_a_field_goes_before_the_method_of_the_same_name(make_doctype, fieldname):
	line = make_doctype("Wardrobe Line", [{"fieldname": "item", "fieldtype": "Data"}], istable=1)
	tables = [{"fieldname": name, "fieldtype": "Table", "options": line} for name in NAMES_OF_METHODS]
	doctype = make_doctype("Wardrobe", tables)
	text = f"{{% for row in doc.{fieldname} %}}{{{{ row.item }}}};{{% endfor %}}"
	custom_messages.check_template(text, doctype)
	doc = frappe._dict(doctype=doctype, name="W1", meta=frappe.get_meta(doctype))
	doc.as_dict = lambda **_how: {fieldname: [frappe._dict(item="Shirt"), frappe._dict(item="Coat")]}
	assert custom_messages.render(text, doc, CUT) == "Shirt;Coat;"


def test_the_sandbox_still_refuses_what_begins_with_an_underscore():
	order = make_document(title="Shirts")
	for text in ("{{ doc.__class__.__mro__ }}", "{{ doc._meta }}", "{{ doc.title.__class__ }}"):
		assert custom_messages.render(text, order, CUT) in ("", "…")
	assert custom_messages.render("{{ doc.update({'title': 'x'}) }}", order, CUT) == "…"


def test_an_empty_field_prints_nothing():
	assert custom_messages.render("Note: {{ doc.note }}.", make_document(), CUT) == "Note: ."


@pytest.mark.parametrize(
	("html", "text"),
	[
		("<p>Hello</p><p>Please</p>", "Hello\nPlease"),
		("Hello<br>you<br><br>there", "Hello\nyou\n\nthere"),
		('See <a href="https://x.example/y">the <b>plan</b></a>.', "See the plan (https://x.example/y)."),
		('<a href="https://x.example/">https://x.example/</a>', "https://x.example/"),
		('<a href="mailto:mill@example.org">mill@example.org</a>', "mill@example.org"),
		("<ul><li>One</li><li><p>Two</p></li></ul>Three", "- One\n- Two\nThree"),
		("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
		("<style>p { color: red }</style>1 &lt; 2 &amp; more", "1 < 2 & more"),
	],
)
def test_html_reads_as_text(html, text):
	assert custom_messages.as_text(html) == text


def test_the_plain_text_of_a_mail_keeps_lines_and_links_of_the_custom_message(make_user, smtp):
	forget_mail_account()
	make_user(OLGA, roles=[CLERK_ROLE])
	words = "<p>Hello</p><p>See <a href='https://x.example/y'>the plan</a></p>"
	with at("2030-06-01 09:00:00"):
		make_workflow(stages=[stage("Cut", None, -20, custom_message=words, **OWNED)], tasks=[])
		make_document()
	sweep_at(DAY)
	smtp.deliver()
	(mail,) = smtp.to(OLGA)
	assert "Hello\nSee the plan (https://x.example/y)\n" in plain(mail)


def test_an_escalation_names_the_tasks_right_after_the_sentence_that_announces_them(make_user, smtp):
	forget_mail_account()
	make_user(OLGA, roles=[CLERK_ROLE])
	make_user("esther@example.com", roles=["Milestone Manager", CLERK_ROLE])
	with at("2030-06-01 09:00:00"):
		make_workflow(
			stages=[stage("Cut", None, -20, **OWNED)],
			tasks=[task("Cut", "Fabric", **member(OLGA))],
			escalation_role="Milestone Manager",
			escalate_after_days=1,
		)
		order = make_document()
	sweep_at("2030-06-09 07:00:00")
	smtp.deliver()
	(mail,) = smtp.to("esther@example.com")
	assert mail["Subject"] == f"Cut of Production Order {order.name} is one day overdue"
	assert "These required tasks are open:\n- Fabric" in plain(mail)
	html = mail.get_body(("html",)).get_content()
	assert html.index("Owner") < html.index("These required tasks are open:") < html.index("Fabric")
	kept = frappe.get_last_doc("Milestone Message", {"kind": "Escalation"}).message
	assert kept.index("Owner") < kept.index("These required tasks are open:") < kept.index("Fabric")
