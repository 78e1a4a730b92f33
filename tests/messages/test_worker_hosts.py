"""Two machines with workers and, by mistake, a scheduler each, on one database and one Redis; one of them dies.

Each machine is a bench of its own: its folder, its configuration, its processes.
"""

import os
import shutil
import signal
import subprocess
import time

import frappe
import pytest
from frappe.utils import add_days, nowdate

from devtool.benches import Bench
from devtool.web import worker_command
from tests.support.factories import CLERK_ROLE, ensure_production_order, make_document, make_workflow, stage

PLANS = 24
OWNER = "olga@example.com"
# What a scheduler starts every hour, with small jobs, so that there are some for everybody, and many after the first.
SCHEDULE = """
import frappe
from milestone_automation.engine.messages import hourly
hourly.INLINE, hourly.JOB = 1, 2
hourly.run()
frappe.db.commit()
"""


class Machine:
	"""A bench on the test site's database, Redis and files."""

	def __init__(self, scratch, folder):
		workplace = scratch.workplace
		self.site = scratch.name
		self.bench = Bench(workplace.engine, workplace.database, folder, workplace.redis_slot)
		self.bench.lay_out()
		shutil.copytree(workplace.sites / self.site, self.bench.sites / self.site)

	def schedule(self) -> subprocess.Popen:
		process = self._start(self.bench.python_command(self.site, "-"), stdin=subprocess.PIPE)
		process.stdin.write(SCHEDULE)
		process.stdin.close()
		return process

	def work(self) -> subprocess.Popen:
		"""A worker, in a process group of its own, until the queue is empty."""
		return self._start(worker_command(self.bench, burst=True), start_new_session=True)

	def _start(self, command: list[str], **options) -> subprocess.Popen:
		folder, environment = self.bench.sites, self.bench.environment()
		with open(self.bench.folder / f"{time.monotonic_ns()}.log", "w") as log:
			options |= {"stdout": log, "stderr": subprocess.STDOUT, "text": True}
			return subprocess.Popen(command, cwd=folder, env=environment, **options)


@pytest.fixture
def two_machines(scratch_site, make_user, smtp, tmp_path):
	"""A site with two dozen plans that are due, on two machines."""
	scratch = scratch_site()
	if frappe.db.db_type == "sqlite":
		pytest.skip("on SQLite the database is a file of one machine")
	smtp.configure(scratch)
	with scratch.connect():
		ensure_production_order()
		make_user(OWNER, roles=[CLERK_ROLE])
		frappe.defaults.set_user_default("milestone_mail", "Each", user=OWNER)
		frappe.db.set_single_value("Milestone Settings", "sweep_time", "00:00:00")
		frappe.db.set_single_value("Milestone Settings", "messages_enabled", 0)  # nobody is asked yet
		make_workflow(stages=[stage("Cut", None, -20, owner_kind="User", owner_user=OWNER)], tasks=[])
		for _number in range(PLANS):
			make_document(delivery_date=add_days(nowdate(), 20))
		frappe.db.set_single_value("Milestone Settings", "messages_enabled", 1)
		frappe.db.commit()  # the site is the test's own
	return scratch, [Machine(scratch, tmp_path / name) for name in ("first", "second")]


def finish(*processes: subprocess.Popen) -> None:
	for process in processes:
		assert process.wait(timeout=400) == 0


def prompts(scratch) -> list[str]:
	"""The plans of the prompts on record."""
	with scratch.connect():
		return frappe.get_all("Milestone Message", {"kind": "Prompt"}, pluck="plan")


def kill_in_the_middle(scratch, worker: subprocess.Popen) -> None:
	"""Kill a machine's worker, with the job it runs, once some prompts are written and others are not."""
	while not (found := prompts(scratch)):
		assert worker.poll() is None
		time.sleep(0.05)
	assert len(found) < PLANS
	os.killpg(worker.pid, signal.SIGKILL)
	worker.wait()


def test_one_of_two_machines_dies_and_each_owner_is_asked_once_for_each_document(two_machines):
	scratch, (first, second) = two_machines
	finish(first.schedule(), second.schedule())  # two schedulers by mistake
	dying = first.work()
	kill_in_the_middle(scratch, dying)

	finish(second.work())
	finish(second.schedule())  # an hour later: what the dead one had begun
	finish(second.work())

	with scratch.connect():
		plans = frappe.get_all("Milestone Plan", pluck="name")
	assert sorted(prompts(scratch)) == sorted(plans)
	with scratch.connect():
		mails = frappe.get_all("Milestone Message", {"kind": "Prompt"}, pluck="email_queue")
		assert all(mails)
		assert len(set(mails)) == PLANS
		assert frappe.db.count("Email Queue") == PLANS
