"""The outbox of next steps: never lost, never twice, tried again, given up, and shown to nobody else."""

import json
import signal
import subprocess
from datetime import timedelta

import frappe
import pytest
from frappe.utils import now_datetime

from milestone_automation import api
from milestone_automation.engine.messages import alerts
from milestone_automation.engine.plans import ending
from milestone_automation.engine.progress import next_steps, stages, step_breaker
from milestone_automation.engine.store import plan_rows
from tests.support.factories import (
	CLERK_ROLE,
	ORDER,
	ensure_production_order,
	make_document,
	make_next_actions,
	make_workflow,
	plan_of,
	stage,
	stage_of,
)
from tests.support.next_steps import logged, reach, rows_of, run_left, run_steps, without_commits

NOTE = {"action": "Set Value", "field": "note", "value": "To be sewn"}
WRONG = {"action": "Set Value", "field": "status", "value": "No such status"}
ROBERT = "robert@outbox.example"


def reached(*actions, order=None):
	"""An order whose stage Cut was just reached, and the name of its plan."""
	if not order:
		make_workflow(
			stages=[stage("Cut", "Cut", -20, next_actions=make_next_actions(*actions)), stage("Sewn")],
			tasks=[],
		)
		order = make_document()
	order.status = "Cut"
	order.save()
	return order, plan_of(order).name


def row_of(plan: str):
	(row,) = rows_of(plan)
	return row


@pytest.mark.usefixtures("production_order")
class TestReaching:
	def test_the_steps_are_noted_in_the_transaction_that_reaches_the_stage(self):
		frappe.db.savepoint("request")
		order, plan = reached(NOTE, {"action": "Submit"})
		rows = rows_of(plan)
		assert [(row.step, row.action, row.status, row.author) for row in rows] == [
			(1, "Set Value", "Pending", "Administrator"),
			(2, "Submit", "Pending", "Administrator"),
		]
		assert (rows[0].reference_name, rows[0].stage_name) == (order.name, "Cut")
		assert json.loads(rows[0].arguments) == NOTE
		frappe.db.rollback(save_point="request")
		assert not rows_of(plan)

	def test_a_step_that_was_queued_twice_runs_once(self):
		order, plan = reached({"action": "Assign", "user": "Administrator"})
		names = [row.name for row in rows_of(plan)]
		assert run_steps(plan) == ["Assign: done"]
		frappe.db.set_value("ToDo", {"reference_name": order.name}, "status", "Closed")
		with without_commits():
			next_steps.run(names)
		run_left(now_datetime() + timedelta(days=9))
		assert frappe.db.count("ToDo", {"reference_name": order.name}) == 1
		assert row_of(plan).attempts == 1

	def test_what_sql_has_made_of_the_steps_fails_and_the_stage_is_reached(self):
		make_workflow(stages=[stage("Cut", "Cut", -20, next_actions=make_next_actions(NOTE))], tasks=[])
		order = make_document()
		frappe.db.set_value("Milestone Plan Stage", stage_of(order, "Cut").name, "next_actions", "[{")
		_order, plan = reached(order=order)
		run_steps(plan)
		assert "must be a JSON list" in row_of(plan).error
		assert stage_of(order, "Cut").status == "Reached"

	def test_a_job_of_an_earlier_version_has_its_steps_done_once(self):
		_order, plan = reached(NOTE)
		frappe.db.delete("Milestone Next Step", {"plan": plan})
		row = frappe.db.get_value("Milestone Plan Stage", {"parent": plan, "stage_name": "Cut"})
		next_steps.run_now(plan, row)
		next_steps.run_now(plan, row)
		assert run_steps(plan) == ["Set Value: done"]


