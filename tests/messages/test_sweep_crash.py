"""The sweep killed in the middle, and two at once: every message exactly once. On a site that commits."""

import signal
import subprocess
import time

import frappe
import pytest

from tests.support.factories import (
	CLERK_ROLE,
	ensure_production_order,
	make_document,
	make_workflow,
	member,
	stage,
	task,
)

PLANS = 60
SWEEP = """
import datetime, sys, time
from milestone_automation.engine.messages import hourly, sweep
sweep.BATCH = 20
print("begun", flush=True)
{before}
hourly.run(datetime.datetime(2030, 6, 8, 7, 0))
"""
# The mail of the day is queued, and hangs before its messages are marked.
HANG = """
from milestone_automation.engine.messages import digest
def hang(*args, **values):
    print("queued", flush=True)
    time.sleep(120)
digest._mark = hang
"""


@pytest.fixture
def busy_site(scratch_site, make_user):
	"""A site with sixty plans due on 2030-06-08, each with a prompt and a blocked stage with one task.

	Olga, who owns the stages, gets one mail a day; Otto, who has the tasks, each message by mail.
	"""
	scratch = scratch_site()
	with scratch.connect():
		ensure_production_order()
		make_user("olga@example.com", roles=[CLERK_ROLE])
		make_user("otto@example.com", roles=[CLERK_ROLE])
		frappe.defaults.set_user_default("milestone_mail", "Each", user="otto@example.com")
		owner = {"owner_kind": "User", "owner_user": "olga@example.com"}
		make_workflow(
			stages=[stage("Cut", None, -20, **owner), stage("Sewn", None, -20, **owner)],
			tasks=[task("Sewn", "Send patterns", **member("otto@example.com"))],
		)
		for _number in range(PLANS):
			make_document()
		frappe.db.commit()  # the site is the test's own
	return scratch


def begin_sweep(scratch, before: str = "") -> subprocess.Popen:
	options = {"cwd": scratch.workplace.sites, "env": scratch.workplace.environment(), "text": True}
	command = scratch.workplace.python_command(scratch.name, "-")
	process = subprocess.Popen(
		command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
	)
	process.stdin.write(SWEEP.format(before=before))
	process.stdin.close()
	return process


def finish(process: subprocess.Popen) -> None:
	process.stdin = None
	_out, errors = process.communicate(timeout=240)
	assert process.returncode == 0, errors


def _mails_to(recipient: str) -> list:
	return frappe.get_all("Milestone Message", {"recipient": recipient}, pluck="email_queue")


def assert_each_message_once(scratch, all_at_once: bool = True) -> None:
	with scratch.connect():
		filters = {"kind": ("!=", "Digest")}
		kinds = frappe.get_all("Milestone Message", filters, ["kind", "plan"], as_list=True)
		plans = frappe.get_all("Milestone Plan", pluck="name")
		wanted = [(kind, plan) for plan in plans for kind in ("Prompt", "Blocked", "Blocked (Owner)")]
		assert sorted(kinds) == sorted(wanted)
		assert frappe.db.count("Email Queue") == PLANS + 1
		assert frappe.db.count("Notification Log", {"type": "Alert"}) == len(wanted)
		assert len(set(_mails_to("otto@example.com"))) == PLANS
		of_olga = [mail for mail in _mails_to("olga@example.com") if mail]
		assert len(set(of_olga)) == 1
		# The bundle of one sweep may go before the other is done; what is made then waits for the next.
		assert all_at_once is False or len(of_olga) == 2 * PLANS + 1
		assert frappe.db.count("Milestone Plan", {"health": "Blocked"}) == PLANS


def test_killed_again_and_again_it_sends_every_message_exactly_once(busy_site, smtp):
	smtp.configure(busy_site)
	for delay in (0.2, 0.7, 1.3, 2.0):
		process = begin_sweep(busy_site)
		process.stdout.readline()
		time.sleep(delay)
		process.send_signal(signal.SIGKILL)
		process.wait()
	finish(begin_sweep(busy_site))
	assert_each_message_once(busy_site)


def test_two_at_once_send_every_message_exactly_once(busy_site, smtp):
	smtp.configure(busy_site)
	both = [begin_sweep(busy_site), begin_sweep(busy_site)]
	for process in both:
		finish(process)
	# What one left because the other held it is found by the next.
	finish(begin_sweep(busy_site))
	assert_each_message_once(busy_site, all_at_once=False)


def test_killed_while_it_sends_the_mail_of_the_day_it_sends_it_once(busy_site, smtp):
	smtp.configure(busy_site)
	process = begin_sweep(busy_site, HANG)
	assert [process.stdout.readline().strip() for _line in range(2)] == ["begun", "queued"]
	process.send_signal(signal.SIGKILL)
	process.wait()
	with busy_site.connect():
		assert not any(_mails_to("olga@example.com"))
	finish(begin_sweep(busy_site))
	assert_each_message_once(busy_site)
