"""Background jobs that start after the commit. One that is queued already is not queued again.

Every job of this app goes through this module: when Redis is away, a save must neither wait for it nor fail by it, and
somebody who asks for a job is told that there is none.
"""

from functools import partial

import frappe
from frappe import _
from frappe.utils.background_jobs import get_redis_conn
from redis.exceptions import RedisError


class QueueUnreachableError(frappe.ValidationError):
	"""Somebody asked for a job, and the queue cannot be reached."""

	http_status_code = 503


def queue_once(method: str, job_id: str, queue: str = "short", **arguments) -> None:
	"""Queue a job that somebody asked for, after the commit of what was written, unless the same one waits or runs.

	Args:
		method: dotted path of the function.
		job_id: the same for the same work. Frappe adds the site, and on 16 writes a colon in it as RQ takes it.
		queue: "short", "default" or "long".
		arguments: of the function.

	Raises:
		QueueUnreachableError: the queue cannot be reached; says so in words.
	"""
	try:
		get_redis_conn().ping()
	except (RedisError, OSError):
		frappe.throw(
			_(
				"The queue of background jobs cannot be reached, so nothing was started. Try again in a few minutes."
			),
			QueueUnreachableError,
			title=_("Please Try Again"),
		)
	if frappe.db.transaction_writes:
		queue_follow_up(method, job_id, queue, **arguments)
	else:
		# The first releases of Frappe 15 do not commit a request that has written nothing.
		_queue_or_log(frappe.session.user, {"method": method, "job_id": job_id, "queue": queue, **arguments})


def queue_follow_up(
	method: str,
	job_id: str,
	queue: str = "short",
	timeout: int | None = None,
	if_undone: bool = False,
	**arguments,
) -> None:
	"""Queue a job after the commit, if the queue can be reached. The hourly run does its work too, only later.

	All that has to do with Redis is done after the commit, so that a save neither waits for it nor fails by it.

	Args:
		method, job_id, queue, arguments: as in `queue_once`.
		timeout: seconds the job may take; the queue's own limit by default.
		if_undone: whether to queue it too if the running transaction is rolled back.
	"""
	job = {"method": method, "job_id": job_id, "queue": queue, "timeout": timeout, **arguments}
	queue_job = partial(_queue_or_log, frappe.session.user, job)
	frappe.db.after_commit.add(queue_job)
	if if_undone:
		frappe.db.after_rollback.add(queue_job)


def _queue_or_log(user: str, job: dict) -> None:
	session_user, frappe.session.user = frappe.session.user, user
	try:
		frappe.enqueue(deduplicate=True, **job)
	except Exception:
		# An error would tell the user that nothing was saved.
		frappe.logger("milestone_automation").error(
			f"{job['job_id']} was not queued\n{frappe.get_traceback()}"
		)
	finally:
		frappe.session.user = session_user
