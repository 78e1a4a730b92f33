"""Redis is away: no save and no call fails with a traceback, and who asked for a job is told that there is none."""

import ast

import frappe
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from devtool.paths import ROOT
from milestone_automation.engine.base import jobs
from milestone_automation.engine.messages import hourly


@pytest.fixture
def away(monkeypatch):
	def refuse(*_given, **_named):
		raise RedisConnectionError("Connection refused")

	monkeypatch.setattr(jobs, "get_redis_conn", refuse)
	monkeypatch.setattr(frappe, "enqueue", refuse)


def test_who_asks_for_a_job_is_told_in_words(site, away):
	with pytest.raises(jobs.QueueUnreachableError, match="nothing was started") as refused:
		jobs.queue_once("frappe.ping", "milestone-test", queue="long")
	assert refused.value.http_status_code == 503


def test_what_follows_on_a_save_is_logged_and_the_save_stands(site, away):
	jobs.queue_follow_up("frappe.ping", "milestone-test")
	hourly.enqueue(["one", "two"])
	frappe.db.after_commit.run()


@pytest.mark.no_site
def test_jobs_are_queued_in_one_place():
	callers = {
		path.name
		for path in (ROOT / "milestone_automation").rglob("*.py")
		for node in ast.walk(ast.parse(path.read_text()))
		if isinstance(node, ast.Call)
		and ast.unparse(node.func) in ("frappe.enqueue", "frappe.enqueue_doc", "enqueue")
	}
	assert callers <= {"jobs.py", "hourly.py"}, "use engine/base/jobs.py"