@pytest.mark.usefixtures("production_order")
class TestNoLongerWanted:
	def test_a_stage_reopened_before_its_step_ran_takes_the_step_back(self):
		order, plan = reached(NOTE)
		stages.undo(plan, "Cut", "Too early")
		assert (row_of(plan).status, row_of(plan).error) == (
			"Skipped", "The milestone was reopened before the step ran.",
		)  # fmt: skip
		assert run_steps(plan) == []
		# Reached again, its steps are others.
		reach(plan, "Cut")
		assert run_steps(plan) == ["Set Value: done"]
		assert [row.status for row in rows_of(plan)] == ["Skipped", "Done"]
		order.reload()
		assert order.note == "To be sewn"

	def test_a_cancelled_plan_does_nothing_any_more(self):
		order, plan = reached(NOTE)
		ending.cancel_by_hand(plan_rows.load_by_name(plan, lock=True), "Ordered elsewhere")
		run_steps(plan)
		assert (row_of(plan).status, row_of(plan).error) == (
			"Skipped", "The plan was cancelled before the step ran.",
		)  # fmt: skip
		order.reload()
		assert order.note is None

	def test_a_deleted_plan_leaves_no_step_and_a_renamed_document_and_user_take_theirs_along(self, make_user):
		make_user(ROBERT, [CLERK_ROLE])
		order, plan = reached({"action": "Assign", "user": ROBERT})
		frappe.db.set_value("Milestone Next Step", {"plan": plan}, "author", ROBERT)
		name = frappe.rename_doc(ORDER, order.name, f"{order.name}-2", force=True)
		frappe.rename_doc("User", ROBERT, "rob@outbox.example", force=True)
		row = row_of(plan)
		assert (row.reference_name, row.author) == (name, "rob@outbox.example")
		assert json.loads(row.arguments)["user"] == "rob@outbox.example"
		frappe.delete_doc(ORDER, name)
		assert not rows_of(plan)


@pytest.mark.usefixtures("production_order")
class TestFailing:
	def test_a_failing_step_is_tried_again_later_and_later_and_then_given_up(self):
		order, plan = reached(WRONG)
		assert run_steps(plan) == ["Set Value: failed"]
		now = now_datetime()
		for attempt, wait in enumerate(next_steps.RETRY_AFTER, 1):
			row = row_of(plan)
			assert (row.status, row.attempts) == ("Pending", attempt)
			assert "No such status" in row.error
			assert abs(row.next_attempt - now - wait) < timedelta(minutes=5)
			run_left()  # not yet
			assert row_of(plan).attempts == attempt
			frappe.db.set_value("Milestone Next Step", row.name, "next_attempt", now)
			run_left()
		row = row_of(plan)
		assert (row.status, row.attempts, row.next_attempt) == ("Failed", 5, None)
		assert logged(plan) == ["Set Value: failed"]
		order.reload()
		assert order.status == "Cut"

	def test_what_the_author_may_not_do_is_not_tried_again_until_somebody_asks(self, make_user):
		order, plan = reached(NOTE)
		make_user(ROBERT, [])
		frappe.db.set_value("Milestone Next Step", {"plan": plan}, "author", ROBERT)
		run_steps(plan)
		assert row_of(plan).status == "Failed"
		make_user(ROBERT, [CLERK_ROLE])
		api.run_next_step_again(row_of(plan).name)
		assert run_steps(plan, by_hand=True)[-1] == "Set Value: done"
		order.reload()
		assert (order.note, order.modified_by) == ("To be sewn", ROBERT)

	def test_only_what_failed_or_waits_runs_again(self):
		_order, plan = reached(NOTE)
		run_steps(plan)
		with pytest.raises(frappe.ValidationError, match="This step is Done"):
			api.run_next_step_again(row_of(plan).name)

	def test_what_was_never_meant_for_people_stays_in_the_error_log(self, monkeypatch):
		_order, plan = reached(NOTE)
		monkeypatch.setattr(next_steps.step_author, "run", lambda *_given: 1 / 0)
		run_steps(plan)
		assert row_of(plan).error == "ZeroDivisionError. The Error Log has the details."
		assert frappe.db.exists("Error Log", {"method": ("like", "Milestone next step%: Set Value of Cut")})

	def test_a_conflict_is_tried_again_at_once(self, monkeypatch):
		_order, plan = reached(NOTE)
		calls, run = [], next_steps.step_author.run

		def meets_somebody(*given):
			calls.append(1)
			if len(calls) < next_steps.CONFLICTS:
				raise frappe.QueryDeadlockError
			return run(*given)

		monkeypatch.setattr(next_steps.step_author, "run", meets_somebody)
		assert run_steps(plan) == ["Set Value: done"]
		assert (len(calls), row_of(plan).attempts) == (next_steps.CONFLICTS, 1)


@pytest.mark.usefixtures("production_order")
class TestCircuitBreaker:
	def fail_five(self):
		_order, plan = reached(WRONG)
		plans = [plan]
		run_steps(plan)
		while len(plans) < step_breaker.TRIPPED_BY:
			plans.append(reached(order=make_document())[1])
			run_steps(plans[-1])
		return plans

	def test_a_step_that_fails_for_one_document_after_the_other_waits_and_the_managers_are_told(
		self, make_user
	):
		make_user(ROBERT, ["Milestone Manager", CLERK_ROLE])
		plans = self.fail_five()
		entries = frappe.get_all("Milestone Plan Log", {"event": "Next Step Stopped"}, ["name", "plan"])
		assert [entry.plan for entry in entries] == [plans[-1]]
		alerts.send(entries[0].name)
		assert ROBERT in frappe.get_all("Milestone Message", {"plan": plans[-1]}, pluck="recipient")
		_order, held = reached(order=make_document())
		assert run_steps(held) == []
		row = row_of(held)
		assert (row.status, row.attempts) == ("Pending", 0)
		assert "failed for the last 5 documents" in row.error
		assert timedelta(hours=23) < row.next_attempt - now_datetime() <= step_breaker.REST
		# A step that says something else is another one.
		frappe.db.set_value(
			"Milestone Next Step", row.name, {"step_key": "x", "next_attempt": now_datetime()}
		)
		assert run_steps(held) == ["Set Value: failed"]

	def test_once_it_is_done_for_one_the_others_follow(self):
		plans = self.fail_five()
		_order, held = reached(order=make_document())
		run_steps(held)
		row = row_of(plans[0])
		frappe.db.set_value("Milestone Next Step", row.name, "arguments", json.dumps(NOTE))  # mended
		next_steps.run_again(row.name)
		run_steps(plans[0], by_hand=True)
		assert row_of(plans[0]).status == "Done"
		assert row_of(held).next_attempt <= now_datetime()
		run_left()
		assert row_of(held).attempts == 1


# Who sees it


@pytest.mark.usefixtures("production_order")
class TestRights:
	def test_a_step_is_shown_to_managers_who_may_read_the_document_and_to_nobody_else(
		self, make_user, as_user
	):
		_order, plan = reached(NOTE)
		name = row_of(plan).name
		reads = {
			"clerk@outbox.example": [CLERK_ROLE],
			"blind@outbox.example": ["Milestone Manager"],
			"manager@outbox.example": ["Milestone Manager", CLERK_ROLE],
		}
		for user, roles in reads.items():
			make_user(user, roles)
			with as_user(user):
				may = user.startswith("manager")
				assert bool(frappe.has_permission("Milestone Next Step", "read", doc=name)) == may
				try:
					listed = frappe.get_list("Milestone Next Step", pluck="name")
				except frappe.PermissionError:
					listed = []
				assert (name in listed) == may
				assert not frappe.has_permission("Milestone Next Step", "write", doc=name)
				if may:
					api.run_next_step_again(name)
				else:
					with pytest.raises(frappe.PermissionError):
						api.run_next_step_again(name)


# On a site that commits


ASSIGN = {"action": "Assign", "user": "Administrator"}
RUN = """
import os, signal, sys
from milestone_automation.engine.progress import next_steps, step_author, step_breaker
def die(*_given, **_named):
	os.kill(os.getpid(), signal.SIGKILL)
{patch}
next_steps.run({names!r})
"""
KILLED = {
	"before the effect": "step_author.run = die",
	"after the effect": "step_breaker.close = die",
	"before the commit": """
import frappe
commit, calls = frappe.db.commit, []
def commit_or_die():
	calls.append(1)
	die() if len(calls) == 2 else commit()
frappe.db.commit = commit_or_die
""",
	"after the commit": """
run_one = next_steps._run_one
next_steps._run_one = lambda *given: (run_one(*given), die())
""",
}


@pytest.fixture
def committed(scratch_site, make_user):
	"""A site of its own with an order whose stage was reached; Redis was away when that was committed."""
	scratch = scratch_site()
	with scratch.connect():
		ensure_production_order()
		enqueue = frappe.enqueue

		def away(*_given, **_named):
			raise ConnectionError("Redis is away")

		frappe.enqueue = away
		try:
			order, plan = reached(ASSIGN, NOTE)
			frappe.db.commit()  # the site is the test's own
		finally:
			frappe.enqueue = enqueue
		names = [row.name for row in rows_of(plan)]
	return scratch, order.name, plan, names


def begin(scratch, code: str) -> subprocess.Popen:
	options = {"cwd": scratch.workplace.sites, "env": scratch.workplace.environment(), "text": True}
	command = scratch.workplace.python_command(scratch.name, "-")
	process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, **options)
	process.stdin.write(code)
	process.stdin.close()
	process.stdin = None
	return process


def assert_done_once(scratch, order: str, plan: str) -> list:
	with scratch.connect():
		assert frappe.db.count("ToDo", {"reference_name": order}) == 1
		assert frappe.db.get_value(ORDER, order, "note") == "To be sewn"
		assert sorted(logged(plan)) == ["Assign: done", "Set Value: done"]
		rows = rows_of(plan)
		assert [row.status for row in rows] == ["Done", "Done"]
		return rows


def test_with_redis_away_at_the_commit_the_scheduler_finds_the_steps(committed):
	scratch, order, plan, _names = committed
	with scratch.connect():
		assert frappe.db.get_value(ORDER, order, "status") == "Cut"
	scratch.worker()
	with scratch.connect():
		assert [row.status for row in rows_of(plan)] == ["Pending", "Pending"]
		next_steps.run_left()
	assert_done_once(scratch, order, plan)


@pytest.mark.parametrize("moment", KILLED)
def test_killed_at_any_moment_a_step_is_neither_lost_nor_done_twice(committed, moment):
	scratch, order, plan, names = committed
	process = begin(scratch, RUN.format(patch=KILLED[moment], names=names))
	_out, errors = process.communicate(timeout=240)
	assert process.returncode == -signal.SIGKILL, errors
	is_done = moment == "after the commit"
	with scratch.connect():
		row = rows_of(plan)[0]
		assert (row.status, row.attempts) == ("Done" if is_done else "Running", 1)
		assert frappe.db.count("ToDo", {"reference_name": order}) == int(is_done)
		next_steps.run_left()
		assert rows_of(plan)[0].attempts == 1  # it may still run
		# Half an hour later.
		frappe.db.set_value(
			"Milestone Next Step",
			{"status": "Running"},
			"next_attempt",
			now_datetime() - timedelta(minutes=1),
		)
		next_steps.run_left()
		next_steps.run(names)
	assert assert_done_once(scratch, order, plan)[0].attempts == (1 if is_done else 2)


def test_two_workers_at_once_do_a_step_once(committed):
	scratch, order, plan, names = committed
	for process in [begin(scratch, RUN.format(patch="", names=names)) for _number in range(2)]:
		_out, errors = process.communicate(timeout=240)
		assert process.returncode == 0, errors
	with scratch.connect():
		next_steps.run_left()
	assert_done_once(scratch, order, plan)
